// Filter callbacks for bufferevent_filter_new.

#ifndef PERCORE_TESTS_COMPAT_FILTERS_H_
#define PERCORE_TESTS_COMPAT_FILTERS_H_

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include <string>
#include <vector>

namespace compat {

// How the two callbacks of one filter were called.
struct FilterLog {
  struct Call {
    ev_ssize_t limit;
    bufferevent_flush_mode mode;
    size_t size;
  };
  std::vector<Call> in, out;
  int freed = 0;
  // What the next calls return instead of working.
  bool in_error = false, in_waits = false, out_error = false, out_waits = false;
  // Input is handed on in units of this many bytes.
  size_t unit = 1;

  bool SawOut(bufferevent_flush_mode mode) const {
    for (const Call& call : out) {
      if (call.mode == mode) return true;
    }
    return false;
  }
  bool SawIn(bufferevent_flush_mode mode) const {
    for (const Call& call : in) {
      if (call.mode == mode) return true;
    }
    return false;
  }
};

// Moves at most `limit` bytes (-1: all), each increased by `add`.
inline size_t MoveShifted(evbuffer* src, evbuffer* dst, ev_ssize_t limit,
                          char add) {
  size_t size = evbuffer_get_length(src);
  if (limit >= 0 && size > static_cast<size_t>(limit)) size = limit;
  std::string bytes(size, '\0');
  evbuffer_remove(src, bytes.data(), size);
  for (char& c : bytes) c += add;
  evbuffer_add(dst, bytes.data(), size);
  return size;
}

// Output is a Caesar shift by one, input its inverse.
inline bufferevent_filter_result ShiftIn(evbuffer* src, evbuffer* dst,
                                         ev_ssize_t limit,
                                         bufferevent_flush_mode mode,
                                         void* arg) {
  auto* log = static_cast<FilterLog*>(arg);
  log->in.push_back({limit, mode, evbuffer_get_length(src)});
  if (log->in_error) return BEV_ERROR;
  if (log->in_waits || evbuffer_get_length(src) < log->unit) {
    return BEV_NEED_MORE;
  }
  return MoveShifted(src, dst, limit, -1) > 0 ? BEV_OK : BEV_NEED_MORE;
}
inline bufferevent_filter_result ShiftOut(evbuffer* src, evbuffer* dst,
                                          ev_ssize_t limit,
                                          bufferevent_flush_mode mode,
                                          void* arg) {
  auto* log = static_cast<FilterLog*>(arg);
  log->out.push_back({limit, mode, evbuffer_get_length(src)});
  if (log->out_error) return BEV_ERROR;
  if (log->out_waits && mode == BEV_NORMAL) return BEV_NEED_MORE;
  return MoveShifted(src, dst, limit, 1) > 0 ? BEV_OK : BEV_NEED_MORE;
}
inline void CountFree(void* arg) { ++static_cast<FilterLog*>(arg)->freed; }

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_FILTERS_H_
