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
#include "api/livekit/data_packet.h"
#include "api/livekit/grant.h"
#include "api/livekit/join_params.h"
#include "api/livekit/twirp.h"
#include "api/rooms.h"
#include "api/whip.h"
#include "base/address.h"
#include "base/bytes.h"
#include "base/metric.h"
#include "bwe/egress_budget.h"
#include "control/channel_events.h"
#include "control/live_directory.h"
#include "control/publishing.h"
#include "control/transcoding.h"
#include "live/channel.h"
#include "live/snapshot.h"
#include "media/track.h"
#include "proto/relay/message.h"
#include "room/room.h"

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
  std::string ladder = "off";  // As control::PublishGrant has it; the first source's counts.
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

// ---- Rooms. A room has one owner (`owner_of` its name), where room::Room is. A participant has a seat on
// the shard that the room says; its WebSocket may have come to any shard.

// A WebSocket, by the request that it began with, at the shard that has it.
struct SignalAddress {
  ShardIndex shard = 0;
  api::RequestKey request = 0;
  bool operator==(const SignalAddress&) const = default;
};
// What a believed token grants. Made by control.
struct RoomGrant {
  std::string key_id;
  std::shared_ptr<const livekit::AccessGrant> access;
  room::RoomInfo room;  // As it is kept, or as the token wants it, or the defaults. Its sid may be empty.
};
struct RequestDenied {
  int status = 401;
  std::string text;
};
struct JoinDecided {
  api::RequestKey request;
  Result<std::shared_ptr<const RoomGrant>, RequestDenied> decision;
};
// To the room's owner. Answered by JoinRefused, or SignalAccepted from the seat's shard.
struct JoinWanted {
  SignalAddress signal;
  std::shared_ptr<const livekit::JoinParams> params;
  std::shared_ptr<const RoomGrant> grant;
  IpAddress client;
};
struct JoinRefused {
  api::RequestKey request;
  RequestDenied why;
  bool may_join_anew = false;  // A resume of what is gone: the client is told so and comes again.
};
// From the owner to the shard of the seat.
struct SeatOpened {
  JoinWanted join;
  room::Joined joined;
  bool is_tcp_only = false;  // It shall be told of candidates over TCP alone.
};
struct SeatResumed {
  JoinWanted join;
  room::ParticipantId participant;
  room::Room::Snapshot snapshot;
};
// These, like all from the owner of a room to seats, name the room by sid: another may have its name by now.
struct SeatClosed {
  std::string room;
  room::ParticipantId participant;
  room::LeaveReason reason;
};
// Between the shard of a seat and that of its WebSocket.
struct SignalAccepted {
  api::RequestKey request;
  ShardIndex shard;  // Of the seat.
  std::uint64_t seat;
};
struct SignalSent {
  api::RequestKey request;
  SharedBytes frame;
  bool is_text;
};
struct SignalClosed {
  api::RequestKey request;
  std::uint16_t code;
};
struct SignalHeard {
  std::uint64_t seat;
  SignalAddress from;
  SharedBytes frame;
  bool is_text;
};
struct SignalLost {
  std::uint64_t seat;
  SignalAddress from;
};
// From a seat to the owner of its room: when this identity comes next, it is to use TCP, or anything again.
struct TransportAsked {
  std::string room, identity;
  bool is_tcp_only;
};
// From a seat to the owner of its room. The participant's sid says whose seat it is: in another room of the
// name somebody else may have the id.
struct RoomAsked {
  std::string room;
  room::ParticipantId participant;
  std::string participant_sid;
  room::Command command;
};
// From the owner to a shard: for these seats, or all but one of the room's seats there.
struct RoomTold {
  std::string room;  // Sid.
  std::shared_ptr<const room::Event> event;
  std::vector<room::ParticipantId> only;
  std::optional<room::ParticipantId> except;
};
struct RoomAudible {
  std::string room;  // Sid.
  bool is_limited;
  std::vector<std::string> tracks;
};
// Between rooms.
struct RoomForwarded {
  room::ForwardChanged forward;
};
struct RoomEntered {
  std::uint64_t question;  // Of the call that moved it.
  std::string from_room;   // Sid.
  room::RoomInfo room;     // Where to; opened if it is not there.
  room::Luggage luggage;
};
// To the shard of a seat, before anything of the room that it is in now.
struct SeatMoved {
  std::string from_room;  // Sid.
  room::ParticipantId before;
  std::string to_room, to_sid;
  room::ParticipantId after;
  std::string after_sid;
};
// A call of the server's API on its way to the owner of its room, or to every shard. Answered by
// RoomAnswered.
struct RoomCalled {
  std::uint64_t question;
  std::shared_ptr<const livekit::TwirpCall> call;
  room::RoomInfo room;  // The room to create, or to move to.
};
// A query of the REST API, to the owner of its room, or to every shard. Answered by RoomsFound, and by
// SeatsFound from the shards of those whom it is about.
struct RoomsQueried {
  std::uint64_t question;
  std::shared_ptr<const api::RoomsQuery> query;
};
struct SeatsQueried {
  std::uint64_t question;
  std::string room;  // Its sid.
  std::vector<room::ParticipantId> participants;
  bool with_streams;
};
// What the seats of a shard would be sent if there were no egress budgets: to the owner of their room, and of
// all rooms to the shard that adds up for the node. Answered by EgressShared. Without a room: of the node.
struct EgressWanted {
  ShardIndex shard;
  std::string room, room_sid;
  bwe::EgressWish wish;
};
struct EgressShared {
  std::string room_sid;
  bwe::EgressShare share;
};
// A fresh token for a participant.
struct TokenMade {
  std::uint64_t seat;
  std::string token;  // Empty: its key makes none any more.
  std::string room;   // That it is for.
};

using Mail =
    std::variant<SourceStarted, SourceMedia, SourceTrackLeftOut, SourceEnded, SourceDropped, SnapshotChanged,
                 BroadcastStopped, KeyRevoked, PublishDecided, MetricsWanted, RtcAsked, RtcReplied,
                 relay::ToOwner, relay::ToSubscriber, JoinDecided, JoinWanted, JoinRefused, SeatOpened,
                 SeatResumed, SeatClosed, SignalAccepted, SignalSent, SignalClosed, SignalHeard, SignalLost,
                 RoomAsked, RoomTold, RoomAudible, RoomForwarded, RoomEntered, SeatMoved, RoomCalled,
                 RoomsQueried, SeatsQueried, TokenMade, TransportAsked, EgressWanted, EgressShared,
                 control::LadderDecided, control::WorkerAwaited>;

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
// Of a broadcast that control was told of by a ProgramOnAir: it is over.
struct ProgramEnded {
  std::string channel;
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
// May this token join? Answered by JoinDecided.
struct JoinAsked {
  ShardIndex shard;
  api::RequestKey request;
  std::string token;
  bool is_reconnect = false;
};
// Answered by TokenMade.
struct TokenWanted {
  ShardIndex shard;
  std::uint64_t seat;
  std::shared_ptr<const RoomGrant> grant;
  room::SharedParticipant participant;  // As it is now …
  std::string room;                     // … and where.
};
struct RoomHappened {
  room::Happened happened;
};
struct RoomAnswered {
  std::uint64_t question;
  Result<std::shared_ptr<const google::protobuf::Message>, livekit::TwirpError> answer;
};
// An answer of a participant to a call of the server's (PerformRpc).
struct RpcAnswered {
  std::string room, identity;  // Who answers.
  livekit::RpcReply reply;
};
// In order, at most one more than was asked for. Of participants the first `limit` have seats somewhere;
// `seat_answers` SeatsFound tell of them, before or after this.
struct RoomsFound {
  std::uint64_t question;
  std::optional<api::RoomsRefusal> why_not;
  std::vector<room::RoomInfo> rooms;
  std::vector<std::pair<room::ParticipantId, room::SharedParticipant>> participants;
  std::size_t seat_answers = 0;
};
// Those that are there still.
struct SeatsFound {
  std::uint64_t question;
  std::vector<room::SeatReport> seats;
};
using ControlMail =
    std::variant<PublishAsked, ChannelReported, AudienceReported, MetricsGiven, JoinAsked, TokenWanted,
                 RoomHappened, RoomAnswered, RpcAnswered, RoomsFound, SeatsFound, control::ProgramOnAir,
                 ProgramEnded, control::WorkerSeen, control::ChannelHappening>;

}  // namespace stoa::shard
