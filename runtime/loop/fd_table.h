// Which events watch which descriptor, and what the backend has been told.
//
// One array, indexed by descriptor. Interest changes are kept until Flush(),
// by the rules of the batch (DESIGN.md):
//   - a descriptor that the kernel does not hold for this base is added at
//     once, so that a refusal is Insert's answer;
//   - removing an event and narrowing or widening the interest wait for
//     Flush(); removing and inserting the same event again cancels out, if it
//     was neither assigned nor set again meanwhile (the event carries a stamp
//     of the registration that assigning clears);
//   - inserting another event on a number whose removal is pending is sent at
//     once as one change: the number may be another file by now;
//   - each registration has a generation; a report with another one is stale.
// Owner thread (the base's lock in a shared base).
#ifndef PERCORE_RUNTIME_LOOP_FD_TABLE_H_
#define PERCORE_RUNTIME_LOOP_FD_TABLE_H_

#include <event2/event_struct.h>

#include <cstdint>

#include "percore/runtime/backend/backend.h"
#include "percore/runtime/system/memory.h"

namespace percore {

class FdTable {
 public:
  FdTable() = default;
  FdTable(const FdTable&) = delete;
  FdTable& operator=(const FdTable&) = delete;

  // What event_assign does for the list fields of the event.
  static void Init(event* ev) {
    ev->ev_.ev_io.ev_io_next.le_next = nullptr;
    ev->ev_.ev_io.ev_io_next.le_prev = nullptr;
  }

  // Watches ev->ev_fd for ev->ev_events. 0, or an errno value (then nothing
  // has changed): what the backend says, ENOMEM, EMFILE when 65535 events
  // watch one direction, EINVAL when `check_edges` and edge-triggered and
  // level-triggered events would mix.
  int Insert(Backend* backend, event* ev, bool check_edges);

  // Requires that the event is inserted.
  void Remove(event* ev);

  // Hands the backend what has changed. Failures are logged: the descriptors
  // concerned were closed under their events.
  void Flush(Backend* backend);

  // The same for one descriptor that is about to be closed.
  void FlushFd(Backend* backend, int fd);

  bool dirty() const { return !dirty_.empty(); }

  // Newest event first; null if none. Follow with Next().
  event* First(int fd) const {
    return static_cast<std::size_t>(fd) < entries_.size()
               ? entries_[static_cast<std::size_t>(fd)].head
               : nullptr;
  }
  static event* Next(const event* ev) {
    return ev->ev_.ev_io.ev_io_next.le_next;
  }

  // Whether a report with this generation speaks of a live registration.
  bool Current(int fd, std::uint32_t generation) const {
    return static_cast<std::size_t>(fd) < entries_.size() &&
           entries_[static_cast<std::size_t>(fd)].kernel != kInterestNone &&
           entries_[static_cast<std::size_t>(fd)].generation == generation;
  }

  // How often the backend has been told something. A report that was taken
  // before the last change and is not Current is late, not stale.
  std::uint64_t changes() const { return changes_; }

  // A report was not Current: deletes the stale registration. False if that
  // cannot be done (its number is closed or means another file): the backend
  // must be made anew.
  bool DeleteStale(Backend* backend, int fd);

  // Tells a new backend everything. 0, or the first errno value met; the rest
  // is told all the same.
  int Rebuild(Backend* backend);

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    event* head;
    std::uint16_t readers;
    std::uint16_t writers;
    std::uint16_t closers;
    std::uint16_t edges;
    std::uint32_t generation;
    Interest kernel;  // what the backend holds
    bool dirty;       // listed in dirty_
  };

  static Interest Wanted(const Entry& entry) {
    Interest interest = 0;
    if (entry.readers) interest |= kInterestRead;
    if (entry.writers) interest |= kInterestWrite;
    if (entry.closers) interest |= kInterestClosed;
    if (interest && entry.edges) interest |= kInterestEdge;
    return interest;
  }
  static event** Stamp(std::uint32_t generation) {
    // Odd, so never a list link.
    return reinterpret_cast<event**>(
        static_cast<std::uintptr_t>(generation) << 1 | 1);
  }
  static void Count(Entry* entry, short events, int by);
  bool Grow(int fd);
  void MarkDirty(int fd);
  void Send(Backend* backend, int fd);
  int Tell(Backend* backend, int fd, std::uint32_t generation, Interest before,
           Interest now) {
    ++changes_;
    return backend->Update(fd, generation, before, now);
  }

  PodVector<Entry> entries_;
  PodVector<int> dirty_;  // always has room for every entry
  std::uint64_t changes_ = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_FD_TABLE_H_
