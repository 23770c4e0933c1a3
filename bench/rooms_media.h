// What publishers of rooms send: short recordings for all of them, one for each layer, H.264 or VP8, over and
// over, with a stamp (rtc_stamp.h) where the layer's codec has a place for one that servers leave alone.
//
// H.264: an SEI in the frame's first packet. VP8: behind the last byte of the frame, which decoders do not
// read, in the frame's last packet. A server writes new picture ids into the descriptor in front of a VP8
// payload, and leaves the frame as it is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "media/payload/encoding.h"
#include "rtc_media.h"

namespace stoa::bench {

// One layer of a simulcast, or the only one.
struct RoomsLayer {
  const char* rid = "";
  int width = 0, height = 0;
  int kbps = 0;
};
// "q", "h", "f": 320x180, 640x360 and 1280x720, with the rates that LiveKit's clients have for these.
std::vector<RoomsLayer> simulcast_layers();

struct RoomsClip {
  RoomsLayer layer;
  payload::Encoding encoding = payload::Encoding::kVp8;
  Clip clip;  // VP8: each frame is one slice.
};
// Runs ffmpeg.
Result<RoomsClip, Failure> make_rooms_clip(const RoomsLayer& layer, payload::Encoding encoding,
                                           int frames_per_second, double keyframe_seconds);

// Frames out of IVF with VP8 in it. Refuses what does not begin with a key frame.
Result<Clip, Failure> parse_ivf(Bytes file, int frames_per_second);

// Clears `out` and writes the frame's payloads; the marker goes on the last. `picture_id`: of VP8.
void packetize(const RoomsClip& clip, const Clip::Frame& frame, const std::optional<RtcStamp>& stamp,
               std::uint16_t picture_id, std::size_t payload_bytes_max, payload::PayloadList& out);

}  // namespace stoa::bench
