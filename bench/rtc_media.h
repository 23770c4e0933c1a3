// What publishers send: one short H.264 recording for all of them, frame by frame, over and over, each frame
// stamped for its publisher (rtc_stamp.h) and cut into RTP payloads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "media/payload/payload_list.h"
#include "rtc_stamp.h"
#include "world.h"

namespace stoa::bench {

struct ClipOptions {
  std::string path;  // Annex B; empty: ffmpeg makes one.
  int width = 1280, height = 720;
  int frames_per_second = 30;
  int kbps = 1500;
  double keyframe_seconds = 2;
  double seconds = 4;
};

struct Clip {
  struct Frame {
    std::vector<Buffer> sets;    // Parameter sets; of key frames only.
    std::vector<Buffer> slices;  // What is shown.
    std::uint32_t checksum = 0;  // CRC-32 of the slices, one behind the other.
    bool is_key = false;
  };
  std::vector<Frame> frames;  // The first is a key frame.
  int frames_per_second = 30;
};

inline constexpr std::size_t kClipBytesMax = 256u << 20;

// Access units out of Annex B. Leaves out delimiters, filler and user data; a key frame that comes without
// parameter sets is given the last ones. Refuses what does not begin with a key frame.
Result<Clip, Failure> parse_clip(Bytes annex_b, int frames_per_second);
// Runs ffmpeg, or reads the file.
Result<Clip, Failure> make_clip(const ClipOptions& options);

// Clears `out` and writes the frame's payloads: parameter sets, stamp if there is one, slices. The marker
// goes on the last. A stamp before a slice that fills several packets is a small packet of its own.
void packetize(const Clip::Frame& frame, const std::optional<RtcStamp>& stamp, std::size_t payload_bytes_max,
               payload::PayloadList& out);

// A frame that came out of a server: its stamp and whether its slices are those that were sent.
struct FrameCheck {
  bool is_readable = false;  // Its payloads make a frame.
  std::optional<RtcStamp> stamp;
  bool is_intact = false, is_key = false;  // Intact: by its stamp.
};
// `payloads` are all of one frame, in order.
FrameCheck check_frame(std::span<const Bytes> payloads);

}  // namespace stoa::bench
