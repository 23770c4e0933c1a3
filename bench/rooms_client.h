// One participant of a room, as a LiveKit client of the older generation: a WebSocket at /rtc, a peer
// connection that the server makes offers for (what it receives) and one that it makes offers for itself
// (what it publishes).
//
//   start() -> WebSocket -> join -> offer -> answer -> ICE -> DTLS -> connected, subscriptions, media …
//   stop()
//
// It takes no tracks by itself (auto_subscribe=0): it asks for those that its layout shows, and all sound.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "rooms_layout.h"
#include "rooms_link.h"
#include "rooms_sender.h"
#include "rooms_watcher.h"

namespace stoa::bench {

// What all clients of a run share.
struct RoomsShared {
  RtcShared rtc;
  Url url;
  Address address;  // Of the server's HTTP.
  IpAddress own;    // What media goes and comes by.
  std::string api_key, api_secret;
  RoomsMedia media;
  RoomsLayout layout = RoomsLayout::kAll;
  SenderCounts sent;
  WatcherCounts watched;
  // What servers said, in all.
  std::uint64_t offers = 0, subscriptions_refused = 0, requests_refused = 0;
};

struct RoomsSeat {
  std::string room;
  std::size_t number = 0;      // In its room; those who publish first.
  std::size_t publishers = 0;  // Of the room.
  bool is_publishing = false, is_watching = false;
  bool is_checked = false;  // Its packets are decrypted.
};

// How long it took from start(), in nanoseconds; 0: not there yet.
struct RoomsJoin {
  std::int64_t started_ns = 0;
  std::int64_t signalled = 0;     // The server's first message is there.
  std::int64_t connected = 0;     // The primary peer connection.
  std::int64_t first_packet = 0;  // Received or, by those who only publish, sent.
};

class RoomsClient {
 public:
  enum class State : std::uint8_t { kIdle, kJoining, kConnected, kEnded };
  enum Part : std::uint8_t { kLink, kSubscriber, kPublisher, kParts };

  // `id`: poller ids are id * kParts + Part.
  RoomsClient(RoomsShared& shared, const RoomsSeat& seat, Poller& poller, std::uint64_t id);

  void start();
  void handle_events(Part part, std::uint32_t events);
  void handle_deadline(std::int64_t now);
  std::int64_t next_deadline() const;  // INT64_MAX: none.
  void stop();

  State state() const { return state_; }
  const Failure& failure() const { return failure_; }  // Why it ended; empty after stop().
  const RoomsJoin& join() const { return join_; }
  const RoomsSeat& seat() const { return seat_; }
  RoomsWatcher& watcher() { return watcher_; }
  // How many of a kind it has asked for and should be sent, and how many there will be.
  std::size_t videos_asked() const { return videos_asked_; }
  std::size_t audios_asked() const { return audios_asked_; }
  std::size_t videos_wanted() const;
  std::size_t audios_wanted() const;
  bool is_there() const;  // Connected, and media flows where some should.

 private:
  // The user of one of the two peer connections.
  class Half : public RoomsLegUser {
   public:
    Half(RoomsClient& client, Part part) : client_(client), part_(part) {}
    void on_connected(std::int64_t now) override { client_.handle_connected(now, part_); }
    void on_closed(const std::string& why) override { client_.fail("transport: " + why); }
    bool on_sealed(std::int64_t now, std::int64_t arrived_ns, Bytes packet) override;
    void on_rtp(std::int64_t arrived_ns, Bytes packet) override;
    void on_rtcp(std::int64_t now, Bytes packet) override;

   private:
    RoomsClient& client_;
    Part part_;
  };

  std::string make_target();
  void fail(Failure failure);
  void send(const livekit::pb::SignalRequest& request);
  void handle_message(std::int64_t now, const std::string& bytes);
  void handle_join(std::int64_t now, const livekit::pb::JoinResponse& join);
  void handle_offer(std::int64_t now, const livekit::pb::SessionDescription& offer);
  void handle_answer(std::int64_t now, const livekit::pb::SessionDescription& answer);
  void handle_candidate(std::int64_t now, const livekit::pb::TrickleRequest& trickle);
  void handle_participants(
      const google::protobuf::RepeatedPtrField<livekit::pb::ParticipantInfo>& participants);
  void subscribe(const livekit::pb::ParticipantInfo& participant, std::size_t number);
  void open_publisher(std::int64_t now);
  void handle_connected(std::int64_t now, Part part);
  void send_pings(std::int64_t now);
  bool open_leg(std::int64_t now, RoomsLeg& leg, Part part, std::vector<sdp::OfferedSection> sections);

  RoomsShared& shared_;
  RoomsSeat seat_;
  Poller& poller_;
  std::uint64_t id_;
  Rng rng_;
  State state_ = State::kIdle;
  Failure failure_;
  RoomsJoin join_;
  RoomsLink link_;
  Half subscriber_half_{*this, kSubscriber}, publisher_half_{*this, kPublisher};
  RoomsLeg subscriber_, publisher_;
  RoomsSender sender_;
  RoomsWatcher watcher_;
  std::string sid_;  // Its own.
  Part primary_ = kSubscriber;
  std::set<std::string> asked_;  // Sids of tracks.
  std::size_t videos_asked_ = 0, audios_asked_ = 0;
  std::int64_t ping_interval_ns_ = 0, next_ping_ns_ = INT64_MAX, next_report_ns_ = INT64_MAX;
};

}  // namespace stoa::bench
