// Any bytes to the kv_server's parser: no crash, nothing consumed that is not
// there, only legal commands, and the same answers however the bytes are cut.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "percore/examples/kv_server/placement.h"
#include "percore/examples/kv_server/protocol.h"
#include "percore/tests/examples/kv_server/local_session.h"
#include "tests/fuzz/driver.h"

namespace percore::kv {
namespace {

// Small, so that short inputs reach the code for values that are too large.
constexpr size_t kSmallValue = 64;

void CheckCommands(std::string_view input) {
  Parser parser(kSmallValue);
  Command command;
  for (;;) {
    size_t consumed = 0;
    const Parser::Status status = parser.Next(input, &consumed, &command);
    FUZZ_CHECK(consumed <= input.size());
    input.remove_prefix(consumed);
    if (status == Parser::Status::kNeedMore) {
      FUZZ_CHECK(parser.wanted() > input.size());
      FUZZ_CHECK(parser.wanted() <= kMaxGetLine + 2 + kSmallValue);
      return;
    }
    FUZZ_CHECK(consumed > 0);
    FUZZ_CHECK(command.value.size() <= kSmallValue);
    if (IsKeyed(command.verb) && command.keys.empty()) {
      FUZZ_CHECK(!command.key.empty());
      FUZZ_CHECK(command.key.size() <= kMaxKeySize);
    }
    KeyCursor keys(command.keys);
    for (std::string_view key; keys.Next(&key);) {
      FUZZ_CHECK(!key.empty() && key.size() <= kMaxKeySize);
    }
    const bool error =
        command.verb == Verb::kError || command.verb == Verb::kFatal;
    FUZZ_CHECK(!error || command.text.ends_with("\r\n"));
  }
}

void CheckCuts(std::string_view input) {
  ManualClock clock;
  Store store({}, clock);
  Store cut_store({}, clock);
  LocalSession session(store, kSmallValue);
  LocalSession cut_session(cut_store, kSmallValue);
  const std::string whole = session.Feed(input);
  uint64_t cuts = HashOf(input);
  std::string pieces;
  while (!input.empty()) {
    cuts = cuts * 6364136223846793005u + 1442695040888963407u;
    const size_t size = std::min<size_t>(1 + (cuts >> 60), input.size());
    pieces += cut_session.Feed(input.substr(0, size));
    input.remove_prefix(size);
  }
  FUZZ_CHECK(whole == pieces);
  FUZZ_CHECK(session.closed() == cut_session.closed());
}

}  // namespace
}  // namespace percore::kv

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  percore::kv::CheckCommands(input);
  percore::kv::CheckCuts(input);
  return 0;
}

percore::fuzz::Corpus percore::fuzz::TheCorpus() {
  static const std::string longest_key(250, 'k');
  static const std::string long_key(251, 'k');
  static const std::string long_line(2049, 'l');
  return {
      .seeds =
          {
              "set a 1 0 3\r\nabc\r\nget a b\r\ngets a\r\n",
              "add a 0 0 1 noreply\r\n1\r\nincr a 5\r\ndecr a 2\r\n",
              "cas a 0 0 1 1\r\n1\r\nappend a 0 0 1\r\n2\r\nquit\r\n",
              "replace a 0 -1 2\r\n\r\n\r\nprepend a 0 0 0\r\n\r\n",
              "touch a 5\r\ndelete a 0 noreply\r\nflush_all 1 noreply\r\n",
              "stats\r\nstats items\r\nversion\r\nverbosity 1\r\n",
              "set a 0 0 65\r\n0123456789012345678901234567890123456789"
              "0123456789012345678901234\r\nget a\r\n",
              "set a 0 0 2\r\nabcd\r\ncache_memlimit 64\r\n",
          },
      .tokens = {"get ",       "gets ",   "set ",       "add ",
                 "replace ",   "append ", "prepend ",   "cas ",
                 "incr ",      "decr ",   "touch ",     "delete ",
                 "flush_all ", "stats ",  "verbosity ", " noreply",
                 "\r\n",       "\n",      "\r",         " ",
                 "64",         "65",      "-1",         "4294967296",
                 "2147483645", "\x80",    longest_key,  long_key,
                 long_line},
      .max_size = 6000,
  };
}
