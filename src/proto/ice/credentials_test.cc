#include "proto/ice/credentials.h"

#include <gtest/gtest.h>

#include "proto/ice/check.h"

namespace stoa::ice {
namespace {

Credentials some(std::string_view ufrag) { return {std::string(ufrag), "0123456789abcdefghijklmn"}; }

TEST(Credentials, are_made_valid_and_different) {
  Credentials a = make_credentials(), b = make_credentials();
  EXPECT_TRUE(a.is_valid());
  EXPECT_NE(a.ufrag, b.ufrag);
  EXPECT_NE(a.password, b.password);
}

TEST(Credentials, are_valid_within_the_lengths_of_rfc_8839) {
  EXPECT_TRUE(some("abcd").is_valid());
  EXPECT_FALSE(some("abc").is_valid());
  EXPECT_FALSE(some("ab cd").is_valid());
  EXPECT_FALSE(some("ab:cd").is_valid());
  EXPECT_FALSE(some(std::string(257, 'a')).is_valid());
  EXPECT_FALSE((Credentials{"abcd", "tooshort"}.is_valid()));
}

TEST(FindLocalUfrag, names_the_session_of_a_check) {
  Buffer check = write_check({}, some("theirs"), some("ours"), Role::kControlling, 1, 2, true);
  EXPECT_EQ(find_local_ufrag(check), "ours");
}

TEST(FindLocalUfrag, finds_nothing_elsewhere) {
  Buffer check = write_check({}, some("theirs"), some("ours"), Role::kControlling, 1, 2, true);
  EXPECT_FALSE(find_local_ufrag({}));
  EXPECT_FALSE(find_local_ufrag(Bytes(check).first(30)));
  Buffer answer = check;
  answer[0] = 1;
  EXPECT_FALSE(find_local_ufrag(answer));
  auto message = stun::Message::parse(check);
  ASSERT_TRUE(message);
  EXPECT_FALSE(find_local_ufrag(write_error(*message, 487, some("ours"))));
}

}  // namespace
}  // namespace stoa::ice
