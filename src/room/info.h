// What is known of a room, of those who are in it and of what they publish: plain values, which travel
// between shards and are shown to clients and to the API.
//
// Texts here are within the limits of limits.h. Sids are unique in the world and are made here:
// "RM_…" of a room, "PA_…" of a participant, "TR_…" of a track.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/time.h"

namespace stoa::room {

enum class ParticipantKind : std::uint8_t { kStandard, kIngress, kEgress, kSip, kAgent, kConnector };
enum class ParticipantState : std::uint8_t {
  kJoining,       // Asked to come in.
  kJoined,        // Was let in; no media path yet.
  kActive,        // Connected.
  kDisconnected,  // Is gone: the last that is said of it.
};
enum class TrackKind : std::uint8_t { kAudio, kVideo };
enum class TrackSource : std::uint8_t { kUnknown, kCamera, kMicrophone, kScreenShare, kScreenShareAudio };
// Of a picture, from the smallest. kOff: none.
enum class Quality : std::uint8_t { kLow, kMedium, kHigh, kOff };
enum class ConnectionQuality : std::uint8_t { kPoor, kGood, kExcellent, kLost };
enum class LeaveReason : std::uint8_t {
  kUnknown,
  kByParticipant,
  kDuplicateIdentity,  // Another one came under its identity.
  kServerShutdown,
  kRemoved,  // By a moderator.
  kRoomDeleted,
  kStateMismatch,  // It believes in something that is not so; it may join anew.
  kJoinFailure,    // It never became active.
  kMigration,
  kSignalClosed,  // Its signalling was lost and did not come back in time.
  kRoomClosed,    // Nobody is left, or the room's time is over.
  kConnectionTimeout,
  kMediaFailure,  // No media path, or it was lost for good.
};

// What a participant may do.
struct Permissions {
  bool can_subscribe = true;
  bool can_publish = true;
  bool can_publish_data = true;
  // When not empty: tracks of these sources only, whatever can_publish says.
  std::vector<TrackSource> sources;
  bool can_update_metadata = false;  // Its own: metadata, name, attributes.
  bool is_hidden = false;            // Others are not told of it. It can publish nothing that they see.
  bool is_recorder = false;
  bool is_agent = false;
  bool can_subscribe_metrics = false;

  bool may_publish(TrackSource source) const;
  bool operator==(const Permissions&) const = default;
};

// One of several encodings of a picture.
struct VideoLayer {
  Quality quality = Quality::kHigh;
  std::uint32_t width = 0, height = 0;
  std::uint32_t bits_per_second = 0;
  std::uint8_t spatial_layer = 0;
  std::string rid;
  bool operator==(const VideoLayer&) const = default;
};
// How layers travel.
enum class LayerMode : std::uint8_t {
  kUnknown,
  kOnePerStream,      // Simulcast.
  kSeveralPerStream,  // SVC.
};
// One codec that a track is sent in. A track may have a second one for those who do not know the first.
struct TrackCodec {
  std::string mime_type;  // "video/VP8"
  std::string mid;        // Of the publisher's description.
  std::string cid;        // The publisher's name for it.
  std::vector<VideoLayer> layers;
  LayerMode mode = LayerMode::kUnknown;
  bool operator==(const TrackCodec&) const = default;
};
struct TrackInfo {
  std::string sid;
  TrackKind kind = TrackKind::kAudio;
  TrackSource source = TrackSource::kUnknown;
  std::string name;
  bool is_muted = false;
  std::uint32_t width = 0, height = 0;
  bool is_simulcast = false;
  std::vector<VideoLayer> layers;  // Of the first codec.
  std::vector<TrackCodec> codecs;  // The first is the one that it is known by. Empty until it was announced.
  bool disables_red = false, disables_dtx = false, is_stereo = false;
  std::uint8_t encryption = 0;  // 0: none, 1: GCM, 2: custom. Keys never come here.
  std::string stream;           // Tracks of one stream are played in step.
  // What clients tell each other and a server passes on.
  std::vector<std::uint32_t> audio_features, packet_trailer_features;
  std::uint8_t backup_codec_policy = 0;
  WallTime version;  // When it changed last.
  bool operator==(const TrackInfo&) const = default;
};

struct ParticipantInfo {
  std::string sid, identity, name, metadata;
  std::map<std::string, std::string> attributes;
  ParticipantState state = ParticipantState::kJoining;
  ParticipantKind kind = ParticipantKind::kStandard;
  std::vector<std::uint32_t> kind_details;
  Permissions permissions;
  WallTime joined_at;
  std::uint32_t version = 0;                     // Grows with every change.
  std::vector<TrackInfo> tracks;                 // That others can subscribe to.
  LeaveReason left_for = LeaveReason::kUnknown;  // Of kDisconnected.
  // What its client can do; peers choose by it how they talk to each other. Opaque here.
  std::uint32_t client_protocol = 0;
  std::vector<std::uint32_t> capabilities;

  bool is_publisher() const { return !tracks.empty(); }
  bool operator==(const ParticipantInfo&) const = default;
};
// As it was at one time. Shared by all who are told.
using SharedParticipant = std::shared_ptr<const ParticipantInfo>;

struct RoomInfo {
  std::string sid, name, metadata;
  WallTime created_at;
  // An empty room ends after `empty_timeout` if nobody ever came, after `departure_timeout` otherwise.
  Duration empty_timeout = Duration::seconds(300);
  Duration departure_timeout = Duration::seconds(20);
  std::uint32_t participants_max = 0;  // 0: only the server's own limit.
  std::uint32_t publishers_max = 0;    // Likewise.
  std::uint32_t participants = 0;      // Without hidden ones.
  std::uint32_t publishers = 0;
  bool is_recorded = false;
  bool operator==(const RoomInfo&) const = default;
};

// Where the packets of a track are to be had: the shard of its publisher and its name there. Opaque here.
struct TrackPlace {
  std::uint32_t shard = 0;
  std::string publication;
  bool operator==(const TrackPlace&) const = default;
};
// One codec of a track with its place.
struct TrackMedia {
  std::string mime_type;
  TrackPlace place;
  bool operator==(const TrackMedia&) const = default;
};

struct SpeakerLevel {
  std::string participant;  // Sid.
  float level = 0;          // 0 to 1, linear in what is heard.
  bool is_active = false;
  bool operator==(const SpeakerLevel&) const = default;
};

}  // namespace stoa::room
