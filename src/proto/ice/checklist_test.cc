#include "proto/ice/checklist.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace stoa::ice {
namespace {

Path path(std::uint16_t port) { return {0, {IpAddress::v4(192, 0, 2, 1), port}}; }

struct List : Checklist {
  explicit List(std::size_t max = 100) : Checklist(max) {}
  Pair* put(std::uint16_t port, std::uint32_t priority, std::string foundation) {
    return add(path(port), Transport::kUdp, 1000, priority, std::move(foundation), Role::kControlling);
  }
  int next(bool only_triggered = false) {
    Pair* pair = take_next(only_triggered);
    return pair ? pair->path.remote.port : 0;
  }
};

TEST(Checklist, tries_one_pair_of_each_foundation_first) {
  List list;
  list.put(1, 100, "a");
  list.put(2, 90, "a");
  list.put(3, 80, "b");
  EXPECT_EQ(list.next(), 1);
  EXPECT_EQ(list.next(), 3);
  EXPECT_EQ(list.next(), 0) << "the second of a waits for the first";
  EXPECT_FALSE(list.has_work(false));
  list.fail(*list.find(path(1)));
  EXPECT_TRUE(list.has_work(false));
  EXPECT_EQ(list.next(), 2);
}

TEST(Checklist, thaws_the_foundation_of_a_success) {
  List list;
  list.put(1, 100, "a");
  list.put(2, 90, "a");
  list.put(3, 80, "a");
  EXPECT_EQ(list.next(), 1);
  list.succeed(*list.find(path(1)));
  EXPECT_EQ(list.next(), 2);
  EXPECT_EQ(list.next(), 3);
}

TEST(Checklist, lets_triggered_pairs_go_first_in_their_order) {
  List list;
  for (std::uint16_t i = 1; i <= 4; ++i) list.put(i, 100u - i, std::to_string(i));
  list.trigger(*list.find(path(4)));
  list.trigger(*list.find(path(3)));
  list.trigger(*list.find(path(4)));
  EXPECT_EQ(list.next(true), 4);
  EXPECT_EQ(list.next(true), 3);
  EXPECT_EQ(list.next(true), 0);
  EXPECT_EQ(list.next(), 1);
}

TEST(Checklist, orders_by_role) {
  List list;
  list.put(1, 2000, "a");
  list.add(path(2), Transport::kUdp, 2000, 1000, "b", Role::kControlling);
  EXPECT_EQ(list.pairs()[0].path.remote.port, 2);
  list.set_role(Role::kControlled);
  EXPECT_EQ(list.pairs()[0].path.remote.port, 1);
}

TEST(Checklist, drops_the_worst_when_full) {
  List list(3);
  for (std::uint16_t i = 1; i <= 3; ++i) list.put(i, 100u * i, "f");
  EXPECT_EQ(list.put(9, 50, "f"), nullptr) << "it would be the worst itself";
  ASSERT_NE(list.put(4, 400, "f"), nullptr);
  EXPECT_EQ(list.find(path(1)), nullptr);
  list.succeed(*list.find(path(2)));
  ASSERT_NE(list.put(5, 500, "f"), nullptr);
  EXPECT_NE(list.find(path(2)), nullptr) << "a valid pair stays";
  EXPECT_EQ(list.find(path(3)), nullptr);
  EXPECT_EQ(list.pairs().size(), 3u);
}

TEST(Checklist, agrees_with_itself_on_whether_there_is_work) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    List list(12);
    for (int step = 0; step < 200; ++step) {
      bool only_triggered = rng.chance(0.3);
      switch (rng.below(5)) {
        case 0:
          list.put(static_cast<std::uint16_t>(1 + rng.below(20)), static_cast<std::uint32_t>(rng.below(1000)),
                   std::string(1, static_cast<char>('a' + rng.below(4))));
          break;
        case 1:
          if (auto* pair = list.find(path(static_cast<std::uint16_t>(1 + rng.below(20)))))
            list.succeed(*pair);
          break;
        case 2:
          if (auto* pair = list.find(path(static_cast<std::uint16_t>(1 + rng.below(20))))) list.fail(*pair);
          break;
        case 3:
          if (auto* pair = list.find(path(static_cast<std::uint16_t>(1 + rng.below(20)))))
            list.trigger(*pair);
          break;
        default: {
          bool has_work = list.has_work(only_triggered);
          ASSERT_EQ(list.next(only_triggered) != 0, has_work) << seed << " " << step;
        }
      }
      ASSERT_LE(list.pairs().size(), 12u);
    }
  }
}

}  // namespace
}  // namespace stoa::ice
