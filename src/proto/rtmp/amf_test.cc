#include "proto/rtmp/amf.h"

#include <gtest/gtest.h>

namespace stoa::rtmp {
namespace {

AmfValue everything() {
  return AmfValue::object({
      {"null", AmfValue::null()},
      {"undefined", AmfValue{}},
      {"yes", AmfValue::boolean(true)},
      {"no", AmfValue::boolean(false)},
      {"number", AmfValue::of_number(-1234.5)},
      {"integer", AmfValue::of_number(-3)},
      {"large", AmfValue::of_number(4294967296.0)},
      {"text", AmfValue::string("καλημέρα")},
      {"long", AmfValue::string(std::string(70'000, 'x'))},
      {"list", AmfValue::array({AmfValue::string("av01"), AmfValue::of_number(0x0fff'ffff)})},
      {"map", AmfValue::ecma_array({{"width", AmfValue::of_number(1920)}})},
      {"date", {.kind = AmfValue::Kind::kDate, .number = 1e12}},
      {"nested", AmfValue::object({{"inner", AmfValue::object({})}})},
  });
}

Refusal refusal_of(const Result<std::vector<AmfValue>, Refusal>& parsed) {
  EXPECT_FALSE(parsed.has_value());
  return parsed ? Refusal::kRejectedByServer : parsed.error();
}

TEST(Amf0, reads_what_it_writes) {
  ByteWriter out;
  write_amf0(everything(), out);
  write_amf0(AmfValue::string("after"), out);
  auto values = parse_amf0(out.view());
  ASSERT_TRUE(values && values->size() == 2);
  EXPECT_EQ((*values)[0], everything());
  EXPECT_EQ((*values)[1].text, "after");
}

TEST(Amf3, reads_what_it_writes) {
  ByteWriter out;
  write_amf3(everything(), out);
  write_amf3(AmfValue::string("after"), out);
  auto values = parse_amf3(out.view());
  ASSERT_TRUE(values && values->size() == 2);
  EXPECT_EQ((*values)[0], everything());
  EXPECT_EQ((*values)[1].text, "after");
}

// RTMP's connect, as every encoder begins it.
TEST(Amf0, reads_a_command_by_hand) {
  Buffer bytes = {2, 0, 7, 'c', 'o', 'n', 'n', 'e', 'c', 't', 0,   0x3f, 0xf0, 0,   0, 0, 0, 0,
                  0, 3, 0, 3,   'a', 'p', 'p', 2,   0,   4,   'l', 'i',  'v',  'e', 0, 0, 9};
  auto values = parse_amf0(bytes);
  ASSERT_TRUE(values && values->size() == 3);
  EXPECT_EQ((*values)[0].text, "connect");
  EXPECT_EQ((*values)[1].number, 1.0);
  EXPECT_EQ((*values)[2].find("app")->text, "live");
  EXPECT_EQ((*values)[2].find("tcUrl"), nullptr);
}

TEST(Amf0, finds_what_follows_kinds_that_nobody_reads) {
  Buffer bytes = {7,  0, 1,                                    // Reference.
                  13,                                          // Unsupported.
                  15, 0, 0, 0,   3,   '<', 'a', '>',           // XML.
                  16, 0, 1, 'T', 0,   1,   'k', 5,   0, 0, 9,  // Typed object.
                  17, 6, 7, 'a', 'b', 'c',                     // AMF 3 string.
                  2,  0, 1, '!'};
  auto values = parse_amf0(bytes);
  ASSERT_TRUE(values && values->size() == 6);
  EXPECT_EQ((*values)[0].kind, AmfValue::Kind::kReference);
  EXPECT_EQ((*values)[3].find("k")->kind, AmfValue::Kind::kNull);
  EXPECT_EQ((*values)[4].text, "abc");
  EXPECT_EQ((*values)[5].text, "!");
}

TEST(Amf0, allows_an_empty_member_name) {
  Buffer bytes = {3, 0, 0, 5, 0, 1, 'a', 6, 0, 0, 9};
  auto values = parse_amf0(bytes);
  ASSERT_TRUE(values && values->size() == 1);
  EXPECT_EQ(values->front().members.size(), 2u);
}

// AMF 3 §1.3.1: the ranges of U29.
TEST(Amf3, reads_integers_of_one_to_four_bytes) {
  Buffer bytes = {4,    0x7f, 4,    0x81, 0x00, 4,    0xff, 0xff, 0x7f, 4,
                  0xff, 0xff, 0xff, 0xff, 4,    0xc0, 0x80, 0x80, 0x00};
  auto values = parse_amf3(bytes);
  ASSERT_TRUE(values && values->size() == 5);
  double expected[] = {127, 128, 0x1f'ffff, -1, -268435456};
  for (int i = 0; i < 5; ++i) EXPECT_EQ((*values)[i].number, expected[i]);
}

TEST(Amf3, follows_references_to_strings_and_traits) {
  Buffer bytes = {6,  5,    'h', 'i',             // "hi", string 0
                  6,  0,                          // string 0 again
                  10, 0x13, 1,   3,   'k', 4, 1,  // Sealed class, one member: k = 1
                  10, 0x01, 4,   2};              // Traits 0 again: k = 2
  auto values = parse_amf3(bytes);
  ASSERT_TRUE(values) << name_of(values.error());
  ASSERT_EQ(values->size(), 4u);
  EXPECT_EQ((*values)[1].text, "hi");
  EXPECT_EQ((*values)[2].find("k")->number, 1);
  EXPECT_EQ((*values)[3].find("k")->number, 2);
}

TEST(Amf3, reads_vectors_dictionaries_and_bytes) {
  Buffer bytes = {13, 5, 0, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 3,  // Vector of int: -2, 3
                  17, 3, 0, 6,    3,    'k',  3,                 // Dictionary: k = true
                  12, 5, 1, 2,    6,    3,    '!'};
  auto values = parse_amf3(bytes);
  ASSERT_TRUE(values) << name_of(values.error());
  ASSERT_EQ(values->size(), 4u);
  EXPECT_EQ((*values)[0].items[0].number, -2);
  EXPECT_EQ((*values)[1].find("k")->number, 1);
  EXPECT_EQ((*values)[2].text, std::string("\x01\x02"));
}

TEST(Amf, refuses_every_prefix_that_ends_inside_a_value) {
  AmfValue value =
      AmfValue::object({{"a", AmfValue::array({AmfValue::of_number(0.5)})}, {"b", AmfValue::string("text")}});
  ByteWriter zero, three;
  write_amf0(value, zero);
  write_amf3(value, three);
  for (std::size_t size = 1; size < zero.size(); ++size) {
    EXPECT_EQ(refusal_of(parse_amf0(zero.view().first(size))), Refusal::kBadAmf) << size;
  }
  for (std::size_t size = 1; size < three.size(); ++size) {
    EXPECT_EQ(refusal_of(parse_amf3(three.view().first(size))), Refusal::kBadAmf) << size;
  }
}

TEST(Amf, refuses_unknown_markers_dangling_references_and_externalizable_objects) {
  EXPECT_EQ(refusal_of(parse_amf0(Buffer{4})), Refusal::kBadAmf);
  EXPECT_EQ(refusal_of(parse_amf3(Buffer{18})), Refusal::kBadAmf);
  EXPECT_EQ(refusal_of(parse_amf3(Buffer{6, 0})), Refusal::kBadAmf);
  EXPECT_EQ(refusal_of(parse_amf3(Buffer{10, 1})), Refusal::kBadAmf);
  EXPECT_EQ(refusal_of(parse_amf3(Buffer{10, 7, 3, 'C'})), Refusal::kBadAmf);
}

TEST(Amf, refuses_nesting_over_the_limit_in_either_version) {
  Buffer zero, three = {17};
  for (int i = 0; i < 20; ++i) zero.insert(zero.end(), {10, 0, 0, 0, 1});
  for (int i = 0; i < 20; ++i) three.insert(three.end(), {9, 3, 1});
  EXPECT_EQ(refusal_of(parse_amf0(zero)), Refusal::kAmfTooDeep);
  EXPECT_EQ(refusal_of(parse_amf0(three)), Refusal::kAmfTooDeep);
}

TEST(Amf, refuses_more_values_or_text_than_the_limits) {
  EXPECT_EQ(refusal_of(parse_amf0(Buffer(11, 5), {.values_max = 10})), Refusal::kAmfTooLarge);
  EXPECT_EQ(refusal_of(parse_amf0(Buffer{2, 0, 3, 'a', 'b', 'c'}, {.text_bytes_max = 2})),
            Refusal::kAmfTooLarge);
  // A short message of references to one long string is as long as what it stands for.
  ByteWriter bomb;
  write_amf3(AmfValue::string(std::string(10'000, 'x')), bomb);
  for (int i = 0; i < 100; ++i) bomb.u16(0x0600);
  EXPECT_EQ(refusal_of(parse_amf3(bomb.view())), Refusal::kAmfTooLarge);
}

}  // namespace
}  // namespace stoa::rtmp
