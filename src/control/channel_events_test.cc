#include "control/channel_events.h"

#include <gtest/gtest.h>

namespace stoa::control {
namespace {

constexpr WallTime at(std::int64_t seconds) { return WallTime::from_seconds(1'800'000'000 + seconds); }

double metric(const ChannelEvents& events, std::string_view kind) {
  MetricSamples samples;
  events.append_metrics(samples);
  for (const MetricSample& sample : samples)
    if (sample.labels.at(0).second == kind) return sample.value;
  return 0;
}

TEST(ChannelEvents, keep_what_happened_in_order) {
  ChannelEvents events;
  EXPECT_EQ(events.find("news"), nullptr);
  events.add(at(1), {"news", "gap", "v0"});
  events.add(at(2), {"sport", "gap", "v0"});
  events.add(at(3), {"news", "worker_lost", "killed"});
  const auto& kept = *events.find("news");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].kind, "gap");
  EXPECT_EQ(kept[0].first_at, at(1));
  EXPECT_EQ(kept[1].text, "killed");
  EXPECT_EQ(metric(events, "gap"), 2);
  EXPECT_EQ(metric(events, "worker_lost"), 1);
  events.forget("news");
  EXPECT_EQ(events.find("news"), nullptr);
  EXPECT_EQ(metric(events, "gap"), 2) << "counters never go back";
}

TEST(ChannelEvents, tell_the_same_once) {
  ChannelEvents events;
  for (int i = 0; i < 500; ++i) events.add(at(i), {"news", "gap", "v0"});
  const auto& kept = *events.find("news");
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].count, 500u);
  EXPECT_EQ(kept[0].first_at, at(0));
  EXPECT_EQ(kept[0].last_at, at(499));
  EXPECT_EQ(metric(events, "gap"), 500);
}

TEST(ChannelEvents, let_the_oldest_go) {
  ChannelEvents events;
  for (int i = 0; i < 250; ++i) events.add(at(i), {"news", "gap", std::to_string(i)});
  const auto& kept = *events.find("news");
  ASSERT_EQ(kept.size(), kEventsPerChannelMax);
  EXPECT_EQ(kept.front().text, "150");
  EXPECT_EQ(kept.back().text, "249");
}

TEST(ChannelEvents, let_the_channel_go_where_the_least_happens) {
  ChannelEvents events;
  for (std::size_t i = 0; i < kEventChannelsMax; ++i) events.add(at(0), {"c" + std::to_string(i), "gap", ""});
  events.add(at(1), {"c0", "gap", ""});
  events.add(at(2), {"new", "gap", ""});
  EXPECT_NE(events.find("c0"), nullptr);
  EXPECT_EQ(events.find("c1"), nullptr);
  EXPECT_NE(events.find("new"), nullptr);
}

TEST(ChannelEvents, count_only_so_many_kinds) {
  ChannelEvents events;
  for (int i = 0; i < 100; ++i) events.add(at(0), {"news", "kind" + std::to_string(i), ""});
  EXPECT_EQ(metric(events, "kind0"), 1);
  EXPECT_EQ(metric(events, "other"), 100 - static_cast<int>(kEventKindsMax));
}

TEST(ChannelEvents, keep_plain_text_only) {
  ChannelEvents events;
  events.add(at(0), {"news", "a", "caf\xc3\xa9"});
  events.add(at(0), {"news", "a", "\x1b[31mred\n\xff"});
  events.add(at(0), {"news", "a", std::string(kEventTextBytesMax - 1, 'x') + "\xc3\xa9"});
  const auto& kept = *events.find("news");
  EXPECT_EQ(kept[0].text, "caf\xc3\xa9");
  EXPECT_EQ(kept[1].text, "?[31mred??");
  EXPECT_EQ(kept[2].text, std::string(kEventTextBytesMax - 1, 'x'));
}

}  // namespace
}  // namespace stoa::control
