// Bytes in, bytes out, always in one piece: what a connection has received and
// not parsed, or has to say and has not sent.

#ifndef PERCORE_EXAMPLES_KV_SERVER_BYTE_QUEUE_H_
#define PERCORE_EXAMPLES_KV_SERVER_BYTE_QUEUE_H_

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace percore::kv {

class ByteQueue {
 public:
  size_t size() const { return end_ - start_; }
  bool empty() const { return start_ == end_; }
  size_t capacity() const { return capacity_; }

  // Valid until the next Append() or Consume().
  std::string_view data() const { return {storage_.get() + start_, size()}; }

  void Append(std::string_view bytes) {
    if (bytes.size() > capacity_ - end_) MakeRoom(bytes.size());
    bytes.copy(storage_.get() + end_, bytes.size());
    end_ += bytes.size();
  }

  // Drops the first `bytes`, at most size().
  void Consume(size_t bytes) {
    start_ += bytes;
    if (start_ != end_) return;
    start_ = end_ = 0;
    // Idle connections are many; each keeps little.
    if (capacity_ > kKept) {
      storage_.reset();
      capacity_ = 0;
    }
  }

 private:
  static constexpr size_t kKept = 4096;

  void MakeRoom(size_t bytes) {
    const size_t held = size();
    if (held + bytes > capacity_ / 2) {
      const size_t capacity =
          std::max<size_t>({held + bytes, 2 * capacity_, 1024});
      std::unique_ptr<char[]> storage(new char[capacity]);
      data().copy(storage.get(), held);
      storage_ = std::move(storage);
      capacity_ = capacity;
    } else {
      std::memmove(storage_.get(), storage_.get() + start_, held);
    }
    start_ = 0;
    end_ = held;
  }

  std::unique_ptr<char[]> storage_;
  size_t capacity_ = 0;
  size_t start_ = 0;
  size_t end_ = 0;
};

}  // namespace percore::kv

#endif  // PERCORE_EXAMPLES_KV_SERVER_BYTE_QUEUE_H_
