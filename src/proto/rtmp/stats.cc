#include "proto/rtmp/stats.h"

namespace stoa::rtmp {

void Stats::add(const Stats& other) {
  connections += other.connections;
  bytes_received += other.bytes_received;
  bytes_sent += other.bytes_sent;
  audio_messages += other.audio_messages;
  video_messages += other.video_messages;
  data_messages += other.data_messages;
  commands += other.commands;
  dropped_messages += other.dropped_messages;
  for (int i = 0; i < kRefusals; ++i) refusals[i] += other.refusals[i];
}

void Stats::append_samples(MetricSamples& samples) const {
  auto counter = [&](const char* name, const char* help, std::uint64_t value, const char* label = nullptr,
                     const char* text = nullptr) {
    MetricSample sample{name, help, MetricKind::kCounter, {}, static_cast<double>(value)};
    if (label) sample.labels.emplace_back(label, text);
    samples.push_back(std::move(sample));
  };
  counter("stoa_rtmp_connections_total", "RTMP connections taken.", connections);
  counter("stoa_rtmp_bytes_received_total", "Bytes received from RTMP publishers.", bytes_received);
  counter("stoa_rtmp_bytes_sent_total", "Bytes sent to RTMP publishers.", bytes_sent);
  const char* messages = "stoa_rtmp_messages_total";
  const char* messages_help = "RTMP messages handled, by type.";
  counter(messages, messages_help, audio_messages, "type", "audio");
  counter(messages, messages_help, video_messages, "type", "video");
  counter(messages, messages_help, data_messages, "type", "data");
  counter(messages, messages_help, commands, "type", "command");
  counter("stoa_rtmp_messages_dropped_total", "RTMP messages of unknown type or with unreadable metadata.",
          dropped_messages);
  for (int i = 0; i < kRefusals; ++i) {
    counter("stoa_rtmp_refusals_total", "RTMP connections closed for what the peer did, by reason.",
            refusals[i], "reason", name_of(static_cast<Refusal>(i)));
  }
}

}  // namespace stoa::rtmp
