#include "proto/rtcp/congestion_feedback.h"

#include "proto/rtcp/limits.h"

namespace stoa::rtcp {

// |R|ECN|  arrival time offset    |
PacketMetric PacketMetric::load(const std::uint8_t* at) {
  std::uint16_t bits = load_u16(at);
  if (!(bits & 0x8000)) return {};  // RFC 8888 §3.1: the other bits of a lost packet are ignored.
  return {true, static_cast<Ecn>(bits >> 13 & 3), static_cast<std::uint16_t>(bits & 0x1fff)};
}

std::uint16_t PacketMetric::bits() const {
  if (!is_received) return 0;
  return static_cast<std::uint16_t>(0x8000 | static_cast<unsigned>(ecn) << 13 | (offset & 0x1fff));
}

std::uint16_t PacketMetric::offset_of(Duration age) {
  if (age < Duration()) return kOffsetUnknown;
  if (age >= Duration::from_ticks(kOffsetOver, 1024)) return kOffsetOver;
  std::int64_t ticks = age.to_ticks(1024);
  return ticks >= kOffsetOver ? kOffsetOver : static_cast<std::uint16_t>(ticks);
}

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |                             SSRC                              |
// |        first sequence         |       number of metrics       |
// |            metric             |            metric …           |
std::optional<CongestionReport> CongestionReports::next() {
  if (!ok() || reader_.at_end()) return std::nullopt;
  CongestionReport report;
  report.ssrc = reader_.u32();
  report.first_sequence = reader_.u16();
  std::size_t count = reader_.u16();
  if (count > kCongestionMetricsMax) {
    is_ok_ = false;
    return std::nullopt;
  }
  report.metrics = Items<PacketMetric>(reader_.take(count * PacketMetric::kBytes));
  if (count % 2 != 0) reader_.skip(PacketMetric::kBytes);
  if (!reader_.ok()) return std::nullopt;
  return report;
}

Result<CongestionFeedback, Refusal> CongestionFeedback::parse(std::uint32_t sender_ssrc, Bytes content) {
  if (content.size() < 4) return refuse(Refusal::kBadCongestionFeedback);
  Bytes reports = content.first(content.size() - 4);
  CongestionReports walk(reports);
  while (walk.next()) {
  }
  if (!walk.ok()) return refuse(Refusal::kBadCongestionFeedback);
  return CongestionFeedback{sender_ssrc, reports, load_u32(content.data() + reports.size())};
}

}  // namespace stoa::rtcp
