#include "percore/runtime/sync/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace percore {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(Mutex, LetsOneIn) {
  Mutex mutex;
  long count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20000; ++n) {
        MutexLock lock(&mutex);
        ++count;  // lost increments, if two were in
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count, 80000);
}

// Whether another thread finds the mutex taken.
bool Taken(Mutex* mutex) {
  bool taken = true;
  std::thread other([&] {
    if (!mutex->TryLock()) return;
    taken = false;
    mutex->Unlock();
  });
  other.join();
  return taken;
}

TEST(Mutex, TryLockDoesNotWait) {
  Mutex mutex;
  mutex.Lock();
  EXPECT_TRUE(Taken(&mutex));
  mutex.Unlock();
  EXPECT_FALSE(Taken(&mutex));
}

TEST(Mutex, LockIfLocksOnlyWhatIsShared) {
  Mutex mutex;
  {
    MutexLockIf lock(&mutex, /*shared=*/true);
    EXPECT_TRUE(Taken(&mutex));
    lock.Release();
    EXPECT_FALSE(Taken(&mutex));
    lock.Relock();
    EXPECT_TRUE(Taken(&mutex));
  }
  EXPECT_FALSE(Taken(&mutex));
  MutexLockIf lock(&mutex, /*shared=*/false);
  EXPECT_FALSE(Taken(&mutex));
}

struct Place {
  Mutex mutex;
  CondVar changed;
  int value ABSL_GUARDED_BY(mutex) = 0;
};

TEST(CondVar, WakesWhoWaits) {
  Place place;
  std::thread other([&] {
    MutexLock lock(&place.mutex);
    while (place.value != 1) place.changed.Wait(&place.mutex);
    place.value = 2;
    place.changed.SignalAll();
  });
  {
    MutexLock lock(&place.mutex);
    place.value = 1;
    place.changed.Signal();
    while (place.value != 2) place.changed.Wait(&place.mutex);
    EXPECT_EQ(place.value, 2);
  }
  other.join();
}

TEST(CondVar, GivesUpAtTheDeadlineAndNotBefore) {
  Place place;
  MutexLock lock(&place.mutex);
  // Real time: the deadline is what is tested.
  const std::int64_t before = CondVar::DeadlineIn(0);
  const std::int64_t deadline = CondVar::DeadlineIn(20 * kMs);
  while (place.changed.WaitUntil(&place.mutex, deadline)) {
  }
  EXPECT_GE(CondVar::DeadlineIn(0) - before, 20 * kMs);
  // The mutex is held again.
  EXPECT_TRUE(Taken(&place.mutex));
}

TEST(CondVar, DeadlinesDoNotOverflow) {
  EXPECT_EQ(CondVar::DeadlineIn(INT64_MAX), INT64_MAX);
}

}  // namespace
}  // namespace percore
