// Congestion control feedback of RFC 8888 §3.1: for each source and packet whether, when and with what ECN
// mark it arrived. CongestionLog (arrival_log.h) makes such packets; this is what is on the wire.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/datagram.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/rtcp/items.h"
#include "proto/rtcp/refusal.h"

namespace stoa::rtcp {

// One packet. `offset` counts 1/1024 s back from the report's time.
struct PacketMetric {
  static constexpr std::uint16_t kOffsetOver = 0x1ffe;     // 8190/1024 s or longer ago.
  static constexpr std::uint16_t kOffsetUnknown = 0x1fff;  // Not measured, or after the report's time.

  bool is_received = false;
  Ecn ecn = Ecn::kNotCapable;
  std::uint16_t offset = 0;

  bool operator==(const PacketMetric&) const = default;
  static constexpr std::size_t kBytes = 2;
  static PacketMetric load(const std::uint8_t* at);
  std::uint16_t bits() const;

  // How long before the report it arrived; nothing when that is not known exactly.
  std::optional<Duration> age() const {
    if (!is_received || offset >= kOffsetOver) return std::nullopt;
    return Duration::from_ticks(offset, 1024);
  }
  static std::uint16_t offset_of(Duration age);
};

// The packets first_sequence, first_sequence + 1, … of one source.
struct CongestionReport {
  std::uint32_t ssrc = 0;
  std::uint16_t first_sequence = 0;
  Items<PacketMetric> metrics;
};

class CongestionReports {
 public:
  explicit CongestionReports(Bytes reports) : reader_(reports) {}
  std::optional<CongestionReport> next();
  // False when the walk met a report that does not fit.
  bool ok() const { return is_ok_ && reader_.ok(); }

 private:
  ByteReader reader_;
  bool is_ok_ = true;
};

struct CongestionFeedback {
  std::uint32_t sender_ssrc = 0;
  Bytes report_bytes;
  std::uint32_t report_time = 0;  // Compact NTP time.

  // `content` is what stands behind the sender's SSRC.
  static Result<CongestionFeedback, Refusal> parse(std::uint32_t sender_ssrc, Bytes content);
  CongestionReports reports() const { return CongestionReports(report_bytes); }
};

}  // namespace stoa::rtcp
