// What of a channel's layers each viewer is sent.
#include <algorithm>
#include <utility>

#include "shard/rtc.h"

namespace stoa::shard {
namespace {

// Smoothed once more. Who goes up asks for a keyframe of that layer; if he fell for its size, he would go up
// and down for ever.
void smooth(std::span<const bwe::Step> before, std::vector<bwe::Step>& steps) {
  for (bwe::Step& step : steps)
    for (const bwe::Step& known : before)
      if (known.layer == step.layer && known.frames == step.frames)
        step.bits_per_second = (3 * known.bits_per_second + step.bits_per_second) / 4;
}

}  // namespace

ViewerBudget Rtc::make_budget(std::span<const webrtc::ViewerOutlet> outlets) const {
  return ViewerBudget(is_metered() && std::ranges::any_of(outlets, [](const webrtc::ViewerOutlet& outlet) {
                        return outlet.config.has_ccfb ||
                               outlet.config.extensions.has(rtp::ExtensionKind::kTransportSequence);
                      }));
}

void Rtc::handle_bandwidth(Timestamp now, webrtc::SessionId session, const bwe::Target& target) {
  auto viewer = viewers_.find(session.value());
  if (viewer == viewers_.end()) return;
  auto audience = audiences_.find(viewer->second.channel);
  if (audience == audiences_.end()) return;
  viewer->second.budget.handle_target(now, target);
  carry_out(now, audience->second, session, viewer->second);
}

// Once for all viewers.
void Rtc::measure_flows(Timestamp now, Audience& audience) {
  if (!is_metered()) return;
  std::erase_if(audience.flows, [&](const auto& flow) { return !audience.streams.contains(flow.first); });
  for (const payload::RtpTrack& track : audience.tracks) {
    auto stream = audience.streams.find(track.id);
    if (stream == audience.streams.end()) continue;
    Audience::Flow& flow = audience.flows[track.id];
    flow.rates.measure(now, port_.fan_out(), stream->second, track);
    const std::vector<bwe::Step> before =
        std::exchange(flow.steps, steps_of(now, port_.fan_out(), stream->second, track, flow.rates));
    smooth(before, flow.steps);
  }
}

void Rtc::share_out(Timestamp now, const Audience& audience, webrtc::SessionId id, Viewer& viewer) {
  if (!is_metered()) return;
  std::vector<bwe::Claim> pictures;
  bwe::Sound sound;
  for (std::size_t i = 0; i < viewer.feeds.size(); ++i) {
    auto flow = audience.flows.find(viewer.feeds[i].track);
    if (!viewer.feeds[i].stream.is_set() || flow == audience.flows.end()) continue;
    if (payload::is_video(viewer.outlets[i].config.encoding)) {
      pictures.push_back({.track = i, .steps = flow->second.steps});
    } else {
      ++sound.tracks;
      sound.bits_per_second += flow->second.rates.bits_per_second(0);
    }
  }
  viewer.budget.set_claims(now, std::move(pictures), sound);
  if (const auto demand = viewer.budget.take_demand()) port_.set_demand(now, id, *demand);
}

void Rtc::carry_out(Timestamp now, const Audience& audience, webrtc::SessionId id, Viewer& viewer) {
  if (const auto demand = viewer.budget.take_demand()) port_.set_demand(now, id, *demand);
  if (!viewer.budget.take_news()) return;
  for (std::size_t i = 0; i < viewer.feeds.size(); ++i)
    if (viewer.feeds[i].share != viewer.budget.share_of(i)) feed_outlet(now, audience, id, viewer, i);
}

void Rtc::feed_outlet(Timestamp now, const Audience& audience, webrtc::SessionId id, Viewer& viewer,
                      std::size_t outlet) {
  Viewer::Feed& feed = viewer.feeds[outlet];
  feed.share = viewer.budget.share_of(outlet);
  if (!payload::is_video(viewer.outlets[outlet].config.encoding))
    return port_.set_source(now, id, outlet, feed.stream, port_outputs_);
  port_.set_layer_max(now, id, outlet, feed.share.layer_max, port_outputs_);
  auto flow = audience.flows.find(feed.track);
  const bool has_fewer = feed.share.frames != bwe::kAllFrames && flow != audience.flows.end();
  port_.set_frames_wanted(
      id, outlet,
      has_fewer ? flow->second.rates.frames_per_second(feed.share.layer_max, feed.share.frames) : 0);
  port_.set_source(now, id, outlet, feed.share.is_paused ? webrtc::StreamId() : feed.stream, port_outputs_);
}

}  // namespace stoa::shard
