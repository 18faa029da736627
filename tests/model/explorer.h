// Interleaving checker: runs a small concurrent scenario in every way in which
// the C++ memory model lets it run.
//
// Story. A scenario is a function that builds some objects and a few threads
// over the policy of model_atomics.h. Every atomic operation is a scheduling
// point; at each one the explorer chooses which thread goes next and which of
// the stores that the memory model allows it reads (memory.h). It goes through
// all choices depth first, by running the scenario again from its beginning
// with the choices made so far. Sleep sets leave out schedules that differ only
// in the order of independent operations, and a state that was reached before
// is not explored twice. Nothing else is left out: `complete` says that
// every execution, up to that equivalence, was seen.
//
// What a state is: the memory as the threads can still see it (memory.h), each
// thread's stack, byte for byte, and the objects that Make() and New() gave. So
// everything that a scenario changes must live there: flat objects, no
// std::vector, no globals, no captured references to the outside (but in
// AtEnd). Where stacks cannot be compared (not x86-64), and in scenarios with
// sequentially consistent operations, a state is the history of all reads.
//
//   const Result result = Explore({}, [](Execution& x) {
//     auto* box = x.Make<Box>();
//     x.Thread("writer", [box] { box->value.Set(1); ... });
//     x.Thread("reader", [box] { ... Check(box->value.Get() == 1, "torn"); });
//     x.AtEnd([box] { Check(box->done.Get(), "not done"); });
//   });
//   EXPECT_TRUE(result.Passed()) << result.failure << result.schedule;
//
// What is found: a failed Check; a data race on a Var; an atomic or Var used
// after its object died, or dying unordered with a use; a deadlock (a thread
// blocked for ever: the lost wake-up); a loop without end; an object that New()
// made and nobody deleted.
//
// Limits: values of at most eight bytes; spurious failures are bounded (see
// Options); memory that New() gave is never given again
// in the same execution, so reuse of an address is modelled only by a scenario
// that itself reuses a node; bodies keep only plain data on their stack (an
// abandoned execution runs no destructors there).

#ifndef PERCORE_TESTS_MODEL_EXPLORER_H_
#define PERCORE_TESTS_MODEL_EXPLORER_H_

#include <cstdint>
#include <functional>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "percore/tests/model/operation.h"

namespace percore::model {

struct Options {
  // An execution with more operations than this is a failure: a loop that does
  // not end, or one that spins without Pause().
  int max_operations = 1000;
  // Gives up, with `complete` false, after so many executions.
  uint64_t max_executions = 50'000'000;
  // How often in a thread's life compare_exchange_weak fails for no reason.
  int spurious_failures = 1;
  // Whether a failing compare_exchange may read a store that is not the latest,
  // as C++ allows and no machine does.
  bool stale_failures = true;
  // Only so that the tests can check the reductions against plain search.
  bool sleep_sets = true;
  bool remember_states = true;
  bool compare_contents = true;
  // A fault to seed: the site runs with the weaker order.
  std::optional<Weakening> weakening;
};

struct Result {
  bool complete = false;    // every schedule was explored
  std::string failure;      // the first failure found, "" if none
  std::string schedule;     // the operations that led to it, one a line
  uint64_t executions = 0;  // ran to their end
  uint64_t pruned = 0;      // ended early: known state or sleep set
  uint64_t states = 0;      // distinct states with a choice
  std::set<Site> sites;     // where operations asked for an ordering

  bool Passed() const { return complete && failure.empty(); }
  // One line with the counts.
  std::string Summary() const;
};

// One run of the scenario, while it is being set up.
class Execution {
 public:
  // Makes an object that lives until the end of the execution.
  template <class T, class... Args>
  T* Make(Args&&... args) {
    T* object =
        new (Allocate(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
    Own(object, sizeof(T), [](void* p) { static_cast<T*>(p)->~T(); });
    return object;
  }

  // Adds a thread. At most kMaxThreads - 1; the name is kept by pointer.
  template <class Body>
  void Thread(const char* name, Body body) {
    Add(name, &Call<Body>, Make<Body>(std::move(body)), false);
  }
  // The same, but it need not end: it may be blocked when all others are done.
  template <class Body>
  void Daemon(const char* name, Body body) {
    Add(name, &Call<Body>, Make<Body>(std::move(body)), true);
  }
  // Runs alone when all threads have ended (or only daemons are blocked), with
  // everything they did happening before it.
  void AtEnd(std::function<void()> check);

 private:
  template <class Body>
  static void Call(void* body) {
    (*static_cast<Body*>(body))();
  }
  static void* Allocate(size_t size, size_t alignment);
  static void Own(void* object, size_t size, void (*destroy)(void*));
  static void Add(const char* name, void (*call)(void*), void* body,
                  bool daemon);
};

Result Explore(const Options& options,
               const std::function<void(Execution&)>& scenario);

// --- called by model threads ---

// Ends the execution as a failure unless `condition`. `message` says what is
// wrong.
void Check(bool condition, const char* message);

// A free choice of the scenario, 0 to n - 1; all are explored.
int Choose(int n);

// Deleted by Delete(); still alive at the end of the execution is a failure.
void* NewMemory(size_t size, size_t alignment);
void DeleteMemory(void* memory);

template <class T, class... Args>
T* New(Args&&... args) {
  return new (NewMemory(sizeof(T), alignof(T))) T{std::forward<Args>(args)...};
}

template <class T>
void Delete(T* object) {
  object->~T();
  DeleteMemory(object);
}

// --- called by model_atomics.h ---

int CreateLocation(uint64_t value);
void DestroyLocation(int location);
void NameLocation(int location, const char* name);
void Perform(Operation* operation);
// Zeroes the stack below the caller, so that what lies dead in the frames of
// the next calls does not tell equal states apart.
[[gnu::noinline]] void WipeStack();
int CreatePlain();
void DestroyPlain(int plain);
void ReadPlain(int plain);
void WritePlain(int plain);
void PauseThread();
void Fence(std::memory_order order, const std::source_location& site);

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_EXPLORER_H_
