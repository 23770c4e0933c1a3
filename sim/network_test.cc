#include "sim/network.h"

#include <gtest/gtest.h>

namespace stoa::sim {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

Scenario scenario_of(const char* text) {
  auto scenario = parse_scenario(text);
  EXPECT_TRUE(scenario) << scenario.error();
  return *scenario;
}

// Sends a packet each 10 ms, ten in all; its receiver answers each. Keeps when what arrived.
class Echo : public Flow {
 public:
  struct Seen {
    std::int64_t sequence;
    Timestamp at;
    bool is_marked;
  };
  explicit Echo(bool can_ecn = false) : can_ecn_(can_ecn) {}
  void handle_arrival(Timestamp now, FlowPath::Arrival& arrival, Departures& out) override {
    const FlowPacket& packet = arrival.payload;
    (packet.is_reply ? replies : packets).push_back({packet.sequence, now, arrival.is_marked});
    if (!packet.is_reply) out.push(Departure{100, {.is_reply = true, .sequence = packet.sequence}});
  }
  void handle_deadline(Timestamp now, Departures& out) override {
    out.push(Departure{1000, {.can_ecn = can_ecn_, .sequence = next_++, .sent_at = now}});
  }
  Timestamp next_deadline() const override { return next_ < 10 ? at_ms(10 * next_) : Timestamp::never(); }

  std::vector<Seen> packets, replies;

 private:
  bool can_ecn_;
  std::int64_t next_ = 0;
};

TEST(Network, carries_packets_there_and_replies_back) {
  Network network(scenario_of("forward delay 30ms\nback delay 50ms"), Rng(1));
  auto& flow = network.add(std::make_unique<Echo>(), {});
  network.run_until(at_ms(1000));
  EXPECT_EQ(network.now(), at_ms(1000));
  ASSERT_EQ(flow.packets.size(), 10u);
  ASSERT_EQ(flow.replies.size(), 10u);
  EXPECT_EQ(flow.packets[3].at, at_ms(60));
  EXPECT_EQ(flow.replies[3].at, at_ms(110));
  EXPECT_EQ(network.forward().stats().sent, 10u);
  EXPECT_EQ(network.back().stats().sent, 10u);
}

TEST(Network, stops_where_it_is_told_and_goes_on_from_there) {
  Network network(scenario_of("delay 30ms"), Rng(1));
  auto& flow = network.add(std::make_unique<Echo>(), {});
  network.run_until(at_ms(50));
  EXPECT_EQ(flow.packets.size(), 3u);  // At 30, 40 and 50 ms.
  network.run_until(at_ms(60));
  EXPECT_EQ(flow.packets.size(), 4u);
}

TEST(Network, sends_the_data_of_backward_flows_on_the_other_path) {
  Network network(scenario_of("forward delay 30ms\nback delay 50ms"), Rng(1));
  auto& flow = network.add(std::make_unique<Echo>(), {.is_backward = true});
  network.run_until(at_ms(1000));
  EXPECT_EQ(flow.packets[0].at, at_ms(50));
  EXPECT_EQ(flow.replies[0].at, at_ms(80));
}

TEST(Network, adds_the_way_of_a_flow_itself_each_time) {
  Network network(scenario_of("delay 30ms"), Rng(1));
  auto& far = network.add(std::make_unique<Echo>(), {.access_delay = Duration::milliseconds(100)});
  auto& near = network.add(std::make_unique<Echo>(), {});
  network.run_until(at_ms(1000));
  EXPECT_EQ(far.packets[0].at, at_ms(130));
  EXPECT_EQ(far.replies[0].at, at_ms(260));
  EXPECT_EQ(near.replies[0].at, at_ms(60));
}

TEST(Network, lets_flows_meet_in_one_queue) {
  // 1000 bytes take 8 ms, so two each 10 ms are too many.
  Network network(scenario_of("forward capacity 0 1M\nqueue 1s"), Rng(1));
  auto& one = network.add(std::make_unique<Echo>(), {});
  auto& other = network.add(std::make_unique<Echo>(), {});
  network.run_until(at_ms(1000));
  EXPECT_EQ(one.packets[9].at, at_ms(152));
  EXPECT_EQ(other.packets[9].at, at_ms(160));
}

TEST(Network, drops_what_is_damaged_as_a_checksum_would) {
  Network network(scenario_of("forward corrupt 100%"), Rng(1));
  auto& flow = network.add(std::make_unique<Echo>(), {});
  network.run_until(at_ms(1000));
  EXPECT_TRUE(flow.packets.empty());
  EXPECT_EQ(network.forward().stats().delivered, 10u);
}

TEST(Network, marks_only_who_can_take_it_whatever_its_way) {
  for (bool can_ecn : {true, false}) {
    Network network(scenario_of("forward capacity 0 500k\nqueue 1s\nforward ecn 5ms"), Rng(1));
    auto& flow = network.add(std::make_unique<Echo>(can_ecn), {.access_delay = Duration::milliseconds(5)});
    network.run_until(at_ms(2000));
    EXPECT_EQ(flow.packets.back().is_marked, can_ecn);
    EXPECT_FALSE(flow.packets.front().is_marked);
  }
}

}  // namespace
}  // namespace stoa::sim
