// One client of one store, without sockets: bytes in, answers out.

#ifndef PERCORE_TESTS_EXAMPLES_KV_SERVER_LOCAL_SESSION_H_
#define PERCORE_TESTS_EXAMPLES_KV_SERVER_LOCAL_SESSION_H_

#include <string>
#include <string_view>

#include "percore/examples/kv_server/answer.h"
#include "percore/examples/kv_server/clock.h"
#include "percore/examples/kv_server/execute.h"
#include "percore/examples/kv_server/protocol.h"
#include "percore/examples/kv_server/store.h"

namespace percore::kv {

class ManualClock : public Clock {
 public:
  int64_t NowMs() const override { return now_ms; }
  void AdvanceSeconds(int64_t seconds) { now_ms += 1000 * seconds; }

  int64_t now_ms = int64_t{1'700'000'000} * 1000;
};

class LocalSession {
 public:
  explicit LocalSession(Store& store, size_t max_value = kMaxValueSize)
      : store_(store), parser_(max_value) {}

  // The answers to what is complete with `bytes`.
  std::string Feed(std::string_view bytes) {
    input_.append(bytes);
    std::string out;
    Command command;
    size_t start = 0;
    while (!closed_) {
      size_t consumed = 0;
      const Parser::Status status = parser_.Next(
          std::string_view(input_).substr(start), &consumed, &command);
      if (status == Parser::Status::kCommand) Run(command, &out);
      start += consumed;
      if (status == Parser::Status::kNeedMore) break;
    }
    input_.erase(0, start);
    return out;
  }

  bool closed() const { return closed_; }

 private:
  void Run(Command& command, std::string* out) {
    switch (command.verb) {
      case Verb::kGet:
      case Verb::kGets: {
        KeyCursor keys(command.keys);
        while (keys.Next(&command.key)) Execute(command, store_, out);
        out->append(kEnd);
        return;
      }
      case Verb::kFlushAll:
        store_.FlushAll(command.exptime);
        break;
      case Verb::kStats:
        out->append(command.key.empty() ? kEnd : kUnknownCommand);
        return;
      case Verb::kVersion:
        AppendVersion(out);
        return;
      case Verb::kQuit:
        closed_ = true;
        return;
      case Verb::kFatal:
        closed_ = true;
        [[fallthrough]];
      case Verb::kError:
        if (!command.noreply) out->append(command.text);
        return;
      case Verb::kVerbosity:
      case Verb::kCacheMemlimit:
        break;
      default:
        Execute(command, store_, out);
        return;
    }
    if (!command.noreply) out->append(kOk);
  }

  Store& store_;
  Parser parser_;
  std::string input_;
  bool closed_ = false;
};

}  // namespace percore::kv

#endif  // PERCORE_TESTS_EXAMPLES_KV_SERVER_LOCAL_SESSION_H_
