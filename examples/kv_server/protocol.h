// Incremental parser of the memcached text protocol.
//
// The caller keeps the bytes it has received and offers what is not consumed
// yet, with more at its end each time; commands are the same however the
// stream was cut. Nothing is copied: a command's views point into the input.
//
// Texts of errors, and what of the input an error consumes, are those of
// memcached 1.6: a storage command whose line is refused does not take its
// data with it (the data is then read as a command, and answered ERROR), one
// whose value is too large does. Differences, all in favour of the reader: a
// line that is too long is answered and skipped, where memcached closes the
// connection; the limit for it does not depend on how the line arrived; flags
// and lengths of more than 32 bits are refused, not cut.

#ifndef PERCORE_EXAMPLES_KV_SERVER_PROTOCOL_H_
#define PERCORE_EXAMPLES_KV_SERVER_PROTOCOL_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "percore/examples/kv_server/command.h"

namespace percore::kv {

// Longest line, without its line feed. Only `get` and `gets` have many words:
// room for 4000 keys of the longest kind, half a million of the shortest.
inline constexpr size_t kMaxLine = 2048;
inline constexpr size_t kMaxGetLine = size_t{1} << 20;

// Not thread-safe: one for each connection.
class Parser {
 public:
  enum class Status { kCommand, kNeedMore };

  // `max_value`: bytes that a value may have.
  explicit Parser(size_t max_value);

  // Takes the next command from the start of `input`. `*consumed` bytes of it
  // are done with (with kNeedMore too, where something is skipped); offer the
  // rest again, with more behind it.
  Status Next(std::string_view input, size_t* consumed, Command* command);

  // After kNeedMore: how long the unconsumed input must be before the next
  // call can find anything. For sizing buffers; at most the longest line, or
  // one line and one value.
  size_t wanted() const { return wanted_; }

 private:
  Status SkipLine(std::string_view input, size_t* consumed, Command* command);
  Status ParseLine(std::string_view input, size_t line_end, size_t* consumed,
                   Command* command);
  // `words` is the line cut at spaces, the command's name first.
  struct Words;
  static void ParseGet(std::string_view line, Verb verb, Command* command);
  bool ParseStorage(const Words& words, Verb verb, size_t* length,
                    Command* command) const;
  static void ParseArithmetic(const Words& words, Verb verb, Command* command);
  static void ParseTouch(const Words& words, Command* command);
  static void ParseDelete(const Words& words, Command* command);
  static void ParseFlushAll(const Words& words, Command* command);
  static void ParseVerbosity(const Words& words, Command* command);
  static void ParseMemlimit(const Words& words, Command* command);

  size_t max_value_;
  size_t scanned_ = 0;  // input bytes known to hold no line feed
  size_t wanted_ = 1;
  uint64_t swallow_ = 0;        // bytes of a refused value still to come
  bool skipping_line_ = false;  // of a line that is too long
  bool first_ = true;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_PROTOCOL_H_
