#include "bwe/uplink_limit.h"

#include <algorithm>
#include <cmath>

namespace stoa::bwe {
namespace {

// A queue this long that stands so long is more than what a keyframe leaves behind …
constexpr Duration kFull = Duration::milliseconds(120);
constexpr Duration kFullFor = Duration::milliseconds(60);
// … and more than this is no queue of a line, but what waited for one to come back.
constexpr Duration kQueueMax = Duration::seconds(2);
constexpr Duration kEmpty = Duration::milliseconds(40);
// What comes while a queue stands is what the line carries.
constexpr Duration kRateWindow = Duration::milliseconds(250), kRateWindowMin = Duration::milliseconds(100);
// Of what the line carries, when the queue is gone; and what is left out besides, so that it is gone within a
// second.
constexpr double kHeld = 0.9, kLeftOutMax = 0.4;
// Delay that grows by so much, and by so many times what passed since the packet before, has stepped.
constexpr Duration kStepMin = Duration::milliseconds(100);
constexpr std::int64_t kStepTimes = 5;
constexpr double kAsBefore = 0.7;
// A line over which nothing comes for so long stands still.
constexpr Duration kStall = Duration::milliseconds(100);
// A line is narrow before a packet is here that waited: what came while nothing did is forgotten by and by.
constexpr Duration kFreeHalved = Duration::seconds(1);
// What is said takes two round trips, the queue among them, and an encoder's time to be seen.
constexpr Duration kSeenAfter = Duration::milliseconds(700), kReaction = Duration::milliseconds(300);
constexpr double kShrinks = 0.85;  // To so much of what it was, or it does not.
constexpr int kDrainsMax = 3;
// Headers, redundant sound, and repeats; what browsers have left of a limit they fill with padding.
constexpr double kUncountedFirst = 0.25, kUncountedMax = 0.4;
constexpr double kUncountedWeight = 1.0 / 32;
constexpr Duration kUncountedKept = Duration::seconds(10);  // After a limit.
// A line that becomes wide again is not known of so long.
constexpr Duration kHold = Duration::seconds(2);
constexpr Duration kGivenUpFor = Duration::seconds(30);
constexpr Duration kSilence = Duration::seconds(1);
constexpr Duration kRepeatEvery = Duration::milliseconds(300);
constexpr int kLiftRepeats = 3;

}  // namespace

void UplinkLimit::handle_packet(Timestamp now, std::uint32_t bytes) {
  if (!began_) began_ = now;
  received_.add(now - *began_, bytes);
  bytes_since_ += bytes;
  if (!came_at_ || now - *came_at_ > kStall) resumed_at_ = now;
  came_at_ = now;
}

// By much more than what passed, while all else came as before: then nothing waits.
bool UplinkLimit::has_stepped(Timestamp now, Duration sent) const {
  const Duration passed = now - *newest_at_, between = sent - newest_sent_, grown = passed - between;
  if (grown <= kStepMin || grown <= between * kStepTimes) return false;
  return static_cast<double>(bytes_since_) * 8 > kAsBefore * came_rate_ * passed.as_seconds();
}

void UplinkLimit::handle_sent(Timestamp now, Duration sent) {
  if (!began_) began_ = now;
  if (newest_at_ && (now - *newest_at_ > kSilence || has_stepped(now, sent))) forget_clock();
  const Duration passed = newest_at_ ? now - *newest_at_ : Duration();
  newest_at_ = now;
  newest_sent_ = sent;
  bytes_since_ = 0;
  // A queue that stands for minutes is not the way itself.
  queue_.hold_base(state_ != State::kOpen);
  queue_.add(Timestamp() + sent, now - *began_, 0);
  update(now, passed);
}

void UplinkLimit::forget_clock() {
  queue_.clear();
  full_since_.reset();
  busy_since_.reset();
}

// Bits a second, of a line that is busy: at least for as long as the newest packets waited for it, but not
// while it stood still.
std::optional<double> UplinkLimit::rate(Timestamp now) const {
  if (!busy_since_) return std::nullopt;
  const Duration busy = std::min(std::max(now - *busy_since_, queue_.newest()), now - resumed_at_);
  if (busy < kRateWindowMin) return std::nullopt;
  return received_.rate(std::min(kRateWindow, busy), kRateWindowMin);
}

void UplinkLimit::enter(Timestamp now, State state, double limit) {
  state_ = state;
  entered_at_ = now;
  const std::uint64_t bits = std::clamp(static_cast<std::uint64_t>(std::max(limit, 0.0)), kLeast, kNone);
  if (bits == limit_) return;
  limit_ = bits;
  repeats_ = kLiftRepeats;
  told_at_ = now - kRepeatEvery;
}

Duration UplinkLimit::step() const { return std::max(kSeenAfter, round_trip_ * 2 + kReaction); }

void UplinkLimit::begin_drain(Timestamp now, double rate) {
  if (state_ == State::kOpen && now - entered_at_ > kUncountedKept) uncounted_ = kUncountedFirst;
  ++begun_count_;
  drains_ = 0;
  drain(now, rate);
}

void UplinkLimit::drain(Timestamp now, double rate) {
  ++drains_;
  capacity_ = rate;
  queue_then_ = queue_.newest();
  const double left_out = std::min(kLeftOutMax, queue_then_.as_seconds());
  enter(now, State::kDraining, std::min(said_for(rate * (kHeld - left_out)), static_cast<double>(limit_)));
}

void UplinkLimit::update(Timestamp now, Duration passed) {
  const Duration waited = queue_.newest();
  if (waited < kEmpty) {
    busy_since_.reset();
    came_rate_ = received_.rate(kRateWindow, kRateWindowMin).value_or(0);
    free_rate_ =
        std::max(free_rate_ * std::exp2(-passed.as_seconds() / kFreeHalved.as_seconds()), came_rate_);
  } else if (!busy_since_) {
    busy_since_ = now;
  }
  if (waited < kFull || waited > kQueueMax) {
    full_since_.reset();
  } else if (!full_since_) {
    full_since_ = now;
    full_then_ = waited;
  }
  const std::optional<double> rate = this->rate(now);
  // What shrinks by itself is what a keyframe left behind.
  const bool is_full = rate && full_since_ && now - *full_since_ >= kFullFor &&
                       waited.as_seconds() > full_then_.as_seconds() * kShrinks;
  const Duration since = now - entered_at_;
  switch (state_) {
    case State::kOpen:
      if (is_full && *rate > static_cast<double>(kLeast)) begin_drain(now, *rate);
      return;
    case State::kDraining:
      if (waited < kEmpty) return enter(now, State::kHolding, said_for(capacity_ * kHeld));
      if (since < step() || !rate) return;
      if (waited.as_seconds() <= queue_then_.as_seconds() * kShrinks) {
        queue_then_ = waited;
        entered_at_ = now;
      } else if (drains_ < kDrainsMax) {
        drain(now, std::min(*rate, capacity_));
      } else {
        forget_clock();
        enter(now, State::kGivenUp, kNone);
      }
      return;
    case State::kHolding:
      if (const auto all = received_.rate(kRateWindow, kRateWindow); all && since >= step()) {
        const double beyond = std::min(*all / static_cast<double>(limit_) - 1, kUncountedMax);
        uncounted_ = std::max(0.0, uncounted_ + (beyond - uncounted_) * kUncountedWeight);
      }
      if (is_full) {
        begin_drain(now, *rate);
      } else if (since >= kHold) {
        enter(now, State::kOpen, kNone);
      }
      return;
    case State::kGivenUp:
      if (since >= kGivenUpFor) enter(now, State::kOpen, kNone);
      return;
  }
}

std::optional<std::uint64_t> UplinkLimit::take_news(Timestamp now) {
  if (limit_ != kNone && newest_at_ && now - *newest_at_ > kSilence) enter(now, State::kOpen, kNone);
  const bool is_due = limit_ != kNone || repeats_ > 0;
  if (!is_due || now - told_at_ < kRepeatEvery) return std::nullopt;
  told_at_ = now;
  if (repeats_ > 0) --repeats_;
  return limit_;
}

}  // namespace stoa::bwe
