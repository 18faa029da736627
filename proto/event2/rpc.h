/*
 * The macros over what event_rpcgen generates.
 *
 * The calls over HTTP (evrpc_*, EVRPC_*) are not here yet: they come with
 * proto/rpc, and a program that uses them does not compile until then.
 */
#ifndef PERCORE_PROTO_EVENT2_RPC_H_
#define PERCORE_PROTO_EVENT2_RPC_H_

/* Whether an entry is set. */
#define EVTAG_HAS(msg, member) ((msg)->member##_set == 1)

#ifndef EVTAG_ASSIGN

/* Set an entry to a copy of the value. 0, or -1. */
#define EVTAG_ASSIGN(msg, member, value) \
  (*(msg)->base->member##_assign)((msg), (value))
#define EVTAG_ASSIGN_WITH_LEN(msg, member, value, len) \
  (*(msg)->base->member##_assign)((msg), (value), (len))

/* The entry's value, which is the message's. 0, or -1 when it is not set. */
#define EVTAG_GET(msg, member, pvalue) \
  (*(msg)->base->member##_get)((msg), (pvalue))
#define EVTAG_GET_WITH_LEN(msg, member, pvalue, plen) \
  (*(msg)->base->member##_get)((msg), (pvalue), (plen))

#endif /* EVTAG_ASSIGN */

/* Add a copy of the value, or an empty structure, to an array. NULL when there
   is no memory. */
#define EVTAG_ARRAY_ADD_VALUE(msg, member, value) \
  (*(msg)->base->member##_add)((msg), (value))
#define EVTAG_ARRAY_ADD(msg, member) (*(msg)->base->member##_add)(msg)

/* 0, or -1 when the array is not as long. */
#define EVTAG_ARRAY_GET(msg, member, offset, pvalue) \
  (*(msg)->base->member##_get)((msg), (offset), (pvalue))
#define EVTAG_ARRAY_LEN(msg, member) ((msg)->member##_length)

#endif /* PERCORE_PROTO_EVENT2_RPC_H_ */
