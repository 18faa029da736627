// What the simulated network and system do to a program.
#ifndef PERCORE_RUNTIME_BACKEND_SIM_FAULTS_H_
#define PERCORE_RUNTIME_BACKEND_SIM_FAULTS_H_

#include <cstddef>
#include <cstdint>

#include "percore/runtime/backend/sim/random.h"

namespace percore::sim {

// Chances are "one in so many"; 0 is never. The defaults are a network that
// delivers everything at once and in one piece.
struct Faults {
  // A send takes only a part of what would fit.
  std::uint64_t partial_write = 0;
  // A receive gives only a part of what is there.
  std::uint64_t short_read = 0;
  // A ready non-blocking call answers EAGAIN all the same; it stays ready.
  std::uint64_t spurious_again = 0;
  // accept() answers EMFILE, or ECONNABORTED; the connection stays in the
  // queue, or is gone.
  std::uint64_t accept_emfile = 0;
  std::uint64_t accept_aborted = 0;
  // A segment that arrives finds the connection broken: both ends see a reset.
  std::uint64_t reset = 0;
  // A wait reports only some of what is ready.
  std::uint64_t partial_report = 0;
  // Largest piece that travels as one, in bytes.
  std::size_t segment = 65536;
  // What one direction of a connection holds, on its way and unread.
  std::size_t buffer = 65536;
  // A segment travels up to this long; half of them take no time. Those of one
  // connection stay in order, those of different ones do not.
  std::int64_t delay_ns = 0;
  // How often, against a core's 1 to 64, the network gets a turn.
  std::uint64_t network_weight = 16;

  static Faults None() { return {}; }

  // Everything at once, in proportions that the seed chooses: some seeds have
  // tiny buffers and others slow links, some no faults at all.
  static Faults FromSeed(std::uint64_t seed) {
    Random random(seed ^ 0x5eedfa17u);
    const auto chance = [&random](std::uint64_t often, std::uint64_t rare) {
      const std::uint64_t kind = random.Below(3);
      return kind == 0 ? 0 : kind == 1 ? often : rare;
    };
    Faults faults;
    if (random.OneIn(8)) return faults;
    faults.partial_write = chance(2, 10);
    faults.short_read = chance(2, 10);
    faults.spurious_again = chance(5, 50);
    faults.accept_emfile = chance(4, 20);
    faults.accept_aborted = chance(10, 40);
    faults.reset = chance(300, 3000);
    faults.partial_report = chance(2, 10);
    faults.segment = std::size_t{1} << (4 + random.Below(13));
    faults.buffer = std::size_t{1} << (8 + random.Below(10));
    if (faults.segment * 64 < faults.buffer) {
      faults.segment = faults.buffer / 64;  // or a test takes for ever
    }
    constexpr std::int64_t kDelays[] = {0, 10'000, 1'000'000, 300'000'000};
    faults.delay_ns = kDelays[random.Below(4)];
    faults.network_weight = std::uint64_t{1} << random.Below(8);
    return faults;
  }
};

}  // namespace percore::sim

#endif  // PERCORE_RUNTIME_BACKEND_SIM_FAULTS_H_
