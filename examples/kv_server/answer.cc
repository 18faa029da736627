#include "percore/examples/kv_server/answer.h"

#include <charconv>

namespace percore::kv {
namespace {

void AppendDecimal(uint64_t number, std::string* out) {
  char digits[20];
  const auto [end, error] =
      std::to_chars(digits, digits + sizeof digits, number);
  out->append(digits, end);
}

}  // namespace

void AppendValue(const Item& item, bool with_unique, std::string* out) {
  out->append("VALUE ").append(item.key()).push_back(' ');
  AppendDecimal(item.flags, out);
  out->push_back(' ');
  AppendDecimal(item.value_size, out);
  if (with_unique) {
    out->push_back(' ');
    AppendDecimal(item.cas_unique, out);
  }
  out->append("\r\n").append(item.value()).append("\r\n");
}

void AppendNumber(uint64_t number, std::string* out) {
  AppendDecimal(number, out);
  out->append("\r\n");
}

void AppendStat(std::string_view name, std::string_view value,
                std::string* out) {
  out->append("STAT ").append(name).append(" ").append(value).append("\r\n");
}

void AppendStat(std::string_view name, uint64_t value, std::string* out) {
  out->append("STAT ").append(name).push_back(' ');
  AppendNumber(value, out);
}

void AppendStoreStats(const StoreStats& stats, std::string* out) {
  for (const StatField& field : kStatFields) {
    AppendStat(field.name, stats.counters.*field.member, out);
  }
  AppendStat("curr_items", stats.curr_items, out);
  AppendStat("bytes", stats.bytes, out);
  AppendStat("limit_maxbytes", stats.limit_maxbytes, out);
}

void AppendVersion(std::string* out) {
  out->append("VERSION ").append(kServerVersion).append("\r\n");
}

std::string_view AnswerOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kStored:
      return "STORED\r\n";
    case Outcome::kNotStored:
      return "NOT_STORED\r\n";
    case Outcome::kExists:
      return "EXISTS\r\n";
    case Outcome::kNotFound:
      return "NOT_FOUND\r\n";
    case Outcome::kDeleted:
      return "DELETED\r\n";
    case Outcome::kTouched:
      return "TOUCHED\r\n";
    case Outcome::kNotNumeric:
      return "CLIENT_ERROR cannot increment or decrement non-numeric "
             "value\r\n";
    case Outcome::kTooLarge:
      return "SERVER_ERROR object too large for cache\r\n";
    case Outcome::kNoMemory:
      return "SERVER_ERROR out of memory storing object\r\n";
    case Outcome::kNumber:
      break;
  }
  return {};
}

}  // namespace percore::kv
