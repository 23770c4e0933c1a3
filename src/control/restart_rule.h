// When a process that ended is started again: at once, then after 0.5 s doubling to 15 s, and once a minute
// when it ends so often that nothing good is to be expected (a storm). One that ran for a while is healthy:
// what was before is forgotten.
#pragma once

#include <cstddef>
#include <deque>

#include "base/time.h"

namespace stoa::control {

class RestartRule {
 public:
  struct Options {
    Duration first_pause = Duration::milliseconds(500);
    Duration longest_pause = Duration::seconds(15);
    Duration healthy_after = Duration::seconds(30);
    Duration window = Duration::seconds(60);  // A storm is more than `exits_max` in it.
    std::size_t exits_max = 5;
    Duration storm_pause = Duration::seconds(60);
  };

  // It ended after `ran` of good service (zero when it never came to that). When to start the next.
  Timestamp handle_exit(Timestamp now, Duration ran, const Options& options);
  bool is_storm() const { return is_storm_; }
  // Not before this.
  Timestamp not_before() const { return not_before_; }
  // Whether what was still has a say in what comes.
  bool has_say(Timestamp now, const Options& options) const;

 private:
  std::deque<Timestamp> exits_;  // Within the window; exits_max + 1 at most.
  Duration pause_;               // Before the next start but one.
  Timestamp not_before_;
  bool is_storm_ = false;
};

}  // namespace stoa::control
