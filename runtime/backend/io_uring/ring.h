// One io_uring: the two queues it shares with the kernel, and the calls.
//
// No policy here, and no threads: one thread at a time. A ring is made
// disabled; the thread that calls Enable() is the one that may submit and wait
// from then on (where the kernel knows SINGLE_ISSUER, it insists).
#ifndef PERCORE_RUNTIME_BACKEND_IO_URING_RING_H_
#define PERCORE_RUNTIME_BACKEND_IO_URING_RING_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "percore/runtime/backend/io_uring/uring_abi.h"

namespace percore::uring {

class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { Close(); }

  // 0, or an errno value: ENOSYS, EPERM (policy), ENOMEM (also the limit of
  // locked memory, which is for all rings of a user), EMFILE, ENFILE;
  // EOPNOTSUPP when the kernel is older than 5.13, which has not all that is
  // needed. Sizes are rounded up to powers of two and cut to what the kernel
  // allows.
  int Open(std::uint32_t submissions, std::uint32_t completions);

  // Unmaps and closes, and asks the kernel for nothing: that is all that may
  // be done with a ring inherited by a fork.
  void Close();

  bool open() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  // Binds the ring to the calling thread. 0, or an errno value.
  int Enable();
  bool enabled() const { return enabled_; }

  // An entry to fill in, zeroed; it is submitted by the next Enter(). Null
  // when the queue is full.
  Sqe* NextSqe();
  // Entries that the kernel has not taken yet.
  std::uint32_t Unsubmitted() const;

  // Submits, and waits for `least` completions for at most `timeout_ns`
  // (negative: no limit). 0, or an errno value: EINTR and ETIME are ordinary;
  // EBUSY: completions must be taken first; EAGAIN: no memory for a request;
  // EEXIST: the ring is bound to another thread.
  int Enter(std::uint32_t least, std::int64_t timeout_ns);

  // The oldest completion, or null. Taken with Pop().
  const Cqe* Peek() const;
  void Pop();

  // Completions wait in the kernel because the queue was full: Enter() brings
  // them.
  bool Overflowed() const;

  // A successful request may be told to leave no completion.
  bool can_skip_success() const { return (features_ & kFeatureCqeSkip) != 0; }
  std::uint32_t setup_flags() const { return setup_flags_; }
  std::uint32_t submissions() const { return sq_entries_; }
  std::uint32_t completions() const { return cq_entries_; }

 private:
  using Word = std::atomic_ref<std::uint32_t>;

  int Map(const Params& params);
  std::uint32_t* At(std::uint32_t offset) const {
    return reinterpret_cast<std::uint32_t*>(static_cast<char*>(rings_) +
                                            offset);
  }

  int fd_ = -1;
  bool enabled_ = false;
  std::uint32_t features_ = 0;
  std::uint32_t setup_flags_ = 0;
  std::uint32_t sq_entries_ = 0;
  std::uint32_t cq_entries_ = 0;
  void* rings_ = nullptr;  // both queues' words
  std::size_t rings_size_ = 0;
  Sqe* sqes_ = nullptr;
  std::size_t sqes_size_ = 0;
  Cqe* cqes_ = nullptr;
  std::uint32_t* sq_head_ = nullptr;  // the kernel's
  std::uint32_t* sq_tail_ = nullptr;  // ours
  std::uint32_t* sq_flags_ = nullptr;
  std::uint32_t* cq_head_ = nullptr;  // ours
  std::uint32_t* cq_tail_ = nullptr;  // the kernel's
  std::uint32_t tail_ = 0;            // what *sq_tail_ is to become
};

}  // namespace percore::uring

#endif  // PERCORE_RUNTIME_BACKEND_IO_URING_RING_H_
