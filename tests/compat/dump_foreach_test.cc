// Listing the events of a base.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <string>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

class DumpForeachTest : public LoopTest {
 protected:
  std::string Dump() {
    char* text = nullptr;
    size_t size = 0;
    FILE* file = open_memstream(&text, &size);
    event_base_dump_events(base(), file);
    fclose(file);
    std::string result(text, size);
    free(text);
    return result;
  }
  static std::string Pointer(const event* ev) {
    char buf[32];
    snprintf(buf, sizeof(buf), "%p", static_cast<const void*>(ev));
    return buf;
  }
  // The dump's line of `ev`, without the pointer; "" if there is none.
  std::string Line(const std::string& dump, const event* ev) {
    const std::string head = "  " + Pointer(ev);
    const size_t at = dump.find(head);
    if (at == std::string::npos) return "";
    const size_t begin = at + head.size();
    return dump.substr(begin, dump.find('\n', begin) - begin);
  }
  std::vector<const event*> All() {
    std::vector<const event*> all;
    EXPECT_EQ(event_base_foreach_event(
                  base(),
                  [](const event_base*, const event* ev, void* arg) {
                    static_cast<std::vector<const event*>*>(arg)->push_back(ev);
                    return 0;
                  },
                  &all),
              0);
    return all;
  }
  // The places of `wanted` in the order of visits; -1 when not visited,
  // -2 when twice.
  std::vector<int> Places(const std::vector<const event*>& wanted) {
    const std::vector<const event*> all = All();
    std::vector<int> places;
    for (const event* w : wanted) {
      int place = -1;
      for (size_t i = 0; i < all.size(); ++i) {
        if (all[i] == w) place = place == -1 ? static_cast<int>(i) : -2;
      }
      places.push_back(place);
    }
    return places;
  }
  Journal journal_;
};

// semantics 3.15
// api event_base_dump_events
TEST_F(DumpForeachTest, InsertedLines) {
  SocketPair pair;
  Probe read(base(), &journal_, "r", pair[0], EV_READ);
  Probe all(base(), &journal_, "a", pair[1],
            EV_READ | EV_WRITE | EV_CLOSED | EV_PERSIST | EV_ET);
  Probe sig(base(), &journal_, "s", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  read.Add();
  all.Add();
  sig.Add();
  const std::string dump = Dump();
  EXPECT_EQ(dump.rfind("Inserted events:\n", 0), 0u);
  EXPECT_NE(dump.find("\nActive events:\n"), std::string::npos);
  EXPECT_EQ(Line(dump, read.ev()),
            " [fd  " + std::to_string(pair[0]) + "] Read");
  EXPECT_EQ(Line(dump, all.ev()),
            " [fd  " + std::to_string(pair[1]) + "] Read Write EOF Persist ET");
  EXPECT_EQ(Line(dump, sig.ev()),
            " [sig " + std::to_string(SIGUSR2) + "] Signal Persist");
#ifdef TESTING_DEBIAN_LIBEVENT
  // The read side of the signal pipe is internal.
  EXPECT_NE(dump.find("] Read Persist Internal\n"), std::string::npos);
#else
  // better: signals come through the mailbox, and there is no pipe to watch.
  EXPECT_EQ(dump.find("Internal"), std::string::npos);
#endif
}

// semantics 3.15: the timeout as wall-clock time with six digits.
TEST_F(DumpForeachTest, TimeoutOfALine) {
  Probe timer(base(), &journal_, "t", -1, EV_PERSIST);
  timer.Add(Ms(60000));
  timeval due = {};
  event_pending(timer.ev(), EV_TIMEOUT, &due);
  const std::string line = Line(Dump(), timer.ev());
  const std::string head = " [fd  -1] Persist Timeout=";
  ASSERT_EQ(line.rfind(head, 0), 0u) << line;
  const std::string number = line.substr(head.size());
  const size_t dot = number.find('.');
  ASSERT_NE(dot, std::string::npos);
  EXPECT_EQ(number.size() - dot - 1, 6u);
  EXPECT_NEAR(atof(number.c_str()), ToUs(due) / 1e6, 0.1);
}

// semantics 3.15
TEST_F(DumpForeachTest, ActiveLines) {
  SocketPair pair;
  event_base_priority_init(base(), 3);
  Probe user(base(), &journal_, "u");
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  event_priority_set(user.ev(), 2);
  user.Activate(EV_TIMEOUT);
  reader.Add();
  reader.Activate(EV_READ | EV_WRITE | EV_CLOSED);
  const std::string dump = Dump();
  const size_t active = dump.find("Active events:\n");
  ASSERT_NE(active, std::string::npos);
  const std::string tail = dump.substr(active);
  EXPECT_EQ(Line(tail, user.ev()), " [fd  -1, priority=2] Timeout active");
  EXPECT_EQ(Line(tail, reader.ev()), " [fd  " + std::to_string(pair[0]) +
                                         ", priority=1] Read Write EOF active");
  // Inserted as well: in both lists. Active only: in one.
  const std::string inserted = dump.substr(0, active);
  EXPECT_EQ(Line(inserted, reader.ev()),
            " [fd  " + std::to_string(pair[0]) + "] Read Persist");
  EXPECT_EQ(Line(inserted, user.ev()), "");
}

// semantics 3.15: an active signal.
TEST_F(DumpForeachTest, ActiveSignal) {
  Probe sig(base(), &journal_, "s", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  sig.Add();
  sig.Activate(EV_SIGNAL, 1);
  const std::string dump = Dump();
  const std::string line =
      Line(dump.substr(dump.find("Active events:\n")), sig.ev());
  EXPECT_EQ(line,
            " [sig " + std::to_string(SIGUSR2) + ", priority=0] Signal active");
}

// semantics 3.15: an empty base (but for what is internal).
TEST_F(DumpForeachTest, Empty) {
  const std::string dump = Dump();
  EXPECT_EQ(dump.rfind("Inserted events:\n", 0), 0u);
  const std::string last = "Active events:\n";
  ASSERT_GE(dump.size(), last.size());
  EXPECT_EQ(dump.substr(dump.size() - last.size()), last);
}

// semantics 3.16
// api event_base_foreach_event
TEST_F(DumpForeachTest, OrderOfVisits) {
  SocketPair pair;
  const timeval duration = Ms(60000);
  const timeval* common = event_base_init_common_timeout(base(), &duration);
  Probe active(base(), &journal_, "active");
  Probe shared(base(), &journal_, "shared");
  Probe timer(base(), &journal_, "timer");
  Probe sig(base(), &journal_, "sig", SIGUSR2, EV_SIGNAL | EV_PERSIST);
  Probe high(base(), &journal_, "high", std::max(pair[0], pair[1]), EV_READ);
  Probe low(base(), &journal_, "low", std::min(pair[0], pair[1]), EV_READ);
  active.Activate();
  event_add(shared.ev(), common);
  timer.Add(Ms(50000));
  sig.Add();
  high.Add();
  low.Add();
  const std::vector<int> places = Places(
      {low.ev(), high.ev(), sig.ev(), timer.ev(), shared.ev(), active.ev()});
  for (size_t i = 0; i < places.size(); ++i) {
    EXPECT_GE(places[i], 0) << i;
    if (i > 0) {
      EXPECT_GT(places[i], places[i - 1]) << i;
    }
  }
}

// semantics 3.16: each once, though it is inserted, timed and active.
TEST_F(DumpForeachTest, EachOnce) {
  SocketPair pair;
  Probe all(base(), &journal_, "a", pair[0], EV_READ | EV_WRITE);
  Probe timed(base(), &journal_, "t");
  Probe neither(base(), &journal_, "n");
  all.Add(Ms(60000));
  all.Activate(EV_READ);
  timed.Add(Ms(60000));
  timed.Activate(EV_TIMEOUT);
  for (int place : Places({all.ev(), timed.ev()})) EXPECT_GE(place, 0);
  EXPECT_EQ(Places({neither.ev()})[0], -1);
}

// api event_base_foreach_event: stops at the first answer that is not 0.
TEST_F(DumpForeachTest, StopsWhenAsked) {
  Probe a(base(), &journal_, "a");
  Probe b(base(), &journal_, "b");
  a.Add(Ms(60000));
  b.Add(Ms(60000));
  int visits = 0;
  EXPECT_EQ(event_base_foreach_event(
                base(),
                [](const event_base*, const event*, void* arg) {
                  ++*static_cast<int*>(arg);
                  return 42;
                },
                &visits),
            42);
  EXPECT_EQ(visits, 1);
}

// api event_base_foreach_event
TEST_F(DumpForeachTest, BadArguments) {
  EXPECT_EQ(
      event_base_foreach_event(
          nullptr, [](const event_base*, const event*, void*) { return 0; },
          nullptr),
      -1);
  EXPECT_EQ(event_base_foreach_event(base(), nullptr, nullptr), -1);
}

// api event_base_foreach_event: tells of the base it was asked for.
TEST_F(DumpForeachTest, TellsTheBase) {
  Probe a(base(), &journal_, "a");
  a.Add(Ms(60000));
  const event_base* seen = nullptr;
  event_base_foreach_event(
      base(),
      [](const event_base* b, const event*, void* arg) {
        *static_cast<const event_base**>(arg) = b;
        return 0;
      },
      &seen);
  EXPECT_EQ(seen, base());
}

}  // namespace
}  // namespace compat
