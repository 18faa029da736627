// Random operations on two Buffers and two strings, which must agree: the
// model test and the fuzzer drive it, each with its own source of numbers.
#ifndef PERCORE_TESTS_NET_BUFFER_BUFFER_STEPS_H_
#define PERCORE_TESTS_NET_BUFFER_BUFFER_STEPS_H_

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

#include "percore/net/buffer/buffer.h"

namespace percore {

class BufferSteps {
 public:
  // `number(n)`: one below n, which is at least 1.
  explicit BufferSteps(std::function<std::size_t(std::size_t)> number)
      : number_(std::move(number)) {}
  ~BufferSteps() {
    // The clean-ups of references run with the last user of their bytes.
    for (Side& s : sides_) s.buffer.Drain(s.buffer.size());
  }

  // Null, or what went wrong.
  const char* Step() {
    Side& s = sides_[number_(2)];
    Side& other = sides_[&s == &sides_[0] ? 1 : 0];
    const char* wrong = Act(s, other, number_(19));
    if (wrong != nullptr) return wrong;
    for (const Side& side : sides_) {
      if (side.buffer.size() != side.model.size()) return "size";
    }
    // Long contents would make each step slow.
    if (s.model.size() > kMost) return DrainSome(s, s.model.size() - 100);
    return nullptr;
  }

  // All bytes, looked at twice.
  const char* CompareAll() {
    for (Side& s : sides_) {
      if (s.buffer.ToString() != s.model) return "contents";
    }
    return nullptr;
  }

  int references_out() const { return references_out_; }

 private:
  static constexpr std::size_t kMost = 60000;

  struct Side {
    Buffer buffer;
    std::string model;
  };

  std::string Bytes(std::size_t n) {
    std::string bytes(n, 0);
    for (char& c : bytes) c = static_cast<char>("ab\r\ncd"[next_++ * 7 % 6]);
    if (!bytes.empty()) bytes[0] = static_cast<char>('a' + number_(26));
    return bytes;
  }
  // Mostly small; sometimes more than a segment.
  std::size_t Size() {
    const std::size_t kind = number_(8);
    return kind < 5 ? number_(40) : kind < 7 ? number_(1500) : number_(9000);
  }
  std::size_t Within(const Side& s) { return number_(s.model.size() + 1); }

  const char* DrainSome(Side& s, std::size_t n) {
    if (!s.buffer.Drain(n)) return "Drain";
    s.model.erase(0, std::min(n, s.model.size()));
    return nullptr;
  }

  static void ReferenceDone(const void* data, std::size_t, void* self) {
    --static_cast<BufferSteps*>(self)->references_out_;
    std::free(const_cast<void*>(data));
  }

  const char* Act(Side& s, Side& other, std::size_t what) {
    switch (what) {
      case 0:
      case 1:
      case 2: {
        const std::string bytes = Bytes(Size());
        if (!s.buffer.Add(bytes)) return "Add";
        s.model += bytes;
        return nullptr;
      }
      case 3: {
        const std::string bytes = Bytes(Size());
        if (!s.buffer.Prepend(bytes.data(), bytes.size())) return "Prepend";
        s.model.insert(0, bytes);
        return nullptr;
      }
      case 4:
        return DrainSome(s, Within(s));
      case 5: {
        std::string out(Size(), 0);
        const int n = s.buffer.Remove(out.data(), out.size());
        const std::size_t expected = std::min(out.size(), s.model.size());
        if (n != static_cast<int>(expected)) return "Remove: how many";
        if (out.compare(0, expected, s.model, 0, expected) != 0) {
          return "Remove: which";
        }
        s.model.erase(0, expected);
        return nullptr;
      }
      case 6:
        if (!s.buffer.Take(&other.buffer)) return "Take";
        s.model += other.model;
        other.model.clear();
        return nullptr;
      case 7:
        if (!s.buffer.TakeInFront(&other.buffer)) return "TakeInFront";
        s.model.insert(0, other.model);
        other.model.clear();
        return nullptr;
      case 8: {
        const std::size_t n = Within(s);
        if (s.buffer.MoveTo(&other.buffer, n) != static_cast<ev_ssize_t>(n)) {
          return "MoveTo";
        }
        other.model += s.model.substr(0, n);
        s.model.erase(0, n);
        return nullptr;
      }
      case 9: {
        const std::string bytes = Bytes(1 + Size());
        auto* copy = static_cast<char*>(std::malloc(bytes.size()));
        std::memcpy(copy, bytes.data(), bytes.size());
        ++references_out_;
        if (!s.buffer.AddReference(copy, 0, bytes.size(), &ReferenceDone,
                                   this)) {
          return "AddReference";
        }
        s.model += bytes;
        return nullptr;
      }
      case 10:
        // Bytes shown by two buffers; they never change.
        if (s.model.empty() || s.model.size() + other.model.size() > kMost) {
          return nullptr;
        }
        if (!other.buffer.Share(&s.buffer)) return nullptr;  // of views: never
        other.model += s.model;
        return nullptr;
      case 11: {
        const std::size_t n = Within(s);
        if (n == 0) return nullptr;
        const unsigned char* p = s.buffer.PullUp(static_cast<ev_ssize_t>(n));
        if (p == nullptr) return "PullUp";
        return std::memcmp(p, s.model.data(), n) != 0 ? "PullUp: which"
                                                      : nullptr;
      }
      case 12:
        return Search(s);
      case 13:
        return ReadLine(s);
      case 14: {
        const std::string bytes = Bytes(1 + Size());
        iovec v[2];
        const int n =
            s.buffer.Reserve(static_cast<ev_ssize_t>(bytes.size()), v, 2);
        if (n < 1) return "Reserve";
        std::size_t at = 0;
        for (int i = 0; i < n; ++i) {
          v[i].iov_len = std::min(v[i].iov_len, bytes.size() - at);
          std::memcpy(v[i].iov_base, bytes.data() + at, v[i].iov_len);
          at += v[i].iov_len;
        }
        if (at != bytes.size()) return "Reserve: how many";
        if (!s.buffer.Commit(v, n)) return "Commit";
        s.model += bytes;
        return nullptr;
      }
      case 15:
        return s.buffer.Expand(Size()) ? nullptr : "Expand";
      case 16: {
        std::string out(Size(), 0);
        evbuffer_ptr from;
        const std::size_t at = Within(s);
        if (!s.buffer.SetPosition(&from, at, EVBUFFER_PTR_SET)) return "SetPos";
        const ev_ssize_t n = s.buffer.CopyOut(&from, out.data(), out.size());
        const std::size_t expected = std::min(out.size(), s.model.size() - at);
        if (n != static_cast<ev_ssize_t>(expected)) return "CopyOut: how many";
        return out.compare(0, expected, s.model, at, expected) != 0
                   ? "CopyOut: which"
                   : nullptr;
      }
      case 17:
        return Peek(s);
      default:
        return ThroughAPipe(s, other);
    }
  }

  const char* Search(Side& s) {
    if (s.model.empty()) return nullptr;
    const std::size_t at = number_(s.model.size());
    std::string what = s.model.substr(at, 1 + number_(12));
    if (number_(4) == 0) what.back() = 'z';
    const std::size_t start = Within(s);
    evbuffer_ptr from;
    if (!s.buffer.SetPosition(&from, start, EVBUFFER_PTR_SET)) return "SetPos";
    const evbuffer_ptr got =
        s.buffer.Search(what.data(), what.size(), &from, nullptr);
    const std::size_t expected = s.model.find(what, start);
    const ev_ssize_t position =
        expected == std::string::npos ? -1 : static_cast<ev_ssize_t>(expected);
    return got.pos != position ? "Search" : nullptr;
  }

  const char* ReadLine(Side& s) {
    std::size_t n = 0;
    char* line = s.buffer.ReadLine(&n, EVBUFFER_EOL_LF);
    const std::size_t end = s.model.find('\n');
    if (line == nullptr) {
      return end == std::string::npos ? nullptr : "ReadLine: none";
    }
    const std::string got(line, n);
    std::free(line);
    if (end == std::string::npos || got != s.model.substr(0, end)) {
      return "ReadLine: which";
    }
    s.model.erase(0, end + 1);
    return nullptr;
  }

  const char* Peek(Side& s) {
    iovec v[64];
    const std::size_t n = Within(s);
    if (n == 0) return nullptr;
    const int pieces =
        s.buffer.Peek(static_cast<ev_ssize_t>(n), nullptr, v, 64);
    if (pieces > 64) return nullptr;
    std::string got;
    for (int i = 0; i < pieces; ++i) {
      got.append(static_cast<const char*>(v[i].iov_base), v[i].iov_len);
    }
    if (got.size() < n) return "Peek: how many";
    return s.model.compare(0, got.size(), got) != 0 ? "Peek: which" : nullptr;
  }

  // Written from one and read into the other.
  const char* ThroughAPipe(Side& s, Side& other) {
    if (s.model.empty()) return nullptr;
    int ends[2];
    if (pipe(ends) != 0) return "pipe";
    const int written =
        s.buffer.Write(ends[1], static_cast<ev_ssize_t>(1 + number_(4096)));
    const int read = other.buffer.Read(ends[0], -1);
    close(ends[0]);
    close(ends[1]);
    if (written <= 0 || read != std::min(written, 4096)) return "pipe: bytes";
    other.model += s.model.substr(0, static_cast<std::size_t>(read));
    s.model.erase(0, static_cast<std::size_t>(written));
    return nullptr;
  }

  std::function<std::size_t(std::size_t)> number_;
  std::size_t next_ = 0;
  int references_out_ = 0;
  Side sides_[2];
};

}  // namespace percore

#endif  // PERCORE_TESTS_NET_BUFFER_BUFFER_STEPS_H_
