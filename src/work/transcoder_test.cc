#include "work/transcoder.h"

#include <gmock/gmock.h>

#include <map>
#include <mutex>

#include "work/test_clip.h"

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

class Sent {
 public:
  void take(const relay::Message& message) {
    std::lock_guard lock(mutex_);
    if (auto* format = std::get_if<relay::RungFormat>(&message)) formats_.push_back(format->rung);
    if (auto* frame = std::get_if<relay::RungFrame>(&message)) ++frames_[frame->rung];
    if (auto* ended = std::get_if<relay::RungEnded>(&message)) ends_.emplace_back(ended->rung, ended->why);
    if (auto* taken = std::get_if<relay::FramesTaken>(&message)) taken_ = taken->number;
    if (auto* pong = std::get_if<relay::Pong>(&message)) pong_ = pong->number;
  }
  std::vector<media::RungId> formats_;
  std::map<media::RungId, int> frames_;
  std::vector<std::pair<media::RungId, relay::RungEnd>> ends_;
  std::uint64_t taken_ = 0, pong_ = 0;

 private:
  std::mutex mutex_;
};

struct TranscoderTest : testing::Test {
  void say(relay::Message message) { transcoder.handle(message); }
  void play(const Clip& clip, media::TrackId track, Duration from) {
    say(relay::ProgramCut{0, from});
    for (const media::Frame& frame : clip.frames) {
      relay::ProgramFrame unit{
          .number = ++number, .track = track, .dts = from + frame.dts, .pts = from + frame.pts};
      unit.payload = frame.payload;
      say(unit);
    }
  }

  Sent sent;
  std::uint64_t number = 0;
  Transcoder transcoder{{.preset = "ultrafast"},
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
  EXPECT_EQ(sent.frames_, (std::map<media::RungId, int>{{3, 20}, {5, 10}}));
}

TEST_F(TranscoderTest, says_which_rungs_it_cannot_make) {
  media::Rung sound{.id = 9, .name = "aac0", .of = 1, .codec = media::Codec::kAac, .bitrate_mean = 96'000};
  say(relay::LadderSet{1, {sound, rung(3)}});
  say(relay::ProgramTrack{0, media::Format{.codec = media::Codec::kVp9}});
  say(relay::Ping{17});
  using relay::RungEnd;
  EXPECT_THAT(sent.ends_,
              ElementsAre(std::pair{9, RungEnd::kNoEncoder}, std::pair{3, RungEnd::kUndecodable}));
  EXPECT_EQ(sent.pong_, 17u);
}

TEST_F(TranscoderTest, gives_out_what_is_inside_when_a_track_goes) {
  Clip clip = make_clip({.pictures = 12, .b_frames = 3});
  say(relay::LadderSet{1, {rung(3)}});
  say(relay::ProgramTrack{0, *clip.format});
  play(clip, 0, {});
  say(relay::TrackGone{0});
  EXPECT_EQ(sent.frames_[3], 12);
  EXPECT_THAT(sent.ends_, ElementsAre(std::pair{3, relay::RungEnd::kNotWanted}));
  say(relay::ProgramTrack{0, *clip.format});
  play(clip, 0, Duration::seconds(1));
  transcoder.finish();
  EXPECT_EQ(sent.frames_[3], 24);
}

}  // namespace
}  // namespace stoa::work
