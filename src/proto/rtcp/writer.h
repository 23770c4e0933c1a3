// Writes RTCP packets one behind the other into a datagram, compound or reduced-size as the caller begins it
// (RFC 3550 §6.1: SR or RR first, then SDES with a CNAME; RFC 5506 waives both).
//
// Each call writes whole packets or, when they do not fit, nothing, and says so. The buffer is kept from one
// datagram to the next: clear() allocates nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "proto/rtcp/limits.h"
#include "proto/rtcp/packet.h"

namespace stoa::rtcp {

inline std::uint8_t* store_u16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
  return at + 2;
}
inline std::uint8_t* store_u32(std::uint8_t* at, std::uint32_t value) {
  return store_u16(store_u16(at, static_cast<std::uint16_t>(value >> 16)), static_cast<std::uint16_t>(value));
}

// What goes out for one source in a CongestionFeedback; at most kCongestionMetricsMax metrics.
struct CongestionReportOut {
  std::uint32_t ssrc = 0;
  std::uint16_t first_sequence = 0;
  std::span<const PacketMetric> metrics;
};

class Writer {
 public:
  // limit_bytes: of a datagram, before SRTCP adds its own. Requires: a multiple of four.
  explicit Writer(std::size_t limit_bytes = kDatagramBytes);

  bool empty() const { return out_.empty(); }
  std::size_t remaining() const { return limit_bytes_ - out_.size(); }
  Bytes view() const { return out_; }
  Buffer take();
  void clear() { out_.clear(); }

  // Blocks beyond kReportBlocksMax follow in further receiver reports (RFC 3550 §6.1).
  bool write_sender_report(std::uint32_t ssrc, const SenderFacts& sender,
                           std::span<const ReportBlock> blocks);
  bool write_receiver_report(std::uint32_t ssrc, std::span<const ReportBlock> blocks);
  // One chunk for each run of items of equal SSRC. Requires: at most 31 of them, texts of at most 255 bytes.
  bool write_source_description(std::span<const SdesItem> items);
  bool write_cname(std::uint32_t ssrc, std::string_view cname);
  // Requires: at most 31 sources, a reason of at most 255 bytes.
  bool write_bye(std::span<const std::uint32_t> sources, std::string_view reason);
  // Requires: subtype <= 31, content a multiple of four bytes.
  bool write_app(const App& app);

  // `sequences` in the order of the stream. Says how many of them found place, from the first on.
  std::size_t write_nack(std::uint32_t sender_ssrc, std::uint32_t media_ssrc,
                         std::span<const std::uint16_t> sequences);
  bool write_pli(std::uint32_t sender_ssrc, std::uint32_t media_ssrc);
  bool write_fir(std::uint32_t sender_ssrc, std::span<const FirItem> items);
  // The rate is rounded down to 18 bits. Requires: at most kRembSourcesMax sources.
  bool write_remb(std::uint32_t sender_ssrc, std::uint64_t bits_per_second,
                  std::span<const std::uint32_t> sources);
  bool write_congestion_feedback(std::uint32_t sender_ssrc, std::span<const CongestionReportOut> reports,
                                 std::uint32_t report_time);
  // Transport-wide feedback: TransportFeedbackBuilder::write().

  // Extended reports, each a packet of its own.
  bool write_reference_time(std::uint32_t sender_ssrc, NtpTime now);
  bool write_delay_since_last(std::uint32_t sender_ssrc, std::span<const DlrrItem> items);

  // Appends a header and `body_bytes` zeros to be filled in; null when there is no place. Requires: count <=
  // 31, body_bytes a multiple of four.
  std::uint8_t* append(PacketType type, unsigned count, std::size_t body_bytes);

 private:
  Buffer out_;
  std::size_t limit_bytes_;
};

}  // namespace stoa::rtcp
