#include "percore/net/listener/steering.h"

#include <linux/filter.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace percore {
namespace {

// No socket has this index: the kernel chooses by its hash.
constexpr std::uint32_t kNoSocket = 0xffffffff;

}  // namespace

int SteerByCpu(int fd, const int* cpus, int n) {
#ifdef SO_ATTACH_REUSEPORT_CBPF
  if (n < 1 || n > (BPF_MAXINSNS - 2) / 2) {
    errno = EINVAL;
    return -1;
  }
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < i; ++j) {
      if (cpus[i] == cpus[j]) {
        errno = EINVAL;
        return -1;
      }
    }
  }
  const std::uint32_t cpu_ancillary =
      static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_CPU);
  std::vector<sock_filter> program;
  program.reserve(static_cast<std::size_t>(n) * 2 + 2);
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, cpu_ancillary));
  for (int i = 0; i < n; ++i) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
                               static_cast<std::uint32_t>(cpus[i]), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, static_cast<std::uint32_t>(i)));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, kNoSocket));
  const sock_fprog attached = {static_cast<unsigned short>(program.size()),
                               program.data()};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &attached,
                    sizeof(attached));
#else
  errno = ENOPROTOOPT;
  return -1;
#endif
}

}  // namespace percore
