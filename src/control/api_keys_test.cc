#include "control/api_keys.h"

#include <gtest/gtest.h>

#include "control/memory_store.h"
#include "crypto/text.h"

namespace stoa::control {
namespace {

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
const ApiKey kDevKey = development_key();

class ApiKeyTest : public ::testing::Test {
 protected:
  ApiKey make(const std::vector<std::string>& scopes) { return *keys_.create(kNow, "studio", scopes); }
  static std::string token_of(const ApiKey& key, TokenWish wish = {}) { return *make_token(kNow, key, wish); }

  MemoryStore store_;
  ApiKeys keys_{store_, {.tokens = {}, .fixed = {kDevKey}}};
};

TEST_F(ApiKeyTest, is_made_with_an_id_and_a_secret_long_enough_for_hs256) {
  ApiKey one = make({"*"}), two = make({"*"});
  EXPECT_GE(one.secret.size(), crypto::kJwtSecretBytesMin);
  EXPECT_NE(one.id, two.id);
  EXPECT_NE(one.secret, two.secret);
  EXPECT_EQ(**keys_.find(one.id), one);
  EXPECT_EQ(keys_.list()->size(), 2u);
}

TEST_F(ApiKeyTest, refuses_unknown_scopes_none_and_bad_labels) {
  EXPECT_EQ(keys_.create(kNow, "", {}).error(), Refusal::kBadScope);
  EXPECT_EQ(keys_.create(kNow, "", {"channels:raed"}).error(), Refusal::kBadScope);
  EXPECT_EQ(keys_.create(kNow, "", std::vector<std::string>(crypto::kJwtScopesMax + 1, "*")).error(),
            Refusal::kBadScope);
  EXPECT_EQ(keys_.create(kNow, "\n", {"*"}).error(), Refusal::kBadLabel);
}

TEST_F(ApiKeyTest, is_bounded_in_number) {
  for (std::size_t i = 0; i < kApiKeysMax; ++i)
    ASSERT_TRUE(store_.create_api_key({std::to_string(i), "s", "", {"*"}, kNow, std::nullopt}));
  EXPECT_EQ(keys_.create(kNow, "", {"*"}).error(), Refusal::kTooManyKeys);
  ASSERT_TRUE(keys_.revoke(kNow, "7"));
  EXPECT_TRUE(keys_.create(kNow, "", {"*"}));
}

TEST_F(ApiKeyTest, makes_tokens_that_are_believed) {
  ApiKey key = make({"channels:read", "channels:write"});
  auto principal = keys_.authenticate(kNow, token_of(key, {.scopes = {"channels:read"}, .subject = "page"}));
  ASSERT_TRUE(principal) << name_of(principal.error());
  EXPECT_EQ(principal->key_id, key.id);
  EXPECT_EQ(principal->subject, "page");
  EXPECT_TRUE(principal->may(kScopeChannelsRead));
  EXPECT_FALSE(principal->may(kScopeChannelsWrite));
}

TEST_F(ApiKeyTest, gives_a_token_no_more_than_the_key_has) {
  ApiKey key = make({"channels:read"});
  EXPECT_EQ(make_token(kNow, key, {.scopes = {"channels:write"}}).error(), Refusal::kBadScope);
  EXPECT_EQ(make_token(kNow, key, {.scopes = {"*"}}).error(), Refusal::kBadScope);
  // Whoever has the secret can write any scope into a token; it is worth no more.
  crypto::Claims claims;
  claims.issuer = key.id;
  claims.scopes = {"*", "channels:write"};
  claims.expires_at = kNow + Duration::seconds(60);
  auto principal = keys_.authenticate(kNow, *crypto::sign_jwt(claims, as_bytes(key.secret)));
  ASSERT_TRUE(principal);
  EXPECT_TRUE(principal->may(kScopeChannelsRead));
  EXPECT_FALSE(principal->may(kScopeChannelsWrite));
  EXPECT_FALSE(principal->may(kScopeAll));
}

TEST_F(ApiKeyTest, gives_a_token_without_a_wish_all_of_the_key) {
  auto principal = keys_.authenticate(kNow, token_of(make({"channels:write"})));
  ASSERT_TRUE(principal);
  EXPECT_EQ(principal->scopes, std::vector<std::string>{"channels:write"});
  principal = keys_.authenticate(kNow, token_of(kDevKey));
  ASSERT_TRUE(principal);
  EXPECT_TRUE(principal->may("anything"));
}

TEST_F(ApiKeyTest, refuses_lifetimes_that_the_server_would) {
  ApiKey key = make({"*"});
  EXPECT_EQ(make_token(kNow, key, {.lifetime = Duration()}).error(), Refusal::kBadLifetime);
  EXPECT_EQ(make_token(kNow, key, {.lifetime = Duration::seconds(86'401)}).error(), Refusal::kBadLifetime);
  EXPECT_TRUE(keys_.authenticate(kNow, token_of(key, {.lifetime = Duration::seconds(86'400)})));
  auto longer = make_token(kNow, key, {.lifetime = Duration::seconds(90'000)}, Duration::seconds(100'000));
  ASSERT_TRUE(longer);
  EXPECT_EQ(keys_.authenticate(kNow, *longer).error(), AuthRefusal::kLivesTooLong);
}

TEST_F(ApiKeyTest, refuses_a_subject_over_the_limit) {
  EXPECT_EQ(make_token(kNow, kDevKey, {.subject = std::string(1000, 's')}).error(), Refusal::kBadLabel);
}

TEST_F(ApiKeyTest, is_refused_for_each_reason) {
  ApiKey key = make({"*"});
  std::string token = token_of(key, {.lifetime = Duration::seconds(60)});
  EXPECT_EQ(keys_.authenticate(kNow, "not a token").error(), AuthRefusal::kBadToken);
  EXPECT_EQ(keys_.authenticate(kNow, token + "A").error(), AuthRefusal::kBadToken);
  EXPECT_EQ(keys_.authenticate(kNow + Duration::seconds(90), token).error(), AuthRefusal::kExpired);
  EXPECT_EQ(keys_.authenticate(kNow - Duration::seconds(31), token).error(), AuthRefusal::kNotYetValid);
  ApiKey stranger = key;
  stranger.id = "ak_unknown";
  EXPECT_EQ(keys_.authenticate(kNow, token_of(stranger)).error(), AuthRefusal::kBadToken);
  ApiKey impostor = make({"*"});
  impostor.id = key.id;
  EXPECT_EQ(keys_.authenticate(kNow, token_of(impostor)).error(), AuthRefusal::kBadToken);
  crypto::Claims endless;
  endless.issuer = key.id;
  EXPECT_EQ(keys_.authenticate(kNow, *crypto::sign_jwt(endless, as_bytes(key.secret))).error(),
            AuthRefusal::kLivesTooLong);
  ASSERT_TRUE(keys_.revoke(kNow, key.id));
  EXPECT_EQ(keys_.authenticate(kNow, token).error(), AuthRefusal::kRevokedKey);
  EXPECT_EQ(keys_.revoke(kNow, key.id).error(), Refusal::kKeyNotFound);
  store_.set_unavailable(true);
  EXPECT_EQ(keys_.authenticate(kNow, token).error(), AuthRefusal::kStoreUnavailable);
  EXPECT_TRUE(keys_.authenticate(kNow, token_of(kDevKey)));
}

TEST_F(ApiKeyTest, does_not_tell_a_wrong_secret_of_a_revoked_key_that_it_is_revoked) {
  ApiKey key = make({"*"});
  ASSERT_TRUE(keys_.revoke(kNow, key.id));
  ApiKey impostor = make({"*"});
  impostor.id = key.id;
  EXPECT_EQ(keys_.authenticate(kNow, token_of(impostor)).error(), AuthRefusal::kBadToken);
}

std::string room_token(const ApiKey& key, const std::string& claims) {
  return *crypto::sign_jwt_payload(R"({"iss":")" + key.id + "\"," + claims + "}", as_bytes(key.secret));
}

TEST_F(ApiKeyTest, believes_a_token_for_rooms_and_gives_its_claims) {
  ApiKey key = make({"rooms"});
  auto believed =
      keys_.authenticate_claims(kNow, room_token(key, R"("exp":1900000000,"video":{"roomJoin":true})"));
  ASSERT_TRUE(believed) << name_of(believed.error());
  EXPECT_EQ(believed->key_id, key.id);
  EXPECT_EQ(believed->claims, R"({"iss":")" + key.id + R"(","exp":1900000000,"video":{"roomJoin":true}})");
}

TEST_F(ApiKeyTest, lets_a_room_token_be_a_minute_off_and_no_more) {
  ApiKey key = make({"*"});
  auto at = [&](const std::string& claims) {
    return keys_.authenticate_claims(kNow, room_token(key, claims));
  };
  EXPECT_TRUE(at(R"("exp":1799999941)"));
  EXPECT_EQ(at(R"("exp":1799999940)").error(), AuthRefusal::kExpired);
  EXPECT_TRUE(at(R"("exp":1800000100,"nbf":1800000060)"));
  EXPECT_EQ(at(R"("exp":1800000100,"nbf":1800000061)").error(), AuthRefusal::kNotYetValid);
  EXPECT_EQ(at(R"("sub":"anna")").error(), AuthRefusal::kLivesTooLong);
}

TEST_F(ApiKeyTest, refuses_room_tokens_of_keys_that_are_revoked_unknown_or_without_that_scope) {
  ApiKey key = make({"*"}), small = make({"channels:read", "channels:write"});
  std::string token = room_token(key, R"("exp":1900000000)");
  EXPECT_EQ(keys_.authenticate_claims(kNow, room_token(small, R"("exp":1900000000)")).error(),
            AuthRefusal::kKeyWithoutRooms);
  ASSERT_TRUE(keys_.authenticate_claims(kNow, token));
  ASSERT_TRUE(*keys_.find_valid(key.id));
  ASSERT_TRUE(keys_.revoke(kNow, key.id));
  EXPECT_EQ(keys_.authenticate_claims(kNow, token).error(), AuthRefusal::kRevokedKey);
  EXPECT_FALSE(*keys_.find_valid(key.id));
  key.id = "nobody";
  EXPECT_EQ(keys_.authenticate_claims(kNow, room_token(key, R"("exp":1900000000)")).error(),
            AuthRefusal::kBadToken);
  key.id = small.id;  // Signed with another key's secret.
  EXPECT_EQ(keys_.authenticate_claims(kNow, room_token(key, R"("exp":1900000000)")).error(),
            AuthRefusal::kBadToken);
}

TEST_F(ApiKeyTest, lets_who_may_sign_for_rooms_read_them_and_not_the_other_way_round) {
  ApiKey rooms = make({"rooms"}), reader = make({"rooms:read"});
  auto scopes_of = [&](const ApiKey& key, const std::vector<std::string>& wish) {
    auto principal = keys_.authenticate(kNow, token_of(key, {.scopes = wish}));
    EXPECT_TRUE(principal);
    return principal ? principal->scopes : std::vector<std::string>();
  };
  EXPECT_EQ(scopes_of(rooms, {"rooms:read"}), std::vector<std::string>{"rooms:read"});
  EXPECT_TRUE(has_scope(scopes_of(rooms, {}), kScopeRoomsRead));
  EXPECT_FALSE(has_scope(scopes_of(reader, {}), kScopeRooms));
  EXPECT_EQ(make_token(kNow, reader, {.scopes = {"rooms"}}).error(), Refusal::kBadScope);
  EXPECT_EQ(keys_.authenticate_claims(kNow, room_token(reader, R"("exp":1900000000)")).error(),
            AuthRefusal::kKeyWithoutRooms);
}

TEST_F(ApiKeyTest, gives_a_room_token_nothing_over_channels) {
  auto principal =
      keys_.authenticate(kNow, room_token(kDevKey, R"("exp":1800000060,"video":{"roomAdmin":true})"));
  ASSERT_TRUE(principal);
  EXPECT_FALSE(principal->may(kScopeChannelsRead));
}

}  // namespace
}  // namespace stoa::control
