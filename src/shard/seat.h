// One participant of a room, as the shard that serves it sees it: its signalling (LiveKit client protocol),
// its peer connections, what it publishes and what it is sent.
//
// Two generations of clients: the older has two connections, one that it offers and publishes on and one that
// we offer and send on; the newer has one, which it offers, for both. Everything else is alike.
//
// The WebSocket may be lost and come back (resume); media goes on. A seat ends when its room says so.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/livekit/convert.h"
#include "api/livekit/grant.h"
#include "api/livekit/join_params.h"
#include "api/livekit/signal.h"
#include "api/whip.h"
#include "base/log.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/token_bucket.h"
#include "bwe/allocator.h"
#include "room/layer_choice.h"
#include "room/loudness.h"
#include "room/quality.h"
#include "room/report.h"
#include "room/room.h"
#include "session/webrtc/port.h"
#include "shard/layer_rates.h"
#include "shard/mail.h"
#include "shard/rendered_event.h"
#include "shard/seat_budget.h"
#include "shard/track_hub.h"

namespace stoa::shard {

struct SeatConfig {
  std::vector<api::IceServer> ice_servers;
  std::string region;
  std::string node_id = "stoa";
  Duration ping_interval = Duration::seconds(5), ping_timeout = Duration::seconds(15);
  // How long a participant without WebSocket is kept: with media, and without.
  Duration resume_timeout = Duration::seconds(60), resume_timeout_without_media = Duration::seconds(20);
  Duration token_interval = Duration::seconds(300);
  Duration report_interval = Duration::seconds(2);
  // Reliable data that a receiver may have missed while it was away.
  Duration replay_kept = Duration::seconds(10);
  std::size_t replay_bytes_max = 1u << 20;
  // What one participant may ask in a second, and at once: frames of signalling, each with one more for
  // every kRequestBytes.
  double requests_per_second = 50;
  double request_burst = 500;
  // Descriptions that it was asked for count as one, whatever their length, up to so many bytes.
  double description_bytes_per_second = 1e6, description_burst_bytes = 8e6;
  // What one may send to others in a second, and twice that at once. More is dropped.
  double data_packets_per_second = 2'000;
  double data_bytes_per_second = 8e6;
  bool has_egress_budget = false;       // Of its room, or of the node.
  std::size_t subscriptions_max = 240;  // Sections of one connection. What is over it waits.
};

// Counted over all seats of a shard.
struct SeatCounters {
  std::uint64_t frames = 0, bad_frames = 0, floods = 0, offers = 0, bad_offers = 0, media_failures = 0;
  std::uint64_t data_packets = 0, data_refused = 0, data_dropped = 0;
};

// What the seats of a shard share.
struct SeatWorld {
  std::uint32_t shard;
  webrtc::Port& port;
  webrtc::PortOutputs& port_outputs;
  TrackHub& hub;
  HubOutputs& hub_outputs;
  const SeatConfig& config;
  SeatCounters& counters;
};

// To the room.
struct SeatCommand {
  room::Command command;
};
struct SeatFrame {
  SignalAddress to;
  SharedBytes frame;
  bool is_text = false;
};
struct SeatSignalClosed {
  SignalAddress to;
  std::uint16_t code = 1000;
};
struct SeatTokenWanted {};
// To a call of the server's.
struct SeatRpcAnswered {
  livekit::RpcReply reply;
};
// It has one more connection.
struct SeatSession {
  webrtc::SessionId session;
};
// For when it comes the next time.
struct SeatTransportWanted {
  bool is_tcp_only = false;
};
using SeatOutput = std::variant<SeatCommand, SeatFrame, SeatSignalClosed, SeatTokenWanted, SeatRpcAnswered,
                                SeatSession, SeatTransportWanted, LogLine>;
using SeatOutputs = Outbox<SeatOutput>;

class Seat {
 public:
  // Tracks whose sound alone is passed on; null: all are.
  using Audible = std::shared_ptr<const std::vector<std::string>>;
  struct Opening {
    std::uint64_t id = 0;
    std::shared_ptr<const livekit::JoinParams> params;
    std::shared_ptr<const RoomGrant> grant;
    SignalAddress signal;
    IpAddress client;
    room::Joined joined;
    Audible audible;
    bool is_tcp_only = false;
  };
  Seat(const SeatWorld& world, Opening opening, Rng rng);
  ~Seat();
  Seat(const Seat&) = delete;
  Seat& operator=(const Seat&) = delete;

  // First of all: says what the client must know, and begins media.
  void start(Timestamp now, SeatOutputs& out);
  void resume(Timestamp now, SeatResumed& resumed, SeatOutputs& out);
  void handle_frame(Timestamp now, WallTime wall, Bytes frame, bool is_text, SeatOutputs& out);
  void handle_signal_lost(Timestamp now, SeatOutputs& out);
  void handle_event(Timestamp now, RenderedEvent& event, SeatOutputs& out);
  // It is in another room from now on, which tells it everything anew.
  void move(Timestamp now, const SeatMoved& moved, Audible audible, SeatOutputs& out);
  // Empty: there is none.
  void handle_token(const std::string& token, const std::string& room, SeatOutputs& out);
  void handle_audible(Audible audible);
  // It is over: connections are closed, nothing more is said.
  void close(Timestamp now, SeatOutputs& out);

  // Of its sessions.
  void handle_connected(webrtc::SessionId session, SeatOutputs& out);
  void handle_path(bool is_there);
  void handle_session_closed(Timestamp now, const webrtc::SessionClosed& closed, SeatOutputs& out);
  void handle_published(Timestamp now, webrtc::Published& published, SeatOutputs& out);
  void handle_data(Timestamp now, webrtc::DataReceived& data, SeatOutputs& out);
  // What the connection that it is sent on carries; what it has of egress budgets.
  void handle_bandwidth(Timestamp now, webrtc::SessionId session, const bwe::Target& target,
                        SeatOutputs& out);
  void handle_egress(Timestamp now, const bwe::EgressShare& room, const bwe::EgressShare& node,
                     SeatOutputs& out);
  // Of the hub.
  void handle_feed_changed(Timestamp now, const std::string& name);
  void handle_codec_news(const std::string& name, const std::string& mime_type, SeatOutputs& out);
  void handle_quality_news(const std::string& name, room::Quality quality, SeatOutputs& out);

  // After each input, or some, when it wants that: offers what has changed.
  bool wants_flush() const;
  void flush(Timestamp now, SeatOutputs& out);
  void handle_deadline(Timestamp now, SeatOutputs& out);
  // When that is due next; nothing when it is what was said before.
  std::optional<Timestamp> take_deadline();

  std::uint64_t id() const { return id_; }
  const std::string& room() const { return room_; }
  const std::string& room_sid() const { return room_info_.sid; }
  room::ParticipantId participant() const { return participant_; }
  const std::string& participant_sid() const { return participant_sid_; }
  const std::shared_ptr<const RoomGrant>& grant() const { return grant_; }
  const room::SharedParticipant& self() const { return self_; }
  const std::optional<SignalAddress>& signal() const { return signal_; }
  std::vector<webrtc::SessionId> sessions() const;
  std::size_t published() const { return by_name_.size(); }
  std::size_t subscribed() const { return subscriptions_.size(); }
  // As measured last; none while nothing flows.
  const std::optional<room::ConnectionScore>& score() const { return score_; }
  // What it would be sent if there were no egress budgets.
  bwe::EgressWish egress_wish() const { return limits_.wish(allocator_.wish()); }
  const bwe::Allocator& allocator() const { return allocator_; }
  const SeatLimits& limits() const { return limits_; }
  // seat_report.cc, for the API: who it is and how it is connected, and, with streams, what flows.
  room::SeatReport report(Timestamp now, bool with_streams) const;

 private:
  // One of our tracks, as the room knows it.
  struct Announced {
    room::TrackInfo info;
    std::vector<std::string> cids;
    std::optional<bool> was_muted;  // By whoever muted it, or ended that, last.
  };
  // What comes in one section of the publisher's connection.
  struct OwnMedia {
    webrtc::PeerTrack peer;
    std::optional<payload::RtpTrack> rtp;  // Packets came.
    std::string sid, cid;                  // Which track it is; empty: not known yet.
    std::string name;                      // In the hub; empty: not published.
    room::Loudness loudness;
    float level = 0;                            // As reported.
    std::int64_t expected = 0, lost = 0;        // When it was measured last.
    std::vector<room::Readings> readings;       // By layer.
    std::optional<room::StreamQuality> scored;  // What went into the score last.
  };
  struct Subscription {
    room::Subscribed what;
    std::size_t choice = 0;  // Of what.media.
    std::uint64_t key = 0;   // Of its outlet.
    room::TrackWish wish;
    std::optional<webrtc::PeerOutlet> outlet;  // It is to be sent.
    std::optional<std::size_t> seat;           // The outlet's number, once agreed.
    webrtc::StreamId fed_from;
    bool is_unsupported = false;  // The client cannot take this codec.
    payload::Encoding unsupported = payload::Encoding::kVp8;
    room::Readings readings;
    std::optional<room::StreamQuality> scored;  // What went into the score last.
    room::Quality fits = room::Quality::kHigh;  // kOff: there is no room for it.
    std::uint8_t frames = bwe::kAllFrames;      // That fit, of four.
    LayerRates rates;
    const room::TrackMedia& media() const { return what.media[choice]; }
  };
  struct KeptData {
    std::string from_sid;
    std::uint32_t sequence = 0;
    SharedBytes payload;
    Timestamp at;
    bool is_sent = false;  // There was a channel for it.
  };
  struct Channel {
    webrtc::SessionId session;
    sctp::StreamId id = 0;
  };

  // seat.cc: signalling.
  void send(const livekit::pb::SignalResponse& response, SeatOutputs& out) const;
  void send_join(SeatOutputs& out);
  void send_leave(room::LeaveReason reason, bool may_come_back, SeatOutputs& out);
  void command(room::Command command, SeatOutputs& out);
  // Tells the client to leave, and the room that it left.
  void put_out(room::LeaveReason reason, bool may_come_back, SeatOutputs& out);
  void cut_signal(Timestamp now, std::uint16_t code, SeatOutputs& out);
  bool takes_request(Timestamp now, std::size_t bytes, SeatOutputs& out);
  void handle_request(Timestamp now, WallTime wall, const livekit::pb::SignalRequest& request,
                      SeatOutputs& out);
  void handle_ping(WallTime wall, std::int64_t sent_at, bool is_new, SeatOutputs& out);
  void handle_add_track(const livekit::pb::AddTrackRequest& request, SeatOutputs& out);
  void ask_subscriptions(const livekit::pb::UpdateSubscription& request, SeatOutputs& out);
  void handle_settings(Timestamp now, const livekit::pb::UpdateTrackSettings& settings, SeatOutputs& out);
  void handle_sync_state(Timestamp now, const livekit::pb::SyncState& state, SeatOutputs& out);
  void handle_simulate(Timestamp now, const livekit::pb::SimulateScenario& scenario, SeatOutputs& out);
  void handle_own_event(Timestamp now, const room::Event& event, SeatOutputs& out);
  template <typename Response>
  void describe_server(Response& response) const;
  Timestamp next_deadline() const;
  void log(LogLevel level, std::string text, SeatOutputs& out) const;

  // seat_media.cc: what it publishes and what it is sent.
  void handle_offer(Timestamp now, const livekit::pb::SessionDescription& offer, SeatOutputs& out);
  void handle_answer(Timestamp now, const livekit::pb::SessionDescription& answer, SeatOutputs& out);
  void offer(Timestamp now, SeatOutputs& out);
  void send_offer(SeatOutputs& out);
  void take_own_tracks(Timestamp now, std::vector<webrtc::PeerTrack> tracks, SeatOutputs& out);
  void match_media(Timestamp now, SeatOutputs& out);
  void publish(Timestamp now, OwnMedia& media, SeatOutputs& out);
  void set_gate(const OwnMedia& media);
  void mute(room::MuteTrack asked, SeatOutputs& out);
  void handle_self_changed(const room::SharedParticipant& self);
  void unpublish(OwnMedia& media);
  void subscribe(Timestamp now, const room::Subscribed& what, SeatOutputs& out);
  void wait_to_subscribe(const room::Subscribed& what, SeatOutputs& out);
  void unsubscribe(Timestamp now, const std::string& sid, SeatOutputs& out);
  void drop_subscription(Timestamp now, Subscription& subscription);
  // Requires: choice < what.media.size().
  void choose_media(Timestamp now, Subscription& subscription, std::size_t choice);
  void refresh_outlet(Timestamp now, Subscription& subscription);
  webrtc::SessionId sending() const;  // The connection that it is sent on …
  webrtc::SessionId primary() const;  // … and the one without which it is not there.
  bool makes_own_names() const;
  void ask_for_offer(SeatOutputs& out);
  void feed(Timestamp now, Subscription& subscription);
  std::vector<webrtc::PeerOutlet> outlets() const;
  static std::vector<room::VideoLayer> layers_of(const Subscription& subscription);
  void take_seats(Timestamp now, const std::vector<webrtc::PeerSeat>& seats, SeatOutputs& out);
  void choose_next(Timestamp now, Subscription& subscription);
  const std::string* find_unpublished_codec(const Subscription& subscription) const;
  void handle_unsupported(Timestamp now, const std::vector<std::uint64_t>& keys, SeatOutputs& out);
  Subscription* find_by_key(std::uint64_t key);
  void measure(Timestamp now, SeatOutputs& out);
  // Which layers of a track that it publishes are wanted, and which other codec.
  void tell_wanted(const std::string& name, room::Quality quality, const std::string* other,
                   SeatOutputs& out);
  void report_levels(Timestamp now, SeatOutputs& out);
  void lose_media(std::string_view why, SeatOutputs& out);

  // seat_report.cc: what the API is told.
  void note_readings(Timestamp now, OwnMedia& media, const webrtc::TrackStats& stats);
  std::vector<room::ConnectionReport> connections() const;
  room::PublishedReport report(Timestamp now, const OwnMedia& media, const webrtc::TrackStats& stats) const;
  room::SentReport report(Timestamp now, const Subscription& subscription) const;

  // seat_budget.cc: what fits of what it is sent.
  // Bits a second for all that it is sent; 0: there is no limit.
  void set_budget(Timestamp now, std::int64_t bits_per_second, SeatOutputs& out);
  void share_budget(Timestamp now, SeatOutputs& out);
  void bound(Timestamp now, SeatOutputs& out);
  void carry_out(Timestamp now, SeatOutputs& out);
  void tell_demand(Timestamp now);
  void measure_rates(Timestamp now);
  void note_muted(Timestamp now, const room::ParticipantInfo& publisher, SeatOutputs& out);
  void note_held_back(const Subscription& subscription, room::StreamQuality& quality) const;
  void tell_stream_states(SeatOutputs& out);
  bwe::Claim claim_of(Timestamp now, const Subscription& subscription) const;

  // seat_data.cc: data channels.
  void open_channels(Timestamp now, SeatOutputs& out);
  void handle_packet(Timestamp now, Bytes packet, bool is_reliable, SeatOutputs& out);
  void deliver(Timestamp now, const room::DataArrived& data);
  void send_on(Timestamp now, bool is_reliable, const SharedBytes& payload);
  void replay(Timestamp now, const livekit::pb::SyncState& state);
  void keep(Timestamp now, const room::DataArrived& data);
  void forget_old(Timestamp now);
  void send_kept(Timestamp now);
  bool takes_data(Timestamp now, std::size_t bytes);

  SeatWorld world_;
  Rng rng_;
  std::uint64_t id_;
  std::shared_ptr<const livekit::JoinParams> params_;
  std::shared_ptr<const RoomGrant> grant_;
  livekit::ClientTraits traits_;
  std::optional<SignalAddress> signal_;
  IpAddress client_;
  std::string room_;
  room::ParticipantId participant_;
  std::string participant_sid_;  // In the room that it is in now; self_'s once it was told of itself there.
  room::RoomInfo room_info_;
  room::SharedParticipant self_;
  std::vector<room::SharedParticipant> others_at_start_;
  bool is_text_ = false;  // The form that the client writes.
  bool is_single_ = false, is_tcp_only_ = false;
  bool is_active_ = false, is_closed_ = false;
  TokenBucket requests_, descriptions_, data_packets_, data_bytes_;

  webrtc::SessionId publisher_, subscriber_;  // Of single connections the same.
  std::uint32_t offer_id_ = 0;
  std::string open_offer_;  // Ours, not answered yet.
  bool needs_offer_ = false, wants_restart_ = false, is_offer_asked_ = false, has_section_to_free_ = false,
       has_lost_path_ = false;
  // Of our open offer: some found no section, and some section is to be free by its answer.
  bool is_short_of_sections_ = false, frees_sections_ = false;
  std::uint64_t next_key_ = 1, next_publication_ = 1;
  std::optional<room::ConnectionQuality> reported_;
  std::optional<room::ConnectionScore> score_;
  // What its announcements said of codecs and redundancy, by cid.
  static constexpr std::size_t kPreferencesMax = 256;
  std::vector<webrtc::PeerPreference> preferences_;
  std::map<std::string, Announced> announced_;  // By sid.
  std::map<media::TrackId, OwnMedia> own_;
  std::unordered_map<std::string, media::TrackId> by_name_;  // Published ones, by name in the hub.
  std::map<std::string, Subscription> subscriptions_;        // By sid.
  // What is over SeatConfig::subscriptions_max, in the order of coming: until there is room.
  static constexpr std::size_t kWaitingMax = 1'000;
  std::vector<room::Subscribed> waiting_;
  std::unordered_map<std::string, std::string> by_feed_;  // Name in the hub to sid.

  std::optional<Channel> reliable_, lossy_;                                  // That we send on.
  std::map<std::pair<std::uint64_t, sctp::StreamId>, bool> heard_channels_;  // Theirs: reliable or not.
  std::uint32_t last_sequence_ = 0;
  std::deque<KeptData> kept_;
  std::size_t kept_bytes_ = 0;

  Timestamp signal_lost_at_ = Timestamp::never(), token_at_, report_at_, levels_at_ = Timestamp::never();
  SeatLimits limits_;
  bwe::Allocator allocator_;
  bwe::Demand told_demand_;
  RecentSpeakers speakers_;
  bool was_limited_ = false, has_told_states_ = false;
  Timestamp budget_at_ = Timestamp::never();
  // The client is told with its new token; what comes of the new room waits for that. Who would miss some of
  // it joins anew.
  static constexpr std::size_t kHeldFramesMax = 256;
  std::optional<room::Moved> moved_;
  std::vector<SeatFrame> held_frames_;
  Audible audible_;
  Timestamp simulated_speech_until_;
  Timestamp told_deadline_ = Timestamp::never();
  bool drops_next_resume_ = false;
};

}  // namespace stoa::shard
