// Debug mode: which events have been assigned, and which are added
// (event_enable_debug_mode, semantics 3.5, 3.8, 7.5).
//
// Catches an event that is assigned while added, used without having been
// assigned, or forgotten in the table. Every violation is fatal: it is logged
// with the call and the event, and the process ends with status 1. Off, each
// check is one load. Any thread.
#ifndef PERCORE_RUNTIME_OBSERVE_DEBUG_TABLE_H_
#define PERCORE_RUNTIME_OBSERVE_DEBUG_TABLE_H_

#include <event2/event_struct.h>

#include "percore/runtime/system/process_state.h"

namespace percore {

inline bool DebugModeOn() {
  return State().debug_mode.load(std::memory_order_relaxed);
}

// Called whenever an event or a base is made: from then on debug mode comes
// too late.
inline void DebugModeTooLate() {
  if (!State().debug_mode_too_late.load(std::memory_order_relaxed)) {
    State().debug_mode_too_late.store(true, std::memory_order_relaxed);
  }
}

// Turns debug mode on; fatal if it is on or events exist already.
void EnableDebugMode();
// Turns it off and forgets everything.
void DisableDebugMode();

// The table itself, asked only in debug mode.
class DebugRecords {
 public:
  static void NoteAssign(const event* ev);
  static void Forget(const event* ev);
  static void NoteAdd(const event* ev);
  static void NoteDel(const event* ev);
  static void CheckAssigned(const char* call, const event* ev);
  static void CheckNotAdded(const char* call, const event* ev);
};

// What a call does to an event, and what must hold for it.
inline void DebugNoteAssign(const event* ev) {
  if (DebugModeOn()) [[unlikely]]
    DebugRecords::NoteAssign(ev);
}
inline void DebugForget(const event* ev) {
  if (DebugModeOn()) [[unlikely]]
    DebugRecords::Forget(ev);
}
inline void DebugNoteAdd(const event* ev) {
  if (DebugModeOn()) [[unlikely]]
    DebugRecords::NoteAdd(ev);
}
inline void DebugNoteDel(const event* ev) {
  if (DebugModeOn()) [[unlikely]]
    DebugRecords::NoteDel(ev);
}
inline void DebugCheckAssigned(const char* call, const event* ev) {
  if (DebugModeOn()) [[unlikely]]
    DebugRecords::CheckAssigned(call, ev);
}
inline void DebugCheckNotAdded(const char* call, const event* ev) {
  if (DebugModeOn()) [[unlikely]]
    DebugRecords::CheckNotAdded(call, ev);
}

}  // namespace percore

#endif  // PERCORE_RUNTIME_OBSERVE_DEBUG_TABLE_H_
