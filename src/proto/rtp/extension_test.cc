#include "proto/rtp/extension.h"

#include <gtest/gtest.h>

#include <vector>

#include "proto/rtp/packet.h"
#include "proto/rtp/test_bytes.h"

namespace stoa::rtp {
namespace {

// A packet whose extension block has these bytes.
Buffer packet_with(std::string_view profile, std::string_view elements) {
  Buffer packet = from_hex("90600001 00000000 00000000");
  Buffer head = from_hex(profile), block = from_hex(elements);
  packet.insert(packet.end(), head.begin(), head.end());
  packet.push_back(0);
  packet.push_back(static_cast<std::uint8_t>(block.size() / 4));
  packet.insert(packet.end(), block.begin(), block.end());
  packet.push_back(0x77);
  return packet;
}

struct Found {
  int id;
  Buffer value;
  bool operator==(const Found&) const = default;
};
std::vector<Found> elements_of(const Buffer& packet, bool* is_broken = nullptr) {
  auto parsed = parse(packet);
  EXPECT_TRUE(parsed);
  std::vector<Found> found;
  ExtensionReader reader(parsed->extension);
  while (auto element = reader.next()) found.push_back({element->id, copy(element->value)});
  if (is_broken != nullptr) *is_broken = reader.is_broken();
  return found;
}

// The layout of the example in RFC 8285 §4.2: one byte, two bytes, padding, four bytes.
TEST(ExtensionReader, reads_the_one_byte_example_of_the_rfc) {
  Buffer packet = packet_with("bede", "10aa 21bbcc 0000 33d0d1d2d3");
  EXPECT_EQ(elements_of(packet),
            (std::vector<Found>{{1, from_hex("aa")}, {2, from_hex("bbcc")}, {3, from_hex("d0d1d2d3")}}));
}

// §4.3: no data, one byte, padding, four bytes.
TEST(ExtensionReader, reads_the_two_byte_example_of_the_rfc) {
  Buffer packet = packet_with("1000", "0100 0201aa 00 1004d0d1d2d3");
  EXPECT_EQ(elements_of(packet),
            (std::vector<Found>{{1, {}}, {2, from_hex("aa")}, {16, from_hex("d0d1d2d3")}}));
  EXPECT_EQ(elements_of(packet_with("100f", "0100 0000")), (std::vector<Found>{{1, {}}}));
}

TEST(ExtensionReader, finds_nothing_in_other_profiles) {
  EXPECT_TRUE(elements_of(packet_with("1234", "10aa0000")).empty());
}

TEST(ExtensionReader, stops_at_the_reserved_id) {
  EXPECT_EQ(elements_of(packet_with("bede", "10aa f0bb 20cc 0000")),
            (std::vector<Found>{{1, from_hex("aa")}}));
  EXPECT_EQ(elements_of(packet_with("bede", "10aa 01bb 20cc 0000")),
            (std::vector<Found>{{1, from_hex("aa")}}));
}

TEST(ExtensionReader, says_when_an_element_runs_over_its_block) {
  bool is_broken = false;
  EXPECT_EQ(elements_of(packet_with("bede", "10aa 22bb"), &is_broken),
            (std::vector<Found>{{1, from_hex("aa")}}));
  EXPECT_TRUE(is_broken);
  elements_of(packet_with("1000", "0105aabb"), &is_broken);
  EXPECT_TRUE(is_broken);
  elements_of(packet_with("1000", "00000007"), &is_broken);
  EXPECT_TRUE(is_broken);
  elements_of(packet_with("bede", "10aa0000"), &is_broken);
  EXPECT_FALSE(is_broken);
}

TEST(Extension, is_found_and_overwritten_in_place) {
  Buffer packet = packet_with("bede", "10aa 21bbcc 000000 32010203");
  auto block = parse(packet)->extension;
  EXPECT_TRUE(overwrite_element(packet, block, 2, from_hex("beef")));
  EXPECT_FALSE(overwrite_element(packet, block, 2, from_hex("be")));
  EXPECT_FALSE(overwrite_element(packet, block, 4, from_hex("be")));
  EXPECT_EQ(copy(find_element(block, 2)->value), from_hex("beef"));
  EXPECT_EQ(copy(find_element(block, 3)->value), from_hex("010203"));
  EXPECT_FALSE(find_element(block, 4));
}

TEST(Extension, is_renamed_and_removed_without_a_change_of_size) {
  Buffer packet = packet_with("bede", "10aa 21bbcc 30dd 410001 0000");
  IdTable ids{};
  ids[1] = 14;
  ids[3] = 1;
  ids[4] = 15;  // Which the one-byte form cannot say.
  Buffer renamed = packet;
  rename_elements(renamed, parse(renamed)->extension, ids);
  EXPECT_EQ(elements_of(renamed), (std::vector<Found>{{14, from_hex("aa")}, {1, from_hex("dd")}}));
  EXPECT_EQ(renamed.size(), packet.size());
  EXPECT_EQ(renamed.back(), 0x77);

  Buffer wide = packet_with("1000", "0101aa 0202bbcc 00");
  ids[1] = 200;
  rename_elements(wide, parse(wide)->extension, ids);
  EXPECT_EQ(elements_of(wide), (std::vector<Found>{{200, from_hex("aa")}}));
}

TEST(ExtensionList, takes_the_one_byte_form_when_all_fits) {
  ExtensionList list;
  ASSERT_TRUE(list.add(1, from_hex("aa")));
  ASSERT_TRUE(list.add(14, Buffer(16, 0x55)));
  EXPECT_FALSE(list.is_two_byte());
  EXPECT_EQ(list.size_bytes(), 4u + 20u);
  Buffer out(list.size_bytes());
  list.write(out);
  EXPECT_EQ(out, from_hex("bede0005 10aa ef 55555555555555555555555555555555 00"));
}

TEST(ExtensionList, takes_the_two_byte_form_when_one_element_needs_it) {
  for (auto [id, size] : {std::pair<int, int>{15, 1}, {1, 17}, {1, 0}}) {
    ExtensionList list;
    ASSERT_TRUE(list.add(2, from_hex("aa")));
    ASSERT_TRUE(list.add(static_cast<std::uint8_t>(id), Buffer(static_cast<std::size_t>(size), 7)));
    EXPECT_TRUE(list.is_two_byte());
    Buffer out(list.size_bytes());
    list.write(out);
    EXPECT_EQ(Buffer(out.begin(), out.begin() + 2), from_hex("1000"));
    EXPECT_EQ(Buffer(out.begin() + 4, out.begin() + 9),
              (Buffer{2, 1, 0xaa, static_cast<std::uint8_t>(id), static_cast<std::uint8_t>(size)}));
  }
  ExtensionList asked;
  asked.use_two_byte_form();
  asked.add(1, from_hex("aa"));
  EXPECT_EQ(asked.size_bytes(), 8u);
}

TEST(ExtensionList, keeps_its_limits) {
  ExtensionList list;
  EXPECT_FALSE(list.add(1, Buffer(256, 0)));
  ASSERT_TRUE(list.add(1, Buffer(255, 0)));
  ASSERT_TRUE(list.add(2, Buffer(255, 0)));
  EXPECT_FALSE(list.add(3, Buffer(3, 0)));
  EXPECT_TRUE(list.add(3, Buffer(2, 0)));
  list.clear();
  EXPECT_EQ(list.size_bytes(), 0u);
  for (std::size_t i = 0; i < ExtensionList::kElementsMax; ++i) ASSERT_TRUE(list.add(1, from_hex("01")));
  EXPECT_FALSE(list.add(1, from_hex("01")));
}

}  // namespace
}  // namespace stoa::rtp
