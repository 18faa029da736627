/*
 * The one header of libevent 1.x: everything, on one current base.
 *
 * New programs include <event2/...>.
 */
#ifndef PERCORE_EVENT_H_
#define PERCORE_EVENT_H_

#include <event2/event-config.h>

#include <stdarg.h>
#include <stdint.h>
#include <sys/types.h>
#ifndef _WIN32
#include <sys/time.h>
#endif

#include <evutil.h>

#include <event2/event_struct.h>

#include <event2/event.h>

#include <event2/event_compat.h>

#include <event2/buffer.h>

#include <event2/buffer_compat.h>

#include <event2/bufferevent.h>

#include <event2/bufferevent_struct.h>

#include <event2/bufferevent_compat.h>

#include <event2/tag.h>

#include <event2/tag_compat.h>

#endif /* PERCORE_EVENT_H_ */
