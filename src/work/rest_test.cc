#include "work/rest.h"

#include <gtest/gtest.h>

namespace stoa::work {
namespace {

// How many whole seconds it is from a refusal until it is over.
int rest_after(Rest& rest, int at) {
  rest.handle_refusal(Duration::seconds(at));
  int seconds = 0;
  while (!rest.is_over(Duration::seconds(at + seconds))) ++seconds;
  return seconds;
}

TEST(Rest, doubles_up_to_a_minute_while_it_is_refused_again) {
  Rest rest;
  EXPECT_TRUE(rest.is_over({}));
  int at = 100;
  for (int expected : {2, 4, 8, 16, 32, 60, 60}) {
    EXPECT_EQ(rest_after(rest, at), expected);
    at += expected + 5;
  }
}

TEST(Rest, is_short_again_when_nothing_was_refused_for_a_minute) {
  Rest rest;
  EXPECT_EQ(rest_after(rest, 100), 2);
  EXPECT_EQ(rest_after(rest, 102 + 59), 4);
  EXPECT_EQ(rest_after(rest, 165 + 60), 2);
}

}  // namespace
}  // namespace stoa::work
