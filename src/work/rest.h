// For how long a rung rests that its owner refused (relay::RungRefused) before it may begin anew: 2 s, and
// each time that it is refused again within a minute of coming back twice as long as before, up to a minute.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace stoa::work {

class Rest {
 public:
  // At that time of the channel.
  void handle_refusal(Duration at) {
    const bool is_again = length_ > Duration() && at < until_ + kLongest;
    length_ = is_again ? std::min(length_ * 2, kLongest) : kFirst;
    until_ = at + length_;
  }
  bool is_over(Duration at) const { return at >= until_; }

 private:
  static constexpr Duration kFirst = Duration::seconds(2), kLongest = Duration::seconds(60);
  Duration length_;
  Duration until_ = -Duration::infinite();
};

}  // namespace stoa::work
