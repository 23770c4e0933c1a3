#include "micro/path.h"

#include <ctime>
#include <string_view>

#include "base/metric.h"

namespace stoa::bench {

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

srtp::MasterKey make_master(srtp::Profile profile, std::size_t receiver) {
  Buffer key(srtp::shape_of(profile).key_bytes, 0x5a), salt(srtp::shape_of(profile).salt_bytes, 0xc3);
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<std::uint8_t>(receiver >> (8 * i));
  return {.key = crypto::Secret<32>(key), .salt = crypto::Secret<14>(salt)};
}

void FrameSource::frame(const Frame& frame, std::vector<payload::PacketBatch>& out) {
  timestamp_ += frame.ticks;
  for (std::size_t i = 0; i < frame.packets; ++i) {
    payload::Packet packet;
    packet.sequence = sequence_++;
    packet.timestamp = timestamp_;
    packet.layer = frame.layer;
    packet.marker = i + 1 == frame.packets;
    packet.facts.starts_frame = i == 0;
    packet.facts.is_keyframe = frame.is_keyframe;
    writer_.add(packet, frame.payload);
  }
  writer_.take_batches(out);
}

double unsent(const runtime::UdpSocket& socket) {
  MetricSamples samples;
  socket.append_metrics("bench", samples);
  double sum = 0;
  for (const MetricSample& sample : samples) {
    const std::string_view name = sample.name;
    if (name == "stoa_udp_dropped_total" || name == "stoa_udp_queued_datagrams_total") sum += sample.value;
  }
  return sum;
}

}  // namespace stoa::bench
