// Tagged elements in buffers: libevent's evtag (semantics 23).
//
// This room turns values into elements at the end of a Buffer and takes them
// from its front, in libevent's wire format (wire.h). It is called by the C
// door (<event2/tag.h>) and by what event_rpcgen generates, and knows nothing
// of what the elements mean.
//
// What comes from outside is only believed as far as bytes are there: a length
// beyond the buffer's is refused before anything is allocated for it.
//
// Threads: as the buffer's; one call on a locked buffer is one step. Errors:
// false, -1 or null. Marshalling that fails has added nothing, unless it says
// so; unmarshalling that fails may have consumed the tag, the header or the
// element, as libevent's does, and has not touched the result.
#ifndef PERCORE_PROTO_TAG_TAG_H_
#define PERCORE_PROTO_TAG_TAG_H_

#include <event2/util.h>
#include <sys/time.h>

#include <cstddef>
#include <cstdint>

#include "percore/net/buffer/buffer.h"

namespace percore::tag {

// --- To the end -----------------------------------------------------------

// A bare tag, a bare integer. The bytes they take (of the tag also when `out`
// is null: it is only counted).
int AddTag(Buffer* out, std::uint32_t tag);
void AddInt(Buffer* out, std::uint64_t number);

bool Marshal(Buffer* out, std::uint32_t tag, const void* data,
             std::uint32_t size);
// Moves all of `data`, without a copy. What is too long for a length, or
// `out` itself, is refused. The header stays when `data` is frozen.
bool Marshal(Buffer* out, std::uint32_t tag, Buffer* data);
bool MarshalInt(Buffer* out, std::uint32_t tag, std::uint64_t number);
// Seconds and microseconds are cut to their low 32 bits.
bool MarshalTimeval(Buffer* out, std::uint32_t tag, const timeval& tv);

// --- From the front -------------------------------------------------------

// The bytes taken, or -1.
int TakeTag(Buffer* in, std::uint32_t* tag);
bool TakeInt(Buffer* in, std::uint32_t* number);
bool TakeInt(Buffer* in, std::uint64_t* number);

// Without taking: the tag's size, or -1; the header of the first element,
// whose payload need not be there.
struct Header {
  std::uint32_t tag;
  std::uint32_t length;  // of the payload
  std::uint32_t size;    // of tag and length
};
int PeekTag(Buffer* in, std::uint32_t* tag);
bool PeekHeader(Buffer* in, Header* header);

// Takes tag and length; the length, or -1 when one of them is malformed or
// less payload is there. `tag` may be null; it is set when the tag was read.
int TakeHeader(Buffer* in, std::uint32_t* tag);
// Skips an element.
bool Skip(Buffer* in);

// The payload goes to the end of `payload`; its length.
int Unmarshal(Buffer* in, std::uint32_t* tag, Buffer* payload);
// An element tagged `need`. The bytes of the integer, which the payload may
// go on after; -1.
int UnmarshalInt(Buffer* in, std::uint32_t need, std::uint32_t* number);
int UnmarshalInt(Buffer* in, std::uint32_t need, std::uint64_t* number);
// The payload is of exactly `size` bytes.
bool UnmarshalFixed(Buffer* in, std::uint32_t need, void* data,
                    std::size_t size);
// NUL-terminated, in memory of MemAlloc; null.
char* UnmarshalString(Buffer* in, std::uint32_t need);
bool UnmarshalTimeval(Buffer* in, std::uint32_t need, timeval* tv);

}  // namespace percore::tag

#endif  // PERCORE_PROTO_TAG_TAG_H_
