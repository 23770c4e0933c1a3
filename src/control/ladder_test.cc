#include "control/ladder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"
#include "media/codec.h"
#include "media/codec_vectors.h"

namespace stoa::control {
namespace {

using media::Codec;
using media::Rung;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

enum Profile : std::uint8_t { kBaseline = 66, kMain = 77, kExtended = 88, kHigh = 100, kHigh10 = 110 };

SourceTrack video(std::uint32_t width, std::uint32_t height, std::uint32_t rate, Codec codec = Codec::kH264,
                  Profile profile = kHigh) {
  media::Format format{.codec = codec, .config = SharedBytes(Buffer{1, profile, 0, 31})};
  format.width = width;
  format.height = height;
  format.frame_rate_numerator = rate;
  return {.track = 0, .format = std::make_shared<const media::Format>(format)};
}
SourceTrack sound(media::TrackId track, Codec codec, std::uint32_t channels = 2) {
  media::Format format{.codec = codec, .sample_rate = 48'000, .channels = channels};
  return {.track = track, .format = std::make_shared<const media::Format>(format)};
}
LadderPlan plan(const std::vector<SourceTrack>& tracks, std::string_view ladder = "standard",
                const LadderPlan& before = {}) {
  return plan_ladder(tracks, ladder, {}, before);
}
// "1280x720 720p30".
std::vector<std::string> sizes(const LadderPlan& plan) {
  std::vector<std::string> texts;
  for (const Rung& rung : plan.rungs)
    texts.push_back(std::to_string(rung.width) + "x" + std::to_string(rung.height) + " " + rung.name);
  return texts;
}
std::vector<std::string> names(const std::vector<Rung>& rungs) {
  std::vector<std::string> names;
  for (const Rung& rung : rungs) names.push_back(rung.name);
  return names;
}

TEST(Ladder, has_what_is_below_the_source) {
  EXPECT_THAT(sizes(plan({video(1920, 1080, 60)})),
              ElementsAre("1280x720 720p60", "854x480 480p30", "640x360 360p30", "426x240 240p30"));
  EXPECT_THAT(sizes(plan({video(3840, 2160, 30)})),
              ElementsAre("1920x1080 1080p30", "1280x720 720p30", "854x480 480p30", "640x360 360p30",
                          "426x240 240p30"));
  EXPECT_THAT(sizes(plan({video(640, 360, 25)})), ElementsAre("426x240 240p30"));
  EXPECT_THAT(sizes(plan({video(426, 240, 25)})), IsEmpty());
  EXPECT_THAT(sizes(plan({video(1920, 1080, 60)}, "mobile")),
              ElementsAre("854x480 480p30", "640x360 360p30", "426x240 240p30"));
  EXPECT_THAT(sizes(plan({video(1920, 1080, 60), sound(1, Codec::kOpus)}, "one")),
              ElementsAre("1280x720 720p60"));
  EXPECT_THAT(sizes(plan({video(1920, 1080, 60)}, "off")), IsEmpty());
  EXPECT_THAT(sizes(plan({video(1920, 1080, 60)}, "none of ours")), IsEmpty());
}

TEST(Ladder, may_say_whether_it_goes_by_what_pictures_need) {
  EXPECT_EQ(wants_per_title("standard"), std::nullopt);
  EXPECT_EQ(wants_per_title("standard,per-title=on"), true);
  EXPECT_EQ(wants_per_title("720p30:2500,360p30,per-title=off"), false);
  EXPECT_EQ(sizes(plan({video(1920, 1080, 60)}, "standard,per-title=on")),
            sizes(plan({video(1920, 1080, 60)})));
  EXPECT_THAT(sizes(plan({video(1920, 1080, 60)}, "360p30,per-title=off")), ElementsAre("640x360 360p30"));
  EXPECT_FALSE(is_ladder("off,per-title=on"));
  for (const char* wrong :
       {"per-title=on", ",per-title=on", "standard,per-title=yes", "standard,per-title=on,360p30"})
    EXPECT_FALSE(is_ladder(wrong)) << wrong;
}

TEST(Ladder, keeps_the_shape_of_the_picture) {
  EXPECT_THAT(sizes(plan({video(1080, 1920, 30)})),
              ElementsAre("720x1280 720p30", "480x854 480p30", "360x640 360p30", "240x426 240p30"));
  EXPECT_THAT(sizes(plan({video(1024, 768, 30)})),
              ElementsAre("640x480 480p30", "480x360 360p30", "320x240 240p30"))
      << "720 lines are as good as the source's 768";
  EXPECT_THAT(sizes(plan({video(721, 721, 30)})),
              ElementsAre("480x480 480p30", "360x360 360p30", "240x240 240p30"));
}

TEST(Ladder, makes_square_pixels_of_others) {
  const auto rungs = [](Codec codec, std::string_view config) {
    auto format = media::make_format(codec, media::vectors::shared(config));
    EXPECT_TRUE(format);
    return sizes(plan({{.track = 0, .format = *format}}, "16p30:100,32p30:100,48p30:100"));
  };
  // 64 x 48 of pixels 8:9, shown as 57 x 48.
  EXPECT_THAT(rungs(Codec::kH264, media::vectors::kH264ColourConfig),
              ElementsAre("56x48 48p30", "38x32 32p30", "18x16 16p30"));
  // 64 x 64 of pixels 4:3, shown as 85 x 64: nobody gains by more columns than there are.
  EXPECT_THAT(rungs(Codec::kHevc, media::vectors::kHevc422Config),
              ElementsAre("64x48 48p30", "42x32 32p30", "22x16 16p30"));
}

TEST(Ladder, never_asks_for_more_than_the_source_has) {
  Rng rng(5);
  for (int i = 0; i < 2'000; ++i) {
    const auto side = [&] { return static_cast<std::uint32_t>(rng.below(rng.chance(0.5) ? 5'000 : 300)); };
    const auto codec = static_cast<Codec>(rng.below(4));
    SourceTrack source = video(side(), side(), static_cast<std::uint32_t>(rng.below(130)), codec,
                               rng.chance(0.5) ? kHigh : kHigh10);
    const LadderPlan made = plan({source, sound(1, Codec::kOpus)}, rng.chance(0.5) ? "standard" : "one");
    std::set<std::string> seen;
    for (const Rung& rung : made.rungs) {
      EXPECT_TRUE(seen.insert(rung.name).second);
      EXPECT_LE(rung.name.size(), media::kRungNameBytesMax);
      EXPECT_LE(rung.bitrate_mean, rung.bitrate_max);
      EXPECT_GT(rung.bitrate_mean, 0u);
      if (rung.kind() == media::Kind::kAudio) continue;
      EXPECT_EQ(rung.width % 2 + rung.height % 2, 0u);
      EXPECT_LE(rung.width, source.format->width);
      EXPECT_LE(rung.height, source.format->height);
      EXPECT_GE(std::min(rung.width, rung.height), 16u);
      const double rate = static_cast<double>(rung.frame_rate_numerator) / rung.frame_rate_denominator;
      EXPECT_LE(rate, source.format->frame_rate() > 0 ? source.format->frame_rate() : 60);
    }
    EXPECT_LE(made.rungs.size(), media::kRungsMax);
  }
}

TEST(Ladder, thins_pictures_evenly) {
  const auto rate = [](std::uint32_t of_source, const char* name) {
    const LadderPlan made = plan({video(1920, 1080, of_source)});
    auto rung = std::ranges::find(made.rungs, name, &Rung::name);
    EXPECT_NE(rung, made.rungs.end()) << name;
    return rung == made.rungs.end() ? ""
                                    : std::to_string(rung->frame_rate_numerator) + "/" +
                                          std::to_string(rung->frame_rate_denominator);
  };
  EXPECT_EQ(rate(60, "720p60"), "0/1");
  EXPECT_EQ(rate(60, "480p30"), "60/2");
  EXPECT_EQ(rate(50, "720p60"), "0/1");
  EXPECT_EQ(rate(50, "480p30"), "50/2");
  EXPECT_EQ(rate(120, "720p60"), "120/2");
  EXPECT_EQ(rate(120, "480p30"), "120/4");
  EXPECT_EQ(rate(25, "480p30"), "0/1");
  EXPECT_EQ(rate(0, "720p30"), "30/1") << "nothing is known of the source";
}

TEST(Ladder, has_more_bits_for_more_pictures_and_fewer_than_in_proportion) {
  const LadderPlan slow = plan({video(1920, 1080, 30)}), fast = plan({video(1920, 1080, 60)});
  EXPECT_EQ(slow.rungs[0].bitrate_max, 3'000'000u);
  EXPECT_EQ(fast.rungs[0].bitrate_max, 5'050'000u);
  EXPECT_EQ(fast.rungs[1].bitrate_max, slow.rungs[1].bitrate_max);
  EXPECT_GT(fast.rungs[3].bitrate_max * 9, fast.rungs[0].bitrate_max / 2);
}

TEST(Ladder, makes_a_source_that_few_can_show_into_one_that_all_can) {
  const LadderPlan hevc = plan({video(1920, 1080, 30, Codec::kHevc)});
  EXPECT_EQ(sizes(hevc)[0], "1920x1080 1080p30");
  EXPECT_THAT(hevc.held_back, IsEmpty()) << "who has a decoder may have it";
  EXPECT_EQ(sizes(plan({video(3840, 2160, 30, Codec::kAv1)}))[0], "1920x1080 1080p30");
  EXPECT_EQ(sizes(plan({video(1280, 544, 30, Codec::kVp9)}))[0], "1280x544 544p30");
  for (Profile profile : {kExtended, kHigh10}) {
    const LadderPlan high = plan({video(1280, 720, 30, Codec::kH264, profile)});
    EXPECT_EQ(sizes(high)[0], "1280x720 720p30");
    EXPECT_THAT(high.held_back, ElementsAre(0));
  }
  for (Profile profile : {kBaseline, kMain, kHigh})
    EXPECT_THAT(plan({video(1280, 720, 30, Codec::kH264, profile)}).held_back, IsEmpty());
}

TEST(Ladder, makes_a_source_that_segments_cannot_begin_with_into_one_that_they_can) {
  for (Codec codec : {Codec::kH264, Codec::kHevc}) {
    SourceTrack source = video(640, 360, 30, codec);
    const LadderPlan before = plan({source});
    EXPECT_THAT(before.held_back, IsEmpty());
    source.lacks_keyframes = true;
    const LadderPlan now = plan({source}, "standard", before);
    EXPECT_THAT(names(now.rungs_at_work()), UnorderedElementsAre("360p30", "240p30"));
    EXPECT_THAT(now.held_back, ElementsAre(0));
    EXPECT_THAT(plan({source}, "240p30").held_back, IsEmpty()) << "who names a rung knows why";
    if (codec != Codec::kH264) continue;
    EXPECT_THAT(now.fit_in_real_time, ElementsAre(0));
    SourceTrack large = video(1920, 1080, 30);
    large.lacks_keyframes = true;
    EXPECT_THAT(plan({large}, "mobile").held_back, IsEmpty()) << "480 lines are no substitute";
  }
}

TEST(Ladder, turns_a_source_that_is_to_be_shown_turned) {
  SourceTrack source = video(1280, 720, 30);
  source.orientation = {1, false};
  const LadderPlan turned = plan({source});
  EXPECT_THAT(sizes(turned),
              ElementsAre("720x1280 720p30", "480x854 480p30", "360x640 360p30", "240x426 240p30"));
  EXPECT_THAT(turned.held_back, ElementsAre(0));
  source.orientation = {2, false};
  EXPECT_EQ(sizes(plan({source}))[0], "1280x720 720p30");
  EXPECT_THAT(plan({source}).held_back, ElementsAre(0));
}

TEST(Ladder, makes_sound_for_everybody) {
  const std::vector<SourceTrack> tracks{video(426, 240, 30), sound(1, Codec::kOpus, 1),
                                        sound(2, Codec::kAac, 6), sound(3, Codec::kOpus)};
  const LadderPlan usual = plan(tracks);
  EXPECT_THAT(names(usual.rungs), ElementsAre("aac0", "aac2"));
  EXPECT_EQ(usual.rungs[0].of, 1);
  EXPECT_EQ(usual.rungs[0].bitrate_max, 64'000u);
  EXPECT_THAT(usual.held_back, ElementsAre(1, 3));
  const LadderPlan both = plan_ladder(tracks, "standard", {.wants_opus = true});
  EXPECT_THAT(names(both.rungs), ElementsAre("aac0", "opus1", "aac2"));
  EXPECT_EQ(both.rungs[1].channels, 2u);
  EXPECT_EQ(both.rungs[1].sample_rate, 48'000u);
}

TEST(Ladder, leaves_an_encoders_own_alone) {
  SourceTrack small = video(640, 360, 30);
  small.track = 2;
  EXPECT_THAT(names(plan({video(1920, 1080, 30), sound(1, Codec::kOpus), small}).rungs), ElementsAre("aac0"));
}

TEST(Ladder, lets_rungs_rest_that_the_source_has_no_pictures_for) {
  const LadderPlan large = plan({video(1920, 1080, 30), sound(1, Codec::kOpus)});
  const LadderPlan small = plan({video(640, 480, 30)}, "standard", large);
  EXPECT_EQ(small.rungs, large.rungs) << "players know these, also their sizes";
  EXPECT_THAT(names(small.rungs_at_work()), ElementsAre("360p30", "240p30"));
  EXPECT_THAT(small.held_back, IsEmpty());
  EXPECT_EQ(plan({video(1920, 1080, 30), sound(1, Codec::kOpus)}, "standard", small), large);
  // It begins anew, larger: what is new comes behind.
  const LadderPlan larger = plan({video(3840, 2160, 60)}, "standard", large);
  EXPECT_THAT(names(larger.rungs), ElementsAre("720p30", "480p30", "360p30", "240p30", "aac0", "1080p60"));
  EXPECT_THAT(names(larger.rungs_at_work()), ElementsAre("720p30", "480p30", "360p30", "240p30", "1080p60"));
  for (std::size_t i = 0; i < larger.rungs.size(); ++i) EXPECT_EQ(larger.rungs[i].id, i);
}

TEST(Ladder, stays_within_its_limit_whatever_the_source_does) {
  LadderPlan made;
  for (std::uint32_t height = 200; height < 1'000; height += 20)
    made = plan({video(height * 2, height, 30, Codec::kHevc)}, "standard", made);
  EXPECT_EQ(made.rungs.size(), media::kRungsMax);
}

TEST(Ladder, takes_rungs_by_themselves) {
  const LadderPlan made =
      plan({video(1280, 720, 60), sound(1, Codec::kOpus)}, "360p15:600,720p30:2500,1080p30:9000");
  EXPECT_THAT(sizes(made), ElementsAre("1280x720 720p30", "640x360 360p15", "0x0 aac0"));
  EXPECT_EQ(made.rungs[0].bitrate_max, 2'500'000u);
  EXPECT_EQ(made.rungs[1].frame_rate_denominator, 4u);
}

TEST(Ladder, takes_codecs_and_rates_of_their_own) {
  const LadderPlan made = plan({video(1280, 720, 30)}, "480p30,480p30:av1,480p30:hevc,480p30:700:vp9");
  EXPECT_THAT(sizes(made), ElementsAre("854x480 480p30", "854x480 480p30-av1", "854x480 480p30-hevc",
                                       "854x480 480p30-vp9"));
  EXPECT_EQ(made.rungs[0].bitrate_max, 1'630'000u);
  EXPECT_EQ(made.rungs[1].bitrate_max, 980'000u);
  EXPECT_EQ(made.rungs[1].codec, Codec::kAv1);
  EXPECT_EQ(made.rungs[2].bitrate_max, 1'140'000u);
  EXPECT_EQ(made.rungs[2].rate_factor, 28u);
  EXPECT_EQ(made.rungs[3].bitrate_max, 700'000u);
  EXPECT_EQ(plan({video(1280, 720, 25)}, "480p30,480p30:av1,480p30:hevc,480p30:700:vp9", made), made);
}

TEST(Ladder, knows_what_is_one) {
  for (const char* good : {"off", "one", "standard", "mobile", "720p30:2500", "720p30:2500,360p15:600",
                           "720p30", "720p30:av1", "720p30:2500:hevc,720p30:2500:h264"})
    EXPECT_TRUE(is_ladder(good)) << good;
  for (const char* bad : {"",
                          "Standard",
                          "720p",
                          "720p30:",
                          "720p30:AV1",
                          "720p30:2500:",
                          "720p30:av1:2500",
                          "720p30:h264,720p30",
                          "720p30:2500,",
                          ",720p30:2500",
                          "720p0:2500",
                          "721p30:2500",
                          "720p30:49",
                          "720p30:100001",
                          "14p30:2500",
                          "4322p30:2500",
                          "720p121:2500",
                          "720p30:2500 ",
                          "720p30:2500,720p60:4000",
                          "-720p30:2500",
                          "99999999999p30:2500"})
    EXPECT_FALSE(is_ladder(bad)) << bad;
  std::string many = "100p30:100";
  for (int side = 102; side < 124; side += 2) many += "," + std::to_string(side) + "p30:100";
  EXPECT_TRUE(is_ladder(many));
  EXPECT_FALSE(is_ladder(many + ",200p30:100"));
}

}  // namespace
}  // namespace stoa::control
