// The protocol's answers. Each function appends to `out`.

#ifndef PERCORE_EXAMPLES_KV_SERVER_ANSWER_H_
#define PERCORE_EXAMPLES_KV_SERVER_ANSWER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "percore/examples/kv_server/item.h"
#include "percore/examples/kv_server/stats.h"
#include "percore/examples/kv_server/store.h"

namespace percore::kv {

// Protocol level, for clients that look at it, then what really answers.
inline constexpr std::string_view kServerVersion = "1.6.0-percore";

inline constexpr std::string_view kOk = "OK\r\n";
inline constexpr std::string_view kEnd = "END\r\n";
inline constexpr std::string_view kReset = "RESET\r\n";
inline constexpr std::string_view kUnknownCommand = "ERROR\r\n";

// VALUE block of one item; `with_unique` as `gets` has it.
void AppendValue(const Item& item, bool with_unique, std::string* out);
void AppendNumber(uint64_t number, std::string* out);
void AppendStat(std::string_view name, std::string_view value,
                std::string* out);
void AppendStat(std::string_view name, uint64_t value, std::string* out);
// The lines that come from the stores, without an END.
void AppendStoreStats(const StoreStats& stats, std::string* out);
void AppendVersion(std::string* out);

// Answer of every outcome but kNumber.
std::string_view AnswerOf(Outcome outcome);

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_ANSWER_H_
