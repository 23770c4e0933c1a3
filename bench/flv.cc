#include "flv.h"

#include <cstdio>

namespace stoa::bench {
namespace {

constexpr std::uint8_t kExtendedVideo = 0x80;  // The high bit of an Enhanced RTMP video tag.

bool is_config(const FlvTag& tag) {
  if (tag.body.size() < 2) return false;
  if (tag.kind == FlvTag::Kind::kAudio) {
    bool is_aac = tag.body[0] >> 4 == 10, is_extended = tag.body[0] >> 4 == 9;
    return (is_aac && tag.body[1] == 0) || (is_extended && (tag.body[0] & 15) == 0);
  }
  if (tag.kind == FlvTag::Kind::kVideo) {
    return tag.body[0] & kExtendedVideo ? (tag.body[0] & 15) == 0 : tag.body[1] == 0;
  }
  return false;
}

// ffmpeg ends a recording with one; in the middle of a replay it would end the stream.
bool is_end_of_sequence(const FlvTag& tag) {
  if (tag.kind != FlvTag::Kind::kVideo || tag.body.size() < 2) return false;
  return tag.body[0] & kExtendedVideo ? (tag.body[0] & 15) == 2 : (tag.body[0] & 15) == 7 && tag.body[1] == 2;
}

}  // namespace

Result<FlvFile, Failure> parse_flv(Bytes bytes) {
  ByteReader reader(bytes);
  if (as_text(reader.take(3)) != "FLV") return refuse(Failure("not an FLV file"));
  reader.skip(2);
  std::uint32_t header_size = reader.u32();
  reader.skip(header_size > 9 ? header_size - 9 : 0);
  reader.skip(4);
  FlvFile file;
  std::uint32_t first_video = 0, last_video = 0, videos = 0;
  while (reader.ok() && reader.remaining() >= 11) {
    FlvTag tag;
    auto kind = reader.u8() & 0x1F;
    std::uint32_t size = reader.u24();
    tag.time_ms = reader.u24();
    tag.time_ms |= static_cast<std::uint32_t>(reader.u8()) << 24;
    reader.skip(3);
    Bytes body = reader.take(size);
    reader.skip(4);
    if (!reader.ok()) break;  // A recording that was cut off is used as far as it goes.
    if (kind != 8 && kind != 9 && kind != 18) continue;
    tag.kind = static_cast<FlvTag::Kind>(kind);
    tag.body.assign(body.begin(), body.end());
    if (is_end_of_sequence(tag)) continue;
    tag.is_config = is_config(tag);
    if (tag.kind == FlvTag::Kind::kVideo && !tag.is_config) {
      if (videos++ == 0) first_video = tag.time_ms;
      last_video = tag.time_ms;
    }
    file.tags.push_back(std::move(tag));
  }
  if (videos < 2 || last_video <= first_video) return refuse(Failure("the FLV file holds too little video"));
  std::uint32_t span = last_video - first_video;
  file.round_ms = span + (span + (videos - 1) / 2) / (videos - 1);
  return file;
}

Result<FlvFile, Failure> read_flv(const std::string& path) {
  FILE* file = std::fopen(path.c_str(), "rbe");
  if (!file) return refuse("cannot read " + path);
  Buffer bytes;
  std::uint8_t buffer[65536];
  while (std::size_t got = std::fread(buffer, 1, sizeof buffer, file)) {
    bytes.insert(bytes.end(), buffer, buffer + got);
    if (bytes.size() > kMaxFlvFile) break;
  }
  std::fclose(file);
  if (bytes.size() > kMaxFlvFile) return refuse(path + " is larger than 256 MiB");
  return parse_flv(bytes);
}

}  // namespace stoa::bench
