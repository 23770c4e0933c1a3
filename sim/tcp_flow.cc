#include "sim/tcp_flow.h"

#include <algorithm>
#include <cmath>

namespace stoa::sim {
namespace {

constexpr double kInitialWindow = 10, kWindowMin = 2;  // RFC 6928; segments.
constexpr double kCubicC = 0.4, kCubicBeta = 0.7, kRenoBeta = 0.5;
constexpr std::uint64_t kPayloadBytes = kTcpSegmentBytes - 52;
constexpr Duration kTimeoutStart = Duration::seconds(1), kTimeoutMax = Duration::seconds(60);
constexpr Duration kTimeoutMin = Duration::milliseconds(200);
constexpr Duration kDelayedAck = Duration::milliseconds(40);
constexpr std::int64_t kNoEnd = std::int64_t{1} << 60;

}  // namespace

TcpFlow::TcpFlow(const Config& config, Rng rng) : config_(config), rng_(rng), next_open_(config.start) {
  if (config_.begins_with_pause)
    next_open_ += Duration::from_seconds(-config_.pause.as_seconds() * std::log(1 - rng_.unit()));
}

// A new connection: it knows nothing of the one before.
void TcpFlow::open(Timestamp now) {
  std::uint64_t spread = config_.file_bytes_max - config_.file_bytes_min + 1;
  std::uint64_t bytes = config_.file_bytes_min + rng_.below(spread);
  end_ = config_.file_bytes_max == 0
             ? kNoEnd
             : next_ + static_cast<std::int64_t>((bytes + kPayloadBytes - 1) / kPayloadBytes);
  window_ = kInitialWindow;
  threshold_ = 1e9;
  window_max_ = 0;
  recover_ = next_;
  newest_delivered_ = now;
  round_trip_ = {};
  round_trip_min_ = Duration::infinite();
  timeout_ = kTimeoutStart;
  next_open_ = Timestamp::never();
}

void TcpFlow::handle_deadline(Timestamp now, Departures& out) {
  if (now >= acknowledge_at_) acknowledge(now, out);
  if (now >= next_open_) open(now);
  if (now >= timeout_at_) handle_timeout(now);
  send_more(now, out);
}

Timestamp TcpFlow::next_deadline() const { return std::min({next_open_, timeout_at_, acknowledge_at_}); }

void TcpFlow::handle_arrival(Timestamp now, FlowPath::Arrival& arrival, Departures& out) {
  const FlowPacket& packet = arrival.payload;
  if (!packet.is_reply) return receive(now, packet, out);
  handle_acknowledgement(now, packet.sequence, packet.echo, packet.sent_at);
  send_more(now, out);
}

void TcpFlow::receive(Timestamp now, const FlowPacket& packet, Departures& out) {
  bool is_in_order = packet.sequence == expected_;
  if (packet.sequence >= expected_) {
    auto index = static_cast<std::size_t>(packet.sequence - expected_);
    while (beyond_.size() <= index) beyond_.push_back(0);
    beyond_[index] = 1;
  }
  bool had_gap = beyond_.size() > 1;
  for (; !beyond_.empty() && beyond_.front() != 0; ++expected_, stats_.delivered_bytes += kPayloadBytes)
    beyond_.pop_front();
  // The newest segment speaks for itself and the one that waits.
  unacknowledged_ = packet;
  ++unacknowledged_count_;
  acknowledge_at_ = std::min(acknowledge_at_, now + kDelayedAck);
  if (unacknowledged_count_ >= 2 || !is_in_order || had_gap) acknowledge(now, out);
}

void TcpFlow::acknowledge(Timestamp, Departures& out) {
  FlowPacket reply{.is_reply = true, .sequence = expected_, .echo = unacknowledged_.sequence};
  reply.sent_at = unacknowledged_.sent_at;  // An echo, as of RFC 7323's timestamps.
  out.push(Departure{kTcpAckBytes, std::move(reply)});
  unacknowledged_count_ = 0;
  acknowledge_at_ = Timestamp::never();
}

void TcpFlow::measure_round_trip(Duration sample) {
  round_trip_min_ = std::min(round_trip_min_, sample);
  if (round_trip_ == Duration()) {
    round_trip_ = sample;
    round_trip_var_ = sample / 2;
  } else {
    round_trip_var_ = (round_trip_var_ * 3 + (round_trip_ - sample).abs()) / 4;
    round_trip_ = (round_trip_ * 7 + sample) / 8;
  }
  timeout_ = std::clamp(round_trip_ + round_trip_var_ * 4, kTimeoutMin, kTimeoutMax);
}

void TcpFlow::handle_acknowledgement(Timestamp now, std::int64_t next_expected, std::int64_t segment,
                                     Timestamp sent_at) {
  std::int64_t newly = 0;
  auto mark = [&](Segment& one) {
    if (one.is_acknowledged) return;
    one.is_acknowledged = true;
    ++newly;
    --(one.is_lost ? lost_ : in_flight_);
  };
  if (segment >= first() && segment < next_) mark(segments_[static_cast<std::size_t>(segment - first())]);
  while (!segments_.empty() && first() < next_expected) {
    mark(segments_.front());
    segments_.pop_front();
  }
  if (newly == 0) return;
  measure_round_trip(now - sent_at);
  newest_delivered_ = std::max(newest_delivered_, sent_at);
  timeout_at_ = now + timeout_;
  bool is_recovering = first() < recover_;
  find_losses(now);
  if (!is_recovering && first() >= recover_) grow(now, static_cast<double>(newly));
  if (segments_.empty() && next_ >= end_) {
    ++stats_.files;
    timeout_at_ = Timestamp::never();
    next_open_ = now + Duration::from_seconds(-config_.pause.as_seconds() * std::log(1 - rng_.unit()));
  }
}

// What was sent well before something that has arrived is lost.
void TcpFlow::find_losses(Timestamp now) {
  Timestamp before = newest_delivered_ - round_trip_min_ / 4;
  bool found = false;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    Segment& one = segments_[i];
    if (one.is_acknowledged || one.is_lost || one.sent_at >= before) continue;
    one.is_lost = found = true;
    --in_flight_;
    ++lost_;
  }
  if (found && first() >= recover_) shrink(now);
}

void TcpFlow::shrink(Timestamp now) {
  bool is_cubic = config_.growth == Growth::kCubic;
  // Fast convergence: who grows less than before gives way (RFC 9438 §4.7).
  window_max_ = is_cubic && window_ < window_max_ ? window_ * (1 + kCubicBeta) / 2 : window_;
  window_ = threshold_ = std::max(window_ * (is_cubic ? kCubicBeta : kRenoBeta), kWindowMin);
  window_reno_ = window_;
  cubic_seconds_ = std::cbrt((window_max_ - window_) / kCubicC);
  epoch_ = now;
  recover_ = next_;
  ++stats_.recoveries;
}

double TcpFlow::cubic_target(Timestamp now) const {
  double t = (now - epoch_).as_seconds() + round_trip_.as_seconds() - cubic_seconds_;
  return std::clamp(kCubicC * t * t * t + window_max_, window_, 1.5 * window_);
}

void TcpFlow::grow(Timestamp now, double acknowledged) {
  // Who does not use its window learns nothing of it (RFC 7661 in short).
  if (static_cast<double>(in_flight_) + acknowledged < window_ / 2) return;
  if (window_ < threshold_) {
    window_ += acknowledged;
  } else if (config_.growth == Growth::kNewReno) {
    window_ += acknowledged / window_;
  } else {
    constexpr double kAlpha = 3 * (1 - kCubicBeta) / (1 + kCubicBeta);
    window_reno_ += kAlpha * acknowledged / window_;
    window_ += (cubic_target(now) - window_) / window_ * acknowledged;
    window_ = std::max(window_, window_reno_);
  }
}

void TcpFlow::handle_timeout(Timestamp now) {
  ++stats_.timeouts;
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (segments_[i].is_acknowledged || segments_[i].is_lost) continue;
    segments_[i].is_lost = true;
    ++lost_;
  }
  in_flight_ = 0;
  shrink(now);
  window_ = 1;
  timeout_ = std::min(timeout_ * 2, kTimeoutMax);
  timeout_at_ = now + timeout_;
}

void TcpFlow::send_segment(Timestamp now, std::int64_t sequence, Departures& out) {
  out.push(Departure{kTcpSegmentBytes, {.sequence = sequence, .sent_at = now}});
  if (timeout_at_ == Timestamp::never()) timeout_at_ = now + timeout_;
  ++stats_.sent;
  ++in_flight_;
}

void TcpFlow::send_more(Timestamp now, Departures& out) {
  if (now >= config_.stop) end_ = next_;
  for (std::size_t i = 0; lost_ > 0 && i < segments_.size() && static_cast<double>(in_flight_) < window_;
       ++i) {
    Segment& one = segments_[i];
    if (!one.is_lost || one.is_acknowledged) continue;
    one.is_lost = false;
    one.sent_at = now;
    --lost_;
    ++stats_.retransmitted;
    send_segment(now, first() + static_cast<std::int64_t>(i), out);
  }
  while (next_ < end_ && lost_ == 0 && static_cast<double>(in_flight_) < window_) {
    segments_.push_back({.sent_at = now});
    send_segment(now, next_++, out);
  }
}

}  // namespace stoa::sim
