// What shards say to each other and to control. Plain values: the same messages will one day travel between
// nodes. A channel has one owner (`owner_of`), where its timeline and packager live; its encoders and its
// viewers may sit on any shard.
//
// Mailboxes are bounded. When one is full: media is dropped until the source's next keyframe and counted,
// relayed packets are dropped and counted,
// a snapshot is replaced by the next one, everything else waits at the sender (it is bounded by the
// number of sessions and of WebRTC calls under way).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/answer.h"
#include "api/hls.h"
#include "api/whip.h"
#include "base/metric.h"
#include "control/live_directory.h"
#include "control/publishing.h"
#include "live/channel.h"
#include "live/snapshot.h"
#include "media/track.h"
#include "proto/relay/message.h"

namespace stoa::shard {

using ShardIndex = std::uint32_t;

// The shard that owns a channel: FNV-1a of its name, modulo the number of shards.
ShardIndex owner_of(std::string_view channel, ShardIndex shards);

// From the shard of an encoder's session to the channel's owner. SourceStarted comes first, SourceEnded last.
struct SourceStarted {
  std::string channel;
  live::SourceId source;
  live::SourceOffer offer;
  control::SourceStatus status;
};
struct SourceMedia {
  live::SourceId source;
  media::TrackEvent event;
};
// It sends a track that the channel can make nothing of, and WebRTC viewers get; or no such track any more.
struct SourceTrackLeftOut {
  live::SourceId source;
  bool is_there = true;
};
struct SourceEnded {
  live::SourceId source;
};
// The other way: the session is to be closed.
struct SourceDropped {
  live::SourceId source;
  live::SourceDropReason reason;
};
// From the owner to every shard.
struct SnapshotChanged {
  std::shared_ptr<const live::ChannelSnapshot> snapshot;
};
// From control to every shard.
struct BroadcastStopped {  // The operator ended it.
  std::string channel;
  // From a shard to the owner, behind the calls that were on their way to it: only publishers of these.
  std::optional<ShardIndex> via = {};
};
struct KeyRevoked {
  std::string channel;
  std::string key_id;
};
struct PublishDecided {
  live::SourceId source;
  Result<control::PublishGrant, control::PublishRefusal> decision;
};
struct MetricsWanted {
  std::uint64_t question;
};
// A WHIP or WHEP call on its way to the shard of its session, and the response on its way back.
struct RtcAsked {
  ShardIndex from;
  api::RequestKey request;
  api::RtcCall call;
  std::string peer;                            // Who called.
  std::optional<control::PublishGrant> grant;  // Of a publisher's offer.
};
struct RtcReplied {
  api::RequestKey request;
  http::Response response;
};
using Mail = std::variant<SourceStarted, SourceMedia, SourceTrackLeftOut, SourceEnded, SourceDropped,
                          SnapshotChanged, BroadcastStopped, KeyRevoked, PublishDecided, MetricsWanted,
                          RtcAsked, RtcReplied, relay::ToOwner, relay::ToSubscriber>;

// To control.
struct PublishAsked {
  ShardIndex shard;
  live::SourceId source;
  std::string app;
  std::string stream_name;
};
struct ChannelReported {
  control::ChannelStatus status;
};
struct AudienceReported {
  ShardIndex shard;
  std::vector<api::HlsOrigin::Audience> audiences;
  std::vector<std::pair<std::string, std::size_t>> receivers;  // WebRTC viewers by channel.
};
struct MetricsGiven {
  std::uint64_t question;
  MetricSamples samples;
};
using ControlMail = std::variant<PublishAsked, ChannelReported, AudienceReported, MetricsGiven>;

}  // namespace stoa::shard
