#include "percore/tests/examples/kv_server/reference_model.h"

#include <algorithm>
#include <cstdlib>

namespace percore::kv {
namespace {

constexpr char kWhiteSpace[] = " \t\n\v\f\r";
constexpr size_t kLargestValue = 1024 * 1024;

int64_t Expiry(int64_t exptime, int64_t now_ms) {
  if (exptime == 0) return INT64_MAX;
  if (exptime < 0) return now_ms;
  if (exptime <= 2592000) return now_ms + 1000 * exptime;
  return 1000 * exptime;
}

bool HasValue(const std::string& name) {
  return name == "set" || name == "add" || name == "replace" ||
         name == "append" || name == "prepend" || name == "cas";
}

}  // namespace

std::string Request::Wire() const {
  if (name == "raw") return value;
  std::string line = name;
  for (const std::string& key : keys) line += " " + key;
  if (HasValue(name)) {
    line += " " + std::to_string(flags) + " " + std::to_string(exptime) + " " +
            std::to_string(value.size());
  }
  if (name == "touch" || (name == "flush_all" && exptime != 0)) {
    line += " " + std::to_string(exptime);
  }
  if (name == "incr" || name == "decr" || name == "cas") {
    line += " " + std::to_string(number);
  }
  if (noreply) line += " noreply";
  line += "\r\n";
  return HasValue(name) ? line + value + "\r\n" : line;
}

ReferenceModel::Entry* ReferenceModel::Live(const std::string& key,
                                            int64_t now_ms) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  if (found->second.expires_ms > now_ms) return &found->second;
  entries_.erase(found);
  return nullptr;
}

Expected ReferenceModel::Apply(const Request& request, int64_t now_ms) {
  if (now_ms >= flush_at_ms_) {
    entries_.clear();
    flush_at_ms_ = INT64_MAX;
  }
  Expected expected;
  if (request.name == "raw") {
    expected.text = request.answer;
  } else if (request.name == "get" || request.name == "gets") {
    for (const std::string& key : request.keys) {
      const Entry* entry = Live(key, now_ms);
      if (entry == nullptr) continue;
      expected.text += "VALUE " + key + " " + std::to_string(entry->flags) +
                       " " + std::to_string(entry->value.size());
      if (request.name == "gets") {
        expected.text += std::string(" ") + kUniqueMark;
        expected.marks.emplace_back(key, entry->version);
      }
      expected.text += "\r\n" + entry->value + "\r\n";
    }
    expected.text += "END\r\n";
    return expected;
  } else if (request.name == "flush_all") {
    flush_at_ms_ = Expiry(request.exptime, now_ms);
    if (request.exptime <= 0 || flush_at_ms_ <= now_ms) {
      entries_.clear();
      flush_at_ms_ = INT64_MAX;
    }
    expected.text = "OK\r\n";
  } else if (request.name == "touch") {
    Entry* entry = Live(request.keys[0], now_ms);
    if (entry != nullptr) entry->expires_ms = Expiry(request.exptime, now_ms);
    expected.text = entry != nullptr ? "TOUCHED\r\n" : "NOT_FOUND\r\n";
  } else if (request.name == "delete") {
    const bool there = Live(request.keys[0], now_ms) != nullptr;
    entries_.erase(request.keys[0]);
    expected.text = there ? "DELETED\r\n" : "NOT_FOUND\r\n";
  } else if (request.name == "incr" || request.name == "decr") {
    expected.text = Arithmetic(request, now_ms);
  } else {
    expected.text = Storage(request, now_ms);
  }
  if (request.noreply) expected.text.clear();
  return expected;
}

std::string ReferenceModel::Storage(const Request& request, int64_t now_ms) {
  const std::string& key = request.keys[0];
  Entry* entry = Live(key, now_ms);
  if (request.value.size() > kLargestValue) {
    if (request.name == "set") entries_.erase(key);
    return "SERVER_ERROR object too large for cache\r\n";
  }
  if (request.name == "append" || request.name == "prepend") {
    if (entry == nullptr ||
        entry->value.size() + request.value.size() > kLargestValue) {
      return "NOT_STORED\r\n";
    }
    entry->value = request.name == "append" ? entry->value + request.value
                                            : request.value + entry->value;
    entry->version = ++last_version_;
    return "STORED\r\n";
  }
  if (request.name == "add" && entry != nullptr) return "NOT_STORED\r\n";
  if (request.name == "replace" && entry == nullptr) return "NOT_STORED\r\n";
  if (request.name == "cas") {
    if (entry == nullptr) return "NOT_FOUND\r\n";
    const auto known = version_of_unique_.find({key, request.number});
    if (known == version_of_unique_.end() || known->second != entry->version) {
      return "EXISTS\r\n";
    }
  }
  entries_[key] = {request.flags, Expiry(request.exptime, now_ms),
                   ++last_version_, request.value};
  return "STORED\r\n";
}

std::string ReferenceModel::Arithmetic(const Request& request, int64_t now_ms) {
  Entry* entry = Live(request.keys[0], now_ms);
  if (entry == nullptr) return "NOT_FOUND\r\n";
  // memcached reads a value as C does: white space, a number, and then nothing
  // or white space with whatever follows.
  const std::string& text_of = entry->value;
  size_t at = text_of.find_first_not_of(kWhiteSpace);
  if (at != std::string::npos && text_of[at] == '+') ++at;
  const size_t end =
      std::min(text_of.find_first_not_of("0123456789", at), text_of.size());
  const std::string digits =
      at < end ? text_of.substr(at, end - at) : std::string();
  bool number =
      !digits.empty() && (end == text_of.size() ||
                          std::string_view(kWhiteSpace).find(text_of[end]) !=
                              std::string_view::npos);
  if (number) {
    // Whether the digits are a 64-bit number: they come back the same.
    const uint64_t parsed = std::strtoull(digits.c_str(), nullptr, 10);
    const size_t zeros = digits.find_first_not_of('0');
    const std::string plain =
        zeros == std::string::npos ? "0" : digits.substr(zeros);
    number = std::to_string(parsed) == plain;
  }
  if (!number) {
    return "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
  }
  uint64_t value = std::strtoull(digits.c_str(), nullptr, 10);
  if (request.name == "incr") {
    value += request.number;
  } else {
    value = value < request.number ? 0 : value - request.number;
  }
  std::string text = std::to_string(value);
  const std::string answer = text + "\r\n";
  if (text.size() < entry->value.size()) text.resize(entry->value.size(), ' ');
  entry->value = text;
  entry->version = ++last_version_;
  return answer;
}

size_t ReferenceModel::Match(const Expected& expected,
                             std::string_view actual) {
  size_t at = 0;
  size_t mark = 0;
  for (const char c : expected.text) {
    if (c != kUniqueMark) {
      if (at >= actual.size() || actual[at] != c) return std::string::npos;
      ++at;
      continue;
    }
    uint64_t unique = 0;
    const size_t start = at;
    while (at < actual.size() && actual[at] >= '0' && actual[at] <= '9') {
      unique = unique * 10 + static_cast<uint64_t>(actual[at++] - '0');
    }
    if (at == start) return std::string::npos;
    const auto& [key, version] = expected.marks[mark++];
    const auto [known, fresh] =
        version_of_unique_.insert({{key, unique}, version});
    // A number belongs to one version of the key.
    if (!fresh && known->second != version) return std::string::npos;
    last_unique_[key] = unique;
  }
  return at;
}

uint64_t ReferenceModel::SomeUnique(const std::string& key) const {
  const auto found = last_unique_.find(key);
  return found == last_unique_.end() ? 0 : found->second;
}

}  // namespace percore::kv
