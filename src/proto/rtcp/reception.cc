#include "proto/rtcp/reception.h"

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"
#include "proto/rtcp/limits.h"

namespace stoa::rtcp {
namespace {

// A transit time that steps further than this is a new clock, not jitter.
constexpr std::int64_t kTransitStepSecondsMax = 5;

}  // namespace

Reception::Reception(std::uint32_t ssrc, std::uint32_t clock_rate) : ssrc_(ssrc), clock_rate_(clock_rate) {
  STOA_ASSERT(clock_rate > 0 && clock_rate <= kClockRateMax);
}

void Reception::start(std::int64_t sequence) {
  first_ = sequence;
  received_ = 0;
  expected_before_ = received_before_ = 0;
  transit_.reset();
}

bool Reception::handle_packet(Timestamp now, std::uint16_t sequence, std::uint32_t rtp_time) {
  auto [step, extended] = extender_.place(sequence);
  switch (step) {
    case SequenceExtender::Step::kDoubted: return false;
    case SequenceExtender::Step::kRestart: ++restarts_; [[fallthrough]];
    case SequenceExtender::Step::kFirst: start(extended); break;
    case SequenceExtender::Step::kForward:
    case SequenceExtender::Step::kLate: break;
  }
  ++received_;
  is_heard_ = true;
  update_jitter(now, rtp_time);
  return true;
}

// RFC 3550 A.8, in integers: jitter += (|D| - jitter) / 16, rounded, kept in sixteenths. Deviates where the
// transit time jumps by more than kTransitStepSecondsMax: such a step is not counted.
void Reception::update_jitter(Timestamp now, std::uint32_t rtp_time) {
  auto arrival = static_cast<std::uint32_t>((now - Timestamp()).to_ticks(clock_rate_));
  std::uint32_t transit = arrival - rtp_time;
  if (transit_) {
    std::int64_t step = std::abs(std::int64_t{static_cast<std::int32_t>(transit - *transit_)});
    if (step <= kTransitStepSecondsMax * clock_rate_)
      jitter_ = static_cast<std::uint32_t>(jitter_ + step - ((jitter_ + 8) >> 4));
  }
  transit_ = transit;
}

std::int64_t Reception::expected() const {
  return extender_.is_started() ? extender_.highest() - first_ + 1 : 0;
}

Duration Reception::jitter() const { return Duration::from_ticks(jitter_ >> 4, clock_rate_); }

std::optional<ReportBlock> Reception::take_report_block(Timestamp now) {
  if (!is_heard_ || !extender_.is_started()) return std::nullopt;
  is_heard_ = false;
  ReportBlock block{.ssrc = ssrc_};
  std::int64_t expected_interval = expected() - expected_before_;
  std::int64_t lost_interval = expected_interval - (received_ - received_before_);
  expected_before_ = expected();
  received_before_ = received_;
  if (expected_interval > 0 && lost_interval > 0)
    block.fraction_lost =
        static_cast<std::uint8_t>(std::min<std::int64_t>(lost_interval * 256 / expected_interval, 255));
  block.cumulative_lost = static_cast<std::int32_t>(std::clamp<std::int64_t>(lost(), -0x80'0000, 0x7f'ffff));
  block.highest_sequence = static_cast<std::uint32_t>(extender_.highest());
  block.jitter = jitter_ >> 4;
  block.last_sr = echo_.last();
  block.delay_since_last_sr = echo_.delay(now);
  return block;
}

}  // namespace stoa::rtcp
