#include "media/timeline.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace stoa::media {
namespace {

Duration ms(std::int64_t n) { return Duration::milliseconds(n); }
Timestamp at(Duration d) { return Timestamp::from_ns(5'000'000'000 + d.ns()); }

Format video(std::uint32_t numerator, std::uint32_t denominator = 1) {
  Format format{.codec = Codec::kH264};
  format.frame_rate_numerator = numerator;
  format.frame_rate_denominator = denominator;
  return format;
}
Format audio() {
  Format format{.codec = Codec::kAac};
  format.sample_rate = 48'000;
  format.samples_per_frame = 1'024;
  return format;
}
constexpr TrackId kVideo = 0, kAudio = 1;
const Duration kRtmpWrap = Duration::milliseconds(std::int64_t{1} << 32);
Duration rounded(Duration d) { return ms((d.ns() + 500'000) / 1'000'000); }

TEST(Timeline, puts_millisecond_times_on_the_exact_frame_grid) {
  for (auto [numerator, denominator] :
       {std::pair{30u, 1u}, {30'000u, 1'001u}, {24'000u, 1'001u}, {60u, 1u}, {50u, 1u}}) {
    Timeline timeline;
    timeline.handle_format(kVideo, video(numerator, denominator), kRtmpWrap);
    for (int i = 0; i < 10'000; ++i) {
      Duration exact = Duration::from_ticks(std::int64_t{i} * denominator, numerator);
      auto placed = timeline.handle_frame(at(exact), kVideo, rounded(exact), rounded(exact));
      ASSERT_TRUE(placed);
      ASSERT_EQ(placed->dts, exact) << i;
      ASSERT_EQ(placed->nominal_duration, Duration::from_ticks(denominator, numerator));
    }
  }
}

TEST(Timeline, measures_the_rate_when_the_bitstream_does_not_say_or_is_wrong) {
  for (std::uint32_t said : {0u, 60u, 120u, 25u}) {
    Timeline timeline;
    timeline.handle_format(kVideo, video(said), kRtmpWrap);
    for (int i = 0; i < 300; ++i) {
      Duration exact = Duration::from_ticks(i, 30);
      auto placed = timeline.handle_frame(at(exact), kVideo, rounded(exact), rounded(exact));
      ASSERT_LT((placed->dts - exact).abs(), ms(10));
    }
    EXPECT_LT((timeline.frame_duration(kVideo) - Duration::from_ticks(1, 30)).abs(),
              Duration::microseconds(100))
        << said;
  }
}

TEST(Timeline, knows_no_frame_duration_when_frames_come_as_they_like) {
  Timeline timeline;
  timeline.handle_format(kVideo, video(30), kRtmpWrap);
  Rng rng(1);
  Duration time, last = ms(-1);
  for (int i = 0; i < 300; ++i) {
    time += ms(10 + static_cast<std::int64_t>(rng.below(120)));
    auto placed = timeline.handle_frame(at(time), kVideo, time, time);
    ASSERT_GT(placed->dts, last);
    last = placed->dts;
  }
  EXPECT_EQ(timeline.frame_duration(kVideo), Duration());
}

TEST(Timeline, follows_a_source_clock_that_is_not_quite_its_nominal_rate) {
  Timeline timeline;
  timeline.handle_format(kVideo, video(30), kRtmpWrap);
  for (int i = 0; i < 20'000; ++i) {
    Duration exact = Duration::from_ticks(std::int64_t{i} * 1'001, 30'000);
    auto placed = timeline.handle_frame(at(exact), kVideo, rounded(exact), rounded(exact));
    ASSERT_LT((placed->dts - exact).abs(), ms(10)) << i;
  }
  EXPECT_EQ(timeline.frame_duration(kVideo), Duration::from_ticks(1'001, 30'000));
}

TEST(Timeline, unwraps_32_bit_milliseconds_and_33_bit_ticks) {
  for (Duration wrap : {kRtmpWrap, Duration::from_ticks(std::int64_t{1} << 33, 90'000)}) {
    Timeline timeline;
    timeline.handle_format(kVideo, video(25), wrap);
    timeline.handle_format(kAudio, audio(), wrap);
    Duration start = wrap - ms(1'000);
    for (int i = 0; i < 100; ++i) {
      Duration exact = ms(40) * i;
      Duration raw = start + exact;
      if (raw >= wrap) raw -= wrap;
      auto placed = timeline.handle_frame(at(exact), kVideo, raw, raw);
      ASSERT_TRUE(placed);
      EXPECT_LE((placed->dts - exact).abs(), Duration::microseconds(1));
      EXPECT_EQ(placed->epoch, 0u);
    }
    // The first frame of another track, sent before the wrap was seen by it.
    auto sound = timeline.handle_frame(at(ms(4'000)), kAudio, ms(3'000), ms(3'000));
    ASSERT_TRUE(sound);
    EXPECT_EQ(sound->epoch, 0u);
    EXPECT_LT((sound->dts - ms(4'000)).abs(), ms(2));
    EXPECT_EQ(timeline.stats().wraps, 1u);
  }
}

TEST(Timeline, keeps_decode_times_rising_over_small_steps_back) {
  Timeline timeline;
  timeline.handle_format(kVideo, video(0), kRtmpWrap);
  Rng rng(7);
  Duration last = ms(-1);
  for (int i = 0; i < 1'000; ++i) {
    Duration raw = ms(1'000 + i * 33 - static_cast<std::int64_t>(rng.below(200)));
    auto placed = timeline.handle_frame(at(ms(i * 33)), kVideo, raw, raw);
    ASSERT_TRUE(placed);
    ASSERT_GT(placed->dts, last);
    ASSERT_EQ(placed->epoch, 0u);
    last = placed->dts;
  }
  EXPECT_GT(timeline.stats().backward_steps_repaired, 0u);
}

TEST(Timeline, decides_a_jump_once_for_all_tracks) {
  Timeline timeline;
  timeline.handle_format(kVideo, video(25), kRtmpWrap);
  timeline.handle_format(kAudio, audio(), kRtmpWrap);
  Duration origin = ms(100'000);
  auto run = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      Duration exact = ms(20) * i;
      TrackId track = i % 2 ? kAudio : kVideo;
      auto placed = timeline.handle_frame(at(exact), track, origin + exact, origin + exact);
      EXPECT_TRUE(!placed || (placed->dts - exact).abs() < ms(60)) << i;
    }
  };
  run(0, 100);
  origin = ms(5'000'000);
  run(100, 200);
  EXPECT_EQ(timeline.stats().jumps, 1u);
  origin = ms(0);
  run(200, 300);
  EXPECT_EQ(timeline.stats().jumps, 2u);
}

TEST(Timeline, takes_a_pause_of_the_source_for_a_hole_and_not_for_a_jump) {
  Timeline timeline;
  timeline.handle_format(kVideo, video(25), kRtmpWrap);
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(timeline.handle_frame(at(ms(40 * i)), kVideo, ms(40 * i), ms(40 * i)));
  auto placed = timeline.handle_frame(at(ms(9'000)), kVideo, ms(9'000), ms(9'000));
  EXPECT_EQ(placed->epoch, 0u);
  EXPECT_EQ(placed->dts, ms(9'000));
}

TEST(Timeline, makes_audio_sample_continuous_until_the_error_is_heard) {
  Timeline timeline;
  timeline.handle_format(kAudio, audio(), kRtmpWrap);
  Rng rng(3);
  for (int i = 0; i < 5'000; ++i) {
    Duration exact = Duration::from_ticks(std::int64_t{i} * 1'024, 48'000);
    Duration raw = rounded(exact) + ms(static_cast<std::int64_t>(rng.below(40)) - 20);
    if (i == 0) raw = Duration();
    auto placed = timeline.handle_frame(at(exact), kAudio, raw + ms(1'000), raw + ms(1'000));
    ASSERT_TRUE(placed);
    ASSERT_EQ(placed->dts, exact);
  }
  Duration hole = Duration::from_ticks(5'010 * 1'024, 48'000);
  auto placed = timeline.handle_frame(at(hole), kAudio, rounded(hole) + ms(1'000), rounded(hole) + ms(1'000));
  EXPECT_LE((placed->dts - hole).abs(), ms(1));
  auto overlap = timeline.handle_frame(at(hole), kAudio, rounded(hole) + ms(960), rounded(hole) + ms(960));
  ASSERT_FALSE(overlap);
  EXPECT_EQ(overlap.error(), TimelineRefusal::kOverlap);
}

TEST(Timeline, shifts_decode_times_by_the_reorder_delay_and_keeps_shown_times) {
  Timeline timeline;
  timeline.handle_format(kVideo, video(30), kRtmpWrap);
  timeline.handle_format(kAudio, audio(), kRtmpWrap);
  const int shown_later[] = {2, 4, 1, 0, 1, 4, 1, 0, 1};
  for (int i = 0; i < 9; ++i) {
    Duration dts = Duration::from_ticks(i, 30), pts = Duration::from_ticks(i + shown_later[i], 30);
    auto placed = timeline.handle_frame(at(dts), kVideo, rounded(dts), rounded(pts));
    ASSERT_TRUE(placed);
    EXPECT_LE((placed->dts - dts).abs(), Duration::nanoseconds(1));
    EXPECT_LE((placed->pts - (pts - Duration::from_ticks(2, 30))).abs(), Duration::nanoseconds(2)) << i;
    EXPECT_TRUE(i > 0 || placed->dts == placed->pts);
  }
  // Sound that is heard with the first picture.
  auto sound = timeline.handle_frame(at(ms(300)), kAudio, ms(67), ms(67));
  EXPECT_LT(sound->pts.abs(), ms(1));
}

TEST(Timeline, refuses_what_it_does_not_know_and_times_out_of_range) {
  Timeline timeline;
  EXPECT_EQ(timeline.handle_frame(at({}), 3, {}, {}).error(), TimelineRefusal::kUnknownTrack);
  timeline.handle_format(kVideo, video(30), Duration::infinite());
  EXPECT_EQ(timeline.handle_frame(at({}), kVideo, Duration::infinite(), {}).error(),
            TimelineRefusal::kTimeOutOfRange);
}

TEST(Timeline, drops_the_old_clock_of_one_track_after_the_jump_of_another) {
  Timeline timeline;
  timeline.handle_format(kVideo, video(25), kRtmpWrap);
  timeline.handle_format(kAudio, audio(), kRtmpWrap);
  ASSERT_TRUE(timeline.handle_frame(at({}), kVideo, {}, {}));
  ASSERT_TRUE(timeline.handle_frame(at({}), kAudio, {}, {}));
  ASSERT_EQ(timeline.handle_frame(at(ms(40)), kVideo, ms(90'000), ms(90'000))->epoch, 1u);
  auto old = timeline.handle_frame(at(ms(41)), kAudio, ms(21), ms(21));
  ASSERT_FALSE(old);
  EXPECT_EQ(old.error(), TimelineRefusal::kBetweenJumps);
  EXPECT_TRUE(timeline.handle_frame(at(ms(43)), kAudio, ms(90'003), ms(90'003)));
  // A track whose clock did not jump is taken again after a while.
  ASSERT_EQ(timeline.handle_frame(at(ms(80)), kVideo, ms(0), ms(0))->epoch, 2u);
  int taken = 0;
  for (int i = 0; i < 50; ++i) {
    Duration time = ms(90'024 + 21 * i);
    if (timeline.handle_frame(at(ms(64 + 21 * i)), kAudio, time, time)) ++taken;
  }
  EXPECT_GT(taken, 20);
}

TEST(ClockMap, follows_a_skewed_clock_without_ever_jumping) {
  for (double skew : {200e-6, -200e-6, 0.0}) {
    ClockMap map;
    map.start(Duration(), ms(1'000'000));
    Rng rng(5);
    Duration last = ms(1'000'000);
    for (int i = 1; i < 30 * 1'800; ++i) {
      Duration media = Duration::from_ticks(i, 30);
      Duration truth = ms(1'000'000) + media + Duration::from_seconds(media.as_seconds() * skew);
      map.observe(media, truth + Duration::from_seconds(rng.unit() * 0.08));
      Duration mapped = map.clock_at(media);
      ASSERT_LT((mapped - last - Duration::from_ticks(1, 30)).abs(), Duration::microseconds(40));
      ASSERT_LT((mapped - truth).abs(), ms(25)) << i;
      last = mapped;
    }
  }
}

TEST(ClockMap, is_its_own_inverse_and_never_changes_the_past) {
  ClockMap map;
  map.start(Duration(), ms(500));
  Duration seen;
  for (int i = 1; i < 5'000; ++i) {
    map.observe(ms(33) * i, ms(500) + ms(33) * i + ms(i / 10));
    EXPECT_LT((map.media_at(map.clock_at(ms(33) * i)) - ms(33) * i).abs(), Duration::microseconds(1));
    if (i == 1'000) seen = map.clock_at(ms(33'000));
    EXPECT_TRUE(i != 1'300 || map.clock_at(ms(33'000)) == seen);
  }
}

}  // namespace
}  // namespace stoa::media
