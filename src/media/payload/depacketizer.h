// Puts the payloads of one stream back together into frames, over a network that loses, reorders and doubles
// them.
//
// Packets wait for those before them in a ring. A frame goes out, in order, as soon as it is whole and all
// before it is settled: gone out or given up. What is missing for longer than `wait_max` (retransmission has
// failed by then), or stands in the way of a full ring, is given up, with the rest of its frame. From there a
// video stream goes on at the next key frame unless told otherwise.
//
//   packets ─► ring: [frame 7, whole][8: #1 #2 ‥ #4][9 …]  ─► FrameReady, FramesLost, KeyframeNeeded
//                     goes out ▲       ▲ #3 is waited for
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "media/payload/encoding.h"

namespace stoa::payload {

struct DepacketizerConfig {
  Encoding encoding = Encoding::kH264;
  Duration wait_max = Duration::milliseconds(200);
  std::size_t packets_max = 1024;    // In the ring, a power of two; also how far ahead of a hole one may be.
  std::size_t bytes_max = 4u << 20;  // In the ring, and so the largest frame.
  bool waits_for_keyframe = true;    // Video: after a loss, and at the start.
  Duration ask_interval = Duration::milliseconds(500);  // Between two KeyframeNeeded.
};

struct PayloadPacket {
  std::int64_t sequence = 0;   // Unwrapped.
  std::int64_t timestamp = 0;  // Unwrapped, in RTP time.
  bool marker = false;
  Bytes payload;  // Empty for a packet of nothing but padding, which bandwidth probes send.
};

struct FrameReady {
  std::int64_t timestamp = 0;
  std::int64_t first_sequence = 0, last_sequence = 0;
  bool is_keyframe = false;
  // As media::Frame::payload describes, NAL units with four-byte lengths; VP8: one raw frame.
  Buffer frame;
};
// These packets were given up: missing, or of a frame that misses some, or that does not read.
struct FramesLost {
  std::int64_t first_sequence = 0, last_sequence = 0;
};
// Nothing goes out until a key frame comes.
struct KeyframeNeeded {};
using DepacketizerOutputs = Outbox<std::variant<FrameReady, FramesLost, KeyframeNeeded>>;

struct DepacketizerStats {
  std::uint64_t packets = 0;  // Taken into the ring.
  std::uint64_t late = 0;     // Came after they were given up or gone out.
  std::uint64_t duplicates = 0;
  std::uint64_t malformed = 0;       // Payloads that do not read.
  std::uint64_t frames = 0;          // Gone out.
  std::uint64_t frames_skipped = 0;  // Whole, but behind a loss and before a key frame.
  std::uint64_t losses = 0;          // FramesLost.
};

class Depacketizer {
 public:
  explicit Depacketizer(const DepacketizerConfig& config);

  // Errors: kLate, kDuplicate; kTooLarge for a payload that the ring could not hold alone; and those of
  // inspect_payload(): a malformed payload still takes its place, so that its frame is lost and not waited
  // for.
  Result<void, Refusal> handle_packet(Timestamp now, const PayloadPacket& packet, DepacketizerOutputs& out);
  // Gives up what has been waited for too long.
  void handle_deadline(Timestamp now, DepacketizerOutputs& out);
  Timestamp next_deadline() const { return deadline_; }
  // Something is missing in front of what came.
  bool is_waiting() const { return deadline_ != Timestamp::never(); }
  void set_wait_max(Duration wait_max);

  const DepacketizerStats& stats() const { return stats_; }
  std::size_t bytes_held() const { return bytes_held_; }

 private:
  enum class State : std::uint8_t { kMissing, kMedia, kPadding, kMalformed };
  struct Slot {
    std::int64_t sequence = 0, timestamp = 0;
    Timestamp arrival;
    State state = State::kMissing;
    bool marker = false, starts_frame = false;
    Buffer payload;
  };

  Slot& slot_of(std::int64_t sequence) {
    return ring_[static_cast<std::uint64_t>(sequence) & (ring_.size() - 1)];
  }
  Slot* find(std::int64_t sequence);
  void release(Slot& slot);
  Result<void, Refusal> find_place(Timestamp now, std::int64_t sequence, DepacketizerOutputs& out);
  void store(Timestamp now, const PayloadPacket& packet, State state, bool starts_frame);
  void advance(Timestamp now, DepacketizerOutputs& out);
  // Where the frame that begins at next_ ends, when all of it is there.
  std::optional<std::int64_t> find_frame_end();
  void take_frame(Timestamp now, std::int64_t end, DepacketizerOutputs& out);
  Result<FrameReady, Refusal> assemble_frame(std::int64_t end);
  bool may_go_out(const FrameReady& frame, bool has_parameters);
  // Gives up [next_, end).
  void give_up_to(Timestamp now, std::int64_t end, DepacketizerOutputs& out);
  void ask_for_keyframe(Timestamp now, DepacketizerOutputs& out);
  // The first packet after the hole that stops us; absent when none stops us.
  std::optional<std::int64_t> find_after_hole();
  void update_deadline();

  DepacketizerConfig config_;
  std::vector<Slot> ring_;
  std::vector<Bytes> payloads_;  // Scratch, kept for its memory.
  bool has_begun_ = false;
  bool has_settled_ = false;  // Something went out or was given up: nothing before next_ is taken any more.
  bool is_at_boundary_ = false;  // The packet before next_ ended a frame.
  bool waits_for_keyframe_;
  bool has_seen_parameters_ = false;
  bool frame_has_parameters_ = false;
  std::int64_t next_ = 0;                // The first packet not settled.
  std::int64_t scan_ = 0;                // All from next_ up to here are there and of one frame.
  std::int64_t highest_ = 0;             // The newest that came.
  std::optional<std::int64_t> hole_at_;  // The hole that deadline_ is for.
  std::size_t bytes_held_ = 0;
  std::optional<Timestamp> asked_at_;
  Timestamp deadline_ = Timestamp::never();
  DepacketizerStats stats_;
};

}  // namespace stoa::payload
