#include "server/token.h"

#include <gtest/gtest.h>

namespace stoa::server {
namespace {

TEST(TokenValidity, is_read_with_and_without_a_unit) {
  EXPECT_EQ(parse_validity("90"), Duration::seconds(90));
  EXPECT_EQ(parse_validity("90s"), Duration::seconds(90));
  EXPECT_EQ(parse_validity("10m"), Duration::seconds(600));
  EXPECT_EQ(parse_validity("6h"), Duration::seconds(21'600));
  EXPECT_EQ(parse_validity("30d"), Duration::seconds(2'592'000));
  for (const char* wrong : {"", "h", "0", "-1", "1w", "1.5h", "1h30m", "36601d", "99999999999999999999"})
    EXPECT_EQ(parse_validity(wrong), std::nullopt) << wrong;
}

TEST(RoomToken, is_none_without_an_option_of_rooms) {
  auto grant = make_grant({});
  ASSERT_TRUE(grant);
  EXPECT_FALSE(*grant);
}

TEST(RoomToken, with_a_room_and_an_identity_lets_join) {
  RoomTokenOptions options;
  options.room = "hall";
  options.identity = "anna";
  options.name = "Anna";
  options.attributes = {"role=host", "formula=a=b"};
  options.can_publish = false;
  options.sources = {"camera", "screen_share_audio"};
  auto made = make_grant(options);
  ASSERT_TRUE(made && *made);
  const livekit::AccessGrant& grant = **made;
  EXPECT_EQ(livekit::room_to_join(grant), "hall");
  EXPECT_EQ(grant.identity, "anna");
  EXPECT_EQ(grant.attributes, (std::map<std::string, std::string>{{"role", "host"}, {"formula", "a=b"}}));
  EXPECT_EQ(grant.video->can_publish, false);
  EXPECT_EQ(grant.video->can_subscribe, std::nullopt);
  EXPECT_EQ(grant.video->can_publish_sources,
            (std::vector{room::TrackSource::kCamera, room::TrackSource::kScreenShareAudio}));
  EXPECT_FALSE(livekit::may_administer(grant, "hall"));
}

TEST(RoomToken, for_the_api_needs_no_identity) {
  RoomTokenOptions options;
  options.room_list = options.room_create = true;
  auto grant = make_grant(options);
  ASSERT_TRUE(grant && *grant);
  EXPECT_TRUE((*grant)->video->room_list && (*grant)->video->room_create);
  EXPECT_FALSE((*grant)->video->room_join);
  options = {};
  options.room = "hall";
  options.room_admin = true;
  grant = make_grant(options);
  ASSERT_TRUE(grant && *grant);
  EXPECT_TRUE(livekit::may_administer(**grant, "hall"));
}

TEST(RoomToken, is_refused_with_options_that_do_not_go_together) {
  RoomTokenOptions options;
  options.room = "hall";
  EXPECT_FALSE(make_grant(options));
  options = {};
  options.can_publish = false;
  EXPECT_FALSE(make_grant(options));
  options = {};
  options.identity = "anna";
  EXPECT_FALSE(make_grant(options));
  options = {};
  options.room_admin = true;
  EXPECT_FALSE(make_grant(options));
  options = {};
  options.room = "hall";
  options.identity = "anna";
  options.attributes = {"role"};
  EXPECT_FALSE(make_grant(options));
  options.attributes = {};
  options.sources = {"hologram"};
  EXPECT_FALSE(make_grant(options));
}

}  // namespace
}  // namespace stoa::server
