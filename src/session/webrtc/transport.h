// The one transport under a WebRTC session: ICE finds the path, DTLS proves the peer and gives the SRTP keys,
// SCTP runs on it where data channels were agreed upon. Media and RTCP are protected elsewhere, many packets
// of many sessions at a time; this holds their contexts.
//
// Either side: a server answers (ICE-lite, DTLS passive), a client dials (full ICE, DTLS active or passive).
//
//   handle_stun(), handle_dtls() -> Connected -> … -> TransportClosed
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/datagram.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "proto/dtls/endpoint.h"
#include "proto/ice/agent.h"
#include "proto/ice/lite_agent.h"
#include "proto/sctp/data_channels.h"
#include "proto/srtp/context.h"

namespace stoa::webrtc {

// What a datagram is by its first byte (RFC 7983). RTP and RTCP are both kMedia: rtp::is_rtcp() tells them
// apart.
enum class DatagramKind : std::uint8_t { kStun, kDtls, kMedia, kUnknown };
DatagramKind kind_of(Bytes datagram);

// To be sent as it is.
struct SendPacket {
  ice::Path path;
  Buffer bytes;
};
// The peer's checks come from this path, or not any longer. Another session's may come from there, too, as
// long as neither has proved it.
struct PathAdded {
  ice::Path path;
};
struct PathRemoved {
  ice::Path path;
};
struct TransportConnected {
  Duration ice;   // From construction until a path was there.
  Duration dtls;  // From there until the keys were.
};
enum class TransportEnd : std::uint8_t {
  kByPeer,        // DTLS close_notify.
  kLocal,         // close()
  kNoPath,        // ICE found none in time.
  kConsentLost,   // The peer fell silent (RFC 7675).
  kDtlsFailed,    // Fingerprint, handshake, profile: dtls::Refusal says.
  kDtlsTimedOut,  // A path was there, the handshake did not end.
};
inline constexpr int kTransportEnds = 6;
const char* name_of(TransportEnd end);
struct TransportClosed {
  TransportEnd end;
  std::optional<dtls::Refusal> dtls;
};
// What the peer does with data channels: sctp's own outputs but for those about packets.
using DataEvent = std::variant<sctp::ChannelOpened, sctp::ChannelReady, sctp::ChannelMessage,
                               sctp::ChannelBufferedLow, sctp::ChannelClosed>;
using TransportOutput =
    std::variant<SendPacket, PathAdded, PathRemoved, TransportConnected, TransportClosed, DataEvent>;
using TransportOutputs = Outbox<TransportOutput>;

// What the transports of a shard share. Outlives them.
struct TransportShared {
  dtls::Context dtls;
  crypto::SrtpKernel* srtp = nullptr;              // Of the shard's srtp::Transform.
  std::shared_ptr<const dtls::Identity> identity;  // For transports to come; a rotation replaces it.
};

// One peer's half of the agreement, as session descriptions gave it.
struct RemoteTransport {
  ice::Credentials ice;  // The password may be empty for a lite agent: it never sends checks.
  bool is_ice_lite = false;
  std::vector<crypto::Fingerprint> fingerprints;
  std::vector<ice::Candidate> candidates;  // Only a client uses them.
};
struct DataConfig {
  std::uint16_t local_port = 5000, remote_port = 5000;
  std::uint64_t remote_message_bytes_max = 0;  // The peer's a=max-message-size; 0: any size.
  sctp::Limits limits;                         // Of what a peer may make us hold.
};
struct TransportConfig {
  enum class Side : std::uint8_t { kServer, kClient };
  Side side = Side::kServer;
  ice::Credentials local_ice;  // ice::make_credentials().
  dtls::Role dtls_role = dtls::Role::kServer;
  std::vector<dtls::SrtpProfile> srtp_profiles = dtls::all_srtp_profiles();
  ice::LiteConfig lite;
  ice::AgentConfig full;
  std::optional<DataConfig> data;  // Data channels were agreed upon.
  // The one whose fingerprint our description had, when it was written long ago. Null: TransportShared's.
  std::shared_ptr<const dtls::Identity> identity;
};

struct TransportStats {
  std::uint64_t stun_refused = 0, dtls_refused = 0, data_refused = 0;
  std::uint64_t held_back = 0;  // Handshake datagrams that an unproved path might not be sent yet.
};

class Transport {
 public:
  // Requires: credentials that are valid (a lite agent's peer may have no password), at least one
  // fingerprint.
  Transport(const TransportShared& shared, TransportConfig config, RemoteTransport remote, Rng rng,
            Timestamp now);
  ~Transport();
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  // A client: where it can be reached; host candidates of its own sockets.
  void add_local_candidate(Timestamp now, const ice::LocalCandidate& candidate, TransportOutputs& out);
  void add_remote_candidate(Timestamp now, const ice::Candidate& candidate, TransportOutputs& out);

  // One datagram each, of the kind that kind_of() says. What is refused is counted. True: it was the peer's,
  // a check or the answer to one.
  bool handle_stun(Timestamp now, const ice::Path& path, ice::Transport transport, Bytes datagram,
                   TransportOutputs& out);
  void handle_dtls(Timestamp now, const ice::Path& path, Bytes datagram, TransportOutputs& out);
  // A TCP connection ended, or the address turned out to be another peer's.
  void handle_path_closed(Timestamp now, const ice::Path& path, TransportOutputs& out);
  void handle_deadline(Timestamp now, TransportOutputs& out);
  Timestamp next_deadline() const;

  // ICE restart with the peer's new credentials and ours (RFC 9725 §4.3.2). Keys and channels go on; packets
  // go on the old path until a new one is selected. A client is given the peer's candidates anew, after this.
  // Requires: a ufrag of ours that is new.
  void restart_ice(Timestamp now, ice::Credentials local, ice::Credentials remote, TransportOutputs& out);

  // An SRTP packet of the peer was opened with receive_context().
  void confirm_peer(Timestamp now);
  // And by which path: the peer still consents to be sent to. Once for each batch will do.
  void handle_authentic_packet(Timestamp now, const ice::Path& path);
  void close(Timestamp now, TransportOutputs& out);

  bool is_connected() const;  // Path and keys are there.
  bool is_closed() const;
  // Where media goes: chosen, and proved to be the peer's (ice/lite_agent.h). None: nowhere for now.
  const std::optional<ice::Path>& selected() const;
  // The peer's checks came from there: PathAdded without PathRemoved.
  bool is_known(const ice::Path& path) const;
  // Of a server. Who is there receives what is sent there; and, is_held, it was heard from in the last
  // seconds.
  bool is_proved(const ice::Path& path) const;
  bool is_held(Timestamp now, const ice::Path& path) const;
  const ice::Credentials& local_ice() const;
  // Of this generation, or of the one before a restart while its checks still count.
  bool has_ufrag(std::string_view ufrag) const;
  // Null where no profile was asked for. Sending is for who is connected; receiving may begin with the keys,
  // since the peer may have a path before we do. They stay where they are until the end of this object, also
  // when it is closed.
  srtp::SendContext* send_context();
  srtp::ReceiveContext* receive_context();
  std::optional<dtls::SrtpProfile> srtp_profile() const;

  // Data channels; null when none were agreed upon, or after end_data(). For questions and for what sends
  // nothing (marks, channels agreed on elsewhere); the commands that send are these. Channels may be opened,
  // and sent to, before the transport is connected. TransportClosed is the end of all of them, without a
  // ChannelClosed for each.
  sctp::DataChannels* data();
  Result<sctp::StreamId, sctp::Refusal> open_channel(Timestamp now, sctp::ChannelSettings settings,
                                                     TransportOutputs& out);
  void close_channel(Timestamp now, sctp::StreamId channel, TransportOutputs& out);
  Result<void, sctp::Refusal> send_data(Timestamp now, sctp::StreamId channel, sctp::MessageKind kind,
                                        SharedBytes payload, TransportOutputs& out);
  // Data channels that were agreed upon after the transport began. Requires: there are none, and were none.
  void begin_data(Timestamp now, const DataConfig& config, TransportOutputs& out);
  // Ends the data channels for good and frees what they held; the rest goes on. data() is null from here on.
  void end_data(Timestamp now, TransportOutputs& out);
  // What the peer makes data channels hold (sctp::DataChannels::memory_bytes()).
  std::size_t data_bytes() const;
  const TransportStats& stats() const;
  // Bytes of memory held for this peer, about.
  std::size_t held_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::webrtc
