#include "live/playlist.h"

#include <gtest/gtest.h>

#include "check/rendition_rules.h"
#include "live/test_source.h"
#include "media/codec.h"
#include "media/codec_vectors.h"
#include "proto/m3u8/playlist.h"

namespace stoa::live {
namespace {

TEST(Playlist, is_written_as_the_specification_draws_it) {
  Segment segment{.media_sequence_number = 7, .init_number = 1, .has_discontinuity = true};
  segment.program_date_time = WallTime::from_us(1'800'000'000'250'000);
  Part part{.number = 20, .duration = Duration::milliseconds(333), .is_independent = true};
  SegmentLines first, second;
  write_segment_start("v0", segment, true, first);
  write_part("v0", part, first);
  segment.duration = Duration::milliseconds(333);
  write_segment_end("v0", segment, first);
  segment = {.media_sequence_number = 8,
             .init_number = 1,
             .program_date_time = WallTime::from_seconds(1'800'000'001)};
  write_segment_start("v0", segment, false, second);
  part = {.number = 21, .duration = Duration::milliseconds(100), .is_gap = true};
  write_part("v0", part, second);
  const SegmentLines* lines[] = {&first, &second};
  RenditionReport report{"a0", 8, 0};
  MediaPlaylist playlist{.name = "v0",
                         .limits = {Duration::milliseconds(334), 4},
                         .media_sequence = 7,
                         .discontinuity_sequence = 2,
                         .segments = lines,
                         .next_part_number = 22,
                         .reports = {&report, 1}};
  EXPECT_EQ(write_media_playlist(playlist, 0),
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:4\n"
            "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.002,HOLD-BACK=12.000,CAN-SKIP-UNTIL="
            "24.000\n"
            "#EXT-X-PART-INF:PART-TARGET=0.334\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n"
            "#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI=\"v0/i1.mp4\"\n"
            "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:00.250Z\n"
            "#EXT-X-PART:DURATION=0.33300,URI=\"v0/p20.m4s\",INDEPENDENT=YES\n"
            "#EXTINF:0.33300,\nv0/s7.m4s\n"
            "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:01.000Z\n"
            "#EXT-X-PART:DURATION=0.10000,URI=\"v0/p21.m4s\",GAP=YES\n"
            "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"v0/p22.m4s\"\n"
            "#EXT-X-RENDITION-REPORT:URI=\"a0.m3u8\",LAST-MSN=8,LAST-PART=0\n");
  playlist.first_with_parts = 1;
  std::string delta = write_media_playlist(playlist, 1);
  EXPECT_TRUE(delta.starts_with("#EXTM3U\n#EXT-X-VERSION:9\n")) << delta;
  EXPECT_NE(
      delta.find("#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-DISCONTINUITY-SEQUENCE:2\n#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n"
                 "#EXT-X-PROGRAM-DATE-TIME:2027-01-15T08:00:01.000Z\n"),
      std::string::npos);
  playlist.has_ended = true;
  std::string ended = write_media_playlist(playlist, 0);
  EXPECT_TRUE(ended.ends_with("#EXT-X-ENDLIST\n"));
  EXPECT_EQ(ended.find("PRELOAD-HINT"), std::string::npos);
}

TEST(Playlist, announces_a_new_map_with_the_part_that_needs_it) {
  SegmentLines line;
  const SegmentLines* lines[] = {&line};
  MediaPlaylist playlist{
      .name = "v0", .segments = lines, .next_part_number = 3, .hints_map = true, .next_init_number = 2};
  EXPECT_NE(write_media_playlist(playlist, 0)
                .find("#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"v0/"
                      "i2.mp4\"\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"v0/p3.m4s\"\n"),
            std::string::npos);
}

TEST(Multivariant, names_every_codec_and_group_member) {
  auto video = testing::video_format();
  auto audio = testing::audio_format();
  VariantFacts videos[] = {{.name = "v0",
                            .format = video.get(),
                            .frame_rate = 30,
                            .bandwidth = 2'000'000,
                            .average_bandwidth = 1'500'000}};
  VariantFacts audios[] = {{.name = "a0",
                            .label = "Said \"so\"\n",
                            .language = "en",
                            .format = audio.get(),
                            .bandwidth = 130'000,
                            .average_bandwidth = 128'000},
                           {.name = "a1",
                            .language = "not a language",
                            .format = audio.get(),
                            .bandwidth = 130'000,
                            .average_bandwidth = 128'000}};
  EXPECT_EQ(write_multivariant("b7", videos, audios),
            "#EXTM3U\n"
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Said "
            "so\",LANGUAGE=\"en\",DEFAULT=YES,AUTOSELECT=YES,"
            "CHANNELS=\"2\",URI=\"b7/a0.m3u8\"\n"
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Audio 2\",DEFAULT=NO,AUTOSELECT=YES,"
            "CHANNELS=\"2\",URI=\"b7/a1.m3u8\"\n"
            "#EXT-X-STREAM-INF:BANDWIDTH=2130000,AVERAGE-BANDWIDTH=1628000,CODECS=\"avc1.64001f,mp4a.40.2\","
            "RESOLUTION=1280x720,FRAME-RATE=30.000,VIDEO-RANGE=SDR,CLOSED-CAPTIONS=NONE,AUDIO=\"audio\"\n"
            "b7/v0.m3u8\n");
}

// What the judge of `stoa check-hls` has against a multivariant playlist.
std::string faults_of(std::string_view text) {
  auto parsed = m3u8::parse_multivariant(text);
  EXPECT_TRUE(parsed.problems.empty());
  check::Ledger ledger;
  check::judge_multivariant("index.m3u8", parsed.playlist, ledger);
  std::string faults;
  for (const auto& result : ledger.results())
    if (result.verdict == check::Verdict::kFail || result.verdict == check::Verdict::kWarn)
      faults += result.evidence + "\n";
  return faults;
}

std::vector<std::string> uris_of(std::string_view text) {
  std::vector<std::string> uris;
  for (const auto& variant : m3u8::parse_multivariant(text).playlist.variants) uris.push_back(variant.uri);
  return uris;
}

class Ladder : public ::testing::Test {
 protected:
  VariantFacts facts(std::string_view name, const media::Format& format, std::uint64_t bandwidth) {
    return {.name = name, .format = &format, .bandwidth = bandwidth, .average_bandwidth = bandwidth};
  }
  std::shared_ptr<const media::Format> picture_ = testing::video_format(), sound_ = testing::audio_format();
  VariantFacts videos_[3] = {facts("240p", *picture_, 400'000), facts("v0", *picture_, 6'000'000),
                             facts("480p", *picture_, 1'200'000)};
  VariantFacts audios_[2] = {facts("a0", *sound_, 130'000), facts("a1", *sound_, 70'000)};
};

TEST_F(Ladder, stands_in_falling_bandwidth_whatever_the_order_of_tracks) {
  std::string text = write_multivariant("b", videos_, {audios_, 1});
  EXPECT_EQ(uris_of(text), (std::vector<std::string>{"b/v0.m3u8", "b/480p.m3u8", "b/240p.m3u8"}));
  EXPECT_EQ(faults_of(text), "");
}

TEST_F(Ladder, ends_with_sound_alone_where_it_is_offered) {
  for (std::size_t tracks : {1u, 2u}) {
    std::string text = write_multivariant("b", {videos_, 2}, {audios_, tracks}, {.offers_sound_alone = true});
    EXPECT_EQ(uris_of(text), (std::vector<std::string>{"b/v0.m3u8", "b/240p.m3u8", "b/a0.m3u8"}));
    EXPECT_TRUE(
        text.ends_with("#EXT-X-STREAM-INF:BANDWIDTH=130000,AVERAGE-BANDWIDTH=130000,"
                       "CODECS=\"mp4a.40.2\",CLOSED-CAPTIONS=NONE,AUDIO=\"audio\"\nb/a0.m3u8\n"))
        << text;
    EXPECT_EQ(faults_of(text), "");
  }
}

TEST_F(Ladder, has_no_sound_alone_without_sound_and_has_it_once_without_pictures) {
  std::string text = write_multivariant("b", videos_, {}, {.offers_sound_alone = true});
  EXPECT_EQ(text.find("a0"), std::string::npos);
  EXPECT_EQ(faults_of(text), "");
  for (std::size_t tracks : {1u, 2u}) {
    text = write_multivariant("b", {}, {audios_, tracks}, {.offers_sound_alone = true});
    EXPECT_EQ(text, write_multivariant("b", {}, {audios_, tracks}));
    EXPECT_EQ(uris_of(text), std::vector<std::string>{"b/a0.m3u8"});
    EXPECT_EQ(faults_of(text), "");
  }
}

TEST(Multivariant, tells_the_range_of_brightness) {
  for (auto [config, range] : {std::pair{media::vectors::kHevcMain10Config, "VIDEO-RANGE=PQ"},
                               std::pair{media::vectors::kHevcHighTierConfig, "VIDEO-RANGE=HLG"},
                               std::pair{media::vectors::kHevcMainConfig, "VIDEO-RANGE=SDR"}}) {
    auto format = media::make_format(media::Codec::kHevc, media::vectors::shared(config));
    ASSERT_TRUE(format);
    VariantFacts video{.name = "v0", .format = format->get(), .bandwidth = 1, .average_bandwidth = 1};
    EXPECT_NE(write_multivariant("b", {&video, 1}, {}).find(range), std::string::npos) << range;
  }
}

TEST(PartTarget, lets_whole_frames_fill_it) {
  auto choose = [](std::int64_t wanted_ms, std::vector<Duration> frames) {
    return choose_part_target(Duration::milliseconds(wanted_ms), frames).ms();
  };
  EXPECT_EQ(choose(333, {Duration::from_ticks(1, 30)}), 334);
  EXPECT_EQ(choose(333, {Duration::from_ticks(1, 30), Duration::from_ticks(1'024, 48'000)}), 334);
  EXPECT_EQ(choose(200, {Duration::from_ticks(1, 25)}), 200);
  EXPECT_EQ(choose(334, {Duration::seconds(1)}), 1'000);
  EXPECT_EQ(choose(334, {}), 334);
  for (int fps = 1; fps <= 120; ++fps) {
    Duration frame = Duration::from_ticks(1, fps);
    Duration target = choose_part_target(Duration::milliseconds(334), {&frame, 1});
    EXPECT_GE(frame * (target / frame) * 100, target * 85) << fps;
  }
}

}  // namespace
}  // namespace stoa::live
