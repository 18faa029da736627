// Finalizers: deletion that does not block.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

// What a finalizer saw.
struct Finals {
  int calls = 0;
  event* ev = nullptr;
};

void Final(event* ev, void* arg) {
  Finals* finals = static_cast<Finals*>(arg);
  ++finals->calls;
  finals->ev = ev;
}

void Never(evutil_socket_t, short, void*) { ADD_FAILURE() << "called"; }

class FinalizeTest : public BackendTest {};
COMPAT_ON_EVERY_BACKEND(FinalizeTest);

// semantics 3.6
// api event_finalize
TEST_P(FinalizeTest, RunsFromTheLoop) {
  SocketPair pair;
  Finals finals;
  event ev;
  event_assign(&ev, base(), pair[0], EV_READ | EV_PERSIST | EV_FINALIZE, Never,
               &finals);
  const timeval tv = Ms(60000);
  event_add(&ev, &tv);
  event_active(&ev, EV_READ, 1);
  pair.Send(1);
  EXPECT_EQ(event_finalize(0, &ev, Final), 0);
  EXPECT_EQ(finals.calls, 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(finals.calls, 1);
  EXPECT_EQ(finals.ev, &ev);
}

// semantics 3.6: also an event without EV_FINALIZE.
TEST_P(FinalizeTest, WithoutTheFlag) {
  Finals finals;
  event ev;
  event_assign(&ev, base(), -1, 0, Never, &finals);
  EXPECT_EQ(event_finalize(0, &ev, Final), 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(finals.calls, 1);
}

// semantics 3.6: until then add fails, active and del do nothing.
TEST_P(FinalizeTest, MeanwhileTheEventIsInert) {
  Finals finals;
  event ev;
  event_assign(&ev, base(), -1, EV_FINALIZE, Never, &finals);
  event_finalize(0, &ev, Final);
  const timeval tv = Ms(1);
  EXPECT_EQ(event_add(&ev, &tv), -1);
  EXPECT_EQ(event_add(&ev, nullptr), -1);
  event_active(&ev, EV_READ, 1);
  EXPECT_EQ(event_del(&ev), 0);
  EXPECT_EQ(event_del_noblock(&ev), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(finals.calls, 1);
  // Afterwards it is as assigned: memory that can be assigned again.
  event_assign(&ev, base(), -1, 0, Never, nullptr);
  EXPECT_EQ(event_add(&ev, &tv), 0);
  event_del(&ev);
}

// api event_free_finalize
TEST_P(FinalizeTest, FreeFinalize) {
  Finals finals;
  event* ev = event_new(base(), -1, EV_FINALIZE, Never, &finals);
  const timeval tv = Ms(1);
  event_add(ev, &tv);
  EXPECT_EQ(event_free_finalize(0, ev, Final), 0);
  EXPECT_EQ(finals.calls, 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(finals.calls, 1);
  EXPECT_EQ(finals.ev, ev);
}

// semantics 3.6: at the event's priority, in the order of the queue.
TEST_P(FinalizeTest, AtTheEventsPriority) {
  event_base_priority_init(base(), 3);
  Journal journal;
  static Journal* to;
  to = &journal;
  event low, top;
  event_assign(&low, base(), -1, EV_FINALIZE, Never, nullptr);
  event_assign(&top, base(), -1, EV_FINALIZE, Never, nullptr);
  event_priority_set(&low, 2);
  event_priority_set(&top, 0);
  Probe middle(base(), &journal, "middle");
  event_finalize(0, &low, [](event*, void*) { to->Write("low", 0); });
  middle.Activate();
  event_finalize(0, &top, [](event*, void*) { to->Write("top", 0); });
  event_base_dispatch(base());
  EXPECT_EQ(journal.names(), "top middle low");
}

// semantics 3.6: from the event's own callback: it runs later.
TEST_P(FinalizeTest, FromItsOwnCallback) {
  struct State {
    int callbacks = 0;
    int finals = 0;
    event* ev = nullptr;
  } state;
  state.ev = event_new(
      base(), -1, EV_FINALIZE | EV_PERSIST,
      [](evutil_socket_t, short, void* arg) {
        State* s = static_cast<State*>(arg);
        ++s->callbacks;
        event_free_finalize(0, s->ev, [](event*, void* a) {
          ++static_cast<State*>(a)->finals;
        });
        EXPECT_EQ(s->finals, 0);
      },
      &state);
  const timeval tv = Ms(1);
  event_add(state.ev, &tv);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(state.callbacks, 1);
  EXPECT_EQ(state.finals, 1);
}

// semantics 3.6
// api event_base_free: runs what is pending.
TEST_P(FinalizeTest, BaseFreeRunsFinalizers) {
  BasePtr second = NewBase(GetParam());
  Finals embedded, heap;
  event ev;
  event_assign(&ev, second.get(), -1, EV_FINALIZE, Never, &embedded);
  event_finalize(0, &ev, Final);
  event* on_heap = event_new(second.get(), -1, EV_FINALIZE, Never, &heap);
  event_free_finalize(0, on_heap, Final);
  second.reset();
  EXPECT_EQ(embedded.calls, 1);
  EXPECT_EQ(heap.calls, 1);
}

// api event_base_free_nofinalize
TEST_P(FinalizeTest, BaseFreeNofinalize) {
  event_base* second = NewBase(GetParam()).release();
  Finals finals;
  event ev;
  event_assign(&ev, second, -1, EV_FINALIZE, Never, &finals);
  event_finalize(0, &ev, Final);
  event_base_free_nofinalize(second);
  EXPECT_EQ(finals.calls, 0);
}

// finalize/many: a finalizer for each of many, in a base that goes on.
TEST_P(FinalizeTest, Many) {
  Finals finals;
  for (int i = 0; i < 100; ++i) {
    event* ev = event_new(base(), -1, EV_FINALIZE, Never, &finals);
    const timeval tv = Ms(60000);
    event_add(ev, &tv);
    event_free_finalize(0, ev, Final);
  }
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ACTIVE), 100);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(finals.calls, 100);
}

#ifdef COMPAT_SHARED_MODE
// semantics 3.6: another thread finalizes while the callback runs: it does not
// wait, and the finalizer comes after the callback.
TEST_P(FinalizeTest, WhileTheCallbackRunsElsewhere) {
  struct State {
    std::atomic<bool> inside{false};
    std::atomic<bool> asked{false};
    bool out = false;
    bool final_after = false;
  } state;
  event* ev = event_new(
      base(), -1, EV_FINALIZE,
      [](evutil_socket_t, short, void* arg) {
        State* s = static_cast<State*>(arg);
        s->inside = true;
        while (!s->asked) std::this_thread::yield();
        s->out = true;
      },
      &state);
  event_active(ev, EV_READ, 1);
  std::thread other([&] {
    while (!state.inside) std::this_thread::yield();
    event_free_finalize(0, ev, [](event*, void* arg) {
      State* s = static_cast<State*>(arg);
      s->final_after = s->out;
    });
    state.asked = true;
  });
  EXPECT_EQ(event_base_dispatch(base()), 1);
  other.join();
  EXPECT_TRUE(state.final_after);
}
#endif

}  // namespace
}  // namespace compat
