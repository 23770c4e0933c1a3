#include "api/livekit/grant.h"

#include <gtest/gtest.h>

#include "api/livekit/test_vectors.h"
#include "control/api_keys.h"
#include "control/memory_store.h"
#include "room/limits.h"

namespace stoa::livekit {
namespace {

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
const control::ApiKey kKey = control::development_key();

// As the server does it: the signature is believed first.
AccessGrant believe(const std::string& token, WallTime now = kNow) {
  control::MemoryStore store;
  control::ApiKeys keys(store, {.tokens = {}, .fixed = {kKey}});
  auto believed = keys.authenticate_claims(now, token);
  EXPECT_TRUE(believed) << control::name_of(believed.error());
  auto grant = parse_grant(believed->claims);
  EXPECT_TRUE(grant);
  return *grant;
}

TEST(AccessGrant, is_read_from_a_token_of_the_server_sdk) {
  AccessGrant grant = believe(vectors::kTokenFull);
  EXPECT_EQ(grant.key_id, kKey.id);
  EXPECT_EQ(grant.identity, "anna");
  EXPECT_EQ(grant.name, "Anna Ö");
  EXPECT_EQ(grant.metadata, R"({"x":1})");
  EXPECT_EQ(grant.attributes, (std::map<std::string, std::string>{{"role", "host"}}));
  EXPECT_EQ(grant.kind, room::ParticipantKind::kAgent);
  EXPECT_EQ(grant.not_before, kNow);
  EXPECT_EQ(grant.expires_at, kNow + Duration::seconds(7'200));
  ASSERT_TRUE(grant.room_config);
  EXPECT_EQ(grant.room_config->empty_timeout(), 60u);
  EXPECT_EQ(grant.room_config->departure_timeout(), 5u);
  EXPECT_EQ(grant.room_config->max_participants(), 12u);
  EXPECT_EQ(grant.room_config->agents(0).agent_name(), "helper");
  EXPECT_EQ(room_to_join(grant), "hall");
  room::Permissions permissions = permissions_of(grant);
  EXPECT_TRUE(permissions.can_publish && permissions.can_subscribe && permissions.can_publish_data);
  EXPECT_TRUE(permissions.can_update_metadata);
  EXPECT_FALSE(permissions.is_hidden);
  EXPECT_EQ(permissions.sources,
            (std::vector{room::TrackSource::kCamera, room::TrackSource::kScreenShareAudio}));
}

TEST(AccessGrant, allows_what_a_joining_token_does_not_name_but_for_metadata) {
  AccessGrant grant = believe(vectors::kTokenSmall);
  EXPECT_EQ(permissions_of(grant), room::Permissions());
  EXPECT_FALSE(may_administer(grant, "hall"));
}

TEST(AccessGrant, denies_what_a_token_denies) {
  room::Permissions permissions = permissions_of(believe(vectors::kTokenMute));
  EXPECT_FALSE(permissions.can_publish || permissions.can_subscribe || permissions.can_publish_data);
}

TEST(AccessGrant, lets_an_administrator_into_its_own_room_only) {
  AccessGrant grant = believe(vectors::kTokenAdmin);
  EXPECT_TRUE(may_administer(grant, "hall"));
  EXPECT_FALSE(may_administer(grant, "garden"));
  EXPECT_FALSE(may_administer(grant, ""));
  EXPECT_EQ(room_to_join(grant), std::nullopt);
  EXPECT_TRUE(grant.video->room_create && grant.video->room_list);
  EXPECT_EQ(grant.video->destination_room, "garden");
}

TEST(AccessGrant, takes_the_identity_from_jti_where_there_is_no_subject) {
  EXPECT_EQ(parse_grant(R"({"jti":"old"})")->identity, "old");
  EXPECT_EQ(parse_grant(R"({"jti":"old","sub":"new"})")->identity, "new");
}

TEST(AccessGrant, passes_over_what_it_does_not_know_and_null) {
  auto grant = parse_grant(
      R"({"kind":"robot","sip":{"admin":true},"metadata":null,"video":{"room":null,"canFly":true,"canPublish":null}})");
  ASSERT_TRUE(grant);
  EXPECT_EQ(grant->kind, room::ParticipantKind::kStandard);
  EXPECT_EQ(grant->video->can_publish, std::nullopt);
}

TEST(AccessGrant, of_unknown_sources_only_publishes_nothing) {
  auto grant = parse_grant(R"({"video":{"canPublishSources":["hologram"]}})");
  EXPECT_FALSE(permissions_of(*grant).can_publish);
  grant = parse_grant(R"({"video":{"canPublishSources":["hologram","camera"]}})");
  EXPECT_EQ(permissions_of(*grant).sources, std::vector{room::TrackSource::kCamera});
}

TEST(AccessGrant, refuses_claims_of_a_wrong_type_or_over_a_limit) {
  for (const std::string& claims :
       {std::string(R"({"name":7})"), std::string(R"({"attributes":[]})"),
        std::string(R"({"attributes":{"a":1}})"), std::string(R"({"video":true})"),
        std::string(R"({"video":{"roomJoin":"yes"}})"),
        std::string(R"({"video":{"canPublishSources":"camera"}})"),
        std::string(R"({"video":{"canPublishSources":[1]}})"), std::string(R"({"roomConfig":7})"),
        std::string(R"({"roomConfig":{"emptyTimeout":"soon"}})"), std::string(R"({"exp":1e300})"),
        std::string(R"({"exp":"soon"})"),
        R"({"sub":")" + std::string(room::kIdentityBytesMax + 1, 'a') + "\"}",
        R"({"metadata":")" + std::string(room::kMetadataBytesMax + 1, 'a') + "\"}",
        R"({"video":{"room":")" + std::string(4 * room::kNameCharactersMax + 1, 'a') + "\"}}"}) {
    EXPECT_EQ(parse_grant(claims).error(), GrantRefusal::kBadClaim) << claims.substr(0, 80);
  }
  for (const char* claims : {"", "[]", "{", "null"})
    EXPECT_EQ(parse_grant(claims).error(), GrantRefusal::kMalformed) << claims;
}

TEST(AccessToken, says_what_its_grant_does) {
  AccessGrant grant = believe(vectors::kTokenFull);
  grant.kind_details = {pb::ParticipantInfo::FORWARDED};
  grant.room_preset = "big";
  grant.video->can_subscribe = false;
  grant.video->hidden = true;
  auto token = make_access_token(grant, kKey.id, kKey.secret, kNow, Duration::seconds(60));
  ASSERT_TRUE(token) << crypto::name_of(token.error());
  AccessGrant back = believe(*token);
  EXPECT_EQ(back.identity, grant.identity);
  EXPECT_EQ(back.name, grant.name);
  EXPECT_EQ(back.metadata, grant.metadata);
  EXPECT_EQ(back.attributes, grant.attributes);
  EXPECT_EQ(back.kind, grant.kind);
  EXPECT_EQ(back.kind_details, grant.kind_details);
  EXPECT_EQ(back.room_preset, "big");
  EXPECT_EQ(back.room_config->SerializeAsString(), grant.room_config->SerializeAsString());
  EXPECT_EQ(permissions_of(back), permissions_of(grant));
  EXPECT_EQ(room_to_join(back), "hall");
  EXPECT_EQ(back.expires_at, kNow + Duration::seconds(60));
}

TEST(AccessToken, keeps_tri_states_that_are_not_set) {
  AccessGrant grant;
  grant.identity = "anna";
  grant.video = VideoGrant{.room_join = true, .room = "hall"};
  auto token = make_access_token(grant, kKey.id, kKey.secret, kNow, Duration::seconds(60));
  AccessGrant back = believe(*token);
  EXPECT_EQ(back.video->can_publish, std::nullopt);
  EXPECT_EQ(back.video->can_update_own_metadata, std::nullopt);
}

TEST(AccessToken, refreshed_says_what_the_participant_is_now) {
  AccessGrant grant = believe(vectors::kTokenSmall);
  room::ParticipantInfo participant;
  participant.identity = "bo";
  participant.name = "Bo";
  participant.metadata = "new";
  participant.attributes = {{"a", "1"}};
  participant.permissions.can_publish = false;
  participant.permissions.can_update_metadata = true;
  auto token =
      make_refresh_token(grant, participant, "garden", kKey.id, kKey.secret, kNow + Duration::seconds(300));
  ASSERT_TRUE(token);
  AccessGrant back = believe(*token, kNow + Duration::seconds(800));
  EXPECT_EQ(back.name + back.metadata, "Bonew");
  EXPECT_EQ(back.attributes, participant.attributes);
  EXPECT_EQ(permissions_of(back), participant.permissions);
  EXPECT_EQ(room_to_join(back), "garden");
  EXPECT_EQ(back.expires_at, kNow + Duration::seconds(900));
}

TEST(AccessToken, refreshed_ends_no_earlier_than_the_one_before) {
  AccessGrant grant = believe(vectors::kTokenFull);
  auto token = make_refresh_token(grant, {}, "hall", kKey.id, kKey.secret, kNow);
  EXPECT_EQ(believe(*token).expires_at, grant.expires_at);
  grant.expires_at = WallTime::from_seconds(253'402'300'799);
  token = make_refresh_token(grant, {}, "hall", kKey.id, kKey.secret, kNow);
  EXPECT_EQ(believe(*token).expires_at, grant.expires_at);
}

}  // namespace
}  // namespace stoa::livekit
