#include "proto/stun/writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/text.h"
#include "proto/stun/credentials.h"

namespace stoa::stun {
namespace {

using Type = AttributeType;
constexpr TransactionId kId{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
constexpr std::string_view kKey = "key";

TEST(MessageWriter, writes_the_long_term_sample_of_rfc_5769) {
  constexpr TransactionId id{0x78, 0xad, 0x34, 0x33, 0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e};
  constexpr std::string_view name =
      "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";
  MessageWriter writer(MessageClass::kRequest, Method::kBinding, id);
  writer.add_text(Type::kUsername, name);
  writer.add_text(Type::kNonce, "f//499k954d6OL34oL9FSTvy64sA");
  writer.add_text(Type::kRealm, "example.org");
  writer.add_integrity_sha1(long_term_key_md5(name, "example.org", "TheMatrIX"));
  EXPECT_EQ(crypto::write_hex(writer.take()),
            "000100602112a44278ad3433c6ad72c029da412e"
            "00060012e3839ee38388e383aae38383e382afe382b90000"
            "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
            "0014000b6578616d706c652e6f726700"
            "00080014f67024656dd64a3e02b8e0712e85c9a28ca89666");
}

TEST(MessageWriter, writes_both_codes_and_a_fingerprint) {
  for (std::size_t length : {16u, 20u, 32u}) {
    MessageWriter writer(MessageClass::kRequest, Method::kAllocate, kId);
    writer.add_number(Type::kRequestedTransport, 17);
    writer.add_integrity_sha1(as_bytes(kKey));
    writer.add_integrity_sha256(as_bytes(kKey), length);
    writer.add_fingerprint();
    Buffer bytes = writer.take();
    auto message = Message::parse(bytes);
    ASSERT_TRUE(message);
    EXPECT_TRUE(message->is(MessageClass::kRequest, Method::kAllocate));
    EXPECT_TRUE(message->check_integrity_sha1(as_bytes(kKey)));
    EXPECT_TRUE(message->check_integrity_sha256(as_bytes(kKey)));
    EXPECT_FALSE(message->check_integrity_sha256(as_bytes("no")));
    EXPECT_TRUE(message->has_fingerprint());
  }
}

TEST(MessageWriter, writes_every_shape_so_that_it_comes_back) {
  MessageWriter writer(MessageClass::kError, Method::kChannelBind, kId);
  auto v6 = *SocketAddress::parse("[2001:db8::7]:443");
  writer.add_number(Type::kChannelNumber, 0x4001);
  writer.add_number(Type::kEvenPort, 0x80);
  writer.add_number(Type::kRequestedAddressFamily, 2);
  writer.add_number(Type::kLifetime, 600);
  writer.add_u64(Type::kReservationToken, 0x0102030405060708);
  writer.add_flag(Type::kDontFragment);
  writer.add_address(Type::kXorRelayedAddress, v6);
  writer.add_address(Type::kAlternateServer, v6);
  writer.add_bytes(Type::kData, as_bytes("12345"));
  writer.add_error(437, "Allocation Mismatch");
  Buffer bytes = writer.take();
  EXPECT_EQ(bytes.size() % 4, 0u);
  auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->malformed());
  EXPECT_EQ(message->find_number(Type::kChannelNumber), 0x4001u);
  EXPECT_EQ(message->find_number(Type::kEvenPort), 0x80u);
  EXPECT_EQ(message->find_number(Type::kRequestedAddressFamily), 2u);
  EXPECT_EQ(message->find_number(Type::kLifetime), 600u);
  EXPECT_EQ(message->find_u64(Type::kReservationToken), 0x0102030405060708u);
  EXPECT_TRUE(message->has(Type::kDontFragment));
  EXPECT_EQ(message->find_address(Type::kXorRelayedAddress), v6);
  EXPECT_EQ(message->find_address(Type::kAlternateServer), v6);
  EXPECT_EQ(message->find_text(Type::kData), "12345");
  EXPECT_EQ(message->find_error()->code, 437);
  // On the wire the address is hidden.
  auto raw = *message->find(Type::kXorRelayedAddress);
  EXPECT_FALSE(std::ranges::equal(raw.subspan(4), v6.ip.bytes()));
}

TEST(MessageWriter, writes_all_methods_and_classes) {
  for (unsigned method = 0; method <= 0xff; ++method)
    for (unsigned c = 0; c < 4; ++c) {
      auto message_class = static_cast<MessageClass>(c);
      MessageWriter writer(message_class, static_cast<Method>(method), kId);
      Buffer bytes = writer.take();
      auto message = Message::parse(bytes);
      ASSERT_TRUE(message);
      ASSERT_TRUE(message->is(message_class, static_cast<Method>(method))) << method << " " << c;
    }
}

TEST(MessageWriter, refuses_what_would_not_be_covered) {
  MessageWriter writer(MessageClass::kRequest, Method::kBinding, kId);
  writer.add_integrity_sha1(as_bytes(kKey));
  EXPECT_DEATH(writer.add_flag(Type::kUseCandidate), "");
}

}  // namespace
}  // namespace stoa::stun
