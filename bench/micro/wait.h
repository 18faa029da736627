// A semaphore that sleeps at once, without spinning: spinning would be counted
// as CPU time of the library under test.

#ifndef PERCORE_BENCH_MICRO_WAIT_H_
#define PERCORE_BENCH_MICRO_WAIT_H_

#include <errno.h>
#include <semaphore.h>

namespace percore::bench {

// Any thread.
class Flag {
 public:
  Flag() { sem_init(&semaphore_, 0, 0); }
  ~Flag() { sem_destroy(&semaphore_); }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

  void Raise() { sem_post(&semaphore_); }
  // Until raised once more than waited for.
  void Wait() {
    while (sem_wait(&semaphore_) != 0 && errno == EINTR) {
    }
  }

 private:
  sem_t semaphore_;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_WAIT_H_
