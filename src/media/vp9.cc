#include "media/vp9.h"

#include <array>
#include <cstdio>

#include "media/bit_reader.h"

namespace stoa::media {
namespace {

constexpr std::size_t kFullBoxBytes = 4, kRecordBytes = 8;
constexpr std::uint32_t kSyncCode = 0x498342;
constexpr std::uint32_t kColourSpaceRgb = 7;

// chromaSubsampling of the record.
enum Chroma : std::uint8_t { k420Vertical = 0, k420Colocated = 1, k422 = 2, k444 = 3, k440 = 4 };

struct Record {
  std::uint8_t profile = 0, level = 0, depth = 8, chroma = k420Colocated;
  Colour colour;
};

struct Header {
  bool is_key = false;
  std::uint8_t profile = 0, depth = 8, chroma = k420Colocated;
  std::uint32_t width = 0, height = 0;
};

bool is_420(std::uint8_t chroma) { return chroma == k420Vertical || chroma == k420Colocated; }

Result<Record, CodecRefusal> parse_record(Bytes bytes) {
  ByteReader reader(bytes);
  bool has_full_box = bytes.size() >= kFullBoxBytes + kRecordBytes && bytes[0] == 1 && bytes[1] == 0 &&
                      bytes[2] == 0 && bytes[3] == 0;
  if (has_full_box) reader.skip(kFullBoxBytes);
  Record record;
  record.profile = reader.u8();
  record.level = reader.u8();
  std::uint8_t packed = reader.u8();
  record.depth = packed >> 4;
  record.chroma = packed >> 1 & 7;
  record.colour.full_range = packed & 1;
  record.colour.primaries = reader.u8();
  record.colour.transfer = reader.u8();
  record.colour.matrix = reader.u8();
  std::uint16_t initialization_bytes = reader.u16();
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  bool depth_is_known = record.depth == 8 || record.depth == 10 || record.depth == 12;
  if (record.profile > 3 || !depth_is_known || record.chroma > k440 || initialization_bytes != 0) {
    return refuse(CodecRefusal::kBadValue);
  }
  return record;
}

SharedBytes write_record(const Record& record) {
  ByteWriter writer(kFullBoxBytes + kRecordBytes);
  writer.u32(0x01000000);
  writer.u8(record.profile);
  writer.u8(record.level);
  writer.u8(static_cast<std::uint8_t>(record.depth << 4 | record.chroma << 1 | record.colour.full_range));
  writer.u8(record.colour.primaries);
  writer.u8(record.colour.transfer);
  writer.u8(record.colour.matrix);
  writer.u16(0);
  return SharedBytes(writer.take());
}

// Annex A: the lowest level whose pictures are large enough, for encoders that leave it 0. The record's
// reader does not know the frame rate; 60 is assumed.
std::uint8_t level_for(std::uint32_t width, std::uint32_t height) {
  struct Limit {
    std::uint8_t level;
    std::uint32_t pixels, side;
    std::uint64_t pixels_per_second;
  };
  constexpr std::array<Limit, 14> kLimits{{{10, 36864, 512, 829440},
                                           {11, 73728, 768, 2764800},
                                           {20, 122880, 960, 4608000},
                                           {21, 245760, 1344, 9216000},
                                           {30, 552960, 2048, 20736000},
                                           {31, 983040, 2752, 36864000},
                                           {40, 2228224, 4160, 83558400},
                                           {41, 2228224, 4160, 160432128},
                                           {50, 8912896, 8384, 311951360},
                                           {51, 8912896, 8384, 588251136},
                                           {52, 8912896, 8384, 1176502272},
                                           {60, 35651584, 16832, 1176502272},
                                           {61, 35651584, 16832, 2353004544},
                                           {62, 35651584, 16832, 4706009088}}};
  constexpr std::uint8_t kLevelFor1080p = 41;
  if (width == 0) return kLevelFor1080p;
  std::uint64_t pixels = std::uint64_t{width} * height;
  for (const Limit& limit : kLimits) {
    bool fits = pixels <= limit.pixels && width <= limit.side && height <= limit.side;
    if (fits && pixels * 60 <= limit.pixels_per_second) return limit.level;
  }
  return kLimits.back().level;
}

// VP Codec binding, "Codecs Parameter String": the long form only where its defaults are not true.
std::string codec_string(const Record& record, std::uint32_t width, std::uint32_t height) {
  unsigned level = record.level != 0 ? record.level : level_for(width, height);
  const Colour& colour = record.colour;
  auto is_default = [](std::uint8_t value) { return value == 1 || value == 2; };
  char name[48];
  int length = std::snprintf(name, sizeof name, "vp09.%02u.%02u.%02u", record.profile, level, record.depth);
  bool defaults = is_420(record.chroma) && is_default(colour.primaries) && is_default(colour.transfer) &&
                  is_default(colour.matrix) && !colour.full_range;
  if (!defaults) {
    std::snprintf(name + length, sizeof name - static_cast<std::size_t>(length), ".%02u.%02u.%02u.%02u.%02u",
                  record.chroma, colour.primaries, colour.transfer, colour.matrix, colour.full_range ? 1 : 0);
  }
  return name;
}

std::shared_ptr<const Format> format_of(const Record& record, std::uint32_t width, std::uint32_t height) {
  Format format{.codec = Codec::kVp9,
                .config = write_record(record),
                .codec_string = codec_string(record, width, height)};
  format.width = width;
  format.height = height;
  return std::make_shared<const Format>(std::move(format));
}

// §6.2.2, color_config.
Result<void, CodecRefusal> read_colour(BitReader& bits, Header& header) {
  if (header.profile >= 2) header.depth = bits.flag() ? 12 : 10;
  bool has_subsampling = header.profile == 1 || header.profile == 3;
  if (bits.u(3) == kColourSpaceRgb) {
    if (!has_subsampling) return refuse(CodecRefusal::kBadValue);
    header.chroma = k444;
    if (bits.flag()) return refuse(CodecRefusal::kBadValue);
    return {};
  }
  bits.flag();  // Range.
  if (!has_subsampling) return {};
  bool x = bits.flag(), y = bits.flag();
  if (x && y) return refuse(CodecRefusal::kBadValue);
  header.chroma = x ? k422 : y ? k440 : k444;
  if (bits.flag()) return refuse(CodecRefusal::kBadValue);
  return {};
}

// §6.2, uncompressed_header as far as the size of a key frame.
Result<Header, CodecRefusal> parse_header(Bytes frame) {
  BitReader bits(frame);
  if (frame.empty()) return refuse(CodecRefusal::kTruncated);
  if (bits.u(2) != 2) return refuse(CodecRefusal::kBadValue);
  Header header;
  unsigned low = bits.u(1);
  header.profile = static_cast<std::uint8_t>(bits.u(1) << 1 | low);
  if (header.profile == 3 && bits.flag()) return refuse(CodecRefusal::kBadValue);
  if (bits.flag()) return header;  // Shows a frame sent before.
  header.is_key = !bits.flag();
  bits.skip(2);  // Shown, error resilience.
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (!header.is_key) return header;
  if (bits.u(24) != kSyncCode) return refuse(bits.ok() ? CodecRefusal::kBadValue : CodecRefusal::kTruncated);
  if (auto read = read_colour(bits, header); !read) return refuse(read.error());
  header.width = bits.u(16) + 1;
  header.height = bits.u(16) + 1;
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (header.width > kPictureSideMax || header.height > kPictureSideMax) {
    return refuse(CodecRefusal::kUnsupported);
  }
  return header;
}

}  // namespace

Result<Picture, CodecRefusal> read_vp9_picture(const Format& format) {
  STOA_TRY(Record record, parse_record(format.config.bytes()));
  Picture picture;
  picture.width = format.width;
  picture.height = format.height;
  Colour unspecified;
  if (record.colour != unspecified) picture.colour = record.colour;
  return picture;
}

Result<std::shared_ptr<const Format>, CodecRefusal> make_vp9_format(SharedBytes config) {
  STOA_TRY(Record record, parse_record(config.bytes()));
  return format_of(record, 0, 0);
}

Result<AccessUnitFacts, CodecRefusal> inspect_vp9(const Format& format, Bytes frame) {
  STOA_TRY(Header header, parse_header(frame));
  AccessUnitFacts facts{.is_keyframe = header.is_key};
  if (!header.is_key) return facts;
  STOA_TRY(Record record, parse_record(format.config.bytes()));
  bool same_chroma = header.chroma == record.chroma || (is_420(header.chroma) && is_420(record.chroma));
  bool same_size = header.width == format.width && header.height == format.height;
  if (header.profile == record.profile && header.depth == record.depth && same_chroma && same_size) {
    return facts;
  }
  record.profile = header.profile;
  record.depth = header.depth;
  if (!same_chroma) record.chroma = header.chroma;
  facts.new_format = format_of(record, header.width, header.height);
  facts.new_config = facts.new_format->config;
  return facts;
}

}  // namespace stoa::media
