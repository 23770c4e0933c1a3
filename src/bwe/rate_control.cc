#include "bwe/rate_control.h"

#include <algorithm>
#include <cmath>

namespace stoa::bwe {
namespace {

// The queue that one flow lets stand.
constexpr double kBacklogBits = 16'000;
constexpr double kQueueMinMs = 10, kQueueMaxMs = 40;
constexpr double kNoise = 2.5;
// A queue that grows so fast that the slower measure is not waited for.
constexpr double kCollapseQueues = 2, kCollapseMinMs = 20, kCollapseShare = 0.85;

// The slower, the less of it is needed: 60 ms sooner, which is 3 % of loss when 2.5 Mb/s become 0.6.
constexpr double kRuinMinMs = 3, kRuinShare = 0.5;

constexpr double kUndone = 0.9;
constexpr double kDip = 0.9;  // At most, in a drain that is none of a collapse.
constexpr double kAllSent = 0.8;
constexpr Duration kMeasured = Duration::milliseconds(500);  // What PathState::arrived looks back on.
constexpr double kCollapseMost = 0.2;                        // Less is not believed of a few packets.

constexpr double kDecrease = 0.97;  // Of what is carried.
constexpr double kDecreaseOver = 0.12;
constexpr double kDecreaseLeast = 0.95;  // Of the target, while it may be a measure's error.
constexpr double kDrainSeconds = 0.3;  // A queue of so much is drained at nothing, one of half of it at half.
constexpr double kDrainLeast = 0.5, kDrainMost = 0.9;
constexpr double kDrainedSeconds = 0.003;
constexpr Duration kDrainMax = Duration::seconds(3);
constexpr Duration kDrainLook = Duration::milliseconds(20);

constexpr double kNearCapacity = 0.85, kWider = 1.1;
constexpr double kStepBits = 48'000;  // A second: a packet each 200 ms, whatever the round trip.
constexpr double kStepLeast = 0.01, kStepMost = 0.06, kGrowth = 0.10,
                 kGrowthToRoom = 0.15;  // A second, of the target.
constexpr double kOverArrived = 1.5, kOverArrivedBits = 10'000;
constexpr double kCapacityWeight = 0.3;

constexpr int kDrainsInVain = 3, kFullDrains = 2;
constexpr double kForeignMinMs = 70, kForeignQueues = 1.5;
constexpr Duration kNeverEmpty = Duration::milliseconds(1500);
constexpr double kCompeteFrom = 0.9;
constexpr double kCompeteDecrease = 0.85, kCompeteStep = 0.075;
constexpr Duration kCompeteTest = Duration::seconds(15);
constexpr Duration kLossEvent = Duration::milliseconds(300);

constexpr double kBackOff = 0.75;
constexpr double kAlphaWeight = 1.0 / 8;
constexpr double kStepSecondsMax = 0.25;

double ms_of(Duration d) { return d.as_seconds() * 1e3; }

}  // namespace

RateControl::RateControl(Timestamp now, double start, Limits limits) : limits_(limits), target_(start) {
  updated_at_ = emptied_at_ = tested_at_ = lost_at_ = marked_at_ = now;
  collapsed_at_ = undone_at_ = now - Duration::seconds(1);
  settled_at_ = decreased_at_ = now;
  limit();
}

void RateControl::limit() { target_ = std::clamp(target_, limits_.min, limits_.max); }

double RateControl::queue_limit_ms(const PathState& path) const {
  return std::clamp(kBacklogBits / target_ * 1e3, kQueueMinMs, kQueueMaxMs) + kNoise * ms_of(path.noise);
}

void RateControl::handle_feedback(Timestamp now, const PathState& path) {
  double seconds = std::clamp((now - updated_at_).as_seconds(), 0.0, kStepSecondsMax);
  updated_at_ = now;
  double limit_ms = queue_limit_ms(path), standing_ms = ms_of(path.standing);
  if (path.has_delay && standing_ms < limit_ms / 2) {
    emptied_at_ = now;
    drains_since_empty_ = 0;
    competes_ = false;
  }
  // What was sent before a decision says nothing of it; a collapse is no part of a smaller one.
  bool is_fresh = path.newest_sent_at >= settled_at_ && !is_draining_;
  bool is_collapse = false;
  if (!competes_ && (is_fresh || !is_collapse_) && path.has_delay && path.of_newest) {
    double share = *path.of_newest / std::min(target_, path.sent.value_or(target_)),
           newest_ms = ms_of(path.newest);
    is_collapse = (share < kCollapseShare && newest_ms > kCollapseQueues * limit_ms + kCollapseMinMs) ||
                  (share < kRuinShare && newest_ms > limit_ms + kRuinMinMs);
  }
  if (is_collapse) return begin_drain(now, path, true);
  if (is_draining_) {
    waited_seconds_ = path.newest.as_seconds();
    waited_sent_at_ = path.newest_sent_at;
    // What a few packets said, or a link that was not full yet, is put right by more of them.
    bool is_less = path.while_waiting && *path.while_waiting < kCollapseShare * service_;
    if (path.while_waiting && ms_of(path.newest) > limit_ms && (is_collapse_ || is_less)) {
      before_collapse_ = 0;
      service_ = std::max(*path.while_waiting, limits_.min);
      target_ = std::min(kDecrease * service_, before_drain_);
      limit();
    }
    return advance(now, path.in_flight_bits);
  }
  if (path.marked) handle_marks(now, path);
  if (!is_fresh) return;
  if (competes_) return compete(now, path, seconds);

  bool is_standing = path.has_delay && standing_ms > limit_ms;
  if (is_standing && !path.marked) {
    begin_drain(now, path, false);
  } else {
    increase(now, path, seconds);
  }
}

bool RateControl::is_wider() const { return !capacity_ || target_ > kWider * *capacity_; }

double RateControl::target() const {
  if (!is_draining_) return target_;
  if (before_collapse_ > 0) return std::max(target_, kUndone * before_collapse_);
  return is_collapse_ ? drain_rate_ : std::max(drain_rate_, kDip * target_);
}

void RateControl::begin_drain(Timestamp now, const PathState& path, bool is_collapse) {
  double carried = path.while_waiting.value_or(path.arrived.value_or(target_));
  if (is_collapse) carried = std::max(*path.of_newest, kCollapseMost * target_);
  carried = std::max(carried, limits_.min);
  learn_capacity(carried);
  is_collapse_ = is_collapse;
  if (!is_draining_) before_drain_ = target_;
  if (is_collapse) {
    collapsed_at_ = now;
    if (before_collapse_ == 0) before_collapse_ = target_;
  }
  if (drains_since_empty_ == 0) {
    before_drains_ = target_;
    full_drains_ = 0;
  }
  bool is_full = ms_of(path.standing) > std::max(kForeignMinMs, kForeignQueues * queue_limit_ms(path));
  full_drains_ += is_full;
  if (++drains_since_empty_ > kDrainsInVain && is_full && full_drains_ >= kFullDrains &&
      now - emptied_at_ > std::max(kNeverEmpty, path.round_trip * 6)) {
    competes_ = true;
    is_draining_ = false;
    before_collapse_ = 0;
    tested_at_ = now;
    // What was given up for nothing.
    target_ = std::max(target_, kCompeteFrom * before_drains_);
    limit();
    return;
  }
  room_ = 0;
  service_ = std::min(carried, target_ * 1.1);
  // Of what is not sent, or was held back, nobody knows whether it would be carried.
  double sends = std::min(target_, path.offered.value_or(target_));
  bool is_all_sent = sends > kAllSent * target_ && path.newest_sent_at - undone_at_ > kMeasured;
  if (is_collapse || (is_all_sent && carried < kCollapseShare * sends)) {
    target_ = kDecrease * carried;
  } else {
    double over = std::clamp(ms_of(path.standing) / queue_limit_ms(path) - 1, 0.0, 1.0);
    double least = kDecreaseLeast - kDecreaseOver * over;
    target_ = std::min(target_, std::max(kDecrease * carried, least * target_));
  }
  limit();
  decreased_at_ = drain_began_ = now;
  is_draining_ = true;
  waited_seconds_ = std::max(path.newest, path.standing).as_seconds();
  waited_sent_at_ = path.newest_sent_at;
  advance(now, path.in_flight_bits);
}

void RateControl::advance(Timestamp now, double in_flight_bits) {
  if (!is_draining_) return;
  // What a packet sent now would wait.
  double queue = waited_seconds_ + in_flight_bits / service_ - (now - waited_sent_at_).as_seconds();
  if (queue < kDrainedSeconds || now - drain_began_ > kDrainMax) {
    is_draining_ = false;
    settled_at_ = now;
    // A queue that was gone before it could be measured was none.
    if (before_collapse_ > 0) undone_at_ = now;
    target_ = std::max(target_, kUndone * before_collapse_);
    before_collapse_ = 0;
    return;
  }
  drain_rate_ = std::min(target_, service_ * std::clamp(1 - queue / kDrainSeconds, kDrainLeast, kDrainMost));
  drain_rate_ = std::max(drain_rate_, limits_.min);
  next_look_ = now + kDrainLook;
}

void RateControl::increase(Timestamp, const PathState& path, double seconds) {
  double before = target_;
  bool is_near = capacity_ && target_ > kNearCapacity * *capacity_;
  bool is_empty = path.has_delay && ms_of(path.standing) < queue_limit_ms(path) / 2;
  if (target_ < room_ && is_empty) {
    target_ = std::min(room_, target_ * (1 + kGrowthToRoom * seconds));
  } else if (is_near && target_ < 1.3 * *capacity_) {
    double step = std::clamp(kStepBits, kStepLeast * target_, kStepMost * target_);
    double room = path.has_delay ? 1 - ms_of(path.standing) / queue_limit_ms(path) : 1;
    target_ += step * std::max(0.2, room) * seconds;
  } else {
    target_ *= 1 + kGrowth * seconds;
  }
  // Nobody knows what would come of more than is sent.
  if (path.arrived)
    target_ = std::min(target_, std::max(before, kOverArrived * *path.arrived + kOverArrivedBits));
  if (path.is_app_limited) target_ = std::min(target_, before);
  limit();
}

void RateControl::compete(Timestamp now, const PathState& path, double seconds) {
  if (path.lost_packets > 0 && now - lost_at_ > path.round_trip + kLossEvent) {
    lost_at_ = decreased_at_ = now;
    target_ *= kCompeteDecrease;
  } else if (path.lost_packets == 0) {
    double before = target_;
    target_ += std::max(kStepBits, kCompeteStep * target_) * seconds;
    if (path.arrived)
      target_ = std::min(target_, std::max(before, kOverArrived * *path.arrived + kOverArrivedBits));
  }
  if (now - tested_at_ > kCompeteTest) {
    // Perhaps the other has gone, and the queue is ours.
    tested_at_ = now;
    competes_ = false;
    drains_since_empty_ = kDrainsInVain - 1;
    full_drains_ = kFullDrains;
    emptied_at_ = now - kCompeteTest;
    before_drains_ = target_;
  }
  limit();
}

void RateControl::handle_marks(Timestamp now, const PathState& path) {
  alpha_ += kAlphaWeight * (*path.marked - alpha_);
  if (*path.marked <= 0 || now - marked_at_ < std::max(path.round_trip, Duration::milliseconds(25))) return;
  marked_at_ = decreased_at_ = now;
  if (path.arrived) learn_capacity(*path.arrived);
  target_ *= 1 - alpha_ / 2;
  limit();
}

void RateControl::learn_capacity(double bits_per_second) {
  if (!capacity_ || std::abs(bits_per_second / *capacity_ - 1) > 0.3) {
    capacity_ = bits_per_second;
  } else {
    *capacity_ += kCapacityWeight * (bits_per_second - *capacity_);
  }
}

bool RateControl::handle_probe(Timestamp now, double bits_per_second) {
  if (is_draining_ || competes_ || bits_per_second <= target_) return false;
  target_ = bits_per_second;
  capacity_.reset();
  updated_at_ = now;
  limit();
  return true;
}

void RateControl::handle_loss_bound(double bits_per_second) {
  target_ = std::min(target_, bits_per_second);
  limit();
}

void RateControl::back_off(Timestamp now) {
  is_draining_ = competes_ = false;
  before_collapse_ = 0;
  target_ *= kBackOff;
  decreased_at_ = now;
  limit();
}

void RateControl::set(Timestamp now, double bits_per_second) {
  *this = RateControl(now, bits_per_second, limits_);
}

}  // namespace stoa::bwe
