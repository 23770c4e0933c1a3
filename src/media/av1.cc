#include "media/av1.h"

#include <algorithm>
#include <cstdio>

#include "media/bit_reader.h"

namespace stoa::media {
namespace {

enum ObuType : std::uint8_t { kSequenceHeader = 1, kFrameHeader = 3, kFrame = 6 };

constexpr std::size_t kRecordBytes = 4;
constexpr unsigned kLeb128BytesMax = 8;
// OBUs in one access unit; more than tile groups and metadata of any encoder.
constexpr unsigned kObusMax = 4096;
constexpr std::size_t kSequenceHeaderBytesMax = 1024;

struct Obu {
  std::uint8_t type = 0;
  Bytes payload;
};

// What the record's first four bytes say, and what a sequence header says in more detail.
struct Sequence {
  std::uint8_t profile = 0, level = 0, tier = 0;
  std::uint8_t depth = 8;
  bool monochrome = false, subsampled_x = true, subsampled_y = true;
  std::uint8_t chroma_position = 0;
  bool is_reduced = false;  // Of a still picture: all its frames are key frames.
  Picture picture;
};

// §4.10.5
Result<std::uint32_t, CodecRefusal> read_leb128(ByteReader& reader) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < kLeb128BytesMax; ++i) {
    std::uint8_t byte = reader.u8();
    if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
    value |= std::uint64_t{byte & 0x7fu} << (7 * i);
    if (byte & 0x80) continue;
    if (value > UINT32_MAX) return refuse(CodecRefusal::kBadValue);
    return static_cast<std::uint32_t>(value);
  }
  return refuse(CodecRefusal::kBadValue);
}

// §5.3. The last OBU may leave its size out.
Result<Obu, CodecRefusal> read_obu(ByteReader& reader) {
  std::uint8_t header = reader.u8();
  if (header & 0x80) return refuse(CodecRefusal::kBadValue);
  if (header & 0x04) reader.skip(1);
  std::size_t size = reader.remaining();
  if (header & 0x02) {
    STOA_TRY(size, read_leb128(reader));
  }
  Obu obu;
  obu.type = header >> 3 & 15;
  obu.payload = reader.take(size);
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  return obu;
}

void skip_uvlc(BitReader& bits, std::uint32_t& value) {
  unsigned zeros = 0;
  while (bits.ok() && zeros < 32 && !bits.flag()) ++zeros;
  value =
      zeros >= 32 ? UINT32_MAX : static_cast<std::uint32_t>((std::uint64_t{1} << zeros) - 1 + bits.u(zeros));
}

struct Timing {
  bool has_decoder_model = false;
  unsigned buffer_delay_bits = 0;
};

// timing_info and decoder_model_info, §5.5.3 and §5.5.4.
Timing read_timing(BitReader& bits, Picture& picture) {
  Timing timing;
  std::uint64_t ticks = bits.u(32), ticks_per_second = bits.u(32);
  if (bits.flag()) {
    std::uint32_t ticks_per_picture_minus1 = 0;
    skip_uvlc(bits, ticks_per_picture_minus1);
    std::uint64_t per_picture = std::uint64_t{ticks_per_picture_minus1} + 1;
    if (ticks <= UINT64_MAX / per_picture) picture.set_frame_rate(ticks_per_second, ticks * per_picture);
  }
  timing.has_decoder_model = bits.flag();
  if (timing.has_decoder_model) {
    timing.buffer_delay_bits = bits.u(5) + 1;
    bits.skip(32 + 5 + 5);
  }
  return timing;
}

void read_operating_points(BitReader& bits, Sequence& sequence) {
  Timing timing;
  if (bits.flag()) timing = read_timing(bits, sequence.picture);
  bool has_display_delay = bits.flag();
  unsigned points = bits.u(5) + 1;
  for (unsigned i = 0; i < points && bits.ok(); ++i) {
    bits.skip(12);
    auto level = static_cast<std::uint8_t>(bits.u(5));
    auto tier = static_cast<std::uint8_t>(level > 7 ? bits.u(1) : 0);
    if (i == 0) sequence.level = level, sequence.tier = tier;
    if (timing.has_decoder_model && bits.flag()) bits.skip(2 * timing.buffer_delay_bits + 1);
    if (has_display_delay && bits.flag()) bits.skip(4);
  }
}

// From enable_interintra_compound to the order hint's bits.
void skip_inter_tools(BitReader& bits) {
  bits.skip(4);
  bool has_order_hint = bits.flag();
  if (has_order_hint) bits.skip(2);
  bool screen_content_is_chosen = bits.flag();
  bool may_screen_content = screen_content_is_chosen || bits.flag();
  if (may_screen_content) {
    bool integer_mv_is_chosen = bits.flag();
    if (!integer_mv_is_chosen) bits.flag();
  }
  if (has_order_hint) bits.skip(3);
}

// color_config, §5.5.2.
void read_colour(BitReader& bits, Sequence& sequence) {
  bool high_depth = bits.flag();
  bool twelve = sequence.profile == 2 && high_depth && bits.flag();
  sequence.depth = twelve ? 12 : high_depth ? 10 : 8;
  sequence.monochrome = sequence.profile != 1 && bits.flag();
  Colour colour;
  bool described = bits.flag();
  if (described) {
    colour.primaries = static_cast<std::uint8_t>(bits.u(8));
    colour.transfer = static_cast<std::uint8_t>(bits.u(8));
    colour.matrix = static_cast<std::uint8_t>(bits.u(8));
  }
  bool is_srgb = colour.primaries == 1 && colour.transfer == 13 && colour.matrix == 0;
  if (is_srgb && !sequence.monochrome) {
    colour.full_range = true;
    sequence.subsampled_x = sequence.subsampled_y = false;
  } else {
    colour.full_range = bits.flag();
    if (!sequence.monochrome && sequence.profile == 1) {
      sequence.subsampled_x = sequence.subsampled_y = false;
    } else if (!sequence.monochrome && sequence.profile == 2) {
      sequence.subsampled_x = !twelve || bits.flag();
      sequence.subsampled_y = twelve && sequence.subsampled_x && bits.flag();
    }
    bool has_position = !sequence.monochrome && sequence.subsampled_x && sequence.subsampled_y;
    if (has_position) sequence.chroma_position = static_cast<std::uint8_t>(bits.u(2));
  }
  if (!sequence.monochrome) bits.flag();  // separate_uv_delta_q
  if (described || colour.full_range) sequence.picture.colour = colour;
}

// §5.5.1
Result<Sequence, CodecRefusal> parse_sequence(Bytes payload) {
  BitReader bits(payload);
  Sequence sequence;
  sequence.profile = static_cast<std::uint8_t>(bits.u(3));
  bool is_still = bits.flag();
  sequence.is_reduced = bits.flag();
  if (sequence.profile > 2 || (sequence.is_reduced && !is_still)) return refuse(CodecRefusal::kBadValue);
  if (sequence.is_reduced) {
    sequence.level = static_cast<std::uint8_t>(bits.u(5));
  } else {
    read_operating_points(bits, sequence);
  }
  unsigned width_bits = bits.u(4) + 1, height_bits = bits.u(4) + 1;
  std::uint32_t width = bits.u(width_bits) + 1, height = bits.u(height_bits) + 1;
  if (!sequence.is_reduced && bits.flag()) bits.skip(4 + 3);  // Frame id numbers.
  bits.skip(3);                                               // Superblocks, filter intra, intra edge.
  if (!sequence.is_reduced) skip_inter_tools(bits);
  bits.skip(3);  // Super-resolution, CDEF, restoration.
  read_colour(bits, sequence);
  bits.flag();  // Film grain.
  if (!bits.ok()) return refuse(CodecRefusal::kTruncated);
  if (width > kPictureSideMax || height > kPictureSideMax) return refuse(CodecRefusal::kUnsupported);
  sequence.picture.width = width;
  sequence.picture.height = height;
  return sequence;
}

struct Record {
  Sequence sequence;
  Bytes header;  // The payload of the sequence header OBU; empty when there is none.
};

Result<Record, CodecRefusal> parse_record(Bytes bytes) {
  ByteReader reader(bytes);
  std::uint8_t version = reader.u8(), packed = reader.u8(), flags = reader.u8();
  reader.u8();  // Presentation delay.
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  if (version != 0x81) return refuse(CodecRefusal::kBadValue);
  Record record;
  Sequence& sequence = record.sequence;
  sequence.profile = packed >> 5;
  sequence.level = packed & 31;
  sequence.tier = flags >> 7;
  sequence.depth = (flags & 0x60) == 0x60 ? 12 : (flags & 0x40) != 0 ? 10 : 8;
  sequence.monochrome = flags & 0x10;
  sequence.subsampled_x = flags & 0x08;
  sequence.subsampled_y = flags & 0x04;
  sequence.chroma_position = flags & 3;
  if (sequence.profile > 2) return refuse(CodecRefusal::kBadValue);
  for (unsigned count = 0; !reader.at_end(); ++count) {
    if (count == kObusMax) return refuse(CodecRefusal::kUnsupported);
    STOA_TRY(Obu obu, read_obu(reader));
    if (obu.type != kSequenceHeader || !record.header.empty()) continue;
    STOA_TRY(record.sequence, parse_sequence(obu.payload));
    record.header = obu.payload;
  }
  return record;
}

SharedBytes write_record(const Sequence& sequence, Bytes header) {
  ByteWriter writer(kRecordBytes + 3 + header.size());
  writer.u8(0x81);
  writer.u8(static_cast<std::uint8_t>(sequence.profile << 5 | sequence.level));
  writer.u8(static_cast<std::uint8_t>(sequence.tier << 7 | (sequence.depth > 8) << 6 |
                                      (sequence.depth == 12) << 5 | sequence.monochrome << 4 |
                                      sequence.subsampled_x << 3 | sequence.subsampled_y << 2 |
                                      sequence.chroma_position));
  writer.u8(0);
  writer.u8(kSequenceHeader << 3 | 0x02);
  std::size_t size = header.size();
  for (; size >= 0x80; size >>= 7) writer.u8(static_cast<std::uint8_t>(size | 0x80));
  writer.u8(static_cast<std::uint8_t>(size));
  writer.bytes(header);
  return SharedBytes(writer.take());
}

// Binding §5: the long form only where its defaults (4:2:0, BT.709, limited range) are not true.
std::string codec_string(const Sequence& sequence) {
  char name[64];
  int length = std::snprintf(name, sizeof name, "av01.%u.%02u%c.%02u", sequence.profile, sequence.level,
                             sequence.tier != 0 ? 'H' : 'M', sequence.depth);
  Colour colour = sequence.picture.colour.value_or(Colour{1, 1, 1, false});
  bool is_420 = sequence.subsampled_x && sequence.subsampled_y;
  auto is_default = [](std::uint8_t value) { return value == 1 || value == 2; };
  bool defaults = !sequence.monochrome && is_420 && is_default(colour.primaries) &&
                  is_default(colour.transfer) && is_default(colour.matrix) && !colour.full_range;
  if (!defaults) {
    std::snprintf(name + length, sizeof name - static_cast<std::size_t>(length),
                  ".%u.%u%u%u.%02u.%02u.%02u.%u", sequence.monochrome ? 1 : 0, sequence.subsampled_x ? 1 : 0,
                  sequence.subsampled_y ? 1 : 0, is_420 ? sequence.chroma_position : 0, colour.primaries,
                  colour.transfer, colour.matrix, colour.full_range ? 1 : 0);
  }
  return name;
}

// §5.9.2: whether the frame header that begins here is of a key frame that is shown at once.
bool is_shown_key_frame(Bytes payload) {
  BitReader bits(payload);
  if (bits.flag()) return false;  // Shows a frame sent before.
  bool is_key = bits.u(2) == 0;
  bool is_shown = bits.flag();
  return bits.ok() && is_key && is_shown;
}

}  // namespace

Result<Picture, CodecRefusal> read_av1_picture(Bytes config) {
  STOA_TRY(Record record, parse_record(config));
  return record.sequence.picture;
}

Result<std::shared_ptr<const Format>, CodecRefusal> make_av1_format(SharedBytes config) {
  STOA_TRY(Record record, parse_record(config.bytes()));
  const Picture& picture = record.sequence.picture;
  Format format{
      .codec = Codec::kAv1, .config = std::move(config), .codec_string = codec_string(record.sequence)};
  format.width = picture.width;
  format.height = picture.height;
  format.frame_rate_numerator = picture.frame_rate_numerator;
  format.frame_rate_denominator = picture.frame_rate_denominator;
  return std::make_shared<const Format>(std::move(format));
}

Result<AccessUnitFacts, CodecRefusal> inspect_av1(const Format& format, Bytes temporal_unit) {
  if (temporal_unit.empty()) return refuse(CodecRefusal::kTruncated);
  AccessUnitFacts facts;
  Bytes header;
  bool has_frame = false;
  ByteReader reader(temporal_unit);
  for (unsigned count = 0; !reader.at_end(); ++count) {
    if (count == kObusMax) return refuse(CodecRefusal::kUnsupported);
    STOA_TRY(Obu obu, read_obu(reader));
    if (obu.type == kSequenceHeader && !has_frame) header = obu.payload;
    if ((obu.type == kFrameHeader || obu.type == kFrame) && !has_frame) {
      has_frame = true;
      facts.is_keyframe = is_shown_key_frame(obu.payload);
    }
  }
  if (header.empty()) {
    facts.is_keyframe = false;
    return facts;
  }
  if (header.size() > kSequenceHeaderBytesMax) return refuse(CodecRefusal::kBadValue);
  STOA_TRY(Record record, parse_record(format.config.bytes()));
  if (std::ranges::equal(header, record.header)) {
    facts.is_keyframe = facts.is_keyframe || (has_frame && record.sequence.is_reduced);
    return facts;
  }
  STOA_TRY(Sequence sequence, parse_sequence(header));
  facts.is_keyframe = facts.is_keyframe || (has_frame && sequence.is_reduced);
  SharedBytes config = write_record(sequence, header);
  STOA_TRY(facts.new_format, make_av1_format(config));
  facts.new_config = std::move(config);
  return facts;
}

}  // namespace stoa::media
