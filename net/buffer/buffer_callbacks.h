// The change callbacks of a buffer, and their deferral to a loop.
#ifndef PERCORE_NET_BUFFER_BUFFER_CALLBACKS_H_
#define PERCORE_NET_BUFFER_BUFFER_CALLBACKS_H_

#include <event2/buffer.h>
#include <event2/buffer_compat.h>
#include <event2/event_struct.h>

#include <cstddef>
#include <cstdint>

namespace percore {

class Buffer;
class EventBase;

// What a buffer gets with its first callback.
struct BufferCallbacks {
  static BufferCallbacks* Create(Buffer* buffer);
  // Cancels what is deferred; entries are freed.
  static void Destroy(BufferCallbacks* callbacks);

  evbuffer_cb_entry* Add();
  void Remove(evbuffer_cb_entry* entry);
  bool Contains(const evbuffer_cb_entry* entry) const;
  bool empty() const { return first == nullptr; }

  // The loop's side of a deferred run.
  static void RunDeferred(event_callback* cb, void* buffer);

  Buffer* buffer;
  evbuffer_cb_entry* first;  // the newest
  // Since the callbacks last ran.
  std::size_t added;
  std::size_t removed;
  EventBase* base;  // to which `deferred` belongs; null: not made ready
  bool always_deferred;
  bool scheduled;       // holds a reference to the buffer
  std::uint32_t walks;  // of the list, on the stack
  bool has_dead;        // entries to free when the last walk ends
  event_callback deferred;
};

}  // namespace percore

struct evbuffer_cb_entry {
  evbuffer_cb_entry* next;
  union {
    evbuffer_cb_func fn;
    evbuffer_cb old_fn;
  };
  void* arg;
  std::uint32_t flags;
  bool is_old;
  bool dead;
};

#endif  // PERCORE_NET_BUFFER_BUFFER_CALLBACKS_H_
