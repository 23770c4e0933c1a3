#include "proto/dtls/replay_window.h"

#include <gtest/gtest.h>

#include <set>

#include "base/rng.h"

namespace stoa::dtls {
namespace {

TEST(ReplayWindow, takes_each_number_once) {
  ReplayWindow window;
  for (std::uint64_t number : {0, 1, 5, 3, 2, 4, 100, 99, 37}) {
    EXPECT_TRUE(window.is_new(number)) << number;
    window.mark(number);
    EXPECT_FALSE(window.is_new(number)) << number;
  }
  EXPECT_FALSE(window.is_new(36));  // Older than 64 below 100.
  EXPECT_TRUE(window.is_new(38));
  EXPECT_TRUE(window.is_new((std::uint64_t{1} << 48) - 1));
}

TEST(ReplayWindow, agrees_with_a_set_of_numbers) {
  Rng rng(3);
  ReplayWindow window;
  std::set<std::uint64_t> seen;
  std::uint64_t highest = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::uint64_t number = highest + rng.below(rng.chance(0.05) ? 300 : 80);
    number = number > 70 ? number - 70 : 0;
    bool is_old = !seen.empty() && number + ReplayWindow::kWidth <= highest;
    ASSERT_EQ(window.is_new(number), !is_old && !seen.contains(number)) << number;
    if (is_old) continue;
    window.mark(number);
    seen.insert(number);
    highest = std::max(highest, number);
  }
}

}  // namespace
}  // namespace stoa::dtls
