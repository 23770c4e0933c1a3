#include "proto/rtp/packet.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "proto/rtp/test_bytes.h"

namespace stoa::rtp {
namespace {

// Version 2, padding, extension, two CSRCs; marker, payload type 96; sequence 0x1234; timestamp; SSRC.
const Buffer kFull = from_hex(
    "b2 e0 1234 89abcdef 11223344"
    "a0a1a2a3 b0b1b2b3"
    "bede 0001 10aa0000"
    "0102030405 000003");
const Header kHeader{
    .marker = true, .payload_type = 96, .sequence = 0x1234, .timestamp = 0x89abcdef, .ssrc = 0x11223344};

TEST(Packet, reads_every_field) {
  auto packet = parse(kFull);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->header, kHeader);
  ASSERT_EQ(packet->csrc_count(), 2u);
  EXPECT_EQ(packet->csrc(0), 0xa0a1a2a3u);
  EXPECT_EQ(packet->csrc(1), 0xb0b1b2b3u);
  EXPECT_TRUE(packet->has_extension);
  EXPECT_TRUE(packet->extension.is_one_byte());
  EXPECT_EQ(copy(packet->extension.bytes), from_hex("10aa0000"));
  EXPECT_EQ(packet->extension.offset, 24u);
  EXPECT_EQ(packet->header_bytes, 28u);
  EXPECT_EQ(packet->padding_bytes, 3);
  EXPECT_EQ(copy(packet->payload), from_hex("0102030405"));
}

TEST(Packet, header_alone_leaves_encrypted_padding_in_the_payload) {
  auto packet = parse_header(kFull);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->payload.size(), 8u);
  EXPECT_EQ(packet->padding_bytes, 0);
}

TEST(Packet, writes_what_it_reads) {
  ExtensionList extensions;
  ASSERT_TRUE(extensions.add(1, from_hex("aa")));
  std::array<std::uint8_t, 64> out{};
  Buffer csrcs = from_hex("a0a1a2a3 b0b1b2b3");
  auto size = write(kHeader, extensions, from_hex("0102030405"), out, {.csrcs = csrcs, .padding_bytes = 3});
  ASSERT_TRUE(size);
  EXPECT_EQ(copy(Bytes(out).first(*size)), kFull);
}

TEST(Packet, writes_a_bare_header_without_extension) {
  std::array<std::uint8_t, 13> out{};
  auto size = write(kHeader, {}, from_hex("7f"), out);
  ASSERT_TRUE(size);
  EXPECT_EQ(copy(Bytes(out).first(*size)), from_hex("80 e0 1234 89abcdef 11223344 7f"));
}

TEST(Packet, does_not_write_over_the_room_it_has) {
  std::array<std::uint8_t, 32> out{};
  ExtensionList extensions;
  extensions.add(3, from_hex("0102"));
  for (std::size_t room = 0; room < 20 + 4 + 2; ++room) {
    auto size =
        write(kHeader, extensions, from_hex("01020304"), std::span(out).first(room), {.padding_bytes = 2});
    ASSERT_FALSE(size) << room;
    EXPECT_EQ(size.error(), Refusal::kNoRoom);
  }
  EXPECT_TRUE(
      write(kHeader, extensions, from_hex("01020304"), std::span(out).first(26), {.padding_bytes = 2}));
}

TEST(Packet, refuses_every_shorter_header) {
  for (std::size_t size = 0; size < 28; ++size) {
    auto packet = parse_header(Bytes(kFull).first(size));
    ASSERT_FALSE(packet) << size;
    EXPECT_EQ(packet.error(), Refusal::kTruncated);
  }
}

TEST(Packet, refuses_other_versions) {
  for (unsigned version : {0u, 1u, 3u}) {
    Buffer bytes = kFull;
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x3f) | version << 6);
    EXPECT_EQ(parse(bytes).error(), Refusal::kBadVersion);
  }
}

TEST(Packet, refuses_padding_that_cannot_be) {
  Buffer bytes = kFull;
  bytes.back() = 0;
  EXPECT_EQ(parse(bytes).error(), Refusal::kBadPadding);
  bytes.back() = 9;  // Eight bytes follow the header.
  EXPECT_EQ(parse(bytes).error(), Refusal::kBadPadding);
  bytes.back() = 8;
  EXPECT_TRUE(parse(bytes)->payload.empty());
  bytes.resize(28);
  EXPECT_EQ(parse(bytes).error(), Refusal::kBadPadding);
}

TEST(Packet, is_rewritten_in_place) {
  Buffer bytes = kFull;
  set_ssrc(bytes, 0xdeadbeef);
  set_sequence(bytes, 0xfffe);
  set_timestamp(bytes, 0x01020304);
  set_payload_type(bytes, 127);
  set_marker(bytes, false);
  auto packet = parse(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->header, (Header{.marker = false,
                                    .payload_type = 127,
                                    .sequence = 0xfffe,
                                    .timestamp = 0x01020304,
                                    .ssrc = 0xdeadbeef}));
  EXPECT_EQ(copy(packet->payload), copy(parse(kFull)->payload));
  set_marker(bytes, true);
  EXPECT_EQ(parse(bytes)->header.payload_type, 127);
}

TEST(Packet, gains_and_loses_padding_in_place) {
  Buffer bytes = from_hex("80 e0 1234 89abcdef 11223344 7f");
  Buffer plain = bytes;
  bytes.resize(bytes.size() + 255, 0xee);
  write_padding(bytes, plain.size());
  auto packet = parse(bytes);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->padding_bytes, 255);
  EXPECT_EQ(bytes[bytes.size() - 2], 0);
  bytes.resize(drop_padding(bytes));
  EXPECT_EQ(bytes, plain);
  EXPECT_EQ(drop_padding(bytes), plain.size());
}

TEST(Packet, is_told_from_rtcp) {
  EXPECT_FALSE(is_rtcp(kFull));
  EXPECT_TRUE(is_rtcp(from_hex("80c8")));   // Sender report.
  EXPECT_TRUE(is_rtcp(from_hex("81cd")));   // Transport feedback.
  EXPECT_FALSE(is_rtcp(from_hex("80ff")));  // Payload type 127 with the marker.
  EXPECT_FALSE(is_rtcp(from_hex("80")));
}

TEST(Refusal, has_a_name_for_each_value) {
  std::set<std::string> names;
  for (int i = 0; i < kRefusals; ++i) names.insert(name_of(static_cast<Refusal>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kRefusals));
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace stoa::rtp
