// What one thread hands to another, in order and at most so much of it: who puts waits while it is full, who
// takes waits while it is empty. So a slow stage slows those before it, and nothing grows.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>

namespace stoa::work {

template <typename Item>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t items_max) : items_max_(items_max) {}

  // False when it is closed: the item is gone.
  bool put(Item item) {
    std::unique_lock lock(mutex_);
    has_room_.wait(lock, [&] { return is_closed_ || items_.size() < items_max_; });
    if (is_closed_) return false;
    items_.push_back(std::move(item));
    has_item_.notify_one();
    return true;
  }
  // Nothing when it is closed and empty.
  std::optional<Item> take() {
    std::unique_lock lock(mutex_);
    has_item_.wait(lock, [&] { return is_closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    Item item = std::move(items_.front());
    items_.pop_front();
    has_room_.notify_one();
    return item;
  }
  // Nothing more comes in; what is in it may still be taken.
  void close() {
    std::lock_guard lock(mutex_);
    is_closed_ = true;
    has_room_.notify_all();
    has_item_.notify_all();
  }
  // The same, and what is in it is gone.
  void drop() {
    close();
    std::lock_guard lock(mutex_);
    items_.clear();
  }

 private:
  const std::size_t items_max_;
  std::mutex mutex_;
  std::condition_variable has_room_, has_item_;
  std::deque<Item> items_;
  bool is_closed_ = false;
};

}  // namespace stoa::work
