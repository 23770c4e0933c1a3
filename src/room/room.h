// One room: who is in it, what they publish, who receives what, and who is told. Pure, and ignorant of how
// any of them is connected: commands come in, events for participants go out.
//
//   join() -> Joined -> handle(…) … -> Left
//
// Participants are served on shards; a room fills its own shard first (Limits::seats_per_shard) and names a
// shard with each event, so that one message serves all who sit there.
//
// Who is told of whom: everybody of everybody, but for
// - hidden participants, of whom only they themselves are told; they cannot publish;
// - rooms of more than Limits::presence_max: who comes then is told only of those who publish or did, and
//   others are told of it when it publishes. Who was told of somebody keeps being told of it until it goes,
//   also when it stops publishing and when the room grows: nobody seems to leave who did not. When the room
//   is small again, everybody is told of everybody that they do not know yet.
// A track is told of before it is subscribed, and Unsubscribed before it is told to be gone.
//
// A room lives as long as somebody with a seat is in it who is there for himself: no recorder, agent or
// egress (by kind or permission). These, and who is forwarded from elsewhere, are put out when its time is
// over. They are not refused for RoomInfo::participants_max either, only for Limits::participants_max.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "room/events.h"
#include "room/info.h"
#include "room/limits.h"

namespace stoa::room {

// ---- Outputs.

struct ToParticipant {
  std::uint32_t shard = 0;
  ParticipantId participant;
  Event event;
};
// To all who sit there, but one.
struct ToShard {
  std::uint32_t shard = 0;
  std::shared_ptr<const Event> event;
  std::optional<ParticipantId> except;
  // Not empty: to these only.
  std::vector<ParticipantId> only;
};
// A shard where somebody publishes audio: packets of these tracks alone are to be passed on, as long as more
// speak than Limits::loudest_max; of all when `is_limited` is false.
struct AudibleTracks {
  std::uint32_t shard = 0;
  bool is_limited = false;
  std::vector<std::string> tracks;
};
// For whoever keeps a record of rooms: webhooks, logs, analytics.
enum class Happening : std::uint8_t {
  kRoomStarted,
  kRoomFinished,
  kParticipantJoined,   // Became active.
  kParticipantLeft,     // Was active.
  kParticipantAborted,  // Never became active, or lost its media for good.
  kTrackPublished,
  kTrackUnpublished,
};
struct Happened {
  Happening what = Happening::kRoomStarted;
  RoomInfo room;
  SharedParticipant participant;  // Null for those of rooms.
  std::optional<TrackInfo> track;
};
// What another room shows of a participant of this one (forward()), for its handle_forward(). Gone: no
// longer. A room that puts out somebody who is forwarded to it answers with the same, the rooms swapped and
// is_gone: the participant's own room then stops forwarding it.
struct ForwardChanged {
  std::string to_room, from_room;
  SharedParticipant participant;
  std::vector<std::pair<std::string, std::vector<TrackMedia>>> media;  // By track sid.
  SetSubscribers subscribers;                                          // Holds there too.
  bool is_gone = false;
};
// Its seat may be taken away; Removed was told before, where it did not leave by itself.
struct Left {
  std::uint32_t shard = 0;
  ParticipantId participant;
  LeaveReason reason = LeaveReason::kUnknown;
};
// Nothing is left of the room: whoever holds it should drop it.
struct Ended {};
using Output = std::variant<ToParticipant, ToShard, AudibleTracks, Happened, ForwardChanged, Left, Ended>;
using Outputs = Outbox<Output>;

// ---- Coming in.

struct JoinWish {
  std::string identity, name, metadata;
  std::map<std::string, std::string> attributes;
  ParticipantKind kind = ParticipantKind::kStandard;
  std::vector<std::uint32_t> kind_details;
  Permissions permissions;
  bool auto_subscribe = true;
  std::uint32_t client_protocol = 0;
  std::vector<std::uint32_t> capabilities;
};
enum class JoinRefusal : std::uint8_t {
  kFull,
  kBadWish,  // A text over its limit or not UTF-8, or no identity.
  kEnded,
};
struct Joined {
  ParticipantId participant;
  std::uint32_t shard = 0;  // Where to seat it.
  RoomInfo room;
  SharedParticipant self;
  std::vector<SharedParticipant> others;  // As far as it is told of them.
};

// ---- The server's API.

enum class ApiRefusal : std::uint8_t {
  kNoParticipant,
  kNoTrack,
  kNotAllowed,  // Unmuting somebody, where the configuration does not let a moderator do that.
  kBadValue,    // Over a limit.
};
struct ParticipantUpdate {  // What is set changes.
  std::optional<std::string> metadata, name;
  std::map<std::string, std::string> attributes;  // Empty values go away.
  std::optional<Permissions> permissions;
};
// What a participant takes along to another room.
struct Luggage {
  JoinWish wish;
  std::string sid;
  std::uint32_t shard = 0;
  ParticipantId id;  // In the room that it came from: names its seat.
  ParticipantState state = ParticipantState::kJoined;
  WallTime joined_at;
  std::uint32_t version = 0;         // Of what was told of it.
  std::vector<TrackInfo> announced;  // Without media yet.
  std::vector<std::string> announced_cids;
  std::vector<std::pair<TrackInfo, std::vector<TrackMedia>>> tracks;  // Media: in the order of codecs.
  std::vector<std::string> track_cids;
  SetSubscribers subscribers;
};

struct RoomConfig {
  Limits limits;
  std::uint32_t shard = 0, shards = 1;  // The room's own, and how many there are.
  bool may_unmute_remotely = false;
};

class Room {
 public:
  // `info`: name, metadata, timeouts and limits; its sid is made when it is empty.
  Room(RoomInfo info, const RoomConfig& config, Timestamp now, WallTime wall, Rng rng);
  ~Room();
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  // An identity that is here already is thrown out (kDuplicateIdentity), unless the new one is refused.
  // Others are told of it as kJoined; Subscribed comes after BecomeActive.
  Result<Joined, JoinRefusal> join(Timestamp now, WallTime wall, JoinWish wish, Outputs& out);
  void handle(Timestamp now, WallTime wall, ParticipantId participant, Command command, Outputs& out);
  // Its signalling is back: everything that it has to know anew. Nothing when it is not here any longer.
  // `gone_since`: those who left after that time are named too, as kDisconnected (kept for some minutes).
  struct Snapshot {
    RoomInfo room;
    SharedParticipant self;
    std::vector<SharedParticipant> others, gone;
    std::vector<SpeakerLevel> speakers;
  };
  std::optional<Snapshot> snapshot(ParticipantId participant, WallTime gone_since) const;
  std::optional<ParticipantId> find_by_sid(std::string_view sid) const;
  std::optional<ParticipantId> find_by_identity(std::string_view identity) const;
  // Its permissions, shard and wish as they are now; null when there is none.
  SharedParticipant participant(ParticipantId id) const;
  std::uint32_t shard_of(ParticipantId id) const;

  // The server's API.
  std::vector<SharedParticipant> participants() const;  // Hidden ones too.
  RoomInfo info() const;
  Result<void, ApiRefusal> remove(Timestamp now, WallTime wall, std::string_view identity, LeaveReason reason,
                                  Outputs& out);
  Result<TrackInfo, ApiRefusal> mute(Timestamp now, WallTime wall, std::string_view identity,
                                     std::string_view track, bool is_muted, Outputs& out);
  Result<SharedParticipant, ApiRefusal> update_participant(Timestamp now, WallTime wall,
                                                           std::string_view identity,
                                                           const ParticipantUpdate& update, Outputs& out);
  // `tracks`: sids of tracks, or of participants, which means all that those publish now.
  Result<void, ApiRefusal> update_subscriptions(Timestamp now, WallTime wall, std::string_view identity,
                                                std::span<const std::string> tracks, bool is_wanted,
                                                Outputs& out);
  // From the server.
  void send_data(Timestamp now, const SendData& data, Outputs& out);
  Result<RoomInfo, ApiRefusal> update_metadata(Timestamp now, WallTime wall, std::string metadata,
                                               Outputs& out);
  void set_recorded(Timestamp now, bool is_recorded, Outputs& out);
  // Takes a participant out of here without closing its connection, and puts it into another room. It keeps
  // its seat, sid and tracks; there is no Left here. Subscriptions are told Unsubscribed by take_out();
  // put_in() tells Moved and then Subscribed, under the new id. Refused, the participant is in no room: its
  // seat should be closed.
  Result<Luggage, ApiRefusal> take_out(Timestamp now, WallTime wall, std::string_view identity, Outputs& out);
  Result<Joined, JoinRefusal> put_in(Timestamp now, WallTime wall, Luggage luggage, Outputs& out);
  // Shows a participant of this room in another one, until it leaves, or stop_forwarding().
  Result<void, ApiRefusal> forward(Timestamp now, std::string_view identity, const std::string& to_room,
                                   Outputs& out);
  void stop_forwarding(Timestamp now, std::string_view identity, const std::string& to_room, Outputs& out);
  // What another room shows here: a participant without a seat, to whom nothing is told. kBadWish: its
  // identity is here already. Nothing that happens to it is told as Happened, and it is never a speaker.
  Result<void, JoinRefusal> handle_forward(Timestamp now, WallTime wall, const ForwardChanged& forward,
                                           Outputs& out);
  // Everybody is told (Removed) and out; Ended. Of others' going nobody is told any more.
  void close(Timestamp now, WallTime wall, LeaveReason reason, Outputs& out);

  void handle_deadline(Timestamp now, WallTime wall, Outputs& out);
  Timestamp next_deadline() const;

  std::size_t size() const;  // Participants, hidden and forwarded ones included.
  bool has_ended() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::room
