// Search, line ends, positions.
#include <climits>

#include "percore/net/buffer/buffer.h"
#include "percore/net/buffer/find.h"
#include "percore/runtime/system/memory.h"

namespace percore {
namespace {

evbuffer_ptr NotFound() {
  evbuffer_ptr p;
  p.pos = -1;
  p.internal_.chain = nullptr;
  p.internal_.pos_in_chain = 0;
  return p;
}

evbuffer_ptr At(std::size_t pos, Segment* s, std::size_t offset) {
  evbuffer_ptr p;
  p.pos = static_cast<ev_ssize_t>(pos);
  p.internal_.chain = s;
  p.internal_.pos_in_chain = offset;
  return p;
}

// A byte position that walks.
struct Cursor {
  Segment* s;
  std::size_t offset;
  std::size_t pos;

  const unsigned char* data() const { return s->begin + offset; }
  std::size_t left() const { return s->size() - offset; }
  void NextSegment() {
    pos += left();
    s = s->next;
    offset = 0;
    SkipEmpty();
  }
  void SkipEmpty() {
    while (s != nullptr && s->size() == 0) s = s->next;
  }
  void Step() {
    ++pos;
    if (++offset == s->size()) {
      s = s->next;
      offset = 0;
      SkipEmpty();
    }
  }
};

// Whether the `n` bytes from here on are `what`.
bool Matches(Cursor c, const unsigned char* what, std::size_t n) {
  while (n != 0) {
    if (c.s == nullptr) return false;
    const std::size_t part = c.left() < n ? c.left() : n;
    if (std::memcmp(c.data(), what, part) != 0) return false;
    what += part;
    n -= part;
    if (n != 0) c.NextSegment();
  }
  return true;
}

}  // namespace

evbuffer_ptr Buffer::PositionAt(std::size_t offset) const {
  if (offset > length_) return NotFound();
  std::size_t left = offset;
  for (Segment* s = first_; s != nullptr; s = s->next) {
    if (left < s->size()) return At(offset, s, left);
    left -= s->size();
  }
  return At(offset, nullptr, 0);
}

bool Buffer::SetPosition(evbuffer_ptr* p, std::size_t position,
                         evbuffer_ptr_how how) {
  BufferGuard guard(this);
  std::size_t target = position;
  if (how == EVBUFFER_PTR_ADD) {
    if (p->pos < 0 || position > SIZE_MAX - static_cast<std::size_t>(p->pos)) {
      *p = NotFound();
      return false;
    }
    target += static_cast<std::size_t>(p->pos);
    // Onwards from where it is, when that is known.
    auto* s = static_cast<Segment*>(p->internal_.chain);
    if (s != nullptr && target < length_) {
      std::size_t offset = p->internal_.pos_in_chain + position;
      while (s != nullptr && offset >= s->size()) {
        offset -= s->size();
        s = s->next;
      }
      *p = At(target, s, offset);
      return true;
    }
  }
  *p = PositionAt(target);
  return p->pos >= 0;
}

evbuffer_ptr Buffer::Search(const char* what, std::size_t n,
                            const evbuffer_ptr* from, const evbuffer_ptr* to) {
  BufferGuard guard(this);
  return SearchLocked(what, n, from, to);
}

evbuffer_ptr Buffer::SearchLocked(const char* what, std::size_t n,
                                  const evbuffer_ptr* from,
                                  const evbuffer_ptr* to) {
  const evbuffer_ptr start = from != nullptr ? *from : PositionAt(0);
  if (n == 0 || n > SSIZE_MAX) return n == 0 ? start : NotFound();
  if (start.pos < 0) return NotFound();
  std::size_t limit = length_;
  if (to != nullptr && to->pos >= 0 &&
      static_cast<std::size_t>(to->pos) < limit) {
    limit = static_cast<std::size_t>(to->pos);
  }
  Cursor c{nullptr, 0, static_cast<std::size_t>(start.pos)};
  c.s = FindSegment(&start, &c.offset);
  if (c.s == nullptr) return NotFound();
  const auto* bytes = reinterpret_cast<const unsigned char*>(what);
  while (c.s != nullptr && c.pos + n <= limit) {
    // With what a match that begins here may reach.
    if (!MaterialiseFrom(c.s, c.s->size() + n)) return NotFound();
    // Matches that lie in this segment, then those that begin in it.
    std::size_t run = c.left();
    if (c.pos + run > limit) run = limit - c.pos;
    const unsigned char* hit = FindBytes(c.data(), run, bytes, n);
    if (hit != nullptr) {
      const auto skip = static_cast<std::size_t>(hit - c.data());
      return At(c.pos + skip, c.s, c.offset + skip);
    }
    std::size_t begun = run < n - 1 ? 0 : run - (n - 1);
    for (; begun < run; ++begun) {
      if (c.pos + begun + n > limit) break;
      Cursor at{c.s, c.offset + begun, c.pos + begun};
      if (*at.data() == bytes[0] && Matches(at, bytes, n)) {
        return At(at.pos, at.s, at.offset);
      }
    }
    c.NextSegment();
  }
  return NotFound();
}

unsigned char* Buffer::Find(const char* what, std::size_t n) {
  BufferGuard guard(this);
  const evbuffer_ptr at = SearchLocked(what, n, nullptr, nullptr);
  if (at.pos < 0) return nullptr;
  const std::size_t size = static_cast<std::size_t>(at.pos) + n;
  unsigned char* p = size != 0 ? PullUpLocked(size, &guard) : nullptr;
  return p != nullptr ? p + at.pos : nullptr;
}

evbuffer_ptr Buffer::SearchEol(const evbuffer_ptr* from, std::size_t* eol_size,
                               evbuffer_eol_style style) {
  BufferGuard guard(this);
  return SearchEolLocked(from, eol_size, style);
}

evbuffer_ptr Buffer::SearchEolLocked(const evbuffer_ptr* from,
                                     std::size_t* eol_size,
                                     evbuffer_eol_style style) {
  std::size_t ignored;
  if (eol_size == nullptr) eol_size = &ignored;
  *eol_size = 0;
  const evbuffer_ptr start = from != nullptr ? *from : PositionAt(0);
  if (start.pos < 0 || style < EVBUFFER_EOL_ANY || style > EVBUFFER_EOL_NUL) {
    return NotFound();
  }
  if (style == EVBUFFER_EOL_CRLF_STRICT) {
    const evbuffer_ptr found = SearchLocked("\r\n", 2, &start, nullptr);
    if (found.pos >= 0) *eol_size = 2;
    return found;
  }
  Cursor c{nullptr, 0, static_cast<std::size_t>(start.pos)};
  c.s = FindSegment(&start, &c.offset);
  if (c.s == nullptr) return NotFound();
  Segment* before = nullptr;  // the segment before c.s, if c passed it
  while (c.s != nullptr) {
    if (!Materialise(c.s)) return NotFound();
    const unsigned char* hit;
    if (style == EVBUFFER_EOL_ANY) {
      hit = FindCrOrLf(c.data(), c.left());
    } else {
      hit = static_cast<const unsigned char*>(std::memchr(
          c.data(), style == EVBUFFER_EOL_NUL ? '\0' : '\n', c.left()));
    }
    if (hit == nullptr) {
      before = c.s;
      c.NextSegment();
      continue;
    }
    const auto skip = static_cast<std::size_t>(hit - c.data());
    Cursor at{c.s, c.offset + skip, c.pos + skip};
    const evbuffer_ptr found = At(at.pos, at.s, at.offset);
    *eol_size = 1;
    if (style == EVBUFFER_EOL_ANY) {
      // The whole run of CR and LF (semantics 9.8).
      std::size_t n = 0;
      while (at.s != nullptr && Materialise(at.s) &&
             (*at.data() == '\r' || *at.data() == '\n')) {
        ++n;
        at.Step();
      }
      *eol_size = n;
    } else if (style == EVBUFFER_EOL_CRLF) {
      if (skip != 0) {
        if (hit[-1] == '\r') {
          *eol_size = 2;
          return At(at.pos - 1, at.s, at.offset - 1);
        }
      } else if (before != nullptr && before->end[-1] == '\r') {
        // Not when the search began at the LF itself.
        *eol_size = 2;
        return At(at.pos - 1, before, before->size() - 1);
      }
    }
    return found;
  }
  return NotFound();
}

char* Buffer::ReadLine(std::size_t* n, evbuffer_eol_style style) {
  BufferGuard guard(this);
  if (n != nullptr) *n = 0;
  if (bits_ & kFrozenFront) return nullptr;
  std::size_t eol_size;
  std::size_t size;
  const unsigned char* lf = nullptr;
  // The commonest: a line that lies in the first segment.
  if (first_ != nullptr && first_->in_memory() && first_->size() != 0 &&
      (style == EVBUFFER_EOL_LF || style == EVBUFFER_EOL_CRLF)) {
    lf = static_cast<const unsigned char*>(
        std::memchr(first_->begin, '\n', first_->size()));
  }
  if (lf != nullptr) {
    size = static_cast<std::size_t>(lf - first_->begin);
    eol_size = 1;
    if (style == EVBUFFER_EOL_CRLF && size != 0 && lf[-1] == '\r') {
      --size;
      eol_size = 2;
    }
  } else {
    const evbuffer_ptr eol = SearchEolLocked(nullptr, &eol_size, style);
    if (eol.pos < 0) return nullptr;
    size = static_cast<std::size_t>(eol.pos);
  }
  char* line = static_cast<char*>(MemAlloc(size + 1));
  if (line == nullptr) return nullptr;
  if (lf != nullptr) {
    CopySmall(reinterpret_cast<unsigned char*>(line), first_->begin, size);
  } else {
    CopyOutLocked(nullptr, line, size);
  }
  line[size] = '\0';
  if (size + eol_size < first_->size()) {
    first_->begin += size + eol_size;
    length_ -= size + eol_size;
  } else {
    DrainLocked(size + eol_size, &guard);
  }
  if (n != nullptr) *n = size;
  guard.Changed(this, 0, size + eol_size);
  return line;
}

}  // namespace percore
