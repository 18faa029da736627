#include "percore/runtime/backend/io_uring/ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace percore::uring {
namespace {

// Best first. An older kernel answers EINVAL to what it does not know.
constexpr std::uint32_t kSetups[] = {
    kSetupSubmitAll | kSetupSingleIssuer | kSetupDeferTaskrun,
    kSetupSubmitAll | kSetupCoopTaskrun,
    0,
};
constexpr std::uint32_t kAlways = kSetupCqSize | kSetupClamp | kSetupDisabled;

constexpr std::uint32_t kNeeded =
    kFeatureSingleMmap | kFeatureNoDrop | kFeatureExtArg | kFeatureRsrcTags;

void* MapShared(std::size_t size, int fd, std::int64_t offset) {
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_POPULATE, fd, offset);
  return p == MAP_FAILED ? nullptr : p;
}

}  // namespace

int Ring::Open(std::uint32_t submissions, std::uint32_t completions) {
  Params params;
  for (std::uint32_t setup : kSetups) {
    std::memset(&params, 0, sizeof(params));
    params.flags = kAlways | setup;
    params.cq_entries = completions;
    fd_ = static_cast<int>(syscall(kSysSetup, submissions, &params));
    if (fd_ >= 0 || errno != EINVAL) break;
  }
  // EINVAL to the last: a kernel before 5.10, without disabled rings.
  if (fd_ < 0) return errno == EINVAL ? EOPNOTSUPP : errno;
  if ((params.features & kNeeded) != kNeeded) {
    Close();
    return EOPNOTSUPP;
  }
  const int error = Map(params);
  if (error != 0) Close();
  return error;
}

int Ring::Map(const Params& params) {
  rings_size_ =
      std::max(params.sq_off.array + params.sq_entries * sizeof(std::uint32_t),
               params.cq_off.cqes + params.cq_entries * sizeof(Cqe));
  sqes_size_ = params.sq_entries * sizeof(Sqe);
  rings_ = MapShared(rings_size_, fd_, kOffSqRing);
  if (rings_ == nullptr) return errno;
  sqes_ = static_cast<Sqe*>(MapShared(sqes_size_, fd_, kOffSqes));
  if (sqes_ == nullptr) return errno;
  features_ = params.features;
  setup_flags_ = params.flags;
  sq_entries_ = params.sq_entries;
  cq_entries_ = params.cq_entries;
  sq_head_ = At(params.sq_off.head);
  sq_tail_ = At(params.sq_off.tail);
  sq_flags_ = At(params.sq_off.flags);
  cq_head_ = At(params.cq_off.head);
  cq_tail_ = At(params.cq_off.tail);
  cqes_ = reinterpret_cast<Cqe*>(At(params.cq_off.cqes));
  tail_ = *sq_tail_;
  // Entry i always stands at place i.
  std::uint32_t* array = At(params.sq_off.array);
  for (std::uint32_t i = 0; i < sq_entries_; ++i) array[i] = i;
  return 0;
}

void Ring::Close() {
  if (sqes_ != nullptr) munmap(sqes_, sqes_size_);
  if (rings_ != nullptr) munmap(rings_, rings_size_);
  if (fd_ >= 0) close(fd_);
  sqes_ = nullptr;
  rings_ = nullptr;
  fd_ = -1;
  enabled_ = false;
}

int Ring::Enable() {
  if (syscall(kSysRegister, fd_, kRegisterEnableRings, nullptr, 0) < 0) {
    return errno;
  }
  enabled_ = true;
  return 0;
}

std::uint32_t Ring::Unsubmitted() const {
  // Acquire: the kernel's release after it has read the entries.
  return tail_ - Word(*sq_head_).load(std::memory_order_acquire);
}

Sqe* Ring::NextSqe() {
  if (Unsubmitted() == sq_entries_) return nullptr;
  Sqe* sqe = &sqes_[tail_ & (sq_entries_ - 1)];
  std::memset(static_cast<void*>(sqe), 0, sizeof(*sqe));
  ++tail_;
  return sqe;
}

int Ring::Enter(std::uint32_t least, std::int64_t timeout_ns) {
  // Release: the kernel acquires the tail before it reads the entries.
  Word(*sq_tail_).store(tail_, std::memory_order_release);
  const Timespec limit{timeout_ns / 1000000000, timeout_ns % 1000000000};
  EnterArg arg{};
  if (timeout_ns >= 0) arg.timespec = reinterpret_cast<std::uint64_t>(&limit);
  const long n = syscall(kSysEnter, fd_, Unsubmitted(), least,
                         kEnterGetEvents | kEnterExtArg, &arg, sizeof(arg));
  return n < 0 ? errno : 0;
}

const Cqe* Ring::Peek() const {
  const std::uint32_t head = Word(*cq_head_).load(std::memory_order_relaxed);
  // Acquire: the kernel's release after it has written the completion.
  if (head == Word(*cq_tail_).load(std::memory_order_acquire)) return nullptr;
  return &cqes_[head & (cq_entries_ - 1)];
}

void Ring::Pop() {
  Word head(*cq_head_);
  // Release: the kernel acquires it before it writes over the completion.
  head.store(head.load(std::memory_order_relaxed) + 1,
             std::memory_order_release);
}

bool Ring::Overflowed() const {
  return (Word(*sq_flags_).load(std::memory_order_relaxed) & kSqCqOverflow) !=
         0;
}

}  // namespace percore::uring
