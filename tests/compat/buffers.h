// Buffers as the tests of the suite make and read them: contents as strings,
// chunk borders where the test wants them, references that count.

#ifndef PERCORE_TESTS_COMPAT_BUFFERS_H_
#define PERCORE_TESTS_COMPAT_BUFFERS_H_

#include <event2/buffer.h>
#include <gtest/gtest.h>
#include <string.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace compat {

struct FreeBuffer {
  void operator()(evbuffer* buf) const { evbuffer_free(buf); }
};
using BufferPtr = std::unique_ptr<evbuffer, FreeBuffer>;

inline int Add(evbuffer* buf, std::string_view data) {
  return evbuffer_add(buf, data.data(), data.size());
}
inline int Prepend(evbuffer* buf, std::string_view data) {
  return evbuffer_prepend(buf, data.data(), data.size());
}

inline BufferPtr NewBuffer(std::string_view data = {}) {
  BufferPtr buf(evbuffer_new());
  if (!data.empty()) {
    EXPECT_EQ(Add(buf.get(), data), 0);
  }
  return buf;
}

// What is in the buffer, which keeps it.
inline std::string Contents(evbuffer* buf) {
  std::string data(evbuffer_get_length(buf), '\0');
  EXPECT_EQ(evbuffer_copyout(buf, data.data(), data.size()),
            static_cast<ev_ssize_t>(data.size()));
  return data;
}
inline std::string Contents(const BufferPtr& buf) {
  return Contents(buf.get());
}

// Takes up to `n` bytes out.
inline std::string Remove(evbuffer* buf, size_t n) {
  std::string data(n, '\0');
  const int got = evbuffer_remove(buf, data.data(), n);
  EXPECT_GE(got, 0);
  data.resize(got < 0 ? 0 : got);
  return data;
}
inline std::string RemoveAll(evbuffer* buf) {
  return Remove(buf, evbuffer_get_length(buf));
}

// The pieces that the data lies in.
inline std::vector<std::string> Pieces(evbuffer* buf) {
  const int n = evbuffer_peek(buf, -1, nullptr, nullptr, 0);
  std::vector<evbuffer_iovec> vec(n);
  EXPECT_EQ(evbuffer_peek(buf, -1, nullptr, vec.data(), n), n);
  std::vector<std::string> pieces;
  for (const evbuffer_iovec& v : vec) {
    pieces.emplace_back(static_cast<const char*>(v.iov_base), v.iov_len);
  }
  return pieces;
}

// `n` bytes that differ from place to place, whatever the chunk size.
inline std::string Pattern(size_t n, size_t start = 0) {
  std::string data(n, '\0');
  for (size_t i = 0; i < n; ++i) {
    data[i] = static_cast<char>('!' + (start + i) * 7 % 89);
  }
  return data;
}

// Appends `data` as a chunk of its own, which nothing is added to.
inline void AddChunk(evbuffer* buf, std::string_view data) {
  char* copy = new char[data.size() + 1];
  memcpy(copy, data.data(), data.size());
  ASSERT_EQ(evbuffer_add_reference(
                buf, copy, data.size(),
                [](const void* memory, size_t, void*) {
                  delete[] static_cast<const char*>(memory);
                },
                nullptr),
            0);
}

// A buffer with a chunk for each string; an empty one is an empty chunk.
inline BufferPtr Chunks(const std::vector<std::string>& pieces) {
  BufferPtr buf = NewBuffer();
  for (const std::string& piece : pieces) AddChunk(buf.get(), piece);
  return buf;
}

// `data` in chunks of `size` bytes.
inline BufferPtr ChunksOf(size_t size, std::string_view data) {
  BufferPtr buf = NewBuffer();
  for (size_t at = 0; at < data.size(); at += size) {
    AddChunk(buf.get(), data.substr(at, size));
  }
  return buf;
}

// Memory for evbuffer_add_reference() that knows when it was given back.
class Referenced {
 public:
  explicit Referenced(std::string data) : data_(std::move(data)) {}
  Referenced(const Referenced&) = delete;
  Referenced& operator=(const Referenced&) = delete;

  int AddTo(evbuffer* buf) {
    return evbuffer_add_reference(buf, data_.data(), data_.size(), Release,
                                  this);
  }
  const std::string& data() const { return data_; }
  int released() const { return released_; }
  // As the cleanup was told.
  size_t released_length() const { return length_; }

  static void Release(const void* data, size_t length, void* extra) {
    Referenced* self = static_cast<Referenced*>(extra);
    EXPECT_EQ(data, self->data_.data());
    self->length_ = length;
    ++self->released_;
  }

 private:
  std::string data_;
  int released_ = 0;
  size_t length_ = static_cast<size_t>(-1);
};

}  // namespace compat

#endif  // PERCORE_TESTS_COMPAT_BUFFERS_H_
