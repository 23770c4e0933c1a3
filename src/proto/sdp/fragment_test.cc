#include "proto/sdp/fragment.h"

#include <gtest/gtest.h>

namespace stoa::sdp {
namespace {

// The shape of RFC 9725 §4.3.2.
const std::string kTrickle =
    "a=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    "a=mid:0\r\n"
    "a=ice-ufrag:EsAw\r\n"
    "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 ufrag EsAw network-id "
    "1\r\n"
    "a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 ufrag EsAw network-id "
    "2\r\n"
    "a=end-of-candidates\r\n";

Refusal refusal_of(const std::string& text) {
  auto fragment = parse_fragment(text);
  EXPECT_FALSE(fragment) << text;
  return fragment ? Refusal::kTooLarge : fragment.error().refusal;
}

TEST(Fragment, of_a_whip_client_is_read) {
  auto fragment = parse_fragment(kTrickle);
  ASSERT_TRUE(fragment) << name_of(fragment.error().refusal);
  EXPECT_EQ(fragment->bundle, (std::vector<std::string>{"0", "1"}));
  ASSERT_EQ(fragment->sections.size(), 1u);
  EXPECT_EQ(fragment->sections[0].mid, "0");
  EXPECT_TRUE(fragment->sections[0].has_end_of_candidates);
  EXPECT_EQ(fragment->candidates_of("0").size(), 2u);
  EXPECT_EQ(fragment->candidates_of("").size(), 2u);
  EXPECT_TRUE(fragment->candidates_of("1").empty());
  ASSERT_TRUE(fragment->credentials());
  EXPECT_EQ(fragment->credentials()->ufrag, "EsAw");
}

TEST(Fragment, gives_its_sections_the_credentials_of_its_head) {
  auto fragment = parse_fragment(
      "a=ice-options:trickle ice2\na=ice-lite\na=ice-ufrag:ysXw\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\n"
      "a=end-of-candidates\nm=audio 9 RTP/AVP 0\na=mid:a\nm=video 9 RTP/AVP 0\na=mid:v\n"
      "a=ice-ufrag:othr\na=ice-pwd:0123456789012345678901\n");
  ASSERT_TRUE(fragment);
  EXPECT_TRUE(fragment->is_ice_lite && fragment->ice_options.trickle && fragment->ice_options.ice2);
  EXPECT_EQ(fragment->sections[0].ice->ufrag, "ysXw");
  EXPECT_EQ(fragment->sections[1].ice->ufrag, "othr");
  EXPECT_TRUE(fragment->sections[1].has_end_of_candidates);
  auto again = parse_fragment(write(*fragment));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *fragment);
}

TEST(Fragment, is_written_so_that_it_is_read_as_it_was) {
  auto fragment = parse_fragment(kTrickle);
  ASSERT_TRUE(fragment);
  auto again = parse_fragment(write(*fragment));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *fragment);
}

TEST(Fragment, needs_no_media_line) {
  auto fragment = parse_fragment(
      "a=ice-ufrag:ysXw\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\n"
      "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\na=end-of-candidates\n");
  ASSERT_TRUE(fragment);
  EXPECT_TRUE(fragment->sections.empty());
  EXPECT_EQ(fragment->credentials()->ufrag, "ysXw");
  EXPECT_EQ(fragment->candidates_of("").size(), 1u);
  EXPECT_TRUE(fragment->candidates_of("0").empty());
  auto again = parse_fragment(write(*fragment));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *fragment);
  std::string many;
  for (std::size_t i = 0; i <= kCandidatesMax; ++i) many += "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\n";
  EXPECT_EQ(refusal_of(many), Refusal::kTooMany);
}

TEST(Fragment, that_only_says_the_end_has_no_credentials) {
  auto fragment = parse_fragment("a=end-of-candidates\n");
  ASSERT_TRUE(fragment);
  EXPECT_TRUE(fragment->has_end_of_candidates);
  EXPECT_FALSE(fragment->credentials());
}

TEST(Fragment, out_of_its_grammar_is_refused_with_its_line) {
  const std::string head = "m=audio 9 RTP/AVP 0\na=mid:0\n";
  EXPECT_EQ(refusal_of("m=audio 9 RTP/AVP 0\n"), Refusal::kBadMid);
  EXPECT_EQ(refusal_of("a=mid:0\n"), Refusal::kBadMid);
  EXPECT_EQ(refusal_of(head + head), Refusal::kBadMid);
  EXPECT_EQ(refusal_of(head + "a=mid:1\n"), Refusal::kDuplicate);
  EXPECT_EQ(refusal_of("m=audio 9\n"), Refusal::kBadMediaLine);
  EXPECT_EQ(refusal_of("a=ice-ufrag:EsAw\n"), Refusal::kBadIce);
  EXPECT_EQ(refusal_of("a=ice-pwd:short\n"), Refusal::kBadIce);
  EXPECT_EQ(refusal_of("a=group:BUNDLE 0\na=group:BUNDLE 1\n"), Refusal::kDuplicate);
  EXPECT_EQ(refusal_of("a=group:BUNDLE (\n"), Refusal::kBadGroup);
  EXPECT_EQ(refusal_of("a=candidate:1 1 udp\n"), Refusal::kBadCandidate);
  EXPECT_EQ(refusal_of(head + "a=candidate:1 1 udp\n"), Refusal::kBadCandidate);
  EXPECT_EQ(refusal_of(head + "candidates\n"), Refusal::kBadLine);
  EXPECT_EQ(refusal_of(head + "x=1\n"), Refusal::kBadLine);
  EXPECT_EQ(refusal_of(head + "a=x\x01\n"), Refusal::kBadText);
  EXPECT_EQ(refusal_of(std::string(kFragmentBytesMax + 1, 'a')), Refusal::kTooLarge);
  EXPECT_EQ(refusal_of("a=" + std::string(kLineBytesMax, 'a') + "\n"), Refusal::kTooLarge);
  std::string many = head;
  for (std::size_t i = 0; i <= kCandidatesMax; ++i) many += "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\n";
  EXPECT_EQ(refusal_of(many), Refusal::kTooMany);
  EXPECT_EQ(parse_fragment(many).error().line, kCandidatesMax + 3);
}

}  // namespace
}  // namespace stoa::sdp
