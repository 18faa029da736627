// The real limit of descriptors, in a child.

#include <sys/resource.h>
#include <sys/wait.h>

#include "percore/net/listener/listener.h"
#include "percore/tests/net/listener/listener_fixture.h"

namespace percore {
namespace {

class ListenerLimitTest : public ListenerFixture {
 protected:
  // Turns until `done`, at most for `ms` of real time.
  void RunUntil(const std::function<bool()>& done, int ms) {
    bool over = false;
    const timeval tv = {ms / 1000, ms % 1000 * 1000};
    event timer;
    EventBase::Assign(
        &timer, base_.get(), -1, 0,
        [](evutil_socket_t, short, void* arg) {
          *static_cast<bool*>(arg) = true;
        },
        &over);
    base_->Add(&timer, &tv);
    while (!over && !done()) base_->Loop(EVLOOP_ONCE);
    base_->Del(&timer, DelWait::kNever);
  }

  // In the child. What went wrong, or null.
  const char* Run(bool error_callback) {
    event_set_log_callback([](int, const char*) { ++log_lines_; });
    log_lines_ = 0;
    ListenerPtr listener = Bind();
    if (error_callback) listener->SetErrorCallback(&Taker::Error);
    std::vector<Fd> clients;
    for (int i = 0; i < 8; ++i) clients.push_back(Connect(listener));
    // Everything below the limit is taken, but for two.
    Fd first(dup(0));
    Fd second(dup(0));
    rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = static_cast<rlim_t>(second.get()) + 1;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
    std::vector<Fd> fillers;
    for (Fd filler(dup(0)); filler.get() >= 0; filler = Fd(dup(0))) {
      fillers.push_back(std::move(filler));
    }
    first.Close();
    second.Close();
    const std::uint64_t turns = base_->Stats().turns;
    // A real sleep: the listener must be seen to do nothing meanwhile.
    RunUntil([] { return false; }, 350);
    if (taker_.count() != 2) return "two descriptors were free";
    // 0, 10, 30, 70, 150, 310 ms, and the test's own timer.
    if (base_->Stats().turns - turns > 8) return "the loop spins";
    if (error_callback ? taker_.errors.size() > 6 || taker_.errors.empty() ||
                             taker_.errors[0] != EMFILE || log_lines_ != 0
                       : log_lines_ != 1) {
      return "the failures were not told as they should";
    }
    taker_.taken.clear();
    fillers.clear();
    limit.rlim_cur += 20;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
    RunUntil([&] { return taker_.count() == 6; }, 5000);
    if (taker_.count() != 6) return "accepting did not resume";
    return nullptr;
  }

  void RunInChild(bool error_callback) {
    const pid_t child = fork();
    if (child == 0) {
      const char* wrong = Run(error_callback);
      if (wrong != nullptr) fprintf(stderr, "child: %s\n", wrong);
      _exit(wrong == nullptr ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }

  static inline int log_lines_ = 0;
};
PERCORE_ON_EVERY_BACKEND(ListenerLimitTest);

TEST_P(ListenerLimitTest, FewWakeUpsAndAcceptingResumes) { RunInChild(true); }

TEST_P(ListenerLimitTest, WithoutAnErrorCallbackToo) { RunInChild(false); }

}  // namespace
}  // namespace percore
