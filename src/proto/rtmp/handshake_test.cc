#include "proto/rtmp/handshake.h"

#include <gtest/gtest.h>

namespace stoa::rtmp {
namespace {

class Handshakes : public testing::TestWithParam<HandshakeKind> {};

TEST_P(Handshakes, complete_byte_by_byte_and_leave_what_follows) {
  ClientHandshake client(GetParam(), Rng(1));
  ServerHandshake server(Rng(2));
  ByteWriter opening, answer, closing;
  client.start(opening);
  for (std::uint8_t byte : opening.view()) {
    Bytes one(&byte, 1);
    ASSERT_TRUE(server.handle_bytes(one, answer));
    EXPECT_TRUE(one.empty());
  }
  EXPECT_EQ(answer.size(), 1 + 2 * kHandshakeBytes);
  EXPECT_EQ(server.kind(), GetParam());
  for (std::uint8_t byte : answer.view()) {
    Bytes one(&byte, 1);
    ASSERT_TRUE(client.handle_bytes(one, closing));
  }
  EXPECT_TRUE(client.is_done());
  closing.text("more");
  Bytes rest = closing.view();
  ASSERT_TRUE(server.handle_bytes(rest, answer));
  EXPECT_TRUE(server.is_done());
  EXPECT_EQ(as_text(rest), "more");
}
INSTANTIATE_TEST_SUITE_P(Kinds, Handshakes,
                         testing::Values(HandshakeKind::kPlain, HandshakeKind::kDigestScheme0,
                                         HandshakeKind::kDigestScheme1));

TEST(ServerHandshake, answers_plain_when_the_digest_is_wrong) {
  ClientHandshake client(HandshakeKind::kDigestScheme0, Rng(1));
  ByteWriter opening, answer;
  client.start(opening);
  Buffer broken(opening.view().begin(), opening.view().end());
  broken[100] ^= 1;
  broken[1400] ^= 1;
  ServerHandshake server(Rng(2));
  Bytes bytes = broken;
  ASSERT_TRUE(server.handle_bytes(bytes, answer));
  EXPECT_EQ(server.kind(), HandshakeKind::kPlain);
  // S2 of a plain handshake is C1.
  Bytes s2 = answer.view().subspan(1 + kHandshakeBytes);
  EXPECT_TRUE(std::equal(s2.begin(), s2.end(), broken.begin() + 1));
}

TEST(ServerHandshake, refuses_other_versions_at_the_first_byte) {
  for (std::uint8_t version : {0x00, 0x06, 0x47, 0xff}) {
    ServerHandshake server(Rng(1));
    ByteWriter out;
    Bytes one(&version, 1);
    auto handled = server.handle_bytes(one, out);
    ASSERT_FALSE(handled);
    EXPECT_EQ(handled.error(), Refusal::kBadVersion);
    EXPECT_EQ(out.size(), 0u);
  }
}

TEST(ClientHandshake, refuses_a_server_with_a_wrong_signature) {
  for (auto kind : {HandshakeKind::kPlain, HandshakeKind::kDigestScheme0, HandshakeKind::kDigestScheme1}) {
    ClientHandshake client(kind, Rng(1));
    ServerHandshake server(Rng(2));
    ByteWriter opening, answer, closing;
    client.start(opening);
    Bytes bytes = opening.view();
    ASSERT_TRUE(server.handle_bytes(bytes, answer));
    Buffer broken = answer.take();
    broken[broken.size() - 40] ^= 1;
    Bytes view = broken;
    auto handled = client.handle_bytes(view, closing);
    ASSERT_FALSE(handled);
    EXPECT_EQ(handled.error(), Refusal::kBadHandshake);
  }
}

}  // namespace
}  // namespace stoa::rtmp
