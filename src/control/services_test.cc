// Channels, StreamKeys and Publishing over one store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "control/channels.h"
#include "control/memory_store.h"
#include "control/publishing.h"
#include "control/stream_keys.h"

namespace stoa::control {
namespace {

using ::testing::MatchesRegex;

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
constexpr WallTime kLater = kNow + Duration::seconds(5);

class Services : public ::testing::Test {
 protected:
  MadeStreamKey make_key(std::string_view channel) { return *keys_.create(kNow, channel, "studio"); }
  Result<PublishGrant, PublishRefusal> publish(std::string_view name, std::string_view app = "live") {
    return publishing_.authorize_publish(kLater, app, name);
  }

  MemoryStore store_;
  Channels channels_{store_};
  StreamKeys keys_{store_};
  Publishing publishing_{store_, {.is_dev = false}};
  Publishing dev_{store_, {.is_dev = true}};
};

TEST_F(Services, make_a_channel_as_asked) {
  auto made = channels_.create(kNow, {"news", "The news", "All day.\nEvery day."});
  ASSERT_TRUE(made);
  EXPECT_EQ(*made, (Channel{"news", "The news", "All day.\nEvery day.", true, kNow, kNow}));
  EXPECT_EQ(*channels_.read("news"), *made);
}

TEST_F(Services, refuse_channels_with_bad_texts) {
  EXPECT_EQ(channels_.create(kNow, {"News", "", ""}).error(), Refusal::kBadChannelName);
  EXPECT_EQ(channels_.create(kNow, {"news", "a\nb", ""}).error(), Refusal::kBadTitle);
  EXPECT_EQ(channels_.create(kNow, {"news", std::string(kTitleCharactersMax + 1, 'a'), ""}).error(),
            Refusal::kBadTitle);
  EXPECT_EQ(channels_.create(kNow, {"news", "", "\x1b"}).error(), Refusal::kBadDescription);
  EXPECT_EQ(channels_.create(kNow, {"news", "", std::string(kDescriptionCharactersMax + 1, 'a')}).error(),
            Refusal::kBadDescription);
  EXPECT_EQ(*store_.count_channels(), 0u);
}

TEST_F(Services, keep_a_ladder_that_is_one) {
  auto made = channels_.create(kNow, {"news", "", "", "standard"});
  ASSERT_TRUE(made);
  EXPECT_EQ(made->ladder, "standard");
  EXPECT_EQ(channels_.create(kNow, {"sport", "", "", "the best"}).error(), Refusal::kBadLadder);
  EXPECT_EQ(channels_.update(kNow, "news", {.ladder = "720p"}).error(), Refusal::kBadLadder);
  EXPECT_EQ(channels_.update(kNow, "news", {.title = "x"})->ladder, "standard");
  EXPECT_EQ(channels_.update(kNow, "news", {.ladder = "720p30:2500"})->ladder, "720p30:2500");
  EXPECT_EQ(channels_.update(kNow, "news", {.ladder = ""})->ladder, "");
}

TEST_F(Services, grant_the_channels_ladder_or_else_the_nodes) {
  Publishing publishing(store_, {.is_dev = true, .ladder = "mobile"});
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  MadeStreamKey made = make_key("news");
  const auto ladder = [&](Publishing& of, std::string_view name) {
    return of.authorize_publish(kNow, "live", name)->ladder;
  };
  EXPECT_EQ(ladder(publishing_, made.key), "off");
  for (std::string_view name :
       {std::string_view(made.key), std::string_view("news"), std::string_view("other")})
    EXPECT_EQ(ladder(publishing, name), "mobile") << name;
  ASSERT_TRUE(channels_.update(kNow, "news", {.ladder = "off"}));
  EXPECT_EQ(ladder(publishing, made.key), "off");
  EXPECT_EQ(ladder(publishing, "news"), "off");
}

TEST_F(Services, refuse_a_channel_twice_and_one_that_is_not_there) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  EXPECT_EQ(channels_.create(kNow, {"news", "", ""}).error(), Refusal::kChannelExists);
  EXPECT_EQ(channels_.read("sport").error(), Refusal::kChannelNotFound);
  EXPECT_EQ(channels_.read("NOT A NAME").error(), Refusal::kChannelNotFound);
  EXPECT_EQ(channels_.update(kNow, "sport", {}).error(), Refusal::kChannelNotFound);
  EXPECT_EQ(channels_.remove("sport").error(), Refusal::kChannelNotFound);
}

TEST_F(Services, change_only_what_is_named) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "one", "two"}));
  auto changed = channels_.update(kLater, "news", {.title = "new"});
  EXPECT_EQ(*changed, (Channel{"news", "new", "two", true, kNow, kLater}));
  changed = channels_.update(kLater, "news", {.description = "", .is_enabled = false});
  EXPECT_EQ(*changed, (Channel{"news", "new", "", false, kNow, kLater}));
  EXPECT_EQ(channels_.update(kLater, "news", {.title = "\x07"}).error(), Refusal::kBadTitle);
  EXPECT_EQ(channels_.update(kLater, "news", {.description = "\x07"}).error(), Refusal::kBadDescription);
}

TEST_F(Services, list_channels_in_pages_to_the_end) {
  for (const char* name : {"a", "b", "c", "d", "e"}) ASSERT_TRUE(channels_.create(kNow, {name, "", ""}));
  std::string seen;
  std::string after;
  int pages = 0;
  while (true) {
    auto page = channels_.list(after, 2);
    ASSERT_TRUE(page);
    ++pages;
    for (const Channel& channel : page->channels) seen += channel.name;
    if (!page->next) break;
    after = *page->next;
  }
  EXPECT_EQ(seen, "abcde");
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(channels_.list("", 0)->channels.size(), 1u);
  EXPECT_EQ(channels_.list("", 5)->next, std::nullopt);
}

TEST_F(Services, count_their_changes) {
  std::uint64_t before = channels_.revision();
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  ASSERT_TRUE(channels_.update(kNow, "news", {.title = "x"}));
  ASSERT_TRUE(channels_.remove("news"));
  EXPECT_EQ(channels_.revision(), before + 3);
  EXPECT_FALSE(channels_.remove("news"));
  EXPECT_EQ(channels_.revision(), before + 3);
}

TEST_F(Services, tell_a_stream_key_once_and_keep_its_digest) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  MadeStreamKey made = make_key("news");
  EXPECT_THAT(made.key, MatchesRegex("sk_[0-9A-Za-z]+"));
  EXPECT_EQ(made.key.size(), 35u);
  EXPECT_EQ(made.record.digest, crypto::sha256(as_bytes(made.key)));
  EXPECT_EQ(made.record.id.find(made.key), std::string::npos);
  EXPECT_NE(make_key("news").key, made.key);
}

TEST_F(Services, bound_the_keys_of_a_channel) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  std::set<std::string> ids;
  for (std::size_t i = 0; i < kStreamKeysPerChannelMax; ++i) ids.insert(make_key("news").record.id);
  EXPECT_EQ(ids.size(), kStreamKeysPerChannelMax);
  EXPECT_EQ(keys_.create(kNow, "news", "").error(), Refusal::kTooManyKeys);
  ASSERT_TRUE(keys_.revoke(kNow, "news", *ids.begin()));
  EXPECT_TRUE(keys_.create(kNow, "news", ""));
}

TEST_F(Services, refuse_keys_of_no_channel_and_bad_labels) {
  EXPECT_EQ(keys_.create(kNow, "news", "").error(), Refusal::kChannelNotFound);
  EXPECT_EQ(keys_.list("news").error(), Refusal::kChannelNotFound);
  EXPECT_EQ(keys_.revoke(kNow, "news", "key_1").error(), Refusal::kChannelNotFound);
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  EXPECT_EQ(keys_.create(kNow, "news", "a\tb").error(), Refusal::kBadLabel);
  EXPECT_EQ(keys_.create(kNow, "news", std::string(kLabelCharactersMax + 1, 'a')).error(),
            Refusal::kBadLabel);
  EXPECT_EQ(keys_.revoke(kNow, "news", "key_1").error(), Refusal::kKeyNotFound);
}

TEST_F(Services, let_the_holder_of_a_key_publish_to_its_channel) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  MadeStreamKey made = make_key("news");
  auto grant = publish(made.key);
  ASSERT_TRUE(grant) << name_of(grant.error());
  EXPECT_EQ(grant->channel, "news");
  EXPECT_EQ(grant->key_id, made.record.id);
  EXPECT_TRUE(publish(made.key, "live/"));
  EXPECT_TRUE(dev_.authorize_publish(kNow, "live", made.key));
}

TEST_F(Services, note_the_use_of_a_key_at_most_once_a_minute) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  MadeStreamKey made = make_key("news");
  const auto used_at = [&] { return (*keys_.list("news"))[0].last_used_at; };
  EXPECT_EQ(used_at(), std::nullopt);
  ASSERT_TRUE(publishing_.authorize_publish(kNow, "live", made.key));
  EXPECT_EQ(used_at(), kNow);
  ASSERT_TRUE(publishing_.authorize_publish(kNow + Duration::seconds(59), "live", made.key));
  EXPECT_EQ(used_at(), kNow);
  ASSERT_TRUE(publishing_.authorize_publish(kNow + Duration::seconds(60), "live", made.key));
  EXPECT_EQ(used_at(), kNow + Duration::seconds(60));
}

TEST_F(Services, refuse_to_publish_for_each_reason) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  MadeStreamKey made = make_key("news"), other = make_key("news");
  EXPECT_EQ(publish(made.key, "vod").error(), PublishRefusal::kWrongApp);
  EXPECT_EQ(publish(made.key, "").error(), PublishRefusal::kWrongApp);
  EXPECT_EQ(publish("").error(), PublishRefusal::kUnknownKey);
  EXPECT_EQ(publish("news").error(), PublishRefusal::kUnknownKey);
  EXPECT_EQ(publish(made.key + "x").error(), PublishRefusal::kUnknownKey);
  EXPECT_EQ(publish(std::string(kStreamNameBytesMax + 1, 'a')).error(), PublishRefusal::kUnknownKey);
  ASSERT_TRUE(keys_.revoke(kNow, "news", other.record.id));
  EXPECT_EQ(publish(other.key).error(), PublishRefusal::kRevokedKey);
  ASSERT_TRUE(channels_.update(kNow, "news", {.is_enabled = false}));
  EXPECT_EQ(publish(made.key).error(), PublishRefusal::kChannelDisabled);
  store_.set_unavailable(true);
  EXPECT_EQ(publish(made.key).error(), PublishRefusal::kStoreUnavailable);
}

TEST_F(Services, count_grants_and_refusals) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  ASSERT_TRUE(publish(make_key("news").key));
  EXPECT_FALSE(publish("wrong"));
  EXPECT_FALSE(publish("wrong too"));
  MetricSamples samples;
  publishing_.append_metrics(samples);
  ASSERT_EQ(samples.size(), 1u + kPublishRefusals);
  EXPECT_EQ(samples[0].value, 1);
  for (const MetricSample& sample : samples) {
    if (sample.labels.empty()) continue;
    EXPECT_EQ(sample.value, sample.labels[0].second == "unknown_key" ? 2 : 0) << sample.labels[0].second;
  }
}

TEST_F(Services, in_dev_take_any_channel_name_as_its_key_and_write_nothing) {
  auto grant = dev_.authorize_publish(kNow, "live", "anything");
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->channel, "anything");
  EXPECT_EQ(grant->key_id, "dev");
  EXPECT_EQ(*store_.count_channels(), 0u);
  EXPECT_EQ(dev_.authorize_publish(kNow, "live", "Not A Name").error(), PublishRefusal::kUnknownKey);
  EXPECT_EQ(dev_.authorize_publish(kNow, "other", "anything").error(), PublishRefusal::kWrongApp);
  ASSERT_TRUE(channels_.create(kNow, {"off", "", ""}));
  ASSERT_TRUE(channels_.update(kNow, "off", {.is_enabled = false}));
  EXPECT_EQ(dev_.authorize_publish(kNow, "live", "off").error(), PublishRefusal::kChannelDisabled);
}

TEST_F(Services, know_the_channels_that_can_be_published_to) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  EXPECT_TRUE(*publishing_.is_known_channel("news"));
  EXPECT_FALSE(*publishing_.is_known_channel("sport"));
  EXPECT_TRUE(*dev_.is_known_channel("sport"));
  EXPECT_FALSE(*dev_.is_known_channel("NOT A NAME"));
  store_.set_unavailable(true);
  EXPECT_EQ(publishing_.is_known_channel("news").error(), PublishRefusal::kStoreUnavailable);
}

TEST_F(Services, say_so_when_the_store_is_away) {
  ASSERT_TRUE(channels_.create(kNow, {"news", "", ""}));
  store_.set_unavailable(true);
  const Refusal away = Refusal::kStoreUnavailable;
  EXPECT_EQ(channels_.create(kNow, {"b", "", ""}).error(), away);
  EXPECT_EQ(channels_.read("news").error(), away);
  EXPECT_EQ(channels_.list("", 1).error(), away);
  EXPECT_EQ(channels_.update(kNow, "news", {}).error(), away);
  EXPECT_EQ(channels_.remove("news").error(), away);
  EXPECT_EQ(keys_.create(kNow, "news", "").error(), away);
  EXPECT_EQ(keys_.list("news").error(), away);
  EXPECT_EQ(keys_.revoke(kNow, "news", "k").error(), away);
}

}  // namespace
}  // namespace stoa::control
