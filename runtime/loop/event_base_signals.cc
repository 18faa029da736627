// Signal events: through the process's handler and the mailbox, or signalfd.
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

#include <cerrno>

#include "percore/runtime/loop/event_base_inline.h"
#include "percore/runtime/loop/signal_registry.h"
#include "percore/runtime/observe/log.h"

namespace percore {

const char* EventBase::signal_method() const {
  return (flags_ & EVENT_BASE_FLAG_USE_SIGNALFD) ? "signalfd_signal" : "signal";
}

int EventBase::WatchSignal(event* ev) {
  const int number = static_cast<int>(ev->ev_fd);
  if (number < 1 || number >= kSignalNumbers) {
    if (number != 0) return -1;
    errno = EINVAL;
    return -1;
  }
  event*& first = signal_events_[number];
  if (first == nullptr) {
    int error;
    if (flags_ & EVENT_BASE_FLAG_USE_SIGNALFD) {
      first = ev;  // so that the mask has it
      error = UpdateSignalFd();
      first = nullptr;
    } else {
      SignalRegistry* registry = SignalRegistry::Get();
      error = registry == nullptr ? ENOMEM : registry->Watch(number, mailbox_);
    }
    if (error != 0) {
      errno = error;
      return -1;
    }
  }
  ev->ev_.ev_signal.ev_signal_next.le_next = first;
  ev->ev_.ev_signal.ev_signal_next.le_prev = nullptr;
  if (first != nullptr) {
    first->ev_.ev_signal.ev_signal_next.le_prev = reinterpret_cast<event**>(ev);
  }
  first = ev;
  return 0;
}

void EventBase::UnwatchSignal(event* ev) {
  const int number = static_cast<int>(ev->ev_fd);
  auto& link = ev->ev_.ev_signal.ev_signal_next;
  auto* previous = reinterpret_cast<event*>(link.le_prev);
  if (link.le_next != nullptr) {
    link.le_next->ev_.ev_signal.ev_signal_next.le_prev = link.le_prev;
  }
  if (previous != nullptr) {
    previous->ev_.ev_signal.ev_signal_next.le_next = link.le_next;
  } else {
    signal_events_[number] = link.le_next;
  }
  link.le_next = nullptr;
  link.le_prev = nullptr;
  if (signal_events_[number] != nullptr) return;
  if (flags_ & EVENT_BASE_FLAG_USE_SIGNALFD) {
    UpdateSignalFd();
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, number);
    pthread_sigmask(SIG_UNBLOCK, &mask, nullptr);
  } else {
    SignalRegistry::Get()->Unwatch(number, mailbox_);
    mailbox_->TakeSignalCount(number);
  }
}

// --- signalfd
// -----------------------------------------------------------------

int EventBase::UpdateSignalFd() {
  sigset_t mask;
  sigemptyset(&mask);
  for (int number = 1; number < kSignalNumbers; ++number) {
    if (signal_events_[number] != nullptr) sigaddset(&mask, number);
  }
  const int fd = signalfd(signal_fd_, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd < 0) return errno;
  const int error = pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  if (signal_fd_ >= 0) return error;
  signal_fd_ = fd;
  Assign(&signal_fd_event_, this, fd, EV_READ | EV_PERSIST, &ReadSignalFd,
         this);
  signal_fd_event_.ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
  signal_fd_event_.ev_evcallback.evcb_pri = 0;
  if (AddInline(&signal_fd_event_, nullptr, /*plain=*/false) == 0) return error;
  const int refused = errno;
  close(fd);
  signal_fd_ = -1;
  return refused;
}

void EventBase::ReadSignalFd(evutil_socket_t fd, short, void* arg) {
  auto* self = static_cast<EventBase*>(arg);
  signalfd_siginfo info[8];
  const ssize_t n = read(fd, info, sizeof(info));
  if (n <= 0) return;
  BaseLockGuard guard(&self->lock_);
  for (ssize_t i = 0; i < n / static_cast<ssize_t>(sizeof(info[0])); ++i) {
    const auto number = info[i].ssi_signo;
    if (number >= kSignalNumbers) continue;
    for (event* ev = self->signal_events_[number]; ev != nullptr;
         ev = ev->ev_.ev_signal.ev_signal_next.le_next) {
      self->ActivateLocked(ev, EV_SIGNAL, 1);
    }
  }
}

}  // namespace percore
