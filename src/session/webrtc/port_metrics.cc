#include "session/webrtc/port_impl.h"

namespace stoa::webrtc {

void add_to(ReceiverStats& sum, const ReceiverStats& stats) {
  sum.packets += stats.packets;
  sum.bytes += stats.bytes;
  sum.retransmitted += stats.retransmitted;
  sum.recovered += stats.recovered;
  sum.nacks_sent += stats.nacks_sent;
  sum.lost += stats.lost;
  sum.plis_sent += stats.plis_sent;
  sum.limits_begun += stats.limits_begun;
  for (int i = 0; i < kReceiveRefusals; ++i) sum.refused[i] += stats.refused[i];
}

void Port::append_metrics(MetricSamples& samples) const {
  auto add = [&](MetricKind kind, const char* name, const char* help, std::uint64_t value,
                 std::vector<std::pair<const char*, std::string>> labels = {}) {
    samples.push_back({name, help, kind, std::move(labels), static_cast<double>(value)});
  };
  auto counter = [&](const char* name, const char* help, std::uint64_t value,
                     std::vector<std::pair<const char*, std::string>> labels = {}) {
    add(MetricKind::kCounter, name, help, value, std::move(labels));
  };
  add(MetricKind::kGauge, "stoa_webrtc_sessions", "WebRTC sessions, connected or not.", sessions_.size());
  add(MetricKind::kGauge, "stoa_webrtc_unconnected_sessions", "Of them, those that are not connected yet.",
      unconnected_.total());
  add(MetricKind::kGauge, "stoa_webrtc_receiving_sessions", "Sessions that are sent media.",
      fan_out_.senders());
  add(MetricKind::kGauge, "stoa_webrtc_streams", "Tracks kept for receivers.", fan_out_.streams());
  counter("stoa_webrtc_sessions_opened_total", "Offers that were answered.", counters_.opened);
  counter("stoa_webrtc_sessions_connected_total", "Sessions that found a path and keys.",
          counters_.connected);
  for (int i = 0; i < kOpenRefusals; ++i)
    counter("stoa_webrtc_offers_refused_total", "Offers that no session was made of.", counters_.refused[i],
            {{"reason", name_of(static_cast<OpenRefusal>(i))}});
  for (int i = 0; i < kTransportEnds; ++i)
    counter("stoa_webrtc_sessions_closed_total", "Sessions that ended.", counters_.closed[i],
            {{"reason", name_of(static_cast<TransportEnd>(i))}});

  counter("stoa_webrtc_negotiations_total", "Offers and answers of peers of meetings.", counters_.negotiated,
          {{"outcome", "taken"}});
  counter("stoa_webrtc_negotiations_total", "Offers and answers of peers of meetings.",
          counters_.not_negotiated, {{"outcome", "refused"}});

  auto received = [&](const char* kind, std::uint64_t value) {
    counter("stoa_webrtc_datagrams_received_total", "Datagrams by what they are.", value, {{"kind", kind}});
  };
  received("stun", counters_.stun);
  received("dtls", counters_.dtls);
  received("media", counters_.media);
  received("unknown", counters_.unknown_kind);
  auto refused = [&](const char* reason, std::uint64_t value) {
    counter("stoa_webrtc_datagrams_refused_total", "Datagrams that nobody took.", value,
            {{"reason", reason}});
  };
  refused("unknown_ufrag", counters_.unknown_ufrag);
  refused("unknown_path", counters_.unknown_path);
  refused("path_held", counters_.path_held);
  refused("not_authentic", counters_.not_authentic);

  add(MetricKind::kGauge, "stoa_webrtc_data_bytes", "Held by data channels of all sessions.", data_bytes_);
  counter("stoa_webrtc_data_ended_total", "Sessions that lost their data channels for holding the most.",
          counters_.data_ended);
  counter("stoa_webrtc_datagrams_late_total", "Datagrams of sessions that had just ended.", counters_.late);

  ReceiverStats all = counters_.ended_receivers;
  sessions_.for_each([&](SessionId, const std::unique_ptr<Session>& session) {
    if (session->receiver) add_to(all, session->receiver->stats());
  });
  counter("stoa_webrtc_published_packets_total", "RTP packets taken from publishers.", all.packets);
  counter("stoa_webrtc_published_bytes_total", "Their payload.", all.bytes);
  counter("stoa_webrtc_published_retransmitted_total", "Of them, packets that came again because we asked.",
          all.retransmitted);
  counter("stoa_webrtc_published_recovered_total",
          "Packets that were lost and made of the redundancy (RED) of those behind them.", all.recovered);
  counter("stoa_webrtc_published_lost_total", "Packets of publishers that never came.", all.lost);
  counter("stoa_webrtc_keyframes_asked_total", "Picture loss indications sent to publishers.", all.plis_sent);
  counter("stoa_webrtc_publishers_limited_total",
          "Times a publisher that let a queue stand was told what its line carries (REMB).",
          all.limits_begun);
  for (int i = 0; i < kReceiveRefusals; ++i)
    counter("stoa_webrtc_published_refused_total", "RTP packets of publishers that were not taken.",
            all.refused[i], {{"reason", name_of(static_cast<ReceiveRefusal>(i))}});

  const FanOut::Totals& sent = fan_out_.totals();
  counter("stoa_webrtc_sent_packets_total", "RTP packets sent.", sent.packets);
  counter("stoa_webrtc_sent_bytes_total", "Their payload.", sent.bytes);
  counter("stoa_webrtc_sent_trains_total", "System calls' worth of them.", sent.trains);
  counter("stoa_webrtc_sent_padding_bytes_total", "Padding that makes packets of a train equally long.",
          sent.padding_bytes);
  counter("stoa_webrtc_sent_retransmitted_total", "Packets sent again.", sent.retransmitted);
  counter("stoa_webrtc_sent_held_back_total", "Times a pacer held a receiver's packets back.",
          sent.held_back);
  counter("stoa_webrtc_congestion_feedback_total",
          "What receivers said of when packets arrived, transport-wide or by RFC 8888.", sent.feedbacks);
  counter("stoa_webrtc_probes_total", "Clusters of packets that tried how much more a path carries.",
          sent.probes);
  counter("stoa_webrtc_probe_packets_total", "Packets sent for probes alone.", sent.probe_packets);
  counter("stoa_webrtc_sent_skipped_total", "Times a receiver fell behind what is kept.", sent.skipped);
  counter("stoa_webrtc_receiver_nacks_ignored_total",
          "Packets that receivers asked for again, more than there is room to send.", sent.nacks_ignored);
  counter("stoa_webrtc_receiver_plis_total", "Keyframes that receivers asked for.", sent.plis);
}

}  // namespace stoa::webrtc
