// Pipes in a ring through which single bytes travel: whoever sees pipe i
// readable takes the byte out and writes one into pipe i+1.

#ifndef PERCORE_BENCH_MICRO_PIPE_RING_H_
#define PERCORE_BENCH_MICRO_PIPE_RING_H_

#include <cstddef>
#include <vector>

namespace percore::bench {

class PipeRing {
 public:
  // Aborts when the pipes cannot be made (two descriptors each).
  explicit PipeRing(int pipes);
  ~PipeRing();
  PipeRing(const PipeRing&) = delete;
  PipeRing& operator=(const PipeRing&) = delete;

  int size() const { return static_cast<int>(ends_.size()); }
  int read_end(int i) const { return ends_[static_cast<size_t>(i)].read; }

  // Writes `active` bytes into pipes spread evenly over the ring. The run is
  // over after `passes` calls of Pass(), active <= passes, and then every pipe
  // is empty again.
  void Start(int active, int passes);

  // Pipe i is readable. True when this was the last pass of the run.
  bool Pass(int i);

 private:
  struct Ends {
    int read;
    int write;
  };
  std::vector<Ends> ends_;
  int writes_left_ = 0;
  int passes_left_ = 0;
};

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_PIPE_RING_H_
