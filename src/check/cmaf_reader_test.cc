#include "check/cmaf_reader.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "check/codec_name.h"
#include "check/fake_origin.h"

namespace stoa::check {
namespace {

TEST(CmafReader, reads_tracks_of_an_init_section) {
  auto init = read_init(fake_init({.is_video = true}));
  ASSERT_TRUE(init) << name_of(init.error());
  ASSERT_EQ(init->tracks.size(), 1u);
  EXPECT_EQ(init->tracks[0].handler, "vide");
  EXPECT_EQ(init->tracks[0].codec, "avc1.64001f");
  EXPECT_EQ(init->tracks[0].timescale, 90'000u);
  EXPECT_EQ(init->tracks[0].width, 1280u);
  auto audio = read_init(fake_init({.is_video = false}));
  ASSERT_TRUE(audio);
  EXPECT_EQ(audio->tracks[0].codec, "Opus");
  EXPECT_EQ(audio->tracks[0].channels, 2u);
  EXPECT_EQ(audio->tracks[0].sample_rate, 48'000u);
}

TEST(CmafReader, reads_samples_of_a_fragment) {
  auto init = *read_init(fake_init({}));
  auto fragments = read_fragments(
      fake_fragment({.sequence_number = 9, .decode_time = 1'234, .samples = 12, .sample_duration = 3'000}),
      init);
  ASSERT_TRUE(fragments) << name_of(fragments.error());
  ASSERT_EQ(fragments->size(), 1u);
  const Fragment& fragment = fragments->front();
  EXPECT_EQ(fragment.sequence_number, 9u);
  EXPECT_EQ(fragment.decode_time, 1'234u);
  EXPECT_EQ(fragment.duration, 36'000u);
  EXPECT_EQ(fragment.samples, 12u);
  EXPECT_EQ(fragment.sync_samples, 1u);
  EXPECT_TRUE(fragment.starts_with_sync);
  EXPECT_EQ(fragment.size_bytes, 1'200u);
}

TEST(CmafReader, refuses_every_truncation) {
  Buffer init_bytes = fake_init({});
  auto init = *read_init(init_bytes);
  for (std::size_t length = 0; length < init_bytes.size(); ++length) {
    EXPECT_FALSE(read_init(Bytes(init_bytes).first(length))) << length;
  }
  Buffer fragment = fake_fragment({.samples = 2});
  for (std::size_t length = 0; length < fragment.size(); ++length) {
    EXPECT_FALSE(read_fragments(Bytes(fragment).first(length), init)) << length;
  }
}

TEST(CmafReader, refuses_what_is_not_what_it_says) {
  auto init = *read_init(fake_init({}));
  auto refusal = [&](const Buffer& bytes) { return read_fragments(bytes, init).error(); };
  EXPECT_EQ(refusal(fake_fragment({.track_id = 2})), CmafRefusal::kUnknownTrack);
  EXPECT_EQ(refusal(Buffer(188, 0x47)), CmafRefusal::kNotMp4);
  EXPECT_EQ(refusal(fake_init({})), CmafRefusal::kMissingBox);
  Buffer long_sample = fake_fragment({});
  Buffer size_field = {0, 0, 0, 100};  // The default sample size in tfhd.
  auto at = std::search(long_sample.begin(), long_sample.end(), size_field.begin(), size_field.end());
  ASSERT_NE(at, long_sample.end());
  *(at + 2) = 1;
  EXPECT_EQ(refusal(long_sample), CmafRefusal::kOutsideMdat);
  EXPECT_EQ(refusal(fake_fragment({.samples = kSamplesMax + 1, .sample_size = 0})), CmafRefusal::kTooMany);
  Buffer no_timescale = fake_init({});
  Buffer timescale = {0, 1, 0x5f, 0x90};
  auto rate = std::search(no_timescale.begin(), no_timescale.end(), timescale.begin(), timescale.end());
  std::fill(rate, rate + 4, std::uint8_t{0});
  EXPECT_EQ(read_init(no_timescale).error(), CmafRefusal::kBadValue);
}

struct NameCase {
  std::string entry, box;
  Buffer config;
  std::string name;
};
TEST(CodecName, follows_rfc_6381) {
  const NameCase cases[] = {
      {"avc1", "avcC", {1, 0x42, 0xc0, 0x1e}, "avc1.42c01e"},
      {"hvc1", "hvcC", {1, 0x01, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93}, "hvc1.1.6.L93.90"},
      {"hvc1", "hvcC", {1, 0x22, 0x20, 0, 0, 0, 0xb0, 0, 0, 0, 0, 0, 150}, "hvc1.2.4.H150.b0"},
      {"av01", "av1C", {0x81, 0x08, 0x0c}, "av01.0.08M.08"},
      {"av01", "av1C", {0x81, 0x0d, 0xcc}, "av01.0.13H.10"},
      {"vp09", "vpcC", {1, 0, 0, 0, 2, 31, 0xa0}, "vp09.02.31.10"},
      {"mp4a",
       "esds",
       {0, 0, 0, 0, 3, 25, 0, 1, 0, 4, 17, 0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 2, 0x11, 0x90},
       "mp4a.40.2"},
      {"mp4a",
       "esds",
       {0, 0, 0, 0, 3, 0x80, 0x80, 0x80, 25, 0, 1, 0, 4, 17,   0x40, 0x15,
        0, 0, 0, 0, 0, 0,    0,    0,    0,  0, 0, 5, 2, 0x2b, 0x8a},
       "mp4a.40.5"},
      {"avc1", "avcC", {1}, "avc1"},
      {"mp4a", "esds", {0, 0, 0, 0, 3}, "mp4a"},
      {"Opus", "dOps", {}, "Opus"},
  };
  for (const auto& row : cases) EXPECT_EQ(codec_name(row.entry, {{row.box, row.config}}), row.name);
}

}  // namespace
}  // namespace stoa::check
