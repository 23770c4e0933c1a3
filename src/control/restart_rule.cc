#include "control/restart_rule.h"

#include <algorithm>

namespace stoa::control {

Timestamp RestartRule::handle_exit(Timestamp now, Duration ran, const Options& options) {
  if (ran >= options.healthy_after) *this = {};
  while (!exits_.empty() && now - exits_.front() >= options.window) exits_.pop_front();
  exits_.push_back(now);
  if (exits_.size() > options.exits_max) {
    is_storm_ = true;
    exits_.pop_front();
  }
  const Duration pause = is_storm_ ? options.storm_pause : pause_;
  pause_ = std::clamp(pause_ * 2, options.first_pause, options.longest_pause);
  return not_before_ = now + pause;
}

bool RestartRule::has_say(Timestamp now, const Options& options) const {
  return not_before_ > now || (!exits_.empty() && now - exits_.back() < options.window);
}

}  // namespace stoa::control
