// What participants ask of a room, and what they are told: values for mailboxes, since a room and the
// connection of a participant may be on different shards.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/slot_table.h"
#include "room/info.h"

namespace stoa::room {

using ParticipantId = SlotId<struct ParticipantTag>;  // Within one room.

// ---- Commands of a participant. Answers to those with a request number come as Answered, others by their
// effect. 0: nobody waits for an answer.

// "I will publish this." Answered by TrackAnnounced or TrackRefused. With `sid` of an own track it adds a
// second codec to that.
struct AnnounceTrack {
  std::string cid;  // The publisher's name for it; unique among its tracks.
  TrackInfo track;  // Its sid may be empty; codecs[].cid names the media of each codec.
  std::uint32_t request = 0;
};
// Its media arrives: from here on others see it and may subscribe. Again when there is another codec, or the
// media came to be another.
struct PublishTrack {
  std::string sid;
  std::string mid;  // Of the media that arrived …
  TrackMedia media;
  std::string cid;  // … and which codec of the announcement it is; empty: the first.
};
// By the publisher, or because its media ended.
struct UnpublishTrack {
  std::string sid;
};
struct MuteTrack {
  std::string sid;
  bool is_muted = false;
};
// What is set changes.
struct UpdateTrack {
  std::string sid;
  std::optional<std::uint32_t> width, height;
  std::optional<std::vector<std::uint32_t>> audio_features;
};
struct Subscribe {
  std::vector<std::string> tracks;  // Sids. Unknown ones are remembered until they come.
  bool is_wanted = true;
};
// Who may subscribe to the sender's tracks. The default is everybody. Permissions over kTrackPermissionsMax
// are passed over.
struct SetSubscribers {
  struct Permission {
    std::string participant_sid, participant_identity;  // Either.
    bool all_tracks = false;
    std::vector<std::string> tracks;
  };
  bool everybody = true;
  std::vector<Permission> permissions;
};
// What is set changes; an attribute with an empty value goes away.
struct UpdateSelf {
  std::optional<std::string> metadata, name;
  std::map<std::string, std::string> attributes;
  std::uint32_t request = 0;
};
// The payload is passed on as it is.
struct SendData {
  bool is_reliable = true;
  std::vector<std::string> identities, sids;  // Both empty: everybody else.
  SharedBytes payload;
  std::uint32_t sequence = 0;  // The sender's number of it; opaque here.
};
// The media connection is there, or is there again.
struct BecomeActive {};
struct ReportLevels {
  struct Level {
    std::string track;
    float level = 0;  // As SpeakerLevel; 0: it fell silent.
  };
  std::vector<Level> levels;
};
struct ReportQuality {
  ConnectionQuality quality = ConnectionQuality::kExcellent;
  float mos = 4.5f;
};
struct Leave {
  LeaveReason reason = LeaveReason::kByParticipant;
};
using Command =
    std::variant<AnnounceTrack, PublishTrack, UnpublishTrack, MuteTrack, UpdateTrack, Subscribe,
                 SetSubscribers, UpdateSelf, SendData, BecomeActive, ReportLevels, ReportQuality, Leave>;

// ---- Events for one participant.

enum class RequestOutcome : std::uint8_t { kDone, kNotFound, kNotAllowed, kLimitExceeded, kUnsupported };
struct Answered {
  std::uint32_t request = 0;
  RequestOutcome outcome = RequestOutcome::kDone;
  std::string text;  // For people.
};
struct TrackAnnounced {
  std::string cid;
  TrackInfo track;
};
struct TrackRefused {
  std::string cid;
  std::uint32_t request = 0;
  RequestOutcome why = RequestOutcome::kNotAllowed;
  std::string text;
};
// An own track: a moderator muted it, or took it back.
struct TrackMuted {
  std::string sid;
  bool is_muted = false;
};
struct TrackUnpublished {
  std::string sid;
};
// It is, or comes to be, subscribed to this track. `media`: in the publisher's order of preference; the first
// that the subscriber can take is meant. Comes again when media changes.
struct Subscribed {
  std::string publisher_sid, publisher_identity;
  TrackInfo track;
  std::vector<TrackMedia> media;
};
struct Unsubscribed {
  std::string track;
};
enum class SubscribeRefusal : std::uint8_t { kTrackNotFound, kNotAllowed };
struct SubscribeFailed {
  std::string track;
  SubscribeRefusal why = SubscribeRefusal::kTrackNotFound;
};
// Whether the publisher lets it subscribe: told when it may not, of a track that it wants, and when it may
// again.
struct SubscriptionAllowed {
  std::string publisher_sid, track;
  bool is_allowed = true;
};
// The first subscriber of an own track is there: once for each track in a room.
struct FirstSubscriber {
  std::string track;
};
// It is out of the room.
struct Removed {
  LeaveReason reason = LeaveReason::kRemoved;
};
// It was moved to another room, with its tracks; this is what it finds there.
struct Moved {
  RoomInfo room;
  SharedParticipant self;
  std::vector<SharedParticipant> others;
};

// ---- Events for everybody.

// Came, went (kDisconnected), or changed; also of the one who is told.
struct ParticipantsChanged {
  std::vector<SharedParticipant> participants;
};
struct RoomChanged {
  RoomInfo room;
};
// Loudest first. A speaker who leaves is told to be silent before it is told to be gone.
struct SpeakersChanged {
  std::vector<SpeakerLevel> speakers;  // Those that changed; who fell silent is not active.
};
struct QualityChanged {
  struct Quality {
    std::string participant;  // Sid.
    ConnectionQuality quality;
    float mos;
  };
  std::vector<Quality> qualities;
};
struct DataArrived {
  std::string from_identity, from_sid;  // Empty: the server itself.
  bool is_reliable = true;
  SharedBytes payload;
  std::uint32_t sequence = 0;
};

using Event =
    std::variant<Answered, TrackAnnounced, TrackRefused, TrackMuted, TrackUnpublished, Subscribed,
                 Unsubscribed, SubscribeFailed, SubscriptionAllowed, FirstSubscriber, Removed, Moved,
                 ParticipantsChanged, RoomChanged, SpeakersChanged, QualityChanged, DataArrived>;

}  // namespace stoa::room
