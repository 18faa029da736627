// The part of the kernel's io_uring interface that percore uses, in our own
// words: the distribution's headers are older than the kernels it runs on.
// Values and layouts are those of io_uring(7), io_uring_setup(2),
// io_uring_enter(2) and io_uring_register(2).
#ifndef PERCORE_RUNTIME_BACKEND_IO_URING_URING_ABI_H_
#define PERCORE_RUNTIME_BACKEND_IO_URING_URING_ABI_H_

#include <cstdint>

namespace percore::uring {

// The numbers are the same on every architecture of Linux (alpha aside).
inline constexpr long kSysSetup = 425;
inline constexpr long kSysEnter = 426;
inline constexpr long kSysRegister = 427;

struct Sqe {
  std::uint8_t opcode;
  std::uint8_t flags;
  std::uint16_t ioprio;
  std::int32_t fd;
  std::uint64_t off;
  std::uint64_t addr;
  std::uint32_t len;
  std::uint32_t op_flags;  // poll: the events
  std::uint64_t user_data;
  std::uint16_t buf_index;
  std::uint16_t personality;
  std::int32_t splice_fd_in;
  std::uint64_t pad[2];
};
static_assert(sizeof(Sqe) == 64);

struct Cqe {
  std::uint64_t user_data;
  std::int32_t res;
  std::uint32_t flags;
};
static_assert(sizeof(Cqe) == 16);

struct SqOffsets {
  std::uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array;
  std::uint32_t reserved;
  std::uint64_t user_addr;
};
struct CqOffsets {
  std::uint32_t head, tail, ring_mask, ring_entries, overflow, cqes, flags;
  std::uint32_t reserved;
  std::uint64_t user_addr;
};
struct Params {
  std::uint32_t sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle;
  std::uint32_t features, wq_fd, reserved[3];
  SqOffsets sq_off;
  CqOffsets cq_off;
};
static_assert(sizeof(Params) == 120);

struct Timespec {
  std::int64_t seconds;
  std::int64_t nanoseconds;
};
struct EnterArg {
  std::uint64_t signal_mask;
  std::uint32_t signal_mask_size;
  std::uint32_t min_wait_us;
  std::uint64_t timespec;
};

// Params::flags.
inline constexpr std::uint32_t kSetupCqSize = 1u << 3;
inline constexpr std::uint32_t kSetupClamp = 1u << 4;
inline constexpr std::uint32_t kSetupDisabled = 1u << 6;
inline constexpr std::uint32_t kSetupSubmitAll = 1u << 7;      // 5.18
inline constexpr std::uint32_t kSetupCoopTaskrun = 1u << 8;    // 5.19
inline constexpr std::uint32_t kSetupSingleIssuer = 1u << 12;  // 6.0
inline constexpr std::uint32_t kSetupDeferTaskrun = 1u << 13;  // 6.1

// Params::features.
inline constexpr std::uint32_t kFeatureSingleMmap = 1u << 0;
inline constexpr std::uint32_t kFeatureNoDrop = 1u << 1;
inline constexpr std::uint32_t kFeatureExtArg = 1u << 8;     // 5.11
inline constexpr std::uint32_t kFeatureRsrcTags = 1u << 10;  // 5.13
inline constexpr std::uint32_t kFeatureCqeSkip = 1u << 11;   // 5.17

// io_uring_enter.
inline constexpr std::uint32_t kEnterGetEvents = 1u << 0;
inline constexpr std::uint32_t kEnterExtArg = 1u << 3;

// io_uring_register.
inline constexpr std::uint32_t kRegisterEnableRings = 12;

// Opcodes and their flags.
inline constexpr std::uint8_t kOpPollAdd = 6;
inline constexpr std::uint8_t kOpPollRemove = 7;
inline constexpr std::uint32_t kPollAddMulti = 1u << 0;  // Sqe::len; 5.13
inline constexpr std::uint8_t kSqeCqeSkipSuccess = 1u << 6;
inline constexpr std::uint32_t kCqeMore = 1u << 1;

// Offsets to map.
inline constexpr std::int64_t kOffSqRing = 0;
inline constexpr std::int64_t kOffSqes = 0x10000000;

// The submission ring's flags word.
inline constexpr std::uint32_t kSqCqOverflow = 1u << 1;

}  // namespace percore::uring

#endif  // PERCORE_RUNTIME_BACKEND_IO_URING_URING_ABI_H_
