#include "sim/link.h"

#include <gtest/gtest.h>

namespace stoa::sim {
namespace {

TEST(Link, delivers_after_latency_and_not_before) {
  VirtualTime time;
  Link link(time, {.latency = Duration::milliseconds(20)}, Rng(1));
  link.send(as_bytes("a"));
  time.advance(Duration::milliseconds(19));
  EXPECT_TRUE(link.take_arrived().empty());
  time.advance_to(link.next_arrival());
  EXPECT_EQ(time.now() - Timestamp(), Duration::milliseconds(20));
  EXPECT_EQ(link.take_arrived().size(), 1u);
  EXPECT_EQ(link.next_arrival(), Timestamp::never());
}

TEST(Link, loses_duplicates_and_reorders_by_seed) {
  auto run = [](std::uint64_t seed) {
    VirtualTime time;
    Link link(time, {.loss = 0.1, .duplication = 0.1, .reordering = 0.1}, Rng(seed));
    std::string seen;
    for (int i = 0; i < 1000; ++i) {
      std::uint8_t byte = static_cast<std::uint8_t>(i);
      link.send({&byte, 1});
      time.advance(Duration::milliseconds(1));
      for (auto& b : link.take_arrived()) seen += static_cast<char>(b[0]);
    }
    EXPECT_NEAR(static_cast<double>(link.stats().lost), 100, 40);
    EXPECT_NEAR(static_cast<double>(link.stats().duplicated), 90, 40);
    EXPECT_NEAR(static_cast<double>(link.stats().reordered), 90, 40);
    return seen;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST(Link, stream_keeps_every_byte_in_order) {
  VirtualTime time;
  Link link(time, {.jitter = Duration::milliseconds(5), .is_stream = true, .cut_bytes_max = 7}, Rng(3));
  Buffer sent, received;
  for (int i = 0; i < 200; ++i) {
    Buffer chunk(static_cast<std::size_t>(i % 23), static_cast<std::uint8_t>(i));
    sent.insert(sent.end(), chunk.begin(), chunk.end());
    link.send(chunk);
    time.advance(Duration::milliseconds(1));
    for (auto& b : link.take_arrived()) received.insert(received.end(), b.begin(), b.end());
  }
  time.advance(Duration::seconds(1));
  for (auto& b : link.take_arrived()) received.insert(received.end(), b.begin(), b.end());
  EXPECT_EQ(sent, received);
}

}  // namespace
}  // namespace stoa::sim
