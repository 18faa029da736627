// The rules of the batch: what the backend is told of events that come and go.
#include "percore/runtime/loop/fd_table.h"

#include <event2/event.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <vector>

#include "percore/runtime/system/process_state.h"

namespace percore {
namespace {

// Writes down what it is told; refuses with `answer`.
class NotingBackend final : public Backend {
 public:
  struct Note {
    int fd;
    std::uint32_t generation;
    Interest before;
    Interest now;
  };
  const char* name() const override { return "noting"; }
  int features() const override { return 0; }
  int Update(int fd, std::uint32_t generation, Interest before,
             Interest now) override {
    notes.push_back({fd, generation, before, now});
    return answer;
  }
  int Wait(std::int64_t, ReadyList*) override { return 0; }
  void Ring() override {}
  void Commit() override { ++commits; }

  std::vector<Note> notes;
  int answer = 0;
  int commits = 0;
};

constexpr int kFd = 5;

struct Watcher : event {
  explicit Watcher(short events, int fd = kFd) : event{} { Assign(events, fd); }
  // What event_assign does for the table.
  void Assign(short events, int fd = kFd) {
    ev_fd = fd;
    ev_events = events;
    FdTable::Init(this);
  }
};

class FdTableTest : public testing::Test {
 protected:
  int Insert(Watcher* ev) { return table_.Insert(&backend_, ev, false); }
  std::size_t told() const { return backend_.notes.size(); }
  const NotingBackend::Note& last() const { return backend_.notes.back(); }

  NotingBackend backend_;
  FdTable table_;
};

TEST_F(FdTableTest, TheFirstAddIsMadeAtOnce) {
  Watcher ev(EV_READ);
  EXPECT_EQ(Insert(&ev), 0);
  ASSERT_EQ(told(), 1u);
  EXPECT_EQ(last().fd, kFd);
  EXPECT_EQ(last().before, kInterestNone);
  EXPECT_EQ(last().now, kInterestRead);
  EXPECT_TRUE(table_.Current(kFd, last().generation));
  EXPECT_FALSE(table_.Current(kFd, last().generation + 1));
  EXPECT_EQ(table_.First(kFd), &ev);
}

TEST_F(FdTableTest, RefusalIsTheAnswerAndChangesNothing) {
  Watcher ev(EV_READ);
  for (int error : {EPERM, EBADF, ENOSPC}) {
    backend_.answer = error;
    EXPECT_EQ(Insert(&ev), error);
    EXPECT_EQ(table_.First(kFd), nullptr);
  }
  backend_.answer = 0;
  EXPECT_EQ(Insert(&ev), 0);
  EXPECT_EQ(last().before, kInterestNone);
  EXPECT_EQ(last().now, kInterestRead);
}

TEST_F(FdTableTest, RemovalWaitsForTheFlush) {
  Watcher ev(EV_READ);
  Insert(&ev);
  table_.Remove(&ev);
  EXPECT_EQ(told(), 1u);
  EXPECT_TRUE(table_.dirty());
  table_.Flush(&backend_);
  ASSERT_EQ(told(), 2u);
  EXPECT_EQ(last().before, kInterestRead);
  EXPECT_EQ(last().now, kInterestNone);
  EXPECT_FALSE(table_.dirty());
  table_.Flush(&backend_);
  EXPECT_EQ(told(), 2u);
}

TEST_F(FdTableTest, RemovalAndInsertionOfTheSameEventCostNothing) {
  Watcher ev(EV_READ);
  Insert(&ev);
  for (int i = 0; i < 5; ++i) {
    table_.Remove(&ev);
    EXPECT_EQ(Insert(&ev), 0);
  }
  table_.Flush(&backend_);
  EXPECT_EQ(told(), 1u);
}

// The number may be another file: nothing may be cancelled.
TEST_F(FdTableTest, AnAssignedEventIsSentAsOneChange) {
  Watcher ev(EV_READ);
  Insert(&ev);
  const std::uint32_t generation = last().generation;
  table_.Remove(&ev);
  ev.Assign(EV_READ);
  EXPECT_EQ(Insert(&ev), 0);
  ASSERT_EQ(told(), 2u);
  EXPECT_EQ(last().before, kInterestRead);
  EXPECT_EQ(last().now, kInterestRead);
  EXPECT_NE(last().generation, generation);
  table_.Flush(&backend_);
  EXPECT_EQ(told(), 2u);
}

TEST_F(FdTableTest, AnotherEventOnTheNumberIsSentAsOneChange) {
  Watcher one(EV_READ);
  Watcher two(EV_WRITE);
  Insert(&one);
  table_.Remove(&one);
  EXPECT_EQ(Insert(&two), 0);
  ASSERT_EQ(told(), 2u);
  EXPECT_EQ(last().before, kInterestRead);
  EXPECT_EQ(last().now, kInterestWrite);
}

// The stamp is of one registration, not of the number for ever.
TEST_F(FdTableTest, AnEventOfAnOlderRegistrationIsNotTrusted) {
  Watcher one(EV_READ);
  Watcher two(EV_READ);
  Insert(&one);
  table_.Remove(&one);
  Insert(&two);
  table_.Remove(&two);
  EXPECT_EQ(told(), 2u);
  EXPECT_EQ(Insert(&one), 0);
  EXPECT_EQ(told(), 3u);
}

TEST_F(FdTableTest, ARefusedChangeIsNotHeldAnyMore) {
  Watcher one(EV_READ);
  Watcher two(EV_READ);
  Insert(&one);
  table_.Remove(&one);
  backend_.answer = EBADF;
  EXPECT_EQ(Insert(&two), EBADF);
  EXPECT_FALSE(table_.Current(kFd, last().generation));
  backend_.answer = 0;
  table_.Flush(&backend_);
  EXPECT_EQ(told(), 2u);  // nothing is left to remove
}

TEST_F(FdTableTest, WideningAndNarrowingWaitForTheFlush) {
  Watcher reader(EV_READ);
  Watcher writer(EV_WRITE);
  Insert(&reader);
  EXPECT_EQ(Insert(&writer), 0);
  EXPECT_EQ(told(), 1u);
  table_.Flush(&backend_);
  ASSERT_EQ(told(), 2u);
  EXPECT_EQ(last().now, kInterestRead | kInterestWrite);
  table_.Remove(&reader);
  EXPECT_EQ(Insert(&reader), 0);
  table_.Flush(&backend_);
  EXPECT_EQ(told(), 2u);
  table_.Remove(&reader);
  table_.Flush(&backend_);
  ASSERT_EQ(told(), 3u);
  EXPECT_EQ(last().now, kInterestWrite);
}

TEST_F(FdTableTest, OneDescriptorCanBeFlushedBeforeItIsClosed) {
  Watcher one(EV_READ, 5);
  Watcher two(EV_READ, 6);
  Insert(&one);
  Insert(&two);
  table_.Remove(&one);
  table_.Remove(&two);
  table_.FlushFd(&backend_, 6);
  ASSERT_EQ(told(), 3u);
  EXPECT_EQ(last().fd, 6);
  EXPECT_EQ(last().now, kInterestNone);
  EXPECT_EQ(backend_.commits, 1);
  table_.Flush(&backend_);
  ASSERT_EQ(told(), 4u);
  EXPECT_EQ(last().fd, 5);
}

TEST_F(FdTableTest, EventsOfADescriptorNewestFirst) {
  Watcher one(EV_READ);
  Watcher two(EV_READ);
  Watcher three(EV_READ);
  Insert(&one);
  Insert(&two);
  Insert(&three);
  EXPECT_EQ(table_.First(kFd), &three);
  table_.Remove(&two);
  EXPECT_EQ(FdTable::Next(&three), &one);
  table_.Remove(&three);
  EXPECT_EQ(table_.First(kFd), &one);
  table_.Remove(&one);
  EXPECT_EQ(table_.First(kFd), nullptr);
}

// semantics 3.8
TEST_F(FdTableTest, AtMost65535EventsOfOneKind) {
  std::vector<std::unique_ptr<Watcher>> many;
  for (int i = 0; i < 65535; ++i) {
    many.push_back(std::make_unique<Watcher>(EV_READ));
    ASSERT_EQ(Insert(many.back().get()), 0);
  }
  Watcher one_more(EV_READ);
  EXPECT_EQ(Insert(&one_more), EMFILE);
  Watcher writer(EV_WRITE);
  EXPECT_EQ(Insert(&writer), 0);
  table_.Remove(many.back().get());
  EXPECT_EQ(Insert(&one_more), 0);
}

TEST_F(FdTableTest, MixedEdgesAreRefusedWhenAsked) {
  Watcher level(EV_READ);
  Watcher edge(EV_READ | EV_ET);
  EXPECT_EQ(Insert(&level), 0);
  EXPECT_EQ(table_.Insert(&backend_, &edge, true), EINVAL);
  EXPECT_EQ(table_.First(kFd), &level);
}

TEST_F(FdTableTest, ANewBackendIsToldEverything) {
  Watcher one(EV_READ, 5);
  Watcher gone(EV_READ, 6);
  Watcher two(EV_WRITE, 7);
  Insert(&one);
  Insert(&gone);
  Insert(&two);
  const std::uint32_t generation = last().generation;
  table_.Remove(&gone);
  NotingBackend fresh;
  EXPECT_EQ(table_.Rebuild(&fresh), 0);
  ASSERT_EQ(fresh.notes.size(), 2u);
  EXPECT_EQ(fresh.notes[0].fd, 5);
  EXPECT_EQ(fresh.notes[1].fd, 7);
  EXPECT_EQ(fresh.notes[1].before, kInterestNone);
  EXPECT_NE(fresh.notes[1].generation, generation);
  table_.Flush(&fresh);
  EXPECT_EQ(fresh.notes.size(), 2u);
}

TEST_F(FdTableTest, AStaleReportIsDeletedUnlessTheNumberIsInUse) {
  Watcher ev(EV_READ);
  Insert(&ev);
  EXPECT_FALSE(table_.DeleteStale(&backend_, kFd));
  EXPECT_EQ(told(), 1u);
  table_.Remove(&ev);
  table_.Flush(&backend_);
  EXPECT_TRUE(table_.DeleteStale(&backend_, kFd));
  EXPECT_EQ(last().now, kInterestNone);
  backend_.answer = EBADF;
  EXPECT_FALSE(table_.DeleteStale(&backend_, kFd));
}

TEST_F(FdTableTest, AnImplausibleNumberDoesNotGrowTheTable) {
  Watcher ev(EV_READ, 0x7ffffff0);
  EXPECT_EQ(Insert(&ev), EBADF);
  EXPECT_EQ(told(), 0u);
  EXPECT_LT(table_.size(), 100u);
}

void* NoRealloc(void*, std::size_t) { return nullptr; }

TEST_F(FdTableTest, NoMemoryChangesNothing) {
  Watcher ev(EV_READ, 3000);
  State().realloc_fn = &NoRealloc;
  EXPECT_EQ(Insert(&ev), ENOMEM);
  State().realloc_fn = nullptr;
  EXPECT_EQ(told(), 0u);
  EXPECT_EQ(table_.First(3000), nullptr);
  EXPECT_EQ(Insert(&ev), 0);
}

}  // namespace
}  // namespace percore
