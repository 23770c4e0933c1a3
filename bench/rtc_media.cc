#include "rtc_media.h"

#include <sys/wait.h>

#include <algorithm>
#include <cstdio>

#include "media/payload/h264.h"

namespace stoa::bench {
namespace {

enum NalType : std::uint8_t { kSlice = 1, kIdr = 5, kSei = 6, kSps = 7, kPps = 8 };

NalType type_of(Bytes nal) { return static_cast<NalType>(nal.empty() ? 0 : nal[0] & 0x1f); }
bool is_slice(NalType type) { return type >= kSlice && type <= kIdr; }
bool is_set(NalType type) { return type == kSps || type == kPps; }
// first_mb_in_slice is an Exp-Golomb number: its first bit is set when it is 0.
bool begins_picture(Bytes slice) { return slice.size() > 1 && (slice[1] & 0x80) != 0; }

Buffer copy_of(Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); }

// Units between start codes of three or four bytes.
std::vector<Bytes> split_annex_b(Bytes bytes) {
  std::vector<std::size_t> codes;
  for (std::size_t i = 0; i + 3 <= bytes.size(); ++i)
    if (bytes[i] == 0 && bytes[i + 1] == 0 && bytes[i + 2] == 1) codes.push_back(i), i += 2;
  std::vector<Bytes> units;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    std::size_t begin = codes[i] + 3, end = i + 1 < codes.size() ? codes[i + 1] : bytes.size();
    while (end > begin && bytes[end - 1] == 0) --end;
    if (end > begin) units.push_back(bytes.subspan(begin, end - begin));
  }
  return units;
}

Result<Buffer, Failure> read_all(FILE* file) {
  Buffer all, piece(1 << 16);
  while (std::size_t got = std::fread(piece.data(), 1, piece.size(), file)) {
    if (all.size() + got > kClipBytesMax) return refuse(Failure("the recording is too long"));
    all.insert(all.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(got));
  }
  return all;
}

Result<Buffer, Failure> run_ffmpeg(const ClipOptions& options) {
  int keyframe = std::max(1, static_cast<int>(options.keyframe_seconds * options.frames_per_second));
  char command[1024];
  std::snprintf(command, sizeof command,
                "ffmpeg -v error -nostdin -f lavfi -i testsrc2=size=%dx%d:rate=%d -t %.3f -pix_fmt yuv420p "
                "-c:v libx264 -preset veryfast -tune zerolatency -profile:v baseline "
                "-x264-params nal-hrd=cbr:scenecut=0:sliced-threads=0:slices=1 -g %d -bf 0 -b:v %dk "
                "-minrate %dk -maxrate %dk -bufsize %dk -f h264 -",
                options.width, options.height, options.frames_per_second, options.seconds, keyframe,
                options.kbps, options.kbps, options.kbps, options.kbps / 2);
  FILE* pipe = popen(command, "r");
  if (!pipe) return refuse(Failure("cannot start ffmpeg"));
  auto bytes = read_all(pipe);
  int status = pclose(pipe);
  if (!bytes) return bytes;
  if (status != 0) return refuse(Failure("ffmpeg made no recording; give one with --video"));
  return bytes;
}

}  // namespace

Result<Clip, Failure> parse_clip(Bytes annex_b, int frames_per_second) {
  Clip clip{.frames = {}, .frames_per_second = frames_per_second};
  std::vector<Buffer> sets, known_sets;
  for (Bytes nal : split_annex_b(annex_b)) {
    NalType type = type_of(nal);
    if (is_set(type)) {
      sets.push_back(copy_of(nal));
    } else if (is_slice(type) && (begins_picture(nal) || clip.frames.empty())) {
      if (!sets.empty()) known_sets = std::exchange(sets, {});
      bool is_key = type == kIdr;
      clip.frames.push_back({.sets = is_key ? known_sets : std::vector<Buffer>(),
                             .slices = {copy_of(nal)},
                             .checksum = checksum_of(nal),
                             .is_key = is_key});
    } else if (is_slice(type)) {
      Clip::Frame& frame = clip.frames.back();
      frame.slices.push_back(copy_of(nal));
      frame.checksum = checksum_of(nal, frame.checksum);
    }
  }
  if (clip.frames.empty()) return refuse(Failure("no H.264 pictures in the recording"));
  if (!clip.frames.front().is_key || clip.frames.front().sets.size() < 2)
    return refuse(Failure("the recording must begin with a key frame and its parameter sets"));
  return clip;
}

Result<Clip, Failure> make_clip(const ClipOptions& options) {
  if (options.path.empty()) {
    STOA_TRY(Buffer bytes, run_ffmpeg(options));
    return parse_clip(bytes, options.frames_per_second);
  }
  FILE* file = std::fopen(options.path.c_str(), "rbe");
  if (!file) return refuse("cannot read " + options.path);
  auto bytes = read_all(file);
  std::fclose(file);
  if (!bytes) return refuse(bytes.error());
  return parse_clip(*bytes, options.frames_per_second);
}

void packetize(const Clip::Frame& frame, const std::optional<RtcStamp>& stamp, std::size_t payload_bytes_max,
               payload::PayloadList& out) {
  std::vector<Bytes> nals(frame.sets.begin(), frame.sets.end());
  Buffer sei;
  if (stamp) {
    RtcStamp full = *stamp;
    full.checksum = frame.checksum;
    sei = make_stamp_sei(full);
    nals.push_back(sei);
  }
  nals.insert(nals.end(), frame.slices.begin(), frame.slices.end());
  out.clear();
  (void)payload::packetize_h264(nals, payload_bytes_max, true, out);
  if (!out.empty()) out.mark(out.size() - 1);
}

FrameCheck check_frame(std::span<const Bytes> payloads) {
  FrameCheck check;
  Buffer frame;
  auto assembled = payload::assemble_h264(payloads, frame);
  if (!assembled) return check;
  check.is_readable = true;
  check.is_key = assembled->is_keyframe;
  std::uint32_t checksum = 0;
  ByteReader reader(frame);
  while (reader.remaining() > 4) {
    std::size_t size = reader.u32();
    Bytes nal = reader.take(std::min(size, reader.remaining()));
    NalType type = type_of(nal);
    if (is_slice(type)) checksum = checksum_of(nal, checksum);
    if (type == kSei && !check.stamp) check.stamp = find_stamp(nal);
  }
  check.is_intact = check.stamp && check.stamp->checksum == checksum;
  return check;
}

}  // namespace stoa::bench
