// Any bytes to the kv_server's parser: no crash, nothing consumed that is not
// there, only legal commands, and the same answers however the bytes are cut.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "percore/examples/kv_server/placement.h"
#include "percore/examples/kv_server/protocol.h"
#include "percore/tests/examples/kv_server/local_session.h"

namespace percore::kv {
namespace {

// Small, so that short inputs reach the code for values that are too large.
constexpr size_t kSmallValue = 64;

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "kv_protocol_fuzz: %s\n", what);
  std::abort();
}

void CheckCommands(std::string_view input) {
  Parser parser(kSmallValue);
  Command command;
  for (;;) {
    size_t consumed = 0;
    const Parser::Status status = parser.Next(input, &consumed, &command);
    Require(consumed <= input.size(), "consumed more than there is");
    input.remove_prefix(consumed);
    if (status == Parser::Status::kNeedMore) {
      Require(parser.wanted() > input.size(), "wants what it has");
      Require(parser.wanted() <= kMaxGetLine + 2 + kSmallValue,
              "wants more than a line and a value");
      return;
    }
    Require(consumed > 0, "a command of nothing");
    Require(command.value.size() <= kSmallValue, "value over the limit");
    if (IsKeyed(command.verb) && command.keys.empty()) {
      Require(!command.key.empty(), "no key");
      Require(command.key.size() <= kMaxKeySize, "key over the limit");
    }
    KeyCursor keys(command.keys);
    for (std::string_view key; keys.Next(&key);) {
      Require(!key.empty() && key.size() <= kMaxKeySize, "key of a get");
    }
    const bool error =
        command.verb == Verb::kError || command.verb == Verb::kFatal;
    Require(!error || command.text.ends_with("\r\n"), "error without text");
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
  Require(whole == pieces, "the cut changes the answers");
  Require(session.closed() == cut_session.closed(), "the cut changes the end");
}

}  // namespace
}  // namespace percore::kv

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  percore::kv::CheckCommands(input);
  percore::kv::CheckCuts(input);
  return 0;
}
