// What a scenario calls (explorer.h, operation.h), handed to the search that
// runs it.
#include <cstring>

#include "percore/tests/model/search.h"

namespace percore::model {

void* Execution::Allocate(size_t size, size_t alignment) {
  return explorer->Allocate(size, alignment);
}

void Execution::Own(void* object, size_t size, void (*destroy)(void*)) {
  explorer->Own(object, size, destroy);
}

void Execution::Add(const char* name, void (*call)(void*), void* body,
                    bool daemon) {
  explorer->AddThread(name, call, body, daemon);
}

void Execution::AtEnd(std::function<void()> check) {
  explorer->SetCheck(std::move(check));
}

Result Explore(const Options& options,
               const std::function<void(Execution&)>& scenario) {
  return Explorer(options, scenario).Run();
}

std::string Result::Summary() const {
  return std::to_string(executions) + " schedules to their end, " +
         std::to_string(pruned) + " cut as equivalent, " +
         std::to_string(states) + " states, " +
         (complete ? "complete" : "not complete");
}

void Check(bool condition, const char* message) {
  if (!condition) explorer->Fail(message);
}

int Choose(int n) {
  Operation operation = {.kind = Kind::kChoose};
  operation.order = std::memory_order_relaxed;
  operation.operand = static_cast<uint64_t>(n);
  explorer->Perform(&operation);
  return static_cast<int>(operation.result);
}

void* NewMemory(size_t size, size_t alignment) {
  return explorer->NewMemory(size, alignment);
}

void DeleteMemory(void* memory) { explorer->DeleteMemory(memory); }

int CreateLocation(uint64_t value) {
  return explorer->memory().Create(explorer->current(), value);
}

void DestroyLocation(int location) {
  if (explorer->inert()) return;
  explorer->FailIf(explorer->memory().Destroy(explorer->current(), location));
}

void NameLocation(int location, const char* name) {
  explorer->memory().SetName(location, name);
}

void WipeStack() {
  char dead[2048];
  memset(dead, 0, sizeof(dead));
  asm volatile("" : : "r"(dead) : "memory");
}

void Perform(Operation* operation) {
  operation->order = explorer->Ordered(operation->site, operation->kind, false,
                                       operation->order);
  if (operation->kind == Kind::kCompareExchange) {
    operation->failure_order = explorer->Ordered(
        operation->site, operation->kind, true, operation->failure_order);
  }
  explorer->Perform(operation);
}

int CreatePlain() {
  return explorer->memory().CreatePlain(explorer->current());
}

void DestroyPlain(int plain) {
  if (explorer->inert()) return;
  explorer->FailIf(explorer->memory().DestroyPlain(explorer->current(), plain));
}

void ReadPlain(int plain) {
  if (explorer->inert()) return;
  explorer->FailIf(explorer->memory().ReadPlain(explorer->current(), plain));
}

void WritePlain(int plain) {
  if (explorer->inert()) return;
  explorer->FailIf(explorer->memory().WritePlain(explorer->current(), plain));
}

void PauseThread() { explorer->Pause(); }

void Fence(std::memory_order order, const std::source_location& site) {
  order = explorer->Ordered(site, Kind::kFence, false, order);
  const int thread = explorer->current();
  Memory& memory = explorer->memory();
  if (order == std::memory_order_relaxed) return;
  if (order != std::memory_order_release) memory.AcquireFence(thread);
  if (order == std::memory_order_seq_cst) {
    Operation operation = {.kind = Kind::kFence};
    operation.order = std::memory_order_acq_rel;
    operation.location = 0;
    operation.site = site;
    explorer->Perform(&operation);
  }
  if (order != std::memory_order_acquire) memory.ReleaseFence(thread);
}

}  // namespace percore::model
