#include "sim/codel.h"

#include <cmath>

namespace stoa::sim {
namespace {

constexpr std::uint64_t kPacketBytesMax = 1500;  // A queue of no more is not a standing one.

}  // namespace

bool Codel::is_above(Timestamp now, Duration waited, std::uint64_t backlog_bytes) {
  if (waited < config_.target || backlog_bytes <= kPacketBytesMax) {
    first_above_ = Timestamp::never();
    return false;
  }
  if (first_above_ == Timestamp::never()) {
    first_above_ = now + config_.interval;
    return false;
  }
  return now >= first_above_;
}

Timestamp Codel::next_drop(Timestamp from) const {
  return from +
         Duration::from_seconds(config_.interval.as_seconds() / std::sqrt(static_cast<double>(count_)));
}

bool Codel::should_drop(Timestamp now, Duration waited, std::uint64_t backlog_bytes) {
  bool above = is_above(now, waited, backlog_bytes);
  if (!above) {
    is_dropping_ = has_dropped_ = false;
    return false;
  }
  if (!is_dropping_) {
    is_dropping_ = true;
    // Soon after the last time: go on near the rate that kept the queue short then.
    std::uint32_t drops = count_ - count_at_start_;
    bool is_recent = drops > 1 && now - drop_next_ < config_.interval * 16;
    count_ = is_recent ? drops : 1;
    count_at_start_ = count_;
    drop_next_ = next_drop(now);
    return true;
  }
  if (has_dropped_) drop_next_ = next_drop(drop_next_);
  has_dropped_ = now >= drop_next_;
  if (has_dropped_) ++count_;
  return has_dropped_;
}

}  // namespace stoa::sim
