#include "percore/tests/model/memory.h"

#include <algorithm>

namespace percore::model {
namespace {

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

// Order does not matter between parts of different keys.
void Hash::Add(Hash part, uint64_t key) {
  part.Mix(key);
  part.Mix(key >> 7);
  low += part.low;
  high += part.high;
}

void Memory::Reset() {
  location_count_ = 0;
  plains_.clear();
  seq_cst_.clear();
  for (int i = 0; i < kMaxThreads; ++i) {
    locations_of_[i].clear();
    plains_of_[i].clear();
  }
  for (Thread& thread : threads_) {
    thread.clock = {};
    thread.unacquired = {};
    thread.release_fence = {};
    thread.chain = {};
    thread.spurious = 0;
    thread.paused = false;
    thread.wrote = false;
    thread.seen.clear();
    thread.seen_before.clear();
  }
  // Location 0 is what sequentially consistent fences read and write.
  At(Create(0, 0)).name = "fence";
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
  if (location_count_ == locations_.size()) locations_.emplace_back();
  Location& location = locations_[location_count_];
  location.order.clear();
  location.self =
      (thread << 16) | static_cast<int>(locations_of_[thread].size());
  location.created = threads_[thread].clock[thread] + 1;
  location.alive = true;
  location.accessed = {};
  location.digest = {};
  location.name = nullptr;
  Store store = {};
  store.value = value;
  store.thread = static_cast<uint8_t>(thread);
  store.event = location.created;
  location.order.push_back(store);
  locations_of_[thread].push_back(static_cast<uint16_t>(location_count_++));
  return location.self;
}

bool Memory::Covered(int thread, int by, uint16_t event) const {
  return by == thread || threads_[thread].clock[by] >= event;
}

std::string Memory::Destroy(int thread, int index) {
  Location& location = At(index);
  if (!location.alive) return Name(index) + " destroyed twice";
  location.alive = false;
  if (!Covered(thread, Creator(location.self), location.created)) {
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
  const Location& location = At(operation.location);
  if (!location.alive) {
    return Name(operation.location) + " used after it was destroyed";
  }
  if (!Covered(thread, Creator(location.self), location.created)) {
    return Name(operation.location) +
           " used, not ordered after its construction (data race)";
  }
  return "";
}

bool Memory::SomethingNew(int thread) const {
  for (const Seen& seen : threads_[thread].seen_before) {
    const Location& location = At(seen.location);
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
  const Location& location = At(operation.location);
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

Clock Memory::Knowledge(int thread) const {
  Clock clock = threads_[thread].clock;
  clock[thread] = 0xffff;
  return clock;
}

size_t Memory::Floor(const Clock& clock, const Location& location) {
  for (size_t i = location.order.size(); i-- > 1;) {
    const Store& store = location.order[i];
    if (Covers(clock, store.thread, store.event)) return i;
    for (int reader = 0; reader < kMaxThreads; ++reader) {
      const uint16_t event = store.first_read[reader];
      if (event != 0 && Covers(clock, reader, event)) return i;
    }
  }
  return 0;
}

size_t Memory::Floor(int thread, const Location& location) const {
  return Floor(Knowledge(thread), location);
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
  const Location& location = At(operation.location);
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
          if (stale_failures_ || i + 1 == location.order.size()) {
            add(Alternative::kRead, i);
          }
          break;
        }
        if (open) add(Alternative::kReadWrite, i);
        if (operation.weak && threads_[thread].spurious < spurious_failures_) {
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
  Location& location = At(operation.location);
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
  Location& location = At(operation->location);
  location.accessed[thread] = event;
  by.chain.Mix(location.self);
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
    operation->written =
        read ? Written(*operation, operation->result) : operation->operand;
    operation->wrote = true;
    if (!read || operation->written != operation->result) {
      // Not a round of a loop that only looks: it starts anew.
      by.wrote = true;
      by.seen.clear();
    }
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
  const Location& location = At(a.location);
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
  const Location& location = At(operation.location);
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
  Plain plain = {};
  plain.self = (thread << 16) | static_cast<int>(plains_of_[thread].size());
  plain.alive = true;
  plain.writer = static_cast<uint8_t>(thread);
  plain.written = threads_[thread].clock[thread] + 1;
  plains_of_[thread].push_back(static_cast<uint16_t>(plains_.size()));
  plains_.push_back(plain);
  return plain.self;
}

std::string Memory::CheckPlain(int thread, const Plain& plain, const char* what,
                               bool write) const {
  const std::string name = PlainName(plain.self);
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
  Plain& plain = PlainAt(index);
  plain.read[thread] = threads_[thread].clock[thread] + 1;
  return CheckPlain(thread, plain, "read", false);
}

std::string Memory::WritePlain(int thread, int index) {
  Plain& plain = PlainAt(index);
  std::string wrong = CheckPlain(thread, plain, "written", true);
  plain.writer = static_cast<uint8_t>(thread);
  plain.written = threads_[thread].clock[thread] + 1;
  return wrong;
}

std::string Memory::DestroyPlain(int thread, int index) {
  Plain& plain = PlainAt(index);
  std::string wrong = CheckPlain(thread, plain, "destroyed", true);
  plain.alive = false;
  return wrong;
}

Hash Memory::HistoryDigest() const {
  Hash sum;
  for (int i = 0; i < kMaxThreads; ++i) sum.Add(threads_[i].chain, i + 1);
  for (size_t i = 0; i < location_count_; ++i) {
    sum.Add(locations_[i].digest, 0x100000 + locations_[i].self);
  }
  return sum;
}

// Clocks count events and so differ wherever histories do. All that is ever
// asked of one: which store of a location it is bound to know, and which
// accesses it covers. Those answers are mixed instead; joining clocks joins
// them.
void Memory::MixKnowledge(const Clock& clock, const Clock& common,
                          Hash* hash) const {
  Clock known = clock;
  Join(&known, common);
  uint64_t bits = 1;
  auto mix = [&bits, hash](bool covered) {
    bits = bits << 1 | (covered ? 1 : 0);
    if ((bits >> 63) == 0) return;
    hash->Mix(bits);
    bits = 1;
  };
  // By creator and number: the order in which they were made is history.
  for (const std::vector<uint16_t>& of : locations_of_) {
    for (const uint16_t at : of) {
      const Location& location = locations_[at];
      if (!location.alive) continue;
      // From the end: what lies before the oldest readable store is gone.
      hash->Mix(location.order.size() - Floor(known, location));
      mix(Covers(known, Creator(location.self), location.created));
      for (int thread = 0; thread < kMaxThreads; ++thread) {
        mix(Covers(known, thread, location.accessed[thread]));
      }
    }
  }
  for (const std::vector<uint16_t>& of : plains_of_) {
    for (const uint16_t at : of) {
      const Plain& plain = plains_[at];
      if (!plain.alive) continue;
      mix(Covers(known, plain.writer, plain.written));
      for (int thread = 0; thread < kMaxThreads; ++thread) {
        mix(Covers(known, thread, plain.read[thread]));
      }
    }
  }
  hash->Mix(bits);
}

bool Memory::ContentsDigest(uint8_t live, Hash* digest) const {
  if (!seq_cst_.empty()) return false;
  Clock common;  // what every live thread knows
  common.fill(0xffff);
  for (int i = 1; i < kMaxThreads; ++i) {
    if ((live >> i & 1) == 0) continue;
    const Clock clock = Knowledge(i);
    for (int j = 0; j < kMaxThreads; ++j) {
      common[j] = std::min(common[j], clock[j]);
    }
  }
  Hash sum;
  for (int i = 1; i < kMaxThreads; ++i) {
    Hash hash;
    hash.Mix(locations_of_[i].size() << 16 | plains_of_[i].size());
    if ((live >> i & 1) != 0) {
      const Thread& thread = threads_[i];
      MixKnowledge(Knowledge(i), common, &hash);
      MixKnowledge(thread.unacquired, common, &hash);
      MixKnowledge(thread.release_fence, common, &hash);
      hash.Mix(thread.spurious << 2 | thread.paused << 1 | thread.wrote);
      hash.Mix(thread.seen.size());
      for (const auto* list : {&thread.seen, &thread.seen_before}) {
        for (const Seen& seen : *list) {
          hash.Mix(seen.location);
          hash.Mix(seen.value);
        }
      }
    }
    sum.Add(hash, i);
  }
  for (size_t i = 0; i < location_count_; ++i) {
    const Location& location = locations_[i];
    if (!location.alive) continue;
    Hash hash;
    size_t oldest = location.order.size() - 1;
    for (int thread = 1; thread < kMaxThreads; ++thread) {
      if ((live >> thread & 1) == 0) continue;
      oldest = std::min(oldest, Floor(thread, location));
    }
    for (size_t at = oldest; at < location.order.size(); ++at) {
      const Store& store = location.order[at];
      hash.Mix(store.value);
      hash.Mix(at > oldest && store.read_modify_write);
      MixKnowledge(store.release, common, &hash);
    }
    sum.Add(hash, 0x100000 + location.self);
  }
  for (const Plain& plain : plains_) {
    if (plain.alive) sum.Add({}, 0x10000000 + plain.self);
  }
  *digest = sum;
  return true;
}

bool Memory::Independent(const Operation& a, const Operation& b) {
  if (a.kind == Kind::kChoose || b.kind == Kind::kChoose) return true;
  if (a.location == b.location) {
    return a.kind == Kind::kLoad && b.kind == Kind::kLoad;
  }
  return !(IsSeqCst(a) && IsSeqCst(b));
}

void Memory::SetName(int location, const char* name) {
  At(location).name = name;
}

std::string Memory::Name(int index) const {
  const Location& location = At(index);
  if (location.name != nullptr) return location.name;
  return "atomic " + std::to_string(Creator(index)) + "." +
         std::to_string(Ordinal(index));
}

std::string Memory::PlainName(int index) const {
  return "variable " + std::to_string(Creator(index)) + "." +
         std::to_string(Ordinal(index));
}

}  // namespace percore::model
