// Keys that were in use until lately. What still comes for a session that has just ended is late, not
// strange: a peer goes on sending until it hears of the end.
#pragma once

#include <deque>
#include <unordered_map>
#include <utility>

#include "base/time.h"

namespace stoa::webrtc {

inline constexpr Duration kRecentFor = Duration::seconds(10);
inline constexpr std::size_t kRecentMax = 4096;  // The oldest gives way.

template <typename Key>
class Recent {
 public:
  void add(Timestamp now, Key key) {
    while (!order_.empty() && (order_.size() >= kRecentMax || now - order_.front().first >= kRecentFor)) {
      auto found = ended_at_.find(order_.front().second);
      if (found != ended_at_.end() && found->second == order_.front().first) ended_at_.erase(found);
      order_.pop_front();
    }
    ended_at_[key] = now;
    order_.emplace_back(now, std::move(key));
  }
  bool contains(Timestamp now, const Key& key) const {
    auto found = ended_at_.find(key);
    return found != ended_at_.end() && now - found->second < kRecentFor;
  }
  std::size_t size() const { return order_.size(); }

 private:
  std::unordered_map<Key, Timestamp> ended_at_;
  std::deque<std::pair<Timestamp, Key>> order_;
};

}  // namespace stoa::webrtc
