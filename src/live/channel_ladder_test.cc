// Renditions that workers make: on the grid of the others, or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_ladder.h"

namespace stoa::live {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace stoa::live::testing;

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
  MetricSamples samples;
  one.stage.channel.append_metrics(samples);
  const auto made = std::ranges::find_if(samples, [](const MetricSample& sample) {
    return std::string_view(sample.name) == "stoa_live_rung_frames_total";
  });
  ASSERT_NE(made, samples.end());
  EXPECT_GT(made->value, 4'000);
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

// Of a source that has keyframes so many frames apart, for 20 s each.
bool lacks_keyframes(const std::vector<int>& gops) {
  Stage stage(with_ladder(), 1);
  Encoder& encoder = stage.connect_av();
  for (int gop : gops) {
    encoder.tracks[0].gop = gop;
    stage.run(seconds(20));
  }
  return stage.channel.program_tracks().front().lacks_keyframes;
}

TEST(ChannelLadder, is_told_of_a_source_that_segments_cannot_begin_with) {
  EXPECT_FALSE(lacks_keyframes({60}));
  EXPECT_FALSE(lacks_keyframes({120}));
  EXPECT_TRUE(lacks_keyframes({150}));
  EXPECT_TRUE(lacks_keyframes({200}));
  EXPECT_TRUE(lacks_keyframes({250})) << "every second segment begins with one";
  EXPECT_TRUE(lacks_keyframes({300}));
  EXPECT_TRUE(lacks_keyframes({100'000})) << "open groups: none is told as a keyframe but the first";
  EXPECT_TRUE(lacks_keyframes({60, 300, 60})) << "and it is not changed back while viewers are there";

  // A keyframe that is lost does no harm.
  Stage stage(with_ladder(), 1);
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(10));
  encoder.tracks[0].gop = 100'000;
  stage.run(seconds(4));
  encoder.tracks[0].gop = 60;
  stage.run(seconds(20));
  EXPECT_EQ(stage.channel.stats().forced_cuts, 1u);
  EXPECT_FALSE(stage.channel.program_tracks().front().lacks_keyframes);
}

// Players read the list once: who comes meanwhile is not left with the small rung.
TEST(ChannelHeldBack, is_offered_until_the_rung_of_its_size_is_there) {
  Ladder one;
  std::vector<media::Rung> ladder = Ladder::ladder();
  ladder[0].width = 1920, ladder[0].height = 1080;
  one.stage.connect_av();
  one.stage.channel.set_ladder(one.stage.now, {ladder[1], ladder[2]}, one.stage.out);
  one.worker.start();
  one.worker.run(ms(8'300));
  ASSERT_THAT(one.multivariant(), AllOf(HasSubstr("v0.m3u8"), HasSubstr("240p30.m3u8")));
  one.stage.channel.set_ladder(one.stage.now, ladder, one.stage.out, {0});
  one.worker.stop();
  one.worker.start();
  Duration took;
  for (; took < seconds(10) && one.multivariant().find("360p30.m3u8") == std::string::npos; took += ms(10)) {
    ASSERT_THAT(one.multivariant(), HasSubstr("v0.m3u8")) << took.ms();
    one.worker.run(ms(10));
  }
  EXPECT_THAT(one.multivariant(), AllOf(Not(HasSubstr("v0.m3u8")), HasSubstr("360p30.m3u8")));
  EXPECT_GT(took, ms(500));
}

TEST(ChannelLadder, is_told_how_a_source_is_turned) {
  Stage stage(with_ladder(), 1);
  Encoder& turned = stage.connect_av();
  // A display orientation SEI message, a quarter.
  turned.tracks[0].keyframe_head = {0, 0, 0, 7, 0x06, 0x2f, 0x03, 0x08, 0x00, 0x09, 0x80};
  stage.run(seconds(3));
  EXPECT_EQ(stage.channel.program_tracks().front().orientation, (media::Orientation{1, false}));
  EXPECT_EQ(stage.channel.program_revision(), 1u) << "from the first on";
  // In mid-air sizes stay as they are, and another source has its own.
  turned.tracks[0].keyframe_head.clear();
  stage.run(seconds(3));
  EXPECT_EQ(stage.channel.program_tracks().front().orientation, (media::Orientation{1, false}));
  stage.disconnect(turned);
  stage.connect_av();
  stage.run(seconds(3));
  EXPECT_EQ(stage.channel.program_tracks().front().orientation, media::Orientation());
}

// The frames in a segment, by the sample counts of its chunks (ISO 14496-12 §8.8.8).
std::uint32_t samples(const Segment& segment) {
  std::uint32_t count = 0;
  for (const Part& part : segment.parts) {
    if (part.is_gap) continue;
    const Bytes body = part.body.bytes();
    const std::size_t at = part.body.text().find("trun") + 8;
    count +=
        static_cast<std::uint32_t>(body[at] << 24 | body[at + 1] << 16 | body[at + 2] << 8 | body[at + 3]);
  }
  return count;
}

TEST(ChannelLadder, takes_no_frame_twice_of_a_worker_that_is_back_at_once) {
  for (int begun_ms = 5'000; begun_ms < 7'000; begun_ms += 170) {
    Ladder one;
    one.stage.connect_av();
    one.begin();
    one.worker.run(ms(begun_ms));
    one.worker.stop();
    one.worker.start();
    one.worker.run(seconds(6));
    EXPECT_THAT(one.stage.checker.errors, IsEmpty());
    EXPECT_GT(compare_segments(*one.stage.snapshot, "v0"), 6);
    const Rendition& source = *one.stage.snapshot->find_rendition("v0");
    for (const char* rung : {"360p30", "240p30"}) {
      for (const auto& segment : one.stage.snapshot->find_rendition(rung)->retained) {
        const Segment* other = source.find_segment(segment->media_sequence_number);
        if (!segment->is_complete || !other || !other->is_complete) continue;
        EXPECT_LE(samples(*segment), samples(*other)) << segment->media_sequence_number << " at " << begun_ms;
      }
    }
  }
}

TEST(ChannelLadder, is_not_waited_for_once_there_is_none) {
  Ladder one;
  one.stage.connect_av();
  one.stage.run(ms(1'310));  // Three parts are there, and the next is some time off.
  ASSERT_TRUE(one.stage.snapshot->multivariant.empty());
  one.stage.channel.set_ladder(one.stage.now, {}, one.stage.out);
  one.stage.drain();
  EXPECT_FALSE(one.stage.snapshot->multivariant.empty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelLadder, is_not_waited_for_longer_though_no_part_comes) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  one.stage.channel.set_ladder(one.stage.now, Ladder::ladder(), one.stage.out);
  one.stage.run(ms(2'000));
  encoder.held_until = ms(4'500);
  one.stage.run(ms(1'300));
  EXPECT_FALSE(one.stage.snapshot->multivariant.empty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

// What a ladder is planned by: with and without workers.
TEST(ChannelProgram, says_what_is_on_air_and_when_that_changes) {
  for (const ChannelConfig& config : {ChannelConfig{}, with_ladder()}) {
    Stage stage(config);
    const Channel& channel = stage.channel;
    EXPECT_THAT(channel.program_tracks(), IsEmpty());
    EXPECT_EQ(channel.program_revision(), 0u);
    Encoder& encoder = stage.connect_av();
    stage.run(seconds(3));
    ASSERT_EQ(channel.program_tracks().size(), 2u);
    EXPECT_EQ(channel.program_tracks()[0].format->codec, media::Codec::kH264);
    EXPECT_EQ(channel.program_tracks()[1].format->codec, media::Codec::kAac);
    EXPECT_EQ(channel.program_tracks()[1].track, 1);
    EXPECT_EQ(channel.program_revision(), 1u);
    // A track comes.
    encoder.add_audio();
    encoder.tracks[2].next = encoder.tracks[1].next;
    stage.run(seconds(5));
    ASSERT_EQ(channel.program_tracks().size(), 3u);
    EXPECT_EQ(channel.program_tracks()[2].track, 2);
    EXPECT_EQ(channel.program_revision(), 2u);
    // It has other parameters, once they are on air.
    encoder.tracks[0].format = video_format(30, 7);
    stage.announce(encoder, encoder.tracks[0]);
    EXPECT_EQ(channel.program_revision(), 2u);
    stage.run(seconds(3));
    EXPECT_EQ(channel.program_tracks()[0].format->config.text()[11], '\7');
    EXPECT_EQ(channel.program_revision(), 3u);
    // The same ones, told again, are no news.
    encoder.tracks[0].format = video_format(30, 7);
    stage.announce(encoder, encoder.tracks[0]);
    stage.run(seconds(3));
    EXPECT_EQ(channel.program_revision(), 3u);
    // It goes: not at once for workers, since an encoder ends its tracks one by one.
    encoder.tracks.pop_back();
    stage.channel.handle_event(stage.now, stage.wall(), encoder.id, media::TrackEnded{2}, stage.out);
    stage.drain();
    EXPECT_EQ(channel.program_tracks().size(), config.ladder_wait > Duration() ? 3u : 2u);
    stage.run(seconds(12));
    EXPECT_EQ(channel.program_tracks().size(), 2u);
    EXPECT_EQ(channel.program_revision(), 4u);
    // An encoder that is away may come back as it was.
    if (config.ladder_wait > Duration()) stage.end_tracks(encoder);
    stage.disconnect(encoder);
    stage.run(seconds(3));
    EXPECT_EQ(channel.program_revision(), 4u);
    Encoder& again = stage.connect_av();
    again.tracks[0].format = video_format(30, 7);
    stage.run(seconds(3));
    EXPECT_EQ(channel.program_tracks().size(), 2u);
    EXPECT_EQ(channel.program_revision(), 4u);
    EXPECT_THAT(stage.checker.errors, IsEmpty());
  }
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

// A jumping clock, an encoder that comes again, a standby, forced cuts, lag, reordered frames: in any order.
class ChannelLadderSeeds : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, ChannelLadderSeeds, ::testing::Range(0, 40));
// These showed what others did not.
INSTANTIATE_TEST_SUITE_P(Found, ChannelLadderSeeds, ::testing::Values(194, 212, 517, 600, 617, 782));

TEST_P(ChannelLadderSeeds, stays_on_the_grid_whatever_the_source_does) {
  Ladder one(with_ladder(), static_cast<std::uint64_t>(GetParam()) + 1);
  live_through_trouble(one, GetParam());
  EXPECT_GT(compare_segments(*one.stage.snapshot, "v0", true), 0);
}

TEST_P(ChannelLadderSeeds, stays_on_the_grid_though_the_source_is_held_back) {
  Ladder one(with_ladder(), static_cast<std::uint64_t>(GetParam()) + 1);
  one.held_back = {0};
  live_through_trouble(one, GetParam());
  EXPECT_GT(compare_segments(*one.stage.snapshot, "360p30", true, "v0"), 0);
}

TEST(ChannelHeldBack, is_not_listed_and_cuts_by_the_clock) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  encoder.tracks[0].gop = 400;
  encoder.tracks[0].reorder = 2;
  one.held_back = {0};
  one.begin();
  one.worker.run(seconds(40));
  EXPECT_THAT(one.multivariant(),
              AllOf(HasSubstr("360p30.m3u8"), HasSubstr("a0.m3u8"), Not(HasSubstr("v0.m3u8"))));
  EXPECT_EQ(one.stage.snapshot->find_rendition("v0"), nullptr);
  EXPECT_GT(compare_segments(*one.stage.snapshot, "360p30"), 15);
  for (const auto& segment : one.stage.rendition("240p30").retained) {
    if (!segment->is_complete) continue;
    EXPECT_NEAR(segment->duration.as_seconds(), 2, 0.04) << segment->media_sequence_number;
    EXPECT_TRUE(begins_with_keyframe(*segment)) << segment->media_sequence_number;
  }
  // That its keyframes are far apart is of no matter.
  EXPECT_THAT(one.stage.snapshot->warnings, IsEmpty());
  EXPECT_EQ(one.stage.channel.stats().forced_cuts, 0u);
  EXPECT_EQ(one.stage.checker.gap_parts, 0u);
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelHeldBack, is_offered_all_the_same_where_nobody_makes_rungs_of_it) {
  Ladder one;
  one.stage.connect_av().tracks[0].gop = 400;
  one.stage.run(seconds(1));
  one.stage.channel.set_ladder(one.stage.now, Ladder::ladder(), one.stage.out, {0});
  one.stage.run(ms(4'400));
  // Sound alone is not what players should find.
  EXPECT_TRUE(one.stage.snapshot->multivariant.empty());
  one.stage.run(ms(200));
  EXPECT_THAT(one.multivariant(), AllOf(HasSubstr("v0.m3u8"), HasSubstr("a0.m3u8")));
  EXPECT_EQ(one.stage.count(ChannelEventKind::kOfferedUnfit), 1);
  one.stage.run(seconds(20));
  EXPECT_EQ(one.stage.count(ChannelEventKind::kOfferedUnfit), 1);
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  // It stays when a worker comes after all: players are on it.
  one.worker.start();
  one.worker.run(seconds(20));
  EXPECT_THAT(one.multivariant(), AllOf(HasSubstr("v0.m3u8"), HasSubstr("360p30.m3u8")));
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelHeldBack, is_offered_when_the_worker_stays_away_but_not_when_the_encoder_does) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  one.held_back = {0};
  one.begin();
  one.worker.run(seconds(10));
  one.stage.disconnect(encoder);
  one.worker.run(seconds(10));
  one.stage.connect_av();
  one.worker.run(seconds(10));
  EXPECT_THAT(one.multivariant(), Not(HasSubstr("v0.m3u8")));
  one.worker.stop();
  one.worker.run(seconds(4));
  one.worker.start();
  one.worker.run(seconds(10));
  EXPECT_THAT(one.multivariant(), Not(HasSubstr("v0.m3u8")));
  one.worker.stop();
  one.worker.run(seconds(5));
  EXPECT_THAT(one.multivariant(), HasSubstr("v0.m3u8"));
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

// Its keyframes are rare, and not where segments are cut.
TEST(ChannelHeldBack, can_be_decoded_by_a_worker_that_comes_later) {
  for (int later_ms = 60'000; later_ms < 73'000; later_ms += 1'700) {
    Ladder one;
    one.stage.connect_av().tracks[0].gop = 400;
    one.held_back = {0};
    one.begin();
    one.worker.run(ms(later_ms));
    one.worker.stop();
    one.worker.run(ms(500));
    one.worker.start();
    one.worker.run(seconds(4));
    EXPECT_FALSE(one.stage.rendition("360p30").retained.back()->is_gap) << later_ms;
    EXPECT_FALSE(one.stage.rendition("240p30").retained.back()->is_gap) << later_ms;
    EXPECT_THAT(one.worker.refusals, IsEmpty());
    EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  }
}

TEST(ChannelHeldBack, follows_where_a_rendition_that_is_not_leads) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  encoder.tracks[0].gop = 45;
  encoder.add_video(30, 90);
  one.held_back = {0};
  one.begin();
  one.worker.run(seconds(30));
  EXPECT_THAT(one.multivariant(), AllOf(HasSubstr("v1.m3u8"), Not(HasSubstr("v0.m3u8"))));
  for (const auto& segment : one.stage.rendition("v1").retained)
    EXPECT_TRUE(!segment->is_complete || std::abs(segment->duration.as_seconds() - 3) < 0.04);
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelHeldBack, is_so_for_as_long_as_it_is_said) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(10));
  EXPECT_THAT(one.multivariant(), HasSubstr("v0.m3u8"));
  one.stage.channel.set_ladder(one.stage.now, Ladder::ladder(), one.stage.out, {0, 1});
  one.worker.run(seconds(10));
  EXPECT_THAT(one.multivariant(), AllOf(Not(HasSubstr("v0.m3u8")), Not(HasSubstr("a0.m3u8"))));
  // Who watches it is not left without.
  EXPECT_NEAR(static_cast<double>(one.stage.rendition("360p30").last_msn),
              static_cast<double>(one.stage.rendition("v0").last_msn), 1);
  one.stage.channel.set_ladder(one.stage.now, Ladder::ladder(), one.stage.out);
  one.worker.run(seconds(3));
  EXPECT_THAT(one.multivariant(), AllOf(HasSubstr("v0.m3u8"), HasSubstr("a0.m3u8")));
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

// The multivariant playlist stays as it is until a rung is there: reports are of what stands in it.
TEST(ChannelHeldBack, is_told_of_for_as_long_as_it_is_listed) {
  Ladder one;
  one.stage.connect_av();
  one.stage.channel.set_ladder(one.stage.now, {}, one.stage.out);
  one.stage.run(seconds(6));
  ASSERT_THAT(one.multivariant(), HasSubstr("v0.m3u8"));
  one.stage.channel.set_ladder(one.stage.now, Ladder::ladder(), one.stage.out, {0});
  one.stage.run(seconds(2));
  EXPECT_THAT(one.multivariant(), HasSubstr("v0.m3u8"));
  EXPECT_THAT(std::string(one.stage.rendition("a0").playlist.text()), HasSubstr("URI=\"v0.m3u8\""));
  one.worker.start();
  one.worker.run(seconds(6));
  EXPECT_THAT(one.multivariant(), AllOf(HasSubstr("360p30.m3u8"), Not(HasSubstr("v0.m3u8"))));
  EXPECT_THAT(std::string(one.stage.rendition("a0").playlist.text()), Not(HasSubstr("URI=\"v0.m3u8\"")));
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
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

// What a worker's other encoder makes can be decoded in the place of the first one's: none is stopped.
TEST(ChannelLadder, takes_parameters_of_another_encoder_at_any_cut) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(10));
  one.worker.falls_back_to = video_format(30, 10);
  one.worker.run(seconds(10));
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  EXPECT_EQ(one.stage.checker.gap_parts, 0u);
  EXPECT_EQ(one.stage.channel.stats().discontinuities, 0u);
  for (const char* rung : {"360p30", "240p30"})
    EXPECT_EQ(one.stage.playlist(rung).segments.back().map, std::string(rung) + "/i1.mp4");
  EXPECT_GT(compare_segments(*one.stage.snapshot, "v0"), 10);
}

TEST(ChannelLadder, breaks_the_timeline_for_pictures_of_another_size) {
  for (const bool is_new_worker : {false, true}) {
    Ladder one;
    one.stage.connect_av();
    one.begin();
    one.worker.run(seconds(10));
    if (is_new_worker) one.worker.stop();
    auto smaller = std::make_shared<media::Format>(*video_format(30, 10));
    smaller->width = 640;
    one.worker.falls_back_to = smaller;
    if (is_new_worker) one.worker.start();
    one.worker.run(seconds(8));
    EXPECT_THAT(one.worker.refusals, IsEmpty());
    EXPECT_THAT(one.stage.checker.errors, IsEmpty());
    EXPECT_EQ(one.stage.channel.stats().discontinuities, 1u) << is_new_worker;
    for (const char* rung : {"360p30", "240p30"}) {
      EXPECT_EQ(one.stage.playlist(rung).segments.back().map, std::string(rung) + "/i1.mp4");
      EXPECT_FALSE(one.stage.rendition(rung).retained.back()->is_gap);
      // From the next cut on.
      int gaps = 0;
      for (const auto& segment : one.stage.rendition(rung).retained) gaps += segment->is_gap;
      EXPECT_LE(gaps, 1) << is_new_worker;
    }
    EXPECT_GT(compare_segments(*one.stage.snapshot, "v0", true), 5);
  }
}

// Whichever its worker begins first: the first of them is what players begin with.
TEST(ChannelLadder, lists_sound_in_the_order_of_the_sources_tracks) {
  for (const bool is_second_first : {false, true}) {
    Stage stage(with_ladder());
    std::vector<media::Rung> ladder{video_rung(0, "360p30"), audio_rung(1, "first", 1),
                                    audio_rung(2, "second", 2)};
    if (is_second_first) std::swap(ladder[1], ladder[2]);
    Worker worker(stage, ladder);
    stage.connect_av().add_audio();
    stage.channel.set_ladder(stage.now, ladder, stage.out, {1, 2});
    worker.run(ms(1'500));
    worker.start();
    worker.run(seconds(6));
    const std::string list(stage.snapshot->multivariant.text());
    EXPECT_LT(list.find("first.m3u8"), list.find("second.m3u8")) << list;
    EXPECT_NE(list.find("second.m3u8"), std::string::npos);
  }
}

// Where a worker rests before it begins a rung anew.
TEST(ChannelLadder, takes_a_rung_back_that_rested_after_it_was_stopped) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.rests_for = seconds(2);
  one.worker.run(seconds(10));
  one.worker.misses_cuts = 1;
  one.worker.run(seconds(3));
  ASSERT_THAT(one.worker.refusals, ::testing::ElementsAre(RungRefusal::kMissedCut));
  const bool is_first = one.worker.stopped.at(0).rung == 0;
  const std::string name = is_first ? "360p30" : "240p30";
  EXPECT_THAT(one.multivariant(), Not(HasSubstr(name + ".m3u8")));
  one.worker.run(seconds(4));
  EXPECT_THAT(one.multivariant(), HasSubstr(name + ".m3u8"));
  EXPECT_FALSE(one.stage.rendition(name).retained.back()->is_gap);
  EXPECT_THAT(one.worker.refusals, ::testing::SizeIs(1));
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
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

TEST(ChannelLadder, takes_a_rendition_up_again_that_was_taken_away) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(10));
  one.stage.channel.set_ladder(one.stage.now, {}, one.stage.out);
  one.worker.stop();
  one.worker.run(seconds(5));
  one.begin();
  one.worker.run(seconds(10));
  EXPECT_EQ(one.stage.snapshot->renditions.size(), 5u);
  EXPECT_THAT(one.multivariant(), AllOf(HasSubstr("360p30.m3u8"), HasSubstr("aac0.m3u8")));
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  // No rendition is made twice.
  std::vector<media::Rung> twice = Ladder::ladder();
  twice[1].name = "360p30";
  twice[2].name = "v0";
  Ladder other;
  other.stage.connect_av();
  other.stage.channel.set_ladder(other.stage.now, twice, other.stage.out);
  other.worker.start();
  other.worker.run(seconds(5));
  EXPECT_EQ(other.stage.snapshot->renditions.size(), 3u);
  EXPECT_THAT(other.stage.checker.errors, IsEmpty());
}

TEST(ChannelLadder, tells_nothing_and_waits_for_nothing_where_none_will_come) {
  Ladder one{ChannelConfig{}};
  one.stage.connect_av();
  one.begin();
  one.worker.run(ms(1'100));
  EXPECT_FALSE(one.stage.snapshot->multivariant.empty());
  EXPECT_EQ(one.worker.frames, 0u);
}

// What decodes it may go.
TEST(ChannelProgram, says_when_a_track_is_gone_and_when_it_comes_again) {
  for (const bool is_closed : {false, true}) {
    for (const std::size_t which : {0, 1}) {
      Ladder one;
      Encoder& encoder = one.stage.connect_av();
      one.begin();
      one.worker.run(seconds(6));
      Encoder::Track& track = encoder.tracks[which];
      track.is_muted = true;
      if (is_closed) {
        one.stage.channel.handle_event(one.stage.now, one.stage.wall(), encoder.id,
                                       media::TrackEnded{track.id}, one.stage.out);
        track.was_announced = false;
      }
      one.worker.run(seconds(9));
      EXPECT_EQ(one.worker.tracks.size(), 2u) << is_closed;
      one.worker.run(seconds(5));
      EXPECT_FALSE(one.worker.tracks.contains(track.id)) << is_closed;
      EXPECT_EQ(one.worker.tracks.size(), 1u) << is_closed;
      track.is_muted = false;
      one.worker.run(seconds(10));
      EXPECT_EQ(one.worker.tracks.size(), 2u);
      EXPECT_EQ(one.worker.frames_of_no_track, 0u);
      EXPECT_THAT(one.worker.refusals, IsEmpty());
      EXPECT_THAT(one.stage.checker.errors, IsEmpty());
      EXPECT_FALSE(one.stage.rendition(which == 0 ? "360p30" : "aac0").retained.back()->is_gap);
      EXPECT_GT(compare_segments(*one.stage.snapshot, "v0", true), 5);
    }
  }
}

TEST(ChannelProgram, keeps_tracks_while_the_source_is_away) {
  Ladder one;
  Encoder& encoder = one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(6));
  one.stage.disconnect(encoder);
  one.worker.run(seconds(20));
  EXPECT_EQ(one.worker.tracks.size(), 2u);
  one.stage.connect_av();
  one.worker.run(seconds(12));
  EXPECT_EQ(one.worker.tracks.size(), 2u);
  EXPECT_THAT(one.worker.refusals, IsEmpty());
}

TEST(ProgramLog, tells_nothing_of_a_track_that_is_gone) {
  ProgramLog log;
  log.add(ProgramTrack{0, video_format(), "", ""});
  log.add(ProgramTrack{1, audio_format(), "", ""});
  log.add(ProgramGone{0});
  log.add(ProgramTrack{2, audio_format(), "", ""});
  log.add(ProgramCut{0, {}, false}, true);
  log.add(ProgramGone{1});
  EXPECT_EQ(log.replay().size(), 4u);  // As it was: it came and went.
  log.add(ProgramCut{1, {}, false}, true);
  const std::vector<ProgramOutput> told = log.replay();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(std::get<ProgramTrack>(told[0]).track, 2);
}

TEST(ProgramLog, begins_before_a_cut_where_that_has_no_keyframe) {
  ProgramLog log;
  log.add(ProgramTrack{0, video_format(), "", ""});
  log.add(ProgramTrack{1, audio_format(), "", ""});
  std::uint64_t number = 0;
  const auto add = [&](media::TrackId track, bool is_keyframe) {
    log.add(ProgramFrame{number++, track, {.is_keyframe = is_keyframe, .payload = SharedBytes(Buffer(10))}});
  };
  const auto first = [&] {
    const std::vector<ProgramOutput> told = log.replay();
    const auto frame = std::ranges::find_if(
        told, [](const auto& item) { return std::holds_alternative<ProgramFrame>(item); });
    return frame == told.end() ? 99 : std::get<ProgramFrame>(*frame).number;
  };
  add(0, false);
  add(1, true);
  EXPECT_EQ(first(), 99u);  // Sound alone is not waited for where there are pictures.
  add(0, true);             // 2
  add(1, true);
  log.add(ProgramCut{1, {}, false}, false);
  add(0, false);
  add(0, true);  // 5
  add(0, false);
  EXPECT_EQ(first(), 2u);  // What is behind the cut is wanted, too.
  log.add(ProgramCut{2, {}, false}, false);
  EXPECT_EQ(first(), 5u);
  EXPECT_EQ(log.bytes(), 20u);
  add(0, false);
  log.add(ProgramCut{3, {}, false}, true);
  add(0, true);  // 8
  EXPECT_EQ(first(), 8u);
  // A cut at a keyframe is told with it.
  log.add(ProgramCut{4, {}, false}, false);
  const std::vector<ProgramOutput> told = log.replay();
  EXPECT_EQ(std::get<ProgramCut>(told.at(2)).msn, 3u);
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
