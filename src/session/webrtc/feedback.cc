#include "session/webrtc/feedback.h"

#include <algorithm>

namespace stoa::webrtc {

void FeedbackWriter::begin() {
  if (!writer_.empty() || is_reduced_size_) return;
  (void)writer_.write_receiver_report(ssrc_, {});
  (void)writer_.write_cname(ssrc_, cname_);
}

template <typename Write>
void FeedbackWriter::write_whole(ReceiverOutputs& out, Write write) {
  begin();
  if (write()) return;
  finish(out);
  begin();
  (void)write();
}

void FeedbackWriter::finish(ReceiverOutputs& out) {
  if (!writer_.empty()) out.push(SendRtcp{writer_.take()});
  writer_.clear();
}

void FeedbackWriter::write_pli(std::uint32_t media_ssrc, ReceiverOutputs& out) {
  write_whole(out, [&] { return writer_.write_pli(ssrc_, media_ssrc); });
}

void FeedbackWriter::write_fir(std::uint32_t media_ssrc, std::uint8_t command, ReceiverOutputs& out) {
  rtcp::FirItem item{media_ssrc, command};
  write_whole(out, [&] { return writer_.write_fir(ssrc_, {&item, 1}); });
}

void FeedbackWriter::write_nack(std::uint32_t media_ssrc, std::span<const std::uint16_t> sequences,
                                ReceiverOutputs& out) {
  while (!sequences.empty()) {
    write_whole(out, [&] {
      std::size_t written = writer_.write_nack(ssrc_, media_ssrc, sequences);
      sequences = sequences.subspan(written);
      return written > 0;
    });
  }
}

void FeedbackWriter::write_arrivals(rtcp::ArrivalLog& log, std::uint32_t media_ssrc, ReceiverOutputs& out) {
  while (log.has_news()) {
    bool is_written = false;
    write_whole(out, [&] { return is_written = log.write_feedback(ssrc_, media_ssrc, writer_); });
    if (!is_written) return;
  }
}

void FeedbackWriter::write_arrivals(Timestamp now, rtcp::NtpTime ntp, rtcp::CongestionLog& log,
                                    ReceiverOutputs& out) {
  while (log.has_news()) {
    bool is_written = false;
    write_whole(out, [&] { return is_written = log.write_feedback(now, ntp, ssrc_, writer_); });
    if (!is_written) return;
  }
}

void FeedbackWriter::write_remb(std::uint64_t bits_per_second, std::span<const std::uint32_t> sources,
                                ReceiverOutputs& out) {
  write_whole(out, [&] { return writer_.write_remb(ssrc_, bits_per_second, sources); });
}

void FeedbackWriter::write_report(std::span<const rtcp::ReportBlock> blocks, ReceiverOutputs& out) {
  do {
    finish(out);
    auto part = blocks.first(std::min(blocks.size(), rtcp::kReportBlocksMax));
    blocks = blocks.subspan(part.size());
    (void)writer_.write_receiver_report(ssrc_, part);
    (void)writer_.write_cname(ssrc_, cname_);
  } while (!blocks.empty());
}

void FeedbackWriter::write_reference_time(rtcp::NtpTime ntp, ReceiverOutputs& out) {
  write_whole(out, [&] { return writer_.write_reference_time(ssrc_, ntp); });
}

void FeedbackWriter::write_delays(std::span<const rtcp::DlrrItem> items, ReceiverOutputs& out) {
  write_whole(out, [&] { return writer_.write_delay_since_last(ssrc_, items); });
}

}  // namespace stoa::webrtc
