// What a browser-like client makes of what it is sent: real feedback (transport-wide, NACK, PLI, receiver
// reports), frames put together in order, and how long pictures stood still and sound was gone.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "proto/rtcp/arrival_log.h"
#include "proto/rtcp/nack_generator.h"
#include "proto/rtcp/reception.h"
#include "proto/sdp/negotiate.h"
#include "sim/stamp.h"

namespace stoa::sim {

struct ViewerCounts {
  std::uint64_t packets = 0, video_frames = 0, keyframes = 0, sounds = 0;
  std::uint64_t nacks = 0, plis = 0, recovered = 0;  // nacks: packets, each time that they are asked for.
  std::uint64_t layer_changes = 0;                   // Of pictures shown, of one publisher.
  // Of pictures: between two that were shown, more than 3 times what is usual and more than it and 150 ms
  // (getStats' freezes).
  std::uint64_t freezes = 0;
  Duration frozen, longest_freeze;
  std::uint64_t sounds_lost = 0;
  Duration longest_sound_gap;  // Beyond what was between two when they were sent.
  // Of the newest: the picture's layer, and for how long the sound was on its way.
  std::uint8_t layer = 0;
  Duration sound_delay;
};

// A picture stood still, or sound was gone.
struct Disturbance {
  Timestamp at;
  std::uint32_t publisher = 0;
  bool is_video = false;
  Duration length;
};

class Viewer {
 public:
  struct Config {
    Duration feedback_interval = Duration::milliseconds(50);
    bool asks_again = true;  // NACK.
    // Waits so long for what is missing before it asks for a keyframe.
    Duration patience = Duration::milliseconds(400);
  };
  using Send = std::function<void(Bytes)>;

  Viewer(const Config& config, std::uint32_t own_ssrc);

  // `arrived`: what is told of it. `agreement`: what payload types and SSRCs mean.
  void handle_rtp(Timestamp now, Timestamp arrived, Bytes packet, const sdp::Agreement& agreement);
  void handle_rtcp(Timestamp now, Bytes packet);
  // As the connection has measured it.
  void set_round_trip(Duration round_trip);
  void handle_deadline(Timestamp now, const Send& send_rtcp);
  Timestamp next_deadline() const;
  // Another connection: numbers begin anew, counts stay.
  void begin_anew();

  const ViewerCounts& counts() const { return counts_; }
  std::vector<Disturbance> take_disturbances() { return std::exchange(disturbances_, {}); }

 private:
  struct Slot {
    std::int64_t sequence = -1;
    Stamp stamp;
    bool is_padding = false;
  };
  struct Stream {
    std::uint32_t ssrc = 0;
    bool is_video = false;
    std::size_t repairs = 0;  // Of a retransmission stream: whose.
    bool is_repair = false;
    rtcp::Reception reception;
    // Of video.
    rtcp::NackGenerator nack{rtcp::NackConfig()};
    std::vector<Slot> slots;
    rtcp::SequenceExtender extender;
    std::int64_t next = -1;    // The first number not used yet.
    bool is_decoding = false;  // All since a keyframe was there.
    Timestamp stalled_since = Timestamp::never(), keyframe_asked_at;
    Timestamp shown_at = Timestamp::never();
    std::uint32_t shown_publisher = 0;
    std::uint8_t shown_layer = 0;
    Duration usual = Duration::milliseconds(33);
    // Of sound.
    bool has_sound = false;
    Stamp sound;
    Timestamp sound_at;
  };

  Stream* find(std::uint32_t ssrc);
  Stream* make_stream(std::uint32_t ssrc, const sdp::Agreement& agreement);
  void handle_video(Timestamp now, Stream& stream, std::uint16_t sequence, Bytes payload,
                    rtcp::PacketOrigin origin);
  void handle_sound(Timestamp now, Stream& stream, Bytes payload);
  void show_frames(Timestamp now, Stream& stream);
  void show(Timestamp now, Stream& stream, const Stamp& stamp);
  void want_keyframe(Timestamp now, Stream& stream);
  void collect(Stream& stream, rtcp::NackOutputs& outputs, Timestamp now);

  Config config_;
  std::uint32_t own_ssrc_;
  std::uint8_t transport_id_ = 0;
  std::optional<Duration> round_trip_;
  std::vector<std::uint32_t> ssrcs_;
  std::vector<std::unique_ptr<Stream>> streams_;  // Beside ssrcs_.
  rtcp::ArrivalLog log_;
  rtcp::Writer writer_;
  struct Wanted {
    std::uint32_t ssrc;
    std::vector<std::uint16_t> sequences;  // None: a keyframe.
  };
  std::vector<Wanted> wanted_;
  Timestamp next_report_ = Timestamp::never(), next_check_ = Timestamp::never();
  Timestamp next_nack_ = Timestamp::never();  // The first of all streams', never late.
  ViewerCounts counts_;
  std::vector<Disturbance> disturbances_;
};

}  // namespace stoa::sim
