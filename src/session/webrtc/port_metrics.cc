#include "session/webrtc/port.h"

namespace stoa::webrtc {

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
  add(MetricKind::kGauge, "stoa_webrtc_receiving_sessions", "Sessions that are sent media.",
      fan_out_.senders());
  add(MetricKind::kGauge, "stoa_webrtc_streams", "Tracks kept for receivers.", fan_out_.streams());
  counter("stoa_webrtc_sessions_opened_total", "Offers that were answered.", counters_.opened);
  counter("stoa_webrtc_sessions_connected_total", "Sessions that found a path and keys.",
          counters_.connected);
  for (int i = 0; i < kTransportEnds; ++i)
    counter("stoa_webrtc_sessions_closed_total", "Sessions that ended.", counters_.closed[i],
            {{"reason", name_of(static_cast<TransportEnd>(i))}});

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
  refused("not_authentic", counters_.not_authentic);

  // Of sessions that are over; those that last report when they end.
  const ReceiverStats& ended = counters_.ended_receivers;
  counter("stoa_webrtc_published_packets_total", "RTP packets taken from publishers.", ended.packets);
  counter("stoa_webrtc_published_bytes_total", "Their payload.", ended.bytes);
  counter("stoa_webrtc_published_retransmitted_total", "Of them, packets that came again because we asked.",
          ended.retransmitted);
  counter("stoa_webrtc_published_lost_total", "Packets of publishers that never came.", ended.lost);
  counter("stoa_webrtc_keyframes_asked_total", "Picture loss indications sent to publishers.",
          ended.plis_sent);
  for (int i = 0; i < kReceiveRefusals; ++i)
    counter("stoa_webrtc_published_refused_total", "RTP packets of publishers that were not taken.",
            ended.refused[i], {{"reason", name_of(static_cast<ReceiveRefusal>(i))}});

  const FanOut::Totals& sent = fan_out_.totals();
  counter("stoa_webrtc_sent_packets_total", "RTP packets sent.", sent.packets);
  counter("stoa_webrtc_sent_bytes_total", "Their payload.", sent.bytes);
  counter("stoa_webrtc_sent_trains_total", "System calls' worth of them.", sent.trains);
  counter("stoa_webrtc_sent_padding_bytes_total", "Padding that makes packets of a train equally long.",
          sent.padding_bytes);
  counter("stoa_webrtc_sent_retransmitted_total", "Packets sent again.", sent.retransmitted);
  counter("stoa_webrtc_sent_held_back_total", "Times a pacer held a receiver's packets back.",
          sent.held_back);
  counter("stoa_webrtc_sent_skipped_total", "Times a receiver fell behind what is kept.", sent.skipped);
  counter("stoa_webrtc_receiver_plis_total", "Keyframes that receivers asked for.", sent.plis);
}

}  // namespace stoa::webrtc
