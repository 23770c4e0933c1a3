#include "rooms_media.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "media/payload/vp8.h"

namespace stoa::bench {
namespace {

constexpr double kClipSeconds = 4;
constexpr std::size_t kIvfHeaderBytes = 32, kIvfFrameBytes = 12;

std::uint32_t little_u32(Bytes bytes, std::size_t at) {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
         static_cast<std::uint32_t>(bytes[at + 3]) << 24;
}

Result<Buffer, Failure> run(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) return refuse(Failure("cannot start ffmpeg"));
  Buffer all;
  std::vector<std::uint8_t> piece(1 << 16);
  while (std::size_t got = std::fread(piece.data(), 1, piece.size(), pipe))
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got));
  if (pclose(pipe) != 0) return refuse(Failure("ffmpeg made no recording"));
  return all;
}

Result<Clip, Failure> make_vp8(const RoomsLayer& layer, int frames_per_second, double keyframe_seconds) {
  std::array<char, 768> command;
  int keyframe = std::max(1, static_cast<int>(keyframe_seconds * frames_per_second));
  std::snprintf(command.data(), command.size(),
                "ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=%dx%d:rate=%d -t %.3f -pix_fmt yuv420p "
                "-c:v libvpx -deadline realtime -cpu-used 8 -lag-in-frames 0 -auto-alt-ref 0 "
                "-error-resilient 1 -g %d -keyint_min %d -b:v %dk -minrate %dk -maxrate %dk -bufsize %dk "
                "-f ivf -",
                layer.width, layer.height, frames_per_second, kClipSeconds, keyframe, keyframe, layer.kbps,
                layer.kbps, layer.kbps, layer.kbps / 2);
  STOA_TRY(Buffer file, run(command.data()));
  return parse_ivf(file, frames_per_second);
}

}  // namespace

std::vector<RoomsLayer> simulcast_layers() {
  return {{.rid = "q", .width = 320, .height = 180, .kbps = 160},
          {.rid = "h", .width = 640, .height = 360, .kbps = 450},
          {.rid = "f", .width = 1280, .height = 720, .kbps = 1700}};
}

Result<RoomsClip, Failure> make_rooms_clip(const RoomsLayer& layer, payload::Encoding encoding,
                                           int frames_per_second, double keyframe_seconds) {
  RoomsClip made{.layer = layer, .encoding = encoding, .clip = {}};
  if (encoding == payload::Encoding::kVp8) {
    STOA_TRY(made.clip, make_vp8(layer, frames_per_second, keyframe_seconds));
    return made;
  }
  STOA_TRY(made.clip, make_clip({.path = {},
                                 .width = layer.width,
                                 .height = layer.height,
                                 .frames_per_second = frames_per_second,
                                 .kbps = layer.kbps,
                                 .keyframe_seconds = keyframe_seconds,
                                 .seconds = kClipSeconds}));
  return made;
}

Result<Clip, Failure> parse_ivf(Bytes file, int frames_per_second) {
  if (file.size() < kIvfHeaderBytes ||
      std::string_view(reinterpret_cast<const char*>(file.data()), 4) != "DKIF")
    return refuse(Failure("no IVF recording"));
  Clip clip{.frames = {}, .frames_per_second = frames_per_second};
  for (std::size_t at = kIvfHeaderBytes; at + kIvfFrameBytes <= file.size();) {
    std::size_t size = little_u32(file, at);
    at += kIvfFrameBytes;
    if (size == 0 || size > file.size() - at) break;
    Bytes frame = file.subspan(at, size);
    at += size;
    clip.frames.push_back({.sets = {},
                           .slices = {Buffer(frame.begin(), frame.end())},
                           .checksum = checksum_of(frame),
                           .is_key = (frame[0] & 1) == 0});
  }
  if (clip.frames.empty() || !clip.frames.front().is_key)
    return refuse(Failure("the recording must begin with a key frame"));
  return clip;
}

void packetize(const RoomsClip& clip, const Clip::Frame& frame, const std::optional<RtcStamp>& stamp,
               std::uint16_t picture_id, std::size_t payload_bytes_max, payload::PayloadList& out) {
  if (clip.encoding != payload::Encoding::kVp8) return packetize(frame, stamp, payload_bytes_max, out);
  Buffer bytes = frame.slices.front();
  if (stamp) {
    RtcStamp full = *stamp;
    full.checksum = frame.checksum;
    Buffer tail = write_stamp(full);
    bytes.insert(bytes.end(), tail.begin(), tail.end());
  }
  out.clear();
  (void)payload::packetize_vp8(bytes, picture_id, false, payload_bytes_max, out);
  if (!out.empty()) out.mark(out.size() - 1);
}

}  // namespace stoa::bench
