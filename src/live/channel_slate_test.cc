// What viewers see while a worker, or the source, gives nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_ladder.h"

namespace stoa::live {
namespace {

using ::testing::IsEmpty;
using namespace stoa::live::testing;

constexpr std::uint8_t kOtherVersion = 42;  // Of the format of slate that is not made as the rung is.

std::vector<media::Frame> slate_frames(Duration step, int count) {
  std::vector<media::Frame> all;
  for (int i = 0; i < count; ++i) all.push_back({step * i, step * i, i == 0 || count == 1, slate_payload()});
  return all;
}

void set_slates(Ladder& one, std::uint8_t version = 9) {
  Channel& channel = one.stage.channel;
  const auto pictures = slate_frames(Duration::from_ticks(1, 30), 45);
  const auto sound = slate_frames(Duration::from_ticks(1'024, 48'000), 1);
  for (const media::RungId rung : {0, 1})
    ASSERT_TRUE(channel.set_rung_slate(rung, video_format(30, version), pictures));
  ASSERT_TRUE(channel.set_rung_slate(2, audio_format(), sound));
  ASSERT_TRUE(channel.set_track_slate(0, video_format(30, version == 9 ? 1 : version), pictures));
  ASSERT_TRUE(channel.set_track_slate(1, audio_format(), sound));
}

// With slate for all that is on air.
std::unique_ptr<Ladder> make_ladder(std::uint8_t version = 9, std::uint64_t seed = 1) {
  auto one = std::make_unique<Ladder>(with_ladder(), seed);
  one->stage.connect_av();
  one->begin();
  one->worker.run(seconds(1));
  set_slates(*one, version);
  return one;
}

enum class Shown : std::uint8_t { kNothing, kGap, kSlate, kMedia };
Shown shown_last(const Rendition& rendition) {
  if (rendition.retained.empty() || rendition.retained.back()->parts.empty()) return Shown::kNothing;
  const Part& part = rendition.retained.back()->parts.back();
  if (part.is_gap) return Shown::kGap;
  return is_slate(part) ? Shown::kSlate : Shown::kMedia;
}

// Until a rendition shows it; how long that took, or more than the limit.
Duration run_until(Ladder& one, std::string_view rendition, Shown what, Duration limit) {
  Duration took;
  while (took <= limit && shown_last(one.stage.rendition(rendition)) != what) {
    one.worker.run(ms(20));
    took += ms(20);
  }
  return took;
}

// Slate begins behind a discontinuity, and so does what comes after it.
void expect_marked(const Rendition& rendition) {
  std::optional<Shown> before;
  bool has_break = false;
  for (const auto& segment : rendition.retained) {
    has_break = has_break || segment->has_discontinuity;
    if (segment != rendition.retained.front()) {
      const Segment* last = rendition.find_segment(segment->media_sequence_number - 1);
      EXPECT_TRUE(segment->has_discontinuity || segment->init_number == last->init_number)
          << rendition.name << segment->media_sequence_number;
    }
    Shown first = Shown::kGap;
    for (const Part& part : segment->parts) {
      if (part.is_gap) continue;
      const Shown now = is_slate(part) ? Shown::kSlate : Shown::kMedia;
      if (first == Shown::kGap) first = now;
      EXPECT_EQ(now, first) << rendition.name << segment->media_sequence_number;
    }
    if (first == Shown::kGap) continue;
    if (before.value_or(first) != first) {
      EXPECT_TRUE(has_break) << rendition.name << segment->media_sequence_number;
    }
    before = first;
    has_break = false;
  }
}

void expect_good(Ladder& one) {
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
  EXPECT_THAT(one.worker.refusals, IsEmpty());
  EXPECT_GT(compare_segments(*one.stage.snapshot, "240p30", true, "v0"), 0);
  for (const auto& rendition : one.stage.snapshot->renditions) {
    expect_marked(*rendition);
    EXPECT_NEAR(static_cast<double>(rendition->last_msn),
                static_cast<double>(one.stage.rendition("v0").last_msn), 1)
        << rendition->name;
  }
}

// Until the rendition shows media and nothing else for two seconds.
bool goes_on(Ladder& one, std::string_view rendition, Duration within) {
  Duration good;
  for (Duration took; took < within && good < seconds(2); took += ms(20)) {
    one.worker.run(ms(20));
    good = shown_last(one.stage.rendition(rendition)) == Shown::kMedia ? good + ms(20) : Duration();
  }
  return good >= seconds(2);
}

class ChannelSlate : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Instants, ChannelSlate, ::testing::Range(0, 12));

// A rung may then begin a segment late, behind a hole; it is not misaligned.
TEST_P(ChannelSlate, stands_in_while_pictures_are_garbage_and_ends_with_it) {
  for (const int garbled_ms : {250, 400, 800, 1'500, 4'000}) {
    auto one = make_ladder();
    one->worker.run(seconds(8) + ms(173) * GetParam());
    one->worker.is_garbled = true;
    one->worker.run(ms(garbled_ms));
    one->worker.is_garbled = false;
    EXPECT_TRUE(goes_on(*one, "240p30", seconds(5 + 2))) << garbled_ms;
    one->worker.run(seconds(10));
    EXPECT_THAT(one->worker.refusals, IsEmpty()) << garbled_ms;
    expect_good(*one);
  }
}

TEST_P(ChannelSlate, stands_in_for_a_worker_that_is_gone_or_stands_still) {
  for (const bool is_frozen : {false, true}) {
    for (const std::uint8_t version : {std::uint8_t{9}, kOtherVersion}) {
      auto one = make_ladder(version);
      one->worker.run(seconds(8) + ms(173) * GetParam());
      const std::string list(one->stage.snapshot->multivariant.text());
      if (is_frozen)
        one->worker.is_frozen = true;
      else
        one->worker.stop();
      EXPECT_LE(run_until(*one, "360p30", Shown::kSlate, seconds(3)), seconds(1)) << is_frozen;
      EXPECT_LE(run_until(*one, "aac0", Shown::kSlate, seconds(3)), ms(100)) << is_frozen;
      EXPECT_EQ(shown_last(one->stage.rendition("v0")), Shown::kMedia);
      const std::uint64_t gaps = one->stage.checker.gap_parts;
      // What comes at once is ahead by a part. Then all goes at its pace.
      one->worker.run(seconds(2));
      EXPECT_LE(one->stage.latest_part, ms(750));
      one->stage.latest_part = {};
      one->worker.run(seconds(4));
      EXPECT_EQ(shown_last(one->stage.rendition("360p30")), Shown::kSlate);
      EXPECT_LE(one->stage.latest_part, ms(100));
      if (is_frozen) one->worker.stop();
      one->worker.is_frozen = false;
      one->worker.start();
      EXPECT_LE(run_until(*one, "360p30", Shown::kMedia, seconds(6)), seconds(5)) << is_frozen;
      EXPECT_LE(run_until(*one, "aac0", Shown::kMedia, seconds(6)), ms(500)) << is_frozen;
      one->worker.run(seconds(5));
      // Only what was on its way was missing, of three renditions.
      EXPECT_LE(one->stage.checker.gap_parts, gaps + 12);
      EXPECT_EQ(one->stage.channel.stats().discontinuities, 2u);
      EXPECT_EQ(std::string(one->stage.snapshot->multivariant.text()).size(), list.size());
      expect_good(*one);
    }
  }
}

TEST_P(ChannelSlate, stands_in_for_a_source_that_is_gone_or_silent) {
  enum class Goes : std::uint8_t { kSilent, kAtOnce, kTrackByTrack };
  for (const Goes how : {Goes::kSilent, Goes::kAtOnce, Goes::kTrackByTrack}) {
    const bool is_gone = how != Goes::kSilent;
    for (const std::uint8_t version : {std::uint8_t{9}, kOtherVersion}) {
      auto one = make_ladder(version);
      one->worker.run(seconds(8) + ms(173) * GetParam());
      Encoder* encoder = one->stage.encoders.back().get();
      const std::uint64_t revision = one->stage.channel.program_revision();
      if (how == Goes::kTrackByTrack) one->stage.end_tracks(*encoder);
      if (is_gone)
        one->stage.disconnect(*encoder);
      else
        encoder->is_sending = false;
      const Duration wait = is_gone ? seconds(1) : seconds(1) + ms(1'500);
      for (const char* name : {"v0", "a0", "360p30", "aac0"})
        EXPECT_LE(run_until(*one, name, Shown::kSlate, seconds(5)), wait) << name << is_gone;
      one->worker.run(seconds(7));
      for (const char* name : {"v0", "a0", "360p30", "aac0"})
        EXPECT_EQ(shown_last(one->stage.rendition(name)), Shown::kSlate) << name;
      EXPECT_LE(one->stage.latest_part, ms(100) + (is_gone ? Duration() : ms(1'500)));
      if (is_gone)
        one->stage.connect_av();
      else
        encoder->is_sending = true;
      for (const char* name : {"v0", "a0", "360p30", "aac0"})
        EXPECT_LE(run_until(*one, name, Shown::kMedia, seconds(6)), seconds(4)) << name << is_gone;
      one->worker.run(seconds(5));
      EXPECT_EQ(one->stage.channel.state(), ChannelState::kLive);
      EXPECT_EQ(one->stage.channel.stats().discontinuities, 2u);
      EXPECT_EQ(one->stage.channel.program_revision(), revision);
      expect_good(*one);
    }
  }
}

TEST_P(ChannelSlate, is_not_for_sound_that_the_source_does_not_send) {
  auto one = make_ladder();
  one->worker.run(seconds(8) + ms(173) * GetParam());
  auto& sound = one->stage.encoders.back()->tracks.back();
  const std::uint64_t before = one->stage.channel.stats().discontinuities;
  sound.is_muted = true;
  one->worker.run(seconds(9));
  EXPECT_EQ(one->stage.channel.stats().discontinuities, before);
  EXPECT_EQ(shown_last(one->stage.rendition("aac0")), Shown::kGap);
  EXPECT_EQ(shown_last(one->stage.rendition("360p30")), Shown::kMedia);
  sound.is_muted = false;
  one->worker.run(seconds(9));
  EXPECT_EQ(shown_last(one->stage.rendition("aac0")), Shown::kMedia);
  expect_good(*one);
}

// A worker that makes no keyframe will not end it: nobody's playlist is broken for that.
TEST(ChannelSlateEnd, is_not_tried_for_a_worker_without_keyframes) {
  auto one = make_ladder();
  one->worker.run(seconds(8));
  one->worker.stop();
  one->worker.run(seconds(2));
  const std::uint64_t before = one->stage.channel.stats().discontinuities;
  one->worker.misses_cuts = 1'000'000;
  one->worker.rests_for = seconds(2);
  one->worker.start();
  one->worker.run(seconds(30));
  // Sound is back behind the one.
  EXPECT_EQ(one->stage.channel.stats().discontinuities, before + 1);
  EXPECT_EQ(shown_last(one->stage.rendition("aac0")), Shown::kMedia);
  EXPECT_EQ(shown_last(one->stage.rendition("360p30")), Shown::kSlate);
  EXPECT_THAT(one->stage.checker.errors, IsEmpty());
  one->worker.misses_cuts = 0;
  one->worker.run(seconds(8));
  EXPECT_EQ(one->stage.channel.stats().discontinuities, before + 2);
  EXPECT_EQ(shown_last(one->stage.rendition("360p30")), Shown::kMedia);
  EXPECT_THAT(one->stage.checker.errors, IsEmpty());
}

TEST(ChannelSlateEnd, is_the_end_of_the_grace_time) {
  auto one = make_ladder();
  one->worker.run(seconds(5));
  one->stage.disconnect(*one->stage.encoders.back());
  one->worker.run(seconds(29));
  EXPECT_EQ(shown_last(one->stage.rendition("v0")), Shown::kSlate);
  one->worker.run(seconds(3));
  EXPECT_TRUE(one->stage.has_ended);
  for (const auto& rendition : one->stage.snapshot->renditions) EXPECT_TRUE(rendition->has_ended);
  EXPECT_THAT(one->stage.checker.errors, IsEmpty());
}

// A backup encoder and a worker that dies, at once.
TEST_P(ChannelSlate, goes_with_a_backup_encoder) {
  auto one = make_ladder();
  one->worker.run(seconds(5));
  one->stage.connect_av(1);
  one->worker.run(seconds(5) + ms(91) * GetParam());
  one->stage.disconnect(*one->stage.encoders.front());
  one->worker.stop();
  one->worker.run(seconds(3));
  EXPECT_EQ(shown_last(one->stage.rendition("v0")), Shown::kMedia);
  EXPECT_EQ(shown_last(one->stage.rendition("240p30")), Shown::kSlate);
  one->worker.start();
  EXPECT_LE(run_until(*one, "240p30", Shown::kMedia, seconds(6)), seconds(5));
  one->worker.run(seconds(5));
  expect_good(*one);
}

// Without it there is GAP, as ever: one rung has slate, the other none.
TEST(ChannelSlateEnd, is_not_shown_where_there_is_none) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(8));
  ASSERT_TRUE(one.stage.channel.set_rung_slate(0, video_format(30, 9),
                                               slate_frames(Duration::from_ticks(1, 30), 30)));
  one.worker.stop();
  one.worker.run(seconds(4));
  EXPECT_EQ(shown_last(one.stage.rendition("360p30")), Shown::kSlate);
  EXPECT_EQ(shown_last(one.stage.rendition("240p30")), Shown::kGap);
  one.stage.disconnect(*one.stage.encoders.back());
  one.worker.run(seconds(4));
  EXPECT_EQ(shown_last(one.stage.rendition("360p30")), Shown::kSlate);
  EXPECT_EQ(shown_last(one.stage.rendition("v0")), Shown::kGap);
  one.stage.connect_av();
  one.worker.start();
  one.worker.run(seconds(12));
  for (const char* name : {"v0", "a0", "360p30", "240p30", "aac0"})
    EXPECT_EQ(shown_last(one.stage.rendition(name)), Shown::kMedia) << name;
  expect_good(one);
}

TEST(ChannelSlateEnd, is_refused_where_it_cannot_stand) {
  Ladder one;
  Channel& channel = one.stage.channel;
  const auto frames = slate_frames(Duration::from_ticks(1, 30), 30);
  EXPECT_EQ(channel.set_track_slate(0, video_format(), frames).error(), SlateRefusal::kUnknown);
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(2));
  EXPECT_EQ(channel.set_rung_slate(7, video_format(), frames).error(), SlateRefusal::kUnknown);
  EXPECT_EQ(channel.set_rung_slate(2, video_format(), frames).error(), SlateRefusal::kBadFormat);
  EXPECT_EQ(channel.set_track_slate(1, video_format(), frames).error(), SlateRefusal::kUnknown);
  EXPECT_EQ(channel.set_rung_slate(0, video_format(), {}).error(), SlateRefusal::kNoGroup);
}

class ChannelSlateSeeds : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, ChannelSlateSeeds, ::testing::Range(0, 40));

TEST_P(ChannelSlateSeeds, keeps_playlists_good_whatever_happens) {
  Ladder one(with_ladder(), static_cast<std::uint64_t>(GetParam()) + 1);
  if (GetParam() % 3 == 0) one.held_back = {0};
  one.after_begin = [&] { set_slates(one, GetParam() % 2 == 0 ? 9 : kOtherVersion); };
  live_through_trouble(one, GetParam());
  EXPECT_GT(compare_segments(*one.stage.snapshot, "240p30", true, "v0"), 0);
  for (const auto& rendition : one.stage.snapshot->renditions) expect_marked(*rendition);
}

// One break is enough for both: what came before it is a gap, no slate.
TEST(ChannelSlate, is_not_shown_where_pictures_of_another_size_wait_for_a_cut) {
  auto one = make_ladder();
  one->worker.run(seconds(10));
  auto smaller = std::make_shared<media::Format>(*video_format(30, 10));
  smaller->width = 640;
  one->worker.falls_back_to = smaller;
  one->worker.run(seconds(8));
  EXPECT_THAT(one->worker.refusals, IsEmpty());
  EXPECT_THAT(one->stage.checker.errors, IsEmpty());
  EXPECT_EQ(one->stage.channel.stats().discontinuities, 1u);
  for (const auto& segment : one->stage.rendition("360p30").retained)
    for (const Part& part : segment->parts) EXPECT_FALSE(!part.is_gap && is_slate(part));
  EXPECT_EQ(shown_last(one->stage.rendition("360p30")), Shown::kMedia);
}

}  // namespace
}  // namespace stoa::live
