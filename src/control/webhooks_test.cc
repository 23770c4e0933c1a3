#include "control/webhooks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>

#include "control/memory_store.h"

namespace stoa::control {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<std::string>;

constexpr Timestamp kStart = Timestamp::from_ns(1'000'000'000'000);
constexpr WallTime kWall = WallTime::from_seconds(1'800'000'000);
constexpr Duration kSecond = Duration::seconds(1);

// Web servers that answer at once, not at all until they are told to, or with a failure.
class WebhooksTest : public ::testing::Test {
 protected:
  enum class Mode { kUp, kDown, kSlow };
  struct Receiver {
    Mode mode = Mode::kUp;
    Ids taken;
    std::vector<Timestamp> tries;
    std::optional<DeliverWebhook> waiting;
  };

  void SetUp() override { start(); }
  void start() {
    hooks_ = std::make_unique<Webhooks>(store_, urls_, Rng(7));
    receivers_.resize(urls_.size());
    for (Receiver& receiver : receivers_) receiver.waiting.reset();
    auto loaded = hooks_->load();
    ASSERT_TRUE(loaded);
    forgotten_ = *loaded;
    pass(Duration());
  }
  void add(std::string id) {
    WebhookOutputs out;
    hooks_->add(now_, wall_, id, "body of " + id, out);
    handle(out);
  }
  void add_many(int count, int first = 0) {
    for (int i = 0; i < count; ++i) add("EV_" + std::to_string(first + i));
  }
  bool flush() {
    WebhookOutputs out;
    const bool is_kept = hooks_->flush(now_, wall_, out);
    handle(out);
    return is_kept;
  }
  // Receivers that answer at once do so in a loop: thousands of deliveries in a row must not nest.
  void handle(WebhookOutputs& out) {
    take(out);
    if (std::exchange(is_answering_, true)) return;
    while (!due_.empty()) {
      const std::size_t url = due_.front();
      due_.pop_front();
      answer(url);
    }
    is_answering_ = false;
  }
  void take(WebhookOutputs& out) {
    for (WebhookOutput& output : out.take()) {
      if (auto* dropped = std::get_if<WebhookDropped>(&output)) {
        dropped_.push_back(dropped->event_id);
        dropped_for_.push_back(dropped->why);
        continue;
      }
      auto& sent = std::get<DeliverWebhook>(output);
      Receiver& receiver = receivers_[sent.url];
      ASSERT_FALSE(receiver.waiting) << "two at once";
      EXPECT_EQ(sent.body, "body of " + sent.event_id);
      receiver.tries.push_back(now_);
      receiver.waiting = sent;
      if (receiver.mode != Mode::kSlow) due_.push_back(sent.url);
    }
  }
  void answer(std::size_t url) {
    Receiver& receiver = receivers_[url];
    DeliverWebhook sent = *std::exchange(receiver.waiting, std::nullopt);
    const bool is_taken = receiver.mode != Mode::kDown;
    if (is_taken) receiver.taken.push_back(sent.event_id);
    last_attempt_ = sent.attempt;
    WebhookOutputs out;
    hooks_->handle_result(now_, wall_, url, sent.sequence, is_taken, out);
    handle(out);
  }
  void pass(Duration time) {
    const Timestamp end = now_ + time;
    while (hooks_->next_deadline() <= end) {
      advance_to(std::max(now_, hooks_->next_deadline()));
      WebhookOutputs out;
      hooks_->handle_deadline(now_, wall_, out);
      handle(out);
    }
    advance_to(end);
  }
  void advance_to(Timestamp to) {
    wall_ = wall_ + (to - now_);
    now_ = to;
  }
  double metric(const std::string& name, const std::string& label = "") {
    MetricSamples samples;
    hooks_->append_metrics(samples);
    double sum = 0;
    for (const auto& sample : samples)
      if (sample.name == name && (label.empty() || sample.labels[0].second == label)) sum += sample.value;
    return sum;
  }
  static Ids ids(int first, int end) {
    Ids made;
    for (int i = first; i < end; ++i) made.push_back("EV_" + std::to_string(i));
    return made;
  }

  MemoryStore store_;
  std::vector<std::string> urls_ = {"http://a"};
  Timestamp now_ = kStart;
  WallTime wall_ = kWall;
  std::unique_ptr<Webhooks> hooks_;
  std::vector<Receiver> receivers_;
  std::deque<std::size_t> due_;  // Receivers that answer at once, in order.
  bool is_answering_ = false;
  std::size_t forgotten_ = 0;
  std::uint32_t last_attempt_ = 0;
  Ids dropped_;
  std::vector<WebhookDrop> dropped_for_;
};

TEST_F(WebhooksTest, are_sent_in_order_once_they_are_kept) {
  receivers_[0].mode = Mode::kSlow;
  add_many(3);
  EXPECT_FALSE(receivers_[0].waiting) << "not before it is kept";
  EXPECT_EQ(hooks_->next_deadline(), now_ + kWebhookFlush);
  pass(kWebhookFlush);
  EXPECT_EQ(*store_.count_webhooks("http://a"), 3u);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(receivers_[0].waiting);
    answer(0);
  }
  EXPECT_EQ(receivers_[0].taken, ids(0, 3));
  EXPECT_EQ(hooks_->queued(0), 0u);
  pass(kSecond);
  EXPECT_EQ(*store_.count_webhooks("http://a"), 0u);
  EXPECT_EQ(hooks_->next_deadline(), Timestamp::never());
  EXPECT_EQ(metric("stoa_webhook_events_total", "delivered"), 3);
}

TEST_F(WebhooksTest, go_nowhere_without_a_url) {
  urls_.clear();
  start();
  add("EV_0");
  EXPECT_EQ(hooks_->next_deadline(), Timestamp::never());
  EXPECT_TRUE(flush());
  EXPECT_EQ(*store_.last_webhook(), 0u);
}

TEST_F(WebhooksTest, are_all_delivered_in_order_when_a_receiver_comes_back) {
  receivers_[0].mode = Mode::kDown;
  const int count = static_cast<int>(kWebhookHeadMax) * 3 + 5;
  for (int i = 0; i < count; ++i) {
    add_many(1, i);
    pass(kSecond);
  }
  EXPECT_EQ(receivers_[0].taken, Ids());
  EXPECT_EQ(hooks_->queued(0), static_cast<std::size_t>(count));
  EXPECT_EQ(metric("stoa_webhooks_queued", "0"), count);
  receivers_[0].mode = Mode::kUp;
  pass(kWebhookWaitMax);
  EXPECT_EQ(receivers_[0].taken, ids(0, count));
  EXPECT_EQ(*store_.last_webhook(), 0u);
}

TEST_F(WebhooksTest, of_one_url_do_not_wait_for_another) {
  urls_ = {"http://slow", "http://a", "http://down"};
  start();
  receivers_[0].mode = Mode::kSlow;
  receivers_[2].mode = Mode::kDown;
  add_many(4);
  pass(kSecond);
  EXPECT_EQ(receivers_[1].taken, ids(0, 4));
  EXPECT_EQ(receivers_[0].tries.size(), 1u);
  EXPECT_EQ(hooks_->queued(0), 4u);
  receivers_[0].mode = receivers_[2].mode = Mode::kUp;
  answer(0);
  pass(kSecond * 2);
  EXPECT_EQ(receivers_[0].taken, ids(0, 4));
  EXPECT_EQ(receivers_[2].taken, ids(0, 4));
}

TEST_F(WebhooksTest, are_tried_again_after_waits_that_double_up_to_a_minute) {
  receivers_[0].mode = Mode::kDown;
  add("EV_0");
  pass(kSecond * 600);
  const auto& tries = receivers_[0].tries;
  ASSERT_GT(tries.size(), 12u);
  bool is_jittered = false;
  for (std::size_t i = 1; i < tries.size(); ++i) {
    const Duration longest =
        std::min(kSecond * (std::int64_t{1} << std::min<std::size_t>(i - 1, 6)), kWebhookWaitMax);
    const Duration wait = tries[i] - tries[i - 1];
    EXPECT_GE(wait, longest / 2) << i;
    EXPECT_LE(wait, longest) << i;
    is_jittered = is_jittered || (wait != longest && wait != longest / 2);
  }
  EXPECT_TRUE(is_jittered);
  // Taken again, the next failure waits shortly.
  receivers_[0].mode = Mode::kUp;
  pass(kSecond * 60);
  receivers_[0].mode = Mode::kDown;
  add("EV_1");
  pass(kWebhookFlush);
  EXPECT_LE(hooks_->next_deadline(), now_ + kSecond);
}

TEST_F(WebhooksTest, are_given_up_after_the_last_try_and_the_next_has_its_turn) {
  receivers_[0].mode = Mode::kDown;
  add_many(2);
  while (receivers_[0].tries.size() < kWebhookAttemptsMax) pass(kSecond);
  EXPECT_EQ(dropped_, Ids{"EV_0"});
  EXPECT_EQ(dropped_for_, std::vector{WebhookDrop::kAttempts});
  EXPECT_EQ(metric("stoa_webhook_events_total", "attempts"), 1);
  receivers_[0].mode = Mode::kUp;
  pass(kWebhookWaitMax);
  EXPECT_EQ(receivers_[0].taken, Ids{"EV_1"});
  EXPECT_EQ(last_attempt_, 1u);
}

TEST_F(WebhooksTest, are_given_up_a_day_later) {
  receivers_[0].mode = Mode::kSlow;
  add_many(3);
  pass(kSecond * 3600);
  add("EV_3");
  pass(kWebhookAgeMax - kSecond * 3600);
  EXPECT_EQ(dropped_, Ids());
  receivers_[0].mode = Mode::kDown;
  answer(0);  // After a day, and it was not taken.
  EXPECT_EQ(dropped_, Ids{"EV_0"});
  receivers_[0].mode = Mode::kUp;
  pass(kWebhookWaitMax);
  EXPECT_EQ(dropped_, ids(0, 3));
  EXPECT_EQ(dropped_for_, std::vector(3, WebhookDrop::kAge));
  EXPECT_EQ(receivers_[0].taken, Ids{"EV_3"});
}

TEST_F(WebhooksTest, go_on_in_the_middle_of_the_queue_after_a_restart) {
  receivers_[0].mode = Mode::kSlow;
  const int count = static_cast<int>(kWebhookHeadMax) * 2;
  add_many(count);
  pass(kSecond);
  for (int i = 0; i < 10; ++i) answer(0);
  pass(kSecond);
  receivers_[0].mode = Mode::kUp;
  start();
  pass(kSecond);
  EXPECT_EQ(receivers_[0].taken, ids(0, count)) << "each once, as all that was taken had been kept";
  add("EV_new");
  pass(kSecond);
  EXPECT_EQ(receivers_[0].taken.back(), "EV_new");
}

TEST_F(WebhooksTest, are_sent_again_under_their_id_when_the_process_ended_before_the_answer) {
  receivers_[0].mode = Mode::kSlow;
  add_many(2);
  pass(kSecond);
  ASSERT_TRUE(receivers_[0].waiting);
  EXPECT_EQ(receivers_[0].waiting->event_id, "EV_0");
  start();
  ASSERT_TRUE(receivers_[0].waiting) << "at once";
  EXPECT_EQ(receivers_[0].waiting->event_id, "EV_0");
}

TEST_F(WebhooksTest, are_sent_when_the_process_ended_between_keeping_and_sending) {
  add("EV_0");
  // What flush() keeps, by a process that came no further.
  ASSERT_TRUE(store_.change_webhooks({.added = {{1, "http://a", "EV_0", "body of EV_0", wall_, 0}}}));
  start();
  EXPECT_EQ(receivers_[0].taken, Ids{"EV_0"});
}

TEST_F(WebhooksTest, remember_their_tries_over_a_restart) {
  receivers_[0].mode = Mode::kDown;
  add("EV_0");
  pass(kSecond * 60);
  const auto tries = receivers_[0].tries.size();
  start();
  EXPECT_EQ(last_attempt_, tries + 1);
}

TEST_F(WebhooksTest, to_a_url_that_is_no_more_are_forgotten) {
  urls_ = {"http://a", "http://b"};
  start();
  receivers_[0].mode = receivers_[1].mode = Mode::kDown;
  add_many(2);
  pass(kSecond);
  urls_ = {"http://b"};
  receivers_.assign(1, {});
  start();
  EXPECT_EQ(forgotten_, 2u);
  pass(kSecond);
  EXPECT_EQ(receivers_[0].taken, ids(0, 2));
  EXPECT_EQ(*store_.last_webhook(), 0u);
}

TEST_F(WebhooksTest, over_the_limit_push_out_the_oldest_that_is_not_under_way) {
  receivers_[0].mode = Mode::kSlow;
  for (int i = 0; i < static_cast<int>(kWebhooksMax); i += 1'000) {
    add_many(1'000, i);
    ASSERT_TRUE(flush());
  }
  EXPECT_EQ(dropped_, Ids());
  // More than the head holds.
  const int more = static_cast<int>(kWebhookHeadMax) * 2;
  add_many(more, 1'000'000);
  ASSERT_TRUE(flush());
  EXPECT_EQ(dropped_, ids(1, 1 + more));
  EXPECT_EQ(dropped_for_.back(), WebhookDrop::kQueueFull);
  EXPECT_EQ(hooks_->queued(0), kWebhooksMax);
  pass(kSecond);
  EXPECT_EQ(*store_.count_webhooks("http://a"), kWebhooksMax);
  answer(0);
  answer(0);
  EXPECT_THAT(receivers_[0].taken, ElementsAre("EV_0", "EV_" + std::to_string(1 + more)));
}

TEST_F(WebhooksTest, wait_for_a_store_that_fails) {
  store_.set_unavailable(true);
  add_many(2);
  EXPECT_FALSE(flush());
  pass(kSecond * 5);
  EXPECT_EQ(receivers_[0].taken, Ids());
  store_.set_unavailable(false);
  pass(kSecond);
  EXPECT_EQ(receivers_[0].taken, ids(0, 2));
}

TEST_F(WebhooksTest, do_not_ask_a_store_that_fails_again_and_again) {
  store_.set_unavailable(true);
  add("EV_0");
  EXPECT_FALSE(flush());
  add("EV_1");
  EXPECT_EQ(hooks_->next_deadline(), now_ + kWebhookStoreRetry);
}

TEST_F(WebhooksTest, go_on_when_the_process_before_was_not_quite_over) {
  const WebhookDelivery late{1, "http://a", "EV_late", "body of EV_late", wall_, 0};
  ASSERT_TRUE(store_.change_webhooks({.added = {late}}));
  receivers_[0].mode = Mode::kDown;
  add_many(static_cast<int>(kWebhookHeadMax) + 2);
  ASSERT_TRUE(flush());
  EXPECT_EQ(*store_.last_webhook(), kWebhookHeadMax + 3);
  receivers_[0].mode = Mode::kUp;
  pass(kWebhookWaitMax);
  EXPECT_EQ(receivers_[0].taken, ids(0, static_cast<int>(kWebhookHeadMax) + 2));
  start();
  pass(kSecond);
  EXPECT_EQ(receivers_[0].taken.back(), "EV_late");
  EXPECT_EQ(*store_.last_webhook(), 0u);
}

TEST_F(WebhooksTest, are_bounded_while_the_store_fails) {
  store_.set_unavailable(true);
  const int count = static_cast<int>(kWebhooksUnstoredMax) + 1;
  add_many(count);
  ASSERT_FALSE(dropped_.empty());
  EXPECT_EQ(dropped_, ids(0, static_cast<int>(dropped_.size())));
  EXPECT_LE(dropped_.size(), kWebhooksUnstoredMax / 50);
  EXPECT_EQ(dropped_for_.back(), WebhookDrop::kNotStored);
  store_.set_unavailable(false);
  ASSERT_TRUE(flush());
  EXPECT_EQ(receivers_[0].taken, ids(static_cast<int>(dropped_.size()), count));
}

TEST_F(WebhooksTest, are_delivered_again_rather_than_lost_when_the_store_fails_after_a_delivery) {
  const int count = static_cast<int>(kWebhookHeadMax) + 3;
  receivers_[0].mode = Mode::kSlow;
  add_many(count);
  ASSERT_TRUE(flush());
  store_.set_unavailable(true);
  for (std::size_t i = 0; i < kWebhookHeadMax; ++i) answer(0);
  EXPECT_FALSE(receivers_[0].waiting) << "the rest cannot be read";
  receivers_[0].mode = Mode::kUp;
  pass(kSecond * 10);
  store_.set_unavailable(false);
  pass(kSecond * 2);
  EXPECT_EQ(receivers_[0].taken, ids(0, count));
  EXPECT_EQ(*store_.last_webhook(), 0u);
}

TEST_F(WebhooksTest, take_no_result_that_is_not_of_what_is_under_way) {
  receivers_[0].mode = Mode::kSlow;
  add_many(2);
  pass(kSecond);
  WebhookOutputs out;
  hooks_->handle_result(now_, wall_, 0, 99, true, out);
  hooks_->handle_result(now_, wall_, 7, 1, true, out);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(hooks_->queued(0), 2u);
  answer(0);
  EXPECT_EQ(receivers_[0].waiting->event_id, "EV_1");
}

}  // namespace
}  // namespace stoa::control
