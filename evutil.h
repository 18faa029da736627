/* The evutil header of libevent 1.x; new programs include <event2/util.h>. */
#ifndef PERCORE_EVUTIL_H_
#define PERCORE_EVUTIL_H_

#include <event2/util.h>

#endif /* PERCORE_EVUTIL_H_ */
