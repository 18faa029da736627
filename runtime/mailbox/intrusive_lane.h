// A lane of caller-owned nodes from any number of threads to one consumer.
//
// Pushing allocates nothing and cannot fail, so activations, loop control and
// stop requests travel on lanes of this kind. A node is in at most one lane, at
// most once: the producer guarantees it (an event by its pending word).
//
// Push is one compare-and-swap on the head that also writes the node's link
// first, so there is no half-linked state for the consumer to wait on. The
// consumer takes all with one exchange and reverses it into arrival order.
//
// Orderings. [L1] Push's release publishes the node (link and contents) to the
// acquire exchange of TakeAll.
//
// Traits: `using Node = ...; static Node* Next(Node*); static void
// SetNext(Node*, Node*);` - the link is written by the pushing thread before
// the push and by the consumer after taking.
#ifndef PERCORE_RUNTIME_MAILBOX_INTRUSIVE_LANE_H_
#define PERCORE_RUNTIME_MAILBOX_INTRUSIVE_LANE_H_

#include "percore/runtime/sync/atomic.h"

namespace percore {

template <class Traits, class P = RealAtomics>
class IntrusiveLane {
 public:
  using Node = typename Traits::Node;

  IntrusiveLane() = default;
  IntrusiveLane(const IntrusiveLane&) = delete;
  IntrusiveLane& operator=(const IntrusiveLane&) = delete;

  // Any thread, async-signal-safe. The node is the consumer's from here on.
  void Push(Node* node) {
    Node* head = head_.load(std::memory_order_relaxed);
    do {
      Traits::SetNext(node, head);
    } while (!head_.compare_exchange_weak(head, node,
                                          std::memory_order_release,  // [L1]
                                          std::memory_order_relaxed));
  }

  // Whether anything is there. Consumer; a false answer may be out of date.
  bool Empty() const {
    return head_.load(std::memory_order_relaxed) == nullptr;
  }

  // All nodes pushed so far, the first one first, linked by Traits; null when
  // empty. Consumer.
  Node* TakeAll() {
    if (Empty()) return nullptr;
    Node* node = head_.exchange(nullptr, std::memory_order_acquire);  // [L1]
    Node* first = nullptr;
    while (node != nullptr) {
      Node* next = Traits::Next(node);
      Traits::SetNext(node, first);
      first = node;
      node = next;
    }
    return first;
  }

 private:
  typename P::template Atomic<Node*> head_{nullptr};
};

}  // namespace percore

#endif  // PERCORE_RUNTIME_MAILBOX_INTRUSIVE_LANE_H_
