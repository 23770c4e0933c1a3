// The WebRTC half of a shard: WHIP and WHEP calls, their sessions behind the shard's port, the packets of the
// channels that this shard owns on their way to subscribers, and those of any channel on their way to the
// viewers here.
//
//   a publisher lives on the shard that owns its channel; a viewer on the shard that took its request
//
// Publishers' media also become frames (live/packet_feed.h), which the shard hands to its channel like those
// of any other source.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "api/whip.h"
#include "base/log.h"
#include "base/metric.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "base/timer_queue.h"
#include "crypto/srtp_kernel.h"
#include "proto/dtls/identity.h"
#include "session/webrtc/port.h"
#include "shard/mail.h"
#include "shard/outputs.h"
#include "shard/publication.h"
#include "shard/viewer_budget.h"

namespace stoa::shard {

// Events of sessions that are not of channels (of rooms) are handed on.
using RtcOutput = std::variant<webrtc::SendDatagram, webrtc::PathProved, webrtc::PathReleased, api::Answer,
                               SendMail, SendControlMail, LogLine, webrtc::PortOutput>;
using RtcOutputs = Outbox<RtcOutput>;

struct RtcConfig {
  ShardIndex index = 0;
  ShardIndex shards = 1;
  webrtc::PortConfig port;
  std::vector<api::IceServer> ice_servers;
  live::PacketAssembler::Config assembler;
  std::size_t publications_max = 10'000;  // Watched here.
  // Waiting for an answer, of a channel's owner, of control or of the shard that has the session. What was
  // mailed counts until its answer comes, whether its caller still waits or not: nobody can pile up mail at
  // one who stalls.
  std::size_t calls_max = 10'000;
  std::size_t questions_max = 1'024;  // Of them, those about keys: control may wait for a disk.
  Duration call_timeout = Duration::seconds(3);
  Duration unsubscribe_after = Duration::seconds(10);  // The last viewer left.
  // Of all packets that the shard sends and receives. The simulator has one that it can read along with.
  std::unique_ptr<crypto::SrtpKernel> (*make_srtp_kernel)() = crypto::make_srtp_kernel;
};

class Rtc {
 public:
  static constexpr int kPriority = 0;  // Of whoever publishes by WHIP: the primary.
  // Publishers that were let go are remembered so long, and so many of them.
  static constexpr Duration kDroppedKept = Duration::seconds(300);
  static constexpr std::size_t kDroppedMax = 1024;
  // Tracks that only WebRTC viewers get, without a packet for so long, keep no broadcast going.
  static constexpr Duration kLeftOutSilence = Duration::seconds(2);
  // Anybody may call with a key that is none: so many of these get a line in the log within so long, however
  // many call. The next line says how many had none.
  static constexpr std::uint32_t kRefusalLinesMax = 10;
  static constexpr Duration kRefusalLinesInterval = Duration::seconds(10);
  // How often it is measured what a channel's layers take, and looked at what of them each viewer may have.
  static constexpr Duration kShareInterval = Duration::seconds(1);

  Rtc(const RtcConfig& config, WallTime wall, Rng rng);
  ~Rtc();
  Rtc(const Rtc&) = delete;
  Rtc& operator=(const Rtc&) = delete;

  // There is a port, and peers reach it there. Before, every call is answered 501.
  void open(std::vector<ice::Candidate> candidates) {
    port_.set_candidates(std::move(candidates));
    state_ = State::kOpen;
  }

  // Under /whip/ and /whep/.
  void handle_request(Timestamp now, WallTime wall, api::RequestKey key, const http::Request& request,
                      RtcOutputs& out);

  // Mail.
  void handle_asked(Timestamp now, WallTime wall, RtcAsked& asked, RtcOutputs& out);
  // A publisher's offer that the channel's owner cannot take.
  void refuse_asked(const RtcAsked& asked, api::RtcRefusal refusal, std::string_view why, RtcOutputs& out) {
    refuse_call(asked.from, asked.request, refusal, why, out);
  }
  void handle_replied(RtcReplied& replied, RtcOutputs& out);
  // False when nobody here asked.
  bool handle_decision(Timestamp now, const PublishDecided& decided, RtcOutputs& out);
  // False when it is no source of this.
  bool handle_source_dropped(Timestamp now, WallTime wall, const SourceDropped& dropped, RtcOutputs& out);
  void handle_relay(Timestamp now, WallTime wall, relay::ToOwner&& message, RtcOutputs& out);
  void handle_relay(Timestamp now, WallTime wall, relay::ToSubscriber&& message, RtcOutputs& out);
  // Of a key, or all of the channel when it is empty; of those whose calls came by way of one shard, or all.
  void stop_publishers(Timestamp now, WallTime wall, std::string_view channel, std::string_view key_id,
                       std::optional<ShardIndex> via, RtcOutputs& out);

  // What happens to a channel that this shard owns.
  void handle_source_event(Timestamp now, WallTime wall, const std::string& channel, live::SourceId source,
                           const media::TrackEvent& event, RtcOutputs& out);
  void handle_source_gone(Timestamp now, WallTime wall, const std::string& channel, live::SourceId source,
                          RtcOutputs& out);
  // See Publication.
  void expect_program(Timestamp now, WallTime wall, const std::string& channel, Timestamp until,
                      RtcOutputs& out);
  void set_on_air(Timestamp now, WallTime wall, const std::string& channel,
                  std::optional<live::SourceId> source, RtcOutputs& out);
  void end_broadcast(Timestamp now, WallTime wall, const std::string& channel, RtcOutputs& out);
  // For the API: what WebRTC viewers of a channel do not get.
  std::vector<relay::TrackObstacle> obstacles(const std::string& channel) const;
  // And which tracks only they get: HLS does not know their codec (VP8).
  std::vector<payload::RtpTrack> realtime_only(const std::string& channel) const;

  // The wire.
  void handle_datagrams(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams, RtcOutputs& out);
  void handle_path_closed(Timestamp now, WallTime wall, LocalPath local, const SocketAddress& remote,
                          RtcOutputs& out);
  bool fill(Timestamp now, DatagramBatch& batch) { return port_.fill(now, batch); }

  // For rooms, whose peers are behind the same port. What the port puts out is handled by
  // handle_port_outputs().
  webrtc::Port& port() { return port_; }
  webrtc::PortOutputs& port_outputs() { return port_outputs_; }
  void handle_port_outputs(Timestamp now, WallTime wall, RtcOutputs& out);
  bool is_open() const { return state_ == State::kOpen; }

  void handle_deadline(Timestamp now, WallTime wall, RtcOutputs& out);
  Timestamp next_deadline() const;
  // The node stops. First: calls that come are answered 503, also those about sessions that end now.
  void refuse_all() {
    if (state_ == State::kOpen) state_ = State::kStopping;
  }
  // Then: every session is closed, calls that wait are answered 503.
  void close_all(Timestamp now, WallTime wall, RtcOutputs& out);

  // Connected viewers of each channel here.
  std::vector<std::pair<std::string, std::size_t>> viewers() const;
  void append_metrics(MetricSamples& samples) const;

 private:
  // A session that publishes here.
  struct Publisher {
    std::string token, channel, key_id, ladder;
    live::SourceId source;
    ShardIndex via = 0;  // Took the call.
    std::unique_ptr<live::PacketAssembler> assembler;
    bool is_started = false;  // The channel knows the source.
    bool is_dropped = false;  // The channel has let go of it.
    // Tracks that go into no rendition. While they send, the channel is told that they are there.
    std::set<media::TrackId> left_out;
    Timestamp left_out_until;  // Silent from then on.
    bool holds_channel = false;
    std::string peer;
  };
  // The session of a publisher that was let go; whoever asks for it is told why.
  struct Dropped {
    std::string token, channel;
    api::RtcRefusal why;
    Timestamp until;
  };
  struct Viewer {
    std::string token, channel;
    std::vector<webrtc::ViewerOutlet> outlets;
    // Kinds that it asked for and did not get, and what there was when it came: of these kinds it wants
    // none of that, and anything else.
    std::vector<media::Kind> unseated;
    std::vector<payload::Encoding> refused;
    IpAddress peer;  // Who called.
    bool is_connected = false;
    ViewerBudget budget;
    // By outlet: what there is for it, and what it was given of that last.
    struct Feed {
      media::TrackId track = 0;
      webrtc::StreamId stream;
      ViewerBudget::Share share;
    };
    std::vector<Feed> feeds;
  };
  struct WaitingOffer {
    ShardIndex from;
    api::RequestKey request;
    api::RtcOffered call;
    std::string peer;
  };
  // A channel as this shard's viewers see it.
  struct Audience {
    relay::Generation generation = 0;
    bool is_known = false;  // TracksChanged came.
    std::vector<payload::RtpTrack> tracks;
    std::vector<relay::TrackObstacle> obstacles;
    std::map<media::TrackId, webrtc::StreamId> streams;
    // Of each track, whichever stream it is: what its layers take, and what may be sent of it.
    struct Flow {
      LayerRates rates;
      std::vector<bwe::Step> steps;
    };
    std::map<media::TrackId, Flow> flows;
    Timestamp share_at = Timestamp::never();
    std::vector<webrtc::SessionId> viewers;
    std::vector<WaitingOffer> waiting;
    Timestamp waits_until = Timestamp::never();
    Timestamp leave_at = Timestamp::never();
  };
  // A publisher's offer while control decides.
  struct Undecided {
    api::RequestKey request;
    api::RtcOffered call;
    std::string peer;
    Timestamp until;
  };
  enum class TimerKind : std::uint8_t { kPublication, kPublisher, kAudience, kUndecided };
  struct TimerKey {
    TimerKind kind;
    std::string name;      // Of a channel.
    std::uint64_t id = 0;  // Of a session, a source.
    auto operator<=>(const TimerKey&) const = default;
  };

  // Calls (rtc_calls.cc).
  void reply(ShardIndex to, api::RequestKey request, http::Response response, RtcOutputs& out);
  void refuse_call(ShardIndex to, api::RequestKey request, api::RtcRefusal refusal, std::string_view why,
                   RtcOutputs& out);
  void open_publisher(Timestamp now, WallTime wall, RtcAsked& asked, api::RtcOffered& call, RtcOutputs& out);
  void ask_for_viewer(Timestamp now, WallTime wall, ShardIndex from, api::RequestKey request,
                      api::RtcOffered&& call, std::string peer, RtcOutputs& out);
  void open_viewer(Timestamp now, Audience& audience, const WaitingOffer& offer, RtcOutputs& out);
  void answer_waiting(Timestamp now, Audience& audience, RtcOutputs& out);
  void handle_patch(Timestamp now, WallTime wall, RtcAsked& asked, api::RtcPatched& call, RtcOutputs& out);
  void handle_delete(Timestamp now, WallTime wall, RtcAsked& asked, api::RtcDeleted& call, RtcOutputs& out);
  void remember_dropped(Timestamp now, const Publisher& publisher, api::RtcRefusal why);
  void refuse_unknown(Timestamp now, const RtcAsked& asked, api::RtcRole role, std::string_view channel,
                      std::string_view token, RtcOutputs& out);
  std::string make_token();
  // The shard that a session's name says; the number of shards when make_token() never makes such a name.
  ShardIndex shard_of_token(std::string_view token) const;
  webrtc::SessionId find_session(std::string_view token, api::RtcRole role, std::string_view channel) const;
  bool has_room_for_call() const { return waiting_calls_ + questions_ + forwarded_ < config_.calls_max; }
  void log_refused_key(Timestamp now, const Undecided& call, control::PublishRefusal why, RtcOutputs& out);
  void refuse_offer(ShardIndex to, api::RequestKey request, const webrtc::OpenFault& fault, RtcOutputs& out);

  // Sessions and media (rtc.cc).
  bool is_own(webrtc::SessionId session) const {
    return publishers_.contains(session.value()) || viewers_.contains(session.value());
  }
  void handle_published(Timestamp now, WallTime wall, webrtc::Published& published, RtcOutputs& out);
  void handle_own(Timestamp now, WallTime, const webrtc::SessionConnected& connected, RtcOutputs& out) {
    handle_connected(now, connected, out);
  }
  void handle_own(Timestamp now, WallTime, const webrtc::SessionClosed& closed, RtcOutputs& out) {
    handle_closed(now, closed, out);
  }
  void handle_own(Timestamp now, WallTime wall, webrtc::Published& published, RtcOutputs& out) {
    handle_published(now, wall, published, out);
  }
  void handle_own(Timestamp now, WallTime, webrtc::DataReceived& data, RtcOutputs&) { echo(now, data); }
  // Peers of meetings only.
  void handle_own(Timestamp, WallTime, const webrtc::SessionPathLost&, RtcOutputs&) {}
  void handle_own(Timestamp, WallTime, const webrtc::SessionPathBack&, RtcOutputs&) {}
  void handle_own(Timestamp now, WallTime, const webrtc::SessionBandwidth& bandwidth, RtcOutputs&) {
    handle_bandwidth(now, bandwidth.session, bandwidth.target);
  }
  void handle_connected(Timestamp now, const webrtc::SessionConnected& connected, RtcOutputs& out);
  void handle_closed(Timestamp now, const webrtc::SessionClosed& closed, RtcOutputs& out);
  void handle_publisher_event(Timestamp now, WallTime wall, const webrtc::Published& published,
                              Publisher& publisher);
  void handle_assembled(Timestamp now, webrtc::SessionId session, RtcOutputs& out);
  void tell_left_out(Timestamp now, Publisher& publisher, RtcOutputs& out);
  void handle_publication_outputs(Timestamp now, WallTime wall, const std::string& channel,
                                  Publication& publication, RtcOutputs& out);
  void handle_tracks_changed(Timestamp now, WallTime wall, relay::TracksChanged& changed, RtcOutputs& out);
  bool feed_viewer(Timestamp now, Audience& audience, webrtc::SessionId id, Viewer& viewer);
  void leave_audience(Timestamp now, const std::string& channel, webrtc::SessionId viewer);
  void drop_audience(std::map<std::string, Audience, std::less<>>::iterator audience);
  void handle_audience_deadline(Timestamp now, WallTime wall, const std::string& channel, RtcOutputs& out);
  void want_keyframe(Timestamp now, WallTime wall, const webrtc::StreamKeyframeWanted& wanted,
                     RtcOutputs& out);
  void echo(Timestamp now, webrtc::DataReceived& data);

  // What of a channel's layers a viewer is sent (rtc_budget.cc).
  bool is_metered() const { return config_.port.fan_out.congestion.has_value(); }
  ViewerBudget make_budget(std::span<const webrtc::ViewerOutlet> outlets) const;
  void handle_bandwidth(Timestamp now, webrtc::SessionId session, const bwe::Target& target);
  void measure_flows(Timestamp now, Audience& audience);
  void share_out(Timestamp now, const Audience& audience, webrtc::SessionId id, Viewer& viewer);
  void carry_out(Timestamp now, const Audience& audience, webrtc::SessionId id, Viewer& viewer);
  // Gives an outlet as much as it may have of what there is for it.
  void feed_outlet(Timestamp now, const Audience& audience, webrtc::SessionId id, Viewer& viewer,
                   std::size_t outlet);

  live::SourceId next_source_id();
  bool is_own_source(live::SourceId source) const;
  Publication& publication_of(const std::string& channel);
  void drop_idle(const std::string& channel);
  void send_to_owner(Timestamp now, WallTime wall, const std::string& channel, relay::ToOwner&& message,
                     RtcOutputs& out);
  void file(Timestamp now, const std::string& channel, Audience& audience);
  void log(LogLevel level, std::string text, RtcOutputs& out);

  RtcConfig config_;
  enum class State : std::uint8_t { kOff, kOpen, kStopping } state_ = State::kOff;
  Rng rng_;
  dtls::IdentityRotation identity_;
  webrtc::Port port_;
  webrtc::PortOutputs port_outputs_;
  bool is_handling_port_outputs_ = false;
  std::unordered_map<std::uint64_t, Publisher> publishers_;  // By SessionId::value().
  std::unordered_map<std::uint64_t, Viewer> viewers_;
  std::unordered_map<std::string, webrtc::SessionId> by_token_;
  std::unordered_map<std::uint64_t, std::uint64_t> by_source_;  // Session of a source.
  std::unordered_map<std::uint64_t, Undecided> undecided_;      // By source.
  std::deque<Dropped> dropped_;                                 // Oldest first.
  std::map<std::string, std::unique_ptr<Publication>, std::less<>> publications_;
  std::map<std::string, Audience, std::less<>> audiences_;
  struct StreamOwner {
    std::string channel;
    media::TrackId track;
  };
  std::unordered_map<webrtc::StreamId, StreamOwner> stream_owners_;
  PublicationOutputs publication_outputs_;
  live::PacketAssembler::Outputs assembled_;
  TimerQueue<TimerKey> timers_;
  std::uint64_t next_source_ = 1;
  // Calls under way: viewers' offers until the channel is known, keys until control has decided, what other
  // shards were sent until they have answered.
  std::size_t waiting_calls_ = 0, questions_ = 0, forwarded_ = 0;
  std::uint32_t refusal_lines_ = 0;  // In the interval that ends …
  Timestamp refusal_lines_until_;
  std::uint64_t refusals_untold_ = 0;
  std::array<std::uint64_t, 2> calls_{};  // By role.
  std::uint64_t calls_refused_ = 0;
};

}  // namespace stoa::shard
