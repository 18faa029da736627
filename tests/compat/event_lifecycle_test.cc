// Making, reading, rebinding and freeing events and bases.

#include <event2/event.h>
#include <event2/event_struct.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <string.h>

#include <vector>

#include "percore/tests/compat/backends.h"
#include "percore/tests/compat/log_capture.h"
#include "percore/tests/compat/probe.h"
#include "percore/tests/compat/sockets.h"

namespace compat {
namespace {

void Nothing(evutil_socket_t, short, void*) {}

class EventLifecycleTest : public BackendTest {
 protected:
  Journal journal_;
};
COMPAT_ON_EVERY_BACKEND(EventLifecycleTest);

// api event_new
// api event_free
// api event_get_fd
// api event_get_base
// api event_get_events
// api event_get_callback
// api event_get_callback_arg
// api event_get_priority
TEST_P(EventLifecycleTest, GettersTellTheAssignment) {
  SocketPair pair;
  int arg = 0;
  event* ev = event_new(base(), pair[0], EV_READ | EV_PERSIST, Nothing, &arg);
  ASSERT_NE(ev, nullptr);
  EXPECT_EQ(event_get_fd(ev), pair[0]);
  EXPECT_EQ(event_get_base(ev), base());
  EXPECT_EQ(event_get_events(ev), EV_READ | EV_PERSIST);
  EXPECT_EQ(event_get_callback(ev), Nothing);
  EXPECT_EQ(event_get_callback_arg(ev), &arg);
  EXPECT_EQ(event_get_priority(ev), 0);
  // Being pending changes none of it.
  event_add(ev, nullptr);
  EXPECT_EQ(event_get_fd(ev), pair[0]);
  EXPECT_EQ(event_get_events(ev), EV_READ | EV_PERSIST);
  event_free(ev);
}

// api event_get_assignment
TEST_P(EventLifecycleTest, GetAssignment) {
  SocketPair pair;
  int arg = 0;
  event ev;
  ASSERT_EQ(event_assign(&ev, base(), pair[1], EV_WRITE | EV_ET, Nothing, &arg),
            0);
  event_base* out_base = nullptr;
  evutil_socket_t fd = -1;
  short events = 0;
  event_callback_fn callback = nullptr;
  void* out_arg = nullptr;
  event_get_assignment(&ev, &out_base, &fd, &events, &callback, &out_arg);
  EXPECT_EQ(out_base, base());
  EXPECT_EQ(fd, pair[1]);
  EXPECT_EQ(events, EV_WRITE | EV_ET);
  EXPECT_EQ(callback, Nothing);
  EXPECT_EQ(out_arg, &arg);
  // Any of them may be left out.
  event_get_assignment(&ev, nullptr, nullptr, nullptr, nullptr, nullptr);
  event_get_assignment(&ev, nullptr, nullptr, &events, nullptr, nullptr);
  EXPECT_EQ(events, EV_WRITE | EV_ET);
}

// api event_assign: works on memory with any content.
// api event_initialized
TEST_P(EventLifecycleTest, AssignReadsNothing) {
  event ev;
  memset(&ev, 0xa5, sizeof(ev));
  EXPECT_EQ(event_assign(&ev, base(), -1, 0, Nothing, nullptr), 0);
  EXPECT_TRUE(event_initialized(&ev));
  EXPECT_EQ(
      event_pending(&ev, EV_READ | EV_WRITE | EV_TIMEOUT | EV_SIGNAL, nullptr),
      0);
  EXPECT_EQ(event_get_fd(&ev), -1);
  EXPECT_EQ(ev.ev_evcallback.evcb_flags, EVLIST_INIT);
  event zero = {};
  EXPECT_FALSE(event_initialized(&zero));
}

// api event_debug_unassign: also clears the mark when debug mode is off.
TEST_P(EventLifecycleTest, DebugUnassign) {
  event ev;
  event_assign(&ev, base(), -1, 0, Nothing, nullptr);
  EXPECT_TRUE(event_initialized(&ev));
  event_debug_unassign(&ev);
  EXPECT_FALSE(event_initialized(&ev));
  EXPECT_EQ(event_assign(&ev, base(), -1, 0, Nothing, nullptr), 0);
  EXPECT_TRUE(event_initialized(&ev));
}

// main/bad_assign
// api event_assign
// api event_new
TEST_P(EventLifecycleTest, SignalWithIoIsRefused) {
  LogCapture log;
  for (short io : {EV_READ, EV_WRITE, EV_CLOSED}) {
    event ev;
    const short flags = static_cast<short>(EV_SIGNAL | io);
    EXPECT_EQ(event_assign(&ev, base(), SIGUSR1, flags, Nothing, nullptr), -1);
    EXPECT_EQ(event_new(base(), SIGUSR1, flags, Nothing, nullptr), nullptr);
  }
}

// semantics 3.14
// api event_self_cbarg
TEST_P(EventLifecycleTest, SelfArgument) {
  EXPECT_EQ(event_self_cbarg(), event_self_cbarg());
  ASSERT_NE(event_self_cbarg(), nullptr);
  static event* seen;
  seen = nullptr;
  const event_callback_fn note = [](evutil_socket_t, short, void* arg) {
    seen = static_cast<event*>(arg);
  };
  event* ev = event_new(base(), -1, 0, note, event_self_cbarg());
  EXPECT_EQ(event_get_callback_arg(ev), ev);
  event_active(ev, 0, 0);
  event_base_dispatch(base());
  EXPECT_EQ(seen, ev);
  event_free(ev);

  event stack;
  event_assign(&stack, base(), -1, 0, note, event_self_cbarg());
  EXPECT_EQ(event_get_callback_arg(&stack), &stack);
  event_active(&stack, 0, 0);
  event_base_dispatch(base());
  EXPECT_EQ(seen, &stack);
}

// semantics 3.13
// semantics 1.6: the priority is the middle of the new base.
// api event_base_set
TEST_P(EventLifecycleTest, BaseSet) {
  BasePtr second = NewBase(GetParam());
  event_base_priority_init(second.get(), 7);
  event ev;
  event_assign(&ev, base(), -1, 0, Nothing, nullptr);
  EXPECT_EQ(event_base_set(second.get(), &ev), 0);
  EXPECT_EQ(event_get_base(&ev), second.get());
  EXPECT_EQ(event_get_priority(&ev), 3);
  // Pending, active, never assigned: refused.
  const timeval tv = Ms(60000);
  event_add(&ev, &tv);
  EXPECT_EQ(event_base_set(base(), &ev), -1);
  event_del(&ev);
  event_active(&ev, EV_READ, 0);
  EXPECT_EQ(event_base_set(base(), &ev), -1);
  event_del(&ev);
  EXPECT_EQ(event_get_base(&ev), second.get());
  EXPECT_EQ(event_base_set(base(), &ev), 0);
  EXPECT_EQ(event_get_priority(&ev), 0);
  event zero = {};
  EXPECT_EQ(event_base_set(base(), &zero), -1);
}

// semantics 3.5: event_free deletes first.
TEST_P(EventLifecycleTest, FreeDeletes) {
  SocketPair pair;
  event* reader =
      event_new(base(), pair[0], EV_READ | EV_PERSIST, Nothing, nullptr);
  event_add(reader, nullptr);
  event* user = event_new(base(), -1, 0, Nothing, nullptr);
  event_active(user, 0, 0);
  event_free(reader);
  event_free(user);
  EXPECT_EQ(event_base_get_num_events(
                base(), EVENT_BASE_COUNT_ADDED | EVENT_BASE_COUNT_ACTIVE),
            0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
}

// semantics 3.5: an event may free itself in its callback.
TEST_P(EventLifecycleTest, FreeInItsOwnCallback) {
  SocketPair pair;
  static event* ev;
  static int calls;
  calls = 0;
  ev = event_new(
      base(), pair[0], EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void*) {
        ++calls;
        event_free(ev);
      },
      nullptr);
  event_add(ev, nullptr);
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(calls, 1);
}

// semantics 3.1
// api event_add
TEST_P(EventLifecycleTest, AddOfAPendingEventChangesNothing) {
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ | EV_PERSIST);
  EXPECT_EQ(reader.Add(), 0);
  EXPECT_EQ(reader.Add(), 0);
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 1);
  reader.Del();
  EXPECT_EQ(event_base_get_num_events(base(), EVENT_BASE_COUNT_ADDED), 0);
  pair.Send(1);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(reader.calls(), 0);
}

// semantics 3.1: queued for its timeout and added again with a time: the
// queued call is dropped.
TEST_P(EventLifecycleTest, AddAgainCancelsTheQueuedTimeout) {
  Probe first(base(), &journal_, "first");
  Probe second(base(), &journal_, "second");
  first.OnCall([&] { second.Add(Ms(30)); });
  first.Add(Us(1));
  second.Add(Us(2));
  SleepMs(12);  // Until both are past on a coarse clock.
  Turn();
  EXPECT_EQ(journal_.names(), "first");
  EXPECT_EQ(second.Pending(EV_TIMEOUT), EV_TIMEOUT);
  EXPECT_EQ(event_base_dispatch(base()), 1);
  EXPECT_EQ(journal_.text(), "first:T second:T");
}

// semantics 3.1: queued for another reason: the call stays.
TEST_P(EventLifecycleTest, AddAgainKeepsAQueuedActivation) {
  Probe user(base(), &journal_, "u");
  user.Activate(EV_READ);
  user.Add(Ms(60000));
  Turn();
  EXPECT_EQ(journal_.text(), "u:R");
}

// semantics 3.7: what is left of user events is un-inserted, not freed.
// api event_base_free
// api event_base_new
TEST_P(EventLifecycleTest, BaseFreeLeavesUserEvents) {
  SocketPair pair;
  BasePtr second = NewBase(GetParam());
  event io, timer, user;
  event_assign(&io, second.get(), pair[0], EV_READ | EV_PERSIST, Nothing,
               nullptr);
  event_assign(&timer, second.get(), -1, 0, Nothing, nullptr);
  event_assign(&user, second.get(), -1, 0, Nothing, nullptr);
  const timeval tv = Ms(60000);
  event_add(&io, &tv);
  event_add(&timer, &tv);
  event_active(&user, EV_READ, 0);
  second.reset();
  const int kLinked = EVLIST_INSERTED | EVLIST_TIMEOUT | EVLIST_ACTIVE;
  EXPECT_EQ(io.ev_evcallback.evcb_flags & kLinked, 0);
  EXPECT_EQ(timer.ev_evcallback.evcb_flags & kLinked, 0);
  EXPECT_EQ(user.ev_evcallback.evcb_flags & kLinked, 0);
  // The memory is the caller's, and can be used again.
  event_assign(&io, base(), pair[0], EV_READ, Nothing, nullptr);
  EXPECT_EQ(event_add(&io, nullptr), 0);
  event_del(&io);
}

// semantics 3.7: after the base an event can still be freed.
TEST_P(EventLifecycleTest, EventsOfAFreedBaseAreTheCallers) {
  BasePtr second = NewBase(GetParam());
  event* ev = event_new(second.get(), -1, 0, Nothing, nullptr);
  event_free(ev);
  second.reset();
}

// main/free_active_base
TEST_P(EventLifecycleTest, FreeOfABaseWithActiveEvents) {
  SocketPair pair;
  BasePtr second = NewBase(GetParam());
  Probe reader(second.get(), &journal_, "r", pair[0], EV_READ);
  reader.Activate(EV_READ);
  reader.Free();
  second.reset();
  second = NewBase(GetParam());
  Probe ready(second.get(), &journal_, "r", pair[0], EV_READ);
  ready.Add();
  ready.Activate(EV_READ);
  event_base_loopbreak(second.get());
  ready.Free();
  second.reset();
  EXPECT_EQ(journal_.size(), 0);
}

// semantics 25.3
// api event_get_struct_event_size
TEST_P(EventLifecycleTest, StructSize) {
  EXPECT_EQ(event_get_struct_event_size(), sizeof(struct event));
  EXPECT_EQ(event_get_struct_event_size(), 128u);
  std::vector<long> memory(event_get_struct_event_size() / sizeof(long));
  event* ev = reinterpret_cast<event*>(memory.data());
  EXPECT_EQ(event_assign(ev, base(), -1, 0, Nothing, nullptr), 0);
  event_active(ev, 0, 0);
  EXPECT_EQ(event_base_dispatch(base()), 1);
}

// api EVLIST_TIMEOUT
// api EVLIST_INSERTED
// api EVLIST_SIGNAL
// api EVLIST_ACTIVE
// api EVLIST_INTERNAL
// api EVLIST_ACTIVE_LATER
// api EVLIST_FINALIZING
// api EVLIST_INIT
// api EVLIST_ALL
TEST_P(EventLifecycleTest, StateBits) {
  EXPECT_EQ(EVLIST_TIMEOUT, 0x01);
  EXPECT_EQ(EVLIST_INSERTED, 0x02);
  EXPECT_EQ(EVLIST_SIGNAL, 0x04);
  EXPECT_EQ(EVLIST_ACTIVE, 0x08);
  EXPECT_EQ(EVLIST_INTERNAL, 0x10);
  EXPECT_EQ(EVLIST_ACTIVE_LATER, 0x20);
  EXPECT_EQ(EVLIST_FINALIZING, 0x40);
  EXPECT_EQ(EVLIST_INIT, 0x80);
  EXPECT_EQ(EVLIST_ALL, 0xff);
  SocketPair pair;
  Probe reader(base(), &journal_, "r", pair[0], EV_READ);
  const short& flags = reader.ev()->ev_evcallback.evcb_flags;
  EXPECT_EQ(flags, EVLIST_INIT);
  reader.Add(Ms(60000));
  EXPECT_EQ(flags, EVLIST_INIT | EVLIST_INSERTED | EVLIST_TIMEOUT);
  reader.Activate(EV_READ);
  // percore: outside the loop it is in the mailbox until the next call.
  EXPECT_EQ(reader.Pending(EV_READ), EV_READ);
  EXPECT_EQ(flags,
            EVLIST_INIT | EVLIST_INSERTED | EVLIST_TIMEOUT | EVLIST_ACTIVE);
  reader.Del();
  EXPECT_EQ(flags, EVLIST_INIT);
}

// api EV_TIMEOUT
// api EV_READ
// api EV_WRITE
// api EV_SIGNAL
// api EV_PERSIST
// api EV_ET
// api EV_FINALIZE
// api EV_CLOSED
TEST(EventConstantsTest, Flags) {
  EXPECT_EQ(EV_TIMEOUT, 0x01);
  EXPECT_EQ(EV_READ, 0x02);
  EXPECT_EQ(EV_WRITE, 0x04);
  EXPECT_EQ(EV_SIGNAL, 0x08);
  EXPECT_EQ(EV_PERSIST, 0x10);
  EXPECT_EQ(EV_ET, 0x20);
  EXPECT_EQ(EV_FINALIZE, 0x40);
  EXPECT_EQ(EV_CLOSED, 0x80);
  EXPECT_EQ(EVLOOP_ONCE, 0x01);
  EXPECT_EQ(EVLOOP_NONBLOCK, 0x02);
  EXPECT_EQ(EVLOOP_NO_EXIT_ON_EMPTY, 0x04);
}

// semantics 25.4
// api event_get_version
// api event_get_version_number
// api LIBEVENT_VERSION
// api LIBEVENT_VERSION_NUMBER
TEST(EventConstantsTest, Version) {
  EXPECT_STREQ(event_get_version(), "2.1.12-stable");
  EXPECT_EQ(event_get_version_number(), 0x02010c00u);
  EXPECT_STREQ(LIBEVENT_VERSION, event_get_version());
  EXPECT_EQ(static_cast<ev_uint32_t>(LIBEVENT_VERSION_NUMBER),
            event_get_version_number());
}

// api libevent_global_shutdown
#if GTEST_HAS_DEATH_TEST
TEST(EventShutdownDeathTest, GlobalShutdown) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        event_base_free(event_base_new());
        libevent_global_shutdown();
        _exit(7);
      },
      testing::ExitedWithCode(7), "");
}
#endif

}  // namespace
}  // namespace compat
