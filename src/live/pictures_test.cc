#include "live/pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_ladder.h"

namespace stoa::live {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace stoa::live::testing;

SharedBytes jpeg(std::size_t bytes = 100) { return SharedBytes(Buffer(bytes, 0xff)); }
Poster poster(Duration at, std::size_t bytes = 100) { return {at, 640, 360, jpeg(bytes)}; }
Storyboard storyboard(std::vector<Duration> tiles, std::size_t bytes = 100) {
  return {.tile_width = 160, .tile_height = 90, .columns = 2, .tiles = std::move(tiles), .jpeg = jpeg(bytes)};
}
std::vector<std::uint64_t> names(const Pictures& pictures) {
  std::vector<std::uint64_t> all;
  for (const auto& board : pictures.storyboards) all.push_back(board->milliseconds());
  return all;
}
const WallTime kZero = WallTime::from_us(1'800'000'000'250'000);

TEST(StoryboardText, has_a_cue_for_each_tile_up_to_the_next_one) {
  Gallery gallery;
  ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(4), seconds(6), seconds(9)}), kZero));
  ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(3'611) + ms(5)}), kZero));
  EXPECT_EQ(storyboard_text(*gallery.pictures(), "b1"),
            "WEBVTT\n\nNOTE 00:00:00.000 is 2027-01-15T08:00:00.250Z\n"
            "\n00:00:04.000 --> 00:00:06.000\nstoryboard-4000.jpg?v=b1-3#xywh=0,0,160,90\n"
            "\n00:00:06.000 --> 00:00:09.000\nstoryboard-4000.jpg?v=b1-3#xywh=160,0,160,90\n"
            "\n00:00:09.000 --> 01:00:11.005\nstoryboard-4000.jpg?v=b1-3#xywh=0,90,160,90\n"
            "\n01:00:11.005 --> 02:00:13.010\nstoryboard-3611005.jpg?v=b1-1#xywh=0,0,160,90\n");
}

TEST(StoryboardText, has_no_cues_that_overlap_where_a_worker_began_anew) {
  Gallery gallery;
  ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(2), seconds(4), seconds(6)}), kZero));
  ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(3), seconds(4), seconds(5)}), kZero));
  EXPECT_EQ(storyboard_text(*gallery.pictures(), "b1"),
            "WEBVTT\n\nNOTE 00:00:00.000 is 2027-01-15T08:00:00.250Z\n"
            "\n00:00:02.000 --> 00:00:03.000\nstoryboard-2000.jpg?v=b1-3#xywh=0,0,160,90\n"
            "\n00:00:03.000 --> 00:00:04.000\nstoryboard-3000.jpg?v=b1-3#xywh=0,0,160,90\n"
            "\n00:00:04.000 --> 00:00:05.000\nstoryboard-2000.jpg?v=b1-3#xywh=160,0,160,90\n"
            "\n00:00:05.000 --> 00:00:06.000\nstoryboard-3000.jpg?v=b1-3#xywh=0,90,160,90\n"
            "\n00:00:06.000 --> 00:00:07.000\nstoryboard-2000.jpg?v=b1-3#xywh=0,90,160,90\n");
}

TEST(Gallery, has_nothing_until_there_is_something) {
  Gallery gallery;
  gallery.drop_before(seconds(1));
  EXPECT_EQ(gallery.pictures(), nullptr);
  ASSERT_TRUE(gallery.set_poster(poster(seconds(1)), kZero));
  EXPECT_EQ(storyboard_text(*gallery.pictures(), "b1"),
            "WEBVTT\n\nNOTE 00:00:00.000 is 2027-01-15T08:00:00.250Z\n");
}

TEST(Gallery, refuses_a_poster_that_is_not_newer) {
  Gallery gallery;
  ASSERT_TRUE(gallery.set_poster(poster(seconds(5), 10), kZero));
  const auto before = gallery.pictures();
  for (const Duration at : {seconds(5), seconds(4)})
    EXPECT_EQ(gallery.set_poster(poster(at), kZero).error(), PictureRefusal::kNotNewer);
  EXPECT_EQ(gallery.pictures(), before);
  ASSERT_TRUE(gallery.set_poster(poster(seconds(6), 11), kZero + seconds(1)));
  EXPECT_EQ(gallery.pictures()->poster->jpeg.size(), 11u);
  EXPECT_EQ(gallery.pictures()->zero_at, kZero + seconds(1));
  EXPECT_EQ(before->poster->jpeg.size(), 10u);  // Who has it keeps it.
}

TEST(Gallery, replaces_a_storyboard_that_begins_at_the_same_time) {
  Gallery gallery;
  ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(4)}), kZero));
  ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(2)}), kZero));
  ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(4), seconds(5)}, 200), kZero));
  EXPECT_THAT(names(*gallery.pictures()), ElementsAre(2'000, 4'000));
  EXPECT_EQ(gallery.pictures()->find_storyboard(4'000)->jpeg.size(), 200u);
  EXPECT_EQ(gallery.pictures()->find_storyboard(5'000), nullptr);
}

TEST(Gallery, drops_storyboards_that_are_wholly_past) {
  Gallery gallery;
  for (int i = 0; i < 3; ++i)
    ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(10 * i), seconds(10 * i + 8)}), kZero));
  gallery.drop_before(seconds(18));
  EXPECT_THAT(names(*gallery.pictures()), ElementsAre(10'000, 20'000));
  const auto before = gallery.pictures();
  gallery.drop_before(seconds(18));
  EXPECT_EQ(gallery.pictures(), before);
}

TEST(Gallery, keeps_to_its_limits) {
  Gallery gallery;
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(i)}), kZero));
  EXPECT_EQ(names(*gallery.pictures()).size(), Gallery::kStoryboardsMax);
  EXPECT_EQ(names(*gallery.pictures()).front(), 4'000u);
  ASSERT_TRUE(gallery.set_poster(poster(seconds(1), 1u << 20), kZero));
  for (int i = 20; i < 24; ++i)
    ASSERT_TRUE(gallery.set_storyboard(storyboard({seconds(i)}, 1u << 20), kZero));
  EXPECT_THAT(names(*gallery.pictures()), ElementsAre(21'000, 22'000, 23'000));
  EXPECT_EQ(gallery.set_storyboard(storyboard({seconds(30)}, (3u << 20) + 1), kZero).error(),
            PictureRefusal::kTooLarge);
  EXPECT_EQ(gallery.set_poster(poster(seconds(2), (4u << 20) + 1), kZero).error(), PictureRefusal::kTooLarge);
  EXPECT_THAT(names(*gallery.pictures()), ElementsAre(21'000, 22'000, 23'000));
}

TEST(Gallery, refuses_what_has_no_shape) {
  Gallery gallery;
  const auto refuses = [&](Storyboard board) {
    auto set = gallery.set_storyboard(std::move(board), kZero);
    EXPECT_FALSE(set);
    EXPECT_EQ(set.error(), PictureRefusal::kBadShape);
  };
  refuses(storyboard({}));
  refuses(storyboard({seconds(1), seconds(1)}));
  refuses(storyboard({-ms(1), seconds(1)}));
  refuses(storyboard(std::vector<Duration>(Gallery::kTilesMax + 1)));
  refuses(storyboard({seconds(1)}, 0));
  Storyboard board = storyboard({seconds(1)});
  board.columns = 0;
  refuses(board);
  board = storyboard({seconds(1)});
  board.tile_width = 0;
  refuses(board);
  EXPECT_EQ(gallery.set_poster(poster(seconds(1), 0), kZero).error(), PictureRefusal::kBadShape);
  EXPECT_EQ(gallery.set_poster(poster(-ms(1)), kZero).error(), PictureRefusal::kBadShape);
  EXPECT_EQ(gallery.set_poster({seconds(1), 0, 360, jpeg()}, kZero).error(), PictureRefusal::kBadShape);
  EXPECT_EQ(gallery.pictures(), nullptr);
}

TEST(ChannelPictures, are_in_each_snapshot_and_outlive_their_worker) {
  Ladder one;
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(6));
  Channel& channel = one.stage.channel;
  EXPECT_EQ(one.stage.snapshot->pictures, nullptr);
  ASSERT_TRUE(channel.set_poster(poster(seconds(4))));
  ASSERT_TRUE(channel.set_storyboard(storyboard({seconds(1), seconds(2)})));
  one.worker.run(ms(400));
  const auto pictures = one.stage.snapshot->pictures;
  ASSERT_NE(pictures, nullptr);
  EXPECT_EQ(pictures->poster->at, seconds(4));
  EXPECT_THAT(names(*pictures), ElementsAre(1'000));
  // What a player knows of time is what the text says of it.
  for (const auto& segment : one.stage.rendition("v0").retained)
    EXPECT_LE((segment->program_date_time - (pictures->zero_at + segment->start)).abs(), ms(1));
  one.worker.stop();
  one.worker.run(seconds(10));
  EXPECT_EQ(one.stage.snapshot->pictures, pictures);
  EXPECT_THAT(one.stage.checker.errors, IsEmpty());
}

TEST(ChannelPictures, go_with_the_playlists_window) {
  ChannelConfig config = with_ladder();
  config.packager.window = seconds(14);
  Ladder one(config);
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(10));
  ASSERT_TRUE(one.stage.channel.set_poster(poster(seconds(4))));
  ASSERT_TRUE(one.stage.channel.set_storyboard(storyboard({seconds(1), seconds(5)})));
  ASSERT_TRUE(one.stage.channel.set_storyboard(storyboard({seconds(6), seconds(9)})));
  const auto oldest_listed = [&] {
    Duration oldest = Duration::infinite();
    for (const auto& each : one.stage.snapshot->renditions) {
      const std::uint64_t first = parse_playlist(each->playlist.text()).media_sequence;
      oldest = std::min(oldest, each->find_segment(first)->start);
    }
    return oldest;
  };
  one.worker.run(ms(400));
  while (oldest_listed() <= seconds(5)) {
    ASSERT_THAT(names(*one.stage.snapshot->pictures), ElementsAre(1'000, 6'000));
    one.worker.run(ms(50));
  }
  EXPECT_THAT(names(*one.stage.snapshot->pictures), ElementsAre(6'000));
  one.worker.run(seconds(10));
  EXPECT_THAT(names(*one.stage.snapshot->pictures), IsEmpty());
  EXPECT_TRUE(one.stage.snapshot->pictures->poster);
}

TEST(ChannelPictures, are_not_taken_of_what_was_not_on_air) {
  Ladder one;
  EXPECT_EQ(one.stage.channel.set_poster(poster(Duration())).error(), PictureRefusal::kAhead);
  EXPECT_EQ(one.stage.channel.set_storyboard(storyboard({Duration()})).error(), PictureRefusal::kAhead);
  one.stage.connect_av();
  one.begin();
  one.worker.run(seconds(3));
  EXPECT_EQ(one.stage.channel.set_poster(poster(seconds(4))).error(), PictureRefusal::kAhead);
  EXPECT_EQ(one.stage.channel.set_storyboard(storyboard({seconds(2), seconds(4)})).error(),
            PictureRefusal::kAhead);
  EXPECT_EQ(one.stage.channel.set_storyboard(storyboard({})).error(), PictureRefusal::kBadShape);
  one.worker.run(seconds(2));
  EXPECT_EQ(one.stage.snapshot->pictures, nullptr);
}

}  // namespace
}  // namespace stoa::live
