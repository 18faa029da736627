// Buffer cases of the event2 interface.

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <vector>

#include "percore/bench/micro/cases.h"
#include "percore/bench/micro/cpu_clock.h"
#include "percore/bench/micro/haystack.h"
#include "percore/bench/peers/c_api.h"

namespace percore::bench {
namespace {

constexpr size_t kMost = 65536;
constexpr size_t kAll = size_t{1} << 30;

struct BufferDeleter {
  const EventApi* api = nullptr;
  void operator()(evbuffer* b) const { api->evbuffer_free(b); }
};
using OwnedBuffer = std::unique_ptr<evbuffer, BufferDeleter>;

OwnedBuffer NewBuffer(const EventApi* api) {
  return OwnedBuffer(api->evbuffer_new(), {api});
}

// CPU time of `work`.
template <typename Work>
double Time(Work work) {
  const double start = ProcessCpu();
  work();
  return ProcessCpu() - start;
}

// Kind "evbuffer_small": a figure for each of kOperations.
class SmallOperations : public Case {
 public:
  SmallOperations(const Workload&, const EventApi* api)
      : api_(*api), buffer_(NewBuffer(api)), other_(NewBuffer(api)) {
    Run();
  }

  std::vector<double> Run() override {
    // One at a time, so that none pays for what another left behind.
    std::vector<double> figures = {Add(),  AddRemove(), DrainSome(), Prepend(),
                                   Move(), Reference(), Reserve()};
    for (double& figure : figures) figure /= kRounds * kBatch;
    return figures;
  }
  double operations() const override { return kRounds * kBatch; }

 private:
  static constexpr int kRounds = 40;
  static constexpr int kBatch = 1000;

  // kRounds times: `untimed`, and then `work` kBatch times and `after` once.
  template <typename Untimed, typename Work, typename After>
  double Rounds(Untimed untimed, Work work, After after) {
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
      untimed();
      spent += Time([&] {
        for (int i = 0; i < kBatch; ++i) work();
        after();
      });
    }
    return spent;
  }
  template <typename Work>
  double Rounds(Work work) {
    return Rounds([] {}, work, [this] { Clear(); });
  }
  void Clear() { api_.evbuffer_drain(buffer_.get(), kAll); }

  double Add() {
    return Rounds([this] { api_.evbuffer_add(buffer_.get(), data_, 16); });
  }
  double AddRemove() {
    return Rounds([this] {
      api_.evbuffer_add(buffer_.get(), data_, 64);
      api_.evbuffer_remove(buffer_.get(), data_, 64);
    });
  }
  double DrainSome() {
    return Rounds(
        [this] {
          for (int i = 0; i <= kBatch; ++i) {
            api_.evbuffer_add(buffer_.get(), data_, 64);
          }
        },
        [this] { api_.evbuffer_drain(buffer_.get(), 64); },
        [this] { Clear(); });
  }
  double Prepend() {
    return Rounds([this] { api_.evbuffer_prepend(buffer_.get(), data_, 16); });
  }
  // 16 bytes come in, go over to another buffer, and leave it.
  double Move() {
    return Rounds([this] {
      api_.evbuffer_add(buffer_.get(), data_, 16);
      api_.evbuffer_add_buffer(other_.get(), buffer_.get());
      api_.evbuffer_drain(other_.get(), 16);
    });
  }
  double Reference() {
    return Rounds([this] {
      api_.evbuffer_add_reference(buffer_.get(), data_, 64, nullptr, nullptr);
      api_.evbuffer_drain(buffer_.get(), 64);
    });
  }
  double Reserve() {
    return Rounds([this] {
      evbuffer_iovec space[2];
      if (api_.evbuffer_reserve_space(buffer_.get(), 64, space, 2) < 1) {
        std::abort();
      }
      space[0].iov_len = 64;
      api_.evbuffer_commit_space(buffer_.get(), space, 1);
    });
  }

  const EventApi& api_;
  OwnedBuffer buffer_;
  OwnedBuffer other_;
  char data_[64] = "sixty-four bytes of which some cases use only the first 16";
};

// Kind "evbuffer_search": `size` bytes in pieces of 64 KiB, for which `detail`,
// a Needle, says what is in them and what is sought in vain.
class Search : public Case {
 public:
  Search(const Workload& work, const EventApi* api)
      : api_(*api),
        needle_(static_cast<Needle>(work.detail)),
        buffer_(NewBuffer(api)) {
    const std::vector<char> text = Haystack(work.size, needle_);
    for (size_t at = 0; at < text.size(); at += kMost) {
      api_.evbuffer_add(buffer_.get(), &text[at], kMost);
    }
    Run();
  }

  std::vector<double> Run() override {
    return {Time([this] {
              for (int i = 0; i < kRounds; ++i) {
                const evbuffer_ptr found =
                    needle_ == Needle::kEol
                        ? api_.evbuffer_search_eol(buffer_.get(), nullptr,
                                                   nullptr, EVBUFFER_EOL_CRLF)
                        : api_.evbuffer_search(buffer_.get(), kNeedle,
                                               kNeedleSize, nullptr);
                if (found.pos != -1) std::abort();
              }
            }) /
            kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 20;
  const EventApi& api_;
  const Needle needle_;
  OwnedBuffer buffer_;
};

// Kinds "evbuffer_copyout" and "evbuffer_add": `size` bytes at a time.
class CopyOut : public Case {
 public:
  CopyOut(const Workload& work, const EventApi* api)
      : api_(*api),
        data_(static_cast<size_t>(work.size), 'x'),
        buffer_(NewBuffer(api)) {
    api_.evbuffer_add(buffer_.get(), data_.data(), data_.size());
    Run();
  }
  std::vector<double> Run() override {
    return {Time([this] {
              for (int i = 0; i < kRounds; ++i) {
                api_.evbuffer_copyout(buffer_.get(), data_.data(),
                                      data_.size());
              }
            }) /
            kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 1000;
  const EventApi& api_;
  std::vector<char> data_;
  OwnedBuffer buffer_;
};

class AddLarge : public Case {
 public:
  AddLarge(const Workload& work, const EventApi* api)
      : api_(*api),
        data_(static_cast<size_t>(work.size), 'x'),
        buffer_(NewBuffer(api)) {
    Run();
  }
  std::vector<double> Run() override {
    return {Time([this] {
              for (int i = 0; i < kRounds; ++i) {
                api_.evbuffer_add(buffer_.get(), data_.data(), data_.size());
                api_.evbuffer_drain(buffer_.get(), kAll);
              }
            }) /
            kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 1000;
  const EventApi& api_;
  std::vector<char> data_;
  OwnedBuffer buffer_;
};

// Kind "evbuffer_readln": lines of `size` bytes with their LF.
class ReadLines : public Case {
 public:
  ReadLines(const Workload& work, const EventApi* api)
      : api_(*api),
        line_(static_cast<size_t>(work.size), 'x'),
        buffer_(NewBuffer(api)) {
    line_.back() = '\n';
    Run();
  }
  std::vector<double> Run() override {
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < kLines; ++i) {
        api_.evbuffer_add(buffer_.get(), line_.data(), line_.size());
      }
      spent += Time([this] {
        for (int i = 0; i < kLines; ++i) {
          std::free(
              api_.evbuffer_readln(buffer_.get(), nullptr, EVBUFFER_EOL_LF));
        }
      });
    }
    return {spent / operations()};
  }
  double operations() const override { return kRounds * kLines; }

 private:
  static constexpr int kRounds = 40;
  static constexpr int kLines = 500;
  const EventApi& api_;
  std::vector<char> line_;
  OwnedBuffer buffer_;
};

// Kind "evbuffer_pullup": `size` bytes in `detail` chains become one piece.
class PullUp : public Case {
 public:
  PullUp(const Workload& work, const EventApi* api)
      : api_(*api),
        chains_(work.detail),
        data_(static_cast<size_t>(work.size / work.detail), 'x'),
        buffer_(NewBuffer(api)),
        part_(NewBuffer(api)) {
    Run();
  }
  std::vector<double> Run() override {
    double spent = 0;
    for (int round = 0; round < kRounds; ++round) {
      for (int i = 0; i < chains_; ++i) {
        api_.evbuffer_add(part_.get(), data_.data(), data_.size());
        api_.evbuffer_add_buffer(buffer_.get(), part_.get());
      }
      spent += Time([this] {
        if (api_.evbuffer_pullup(buffer_.get(), -1) == nullptr) std::abort();
        api_.evbuffer_drain(buffer_.get(), kAll);
      });
    }
    return {spent / kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 400;
  const EventApi& api_;
  const int chains_;
  std::vector<char> data_;
  OwnedBuffer buffer_;
  OwnedBuffer part_;
};

// Kind "evbuffer_socket": `size` bytes are written to a socket, read at its
// other end, and moved back to where they came from. `detail` 1: evbuffer_read
// may take them at once, where the library has a call to say so.
class Socket : public Case {
 public:
  Socket(const Workload& work, const EventApi* api)
      : api_(*api),
        data_(static_cast<size_t>(work.size), 'x'),
        from_(NewBuffer(api)),
        to_(NewBuffer(api)) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds_) != 0) {
      std::abort();
    }
    if (work.detail != 0 && api_.evbuffer_set_max_read != nullptr) {
      api_.evbuffer_set_max_read(to_.get(), data_.size());
    }
    api_.evbuffer_add(from_.get(), data_.data(), data_.size());
    Run();
  }
  ~Socket() override {
    close(fds_[0]);
    close(fds_[1]);
  }

  std::vector<double> Run() override {
    return {Time([this] {
              for (int i = 0; i < kRounds; ++i) Pass();
            }) /
            kRounds};
  }
  double operations() const override { return kRounds; }

 private:
  static constexpr int kRounds = 500;

  void Pass() {
    while (api_.evbuffer_get_length(from_.get()) != 0) {
      if (api_.evbuffer_write(from_.get(), fds_[0]) <= 0) std::abort();
    }
    while (api_.evbuffer_get_length(to_.get()) < data_.size()) {
      if (api_.evbuffer_read(to_.get(), fds_[1], -1) <= 0) std::abort();
    }
    api_.evbuffer_add_buffer(from_.get(), to_.get());
  }

  const EventApi& api_;
  std::vector<char> data_;
  int fds_[2];
  OwnedBuffer from_;
  OwnedBuffer to_;
};

}  // namespace

void AddEvent2BufferCases(CaseRegistry* registry) {
  registry->Add("evbuffer_small", Family::kEvent2, MakerOf<SmallOperations>());
  registry->Add("evbuffer_search", Family::kEvent2, MakerOf<Search>());
  registry->Add("evbuffer_copyout", Family::kEvent2, MakerOf<CopyOut>());
  registry->Add("evbuffer_add", Family::kEvent2, MakerOf<AddLarge>());
  registry->Add("evbuffer_readln", Family::kEvent2, MakerOf<ReadLines>());
  registry->Add("evbuffer_pullup", Family::kEvent2, MakerOf<PullUp>());
  registry->Add("evbuffer_socket", Family::kEvent2, MakerOf<Socket>());
}

}  // namespace percore::bench
