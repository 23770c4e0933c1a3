// What a browser-like client sends: sound with talk spurts and a camera in three simulcast layers, whose
// rates follow the estimate of the path (bwe::Controller on the server's feedback) with an encoder's lag. It
// paces, probes, sends again what is asked for (RTX), makes keyframes when asked, and rests layers nobody
// wants.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/livekit/wire.h"
#include "base/bytes.h"
#include "base/rng.h"
#include "base/time.h"
#include "bwe/controller.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/reception.h"
#include "proto/rtcp/round_trip.h"
#include "proto/rtcp/transport_feedback.h"
#include "proto/sdp/negotiate.h"
#include "sim/encoder.h"
#include "sim/ring.h"

namespace stoa::sim {

inline constexpr std::size_t kCameraLayers = 3;

// What simulated clients can do, for offers and answers: Opus and VP8 with RTX and transport-wide feedback.
struct ClientMedia {
  sdp::MediaSupport audio, video;
};
ClientMedia make_client_media();

class Publisher {
 public:
  struct Config {
    bool has_video = true, has_audio = true;
    double talking = 0.2;  // Of its time.
    std::uint64_t video_bits_per_second_max = 2'500'000;
    // Tells the server how old its reference times are (RFC 3611 §4.5), as browsers do and others do not.
    bool echoes_time = true;
    bwe::Config controller;
  };
  using Send = std::function<void(Bytes)>;
  struct Counts {
    std::uint64_t packets = 0, retransmitted = 0, keyframes_asked = 0;
    std::uint64_t nacked = 0;     // Packets asked for again.
    std::uint64_t feedbacks = 0;  // Datagrams with transport-wide feedback.
  };

  // `number`: in stamps.
  Publisher(std::uint32_t number, const Config& config, const ClientMedia& media, Rng rng);

  std::vector<livekit::pb::AddTrackRequest> requests() const;
  // Appended, with mids that count on.
  void add_sections(std::vector<sdp::OfferedSection>& sections);
  // The connection stands, for the first time or anew: sequence numbers go on.
  void begin(Timestamp now, WallTime wall, const sdp::Agreement& agreement);
  void stop() { is_sending_ = false; }

  void handle_rtcp(Timestamp now, Bytes packet, const Send& send_rtp);
  void handle_qualities(Timestamp now, const livekit::pb::SubscribedQualityUpdate& update);
  void handle_route_change(Timestamp now);
  void handle_deadline(Timestamp now, WallTime wall, const Send& send_rtp, const Send& send_rtcp);
  Timestamp next_deadline() const;

  bool is_talking() const { return is_talking_; }
  bool is_layer_sent(std::size_t layer) const { return is_sending_ && layers_[layer].is_on; }
  const bwe::Controller* controller() const { return controller_ ? &*controller_ : nullptr; }
  const Counts& counts() const { return counts_; }
  // To the server and back; nothing until a report told.
  std::optional<Duration> round_trip() const;

 private:
  struct Piece {  // Of which a packet can be made again.
    std::uint16_t sequence = 0, payload_bytes = 0, packet = 0, packets = 1, picture_id = 0;
    std::uint32_t timestamp = 0, frame = 0;
    std::uint8_t stream = 0;  // A layer, or kAudio.
    bool is_keyframe = false;
  };
  struct Stream {
    std::uint32_t ssrc = 0, rtx_ssrc = 0, timestamp_base = 0, frame = 0, packets = 0, octets = 0;
    std::uint16_t sequence = 0, rtx_sequence = 0, picture_id = 0;
    std::vector<Piece> sent;  // By sequence, a ring.
  };
  struct Track {
    std::string mid;
    bool is_agreed = false;
    std::uint8_t payload_type = 0, mid_id = 0, rid_id = 0, repaired_id = 0, level_id = 0, transport_id = 0;
    std::optional<std::uint8_t> rtx_type;
  };
  struct Layer {
    std::optional<Encoder> encoder;
    bool is_wanted = true, is_on = false;
    Timestamp keyframe_at;  // The last that was asked for.
  };

  void agree(Track& track, const sdp::Agreement& agreement);
  void follow_controller(Timestamp now);
  void handle_frame(Timestamp now, std::size_t layer);
  void handle_sound(Timestamp now, const Send& send);
  void change_speech(Timestamp now);
  void send_piece(Timestamp now, const Piece& piece, std::uint16_t probe, const Send& send);
  void send_again(Timestamp now, Stream& stream, const Piece& piece, std::uint16_t probe, const Send& send);
  void send_video(Timestamp now, const Send& send);
  void send_probe(Timestamp now, const Send& send);
  void write_and_send(Timestamp now, const Piece& piece, bool is_rtx, std::uint16_t probe, const Send& send);
  void send_reports(Timestamp now, WallTime wall, const Send& send);
  void handle_extended(Timestamp now, const rtcp::ExtendedReport& report);
  void handle_nack(Timestamp now, std::uint32_t ssrc, std::uint16_t sequence, const Send& send);
  void make_keyframe(Timestamp now, std::uint32_t ssrc);
  std::uint32_t rtp_time(Timestamp now, const Stream& stream, std::uint32_t clock_rate) const;

  std::uint32_t number_;
  Config config_;
  const ClientMedia& media_;
  Rng rng_;
  bool is_sending_ = false;
  Track audio_, video_;
  std::array<Stream, kCameraLayers + 1> streams_;  // Layers, then sound.
  std::array<Layer, kCameraLayers> layers_;
  Timestamp next_sound_ = Timestamp::never(), next_speech_change_, next_report_ = Timestamp::never();
  bool is_talking_ = false;

  std::optional<bwe::Controller> controller_;
  Ring<Piece> queue_;
  std::uint64_t queued_bytes_ = 0;
  Timestamp next_video_;
  bwe::ProbeCluster probe_;
  std::uint32_t probe_bytes_left_ = 0, probe_packets_left_ = 0;
  Timestamp next_probe_ = Timestamp::never();
  rtcp::RoundTrip round_trip_;
  struct ReferenceTime {
    std::uint32_t ssrc = 0;
    rtcp::ReportEcho echo;
  };
  std::optional<ReferenceTime> reference_time_;  // Of the server's, to be echoed.
  std::int64_t next_transport_ = 0;
  rtcp::FeedbackTimeline timeline_;
  std::vector<bwe::Arrival> arrivals_;
  std::array<std::uint8_t, 1500> scratch_{};
  Counts counts_;
};

}  // namespace stoa::sim
