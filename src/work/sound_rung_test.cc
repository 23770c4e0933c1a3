#include "work/sound_rung.h"

#include <gmock/gmock.h>

#include "work/test_sound.h"

namespace stoa::work {
namespace {

using namespace test;
using media::Codec;

media::Rung rung(Codec codec, std::uint32_t rate = 0, std::uint32_t channels = 0) {
  media::Rung rung{.id = 7, .name = "sound", .codec = codec, .bitrate_mean = 192'000};
  rung.sample_rate = rate, rung.channels = channels;
  return rung;
}

// A rung with the decoder before it, and what came out.
struct Studio {
  explicit Studio(const media::Rung& asked) : rung(asked) {}
  void play(const SoundClip& clip, Duration from = {}) {
    SoundDecoder decoder(clip.format);
    for (const media::Frame& frame : clip.frames) play(decoder, frame, from);
  }
  void play(SoundDecoder& decoder, const media::Frame& frame, Duration from = {}) {
    auto sound = decoder.decode(frame, {++number, {}});
    ASSERT_TRUE(sound);
    sound->pts += from;
    rung.handle_sound(*sound, out);
    collect();
  }
  void cut(Duration at) { rung.handle_break(at, out), collect(); }
  void finish() { rung.finish(out), collect(); }
  void collect() {
    for (RungOutput& output : out.take()) {
      std::visit(Overloaded{[&](RungFormat& begun) { formats.push_back(begun.format); },
                            [&](RungFrame& made) {
                              EXPECT_EQ(made.origin.number, number);
                              lengths.push_back(made.origin.nominal_duration);
                              frames.push_back(std::move(made.frame));
                            },
                            [&](RungEnded& ended) { ends.push_back(ended.why); }, [](auto&) {}},
                 output);
    }
  }
  // Frames never overlap; the longest hole between two.
  Duration longest_hole() const {
    Duration longest;
    for (std::size_t i = 1; i < frames.size(); ++i) {
      Duration hole = frames[i].pts - (frames[i - 1].pts + lengths[i - 1]);
      EXPECT_GE(hole, -Duration::microseconds(1));
      longest = std::max(longest, hole);
    }
    return longest;
  }
  Line line() const { return lay(formats.at(0), frames); }

  SoundRung rung;
  RungOutputs out;
  std::uint64_t number = 0;
  std::vector<std::shared_ptr<const media::Format>> formats;
  std::vector<media::Frame> frames;
  std::vector<Duration> lengths;
  std::vector<EncodeRefusal> ends;
};

struct Way {
  const char* name;
  SoundSpec source;
  media::Rung rung;
  std::uint32_t sample_rate, channels;  // Of the rung.
};
class SoundRungs : public testing::TestWithParam<Way> {};

TEST_P(SoundRungs, keep_each_sound_where_it_was) {
  const Way& way = GetParam();
  const std::vector<double> times{0.25, 0.5, 0.9371, 1.5};
  SoundSpec source = way.source;
  source.seconds = 2;
  Studio studio(way.rung);
  studio.play(make_sound(source, pulses_at(times)));
  studio.finish();
  ASSERT_EQ(studio.formats.size(), 1u);
  EXPECT_EQ(studio.formats[0]->codec, way.rung.codec);
  EXPECT_EQ(studio.formats[0]->sample_rate, way.sample_rate);
  EXPECT_EQ(studio.formats[0]->channels, way.channels);
  EXPECT_LE(studio.longest_hole(), Duration::microseconds(1));
  Line line = studio.line();
  for (double time : times) EXPECT_LE(std::abs(line.lateness(time)), 1) << time;
  EXPECT_TRUE(studio.ends.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Ways, SoundRungs,
    testing::Values(
        Way{"aac_to_opus", {Codec::kAac}, rung(Codec::kOpus), 48'000, 2},
        Way{"opus_to_aac", {Codec::kOpus}, rung(Codec::kAac), 48'000, 2},
        Way{"aac_44100_to_opus", {Codec::kAac, 44'100}, rung(Codec::kOpus), 48'000, 2},
        Way{"aac_44100_to_aac", {Codec::kAac, 44'100}, rung(Codec::kAac), 44'100, 2},
        Way{"aac_to_aac_44100", {Codec::kAac}, rung(Codec::kAac, 44'100), 44'100, 2},
        Way{"aac_96000_to_aac", {Codec::kAac, 96'000}, rung(Codec::kAac, 48'000), 48'000, 2},
        Way{"aac_22050_to_opus", {Codec::kAac, 22'050, 1, 2, 64'000}, rung(Codec::kOpus), 48'000, 1},
        Way{"opus_to_opus", {Codec::kOpus}, rung(Codec::kOpus), 48'000, 2},
        Way{"mono_to_stereo", {Codec::kOpus, 48'000, 1}, rung(Codec::kAac, 0, 2), 48'000, 2},
        Way{"stereo_to_mono", {Codec::kAac}, rung(Codec::kOpus, 0, 1), 48'000, 1},
        Way{"surround_to_stereo", {Codec::kAac, 48'000, 6}, rung(Codec::kOpus, 0, 2), 48'000, 2},
        Way{"surround_to_opus", {Codec::kAac, 48'000, 6}, rung(Codec::kOpus), 48'000, 6},
        Way{"surround_to_aac", {Codec::kOpus, 48'000, 6}, rung(Codec::kAac), 48'000, 6},
        Way{"eight_to_stereo", {Codec::kOpus, 48'000, 8}, rung(Codec::kAac, 0, 2), 48'000, 2},
        Way{"four_to_opus", {Codec::kAac, 48'000, 4}, rung(Codec::kOpus), 48'000, 4}),
    [](const auto& row) { return std::string(row.param.name); });

TEST(SoundRung, is_exact_far_from_the_start_and_after_minutes_of_another_rate) {
  // 44,100 of the source are 48,000 of the rung: one part in a million would be 14 samples after 5 minutes.
  const Duration start = Duration::seconds(360'000);
  const double last = 299.7;
  Studio studio(rung(Codec::kOpus, 0, 1));
  studio.play(make_sound({Codec::kAac, 44'100, 1, 300, 32'000}, pulses_at({0.5, last})), start);
  studio.finish();
  EXPECT_LE(studio.longest_hole(), Duration::microseconds(1));
  Line line = studio.line();
  // A frame of Opus before the first of the source's.
  EXPECT_EQ(line.begins, start - Duration::from_ticks(1'024, 44'100) - Duration::milliseconds(20));
  EXPECT_LE(std::abs(line.lateness(360'000 + 0.5)), 1);
  EXPECT_LE(std::abs(line.lateness(360'000 + last)), 1);
}

TEST(SoundRung, leaves_loudness_as_it_is) {
  struct Row {
    int from, to;
    double expected;
  };
  // Of two channels one: half of each. Of one two: both as loud.
  for (Row row : {Row{2, 2, 0.4}, Row{1, 1, 0.4}, Row{2, 1, 0.4}, Row{1, 2, 0.4}}) {
    for (Codec codec : {Codec::kAac, Codec::kOpus}) {
      Studio studio(rung(codec, 0, static_cast<std::uint32_t>(row.to)));
      studio.play(make_sound({Codec::kAac, 48'000, row.from}, tone(440, 0.4)));
      studio.finish();
      double peak = studio.line().peak(Duration::milliseconds(300), Duration::milliseconds(700), row.to - 1);
      EXPECT_NEAR(peak, row.expected, 0.02) << row.from << " to " << row.to;
    }
  }
}

TEST(SoundRung, mixes_surround_so_that_it_cannot_clip) {
  for (int channels : {6, 8}) {
    for (Codec codec : {Codec::kAac, Codec::kOpus}) {
      Studio studio(rung(codec, 0, 2));
      studio.play(make_sound({Codec::kOpus, 48'000, channels, 1, 512'000}, tone(440, 0.97)));
      studio.finish();
      for (int channel : {0, 1}) {
        double peak = studio.line().peak(Duration::milliseconds(300), Duration::milliseconds(700), channel);
        EXPECT_LT(peak, 1.0);
        EXPECT_GT(peak, 0.9);
      }
    }
  }
}

TEST(SoundRung, keeps_left_left) {
  Heard left = [](double at, int channel) { return channel == 0 ? pulse(at - 0.5) : 0; };
  for (int channels : {2, 6}) {
    Studio studio(rung(Codec::kOpus, 0, 2));
    studio.play(make_sound({Codec::kAac, 48'000, channels}, left));
    studio.finish();
    Line line = studio.line();
    EXPECT_GT(line.peak(Duration::milliseconds(490), Duration::milliseconds(510), 0), 0.2);
    EXPECT_LT(line.peak(Duration::milliseconds(490), Duration::milliseconds(510), 1), 0.05);
  }
}

TEST(SoundRung, lets_frames_go_as_soon_as_they_are_made) {
  SoundClip clip = make_sound({Codec::kAac}, tone(440, 0.4));
  for (Codec codec : {Codec::kAac, Codec::kOpus}) {
    Studio studio(rung(codec));
    SoundDecoder decoder(clip.format);
    for (std::size_t i = 0; i < clip.frames.size(); ++i) {
      studio.play(decoder, clip.frames[i]);
      if (i < 3) continue;
      // A frame that is not full, and one that the encoder wants to have seen.
      Duration made_until = studio.frames.back().pts + studio.lengths.back();
      Duration come_until = clip.frames[i].pts + Duration::from_ticks(1'024, 48'000);
      ASSERT_LE(come_until - made_until, Duration::milliseconds(48));
    }
  }
}

TEST(SoundRung, puts_silence_where_frames_were_lost) {
  SoundClip clip = make_sound({Codec::kAac, 44'100, 2, 2}, pulses_at({0.3, 1.5}));
  clip.frames.erase(clip.frames.begin() + 30, clip.frames.begin() + 35);
  clip.frames.erase(clip.frames.begin() + 40);
  Studio studio(rung(Codec::kOpus));
  studio.play(clip);
  studio.finish();
  EXPECT_LE(studio.longest_hole(), Duration::microseconds(1));
  Line line = studio.line();
  EXPECT_LE(std::abs(line.lateness(0.3)), 1);
  EXPECT_LE(std::abs(line.lateness(1.5)), 1);
}

TEST(SoundRung, begins_anew_after_a_long_hole) {
  SoundClip clip = make_sound({Codec::kAac}, pulses_at({0.3}));
  for (Codec codec : {Codec::kAac, Codec::kOpus}) {
    Studio studio(rung(codec));
    studio.play(clip);
    studio.play(clip, Duration::seconds(10));
    studio.finish();
    EXPECT_EQ(studio.formats.size(), 1u);
    EXPECT_GT(studio.longest_hole(), Duration::milliseconds(8'900));
    Line line = studio.line();
    EXPECT_LE(std::abs(line.lateness(0.3)), 1);
    EXPECT_LE(std::abs(line.lateness(10.3)), 1);
  }
}

TEST(SoundRung, keeps_apart_what_is_before_and_behind_a_break) {
  SoundClip clip = make_sound({Codec::kAac}, pulses_at({0.3, 0.8}));
  const Duration at = Duration::milliseconds(890);
  SoundClip before_it = clip;  // The last frame lasts until 895 ms.
  while (before_it.frames.back().pts > Duration::milliseconds(875)) before_it.frames.pop_back();
  for (Codec codec : {Codec::kAac, Codec::kOpus}) {
    Studio studio(rung(codec));
    studio.play(before_it);
    studio.cut(at);
    EXPECT_LT(at - studio.frames.back().pts - studio.lengths.back(), Duration::milliseconds(22));
    EXPECT_LE(studio.frames.back().pts + studio.lengths.back(), at);
    std::size_t before = studio.frames.size();
    studio.play(clip, at - Duration::milliseconds(5));
    studio.finish();
    EXPECT_EQ(studio.formats.size(), 1u);
    EXPECT_EQ(studio.frames.at(before).pts, at);
    EXPECT_LT(studio.longest_hole(), Duration::milliseconds(22));
    Line line = studio.line();
    for (double time : {0.3, 0.8, 0.885 + 0.3, 0.885 + 0.8}) EXPECT_LE(std::abs(line.lateness(time)), 1);
  }
}

TEST(SoundRung, keeps_its_format_when_the_source_changes_its) {
  SoundClip first = make_sound({Codec::kAac, 44'100, 1}, pulses_at({0.5}));
  SoundClip second = make_sound({Codec::kOpus, 48'000, 6}, pulses_at({0.5}));
  for (Codec codec : {Codec::kAac, Codec::kOpus}) {
    Studio studio(rung(codec));
    studio.play(first);
    studio.play(second, Duration::seconds(1) + Duration::milliseconds(30));
    studio.play(first, Duration::seconds(2) + Duration::milliseconds(80));
    studio.finish();
    EXPECT_EQ(studio.formats.size(), 1u);
    EXPECT_LE(studio.longest_hole(), Duration::microseconds(1));
    Line line = studio.line();
    for (double time : {0.5, 1.53, 2.58}) EXPECT_LE(std::abs(line.lateness(time)), 1) << time;
  }
}

TEST(SoundRung, never_takes_back_what_has_left_at_a_break) {
  SoundClip clip = make_sound({Codec::kAac}, pulses_at({0.3, 0.8}));
  Studio studio(rung(Codec::kOpus));
  studio.play(clip);
  studio.cut(Duration::milliseconds(500));
  Duration over = studio.frames.back().pts + studio.lengths.back();
  studio.play(clip, Duration::milliseconds(500));
  studio.finish();
  EXPECT_LE(studio.longest_hole(), Duration::microseconds(1));
  EXPECT_GT(over, Duration::milliseconds(950));
  EXPECT_LE(std::abs(studio.line().lateness(1.3)), 1);
}

TEST(SoundRung, leaves_out_what_comes_for_a_time_that_was) {
  SoundClip clip = make_sound({Codec::kAac}, pulses_at({0.8}));
  Studio studio(rung(Codec::kOpus));
  studio.play(clip);
  std::size_t before = studio.frames.size();
  studio.play(clip);
  EXPECT_EQ(studio.frames.size(), before);
  studio.play(clip, Duration::milliseconds(500));
  studio.finish();
  EXPECT_LE(studio.longest_hole(), Duration::microseconds(1));
  EXPECT_LE(std::abs(studio.line().lateness(1.3)), 1);
}

TEST(SoundRung, follows_a_clock_of_milliseconds_without_tearing) {
  SoundClip clip = make_sound({Codec::kAac, 44'100, 2, 3}, tone(440, 0.4));
  for (media::Frame& frame : clip.frames) frame.pts = Duration::milliseconds(frame.pts.ms());
  Studio studio(rung(Codec::kAac));
  studio.play(clip);
  studio.finish();
  Line line = studio.line();
  // A tone without a click: each sample follows from the two before it.
  double turn = 2 * std::cos(2 * std::numbers::pi * 440 / 44'100), worst = 0;
  const auto& samples = line.samples[0];
  for (std::size_t i = 10'000; i < 110'000; ++i)
    worst = std::max(worst, std::abs(samples[i] - turn * samples[i - 1] + samples[i - 2]));
  EXPECT_LT(worst, 0.01);
}

TEST(SoundRung, ends_where_a_rung_asks_for_what_there_is_not) {
  SoundClip clip = make_sound({Codec::kAac}, tone(440, 0.4));
  std::vector<media::Rung> rungs{rung(Codec::kOpus, 44'100), rung(Codec::kAac, 12'345),
                                 rung(Codec::kAac, 0, 7),    rung(Codec::kOpus, 0, 9),
                                 rung(Codec::kH264),         rung(Codec::kAac)};
  rungs.back().bitrate_mean = 0;
  for (const media::Rung& asked : rungs) {
    Studio studio(asked);
    studio.play(clip);
    EXPECT_THAT(studio.ends, testing::ElementsAre(EncodeRefusal::kRung));
    EXPECT_TRUE(studio.frames.empty());
  }
}

TEST(SoundDecoder, refuses_what_is_no_frame_and_goes_on) {
  SoundClip clip = make_sound({Codec::kAac}, tone(440, 0.4));
  SoundDecoder decoder(clip.format);
  media::Frame broken = clip.frames[10];
  broken.payload = SharedBytes(Buffer{0xff, 0xf1, 0x50, 0x80});
  ASSERT_TRUE(decoder.decode(clip.frames[9]));
  EXPECT_EQ(decoder.decode(broken).error(), SoundRefusal::kBadUnit);
  broken.payload = SharedBytes(Buffer(40, 0xe5));
  EXPECT_EQ(decoder.decode(broken).error(), SoundRefusal::kBroken);
  EXPECT_TRUE(decoder.decode(clip.frames[11]));
  EXPECT_EQ(decoder.counts().units, 4u);
  EXPECT_EQ(decoder.counts().units_refused, 2u);

  SoundDecoder wrong(std::make_shared<const media::Format>(media::Format{.codec = Codec::kOpus}));
  EXPECT_EQ(wrong.decode(clip.frames[0]).error(), SoundRefusal::kCodec);
  SoundDecoder pictures(std::make_shared<const media::Format>(media::Format{.codec = Codec::kH264}));
  EXPECT_EQ(pictures.decode(clip.frames[0]).error(), SoundRefusal::kCodec);
}

}  // namespace
}  // namespace stoa::work
