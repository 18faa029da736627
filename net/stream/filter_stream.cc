#include "percore/net/stream/filter_stream.h"

#include <cerrno>

namespace percore {
namespace {

struct FilterStream : Stream {
  Stream* below;  // holds a reference
  evbuffer_cb_entry* below_output;
  bufferevent_filter_cb input_filter;
  bufferevent_filter_cb output_filter;
  void (*free_context)(void*);
  void* context;
  bool got_eof;
};

FilterStream* AsFilter(Stream* s) { return static_cast<FilterStream*>(s); }

// --- The two directions -----------------------------------------------------

bufferevent_filter_result PassThrough(evbuffer* source, evbuffer* target,
                                      ev_ssize_t limit, bufferevent_flush_mode,
                                      void*) {
  const std::size_t n = limit < 0 ? Buffer::From(source)->size()
                                  : static_cast<std::size_t>(limit);
  return Buffer::From(source)->MoveTo(Buffer::From(target), n) <= 0
             ? BEV_NEED_MORE
             : BEV_OK;
}

bool ReadIsFull(const FilterStream* s) {
  return s->wm_read.high != 0 && s->input_buffer.size() >= s->wm_read.high;
}

bool BelowIsFull(const FilterStream* s) {
  return s->below->wm_write.high != 0 &&
         s->below->output_buffer.size() >= s->below->wm_write.high;
}

ev_ssize_t RoomUnder(std::size_t high, const Buffer& buffer) {
  if (high == 0) return -1;
  const std::size_t size = buffer.size();
  return size >= high ? 0 : static_cast<ev_ssize_t>(high - size);
}

// Runs the input filter while it makes something and there is more.
bufferevent_filter_result FilterInput(FilterStream* s,
                                      bufferevent_flush_mode mode,
                                      bool* processed) {
  if (mode == BEV_NORMAL) {
    if (!s->MayRead() || ReadIsFull(s)) {
      return BEV_OK;
    }
  }
  bufferevent_filter_result result;
  s->input_buffer.Unfreeze(false);
  do {
    const ev_ssize_t limit =
        mode == BEV_NORMAL ? RoomUnder(s->wm_read.high, s->input_buffer) : -1;
    result =
        s->input_filter(s->below->input, s->input, limit, mode, s->context);
    if (result == BEV_OK) *processed = true;
  } while (result == BEV_OK && (s->enabled & EV_READ) &&
           !s->below->input_buffer.empty() && !ReadIsFull(s));
  s->input_buffer.Freeze(false);
  if (*processed) {
    LeafGuard leaf(s);
    s->TouchReadTimeout();
  }
  return result;
}

bufferevent_filter_result FilterOutput(FilterStream* s,
                                       bufferevent_flush_mode mode,
                                       bool* processed) {
  if (mode == BEV_NORMAL) {
    if (!s->MayWrite() || BelowIsFull(s) || s->output_buffer.empty()) {
      return BEV_OK;
    }
  }
  bufferevent_filter_result result = BEV_OK;
  bool again;
  // What the filter takes from our output is no news to ourselves.
  s->output_buffer.Unfreeze(true);
  do {
    bool made = false;
    again = false;
    do {
      const ev_ssize_t limit =
          mode == BEV_NORMAL
              ? RoomUnder(s->below->wm_write.high, s->below->output_buffer)
              : -1;
      result = s->output_filter(s->output, s->below->output, limit, mode,
                                s->context);
      if (result == BEV_OK) made = true;
    } while (result == BEV_OK && (s->enabled & EV_WRITE) &&
             !s->output_buffer.empty() && !BelowIsFull(s));
    if (made) {
      *processed = true;
      s->output_buffer.Freeze(true);
      s->TriggerLocked(EV_WRITE, 0);
      s->output_buffer.Unfreeze(true);
      // The callback may have written more.
      again = result == BEV_OK && s->MayWrite() && !s->output_buffer.empty() &&
              !BelowIsFull(s);
    }
  } while (again);
  s->output_buffer.Freeze(true);
  if (*processed) s->TouchWriteTimeout();
  return result;
}

// --- Callbacks of the stream below ------------------------------------------

void ProcessInput(FilterStream* s) {
  bufferevent_flush_mode mode = s->got_eof ? BEV_FINISHED : BEV_NORMAL;
  bool processed = false;
  FilterInput(s, mode, &processed);
  // What arrived before and was not taken counts too (10.3).
  if (processed) s->TriggerLocked(EV_READ, 0);
}

void OnBelowReadable(bufferevent*, void* arg) {
  FilterStream* s = AsFilter(static_cast<Stream*>(arg));
  StreamScope scope(s);
  if (!s->dead && s->references > 1) ProcessInput(s);
}

void OnBelowWritable(bufferevent*, void* arg) {
  FilterStream* s = AsFilter(static_cast<Stream*>(arg));
  StreamScope scope(s);
  bool processed = false;
  FilterOutput(s, BEV_NORMAL, &processed);
}

void OnBelowEvent(bufferevent*, short what, void* arg) {
  FilterStream* s = AsFilter(static_cast<Stream*>(arg));
  const int error = errno;
  StreamScope scope(s);
  if (what & BEV_EVENT_EOF) s->got_eof = true;
  errno = error;
  s->RunEvent(what, 0);
}

// What the stream below has written makes room for more of ours.
void OnBelowOutput(evbuffer*, const evbuffer_cb_info* info, void* arg) {
  FilterStream* s = AsFilter(static_cast<Stream*>(arg));
  if (info->n_deleted == 0 || s->dead) return;
  bool processed = false;
  FilterOutput(s, BEV_NORMAL, &processed);
}

// --- The kind ---------------------------------------------------------------

void OnFlush(event_callback*, void* arg) {
  FilterStream* s = AsFilter(static_cast<Stream*>(arg));
  StreamScope scope(s);
  bool processed = false;
  FilterOutput(s, BEV_NORMAL, &processed);
  // Reading was enabled while something waited below.
  if ((s->enabled & EV_READ) && !s->below->input_buffer.empty()) {
    ProcessInput(s);
  }
}

void OutputChanged(Stream* stream, std::size_t added, std::size_t,
                   bool leaf_only) {
  FilterStream* s = AsFilter(stream);
  if (added == 0) return;
  if (leaf_only) {
    LeafGuard leaf(s);
    s->ScheduleFlush();
    return;
  }
  s->Ref();
  bool processed = false;
  FilterOutput(s, BEV_NORMAL, &processed);
  s->Unref();
}

int EnableFilter(Stream* stream, short what) {
  FilterStream* s = AsFilter(stream);
  if (what & EV_READ) {
    s->TouchReadTimeout();
    s->below->ResumeRead(kSuspendFilter);
    if (!s->below->input_buffer.empty()) s->ScheduleFlush();
  }
  if (what & EV_WRITE) {
    s->TouchWriteTimeout();
    if (!s->output_buffer.empty()) s->ScheduleFlush();
  }
  return 0;
}

int DisableFilter(Stream* stream, short what) {
  FilterStream* s = AsFilter(stream);
  if (what & EV_READ) {
    s->DelEvent(&s->ev_read);
    s->below->SuspendRead(kSuspendFilter);
  }
  if (what & EV_WRITE) s->DelEvent(&s->ev_write);
  return 0;
}

void UnlinkFilter(Stream* stream) {
  FilterStream* s = AsFilter(stream);
  Stream* below = s->below;
  below->above = nullptr;
  if (s->below_output != nullptr) {
    below->output_buffer.RemoveCallback(s->below_output);
    s->below_output = nullptr;
  }
  if (s->options & BEV_OPT_CLOSE_ON_FREE) {
    // Ours is one reference; the creator's goes too.
    below->Free();
  } else if (below->cbarg == s) {
    below->SetCallbacks(nullptr, nullptr, nullptr, nullptr);
    below->ResumeRead(kSuspendFilter);
  }
}

void DestructFilter(Stream* stream) {
  FilterStream* s = AsFilter(stream);
  if (s->free_context != nullptr) s->free_context(s->context);
  s->below->Unref();
}

int AdjustFilter(Stream* s) { return s->AdjustGenericTimeouts(); }

int FlushFilter(Stream* stream, short what, bufferevent_flush_mode mode) {
  FilterStream* s = AsFilter(stream);
  bool processed = false;
  if (what & EV_READ) {
    bool read = false;
    FilterInput(s, mode, &read);
    processed = processed || read;
    if (read) s->TriggerLocked(EV_READ, 0);
  }
  if (what & EV_WRITE) {
    bool written = false;
    FilterOutput(s, mode, &written);
    processed = processed || written;
  }
  s->below->Flush(what, mode);
  return processed ? 1 : 0;
}

evutil_socket_t FilterFd(Stream* s) { return AsFilter(s)->below->Fd(); }
int SetFilterFd(Stream* s, evutil_socket_t fd) {
  return AsFilter(s)->below->SetFd(fd);
}
Stream* FilterBelow(Stream* s) { return AsFilter(s)->below; }

constexpr StreamOps kFilterOps = {
    StreamKind::kFilter, EnableFilter,  DisableFilter, nullptr,  UnlinkFilter,
    DestructFilter,      AdjustFilter,  FlushFilter,   FilterFd, SetFilterFd,
    FilterBelow,         OutputChanged,
};

}  // namespace

Stream* NewFilter(Stream* underlying, bufferevent_filter_cb input,
                  bufferevent_filter_cb output, int options,
                  void (*free_context)(void*), void* context) {
  if (underlying == nullptr) return nullptr;
  Stream* made =
      Stream::Create(sizeof(FilterStream), underlying->base(), &kFilterOps,
                     options & ~BEV_OPT_THREADSAFE, underlying->lock);
  if (made == nullptr) return nullptr;
  FilterStream* s = AsFilter(made);
  s->below = underlying;
  s->input_filter = input != nullptr ? input : PassThrough;
  s->output_filter = output != nullptr ? output : PassThrough;
  s->free_context = free_context;
  s->context = context;
  s->flush.evcb_cb_union.evcb_selfcb = OnFlush;
  s->below_output = underlying->output_buffer.AddCallback(OnBelowOutput, made);
  if (s->below_output == nullptr) {
    Stream::Discard(s);
    return nullptr;
  }
  s->InitGenericTimeouts();
  underlying->Ref();
  underlying->above = s;
  underlying->SetCallbacks(OnBelowReadable, OnBelowWritable, OnBelowEvent,
                           made);
  underlying->Enable(EV_READ | EV_WRITE);
  underlying->SuspendRead(kSuspendFilter);
  s->input_buffer.Freeze(/*front=*/false);
  s->output_buffer.Freeze(/*front=*/true);
  return s;
}

}  // namespace percore
