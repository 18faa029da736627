#include "percore/net/buffer/buffer_callbacks.h"

#include "percore/net/buffer/buffer.h"
#include "percore/runtime/loop/event_base.h"
#include "percore/runtime/system/memory.h"

namespace percore {

BufferCallbacks* BufferCallbacks::Create(Buffer* buffer) {
  auto* made =
      static_cast<BufferCallbacks*>(MemCalloc(1, sizeof(BufferCallbacks)));
  if (made != nullptr) made->buffer = buffer;
  return made;
}

void BufferCallbacks::Destroy(BufferCallbacks* callbacks) {
  if (callbacks->scheduled) {
    callbacks->base->CancelCallback(&callbacks->deferred);
  }
  while (evbuffer_cb_entry* entry = callbacks->first) {
    callbacks->first = entry->next;
    MemFree(entry);
  }
  MemFree(callbacks);
}

evbuffer_cb_entry* BufferCallbacks::Add() {
  auto* entry =
      static_cast<evbuffer_cb_entry*>(MemCalloc(1, sizeof(evbuffer_cb_entry)));
  if (entry == nullptr) return nullptr;
  entry->flags = EVBUFFER_CB_ENABLED;
  entry->next = first;
  first = entry;
  return entry;
}

bool BufferCallbacks::Contains(const evbuffer_cb_entry* entry) const {
  for (const evbuffer_cb_entry* e = first; e != nullptr; e = e->next) {
    if (e == entry) return !e->dead;
  }
  return false;
}

void BufferCallbacks::Remove(evbuffer_cb_entry* entry) {
  if (walks != 0) {
    // A walk may stand on it.
    entry->dead = true;
    has_dead = true;
    return;
  }
  for (evbuffer_cb_entry** p = &first; *p != nullptr; p = &(*p)->next) {
    if (*p == entry) {
      *p = entry->next;
      MemFree(entry);
      return;
    }
  }
}

// --- Buffer's side ----------------------------------------------------------

bool Buffer::EnsureCallbacks() {
  if (callbacks_ == nullptr) callbacks_ = BufferCallbacks::Create(this);
  return callbacks_ != nullptr;
}

void Buffer::UpdateWatched() {
  const bool watched = (bits_ & kObserved) != 0 ||
                       (callbacks_ != nullptr && !callbacks_->empty());
  bits_ =
      static_cast<std::uint8_t>(watched ? bits_ | kWatched : bits_ & ~kWatched);
}

void Buffer::Observe(bool on) {
  BufferGuard guard(this, BufferGuard::kLook);
  bits_ =
      static_cast<std::uint8_t>(on ? bits_ | kObserved : bits_ & ~kObserved);
  UpdateWatched();
}

evbuffer_cb_entry* Buffer::AddCallback(evbuffer_cb_func fn, void* arg) {
  BufferGuard guard(this);
  if (!EnsureCallbacks()) return nullptr;
  evbuffer_cb_entry* entry = callbacks_->Add();
  if (entry == nullptr) return nullptr;
  entry->fn = fn;
  entry->arg = arg;
  UpdateWatched();
  return entry;
}

evbuffer_cb_entry* Buffer::AddOldCallback(evbuffer_cb fn, void* arg) {
  BufferGuard guard(this);
  if (!EnsureCallbacks()) return nullptr;
  evbuffer_cb_entry* entry = callbacks_->Add();
  if (entry == nullptr) return nullptr;
  entry->old_fn = fn;
  entry->arg = arg;
  entry->is_old = true;
  UpdateWatched();
  return entry;
}

bool Buffer::RemoveCallback(evbuffer_cb_entry* entry) {
  BufferGuard guard(this);
  if (callbacks_ == nullptr || !callbacks_->Contains(entry)) return false;
  callbacks_->Remove(entry);
  UpdateWatched();
  return true;
}

bool Buffer::RemoveCallback(evbuffer_cb_func fn, void* arg) {
  BufferGuard guard(this);
  if (callbacks_ == nullptr) return false;
  for (evbuffer_cb_entry* e = callbacks_->first; e != nullptr; e = e->next) {
    if (!e->dead && !e->is_old && e->fn == fn && e->arg == arg) {
      callbacks_->Remove(e);
      UpdateWatched();
      return true;
    }
  }
  return false;
}

void Buffer::RemoveAllCallbacks() {
  BufferGuard guard(this);
  if (callbacks_ == nullptr) return;
  evbuffer_cb_entry* next;
  for (evbuffer_cb_entry* e = callbacks_->first; e != nullptr; e = next) {
    next = e->next;
    callbacks_->Remove(e);
  }
  UpdateWatched();
}

void Buffer::SetCallbackFlags(evbuffer_cb_entry* entry, std::uint32_t set,
                              std::uint32_t clear) {
  BufferGuard guard(this);
  entry->flags = (entry->flags | (set & EVBUFFER_CB_ENABLED)) &
                 ~(clear & EVBUFFER_CB_ENABLED);
}

bool Buffer::DeferCallbacks(EventBase* base) {
  BufferGuard guard(this);
  if (!EnsureCallbacks()) return false;
  callbacks_->always_deferred = true;
  base_ = base;
  return true;
}

unsigned Buffer::NoteChange(std::size_t added, std::size_t removed,
                            bool leaf_only) {
  const unsigned due = bits_ & kObserved ? kObserver : kNothing;
  if (callbacks_ == nullptr || callbacks_->empty()) return due;
  callbacks_->added += added;
  callbacks_->removed += removed;
  const bool foreign =
      leaf_only || (lock_ != nullptr && lock_->two_levels() &&
                    base_ != nullptr && base_->running() && !base_->OnOwner());
  if (!foreign && !callbacks_->always_deferred) return due | kCallbacks;
  if (callbacks_->scheduled) return due;
  if (callbacks_->base != base_) {
    base_->InitCallback(&callbacks_->deferred, base_->priorities() / 2,
                        &BufferCallbacks::RunDeferred, this);
    callbacks_->base = base_;
  }
  callbacks_->scheduled = true;
  ++references_;
  base_->ScheduleCallback(&callbacks_->deferred);
  return due;
}

// The observer last: what it does to the buffer is a change of its own.
void Buffer::RunDue(unsigned due, std::size_t added, std::size_t removed,
                    bool leaf_only) {
  const Observer observer = observer_;
  const bool hold = observer != nullptr && (due & kCallbacks);
  if (hold) observer(this, Notice::kHold, 0, 0, leaf_only);
  if (due & kCallbacks) RunCallbacks();
  if (due & kObserver) {
    observer(this, Notice::kChanged, added, removed, leaf_only);
  }
  if (hold) observer(this, Notice::kRelease, 0, 0, leaf_only);
}

void BufferCallbacks::RunDeferred(event_callback*, void* buffer) {
  auto* b = static_cast<Buffer*>(buffer);
  {
    BufferGuard guard(b);
    b->callbacks_->scheduled = false;
    guard.RunCallbacks(b);
  }
  b->Unref();
}

// Without a leaf lock. Counts are taken first: a callback that changes the
// buffer starts a run of its own (semantics 9.11).
void Buffer::RunCallbacks() {
  BufferCallbacks& callbacks = *callbacks_;
  evbuffer_cb_info info;
  info.n_added = callbacks.added;
  info.n_deleted = callbacks.removed;
  info.orig_size = length_ + info.n_deleted - info.n_added;
  callbacks.added = callbacks.removed = 0;
  if (info.n_added == 0 && info.n_deleted == 0) return;
  ++references_;
  ++callbacks.walks;
  for (evbuffer_cb_entry* e = callbacks.first; e != nullptr; e = e->next) {
    if (e->dead || !(e->flags & EVBUFFER_CB_ENABLED)) continue;
    if (e->is_old) {
      e->old_fn(c(), info.orig_size,
                info.orig_size + info.n_added - info.n_deleted, e->arg);
    } else {
      e->fn(c(), &info, e->arg);
    }
  }
  --callbacks.walks;
  if (callbacks.walks == 0 && callbacks.has_dead) {
    callbacks.has_dead = false;
    evbuffer_cb_entry* next;
    for (evbuffer_cb_entry* e = callbacks.first; e != nullptr; e = next) {
      next = e->next;
      if (e->dead) callbacks.Remove(e);
    }
    UpdateWatched();
  }
  // A callback may have freed a buffer of its own.
  if (--references_ == 0 && lock_ == nullptr) MemDelete(this);
}

}  // namespace percore
