// The cache as its specification: a std::map and the protocol's rules, written
// without a look at the server's code, to compare the server with.

#ifndef PERCORE_TESTS_EXAMPLES_KV_SERVER_REFERENCE_MODEL_H_
#define PERCORE_TESTS_EXAMPLES_KV_SERVER_REFERENCE_MODEL_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace percore::kv {

// A command to be. `name` is the protocol's; "raw" sends `value` as it stands
// and expects `answer`.
struct Request {
  std::string name;
  std::vector<std::string> keys;  // one, but for get and gets
  uint32_t flags = 0;
  int64_t exptime = 0;
  uint64_t number = 0;
  std::string value;
  std::string answer;
  bool noreply = false;

  // The bytes that the client sends.
  std::string Wire() const;
};

// Stands in Expected::text where a unique number comes, which only the server
// knows. No key or value of the tests has it.
inline constexpr char kUniqueMark = '\x01';

struct Expected {
  std::string text;
  // For each mark: the key, and which of its versions the number is of.
  std::vector<std::pair<std::string, uint64_t>> marks;
};

class ReferenceModel {
 public:
  // The answer to `request`, which changes the model.
  Expected Apply(const Request& request, int64_t now_ms);

  // Compares `actual`'s first bytes with `expected` and learns the unique
  // numbers. The number of bytes that answer it; npos: it is no such answer.
  size_t Match(const Expected& expected, std::string_view actual);

  // A unique number that once was `key`'s, or 0.
  uint64_t SomeUnique(const std::string& key) const;

 private:
  struct Entry {
    uint32_t flags;
    int64_t expires_ms;
    uint64_t version;
    std::string value;
  };

  Entry* Live(const std::string& key, int64_t now_ms);
  std::string Storage(const Request& request, int64_t now_ms);
  std::string Arithmetic(const Request& request, int64_t now_ms);

  std::map<std::string, Entry> entries_;
  std::map<std::pair<std::string, uint64_t>, uint64_t> version_of_unique_;
  std::map<std::string, uint64_t> last_unique_;
  uint64_t last_version_ = 0;
  int64_t flush_at_ms_ = INT64_MAX;
};

}  // namespace percore::kv

#endif  // PERCORE_TESTS_EXAMPLES_KV_SERVER_REFERENCE_MODEL_H_
