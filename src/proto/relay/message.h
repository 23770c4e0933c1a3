// How the tracks of one publication reach receivers on other shards, and one day on other nodes: whoever has
// receivers subscribes once, gets every packet once, and hands it to all of them.
//
//   subscriber                       owner of the publication
//   Subscribe            ->
//                        <-          TracksChanged          (tracks, or none when nobody publishes)
//                        <-          GroupSent              (the newest keyframe group, if it is kept)
//                        <-          PacketsSent …
//                        <-          ClockMapped …
//   KeyframeWanted       ->
//   QualityWanted        ->
//   Unsubscribe          ->
//
// A publication is named by what it is published as: a channel's name, or kTrackPrefix and what a track of a
// room is called; the latter has one track. Tracks of one `generation` belong
// together; when another source takes over, or one changes its codecs, TracksChanged begins the next. What
// comes with an older generation is passed over.
//
// Values for mailboxes. Media may be dropped where a mailbox is full, until the next keyframe; the rest
// waits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "media/payload/packet.h"

namespace stoa::relay {

using Generation = std::uint32_t;

// No channel's name has a '/'.
inline constexpr std::string_view kTrackPrefix = "track/";
inline bool is_room_track(std::string_view publication) { return publication.starts_with(kTrackPrefix); }

struct Subscribe {
  std::string publication;
  std::uint32_t shard = 0;  // Where to.
};
struct Unsubscribe {
  std::string publication;
  std::uint32_t shard = 0;
};
// Asked for at most so often as receivers ask; whoever reaches the publisher throttles. Of a publisher that
// cannot be asked (RTMP) the owner repeats the group that it keeps, to this shard.
struct KeyframeWanted {
  std::string publication;
  std::uint32_t shard = 0;  // Who asks.
  Generation generation = 0;
  media::TrackId track = 0;
  payload::LayerIndex layer = 0;
};
// Of a room's track: the best that any receiver of this shard wants, 0 (the smallest picture) to 2; 3: nobody
// wants any for now.
struct QualityWanted {
  std::string publication;
  std::uint32_t shard = 0;
  std::uint8_t quality = 2;
};

// Of a room's track: a receiver cannot take its codec, and its publisher said that it has this one, too.
struct CodecWanted {
  std::string publication;
  std::uint32_t shard = 0;
  std::string mime_type;
};

// A track that is published and does not reach receivers of packets, or not whole.
struct TrackObstacle {
  media::TrackId track = 0;
  media::Codec codec = media::Codec::kAac;
  payload::Obstacle obstacle = payload::Obstacle::kNone;
  bool operator==(const TrackObstacle&) const = default;
};

struct TracksChanged {
  std::string publication;
  Generation generation = 0;
  std::vector<payload::RtpTrack> tracks;  // Empty: nobody publishes.
  std::vector<TrackObstacle> obstacles;
  bool has_ended = false;  // Nothing will come under this name any more unless it is begun anew.
};
struct PacketsSent {
  std::string publication;
  Generation generation = 0;
  media::TrackId track = 0;
  payload::PacketBatch batch;
};
// Packets of several tracks in one message: what was sent before, for who begins or has lost the beginning.
struct GroupSent {
  struct Part {
    media::TrackId track = 0;
    payload::PacketBatch batch;
  };
  std::string publication;
  Generation generation = 0;
  std::vector<Part> parts;  // Those of a track in order.
};
struct ClockMapped {
  std::string publication;
  Generation generation = 0;
  media::TrackId track = 0;
  payload::LayerIndex layer = 0;
  payload::ClockMapping mapping;
};

using ToOwner = std::variant<Subscribe, Unsubscribe, KeyframeWanted, QualityWanted, CodecWanted>;
using ToSubscriber = std::variant<TracksChanged, PacketsSent, GroupSent, ClockMapped>;

}  // namespace stoa::relay
