#include "api/livekit/webhook.h"

#include <gtest/gtest.h>

#include <set>

#include "api/livekit/grant.h"
#include "api/livekit/signal.h"
#include "control/api_keys.h"
#include "crypto/text.h"

namespace stoa::livekit {
namespace {

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);

room::Happened happened(room::Happening what) {
  room::Happened event;
  event.what = what;
  event.room.sid = "RM_1";
  event.room.name = "hall";
  event.room.created_at = kNow;
  return event;
}

TEST(Webhook, says_what_happened) {
  room::Happened event = happened(room::Happening::kTrackPublished);
  room::ParticipantInfo participant;
  participant.sid = "PA_1";
  participant.identity = "anna";
  event.participant = std::make_shared<const room::ParticipantInfo>(participant);
  event.track.emplace().sid = "TR_1";
  pb::WebhookEvent read;
  ASSERT_TRUE(parse_json(write_webhook_event(event, "EV_1", kNow), read));
  EXPECT_EQ(read.event(), "track_published");
  EXPECT_EQ(read.id(), "EV_1");
  EXPECT_EQ(read.created_at(), kNow.seconds());
  EXPECT_EQ(read.room().name(), "hall");
  EXPECT_EQ(read.participant().identity(), "anna");
  EXPECT_EQ(read.track().sid(), "TR_1");
}

TEST(Webhook, of_a_room_names_no_participant) {
  EXPECT_EQ(write_webhook_event(happened(room::Happening::kRoomStarted), "EV_1", kNow),
            R"({"event":"room_started","room":{"sid":"RM_1","name":"hall","emptyTimeout":300,)"
            R"("creationTime":"1800000000","departureTimeout":20,"creationTimeMs":"1800000000000"},)"
            R"("id":"EV_1","createdAt":"1800000000"})");
}

TEST(Webhook, names_every_event_differently) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(room::Happening::kTrackUnpublished); ++i)
    names.insert(event_name_of(static_cast<room::Happening>(i)));
  EXPECT_EQ(names.size(), 7u);
  EXPECT_TRUE(names.contains("participant_connection_aborted"));
}

TEST(Webhook, is_signed_with_the_digest_of_its_body) {
  control::ApiKey key = control::development_key();
  auto webhook = make_webhook("the body", key.id, key.secret, kNow);
  ASSERT_TRUE(webhook);
  EXPECT_EQ(webhook->body, "the body");
  auto token = crypto::parse_jwt(webhook->authorization);
  ASSERT_TRUE(token);
  auto claims = crypto::verify_jwt(*token, as_bytes(key.secret), kNow, {});
  ASSERT_TRUE(claims);
  auto grant = parse_grant(claims->payload);
  // printf 'the body' | openssl dgst -sha256 -binary | base64
  EXPECT_EQ(grant->sha256, "+oJC6Z9IlmylFAkrQjO0RoUfQrV61QMb8TPh3XZ4fz4=");
  EXPECT_EQ(grant->key_id, key.id);
  EXPECT_FALSE(grant->video);
  EXPECT_EQ(make_webhook("x", key.id, "short", kNow).error(), crypto::JwtRefusal::kWeakSecret);
}

}  // namespace
}  // namespace stoa::livekit
