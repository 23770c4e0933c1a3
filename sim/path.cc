#include "sim/path.h"

#include <algorithm>
#include <cmath>

#include "base/assert.h"

namespace stoa::sim {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// The last step at or before `at`. Requires: steps that begin at zero.
template <typename Step>
std::size_t step_at(const std::vector<Step>& steps, Duration at) {
  auto after = std::upper_bound(steps.begin(), steps.end(), at,
                                [](Duration time, const Step& step) { return time < step.at; });
  return after == steps.begin() ? 0 : static_cast<std::size_t>(after - steps.begin()) - 1;
}

template <typename Step>
bool begins_at_zero_in_order(const std::vector<Step>& steps) {
  auto by_time = [](const Step& a, const Step& b) { return a.at < b.at; };
  return steps.empty() || (steps[0].at == Duration() && std::is_sorted(steps.begin(), steps.end(), by_time));
}

Duration time_of(std::uint64_t bytes, std::uint64_t bits_per_second) {
  unsigned __int128 bits = static_cast<unsigned __int128>(bytes) * 8;
  return Duration::nanoseconds(static_cast<std::int64_t>(bits * kSecond / bits_per_second));
}

}  // namespace

PathCore::PathCore(const PathConfig& config, Rng rng, Timestamp start)
    : config_(config), rng_(rng), start_(start), free_at_(start), last_arrival_(start) {
  STOA_ASSERT(begins_at_zero_in_order(config_.capacity) && begins_at_zero_in_order(config_.delay));
  for (const CapacityStep& step : config_.capacity)
    STOA_ASSERT(step.bits_per_second == 0 || step.bits_per_second >= kCapacityMin);
  if (config_.codel) codel_.emplace(*config_.codel);
}

void PathCore::configure(Timestamp now, const PathConfig& config) {
  STOA_ASSERT(begins_at_zero_in_order(config.capacity) && begins_at_zero_in_order(config.delay));
  serve(now);
  const bool is_same_codel = config_.codel.has_value() == config.codel.has_value() &&
                             (!config.codel || (config_.codel->target == config.codel->target &&
                                                config_.codel->interval == config.codel->interval));
  config_ = config;
  if (!is_same_codel) codel_ = config.codel ? std::optional<Codel>(*config.codel) : std::nullopt;
  // An outage without an end, in which it has begun to send: what it began is lost.
  if (free_at_ == Timestamp::never()) free_at_ = now;
}

std::uint64_t PathCore::capacity(Timestamp now) const {
  if (config_.capacity.empty()) return 0;
  return config_.capacity[step_at(config_.capacity, now - start_)].bits_per_second;
}

Duration PathCore::delay_at(Timestamp at) const {
  return config_.delay.empty() ? Duration() : config_.delay[step_at(config_.delay, at - start_)].delay;
}

bool PathCore::has_place(Timestamp now, std::uint32_t bytes) const {
  if (config_.queue_bytes_max > 0) return queued_bytes_ + bytes <= config_.queue_bytes_max;
  return queue_.empty() || queue_delay(now) <= config_.queue_max;
}

Duration PathCore::queue_delay(Timestamp now) const {
  if (config_.capacity.empty()) return {};
  std::size_t i = step_at(config_.capacity, now - start_);
  while (i > 0 && config_.capacity[i].bits_per_second == 0) --i;
  std::uint64_t rate = config_.capacity[i].bits_per_second;
  if (rate == 0) return {};
  Duration waiting = time_of(queued_bytes_, rate);
  return free_at_ > now ? waiting + std::min(free_at_ - now, time_of(in_service_bytes_, rate)) : waiting;
}

bool PathCore::send(Timestamp now, const Packet& packet) {
  ++stats_.sent;
  if (packet.bytes > config_.mtu_bytes) {
    ++stats_.too_long;
    return false;
  }
  serve(now);
  if (queue_.size() + line_.size() >= kPathPacketsMax) {
    ++stats_.dropped;
    return false;
  }
  if (free_at_ <= now && queue_.empty()) {
    if (codel_) codel_->should_drop(now, {}, 0);  // It has to know that the queue was empty.
    transmit(now, {packet, now}, false);
    return true;
  }
  if (!has_place(now, packet.bytes)) {
    ++stats_.dropped;
    return false;
  }
  queued_bytes_ += packet.bytes;
  queue_.push_back({packet, now});
  return true;
}

// Begins to transmit whatever the bottleneck comes to by `now`.
void PathCore::serve(Timestamp now) {
  while (!queue_.empty() && free_at_ <= now) {
    Waiting next = queue_.pop_front();
    queued_bytes_ -= next.packet.bytes;
    Duration waited = free_at_ - next.since;
    bool can_mark = next.packet.can_ecn;
    bool is_marked = can_mark && config_.marking == Marking::kThreshold && waited > config_.mark_above;
    if (codel_ && codel_->should_drop(free_at_, waited, queued_bytes_)) {
      if (!can_mark || config_.marking != Marking::kCodel) {
        ++stats_.dropped;
        add_outcome({.packet = next.packet, .at = free_at_, .waited = waited});
        continue;
      }
      is_marked = true;
    }
    transmit(free_at_, next, is_marked);
  }
}

Timestamp PathCore::finish_of(Timestamp begin, std::uint64_t bytes) {
  if (config_.capacity.empty()) return begin;
  std::uint64_t bits = bytes * 8;
  for (std::size_t i = step_at(config_.capacity, begin - start_);; ++i) {
    std::uint64_t rate = config_.capacity[i].bits_per_second;
    bool is_last = i + 1 == config_.capacity.size();
    if (is_last && rate == 0) return Timestamp::never();
    if (rate > 0) {
      Timestamp end =
          begin + Duration::nanoseconds(static_cast<std::int64_t>((bits * kSecond + rate - 1) / rate));
      if (is_last || end <= start_ + config_.capacity[i + 1].at) return end;
    }
    Timestamp step_end = start_ + config_.capacity[i + 1].at;
    auto served = static_cast<std::uint64_t>(static_cast<double>(rate) * (step_end - begin).as_seconds());
    bits -= std::min(bits, served);
    begin = step_end;
  }
}

void PathCore::transmit(Timestamp begin, const Waiting& waiting, bool is_marked) {
  Timestamp finish = free_at_ = finish_of(begin, waiting.packet.bytes);
  in_service_bytes_ = waiting.packet.bytes;
  Outcome outcome{
      .packet = waiting.packet, .at = finish, .waited = begin - waiting.since, .is_marked = is_marked};
  if (finish == Timestamp::never()) return add_outcome(outcome);
  stats_.served_bytes += waiting.packet.bytes;
  if (is_marked) ++stats_.marked;
  if (is_lost()) {
    ++stats_.lost;
    return add_outcome(outcome);
  }
  outcome.is_delivered = true;
  if (config_.corruption > 0 && rng_.chance(config_.corruption)) {
    outcome.is_corrupt = true;
    ++stats_.corrupted;
  }
  outcome.at = finish + delay_at(finish) + draw_jitter();
  if (config_.reordering > 0 && rng_.chance(config_.reordering)) {
    outcome.at += config_.reordering_delay;
    ++stats_.held_back;
  } else if (config_.keeps_order) {
    outcome.at = last_arrival_ = std::max(outcome.at, last_arrival_);
  }
  if (config_.duplication > 0 && rng_.chance(config_.duplication)) {
    outcome.is_last = false;
    add_outcome(outcome);
    outcome.is_last = true;
    ++stats_.duplicated;
  }
  add_outcome(outcome);
}

bool PathCore::is_lost() {
  if (config_.burst_enter > 0) {
    is_in_burst_ = is_in_burst_ ? !rng_.chance(config_.burst_leave) : rng_.chance(config_.burst_enter);
    if (is_in_burst_ && rng_.chance(config_.burst_loss)) return true;
  }
  return config_.loss > 0 && rng_.chance(config_.loss);
}

Duration PathCore::draw_jitter() {
  if (config_.jitter <= Duration()) return {};
  // Marsaglia's polar method; what lies beyond three deviations is drawn anew.
  for (;;) {
    double u = 2 * rng_.unit() - 1, v = 2 * rng_.unit() - 1, s = u * u + v * v;
    if (s >= 1 || s == 0) continue;
    double gaussian = u * std::sqrt(-2 * std::log(s) / s);
    if (std::abs(gaussian) > 3) continue;
    return Duration::from_seconds(config_.jitter.as_seconds() * (0.5 + gaussian / 6));
  }
}

void PathCore::add_outcome(const Outcome& outcome) {
  line_.insert(outcome, [](const Outcome& a, const Outcome& b) { return a.at < b.at; });
}

std::optional<PathCore::Outcome> PathCore::take_outcome(Timestamp now) {
  serve(now);
  if (line_.empty() || line_.front().at > now) return std::nullopt;
  Outcome outcome = line_.pop_front();
  if (outcome.is_delivered) ++stats_.delivered;
  return outcome;
}

}  // namespace stoa::sim
