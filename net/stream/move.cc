#include "percore/net/stream/move.h"

#include <cerrno>

#include "percore/net/stream/rate_limit_group.h"
#include "percore/net/stream/stream_limit.h"
#include "percore/runtime/observe/log.h"
#include "percore/runtime/system/memory.h"

namespace percore {

int Stream::MoveTo(EventBase* target) {
  return StreamMove::Start(this, target);
}

int StreamMove::Start(Stream* top, EventBase* target) {
  EventBase* source = top->base();
  if (top->kind() == StreamKind::kPair || source->shared() ||
      target->shared()) {
    return ENOTSUP;
  }
  if (top->above != nullptr) return EPERM;
  // What a BufferEvent keeps beside it belongs to this base's thread.
  if (top->extension != nullptr) return ENOTSUP;
  int count = 0;
  for (Stream* s = top; s != nullptr; s = s->Underlying()) {
    if (s->kind() == StreamKind::kPair) return ENOTSUP;
    if (s->connecting || s->connect != nullptr || s->moving) return EBUSY;
    if (++count > kMostLayers) return ENOTSUP;
  }
  if (target == source) return 0;
  if (target->mailbox()->IsClosed()) return ECANCELED;
  auto* move = MemNew<StreamMove>();
  if (move == nullptr) return ENOMEM;
  move->source_ = source;
  move->target_ = target;
  move->mailbox_ = MailboxRef(target->mailbox());
  move->node_.is_message = true;
  move->node_.run = &OnTarget;
  for (Stream* s = top; s != nullptr; s = s->Underlying()) {
    move->layers_[move->count_++].stream = s;
    s->moving = true;
    s->Ref();
  }
  if (source->Runs()) {
    source->RunAtEndOfPass(&move->at_end_, &AtEndOfPass, move);
  } else {
    move->Depart();
  }
  return 0;
}

void StreamMove::AtEndOfPass(event_callback*, void* arg) {
  static_cast<StreamMove*>(arg)->Depart();
}

// What an event was waiting for; it waits no longer.
StreamMove::Layer::Kept StreamMove::Take(event* ev, const timeval& timeout) {
  Layer::Kept kept = {};
  const short flags = ev->ev_evcallback.evcb_flags;
  if ((flags & EVLIST_INIT) == 0) return kept;
  kept.deadline_ns = source_->Deadline(ev);
  kept.inserted = (flags & EVLIST_INSERTED) != 0 ||
                  kept.deadline_ns != TimerQueue::kNever ||
                  (flags & (EVLIST_ACTIVE | EVLIST_ACTIVE_LATER)) != 0;
  kept.interval = timeout;
  kept.priority = ev->ev_evcallback.evcb_pri;
  source_->Del(ev, DelWait::kNever);
  return kept;
}

void StreamMove::Depart() {
  // Freed since it was asked for: ours are the last references.
  if (layers_[0].stream->references == 1) return Finish();
  for (int i = 0; i < count_; ++i) {
    Layer& layer = layers_[i];
    Stream* s = layer.stream;
    layer.deferred = s->Undefer();
    layer.flushing = source_->CancelCallback(&s->flush);
    const int fd = s->ev_read.ev_fd;
    layer.read = Take(&s->ev_read, s->timeout_read);
    layer.write = Take(&s->ev_write, s->timeout_write);
    // The kernel set of the source must not report it any more.
    if (fd >= 0) source_->FlushFd(fd);
    if (s->limit != nullptr) {
      const ev_token_bucket_cfg* config = s->limit->config;
      layer.refill =
          Take(&s->limit->refill, config != nullptr ? config->tick : timeval{});
      RateLimitGroup* group = s->limit->group;
      if (group != nullptr) {
        group->Leave(s);
        RateLimitGroup* twin = group->TwinOn(target_);
        if (twin != nullptr) twin->Join(s);
      }
    }
  }
  // From here on another thread may have it.
  if (!mailbox_->SendControl(&node_)) {
    LogWarnx("a stream could not be moved: the loop it was to go to has ended");
    Arrive(source_);
  }
}

void StreamMove::OnTarget(ControlNode* node, bool closed) {
  auto* move = reinterpret_cast<StreamMove*>(node);
  if (closed) {
    // The target ended with the note under way: a stream of no loop, which
    // can be read from, written to and freed, and does nothing.
    move->Orphan();
  } else {
    move->Arrive(move->target_);
  }
}

void StreamMove::Orphan() {
  for (int i = 0; i < count_; ++i) {
    Stream* s = layers_[i].stream;
    s->ev_base = nullptr;
    s->ev_read.ev_base = s->ev_write.ev_base = nullptr;
    if (s->limit != nullptr) s->limit->refill.ev_base = nullptr;
    s->input_buffer.SetBase(nullptr);
    s->output_buffer.SetBase(nullptr);
  }
  Finish();
}

void StreamMove::Put(EventBase* base, event* ev, const Layer::Kept& kept) {
  if ((ev->ev_evcallback.evcb_flags & EVLIST_INIT) == 0) return;
  if (base->Adopt(ev) < 0) {
    PERCORE_BUG("an event of a moving stream is in use");
    return;
  }
  const int last = base->priorities() - 1;
  base->SetPriority(ev, kept.priority < last ? kept.priority : last);
  if (!kept.inserted) return;
  int result;
  if (kept.deadline_ns != TimerQueue::kNever) {
    result = base->AddUntil(ev, kept.interval, kept.deadline_ns);
  } else {
    result = base->Add(ev, nullptr);
  }
  if (result < 0) {
    LogWarn("a stream that was moved cannot be watched");
  }
}

void StreamMove::Arrive(EventBase* base) {
  for (int i = 0; i < count_; ++i) {
    Layer& layer = layers_[i];
    Stream* s = layer.stream;
    s->ev_base = base->c();
    s->input_buffer.SetBase(base);
    s->output_buffer.SetBase(base);
    const int last = base->priorities() - 1;
    for (event_callback* cb : {&s->deferred, &s->flush}) {
      const auto run = cb->evcb_cb_union.evcb_selfcb;
      const int priority = cb->evcb_pri < last ? cb->evcb_pri : last;
      base->InitCallback(cb, priority, run, s);
    }
    Put(base, &s->ev_read, layer.read);
    Put(base, &s->ev_write, layer.write);
    s->write_armed = layer.write.inserted;
    if (s->limit != nullptr) Put(base, &s->limit->refill, layer.refill);
    if (layer.deferred) s->Defer();
    if (layer.flushing) s->ScheduleFlush();
    s->moving = false;
  }
  Finish();
}

void StreamMove::Finish() {
  // Lower layers last: those above hold references to them.
  for (int i = 0; i < count_; ++i) {
    layers_[i].stream->moving = false;
    layers_[i].stream->Unref();
  }
  MemDelete(this);
}

}  // namespace percore
