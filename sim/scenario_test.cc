#include "sim/scenario.h"

#include <gtest/gtest.h>

namespace stoa::sim {
namespace {

TEST(Scenario, reads_every_line) {
  auto scenario = parse_scenario(R"(# A comment.
length 100s
delay 50ms
delay 60s 150ms        # Another route.
forward capacity 0 1M
  forward capacity 40s 2500k

forward capacity 60s 0
forward queue 64kB
forward codel 10ms 200ms
forward ecn codel
back queue 1s
back codel
back ecn 5ms
jitter 30ms
back jitter 1.5ms unordered
loss 2%
back loss 0.1
burst 1% 25% 80%
reorder 1% 15ms
duplicate 0.5%
corrupt 0.001
mtu 1200
)");
  ASSERT_TRUE(scenario) << scenario.error();
  EXPECT_EQ(scenario->length, Duration::seconds(100));
  const PathConfig& forward = scenario->forward;
  ASSERT_EQ(forward.capacity.size(), 3u);
  EXPECT_EQ(forward.capacity[1].at, Duration::seconds(40));
  EXPECT_EQ(forward.capacity[1].bits_per_second, 2'500'000u);
  EXPECT_EQ(forward.capacity[2].bits_per_second, 0u);
  ASSERT_EQ(forward.delay.size(), 2u);
  EXPECT_EQ(forward.delay[1].at, Duration::seconds(60));
  EXPECT_EQ(forward.delay[1].delay, Duration::milliseconds(150));
  EXPECT_EQ(forward.queue_bytes_max, 64'000u);
  ASSERT_TRUE(forward.codel);
  EXPECT_EQ(forward.codel->target, Duration::milliseconds(10));
  EXPECT_EQ(forward.codel->interval, Duration::milliseconds(200));
  EXPECT_EQ(forward.marking, Marking::kCodel);
  EXPECT_EQ(forward.jitter, Duration::milliseconds(30));
  EXPECT_TRUE(forward.keeps_order);
  EXPECT_DOUBLE_EQ(forward.loss, 0.02);
  EXPECT_DOUBLE_EQ(forward.burst_enter, 0.01);
  EXPECT_DOUBLE_EQ(forward.burst_leave, 0.25);
  EXPECT_DOUBLE_EQ(forward.burst_loss, 0.8);
  EXPECT_DOUBLE_EQ(forward.reordering, 0.01);
  EXPECT_EQ(forward.reordering_delay, Duration::milliseconds(15));
  EXPECT_DOUBLE_EQ(forward.duplication, 0.005);
  EXPECT_DOUBLE_EQ(forward.corruption, 0.001);
  EXPECT_EQ(forward.mtu_bytes, 1200u);
  const PathConfig& back = scenario->back;
  EXPECT_TRUE(back.capacity.empty());
  EXPECT_EQ(back.queue_max, Duration::seconds(1));
  EXPECT_EQ(back.queue_bytes_max, 0u);
  EXPECT_EQ(back.codel->target, Duration::milliseconds(5));
  EXPECT_EQ(back.marking, Marking::kThreshold);
  EXPECT_EQ(back.mark_above, Duration::milliseconds(5));
  EXPECT_EQ(back.jitter, Duration::microseconds(1500));
  EXPECT_FALSE(back.keeps_order);
  EXPECT_DOUBLE_EQ(back.loss, 0.1);
}

TEST(Scenario, of_nothing_is_a_path_without_limits) {
  auto scenario = parse_scenario("");
  ASSERT_TRUE(scenario);
  EXPECT_TRUE(scenario->forward.capacity.empty());
  EXPECT_EQ(scenario->length, Duration());
}

TEST(Scenario, holds_as_said_last) {
  auto scenario = parse_scenario("delay 50ms\ndelay 5s 80ms\njitter 30ms\ndelay 10ms\nforward jitter 5ms");
  ASSERT_TRUE(scenario) << scenario.error();
  ASSERT_EQ(scenario->forward.delay.size(), 1u);
  EXPECT_EQ(scenario->forward.delay[0].delay, Duration::milliseconds(10));
  EXPECT_EQ(scenario->forward.jitter, Duration::milliseconds(5));
  EXPECT_EQ(scenario->back.jitter, Duration::milliseconds(30));
}

TEST(Scenario, says_what_is_wrong_and_where) {
  for (auto [text, error] : std::initializer_list<std::pair<const char*, const char*>>{
           {"delay 50", "line 1: delay takes a time"},
           {"delay 50ms\ndelay 0 5ms", "line 2: delays go by time"},
           {"\n\ncapacity 1s 1M", "line 3: the first capacity begins at 0"},
           {"capacity 0 1M\ncapacity 5s 2M\ncapacity 5s 3M", "line 3: capacities go by time"},
           {"capacity 0", "line 1: capacity takes a time and a rate"},
           {"capacity 0 1Mbit", "line 1: capacity takes a time and a rate"},
           {"capacity 0 -1", "line 1: capacity takes a time and a rate"},
           {"capacity 0 nan", "line 1: capacity takes a time and a rate"},
           {"capacity 0 999", "line 1: a capacity is 0 or at least 1k"},
           {"queue 0B", "line 1: queue takes a time or bytes"},
           {"queue 300", "line 1: queue takes a time or bytes"},
           {"codel 5ms", "line 1: codel takes a target and an interval"},
           {"ecn maybe", "line 1: ecn takes a time or the word codel"},
           {"jitter 30ms sometimes", "line 1: jitter takes a time"},
           {"loss 101%", "line 1: loss takes a probability"},
           {"loss", "line 1: loss takes a probability"},
           {"burst 1%", "line 1: burst takes two or three probabilities"},
           {"reorder 20ms", "line 1: reorder takes a probability"},
           {"duplicate", "line 1: duplicate takes a probability"},
           {"corrupt 2", "line 1: corrupt takes a probability"},
           {"mtu 0", "line 1: mtu takes bytes"},
           {"mtu 70000", "line 1: mtu takes bytes"},
           {"length 0", "line 1: length takes a time"},
           {"forward length 3s", "line 1: length takes a time"},
           {"forward", "line 1: a direction without anything behind it"},
           {"speed 3M", "line 1: there is no `speed`"},
       }) {
    auto scenario = parse_scenario(text);
    ASSERT_FALSE(scenario) << text;
    EXPECT_EQ(scenario.error().substr(0, std::string_view(error).size()), error) << text;
  }
}

}  // namespace
}  // namespace stoa::sim
