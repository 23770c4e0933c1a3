#include "shape_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ShapeChange change_of(std::string_view line) {
  auto command = parse_shape_command(line);
  EXPECT_TRUE(command) << command.error();
  const auto* change = command ? std::get_if<ShapeChange>(&*command) : nullptr;
  EXPECT_NE(change, nullptr);
  return change ? *change : ShapeChange();
}

std::vector<std::pair<std::int64_t, std::uint64_t>> steps_of(const sim::PathConfig& path) {
  std::vector<std::pair<std::int64_t, std::uint64_t>> steps;
  for (const sim::CapacityStep& step : path.capacity) steps.emplace_back(step.at.ms(), step.bits_per_second);
  return steps;
}

TEST(ShapeCommand, says_for_which_direction_it_is) {
  ShapeChange both = change_of("capacity 600k"), up = change_of("up loss 2%"),
              down = change_of(" down  delay 80ms ");
  EXPECT_TRUE(both.is_up && both.is_down);
  EXPECT_TRUE(up.is_up && !up.is_down);
  EXPECT_TRUE(!down.is_up && down.is_down);
  EXPECT_EQ(up.path.loss, 0.02);
  EXPECT_EQ(down.path.delay.at(0).delay, Duration::milliseconds(80));
}

TEST(ShapeCommand, knows_what_happens) {
  EXPECT_TRUE(std::holds_alternative<ShapeHandover>(*parse_shape_command("handover")));
  EXPECT_EQ(std::get<ShapeOutage>(*parse_shape_command("outage 1.5s")).length, Duration::milliseconds(1500));
  EXPECT_THAT(std::get<ShapeServers>(*parse_shape_command("to 127.0.0.1:1, 127.0.0.2:2")).addresses,
              ElementsAre(*SocketAddress::parse("127.0.0.1:1"), *SocketAddress::parse("127.0.0.2:2")));
}

TEST(ShapeCommand, refuses_what_it_does_not_know_and_says_what) {
  for (const char* line :
       {"", "up", "sideways loss 2%", "loss", "loss 200%", "capacity", "capacity 2 apples", "outage",
        "outage 10", "handover now", "to 127.0.0.1", "to ::1:80", "length 5s", "fly"})
    EXPECT_FALSE(parse_shape_command(line)) << line;
  EXPECT_THAT(parse_shape_command("loss 200%").error(), HasSubstr("loss 200%"));
}

TEST(ShapeCommand, a_script_is_commands_in_order_of_time) {
  auto script = parse_shape_script("# a call\n20s down capacity 600k\n\n1500ms handover  # on foot\r\n");
  ASSERT_TRUE(script) << script.error();
  ASSERT_EQ(script->size(), 2u);
  EXPECT_EQ((*script)[0].at, Duration::milliseconds(1500));
  EXPECT_TRUE(std::holds_alternative<ShapeHandover>((*script)[0].command));
  EXPECT_EQ((*script)[1].at, Duration::seconds(20));
  EXPECT_FALSE(parse_shape_script("handover\n"));
}

TEST(ShapeCommand, changes_only_what_it_speaks_of) {
  sim::PathConfig path{.capacity = {{Duration(), 3'000'000}}, .loss = 0.1};
  apply_change(change_of("queue 64kB"), Duration::seconds(1), path);
  apply_change(change_of("jitter 30ms unordered"), Duration::seconds(1), path);
  apply_change(change_of("ecn 5ms"), Duration::seconds(1), path);
  EXPECT_EQ(path.queue_bytes_max, 64'000u);
  EXPECT_EQ(path.jitter, Duration::milliseconds(30));
  EXPECT_FALSE(path.keeps_order);
  EXPECT_EQ(path.marking, sim::Marking::kThreshold);
  EXPECT_EQ(path.loss, 0.1);
  EXPECT_THAT(steps_of(path), ElementsAre(std::pair(0, 3'000'000)));
}

TEST(ShapeCommand, a_capacity_holds_from_then_on) {
  sim::PathConfig path{.capacity = {{Duration(), 3'000'000}, {Duration::seconds(50), 1}}};
  apply_change(change_of("capacity 600k"), Duration::seconds(20), path);
  EXPECT_THAT(steps_of(path), ElementsAre(std::pair(0, 3'000'000), std::pair(20'000, 600'000)));
  apply_change(change_of("capacity none"), Duration::seconds(30), path);
  EXPECT_THAT(steps_of(path), ElementsAre(std::pair(0, 600'000), std::pair(30'000, kNoLimitBitsPerSecond)));
}

TEST(ShapeCommand, after_an_outage_the_schedule_goes_on) {
  sim::PathConfig path{.capacity = {{Duration(), 3}, {Duration::seconds(12), 2}, {Duration::seconds(40), 1}}};
  add_outage(Duration::seconds(10), Duration::seconds(5), path);
  EXPECT_THAT(steps_of(path),
              ElementsAre(std::pair(0, 3), std::pair(10'000, 0), std::pair(15'000, 2), std::pair(40'000, 1)));
  sim::PathConfig unlimited;
  add_outage(Duration::seconds(1), Duration::seconds(1), unlimited);
  EXPECT_THAT(steps_of(unlimited), ElementsAre(std::pair(0, kNoLimitBitsPerSecond), std::pair(1000, 0),
                                               std::pair(2000, kNoLimitBitsPerSecond)));
}

}  // namespace
}  // namespace stoa::bench
