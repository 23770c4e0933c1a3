#include "room/info.h"

#include <gtest/gtest.h>

namespace stoa::room {
namespace {

TEST(Permissions, let_every_source_be_published_where_none_is_named) {
  Permissions permissions;
  EXPECT_TRUE(permissions.may_publish(TrackSource::kUnknown));
  EXPECT_TRUE(permissions.may_publish(TrackSource::kScreenShare));
  permissions.can_publish = false;
  EXPECT_FALSE(permissions.may_publish(TrackSource::kCamera));
}

TEST(Permissions, let_only_named_sources_be_published_whatever_else_is_said) {
  Permissions permissions;
  permissions.can_publish = false;
  permissions.sources = {TrackSource::kMicrophone, TrackSource::kCamera};
  EXPECT_TRUE(permissions.may_publish(TrackSource::kMicrophone));
  EXPECT_TRUE(permissions.may_publish(TrackSource::kCamera));
  EXPECT_FALSE(permissions.may_publish(TrackSource::kScreenShare));
  permissions.can_publish = true;
  EXPECT_FALSE(permissions.may_publish(TrackSource::kScreenShare));
}

}  // namespace
}  // namespace stoa::room
