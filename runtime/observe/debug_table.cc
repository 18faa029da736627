#include "percore/runtime/observe/debug_table.h"

#include <unordered_map>
#include <utility>

#include "percore/runtime/observe/log.h"
#include "percore/runtime/sync/mutex.h"
#include "percore/runtime/system/memory.h"

namespace percore {

// A debugging aid: running out of memory in it ends the process.
template <typename T>
struct DebugAllocator {
  using value_type = T;
  DebugAllocator() = default;
  template <typename U>
  DebugAllocator(const DebugAllocator<U>&) {}
  T* allocate(std::size_t n) {
    void* p = MemAlloc(n * sizeof(T));
    if (p == nullptr) LogErr(1, "Out of memory in debugging code");
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t) { MemFree(p); }
  bool operator==(const DebugAllocator&) const { return true; }
};

class DebugTable {
 public:
  using Events =
      std::unordered_map<const event*, bool, std::hash<const event*>,
                         std::equal_to<const event*>,
                         DebugAllocator<std::pair<const event* const, bool>>>;

  Mutex mutex;
  Events added ABSL_GUARDED_BY(mutex);
};

namespace {

DebugTable* Table() {
  DebugTable* table = State().debug_table.load(std::memory_order_acquire);
  if (table != nullptr) return table;
  DebugTable* fresh = MemNew<DebugTable>();
  if (fresh == nullptr) LogErr(1, "Out of memory in debugging code");
  if (State().debug_table.compare_exchange_strong(table, fresh,
                                                  std::memory_order_acq_rel)) {
    return fresh;
  }
  MemDelete(fresh);
  return table;
}

[[noreturn]] void Complain(const char* call, const char* what,
                           const event* ev) {
  LogErrx(kFatalInternal, "%s: %s %p (events: 0x%x, fd: %d, flags: 0x%x)", call,
          what, static_cast<const void*>(ev),
          static_cast<unsigned>(ev->ev_events), static_cast<int>(ev->ev_fd),
          static_cast<unsigned>(ev->ev_evcallback.evcb_flags));
}

}  // namespace

void EnableDebugMode() {
  if (DebugModeOn()) {
    LogErrx(1, "event_enable_debug_mode was called twice!");
  }
  if (State().debug_mode_too_late.load(std::memory_order_relaxed)) {
    LogErrx(1,
            "event_enable_debug_mode must be called *before* creating any "
            "events or event_bases");
  }
  Table();
  State().debug_mode.store(true, std::memory_order_relaxed);
}

void DisableDebugMode() {
  State().debug_mode.store(false, std::memory_order_relaxed);
  MemDelete(State().debug_table.exchange(nullptr));
}

void DebugRecords::NoteAssign(const event* ev) {
  DebugTable* table = Table();
  MutexLock lock(&table->mutex);
  table->added[ev] = false;
}

void DebugRecords::Forget(const event* ev) {
  DebugTable* table = Table();
  MutexLock lock(&table->mutex);
  table->added.erase(ev);
}

void DebugRecords::NoteAdd(const event* ev) {
  DebugTable* table = Table();
  MutexLock lock(&table->mutex);
  const auto it = table->added.find(ev);
  if (it == table->added.end()) {
    Complain("event_add", "noting an add on a non-setup event", ev);
  }
  it->second = true;
}

void DebugRecords::NoteDel(const event* ev) {
  DebugTable* table = Table();
  MutexLock lock(&table->mutex);
  const auto it = table->added.find(ev);
  if (it == table->added.end()) {
    Complain("event_del", "noting a del on a non-setup event", ev);
  }
  it->second = false;
}

void DebugRecords::CheckAssigned(const char* call, const event* ev) {
  DebugTable* table = Table();
  MutexLock lock(&table->mutex);
  if (table->added.find(ev) == table->added.end()) {
    Complain(call, "called on a non-initialized event", ev);
  }
}

void DebugRecords::CheckNotAdded(const char* call, const event* ev) {
  DebugTable* table = Table();
  MutexLock lock(&table->mutex);
  const auto it = table->added.find(ev);
  if (it != table->added.end() && it->second) {
    Complain(call, "called on an already added event", ev);
  }
}

}  // namespace percore
