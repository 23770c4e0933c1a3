// How much of something may be done: so much a second, and so much at once after a rest.
//
//   TokenBucket bucket(1.0, now);                       // Starts with one token.
//   if (!bucket.has(now, 3, {.per_second = 2, .most = 10})) refuse();
//   bucket.take(3);
//
// Rate and size come with each question, so that their owner keeps them in its configuration alone.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace stoa {

class TokenBucket {
 public:
  struct Rate {
    double per_second = 0;
    double most = 0;  // That it holds.
  };

  explicit TokenBucket(double tokens = 0, Timestamp now = {}) : tokens_(tokens), at_(now) {}

  // Whether it holds so many. Time does not go back.
  bool has(Timestamp now, double tokens, const Rate& rate) {
    tokens_ = std::min(rate.most, tokens_ + (now - at_).as_seconds() * rate.per_second);
    at_ = now;
    return tokens_ >= tokens;
  }
  void take(double tokens) { tokens_ -= tokens; }

 private:
  double tokens_;
  Timestamp at_;
};

}  // namespace stoa
