#include "work/transcoder.h"

#include <gmock/gmock.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

#include "work/test_clip.h"
#include "work/test_sound.h"

namespace stoa::work {
namespace {

using namespace test;
using testing::ElementsAre;

media::Rung rung(media::RungId id, media::TrackId of = 0) {
  return {.id = id,
          .name = "36p",
          .of = of,
          .bitrate_max = 500'000,
          .rate_factor = 23,
          .width = 64,
          .height = 36};
}

media::Rung sound_rung(media::RungId id, media::Codec codec, media::TrackId of) {
  return {.id = id, .name = "sound", .of = of, .codec = codec, .bitrate_mean = 128'000};
}

class Sent {
 public:
  void take(const relay::Message& message) {
    std::lock_guard lock(mutex_);
    if (auto* format = std::get_if<relay::RungFormat>(&message)) formats_.push_back(format->rung);
    if (auto* frame = std::get_if<relay::RungFrame>(&message)) {
      ++frames_[frame->rung];
      bytes_[frame->rung] += frame->payload.size();
      // A nanosecond or so is rounding.
      went_back_ = went_back_ || (last_.contains(frame->rung) &&
                                  frame->pts < last_[frame->rung] - Duration::microseconds(1));
      last_[frame->rung] = frame->pts + frame->nominal_duration;
    }
    if (auto* ended = std::get_if<relay::RungEnded>(&message)) ends_.emplace_back(ended->rung, ended->why);
    if (auto* taken = std::get_if<relay::FramesTaken>(&message)) {
      EXPECT_GT(taken->number, taken_);
      taken_ = taken->number;
    }
    if (auto* slate = std::get_if<relay::SlateMade>(&message)) {
      if (slate->is_of_source) {
        slates_.push_back("track " + std::to_string(slate->track));
      } else {
        slates_.push_back("rung " + std::to_string(slate->rung));
      }
    }
    if (auto* poster = std::get_if<relay::PosterMade>(&message)) posters_.push_back(*poster);
    if (auto* board = std::get_if<relay::StoryboardMade>(&message)) boards_.push_back(*board);
    if (auto* pong = std::get_if<relay::Pong>(&message)) pong_ = pong->number;
    if (auto* progress = std::get_if<relay::Progress>(&message)) progress_.push_back(*progress);
    changed_.notify_all();
  }
  void wait_until(const std::function<bool()>& is_so) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), is_so));
  }
  std::vector<media::RungId> formats_;
  std::map<media::RungId, int> frames_;
  std::map<media::RungId, std::uint64_t> bytes_;
  std::map<media::RungId, Duration> last_;
  bool went_back_ = false;
  std::vector<std::pair<media::RungId, relay::RungEnd>> ends_;
  std::vector<relay::Progress> progress_;
  std::vector<std::string> slates_;
  std::vector<relay::PosterMade> posters_;
  std::vector<relay::StoryboardMade> boards_;
  std::uint64_t taken_ = 0, pong_ = 0;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

struct TranscoderTest : testing::Test {
  void say(relay::Message message) { transcoder.handle(message); }
  void show(const media::Frame& frame, media::TrackId track, Duration from = {}) {
    relay::ProgramFrame unit{
        .number = ++number, .track = track, .dts = from + frame.dts, .pts = from + frame.pts};
    unit.payload = frame.payload;
    say(unit);
  }
  void play(const Clip& clip, media::TrackId track, Duration from) {
    say(relay::ProgramCut{0, from});
    for (const media::Frame& frame : clip.frames) show(frame, track, from);
  }
  // Until all that was said is through the decoders.
  void settle() {
    say(relay::Ping{++pings});
    sent.wait_until([&] { return sent.pong_ == pings; });
  }

  Sent sent;
  std::uint64_t number = 0, pings = 0;
  Transcoder transcoder{{.video = {.preset = "ultrafast"}, .progress_interval = Duration::milliseconds(20)},
                        [this](const relay::Message& message) { sent.take(message); }};
};

TEST_F(TranscoderTest, begins_when_both_ladder_and_format_are_known) {
  Clip clip = make_clip({.pictures = 10});
  play(clip, 0, {});
  say(relay::ProgramTrack{0, *clip.format});
  play(clip, 0, Duration::seconds(1));
  say(relay::LadderSet{1, {rung(3), rung(4)}});
  play(clip, 0, Duration::seconds(2));
  transcoder.finish();
  EXPECT_THAT(sent.formats_, testing::UnorderedElementsAre(3, 4));
  EXPECT_EQ(sent.frames_, (std::map<media::RungId, int>{{3, 10}, {4, 10}}));
  EXPECT_EQ(sent.taken_, 30u);  // Also those that nothing was made of.
}

TEST_F(TranscoderTest, makes_rungs_of_each_track_that_they_are_asked_of) {
  Clip first = make_clip({.pictures = 10}), second = make_clip({.width = 320, .height = 180, .pictures = 15});
  say(relay::LadderSet{1, {rung(3, 0), rung(4, 7)}});
  say(relay::ProgramTrack{0, *first.format});
  say(relay::ProgramTrack{7, *second.format});
  play(first, 0, {});
  play(second, 7, {});
  transcoder.finish();
  EXPECT_EQ(sent.frames_, (std::map<media::RungId, int>{{3, 10}, {4, 15}}));
}

TEST_F(TranscoderTest, makes_pictures_and_sound) {
  Clip clip = make_clip({.pictures = 30});
  SoundClip sound = make_sound({}, tone(440, 0.3));
  say(relay::LadderSet{
      1, {rung(3), sound_rung(5, media::Codec::kOpus, 1), sound_rung(6, media::Codec::kAac, 1)}});
  say(relay::ProgramTrack{0, *clip.format});
  say(relay::ProgramTrack{1, *sound.format});
  play(clip, 0, {});
  for (const media::Frame& frame : sound.frames) show(frame, 1);
  transcoder.finish();
  EXPECT_EQ(sent.frames_[3], 30);
  // All that came, in frames that are full, and what is before the first.
  int frames = static_cast<int>(sound.frames.size());
  EXPECT_EQ(sent.frames_[5], (frames * 1'024 + 959) / 960 + 1);
  EXPECT_EQ(sent.frames_[6], frames + 1);
  EXPECT_THAT(sent.slates_,
              testing::UnorderedElementsAre("track 0", "track 1", "rung 3", "rung 5", "rung 6"));
  EXPECT_EQ(sent.taken_, number);
}

TEST_F(TranscoderTest, makes_sound_while_pictures_wait) {
  Clip clip = make_clip({.width = 1'280, .height = 720, .pictures = 200, .rate = 60});
  SoundClip sound = make_sound({.seconds = 3}, tone(440, 0.3));
  media::Rung large = rung(3);
  large.width = 1'280, large.height = 720;
  say(relay::LadderSet{1, {large, sound_rung(5, media::Codec::kOpus, 1)}});
  say(relay::ProgramTrack{0, *clip.format});
  say(relay::ProgramTrack{1, *sound.format});
  play(clip, 0, {});
  for (const media::Frame& frame : sound.frames) show(frame, 1);
  sent.wait_until([&] {
    bool has_come = sent.last_[5] > Duration::milliseconds(2'900);
    EXPECT_TRUE(!has_come || (sent.frames_[3] < 200 && sent.taken_ < 200));
    return has_come;
  });
  transcoder.finish();
  EXPECT_EQ(sent.frames_[3], 200);
  EXPECT_EQ(sent.taken_, number);
}

TEST_F(TranscoderTest, begins_sound_anew_at_a_break) {
  SoundClip sound = make_sound({}, tone(440, 0.3));
  say(relay::LadderSet{1, {sound_rung(5, media::Codec::kAac, 1)}});
  say(relay::ProgramTrack{1, *sound.format});
  for (const media::Frame& frame : sound.frames) show(frame, 1);
  say(relay::ProgramCut{.msn = 1, .at = Duration::seconds(2), .follows_break = true});
  settle();
  EXPECT_EQ(sent.frames_[5], 49);  // The last frame, too, though nothing came behind it.
  say(relay::ProgramCut{.msn = 1, .at = Duration::seconds(3)});
  for (const media::Frame& frame : sound.frames) show(frame, 1, Duration::seconds(2));
  transcoder.finish();
  EXPECT_EQ(sent.frames_[5], 96);  // Neither what came for before the break, nor what is before the first.
  EXPECT_EQ(sent.formats_.size(), 1u);
}

TEST_F(TranscoderTest, keeps_rungs_over_a_new_format_and_changes_them_with_the_ladder) {
  Clip first = make_clip({.pictures = 10}), second = make_clip({.width = 320, .height = 180, .pictures = 10});
  say(relay::LadderSet{1, {rung(3)}});
  say(relay::ProgramTrack{0, *first.format});
  play(first, 0, {});
  say(relay::ProgramTrack{0, *second.format});
  play(second, 0, Duration::seconds(1));
  say(relay::LadderSet{2, {rung(5)}});
  play(second, 0, Duration::seconds(2));
  say(relay::LadderSet{3, {}});
  play(second, 0, Duration::seconds(3));
  transcoder.finish();
  EXPECT_THAT(sent.formats_, ElementsAre(3, 5));
  // Of those that are wanted no more, not what waits for their encoders.
  EXPECT_LE(sent.frames_[3], 20);
  EXPECT_GE(sent.frames_[3], 20 - 9);
  EXPECT_LE(sent.frames_[5], 10);
  EXPECT_EQ(sent.frames_.size(), 2u);
}

TEST_F(TranscoderTest, changes_rungs_of_sound_while_others_go_on) {
  SoundClip sound = make_sound({.seconds = 2}, tone(440, 0.3));
  media::Rung first = sound_rung(5, media::Codec::kAac, 1), second = sound_rung(6, media::Codec::kOpus, 1);
  say(relay::LadderSet{1, {first}});
  say(relay::ProgramTrack{1, *sound.format});
  std::size_t half = sound.frames.size() / 2;
  for (std::size_t i = 0; i < half; ++i) show(sound.frames[i], 1);
  first.bitrate_mean = 64'000;
  say(relay::LadderSet{2, {first, second}});
  for (std::size_t i = half; i < sound.frames.size(); ++i) show(sound.frames[i], 1);
  transcoder.finish();
  EXPECT_THAT(sent.formats_, ElementsAre(5, 5, 6));
  EXPECT_GE(sent.frames_[5], static_cast<int>(sound.frames.size()) - 1);
  EXPECT_GE(sent.frames_[6], static_cast<int>((sound.frames.size() - half) * 1'024 / 960));
  EXPECT_FALSE(sent.went_back_);
}

TEST_F(TranscoderTest, says_which_rungs_it_cannot_make) {
  Clip clip = make_clip({.pictures = 3});
  media::Rung odd = rung(9, 2);
  odd.width = 63;
  say(relay::LadderSet{1, {rung(4, 1), sound_rung(5, media::Codec::kAac, 2), odd}});
  say(relay::ProgramTrack{1, media::Format{.codec = media::Codec::kAac}});
  say(relay::ProgramTrack{2, *clip.format});
  play(clip, 2, {});
  transcoder.finish();
  using relay::RungEnd;
  EXPECT_THAT(sent.ends_, testing::UnorderedElementsAre(std::pair{4, RungEnd::kUndecodable},
                                                        std::pair{9, RungEnd::kNoEncoder},
                                                        std::pair{5, RungEnd::kUndecodable}));
}

TEST_F(TranscoderTest, gives_out_what_is_inside_when_a_track_goes) {
  Clip clip = make_clip({.pictures = 12, .b_frames = 3});
  say(relay::LadderSet{1, {rung(3)}});
  say(relay::ProgramTrack{0, *clip.format});
  play(clip, 0, {});
  say(relay::TrackGone{0});
  settle();
  EXPECT_EQ(sent.frames_[3], 12);
  EXPECT_THAT(sent.ends_, ElementsAre(std::pair{3, relay::RungEnd::kNotWanted}));
  say(relay::ProgramTrack{0, *clip.format});
  play(clip, 0, Duration::seconds(1));
  transcoder.finish();
  EXPECT_EQ(sent.frames_[3], 24);
}

TEST_F(TranscoderTest, says_how_it_goes) {
  Clip clip = make_clip({.pictures = 30});
  clip.frames[20].payload = SharedBytes(Buffer(500, 0xa5));
  SoundClip sound = make_sound({}, tone(440, 0.3));
  say(relay::LadderSet{1, {rung(3), sound_rung(5, media::Codec::kOpus, 1)}});
  say(relay::ProgramTrack{0, *clip.format});
  say(relay::ProgramTrack{1, *sound.format});
  play(clip, 0, {});
  for (const media::Frame& frame : sound.frames) show(frame, 1);
  settle();
  relay::RungProgress pictures, heard;
  std::size_t seen = 0;
  // Times and speeds are of one interval, so what is looked for may be in any of them.
  sent.wait_until([&] {
    for (; seen < sent.progress_.size(); ++seen) {
      for (const relay::RungProgress& progress : sent.progress_[seen].rungs) {
        relay::RungProgress& last = progress.rung == 3 ? pictures : heard;
        Duration p95 = std::max(last.encode_p95, progress.encode_p95);
        std::uint32_t speed = std::max(last.speed_permille, progress.speed_permille);
        last = progress;
        last.encode_p95 = p95, last.speed_permille = speed;
      }
    }
    return pictures.frames >= 20 && heard.frames >= 50;
  });
  const relay::Progress last = sent.progress_.back();
  EXPECT_EQ(last.pictures_decoded, 20u);
  EXPECT_EQ(last.frames_refused, 10u);  // And those that lean on it.
  EXPECT_GT(last.cpu_time, Duration());
  EXPECT_GT(last.memory_bytes, 1u << 20);
  EXPECT_EQ(pictures.rung, 3);
  EXPECT_EQ(pictures.frames, 20u);
  EXPECT_EQ(pictures.waiting, 0u);
  EXPECT_EQ(pictures.oldest_wait, Duration());
  EXPECT_EQ(pictures.bytes, sent.bytes_[3]);
  EXPECT_EQ(pictures.encoder, "libx264");
  EXPECT_GT(pictures.encode_p95, Duration());
  EXPECT_GT(pictures.speed_permille, 1'000u);
  EXPECT_EQ(heard.rung, 5);
  EXPECT_EQ(heard.bytes, sent.bytes_[5]);
  EXPECT_EQ(heard.encoder, "libopus");
  EXPECT_GT(heard.speed_permille, 1'000u);
  EXPECT_LT(heard.encode_p95, Duration::milliseconds(100));
}

// Of all pictures so far.
struct Complex {
  std::uint32_t pictures = 0;
  double spatial = 0, temporal = 0;
};

TEST_F(TranscoderTest, says_how_complex_the_pictures_of_the_first_track_with_rungs_are) {
  Clip first = make_clip({.pictures = 60}), second = make_clip({.width = 256, .height = 144, .pictures = 60});
  auto measured = [&] {
    settle();
    std::size_t seen = sent.progress_.size();
    sent.wait_until([&] { return sent.progress_.size() > seen + 1; });
    Complex all;
    for (const relay::Progress& progress : sent.progress_) {
      all.pictures += progress.pictures;
      all.spatial += progress.pictures * progress.spatial_permille / 1e3;
      all.temporal += progress.pictures * progress.temporal_permille / 1e3;
    }
    return all;
  };
  auto expected = [](const Clip& clip) {
    ComplexityMeter meter;
    Complex all;
    for (const Image& image : decode_all(clip.format, clip.frames)) {
      auto made = meter.measure(image);
      if (made) ++all.pictures, all.spatial += made->spatial, all.temporal += made->temporal;
    }
    return all;
  };
  say(relay::LadderSet{1, {rung(3, 5), sound_rung(4, media::Codec::kOpus, 2), rung(6, 7)}});
  say(relay::ProgramTrack{5, *first.format});
  say(relay::ProgramTrack{7, *second.format});
  play(first, 5, {});
  play(second, 7, {});
  Complex of_first = expected(first), both = measured();
  EXPECT_EQ(both.pictures, 4u);
  EXPECT_NEAR(both.spatial, of_first.spatial, 0.1);
  EXPECT_NEAR(both.temporal, of_first.temporal, 0.1);
  EXPECT_GT(both.spatial, 1);
  // The other one's turn.
  say(relay::LadderSet{2, {rung(6, 7)}});
  play(first, 5, Duration::seconds(2));
  play(second, 7, Duration::seconds(2));
  Complex of_second = expected(second), all = measured();
  EXPECT_EQ(all.pictures, 8u);
  EXPECT_NEAR(all.spatial - both.spatial, of_second.spatial, 0.1);
}

TEST_F(TranscoderTest, makes_pictures_for_people_as_rungs_show_them) {
  Clip clip = make_clip({.width = 72, .height = 128, .pictures = 60});
  say(relay::PicturesWanted{.track = 2,
                            .every = Duration::milliseconds(990),
                            .poster_width = 640,
                            .poster_height = 360,
                            .tile_width = 64,
                            .tile_height = 36,
                            .columns = 4,
                            .rows = 2});
  say(relay::LadderSet{1, {rung(3, 2)}});
  say(relay::ProgramTrack{2, *clip.format});
  for (media::Frame& frame : clip.frames) {
    relay::ProgramFrame unit{.number = ++number, .track = 2, .dts = frame.dts, .pts = frame.pts};
    unit.quarter_turns = 1;
    unit.payload = frame.payload;
    say(unit);
    settle();
    if (frame.pts == Duration()) sent.wait_until([&] { return !sent.posters_.empty(); });
  }
  transcoder.finish();
  ASSERT_EQ(sent.posters_.size(), 2u);
  EXPECT_EQ(sent.posters_[0].at, Duration());
  EXPECT_EQ(sent.posters_[1].at, clip.shown[30]);
  EXPECT_EQ(sent.posters_[1].width, 128u);
  EXPECT_EQ(sent.posters_[1].height, 72u);
  ASSERT_EQ(sent.boards_.size(), 2u);
  EXPECT_EQ(sent.boards_[1].tiles.size(), 2u);
  EXPECT_EQ(sent.boards_[1].tile_width, 64u);
  EXPECT_EQ(sent.boards_[1].tile_height, 36u);
}

TEST_F(TranscoderTest, lets_refused_rungs_rest_and_begin_anew) {
  Clip clip = make_clip({.pictures = 30});
  SoundClip sound = make_sound({}, tone(440, 0.3));
  say(relay::LadderSet{1, {rung(3), rung(4), sound_rung(5, media::Codec::kAac, 1)}});
  say(relay::ProgramTrack{0, *clip.format});
  say(relay::ProgramTrack{1, *sound.format});
  std::map<media::RungId, int> frames;
  for (int second = 0; second < 6; ++second) {
    Duration from = Duration::seconds(second);
    say(relay::ProgramCut{static_cast<std::uint64_t>(second), from});
    for (const media::Frame& frame : clip.frames) show(frame, 0, from);
    for (const media::Frame& frame : sound.frames) show(frame, 1, from);
    settle();
    if (second == 1) {
      for (media::RungId refused : {3, 5, 9}) say(relay::RungRefused{refused, "too large"});
      sent.wait_until([&] {
        frames = sent.frames_;
        return sent.ends_.size() == 2;
      });
    }
    // The rest is two seconds from what was seen last, so the cut at 3 s is too early.
    if (second == 3) {
      sent.wait_until([&] { return sent.frames_[3] == frames[3] && sent.frames_[5] == frames[5]; });
    }
  }
  transcoder.finish();
  EXPECT_THAT(sent.ends_, testing::UnorderedElementsAre(std::pair{3, relay::RungEnd::kRefused},
                                                        std::pair{5, relay::RungEnd::kRefused}));
  EXPECT_EQ(sent.frames_[3], frames[3] + 60);
  EXPECT_EQ(sent.frames_[4], 180);
  EXPECT_GE(sent.frames_[5], frames[5] + 2 * 46);
  EXPECT_THAT(sent.formats_, testing::UnorderedElementsAre(3, 4, 5, 3, 5));
}

TEST_F(TranscoderTest, may_be_left_with_work_on_its_way) {
  Clip clip = make_clip({.width = 640, .height = 360, .pictures = 100});
  say(relay::LadderSet{1, {rung(3)}});
  say(relay::ProgramTrack{0, *clip.format});
  play(clip, 0, {});
}

}  // namespace
}  // namespace stoa::work
