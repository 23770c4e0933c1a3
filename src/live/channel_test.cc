#include "live/channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_source.h"

namespace stoa::live {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace stoa::live::testing;

TEST(Channel, makes_a_steady_playlist_from_a_steady_encoder) {
  Stage stage;
  stage.connect_av();
  stage.run(seconds(120));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_EQ(stage.channel.state(), ChannelState::kLive);
  EXPECT_EQ(stage.count(ChannelEventKind::kDiscontinuity), 0);
  EXPECT_EQ(stage.count(ChannelEventKind::kGap), 0);
  EXPECT_EQ(stage.checker.gap_parts, 0u);
  auto video = stage.playlist("v0");
  EXPECT_EQ(attribute(video.head["#EXT-X-PART-INF"], "PART-TARGET"), "0.334");
  ASSERT_GT(video.segments.size(), 28u);
  EXPECT_EQ(video.segments[5].extinf, "2.00000");
  EXPECT_EQ(video.segments.back().parts.front().duration, 0.33333);
  EXPECT_TRUE(video.segments.back().parts.front().is_independent);
  EXPECT_FALSE(stage.rendition("v0").playlist_delta.empty());
}

TEST(Channel, offers_the_first_playlist_after_three_parts) {
  Stage stage;
  stage.connect_av();
  stage.run(ms(950));
  ASSERT_TRUE(stage.snapshot);
  EXPECT_TRUE(stage.snapshot->multivariant.empty());
  stage.run(ms(90));
  EXPECT_FALSE(stage.snapshot->multivariant.empty());
  EXPECT_GE(stage.rendition("v0").last_part, 2);
  EXPECT_THAT(std::string(stage.snapshot->multivariant.text()), HasSubstr("AUDIO=\"audio\""));
  EXPECT_THAT(std::string(stage.snapshot->multivariant.text()), HasSubstr("avc1.64001f,mp4a.40.2"));
}

TEST(Channel, makes_a_part_available_the_moment_its_last_frame_arrives) {
  Stage stage;
  stage.connect_av();
  stage.run(seconds(3));
  std::uint64_t before = stage.rendition("v0").next_part_number;
  // Frames 100 … 109 are a part: the last one is captured at 109/30 s.
  stage.run(Duration::from_ticks(109, 30) - seconds(3) - ms(1));
  EXPECT_EQ(stage.rendition("v0").next_part_number, before + 1);
  stage.run(ms(2));
  EXPECT_EQ(stage.rendition("v0").next_part_number, before + 2);
}

TEST(Channel, has_room_for_four_sources_and_for_one_that_takes_over) {
  Channel channel("news", {}, Rng(1));
  ChannelOutputs out;
  Timestamp now = Timestamp() + seconds(1);
  for (int i = 0; i < kSourcesMax; ++i) {
    EXPECT_TRUE(channel.has_room(i));
    SourceId id{static_cast<std::uint64_t>(i) + 1};
    channel.handle_source_started(now, {}, id, {.priority = i, .description = {}}, out);
  }
  EXPECT_FALSE(channel.has_room(kSourcesMax));
  EXPECT_TRUE(channel.has_room(2));
  channel.handle_source_ended(now, {}, SourceId{1}, out);
  EXPECT_TRUE(channel.has_room(kSourcesMax));
}

TEST(Channel, is_not_over_while_a_source_sends_what_renditions_cannot_carry) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(5));
  encoder.is_sending = false;
  Timestamp now = Timestamp() + seconds(1'000);  // Long after the grace.
  SourceId id{99};
  ChannelOutputs out;
  stage.channel.handle_source_ended(now, {}, encoder.id, out);
  stage.channel.handle_source_started(now + seconds(5), {}, id, {}, out);
  stage.channel.handle_track_left_out(now + seconds(5), id);
  stage.channel.handle_deadline(now + seconds(300), {}, out);
  EXPECT_FALSE(stage.channel.has_ended());
  stage.channel.handle_source_ended(now + seconds(300), {}, id, out);
  stage.channel.handle_deadline(now + seconds(329), {}, out);
  EXPECT_FALSE(stage.channel.has_ended()) << "it has a grace of its own";
  stage.channel.handle_deadline(now + seconds(331), {}, out);
  EXPECT_TRUE(stage.channel.has_ended());
}

TEST(Channel, begins_the_grace_when_what_renditions_cannot_carry_is_gone) {
  Stage stage;
  Timestamp now = Timestamp() + seconds(1'000);
  SourceId id{99};
  ChannelOutputs out;
  stage.channel.handle_source_started(now, {}, id, {}, out);
  stage.channel.handle_track_left_out(now, id);
  stage.channel.handle_deadline(now + seconds(100), {}, out);
  stage.channel.handle_left_out_gone(now + seconds(100), {}, id, out);
  EXPECT_EQ(stage.channel.next_deadline(), now + seconds(130));
  // It comes back, and goes again.
  stage.channel.handle_track_left_out(now + seconds(120), id);
  stage.channel.handle_deadline(now + seconds(200), {}, out);
  EXPECT_FALSE(stage.channel.has_ended());
  stage.channel.handle_left_out_gone(now + seconds(200), {}, id, out);
  stage.channel.handle_deadline(now + seconds(229), {}, out);
  EXPECT_FALSE(stage.channel.has_ended());
  stage.channel.handle_deadline(now + seconds(230), {}, out);
  EXPECT_TRUE(stage.channel.has_ended());
}

TEST(Channel, continues_without_a_trace_over_a_32_bit_wrap) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  encoder.clock_origin = encoder.wrap - seconds(5);
  stage.run(seconds(20));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_EQ(stage.channel.stats().discontinuities, 0u);
  EXPECT_EQ(stage.checker.gap_parts, 0u);
}

TEST(Channel, makes_one_discontinuity_of_a_jump_in_all_renditions) {
  for (Duration jump : {seconds(3'600), -seconds(100)}) {
    Stage stage;
    Encoder& encoder = stage.connect_av();
    encoder.clock_origin = seconds(1'000);
    stage.run(seconds(7));
    encoder.clock_origin += jump;
    stage.run(seconds(20));
    EXPECT_THAT(stage.checker.errors, IsEmpty());
    EXPECT_EQ(stage.channel.stats().discontinuities, 1u);
    EXPECT_EQ(std::ranges::count(stage.playlist("v0").segments, true, &ListedSegment::has_discontinuity), 1);
    EXPECT_EQ(std::ranges::count(stage.playlist("a0").segments, true, &ListedSegment::has_discontinuity), 1);
  }
}

TEST(Channel, fills_an_absence_with_gaps_on_time_and_continues_the_playlist) {
  Stage stage;
  Encoder& first = stage.connect_av();
  stage.run(seconds(10));
  stage.disconnect(first);
  EXPECT_EQ(stage.channel.state(), ChannelState::kInterrupted);
  std::string broadcast = stage.snapshot->broadcast;
  std::uint64_t before = stage.rendition("v0").next_part_number;
  stage.run(seconds(8));
  EXPECT_NEAR(static_cast<double>(stage.rendition("v0").next_part_number - before), 8 / 0.334, 3);
  EXPECT_TRUE(stage.playlist("v0").segments.back().parts.back().is_gap);
  stage.connect_av();
  stage.run(seconds(10));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_EQ(stage.channel.state(), ChannelState::kLive);
  EXPECT_EQ(stage.snapshot->broadcast, broadcast);
  EXPECT_EQ(stage.channel.stats().discontinuities, 1u);
  EXPECT_EQ(stage.count(ChannelEventKind::kResumed), 1);
  EXPECT_FALSE(stage.playlist("v0").segments.back().parts.back().is_gap);
  // Same parameters: still the first MAP.
  EXPECT_EQ(stage.playlist("v0").segments.back().map, "v0/i0.mp4");
}

TEST(Channel, adds_parts_on_time_while_an_encoder_is_killed_and_comes_back) {
  for (Duration away : {ms(0), ms(60), ms(300), ms(500), ms(900), ms(1'400), ms(5'000)}) {
    for (Duration phase : {ms(0), ms(40), ms(90), ms(150), ms(210), ms(290), ms(320)}) {
      Stage stage;
      Encoder* encoder = &stage.connect_av();
      for (int kill = 0; kill < 5; ++kill) {
        stage.run(seconds(5) + phase);
        // Every other successor that is there at once takes over from one that is half open.
        if (away > Duration() || kill % 2) stage.disconnect(*encoder);
        stage.run(away);
        encoder = &stage.connect_av();
      }
      stage.run(seconds(5));
      EXPECT_THAT(stage.checker.errors, IsEmpty());
      EXPECT_LE(stage.latest_part.as_seconds(), 0.07)  // Two frames.
          << "away " << away.as_seconds() << " s, phase " << phase.as_seconds() << " s";
    }
  }
}

TEST(Channel, does_not_begin_with_tracks_that_are_over) {
  Stage stage;
  Encoder& encoder = stage.connect();
  encoder.add_video();
  Encoder::Track& video = encoder.tracks[0];
  video.next = 1;  // Not a keyframe.
  stage.send(encoder, video);
  stage.channel.handle_event(stage.now, stage.wall(), encoder.id, media::TrackEnded{video.id}, stage.out);
  encoder.is_sending = false;
  stage.run(seconds(10));
  EXPECT_EQ(stage.channel.state(), ChannelState::kOffline);
  EXPECT_EQ(stage.channel.snapshot(), nullptr);
}

TEST(Channel, ends_the_broadcast_after_the_grace_time) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(10));
  stage.disconnect(encoder);
  stage.run(seconds(29));
  EXPECT_FALSE(stage.has_ended);
  stage.run(seconds(2));
  EXPECT_TRUE(stage.has_ended);
  EXPECT_EQ(stage.channel.next_deadline(), Timestamp::never());
  EXPECT_TRUE(stage.playlist("v0").has_ended);
  EXPECT_TRUE(stage.playlist("a0").has_ended);
  EXPECT_EQ(stage.snapshot->state, ChannelState::kEnded);
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  stage.connect();
  EXPECT_EQ(stage.drops.back().reason, SourceDropReason::kBroadcastEnded);
}

TEST(Channel, ends_at_the_operators_word) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(5));
  stage.channel.end(stage.now, SourceDropReason::kBroadcastEnded, stage.out);
  stage.drain();
  EXPECT_TRUE(stage.has_ended);
  EXPECT_TRUE(stage.playlist("v0").has_ended);
  ASSERT_EQ(stage.drops.size(), 1u);
  EXPECT_EQ(stage.drops[0].source, encoder.id);
  EXPECT_THAT(stage.checker.errors, IsEmpty());
}

TEST(Channel, takes_a_short_stall_and_its_burst_without_a_gap) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(10));
  encoder.held_until = ms(11'300);
  stage.run(seconds(10));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_EQ(stage.checker.gap_parts, 0u);
  EXPECT_EQ(stage.channel.stats().discontinuities, 0u);
  EXPECT_EQ(stage.channel.stats().interruptions, 0u);
}

TEST(Channel, fills_a_long_stall_and_goes_on_with_the_same_timeline) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(10));
  encoder.held_until = seconds(15);
  stage.run(seconds(12));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_GT(stage.checker.gap_parts, 5u);
  EXPECT_EQ(stage.channel.stats().discontinuities, 0u);
  EXPECT_EQ(stage.channel.state(), ChannelState::kLive);
}

TEST(Channel, goes_on_in_gaps_on_time_until_a_stalled_encoder_comes_to_a_keyframe) {
  for (bool has_audio : {false, true}) {
    Stage stage;
    Encoder& encoder = stage.connect();
    encoder.add_video();
    if (has_audio) encoder.add_audio();
    stage.run(seconds(10));
    encoder.is_sending = false;
    stage.run(seconds(4) + ms(500));
    stage.latest_part = Duration();  // The stall itself is allowed to be late.
    encoder.is_sending = true;       // In the middle of a group of pictures.
    stage.run(ms(1'300));
    EXPECT_TRUE(stage.playlist("v0").segments.back().parts.back().is_gap);
    stage.run(seconds(5));
    EXPECT_LE(stage.latest_part.as_seconds(), 0.1) << has_audio;
    EXPECT_THAT(stage.checker.errors, IsEmpty());
    EXPECT_EQ(stage.channel.state(), ChannelState::kLive);
    EXPECT_FALSE(stage.playlist("v0").segments.back().parts.back().is_gap);
  }
}

TEST(Channel, ends_when_a_stalled_encoder_never_comes_to_a_keyframe) {
  Stage stage;
  Encoder& encoder = stage.connect();
  encoder.add_video(30, 1'000'000);
  stage.run(seconds(10));
  encoder.is_sending = false;
  stage.run(seconds(3));
  encoder.is_sending = true;
  stage.run(seconds(20));
  EXPECT_EQ(stage.channel.state(), ChannelState::kInterrupted);
  EXPECT_TRUE(stage.playlist("v0").segments.back().parts.back().is_gap);
  stage.run(seconds(12));
  EXPECT_TRUE(stage.channel.has_ended());
  EXPECT_THAT(stage.checker.errors, IsEmpty());
}

TEST(Channel, lets_sound_go_on_when_only_the_pictures_of_a_stopped_clock_are_gone) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(10) + ms(500));
  encoder.is_sending = false;
  stage.run(seconds(4));
  encoder.is_sending = true;
  encoder.clock_origin -= seconds(4);
  stage.run(ms(40));  // One picture, too late for its place, and then none.
  encoder.tracks[0].is_muted = true;
  stage.run(seconds(8));
  EXPECT_FALSE(stage.playlist("a0").segments.back().parts.back().is_gap);
  EXPECT_TRUE(stage.playlist("v0").segments.back().parts.back().is_gap);
  EXPECT_THAT(stage.checker.errors, IsEmpty());
}

TEST(Channel, gives_an_encoder_that_comes_back_at_the_last_moment_the_time_to_begin) {
  Stage stage;
  Encoder& first = stage.connect_av();
  stage.run(seconds(10));
  stage.disconnect(first);
  stage.run(seconds(29) + ms(800));
  std::string broadcast = stage.snapshot->broadcast;
  Encoder& second = stage.connect_av();
  second.tracks[0].next = 1;  // Its first keyframe comes after two seconds.
  stage.run(seconds(8));
  EXPECT_EQ(stage.channel.state(), ChannelState::kLive);
  EXPECT_EQ(stage.snapshot->broadcast, broadcast);
  EXPECT_FALSE(stage.playlist("v0").segments.back().parts.back().is_gap);
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  // One that never sends anything does not keep it alive.
  stage.disconnect(second);
  stage.run(seconds(29));
  stage.connect();
  stage.run(seconds(8));
  EXPECT_TRUE(stage.channel.has_ended());
}

TEST(Channel, tells_the_new_format_of_an_encoder_that_came_back_changed) {
  Stage stage;
  Encoder& first = stage.connect_av();
  stage.run(seconds(10));
  EXPECT_THAT(std::string(stage.snapshot->multivariant.text()), HasSubstr("RESOLUTION=1280x720"));
  stage.disconnect(first);
  stage.run(seconds(2));
  Encoder& second = stage.connect_av();
  auto format = video_format(30, 9);
  format->width = 1920;
  format->height = 1080;
  format->codec_string = "avc1.640028";
  second.tracks[0].format = format;
  stage.run(seconds(6));
  EXPECT_THAT(std::string(stage.snapshot->multivariant.text()), HasSubstr("RESOLUTION=1920x1080"));
  EXPECT_THAT(std::string(stage.snapshot->multivariant.text()), HasSubstr("avc1.640028,mp4a.40.2"));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
}

TEST(Channel, goes_back_to_a_better_source_that_has_sound_only) {
  Stage stage;
  Encoder& primary = stage.connect(0);
  primary.add_audio();
  Encoder& backup = stage.connect(1);
  backup.add_audio();
  stage.run(seconds(10));
  primary.is_sending = false;
  stage.run(seconds(2));
  EXPECT_EQ(stage.channel.source_on_air(), backup.id);
  primary.is_sending = true;
  stage.run(seconds(4));
  EXPECT_EQ(stage.channel.source_on_air(), primary.id);
  stage.run(seconds(5));
  EXPECT_EQ(stage.channel.stats().source_switches, 2u);
  EXPECT_THAT(stage.checker.errors, IsEmpty());
}

TEST(Channel, gives_an_encoder_whose_clock_stood_still_a_new_place) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(10));
  encoder.is_sending = false;
  stage.run(seconds(6));
  encoder.is_sending = true;
  encoder.clock_origin -= seconds(6);
  stage.run(seconds(12));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_FALSE(stage.playlist("v0").segments.back().parts.back().is_gap);
  EXPECT_FALSE(stage.playlist("a0").segments.back().parts.back().is_gap);
  EXPECT_EQ(stage.channel.stats().discontinuities, 1u);
}

TEST(Channel, lets_a_reconnecting_encoder_take_over_at_once) {
  Stage stage;
  Encoder& old = stage.connect_av();
  stage.run(seconds(10));
  stage.connect_av();
  ASSERT_EQ(stage.drops.size(), 1u);
  EXPECT_EQ(stage.drops[0].source, old.id);
  EXPECT_EQ(stage.drops[0].reason, SourceDropReason::kTakenOver);
  stage.run(seconds(10));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_EQ(stage.channel.stats().discontinuities, 1u);
  EXPECT_EQ(stage.channel.stats().interruptions, 0u);
}

TEST(Channel, goes_on_with_a_standby_within_two_seconds_and_back_at_a_keyframe) {
  for (bool says_goodbye : {true, false}) {
    Stage stage;
    Encoder& primary = stage.connect_av(0);
    Encoder& backup = stage.connect_av(1);
    backup.clock_origin = seconds(500);
    stage.run(seconds(10) + ms(700));
    EXPECT_EQ(stage.channel.source_on_air(), primary.id);
    if (says_goodbye)
      stage.disconnect(primary);
    else
      primary.is_sending = false;
    stage.run(ms(says_goodbye ? 50 : 1'100));
    EXPECT_EQ(stage.channel.source_on_air(), backup.id);
    stage.run(seconds(8));
    EXPECT_EQ(stage.channel.state(), ChannelState::kLive);
    EXPECT_EQ(stage.channel.stats().discontinuities, 1u);
    if (says_goodbye)
      stage.connect_av(0);
    else
      primary.is_sending = true;
    stage.run(seconds(2));
    EXPECT_EQ(stage.channel.source_on_air(), backup.id);
    stage.run(seconds(5));
    EXPECT_NE(stage.channel.source_on_air(), backup.id);
    stage.run(seconds(10));
    EXPECT_THAT(stage.checker.errors, IsEmpty());
    EXPECT_EQ(stage.channel.stats().discontinuities, 2u);
    EXPECT_LT(stage.checker.gap_parts, 10u);
  }
}

TEST(Channel, makes_a_new_map_for_new_parameters_and_nothing_for_repeated_ones) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(10));
  encoder.tracks[0].format = video_format();
  stage.announce(encoder, encoder.tracks[0]);
  stage.run(seconds(6));
  EXPECT_EQ(stage.channel.stats().discontinuities, 0u);
  EXPECT_EQ(stage.playlist("v0").segments.back().map, "v0/i0.mp4");
  encoder.tracks[0].format = video_format(30, 2);
  stage.announce(encoder, encoder.tracks[0]);
  stage.run(seconds(10));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_EQ(stage.channel.stats().discontinuities, 1u);
  EXPECT_EQ(stage.playlist("v0").segments.back().map, "v0/i1.mp4");
  EXPECT_EQ(stage.playlist("a0").segments.back().map, "a0/i0.mp4");
}

TEST(Channel, makes_an_encoders_own_ladder_into_variants_in_step) {
  Stage stage;
  Encoder& encoder = stage.connect();
  encoder.add_video();
  encoder.add_video();
  encoder.add_video(60, 120);
  encoder.add_audio();
  encoder.add_audio(44'100);
  stage.run(seconds(40));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  ASSERT_EQ(stage.snapshot->renditions.size(), 5u);
  for (const auto& rendition : stage.snapshot->renditions)
    EXPECT_NEAR(static_cast<double>(rendition->last_msn), static_cast<double>(stage.rendition("v0").last_msn),
                1);
  EXPECT_EQ(stage.playlist("v2").segments[3].extinf, "2.00000");
  EXPECT_THAT(std::string(stage.snapshot->multivariant.text()), HasSubstr("a1.m3u8"));
}

TEST(Channel, serves_channels_without_video_or_without_audio) {
  for (bool has_video : {true, false}) {
    Stage stage;
    Encoder& encoder = stage.connect();
    if (has_video)
      encoder.add_video();
    else
      encoder.add_audio();
    stage.run(seconds(70));
    EXPECT_THAT(stage.checker.errors, IsEmpty());
    EXPECT_EQ(stage.checker.gap_parts, 0u);
    EXPECT_THAT(std::string(stage.snapshot->multivariant.text()), Not(HasSubstr("EXT-X-MEDIA:")));
    EXPECT_EQ(stage.snapshot->renditions.size(), 1u);
  }
}

TEST(Channel, cuts_between_keyframes_that_are_too_far_apart_and_says_so) {
  Stage stage;
  Encoder& encoder = stage.connect();
  encoder.add_video(30, 300);
  encoder.add_audio();
  stage.run(seconds(40));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_THAT(stage.snapshot->warnings, ::testing::Contains("keyframe_interval_too_long"));
  EXPECT_EQ(stage.count(ChannelEventKind::kKeyframeIntervalTooLong), 1);
}

TEST(Channel, fills_a_track_that_falls_silent) {
  for (int silent : {0, 1}) {
    Stage stage;
    Encoder& encoder = stage.connect_av();
    stage.run(seconds(10));
    encoder.tracks[silent].is_muted = true;
    stage.run(seconds(15));
    EXPECT_NEAR(static_cast<double>(stage.rendition("v0").last_msn),
                static_cast<double>(stage.rendition("a0").last_msn), 1);
    encoder.tracks[silent].is_muted = false;
    stage.run(seconds(15));
    EXPECT_THAT(stage.checker.errors, IsEmpty());
    EXPECT_GT(stage.checker.gap_parts, 30u);
    EXPECT_FALSE(stage.playlist("v0").segments.back().parts.back().is_gap);
    EXPECT_FALSE(stage.playlist("a0").segments.back().parts.back().is_gap);
    EXPECT_EQ(stage.channel.stats().discontinuities, 0u);
  }
}

TEST(Channel, lets_a_late_track_join_in_step) {
  Stage stage;
  Encoder& encoder = stage.connect();
  encoder.add_video();
  stage.run(seconds(11));
  encoder.add_audio();
  encoder.tracks[1].next = 11 * 48'000 / 1'024;
  stage.run(seconds(20));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  ASSERT_EQ(stage.snapshot->renditions.size(), 2u);
  EXPECT_NEAR(static_cast<double>(stage.rendition("v0").last_msn),
              static_cast<double>(stage.rendition("a0").last_msn), 1);
  EXPECT_GT(stage.playlist("a0").media_sequence, 4u);
}

TEST(Channel, carries_b_frames_with_keyframes_decoded_when_shown) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  encoder.tracks[0].reorder = 2;
  stage.run(seconds(20));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  EXPECT_EQ(stage.playlist("v0").segments[3].extinf, "2.00000");
}

TEST(Channel, lowers_nothing_for_slow_pictures_but_lengthens_parts_at_the_start) {
  for (int fps : {1, 2, 4, 5, 7, 8, 12, 15, 24, 25, 50, 60}) {
    Stage stage;
    Encoder& encoder = stage.connect();
    encoder.add_video(fps, fps * 2);
    encoder.add_audio();
    stage.run(seconds(40));
    EXPECT_THAT(stage.checker.errors, IsEmpty()) << fps;
    EXPECT_EQ(stage.checker.gap_parts, 0u) << fps;
  }
}

TEST(Channel, keeps_wall_clock_time_within_a_frame_of_a_skewed_source) {
  Stage stage;
  Encoder& encoder = stage.connect_av();
  encoder.clock_rate = 1.0002;
  stage.run(seconds(900));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  const Segment& last = *stage.rendition("v0").retained.back();
  Duration behind = stage.wall() - last.program_date_time - last.duration;
  EXPECT_LT(behind.abs(), ms(500));
  EXPECT_GT(behind, -ms(60));
  EXPECT_EQ(stage.channel.stats().discontinuities, 0u);
}

TEST(Channel, dates_all_renditions_alike) {
  Stage stage;
  stage.connect_av();
  stage.run(seconds(30));
  for (const auto& video : stage.rendition("v0").retained) {
    const Segment* audio = stage.rendition("a0").find_segment(video->media_sequence_number);
    if (!audio) continue;
    Duration apart = (audio->program_date_time - video->program_date_time) - (audio->start - video->start);
    EXPECT_LT(apart.abs(), ms(2));
  }
}

TEST(Channel, keeps_what_left_the_playlist_for_as_long_as_it_may_be_asked_for) {
  Stage stage;
  stage.connect_av();
  stage.run(seconds(300));
  auto list = stage.playlist("v0");
  const Rendition& video = stage.rendition("v0");
  EXPECT_LE(video.retained.front()->media_sequence_number + 30, list.media_sequence);
  EXPECT_GE(video.retained.front()->media_sequence_number + 34, list.media_sequence);
  EXPECT_LT(list.segments.size(), 33u);
}

TEST(Channel, refuses_more_sources_than_it_has_room_for) {
  Stage stage;
  for (int i = 0; i <= kSourcesMax; ++i) stage.connect(i);
  ASSERT_EQ(stage.drops.size(), 1u);
  EXPECT_EQ(stage.drops[0].reason, SourceDropReason::kTooManySources);
}

TEST(Channel, drops_frames_over_the_limit_and_waits_for_a_keyframe) {
  ChannelConfig config;
  config.packager.frame_bytes = 9'000;
  Stage stage(config);
  Encoder& encoder = stage.connect_av();
  stage.run(seconds(5));
  encoder.tracks[0].bytes = 10'000;
  stage.run(ms(500));
  encoder.tracks[0].bytes = 2'000;
  stage.run(seconds(10));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  MetricSamples samples;
  stage.channel.append_metrics(samples);
  auto over = std::ranges::find_if(
      samples, [](const auto& s) { return !s.labels.empty() && s.labels[0].second == "over_limit"; });
  ASSERT_NE(over, samples.end());
  EXPECT_GT(over->value, 10);
}

TEST(Channel, holds_memory_within_the_limit) {
  ChannelConfig config;
  config.packager.window_bytes = 3'000'000;
  Stage stage(config);
  Encoder& encoder = stage.connect_av();
  encoder.tracks[0].bytes = 5'000;
  stage.run(seconds(120));
  EXPECT_THAT(stage.checker.errors, IsEmpty());
  std::size_t held = 0;
  for (const auto& segment : stage.rendition("v0").retained) held += segment->size_bytes();
  EXPECT_LT(held, 3'700'000u);
}

// Everything that goes wrong in the field, from a seed, for two minutes each.
TEST(Channel, breaks_no_rule_whatever_encoders_do) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    ChannelConfig config;
    Rng rng(seed);
    if (rng.chance(0.3)) config.part_target = ms(200 + static_cast<std::int64_t>(rng.below(800)));
    config.packager.window = seconds(20 + static_cast<std::int64_t>(rng.below(60)));
    Stage stage(config, seed);
    std::uint8_t version = 1;
    for (int step = 0; step < 40; ++step) {
      std::vector<Encoder*> live;
      for (auto& encoder : stage.encoders)
        if (encoder->is_connected) live.push_back(encoder.get());
      Encoder* some = live.empty() ? nullptr : live[rng.below(live.size())];
      switch (some ? rng.below(14) : 0) {
        case 0: {
          Encoder& encoder = stage.connect(static_cast<int>(rng.below(2)));
          int fps = static_cast<int>(rng.chance(0.7) ? 30 : 5 + rng.below(55));
          if (rng.chance(0.9)) encoder.add_video(fps, static_cast<int>(10 + rng.below(150)));
          if (rng.chance(0.2)) encoder.add_video(fps, static_cast<int>(10 + rng.below(150)));
          if (rng.chance(0.9) || encoder.tracks.empty()) encoder.add_audio();
          encoder.clock_origin =
              Duration::milliseconds(static_cast<std::int64_t>(rng.below(std::uint64_t{1} << 32)));
          encoder.clock_rate = 1 + (rng.unit() - 0.5) * 0.002;
          encoder.tracks[0].reorder = static_cast<int>(rng.below(3));
          break;
        }
        case 1: stage.disconnect(*some); break;
        case 2:
          some->clock_origin +=
              Duration::milliseconds(static_cast<std::int64_t>(rng.below(100'000)) - 50'000);
          break;
        case 3: some->clock_origin -= ms(static_cast<std::int64_t>(rng.below(400))); break;
        case 4:
          some->held_until = stage.now - some->started + ms(static_cast<std::int64_t>(rng.below(6'000)));
          break;
        case 5: some->is_sending = !some->is_sending; break;
        case 6: {
          auto& track = some->tracks[rng.below(some->tracks.size())];
          bool is_video = track.format->kind() == media::Kind::kVideo;
          track.format = is_video ? video_format(30, ++version) : audio_format(48'000, ++version);
          stage.announce(*some, track);
          break;
        }
        case 7: {
          auto& track = some->tracks[rng.below(some->tracks.size())];
          track.is_muted = !track.is_muted;
          break;
        }
        case 8: some->tracks[0].clock_error += ms(static_cast<std::int64_t>(rng.below(4'000)) - 2'000); break;
        case 9: some->clock_origin = some->wrap - (stage.now - some->started) - seconds(1); break;
        case 10: some->tracks[0].gop = static_cast<int>(1 + rng.below(200)); break;
        default: break;
      }
      stage.run(ms(static_cast<std::int64_t>(rng.below(6'000))));
      if (stage.has_ended) break;
    }
    ASSERT_THAT(stage.checker.errors, IsEmpty()) << "seed " << seed;
    if (!stage.has_ended) stage.channel.end(stage.now, SourceDropReason::kBroadcastEnded, stage.out);
    stage.drain();
    ASSERT_THAT(stage.checker.errors, IsEmpty()) << "seed " << seed << " at the end";
  }
}

}  // namespace
}  // namespace stoa::live
