// Both ways between frames and packets for one source of a channel, so that whatever comes in feeds whatever
// goes out: an RTMP encoder's frames become packets for WebRTC viewers, a WHIP publisher's packets become
// frames for the packager.
//
// Where a track cannot reach the other side as it is, the feed says why and passes what can be passed:
// - AAC has no place in WebRTC: no packets, payload::Obstacle::kCodec.
// - Frames that are shown in another order than they are decoded (B-frames): those that nothing refers to are
//   left out; where others refer to them only keyframes are sent. payload::Obstacle::kReorderedFrames.
// - VP8 has no place in CMAF: no frames.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "media/payload/depacketizer.h"
#include "media/payload/packet.h"
#include "media/payload/packetizer.h"
#include "media/track.h"

namespace stoa::live {

// A track can be had as packets, or its description has changed. `obstacle` other than kNone: in part
// (kReorderedFrames), or not at all (kCodec; then only `codec` and the id count).
struct PacketTrackChanged {
  payload::RtpTrack track;
  media::Codec codec = media::Codec::kH264;
  payload::Obstacle obstacle = payload::Obstacle::kNone;
};
struct PacketsMade {
  media::TrackId track = 0;
  payload::PacketBatch batch;
};
struct PacketClockMapped {
  media::TrackId track = 0;
  payload::LayerIndex layer = 0;
  payload::ClockMapping mapping;
};
struct PacketTrackEnded {
  media::TrackId track = 0;
};

struct PacketFeedConfig {
  std::size_t payload_bytes_max = 1150;
  // Frames of the newest keyframe group kept for those who come later; a larger group is not kept.
  std::size_t group_frames_max = 1'800;
  std::size_t group_bytes_max = 16u << 20;
};

// Frames to packets. Makes nothing while nobody wants it, but keeps the newest keyframe group (references, no
// copies) so that the first receiver begins at once.
class FramePacketizer {
 public:
  using Output = std::variant<PacketTrackChanged, PacketsMade, PacketClockMapped, PacketTrackEnded>;
  using Outputs = Outbox<Output>;

  FramePacketizer(const PacketFeedConfig& config, Rng rng);
  ~FramePacketizer();

  // The source's events in order. Its clock is mapped to `wall` by the frames that came fastest.
  void handle_event(Timestamp now, WallTime wall, const media::TrackEvent& event, Outputs& out);
  // Somebody wants packets: the group that is kept comes out as packets. Or nobody any more.
  void set_wanted(Timestamp now, WallTime wall, bool is_wanted, Outputs& out);
  // Everything a new subscriber must know: a PacketTrackChanged for each track.
  void describe(Outputs& out) const;
  // The kept group again, as packets of their own numbers that were sent before (same sequence numbers and
  // timestamps): for a subscriber that comes while others are there.
  void repeat_group(Outputs& out) const;

  struct Stats {
    std::uint64_t frames = 0, packets = 0, frames_left_out = 0, frames_refused = 0;
  };
  const Stats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Packets to frames, for a source that publishes packets. Of a track with layers the highest that is active
// is taken; it changes at a keyframe.
class PacketAssembler {
 public:
  struct KeyframeNeeded {  // For a loss, for another layer, or because the last one is too long ago.
    media::TrackId track = 0;
    payload::LayerIndex layer = 0;
  };
  // A track that does not become frames, and why: VP8.
  struct TrackLeftOut {
    media::TrackId track = 0;
    payload::Encoding encoding = payload::Encoding::kVp8;
  };
  struct LeftOutClosed {
    media::TrackId track = 0;
  };
  using Output = std::variant<media::TrackEvent, KeyframeNeeded, TrackLeftOut, LeftOutClosed>;
  using Outputs = Outbox<Output>;

  struct Config {
    Duration wait_max = Duration::milliseconds(300);  // For retransmissions, from a publisher who is near.
    // For pictures from one who is far, two requests and what answers them, up to this: a keyframe instead
    // would not be there sooner.
    Duration far_wait_max = Duration::milliseconds(1'400);
    // The same without sound, and until it is known how far the publisher is. Nothing comes meanwhile: with
    // the frame behind the loss this is less than ChannelConfig::standby_after.
    Duration far_wait_alone_max = Duration::milliseconds(850);
    // So long sound waits with pictures that are waited for for longer than wait_max; less than
    // standby_after, too.
    Duration hold_max = Duration::milliseconds(800);
    // Segments begin at keyframes, and a browser makes none by itself. Zero: never asked for by time.
    Duration keyframe_interval = Duration::seconds(2);
  };
  explicit PacketAssembler(const Config& config);
  ~PacketAssembler();

  void handle_track(Timestamp now, const payload::RtpTrack& track, Outputs& out);
  void handle_packets(Timestamp now, WallTime wall, media::TrackId track, const payload::PacketBatch& batch,
                      Outputs& out);
  // Moves a track to the sender's common clock, step by step, so that sound and picture stay whole.
  void handle_clock(media::TrackId track, payload::LayerIndex layer, const payload::ClockMapping& mapping);
  void handle_active_layers(Timestamp now, media::TrackId track, std::uint8_t layers, Outputs& out);
  // How long the publisher takes to send again what it is asked for: a round trip; zero for who never does.
  void set_repair_time(Timestamp now, Duration repair_time);
  void handle_track_closed(Timestamp now, media::TrackId track, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const;

  struct Stats {
    std::uint64_t frames = 0, frames_lost = 0, packets_late = 0, keyframes_wanted = 0;
  };
  const Stats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::live
