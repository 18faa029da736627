#include "percore/tests/model/search.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace percore::model {
namespace {

uint8_t Bit(int thread) { return static_cast<uint8_t>(1u << thread); }

int LowestBit(uint8_t mask) {
  return __builtin_ctz(static_cast<unsigned>(mask));
}

}  // namespace

Explorer* explorer = nullptr;

void* Explorer::Allocate(size_t size, size_t alignment) {
  size_t& used = arena_used_[current_];
  const auto base = reinterpret_cast<uintptr_t>(arena_.get()) +
                    static_cast<size_t>(current_) * kArenaBytes;
  const uintptr_t at = (base + used + alignment - 1) & ~(alignment - 1);
  used = at - base + size;
  if (used > kArenaBytes) abort();
  memset(reinterpret_cast<void*>(at), 0, size);
  return reinterpret_cast<void*>(at);
}

void Explorer::AddThread(const char* name, void (*call)(void*), void* body,
                         bool daemon) {
  if (++thread_count_ >= kMaxThreads) abort();
  auto& thread = threads_[thread_count_];
  if (thread == nullptr) thread = std::make_unique<ThreadState>();
  thread->call = call;
  thread->body = body;
  thread->name = name;
  thread->pending = nullptr;
  thread->finished = false;
  thread->daemon = daemon;
  memory_.StartThread(thread_count_);
}

void Explorer::ThreadMain(void* self) {
  auto* thread = static_cast<ThreadState*>(self);
  thread->call(thread->body);
  thread->finished = true;
  thread->fiber.Suspend();
}

void Explorer::MainThread(void* self) {
  auto* all = static_cast<Explorer*>(self);
  Execution execution;
  all->scenario_(execution);
  all->threads_[0]->fiber.Suspend();
  all->at_end_ = true;
  if (all->check_ != nullptr) all->check_();
}

void Explorer::RunThread(int thread) {
  current_ = thread;
  ThreadState& state = *threads_[thread];
  state.fiber.Resume();
  current_ = 0;
  state.stack_known = false;
}

Hash Explorer::Digest(uint8_t live) const {
  Hash digest;
  if (!options_.compare_contents || threads_[1]->fiber.InUse().empty() ||
      !memory_.ContentsDigest(live, &digest)) {
    return memory_.HistoryDigest();
  }
  digest.Add({}, live);
  for (int i = 1; i <= thread_count_; ++i) {
    const ThreadState& thread = *threads_[i];
    if (thread.finished) continue;
    if (!thread.stack_known) {
      thread.stack = {};
      for (const uint64_t word : thread.fiber.InUse()) thread.stack.Mix(word);
      thread.stack_known = true;
    }
    digest.Add(thread.stack, 0x20000000 + i);
  }
  auto add = [&digest](const Block& block) {
    Hash hash;
    for (size_t i = 0; i < block.size; i += sizeof(uint64_t)) {
      uint64_t word = 0;
      memcpy(&word, block.memory + i, std::min(sizeof(word), block.size - i));
      hash.Mix(word);
    }
    digest.Add(hash, reinterpret_cast<uintptr_t>(block.memory));
  };
  for (const Owned& owned : owned_) add(owned.block);
  for (const Block& block : alive_) add(block);
  return digest;
}

void Explorer::Fail(const std::string& message) {
  if (inert_ || abandoned_) return;
  SetFailure(message + (current_ == 0 && at_end_ ? " (at the end)" : ""));
  // The main thread is a fiber too, so that a failed check ends it here.
  threads_[current_]->fiber.Suspend();
  abort();
}

std::memory_order Explorer::Ordered(const std::source_location& site, Kind kind,
                                    bool failure, std::memory_order order) {
  const std::optional<Weakening>& weakening = options_.weakening;
  if (weakening.has_value()) {
    const Site& weak = weakening->site;
    const bool here = weak.line == site.line() &&
                      weak.column == site.column() && weak.failure == failure &&
                      weak.file == site.file_name();
    return here ? weakening->to : order;
  }
  if (order == std::memory_order_relaxed) return order;
  // Sites are few and met often: do not search the set each time.
  const KnownSite known = {site.file_name(), site.line(), site.column(),
                           failure};
  KnownSite& slot =
      known_sites_[(known.line * 7 + known.column + failure * 3) & 255];
  if (slot == known) return order;
  slot = known;
  result_.sites.insert({site.file_name(), site.line(), site.column(), failure,
                        static_cast<int>(kind), static_cast<int>(order)});
  return order;
}

void Explorer::Perform(Operation* operation) {
  if (inert_ || abandoned_) return;
  if (current_ != 0) {
    ThreadState& self = *threads_[current_];
    self.pending = operation;
    self.fiber.Suspend();
    return;
  }
  FailIf(memory_.CheckAccess(0, *operation));
  memory_.Alternatives(0, *operation, &alternatives_);
  memory_.Apply(0, alternatives_[0], operation);
  steps_.push_back({0, *operation});
}

void Explorer::Pause() {
  if (inert_ || abandoned_ || current_ == 0) return;
  if (memory_.Pause(current_)) return;
  abandoned_ = true;
  threads_[current_]->fiber.Suspend();
  abort();
}

void* Explorer::NewMemory(size_t size, size_t alignment) {
  void* memory = Allocate(size, alignment);
  alive_.push_back({static_cast<char*>(memory), size});
  return memory;
}

void Explorer::DeleteMemory(void* memory) {
  for (size_t i = 0; i < alive_.size(); ++i) {
    if (alive_[i].memory != memory) continue;
    alive_.erase(alive_.begin() + static_cast<ptrdiff_t>(i));
    return;
  }
  Fail("memory freed twice, or not from New()");
}

bool Explorer::ChooseNext(uint8_t enabled, uint8_t live, int* thread,
                          Alternative* alternative) {
  uint8_t candidates = enabled & static_cast<uint8_t>(~sleep_);
  // A step without a choice is not part of the path.
  if ((enabled & (enabled - 1)) == 0) {
    if (candidates == 0) return false;
    const int only = LowestBit(enabled);
    memory_.Alternatives(only, *threads_[only]->pending, &alternatives_);
    if (alternatives_.size() == 1) {
      *thread = only;
      *alternative = alternatives_[0];
      return true;
    }
  }
  if (depth_ < path_.size()) {
    Node& node = path_[depth_++];
    sleep_ = node.sleep;
    *thread = node.thread;
    memory_.Alternatives(*thread, *threads_[*thread]->pending, &alternatives_);
    // Advance() went on to another thread, whose operation it did not know.
    if (node.alternatives == 0) {
      node.alternatives = static_cast<uint16_t>(alternatives_.size());
    }
    if (alternatives_.size() != node.alternatives) {
      fprintf(stderr, "model: the scenario is not deterministic\n");
      abort();
    }
    *alternative = alternatives_[node.alternative];
    return true;
  }
  if (candidates == 0) return false;
  if (options_.remember_states) {
    const auto [at, fresh] = visited_.try_emplace(Digest(live), sleep_);
    if (!fresh) {
      // Only what slept at every earlier visit is still unexplored from here.
      candidates &= at->second;
      sleep_ &= at->second;
      at->second = sleep_;
      if (candidates == 0) return false;
    }
  }
  ++result_.states;
  // Staying with the same thread first makes failing schedules easy to read.
  const int first = (candidates & Bit(last_)) != 0 && last_ != 0
                        ? last_
                        : LowestBit(candidates);
  memory_.Alternatives(first, *threads_[first]->pending, &alternatives_);
  Node node = {};
  node.to_explore = candidates & static_cast<uint8_t>(~Bit(first));
  node.sleep = sleep_;
  node.thread = static_cast<uint8_t>(first);
  node.alternatives = static_cast<uint16_t>(alternatives_.size());
  path_.push_back(node);
  ++depth_;
  *thread = first;
  *alternative = alternatives_[0];
  return true;
}

// Moves the path to the next unexplored choice; empties it when there is none.
void Explorer::Advance() {
  while (!path_.empty()) {
    Node& node = path_.back();
    if (node.alternative + 1 < node.alternatives) {
      ++node.alternative;
      return;
    }
    if (options_.sleep_sets) node.sleep |= Bit(node.thread);
    if (node.to_explore != 0) {
      node.thread = static_cast<uint8_t>(LowestBit(node.to_explore));
      node.to_explore &= static_cast<uint8_t>(~Bit(node.thread));
      node.alternative = 0;
      node.alternatives = 0;  // set when a run gets here
      return;
    }
    path_.pop_back();
  }
}

void Explorer::RunOnce() {
  memory_.Reset();
  arena_used_ = {};
  thread_count_ = 0;
  steps_.clear();
  check_ = nullptr;
  abandoned_ = at_end_ = false;
  sleep_ = 0;
  last_ = 0;
  depth_ = 0;
  if (threads_[0] == nullptr) threads_[0] = std::make_unique<ThreadState>();
  threads_[0]->name = "main";
  threads_[0]->call = &MainThread;
  threads_[0]->body = this;
  threads_[0]->finished = false;
  threads_[0]->fiber.Start(&ThreadMain, threads_[0].get());
  RunThread(0);
  for (int i = 1; i <= thread_count_ && !abandoned_; ++i) {
    threads_[i]->fiber.Start(&ThreadMain, threads_[i].get());
    RunThread(i);
  }
  while (!abandoned_) {
    uint8_t enabled = 0;
    uint8_t live = 0;
    for (int i = 1; i <= thread_count_; ++i) {
      const ThreadState& thread = *threads_[i];
      if (!thread.finished) live |= Bit(i);
      if (!thread.finished && memory_.Enabled(i, *thread.pending)) {
        enabled |= Bit(i);
      }
    }
    if (enabled == 0) {
      Finish();
      return;
    }
    if (steps_.size() > static_cast<size_t>(options_.max_operations)) {
      SetFailure("a loop without end: more operations than max_operations");
      return;
    }
    int thread = 0;
    Alternative alternative = {};
    if (!ChooseNext(enabled, live, &thread, &alternative)) {
      ++result_.pruned;
      return;
    }
    last_ = thread;
    Operation* operation = threads_[thread]->pending;
    const std::string wrong = memory_.CheckAccess(thread, *operation);
    if (!wrong.empty()) {
      steps_.push_back({static_cast<uint8_t>(thread), *operation});
      SetFailure(wrong);
      return;
    }
    memory_.Apply(thread, alternative, operation);
    steps_.push_back({static_cast<uint8_t>(thread), *operation});
    uint8_t still_asleep = 0;
    for (int i = 1; i <= thread_count_; ++i) {
      if ((sleep_ & Bit(i)) != 0 && i != thread &&
          Memory::Independent(*threads_[i]->pending, *operation)) {
        still_asleep |= Bit(i);
      }
    }
    sleep_ = still_asleep;
    RunThread(thread);
  }
  if (result_.failure.empty()) ++result_.pruned;
}

void Explorer::Finish() {
  for (int i = 1; i <= thread_count_; ++i) {
    if (threads_[i]->finished || threads_[i]->daemon) continue;
    SetFailure("deadlock (a lost wake-up):" + Blocked());
    return;
  }
  for (int i = 1; i <= thread_count_; ++i) memory_.JoinThread(i);
  RunThread(0);
  if (abandoned_) return;
  if (!alive_.empty()) {
    SetFailure(std::to_string(alive_.size()) + " objects never deleted");
    return;
  }
  ++result_.executions;
}

void Explorer::Cleanup() {
  inert_ = true;
  while (!owned_.empty()) {
    owned_.back().destroy(owned_.back().block.memory);
    owned_.pop_back();
  }
  alive_.clear();
  inert_ = false;
}

Result Explorer::Run() {
  explorer = this;
  do {
    RunOnce();
    Cleanup();
    if (!result_.failure.empty()) break;
    Advance();
  } while (!path_.empty() &&
           result_.executions + result_.pruned < options_.max_executions);
  result_.complete = result_.failure.empty() && path_.empty();
  explorer = nullptr;
  return std::move(result_);
}

std::string Explorer::Blocked() const {
  std::string names;
  for (int i = 1; i <= thread_count_; ++i) {
    if (threads_[i]->finished) continue;
    names += std::string(" ") + threads_[i]->name;
    names += " at " +
             Describe({static_cast<uint8_t>(i), *threads_[i]->pending}) + ";";
  }
  return names;
}

std::string Explorer::Describe(const Step& step) const {
  const Operation& operation = step.operation;
  const char* file = strrchr(operation.site.file_name(), '/');
  file = file == nullptr ? operation.site.file_name() : file + 1;
  char text[256];
  int length = snprintf(
      text, sizeof(text), "%-10s %s.%s(%s)", threads_[step.thread]->name,
      operation.location < 0 ? "model"
                             : memory_.Name(operation.location).c_str(),
      KindName(operation.kind), OrderName(operation.order));
  std::string line(text, static_cast<size_t>(length));
  if (operation.kind != Kind::kStore) {
    snprintf(text, sizeof(text), " reads %#llx",
             static_cast<unsigned long long>(operation.result));
    line += text;
    const int from = Memory::StoreThread(operation.read_from);
    if (from != step.thread) line += std::string(" of ") + threads_[from]->name;
  }
  if (operation.wrote) {
    snprintf(text, sizeof(text), " writes %#llx",
             static_cast<unsigned long long>(operation.written));
    line += text;
  }
  snprintf(text, sizeof(text), "  [%s:%u]", file, operation.site.line());
  return line + text;
}

std::string Explorer::Schedule() const {
  std::string text = "\n";
  for (size_t i = 0; i < steps_.size(); ++i) {
    char number[32];
    snprintf(number, sizeof(number), "%4zu ", i + 1);
    text += number + Describe(steps_[i]) + "\n";
  }
  return text;
}

}  // namespace percore::model
