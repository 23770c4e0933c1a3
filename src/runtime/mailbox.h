// One-way mail from one loop's thread to another's: a bounded ring with one sender and one receiver.
//
// When the ring is full `try_send` says so and the message stays with the sender: whoever declares a mailbox
// writes beside it what happens then (drop and count, replace, close the session). The receiver is woken
// by one posted task per batch; while it is awake and draining, sending costs no system call.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "runtime/loop.h"

namespace stoa::runtime {

template <typename T>
class Mailbox {
 public:
  // Messages handled before the receiver's other work gets its turn.
  static constexpr std::size_t kBatch = 256;

  // `on_message` runs on the receiver's thread, in the order of sending. The loop must outlive the mailbox.
  Mailbox(Loop& receiver, std::size_t capacity, std::move_only_function<void(T&&)> on_message)
      : state_(std::make_shared<State>(receiver, capacity, std::move(on_message))) {}
  // Destroy it when the receiver's loop does not run, or on its thread; mail still in it is lost.
  ~Mailbox() { state_->is_closed.store(true, std::memory_order_release); }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  // The sender's thread only. On false `message` is untouched.
  bool try_send(T&& message) {
    State& s = *state_;
    std::size_t tail = s.tail.load(std::memory_order_relaxed);
    if (tail - s.head.load(std::memory_order_acquire) == s.ring.size()) return false;
    s.ring[tail % s.ring.size()] = std::move(message);
    s.tail.store(tail + 1, std::memory_order_release);
    // Sequentially consistent with the receiver's clearing of the flag: either it sees the message or this
    // side sees the flag down.
    if (!s.is_awake.exchange(true, std::memory_order_seq_cst)) wake(state_);
    return true;
  }
  // The receiver's thread only: handles everything that is there now, not in batches.
  void deliver_all() {
    for (std::size_t batches = size() / kBatch + 1; batches > 0; --batches) drain(state_);
  }
  std::size_t capacity() const { return state_->ring.size(); }
  // A moment's view, from any thread; for gauges.
  std::size_t size() const {
    std::size_t head = state_->head.load(std::memory_order_acquire);
    return state_->tail.load(std::memory_order_acquire) - head;
  }

 private:
  struct State {
    State(Loop& loop, std::size_t capacity, std::move_only_function<void(T&&)> handler)
        : receiver(loop), ring(capacity), on_message(std::move(handler)) {
      STOA_ASSERT(capacity > 0);
    }
    Loop& receiver;
    std::vector<T> ring;
    std::move_only_function<void(T&&)> on_message;
    alignas(64) std::atomic<std::size_t> head{0};
    alignas(64) std::atomic<std::size_t> tail{0};
    alignas(64) std::atomic<bool> is_awake{false};
    std::atomic<bool> is_closed{false};
  };

  static void wake(const std::shared_ptr<State>& state) {
    state->receiver.post([state] { drain(state); });
  }
  static void drain(const std::shared_ptr<State>& state) {
    State& s = *state;
    s.is_awake.exchange(false, std::memory_order_seq_cst);
    std::size_t head = s.head.load(std::memory_order_relaxed);
    for (std::size_t handled = 0; handled < kBatch; ++handled) {
      if (s.is_closed.load(std::memory_order_acquire)) return;
      if (head == s.tail.load(std::memory_order_acquire)) return;
      T message = std::move(s.ring[head % s.ring.size()]);
      s.head.store(++head, std::memory_order_release);
      s.on_message(std::move(message));
    }
    if (!s.is_awake.exchange(true, std::memory_order_seq_cst)) wake(state);
  }

  std::shared_ptr<State> state_;
};

}  // namespace stoa::runtime
