#include "proto/srtp/ssrc_table.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"

namespace stoa::srtp {
namespace {

struct Number {
  int value = 0;
};

TEST(SsrcTable, finds_what_was_inserted) {
  SsrcTable<Number> table(100);
  EXPECT_EQ(table.find(1), nullptr);
  table.insert(1)->value = 10;
  table.insert(0)->value = 20;
  EXPECT_EQ(table.find(1)->value, 10);
  EXPECT_EQ(table.find(0)->value, 20);
  EXPECT_EQ(table.find(2), nullptr);
}

TEST(SsrcTable, refuses_more_than_its_limit) {
  SsrcTable<Number> table(3);
  for (std::uint32_t ssrc : {1u, 2u, 3u}) EXPECT_NE(table.insert(ssrc), nullptr);
  EXPECT_TRUE(table.is_full());
  EXPECT_EQ(table.insert(4), nullptr);
  EXPECT_TRUE(table.erase(2));
  EXPECT_NE(table.insert(4), nullptr);
}

TEST(SsrcTable, erases_only_what_is_there) {
  SsrcTable<Number> table(3);
  EXPECT_FALSE(table.erase(1));
  table.insert(1);
  EXPECT_TRUE(table.erase(1));
  EXPECT_FALSE(table.erase(1));
  EXPECT_EQ(table.find(1), nullptr);
}

TEST(SsrcTable, agrees_with_a_map) {
  Rng rng(5);
  SsrcTable<Number> table(300);
  std::map<std::uint32_t, int> model;
  for (int i = 0; i < 30'000; ++i) {
    const auto ssrc = static_cast<std::uint32_t>(rng.below(400) * (rng.chance(0.5) ? 1 : 0x0100'0000));
    Number* found = table.find(ssrc);
    ASSERT_EQ(found != nullptr, model.contains(ssrc));
    if (found) {
      ASSERT_EQ(found->value, model[ssrc]);
      if (rng.chance(0.3)) {
        table.erase(ssrc);
        model.erase(ssrc);
      }
    } else if (Number* inserted = table.insert(ssrc)) {
      inserted->value = i;
      model[ssrc] = i;
    } else {
      ASSERT_EQ(model.size(), 300u);
    }
    ASSERT_EQ(table.size(), model.size());
  }
}

}  // namespace
}  // namespace stoa::srtp
