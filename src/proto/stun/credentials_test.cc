#include "proto/stun/credentials.h"

#include <gtest/gtest.h>

namespace stoa::stun {
namespace {

TEST(Nonce, carries_the_security_features) {
  for (bool algorithms : {false, true})
    for (bool anonymity : {false, true}) {
      SecurityFeatures features{algorithms, anonymity};
      EXPECT_EQ(parse_nonce(write_nonce(features, "rest")), features);
    }
  EXPECT_EQ(write_nonce({.password_algorithms = true}, "x"), "obMatJos2gAAAx");
  EXPECT_FALSE(parse_nonce("f//499k954d6OL34oL9FSTvy64sA"));
  EXPECT_FALSE(parse_nonce("obMatJos2AA"));
  EXPECT_FALSE(parse_nonce("obMatJos2AA!A"));
}

TEST(PasswordAlgorithms, come_back_in_their_order) {
  constexpr PasswordAlgorithm kBoth[] = {PasswordAlgorithm::kSha256, PasswordAlgorithm::kMd5};
  Buffer value = write_password_algorithms(kBoth);
  EXPECT_EQ(value, (Buffer{0, 2, 0, 0, 0, 1, 0, 0}));
  auto list = parse_password_algorithms(value);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->count, 2u);
  EXPECT_EQ(list->algorithms[0], PasswordAlgorithm::kSha256);
  EXPECT_EQ(list->algorithms[1], PasswordAlgorithm::kMd5);
}

TEST(PasswordAlgorithms, pass_over_what_is_unknown) {
  // An unknown one with three bytes of parameters, then SHA-256 twice.
  auto list = parse_password_algorithms(Buffer{0, 9, 0, 3, 1, 2, 3, 0, 0, 2, 0, 0, 0, 2, 0, 0});
  ASSERT_TRUE(list);
  ASSERT_EQ(list->count, 1u);
  EXPECT_EQ(list->algorithms[0], PasswordAlgorithm::kSha256);
  EXPECT_FALSE(parse_password_algorithms(Buffer{0, 2, 0}));
  EXPECT_FALSE(parse_password_algorithms(Buffer{0, 2, 0, 4, 1, 2}));
  EXPECT_FALSE(parse_password_algorithm(Buffer{0, 9, 0, 0}));
  EXPECT_FALSE(parse_password_algorithm(Buffer{0, 2, 0, 0, 0, 1, 0, 0}));
  EXPECT_EQ(parse_password_algorithm(Buffer{0, 1, 0, 0}), PasswordAlgorithm::kMd5);
}

}  // namespace
}  // namespace stoa::stun
