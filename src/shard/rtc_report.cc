// What the WebRTC half of a shard says of itself.
#include <algorithm>
#include <array>
#include <utility>

#include "shard/rtc.h"

namespace stoa::shard {

std::vector<std::pair<std::string, std::size_t>> Rtc::viewers() const {
  std::vector<std::pair<std::string, std::size_t>> counts;
  for (const auto& [channel, audience] : audiences_) {
    auto connected = std::ranges::count_if(audience.viewers, [&](webrtc::SessionId id) {
      auto viewer = viewers_.find(id.value());
      return viewer != viewers_.end() && viewer->second.is_connected;
    });
    if (connected > 0) counts.emplace_back(channel, static_cast<std::size_t>(connected));
  }
  return counts;
}

void Rtc::append_metrics(MetricSamples& samples) const {
  port_.append_metrics(samples);
  auto add = [&](MetricKind kind, const char* name, const char* help, double value,
                 std::vector<std::pair<const char*, std::string>> labels = {}) {
    samples.push_back({name, help, kind, std::move(labels), value});
  };
  add(MetricKind::kCounter, "stoa_whip_offers_total", "Offers to publish.", static_cast<double>(calls_[0]));
  add(MetricKind::kCounter, "stoa_whep_offers_total", "Offers to watch.", static_cast<double>(calls_[1]));
  add(MetricKind::kCounter, "stoa_rtc_calls_refused_total", "WHIP and WHEP calls that were refused.",
      static_cast<double>(calls_refused_));
  add(MetricKind::kGauge, "stoa_whip_publishers", "Sessions that publish.",
      static_cast<double>(publishers_.size()));
  add(MetricKind::kGauge, "stoa_whep_viewers", "Sessions that watch.", static_cast<double>(viewers_.size()));
  add(MetricKind::kGauge, "stoa_webrtc_publications",
      "Channels with an encoder or with viewers over WebRTC who wait for one.",
      static_cast<double>(publications_.size()));
  std::size_t bounded = 0, paused = 0;
  for (const auto& [id, viewer] : viewers_) {
    bounded += viewer.budget.is_bounded();
    paused += viewer.budget.is_paused();
  }
  add(MetricKind::kGauge, "stoa_whep_viewers_bounded",
      "Sessions that watch less than there is, since their path does not carry it.",
      static_cast<double>(bounded));
  add(MetricKind::kGauge, "stoa_whep_viewers_audio_only",
      "Sessions whose path has no room for a picture beside the sound.", static_cast<double>(paused));
  std::array<std::size_t, 3> obstructed{};
  for (const auto& [channel, publication] : publications_)
    for (const relay::TrackObstacle& track : publication->obstacles())
      ++obstructed[static_cast<std::size_t>(track.obstacle)];
  for (payload::Obstacle obstacle : {payload::Obstacle::kCodec, payload::Obstacle::kReorderedFrames})
    add(MetricKind::kGauge, "stoa_whep_obstructed_tracks",
        "Tracks on air that WebRTC viewers do not get, or not whole.",
        static_cast<double>(obstructed[static_cast<std::size_t>(obstacle)]),
        {{"reason", payload::name_of(obstacle)}});
}

}  // namespace stoa::shard
