#include "proto/sctp/stats.h"

namespace stoa::sctp {

void Stats::add(const Stats& other) {
  packets_received += other.packets_received;
  packets_sent += other.packets_sent;
  bytes_received += other.bytes_received;
  bytes_sent += other.bytes_sent;
  chunks_sent += other.chunks_sent;
  chunks_retransmitted += other.chunks_retransmitted;
  duplicates_received += other.duplicates_received;
  messages_sent += other.messages_sent;
  messages_received += other.messages_received;
  messages_given_up += other.messages_given_up;
  timeouts += other.timeouts;
  fast_retransmits += other.fast_retransmits;
  restarts += other.restarts;
  for (int i = 0; i < kRefusals; ++i) refusals[i] += other.refusals[i];
}

void Stats::append_samples(MetricSamples& samples) const {
  auto counter = [&](const char* name, const char* help, std::uint64_t value, const char* reason = nullptr) {
    MetricSample sample{name, help, MetricKind::kCounter, {}, static_cast<double>(value)};
    if (reason) sample.labels.emplace_back("reason", reason);
    samples.push_back(std::move(sample));
  };
  counter("stoa_sctp_packets_received_total", "SCTP packets received.", packets_received);
  counter("stoa_sctp_packets_sent_total", "SCTP packets sent.", packets_sent);
  counter("stoa_sctp_bytes_received_total", "Bytes of SCTP packets received.", bytes_received);
  counter("stoa_sctp_bytes_sent_total", "Bytes of SCTP packets sent.", bytes_sent);
  counter("stoa_sctp_chunks_sent_total", "SCTP data chunks sent for the first time.", chunks_sent);
  counter("stoa_sctp_chunks_retransmitted_total", "SCTP data chunks sent again.", chunks_retransmitted);
  counter("stoa_sctp_duplicates_received_total", "SCTP data chunks that had come before.",
          duplicates_received);
  counter("stoa_sctp_messages_sent_total", "Messages taken for sending.", messages_sent);
  counter("stoa_sctp_messages_received_total", "Messages delivered.", messages_received);
  counter("stoa_sctp_messages_given_up_total", "Messages given up as their reliability allows.",
          messages_given_up);
  counter("stoa_sctp_timeouts_total", "Retransmission timeouts.", timeouts);
  counter("stoa_sctp_fast_retransmits_total", "Losses seen by gap reports.", fast_retransmits);
  counter("stoa_sctp_restarts_total", "Associations begun anew by the peer.", restarts);
  for (int i = 0; i < kRefusals; ++i) {
    counter("stoa_sctp_refusals_total", "SCTP packets, chunks and commands refused, by reason.", refusals[i],
            name_of(static_cast<Refusal>(i)));
  }
}

}  // namespace stoa::sctp
