// One command of the memcached text protocol, taken apart.

#ifndef PERCORE_EXAMPLES_KV_SERVER_COMMAND_H_
#define PERCORE_EXAMPLES_KV_SERVER_COMMAND_H_

#include <cstdint>
#include <string_view>

namespace percore::kv {

enum class Verb : uint8_t {
  // Of any number of keys: `keys`.
  kGet,
  kGets,
  // Of one key: `key`.
  kSet,
  kAdd,
  kReplace,
  kAppend,
  kPrepend,
  kCas,
  kIncrement,
  kDecrement,
  kTouch,
  kDelete,
  kTooLarge,  // a value that will not be taken; `drop_old`: the old one goes
  // Of the whole server.
  kFlushAll,
  kStats,  // `key`: which statistics, "" for the general ones
  kCacheMemlimit,
  kVersion,
  kVerbosity,
  kQuit,
  // Not a command: `text` is the answer, with its line end.
  kError,
  kFatal,  // and the connection is closed after it
};

// Every view points into the parser's input and is as short-lived as that.
struct Command {
  Verb verb = Verb::kError;
  bool noreply = false;  // whatever the answer is, an error too: not sent
  bool drop_old = false;
  uint32_t flags = 0;
  int64_t exptime = 0;
  uint64_t number = 0;  // delta, unique number, MiB
  std::string_view key;
  std::string_view value;
  std::string_view keys;  // one or more, each legal, separated by spaces
  std::string_view text;
};

// Walks Command::keys.
class KeyCursor {
 public:
  explicit KeyCursor(std::string_view keys) : rest_(keys) {}

  // False at the end.
  bool Next(std::string_view* key) {
    const size_t start = rest_.find_first_not_of(' ');
    if (start == std::string_view::npos) return false;
    rest_.remove_prefix(start);
    *key = rest_.substr(0, rest_.find(' '));
    rest_.remove_prefix(key->size());
    return true;
  }

  // What has not been walked yet.
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_COMMAND_H_
