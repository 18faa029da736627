// Two streams in memory, each other's source and sink (semantics 12.4).
#ifndef PERCORE_NET_STREAM_PAIR_STREAM_H_
#define PERCORE_NET_STREAM_PAIR_STREAM_H_

#include "percore/net/stream/stream.h"

namespace percore {

// 0 and both ends, or -1. Callbacks are always deferred.
int NewPair(EventBase* base, int options, Stream* ends[2]);

// The other end, or null: no pair, or it was freed.
Stream* PairPartner(Stream* s);

}  // namespace percore

#endif  // PERCORE_NET_STREAM_PAIR_STREAM_H_
