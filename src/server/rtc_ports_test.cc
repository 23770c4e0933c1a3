#include "server/rtc_ports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace stoa::server {
namespace {

using ::testing::ElementsAre;

// A kernel that gives TCP ports from 40,000 on, and has some of UDP's taken.
struct Kernel {
  std::set<std::uint16_t> taken;
  std::uint16_t next = 40'000, tcp = 0, udp = 0;
  int opened = 0;

  PortOpeners openers() {
    return {.open_tcp = [this](std::uint16_t port) -> Result<std::uint16_t, std::string> {
              EXPECT_EQ(tcp, 0) << "the one before was given back";
              ++opened;
              return tcp = port == 0 ? next++ : port;
            },
            .close_tcp = [this] { tcp = 0; },
            .open_udp = [this](std::uint16_t port) -> Result<std::uint16_t, std::string> {
              if (taken.contains(port)) return refuse(std::string("in use"));
              return udp = port;
            }};
  }
};

TEST(PortPair, takes_the_next_number_when_udp_has_it_not) {
  Kernel kernel{.taken = {40'000, 40'001}};
  auto port = open_port_pair(0, kernel.openers());
  ASSERT_TRUE(port);
  EXPECT_EQ(*port, 40'002);
  EXPECT_EQ(kernel.tcp, 40'002);
  EXPECT_EQ(kernel.udp, 40'002);
}

TEST(PortPair, takes_no_other_number_than_the_one_that_is_wanted) {
  Kernel kernel{.taken = {7'882}};
  auto port = open_port_pair(7'882, kernel.openers());
  ASSERT_FALSE(port);
  EXPECT_EQ(port.error(), "in use");
  EXPECT_EQ(kernel.opened, 1);
}

TEST(PortPair, gives_up_some_time) {
  Kernel kernel;
  for (std::uint16_t port = 40'000; port < 41'000; ++port) kernel.taken.insert(port);
  EXPECT_FALSE(open_port_pair(0, kernel.openers()));
  EXPECT_EQ(kernel.opened, kPortTriesMax);
  EXPECT_EQ(kernel.tcp, 0);
}

TEST(ShardPort, counts_up_from_the_first_and_ends_with_the_last_number) {
  EXPECT_EQ(find_shard_port(7'882, 0), 7'882);
  EXPECT_EQ(find_shard_port(7'882, 3), 7'885);
  EXPECT_EQ(find_shard_port(65'535, 0), 65'535);
  EXPECT_EQ(find_shard_port(65'535, 1), std::nullopt);
  EXPECT_EQ(find_shard_port(0, 3), 0) << "where the kernel chooses it does for all";
}

TEST(ReachedAt, has_only_addresses_that_lead_to_the_socket) {
  const IpAddress v4 = IpAddress::v4(192, 0, 2, 1), loopback = IpAddress::v4(127, 0, 0, 1);
  const IpAddress v6 = *IpAddress::parse("2001:db8::1"), any6 = *IpAddress::parse("::");
  const IpAddress any4 = IpAddress::v4(0, 0, 0, 0);
  EXPECT_THAT(find_reached_at({}, any4, {v4, v6}, false), ElementsAre(v4));
  EXPECT_THAT(find_reached_at({}, any6, {v4, v6}, false), ElementsAre(v4, v6));
  EXPECT_THAT(find_reached_at({}, any4, {v6}, false), ElementsAre(loopback));
  EXPECT_THAT(find_reached_at({}, any6, {v4}, true), ElementsAre(v4, loopback));
  EXPECT_THAT(find_reached_at({}, v6, {v4}, true), ElementsAre(v6));
  EXPECT_THAT(find_reached_at({v6}, any4, {v4}, true), ElementsAre(v6)) << "of NAT the operator knows best";
}

}  // namespace
}  // namespace stoa::server
