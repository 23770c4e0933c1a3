// What a receiver tells the sender: gathered into as few RTCP datagrams as it takes, compound (RFC 3550
// §6.1) unless reduced size was agreed upon (RFC 5506).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/time.h"
#include "proto/rtcp/arrival_log.h"
#include "proto/rtcp/writer.h"
#include "session/webrtc/receiver.h"

namespace stoa::webrtc {

class FeedbackWriter {
 public:
  FeedbackWriter(std::uint32_t local_ssrc, std::string cname, bool is_reduced_size)
      : ssrc_(local_ssrc), cname_(std::move(cname)), is_reduced_size_(is_reduced_size) {}

  // What was agreed upon anew. Counts from the next datagram on.
  void set_reduced_size(bool is_reduced_size) { is_reduced_size_ = is_reduced_size; }

  // A datagram may be sent before it ends, when it is full; finish() sends what is left.
  void write_pli(std::uint32_t media_ssrc, ReceiverOutputs& out);
  void write_fir(std::uint32_t media_ssrc, std::uint8_t command, ReceiverOutputs& out);
  void write_nack(std::uint32_t media_ssrc, std::span<const std::uint16_t> sequences, ReceiverOutputs& out);
  void write_arrivals(rtcp::ArrivalLog& log, std::uint32_t media_ssrc, ReceiverOutputs& out);
  void write_arrivals(Timestamp now, rtcp::NtpTime ntp, rtcp::CongestionLog& log, ReceiverOutputs& out);
  void write_remb(std::uint64_t bits_per_second, std::span<const std::uint32_t> sources,
                  ReceiverOutputs& out);
  // A report begins a datagram of its own.
  void write_report(std::span<const rtcp::ReportBlock> blocks, ReceiverOutputs& out);
  void write_reference_time(rtcp::NtpTime ntp, ReceiverOutputs& out);
  void write_delays(std::span<const rtcp::DlrrItem> items, ReceiverOutputs& out);
  void finish(ReceiverOutputs& out);

 private:
  void begin();
  // Calls `write` until it says true, at most twice: with the room that is left, then in a new datagram.
  template <typename Write>
  void write_whole(ReceiverOutputs& out, Write write);

  std::uint32_t ssrc_;
  std::string cname_;
  bool is_reduced_size_;
  rtcp::Writer writer_;
};

}  // namespace stoa::webrtc
