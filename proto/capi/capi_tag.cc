// <event2/tag.h>, one call deep, and the four names that generated code and
// old programs declare by themselves.
#include <event2/tag.h>

#include <cstring>

#include "percore/net/buffer/buffer.h"
#include "percore/proto/tag/tag.h"

using percore::Buffer;
namespace tag = percore::tag;

namespace {

int Result(bool ok) { return ok ? 0 : -1; }

}  // namespace

extern "C" {

EVENT2_EXPORT_SYMBOL int evtag_decode_int(ev_uint32_t* pnumber,
                                          struct evbuffer* evbuf);
EVENT2_EXPORT_SYMBOL int evtag_decode_int64(ev_uint64_t* pnumber,
                                            struct evbuffer* evbuf);
EVENT2_EXPORT_SYMBOL int evtag_encode_tag(struct evbuffer* evbuf,
                                          ev_uint32_t tag);
EVENT2_EXPORT_SYMBOL int evtag_decode_tag(ev_uint32_t* ptag,
                                          struct evbuffer* evbuf);

void evtag_init(void) {}

int evtag_encode_tag(struct evbuffer* evbuf, ev_uint32_t number) {
  return tag::AddTag(Buffer::From(evbuf), number);
}

int evtag_decode_tag(ev_uint32_t* ptag, struct evbuffer* evbuf) {
  return tag::TakeTag(Buffer::From(evbuf), ptag);
}

void evtag_encode_int(struct evbuffer* evbuf, ev_uint32_t number) {
  tag::AddInt(Buffer::From(evbuf), number);
}

void evtag_encode_int64(struct evbuffer* evbuf, ev_uint64_t number) {
  tag::AddInt(Buffer::From(evbuf), number);
}

int evtag_decode_int(ev_uint32_t* pnumber, struct evbuffer* evbuf) {
  return Result(tag::TakeInt(Buffer::From(evbuf), pnumber));
}

int evtag_decode_int64(ev_uint64_t* pnumber, struct evbuffer* evbuf) {
  return Result(tag::TakeInt(Buffer::From(evbuf), pnumber));
}

void evtag_marshal(struct evbuffer* evbuf, ev_uint32_t number, const void* data,
                   ev_uint32_t len) {
  tag::Marshal(Buffer::From(evbuf), number, data, len);
}

void evtag_marshal_buffer(struct evbuffer* evbuf, ev_uint32_t number,
                          struct evbuffer* data) {
  tag::Marshal(Buffer::From(evbuf), number, Buffer::From(data));
}

void evtag_marshal_int(struct evbuffer* evbuf, ev_uint32_t number,
                       ev_uint32_t integer) {
  tag::MarshalInt(Buffer::From(evbuf), number, integer);
}

void evtag_marshal_int64(struct evbuffer* evbuf, ev_uint32_t number,
                         ev_uint64_t integer) {
  tag::MarshalInt(Buffer::From(evbuf), number, integer);
}

void evtag_marshal_string(struct evbuffer* buf, ev_uint32_t number,
                          const char* string) {
  tag::Marshal(Buffer::From(buf), number, string,
               static_cast<ev_uint32_t>(std::strlen(string)));
}

void evtag_marshal_timeval(struct evbuffer* evbuf, ev_uint32_t number,
                           struct timeval* tv) {
  tag::MarshalTimeval(Buffer::From(evbuf), number, *tv);
}

int evtag_peek(struct evbuffer* evbuf, ev_uint32_t* ptag) {
  return tag::PeekTag(Buffer::From(evbuf), ptag);
}

int evtag_peek_length(struct evbuffer* evbuf, ev_uint32_t* plength) {
  tag::Header header;
  if (!tag::PeekHeader(Buffer::From(evbuf), &header)) return -1;
  // libevent's sum wraps round, and a small number says that all is there.
  if (header.length > UINT32_MAX - header.size) return -1;
  *plength = header.size + header.length;
  return 0;
}

int evtag_payload_length(struct evbuffer* evbuf, ev_uint32_t* plength) {
  tag::Header header;
  if (!tag::PeekHeader(Buffer::From(evbuf), &header)) return -1;
  *plength = header.length;
  return 0;
}

int evtag_unmarshal_header(struct evbuffer* evbuf, ev_uint32_t* ptag) {
  return tag::TakeHeader(Buffer::From(evbuf), ptag);
}

int evtag_consume(struct evbuffer* evbuf) {
  return Result(tag::Skip(Buffer::From(evbuf)));
}

int evtag_unmarshal(struct evbuffer* src, ev_uint32_t* ptag,
                    struct evbuffer* dst) {
  return tag::Unmarshal(Buffer::From(src), ptag, Buffer::From(dst));
}

int evtag_unmarshal_int(struct evbuffer* evbuf, ev_uint32_t need_tag,
                        ev_uint32_t* pinteger) {
  return tag::UnmarshalInt(Buffer::From(evbuf), need_tag, pinteger);
}

int evtag_unmarshal_int64(struct evbuffer* evbuf, ev_uint32_t need_tag,
                          ev_uint64_t* pinteger) {
  return tag::UnmarshalInt(Buffer::From(evbuf), need_tag, pinteger);
}

int evtag_unmarshal_fixed(struct evbuffer* src, ev_uint32_t need_tag,
                          void* data, size_t len) {
  return Result(tag::UnmarshalFixed(Buffer::From(src), need_tag, data, len));
}

int evtag_unmarshal_string(struct evbuffer* evbuf, ev_uint32_t need_tag,
                           char** pstring) {
  char* text = tag::UnmarshalString(Buffer::From(evbuf), need_tag);
  if (text == nullptr) return -1;
  *pstring = text;
  return 0;
}

int evtag_unmarshal_timeval(struct evbuffer* evbuf, ev_uint32_t need_tag,
                            struct timeval* ptv) {
  return Result(tag::UnmarshalTimeval(Buffer::From(evbuf), need_tag, ptv));
}

}  // extern "C"
