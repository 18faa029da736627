// The weak memory that model threads share: C++20's model without
// out-of-thin-air values (RC11: program order and reads-from have no cycle).
//
// Each location keeps its stores in modification order. A load may read any
// store that happens-before does not hide (coherence); a store may enter the
// modification order anywhere after what its thread knows; a read-modify-write
// stands right behind the store it reads. Release sequences are C++20's (only
// read-modify-writes continue one). Sequentially consistent accesses get a
// total order consistent with happens-before, modification order and
// from-reads, as C++11 has it: C++20 is weaker only where sequentially
// consistent and weaker accesses of one location mix. A sequentially
// consistent fence is a read-modify-write of a hidden location.
//
// Plain variables and the birth and death of objects are checked by vector
// clocks: two accesses that happens-before does not order are an error in every
// schedule that has them, whichever came first.

#ifndef PERCORE_TESTS_MODEL_MEMORY_H_
#define PERCORE_TESTS_MODEL_MEMORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "percore/tests/model/operation.h"

namespace percore::model {

// One way in which an operation can turn out.
struct Alternative {
  enum How : uint8_t { kRead, kWrite, kReadWrite, kSpurious, kLocal };
  How how;
  uint16_t position;  // in modification order: read there, or written behind it
};

struct Hash {
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Hash&) const = default;
  void Mix(uint64_t value);
  void Add(Hash part, uint64_t key);
};

class Memory {
 public:
  // See Options.
  void SetFailures(int spurious, bool stale) {
    spurious_failures_ = spurious;
    stale_failures_ = stale;
  }

  // Forgets everything: the beginning of an execution.
  void Reset();

  // --- threads ---
  void StartThread(int thread);  // by thread 0; inherits what it did
  void JoinThread(int thread);   // by thread 0; inherits what `thread` did

  // --- operations on atomic locations ---
  int Create(int thread, uint64_t value);
  // Both return what is wrong, or "".
  std::string Destroy(int thread, int location);
  std::string CheckAccess(int thread, const Operation& operation) const;

  // False while a kWait, or a thread that called Pause(), has nothing to see.
  bool Enabled(int thread, const Operation& operation) const;
  // All outcomes, the one of plain sequential execution first. Never empty for
  // an enabled operation.
  void Alternatives(int thread, const Operation& operation,
                    std::vector<Alternative>* alternatives) const;
  void Apply(int thread, const Alternative& alternative, Operation* operation);

  // A spin loop's pause: the thread is enabled again when something that it
  // read since its last pause has changed. Returns false when the round that
  // ends here saw nothing new though there was something to see: a schedule in
  // which the thread waited is the same, this one need not be explored.
  bool Pause(int thread);

  void AcquireFence(int thread);
  void ReleaseFence(int thread);

  // --- plain variables ---
  int CreatePlain(int thread);
  std::string DestroyPlain(int thread, int plain);
  std::string ReadPlain(int thread, int plain);
  std::string WritePlain(int thread, int plain);

  // Two states with the same digest have the same future. This one covers what
  // every thread has read and every modification order.
  Hash HistoryDigest() const;

  // The same for states that differ only in what can no longer matter: stores
  // that nobody can read any more, knowledge that everybody has. It says
  // nothing of the threads' own state, which the caller adds. `live` is the set
  // of threads that have not ended. False if there is no such digest (the order
  // of sequentially consistent accesses is history).
  bool ContentsDigest(uint8_t live, Hash* digest) const;

  static bool Independent(const Operation& a, const Operation& b);

  void SetName(int location, const char* name);
  std::string Name(int location) const;
  std::string PlainName(int plain) const;
  static int StoreThread(int identity) { return identity >> 16; }
  // Locations and variables are named by creator and number, so that the name
  // does not depend on what other threads did.
  static int Creator(int name) { return name >> 16; }
  static int Ordinal(int name) { return name & 0xffff; }

 private:
  struct Store {
    uint64_t value;
    uint8_t thread;
    bool read_modify_write;
    bool seq_cst;
    uint16_t event;    // of `thread`
    Clock release;     // what a reader that acquires learns
    Clock first_read;  // each thread's first event reading it, 0: none
    int Identity() const { return (thread << 16) | event; }
  };

  struct Location {
    std::vector<Store> order;  // modification order
    int self;                  // its name for the outside
    uint16_t created;
    bool alive;
    Clock accessed;
    Hash digest;
    const char* name;
  };

  struct Plain {
    int self;
    bool alive;
    uint8_t writer;
    uint16_t written;
    Clock read;
  };

  struct Seen {
    int location;
    uint64_t value;
    bool operator==(const Seen&) const = default;
  };

  struct Thread {
    Clock clock;
    Clock unacquired;     // read relaxed, waiting for an acquire fence
    Clock release_fence;  // what relaxed stores publish since the last fence
    Hash chain;
    uint8_t spurious;
    bool paused;
    bool wrote;  // changed something since its last pause
    std::vector<Seen> seen;
    std::vector<Seen> seen_before;
  };

  // An access of the total order of sequentially consistent accesses.
  struct SeqCst {
    uint8_t thread;
    uint16_t event;
    Clock clock;
    int location;
    int read_from;  // identity, -1: none
    int written;    // identity, -1: none
  };

  Location& At(int location) {
    return locations_[locations_of_[Creator(location)][Ordinal(location)]];
  }
  const Location& At(int location) const {
    return const_cast<Memory*>(this)->At(location);
  }
  Plain& PlainAt(int plain) {
    return plains_[plains_of_[Creator(plain)][Ordinal(plain)]];
  }
  // The clock of `thread`, which covers all of its own past and present.
  Clock Knowledge(int thread) const;
  static bool Covers(const Clock& clock, int by, uint16_t event) {
    return clock[by] >= event;
  }
  // The newest store that whoever has this knowledge is bound to know: it
  // happened before, or something that happened before has read it.
  static size_t Floor(const Clock& clock, const Location& location);
  size_t Floor(int thread, const Location& location) const;
  size_t Position(const Location& location, int identity) const;
  bool Covered(int thread, int by, uint16_t event) const;
  void MixKnowledge(const Clock& clock, const Clock& common, Hash* hash) const;
  bool SomethingNew(int thread) const;
  bool SeqCstAllows(int thread, const Operation& operation,
                    const Alternative& alternative) const;
  bool SeqCstPrecedes(const SeqCst& a, const SeqCst& b) const;
  void Insert(int thread, size_t position, const Operation& operation,
              uint64_t value, bool read_modify_write, std::memory_order order);
  std::string CheckPlain(int thread, const Plain& plain, const char* what,
                         bool write) const;

  std::vector<Location> locations_;
  size_t location_count_ = 0;
  std::vector<Plain> plains_;
  std::array<std::vector<uint16_t>, kMaxThreads> locations_of_;
  std::array<std::vector<uint16_t>, kMaxThreads> plains_of_;
  std::array<Thread, kMaxThreads> threads_;
  std::vector<SeqCst> seq_cst_;
  int spurious_failures_ = 1;
  bool stale_failures_ = true;
};

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_MEMORY_H_
