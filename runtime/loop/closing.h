// Descriptors that are about to be closed: the loop on this thread sends what
// it has kept for them to the kernel first, so that no late removal hits a
// number that has been reused (DESIGN.md, rules of the batch).
//
// A loop that does not run is not asked, nor one of another thread: nobody
// knows which bases hold the number. What it has kept is sent when it runs,
// and finds the number closed (no harm), reused (the removal becomes a change
// of the new registration, or nothing) or its file still open elsewhere: that
// is the stale registration that the loop finds out, once.
#ifndef PERCORE_RUNTIME_LOOP_CLOSING_H_
#define PERCORE_RUNTIME_LOOP_CLOSING_H_

namespace percore {

class EventBase;

// Makes evutil_closesocket ask. Any thread, idempotent.
void InstallCloseObserver();

// The loops that run on this thread, innermost first: the loop announces
// itself at entry and leave.
class RunningLoops {
 public:
  explicit RunningLoops(EventBase* base);
  ~RunningLoops();
  RunningLoops(const RunningLoops&) = delete;
  RunningLoops& operator=(const RunningLoops&) = delete;

  EventBase* base() const { return base_; }
  const RunningLoops* outer() const { return outer_; }
  static const RunningLoops* Innermost();

 private:
  EventBase* base_;
  const RunningLoops* outer_;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_LOOP_CLOSING_H_
