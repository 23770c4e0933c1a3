// The rooms half of a shard: requests to join over WebSocket, the rooms that this shard owns, the seats of
// participants that it serves, and the tracks that travel between shards.
//
//   GET /rtc -> JoinAsked (control) -> JoinWanted (owner) -> SeatOpened (the seat's shard) -> SignalAccepted
//
// From there on frames go between WebSocket and seat (seat.h), commands and events between seat and room.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/answer.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/slot_table.h"
#include "base/time.h"
#include "base/timer_queue.h"
#include "room/room.h"
#include "session/webrtc/port.h"
#include "shard/mail.h"
#include "shard/outputs.h"
#include "shard/presence.h"
#include "shard/seat.h"
#include "shard/track_hub.h"

namespace stoa::shard {

struct RoomsConfig {
  ShardIndex index = 0;
  ShardIndex shards = 1;
  room::Limits limits;
  SeatConfig seat;
  bool may_unmute_remotely = false;
  // Bits a second that all rooms of the node are sent, and each room. 0: no limit.
  std::uint64_t node_egress_max = 0, room_egress_max = 0;
  std::size_t rooms_max = 10'000;                // Owned here.
  std::size_t seats_max = 20'000;                // Served here.
  std::size_t joins_max = 10'000;                // Under way here: asked, not answered.
  Duration join_timeout = Duration::seconds(5);  // Of a request to join, until it is answered 503.
};

class Rooms {
 public:
  Rooms(const RoomsConfig& config, webrtc::Port& port, webrtc::PortOutputs& port_outputs, Rng rng);
  ~Rooms();
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;

  // A request under /rtc.
  void handle_request(Timestamp now, api::RequestKey key, const http::Request& request, RoomsOutputs& out);
  void handle_cancelled(api::RequestKey key);
  // The WebSocket of a request that was accepted.
  void handle_signal_message(api::RequestKey key, Bytes message, bool is_text, RoomsOutputs& out);
  void handle_signal_closed(api::RequestKey key, RoomsOutputs& out);

  // Mail. True: it was of rooms.
  bool handle_mail(Timestamp now, WallTime wall, Mail& mail, RoomsOutputs& out);

  // Of the port, about sessions that are seats' and streams that are rooms'. Others are passed over.
  void handle_port_event(Timestamp now, webrtc::PortOutput& event, RoomsOutputs& out);

  // After every input: what followed from it and was left for the end.
  void flush(Timestamp now, RoomsOutputs& out);
  void handle_deadline(Timestamp now, WallTime wall, RoomsOutputs& out);
  Timestamp next_deadline() const { return std::min(timers_.next(), hub_.next_deadline()); }

  // The node stops: participants are told to go elsewhere, rooms end.
  void refuse_all() { is_stopping_ = true; }
  void close_all(Timestamp now, WallTime wall, RoomsOutputs& out);

  void append_metrics(MetricSamples& samples) const;
  // In all tables by which rooms, seats and tracks are found and woken. 0 when nobody is there.
  std::size_t entries() const {
    return joining_.size() + signals_.size() + rooms_.size() + seats_.size() + floors_.size() +
           by_session_.size() + timers_.size() + hub_.entries();
  }

 private:
  struct OwnedRoom {
    OwnedRoom(room::RoomInfo info, const room::RoomConfig& config, std::uint64_t egress_max, Timestamp now,
              WallTime wall, Rng rng)
        : room(std::move(info), config, now, wall, rng), egress(egress_max) {}
    static constexpr std::size_t kTcpOnlyMax = 64;
    room::Room room;
    const std::string sid = room.info().sid;
    room::Outputs outputs;
    std::set<std::string> tcp_only;  // Identities that asked for it.
    bwe::EgressBudget egress;        // By shard.
  };
  // A request to join that waits.
  struct Joining {
    std::shared_ptr<const livekit::JoinParams> params;
    IpAddress client;
    Timestamp until;
  };
  // A WebSocket here and the seat that it belongs to.
  struct Signal {
    ShardIndex shard;
    std::uint64_t seat;
  };
  enum class TimerKind : std::uint8_t { kJoining, kRoom, kFloor, kSeat, kEgress };
  struct TimerKey {
    TimerKind kind;
    std::string name;
    std::uint64_t id = 0;
    auto operator<=>(const TimerKey&) const = default;
  };
  // What of a room sits here.
  struct Floor {
    struct Place {
      std::uint64_t seat = 0;
      Presence::Mark mark = 0;
    };
    std::unordered_map<std::uint64_t, Place> seats;  // By participant.
    Seat::Audible audible;                           // For those who come later, too.
    Presence presence;
    bwe::EgressShare egress;
  };

  void send(ShardIndex to, Mail mail, RoomsOutputs& out);
  void refuse_request(api::RequestKey key, const RequestDenied& why, RoomsOutputs& out);
  void handle_decided(JoinDecided& decided, RoomsOutputs& out);
  void handle_join_wanted(Timestamp now, WallTime wall, JoinWanted& wanted, RoomsOutputs& out);
  void resume(WallTime wall, OwnedRoom& owned, JoinWanted& wanted, RoomsOutputs& out);
  void handle_refused(JoinRefused& refused, RoomsOutputs& out);
  void handle_seat_opened(Timestamp now, SeatOpened& opened, RoomsOutputs& out);
  void handle_seat_resumed(Timestamp now, SeatResumed& resumed, RoomsOutputs& out);
  void handle_seat_closed(Timestamp now, const SeatClosed& closed, RoomsOutputs& out);
  void handle_told(Timestamp now, const RoomTold& told, RoomsOutputs& out);
  void tell_presence(Timestamp now, const std::string& room_sid, Floor& floor, RoomsOutputs& out);
  void handle_audible(RoomAudible& audible);
  OwnedRoom* find_room(const std::string& name);
  void handle_room_outputs(const std::string& name, RoomsOutputs& out);
  void drop_room(const std::string& name);
  Seat* find_seat(std::uint64_t id);
  Seat* find_publisher(const std::string& name);  // Of a track in the hub.
  Seat* find_seat(const std::string& room_sid, room::ParticipantId participant);
  void leave_floor(const std::string& room_sid, room::ParticipantId participant);
  void close_signal(const SignalAddress& signal, std::uint16_t code, RoomsOutputs& out);
  void handle_accepted(const SignalAccepted& accepted, RoomsOutputs& out);
  void handle_forwarded(Timestamp now, WallTime wall, const RoomForwarded& forwarded, RoomsOutputs& out);
  // The server's API (rooms_api.cc).
  using ApiAnswer = Result<std::shared_ptr<const google::protobuf::Message>, livekit::TwirpError>;
  void handle_call(Timestamp now, WallTime wall, RoomCalled& called, RoomsOutputs& out);
  ApiAnswer list_rooms(const livekit::pb::ListRoomsRequest& request) const;
  ApiAnswer call_room(Timestamp now, WallTime wall, room::Room& room, const livekit::TwirpRequest& request,
                      room::Outputs& outputs);
  void move_out(Timestamp now, WallTime wall, OwnedRoom& owned,
                const livekit::pb::MoveParticipantRequest& move, const RoomCalled& called, RoomsOutputs& out);
  void handle_entered(Timestamp now, WallTime wall, RoomEntered& entered, RoomsOutputs& out);
  void handle_seat_moved(Timestamp now, const SeatMoved& moved, RoomsOutputs& out);
  // What the REST API asks (rooms_report.cc).
  void handle_query(const RoomsQueried& queried, RoomsOutputs& out);
  void query_participants(const RoomsQueried& queried, OwnedRoom& owned, RoomsOutputs& out);
  void handle_seats_query(Timestamp now, const SeatsQueried& queried, RoomsOutputs& out);
  // Egress budgets (rooms_egress.cc).
  void begin_egress(Timestamp now);
  void report_egress(Timestamp now, RoomsOutputs& out);
  void handle_egress_wanted(const EgressWanted& wanted, RoomsOutputs& out);
  void handle_egress_shared(Timestamp now, const EgressShared& shared, RoomsOutputs& out);
  void append_budget_metrics(MetricSamples& samples) const;
  void append_quality_metrics(MetricSamples& samples) const;
  OwnedRoom& open_room(Timestamp now, WallTime wall, const room::RoomInfo& info);
  void remove_seat(std::uint64_t id);
  // Has a seat do something, and carries out what follows. Null: there is none.
  template <typename Act>
  void with_seat(Seat* seat, RoomsOutputs& out, Act&& act) {
    if (seat == nullptr) return;
    SeatOutputs outputs;
    act(*seat, outputs);
    handle_seat_outputs(*seat, outputs, out);
  }
  void handle_seat_outputs(Seat& seat, SeatOutputs& outputs, RoomsOutputs& out);
  void handle_hub_outputs(Timestamp now, RoomsOutputs& out);

  RoomsConfig config_;
  Rng rng_;
  TrackHub hub_;
  HubOutputs hub_outputs_;
  SeatWorld world_;
  std::unordered_map<api::RequestKey, Joining> joining_;
  std::unordered_map<api::RequestKey, Signal> signals_;
  std::map<std::string, std::unique_ptr<OwnedRoom>> rooms_;
  SlotTable<std::unique_ptr<Seat>, struct SeatTag> seats_;
  std::unordered_map<std::string, Floor> floors_;                // By sid.
  std::unordered_map<std::uint64_t, std::uint64_t> by_session_;  // SessionId to seat.
  std::vector<std::uint64_t> touched_;                           // Seats, since the last flush().
  TimerQueue<TimerKey> timers_;
  bool is_stopping_ = false;
  bwe::EgressBudget node_egress_;  // By shard; of the one that adds up.
  bwe::EgressShare node_share_;
  std::map<std::string, std::string> egress_told_;  // Rooms by sid, the last time.
  bwe::EgressWish egress_wanted_;
  bool is_adding_up_egress_ = false;
  bwe::Allocator::Counters ended_allocators_;  // Of seats that are gone.

  struct Counters {
    std::uint64_t joins = 0, resumes = 0, refused = 0, timed_out = 0;
  };
  Counters counters_;
  SeatCounters seat_counters_;
};

}  // namespace stoa::shard
