// Inside of the receiver: receiver.cc has the way of a packet, receiver_reports.cc what is said and heard by
// RTCP and when.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "bwe/uplink_limit.h"
#include "media/payload/layer_flow.h"
#include "media/payload/packet.h"
#include "proto/rtcp/arrival_log.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/round_trip.h"
#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"
#include "session/webrtc/feedback.h"
#include "session/webrtc/inbound_demux.h"
#include "session/webrtc/inbound_layer.h"
#include "session/webrtc/peer_clock.h"
#include "session/webrtc/receiver.h"

namespace stoa::webrtc {

inline constexpr std::size_t kRtpBytesMax = 9000;  // Jumbo frames fit.
// Between two changes of a track's codec.
inline constexpr Duration kCodecHold = Duration::seconds(1);
// How far above the newest packet a retransmission may be: its own first sending was lost, and some behind
// it.
inline constexpr std::int64_t kRepairAheadMax = 512;
// Without RTX an answer is the same packet once more. Some agree upon NACK and cannot send that (a key of GCM
// must not serve one index twice, RFC 7714 §8.2): who let so many requests for a layer go by is asked no
// more.
inline constexpr std::uint64_t kUnansweredMax = 64;
// A layer that its sender gave up for so long is asked for nothing: what it would send again is of no use,
// and takes the place of what is. Senders answer a wish for a keyframe of one layer with one of each.
inline constexpr Duration kLayerGivenUp = Duration::milliseconds(150);
// Of IP, UDP and SRTP's tag, which estimators of senders count.
inline constexpr std::uint32_t kHeaderBytes = 20 + 8 + 10;
// A browser that is asked sooner than its encoder has heard of a limit makes a keyframe of each layer.
inline constexpr Duration kLimitHeeded = Duration::milliseconds(60);
// What an encoder and its pacer, which has more to send than the limit allows, take for the answer.
inline constexpr Duration kEncoded = Duration::milliseconds(250);
// Until then its pacer may send what is left of layers that were given up.
inline constexpr Duration kGivenUpGone = Duration::seconds(1);
// A sender that makes no keyframe of a layer that was put aside is believed after this.
inline constexpr Duration kAsideMax = Duration::seconds(5);
// A layer that is silent for so long is none to fall back on.
inline constexpr Duration kLayerQuiet = Duration::seconds(1);
// Packets that tell when they were sent are looked at so often.
inline constexpr Duration kSendTimeEvery = Duration::milliseconds(20);
// What is silent for so long tells nothing any more: sound, where another track has some, …
inline constexpr Duration kSoundSilence = Duration::seconds(1);
// … and packets that say when they were sent, where there is sound.
inline constexpr Duration kSendTimeSilence = Duration::seconds(3);
// A sender with more clocks than this has none.
inline constexpr int kSendClocksMax = 16;
// A larger step of its clock is another clock.
inline constexpr Duration kSendStepMax = Duration::seconds(2);
// Peers' SSRCs whose reference times are answered.
inline constexpr std::size_t kReferenceTimesMax = 8;
inline constexpr Duration kRoundTripMax = Duration::seconds(5);

struct Receiver::Impl {
  // The elements of a packet that are looked at; empty where it has none.
  struct Elements {
    std::array<Bytes, rtp::kExtensionKinds> values;
    Bytes operator[](rtp::ExtensionKind kind) const { return values[static_cast<std::size_t>(kind)]; }
  };
  struct Track {
    media::TrackId id = 0;
    bool is_open = false;
    std::uint8_t codec = 0;  // Of the section's; when open.
    Timestamp opened_at;
    std::vector<InboundLayer> layers;
    std::uint8_t aside = 0;  // Layers that the line has no place for, as bits, until they go on.
    payload::LayerFlow flow;
    payload::PacketWriter writer;

    payload::LayerIndex index_of(const InboundLayer& layer) const {
      return static_cast<payload::LayerIndex>(&layer - layers.data());
    }
    std::uint8_t bit_of(const InboundLayer& layer) const {
      return static_cast<std::uint8_t>(1u << index_of(layer));
    }
    bool is_given_up(Timestamp now, const InboundLayer& layer) const {
      return flow.is_given_up(now, index_of(layer), kLayerGivenUp);
    }

    // Some layer said BYE, and each of the others did too or brought nothing in the `silence` that followed.
    // Silence alone ends nothing: senders pause layers that their network does not carry, and still pictures.
    bool is_over(Timestamp now, Duration silence) const;
  };
  // An understood packet of a layer.
  struct Arrived {
    std::uint8_t codec = 0;
    std::int64_t index = 0;  // In its stream, which never wraps.
    rtcp::PacketOrigin origin = rtcp::PacketOrigin::kFirstSent;
    bool is_newest = false;
    bool is_red = false;
    bool ends_picture = false;  // Whatever its marker says: layers above it are broken.
    Bytes payload;
    std::optional<payload::RedPayload> red;  // That the payload came in, where there is more than it.
  };
  struct ReferenceTime {
    std::uint32_t ssrc = 0;
    rtcp::ReportEcho echo;
    bool is_new = false;
  };

  Impl(const sdp::Agreement& agreement, const ReceiverConfig& config, std::uint32_t local_ssrc, Rng rng,
       Timestamp now);
  void read_agreement(const sdp::Agreement& agreement);
  void update(Timestamp now, const sdp::Agreement& agreement, std::span<const InboundSlot> slots,
              ReceiverOutputs& out);
  void set_section(std::uint8_t slot, InboundSection next, bool is_new, ReceiverOutputs& out);

  // receiver.cc
  Result<void, ReceiveRefusal> handle_rtp(Timestamp now, Bytes bytes, std::uint64_t srtp_index, Ecn ecn,
                                          ReceiverOutputs& out);
  Result<void, ReceiveRefusal> handle_rtx(Timestamp now, InboundPlace place, const rtp::Packet& packet,
                                          const Elements& elements, ReceiverOutputs& out);
  void pass_over(Timestamp now, const rtp::Packet& packet, std::int64_t index, ReceiverOutputs& out);
  Result<void, ReceiveRefusal> accept(Timestamp now, InboundPlace place, const rtp::Packet& packet,
                                      const Elements& elements, Arrived arrived, ReceiverOutputs& out);
  static Result<payload::PayloadFacts, ReceiveRefusal> inspect(const InboundCodec& codec, Arrived& arrived);
  void recover(Timestamp now, InboundPlace place, const rtp::Packet& packet, const Arrived& by,
               const InboundLayer::Newest& newest, ReceiverOutputs& out);
  bool select_codec(Timestamp now, Track& track, payload::LayerIndex layer, const Arrived& arrived,
                    const payload::PayloadFacts& facts, ReceiverOutputs& out);
  void note_media(Timestamp now, Track& track, InboundLayer& layer, std::uint32_t rtp_time,
                  const Arrived& arrived, ReceiverOutputs& out);
  // Of what is put aside nothing is handed on but a keyframe that the line has place for, which ends that.
  bool goes_on(Timestamp now, Track& track, InboundLayer& layer, const Arrived& arrived,
               const payload::PayloadFacts* facts);
  void forward(Track& track, payload::LayerIndex layer, const rtp::Packet& packet, const Elements& elements,
               const Arrived& arrived, const payload::PayloadFacts& facts);
  void open(Timestamp now, Track& track, std::uint8_t codec, ReceiverOutputs& out);
  void close(Track& track, ReceiverOutputs& out);
  void hand_on(Track& track, ReceiverOutputs& out);
  void tell_active(const Track& track, ReceiverOutputs& out);
  Elements read_elements(const rtp::ExtensionBlock& block) const;
  void note_arrival(Timestamp now, const Elements& elements, std::size_t bytes);
  void note_send_time(Timestamp now, rtp::AbsSendTime time);
  void note_sound(Timestamp now, const Track& track, const InboundLayer& layer, std::uint32_t rtp_time);
  void note_sent(Timestamp now, Duration sent);
  const InboundCodec* codec_of(const Track& track) const;

  // receiver_reports.cc
  void handle_rtcp(Timestamp now, Bytes bytes, ReceiverOutputs& out);
  void handle_sender_report(Timestamp now, const rtcp::SenderReport& report, ReceiverOutputs& out);
  void handle_description(Timestamp now, const rtcp::SourceDescription& description);
  void handle_bye(Timestamp now, std::uint32_t ssrc, ReceiverOutputs& out);
  // True when it echoes a time of ours: the round trip is known better.
  bool handle_extended_report(Timestamp now, const rtcp::ExtendedReport& report);
  const InboundLayer* least_of(Timestamp now, const Track& track) const;
  bool is_too_large(Timestamp now, const Track& track, const InboundLayer& layer) const;
  // Whether what is missing of the layer is worth the place it takes when it is sent again.
  bool may_ask(Timestamp now, const Track& track, const InboundLayer& layer) const;
  void put_larger_layers_aside(Timestamp now);
  void take_nack_outputs(Timestamp now, Track& track, InboundLayer& layer, ReceiverOutputs& out);
  void send_due_feedback(Timestamp now, ReceiverOutputs& out);
  // Only a keyframe that begins with this packet or behind it is of use.
  void wish_keyframe(Timestamp now, InboundLayer& layer, std::int64_t index);
  void send_keyframe_wish(Timestamp now, const Track& track, InboundLayer& layer, ReceiverOutputs& out);
  void send_arrivals(Timestamp now, ReceiverOutputs& out);
  void send_limit(Timestamp now, ReceiverOutputs& out);
  void send_report(Timestamp now, ReceiverOutputs& out);
  void find_silent(Timestamp now, ReceiverOutputs& out);
  void start_reports(Timestamp now);
  void set_round_trip(Duration round_trip);
  void update_deadline();

  void learn_wall(Timestamp now, WallTime wall);
  WallTime wall_at(Timestamp now) const { return wall_base_->wall + (now - wall_base_->now); }
  // Tells receivers of the layer's clock at `rtp_time`, which came at `arrived`.
  void map_clock(Timestamp arrived, Track& track, payload::LayerIndex layer, std::uint32_t rtp_time,
                 ReceiverOutputs& out);
  void map_waiting(ReceiverOutputs& out);

  ReceiverConfig config;
  std::uint32_t local_ssrc;
  Rng rng;
  InboundDemux demux;
  std::vector<Track> all_tracks;               // Beside demux.sections().
  std::vector<payload::RtpTrack> open_tracks;  // By id.
  ReceiverStats stats;

  std::array<std::uint8_t, 256> kinds;                             // Extension id to kind.
  bool knows_arrivals = false, knows_arrivals_on_request = false;  // Their extensions have ids.
  bool has_arrivals = false, has_arrivals_on_request = false, has_congestion = false;
  bool is_arrival_asked = false;
  bool has_remb = false;
  FeedbackWriter feedback;
  rtcp::ArrivalLog arrivals{{.leaves_out_loss = true}};
  rtcp::CongestionLog congestion;
  bwe::UplinkLimit uplink_limit;
  // What tells how long packets wait: the times that packets were sent, as they say,
  struct SendClock {
    rtp::AbsSendTime time;
    Timestamp at, sampled_at;
    Duration sent;  // Since whenever.
  };
  std::optional<SendClock> send_clock;
  int send_clocks = 0;  // There were.
  // or else the sound.
  struct Sound {
    media::TrackId track = 0;
    std::uint32_t ssrc = 0;
    Timestamp at;
    std::int64_t timestamp = 0;
    Duration sent;  // By its clock, since whenever.
  };
  std::optional<Sound> sound;
  std::uint32_t last_media_ssrc = 0;
  std::vector<ReferenceTime> reference_times;
  rtcp::RoundTrip round_trips;

  // Our wall clock, read once: a clock that is set does not disturb a session.
  struct WallBase {
    Timestamp now;
    WallTime wall;
  };
  std::optional<WallBase> wall_base_;
  PeerClock peer_clock;
  struct WaitingMap {
    std::uint8_t track, layer;
    std::uint32_t rtp_time;
    Timestamp arrived;
  };
  std::vector<WaitingMap> waiting_maps;  // Until the wall clock is known. One for each layer at most.

  Timestamp born;
  Timestamp report_due = Timestamp::never(), silence_due = Timestamp::never();
  Timestamp deadline;

  // Kept between calls for their memory.
  rtcp::NackOutputs nack_outputs;
  std::vector<payload::PacketBatch> batches;
  std::vector<rtcp::ReportBlock> blocks;
};

}  // namespace stoa::webrtc
