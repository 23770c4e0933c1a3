// A whole client peer: it offers, connects, sends and receives. For load tests and for tests of the server;
// thousands of them fit a process.
//
//   Dialer dialer(shared, transform, config, Rng(seed), now);
//   POST dialer.offer() -> dialer.handle_answer(now, answer, out)
//   … handle_datagrams, handle_deadline … -> TransportConnected -> send_rtp(), PacketsReceived …
//
// It may negotiate again: offer_again() and handle_answer(), or handle_offer() where the server offers, also
// the first time (DialerConfig::sections is empty then). One side should make all offers.
//
// Its sockets are the owner's: LocalPath is the number that config.candidates gave one. Datagrams of a socket
// that several dialers share must be told apart by the owner.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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
#include "proto/ice/agent.h"
#include "proto/ice/credentials.h"
#include "proto/sdp/negotiate.h"
#include "proto/srtp/transform.h"
#include "session/webrtc/receiver.h"
#include "session/webrtc/transport.h"

namespace stoa::webrtc {

// An RTP packet in the clear. Without a Receiver only (DialerConfig::has_receiver). The bytes lie in the
// datagram that was given and are valid as long as they are left alone there.
struct RtpReceived {
  Bytes packet;
  std::uint64_t srtp_index = 0;  // 2^16 * rollover counter + sequence number.
};
// A compound or reduced-size RTCP packet in the clear: what the peer says of the streams that we send (NACK,
// PLI, reports, feedback) and of its own. The bytes are as those of RtpReceived.
struct RtcpReceived {
  Bytes packet;
};
using DialerOutput =
    std::variant<SendPacket, TransportConnected, TransportClosed, DataEvent, TrackOpened, PacketsReceived,
                 TrackClockMapped, LayersActive, TrackClosed, RtpReceived, RtcpReceived>;
using DialerOutputs = Outbox<DialerOutput>;

struct DialerConfig {
  ice::Credentials local_ice;                   // ice::make_credentials().
  std::vector<ice::LocalCandidate> candidates;  // Of sockets there are; more may come.
  // What to offer, in this order (sdp::make_offer). Their `media` must live until the constructor returns.
  // None: the server offers.
  std::vector<sdp::OfferedSection> sections;
  // What it takes of what a server offers; null: all that make_audio_support() and make_video_support() say.
  // They outlive the dialer.
  const sdp::MediaSupport* audio = nullptr;
  const sdp::MediaSupport* video = nullptr;
  // Orders and repairs what comes, asks again and reports. Without it packets come out as they are and
  // nothing is said to the peer but by send_rtcp(): the least work for one who only counts.
  bool has_receiver = true;
  ReceiverConfig receiver;
  ice::AgentConfig ice;
  std::vector<dtls::SrtpProfile> srtp_profiles = dtls::all_srtp_profiles();
};

enum class DialRefusal : std::uint8_t {
  kBadAnswer,     // Does not read, or is none to our offer; or an offer that cannot be answered.
  kBadTransport,  // No ICE credentials or no fingerprint in it.
  kNotExpected,   // There was an answer, or the end, before.
};
const char* name_of(DialRefusal refusal);

struct DialerStats {
  std::uint64_t rtp_sent = 0, rtcp_sent = 0;
  std::uint64_t rtp_received = 0, rtcp_received = 0;  // Authentic.
  std::uint64_t srtp_refused = 0;                     // Neither authentic nor new, or before there were keys.
  std::uint64_t unknown_datagrams = 0;
};

class Dialer {
 public:
  // `shared` and `transform` outlive the dialer. Requires: an offer can be made of `config.sections`.
  Dialer(const TransportShared& shared, srtp::Transform& transform, const DialerConfig& config, Rng rng,
         Timestamp now);
  ~Dialer();
  Dialer(const Dialer&) = delete;
  Dialer& operator=(const Dialer&) = delete;

  // The first. SDP with all candidates known by then; empty once there is an answer.
  const std::string& offer() const;
  Result<void, DialRefusal> handle_answer(Timestamp now, std::string_view answer, DialerOutputs& out);
  // Another offer, for handle_answer(): the sections of before in their places, and more behind them.
  // `restart`: new credentials of ours. Errors: kNotExpected before the first answer, and while an offer is
  // not answered; kBadAnswer for sections that no offer can be made of.
  Result<std::string, DialRefusal> offer_again(std::span<const sdp::OfferedSection> sections,
                                               const std::optional<ice::Credentials>& restart = {});
  // Gives the answer to an offer of the server: it may send in all sections, and gets nothing but data. Of
  // tracks more than a Receiver has room for, those behind are passed over.
  Result<std::string, DialRefusal> handle_offer(Timestamp now, std::string_view offer, DialerOutputs& out);
  // Also before the answer; at most DialerConfig::ice.local_candidates_max count.
  void add_local_candidate(Timestamp now, const ice::LocalCandidate& candidate, DialerOutputs& out);
  // After the answer.
  void add_remote_candidate(Timestamp now, const ice::Candidate& candidate, DialerOutputs& out);
  // ICE restart (RFC 9725 §4.3.2), once the server agreed: with our new credentials, its own, and its
  // candidates; those that are known when there are none.
  void restart_ice(Timestamp now, ice::Credentials local, ice::Credentials remote,
                   std::span<const ice::Candidate> candidates, DialerOutputs& out);

  // Datagrams are decrypted where they stand.
  void handle_datagrams(Timestamp now, WallTime wall, std::span<const ReceivedDatagram> datagrams,
                        DialerOutputs& out);
  // A TCP connection ended, or a socket is gone.
  void handle_path_closed(Timestamp now, const ice::Path& path, DialerOutputs& out);
  void handle_deadline(Timestamp now, WallTime wall, DialerOutputs& out);
  Timestamp next_deadline() const;

  // A whole RTP packet, or a compound RTCP packet, in the clear. False when it cannot be sent (now).
  bool send_rtp(Bytes packet, DialerOutputs& out);
  bool send_rtcp(Bytes packet, DialerOutputs& out);
  // Does nothing without a Receiver.
  void request_keyframe(Timestamp now, media::TrackId track, payload::LayerIndex layer, DialerOutputs& out);
  Result<sctp::StreamId, sctp::Refusal> open_channel(Timestamp now, sctp::ChannelSettings settings,
                                                     DialerOutputs& out);
  Result<void, sctp::Refusal> send_data(Timestamp now, sctp::StreamId channel, sctp::MessageKind kind,
                                        SharedBytes payload, DialerOutputs& out);
  void close(Timestamp now, DialerOutputs& out);

  bool is_connected() const;
  bool is_closed() const;
  // Null before the answer.
  const sdp::Agreement* agreement() const;
  Transport* transport();  // For whoever opens packets of many dialers in one call.
  const Receiver* receiver() const;
  const DialerStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::webrtc
