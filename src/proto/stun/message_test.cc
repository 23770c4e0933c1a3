#include "proto/stun/message.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>

#include "base/rng.h"
#include "crypto/text.h"
#include "proto/stun/credentials.h"
#include "proto/stun/writer.h"

namespace stoa::stun {
namespace {

using Type = AttributeType;

Buffer hex(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != ' '; });
  auto bytes = crypto::parse_hex(digits);
  EXPECT_TRUE(bytes);
  return bytes.value_or(Buffer());
}

constexpr TransactionId kId{0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae};
constexpr std::string_view kPassword = "VOkJxbRl1RmTxUk/WvJxBt";

// RFC 5769 §2.1.
Buffer sample_request() {
  return hex(
      "00010058 2112a442 b7e7a701bc34d686fa87dfae"
      "80220010 5354554e207465737420636c69656e74"
      "00240004 6e0001ff 80290008 932ff9b151263b36"
      "00060009 6576746a3a68367659202020"
      "00080014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
      "80280004 e57a3bcf");
}
// RFC 5769 §2.2.
Buffer sample_v4_response() {
  return hex(
      "0101003c 2112a442 b7e7a701bc34d686fa87dfae"
      "8022000b 7465737420766563746f7220"
      "00200008 0001a147e112a643"
      "00080014 2b91f599fd9e90c38c7489f92af9ba53f06be7d7"
      "80280004 c07d4c96");
}
// RFC 5769 §2.3.
Buffer sample_v6_response() {
  return hex(
      "01010048 2112a442 b7e7a701bc34d686fa87dfae"
      "8022000b 7465737420766563746f7220"
      "00200014 0002a147 0113a9faa5d3f179bc25f4b5bed2b9d9"
      "00080014 a382954e4be67bf11784c97c8292c275bfe3ed41"
      "80280004 c8fb0b4c");
}
constexpr std::string_view kJapaneseName =
    "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9";

TEST(Message, reads_the_sample_request_of_rfc_5769) {
  Buffer bytes = sample_request();
  auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is(MessageClass::kRequest, Method::kBinding));
  EXPECT_EQ(message->transaction_id(), kId);
  EXPECT_EQ(message->find_text(Type::kSoftware), "STUN test client");
  EXPECT_EQ(message->find_number(Type::kPriority), 0x6e0001ffu);
  EXPECT_EQ(message->find_u64(Type::kIceControlled), 0x932ff9b151263b36u);
  EXPECT_EQ(message->find_text(Type::kUsername), "evtj:h6vY");
  EXPECT_TRUE(message->has_fingerprint());
  EXPECT_TRUE(message->check_integrity(as_bytes(kPassword)));
  EXPECT_EQ(message->check_integrity(as_bytes("another")).error(), Refusal::kBadIntegrity);
  EXPECT_FALSE(message->malformed());
}

TEST(Message, reads_the_sample_responses_of_rfc_5769) {
  Buffer v4 = sample_v4_response(), v6 = sample_v6_response();
  auto first = Message::parse(v4);
  ASSERT_TRUE(first);
  EXPECT_TRUE(first->is(MessageClass::kSuccess, Method::kBinding));
  EXPECT_EQ(first->find_address(Type::kXorMappedAddress)->to_text(), "192.0.2.1:32853");
  EXPECT_TRUE(first->check_integrity(as_bytes(kPassword)));
  auto second = Message::parse(v6);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->find_address(Type::kXorMappedAddress)->to_text(),
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
  EXPECT_TRUE(second->check_integrity(as_bytes(kPassword)));
}

TEST(Message, reads_the_long_term_sample_of_rfc_5769) {
  Buffer bytes =
      hex("00010060 2112a442 78ad3433c6ad72c029da412e"
          "00060012 e3839ee38388e383aae38383e382afe382b9 0000"
          "0015001c 662f2f3439396b39353464364f4c33346f4c39465354767936347341"
          "0014000b 6578616d706c652e6f7267 00"
          "00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666");
  auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->has_fingerprint());
  EXPECT_EQ(message->find_text(Type::kUsername), kJapaneseName);
  EXPECT_EQ(message->find_text(Type::kNonce), "f//499k954d6OL34oL9FSTvy64sA");
  EXPECT_EQ(message->find_text(Type::kRealm), "example.org");
  EXPECT_TRUE(message->check_integrity(long_term_key_md5(kJapaneseName, "example.org", "TheMatrIX")));
  EXPECT_FALSE(message->check_integrity(long_term_key_md5(kJapaneseName, "example.net", "TheMatrIX")));
}

// RFC 8489 Appendix B.1 as corrected by erratum 6268.
TEST(Message, reads_the_sha_256_sample_of_rfc_8489) {
  Buffer bytes =
      hex("00010090 2112a442 78ad3433c6ad72c029da412e"
          "001e0020 4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704"
          "00150029 6f624d61744a6f733241414143662f2f3439396b39353464364f4c33346f4c39465354767936347341 000000"
          "0014000b 6578616d706c652e6f7267 00"
          "001d0004 00020000"
          "001c0020 b5c7bf005b6c52a21c51c5e892f819241362 96cb927c43149309278cc6518e65");
  auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  auto hash = userhash(kJapaneseName, "example.org");
  ASSERT_TRUE(message->find(Type::kUserhash));
  EXPECT_TRUE(std::ranges::equal(*message->find(Type::kUserhash), hash));
  EXPECT_EQ(parse_password_algorithm(*message->find(Type::kPasswordAlgorithm)), PasswordAlgorithm::kSha256);
  EXPECT_TRUE(parse_nonce(*message->find_text(Type::kNonce)));
  EXPECT_TRUE(message->has_integrity_sha256());
  EXPECT_TRUE(message->check_integrity(long_term_key_sha256(kJapaneseName, "example.org", "TheMatrIX")));
  EXPECT_FALSE(message->check_integrity(long_term_key_md5(kJapaneseName, "example.org", "TheMatrIX")));
  EXPECT_EQ(message->check_integrity_sha1({}).error(), Refusal::kNoIntegrity);
}

TEST(Message, says_what_no_message_is) {
  EXPECT_EQ(Message::parse({}).error(), Refusal::kNotStun);
  Buffer bytes = sample_request();
  EXPECT_EQ(Message::parse(Bytes(bytes).first(19)).error(), Refusal::kNotStun);
  EXPECT_EQ(Message::parse(Bytes(bytes).first(bytes.size() - 4)).error(), Refusal::kBadLength);
  Buffer changed = bytes;
  changed[0] |= 0x40;
  EXPECT_EQ(Message::parse(changed).error(), Refusal::kNotStun);
  changed = bytes;
  changed[4] ^= 1;  // A client from before the magic cookie.
  EXPECT_EQ(Message::parse(changed).error(), Refusal::kNotStun);
  changed = bytes;
  changed[3] += 1;
  EXPECT_EQ(Message::parse(changed).error(), Refusal::kBadLength);
  changed = bytes;
  changed[25] ^= 1;
  EXPECT_EQ(Message::parse(changed).error(), Refusal::kBadFingerprint);
}

TEST(Message, refuses_attributes_that_reach_past_the_end) {
  Buffer bytes = hex("00010008 2112a442 000000000000000000000000 80220005 41414141");
  EXPECT_EQ(Message::parse(bytes).error(), Refusal::kBadAttributeLength);
  bytes = hex("00010008 2112a442 000000000000000000000000 80220003 41414100");
  EXPECT_TRUE(Message::parse(bytes));
}

TEST(Message, refuses_a_message_with_too_many_attributes) {
  MessageWriter writer(MessageClass::kRequest, Method::kBinding, kId);
  for (std::size_t i = 0; i < kAttributesMax; ++i) writer.add_flag(Type::kDontFragment);
  Buffer bytes = writer.take();
  EXPECT_TRUE(Message::parse(bytes));
  bytes.insert(bytes.end(), {0x00, 0x1a, 0x00, 0x00});
  bytes[3] = static_cast<std::uint8_t>(bytes[3] + 4);
  EXPECT_EQ(Message::parse(bytes).error(), Refusal::kTooManyAttributes);
}

TEST(Message, does_not_see_what_no_code_covers) {
  MessageWriter writer(MessageClass::kRequest, Method::kBinding, kId);
  writer.add_text(Type::kUsername, "a:b");
  writer.add_integrity_sha1(as_bytes(kPassword));
  Buffer bytes = writer.take();
  // USE-CANDIDATE put in behind the code by somebody on the way.
  bytes.insert(bytes.end(), {0x00, 0x25, 0x00, 0x00});
  bytes[3] = static_cast<std::uint8_t>(bytes[3] + 4);
  auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->has(Type::kUseCandidate));
  EXPECT_TRUE(message->check_integrity(as_bytes(kPassword)));
}

TEST(Message, takes_the_first_of_two_attributes) {
  MessageWriter writer(MessageClass::kIndication, Method::kSend, kId);
  writer.add_address(Type::kXorPeerAddress, *SocketAddress::parse("192.0.2.1:1"));
  writer.add_address(Type::kXorPeerAddress, *SocketAddress::parse("192.0.2.2:2"));
  Buffer bytes = writer.take();
  auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  EXPECT_TRUE(message->is(MessageClass::kIndication, Method::kSend));
  EXPECT_EQ(message->find_address(Type::kXorPeerAddress)->to_text(), "192.0.2.1:1");
  std::string all;
  message->for_each(Type::kXorPeerAddress,
                    [&](Bytes value) { all += message->address_in(value, Shape::kXorAddress)->to_text(); });
  EXPECT_EQ(all, "192.0.2.1:1192.0.2.2:2");
}

TEST(Message, names_required_attributes_that_are_not_understood) {
  MessageWriter writer(MessageClass::kRequest, Method::kBinding, kId);
  writer.add_number(Type::kPriority, 1);
  writer.add_bytes(static_cast<Type>(0x7777), {});
  writer.add_bytes(static_cast<Type>(0x7777), {});
  writer.add_bytes(static_cast<Type>(0xf777), {});
  writer.add_text(Type::kUsername, "a:b");
  Buffer bytes = writer.take();
  auto message = Message::parse(bytes);
  ASSERT_TRUE(message);
  constexpr Type kUnderstood[] = {Type::kPriority};
  auto unknown = message->unknown_attributes(kUnderstood);
  ASSERT_EQ(unknown.count, 1u);
  EXPECT_EQ(unknown.types[0], static_cast<Type>(0x7777));
  EXPECT_EQ(message->unknown_attributes(std::span<const Type>()).count, 2u);

  MessageWriter answer = MessageWriter::error_of(*message, error::kUnknownAttribute);
  answer.add_unknown_attributes(unknown.view());
  Buffer answer_bytes = answer.take();
  auto read = Message::parse(answer_bytes);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->find_error()->code, 420);
  EXPECT_EQ(read->find_error()->reason, "Unknown Attribute");
  ASSERT_EQ(read->unknown_attributes().count, 1u);
  EXPECT_EQ(read->unknown_attributes().types[0], static_cast<Type>(0x7777));
}

TEST(Message, does_not_find_values_of_a_wrong_shape) {
  struct Row {
    const char* attribute;
    Type type;
  };
  for (const Row& row : {Row{"00200008 0003a147e112a643", Type::kXorMappedAddress},  // No such family.
                         Row{"00200008 0002a147e112a643", Type::kXorMappedAddress},  // IPv6 in four bytes.
                         Row{"00240008 0000000000000000", Type::kPriority},          // Too long.
                         Row{"00250004 00000000", Type::kUseCandidate},              // A flag with a value.
                         Row{"00090004 00000200", Type::kErrorCode},                 // Class 2.
                         Row{"00090004 00000464", Type::kErrorCode}}) {              // Number 100.
    Buffer body = hex(row.attribute);
    Buffer bytes = hex("00010000 2112a442 000000000000000000000000");
    bytes[3] = static_cast<std::uint8_t>(body.size());
    bytes.insert(bytes.end(), body.begin(), body.end());
    auto message = Message::parse(bytes);
    ASSERT_TRUE(message) << row.attribute;
    EXPECT_FALSE(message->find(row.type)) << row.attribute;
    EXPECT_FALSE(message->find_number(row.type)) << row.attribute;
    EXPECT_FALSE(message->find_address(row.type)) << row.attribute;
    EXPECT_FALSE(message->find_error(row.type)) << row.attribute;
    EXPECT_EQ(message->malformed(), row.type) << row.attribute;
  }
}

TEST(Message, refuses_what_stands_behind_a_fingerprint) {
  MessageWriter writer(MessageClass::kRequest, Method::kBinding, kId);
  writer.add_fingerprint();
  Buffer bytes = writer.take();
  ASSERT_TRUE(Message::parse(bytes));
  // Both with the length that was checked, and a fingerprint that fits it.
  bytes[3] = 12;
  std::uint32_t checksum = crc32(Bytes(bytes).first(20)) ^ kFingerprintXor;
  for (int i = 0; i < 4; ++i) bytes[24 + i] = static_cast<std::uint8_t>(checksum >> (24 - 8 * i));
  bytes.insert(bytes.end(), {0x00, 0x25, 0x00, 0x00});
  EXPECT_EQ(Message::parse(bytes).error(), Refusal::kFingerprintNotLast);
}

TEST(Message, knows_any_single_changed_bit) {
  Buffer bytes = sample_request();
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    Buffer changed = bytes;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    auto message = Message::parse(changed);
    if (!message) continue;
    // The bytes under the code are covered twice; a lost fingerprint leaves the code.
    EXPECT_FALSE(message->has_fingerprint() && message->check_integrity(as_bytes(kPassword))) << bit;
  }
}

TEST(MessageLength, cuts_messages_from_a_stream) {
  Buffer bytes = sample_request();
  EXPECT_EQ(*message_length(Bytes(bytes).first(3)), std::nullopt);
  EXPECT_EQ(*message_length(bytes), bytes.size());
  EXPECT_EQ(message_length(hex("16030100")).error(), Refusal::kNotStun);  // A TLS record.
  EXPECT_EQ(message_length(hex("00010001")).error(), Refusal::kBadLength);
}

TEST(IsStun, tells_stun_from_its_neighbours) {
  EXPECT_TRUE(is_stun(sample_request()));
  Buffer dtls(40, 0);
  dtls[0] = 22;
  EXPECT_FALSE(is_stun(dtls));
  dtls[0] = 0x80;
  EXPECT_FALSE(is_stun(dtls));
}

TEST(Crc32, is_that_of_ethernet) { EXPECT_EQ(crc32(as_bytes("123456789")), 0xcbf43926u); }

}  // namespace
}  // namespace stoa::stun
