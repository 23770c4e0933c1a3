#include "rooms_layout.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace stoa::bench {
namespace {

using Layout = RoomsLayout;

TEST(RoomsLayout, is_known_by_the_names_of_the_command_line) {
  EXPECT_EQ(parse_layout("speaker"), Layout::kSpeaker);
  EXPECT_EQ(parse_layout("5x5"), Layout::k5x5);
  EXPECT_EQ(parse_layout("all"), Layout::kAll);
  EXPECT_EQ(parse_layout("2x2"), std::nullopt);
}

TEST(RoomsLayout, tiles_have_the_sizes_of_their_layout) {
  EXPECT_EQ(size_of_tile(Layout::kSpeaker, 0), (TileSize{1280, 720}));
  EXPECT_EQ(size_of_tile(Layout::kSpeaker, 1), (TileSize{356, 200}));
  EXPECT_EQ(size_of_tile(Layout::k3x3, 8), (TileSize{400, 225}));
  EXPECT_EQ(size_of_tile(Layout::k4x4, 0), (TileSize{320, 180}));
  EXPECT_EQ(size_of_tile(Layout::k5x5, 24), (TileSize{256, 144}));
  EXPECT_EQ(size_of_tile(Layout::kAll, 0), TileSize());
}

// What everybody of a room has on the screen: by participant, tile -> who is in it.
std::vector<std::map<std::size_t, std::size_t>> screens(Layout layout, std::size_t publishers,
                                                        std::size_t participants) {
  std::vector<std::map<std::size_t, std::size_t>> all(participants);
  for (std::size_t own = 0; own < participants; ++own)
    for (std::size_t other = 0; other < participants; ++other)
      if (auto tile = find_tile(layout, own, other, publishers)) {
        EXPECT_TRUE(all[own].emplace(*tile, other).second) << own << " has two in tile " << *tile;
      }
  return all;
}

TEST(RoomsLayout, every_screen_is_as_full_as_it_can_be_and_never_shows_oneself) {
  for (Layout layout : {Layout::kSpeaker, Layout::k3x3, Layout::k4x4, Layout::k5x5, Layout::kAll})
    for (std::size_t publishers : {0, 1, 2, 7, 10, 30}) {
      auto all = screens(layout, publishers, publishers + 3);
      for (std::size_t own = 0; own < all.size(); ++own) {
        EXPECT_EQ(all[own].size(), count_tiles(layout, own, publishers)) << own << " of " << publishers;
        for (auto [tile, other] : all[own]) {
          EXPECT_LT(tile, all[own].size());
          EXPECT_LT(other, publishers);
          EXPECT_NE(other, own);
        }
      }
    }
}

TEST(RoomsLayout, in_a_grid_all_publishers_are_watched_by_equally_many) {
  std::map<std::size_t, int> watched;
  for (const auto& screen : screens(Layout::k3x3, 25, 25))
    for (auto [tile, other] : screen) ++watched[other];
  EXPECT_EQ(watched.size(), 25u);
  for (auto [other, count] : watched) EXPECT_EQ(count, 9);
}

TEST(RoomsLayout, all_look_at_the_same_speaker_who_looks_at_the_next) {
  auto all = screens(Layout::kSpeaker, 4, 6);
  for (std::size_t own = 1; own < all.size(); ++own) EXPECT_EQ(all[own][0], 0u);
  EXPECT_EQ(all[0][0], 1u);
}

}  // namespace
}  // namespace stoa::bench
