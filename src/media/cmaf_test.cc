// Reads back every box with a parser of its own that knows the layouts of ISO/IEC 14496-12 and nothing of the
// writer.
#include "media/cmaf.h"

#include <gmock/gmock.h>

#include <optional>

#include "media/codec.h"
#include "media/codec_vectors.h"

namespace stoa::media {
namespace {

using namespace vectors;
using testing::ElementsAre;
using testing::ElementsAreArray;

struct Box {
  std::string type;
  std::size_t offset = 0;  // In the file.
  Bytes payload;           // Behind size and type.
};

// Asserts that boxes fill `bytes` exactly.
std::vector<Box> boxes_of(Bytes bytes, std::size_t base = 0) {
  std::vector<Box> boxes;
  ByteReader reader(bytes);
  while (!reader.at_end()) {
    std::size_t offset = reader.offset();
    std::uint32_t size = reader.u32();
    std::string type(as_text(reader.take(4)));
    Bytes payload = size >= 8 ? reader.take(size - 8) : Bytes{};
    EXPECT_TRUE(reader.ok() && size >= 8) << type << " at " << base + offset;
    if (!reader.ok() || size < 8) break;
    boxes.push_back({type, base + offset, payload});
  }
  return boxes;
}

std::vector<std::string> types_of(Bytes bytes) {
  std::vector<std::string> types;
  for (const Box& box : boxes_of(bytes)) types.push_back(box.type);
  return types;
}

// The payload at a path like "moov/trak/tkhd"; empty when it is not there.
Bytes find(Bytes file, std::string_view path) {
  std::size_t slash = path.find('/');
  for (const Box& box : boxes_of(file)) {
    if (box.type != path.substr(0, slash)) continue;
    return slash == std::string_view::npos ? box.payload : find(box.payload, path.substr(slash + 1));
  }
  return {};
}

constexpr std::string_view kTable = "moov/trak/mdia/minf/stbl/";
// What stands in the sample entry behind its fixed fields.
Bytes entry_of(Bytes init, std::string_view type, std::size_t fixed) {
  Bytes stsd = find(init, std::string(kTable) + "stsd");
  EXPECT_GE(stsd.size(), 8u);
  EXPECT_EQ(types_of(stsd.subspan(8)), std::vector<std::string>{std::string(type)});
  return find(stsd.subspan(8), type).subspan(fixed);
}
constexpr std::size_t kVideoEntry = 78, kAudioEntry = 28;

Buffer copy(Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); }
std::shared_ptr<const Format> format_of(Codec codec, std::string_view hex) {
  return *make_format(codec, shared(hex));
}

TEST(InitSection, holds_the_boxes_that_cmaf_asks_for) {
  SharedBytes init = write_init_section(*format_of(Codec::kH264, kH264HighConfig), "en");
  EXPECT_THAT(types_of(init.bytes()), ElementsAre("ftyp", "moov"));
  EXPECT_EQ(as_text(find(init.bytes(), "ftyp")), std::string_view("iso6\0\0\0\0iso6cmfc", 16));
  EXPECT_THAT(types_of(find(init.bytes(), "moov")), ElementsAre("mvhd", "trak", "mvex"));
  EXPECT_THAT(types_of(find(init.bytes(), "moov/trak")), ElementsAre("tkhd", "mdia"));
  EXPECT_THAT(types_of(find(init.bytes(), "moov/trak/mdia")), ElementsAre("mdhd", "hdlr", "minf"));
  EXPECT_THAT(types_of(find(init.bytes(), "moov/trak/mdia/minf")), ElementsAre("vmhd", "dinf", "stbl"));
  EXPECT_THAT(types_of(find(init.bytes(), "moov/trak/mdia/minf/stbl")),
              ElementsAre("stsd", "stts", "stsc", "stco", "stsz"));
  for (const char* empty : {"stts", "stsc", "stco"}) {
    EXPECT_THAT(copy(find(init.bytes(), std::string(kTable) + empty)), ElementsAreArray(Buffer(8))) << empty;
  }
  EXPECT_EQ(find(init.bytes(), std::string(kTable) + "stsz").size(), 12u);
}

TEST(InitSection, says_rate_language_size_and_defaults) {
  SharedBytes init = write_init_section(*format_of(Codec::kH264, kH264Cropped1080Config), "de-AT");
  ByteReader mvhd(find(init.bytes(), "moov/mvhd"));
  mvhd.skip(12);
  EXPECT_EQ(mvhd.u32(), 90000u);
  EXPECT_EQ(mvhd.u32(), 0u);  // No duration.
  EXPECT_EQ(mvhd.u32(), 0x10000u);
  EXPECT_EQ(find(init.bytes(), "moov/mvhd").size(), 100u);
  Bytes tkhd = find(init.bytes(), "moov/trak/tkhd");
  ASSERT_EQ(tkhd.size(), 84u);
  ByteReader head(tkhd);
  EXPECT_EQ(head.u32(), 3u);
  head.skip(8);
  EXPECT_EQ(head.u32(), 1u);  // track_ID
  ByteReader tail(tkhd.subspan(76));
  EXPECT_EQ(tail.u32(), 1920u << 16);
  EXPECT_EQ(tail.u32(), 1080u << 16);
  ByteReader mdhd(find(init.bytes(), "moov/trak/mdia/mdhd"));
  mdhd.skip(12);
  EXPECT_EQ(mdhd.u32(), 90000u);
  mdhd.skip(4);
  EXPECT_EQ(mdhd.u16(), (('d' - 0x60) << 10) | (('e' - 0x60) << 5) | ('u' - 0x60));
  EXPECT_EQ(as_text(find(init.bytes(), "moov/trak/mdia/hdlr").subspan(8, 4)), "vide");
  EXPECT_EQ(find(init.bytes(), "moov/trak/mdia/minf/vmhd")[3], 1);
  Bytes dref = find(init.bytes(), "moov/trak/mdia/minf/dinf/dref");
  EXPECT_THAT(copy(dref), ElementsAreArray(from_hex("00000000000000010000000c75726c2000000001")));
  EXPECT_THAT(copy(find(init.bytes(), "moov/mvex/trex")),
              ElementsAreArray(from_hex("000000000000000100000001000000000000000001010000")));
}

TEST(InitSection, carries_each_video_codec_with_its_record) {
  struct Row {
    Codec codec;
    std::string_view config;
    const char *entry, *record;
  };
  for (const Row& row :
       {Row{Codec::kH264, kH264HighConfig, "avc1", "avcC"},
        Row{Codec::kHevc, kHevcMainConfig, "hvc1", "hvcC"}, Row{Codec::kAv1, kAv1MainConfig, "av01", "av1C"},
        Row{Codec::kVp9, kVp9Config, "vp09", "vpcC"}}) {
    auto format = format_of(row.codec, row.config);
    SharedBytes init = write_init_section(*format, "");
    Bytes boxes = entry_of(init.bytes(), row.entry, kVideoEntry);
    EXPECT_EQ(types_of(boxes).front(), row.record);
    EXPECT_THAT(copy(find(boxes, row.record)), ElementsAreArray(from_hex(row.config))) << row.entry;
    ByteReader fixed(entry_of(init.bytes(), row.entry, 0));
    fixed.skip(6);
    EXPECT_EQ(fixed.u16(), 1u);
    fixed.skip(16);
    EXPECT_EQ(fixed.u16(), format->width);
    EXPECT_EQ(fixed.u16(), format->height);
  }
}

TEST(InitSection, says_colour_and_pixel_shape_only_when_the_bitstream_does) {
  SharedBytes init = write_init_section(*format_of(Codec::kH264, kH264ColourConfig), "");
  Bytes boxes = entry_of(init.bytes(), "avc1", kVideoEntry);
  EXPECT_THAT(types_of(boxes), ElementsAre("avcC", "colr", "pasp"));
  EXPECT_THAT(copy(find(boxes, "colr")), ElementsAreArray(from_hex("6e636c7800010001000180")));
  EXPECT_THAT(copy(find(boxes, "pasp")), ElementsAreArray(from_hex("0000000800000009")));
  // 64 wide pixels of 8:9 are 56.89 shown.
  ByteReader tkhd(find(init.bytes(), "moov/trak/tkhd").subspan(76));
  EXPECT_EQ(tkhd.u32(), (64u << 16) * 8 / 9);
  SharedBytes plain = write_init_section(*format_of(Codec::kH264, kH264HighConfig), "");
  EXPECT_THAT(types_of(entry_of(plain.bytes(), "avc1", kVideoEntry)), ElementsAre("avcC"));
  SharedBytes hdr = write_init_section(*format_of(Codec::kHevc, kHevcMain10Config), "");
  EXPECT_THAT(copy(find(entry_of(hdr.bytes(), "hvc1", kVideoEntry), "colr")),
              ElementsAreArray(from_hex("6e636c7800090010000900")));
}

TEST(InitSection, carries_aac_in_an_elementary_stream_descriptor) {
  SharedBytes init = write_init_section(*format_of(Codec::kAac, kAacStereoConfig), "en");
  EXPECT_THAT(types_of(find(init.bytes(), "moov/trak/mdia/minf")), ElementsAre("smhd", "dinf", "stbl"));
  EXPECT_EQ(as_text(find(init.bytes(), "moov/trak/mdia/hdlr").subspan(8, 4)), "soun");
  ByteReader fixed(entry_of(init.bytes(), "mp4a", 0));
  fixed.skip(16);
  EXPECT_EQ(fixed.u16(), 2u);
  EXPECT_EQ(fixed.u16(), 16u);
  fixed.skip(4);
  EXPECT_EQ(fixed.u32(), 48000u << 16);
  Buffer esds = from_hex(
      "00000000"
      "0319000000"
      "0411"
      "4015000000"
      "0000000000000000"
      "0505");
  Buffer config = from_hex(kAacStereoConfig);
  esds.insert(esds.end(), config.begin(), config.end());
  esds[5] = static_cast<std::uint8_t>(3 + 2 + 13 + 2 + config.size() + 3);
  esds[10] = static_cast<std::uint8_t>(13 + 2 + config.size());
  esds.insert(esds.end(), {6, 1, 2});
  EXPECT_THAT(copy(find(entry_of(init.bytes(), "mp4a", kAudioEntry), "esds")), ElementsAreArray(esds));
  EXPECT_THAT(copy(find(init.bytes(), "moov/mvex/trex")),
              ElementsAreArray(from_hex("000000000000000100000001000004000000000002000000")));
}

TEST(InitSection, writes_long_descriptors_with_more_bytes_of_length) {
  Buffer config = from_hex(kAacStereoConfig);
  config.resize(200);  // Padding.
  auto format = make_format(Codec::kAac, SharedBytes::copy_of(config));
  ASSERT_TRUE(format.has_value());
  SharedBytes init = write_init_section(**format, "");
  Bytes esds = find(entry_of(init.bytes(), "mp4a", kAudioEntry), "esds");
  ByteReader reader(esds.subspan(4));
  std::size_t specific = 3 + config.size(), decoder = 3 + 13 + specific;
  EXPECT_EQ(reader.u8(), 3);
  EXPECT_EQ(reader.u8(), 0x80 | ((3 + decoder + 3) >> 7));
  EXPECT_EQ(reader.u8(), (3 + decoder + 3) & 0x7f);
  reader.skip(3);
  EXPECT_EQ(reader.u8(), 4);
  EXPECT_EQ(reader.u8(), 0x80 | ((13 + specific) >> 7));
  EXPECT_EQ(reader.u8(), (13 + specific) & 0x7f);
  reader.skip(13);
  EXPECT_EQ(reader.u8(), 5);
  EXPECT_EQ(reader.u8(), 0x80 | (config.size() >> 7));
  EXPECT_EQ(reader.u8(), config.size() & 0x7f);
  EXPECT_THAT(copy(reader.take(config.size())), ElementsAreArray(config));
  EXPECT_EQ(reader.remaining(), 3u);
}

TEST(InitSection, leaves_out_a_sample_rate_that_does_not_fit) {
  SharedBytes init = write_init_section(*format_of(Codec::kAac, kAac96kConfig), "");
  EXPECT_EQ(ByteReader(entry_of(init.bytes(), "mp4a", 24)).u32(), 0u);
  ByteReader mdhd(find(init.bytes(), "moov/trak/mdia/mdhd").subspan(12));
  EXPECT_EQ(mdhd.u32(), 96000u);
}

TEST(InitSection, carries_opus_with_its_pre_skip) {
  SharedBytes init = write_init_section(*format_of(Codec::kOpus, kOpus51Config), "");
  EXPECT_THAT(copy(find(entry_of(init.bytes(), "Opus", kAudioEntry), "dOps")),
              ElementsAreArray(from_hex(kOpus51Config)));
  EXPECT_EQ(ByteReader(entry_of(init.bytes(), "Opus", 24)).u32(), 48000u << 16);
  EXPECT_EQ(ByteReader(entry_of(init.bytes(), "Opus", 16)).u16(), 6u);
}

// A chunk read back.
struct ReadSample {
  std::uint32_t duration = 0, flags = 0;
  std::int32_t composition_offset = 0;
  Buffer payload;
};
struct ReadChunk {
  std::uint32_t sequence = 0;
  std::uint64_t decode_time = 0;
  std::size_t run_entry_bytes = 0;
  std::vector<ReadSample> samples;
};

ReadChunk read_chunk(Bytes chunk) {
  ReadChunk read;
  EXPECT_THAT(types_of(chunk), ElementsAre("moof", "mdat"));
  EXPECT_THAT(types_of(find(chunk, "moof")), ElementsAre("mfhd", "traf"));
  EXPECT_THAT(types_of(find(chunk, "moof/traf")), ElementsAre("tfhd", "tfdt", "trun"));
  read.sequence = ByteReader(find(chunk, "moof/mfhd").subspan(4)).u32();
  ByteReader tfdt(find(chunk, "moof/traf/tfdt"));
  EXPECT_EQ(tfdt.u32(), 0x01000000u);
  read.decode_time = tfdt.u64();
  ByteReader tfhd(find(chunk, "moof/traf/tfhd"));
  std::uint32_t header_flags = tfhd.u32();
  EXPECT_TRUE(header_flags & 0x020000);  // Offsets count from the moof.
  EXPECT_EQ(tfhd.u32(), 1u);
  ReadSample defaults;
  std::uint32_t default_size = 0;
  if (header_flags & 0x08) defaults.duration = tfhd.u32();
  if (header_flags & 0x10) default_size = tfhd.u32();
  if (header_flags & 0x20) defaults.flags = tfhd.u32();
  EXPECT_TRUE(tfhd.ok() && tfhd.at_end());
  ByteReader trun(find(chunk, "moof/traf/trun"));
  std::uint32_t version_flags = trun.u32(), count = trun.u32();
  EXPECT_EQ(version_flags >> 24, 1u);
  std::size_t data = trun.u32();
  std::optional<std::uint32_t> first_flags;
  if (version_flags & 0x04) first_flags = trun.u32();
  read.run_entry_bytes = count == 0 ? 0 : trun.remaining() / count;
  for (std::uint32_t i = 0; i < count; ++i) {
    ReadSample sample = defaults;
    if (version_flags & 0x100) sample.duration = trun.u32();
    std::uint32_t size = version_flags & 0x200 ? trun.u32() : default_size;
    if (version_flags & 0x400) sample.flags = trun.u32();
    if (i == 0 && first_flags) sample.flags = *first_flags;
    if (version_flags & 0x800) sample.composition_offset = static_cast<std::int32_t>(trun.u32());
    EXPECT_LE(data + size, chunk.size());
    sample.payload = copy(chunk.subspan(data, size));
    data += size;
    read.samples.push_back(sample);
  }
  EXPECT_TRUE(trun.ok() && trun.at_end());
  EXPECT_EQ(data, chunk.size());  // The samples fill the mdat.
  return read;
}

Sample sample(std::uint32_t duration, std::int32_t offset, bool is_keyframe, std::string_view payload) {
  return {duration, offset, is_keyframe, SharedBytes::copy_of(as_bytes(payload))};
}
constexpr std::uint32_t kSync = 0x02000000, kNonSync = 0x01010000;

void expect_round_trip(const std::vector<Sample>& samples, std::size_t run_entry_bytes) {
  ReadChunk read = read_chunk(write_chunk(7, 0x123456789abcull, samples).bytes());
  EXPECT_EQ(read.sequence, 7u);
  EXPECT_EQ(read.decode_time, 0x123456789abcull);
  EXPECT_EQ(read.run_entry_bytes, run_entry_bytes);
  ASSERT_EQ(read.samples.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(read.samples[i].duration, samples[i].duration) << i;
    EXPECT_EQ(read.samples[i].composition_offset, samples[i].composition_offset) << i;
    EXPECT_EQ(read.samples[i].flags, samples[i].is_keyframe ? kSync : kNonSync) << i;
    EXPECT_THAT(read.samples[i].payload, ElementsAreArray(samples[i].payload.bytes())) << i;
  }
}

TEST(Chunk, gives_back_frames_with_b_frames_between_them) {
  expect_round_trip({sample(3000, 6000, true, "iiiiii"), sample(3000, 9000, false, "pp"),
                     sample(3000, 0, false, "b"), sample(3000, -3000, false, "bbb")},
                    8);  // Size and composition offset.
}

TEST(Chunk, says_what_is_equal_only_once) {
  expect_round_trip({sample(1024, 0, true, "aa"), sample(1024, 0, true, "bb"), sample(1024, 0, true, "cc")},
                    0);
  expect_round_trip({sample(1024, 0, true, "aa"), sample(1024, 0, true, "b"), sample(1024, 0, true, "cc")},
                    4);
  expect_round_trip({sample(3000, 0, false, "aa"), sample(3000, 0, false, "bb")}, 0);
}

TEST(Chunk, gives_back_what_differs_everywhere) {
  expect_round_trip({sample(1, 0, false, "a"), sample(2, 5, true, "bb"), sample(3, -7, false, "ccc")}, 16);
  expect_round_trip({sample(1, 0, false, "a"), sample(2, 0, true, "b")}, 4);
  expect_round_trip({sample(1, 0, true, "a"), sample(1, 0, false, "b"), sample(1, 0, true, "c")}, 4);
}

TEST(Chunk, may_hold_one_sample_or_an_empty_one) {
  expect_round_trip({sample(90000, 0, true, "alone")}, 0);
  expect_round_trip({sample(90000, -5, false, "")}, 4);
}

TEST(Chunk, keeps_composition_offsets_at_both_ends_of_their_range) {
  expect_round_trip({sample(1, INT32_MIN, true, "a"), sample(1, INT32_MAX, false, "a")}, 4);
}

TEST(Chunk, costs_its_payload_and_little_more) {
  std::vector<Sample> samples(100, sample(1024, 0, true, "0123456789"));
  EXPECT_EQ(write_chunk(1, 0, samples).size(), 1000u + 8 + 8 + 16 + 8 + 28 + 20 + 20);
}

}  // namespace
}  // namespace stoa::media
