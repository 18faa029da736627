#include "percore/tests/model/memory.h"

#include <algorithm>

namespace percore::model {
namespace {

// compare_exchange_weak may fail for no reason; once a thread is enough to see
// whether the code can bear it.
constexpr int kSpuriousFailures = 1;

bool Acquires(std::memory_order order) {
  return order == std::memory_order_acquire ||
         order == std::memory_order_consume ||
         order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool Releases(std::memory_order order) {
  return order == std::memory_order_release ||
         order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

bool IsSeqCst(const Operation& operation) {
  return operation.order == std::memory_order_seq_cst ||
         (operation.kind == Kind::kCompareExchange &&
          operation.failure_order == std::memory_order_seq_cst);
}

void Join(Clock* into, const Clock& from) {
  for (int i = 0; i < kMaxThreads; ++i) {
    (*into)[i] = std::max((*into)[i], from[i]);
  }
}

uint64_t Written(const Operation& operation, uint64_t old) {
  const uint64_t operand = operation.operand;
  switch (operation.kind) {
    case Kind::kFetchOr:
      return (old | operand) & operation.mask;
    case Kind::kFetchAnd:
      return (old & operand) & operation.mask;
    case Kind::kFetchAdd:
      return (old + operand) & operation.mask;
    case Kind::kFetchSub:
      return (old - operand) & operation.mask;
    case Kind::kFetchXor:
      return (old ^ operand) & operation.mask;
    case Kind::kWait:
      return 0;
    case Kind::kFence:
      return old + 1;
    default:
      return operand;
  }
}

}  // namespace

void Hash::Mix(uint64_t value) {
  low = (low ^ value) * 0x9e3779b97f4a7c15u;
  low ^= low >> 29;
  high = (high + value) * 0xd6e8feb86659fd93u;
  high ^= high >> 32;
}

void Memory::Reset() {
  location_count_ = 0;
  plains_.clear();
  seq_cst_.clear();
  for (Thread& thread : threads_) {
    thread.clock = {};
    thread.unacquired = {};
    thread.release_fence = {};
    thread.chain = {};
    thread.objects = 0;
    thread.spurious = 0;
    thread.paused = false;
    thread.wrote = false;
    thread.seen.clear();
    thread.seen_before.clear();
  }
  // Location 0 is what sequentially consistent fences read and write.
  const int fence = Create(0, 0);
  locations_[fence].name = "fence";
}

void Memory::StartThread(int thread) {
  Clock& main = threads_[0].clock;
  ++main[0];
  Join(&threads_[thread].clock, main);
}

void Memory::JoinThread(int thread) {
  Clock last = threads_[thread].clock;
  ++last[thread];
  Join(&threads_[0].clock, last);
}

int Memory::Create(int thread, uint64_t value) {
  Thread& by = threads_[thread];
  if (location_count_ == locations_.size()) locations_.emplace_back();
  Location& location = locations_[location_count_];
  location.order.clear();
  location.creator = static_cast<uint8_t>(thread);
  location.created = by.clock[thread] + 1;
  location.ordinal = by.objects++;
  location.alive = true;
  location.accessed = {};
  location.digest = {};
  location.name = nullptr;
  Store store = {};
  store.value = value;
  store.thread = location.creator;
  store.event = location.created;
  location.order.push_back(store);
  return static_cast<int>(location_count_++);
}

bool Memory::Covered(int thread, int by, uint16_t event) const {
  return by == thread || threads_[thread].clock[by] >= event;
}

std::string Memory::Destroy(int thread, int index) {
  Location& location = locations_[index];
  if (!location.alive) return Name(index) + " destroyed twice";
  location.alive = false;
  if (!Covered(thread, location.creator, location.created)) {
    return Name(index) + " destroyed, not ordered after its construction";
  }
  for (int i = 0; i < kMaxThreads; ++i) {
    if (!Covered(thread, i, location.accessed[i])) {
      return Name(index) + " destroyed while a use by thread " +
             std::to_string(i) + " is not ordered before it (use after free)";
    }
  }
  return "";
}

std::string Memory::CheckAccess(int thread, const Operation& operation) const {
  if (operation.location < 0) return "";
  const Location& location = locations_[operation.location];
  if (!location.alive) {
    return Name(operation.location) + " used after it was destroyed";
  }
  if (!Covered(thread, location.creator, location.created)) {
    return Name(operation.location) +
           " used, not ordered after its construction (data race)";
  }
  return "";
}

bool Memory::SomethingNew(int thread) const {
  for (const Seen& seen : threads_[thread].seen_before) {
    const Location& location = locations_[seen.location];
    for (size_t i = Floor(thread, location) + 1; i < location.order.size();
         ++i) {
      if (location.order[i].value != seen.value) return true;
    }
  }
  return false;
}

bool Memory::Enabled(int thread, const Operation& operation) const {
  if (threads_[thread].paused && !SomethingNew(thread)) return false;
  if (operation.kind != Kind::kWait) return true;
  const Location& location = locations_[operation.location];
  return !location.alive || location.order.back().value != 0;
}

bool Memory::Pause(int thread) {
  Thread& by = threads_[thread];
  const bool idle = !by.wrote && by.seen == by.seen_before;
  by.seen_before.swap(by.seen);
  by.seen.clear();
  by.wrote = false;
  by.paused = !by.seen_before.empty();
  return !(idle && by.paused && SomethingNew(thread));
}

void Memory::AcquireFence(int thread) {
  Join(&threads_[thread].clock, threads_[thread].unacquired);
}

void Memory::ReleaseFence(int thread) {
  // Relaxed stores that follow publish all that came before the fence. It is an
  // event: plain accesses since the last event carry its number.
  ++threads_[thread].clock[thread];
  threads_[thread].release_fence = threads_[thread].clock;
}

// The newest store that `thread` is bound to know: its own, those that happened
// before, those that it or something before it has read.
size_t Memory::Floor(int thread, const Location& location) const {
  for (size_t i = location.order.size(); i-- > 1;) {
    const Store& store = location.order[i];
    if (Covered(thread, store.thread, store.event)) return i;
    for (int reader = 0; reader < kMaxThreads; ++reader) {
      const uint16_t event = store.first_read[reader];
      if (event != 0 && Covered(thread, reader, event)) return i;
    }
  }
  return 0;
}

size_t Memory::Position(const Location& location, int identity) const {
  size_t i = 0;
  while (location.order[i].Identity() != identity) ++i;
  return i;
}

void Memory::Alternatives(int thread, const Operation& operation,
                          std::vector<Alternative>* out) const {
  out->clear();
  if (operation.kind == Kind::kChoose) {
    for (uint64_t i = 0; i < operation.operand; ++i) {
      out->push_back({Alternative::kLocal, static_cast<uint16_t>(i)});
    }
    return;
  }
  const Location& location = locations_[operation.location];
  const size_t floor = Floor(thread, location);
  auto add = [&](Alternative::How how, size_t position) {
    const Alternative alternative = {how, static_cast<uint16_t>(position)};
    if (!SeqCstAllows(thread, operation, alternative)) return;
    out->push_back(alternative);
  };
  for (size_t i = location.order.size(); i-- > floor;) {
    // Nothing may come between a read-modify-write and what it read.
    const bool open = i + 1 == location.order.size() ||
                      !location.order[i + 1].read_modify_write;
    switch (operation.kind) {
      case Kind::kLoad:
        add(Alternative::kRead, i);
        break;
      case Kind::kStore:
        if (open) add(Alternative::kWrite, i);
        break;
      case Kind::kCompareExchange:
        if (location.order[i].value != operation.expected) {
          add(Alternative::kRead, i);
          break;
        }
        if (open) add(Alternative::kReadWrite, i);
        if (operation.weak &&
            threads_[thread].spurious < kSpuriousFailures) {
          add(Alternative::kSpurious, i);
        }
        break;
      case Kind::kWait:
        if (i + 1 == location.order.size()) add(Alternative::kReadWrite, i);
        break;
      default:
        if (open) add(Alternative::kReadWrite, i);
        break;
    }
  }
}

void Memory::Insert(int thread, size_t position, const Operation& operation,
                    uint64_t value, bool read_modify_write,
                    std::memory_order order) {
  Thread& by = threads_[thread];
  Location& location = locations_[operation.location];
  Store store = {};
  store.value = value;
  store.thread = static_cast<uint8_t>(thread);
  store.read_modify_write = read_modify_write;
  store.seq_cst = order == std::memory_order_seq_cst;
  store.event = by.clock[thread];
  store.release = Releases(order) ? by.clock : by.release_fence;
  if (read_modify_write) Join(&store.release, location.order[position].release);
  location.order.insert(location.order.begin() + position + 1, store);
  location.digest = {};
  for (const Store& each : location.order) {
    location.digest.Mix(each.Identity());
  }
}

void Memory::Apply(int thread, const Alternative& alternative,
                   Operation* operation) {
  Thread& by = threads_[thread];
  by.paused = false;
  const uint16_t event = ++by.clock[thread];
  by.chain.Mix(static_cast<uint64_t>(operation->kind) << 8 | alternative.how);
  operation->wrote = false;
  if (alternative.how == Alternative::kLocal) {
    operation->result = alternative.position;
    by.chain.Mix(alternative.position);
    return;
  }
  Location& location = locations_[operation->location];
  location.accessed[thread] = event;
  by.chain.Mix(location.Key());
  int read_from = -1;
  int written = -1;
  std::memory_order order = operation->order;
  const size_t position = alternative.position;
  if (alternative.how != Alternative::kWrite) {
    Store& store = location.order[position];
    if (store.first_read[thread] == 0) store.first_read[thread] = event;
    read_from = store.Identity();
    operation->result = store.value;
    operation->read_from = read_from;
    by.chain.Mix(read_from);
    if (alternative.how == Alternative::kSpurious) ++by.spurious;
    if (operation->kind == Kind::kCompareExchange &&
        alternative.how != Alternative::kReadWrite) {
      order = operation->failure_order;
    }
    Join(Acquires(order) ? &by.clock : &by.unacquired, store.release);
    by.seen.push_back({operation->location, store.value});
  }
  if (alternative.how == Alternative::kWrite ||
      alternative.how == Alternative::kReadWrite) {
    const bool read = alternative.how == Alternative::kReadWrite;
    operation->written = read ? Written(*operation, operation->result)
                              : operation->operand;
    operation->wrote = true;
    if (!read || operation->written != operation->result) by.wrote = true;
    Insert(thread, position, *operation, operation->written, read, order);
    written = (thread << 16) | event;
  }
  if (order == std::memory_order_seq_cst) {
    seq_cst_.push_back({static_cast<uint8_t>(thread), event, by.clock,
                        operation->location, read_from, written});
  }
}

bool Memory::SeqCstPrecedes(const SeqCst& a, const SeqCst& b) const {
  if (a.thread == b.thread) return a.event < b.event;
  if (b.clock[a.thread] >= a.event) return true;
  if (a.location != b.location || b.written < 0) return false;
  const Location& location = locations_[a.location];
  const size_t later = Position(location, b.written);
  if (a.written >= 0) return Position(location, a.written) < later;
  return Position(location, a.read_from) < later;
}

// Would the new access close a cycle in the order of the sequentially
// consistent ones? Every edge between old ones goes from earlier to later
// except modification order and from-reads, so the graph is searched.
bool Memory::SeqCstAllows(int thread, const Operation& operation,
                          const Alternative& alternative) const {
  if (!IsSeqCst(operation) || seq_cst_.empty()) return true;
  const bool reads = alternative.how != Alternative::kWrite;
  const bool writes = alternative.how == Alternative::kWrite ||
                      alternative.how == Alternative::kReadWrite;
  const std::memory_order order =
      !writes && operation.kind == Kind::kCompareExchange
          ? operation.failure_order
          : operation.order;
  if (order != std::memory_order_seq_cst) return true;
  const Location& location = locations_[operation.location];
  Clock clock = threads_[thread].clock;
  if (reads) Join(&clock, location.order[alternative.position].release);
  // Everything that must come before the new access, and what must follow it.
  std::vector<int> queue;
  std::vector<bool> before(seq_cst_.size(), false);
  std::vector<bool> reached(seq_cst_.size(), false);
  for (size_t i = 0; i < seq_cst_.size(); ++i) {
    const SeqCst& other = seq_cst_[i];
    if (other.thread == thread || clock[other.thread] >= other.event) {
      before[i] = true;
    }
    if (other.location != operation.location) continue;
    if (other.written >= 0 &&
        Position(location, other.written) > alternative.position) {
      queue.push_back(static_cast<int>(i));
      reached[i] = true;
    }
    if (!writes) continue;
    if (other.written >= 0 &&
        Position(location, other.written) <= alternative.position) {
      before[i] = true;
    }
    if (other.read_from >= 0 &&
        Position(location, other.read_from) <= alternative.position) {
      before[i] = true;
    }
  }
  while (!queue.empty()) {
    const int from = queue.back();
    queue.pop_back();
    if (before[from]) return false;
    for (size_t i = 0; i < seq_cst_.size(); ++i) {
      if (reached[i] || !SeqCstPrecedes(seq_cst_[from], seq_cst_[i])) continue;
      reached[i] = true;
      queue.push_back(static_cast<int>(i));
    }
  }
  return true;
}

int Memory::CreatePlain(int thread) {
  Thread& by = threads_[thread];
  Plain plain = {};
  plain.creator = static_cast<uint8_t>(thread);
  plain.ordinal = by.objects++;
  plain.alive = true;
  plain.writer = plain.creator;
  plain.written = by.clock[thread] + 1;
  plains_.push_back(plain);
  return static_cast<int>(plains_.size() - 1);
}

std::string Memory::CheckPlain(int thread, const Plain& plain,
                               const char* what, bool write) const {
  const std::string name =
      PlainName(static_cast<int>(&plain - plains_.data()));
  if (!plain.alive) return name + " " + what + " after it was destroyed";
  if (!Covered(thread, plain.writer, plain.written)) {
    return "data race: " + name + " " + what + ", not ordered after a write " +
           "by thread " + std::to_string(plain.writer);
  }
  if (!write) return "";
  for (int i = 0; i < kMaxThreads; ++i) {
    if (!Covered(thread, i, plain.read[i])) {
      return "data race: " + name + " " + what +
             ", not ordered after a read by thread " + std::to_string(i);
    }
  }
  return "";
}

std::string Memory::ReadPlain(int thread, int index) {
  Plain& plain = plains_[index];
  plain.read[thread] = threads_[thread].clock[thread] + 1;
  return CheckPlain(thread, plain, "read", false);
}

std::string Memory::WritePlain(int thread, int index) {
  Plain& plain = plains_[index];
  std::string wrong = CheckPlain(thread, plain, "written", true);
  plain.writer = static_cast<uint8_t>(thread);
  plain.written = threads_[thread].clock[thread] + 1;
  return wrong;
}

std::string Memory::DestroyPlain(int thread, int index) {
  std::string wrong = CheckPlain(thread, plains_[index], "destroyed", true);
  plains_[index].alive = false;
  return wrong;
}

Hash Memory::Digest() const {
  Hash sum;
  auto add = [&sum](Hash part, uint64_t key) {
    part.Mix(key);
    part.Mix(key >> 7);
    sum.low += part.low;
    sum.high += part.high;
  };
  for (int i = 0; i < kMaxThreads; ++i) add(threads_[i].chain, i + 1);
  for (size_t i = 0; i < location_count_; ++i) {
    add(locations_[i].digest, (locations_[i].Key() + 1) << 20);
  }
  return sum;
}

bool Memory::Independent(const Operation& a, const Operation& b) {
  if (a.kind == Kind::kChoose || b.kind == Kind::kChoose) return true;
  if (a.location == b.location) {
    return a.kind == Kind::kLoad && b.kind == Kind::kLoad;
  }
  return !(IsSeqCst(a) && IsSeqCst(b));
}

void Memory::SetName(int location, const char* name) {
  locations_[location].name = name;
}

std::string Memory::Name(int index) const {
  const Location& location = locations_[index];
  if (location.name != nullptr) return location.name;
  return "atomic " + std::to_string(location.creator) + "." +
         std::to_string(location.ordinal);
}

std::string Memory::PlainName(int index) const {
  const Plain& plain = plains_[index];
  return "variable " + std::to_string(plain.creator) + "." +
         std::to_string(plain.ordinal);
}

}  // namespace percore::model
