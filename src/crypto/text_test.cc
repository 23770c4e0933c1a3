#include "crypto/text.h"

#include <gtest/gtest.h>

namespace stoa::crypto {
namespace {

TEST(Hex, goes_there_and_back) {
  Buffer all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(parse_hex(write_hex(all)), all);
  EXPECT_EQ(write_hex(Buffer{0x00, 0x9f, 0xff}), "009fff");
  EXPECT_EQ(parse_hex("009FfF"), (Buffer{0x00, 0x9f, 0xff}));
  EXPECT_EQ(parse_hex(""), Buffer());
}

TEST(Hex, refuses_half_bytes_and_other_letters) {
  for (const char* wrong : {"0", "0g", " 00", "0x", "00 "})
    EXPECT_EQ(parse_hex(wrong), std::nullopt) << wrong;
}

TEST(Base64url, writes_the_values_of_rfc_4648_without_padding) {
  const std::pair<const char*, const char*> rows[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : rows) {
    EXPECT_EQ(write_base64url(as_bytes(plain)), coded);
    std::optional<Buffer> back = parse_base64url(coded);
    ASSERT_TRUE(back) << coded;
    EXPECT_EQ(as_text(*back), plain);
  }
  EXPECT_EQ(write_base64url(Buffer{3, 236, 255, 224, 193}), "A-z_4ME");  // RFC 7515, appendix C.
}

TEST(Base64url, goes_there_and_back_for_every_length) {
  Buffer bytes;
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(parse_base64url(write_base64url(bytes)), bytes);
    bytes.push_back(static_cast<std::uint8_t>(i * 37));
  }
}

TEST(Base64url, refuses_second_spellings) {
  for (const char* wrong : {"Zg==", "Z", "Zh", "Zm9", "Zm9v\n", "Zm 9v", "Zm+v", "Zm/v", "Zm9vY"})
    EXPECT_EQ(parse_base64url(wrong), std::nullopt) << wrong;
}

TEST(Base64, writes_the_values_of_rfc_4648_with_padding) {
  const std::pair<const char*, const char*> rows[] = {{"", ""},
                                                      {"f", "Zg=="},
                                                      {"fo", "Zm8="},
                                                      {"foo", "Zm9v"},
                                                      {"foob", "Zm9vYg=="},
                                                      {"fooba", "Zm9vYmE="},
                                                      {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : rows) {
    EXPECT_EQ(write_base64(as_bytes(plain)), coded);
    std::optional<Buffer> back = parse_any_base64(coded);
    ASSERT_TRUE(back) << coded;
    EXPECT_EQ(as_text(*back), plain);
  }
}

TEST(Base64, is_read_in_either_alphabet_padded_or_not) {
  const Buffer bytes = {3, 236, 255, 224, 193};
  for (const char* coded : {"A-z_4ME", "A-z_4ME=", "A+z/4ME", "A+z/4ME="})
    EXPECT_EQ(parse_any_base64(coded), bytes) << coded;
  for (const char* wrong : {"A-z_4M", "=", "====", "A-z_4ME==", "A-z_ 4ME", "Zg=", "Z===", "Zh=="})
    EXPECT_EQ(parse_any_base64(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace stoa::crypto
