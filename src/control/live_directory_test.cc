#include "control/live_directory.h"

#include <gtest/gtest.h>

namespace stoa::control {
namespace {

Timestamp at(std::int64_t seconds) { return Timestamp::from_ns(seconds * 1'000'000'000); }
ChannelStatus status(std::string name, std::uint32_t viewers = 0, LiveState state = LiveState::kLive) {
  ChannelStatus made;
  made.channel = std::move(name);
  made.viewers = viewers;
  made.state = state;
  return made;
}

TEST(LiveDirectory, lists_what_is_live_by_name) {
  LiveDirectory directory;
  EXPECT_TRUE(directory.handle_status(at(0), status("b", 2)));
  EXPECT_TRUE(directory.handle_status(at(0), status("a", 1)));
  auto listed = directory.list();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0]->channel, "a");
  EXPECT_EQ(listed[1]->viewers, 2u);
  EXPECT_EQ(directory.find("c"), nullptr);
}

TEST(LiveDirectory, keeps_the_newest_status) {
  LiveDirectory directory;
  directory.handle_status(at(0), status("a", 1));
  directory.handle_status(at(1), status("a", 5, LiveState::kInterrupted));
  EXPECT_EQ(directory.find("a")->viewers, 5u);
  EXPECT_EQ(directory.find("a")->state, LiveState::kInterrupted);
}

TEST(LiveDirectory, lets_go_of_a_channel_that_ended) {
  LiveDirectory directory;
  directory.handle_status(at(0), status("a"));
  EXPECT_TRUE(directory.handle_status(at(1), status("a", 0, LiveState::kEnded)));
  EXPECT_EQ(directory.find("a"), nullptr);
  EXPECT_TRUE(directory.handle_status(at(1), status("never there", 0, LiveState::kEnded)));
}

TEST(LiveDirectory, lets_go_of_a_channel_that_nobody_speaks_of) {
  LiveDirectory directory;
  directory.handle_status(at(0), status("a"));
  directory.handle_status(at(5), status("b"));
  directory.handle_tick(at(9));
  EXPECT_EQ(directory.size(), 2u);
  directory.handle_tick(at(10));
  EXPECT_EQ(directory.find("a"), nullptr);
  EXPECT_NE(directory.find("b"), nullptr);
}

TEST(LiveDirectory, adds_up_the_viewers_of_all_shards) {
  LiveDirectory directory;
  directory.handle_viewers(at(0), 1, "a", 10);  // Not live: passed over.
  directory.handle_status(at(0), status("a", 3));
  EXPECT_EQ(directory.find("a")->viewers, 3u);
  directory.handle_viewers(at(0), 1, "a", 10);
  directory.handle_viewers(at(0), 2, "a", 100);
  EXPECT_EQ(directory.find("a")->viewers, 113u);
  directory.handle_status(at(1), status("a", 4));
  EXPECT_EQ(directory.find("a")->viewers, 114u);
  directory.handle_viewers(at(1), 2, "a", 0);
  EXPECT_EQ(directory.find("a")->viewers, 14u);
  directory.handle_status(at(9), status("a", 4));
  directory.handle_tick(at(10));  // Shard 1 has been silent since 0.
  EXPECT_EQ(directory.find("a")->viewers, 4u);
}

TEST(LiveDirectory, refuses_and_counts_channels_over_its_limit) {
  LiveDirectory directory;
  for (std::size_t i = 0; i < kLiveChannelsMax; ++i)
    ASSERT_TRUE(directory.handle_status(at(0), status(std::to_string(i))));
  EXPECT_FALSE(directory.handle_status(at(0), status("one more")));
  EXPECT_TRUE(directory.handle_status(at(0), status("7", 9)));
  EXPECT_EQ(directory.dropped(), 1u);
  EXPECT_EQ(directory.size(), kLiveChannelsMax);
}

TEST(LiveDirectory, counts_comings_goings_and_changes_of_state_only) {
  LiveDirectory directory;
  std::uint64_t start = directory.revision();
  directory.handle_status(at(0), status("a", 1));
  directory.handle_status(at(1), status("a", 2));
  directory.handle_viewers(at(1), 1, "a", 2);
  EXPECT_EQ(directory.revision(), start + 1);
  directory.handle_status(at(2), status("a", 2, LiveState::kInterrupted));
  EXPECT_EQ(directory.revision(), start + 2);
  directory.handle_tick(at(60));
  EXPECT_EQ(directory.revision(), start + 3);
}

}  // namespace
}  // namespace stoa::control
