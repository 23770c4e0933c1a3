// Deadlines of many machines, the earliest first. A machine is filed again whenever its deadline moved, so
// machines that wait cost nothing.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/time.h"

namespace stoa {

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
  std::size_t size() const { return queue_.size(); }
  Timestamp next() const { return queue_.empty() ? Timestamp::never() : queue_.begin()->first; }
  // Takes out one key that is due, if any is.
  std::optional<Key> take_due(Timestamp now) {
    if (queue_.empty() || queue_.begin()->first > now) return std::nullopt;
    Key key = queue_.begin()->second;
    filed_.erase(key);
    queue_.erase(queue_.begin());
    return key;
  }

 private:
  std::set<std::pair<Timestamp, Key>> queue_;
  std::map<Key, Timestamp> filed_;
};

}  // namespace stoa
