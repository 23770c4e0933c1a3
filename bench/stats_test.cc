#include "stats.h"

#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

TEST(Samples, gives_nearest_rank_percentiles) {
  Samples samples;
  for (int i = 100; i >= 1; --i) samples.add(i);
  EXPECT_EQ(samples.percentile(0.5), 50);
  EXPECT_EQ(samples.percentile(0.99), 99);
  EXPECT_EQ(samples.percentile(1), 100);
  EXPECT_EQ(samples.mean(), 50.5);
  EXPECT_EQ(samples.max(), 100);
}

TEST(Samples, stays_bounded_and_keeps_its_percentiles) {
  Samples samples;
  constexpr int kCount = 5'000'000;
  for (int i = 0; i < kCount; ++i) samples.add(i);
  EXPECT_EQ(samples.count(), static_cast<std::uint64_t>(kCount));
  EXPECT_NEAR(samples.percentile(0.5), kCount / 2.0, 10);
  EXPECT_NEAR(samples.percentile(0.99), kCount * 0.99, 10);
  EXPECT_EQ(samples.max(), kCount - 1);
}

TEST(Samples, are_zero_when_there_are_none) { EXPECT_EQ(Samples().percentile(0.99), 0); }

TEST(Json, escapes_text_and_nests) {
  Json inner;
  inner.count("n", 3);
  Json json;
  json.text("command", "say \"hi\"\n").object("inner", inner).boolean("ok", true).number("x", 0.25);
  EXPECT_EQ(json.str(), R"({"command":"say \"hi\"\u000a","inner":{"n":3},"ok":true,"x":0.25})");
}

}  // namespace
}  // namespace stoa::bench
