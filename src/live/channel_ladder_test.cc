// Renditions that workers make: on the grid of the others, or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_worker.h"

namespace stoa::live {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace stoa::live::testing;

ChannelConfig with_ladder() {
  ChannelConfig config;
  config.ladder_wait = ms(2'500);
  return config;
}

// What segment begins with: the first byte of its first part's media. Frames of a stage are filled with their
// number.
std::optional<std::uint8_t> first_byte(const Segment& segment) {
  if (segment.parts.empty() || segment.parts.front().is_gap) return {};
  const std::string_view body = segment.parts.front().body.text();
  const std::size_t at = body.find("mdat");
  return static_cast<std::uint8_t>(body.at(at + 4));
}

// All segments of all renditions that are listed begin and end at the same times, and those of pictures with
// the same picture. Counts those that were compared.
// `is_rough`: at breaks, where holes that samples bridge stay as they are, and sound has edges of
// its own.
int compare_segments(const ChannelSnapshot& snapshot, std::string_view with, bool is_rough = false) {
  const Rendition& leader = *snapshot.find_rendition(with);
  int compared = 0;
  for (const auto& rendition : snapshot.renditions) {
    if (rendition->name == with) continue;
    const bool is_video = rendition->format->kind() == media::Kind::kVideo;
    if (!is_video && is_rough) continue;
    for (const auto& segment : rendition->retained) {
      const Segment* other = leader.find_segment(segment->media_sequence_number);
      if (!other || !segment->is_complete || !other->is_complete) continue;
      EXPECT_EQ(segment->has_discontinuity, other->has_discontinuity) << rendition->name;
      const Duration room = is_rough ? ms(400) : is_video ? ms(2) : ms(45);
      EXPECT_LE((segment->start - other->start).abs(), room)
          << rendition->name << segment->media_sequence_number;
      EXPECT_LE((segment->duration - other->duration).abs(), room)
          << rendition->name << segment->media_sequence_number;
      const auto mine = first_byte(*segment), its = first_byte(*other);
      // Where the source has no keyframe a segment of its begins with what is decoded first.
      if (!is_video || !mine || !its || !other->parts.front().is_independent) continue;
      EXPECT_TRUE(segment->parts.front().is_independent) << rendition->name;
      EXPECT_EQ(*mine, *its) << rendition->name << segment->media_sequence_number;
      ++compared;
    }
  }
  return compared;
}

struct Ladder {
  explicit Ladder(ChannelConfig config = with_ladder(), std::uint64_t seed = 1)
      : stage(config, seed),
        worker(stage, {video_rung(0, "360p30"), video_rung(1, "240p30"), audio_rung(2, "aac0")}) {}

  // From the beginning, as when the worker was started as the encoder connected.
  void begin() {
    stage.channel.set_ladder(stage.now, ladder(), stage.out);
    worker.start();
  }
  static std::vector<media::Rung> ladder() {
    return {video_rung(0, "360p30"), video_rung(1, "240p30"), audio_rung(2, "aac0")};
  }

  Stage stage;
  Worker worker;
};

TEST(ChannelLadder, stands_in_step_from_the_first_segment_on) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(40));
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_EQ(one.stage.checker.gap_parts, 0u);
  ASSERT_EQ(one.stage.snapshot->renditions.size(), 5u);
  EXPECT_EQ(one.stage.playlist("360p30").segments.front().msn, 0u);
  EXPECT_GT(compare_segments(*one.stage.snapshot, "v0"), 30);
  const std::string list(one.stage.snapshot->multivariant.text());
  EXPECT_THAT(list, AllOf(HasSubstr("360p30.m3u8"), HasSubstr("240p30.m3u8"), HasSubstr("aac0.m3u8")));
  EXPECT_EQ(one.stage.playlist("240p30").segments.back().parts.size() > 0 ||
                one.stage.playlist("240p30").segments.size() > 15,
            true);
}

TEST(ChannelLadder, is_in_the_first_multivariant_playlist_that_players_see) {
  Ladder one;
  one.stage.connect_av();
  one.worker.run(ms(1'200));  // Without a ladder it would be there.
  EXPECT_TRUE(one.stage.snapshot->multivariant.empty());
  one.begin();
  one.worker.run(ms(800));
  EXPECT_THAT(std::string(one.stage.snapshot->multivariant.text()), HasSubstr("360p30.m3u8"));
  // A worker that was late is told what it missed.
  EXPECT_EQ(one.stage.playlist("360p30").segments.front().msn, 0u);
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelLadder, is_not_waited_for_longer_than_it_may_take) {
  Ladder one;
  one.stage.connect_av();
  one.stage.channel.set_ladder(one.stage.now, Ladder::ladder(), one.stage.out);
  one.stage.run(ms(2'400));
  EXPECT_TRUE(one.stage.snapshot->multivariant.empty());
  one.stage.run(ms(800));
  EXPECT_FALSE(one.stage.snapshot->multivariant.empty());
  // And not at all where there is none.
  Ladder none;
  none.stage.connect_av();
  none.stage.channel.set_ladder(none.stage.now, {}, none.stage.out);
  none.stage.run(ms(1'100));
  EXPECT_FALSE(none.stage.snapshot->multivariant.empty());
}

TEST(ChannelLadder, shows_the_same_picture_where_segments_begin_though_frames_are_reordered) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  encoder.tracks[0].reorder = 2;
  one.begin();
  one.worker.run(seconds(40));
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  EXPECT_GT(compare_segments(*one.stage.snapshot, "v0"), 30);
}

// A jumping clock, an encoder that comes again, a standby, forced cuts, lag: in any order.
class ChannelLadderSeeds : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, ChannelLadderSeeds, ::testing::Range(0, 40));

TEST_P(ChannelLadderSeeds, stays_on_the_grid_whatever_the_source_does) {
  Ladder one(with_ladder(), static_cast<std::uint64_t>(GetParam()) + 1);
  Rng rng(static_cast<std::uint64_t>(GetParam()) * 77 + 5);
  const auto connect = [&](int priority) -> Encoder& {
    Encoder& encoder = one.stage.connect_av(priority);
    encoder.tracks[0].gop = static_cast<int>(30 + 30 * rng.below(6));
    return encoder;
  };
  Encoder* encoder = &connect(0);
  one.worker.delay = ms(static_cast<std::int64_t>(20 + rng.below(600)));
  one.begin();
  for (int step = 0; step < 12; ++step) {
    one.worker.run(ms(static_cast<std::int64_t>(2'000 + rng.below(6'000))));
    switch (rng.below(5)) {
      case 0: encoder->clock_origin += seconds(static_cast<std::int64_t>(rng.below(100))); break;
      case 1:
        one.stage.disconnect(*encoder);
        one.worker.run(ms(static_cast<std::int64_t>(rng.below(4'000))));
        encoder = &connect(0);
        break;
      case 2:
        connect(1);
        one.worker.run(seconds(3));
        one.stage.disconnect(*encoder);
        one.worker.run(seconds(4));
        encoder = &connect(0);
        break;
      case 3:
        one.worker.stop();
        one.worker.run(ms(static_cast<std::int64_t>(rng.below(3'000))));
        one.worker.start();
        break;
      default:
        encoder->held_until =
            one.stage.now - encoder->started + ms(static_cast<std::int64_t>(rng.below(3'000)));
        break;
    }
  }
  one.worker.run(seconds(20));
  // Where a rung walks over several cuts at once the others tell of it with their next part.
  std::erase_if(one.stage.checker.errors,
                [](const std::string& error) { return error.ends_with("L12 old report"); });
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_GT(compare_segments(*one.stage.snapshot, "v0", true), 0);
  // In step again at the end.
  for (const auto& rendition : one.stage.snapshot->renditions)
    EXPECT_NEAR(static_cast<double>(rendition->last_msn),
                static_cast<double>(one.stage.rendition("v0").last_msn), 1)
        << rendition->name;
}

TEST(ChannelLadder, goes_on_in_gaps_while_its_worker_is_gone_and_comes_back) {
  for (const bool is_frozen : {false, true}) {
    Ladder one;
    one.stage.connect_av();
    one.begin();
    one.worker.run(seconds(20));
    if (is_frozen) {
      one.worker.is_frozen = true;
    } else {
      one.worker.stop();
    }
    one.worker.run(seconds(5));
    EXPECT_TRUE(one.stage.playlist("360p30").segments[10].is_complete);
    EXPECT_NEAR(static_cast<double>(one.stage.rendition("360p30").last_msn),
                static_cast<double>(one.stage.rendition("v0").last_msn), 1);
    EXPECT_GT(one.stage.checker.gap_parts, 20u);
    EXPECT_EQ(one.stage.channel.state(), ChannelState::kLive);
    if (is_frozen) one.worker.stop();
    one.worker.is_frozen = false;
    one.worker.start();
    one.worker.run(seconds(3));
    const std::uint64_t gaps = one.stage.checker.gap_parts;
    one.worker.run(seconds(10));
    EXPECT_EQ(one.stage.checker.gap_parts, gaps) << is_frozen;
    EXPECT_THAT(one.stage.checker.errors, IsEmpty());
    EXPECT_THAT(one.worker.refusals, IsEmpty());
    EXPECT_GT(compare_segments(*one.stage.snapshot, "v0"), 20);
  }
}

TEST(ChannelLadder, stops_a_rung_that_breaks_the_grid_and_no_other) {
  struct Case {
    int misses, adds;
    RungRefusal why;
  };
  for (const Case& each : {Case{1, 0, RungRefusal::kMissedCut}, Case{0, 1, RungRefusal::kKeyframeOffGrid}}) {
    Ladder one;
    one.stage.connect_av();
    one.begin();
    one.worker.run(ms(10'300));
    one.worker.misses_cuts = each.misses;
    one.worker.adds_keyframes = each.adds;
    for (int i = 0; i < 50 && one.worker.refusals.empty(); ++i) one.worker.run(ms(50));
    one.worker.run(ms(500));
    ASSERT_THAT(one.worker.refusals, ::testing::ElementsAre(each.why));
    ASSERT_EQ(one.worker.stopped.size(), 1u);
    const std::string_view name = one.worker.stopped[0].rung == 0 ? "360p30" : "240p30";
    const std::string_view other = one.worker.stopped[0].rung == 0 ? "240p30" : "360p30";
    EXPECT_EQ(one.stage.count(ChannelEventKind::kRenditionMisaligned), 1);
    EXPECT_EQ(one.stage.channel.stats().rungs_stopped, 1u);
    const std::string list(one.stage.snapshot->multivariant.text());
    EXPECT_THAT(list,
                AllOf(Not(HasSubstr(std::string(name) + ".m3u8")), HasSubstr(std::string(other) + ".m3u8")));
    // It is begun anew, at a cut, and listed again.
    one.worker.run(seconds(8));
    EXPECT_THAT(std::string(one.stage.snapshot->multivariant.text()), HasSubstr(std::string(name) + ".m3u8"));
    EXPECT_THAT(one.stage.checker.errors, IsEmpty());
    EXPECT_GT(compare_segments(*one.stage.snapshot, "v0"), 15);
  }
}

TEST(ChannelLadder, refuses_what_no_worker_should_send) {
  Ladder one;
  Channel& channel = one.stage.channel;
  one.stage.connect_av();
  channel.set_ladder(one.stage.now, Ladder::ladder(), one.stage.out);
  one.stage.run(seconds(3));
  const auto begin = [&](media::RungId id, std::shared_ptr<const media::Format> format) {
    return channel.handle_rung_format(one.stage.now, one.stage.wall(), id, std::move(format), one.stage.out);
  };
  const auto give = [&](media::RungId id, Duration pts, bool is_keyframe) {
    return channel.handle_rung_frame(one.stage.now, one.stage.wall(), id,
                                     {pts, pts, is_keyframe, SharedBytes(Buffer(10))}, one.stage.out);
  };
  EXPECT_EQ(begin(7, video_format()).error(), RungRefusal::kUnknown);
  EXPECT_EQ(give(0, Duration(), true).error(), RungRefusal::kUnknown);  // It has no format yet.
  EXPECT_EQ(begin(0, audio_format()).error(), RungRefusal::kBadFormat);
  auto large = std::make_shared<media::Format>(*video_format());
  large->width = 1'920;
  EXPECT_EQ(begin(0, large).error(), RungRefusal::kBadFormat);
  ASSERT_TRUE(begin(0, video_format()));
  EXPECT_TRUE(give(0, Duration(), true));
  EXPECT_EQ(give(0, Duration(), false).error(), RungRefusal::kNotRising);
  EXPECT_EQ(give(0, ms(33), false).error(), RungRefusal::kUnknown);  // Stopped.
  ASSERT_TRUE(begin(1, video_format()));
  EXPECT_EQ(give(1, seconds(100), true).error(), RungRefusal::kAhead);
  one.stage.drain();
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelLadder, takes_another_format_only_where_the_timeline_breaks) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(10));
  one.worker.stop();
  one.worker.version = 10;
  one.worker.start();
  one.worker.run(ms(6'500));
  EXPECT_THAT(one.worker.refusals, Contains(RungRefusal::kFormatChanged));
  one.worker.refusals.clear();
  one.stage.disconnect(encoder);
  one.worker.run(seconds(3));
  one.stage.connect_av();
  one.worker.run(seconds(10));
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  EXPECT_EQ(one.stage.playlist("360p30").segments.back().map, "360p30/i1.mp4");
}

TEST(ChannelLadder, ends_with_the_broadcast_and_forgets_rungs_that_are_taken_away) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(20));
  one.stage.channel.set_ladder(one.stage.now, {video_rung(0, "360p30")}, one.stage.out);
  one.stage.drain();
  one.worker.refusals.clear();
  one.worker.run(seconds(5));
  EXPECT_THAT(one.worker.refusals, Contains(RungRefusal::kUnknown));
  EXPECT_THAT(std::string(one.stage.snapshot->multivariant.text()), Not(HasSubstr("240p30.m3u8")));
  // Who watches it is not left without parts.
  EXPECT_NEAR(static_cast<double>(one.stage.rendition("240p30").last_msn),
              static_cast<double>(one.stage.rendition("v0").last_msn), 1);
  one.stage.disconnect(encoder);
  one.stage.channel.end(one.stage.now, SourceDropReason::kBroadcastEnded, one.stage.out);
  one.stage.drain();
  for (const auto& rendition : one.stage.snapshot->renditions) EXPECT_TRUE(rendition->has_ended);
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelLadder, tells_nothing_and_waits_for_nothing_where_none_will_come) {
  Ladder one{ChannelConfig{}};
  one.stage.connect_av();
  one.begin();
  one.worker.run(ms(1'100));
  EXPECT_FALSE(one.stage.snapshot->multivariant.empty());
  EXPECT_EQ(one.worker.frames, 0u);
}

TEST(ProgramLog, begins_where_a_decoder_can) {
  ProgramLog log;
  const auto frame = [&](std::uint64_t number) {
    log.add(ProgramFrame{
        number, 0, {.dts = {}, .pts = {}, .nominal_duration = {}, .is_keyframe = false, .payload = {}}});
  };
  log.add(ProgramTrack{.track = 0, .format = video_format(30, 1), .name = "", .language = ""});
  frame(0);
  EXPECT_EQ(log.replay().size(), 1u);  // Nothing that can be begun with.
  log.add(ProgramCut{.msn = 0, .shown_from = {}}, true);
  frame(1);
  log.add(ProgramTrack{.track = 0, .format = video_format(30, 2), .name = "", .language = ""});
  frame(2);
  log.add(ProgramCut{.msn = 1, .shown_from = {}}, false);
  frame(3);
  EXPECT_EQ(log.replay().size(), 7u);
  log.add(ProgramCut{.msn = 2, .shown_from = {}}, true);
  frame(4);
  const auto all = log.replay();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(std::get<ProgramTrack>(all[0]).format->config.text()[11], '\2');
  EXPECT_EQ(std::get<ProgramCut>(all[1]).msn, 2u);
  for (std::uint64_t i = 0; i <= ProgramLog::kFramesMax; ++i) frame(5 + i);
  EXPECT_EQ(log.replay().size(), 1u);
}

}  // namespace
}  // namespace stoa::live
