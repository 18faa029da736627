// A small sharded server with faults of choice, to see that the simulation
// finds them: a line with a number is answered by a line with its square and
// some padding, made by the core that owns the number, in the order of the
// questions.
#ifndef PERCORE_TESTS_SIM_SQUARE_SERVER_H_
#define PERCORE_TESTS_SIM_SQUARE_SERVER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "percore/runtime/core/runtime.h"
#include "percore/runtime/event/event.h"

namespace percore::sim {

enum class Fault {
  kNone,
  // What did not fit into the socket is forgotten.
  kAssumesWholeWrites,
  // A line is taken to arrive in one piece.
  kAssumesWholeReads,
  // Answers leave as the cores make them.
  kAnswersAsTheyCome,
};

// The line that answers `number`.
std::string SquareLine(std::uint64_t number);

class SquareServer : public Service {
 public:
  // Listens on every core. The runtime runs.
  SquareServer(Runtime* runtime, Fault fault);
  ~SquareServer() override;

  int port() const { return port_; }

  // Service: connections are closed as they stand.
  void Quiesce(int core, std::function<void()> done) override;
  void Destroy(int core) override;

 private:
  struct Connection {
    int fd = -1;
    std::unique_ptr<Event> readable;
    std::unique_ptr<Event> writable;
    std::string input;
    std::string output;
    // Of each question under way, in order: its answer, when it is there.
    std::deque<std::string> answers;
    std::uint64_t taken = 0;  // answers that have left `answers`
    std::uint64_t asked = 0;
  };
  struct Part {
    std::unique_ptr<Event> acceptable;
    std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
    std::uint64_t next = 0;
    int listener = -1;
  };

  void Accept(int core);
  void Read(int core, std::uint64_t id);
  void Ask(int core, std::uint64_t id, std::uint64_t number);
  void Answer(int core, std::uint64_t id, std::uint64_t question,
              std::string line);
  void Write(int core, std::uint64_t id);
  void Close(int core, std::uint64_t id);
  Part& part(int core) { return parts_[static_cast<std::size_t>(core)]; }
  Connection* Find(int core, std::uint64_t id);

  Runtime* const runtime_;
  const Fault fault_;
  int port_ = 0;
  std::vector<Part> parts_;
};

}  // namespace percore::sim

#endif  // PERCORE_TESTS_SIM_SQUARE_SERVER_H_
