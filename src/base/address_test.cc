#include "base/address.h"

#include <gtest/gtest.h>

namespace stoa {
namespace {

std::string rewritten(std::string_view text) {
  auto address = IpAddress::parse(text);
  return address ? address->to_text() : "refused";
}

TEST(IpAddress, is_written_as_rfc_5952_wants) {
  EXPECT_EQ(rewritten("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(rewritten("2001:DB8:0:0:0:0:0:1"), "2001:db8::1");
  EXPECT_EQ(rewritten("2001:db8:0:1:1:1:1:1"), "2001:db8:0:1:1:1:1:1");  // One zero group is not shortened.
  EXPECT_EQ(rewritten("2001:0:0:1:0:0:0:1"), "2001:0:0:1::1");           // The longest run.
  EXPECT_EQ(rewritten("2001:db8:0:0:1:0:0:1"), "2001:db8::1:0:0:1");     // The first of equals.
  EXPECT_EQ(rewritten("::"), "::");
  EXPECT_EQ(rewritten("::1"), "::1");
  EXPECT_EQ(rewritten("1::"), "1::");
  EXPECT_EQ(rewritten("fe80:0:0:0:0:0:0:0"), "fe80::");
  EXPECT_EQ(rewritten("::ffff:192.0.2.128"), "::ffff:192.0.2.128");
  EXPECT_EQ(rewritten("64:ff9b::192.0.2.33"), "64:ff9b::c000:221");
  EXPECT_EQ(rewritten("1:2:3:4:5:6:7:8"), "1:2:3:4:5:6:7:8");
}

TEST(IpAddress, refuses_what_is_no_address) {
  for (const char* text : {"",
                           "1.2.3",
                           "1.2.3.4.5",
                           "256.0.0.1",
                           "01.2.3.4",
                           "1.2.3.4 ",
                           "a.b.c.d",
                           ":",
                           ":::",
                           "1::2::3",
                           "1:2:3:4:5:6:7",
                           "12345::",
                           "1:2:3:4:5:6:7:8:9",
                           "::1%eth0",
                           "[::1]",
                           "1:",
                           ":1",
                           "1:2:",
                           "::1.2.3",
                           "1.2.3.4::",
                           "::1.2.3.4:5",
                           "1:2:3:4:5:6:7:1.2.3.4",
                           "1:2:3:4:5:6:7::8",
                           "localhost"})
    EXPECT_FALSE(IpAddress::parse(text)) << text;
}

TEST(IpAddress, knows_its_kinds) {
  EXPECT_TRUE(IpAddress::parse("127.3.2.1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_FALSE(IpAddress::parse("::2")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("0.0.0.0")->is_any());
  EXPECT_TRUE(IpAddress::parse("::")->is_any());
  EXPECT_FALSE(IpAddress().is_any());
  EXPECT_TRUE(IpAddress::parse("fe80::1")->is_link_local());
  EXPECT_TRUE(IpAddress::parse("ff02::1")->is_multicast());
  EXPECT_EQ(IpAddress::parse("::ffff:10.0.0.1")->unmapped(), IpAddress::v4(10, 0, 0, 1));
  EXPECT_EQ(IpAddress::parse("2001:db8::1")->unmapped().to_text(), "2001:db8::1");
}

TEST(SocketAddress, comes_back_from_its_text) {
  for (const char* text : {"192.0.2.1:80", "[2001:db8::1]:65535", "0.0.0.0:0"})
    EXPECT_EQ(SocketAddress::parse(text)->to_text(), text);
  for (const char* text : {"192.0.2.1", "192.0.2.1:65536", "2001:db8::1:80", "[192.0.2.1]:80", ":80", "[::1]",
                           "[::1]:", "1.2.3.4:080"})
    EXPECT_FALSE(SocketAddress::parse(text)) << text;
}

}  // namespace
}  // namespace stoa
