// Lock debugging (semantics 8.8): wraps the installed evthread callbacks, so
// that each lock knows who holds it and how often.
//
// Fatal assertion failures: unlocking what is not held, or by another thread
// than the holder; locking a non-recursive lock twice; freeing a held lock.
#ifndef PERCORE_RUNTIME_SYNC_LOCK_DEBUGGING_H_
#define PERCORE_RUNTIME_SYNC_LOCK_DEBUGGING_H_

namespace percore {

// Before any object is made. Idempotent.
void EnableLockDebugging();

// Condition callbacks that were installed after it was enabled.
void WrapConditionsForDebugging();

}  // namespace percore

#endif  // PERCORE_RUNTIME_SYNC_LOCK_DEBUGGING_H_
