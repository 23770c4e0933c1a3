// One RTP stream as its headers tell it: what arrived, what is missing, how even it came, and, for video,
// which frames were whole and when the picture stood still. Headers are not encrypted, so this costs a viewer
// next to nothing.
//
// A frame counts as shown when its last missing packet arrives. A freeze is a pause between two shown frames
// longer than three times the average or the average and 150 ms, whichever is more (W3C webrtc-stats,
// freezeCount). Frames that cannot be decoded because an earlier one is missing still count as shown: only
// what is decrypted can be known better.
#pragma once

#include <array>
#include <cstdint>

#include "proto/rtcp/reception.h"
#include "proto/rtcp/sequence.h"

namespace stoa::bench {

struct StreamCounts {
  std::uint64_t packets = 0, bytes = 0;  // Whole UDP payloads.
  std::int64_t expected = 0, received = 0;
  std::uint64_t frames = 0, broken_frames = 0;  // Shown; with packets that never came.
  std::uint64_t freezes = 0;
  std::int64_t frozen_ns = 0;

  StreamCounts& operator+=(const StreamCounts& other);
};

class StreamMeter {
 public:
  StreamMeter(std::uint32_t ssrc, std::uint32_t clock_rate, bool has_frames)
      : reception_(ssrc, clock_rate), has_frames_(has_frames) {
    ends_.fill(kNone);
  }

  struct Header {
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0;
    bool marker = false;
  };
  // True when a frame is whole with it. `arrived_ns` does not go back much.
  bool handle_packet(std::int64_t arrived_ns, const Header& header, std::size_t bytes);

  StreamCounts counts() const;
  Duration jitter() const { return reception_.jitter(); }
  rtcp::Reception& reception() { return reception_; }

 private:
  static constexpr std::size_t kOpenFrames = 8;
  static constexpr std::int64_t kNone = INT64_MIN;
  struct Frame {
    std::uint32_t timestamp = 0;
    std::int64_t first = 0, last = 0;  // Sequence numbers that came.
    std::int64_t received = 0;
    bool is_used = false, has_end = false, is_shown = false;
  };

  Frame& frame_of(std::uint32_t timestamp, std::int64_t sequence);
  bool is_whole(const Frame& frame) const;
  void note_end(std::int64_t sequence) { ends_[next_end_++ % ends_.size()] = sequence; }
  void show(std::int64_t arrived_ns);

  rtcp::Reception reception_;
  rtcp::SequenceExtender extender_;
  bool has_frames_;
  StreamCounts counts_;
  std::array<Frame, kOpenFrames> frames_{};  // A ring; the oldest gives way.
  std::size_t next_frame_ = 0;
  std::array<std::int64_t, kOpenFrames * 2> ends_{};  // Numbers of the last markers.
  std::size_t next_end_ = 0;
  std::int64_t shown_ns_ = 0, average_ns_ = 0;  // Of the last frame; between frames.
};

}  // namespace stoa::bench
