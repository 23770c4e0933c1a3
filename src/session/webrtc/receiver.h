// The receiving half of a session: which packets belong to which track and layer, what is missing, and what
// the sender must be told (RFC 3550 §6, RFC 4585, RFC 4588, transport-wide feedback).
//
// Packets go out in the order of their arrival, duplicates left out, retransmissions under the number they
// first had: forwarding does not wait for the missing. Streams are told apart as RFC 9143 §9.2 says: by SSRC,
// else by the mid and rid extensions, else by payload type.
//
// Sound may come with redundancy (RED, media/payload/red.h) where that was agreed upon: its packets are of
// the same stream and the same track as those without, which may come at any time.
//
// Layers of a simulcast are one track. They are numbered as AgreedSection::receive_layers lists them, which
// is the publisher's order: browsers and OBS name the smallest picture first, and so must others.
//
// Packets that hold nothing but padding (a sender probes with them), and those whose payload is refused, come
// out as packets without payload and without facts: their numbers were used, so a receiver that passes them
// over must close the gap.
//
// Each report carries our reference time, asked for in SDP or not: browsers offer no word of it but echo it,
// and who does not know the packet passes it over (RFC 3550 §6.1). So round trips are known.
//
// Sequence numbers and timestamps of a layer go on when another SSRC takes it over. NTP times of the
// publisher become ours by one offset for the whole session (peer_clock.h), so tracks stay in step; before
// the first sender report a layer's clock is mapped by the arrival of its first packet.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/datagram.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/rng.h"
#include "base/time.h"
#include "media/payload/packet.h"
#include "proto/sdp/negotiate.h"
#include "session/webrtc/inbound_slot.h"

namespace stoa::webrtc {

// A compound or reduced-size RTCP packet in the clear, to be protected and sent on the selected path.
struct SendRtcp {
  Buffer packet;
};
// The first packet of a track was understood. Tracks are numbered in the order of the sections that bring
// media, whether these are open or not. A publisher that changes to another codec closes the track and opens
// it anew, under the same number.
struct TrackOpened {
  payload::RtpTrack track;
};
struct PacketsReceived {
  media::TrackId track = 0;
  payload::PacketBatch batch;
};
// At a layer's first packet, and whenever a sender report makes it better.
struct TrackClockMapped {
  media::TrackId track = 0;
  payload::LayerIndex layer = 0;
  payload::ClockMapping mapping;
};
// The layers that carry packets now, as bits; one that was silent for ReceiverConfig::layer_silence is off.
struct LayersActive {
  media::TrackId track = 0;
  std::uint8_t layers = 0;
};
// Another codec, or the end: BYE of all its layers, or of some and the others fell silent.
struct TrackClosed {
  media::TrackId track = 0;
};
using ReceiverOutput =
    std::variant<SendRtcp, TrackOpened, PacketsReceived, TrackClockMapped, LayersActive, TrackClosed>;
using ReceiverOutputs = Outbox<ReceiverOutput>;

struct ReceiverConfig {
  std::size_t streams_max = 32;  // SSRCs known at once, retransmission streams included.
  Duration report_interval = Duration::seconds(1);
  Duration keyframe_interval_min = Duration::milliseconds(500);  // Between two PLI for one layer.
  Duration layer_silence = Duration::seconds(2);
  // Senders that know REMB are told what their line carries while they let a queue stand there.
  bool limits_senders = true;
  std::string cname = "stoa";
};

enum class ReceiveRefusal : std::uint8_t {
  kMalformed,      // Not RTP or RTCP, or a payload that its codec's format forbids.
  kUnknownStream,  // No section wants it.
  kTooManyStreams,
  kDuplicate,       // Came before, or so late that nobody can tell.
  kUnknownPayload,  // A payload type that was not agreed upon, or not of what the track is now.
};
inline constexpr int kReceiveRefusals = 5;
const char* name_of(ReceiveRefusal refusal);

struct ReceiverStats {
  std::uint64_t packets = 0, bytes = 0;
  std::uint64_t retransmitted = 0;  // Of packets: came again because we asked.
  std::uint64_t recovered = 0;      // Lost, and made of the redundancy of what came next.
  std::uint64_t nacks_sent = 0;     // Packets asked for.
  std::uint64_t lost = 0;           // Given up.
  std::uint64_t plis_sent = 0;      // Or FIR, where only that was agreed upon.
  std::uint64_t limits_begun = 0;   // Times the sender was told to send less (bwe/uplink_limit.h).
  std::array<std::uint64_t, kReceiveRefusals> refused{};
};

// What came of one layer of a track.
struct LayerStats {
  std::uint64_t packets = 0, bytes = 0;  // First sent and sent again, duplicates left out.
  std::uint64_t frames = 0;              // First sent.
  std::uint64_t nacks = 0, plis = 0;     // Packets, and keyframes (by FIR, too), that were asked for.
  std::uint64_t with_red = 0;            // Of packets: with redundancy.
  std::int64_t expected = 0, lost = 0;   // Since its SSRC began; lost is before repair.
  Duration jitter;
  bool is_active = false;
};
struct TrackStats {
  media::TrackId track = 0;
  std::vector<LayerStats> layers;
};

class Receiver {
 public:
  // Of the sections that we receive in. `local_ssrc` names us in reports.
  Receiver(const sdp::Agreement& agreement, const ReceiverConfig& config, std::uint32_t local_ssrc, Rng rng,
           Timestamp now);
  ~Receiver();

  // Another agreement of the same session. `slots` says where each section that brings media goes, and takes
  // the place of the order; a track goes on, with all that is known of its streams, where its slot has the
  // mid and the layers that it had and is not new, and is closed otherwise.
  void update(Timestamp now, const sdp::Agreement& agreement, std::span<const InboundSlot> slots,
              ReceiverOutputs& out);

  // Decrypted. `srtp_index` is 2^16 * rollover counter + sequence number.
  Result<void, ReceiveRefusal> handle_rtp(Timestamp now, Bytes packet, std::uint64_t srtp_index,
                                          ReceiverOutputs& out, Ecn ecn = Ecn::kNotCapable);
  // What the peer says as a sender: SR, SDES, BYE, XR. Other packets in the datagram are passed over.
  void handle_rtcp(Timestamp now, WallTime wall, Bytes packet, ReceiverOutputs& out);
  // Required after each batch of datagrams: hands on what it brought, and feedback that is due.
  void flush(Timestamp now, ReceiverOutputs& out);
  void handle_deadline(Timestamp now, WallTime wall, ReceiverOutputs& out);
  // Due at once until a wall time was given, so that clocks can be mapped.
  Timestamp next_deadline() const;

  // Throttled: at most one PLI in keyframe_interval_min for each layer, and none while the answer to one may
  // be on its way; one that comes earlier is sent then. Repeated a few times until a keyframe comes. A layer
  // that never came is not asked.
  void request_keyframe(Timestamp now, media::TrackId track, payload::LayerIndex layer, ReceiverOutputs& out);
  // As measured by the session, if it can. Measured here by itself once the peer echoes our reference times
  // (RFC 3611 §4.4, §4.5).
  void set_round_trip(Duration round_trip);

  const std::vector<payload::RtpTrack>& tracks() const;
  const ReceiverStats& stats() const;
  // Of the sections that bring media now.
  std::vector<TrackStats> track_stats() const;
  std::optional<Duration> round_trip() const;
  // From the request for a packet of a picture to its answer: the round trip where the peer echoes our
  // reports, else what answers took. Zero where there will be no answer; none where nobody knows yet.
  std::optional<Duration> repair_time() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::webrtc
