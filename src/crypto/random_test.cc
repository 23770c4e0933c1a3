#include "crypto/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace stoa::crypto {
namespace {

TEST(Random, does_not_repeat_itself) {
  EXPECT_NE(random_bytes(16), random_bytes(16));
  EXPECT_NE(random_seed(), random_seed());
  EXPECT_TRUE(random_bytes(0).empty());
}

TEST(Base62, has_the_length_and_letters_asked_for) {
  for (std::size_t length : {0, 1, 32, 63, 64, 65, 1000}) {
    std::string text = make_base62(length);
    EXPECT_EQ(text.size(), length);
    EXPECT_TRUE(std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c); }))
        << text;
  }
}

TEST(Base62, is_told_from_other_text) {
  EXPECT_TRUE(is_base62(make_base62(200)));
  EXPECT_TRUE(is_base62(""));
  for (const char* text : {"a-b", "a b", "a/", "a_", "\xc3\xa9", "a@", "a[", "a`", "a{", "a:"})
    EXPECT_FALSE(is_base62(text)) << text;
}

TEST(Base62, favours_no_digit) {
  // Each byte value comes equally often, so each digit must as well.
  std::uint8_t next = 0;
  auto count_up = [&](std::span<std::uint8_t> bytes) {
    for (auto& byte : bytes) byte = next++;
  };
  std::map<char, int> seen;
  for (char c : make_base62(248 * 10, count_up)) ++seen[c];
  EXPECT_EQ(seen.size(), 62u);
  for (const auto& [digit, count] : seen) EXPECT_EQ(count, 40) << digit;
}

}  // namespace
}  // namespace stoa::crypto
