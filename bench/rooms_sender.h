// The tracks that a client of rooms publishes: a microphone, and a camera in one layer or three. Layers that
// the server says nobody wants rest until it says otherwise; a request for a keyframe makes the layer go on
// from its recording's next one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/livekit/wire.h"
#include "rooms_leg.h"
#include "rooms_media.h"

namespace stoa::bench {

struct RoomsMedia {
  std::vector<RoomsClip> layers;  // None: no video. More than one: simulcast, smallest first.
  bool has_audio = true;
  std::size_t opus_bytes = 120;  // Of each 20 ms: 48 kb/s.
  // What goes into offers, and answers to offers.
  sdp::MediaSupport audio, video;
};
// `has_feedback`: what is received is answered with transport-wide congestion control feedback.
RoomsMedia make_rooms_media(std::vector<RoomsClip> layers, payload::Encoding encoding, bool has_audio,
                            int audio_kbps, bool has_feedback);

// Of all publishers of a run.
struct SenderCounts {
  std::uint64_t video_packets = 0, audio_packets = 0, bytes = 0;  // RTP, with headers, before encryption.
  std::uint64_t keyframe_requests = 0;
  Samples lateness_ms;  // Of frames, by this program's own fault.
};

class RoomsSender {
 public:
  // `number`: in stamps. `place`: among those of its room. `seed`: of its own.
  RoomsSender(RtcShared& shared, const RoomsMedia& media, SenderCounts& counts, std::uint32_t number,
              std::size_t place, std::uint64_t seed);

  std::vector<livekit::pb::AddTrackRequest> requests() const;
  std::vector<sdp::OfferedSection> sections() const;
  // Once the peer connection stands.
  void begin(std::int64_t now, const sdp::Agreement& agreement);
  std::int64_t next_due() const;  // INT64_MAX: nothing is sent.
  void send_due(std::int64_t now, RoomsLeg& leg);
  void handle_rtcp(std::int64_t now, Bytes packet);
  void handle_qualities(const livekit::pb::SubscribedQualityUpdate& update);
  // When the first packet went out, CLOCK_MONOTONIC; 0: not yet.
  std::int64_t first_sent_ns() const { return first_sent_ns_; }

 private:
  struct Stream {
    std::uint32_t ssrc = 0;
    std::uint16_t sequence = 0, picture_id = 0;
    std::uint32_t timestamp_base = 0, packets = 0, octets = 0;
    std::size_t clip_at = 0;
    std::int64_t keyframe_asked_ns = 0;
    bool is_wanted = true;
  };
  struct Track {
    std::string mid;
    std::uint8_t payload_type = 0, mid_id = 0, rid_id = 0, level_id = 0, transport_id = 0;
    std::uint32_t clock_rate = 0, frame = 0;  // The next.
    std::int64_t interval_ns = 0, begun_ns = 0;
    bool is_agreed = false;
    std::vector<Stream> streams;
    std::int64_t due() const { return is_agreed ? begun_ns + frame * interval_ns : INT64_MAX; }
  };

  Track make_track(std::uint32_t clock_rate, std::size_t streams);
  void agree(Track& track, const sdp::Agreement& agreement, std::int64_t now, std::int64_t interval_ns);
  void send_frame(std::int64_t now, RoomsLeg& leg);
  void send_opus(RoomsLeg& leg);
  void send_payload(RoomsLeg& leg, Track& track, std::size_t layer, bool marker, Bytes payload);
  void send_reports(std::int64_t now, RoomsLeg& leg);
  void go_to_keyframe(std::int64_t now, std::uint32_t ssrc);
  void skip_to_keyframe(std::size_t layer);
  std::uint32_t timestamp_at(const Track& track, const Stream& stream, std::int64_t ns) const;

  RtcShared& shared_;
  const RoomsMedia& media_;
  SenderCounts& counts_;
  std::uint32_t number_;
  bool is_speaking_;
  Rng rng_;
  Track audio_, video_;
  std::uint16_t transport_sequence_ = 0;
  std::int64_t next_report_ns_ = INT64_MAX, first_sent_ns_ = 0;
  payload::PayloadList payloads_;
};

}  // namespace stoa::bench
