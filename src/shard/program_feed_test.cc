// Which tracks WebRTC viewers get of a transcoded channel.
#include "shard/program_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "media/codec.h"
#include "media/codec_vectors.h"

namespace stoa::shard {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr media::TrackId kPicture = 0, kSound = 1;
constexpr media::RungId kSmall = 0, kLarge = 1, kOpus = 2;

std::shared_ptr<const media::Format> format_of(media::Codec codec, std::uint32_t height = 0) {
  auto format = std::make_shared<media::Format>();
  format->codec = codec;
  format->height = height;
  return format;
}

media::Rung rung(media::RungId id, media::TrackId of, media::Codec codec, std::uint32_t height = 0) {
  media::Rung made;
  made.id = id;
  made.of = of;
  made.codec = codec;
  made.height = height;
  made.width = height * 2;
  return made;
}

// A broadcast, and what of it comes out, as words.
class ProgramFeedTest : public testing::Test {
 protected:
  void tell_track(media::TrackId track, media::Codec codec) {
    program(live::ProgramTrack{track, format_of(codec, track == kPicture ? 720 : 0), "", ""});
  }
  void tell(media::TrackId track, int ms, bool is_keyframe = true, int shown_later_ms = 0) {
    live::ProgramFrame frame{.number = 0, .track = track};
    frame.frame.dts = Duration::milliseconds(ms);
    frame.frame.pts = Duration::milliseconds(ms + shown_later_ms);
    frame.frame.is_keyframe = is_keyframe;
    program(frame);
  }
  void program(const live::ProgramOutput& item) { feed.handle_program(item, out); }
  void make(media::RungId rung, int ms, bool is_keyframe = true) {
    feed.handle_rung_frame(rung, {Duration::milliseconds(ms), Duration::milliseconds(ms), is_keyframe, {}},
                           out);
  }
  std::vector<std::string> take() {
    std::vector<std::string> words;
    for (const media::TrackEvent& event : std::exchange(out, {})) {
      if (const auto* told = std::get_if<media::TrackFormat>(&event))
        words.push_back(std::to_string(told->track) + " is " + media::name_of(told->format->codec) + " " +
                        std::to_string(told->format->height));
      if (const auto* told = std::get_if<media::TrackFrame>(&event))
        words.push_back(std::to_string(told->track) + " at " + std::to_string(told->frame.pts.ms()));
    }
    return words;
  }
  void begin(media::Codec sound) {
    tell_track(kPicture, media::Codec::kH264);
    tell_track(kSound, sound);
    feed.set_ladder(
        {rung(kSmall, kPicture, media::Codec::kH264, 240), rung(kLarge, kPicture, media::Codec::kH264, 480),
         rung(kOpus, kSound, media::Codec::kOpus)},
        {});
  }

  ProgramFeed feed;
  ProgramFeed::Outputs out;
};

TEST_F(ProgramFeedTest, gives_pictures_as_they_are_and_opus_for_aac) {
  begin(media::Codec::kAac);
  tell(kPicture, 0);
  tell(kSound, 0);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 0"));
  feed.handle_rung_format(kOpus, format_of(media::Codec::kOpus));
  feed.handle_rung_format(kLarge, format_of(media::Codec::kH264, 480));
  make(kOpus, 0);
  make(kLarge, 0);
  tell(kSound, 21);
  make(kOpus, 20);
  tell(kPicture, 40, false);
  EXPECT_THAT(take(), ElementsAre("1 is Opus 0", "1 at 0", "1 at 20", "0 at 40"));
}

TEST_F(ProgramFeedTest, leaves_opus_and_pictures_in_order_to_the_source) {
  begin(media::Codec::kOpus);
  feed.handle_rung_format(kOpus, format_of(media::Codec::kOpus));
  feed.handle_rung_format(kSmall, format_of(media::Codec::kH264, 240));
  tell(kPicture, 0);
  tell(kSound, 0);
  make(kOpus, 0);
  make(kSmall, 0);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 0", "1 is Opus 0", "1 at 0"));
}

TEST_F(ProgramFeedTest, takes_the_largest_rung_in_place_of_reordered_pictures_at_its_keyframe) {
  begin(media::Codec::kAac);
  feed.handle_rung_format(kSmall, format_of(media::Codec::kH264, 240));
  feed.handle_rung_format(kLarge, format_of(media::Codec::kH264, 480));
  tell(kPicture, 0, true, 40);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 40"));  // What there is.
  make(kSmall, 40, false);
  make(kSmall, 80);
  tell(kPicture, 40, false, 80);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 240", "0 at 80"));
  make(kLarge, 80, false);
  make(kSmall, 120, false);
  make(kLarge, 160);
  make(kSmall, 160);
  make(kLarge, 200, false);
  EXPECT_THAT(take(), ElementsAre("0 at 120", "0 is H.264 480", "0 at 160", "0 at 200"));
}

TEST_F(ProgramFeedTest, goes_back_to_a_source_that_is_fit_and_from_a_rung_that_is_gone) {
  begin(media::Codec::kAac);
  feed.handle_rung_format(kLarge, format_of(media::Codec::kH264, 480));
  tell(kPicture, 0, true, 40);
  make(kLarge, 40);
  take();
  tell_track(kPicture, media::Codec::kH264);  // Another encoder.
  tell(kPicture, 100, false);
  EXPECT_THAT(take(), IsEmpty());
  tell(kPicture, 140);
  make(kLarge, 180, true);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 140"));
  tell(kPicture, 200, false, 40);
  make(kLarge, 280, true);
  take();
  feed.set_ladder({}, {});
  tell(kPicture, 250, false, 40);  // It leans on what was not sent.
  tell(kPicture, 280, true, 40);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 320"));
}

TEST_F(ProgramFeedTest, falls_back_to_another_rung_or_the_source_when_its_feeder_ends) {
  begin(media::Codec::kAac);
  feed.handle_rung_format(kSmall, format_of(media::Codec::kH264, 240));
  feed.handle_rung_format(kLarge, format_of(media::Codec::kH264, 480));
  tell(kPicture, 0, true, 40);
  make(kLarge, 80);
  tell(kPicture, 40, false, 120);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 40", "0 is H.264 480", "0 at 80"));
  feed.handle_rung_ended(kLarge);
  tell(kPicture, 80, false, 80);
  make(kSmall, 120, false);
  EXPECT_THAT(take(), IsEmpty());
  make(kSmall, 160);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 240", "0 at 160"));
  feed.handle_worker_gone();
  make(kSmall, 200, false);
  tell(kPicture, 120, false, 80);
  EXPECT_THAT(take(), IsEmpty());
  tell(kPicture, 200, true, 40);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 240"));
}

TEST_F(ProgramFeedTest, a_track_that_is_gone_from_the_air_ends) {
  begin(media::Codec::kAac);
  feed.handle_rung_format(kOpus, format_of(media::Codec::kOpus));
  tell(kPicture, 0);
  tell(kSound, 0);
  make(kOpus, 0);
  take();
  feed.set_tracks({{kPicture, format_of(media::Codec::kH264, 720), "", ""}}, out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(std::get<media::TrackEnded>(out.front()).track, kSound);
  out.clear();
  make(kOpus, 20);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(ProgramFeedTest, pictures_that_segments_cannot_begin_with_are_the_source_s_while_keyframes_come) {
  tell_track(kPicture, media::Codec::kH264);
  feed.set_ladder({rung(kLarge, kPicture, media::Codec::kH264, 480)}, {kPicture}, {kPicture});
  feed.handle_rung_format(kLarge, format_of(media::Codec::kH264, 480));
  EXPECT_FALSE(feed.may_improve());
  tell(kPicture, 0);
  make(kLarge, 0);
  tell(kPicture, 11'960, false);
  EXPECT_THAT(take(), ElementsAre("0 is H.264 720", "0 at 0", "0 at 11960"));
  // Who came now would be shown nothing.
  tell(kPicture, 12'040, false);
  EXPECT_TRUE(feed.may_improve());
  take();
  tell(kPicture, 14'000, false);
  make(kLarge, 14'000);
  tell(kPicture, 16'000, false);
  make(kLarge, 16'000);
  EXPECT_THAT(take(), ElementsAre("0 at 14000", "0 is H.264 480", "0 at 16000"));
  // And is not changed to and fro.
  tell(kPicture, 18'000);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(ProgramFeedTest, pictures_that_are_held_back_are_a_rung_s_and_sound_is_not) {
  begin(media::Codec::kOpus);
  feed.set_ladder({rung(kLarge, kPicture, media::Codec::kH264, 480)}, {kPicture, kSound});
  EXPECT_TRUE(feed.may_improve());
  feed.handle_rung_format(kLarge, format_of(media::Codec::kH264, 480));
  tell(kPicture, 0);
  tell(kSound, 0);
  make(kLarge, 0);
  make(kLarge, 40);
  EXPECT_THAT(take(),
              ElementsAre("0 is H.264 720", "0 at 0", "1 is Opus 0", "1 at 0", "0 is H.264 480", "0 at 40"));
  tell(kPicture, 80);
  make(kLarge, 80);
  EXPECT_THAT(take(), ElementsAre("0 at 80"));
}

TEST_F(ProgramFeedTest, believes_no_times_of_the_future_and_no_other_codec) {
  begin(media::Codec::kAac);
  EXPECT_TRUE(feed.may_improve());
  feed.handle_rung_format(kOpus, format_of(media::Codec::kH264, 480));
  tell(kSound, 0);
  make(kOpus, 0);
  EXPECT_THAT(take(), IsEmpty());
  feed.handle_rung_format(kOpus, format_of(media::Codec::kOpus));
  make(kOpus, 1'000'000'000);
  make(kOpus, 20);
  EXPECT_THAT(take(), ElementsAre("1 is Opus 0", "1 at 20"));
}

TEST_F(ProgramFeedTest, sends_nothing_twice_of_a_worker_that_begins_anew) {
  begin(media::Codec::kAac);
  feed.handle_rung_format(kOpus, format_of(media::Codec::kOpus));
  make(kOpus, 0);
  make(kOpus, 20);
  take();
  feed.handle_rung_format(kOpus, format_of(media::Codec::kOpus));
  make(kOpus, 0);
  make(kOpus, 20);
  make(kOpus, 40);
  EXPECT_THAT(take(), ElementsAre("1 is Opus 0", "1 at 40"));
}

TEST_F(ProgramFeedTest, passes_over_rungs_that_are_not_in_the_ladder_or_have_no_format) {
  begin(media::Codec::kAac);
  make(kOpus, 0);
  make(9, 0);
  feed.handle_rung_format(9, format_of(media::Codec::kOpus));
  make(9, 20);
  EXPECT_THAT(take(), IsEmpty());
}

}  // namespace
}  // namespace stoa::shard
