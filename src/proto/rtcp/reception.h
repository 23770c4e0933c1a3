// How one source is received: what a report block says of it (RFC 3550 §6.4.1, A.3, A.8).
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"
#include "proto/rtcp/ntp.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/sequence.h"

namespace stoa::rtcp {

// What a peer said last of its clock, kept to be echoed: LSR and DLSR of a report block, LRR and DLRR of a
// DLRR item (RFC 3550 §6.4.1, RFC 3611 §4.5).
class ReportEcho {
 public:
  void handle_report(Timestamp now, NtpTime ntp) {
    last_ = ntp.compact();
    at_ = now;
  }
  // 0 until there was one.
  std::uint32_t last() const { return last_; }
  // 1/65536 s; 0 until there was one.
  std::uint32_t delay(Timestamp now) const { return last_ == 0 ? 0 : to_compact(now - at_); }
  DlrrItem item(std::uint32_t ssrc, Timestamp now) const { return {ssrc, last_, delay(now)}; }

 private:
  std::uint32_t last_ = 0;
  Timestamp at_;
};

// Counts one SSRC. Retransmissions on an SSRC of their own (RFC 4588) are a source of their own.
class Reception {
 public:
  // clock_rate: ticks of RTP time a second. Requires: in [1, kClockRateMax].
  Reception(std::uint32_t ssrc, std::uint32_t clock_rate);

  // False when the packet is not counted: a jump in its number that is not believed yet.
  bool handle_packet(Timestamp now, std::uint16_t sequence, std::uint32_t rtp_time);
  void handle_sender_report(Timestamp now, NtpTime ntp) {
    echo_.handle_report(now, ntp);
    is_heard_ = true;
  }

  // Begins a new interval. Nothing when the source was silent since the last block (RFC 3550 §6.4).
  std::optional<ReportBlock> take_report_block(Timestamp now);

  std::uint32_t ssrc() const { return ssrc_; }
  // Since the source started, or started anew.
  std::int64_t expected() const;
  std::int64_t received() const { return received_; }
  std::int64_t lost() const { return expected() - received_; }  // Negative when duplicates outweigh losses.
  Duration jitter() const;
  std::uint64_t restarts() const { return restarts_; }

 private:
  void start(std::int64_t sequence);
  void update_jitter(Timestamp now, std::uint32_t rtp_time);

  std::uint32_t ssrc_;
  std::uint32_t clock_rate_;
  SequenceExtender extender_;
  std::int64_t first_ = 0;
  std::int64_t received_ = 0;
  std::int64_t expected_before_ = 0, received_before_ = 0;  // At the last block.
  std::optional<std::uint32_t> transit_;                    // Arrival less timestamp, in ticks modulo 2^32.
  std::uint32_t jitter_ = 0;                                // In sixteenths of a tick (A.8).
  ReportEcho echo_;
  bool is_heard_ = false;
  std::uint64_t restarts_ = 0;
};

}  // namespace stoa::rtcp
