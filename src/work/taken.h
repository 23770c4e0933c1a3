// Which of the owner's frames are through their decoders: all up to a number. Each track has a decoder and a
// thread of its own, so frames are not done in the order in which they came.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <set>

namespace stoa::work {

class Taken {
 public:
  // `say` is told each new number, in rising order.
  explicit Taken(std::function<void(std::uint64_t)> say) : say_(std::move(say)) {}

  // Numbers rise.
  void handle_come(std::uint64_t number) {
    std::lock_guard lock(mutex_);
    newest_ = number;
    open_.insert(number);
  }
  void handle_done(std::uint64_t number) {
    std::lock_guard lock(mutex_);
    bool is_oldest = !open_.empty() && *open_.begin() == number;
    open_.erase(number);
    if (is_oldest) say_(open_.empty() ? newest_ : *open_.begin() - 1);
  }

 private:
  std::mutex mutex_;  // Held while it is said: so the order stays.
  std::set<std::uint64_t> open_;
  std::uint64_t newest_ = 0;
  std::function<void(std::uint64_t)> say_;
};

}  // namespace stoa::work
