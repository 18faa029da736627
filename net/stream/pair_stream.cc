#include "percore/net/stream/pair_stream.h"

namespace percore {
namespace {

struct PairStream : Stream {
  PairStream* partner;  // guarded by the lock that both share
};

PairStream* AsPair(Stream* s) { return static_cast<PairStream*>(s); }

bool ReadyToTake(PairStream* from, PairStream* to) {
  return to->MayRead() && from->MayWrite() && !from->output_buffer.empty();
}

// Moves what fits. The outer lock is held, no leaf.
void Transfer(PairStream* from, PairStream* to, bool ignore_watermarks) {
  std::size_t n = from->output_buffer.size();
  if (n == 0) return;
  if (!ignore_watermarks && to->wm_read.high != 0) {
    const std::size_t have = to->input_buffer.size();
    if (have >= to->wm_read.high) return;
    if (to->wm_read.high - have < n) n = to->wm_read.high - have;
  }
  from->output_buffer.MoveForStream(&to->input_buffer, n);
  {
    LeafGuard leaf(from);
    to->TouchReadTimeout();
    from->TouchWriteTimeout();
  }
  if (to->readcb != nullptr) {
    to->TriggerLocked(EV_READ, BEV_OPT_DEFER_CALLBACKS);
  }
  if (from->writecb != nullptr) {
    from->TriggerLocked(EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
  }
}

// From the loop: moves what a foreign thread's change could not.
void OnFlush(event_callback*, void* arg) {
  PairStream* s = AsPair(static_cast<Stream*>(arg));
  StreamScope scope(s);
  if (s->partner != nullptr && ReadyToTake(s, s->partner)) {
    Transfer(s, s->partner, false);
  }
}

// Enable and resume come with the leaf held, where nothing may be moved: with
// a lock the transfer follows from the loop.
void TransferSoon(PairStream* from, PairStream* to) {
  if (!ReadyToTake(from, to)) return;
  if (from->lock != nullptr) {
    from->ScheduleFlush();
  } else {
    Transfer(from, to, false);
  }
}

void OutputChanged(Stream* stream, std::size_t added, std::size_t,
                   bool leaf_only) {
  PairStream* s = AsPair(stream);
  if (added == 0 || s->partner == nullptr) return;
  if (leaf_only) {
    LeafGuard leaf(s);
    s->ScheduleFlush();
    return;
  }
  if (ReadyToTake(s, s->partner)) {
    Transfer(s, s->partner, false);
  } else {
    s->TouchWriteTimeout();
  }
}

int EnablePair(Stream* stream, short what) {
  PairStream* s = AsPair(stream);
  if (what & EV_READ) s->TouchReadTimeout();
  if (what & EV_WRITE) s->TouchWriteTimeout();
  if (s->partner == nullptr) return 0;
  if (what & EV_READ) TransferSoon(s->partner, s);
  if (what & EV_WRITE) TransferSoon(s, s->partner);
  return 0;
}

// What the leaf kept from being moved.
void AfterEnable(Stream* stream, short what, bool leaf_only) {
  PairStream* s = AsPair(stream);
  if (leaf_only || s->lock == nullptr || s->partner == nullptr) return;
  if ((what & EV_READ) && ReadyToTake(s->partner, s)) {
    Transfer(s->partner, s, false);
  }
  if ((what & EV_WRITE) && ReadyToTake(s, s->partner)) {
    Transfer(s, s->partner, false);
  }
}

int DisablePair(Stream* s, short what) {
  if (what & EV_READ) s->DelEvent(&s->ev_read);
  if (what & EV_WRITE) s->DelEvent(&s->ev_write);
  return 0;
}

void UnlinkPair(Stream* stream) {
  PairStream* s = AsPair(stream);
  LeafGuard leaf(s);
  if (s->partner != nullptr) s->partner->partner = nullptr;
  s->partner = nullptr;
}

int AdjustPair(Stream* s) { return s->AdjustGenericTimeouts(); }

int FlushPair(Stream* stream, short what, bufferevent_flush_mode mode) {
  PairStream* s = AsPair(stream);
  if (s->partner == nullptr) return -1;
  if (mode == BEV_NORMAL) return 0;
  PairStream* partner = s->partner;
  partner->Ref();
  if (what & EV_READ) Transfer(partner, s, true);
  if (what & EV_WRITE) Transfer(s, partner, true);
  if (mode == BEV_FINISHED) {
    short event = BEV_EVENT_EOF;
    if (what & EV_READ) event |= BEV_EVENT_WRITING;
    if (what & EV_WRITE) event |= BEV_EVENT_READING;
    partner->RunEvent(event, 0);
  }
  partner->Unref();
  return 0;
}

constexpr StreamOps kPairOps = {
    StreamKind::kPair, EnablePair, DisablePair, AfterEnable,
    UnlinkPair,        nullptr,    AdjustPair,  FlushPair,
    nullptr,           nullptr,    nullptr,     OutputChanged,
};

PairStream* NewEnd(EventBase* base, int options, BufferLock* lock) {
  Stream* s =
      Stream::Create(sizeof(PairStream), base, &kPairOps, options, lock);
  if (s == nullptr) return nullptr;
  s->InitGenericTimeouts();
  s->flush.evcb_cb_union.evcb_selfcb = OnFlush;
  s->input_buffer.Freeze(/*front=*/false);
  s->output_buffer.Freeze(/*front=*/true);
  return AsPair(s);
}

}  // namespace

int NewPair(EventBase* base, int options, Stream* ends[2]) {
  options |= BEV_OPT_DEFER_CALLBACKS;
  PairStream* one = NewEnd(base, options, nullptr);
  if (one == nullptr) return -1;
  PairStream* two = NewEnd(base, options, one->lock);
  if (two == nullptr) {
    Stream::Discard(one);
    return -1;
  }
  one->partner = two;
  two->partner = one;
  ends[0] = one;
  ends[1] = two;
  return 0;
}

Stream* PairPartner(Stream* s) {
  if (s->kind() != StreamKind::kPair) return nullptr;
  LeafGuard leaf(s);
  return AsPair(s)->partner;
}

}  // namespace percore
