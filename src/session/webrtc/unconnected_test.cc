#include "session/webrtc/unconnected.h"

#include <gtest/gtest.h>

namespace stoa::webrtc {
namespace {

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }

TEST(Unconnected, refuses_one_client_more_than_its_share) {
  Unconnected table({.total_max = 100, .publishers_share = 10, .per_address_max = 2});
  for (std::string_view each : {"192.0.2.1", "::ffff:192.0.2.1"}) {
    ASSERT_TRUE(table.check(false, ip(each)));
    table.add(ip(each));
  }
  EXPECT_EQ(table.check(false, ip("192.0.2.1")).error(), UnconnectedRefusal::kTooManyOfAddress);
  EXPECT_EQ(table.check(true, ip("192.0.2.1")).error(), UnconnectedRefusal::kTooManyOfAddress);
  EXPECT_TRUE(table.check(false, ip("192.0.2.2")));
  table.remove(ip("192.0.2.1"));
  EXPECT_TRUE(table.check(false, ip("192.0.2.1")));
  table.remove(ip("192.0.2.1"));
  EXPECT_EQ(table.addresses(), 0u);
}

TEST(Unconnected, counts_a_network_of_ipv6_as_one_client) {
  Unconnected table({.total_max = 100, .publishers_share = 10, .per_address_max = 1});
  table.add(ip("2001:db8:1:2::1"));
  EXPECT_EQ(table.check(false, ip("2001:db8:1:2:ffff::2")).error(), UnconnectedRefusal::kTooManyOfAddress);
  EXPECT_TRUE(table.check(false, ip("2001:db8:1:3::1")));
}

TEST(Unconnected, limits_neither_loopback_nor_who_has_no_address) {
  Unconnected table({.total_max = 100, .publishers_share = 10, .per_address_max = 1});
  for (int i = 0; i < 20; ++i)
    for (const IpAddress& each : {ip("127.0.0.1"), ip("::1"), IpAddress()}) {
      ASSERT_TRUE(table.check(false, each));
      table.add(each);
    }
  EXPECT_EQ(table.addresses(), 0u);
  EXPECT_EQ(table.total(), 60u);
}

TEST(Unconnected, keeps_a_share_for_publishers) {
  Unconnected table({.total_max = 4, .publishers_share = 1, .per_address_max = 9});
  for (int i = 0; i < 3; ++i) table.add({});
  EXPECT_EQ(table.check(false, {}).error(), UnconnectedRefusal::kTooMany);
  ASSERT_TRUE(table.check(true, {}));
  table.add({});
  EXPECT_EQ(table.check(true, {}).error(), UnconnectedRefusal::kTooMany);
}

}  // namespace
}  // namespace stoa::webrtc
