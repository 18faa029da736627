#include "percore/proto/tag/tag.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include "percore/proto/tag/wire.h"
#include "percore/runtime/system/memory.h"

namespace percore::tag {
namespace {

class Locked {
 public:
  explicit Locked(Buffer* b) : b_(b) { b_->Lock(); }
  ~Locked() { b_->Unlock(); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;

 private:
  Buffer* b_;
};

// The first bytes in one piece: at most `most`, as many as there are. The
// segments stay as they are, so that payloads can be moved.
class Front {
 public:
  Front(Buffer* b, std::size_t most) : size(std::min(most, b->size())) {
    iovec pieces[kMost];
    const int n =
        b->Peek(static_cast<ev_ssize_t>(size), nullptr, pieces, kMost);
    if (n == 1 && pieces[0].iov_len >= size) {
      data = static_cast<const unsigned char*>(pieces[0].iov_base);
      return;
    }
    std::size_t copied = 0;
    for (int i = 0; i < n && copied < size; ++i) {
      const std::size_t part = std::min(pieces[i].iov_len, size - copied);
      std::memcpy(bytes_ + copied, pieces[i].iov_base, part);
      copied += part;
    }
    size = copied;  // less when a file cannot be read
    data = bytes_;
  }
  Front(const Front&) = delete;
  Front& operator=(const Front&) = delete;

  // Not more than this is asked for.
  static constexpr int kMost = 2 * kMaxIntSize;

  std::size_t size;
  const unsigned char* data;

 private:
  unsigned char bytes_[kMost];
};
static_assert(Front::kMost >= static_cast<int>(kMaxHeaderSize) &&
              Front::kMost >= static_cast<int>(kMaxInt64Size));

template <typename T>
bool TakeIntOf(Buffer* in, std::size_t most, T* number) {
  Locked lock(in);
  const Front front(in, most);
  T value;
  const std::size_t size = DecodeInt(front.data, front.size, &value);
  // Draining first: a frozen front refuses.
  if (size == 0 || !in->Drain(size)) return false;
  *number = value;
  return true;
}

// The length, when so much is there.
int TakeLength(Buffer* in) {
  std::uint32_t length;
  if (!TakeInt(in, &length)) return -1;
  if (length > INT_MAX || length > in->size()) return -1;
  return static_cast<int>(length);
}

template <typename T>
int UnmarshalIntOf(Buffer* in, std::uint32_t need, T* number) {
  Locked lock(in);
  std::uint32_t tag;
  if (TakeTag(in, &tag) < 0 || tag != need) return -1;
  const int length = TakeLength(in);
  if (length < 0) return -1;
  const Front front(in, std::min<std::size_t>(length, kMaxInt64Size));
  T value;
  const std::size_t size = DecodeInt(front.data, front.size, &value);
  if (!in->Drain(length) || size == 0) return -1;
  *number = value;
  return static_cast<int>(size);
}

}  // namespace

int AddTag(Buffer* out, std::uint32_t tag) {
  unsigned char bytes[kMaxTagSize];
  const std::size_t n = EncodeTag(tag, bytes);
  if (out != nullptr) out->Add(bytes, n);
  return static_cast<int>(n);
}

void AddInt(Buffer* out, std::uint64_t number) {
  unsigned char bytes[kMaxInt64Size];
  out->Add(bytes, EncodeInt(number, bytes));
}

bool Marshal(Buffer* out, std::uint32_t tag, const void* data,
             std::uint32_t size) {
  unsigned char element[kMaxHeaderSize + 54];
  std::size_t n = EncodeTag(tag, element);
  n += EncodeInt(size, element + n);
  if (size <= sizeof(element) - n) {
    if (size != 0) std::memcpy(element + n, data, size);
    return out->Add(element, n + size);
  }
  Locked lock(out);
  // Room for all of it, so that the second half cannot fail.
  return out->Expand(n + size) && out->Add(element, n) && out->Add(data, size);
}

bool Marshal(Buffer* out, std::uint32_t tag, Buffer* data) {
  const std::size_t size = data->size();
  if (size > UINT32_MAX || data == out) return false;
  unsigned char header[kMaxHeaderSize];
  std::size_t n = EncodeTag(tag, header);
  n += EncodeInt(size, header + n);
  return out->Add(header, n) && out->Take(data);
}

bool MarshalInt(Buffer* out, std::uint32_t tag, std::uint64_t number) {
  unsigned char payload[kMaxInt64Size];
  const std::size_t size = EncodeInt(number, payload);
  return Marshal(out, tag, payload, static_cast<std::uint32_t>(size));
}

bool MarshalTimeval(Buffer* out, std::uint32_t tag, const timeval& tv) {
  unsigned char payload[2 * kMaxIntSize];
  std::size_t n = EncodeInt(static_cast<std::uint32_t>(tv.tv_sec), payload);
  n += EncodeInt(static_cast<std::uint32_t>(tv.tv_usec), payload + n);
  return Marshal(out, tag, payload, static_cast<std::uint32_t>(n));
}

int TakeTag(Buffer* in, std::uint32_t* tag) {
  Locked lock(in);
  std::uint32_t value;
  const int n = PeekTag(in, &value);
  if (n < 0 || !in->Drain(n)) return -1;
  if (tag != nullptr) *tag = value;
  return n;
}

bool TakeInt(Buffer* in, std::uint32_t* number) {
  return TakeIntOf(in, kMaxIntSize, number);
}

bool TakeInt(Buffer* in, std::uint64_t* number) {
  return TakeIntOf(in, kMaxInt64Size, number);
}

int PeekTag(Buffer* in, std::uint32_t* tag) {
  Locked lock(in);
  const Front front(in, kMaxTagSize);
  std::uint32_t value;
  const std::size_t n = DecodeTag(front.data, front.size, &value);
  if (n == 0) return -1;
  if (tag != nullptr) *tag = value;
  return static_cast<int>(n);
}

bool PeekHeader(Buffer* in, Header* header) {
  Locked lock(in);
  const Front front(in, kMaxHeaderSize);
  Header h;
  const std::size_t tag = DecodeTag(front.data, front.size, &h.tag);
  if (tag == 0) return false;
  const std::size_t length =
      DecodeInt(front.data + tag, front.size - tag, &h.length);
  if (length == 0) return false;
  h.size = static_cast<std::uint32_t>(tag + length);
  *header = h;
  return true;
}

int TakeHeader(Buffer* in, std::uint32_t* tag) {
  Locked lock(in);
  return TakeTag(in, tag) < 0 ? -1 : TakeLength(in);
}

bool Skip(Buffer* in) {
  Locked lock(in);
  const int length = TakeHeader(in, nullptr);
  return length >= 0 && in->Drain(length);
}

int Unmarshal(Buffer* in, std::uint32_t* tag, Buffer* payload) {
  // Not under a lock: two buffers are locked in an order of their own.
  const int length = TakeHeader(in, tag);
  if (length < 0 || in->MoveTo(payload, length) != length) return -1;
  return length;
}

int UnmarshalInt(Buffer* in, std::uint32_t need, std::uint32_t* number) {
  return UnmarshalIntOf(in, need, number);
}

int UnmarshalInt(Buffer* in, std::uint32_t need, std::uint64_t* number) {
  return UnmarshalIntOf(in, need, number);
}

bool UnmarshalFixed(Buffer* in, std::uint32_t need, void* data,
                    std::size_t size) {
  Locked lock(in);
  std::uint32_t tag;
  const int length = TakeHeader(in, &tag);
  if (length < 0 || tag != need || static_cast<std::size_t>(length) != size) {
    return false;
  }
  return in->Remove(data, size) == length;
}

char* UnmarshalString(Buffer* in, std::uint32_t need) {
  Locked lock(in);
  std::uint32_t tag;
  const int length = TakeHeader(in, &tag);
  if (length < 0 || tag != need) return nullptr;
  // No more than `in` holds already.
  auto* text =
      static_cast<char*>(MemAlloc(static_cast<std::size_t>(length) + 1));
  if (text == nullptr) return nullptr;
  if (in->Remove(text, length) != length) {
    MemFree(text);
    return nullptr;
  }
  text[length] = '\0';
  return text;
}

bool UnmarshalTimeval(Buffer* in, std::uint32_t need, timeval* tv) {
  Locked lock(in);
  std::uint32_t tag;
  const int length = TakeHeader(in, &tag);
  if (length < 0) return false;
  const Front front(in, std::min<std::size_t>(length, Front::kMost));
  std::uint32_t sec;
  std::uint32_t usec;
  const std::size_t n = DecodeInt(front.data, front.size, &sec);
  const bool ok = tag == need && n != 0 &&
                  DecodeInt(front.data + n, front.size - n, &usec) != 0;
  if (!in->Drain(length) || !ok) return false;
  tv->tv_sec = sec;
  tv->tv_usec = usec;
  return true;
}

}  // namespace percore::tag
