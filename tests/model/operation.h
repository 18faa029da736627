// One atomic operation as the explorer sees it, and the sites it comes from.

#ifndef PERCORE_TESTS_MODEL_OPERATION_H_
#define PERCORE_TESTS_MODEL_OPERATION_H_

#include <array>
#include <atomic>
#include <compare>
#include <cstdint>
#include <source_location>
#include <string>

namespace percore::model {

// Model threads are numbered from 1; 0 is the scenario's set-up and its final
// check, which run alone.
inline constexpr int kMaxThreads = 8;

// A vector clock: for each thread, how many of its events happened before.
using Clock = std::array<uint16_t, kMaxThreads>;

enum class Kind : uint8_t {
  kLoad,
  kStore,
  kExchange,
  kFetchOr,
  kFetchAnd,
  kFetchAdd,
  kFetchSub,
  kFetchXor,
  kCompareExchange,
  kWait,    // blocks until the value is not zero, then takes it (writes zero)
  kFence,   // sequentially consistent fence
  kChoose,  // a free choice of the scenario, 0 to operand-1
};

struct Operation {
  Kind kind;
  bool weak = false;  // compare_exchange_weak
  std::memory_order order = std::memory_order_seq_cst;
  std::memory_order failure_order = std::memory_order_seq_cst;
  int location = -1;
  uint64_t operand = 0;
  uint64_t expected = 0;
  uint64_t mask = ~uint64_t{0};  // the bits that the type has
  std::source_location site;

  // Filled by the memory model.
  uint64_t result = 0;   // the value read
  uint64_t written = 0;  // the value written, if `wrote`
  bool wrote = false;
  int read_from = 0;  // identity of the store that was read, see Store
};

// A place in the code under test that asks for an ordering. Found by running:
// every atomic operation carries its source location.
struct Site {
  std::string file;
  uint32_t line;
  uint32_t column;
  bool failure;  // the failure order of a compare_exchange
  int kind;      // Kind
  int order;     // std::memory_order

  auto operator<=>(const Site&) const = default;
};

// A seeded fault: `site` runs with the order `to` instead of its own.
struct Weakening {
  Site site;
  std::memory_order to;
};

const char* OrderName(std::memory_order order);
const char* KindName(Kind kind);
std::string SiteName(const Site& site);
std::string WeakeningName(const Weakening& weakening);

}  // namespace percore::model

#endif  // PERCORE_TESTS_MODEL_OPERATION_H_
