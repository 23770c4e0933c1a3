#include "proto/srtp/stats.h"

namespace stoa::srtp {
namespace {

void add_direction(DirectionStats& to, const DirectionStats& from) {
  to.rtp_packets += from.rtp_packets;
  to.rtcp_packets += from.rtcp_packets;
  for (int i = 0; i < kRefusals; ++i) to.refusals[i] += from.refusals[i];
}

void append_direction(const DirectionStats& stats, const char* direction, MetricSamples& samples) {
  auto packets = [&](const char* kind, std::uint64_t value) {
    samples.push_back({"stoa_srtp_packets_total",
                       "Packets protected for sending, and packets received that proved authentic.",
                       MetricKind::kCounter,
                       {{"direction", direction}, {"kind", kind}},
                       static_cast<double>(value)});
  };
  packets("rtp", stats.rtp_packets);
  packets("rtcp", stats.rtcp_packets);
  for (int i = 0; i < kRefusals; ++i) {
    samples.push_back({"stoa_srtp_refusals_total",
                       "Packets not protected or not believed, by reason.",
                       MetricKind::kCounter,
                       {{"direction", direction}, {"reason", name_of(static_cast<Refusal>(i))}},
                       static_cast<double>(stats.refusals[i])});
  }
}

}  // namespace

void Stats::add(const Stats& other) {
  add_direction(sent, other.sent);
  add_direction(received, other.received);
}

void Stats::append_samples(MetricSamples& samples) const {
  append_direction(sent, "sent", samples);
  append_direction(received, "received", samples);
}

}  // namespace stoa::srtp
