#include "work/video_ladder.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;
using testing::ElementsAre;

media::Rung rung(media::RungId id, std::uint32_t width, std::uint32_t height, std::uint32_t rate = 0) {
  return {.id = id,
          .name = "test",
          .bitrate_max = 2'000'000,
          .rate_factor = 23,
          .width = width,
          .height = height,
          .frame_rate_numerator = rate};
}
const VideoLadderConfig kConfig{.preset = "ultrafast"};

// What came of one rung.
struct Made {
  std::vector<std::shared_ptr<const media::Format>> formats;
  std::vector<media::Frame> frames;
  std::vector<Duration> missed;
  std::vector<EncodeRefusal> ends;

  std::vector<Duration> times() const {
    std::vector<Duration> times;
    for (const media::Frame& frame : frames) times.push_back(frame.pts);
    return times;
  }
  std::set<Duration> keyframes() const {
    std::set<Duration> times;
    for (const media::Frame& frame : frames) {
      if (frame.is_keyframe) times.insert(frame.pts);
    }
    return times;
  }
};

// Takes outputs as the worker's writer does: on a thread of its own, until there are no more.
class Taker {
 public:
  explicit Taker(VideoLadder& ladder)
      : thread_([this, &ladder] {
          while (auto output = ladder.take_output()) {
            std::visit(
                Overloaded{[&](RungFormat& format) { made_[format.rung].formats.push_back(format.format); },
                           [&](RungFrame& frame) { made_[frame.rung].frames.push_back(frame.frame); },
                           [&](RungCutMissed& cut) { made_[cut.rung].missed.push_back(cut.at); },
                           [&](RungFellBack&) {},
                           [&](RungEnded& end) { made_[end.rung].ends.push_back(end.why); }},
                *output);
          }
        }) {}
  std::map<media::RungId, Made> wait() {
    thread_.join();
    return std::move(made_);
  }

 private:
  std::map<media::RungId, Made> made_;
  std::jthread thread_;
};

// Gives the frames, and each cut before the first frame with its dts, as the channel does.
void feed(VideoLadder& ladder, const std::vector<media::Frame>& frames, const std::vector<Duration>& cuts) {
  auto cut = cuts.begin();
  for (const media::Frame& frame : frames) {
    for (; cut != cuts.end() && *cut <= frame.dts; ++cut) ladder.handle_cut(*cut);
    (void)ladder.handle_frame(frame);
  }
  ladder.finish();
}
std::set<Duration> first_at(const std::vector<Duration>& shown, const std::vector<Duration>& cuts) {
  std::set<Duration> first;
  for (Duration cut : cuts) first.insert(*std::ranges::lower_bound(shown, cut - Duration::milliseconds(1)));
  return first;
}

struct Source {
  const char* name;
  ClipSpec spec;
};
class Ladders : public testing::TestWithParam<Source> {};

TEST_P(Ladders, cut_all_rungs_at_the_same_pictures_and_keep_all_times) {
  Clip clip = make_clip(GetParam().spec);
  // At keyframes of the source, between them, and off its frames.
  std::vector<Duration> cuts{clip.frames[0].dts, clip.frames[30].dts, clip.frames[47].dts,
                             clip.frames[81].dts + Duration::milliseconds(7), clip.frames[90].dts};
  std::vector<media::Rung> rungs{rung(0, 128, 72), rung(1, 64, 36), rung(4, 96, 54)};
  VideoLadder ladder(clip.format, rungs, kConfig);
  Taker taker(ladder);
  feed(ladder, clip.frames, cuts);
  auto made = taker.wait();

  EXPECT_EQ(made.size(), 3u);
  // The first cut is a time of decoding; with B-frames what is shown at it is the first picture all the same.
  std::set<Duration> expected = first_at(clip.shown, cuts);
  ASSERT_EQ(expected.size(), cuts.size());
  for (const media::Rung& asked : rungs) {
    Made& rung = made[asked.id];
    EXPECT_EQ(rung.times(), clip.shown);
    EXPECT_EQ(rung.keyframes(), expected);
    EXPECT_TRUE(rung.missed.empty());
    ASSERT_EQ(rung.formats.size(), 1u);
    EXPECT_EQ(rung.formats[0]->width, asked.width);
    EXPECT_EQ(rung.formats[0]->height, asked.height);
    std::vector<Image> images = decode_all(rung.formats[0], rung.frames);
    ASSERT_EQ(images.size(), clip.shown.size());
    for (std::size_t number = 0; number < images.size(); ++number) {
      ASSERT_EQ(number_of(*images[number].pixels), static_cast<int>(number));
      ASSERT_EQ(images[number].pixels->width, static_cast<int>(asked.width));
    }
  }
  EXPECT_EQ(ladder.decoder_counts().units_refused, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Sources, Ladders,
    testing::Values(Source{"plain", {.pictures = 120}}, Source{"b_frames", {.pictures = 120, .b_frames = 3}},
                    Source{"one_b_frame", {.pictures = 120, .b_frames = 1}},
                    Source{"variable", {.pictures = 120, .is_variable = true}},
                    Source{"variable_b_frames", {.pictures = 120, .b_frames = 2, .is_variable = true}},
                    Source{"open_group", {.pictures = 120, .b_frames = 3, .parameters = ":open-gop=1"}}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(VideoLadder, halves_the_rate_of_one_rung_and_cuts_both_at_the_same_pictures) {
  Clip clip = make_clip({.pictures = 120, .rate = 60, .b_frames = 2});
  std::vector<Duration> cuts{clip.frames[0].dts, clip.frames[31].dts, clip.frames[90].dts};
  VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72), rung(1, 64, 36, 30)}, kConfig);
  Taker taker(ladder);
  feed(ladder, clip.frames, cuts);
  auto made = taker.wait();
  EXPECT_EQ(made[0].keyframes(), first_at(clip.shown, cuts));
  EXPECT_EQ(made[1].keyframes(), made[0].keyframes());
  EXPECT_EQ(made[0].frames.size(), 120u);
  EXPECT_NEAR(static_cast<double>(made[1].frames.size()), 60, 2);
  EXPECT_EQ(made[1].formats.at(0)->frame_rate(), 30);
}

TEST(VideoLadder, thins_a_variable_rate_from_each_cut_on) {
  Clip clip = make_clip({.pictures = 240, .rate = 60, .is_variable = true});
  std::vector<Duration> cuts{clip.frames[0].dts, clip.frames[77].dts, clip.frames[150].dts};
  VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72), rung(1, 64, 36, 30)}, kConfig);
  Taker taker(ladder);
  feed(ladder, clip.frames, cuts);
  auto made = taker.wait();
  EXPECT_EQ(made[0].times(), clip.shown);
  EXPECT_EQ(made[1].keyframes(), first_at(clip.shown, cuts));
  std::vector<Duration> thinned = made[1].times();
  EXPECT_TRUE(std::ranges::includes(clip.shown, thinned));
  double seconds = (clip.shown.back() - clip.shown.front()).as_seconds();
  EXPECT_NEAR(static_cast<double>(thinned.size()) / seconds, 30, 3);
}

TEST(VideoLadder, says_of_each_frame_which_of_the_source_it_was_made_of) {
  Clip clip = make_clip({.b_frames = 3});
  VideoLadder ladder(clip.format, std::vector{rung(0, 64, 36)}, kConfig);
  std::jthread feeder([&] {
    ladder.handle_cut({});
    for (std::size_t i = 0; i < clip.frames.size(); ++i) (void)ladder.handle_frame(clip.frames[i], {i, {}});
    ladder.finish();
  });
  int frames = 0;
  while (auto output = ladder.take_output()) {
    auto* made = std::get_if<RungFrame>(&*output);
    if (made == nullptr) continue;
    ++frames;
    EXPECT_EQ(clip.frames.at(made->origin.number).pts, made->frame.pts);
  }
  EXPECT_EQ(frames, 60);
}

TEST(VideoLadder, goes_on_at_the_next_keyframe_behind_garbage) {
  Clip clip = make_clip({.pictures = 90, .keyframe_every = 30});
  std::vector<Duration> cuts{clip.frames[0].dts, clip.frames[30].dts, clip.frames[60].dts};
  clip.frames[40].payload = SharedBytes(Buffer(500, 0xa5));
  VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72), rung(1, 64, 36)}, kConfig);
  Taker taker(ladder);
  feed(ladder, clip.frames, cuts);
  auto made = taker.wait();
  std::vector<Duration> expected = clip.shown;
  expected.erase(expected.begin() + 40, expected.begin() + 60);
  for (media::RungId id : {0, 1}) {
    EXPECT_EQ(made[id].times(), expected);
    EXPECT_EQ(made[id].keyframes(), first_at(clip.shown, cuts));
  }
  EXPECT_EQ(ladder.decoder_counts().units_refused, 1u);
  EXPECT_EQ(ladder.decoder_counts().units_left_out, 19u);
  EXPECT_EQ(ladder.decoder_counts().pictures, 70u);
}

TEST(VideoLadder, keeps_its_rungs_when_the_source_changes_its_size) {
  Clip first = make_clip({.pictures = 30, .b_frames = 2}),
       second = make_clip({.width = 320, .height = 180, .pictures = 30});
  Duration later = first.shown.back() + Duration::milliseconds(33);
  for (media::Frame& frame : second.frames) frame.dts += later, frame.pts += later;
  VideoLadder ladder(first.format, std::vector{rung(0, 128, 72), rung(1, 64, 36)}, kConfig);
  Taker taker(ladder);
  ladder.handle_cut({});
  for (const media::Frame& frame : first.frames) ASSERT_TRUE(ladder.handle_frame(frame));
  ladder.handle_format(second.format);
  feed(ladder, second.frames, {later});
  auto made = taker.wait();
  for (media::RungId id : {0, 1}) {
    EXPECT_EQ(made[id].frames.size(), 60u);
    EXPECT_EQ(made[id].formats.size(), 1u);
    EXPECT_EQ(made[id].keyframes(), (std::set{first.shown[0], later}));
    EXPECT_EQ(decode_all(made[id].formats[0], made[id].frames).size(), 60u);
  }
  EXPECT_EQ(ladder.decoder_counts().units, 60u);
  EXPECT_EQ(ladder.decoder_counts().pictures, 60u);
}

TEST(VideoLadder, makes_rungs_of_odd_sources) {
  struct Row {
    const char* name;
    ClipSpec spec;
    std::uint8_t quarter_turns;
    int left, top;  // Bars.
  };
  const std::vector<Row> rows{
      Row{"interlaced", {.width = 160, .height = 96, .parameters = ":tff=1:sar=16/15"}, 0, 0, 0},
      Row{"anamorphic", {.width = 96, .height = 72, .parameters = ":sar=4/3"}, 0, 0, 0},
      Row{"narrow", {.width = 96, .height = 72}, 0, 16, 0},
      Row{"turned", {.width = 72, .height = 128}, 1, 0, 0},
      Row{"turned_by_the_bitstream", {.width = 72, .height = 128}, 0, 0, 0},
      Row{"full_range", {.width = 128, .height = 72, .parameters = ":fullrange=on"}, 0, 0, 0}};
  for (const Row& row : rows) {
    Clip clip = make_clip(row.spec);
    bool says_turn = row.name == std::string("turned_by_the_bitstream");
    if (says_turn) clip = with_orientation(clip, 270);
    bool is_interlaced = row.name == std::string("interlaced");
    ASSERT_EQ(decode_all(clip.format, clip.frames)[5].pixels->interlaced_frame, is_interlaced);
    std::vector<Duration> cuts{clip.frames[0].dts, clip.frames[31].dts};
    VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72), rung(1, 64, 36)}, kConfig);
    Taker taker(ladder);
    std::size_t cut = 0;
    for (std::size_t i = 0; i < clip.frames.size(); ++i) {
      if (cut < cuts.size() && cuts[cut] <= clip.frames[i].dts) ladder.handle_cut(cuts[cut++]);
      ASSERT_TRUE(ladder.handle_frame(clip.frames[i], {i, {}, row.quarter_turns}));
    }
    ladder.finish();
    auto made = taker.wait();
    for (media::RungId id : {0, 1}) {
      EXPECT_EQ(made[id].times(), clip.shown) << row.name;
      EXPECT_EQ(made[id].keyframes(), first_at(clip.shown, cuts)) << row.name;
    }
    std::vector<Image> images = decode_all(made[0].formats.at(0), made[0].frames);
    const AVFrame& last = *images.back().pixels;
    EXPECT_EQ(last.color_range, AVCOL_RANGE_MPEG) << row.name;
    EXPECT_EQ(last.interlaced_frame, 0) << row.name;
    int left = 0;
    while (left < 64 && luma_at(last, left, 40) < 24) ++left;
    EXPECT_NEAR(left, row.left, 1) << row.name;
    // 59, whose bits are in the upper half, or at the right when it is turned.
    bool is_turned = row.quarter_turns == 1 || says_turn;
    auto block = [&](int bit) {
      int along = 2 * bit + 1, of = 2 * kNumberBits;
      return is_turned ? luma_at(last, 96, along * 72 / of)
                       : luma_at(last, left + along * (128 - 2 * left) / of, 18);
    };
    int dark = row.name == std::string("full_range") ? 16 + 40 * 219 / 255 : 40;
    for (int bit = 0; bit < 6; ++bit) EXPECT_NEAR(block(bit), bit == 2 ? dark : 194, 10) << row.name << bit;
  }
}

TEST(VideoLadder, lets_times_rise_over_a_change_of_the_source) {
  // The last pictures of the one are shown after the first of the other, as when a standby takes over.
  Clip first = make_clip({.pictures = 30, .b_frames = 3}), second = make_clip({.pictures = 30});
  Duration later = first.shown[28];
  for (media::Frame& frame : second.frames) frame.dts += later, frame.pts += later;
  VideoLadder ladder(first.format, std::vector{rung(0, 128, 72)}, kConfig);
  Taker taker(ladder);
  ladder.handle_cut({});
  for (const media::Frame& frame : first.frames) ASSERT_TRUE(ladder.handle_frame(frame));
  ladder.handle_format(second.format);
  feed(ladder, second.frames, {});
  std::vector<Duration> times = taker.wait()[0].times();
  EXPECT_TRUE(std::ranges::adjacent_find(times, std::ranges::greater_equal()) == times.end());
  EXPECT_EQ(times.size(), 58u);
  EXPECT_EQ(ladder.decoder_counts().pictures_late, 2u);
}

TEST(VideoLadder, shows_nothing_over_a_break) {
  // Of the first some are shown behind the break, of the second one before it.
  Clip first = make_clip({.pictures = 30, .b_frames = 3}), second = make_clip({.pictures = 30});
  Duration at = first.shown[28];
  for (media::Frame& frame : second.frames) frame.dts += first.shown[27], frame.pts += first.shown[27];
  VideoLadder ladder(first.format, std::vector{rung(0, 128, 72)}, kConfig);
  Taker taker(ladder);
  ladder.handle_cut({});
  for (const media::Frame& frame : first.frames) ASSERT_TRUE(ladder.handle_frame(frame));
  ladder.handle_cut(at, true);
  ladder.handle_format(second.format);
  feed(ladder, second.frames, {});
  Made made = taker.wait()[0];
  EXPECT_EQ(made.times().size(), 28u + 29u);
  EXPECT_EQ(made.keyframes(), (std::set{first.shown[0], first.shown[27] + second.shown[1]}));
  std::vector<Image> images = decode_all(made.formats.at(0), made.frames);
  for (std::size_t i = 0; i < images.size(); ++i)
    ASSERT_EQ(number_of(*images[i].pixels), static_cast<int>(i < 28 ? i : i - 27)) << i;
}

TEST(VideoLadder, goes_on_decoding_over_a_break_in_time_alone) {
  Clip clip = make_clip({.pictures = 60, .b_frames = 2, .keyframe_every = 60});
  Duration later = Duration::seconds(5), at = clip.frames[31].dts + later;
  for (std::size_t i = 31; i < 60; ++i) clip.frames[i].dts += later, clip.frames[i].pts += later;
  VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72)}, kConfig);
  Taker taker(ladder);
  ladder.handle_cut({});
  for (std::size_t i = 0; i < 60; ++i) {
    if (i == 31) ladder.handle_cut(at, true);
    ASSERT_TRUE(ladder.handle_frame(clip.frames[i]));
  }
  ladder.finish();
  Made made = taker.wait()[0];
  EXPECT_EQ(made.keyframes().size(), 2u);
  EXPECT_EQ(made.times().size(), 60u);
}

TEST(VideoLadder, changes_its_rungs_while_others_go_on) {
  Clip clip = make_clip({.pictures = 120, .b_frames = 2, .keyframe_every = 120});
  std::vector<Duration> cuts{clip.frames[0].dts, clip.frames[30].dts, clip.frames[60].dts,
                             clip.frames[90].dts};
  media::Rung fewer_bits = rung(1, 64, 36);
  fewer_bits.bitrate_max = 300'000, fewer_bits.rate_factor = 30;
  VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72), rung(1, 64, 36), rung(2, 32, 18)}, kConfig);
  Taker taker(ladder);
  std::size_t cut = 0;
  for (std::size_t i = 0; i < clip.frames.size(); ++i) {
    if (cut < cuts.size() && cuts[cut] <= clip.frames[i].dts) ladder.handle_cut(cuts[cut++]);
    if (i == 40) ladder.set_rungs(std::vector{rung(0, 128, 72), fewer_bits});
    if (i == 70) ladder.set_rungs(std::vector{rung(0, 128, 72), fewer_bits, rung(2, 32, 18)});
    if (i == 100) ladder.set_rungs(std::vector{rung(3, 48, 28)});  // None that was before.
    ASSERT_TRUE(ladder.handle_frame(clip.frames[i]));
  }
  ladder.handle_cut(clip.shown.back() + Duration::seconds(1));
  ladder.finish();
  auto made = taker.wait();
  std::set<Duration> expected = first_at(clip.shown, cuts);
  std::vector<Duration> until_last = clip.shown;
  for (media::RungId id : {0, 1}) {
    EXPECT_EQ(made[id].keyframes(), expected);
    EXPECT_EQ(made[id].formats.size(), 1u);
    // To the end but for what waited for the encoder then.
    std::vector<Duration> times = made[id].times();
    EXPECT_GE(times.size(), 100u - 3 - kConfig.pictures_max - 1);
    EXPECT_TRUE(std::ranges::equal(times, std::span(clip.shown).first(times.size())));
    EXPECT_EQ(decode_all(made[id].formats.at(0), made[id].frames).size(), times.size());
  }
  // It went, and came again with the next cut.
  EXPECT_EQ(made[2].formats.size(), 2u);
  std::vector<Duration> cuts_of_last{cuts[0], cuts[1], cuts[3]};
  EXPECT_EQ(made[2].keyframes(), first_at(clip.shown, cuts_of_last));
  EXPECT_TRUE(made[3].frames.empty());
}

TEST(VideoLadder, loses_one_rung_and_keeps_the_others) {
  Clip clip = make_clip({});
  VideoLadder ladder(clip.format, std::vector{rung(0, 127, 72), rung(1, 64, 36)}, kConfig);
  Taker taker(ladder);
  feed(ladder, clip.frames, {clip.frames[0].dts});
  auto made = taker.wait();
  EXPECT_THAT(made[0].ends, ElementsAre(EncodeRefusal::kRung));
  EXPECT_TRUE(made[0].frames.empty());
  EXPECT_EQ(made[1].frames.size(), 60u);
}

TEST(VideoLadder, makes_who_feeds_it_wait_while_nothing_is_taken) {
  Clip clip = make_clip({.pictures = 200});
  VideoLadderConfig config = kConfig;
  config.pictures_max = 2, config.outputs_max = 3;
  VideoLadder ladder(clip.format, std::vector{rung(0, 64, 36)}, config);
  std::atomic<int> fed = 0;
  std::atomic<bool> is_done = false;
  std::jthread feeder([&] {
    ladder.handle_cut({});
    for (const media::Frame& frame : clip.frames) (void)ladder.handle_frame(frame), ++fed;
    ladder.finish();
    is_done = true;
  });
  // Each that is taken lets in one more: what is inside is never more than the queues and a hand at each end.
  int taken = 0;
  while (auto output = ladder.take_output()) {
    ++taken;
    ASSERT_LE(fed.load(), taken + 2 + 3 + 3);
    ASSERT_TRUE(taken > 180 || !is_done);
  }
  EXPECT_EQ(taken, 201);  // And the format.
}

TEST(VideoLadder, may_end_with_work_on_its_way) {
  Clip clip = make_clip({.b_frames = 3});
  VideoLadderConfig config = kConfig;
  config.outputs_max = 1;
  for (int frames : {0, 1, 5}) {
    VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72), rung(1, 64, 36)}, config);
    ladder.handle_cut({});
    for (int at = 0; at < frames; ++at) (void)ladder.handle_frame(clip.frames[static_cast<std::size_t>(at)]);
  }
}

TEST(VideoLadder, lets_go_who_waits_when_it_is_dropped) {
  Clip clip = make_clip({.pictures = 200});
  VideoLadder ladder(clip.format, std::vector{rung(0, 128, 72)}, kConfig);
  std::jthread feeder([&] {
    ladder.handle_cut({});
    for (const media::Frame& frame : clip.frames) (void)ladder.handle_frame(frame);
  });
  std::atomic<int> taken = 0;
  std::jthread taker([&] {
    while (ladder.take_output()) ++taken, taken.notify_one();
  });
  taken.wait(0);
  ladder.drop();
  feeder.join();
  taker.join();
  EXPECT_FALSE(ladder.take_output());
}

// A clip of another codec: pictures that say their number, the first of every 30 a keyframe.
Clip make_other_clip(media::Codec codec, int pictures) {
  VideoEncoderConfig config{.preset = "ultrafast"};
  config.rung.codec = codec;
  config.rung.width = 128, config.rung.height = 72, config.rung.bitrate_max = 2'000'000,
  config.rung.rate_factor = 20;
  auto encoder = make_video_encoder(config);
  Clip clip{(*encoder)->format(), {}, {}};
  for (int number = 0; number < pictures; ++number) {
    clip.shown.push_back(Duration::from_ticks(number, 30));
    clip.frames.push_back(*(*encoder)->encode(draw(128, 72, number, clip.shown.back()), number % 30 == 0));
  }
  return clip;
}

TEST(VideoLadder, makes_rungs_of_any_codec_of_sources_of_any_codec) {
  using enum media::Codec;
  for (media::Codec of : {kH264, kHevc, kVp9, kAv1}) {
    Clip clip = make_other_clip(of, 50);
    std::vector<Duration> cuts{clip.frames[0].dts, clip.frames[20].dts};
    std::vector<media::Rung> rungs;
    for (media::Codec codec : {kH264, kHevc, kVp9, kAv1}) {
      rungs.push_back(rung(static_cast<media::RungId>(rungs.size()), 64, 36));
      rungs.back().codec = codec;
    }
    VideoLadderConfig config = kConfig;
    config.threads = of == kH264 ? 8 : 1;  // Two for each, or one.
    VideoLadder ladder(clip.format, rungs, config);
    Taker taker(ladder);
    feed(ladder, clip.frames, cuts);
    auto made = taker.wait();
    for (const media::Rung& asked : rungs) {
      std::string name = std::string(media::name_of(of)) + " to " + media::name_of(asked.codec);
      Made& rung = made[asked.id];
      ASSERT_EQ(rung.formats.size(), 1u) << name;
      EXPECT_EQ(rung.formats[0]->codec, asked.codec);
      EXPECT_EQ(rung.times(), clip.shown) << name;
      EXPECT_EQ(rung.keyframes(), first_at(clip.shown, cuts)) << name;
      std::vector<Image> images = decode_all(rung.formats[0], rung.frames);
      ASSERT_EQ(images.size(), 50u) << name;
      for (std::size_t number = 0; number < images.size(); ++number)
        ASSERT_EQ(number_of(*images[number].pixels), static_cast<int>(number)) << name;
    }
  }
}

TEST(VideoLadder, shares_threads_by_pixels) {
  std::vector rungs{rung(0, 1'920, 1'080), rung(1, 1'280, 720), rung(2, 640, 360)};
  EXPECT_THAT(share_threads(rungs, 1), ElementsAre(1, 1, 1));
  EXPECT_THAT(share_threads(rungs, 2), ElementsAre(1, 1, 1));
  EXPECT_THAT(share_threads(rungs, 4), ElementsAre(3, 1, 1));
  EXPECT_THAT(share_threads(rungs, 16), ElementsAre(10, 5, 1));
  EXPECT_THAT(share_threads(std::span(rungs).first(1), 4), ElementsAre(4));
  EXPECT_TRUE(share_threads({}, 4).empty());
}

TEST(VideoLadder, ends_at_once_without_rungs) {
  Clip clip = make_clip({.pictures = 3});
  VideoLadder ladder(clip.format, {}, kConfig);
  feed(ladder, clip.frames, {});
  EXPECT_FALSE(ladder.take_output());
}

}  // namespace
}  // namespace stoa::work
