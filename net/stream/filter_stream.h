// Streams over another stream, with a function for each direction that changes
// the bytes on their way (semantics 12.1 to 12.3).
#ifndef PERCORE_NET_STREAM_FILTER_STREAM_H_
#define PERCORE_NET_STREAM_FILTER_STREAM_H_

#include "percore/net/stream/stream.h"

namespace percore {

// Takes over the callbacks of `underlying`. Null filters pass bytes through.
// Null: no memory, or no underlying.
Stream* NewFilter(Stream* underlying, bufferevent_filter_cb input,
                  bufferevent_filter_cb output, int options,
                  void (*free_context)(void*), void* context);

}  // namespace percore

#endif  // PERCORE_NET_STREAM_FILTER_STREAM_H_
