#include "percore/bench/micro/pipe_ring.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

namespace percore::bench {

PipeRing::PipeRing(int pipes) : ends_(static_cast<size_t>(pipes)) {
  for (Ends& ends : ends_) {
    int fds[2];
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) != 0) {
      perror("pipe2");
      abort();
    }
    ends = {fds[0], fds[1]};
  }
}

PipeRing::~PipeRing() {
  for (const Ends& ends : ends_) {
    close(ends.read);
    close(ends.write);
  }
}

void PipeRing::Start(int active, int passes) {
  passes_left_ = passes;
  writes_left_ = passes - active;
  for (int i = 0; i < active; ++i) {
    const size_t at =
        static_cast<size_t>(i) * ends_.size() / static_cast<size_t>(active);
    if (write(ends_[at].write, "x", 1) != 1) abort();
  }
}

bool PipeRing::Pass(int i) {
  char byte;
  if (read(ends_[static_cast<size_t>(i)].read, &byte, 1) != 1) abort();
  if (writes_left_ > 0) {
    --writes_left_;
    const size_t next = static_cast<size_t>(i + 1) % ends_.size();
    if (write(ends_[next].write, "x", 1) != 1) abort();
  }
  return --passes_left_ == 0;
}

}  // namespace percore::bench
