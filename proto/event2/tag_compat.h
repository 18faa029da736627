/*
 * Names of libevent 1.x for two functions of event2/tag.h, which include.
 */
#ifndef PERCORE_PROTO_EVENT2_TAG_COMPAT_H_
#define PERCORE_PROTO_EVENT2_TAG_COMPAT_H_

#define encode_int(evbuf, number) evtag_encode_int((evbuf), (number))
#define encode_int64(evbuf, number) evtag_encode_int64((evbuf), (number))

#endif /* PERCORE_PROTO_EVENT2_TAG_COMPAT_H_ */
