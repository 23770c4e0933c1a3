#include "proto/relay/backlog.h"

#include <gtest/gtest.h>

namespace stoa::relay {
namespace {

using media::Kind;

struct Line {
  explicit Line(const QueueLimits& limits) : backlog(limits) {}
  bool picture(bool is_keyframe = false, std::size_t bytes = 100, media::TrackId track = 0) {
    return backlog.admit(now, frame(track, is_keyframe, bytes), Kind::kVideo);
  }
  bool sound(std::size_t bytes = 10) { return backlog.admit(now, frame(9, true, bytes), Kind::kAudio); }
  ProgramFrame frame(media::TrackId track, bool is_keyframe, std::size_t bytes) {
    return {.number = ++number,
            .track = track,
            .is_keyframe = is_keyframe,
            .payload = SharedBytes(Buffer(bytes))};
  }

  Backlog backlog;
  Timestamp now;
  std::uint64_t number = 0;
};

TEST(Backlog, counts_what_was_sent_and_not_taken) {
  Line line({});
  EXPECT_TRUE(line.picture(true, 500));
  line.now += Duration::milliseconds(40);
  EXPECT_TRUE(line.sound(20));
  EXPECT_EQ(line.backlog.frames(), 2u);
  EXPECT_EQ(line.backlog.bytes(), 520u);
  EXPECT_EQ(line.backlog.age(line.now), Duration::milliseconds(40));
  EXPECT_TRUE(line.backlog.handle_taken(1));
  EXPECT_EQ(line.backlog.bytes(), 20u);
  EXPECT_EQ(line.backlog.age(line.now), Duration());
  EXPECT_FALSE(line.backlog.handle_taken(1));
  EXPECT_TRUE(line.backlog.handle_taken(9));
  EXPECT_EQ(line.backlog.frames(), 0u);
}

TEST(Backlog, drops_over_the_bytes_until_half_of_them_are_taken) {
  Line line({.bytes = 1'000});
  EXPECT_TRUE(line.picture(true));
  for (int i = 0; i < 9; ++i) EXPECT_TRUE(line.picture());
  EXPECT_FALSE(line.picture());
  line.backlog.handle_taken(4);
  EXPECT_FALSE(line.sound());  // 600 are left.
  line.backlog.handle_taken(6);
  EXPECT_TRUE(line.sound());
  EXPECT_FALSE(line.backlog.is_dropping());
}

TEST(Backlog, drops_over_the_frames_and_over_the_age) {
  Line few({.frames = 4});
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(few.sound());
  EXPECT_FALSE(few.sound());
  few.backlog.handle_taken(3);
  EXPECT_TRUE(few.sound());

  Line young({.age = Duration::seconds(1)});
  EXPECT_TRUE(young.sound());
  young.now += Duration::seconds(1);
  EXPECT_TRUE(young.sound());
  young.now += Duration::milliseconds(1);
  EXPECT_FALSE(young.sound());
  young.backlog.handle_taken(1);
  EXPECT_TRUE(young.sound());  // The oldest is 1 ms old.
}

TEST(Backlog, goes_on_with_a_keyframe_of_each_track_that_lost_a_picture) {
  Line line({.frames = 4});
  EXPECT_TRUE(line.picture(true, 1, 0));
  EXPECT_TRUE(line.picture(true, 1, 1));
  EXPECT_TRUE(line.picture(true, 1, 2));
  EXPECT_TRUE(line.sound());
  EXPECT_FALSE(line.picture(false, 1, 0));
  EXPECT_FALSE(line.picture(true, 1, 1));  // A keyframe that is lost does not count.
  line.backlog.handle_taken(4);
  EXPECT_FALSE(line.picture(false, 1, 0));
  EXPECT_FALSE(line.picture(false, 1, 1));
  EXPECT_TRUE(line.picture(false, 1, 2));  // It lost none.
  line.backlog.handle_taken(100);
  EXPECT_TRUE(line.picture(true, 1, 0));
  line.backlog.handle_taken(100);
  EXPECT_TRUE(line.picture(false, 1, 0));
  EXPECT_FALSE(line.picture(false, 1, 1));
}

// However it was set: a worker that has taken everything gets the next frame.
TEST(Backlog, admits_a_frame_when_nothing_waits) {
  Line line({.bytes = 10, .frames = 1});
  EXPECT_TRUE(line.picture(true, 1'000));
  EXPECT_FALSE(line.picture(true, 1'000));
  line.backlog.handle_taken(2);
  EXPECT_TRUE(line.picture(true, 1'000));
}

}  // namespace
}  // namespace stoa::relay
