// A channel's packets, at the shard that owns the channel: out of its sources, whatever they publish, to the
// shards that have receivers (proto/relay). Only the source on air is passed on.
//
// A channel that is transcoded has one source more, the program (program_feed.h): it is passed on in place of
// the encoder's own frames where it has of a kind what those have not, or not whole.
//
// Tracks are announced when both kinds are there or kSettle after the first came, so that a viewer is not
// answered with half a broadcast. Where a program is expected it is waited for.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "live/packet_feed.h"
#include "live/source.h"
#include "proto/relay/message.h"
#include "session/webrtc/receiver.h"

namespace stoa::shard {

struct SendToSubscriber {
  std::uint32_t shard;
  relay::ToSubscriber message;
};
// A publisher of packets should begin anew; throttled there.
struct SourceKeyframeWanted {
  live::SourceId source;
  media::TrackId track;
  payload::LayerIndex layer;
};
using PublicationOutput = std::variant<SendToSubscriber, SourceKeyframeWanted>;
using PublicationOutputs = Outbox<PublicationOutput>;

class Publication {
 public:
  static constexpr Duration kSettle = Duration::milliseconds(600);
  // The kept keyframe group goes to a shard that wants it again at most so often.
  static constexpr Duration kRepeatInterval = Duration::seconds(1);
  // No encoder's: the upper bits name a shard that there is not.
  static constexpr live::SourceId kProgram{0xffffull << 48};

  Publication(std::string name, Rng rng) : name_(std::move(name)), rng_(rng) {}

  // Sources. One publishes frames until it says that it publishes packets.
  void handle_event(Timestamp now, WallTime wall, live::SourceId source, const media::TrackEvent& event,
                    PublicationOutputs& out);
  void add_packet_source(live::SourceId source);
  void handle_track(Timestamp now, live::SourceId source, const payload::RtpTrack& track,
                    PublicationOutputs& out);
  void handle_packets(live::SourceId source, media::TrackId track, const payload::PacketBatch& batch,
                      PublicationOutputs& out);
  void handle_clock(live::SourceId source, media::TrackId track, payload::LayerIndex layer,
                    const payload::ClockMapping& mapping, PublicationOutputs& out);
  void handle_track_closed(Timestamp now, live::SourceId source, media::TrackId track,
                           PublicationOutputs& out);
  void remove_source(Timestamp now, live::SourceId source, PublicationOutputs& out);
  // The program is likely to make the broadcast whole until then; not in the future: it will not.
  void expect_program(Timestamp now, Timestamp until);
  // Which of them receivers get; none while the channel is interrupted. A source of which the channel can
  // make nothing (VP8) is passed on all the same while no other is on air.
  void set_on_air(Timestamp now, WallTime wall, std::optional<live::SourceId> source,
                  PublicationOutputs& out);
  // The broadcast is over: subscribers are told and forgotten.
  void end(PublicationOutputs& out);

  // Subscribers.
  void subscribe(Timestamp now, WallTime wall, std::uint32_t shard, PublicationOutputs& out);
  void unsubscribe(Timestamp now, WallTime wall, std::uint32_t shard, PublicationOutputs& out);
  // Of packets the publisher is asked; of frames the group that is kept is sent again to the shard that asks.
  void handle_keyframe_wanted(Timestamp now, const relay::KeyframeWanted& wanted, PublicationOutputs& out);

  void handle_deadline(Timestamp now, WallTime wall, PublicationOutputs& out);
  Timestamp next_deadline() const { return settle_at_; }

  bool has_subscribers() const { return !subscribers_.empty(); }
  // Nothing is lost with it.
  bool is_idle() const { return sources_.empty() && subscribers_.empty(); }
  // Of the source on air: what WebRTC receivers do not get, or not whole.
  std::vector<relay::TrackObstacle> obstacles() const;
  // And what only they get.
  std::vector<payload::RtpTrack> realtime_only() const;

 private:
  using ClockKey = std::pair<media::TrackId, payload::LayerIndex>;
  struct Track {
    payload::RtpTrack track;
    media::Codec codec = media::Codec::kH264;
    payload::Obstacle obstacle = payload::Obstacle::kNone;
  };
  struct Source {
    std::unique_ptr<live::FramePacketizer> packetizer;  // Null: it publishes packets.
    std::map<media::TrackId, Track> tracks;
    std::map<ClockKey, payload::ClockMapping> clocks;
  };

  Source& source_of(live::SourceId source);
  void choose(Timestamp now, WallTime wall, PublicationOutputs& out);
  // How much of the kinds there are WebRTC viewers get of it.
  static int worth(const Source& source);
  // Has a track that no rendition can carry: perhaps the channel has nothing to name the source for.
  bool is_unpackable(const Source& source) const;
  Source* on_air();
  bool is_on_air(live::SourceId source) const { return on_air_ && *on_air_ == source; }
  void handle_feed_outputs(Timestamp now, live::SourceId id, Source& source, PublicationOutputs& out);
  void handle_tracks_changed(Timestamp now, live::SourceId source, bool is_new_kind, PublicationOutputs& out);
  void announce(PublicationOutputs& out);
  void start_feed(Timestamp now, WallTime wall, Source& source, PublicationOutputs& out);
  void repeat_group(Timestamp now, std::uint32_t shard, Source& source, PublicationOutputs& out);
  bool is_subscribed(std::uint32_t shard) const;
  relay::TracksChanged describe();
  void send_clocks(Source& source, std::uint32_t shard, PublicationOutputs& out);
  void send_all(const relay::ToSubscriber& message, PublicationOutputs& out);
  void ask_all_keyframes(PublicationOutputs& out);

  std::string name_;
  Rng rng_;
  std::map<std::uint64_t, Source> sources_;       // By SourceId::value.
  std::optional<live::SourceId> channel_on_air_;  // What the channel says.
  std::optional<live::SourceId> on_air_;          // What is passed on.
  std::vector<std::uint32_t> subscribers_;
  std::map<std::uint32_t, Timestamp> repeated_at_;  // The group was sent, by subscriber.
  relay::Generation generation_ = 1;
  bool is_announced_ = false;  // The tracks of the source on air.
  Timestamp settle_at_ = Timestamp::never();
  Timestamp program_until_;
  live::FramePacketizer::Outputs feed_outputs_;
};

}  // namespace stoa::shard
