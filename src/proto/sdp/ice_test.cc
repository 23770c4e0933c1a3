#include "proto/sdp/ice.h"

#include <gtest/gtest.h>

#include "proto/sdp/limits.h"

namespace stoa::sdp {
namespace {

Candidate parsed(std::string_view text) {
  auto candidate = parse_candidate(text);
  EXPECT_TRUE(candidate && *candidate) << text;
  return candidate && *candidate ? **candidate : Candidate{};
}

// RFC 8839 §5.1.
TEST(Candidate, is_read_with_its_related_address) {
  Candidate candidate =
      parsed("candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998");
  EXPECT_EQ(candidate.foundation, "2");
  EXPECT_EQ(candidate.component, 1);
  EXPECT_EQ(candidate.priority, 1694498815u);
  EXPECT_EQ(candidate.address, "192.0.2.3");
  EXPECT_EQ(candidate.port, 45664);
  EXPECT_EQ(candidate.type, CandidateType::kServerReflexive);
  EXPECT_EQ(candidate.related_address, "203.0.113.141");
  EXPECT_EQ(candidate.related_port, 8998);
}

TEST(Candidate, of_a_browser_is_read_past_what_is_its_own_affair) {
  Candidate candidate = parsed(
      "a=candidate:842163049 1 tcp 1518280447 2001:db8::5 9 typ host tcptype active generation 0 ufrag gKrq "
      "network-id 1 network-cost 10");
  EXPECT_EQ(candidate.transport, CandidateTransport::kTcp);
  EXPECT_EQ(candidate.tcp_type, TcpType::kActive);
  EXPECT_EQ(candidate.ufrag, "gKrq");
  EXPECT_EQ(candidate.address, "2001:db8::5");
  EXPECT_EQ(parsed("0 1 UDP 1 9b2f.local 5000 typ host").address, "9b2f.local");
}

TEST(Candidate, is_written_so_that_it_is_read_as_it_was) {
  for (std::string_view text : {"1 1 udp 2130706431 192.0.2.1 7882 typ host",
                                "a+/ 256 tcp 0 2001:db8::1 7882 typ host tcptype passive ufrag abcd",
                                "3 1 udp 1 192.0.2.1 0 typ relay raddr 198.51.100.1 rport 9"}) {
    EXPECT_EQ(write_candidate(parsed(text)), text);
  }
}

TEST(Candidate, of_an_unknown_kind_is_passed_over) {
  for (std::string_view text :
       {"1 1 sctp 1 192.0.2.1 1 typ host", "1 1 udp 1 192.0.2.1 1 typ carrier-pigeon"}) {
    auto candidate = parse_candidate(text);
    ASSERT_TRUE(candidate) << text;
    EXPECT_FALSE(*candidate) << text;
  }
}

TEST(Candidate, out_of_its_grammar_is_refused) {
  for (std::string text :
       {std::string(), std::string("1 1 udp 1 192.0.2.1 1"), std::string("1 0 udp 1 192.0.2.1 1 typ host"),
        std::string("1 257 udp 1 192.0.2.1 1 typ host"),
        std::string("1 1 udp 4294967296 192.0.2.1 1 typ host"),
        std::string("1 1 udp 1 192.0.2.1 65536 typ host"), std::string("1 1 udp 1 192.0.2.1 1 host host"),
        std::string("1 1 udp 1 192.0.2.1 1 typ host raddr"),
        std::string("1 1 udp 1 192.0.2.1 1 typ host rport x"), std::string("1 1 tcp 1 192.0.2.1 1 typ host"),
        std::string("1 1 tcp 1 192.0.2.1 1 typ host tcptype lazy"),
        std::string("1 1 udp 1 192.0.2.1 1 typ host ufrag a"),
        "1 1 udp 1 " + std::string(kHostBytesMax + 1, 'a') + " 1 typ host",
        std::string(kFoundationBytesMax + 1, '1') + " 1 udp 1 192.0.2.1 1 typ host",
        // Foundations that the next reader would take for a prefix.
        std::string("candidate:a=1 1 udp 1 192.0.2.1 1 typ host"),
        std::string("candidate:candidate:1 1 udp 1 192.0.2.1 1 typ host")}) {
    auto candidate = parse_candidate(text);
    ASSERT_FALSE(candidate) << text;
    EXPECT_EQ(candidate.error(), Refusal::kBadCandidate) << text;
  }
  EXPECT_EQ(parse_candidate(std::string("1 1 udp 1 a\0b 1 typ host", 24)).error(), Refusal::kBadText);
  EXPECT_EQ(parse_candidate(std::string(kLineBytesMax + 1, '1')).error(), Refusal::kTooLarge);
}

TEST(IceCredentials, have_the_lengths_and_signs_of_the_rfc) {
  EXPECT_TRUE(is_ice_ufrag("a+/9"));
  EXPECT_FALSE(is_ice_ufrag("abc"));
  EXPECT_FALSE(is_ice_ufrag("ab-c"));
  EXPECT_FALSE(is_ice_ufrag(std::string(257, 'a')));
  EXPECT_TRUE(is_ice_password(std::string(22, 'p')));
  EXPECT_FALSE(is_ice_password(std::string(21, 'p')));
}

}  // namespace
}  // namespace stoa::sdp
