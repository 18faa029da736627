// The limit of buffers and streams: the same work on memory and system calls
// alone.

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/haystack.h"
#include "percore/bench/micro/socket_ends.h"
#include "percore/bench/micro/tcp_clients.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace percore::bench {
namespace {

// Keeps the compiler from leaving out what makes `value`.
template <typename T>
void Use(T value) {
  asm volatile("" : : "r"(value) : "memory");
}

// Kind "evbuffer_search" in one piece of memory: memchr, and for a frequent
// first byte a look at first and last byte, sixteen places at a time.
class RawSearch : public Case {
 public:
  RawSearch(const Workload& work, const EventApi*)
      : needle_(static_cast<Needle>(work.detail)),
        text_(Haystack(work.size, needle_)) {
    Run();
  }
  std::vector<double> Run() override {
    const double start = ProcessCpu();
    for (int i = 0; i < kRounds; ++i) {
      if (needle_ == Needle::kFrequentFirst) {
        Use(FirstAndLast());
      } else {
        const int byte = needle_ == Needle::kEol ? '\n' : kNeedle[0];
        Use(memchr(text_.data(), byte, text_.size()));
      }
    }
    return {(ProcessCpu() - start) / kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 20;

  const char* FirstAndLast() const {
    const char* p = text_.data();
    const char* const end = p + text_.size() - kNeedleSize - 16;
#if defined(__SSE2__)
    const __m128i first = _mm_set1_epi8(kNeedle[0]);
    const __m128i last = _mm_set1_epi8(kNeedle[kNeedleSize - 1]);
    for (; p < end; p += 16) {
      const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
      const __m128i b = _mm_loadu_si128(
          reinterpret_cast<const __m128i*>(p + kNeedleSize - 1));
      int both = _mm_movemask_epi8(
          _mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last)));
      for (; both != 0; both &= both - 1) {
        const char* at = p + __builtin_ctz(static_cast<unsigned>(both));
        if (memcmp(at, kNeedle, kNeedleSize) == 0) return at;
      }
    }
#endif
    return static_cast<const char*>(
        memmem(p, static_cast<size_t>(end + 16 - p), kNeedle, kNeedleSize));
  }

  const Needle needle_;
  std::vector<char> text_;
};

// Kinds "evbuffer_copyout" and "evbuffer_add": memcpy.
class RawCopy : public Case {
 public:
  RawCopy(const Workload& work, const EventApi*)
      : from_(static_cast<size_t>(work.size), 'x'), to_(from_) {
    Run();
  }
  std::vector<double> Run() override {
    const double start = ProcessCpu();
    for (int i = 0; i < kRounds; ++i) {
      memcpy(to_.data(), from_.data(), from_.size());
      Use(to_.data());
    }
    return {(ProcessCpu() - start) / kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 1000;
  std::vector<char> from_;
  std::vector<char> to_;
};

void WriteAll(int fd, const char* data, size_t size) {
  while (size != 0) {
    const ssize_t n = write(fd, data, size);
    if (n <= 0) std::abort();
    data += n;
    size -= static_cast<size_t>(n);
  }
}

// Kind "evbuffer_socket": write and read.
class RawSocket : public Case {
 public:
  RawSocket(const Workload& work, const EventApi*)
      : data_(static_cast<size_t>(work.size), 'x') {
    Run();
  }
  std::vector<double> Run() override {
    const double start = ProcessCpu();
    for (int i = 0; i < kRounds; ++i) {
      WriteAll(ends_[0], data_.data(), data_.size());
      for (size_t got = 0; got < data_.size();) {
        const ssize_t n = read(ends_[1], data_.data(), data_.size());
        if (n <= 0) std::abort();
        got += static_cast<size_t>(n);
      }
    }
    return {(ProcessCpu() - start) / kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 500;
  SocketEnds ends_;
  std::vector<char> data_;
};

// Two ends that epoll watches, and one piece of memory for all that is read.
class RawEnds {
 public:
  RawEnds() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    for (int end = 0; end < 2; ++end) {
      epoll_event interest = {};
      interest.events = EPOLLIN;
      interest.data.fd = end;
      epoll_ctl(epoll_, EPOLL_CTL_ADD, ends_[end], &interest);
    }
  }
  ~RawEnds() { close(epoll_); }

  void Write(int end, const char* data, size_t size) {
    WriteAll(ends_[end], data, size);
  }

  // Calls input(end, data, size) until it returns false.
  template <typename Input>
  void Loop(Input input) {
    for (bool on = true; on;) {
      epoll_event ready[2];
      const int n = epoll_wait(epoll_, ready, 2, -1);
      for (int i = 0; i < n; ++i) {
        const int end = ready[i].data.fd;
        const ssize_t got = read(ends_[end], memory_.data(), memory_.size());
        if (got <= 0) std::abort();
        on &= input(end, memory_.data(), static_cast<size_t>(got));
      }
    }
  }

 private:
  SocketEnds ends_;
  int epoll_;
  std::vector<char> memory_ = std::vector<char>(65536);
};

class RawEcho : public Case {
 public:
  RawEcho(const Workload& work, const EventApi*)
      : message_(static_cast<size_t>(work.size), 'm') {
    Run();
  }
  std::vector<double> Run() override {
    int left = EchoRounds(static_cast<int>(message_.size()));
    size_t got = 0;
    const double start = ProcessCpu();
    ends_.Write(1, message_.data(), message_.size());
    ends_.Loop([&](int end, const char* data, size_t size) {
      if (end == 0) {
        ends_.Write(0, data, size);
        return true;
      }
      got += size;
      if (got < message_.size()) return true;
      got = 0;
      if (--left == 0) return false;
      ends_.Write(1, message_.data(), message_.size());
      return true;
    });
    return {(ProcessCpu() - start) / operations()};
  }
  double operations() const override {
    return EchoRounds(static_cast<int>(message_.size()));
  }

 private:
  std::vector<char> message_;
  RawEnds ends_;
};

class RawOneWay : public Case {
 public:
  RawOneWay(const Workload& work, const EventApi*)
      : piece_(static_cast<size_t>(work.size), 'p') {
    Run();
  }
  std::vector<double> Run() override {
    int left = kOneWayPieces;
    size_t got = 0;
    const double start = ProcessCpu();
    ends_.Write(1, piece_.data(), piece_.size());
    ends_.Loop([&](int, const char*, size_t size) {
      got += size;
      if (got < piece_.size()) return true;
      got = 0;
      if (--left == 0) return false;
      ends_.Write(1, piece_.data(), piece_.size());
      return true;
    });
    return {(ProcessCpu() - start) / kOneWayPieces};
  }
  double operations() const override { return kOneWayPieces; }

 private:
  std::vector<char> piece_;
  RawEnds ends_;
};

// Kind "accept": accept4 and close.
class RawAccept : public Case {
 public:
  RawAccept(const Workload&, const EventApi*)
      : listening_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_in address = TcpClients::Loopback();
    if (bind(listening_, reinterpret_cast<sockaddr*>(&address),
             sizeof(address)) != 0 ||
        listen(listening_, TcpClients::kBacklog) != 0) {
      std::abort();
    }
    clients_.SetTarget(listening_);
    Run();
  }
  ~RawAccept() override { close(listening_); }
  std::vector<double> Run() override {
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
      clients_.Connect();
      const double start = ProcessCpu();
      for (int i = 0; i < TcpClients::kClients; ++i) {
        sockaddr_storage from;
        socklen_t size = sizeof(from);
        const int fd = accept4(listening_, reinterpret_cast<sockaddr*>(&from),
                               &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) std::abort();
        close(fd);
      }
      spent += ProcessCpu() - start;
      clients_.Reset();
    }
    return {spent / operations()};
  }
  double operations() const override { return kRounds * TcpClients::kClients; }

 private:
  static constexpr int kRounds = 12;
  int listening_;
  TcpClients clients_;
};

}  // namespace

void AddRawNetCases(CaseRegistry* registry) {
  registry->Add("evbuffer_search", Family::kRaw, MakerOf<RawSearch>());
  registry->Add("evbuffer_copyout", Family::kRaw, MakerOf<RawCopy>());
  registry->Add("evbuffer_add", Family::kRaw, MakerOf<RawCopy>());
  registry->Add("evbuffer_socket", Family::kRaw, MakerOf<RawSocket>());
  registry->Add("echo", Family::kRaw, MakerOf<RawEcho>());
  registry->Add("one_way", Family::kRaw, MakerOf<RawOneWay>());
  registry->Add("accept", Family::kRaw, MakerOf<RawAccept>());
}

}  // namespace percore::bench
