// The sending half of all sessions of a shard: published streams in, encrypted trains of datagrams out, for
// thousands of receivers with little for each.
//
// Packets are not queued for anybody. A stream keeps its newest packets once (stream.h); a receiver has a
// position in it, and the numbers that turn the stream's sequence numbers, timestamps and picture ids into
// its own. fill() goes receiver by receiver: what the pacer lets go of its streams is written as one train
// into the batch (header of its own, shared payload, padding to equal sizes), all of it encrypted in calls of
// many packets, and the caller sends the batch and calls again until nothing is left.
//
// Nothing is allocated and no clock is asked for a packet that is forwarded.
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
#include "base/rng.h"
#include "base/slot_table.h"
#include "base/time.h"
#include "bwe/controller.h"
#include "bwe/pacer.h"
#include "media/payload/packet.h"
#include "proto/ice/path.h"
#include "proto/rtp/extension_values.h"
#include "proto/srtp/transform.h"
#include "session/webrtc/stream.h"

namespace stoa::webrtc {

using StreamId = SlotId<struct StreamTag>;
using SenderId = SlotId<struct SenderTag>;

// Of one sender: each has an SSRC, with RTX two, and a SendContext holds srtp::kSendStreamsMax.
inline constexpr std::size_t kOutletsMax = 256;

// One section that we send in.
struct OutletConfig {
  payload::Encoding encoding = payload::Encoding::kH264;
  std::uint32_t ssrc = 0;
  std::uint8_t payload_type = 0;
  std::optional<std::uint32_t> rtx_ssrc;  // Both or none.
  std::optional<std::uint8_t> rtx_payload_type;
  // The receiver takes redundancy (RED) under this type: it is sent what its stream has of it.
  std::optional<std::uint8_t> red_payload_type;
  std::string mid;               // Sent along when `extensions` has an id for it; at most 16 bytes.
  rtp::ExtensionMap extensions;  // What the receiver knows; what the stream has of it is passed on.
  bool has_nack = false, has_pli = false;
  bool has_ccfb = false;  // The receiver may tell what arrived by RFC 8888.
};
struct SenderConfig {
  std::vector<OutletConfig> outlets;
  std::string cname;
  bwe::PacerConfig pacer;
};

struct FanOutConfig {
  std::size_t streams_max = 4'096;
  std::size_t senders_max = 50'000;
  HistoryLimits history;
  Duration report_interval = Duration::seconds(1);
  // A receiver that begins is sent the newest keyframe and what follows it when that is no older than this,
  // or when the source cannot be asked; otherwise a keyframe is asked for and it waits.
  Duration catch_up_max = Duration::seconds(4);
  // Sound that waited so long to be sent (we, or the receiver's share, had no time for it) is skipped: played
  // late it is worth nothing, and it would stay late.
  Duration audio_late_max = Duration::milliseconds(400);
  // Where several speak and hundreds hear them, what one says waits so long for what the others say, to leave
  // with it in one train. 0: it does not.
  Duration gather_max = Duration::milliseconds(5);
  // Retransmissions to one receiver: at most this share of what it was sent in the last second, and once in a
  // round trip for each packet.
  double retransmission_share_max = 0.5;
  // And not what would come later than this, plus a round trip, after it was first sent: the receiver has
  // gone on without it (it holds back at most `playout_delay`), or waits for a keyframe.
  Duration retransmission_age_max = Duration::milliseconds(1000);
  // What receivers of video that know the extension are told: how little and how much they may hold back.
  // Between these they adapt to the link. With a maximum of 500 ms or less, and no minimum, a browser keeps
  // no reserve against jitter at all and shows frames as they come. Unset: nothing is told.
  std::optional<rtp::PlayoutDelay> playout_delay = rtp::PlayoutDelay{{}, Duration::milliseconds(1000)};
  // A receiver that takes redundancy (RED) is sent it at first, and for so long after it has lost so much.
  // Without loss it is of no use and takes as much again as the sound. 0: always.
  double red_from_loss = 0.01;
  Duration red_kept = Duration::seconds(10);
  // Unset: each sender's pacer keeps its rate, whatever its receiver says.
  std::optional<bwe::Config> congestion;
};

// To be protected and sent on the sender's path: reports. Compound, in the clear.
struct SendReport {
  SenderId sender;
  Buffer packet;
};
struct StreamKeyframeWanted {
  StreamId stream;
  payload::LayerIndex layer = 0;
};
// What the path to a receiver carries, as it seems now.
struct SenderBandwidth {
  SenderId sender;
  bwe::Target target;
};
using FanOutOutput = std::variant<SendReport, StreamKeyframeWanted, SenderBandwidth>;
using FanOutOutputs = Outbox<FanOutOutput>;

// What a receiver says of one outlet, and what was done for it.
struct OutletStats {
  std::uint64_t packets = 0, bytes = 0;  // Payload bytes; retransmissions apart.
  std::uint64_t with_red = 0;            // Of packets: with redundancy.
  // Of what was asked for again: looked at, of that not held any more, and too late; and what there was no
  // room for.
  std::uint64_t retransmitted = 0, nacked = 0, nacked_unknown = 0, nacked_late = 0, nacks_ignored = 0,
                plis = 0;
  std::uint64_t skipped = 0;  // Fell behind the history.
  double loss = 0;            // Of the last report, 0 to 1.
  Duration jitter, round_trip;
  std::uint64_t remb_bps = 0;                // 0: none came.
  std::optional<payload::LayerIndex> layer;  // That feeds it, or its highest spatial layer that is sent.
};

class FanOut {
 public:
  FanOut(const FanOutConfig& config, srtp::Transform& transform, Rng rng);
  ~FanOut();
  FanOut(const FanOut&) = delete;
  FanOut& operator=(const FanOut&) = delete;

  // Streams: one for each track that somebody here receives. Unset when there are too many.
  StreamId add_stream(const payload::RtpTrack& track);
  void remove_stream(StreamId stream);  // Outlets that it feeds fall silent.
  void append(Timestamp now, StreamId stream, const payload::PacketBatch& batch);
  // Of a source that cannot be asked: its newest keyframe and all that followed it, perhaps once more. Of use
  // where no keyframe is kept; receivers are not sent again what they have.
  void append_group(Timestamp now, StreamId stream, std::span<const payload::PacketBatch> group);
  void map_clock(StreamId stream, payload::LayerIndex layer, const payload::ClockMapping& mapping);
  const History* history(StreamId stream, payload::LayerIndex layer) const;

  // Senders: one for each session that receives. `context` outlives the sender. Unset when there are too
  // many.
  SenderId add_sender(Timestamp now, const SenderConfig& config, srtp::SendContext& context,
                      const ice::Path& path);
  void remove_sender(SenderId sender);
  // An outlet at a place where there is none, or in place of the one there; the others go on as they are.
  // Requires: an index below kOutletsMax; SSRCs that nobody else sends with. Numbers of one that was closed
  // go on.
  void open_outlet(SenderId sender, std::size_t outlet, const OutletConfig& config);
  // It is silent from here on, and its index is free.
  void close_outlet(SenderId sender, std::size_t outlet);
  // The receiver takes redundancy (RED) under this type from now on, or none. All else goes on, but that
  // what was sent before is not repeated under its own number.
  void set_red(SenderId sender, std::size_t outlet, std::optional<std::uint8_t> payload_type);
  // None: nothing is sent until there is one.
  void set_path(SenderId sender, const std::optional<ice::Path>& path);
  // Feeds an outlet from this stream from its next fit keyframe on (audio: at once); until then what fed it
  // before goes on. The receiver sees one stream without a break. An unset stream silences the outlet.
  void set_source(Timestamp now, SenderId sender, std::size_t outlet, StreamId stream, FanOutOutputs& out);
  // Of a stream with layers: no layer above this one. Changes at a keyframe. Of one with spatial layers
  // within (RtpTrack::may_be_scalable): none above this one, down from the next picture on, up where the
  // stream lets one in, which may be a keyframe only.
  void set_layer_max(Timestamp now, SenderId sender, std::size_t outlet, payload::LayerIndex layer,
                     FanOutOutputs& out);
  // No more temporal layers than it takes for so many frames a second, as far as the stream has them; 0: all.
  // Fewer from the next frame on, more from where the stream lets one in.
  void set_frames_wanted(SenderId sender, std::size_t outlet, std::uint32_t frames_per_second);

  // What the sender would send if it could: what is worth probing for.
  void set_demand(Timestamp now, SenderId sender, const bwe::Demand& demand);

  // Of these something is about to come. Spares waiting for memory, changes nothing.
  void expect_rtcp(std::span<const SenderId> senders) const;
  // RR, NACK, PLI, FIR, REMB, XR and transport-wide feedback of the receiver, decrypted. Unknown ones are
  // passed over.
  void handle_rtcp(Timestamp now, WallTime wall, SenderId sender, Bytes packet, FanOutOutputs& out);
  // Pacing that is due makes fill() have more; reports that are due come out.
  void handle_deadline(Timestamp now, WallTime wall, FanOutOutputs& out);
  Timestamp next_deadline() const;

  // Writes trains until `batch` has no room for another one or nothing is left to send now. True: call again.
  bool fill(Timestamp now, DatagramBatch& batch);
  bool has_work() const;

  std::size_t streams() const;
  std::size_t senders() const;
  // Of one outlet; zeros when there is none.
  OutletStats stats(SenderId sender, std::size_t outlet) const;
  // To a sender's peer and back, smoothed, as its reports tell.
  std::optional<Duration> round_trip(SenderId sender) const;
  // Of a sender whose congestion is controlled.
  std::optional<bwe::Target> target(SenderId sender) const;
  struct Totals {
    std::uint64_t packets = 0, bytes = 0, trains = 0, retransmitted = 0, plis = 0, reports = 0, skipped = 0;
    std::uint64_t nacks_ignored = 0;                 // Packets asked for again that there is no room to send.
    std::uint64_t padding_bytes = 0, held_back = 0;  // By a pacer, times.
    std::uint64_t probes = 0, probe_packets = 0;     // Clusters begun; packets sent for nothing else.
    std::uint64_t feedbacks = 0;                     // Of what arrived when.
    std::uint64_t refused = 0;  // By SRTP: sent as zeros. A mistake of ours, or a used up key.
  };
  const Totals& totals() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::webrtc
