// Everything behind the UDP port (and the ICE-TCP port) of one shard: whose a datagram is, the sessions'
// lives from offer to end, and what they receive and send.
//
//   open_publisher(), open_viewer() -> answer -> SessionConnected -> … -> SessionClosed
//
// Peers of meetings (peer.h) negotiate again and again while they are connected; they both send and receive:
//
//   answer_peer() -> answer -> SessionConnected -> … answer_peer() … -> SessionClosed
//   open_offering_peer() … make_offer() -> accept_answer() -> SessionConnected -> … make_offer() …
//
// Datagrams come in batches; what is to be decrypted of a batch is decrypted in one call. What goes out is of
// two kinds: SendDatagram for the little that control needs, and fill() for media, which is pulled until
// there is none left. A session is known by the ufrag that its peer's checks carry, and for all else by the
// addresses that they came from. An address is one session's at a time: its, who proved to be there
// (ice/lite_agent.h).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/datagram.h"
#include "base/metric.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/slot_table.h"
#include "base/time.h"
#include "base/timer_queue.h"
#include "proto/srtp/transform.h"
#include "session/webrtc/client_counts.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/negotiation.h"
#include "session/webrtc/peer.h"
#include "session/webrtc/receiver.h"
#include "session/webrtc/recent.h"
#include "session/webrtc/transport.h"
#include "session/webrtc/unconnected.h"

namespace stoa::webrtc {

using SessionId = SlotId<struct SessionTag>;

// Data channels: anybody who watches may open them, and nothing of ours needs them to be large.
inline constexpr sctp::Limits kPortDataLimits{.message_bytes_max = kDataMessageBytesMax,
                                              .send_message_bytes_max = kDataMessageBytesMax,
                                              .reassembly_bytes_max = 512u << 10,
                                              .send_buffer_bytes_max = 1u << 20,
                                              .outstanding_chunks_max = 256,
                                              .streams_max = 64};

// Viewers leave one session in so many to publishers, and one at least: who is cut off can come back to a
// port that is full of those who watch.
inline constexpr std::size_t kPublishersShare = 16;
inline constexpr std::size_t viewers_max(std::size_t sessions_max) {
  return sessions_max - std::min(sessions_max, std::max<std::size_t>(sessions_max / kPublishersShare, 1));
}

// What the data channels of all sessions of a port hold together: half-received messages, what waits to be
// sent or to be acknowledged (sctp::DataChannels::memory_bytes()). Past it the session that holds most loses
// its data channels; its media goes on. A session with one channel at rest holds 1 KiB.
inline constexpr std::size_t kDataBytesMaxPerShard = 64u << 20;

struct PortConfig {
  std::vector<ice::Candidate> candidates;  // Where the port can be reached: UDP and TCP.
  std::size_t sessions_max = 20'000;       // Of them viewers_max() for viewers.
  // Of one client (client_counts.h), connected or not: one alone does not fill the port. Publishers have a
  // key and no such limit.
  std::size_t viewers_per_address_max = 5'000;
  UnconnectedLimits unconnected;
  // What `ice` says is for publishers.
  Duration viewer_first_path_timeout = Duration::seconds(10);
  FanOutConfig fan_out;
  ReceiverConfig receiver;
  ice::LiteConfig ice;
  PublisherOptions publisher;
  sctp::Limits data = kPortDataLimits;
  // How long a peer of a meeting that lost its path, so after LiteConfig::consent_timeout of silence, is
  // kept: an ICE restart may bring it back.
  Duration peer_lost_timeout = Duration::seconds(30);
  std::size_t data_bytes_max = kDataBytesMaxPerShard;
  // The pacer's rate of sessions whose congestion is not controlled (FanOutConfig::congestion).
  std::uint64_t viewer_bits_per_second = 50'000'000;
};

// Outputs.
struct SendDatagram {
  LocalPath local;
  SocketAddress remote;
  Buffer bytes;
};
// ICE believes in a TCP connection; until then its owner limits its life.
struct PathProved {
  LocalPath local;
};
// No session uses a TCP connection any more.
struct PathReleased {
  LocalPath local;
};
struct SessionConnected {
  SessionId session;
  std::string path;      // For the log: "192.0.2.1:5000 udp".
  std::string protocol;  // Of SRTP: "AEAD_AES_128_GCM".
};
// The last of a session. `why` for the log and the API: "by peer", "no path", …
struct SessionClosed {
  SessionId session;
  TransportEnd end;
  std::string why;
  bool was_connected;
};
// Of peers of meetings: nothing can be sent to it for now, and it may come back; and it came back.
struct SessionPathLost {
  SessionId session;
};
struct SessionPathBack {
  SessionId session;
};
// What a publisher, or a peer of a meeting, sends.
struct Published {
  SessionId session;
  std::variant<TrackOpened, PacketsReceived, TrackClockMapped, LayersActive, TrackClosed> event;
};
struct DataReceived {
  SessionId session;
  DataEvent event;
};
// What the path to a receiver carries, as it seems now. Of sessions whose congestion is controlled.
struct SessionBandwidth {
  SessionId session;
  bwe::Target target;
};
using PortOutput =
    std::variant<SessionBandwidth, SendDatagram, PathProved, PathReleased, SessionConnected, SessionClosed,
                 SessionPathLost, SessionPathBack, Published, DataReceived, StreamKeyframeWanted>;
using PortOutputs = Outbox<PortOutput>;

enum class OpenRefusal : std::uint8_t {
  kFull,
  kBadOffer,
  kTooManyUnconnected,  // See unconnected.h.
  kTooManyOfAddress,    // Likewise, of the client's address.
  kTooManyViewersOfAddress,
  kNoSession,  // A peer's session that is over, or never was.
};
inline constexpr int kOpenRefusals = 6;
const char* name_of(OpenRefusal refusal);
struct OpenFault {
  OpenRefusal refusal;
  NegotiationFault negotiation;  // Of kBadOffer.
};
struct OpenedPublisher {
  SessionId session;
  std::string answer, etag;
};
struct OpenedViewer {
  SessionId session;
  std::string answer, etag;
  std::vector<ViewerOutlet> outlets;  // In the order of FanOut's.
  std::vector<media::TrackId> left_out;
  std::vector<media::Kind> unseated;  // Of sections that got no track.
};

// For a new session of a peer of a meeting.
struct PeerTerms {
  IpAddress client;          // As of others: who made the offer.
  bool is_tcp_only = false;  // It is told where the port is reached over TCP alone.
};
// The answer to an offer of a peer, and where all of it stands now.
struct PeerAnswered {
  SessionId session;
  std::string answer;
  std::vector<PeerTrack> tracks;           // All that the peer sends from now on.
  std::vector<PeerSeat> seats;             // All.
  std::vector<std::uint64_t> unseated;     // No section that is free.
  std::vector<std::uint64_t> unsupported;  // No codec in common.
};
struct PeerOffered {
  std::string offer;
  std::vector<PeerSeat> seats;          // All.
  std::vector<std::uint64_t> unseated;  // No room for more.
};
struct PeerAccepted {
  std::vector<PeerSeat> seats;          // All that the peer takes.
  std::vector<std::uint64_t> rejected;  // What it does not take.
};

enum class PatchRefusal : std::uint8_t {
  kNoSession,
  kBadFragment,
  // Other credentials than the session's from one who did not say that he knows the session (If-Match, RFC
  // 9725 §4.3.2).
  kRestartNotMeant,
};
struct Patched {
  std::string fragment;  // Of a restart: ours. Empty: candidates were taken note of.
  std::string etag;
};

class Port {
 public:
  Port(const PortConfig& config, std::shared_ptr<const dtls::Identity> identity,
       std::unique_ptr<crypto::SrtpKernel> kernel, Rng rng);
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  // Commands. `client` is who made the offer, as the HTTP server sees it; not set: nobody to count.
  Result<OpenedPublisher, OpenFault> open_publisher(Timestamp now, std::string_view offer,
                                                    const IpAddress& client = {});
  Result<OpenedViewer, OpenFault> open_viewer(Timestamp now, std::string_view offer,
                                              std::span<const payload::RtpTrack> tracks,
                                              const IpAddress& client = {});
  Result<Patched, PatchRefusal> patch(Timestamp now, SessionId session, std::string_view fragment,
                                      bool may_restart, PortOutputs& out);

  // Peers of meetings. They have proved who they are elsewhere: limits of viewers do not count.
  //
  // The peer makes all offers of this session. `session` unset: a new one, on these terms. What `outlets`
  // does not name any more falls silent at once; what has a seat that is new is silent until set_source().
  // Errors: kBadOffer leaves a session as it was; kNoSession.
  Result<PeerAnswered, OpenFault> answer_peer(Timestamp now, SessionId session, std::string_view offer,
                                              std::span<const PeerOutlet> outlets, const PeerTerms& terms,
                                              PortOutputs& out,
                                              std::span<const PeerPreference> preferences = {});
  // We make all offers of this session. It ends when none is answered within ice.first_path_timeout.
  Result<SessionId, OpenFault> open_offering_peer(Timestamp now, const PeerTerms& terms);
  // What `outlets` does not name any more falls silent at once, also while an offer is not answered; else
  // nothing comes of it then. Nothing, too, where there is no such session.
  std::optional<PeerOffered> make_offer(Timestamp now, SessionId session, std::span<const PeerOutlet> outlets,
                                        bool restarts_ice, PortOutputs& out);
  // After a refusal the offer still waits for an answer.
  Result<PeerAccepted, NegotiationFault> accept_answer(Timestamp now, SessionId session,
                                                       std::string_view answer, PortOutputs& out);
  Result<sctp::StreamId, sctp::Refusal> open_channel(Timestamp now, SessionId session,
                                                     sctp::ChannelSettings settings, PortOutputs& out);
  // Of an outlet that has a stream with layers: no layer above this one.
  void set_layer_max(Timestamp now, SessionId session, std::size_t outlet, payload::LayerIndex layer,
                     PortOutputs& out);
  // What the session would be sent if its path carried it.
  void set_demand(Timestamp now, SessionId session, const bwe::Demand& demand);
  std::optional<bwe::Target> target(SessionId session);
  // Of video: FanOut::set_frames_wanted().
  void set_frames_wanted(SessionId session, std::size_t outlet, std::uint32_t frames_per_second);
  std::optional<OutletStats> outlet_stats(SessionId session, std::size_t outlet);
  // Of all tracks that came, by number.
  std::vector<TrackStats> track_stats(SessionId session);
  std::optional<Duration> round_trip(SessionId session);
  std::optional<Duration> repair_time(SessionId session);  // Receiver::repair_time().
  // "192.0.2.1:5000 udp"; empty where there is none now.
  std::string path(SessionId session);

  void close(Timestamp now, SessionId session, PortOutputs& out);
  void close_all(Timestamp now, PortOutputs& out);
  void request_keyframe(Timestamp now, SessionId publisher, media::TrackId track, payload::LayerIndex layer,
                        PortOutputs& out);
  // Feeds an outlet of a viewer or a peer from a stream of fan_out().
  void set_source(Timestamp now, SessionId receiver, std::size_t outlet, StreamId stream, PortOutputs& out);
  Result<void, sctp::Refusal> send_data(Timestamp now, SessionId session, sctp::StreamId channel,
                                        sctp::MessageKind kind, SharedBytes payload, PortOutputs& out);
  // Of messages that wait to be sent, of all channels of a session (sctp::Association::queued_bytes()).
  std::size_t queued_data_bytes(SessionId session);
  // Where the port can be reached, for sessions to come.
  void set_candidates(std::vector<ice::Candidate> candidates) { config_.candidates = std::move(candidates); }
  // For sessions to come.
  void set_identity(std::shared_ptr<const dtls::Identity> identity);
  // Streams are the owner's.
  FanOut& fan_out() { return fan_out_; }

  // The wire. Datagrams are decrypted where they stand.
  void handle_datagrams(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams,
                        PortOutputs& out);
  void handle_path_closed(Timestamp now, LocalPath local, const SocketAddress& remote, PortOutputs& out);
  void handle_deadline(Timestamp now, WallTime wall, PortOutputs& out);
  Timestamp next_deadline() const;
  // Media to send, until `batch` is full or there is no more. True: call again.
  bool fill(Timestamp now, DatagramBatch& batch) { return fan_out_.fill(now, batch); }

  std::size_t sessions() const { return sessions_.size(); }
  std::size_t unconnected() const { return unconnected_.total(); }
  // In all tables by which sessions are found and woken. 0 without sessions.
  std::size_t entries() const {
    return by_path_.size() + by_ufrag_.size() + by_sender_.size() + timers_.size();
  }
  // Empty when there is no such session.
  std::string etag(SessionId session);
  const ReceiverStats* receiver_stats(SessionId session);
  void append_metrics(MetricSamples& samples) const;

 private:
  enum class SessionKind : std::uint8_t { kPublisher, kViewer, kPeer };
  struct Session;
  struct Peer;
  struct Opening;

  Session& add_session(SessionKind kind, const IpAddress& client);
  void begin_transport(Timestamp now, Session& session, const Opening& opening);
  void restart_ice(Timestamp now, Session& session, const ice::Credentials& local,
                   const ice::Credentials& remote);
  void end_unanswered(Timestamp now, Session& session, TransportEnd end, PortOutputs& out);
  DataConfig data_config(const sdp::AgreedData& data) const;
  std::unique_ptr<Peer> make_peer(bool makes_offers, const PeerTerms& terms);
  void begin_peer(Session& session, std::unique_ptr<Peer> peer);
  Session* find_peer(SessionId id, bool makes_offers);
  PeerAnswered finish_answer(Timestamp now, Session& session, PeerNegotiation::Answered& answered,
                             PortOutputs& out);
  void agree_on_data(Timestamp now, Session& session, const std::optional<sdp::AgreedData>& data);
  void seat_outlets(Timestamp now, Session& session);
  std::optional<OpenFault> find_obstacle(bool is_publisher, const IpAddress& client);
  OpenFault count(OpenFault fault);
  LocalDescription local_description(const ice::Credentials& ice, const dtls::Identity& identity);
  LocalDescription local_description(const ice::Credentials& ice, const Peer& peer);
  void handle_stun(Timestamp now, const ReceivedDatagram& datagram, PortOutputs& out);
  void handle_dtls(Timestamp now, const ReceivedDatagram& datagram, PortOutputs& out);
  void handle_media(Timestamp now, WallTime wall, std::span<ReceivedDatagram> datagrams, PortOutputs& out);
  void handle_opened(Timestamp now, WallTime wall, Session& session, const srtp::PacketToUnprotect& packet,
                     Ecn ecn, PortOutputs& out);
  void handle_transport_outputs(Timestamp now, Session& session, PortOutputs& out);
  void handle_receiver_outputs(Session& session, PortOutputs& out);
  void handle_fan_out_outputs(PortOutputs& out);
  void begin_media(Timestamp now, Session& session);
  void send_rtcp(Session& session, Bytes packet, PortOutputs& out);
  void file(Session& session);
  void account_data(Session& session, std::size_t bytes);
  void bound_data(Timestamp now, PortOutputs& out);
  void remove(Timestamp now, Session& session);
  Session* find_by_path(const ice::Path& path);
  Session* find_by_stun(const ReceivedDatagram& datagram);
  void claim(Timestamp now, const ice::Path& path, SessionId id, PortOutputs& out);
  void count_unknown(Timestamp now, const ice::Path& path);

  PortConfig config_;
  Rng rng_;
  srtp::Transform transform_;
  TransportShared shared_;
  FanOut fan_out_;
  SlotTable<std::unique_ptr<Session>, SessionTag> sessions_;
  std::unordered_map<ice::Path, SessionId> by_path_;
  std::unordered_map<std::string, SessionId> by_ufrag_;
  std::unordered_map<SenderId, SessionId> by_sender_;
  TimerQueue<std::uint64_t> timers_;  // SessionId::value().
  // What sessions' data channels hold, in all and, of those that hold anything, the most last.
  std::size_t data_bytes_ = 0;
  std::set<std::pair<std::size_t, std::uint64_t>> by_data_bytes_;  // And SessionId::value().
  Unconnected unconnected_;
  ClientCounts viewers_;
  Recent<ice::Path> late_paths_;
  Recent<std::string> late_ufrags_;
  // Scratch, kept for its memory.
  std::vector<srtp::PacketToUnprotect> opening_;
  std::vector<Session*> opening_of_, touched_;
  std::vector<ice::Path> opening_from_;
  std::vector<Ecn> opening_ecn_;
  std::vector<SenderId> reporting_;
  TransportOutputs transport_outputs_;
  ReceiverOutputs receiver_outputs_;
  FanOutOutputs fan_out_outputs_;
  Buffer rtcp_;

  struct Counters {
    std::uint64_t opened = 0, connected = 0;
    std::array<std::uint64_t, kTransportEnds> closed{};
    std::uint64_t datagrams = 0, unknown_kind = 0, unknown_ufrag = 0, unknown_path = 0, not_authentic = 0;
    std::uint64_t path_held = 0, late = 0;
    std::uint64_t negotiated = 0, not_negotiated = 0;  // Of peers, of both kinds.
    std::uint64_t data_ended = 0;
    std::array<std::uint64_t, kOpenRefusals> refused{};
    std::uint64_t stun = 0, dtls = 0, media = 0;
    ReceiverStats ended_receivers;
  };
  Counters counters_;
};

}  // namespace stoa::webrtc
