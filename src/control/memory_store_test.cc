#include "control/memory_store.h"

#include "control/store_contract_test.h"

namespace stoa::control {
namespace {

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, ::testing::Values([]() -> std::unique_ptr<Store> {
                           return std::make_unique<MemoryStore>();
                         }),
                         [](const auto&) { return "store"; });

TEST(MemoryStore, refuses_everything_while_it_is_unavailable) {
  MemoryStore store;
  store.set_unavailable(true);
  const StoreRefusal gone = StoreRefusal::kUnavailable;
  EXPECT_EQ(store.create_channel({}).error(), gone);
  EXPECT_EQ(store.find_channel("a").error(), gone);
  EXPECT_EQ(store.list_channels("", 1).error(), gone);
  EXPECT_EQ(store.count_channels().error(), gone);
  EXPECT_EQ(store.update_channel({}).error(), gone);
  EXPECT_EQ(store.delete_channel("a").error(), gone);
  EXPECT_EQ(store.create_stream_key({}).error(), gone);
  EXPECT_EQ(store.find_stream_key({}).error(), gone);
  EXPECT_EQ(store.list_stream_keys("a").error(), gone);
  EXPECT_EQ(store.revoke_stream_key("a", "b", {}, 1).error(), gone);
  EXPECT_EQ(store.touch_stream_key("a", {}).error(), gone);
  EXPECT_EQ(store.create_api_key({}).error(), gone);
  EXPECT_EQ(store.find_api_key("a").error(), gone);
  EXPECT_EQ(store.list_api_keys().error(), gone);
  EXPECT_EQ(store.revoke_api_key("a", {}).error(), gone);
  EXPECT_EQ(store.keep_room({}).error(), gone);
  EXPECT_EQ(store.find_room("a").error(), gone);
  EXPECT_EQ(store.list_rooms("", 1).error(), gone);
  EXPECT_EQ(store.delete_room("a").error(), gone);
  EXPECT_EQ(store.change_webhooks({}).error(), gone);
  EXPECT_EQ(store.list_webhooks("a", 0, 1).error(), gone);
  EXPECT_EQ(store.count_webhooks("a").error(), gone);
  EXPECT_EQ(store.last_webhook().error(), gone);
  EXPECT_EQ(store.forget_webhooks_but({}).error(), gone);
  store.set_unavailable(false);
  EXPECT_TRUE(store.list_api_keys());
}

}  // namespace
}  // namespace stoa::control
