#include "control/room_records.h"

#include <gtest/gtest.h>

#include "control/memory_store.h"
#include "room/limits.h"

namespace stoa::control {
namespace {

constexpr Timestamp kStart = Timestamp::from_ns(1'000'000'000'000);
constexpr WallTime kWall = WallTime::from_seconds(1'800'000'000);
constexpr Duration kSecond = Duration::seconds(1);

class RoomRecordsTest : public ::testing::Test {
 protected:
  // The process that comes after this one, at the same time on the clock.
  void restart() {
    records_ = std::make_unique<RoomRecords>(store_, options_);
    ASSERT_TRUE(records_->load(now_, wall_));
  }
  void pass(Duration time) {
    now_ += time;
    wall_ = wall_ + time;
  }
  room::RoomInfo create(std::string name) {
    auto made = records_->create(now_, wall_, records_->defaults(wall_, name));
    EXPECT_TRUE(made);
    return made ? made->room : room::RoomInfo();
  }
  // As the owner of a room does after somebody was let in.
  room::RoomInfo open(std::string name, std::string sid = "RM_own") {
    auto admitted = records_->admit(now_, wall_, name);
    EXPECT_TRUE(admitted);
    room::RoomInfo room = admitted->room;
    if (room.sid.empty()) room.sid = std::move(sid);
    EXPECT_TRUE(records_->handle_started(room));
    return room;
  }
  std::vector<std::string> expired() {
    std::vector<std::string> names;
    for (const auto& room : records_->take_expired(now_)) {
      EXPECT_EQ(*records_->find(room.name), room) << "kept until it was told";
      EXPECT_TRUE(records_->handle_finished(now_, room));
      names.push_back(room.name);
    }
    return names;
  }

  MemoryStore store_;
  Timestamp now_ = kStart;
  WallTime wall_ = kWall;
  RoomRecords::Options options_{
      .empty_timeout = kSecond * 100, .departure_timeout = kSecond * 20, .participants_max = 7};
  std::unique_ptr<RoomRecords> records_ = std::make_unique<RoomRecords>(store_, options_);
};
using Names = std::vector<std::string>;

TEST_F(RoomRecordsTest, give_the_defaults_to_who_opens_a_room) {
  auto admitted = records_->admit(now_, wall_, "meeting");
  ASSERT_TRUE(admitted);
  EXPECT_TRUE(admitted->is_new);
  EXPECT_EQ(admitted->room, (room::RoomInfo{.name = "meeting",
                                            .created_at = kWall,
                                            .empty_timeout = kSecond * 100,
                                            .departure_timeout = kSecond * 20,
                                            .participants_max = 7}));
}

TEST_F(RoomRecordsTest, let_nobody_into_a_room_that_is_not_there_without_auto_create) {
  options_.auto_create = false;
  restart();
  EXPECT_EQ(records_->admit(now_, wall_, "meeting").error(), RoomRefusal::kNotFound);
  room::RoomInfo made = create("meeting");
  EXPECT_EQ(records_->admit(now_, wall_, "meeting")->room, made);
}

TEST_F(RoomRecordsTest, find_a_room_that_was_made_as_it_was_asked_for) {
  room::RoomInfo wish = records_->defaults(wall_, "meeting");
  wish.metadata = "topic";
  wish.participants_max = 3;
  auto made = records_->create(now_, wall_, wish);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->is_new);
  EXPECT_TRUE(made->room.sid.starts_with("RM_"));
  EXPECT_EQ(made->room.metadata, "topic");
  EXPECT_EQ(*records_->find("meeting"), made->room);
  EXPECT_EQ(records_->admit(now_, wall_, "meeting")->room, made->room);
  EXPECT_FALSE(records_->admit(now_, wall_, "meeting")->is_new);
  EXPECT_EQ(records_->find("other").error(), RoomRefusal::kNotFound);
}

TEST_F(RoomRecordsTest, keep_sid_and_age_of_a_room_that_is_made_again) {
  room::RoomInfo first = create("meeting");
  pass(kSecond);
  room::RoomInfo wish = records_->defaults(wall_, "meeting");
  wish.metadata = "new";
  auto again = records_->create(now_, wall_, wish);
  first.metadata = "new";
  EXPECT_FALSE(again->is_new);
  EXPECT_EQ(again->room, first);
  EXPECT_EQ(records_->size(), 1u);
}

TEST_F(RoomRecordsTest, change_metadata) {
  room::RoomInfo room = create("meeting");
  room.metadata = "new";
  EXPECT_EQ(*records_->update_metadata("meeting", "new"), room);
  EXPECT_EQ(*records_->find("meeting"), room);
  EXPECT_EQ(records_->update_metadata("other", "new").error(), RoomRefusal::kNotFound);
  EXPECT_EQ(records_->update_metadata("meeting", "\xff").error(), RoomRefusal::kBadMetadata);
  EXPECT_EQ(*records_->find("meeting"), room);
}

TEST_F(RoomRecordsTest, refuse_what_is_over_a_limit) {
  const auto refusal_of = [&](auto change) {
    room::RoomInfo wish = records_->defaults(wall_, "meeting");
    change(wish);
    auto made = records_->create(now_, wall_, wish);
    return made ? std::nullopt : std::optional(made.error());
  };
  const std::string longest(room::kNameCharactersMax, 'a');
  for (const std::string& bad : {std::string(), longest + "a", std::string("a/b"), std::string("a\nb"),
                                 std::string("\xff"), std::string(1, '\0')})
    EXPECT_EQ(refusal_of([&](auto& wish) { wish.name = bad; }), RoomRefusal::kBadName) << bad;
  EXPECT_EQ(refusal_of([&](auto& wish) { wish.metadata = std::string("a\0b", 3); }),
            RoomRefusal::kBadMetadata);
  EXPECT_EQ(refusal_of([&](auto& wish) { wish.metadata.assign(room::kMetadataBytesMax + 1, 'a'); }),
            RoomRefusal::kBadMetadata);
  EXPECT_EQ(refusal_of([&](auto& wish) { wish.empty_timeout = kRoomTimeoutMax + kSecond; }),
            RoomRefusal::kBadTimeout);
  EXPECT_EQ(refusal_of([&](auto& wish) { wish.departure_timeout = -kSecond; }), RoomRefusal::kBadTimeout);
  EXPECT_EQ(records_->size(), 0u);
  EXPECT_EQ(refusal_of([&](auto& wish) {
              wish.name = longest;
              wish.metadata = "{\r\n\t}";
              wish.metadata.resize(room::kMetadataBytesMax, ' ');
              wish.empty_timeout = kRoomTimeoutMax;
            }),
            std::nullopt);
  EXPECT_EQ(records_->admit(now_, wall_, "a/b").error(), RoomRefusal::kBadName);
}

TEST_F(RoomRecordsTest, keep_a_room_that_was_opened_until_it_is_finished) {
  room::RoomInfo room{.sid = "RM_1", .name = "meeting"};
  EXPECT_TRUE(*records_->is_new(room));
  ASSERT_TRUE(records_->handle_started(room));
  EXPECT_FALSE(*records_->is_new(room));
  EXPECT_EQ(*records_->find("meeting"), room);
  pass(kSecond * 1'000'000);
  EXPECT_EQ(expired(), Names()) << "an open room ends by itself";
  ASSERT_TRUE(records_->handle_finished(now_, room));
  EXPECT_EQ(records_->find("meeting").error(), RoomRefusal::kNotFound);
  EXPECT_EQ(records_->size(), 0u);
}

TEST_F(RoomRecordsTest, do_not_take_the_end_of_a_room_for_that_of_the_next_one) {
  ASSERT_TRUE(records_->handle_started({.sid = "RM_1", .name = "meeting"}));
  ASSERT_TRUE(records_->handle_started({.sid = "RM_2", .name = "meeting"}));
  EXPECT_EQ(records_->size(), 1u);
  ASSERT_TRUE(records_->handle_finished(now_, {.sid = "RM_1", .name = "meeting"}));
  EXPECT_EQ(records_->find("meeting")->sid, "RM_2");
}

TEST_F(RoomRecordsTest, forget_a_room_to_which_nobody_came) {
  create("a");
  pass(kSecond * 60);
  create("b");
  EXPECT_EQ(records_->next_deadline(), kStart + kSecond * 100 + kRoomEntryGrace);
  pass(kSecond * 40 + kRoomEntryGrace);
  EXPECT_EQ(expired(), Names{"a"});
  EXPECT_EQ(records_->find("a").error(), RoomRefusal::kNotFound);
  EXPECT_EQ(records_->next_deadline(), kStart + kSecond * 160 + kRoomEntryGrace);
  open("b");
  EXPECT_EQ(records_->next_deadline(), Timestamp::never());
}

TEST_F(RoomRecordsTest, do_not_take_a_room_away_from_who_is_coming_in) {
  create("a");
  pass(kSecond * 99 + kRoomEntryGrace);
  ASSERT_TRUE(records_->admit(now_, wall_, "a"));
  pass(kSecond * 9);
  EXPECT_EQ(expired(), Names());
  pass(kSecond);
  EXPECT_EQ(expired(), Names{"a"});
}

TEST_F(RoomRecordsTest, give_the_same_room_after_a_restart) {
  room::RoomInfo made = create("made"), opened = open("opened");
  ASSERT_TRUE(records_->update_metadata("opened", "topic"));
  opened.metadata = "topic";
  pass(kSecond);
  restart();
  EXPECT_EQ(records_->size(), 2u);
  EXPECT_EQ(records_->admit(now_, wall_, "made")->room, made);
  EXPECT_EQ(records_->admit(now_, wall_, "opened")->room, opened);
  EXPECT_FALSE(*records_->is_new(opened)) << "its beginning was told";
}

TEST_F(RoomRecordsTest, run_the_departure_timeout_again_after_a_restart) {
  open("left", "RM_1");
  open("back", "RM_2");
  pass(kSecond * 1'000);
  restart();
  open("back");
  pass(kSecond * 20 - Duration::milliseconds(1));
  EXPECT_EQ(expired(), Names());
  pass(Duration::milliseconds(1));
  EXPECT_EQ(expired(), Names{"left"});
  EXPECT_TRUE(records_->find("back"));
}

TEST_F(RoomRecordsTest, leave_a_room_that_waited_what_is_left_of_its_time_after_a_restart) {
  create("a");
  pass(kSecond * 30);
  restart();
  EXPECT_EQ(records_->next_deadline(), kStart + kSecond * 100);
  // A clock that was set back does not make rooms immortal.
  wall_ = wall_ - kSecond * 1'000'000;
  restart();
  EXPECT_EQ(records_->next_deadline(), now_ + kSecond * 100);
}

TEST_F(RoomRecordsTest, load_more_rooms_than_a_page) {
  for (std::size_t i = 0; i < kRoomsPerPageMax + 1; ++i)
    ASSERT_TRUE(store_.keep_room({.name = "r" + std::to_string(i)}));
  restart();
  EXPECT_EQ(records_->size(), kRoomsPerPageMax + 1);
  EXPECT_EQ(records_->list("", 1'000'000)->size(), kRoomsPerPageMax);
}

TEST_F(RoomRecordsTest, are_no_more_than_the_limit) {
  for (std::size_t i = 0; i < kRoomsKeptMax; ++i)
    ASSERT_TRUE(store_.keep_room({.name = "r" + std::to_string(i)}));
  restart();
  EXPECT_EQ(records_->create(now_, wall_, records_->defaults(wall_, "x")).error(), RoomRefusal::kTooMany);
  EXPECT_EQ(records_->handle_started({.name = "x"}).error(), RoomRefusal::kTooMany);
  EXPECT_TRUE(records_->create(now_, wall_, records_->defaults(wall_, "r0")));
}

TEST_F(RoomRecordsTest, say_that_the_store_is_gone_and_end_rooms_when_it_is_back) {
  room::RoomInfo opened = open("opened"), made = create("made");
  store_.set_unavailable(true);
  EXPECT_EQ(records_->admit(now_, wall_, "x").error(), RoomRefusal::kStoreUnavailable);
  EXPECT_EQ(records_->create(now_, wall_, made).error(), RoomRefusal::kStoreUnavailable);
  EXPECT_EQ(records_->handle_finished(now_, opened).error(), RoomRefusal::kStoreUnavailable);
  pass(kSecond * 200);
  EXPECT_EQ(expired(), Names());
  store_.set_unavailable(false);
  pass(kSecond * 5);
  EXPECT_EQ(expired().size(), 2u);
  EXPECT_EQ(records_->size(), 0u);
}

}  // namespace
}  // namespace stoa::control
