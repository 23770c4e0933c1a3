// Tracks of rooms on their way: from the shard of their publisher, once, to each shard that has subscribers,
// and there into one stream of the fan-out that all of them are fed from.
//
// A published track has a name in the whole node (relay::kTrackPrefix); who knows the name and the shard can
// listen. Listeners are the caller's numbers (seats).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/time.h"
#include "base/timer_queue.h"
#include "media/payload/packet.h"
#include "proto/relay/message.h"
#include "room/demand.h"
#include "room/info.h"
#include "session/webrtc/port.h"

namespace stoa::shard {

// To another shard.
struct RelayToOwner {
  std::uint32_t shard = 0;
  relay::ToOwner message;
};
struct RelayToSubscriber {
  std::uint32_t shard = 0;
  relay::ToSubscriber message;
};
// A track that is listened to here is there, is another (codec, layers), or is gone.
struct FeedChanged {
  std::string name;
};
// The publisher of a track need send no picture above this quality (room/demand.h).
struct QualityNews {
  std::string name;
  room::Quality quality = room::Quality::kHigh;
};
// Somebody can take this codec of a track only, which its publisher does not send yet.
struct CodecNews {
  std::string name;
  std::string mime_type;
};
using HubOutput = std::variant<RelayToOwner, RelayToSubscriber, FeedChanged, QualityNews, CodecNews>;
using HubOutputs = Outbox<HubOutput>;

class TrackHub {
 public:
  using Listener = std::uint64_t;

  TrackHub(std::uint32_t shard, webrtc::Port& port) : shard_(shard), port_(port) {}

  // ---- Published here.
  // Begins under a new name, or goes on as another track (another codec) under the one it has.
  void publish(const std::string& name, webrtc::SessionId session, media::TrackId track,
               const payload::RtpTrack& rtp, HubOutputs& out);
  void unpublish(const std::string& name, HubOutputs& out);
  void handle_packets(Timestamp now, webrtc::SessionId session, media::TrackId track,
                      const payload::PacketBatch& batch, HubOutputs& out);
  void handle_clock(webrtc::SessionId session, media::TrackId track, payload::LayerIndex layer,
                    const payload::ClockMapping& mapping, HubOutputs& out);
  // Closed: its packets go nowhere. They go on without a hole when it is open again.
  void set_gate(const std::string& name, bool is_open, HubOutputs& out);

  std::optional<webrtc::SessionId> find_publisher(const std::string& name) const;

  // ---- Received here.
  // What is here already is found with find_feed(): FeedChanged would go to everybody who listens.
  void listen(Timestamp now, const room::TrackPlace& place, Listener listener, HubOutputs& out);
  void unlisten(Timestamp now, const std::string& name, Listener listener, HubOutputs& out);
  void set_wish(Timestamp now, const std::string& name, Listener listener, room::Quality quality,
                HubOutputs& out);
  void want_codec(const std::string& name, const std::string& mime_type, HubOutputs& out);
  struct Feed {
    webrtc::StreamId stream;  // Not set: nothing comes (yet).
    payload::RtpTrack track;
  };
  const Feed* find_feed(const std::string& name) const;
  std::vector<Listener> listeners(const std::string& name) const;
  // Others' streams are passed over.
  void handle_keyframe_wanted(Timestamp now, const webrtc::StreamKeyframeWanted& wanted,
                              webrtc::PortOutputs& port_out, HubOutputs& out);

  // ---- Between shards.
  void handle(Timestamp now, relay::ToOwner& message, webrtc::PortOutputs& port_out, HubOutputs& out);
  void handle(Timestamp now, relay::ToSubscriber& message, HubOutputs& out);

  void handle_deadline(Timestamp now, HubOutputs& out);
  Timestamp next_deadline() const { return timers_.next(); }

  std::size_t sources() const { return sources_.size(); }
  std::size_t feeds() const { return feeds_.size(); }
  // In all tables.
  std::size_t entries() const {
    return sources_.size() + by_key_.size() + feeds_.size() + streams_.size() + timers_.size();
  }

 private:
  struct SourceKey {
    std::uint64_t session;
    media::TrackId track;
    bool operator==(const SourceKey&) const = default;
  };
  struct SourceKeyHash {
    std::size_t operator()(const SourceKey& key) const {
      return std::hash<std::uint64_t>()(key.session * 64 + key.track);
    }
  };
  struct Source {
    std::string name;
    SourceKey key;
    payload::RtpTrack track;
    relay::Generation generation = 1;
    std::vector<std::uint32_t> shards;  // Other ones that listen.
    webrtc::StreamId local;             // Where somebody listens here.
    std::array<std::optional<payload::ClockMapping>, payload::kLayersMax> clocks;
    room::Demand demand;  // By shard.
    bool is_open = true;
  };
  struct Receiving {
    std::uint32_t from = 0;
    relay::Generation generation = 0;
    Feed feed;
    std::unordered_map<Listener, room::Quality> listeners;
    std::array<std::size_t, 4> wishes{};  // Listeners by quality.
    std::optional<room::Quality> told;    // The owner of the track.
  };

  Source* find_source(webrtc::SessionId session, media::TrackId track);
  relay::TracksChanged describe(const Source& source) const;
  void introduce(const Source& source, std::uint32_t shard, HubOutputs& out) const;
  void announce(Source& source, HubOutputs& out);
  void begin_local(Source& source);
  void set_stream(Receiving& receiving, const std::string& name, const payload::RtpTrack& track);
  void drop_stream(Receiving& receiving);
  void tell_wish(Timestamp now, const std::string& name, Receiving& receiving, HubOutputs& out);
  void note_demand(Timestamp now, Source& source, HubOutputs& out);
  void ask_keyframe(Timestamp now, const Source& source, payload::LayerIndex layer,
                    webrtc::PortOutputs& port_out);

  std::uint32_t shard_;
  webrtc::Port& port_;
  std::unordered_map<std::string, Source> sources_;  // By name.
  std::unordered_map<SourceKey, Source*, SourceKeyHash> by_key_;
  std::unordered_map<std::string, Receiving> feeds_;  // By name.
  std::unordered_map<webrtc::StreamId, std::string> streams_;
  TimerQueue<std::string> timers_;  // Of sources' demand.
};

}  // namespace stoa::shard
