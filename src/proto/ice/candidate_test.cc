#include "proto/ice/candidate.h"

#include <gtest/gtest.h>

namespace stoa::ice {
namespace {

TEST(Candidate, comes_back_from_its_text) {
  for (const char* text : {"candidate:1 1 udp 2130706431 203.0.113.141 8998 typ host",
                           "candidate:2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998",
                           "candidate:a+/Z 1 udp 1 2001:db8::1 9 typ relay raddr :: rport 0 ufrag abcd",
                           "candidate:3 2 tcp 1518280447 10.0.1.1 9 typ host tcptype active",
                           "candidate:3 1 tcp 1518280447 10.0.1.1 7882 typ host tcptype passive",
                           "candidate:3 1 tcp 1518280447 10.0.1.1 7882 typ prflx tcptype so",
                           "candidate:9 1 udp 2113937151 4e2f6e3c-7a8b.local 54400 typ host"}) {
    auto candidate = parse_candidate(text);
    ASSERT_TRUE(candidate) << text;
    EXPECT_EQ(write_candidate(*candidate), text);
  }
}

TEST(Candidate, is_read_as_browsers_write_it) {
  auto candidate = parse_candidate(
      "a=candidate:842163049 1 UDP 1677729535 198.51.100.4 57940 typ srflx raddr 0.0.0.0 rport 0 generation "
      "0 "
      "ufrag EsAw network-id 1 network-cost 10");
  ASSERT_TRUE(candidate);
  EXPECT_EQ(candidate->type, CandidateType::kServerReflexive);
  EXPECT_EQ(candidate->address.to_text(), "198.51.100.4:57940");
  EXPECT_EQ(candidate->ufrag, "EsAw");
  EXPECT_EQ(candidate->priority, 1677729535u);
  auto hidden = parse_candidate("candidate:0 1 UDP 2122252543 d1e2.local 51000 typ host");
  ASSERT_TRUE(hidden);
  EXPECT_FALSE(hidden->address.is_set());
  EXPECT_EQ(hidden->host_name, "d1e2.local");
  EXPECT_EQ(hidden->address.port, 51000);
}

TEST(Candidate, passes_over_kinds_it_does_not_know) {
  for (const char* text :
       {"candidate:1 1 sctp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ magic",
        "candidate:1 1 ssltcp 1 192.0.2.1 1 typ host",
        "candidate:1 1 tcp 1 192.0.2.1 1 typ host tcptype both"})
    EXPECT_EQ(parse_candidate(text).error(), CandidateRefusal::kUnknownKind) << text;
}

TEST(Candidate, refuses_text_that_is_none) {
  for (const char* text :
       {"", "candidate:", "candidate:1 1 udp 1 192.0.2.1 1", "candidate:1 1 udp 1 192.0.2.1 1 type host",
        "candidate:1 0 udp 1 192.0.2.1 1 typ host", "candidate:1 257 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 1 typ host", "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp -1 192.0.2.1 1 typ host", "candidate:? 1 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 udp 1 a!b 1 typ host", "candidate:1  1 udp 1 192.0.2.1 1 typ host",
        "candidate:1 1 tcp 1 192.0.2.1 1 typ host", "candidate:1 1 udp 1 192.0.2.1 1 typ host raddr",
        "candidate:1 1 udp 1 192.0.2.1 1 typ host rport x",
        "candidate:123456789012345678901234567890123 1 udp 1 192.0.2.1 1 typ host"})
    EXPECT_EQ(parse_candidate(text).error(), CandidateRefusal::kMalformed) << text;
  std::string line = "candidate:1 1 udp 1 192.0.2.1 1 typ host x ";
  EXPECT_TRUE(parse_candidate(line + std::string(kCandidateTextBytesMax - line.size(), 'y')));
  EXPECT_EQ(parse_candidate(line + std::string(kCandidateTextBytesMax - line.size() + 1, 'y')).error(),
            CandidateRefusal::kTooLong);
}

TEST(Candidate, has_the_priorities_of_rfc_8445) {
  // The example of RFC 8839 §5.1: a host candidate with the only address, component 1.
  EXPECT_EQ(candidate_priority(CandidateType::kHost, 65'535), 2'130'706'431u);
  EXPECT_EQ(candidate_priority(CandidateType::kServerReflexive, 65'535), 1'694'498'815u);
  EXPECT_EQ(candidate_priority(CandidateType::kRelayed, 0, 256), 0u);
  EXPECT_GT(candidate_priority(CandidateType::kPeerReflexive, 0),
            candidate_priority(CandidateType::kServerReflexive, 65'535));
  EXPECT_GT(tcp_local_preference(CandidateType::kHost, Transport::kTcpActive, 0),
            tcp_local_preference(CandidateType::kHost, Transport::kTcpPassive, 0x1fff));
}

TEST(PairPriority, orders_by_the_lower_of_the_two_first) {
  EXPECT_EQ(pair_priority(1, 2), (1ull << 32) + 4);
  EXPECT_EQ(pair_priority(2, 1), (1ull << 32) + 5);
  EXPECT_GT(pair_priority(100, 100), pair_priority(0x7fff'ffff, 99));
}

TEST(Foundation, is_equal_for_equal_things_only) {
  auto a = IpAddress::v4(192, 0, 2, 1), b = IpAddress::v4(192, 0, 2, 2);
  EXPECT_EQ(make_foundation(CandidateType::kHost, Transport::kUdp, a),
            make_foundation(CandidateType::kHost, Transport::kUdp, a));
  EXPECT_NE(make_foundation(CandidateType::kHost, Transport::kUdp, a),
            make_foundation(CandidateType::kHost, Transport::kUdp, b));
  EXPECT_NE(make_foundation(CandidateType::kHost, Transport::kUdp, a),
            make_foundation(CandidateType::kHost, Transport::kTcpActive, a));
  EXPECT_NE(make_foundation(CandidateType::kServerReflexive, Transport::kUdp, a, a),
            make_foundation(CandidateType::kServerReflexive, Transport::kUdp, a, b));
}

}  // namespace
}  // namespace stoa::ice
