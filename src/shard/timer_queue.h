// Deadlines of many machines, the earliest first. A machine is filed again whenever its deadline moved, so
// machines that wait cost nothing.
#pragma once

#include <set>
#include <unordered_map>
#include <utility>

#include "base/time.h"

namespace stoa::shard {

template <typename Key>
class TimerQueue {
 public:
  // Timestamp::never() takes the key out.
  void set(const Key& key, Timestamp at) {
    auto [entry, is_new] = filed_.try_emplace(key, at);
    if (!is_new) {
      if (entry->second == at) return;
      queue_.erase({entry->second, key});
      entry->second = at;
    }
    if (at == Timestamp::never()) {
      filed_.erase(entry);
    } else {
      queue_.emplace(at, key);
    }
  }
  Timestamp next() const { return queue_.empty() ? Timestamp::never() : queue_.begin()->first; }
  // Takes out one key that is due; false when none is.
  bool take_due(Timestamp now, Key& key) {
    if (queue_.empty() || queue_.begin()->first > now) return false;
    key = queue_.begin()->second;
    filed_.erase(key);
    queue_.erase(queue_.begin());
    return true;
  }

 private:
  std::set<std::pair<Timestamp, Key>> queue_;
  std::unordered_map<Key, Timestamp> filed_;
};

}  // namespace stoa::shard
