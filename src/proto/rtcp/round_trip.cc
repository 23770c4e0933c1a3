#include "proto/rtcp/round_trip.h"

#include <algorithm>

namespace stoa::rtcp {
namespace {

std::optional<Duration> believed(Duration measured) {
  if (measured < -kEchoSkewMax) return std::nullopt;
  return std::max(measured, Duration());
}

}  // namespace

std::optional<Duration> round_trip(std::uint32_t now_compact, std::uint32_t last, std::uint32_t delay) {
  if (last == 0) return std::nullopt;
  auto units = static_cast<std::int32_t>(now_compact - delay - last);
  return believed(Duration::from_ticks(units, 65'536));
}

void RoundTrip::handle_sent(Timestamp now, NtpTime ntp) {
  sent_[sent_count_++ % kSentReportsMax] = {ntp.compact(), now};
}

std::optional<Duration> RoundTrip::handle_echo(Timestamp now, std::uint32_t last, std::uint32_t delay) {
  if (last == 0) return std::nullopt;
  std::size_t held = std::min(sent_count_, kSentReportsMax);
  for (std::size_t back = 1; back <= held; ++back) {
    const Sent& sent = sent_[(sent_count_ - back) % kSentReportsMax];
    if (sent.compact != last) continue;
    auto measured = believed(now - sent.at - from_compact(delay));
    if (!measured) return std::nullopt;
    if (!latest_) {
      smoothed_ = *measured;
      variation_ = *measured / 2;
    } else {
      variation_ += ((smoothed_ - *measured).abs() - variation_) / 4;
      smoothed_ += (*measured - smoothed_) / 8;
    }
    latest_ = measured;
    return measured;
  }
  return std::nullopt;
}

}  // namespace stoa::rtcp
