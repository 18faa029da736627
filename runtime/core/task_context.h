// What the coroutines under one root have in common, and who holds the roots.
//
// A root is a coroutine that nobody awaits: a spawned task, a call that a
// shard serves with a coroutine. A CoreScope lists the roots of a core, so
// that a stop can destroy them there. A TaskContext counts what a root has
// lent to other cores (Borrow, crossing.h): while something is out, the root's
// end waits.
//
// Everything here belongs to one core.
#ifndef PERCORE_RUNTIME_CORE_TASK_CONTEXT_H_
#define PERCORE_RUNTIME_CORE_TASK_CONTEXT_H_

#include "percore/runtime/observe/log.h"

namespace percore {

class CoreScope;
class MovableRoot;

class TaskContext {
 public:
  // `end` destroys what the context belongs to; it is called when an end was
  // asked for and nothing is lent.
  using EndFn = void (*)(TaskContext*);

  TaskContext(TaskContext* outer, EndFn end) : outer_(outer), end_(end) {}
  TaskContext(const TaskContext&) = delete;
  TaskContext& operator=(const TaskContext&) = delete;
  virtual ~TaskContext() {
    // Another core still uses memory of a frame that is being destroyed.
    PERCORE_CHECK(lent_ == 0);
  }

  void Lend() {
    for (TaskContext* c = this; c != nullptr; c = c->outer_) ++c->lent_;
  }

  // True if the coroutine may go on; false if it has been destroyed, or will
  // be, because its end was asked for meanwhile.
  [[nodiscard]] bool Return() {
    TaskContext* ending = nullptr;
    bool asked = false;
    for (TaskContext* c = this; c != nullptr; c = c->outer_) {
      --c->lent_;
      if (!c->ending_) continue;
      asked = true;
      if (c->lent_ == 0) ending = c;  // the outermost one takes the others
    }
    if (ending != nullptr) ending->end_(ending);
    return !asked;
  }

  // Ends now, or as soon as what is lent has come back.
  void End() {
    if (ending_) return;
    ending_ = true;
    if (lent_ == 0) end_(this);
  }

  bool lends() const { return lent_ != 0; }
  bool ending() const { return ending_; }

  // Before anything is lent.
  void SetOuter(TaskContext* outer) { outer_ = outer; }
  // Whether what this is a part of is to end.
  bool OuterEnding() const {
    for (const TaskContext* c = outer_; c != nullptr; c = c->outer_) {
      if (c->ending_) return true;
    }
    return false;
  }

  // The hop of a whole task to another core (SwitchTo); null: it cannot.
  virtual MovableRoot* movable() { return nullptr; }

 private:
  TaskContext* outer_;
  EndFn end_;
  int lent_ = 0;
  bool ending_ = false;
};

// A root in the list of a scope; leaves it when destroyed.
class ScopedRoot : public TaskContext {
 public:
  explicit ScopedRoot(EndFn end) : TaskContext(nullptr, end) {}
  inline ~ScopedRoot() override;

  // Out of its scope, if it is in one.
  inline void LeaveScope();

 private:
  friend class CoreScope;
  CoreScope* scope_ = nullptr;
  ScopedRoot* next_ = nullptr;
  ScopedRoot* previous_ = nullptr;
};

class CoreScope {
 public:
  CoreScope() = default;
  CoreScope(const CoreScope&) = delete;
  CoreScope& operator=(const CoreScope&) = delete;
  ~CoreScope() {
    while (first_ != nullptr) Remove(first_);
  }

  // False when the scope has been closed: then the root is not in it, and is
  // to be ended without having run.
  [[nodiscard]] bool Add(ScopedRoot* root) {
    if (closed_) return false;
    root->scope_ = this;
    root->next_ = first_;
    root->previous_ = nullptr;
    if (first_ != nullptr) first_->previous_ = root;
    first_ = root;
    return true;
  }

  void Remove(ScopedRoot* root) {
    if (root->previous_ != nullptr) {
      root->previous_->next_ = root->next_;
    } else {
      first_ = root->next_;
    }
    if (root->next_ != nullptr) root->next_->previous_ = root->previous_;
    root->scope_ = nullptr;
  }

  bool empty() const { return first_ == nullptr; }

  // Ends every root, and takes no new one until Open.
  void Close() {
    closed_ = true;
    EndAll();
  }
  void Open() { closed_ = false; }

  // Ends every root; one that has lent something goes when it is back.
  void EndAll() {
    while (first_ != nullptr) {
      ScopedRoot* root = first_;
      Remove(root);
      root->End();
    }
  }

 private:
  ScopedRoot* first_ = nullptr;
  bool closed_ = false;
};

inline void ScopedRoot::LeaveScope() {
  if (scope_ != nullptr) scope_->Remove(this);
}

inline ScopedRoot::~ScopedRoot() { LeaveScope(); }

// A root that is able to change its core.
class MovableRoot : public ScopedRoot {
 public:
  using ScopedRoot::ScopedRoot;
  MovableRoot* movable() override { return this; }
  // The core that it is bound for. The core that it leaves; nothing of the
  // root is touched there afterwards.
  virtual void SetCore(int core) = 0;
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_CORE_TASK_CONTEXT_H_
