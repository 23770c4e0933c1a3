// What a shard tells control of its channels, and its metrics.
#include <algorithm>
#include <utility>

#include "base/letters.h"
#include "shard/shard_parts.h"

namespace stoa::shard {
namespace {

control::LiveState to_live_state(live::ChannelState state) {
  switch (state) {
    case live::ChannelState::kInterrupted: return control::LiveState::kInterrupted;
    case live::ChannelState::kEnded: return control::LiveState::kEnded;
    default: return control::LiveState::kLive;
  }
}

control::TrackStatus to_status(const live::Rendition& rendition) {
  const media::Format& format = *rendition.format;
  return {.id = rendition.name,
          .codec = format.codec,
          .codec_string = format.codec_string,
          .bitrate = rendition.bitrate_mean,
          .width = format.width,
          .height = format.height,
          .frame_rate = format.frame_rate(),
          .sample_rate = format.sample_rate,
          .channels = format.channels,
          .label = rendition.label,
          .language = rendition.language};
}

// A track that no playlist can hold.
control::TrackStatus to_status(const payload::RtpTrack& track) {
  return {.id = "rtc" + std::to_string(track.id),
          .codec_string = lower(payload::name_of(track.encoding)),
          .label = track.name,
          .language = track.language,
          .hls_obstacle = payload::name_of(payload::Obstacle::kCodec),
          .codec_name = std::string(payload::name_of(track.encoding))};
}

}  // namespace

void Shard::keep_counters(const live::Channel& channel) {
  MetricSamples samples;
  channel.append_metrics(samples);
  for (auto& sample : samples) {
    if (sample.kind != MetricKind::kCounter) continue;
    auto sum =
        std::find_if(ended_broadcasts_.begin(), ended_broadcasts_.end(), [&](const MetricSample& known) {
          return std::string_view(known.name) == sample.name && known.labels == sample.labels;
        });
    if (sum == ended_broadcasts_.end()) {
      ended_broadcasts_.push_back(std::move(sample));
    } else {
      sum->value += sample.value;
    }
  }
}

void Shard::report(Timestamp now, Outputs& out) {
  std::unordered_map<const OwnedChannel*, std::vector<control::SourceStatus>> sources;
  for (const auto& [id, source] : sources_) {
    auto on_air = source.channel->channel.source_on_air();
    auto& statuses = sources[source.channel];
    statuses.push_back(source.status);
    statuses.back().is_active = on_air && on_air->value == id;
  }
  for (auto& [name, owned] : channels_) {
    std::optional<control::ChannelStatus> status = describe(*owned);
    if (!status) continue;
    if (auto found = sources.find(owned.get()); found != sources.end())
      status->sources = std::move(found->second);
    out.push(SendControlMail{ChannelReported{std::move(*status)}});
  }
  out.push(SendControlMail{AudienceReported{config_.index, origin_.audiences(now), rtc_.viewers()}});
}

std::optional<control::ChannelStatus> Shard::describe(OwnedChannel& owned) const {
  const std::string& name = owned.channel.name();
  const auto& snapshot = owned.channel.snapshot();
  bool has_playlist = snapshot && !snapshot->multivariant.empty();
  std::vector<payload::RtpTrack> realtime_only = rtc_.realtime_only(name);
  if (!has_playlist && realtime_only.empty()) return std::nullopt;
  if (!owned.started_at) owned.started_at = has_playlist ? snapshot->started_at : owned.began_at;
  control::ChannelStatus status{.channel = name, .started_at = *owned.started_at};
  if (has_playlist) {
    if (realtime_only.empty()) status.state = to_live_state(snapshot->state);
    status.warnings = snapshot->warnings;
    for (const auto& rendition : snapshot->renditions) status.tracks.push_back(to_status(*rendition));
    if (const live::Pictures* pictures = snapshot->pictures.get()) {
      if (pictures->poster) status.poster_ms = static_cast<std::uint64_t>(pictures->poster->at.ms());
      status.has_storyboard = !pictures->storyboards.empty();
    }
  }
  auto warn = [&](std::string warning) {
    if (std::ranges::find(status.warnings, warning) == status.warnings.end())
      status.warnings.push_back(std::move(warning));
  };
  for (const relay::TrackObstacle& obstructed : rtc_.obstacles(name)) {
    std::string why = payload::name_of(obstructed.obstacle);
    for (control::TrackStatus& track : status.tracks)
      if (track.codec == obstructed.codec) track.realtime_obstacle = why;
    warn("webrtc_" + why);
  }
  for (const payload::RtpTrack& track : realtime_only) {
    status.tracks.push_back(to_status(track));
    warn("hls_" + status.tracks.back().hls_obstacle);
  }
  return status;
}

MetricSamples Shard::metrics() const {
  MetricSamples samples;
  origin_.append_metrics(samples);
  rtc_.append_metrics(samples);
  rooms_.append_metrics(samples);
  workers_.append_metrics(samples);
  session::RtmpStats sessions = ended_sessions_;
  for (const auto& [key, encoder] : encoders_) sessions.add(encoder->session);
  sessions.append_samples(samples);
  // Counters of broadcasts that are over stay in the sums: a counter that falls reads as a restart.
  samples.insert(samples.end(), ended_broadcasts_.begin(), ended_broadcasts_.end());
  for (const auto& [name, owned] : channels_) owned->channel.append_metrics(samples);
  samples.push_back({"stoa_rtmp_encoders",
                     "Encoders connected.",
                     MetricKind::kGauge,
                     {},
                     static_cast<double>(encoders_.size())});
  samples.push_back({"stoa_channels_live",
                     "Channels with a broadcast.",
                     MetricKind::kGauge,
                     {},
                     static_cast<double>(channels_.size())});
  samples.push_back({"stoa_broadcasts_started_total",
                     "Broadcasts begun.",
                     MetricKind::kCounter,
                     {},
                     static_cast<double>(broadcasts_started_)});
  return samples;
}

}  // namespace stoa::shard
