// <percore/percore.h>: one base.
#include <percore/percore.h>

#include <cerrno>
#include <cstddef>

#include "percore/runtime/loop/event_base.h"

using percore::EventBase;
using percore::SendResult;

extern "C" {

const char* percore_get_version(void) { return "0.1.0"; }

int percore_post(struct event_base* base, void (*fn)(void*), void* arg) {
  return percore::ToPostResult(EventBase::From(base)->mailbox()->Send(
      percore::Message([fn, arg] { fn(arg); })));
}

int percore_base_get_stats(struct event_base* base, struct percore_stats* out) {
  if (out->size < offsetof(struct percore_stats, mail_depth_median)) {
    errno = EINVAL;
    return -1;
  }
  const percore::LoopStats stats = EventBase::From(base)->Stats();
  out->turns = stats.turns;
  out->callbacks = stats.callbacks;
  out->messages_run = stats.messages_run;
  out->messages_posted = stats.messages_posted;
  out->waits = stats.waits;
  out->wakeups_sent = stats.wakeups_sent;
  out->wakeups_received = stats.wakeups_received;
  out->wakeups_spurious = stats.wakeups_spurious;
  out->timers_expired = stats.timers_expired;
  out->stale_reports = stats.stale_reports;
  out->backend_rebuilds = stats.backend_rebuilds;
  out->busy_ns = stats.busy_ns;
  out->waiting_ns = stats.waiting_ns;
  if (out->size < sizeof(struct percore_stats)) return 0;
  out->mail_depth_median = stats.mail_depth.Quantile(0.5);
  out->mail_depth_99 = stats.mail_depth.Quantile(0.99);
  out->mail_delays = stats.mail_delay_ns.Total();
  out->mail_delay_median_ns = stats.mail_delay_ns.Quantile(0.5);
  out->mail_delay_99_ns = stats.mail_delay_ns.Quantile(0.99);
  return 0;
}

void percore_base_set_timing(struct event_base* base, int on) {
  EventBase::From(base)->SetTiming(on != 0);
}

}  // extern "C"
