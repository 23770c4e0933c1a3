// The packet side of the seam: RTP payloads of a track between whoever publishes it and all who receive it.
// Written once, then only read and shared by every receiver on every shard.
//
// A PacketBlock is memory that is filled from the front and never changed again; a PacketBatch names some of
// its packets and keeps all of it alive. The writer may go on filling a block while others read what came
// before, also on other threads: a batch reaches them through a mailbox, which orders the memory.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/time.h"
#include "media/payload/encoding.h"
#include "media/payload/red.h"
#include "media/track.h"

namespace stoa::payload {

// Simulcast: several encodings of one picture, from the smallest (0) up.
inline constexpr int kLayersMax = 4;
using LayerIndex = std::uint8_t;

// What a receiver must know of a track before it can agree on it.
struct RtpTrack {
  media::TrackId id = 0;
  Encoding encoding = Encoding::kH264;
  // The format parameters that tell one use of an encoding from another. H.264: profile-level-id as three
  // bytes; VP9, AV1 and HEVC: the profile in the first. Zero where unknown.
  std::array<std::uint8_t, 3> profile{};
  std::uint8_t channels = 0;  // Audio.
  std::uint8_t layers = 1;    // At most kLayersMax.
  // Whoever publishes it makes a keyframe when asked. False: they come when they come (RTMP), so what came
  // since the last one is kept for receivers that begin.
  bool can_ask_keyframe = true;
  std::string name;
  std::string language;

  std::uint32_t clock_rate() const { return clock_rate_of(encoding); }
  bool is_video() const { return payload::is_video(encoding); }
  // Layers, where it has some, are spatial layers within its one stream (SVC). How many, its packets tell.
  bool may_be_scalable() const {
    return layers <= 1 && (encoding == Encoding::kVp9 || encoding == Encoding::kAv1);
  }
  bool operator==(const RtpTrack&) const = default;
};

// Why packets of a track that is published are not to be had, or not all of them.
enum class Obstacle : std::uint8_t {
  kNone,
  kCodec,            // No receiver of packets takes it: AAC.
  kReorderedFrames,  // B-frames: only what can be shown in the order of decoding is sent.
};
const char* name_of(Obstacle obstacle);  // "codec", "reordered_frames": stable, for the API and metrics.

// One packet's place in a block and what a forwarder wants to know of it. Header extension values that go on
// to receivers travel as they came; ids and SSRCs do not.
struct Packet {
  std::int64_t sequence = 0;   // Of its layer, unwrapped. A gap is a packet that is lost or not here yet.
  std::int64_t timestamp = 0;  // Of its layer, unwrapped, in the track's RTP clock.
  std::uint32_t payload_offset = 0;
  std::uint16_t payload_bytes = 0;
  std::uint16_t descriptor_bytes = 0;  // Dependency descriptor; lies behind the payload.
  // Redundancy that came with the payload (red.h) and lies in front of it: all of it, and of that the
  // headers. Whoever does not ask for it sees none.
  std::uint16_t red_bytes = 0;
  std::uint8_t red_headers_bytes = 0;
  LayerIndex layer = 0;
  std::uint8_t layers_aside = 0;  // As bits, those of its track that are put aside: nothing comes of them.
  bool marker = false;
  PayloadFacts facts;
  bool has_orientation = false, has_audio_level = false;
  std::uint8_t orientation = 0, audio_level = 0;  // As on the wire.
  std::uint64_t capture_ntp = 0;                  // Absolute capture time by our clock; 0 when unknown.

  std::size_t kept_bytes() const { return std::size_t{payload_bytes} + red_bytes; }
};

class PacketBlock {
 public:
  static constexpr std::size_t kBytes = 60'000;
  static constexpr std::size_t kPackets = 128;

  const Packet& packet(std::size_t index) const { return packets_[index]; }
  Bytes payload(const Packet& packet) const {
    return Bytes(memory_.data() + packet.payload_offset, packet.payload_bytes);
  }
  // The payload with its redundancy: what RED says. Requires: packet.red_bytes > 0.
  Bytes red_payload(const Packet& packet) const {
    return Bytes(memory_.data() + packet.payload_offset - packet.red_bytes, packet.kept_bytes());
  }
  Bytes descriptor(const Packet& packet) const {
    return Bytes(memory_.data() + packet.payload_offset + packet.payload_bytes, packet.descriptor_bytes);
  }

 private:
  friend class PacketWriter;
  std::array<Packet, kPackets> packets_;
  std::array<std::uint8_t, kBytes> memory_;
};

// Packets of one track, in the order in which they are to be forwarded.
struct PacketBatch {
  std::shared_ptr<const PacketBlock> block;
  std::uint16_t first = 0, count = 0;

  const Packet& operator[](std::size_t index) const { return block->packet(first + index); }
  Bytes payload(std::size_t index) const { return block->payload((*this)[index]); }
};

// Fills blocks, of one track each. One allocation for each block, so for some fifty packets of video.
class PacketWriter {
 public:
  // Requires: payload and descriptor together at most PacketBlock::kBytes. `packet`'s offset and sizes are
  // set here. The payload may come in two pieces.
  void add(const Packet& packet, Bytes payload, Bytes payload_rest = {}, Bytes descriptor = {});
  // With redundancy: the payload is the frame itself.
  void add_red(const Packet& packet, const RedPayload& red);
  // Moves what was added since the last call to the end of `out`; a batch for each block it touches.
  void take_batches(std::vector<PacketBatch>& out);
  bool is_empty() const { return pending_.empty() && next_ == begun_; }

 private:
  Packet& place(const Packet& packet, std::initializer_list<Bytes> pieces);
  void begin_block();
  void close_batch();

  std::shared_ptr<PacketBlock> block_;
  std::size_t used_ = 0;                // Bytes.
  std::uint16_t next_ = 0, begun_ = 0;  // Packets: written, and handed out.
  std::vector<PacketBatch> pending_;
};

// RTP time of a track against our own clock: what sender reports to receivers are made of, and what keeps
// sound and picture in step.
struct ClockMapping {
  std::int64_t timestamp = 0;  // Unwrapped, as Packet::timestamp.
  WallTime captured_at;
  bool operator==(const ClockMapping&) const = default;
};

// A layer's timestamps on a line without breaks. A source that is started anew, or whose clock is set, goes
// on with timestamps that are hours away from those before; receivers would wait for hours, or drop what
// comes. So a step of more than kStepMax that is not the time that passed begins another stretch of the line,
// as much later as its first packet came later.
class UnbrokenClock {
 public:
  static constexpr Duration kStepMax = Duration::seconds(5);

  explicit UnbrokenClock(std::uint32_t clock_rate) : clock_rate_(clock_rate) {}

  // Where a packet's timestamp is on the line. `is_newest`: no packet behind it came before. Others are of
  // this stretch or of the one before, whichever is nearer to what came last.
  std::int64_t place(Timestamp now, std::int64_t timestamp, bool is_newest);
  // Added to timestamps of this stretch.
  std::int64_t shift() const { return shift_; }
  void clear();  // Nothing before belongs to what follows.

 private:
  bool is_near(std::int64_t at, std::int64_t expected) const;
  std::int64_t keep(Timestamp now, std::int64_t at, bool is_newest);

  std::uint32_t clock_rate_;
  bool has_begun_ = false;
  std::int64_t shift_ = 0, shift_before_ = 0;
  std::int64_t newest_ = 0;
  Timestamp newest_at_;
};

}  // namespace stoa::payload
