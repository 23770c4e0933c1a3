// What every Store must do, as tests that are run over each of them: a test program defines a factory and
// says INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, ::testing::Values(factory)).
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "control/store.h"
#include "crypto/digest.h"

namespace stoa::control {

using StoreFactory = std::function<std::unique_ptr<Store>()>;

class StoreContract : public ::testing::TestWithParam<StoreFactory> {
 protected:
  static WallTime at(std::int64_t seconds) {
    return WallTime::from_us(1'800'000'000'000'123 + seconds * 1'000'000);
  }
  static Channel channel(std::string name) {
    return {std::move(name), "Title 'of' \"it\"; -- \xc3\xa9", "line one\nline two", true, at(0), at(0),
            "it's one"};
  }
  static StreamKey stream_key(std::string id, std::string of_channel, std::int64_t created = 0) {
    crypto::Sha256Digest digest = crypto::sha256(as_bytes(id));
    return {std::move(id), std::move(of_channel), digest, "label", at(created), std::nullopt, std::nullopt};
  }
  static room::RoomInfo room(std::string name) {
    return {.sid = "RM_" + name,
            .name = std::move(name),
            .metadata = "{\"a\": \"it's\"}\r\n\xc3\xa9",
            .created_at = at(0),
            .empty_timeout = Duration::milliseconds(1'500),
            .departure_timeout = Duration::seconds(7 * 24 * 3600),
            .participants_max = 0xffff'ffff,
            .publishers_max = 3};
  }
  static WebhookDelivery delivery(std::uint64_t sequence, std::string url) {
    return {sequence, std::move(url), "EV_" + std::to_string(sequence), "{\"it's\": \"\xc3\xa9\"}", at(1), 0};
  }
  std::vector<std::uint64_t> sequences_of(std::string_view url, std::uint64_t after = 0,
                                          std::size_t limit = 100) {
    std::vector<std::uint64_t> sequences;
    auto listed = store_->list_webhooks(url, after, limit);
    for (const WebhookDelivery& each : *listed) sequences.push_back(each.sequence);
    return sequences;
  }
  void create(const Channel& made) { ASSERT_TRUE(store_->create_channel(made)); }
  void create(const StreamKey& made) { ASSERT_TRUE(store_->create_stream_key(made)); }

  std::unique_ptr<Store> store_ = GetParam()();
};

TEST_P(StoreContract, finds_the_channel_that_was_made) {
  create(channel("news"));
  EXPECT_EQ(*store_->find_channel("news"), channel("news"));
  EXPECT_EQ(*store_->find_channel("other"), std::nullopt);
  EXPECT_EQ(*store_->find_channel("news' OR '1'='1"), std::nullopt);
}

TEST_P(StoreContract, refuses_a_second_channel_of_a_name_and_keeps_the_first) {
  create(channel("news"));
  Channel second = channel("news");
  second.title = "second";
  EXPECT_EQ(store_->create_channel(second).error(), StoreRefusal::kExists);
  EXPECT_EQ(*store_->find_channel("news"), channel("news"));
}

TEST_P(StoreContract, lists_channels_by_name_in_pages) {
  for (const char* name : {"b", "a_1", "a-1", "c", "a1"}) create(channel(name));
  const auto names_of = [&](std::string_view after, std::size_t limit) {
    std::vector<std::string> names;
    auto page = store_->list_channels(after, limit);
    for (const Channel& listed : *page) names.push_back(listed.name);
    return names;
  };
  EXPECT_EQ(names_of("", 10), (std::vector<std::string>{"a-1", "a1", "a_1", "b", "c"}));
  EXPECT_EQ(names_of("", 2), (std::vector<std::string>{"a-1", "a1"}));
  EXPECT_EQ(names_of("a1", 2), (std::vector<std::string>{"a_1", "b"}));
  EXPECT_EQ(names_of("c", 2), (std::vector<std::string>{}));
  EXPECT_EQ(*store_->count_channels(), 5u);
}

TEST_P(StoreContract, updates_a_channel_but_not_when_it_was_made) {
  create(channel("news"));
  Channel changed{"news", "new", "", false, at(99), at(5), "standard"};
  ASSERT_TRUE(store_->update_channel(changed));
  changed.created_at = at(0);
  EXPECT_EQ(*store_->find_channel("news"), changed);
  EXPECT_EQ(store_->update_channel(channel("other")).error(), StoreRefusal::kNotFound);
}

TEST_P(StoreContract, deletes_a_channel_with_its_keys_and_no_others) {
  create(channel("news"));
  create(channel("sport"));
  create(stream_key("k1", "news"));
  create(stream_key("k2", "sport"));
  ASSERT_TRUE(store_->delete_channel("news"));
  EXPECT_EQ(store_->delete_channel("news").error(), StoreRefusal::kNotFound);
  EXPECT_EQ(*store_->find_channel("news"), std::nullopt);
  EXPECT_EQ(*store_->find_stream_key(stream_key("k1", "news").digest), std::nullopt);
  EXPECT_EQ(*store_->find_stream_key(stream_key("k2", "sport").digest), stream_key("k2", "sport"));
}

TEST_P(StoreContract, refuses_keys_without_a_channel_and_keys_twice) {
  EXPECT_EQ(store_->create_stream_key(stream_key("k1", "news")).error(), StoreRefusal::kNotFound);
  create(channel("news"));
  create(stream_key("k1", "news"));
  EXPECT_EQ(store_->create_stream_key(stream_key("k1", "news")).error(), StoreRefusal::kExists);
  StreamKey same_digest = stream_key("k1", "news");
  same_digest.id = "k2";
  EXPECT_EQ(store_->create_stream_key(same_digest).error(), StoreRefusal::kExists);
}

TEST_P(StoreContract, lists_the_keys_in_force_oldest_first) {
  create(channel("news"));
  create(channel("sport"));
  create(stream_key("k2", "news", 1));
  create(stream_key("k3", "news", 0));
  create(stream_key("k1", "news", 2));
  create(stream_key("k4", "sport"));
  ASSERT_TRUE(store_->revoke_stream_key("news", "k2", at(3), 10));
  auto listed = store_->list_stream_keys("news");
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[0], stream_key("k3", "news", 0));
  EXPECT_EQ((*listed)[1], stream_key("k1", "news", 2));
}

TEST_P(StoreContract, revokes_a_key_once_and_still_finds_it) {
  create(channel("news"));
  create(stream_key("k1", "news"));
  EXPECT_EQ(store_->revoke_stream_key("sport", "k1", at(1), 10).error(), StoreRefusal::kNotFound);
  ASSERT_TRUE(store_->revoke_stream_key("news", "k1", at(1), 10));
  EXPECT_EQ(store_->revoke_stream_key("news", "k1", at(2), 10).error(), StoreRefusal::kNotFound);
  EXPECT_EQ((*store_->find_stream_key(stream_key("k1", "").digest))->revoked_at, at(1));
}

TEST_P(StoreContract, keeps_only_the_newest_revoked_keys) {
  create(channel("news"));
  create(channel("sport"));
  create(stream_key("other", "sport"));
  ASSERT_TRUE(store_->revoke_stream_key("sport", "other", at(0), 2));
  for (int i = 0; i < 4; ++i) {
    create(stream_key("k" + std::to_string(i), "news"));
    ASSERT_TRUE(store_->revoke_stream_key("news", "k" + std::to_string(i), at(i), 2));
  }
  const auto is_there = [&](const std::string& id) {
    return store_->find_stream_key(stream_key(id, "").digest)->has_value();
  };
  EXPECT_FALSE(is_there("k0"));
  EXPECT_FALSE(is_there("k1"));
  EXPECT_TRUE(is_there("k2"));
  EXPECT_TRUE(is_there("k3"));
  EXPECT_TRUE(is_there("other"));
}

TEST_P(StoreContract, remembers_when_a_key_was_last_used) {
  create(channel("news"));
  create(stream_key("k1", "news"));
  ASSERT_TRUE(store_->touch_stream_key("k1", at(7)));
  EXPECT_EQ((*store_->find_stream_key(stream_key("k1", "").digest))->last_used_at, at(7));
  EXPECT_EQ(store_->touch_stream_key("k2", at(7)).error(), StoreRefusal::kNotFound);
}

TEST_P(StoreContract, keeps_api_keys_and_revokes_them_once) {
  ApiKey one{"ak_1", "secret one", "studio", {"channels:read", "channels:write"}, at(1), std::nullopt};
  ApiKey two{"ak_2", "secret two", "", {}, at(0), std::nullopt};
  ASSERT_TRUE(store_->create_api_key(one));
  ASSERT_TRUE(store_->create_api_key(two));
  EXPECT_EQ(store_->create_api_key(one).error(), StoreRefusal::kExists);
  EXPECT_EQ(*store_->find_api_key("ak_1"), one);
  EXPECT_EQ(*store_->find_api_key("ak_3"), std::nullopt);
  EXPECT_EQ(*store_->list_api_keys(), (std::vector<ApiKey>{two, one}));
  ASSERT_TRUE(store_->revoke_api_key("ak_1", at(9)));
  EXPECT_EQ(store_->revoke_api_key("ak_1", at(10)).error(), StoreRefusal::kNotFound);
  EXPECT_EQ(store_->revoke_api_key("ak_3", at(10)).error(), StoreRefusal::kNotFound);
  EXPECT_EQ((*store_->find_api_key("ak_1"))->revoked_at, at(9));
}

TEST_P(StoreContract, keeps_a_room_and_changes_it) {
  ASSERT_TRUE(store_->keep_room(room("meeting / 1")));
  ASSERT_TRUE(store_->keep_room(room("other")));
  EXPECT_EQ(*store_->find_room("meeting / 1"), room("meeting / 1"));
  EXPECT_EQ(*store_->find_room("meeting"), std::nullopt);
  room::RoomInfo changed = room("meeting / 1");
  changed.sid = "RM_new";
  changed.metadata = "";
  changed.created_at = at(9);
  changed.departure_timeout = Duration();
  changed.publishers_max = 0;
  ASSERT_TRUE(store_->keep_room(changed));
  EXPECT_EQ(*store_->find_room("meeting / 1"), changed);
  EXPECT_EQ(*store_->find_room("other"), room("other"));
}

TEST_P(StoreContract, does_not_keep_who_is_in_a_room) {
  room::RoomInfo busy = room("a");
  busy.participants = 3;
  busy.publishers = 2;
  busy.is_recorded = true;
  ASSERT_TRUE(store_->keep_room(busy));
  EXPECT_EQ(*store_->find_room("a"), room("a"));
}

TEST_P(StoreContract, lists_rooms_by_name_in_pages_and_deletes_them) {
  for (const char* name : {"b", "a", "\xc3\xa9", "c"}) ASSERT_TRUE(store_->keep_room(room(name)));
  EXPECT_EQ(*store_->list_rooms("", 2), (std::vector<room::RoomInfo>{room("a"), room("b")}));
  EXPECT_EQ(*store_->list_rooms("b", 9), (std::vector<room::RoomInfo>{room("c"), room("\xc3\xa9")}));
  ASSERT_TRUE(store_->delete_room("b"));
  EXPECT_EQ(store_->delete_room("b").error(), StoreRefusal::kNotFound);
  EXPECT_EQ(*store_->list_rooms("", 2), (std::vector<room::RoomInfo>{room("a"), room("c")}));
}

TEST_P(StoreContract, lists_webhooks_of_a_url_in_order) {
  EXPECT_EQ(*store_->last_webhook(), 0u);
  WebhookDelivery tried = delivery(2, "http://a");
  tried.attempts = 7;
  // Sequences grow beyond 32 bits, and are ordered as numbers.
  const std::uint64_t large = 10'000'000'000;
  ASSERT_TRUE(store_->change_webhooks(
      {.added = {delivery(large, "http://a"), tried, delivery(1, "http://a"), delivery(3, "http://b")}}));
  EXPECT_EQ(sequences_of("http://a"), (std::vector<std::uint64_t>{1, 2, large}));
  EXPECT_EQ(sequences_of("http://a", 0, 2), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_EQ(sequences_of("http://a", 1, 1), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(store_->list_webhooks("http://a", 1, 1)->at(0), tried);
  EXPECT_EQ(sequences_of("http://b"), (std::vector<std::uint64_t>{3}));
  EXPECT_EQ(sequences_of("http://"), (std::vector<std::uint64_t>{}));
  EXPECT_EQ(*store_->count_webhooks("http://a"), 3u);
  EXPECT_EQ(*store_->last_webhook(), large);
}

TEST_P(StoreContract, changes_webhooks_at_once) {
  ASSERT_TRUE(store_->change_webhooks({.added = {delivery(1, "a"), delivery(2, "a"), delivery(3, "a")}}));
  ASSERT_TRUE(store_->change_webhooks(
      {.added = {delivery(4, "a")}, .tried = {{2, 5}, {99, 1}}, .removed = {1, 3, 98}}));
  EXPECT_EQ(sequences_of("a"), (std::vector<std::uint64_t>{2, 4}));
  EXPECT_EQ(store_->list_webhooks("a", 0, 1)->at(0).attempts, 5u);
  // Nothing of what is refused happens.
  EXPECT_EQ(store_
                ->change_webhooks(
                    {.added = {delivery(5, "a"), delivery(4, "a")}, .tried = {{2, 6}}, .removed = {2}})
                .error(),
            StoreRefusal::kExists);
  EXPECT_EQ(sequences_of("a"), (std::vector<std::uint64_t>{2, 4}));
  EXPECT_EQ(store_->list_webhooks("a", 0, 1)->at(0).attempts, 5u);
  EXPECT_TRUE(store_->change_webhooks({.added = {delivery(5, "a")}}));
}

TEST_P(StoreContract, forgets_webhooks_to_urls_that_are_no_more) {
  ASSERT_TRUE(store_->change_webhooks(
      {.added = {delivery(1, "a"), delivery(2, "b"), delivery(3, "c"), delivery(4, "c")}}));
  EXPECT_EQ(*store_->forget_webhooks_but({"a", "b"}), 2u);
  EXPECT_EQ(*store_->count_webhooks("c"), 0u);
  EXPECT_EQ(*store_->count_webhooks("a"), 1u);
  EXPECT_EQ(*store_->forget_webhooks_but({}), 2u);
  EXPECT_EQ(*store_->forget_webhooks_but({}), 0u);
}

}  // namespace stoa::control
