#include "media/opus.h"

#include <gmock/gmock.h>

#include "media/codec_vectors.h"

namespace stoa::media {
namespace {

using namespace vectors;
using testing::ElementsAreArray;

Buffer opus_head(std::uint8_t channels, std::uint8_t family) {
  Buffer head(as_bytes("OpusHead").begin(), as_bytes("OpusHead").end());
  // Version 1, pre-skip 312, 48,000 Hz, gain -1 (little-endian all of them).
  head.insert(head.end(), {1, channels, 0x38, 0x01, 0x80, 0xbb, 0, 0, 0xff, 0xff, family});
  return head;
}

TEST(OpusConfig, turns_an_ogg_header_into_the_box_of_mp4) {
  auto config = make_opus_config(opus_head(2, 0));
  ASSERT_TRUE(config.has_value());
  EXPECT_THAT(Buffer(config->bytes().begin(), config->bytes().end()),
              ElementsAreArray(from_hex("000201380000bb80ffff00")));
}

TEST(OpusConfig, keeps_the_channel_mapping_of_surround) {
  Buffer head = opus_head(6, 1);
  head.insert(head.end(), {4, 2, 0, 4, 1, 2, 3, 5});
  auto config = make_opus_config(head);
  ASSERT_TRUE(config.has_value());
  EXPECT_THAT(Buffer(config->bytes().begin(), config->bytes().end()),
              ElementsAreArray(from_hex("000601380000bb80ffff01"
                                        "0402000401020305")));
  EXPECT_EQ((*make_format(Codec::kOpus, *config))->channels, 6u);
}

TEST(OpusConfig, refuses_broken_headers) {
  auto refusal = [](const Buffer& head) { return make_opus_config(head).error(); };
  Buffer whole = opus_head(2, 0);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_EQ(refusal(Buffer(whole.begin(), whole.begin() + static_cast<long>(length))),
              CodecRefusal::kTruncated);
  }
  Buffer magic = whole, version = whole;
  magic[4] = 'T';
  EXPECT_EQ(refusal(magic), CodecRefusal::kBadValue);
  version[8] = 0x10;
  EXPECT_EQ(refusal(version), CodecRefusal::kUnsupported);
  EXPECT_EQ(refusal(opus_head(0, 0)), CodecRefusal::kBadValue);
  EXPECT_EQ(refusal(opus_head(3, 0)), CodecRefusal::kBadValue);
  EXPECT_EQ(refusal(opus_head(2, 255)), CodecRefusal::kUnsupported);
  EXPECT_EQ(refusal(opus_head(9, 1)), CodecRefusal::kBadValue);
  EXPECT_EQ(refusal(opus_head(2, 1)), CodecRefusal::kTruncated);
}

TEST(OpusConfig, refuses_channels_that_come_out_of_no_stream) {
  for (const Buffer& table : {Buffer{0, 0, 0, 0}, Buffer{1, 2, 0, 1}, Buffer{1, 1, 0, 2}}) {
    Buffer head = opus_head(2, 1);
    head.insert(head.end(), table.begin(), table.end());
    EXPECT_EQ(make_opus_config(head).error(), CodecRefusal::kBadValue);
  }
  Buffer silent = opus_head(2, 1);
  silent.insert(silent.end(), {1, 0, 0, 255});
  EXPECT_TRUE(make_opus_config(silent).has_value());
}

TEST(OpusFormat, runs_at_48_kHz_whatever_went_in) {
  auto format = make_format(Codec::kOpus, shared(kOpusStereoConfig));
  ASSERT_TRUE(format.has_value());
  EXPECT_EQ((*format)->codec_string, "opus");
  EXPECT_EQ((*format)->sample_rate, 48000u);
  EXPECT_EQ((*format)->channels, 2u);
  EXPECT_EQ((*format)->samples_per_frame, 960u);
  EXPECT_EQ((*make_format(Codec::kOpus, shared(kOpus51Config)))->channels, 6u);
  EXPECT_EQ(make_format(Codec::kOpus, shared("0002013800")).error(), CodecRefusal::kTruncated);
  EXPECT_EQ(make_format(Codec::kOpus, shared("010201380000bb80000000")).error(), CodecRefusal::kUnsupported);
}

TEST(OpusPacket, lasts_as_long_as_its_first_bytes_say) {
  EXPECT_EQ(opus_packet_samples(from_hex(kOpusStereoFirst)), 960u);
  EXPECT_EQ(opus_packet_samples(from_hex(kOpus60msFirst)), 2880u);
  // RFC 6716 §3.1, table 2: one of each mode at its shortest and longest.
  EXPECT_EQ(opus_packet_samples(Buffer{0 << 3}), 480u);
  EXPECT_EQ(opus_packet_samples(Buffer{11 << 3}), 2880u);
  EXPECT_EQ(opus_packet_samples(Buffer{12 << 3}), 480u);
  EXPECT_EQ(opus_packet_samples(Buffer{15 << 3}), 960u);
  EXPECT_EQ(opus_packet_samples(Buffer{16 << 3}), 120u);
  EXPECT_EQ(opus_packet_samples(Buffer{31 << 3}), 960u);
  EXPECT_EQ(opus_packet_samples(Buffer{31 << 3 | 1}), 1920u);
  EXPECT_EQ(opus_packet_samples(Buffer{31 << 3 | 2, 1}), 1920u);
  EXPECT_EQ(opus_packet_samples(Buffer{16 << 3 | 3, 0xc0 | 48}), 5760u);
}

TEST(OpusPacket, is_refused_when_it_lasts_longer_than_120_ms_or_not_at_all) {
  auto format = *make_format(Codec::kOpus, shared(kOpusStereoConfig));
  EXPECT_EQ(inspect(*format, {}).error(), CodecRefusal::kTruncated);
  EXPECT_EQ(inspect(*format, Buffer{0xfb}).error(), CodecRefusal::kTruncated);
  EXPECT_EQ(inspect(*format, Buffer{0xfb, 0}).error(), CodecRefusal::kBadValue);
  EXPECT_EQ(inspect(*format, Buffer{0xfb, 7}).error(), CodecRefusal::kBadValue);
  EXPECT_TRUE(inspect(*format, from_hex(kOpusStereoSecond))->is_keyframe);
}

}  // namespace
}  // namespace stoa::media
