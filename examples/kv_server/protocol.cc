#include "percore/examples/kv_server/protocol.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>

#include "percore/examples/kv_server/store.h"

namespace percore::kv {
namespace {

constexpr std::string_view kUnknown = "ERROR\r\n";
constexpr std::string_view kBadFormat =
    "CLIENT_ERROR bad command line format\r\n";
constexpr std::string_view kBadDelete =
    "CLIENT_ERROR bad command line format.  "
    "Usage: delete <key> [noreply]\r\n";
constexpr std::string_view kBadChunk = "CLIENT_ERROR bad data chunk\r\n";
constexpr std::string_view kBadExptime =
    "CLIENT_ERROR invalid exptime argument\r\n";
constexpr std::string_view kBadDelta =
    "CLIENT_ERROR invalid numeric delta argument\r\n";
constexpr std::string_view kObjectTooLarge =
    "SERVER_ERROR object too large for cache\r\n";
constexpr std::string_view kLineTooLong = "CLIENT_ERROR line too long\r\n";
constexpr std::string_view kBinary =
    "CLIENT_ERROR binary protocol not supported\r\n";

constexpr char kBinaryMagic = '\x80';

// memcached's bound for a length; what is longer is no number to it.
constexpr uint64_t kMaxLength = std::numeric_limits<int32_t>::max() - 2;

void Fail(std::string_view text, Command* command) {
  command->verb = Verb::kError;
  command->text = text;
}

// Decimal, with an optional plus (and minus for a signed T); all of `word`.
template <class T>
bool ParseNumber(std::string_view word, T* number) {
  if (!word.empty() && word.front() == '+') {
    word.remove_prefix(1);
    if (!word.empty() && word.front() == '-') return false;
  }
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, *number);
  return error == std::errc() && stop == end;
}

size_t LineLimit(std::string_view line) {
  const size_t start = line.substr(0, kMaxLine).find_first_not_of(' ');
  if (start == std::string_view::npos) return kMaxLine;
  line.remove_prefix(start);
  const bool get = line.starts_with("get ") || line.starts_with("gets ");
  return get ? kMaxGetLine : kMaxLine;
}

}  // namespace

struct Parser::Words {
  // A storage command has 7 words at most; what is behind is only counted.
  static constexpr size_t kMax = 8;

  explicit Words(std::string_view line) {
    KeyCursor cursor(line);
    while (count < kMax && cursor.Next(&word[count])) ++count;
  }
  // Words behind the command's name.
  size_t arguments() const { return count - 1; }
  bool noreply() const { return word[count - 1] == "noreply"; }

  std::string_view word[kMax];
  size_t count = 0;
};

Parser::Parser(size_t max_value) : max_value_(max_value) {}

Parser::Status Parser::Next(std::string_view input, size_t* consumed,
                            Command* command) {
  *consumed = 0;
  if (swallow_ > 0) {
    const size_t dropped =
        static_cast<size_t>(std::min<uint64_t>(swallow_, input.size()));
    swallow_ -= dropped;
    *consumed = dropped;
    input.remove_prefix(dropped);
  }
  size_t taken = 0;
  const Status status = [&] {
    if (skipping_line_) return SkipLine(input, &taken, command);
    if (input.size() < wanted_) return Status::kNeedMore;
    *command = Command();
    if (first_) {
      first_ = false;
      if (input.front() == kBinaryMagic) {
        Fail(kBinary, command);
        command->verb = Verb::kFatal;
        taken = input.size();
        return Status::kCommand;
      }
    }
    const size_t line_end = input.find('\n', scanned_);
    if (line_end != std::string_view::npos) {
      return ParseLine(input, line_end, &taken, command);
    }
    if (input.size() > kMaxLine && input.size() > LineLimit(input)) {
      skipping_line_ = true;
      return SkipLine(input, &taken, command);
    }
    scanned_ = input.size();
    wanted_ = input.size() + 1;
    return Status::kNeedMore;
  }();
  if (status == Status::kCommand) {
    scanned_ = 0;
    wanted_ = 1;
  }
  *consumed += taken;
  return status;
}

Parser::Status Parser::SkipLine(std::string_view input, size_t* consumed,
                                Command* command) {
  scanned_ = 0;
  wanted_ = 1;
  const size_t line_end = input.find('\n');
  if (line_end == std::string_view::npos) {
    *consumed = input.size();
    return Status::kNeedMore;
  }
  *consumed = line_end + 1;
  skipping_line_ = false;
  *command = Command();
  Fail(kLineTooLong, command);
  return Status::kCommand;
}

Parser::Status Parser::ParseLine(std::string_view input, size_t line_end,
                                 size_t* consumed, Command* command) {
  *consumed = line_end + 1;
  std::string_view line = input.substr(0, line_end);
  if (line.size() > kMaxLine && line.size() > LineLimit(line)) {
    Fail(kLineTooLong, command);
    return Status::kCommand;
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  const Words words(line);
  if (words.count == 0) {
    Fail(kUnknown, command);
    return Status::kCommand;
  }
  const std::string_view name = words.word[0];

  static constexpr struct {
    std::string_view name;
    Verb verb;
  } kStorage[] = {{"set", Verb::kSet},         {"add", Verb::kAdd},
                  {"replace", Verb::kReplace}, {"append", Verb::kAppend},
                  {"prepend", Verb::kPrepend}, {"cas", Verb::kCas}};
  for (const auto& storage : kStorage) {
    if (name != storage.name) continue;
    size_t length = 0;
    if (!ParseStorage(words, storage.verb, &length, command)) {
      return Status::kCommand;
    }
    if (length > max_value_) {
      swallow_ = uint64_t{length} + 2;
      command->verb = Verb::kTooLarge;
      command->drop_old = storage.verb == Verb::kSet;
      command->text = kObjectTooLarge;
      return Status::kCommand;
    }
    const size_t total = line_end + 1 + length + 2;
    if (input.size() < total) {
      // The line is parsed again then: cheaper than to remember it.
      *consumed = 0;
      scanned_ = line_end;
      wanted_ = total;
      return Status::kNeedMore;
    }
    *consumed = total;
    command->value = input.substr(line_end + 1, length);
    if (input.substr(line_end + 1 + length, 2) != "\r\n") {
      Fail(kBadChunk, command);
    }
    return Status::kCommand;
  }

  if (name == "get") {
    ParseGet(line, Verb::kGet, command);
  } else if (name == "gets") {
    ParseGet(line, Verb::kGets, command);
  } else if (name == "incr") {
    ParseArithmetic(words, Verb::kIncrement, command);
  } else if (name == "decr") {
    ParseArithmetic(words, Verb::kDecrement, command);
  } else if (name == "touch") {
    ParseTouch(words, command);
  } else if (name == "delete") {
    ParseDelete(words, command);
  } else if (name == "flush_all") {
    ParseFlushAll(words, command);
  } else if (name == "verbosity") {
    ParseVerbosity(words, command);
  } else if (name == "cache_memlimit") {
    ParseMemlimit(words, command);
  } else if (name == "stats") {
    command->verb = Verb::kStats;
    if (words.count > 1) command->key = words.word[1];
  } else if (name == "version") {
    command->verb = Verb::kVersion;
  } else if (name == "quit") {
    command->verb = Verb::kQuit;
  } else {
    Fail(kUnknown, command);
  }
  return Status::kCommand;
}

void Parser::ParseGet(std::string_view line, Verb verb, Command* command) {
  KeyCursor cursor(line);
  std::string_view key;
  cursor.Next(&key);  // the command's name
  const std::string_view keys = cursor.rest();
  size_t count = 0;
  while (cursor.Next(&key)) {
    if (key.size() > kMaxKeySize) return Fail(kBadFormat, command);
    ++count;
  }
  if (count == 0) return Fail(kUnknown, command);
  command->verb = verb;
  command->keys = keys;
}

bool Parser::ParseStorage(const Words& words, Verb verb, size_t* length,
                          Command* command) const {
  const size_t needed = verb == Verb::kCas ? 5 : 4;
  if (words.arguments() != needed && words.arguments() != needed + 1) {
    Fail(kUnknown, command);
    return false;
  }
  command->verb = verb;
  command->noreply = words.noreply();
  command->key = words.word[1];
  uint64_t bytes = 0;
  if (command->key.size() > kMaxKeySize ||
      !ParseNumber(words.word[2], &command->flags) ||
      !ParseNumber(words.word[3], &command->exptime) ||
      !ParseNumber(words.word[4], &bytes) || bytes > kMaxLength ||
      (verb == Verb::kCas && !ParseNumber(words.word[5], &command->number))) {
    Fail(kBadFormat, command);
    return false;
  }
  *length = static_cast<size_t>(bytes);
  return true;
}

void Parser::ParseArithmetic(const Words& words, Verb verb, Command* command) {
  if (words.arguments() != 2 && words.arguments() != 3) {
    return Fail(kUnknown, command);
  }
  command->verb = verb;
  command->noreply = words.noreply();
  command->key = words.word[1];
  if (command->key.size() > kMaxKeySize) return Fail(kBadFormat, command);
  if (!ParseNumber(words.word[2], &command->number)) Fail(kBadDelta, command);
}

void Parser::ParseTouch(const Words& words, Command* command) {
  if (words.arguments() != 2 && words.arguments() != 3) {
    return Fail(kUnknown, command);
  }
  command->verb = Verb::kTouch;
  command->noreply = words.noreply();
  command->key = words.word[1];
  if (command->key.size() > kMaxKeySize) return Fail(kBadFormat, command);
  if (!ParseNumber(words.word[2], &command->exptime)) {
    Fail(kBadExptime, command);
  }
}

// delete KEY [0] [noreply]: the 0 is a time of an older protocol.
void Parser::ParseDelete(const Words& words, Command* command) {
  const size_t arguments = words.arguments();
  if (arguments < 1 || arguments > 3) return Fail(kUnknown, command);
  command->verb = Verb::kDelete;
  command->key = words.word[1];
  if (arguments > 1) {
    command->noreply = words.noreply();
    const bool zero = words.word[2] == "0";
    const bool legal =
        arguments == 2 ? zero || command->noreply : zero && command->noreply;
    if (!legal) return Fail(kBadDelete, command);
  }
  if (command->key.size() > kMaxKeySize) Fail(kBadFormat, command);
}

void Parser::ParseFlushAll(const Words& words, Command* command) {
  const size_t arguments = words.arguments();
  if (arguments > 2) return Fail(kUnknown, command);
  command->verb = Verb::kFlushAll;
  if (arguments == 0) return;
  command->noreply = words.noreply();
  if (arguments == 1 && command->noreply) return;
  if (!ParseNumber(words.word[1], &command->exptime)) {
    Fail(kBadExptime, command);
  }
}

void Parser::ParseVerbosity(const Words& words, Command* command) {
  const size_t arguments = words.arguments();
  if (arguments < 1 || arguments > 2) return Fail(kUnknown, command);
  command->verb = Verb::kVerbosity;
  command->noreply = words.noreply();
  if (arguments == 1 && command->noreply) return;
  if (!ParseNumber(words.word[1], &command->number)) Fail(kBadFormat, command);
}

void Parser::ParseMemlimit(const Words& words, Command* command) {
  const size_t arguments = words.arguments();
  if (arguments < 1 || arguments > 2) return Fail(kUnknown, command);
  command->verb = Verb::kCacheMemlimit;
  command->noreply = words.noreply();
  if (!ParseNumber(words.word[1], &command->number)) Fail(kUnknown, command);
}

}  // namespace percore::kv
