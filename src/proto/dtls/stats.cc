#include "proto/dtls/stats.h"

namespace stoa::dtls {

void Stats::add(const Stats& other) {
  handshakes_started += other.handshakes_started;
  handshakes_done += other.handshakes_done;
  flights_retransmitted += other.flights_retransmitted;
  datagrams_received += other.datagrams_received;
  datagrams_sent += other.datagrams_sent;
  data_messages_received += other.data_messages_received;
  data_messages_sent += other.data_messages_sent;
  for (int i = 0; i < kRefusals; ++i) refusals[i] += other.refusals[i];
}

void Stats::append_samples(MetricSamples& samples) const {
  auto counter = [&](const char* name, const char* help, std::uint64_t value) -> MetricSample& {
    samples.push_back({name, help, MetricKind::kCounter, {}, static_cast<double>(value)});
    return samples.back();
  };
  counter("stoa_dtls_handshakes_started_total", "DTLS handshakes begun, in either role.", handshakes_started);
  counter("stoa_dtls_handshakes_done_total", "DTLS handshakes done, peer certificate checked.",
          handshakes_done);
  counter("stoa_dtls_flights_retransmitted_total", "DTLS flights sent again because no answer came.",
          flights_retransmitted);
  counter("stoa_dtls_datagrams_received_total", "DTLS datagrams received.", datagrams_received);
  counter("stoa_dtls_datagrams_sent_total", "DTLS datagrams sent.", datagrams_sent);
  counter("stoa_dtls_data_messages_received_total", "DTLS application data records received.",
          data_messages_received);
  counter("stoa_dtls_data_messages_sent_total", "DTLS application data records sent.", data_messages_sent);
  for (int i = 0; i < kRefusals; ++i) {
    counter("stoa_dtls_refusals_total", "What DTLS endpoints did not take, by reason.", refusals[i])
        .labels.emplace_back("reason", name_of(static_cast<Refusal>(i)));
  }
}

}  // namespace stoa::dtls
