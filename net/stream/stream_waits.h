// The awaiters of BufferEvent: what each waits for, and what it gives.
//
// They are neither copied nor moved, live in the frame of the coroutine that
// awaits them, and allocate nothing.
#ifndef PERCORE_NET_STREAM_STREAM_WAITS_H_
#define PERCORE_NET_STREAM_STREAM_WAITS_H_

#include <sys/socket.h>
#include <sys/time.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "percore/net/buffer/buffer.h"
#include "percore/net/stream/stream_door.h"

namespace percore::stream_internal {

// Bytes, as a string.
class [[nodiscard]] ReadWait final : public StreamWait {
 public:
  // Between `least` and `most` bytes.
  ReadWait(StreamDoor* door, std::size_t least, std::size_t most)
      : StreamWait(door, kRead), least_(least), limit_(most) {
    need_ = least;
  }
  // Up to a delimiter; a line also loses its CR.
  ReadWait(StreamDoor* door, std::string delimiter, std::size_t limit,
           bool is_line);

  absl::StatusOr<std::string> await_resume();

 protected:
  bool Look() override;

 private:
  bool LookForDelimiter();
  void Take(std::size_t n);

  std::size_t least_ = 0;
  std::size_t limit_;
  std::string delimiter_;
  bool is_line_ = false;
  std::size_t searched_ = 0;  // no delimiter begins before this
  std::string bytes_;
};

// Bytes, moved to a Buffer.
class [[nodiscard]] MoveWait final : public StreamWait {
 public:
  MoveWait(StreamDoor* door, Buffer* target, std::size_t most)
      : StreamWait(door, kRead), target_(target), most_(most) {}
  absl::StatusOr<std::size_t> await_resume();

 protected:
  bool Look() override;

 private:
  Buffer* target_;
  std::size_t most_;
  std::size_t moved_ = 0;
};

// Input that the program looks at by itself.
class [[nodiscard]] InputWait final : public StreamWait {
 public:
  InputWait(StreamDoor* door, std::size_t n)
      : StreamWait(door, kRead), least_(n) {
    need_ = n;
  }
  absl::Status await_resume() { return std::move(status()); }

 protected:
  bool Look() override;

 private:
  std::size_t least_;
};

// Room for more output, or none left of it.
class WriteWait final : public StreamWait {
 public:
  enum Until {
    kRoom,
    kDrained,  // all has been handed to the system
    kEnded,    // and the output has come to its orderly end
  };
  // `appended` not OK: it is the answer.
  WriteWait(StreamDoor* door, absl::Status appended, Until until)
      : StreamWait(door, kWrite), until_(until) {
    if (!appended.ok()) Settle(std::move(appended));
  }
  ~WriteWait() override;
  absl::Status await_resume() { return std::move(status()); }

 protected:
  bool Look() override;

 private:
  static void OnBottomOutput(evbuffer*, const evbuffer_cb_info* info,
                             void* door);
  bool AllIsOut();

  const Until until_;
  // A filter's bytes are out when those of the stream at the bottom are; that
  // is told by a callback of its buffer.
  Stream* bottom_ = nullptr;  // holds a reference
  evbuffer_cb_entry* bottom_output_ = nullptr;
};

// A connection.
class [[nodiscard]] ConnectWait final : public StreamWait {
 public:
  ConnectWait(StreamDoor* door, const sockaddr* address, socklen_t size,
              const timeval& timeout);
  ConnectWait(StreamDoor* door, std::string host, int port,
              const timeval& timeout);
  // One that is under way.
  explicit ConnectWait(StreamDoor* door)
      : StreamWait(door, kConnect), is_ours_(false), timeout_() {}
  ~ConnectWait() override;
  absl::Status await_resume() { return std::move(status()); }

 protected:
  void Begin() override;
  bool Look() override { return settled(); }

 private:
  absl::Status Start();

  const bool is_ours_ = true;
  sockaddr_storage address_;
  socklen_t size_ = 0;  // 0: by name
  std::string host_;
  int port_ = 0;
  timeval timeout_;
};

}  // namespace percore::stream_internal

#endif  // PERCORE_NET_STREAM_STREAM_WAITS_H_
