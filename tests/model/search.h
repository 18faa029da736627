// The search of explorer.h, inside: one for each Explore().
#ifndef PERCORE_TESTS_MODEL_SEARCH_H_
#define PERCORE_TESTS_MODEL_SEARCH_H_

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "percore/tests/model/explorer.h"
#include "percore/tests/model/fiber.h"
#include "percore/tests/model/memory.h"

namespace percore::model {

// For each thread, so that addresses depend on its own history only.
inline constexpr size_t kArenaBytes = 128 * 1024;

struct HashOfHash {
  size_t operator()(const Hash& hash) const { return hash.low; }
};

class Explorer {
 public:
  Explorer(const Options& options,
           const std::function<void(Execution&)>& scenario)
      : options_(options),
        scenario_(scenario),
        arena_(new char[kArenaBytes * kMaxThreads]) {
    memory_.SetFailures(options.spurious_failures, options.stale_failures);
  }

  Result Run();

  // Set-up.
  void* Allocate(size_t size, size_t alignment);
  void Own(void* object, size_t size, void (*destroy)(void*)) {
    owned_.push_back({{static_cast<char*>(object), size}, destroy});
  }
  void AddThread(const char* name, void (*call)(void*), void* body,
                 bool daemon);
  void SetCheck(std::function<void()> check) { check_ = std::move(check); }

  // The running thread.
  void Perform(Operation* operation);
  void Pause();
  void Fail(const std::string& message);
  void FailIf(const std::string& message) {
    if (!message.empty()) Fail(message);
  }
  std::memory_order Ordered(const std::source_location& site, Kind kind,
                            bool failure, std::memory_order order);
  void* NewMemory(size_t size, size_t alignment);
  void DeleteMemory(void* memory);
  bool inert() const { return inert_; }
  int current() const { return current_; }
  Memory& memory() { return memory_; }

 private:
  struct ThreadState {
    Fiber fiber;
    void (*call)(void*);
    void* body;
    // Of the stack in use while suspended; computed when first asked for.
    mutable Hash stack;
    mutable bool stack_known;
    const char* name;
    Operation* pending;
    bool finished;
    bool daemon;
  };
  struct Block {
    char* memory;
    size_t size;
  };
  struct Owned {
    Block block;
    void (*destroy)(void*);
  };
  // A point with a choice, on the path that is being explored.
  struct Node {
    uint8_t to_explore;  // threads still to try, without `thread`
    uint8_t sleep;
    uint8_t thread;
    uint16_t alternative;
    uint16_t alternatives;
  };
  struct Step {
    uint8_t thread;
    Operation operation;
  };
  struct KnownSite {
    const char* file = nullptr;
    uint32_t line = 0;
    uint32_t column = 0;
    bool failure = false;
    bool operator==(const KnownSite&) const = default;
  };

  static void ThreadMain(void* self);
  static void MainThread(void* self);
  void SetFailure(const std::string& message) {
    result_.failure = message;
    result_.schedule = Schedule();
    abandoned_ = true;
  }
  void RunOnce();
  void Finish();
  void Cleanup();
  // Chooses the next thread and alternative; false if nothing new is ahead.
  bool ChooseNext(uint8_t enabled, uint8_t live, int* thread,
                  Alternative* alternative);
  void Advance();
  Hash Digest(uint8_t live) const;
  void RunThread(int thread);
  std::string Blocked() const;
  std::string Schedule() const;
  std::string Describe(const Step& step) const;

  const Options options_;
  const std::function<void(Execution&)>& scenario_;
  Memory memory_;
  std::array<std::unique_ptr<ThreadState>, kMaxThreads> threads_;
  int thread_count_ = 0;
  int current_ = 0;
  bool inert_ = false;      // set-up objects are being destroyed
  bool abandoned_ = false;  // this execution goes no further
  bool at_end_ = false;
  uint8_t sleep_ = 0;
  int last_ = 0;
  size_t depth_ = 0;
  std::vector<Node> path_;
  std::vector<Step> steps_;
  std::vector<Alternative> alternatives_;
  std::unordered_map<Hash, uint8_t, HashOfHash> visited_;
  std::function<void()> check_;
  std::vector<Owned> owned_;
  std::vector<Block> alive_;
  std::unique_ptr<char[]> arena_;
  std::array<size_t, kMaxThreads> arena_used_ = {};
  std::array<KnownSite, 256> known_sites_;
  Result result_;
};

// The one that runs, or null.
extern Explorer* explorer;

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_SEARCH_H_
