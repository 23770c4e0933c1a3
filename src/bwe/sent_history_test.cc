#include "bwe/sent_history.h"

#include <gtest/gtest.h>

namespace stoa::bwe {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

TEST(SentHistory, finds_what_was_sent_and_nothing_else) {
  SentHistory history;
  history.add(at_ms(5), {1000, 1200, 7});
  history.add(at_ms(6), {1001, 70'000, kNoProbe});
  EXPECT_EQ(history.find(999), nullptr);
  EXPECT_EQ(history.find(1002), nullptr);
  EXPECT_EQ(history.find(1000)->sent_at(), at_ms(5));
  EXPECT_EQ(history.find(1000)->probe, 7);
  EXPECT_EQ(history.find(1001)->bytes, 65'535);
  EXPECT_EQ(history.bytes_until() - history.find(1000)->bytes_until, 65'535u);
}

TEST(SentHistory, grows_while_answers_are_awaited_and_no_further_than_its_limit) {
  SentHistory history;
  for (std::int64_t i = 0; i < 3 * static_cast<std::int64_t>(kSentHistoryMax); ++i)
    history.add(at_ms(i / 100), {i, 100});
  EXPECT_EQ(history.limit(), kSentHistoryMax);
  EXPECT_EQ(history.next() - history.oldest(), static_cast<std::int64_t>(kSentHistoryMax));
  for (std::int64_t i = history.oldest(); i < history.next(); ++i)
    ASSERT_EQ(history.find(i)->sent_at(), at_ms(i / 100));
}

TEST(SentHistory, stays_small_when_packets_are_answered_or_old) {
  SentHistory answered;
  for (std::int64_t i = 0; i < 10'000; ++i) {
    answered.add(at_ms(i), {i, 100});
    answered.find(i)->fate = static_cast<std::uint64_t>(Fate::kArrived);
  }
  EXPECT_EQ(answered.limit(), kSentHistoryMin);
  SentHistory old;
  for (std::int64_t i = 0; i < 10'000; ++i) old.add(at_ms(100 * i), {i, 100});
  EXPECT_EQ(old.limit(), kSentHistoryMin);
}

}  // namespace
}  // namespace stoa::bwe
