#include "rooms_layout.h"

#include <array>

namespace stoa::bench {
namespace {

struct Row {
  RoomsLayout layout;
  std::string_view name;
  std::size_t tiles;
  TileSize first, others;
};
constexpr std::array<Row, 5> kRows = {{
    {RoomsLayout::kSpeaker, "speaker", 6, {1280, 720}, {356, 200}},
    {RoomsLayout::k3x3, "3x3", 9, {400, 225}, {400, 225}},
    {RoomsLayout::k4x4, "4x4", 16, {320, 180}, {320, 180}},
    {RoomsLayout::k5x5, "5x5", 25, {256, 144}, {256, 144}},
    {RoomsLayout::kAll, "all", SIZE_MAX, {}, {}},
}};

const Row& row_of(RoomsLayout layout) { return kRows[static_cast<std::size_t>(layout)]; }

}  // namespace

std::optional<RoomsLayout> parse_layout(std::string_view name) {
  for (const Row& row : kRows)
    if (row.name == name) return row.layout;
  return std::nullopt;
}

TileSize size_of_tile(RoomsLayout layout, std::size_t tile) {
  const Row& row = row_of(layout);
  return tile == 0 ? row.first : row.others;
}

std::optional<std::size_t> find_tile(RoomsLayout layout, std::size_t own, std::size_t other,
                                     std::size_t publishers) {
  if (other == own || other >= publishers) return std::nullopt;
  std::size_t tile = layout == RoomsLayout::kSpeaker ? other - (own < other ? 1 : 0)
                                                     : (other + publishers - own % publishers) % publishers;
  if (layout != RoomsLayout::kSpeaker && own < publishers) --tile;  // Distance 0 is oneself.
  return tile < row_of(layout).tiles ? std::optional(tile) : std::nullopt;
}

std::size_t count_tiles(RoomsLayout layout, std::size_t own, std::size_t publishers) {
  std::size_t others = publishers - (own < publishers ? 1 : 0);
  return others < row_of(layout).tiles ? others : row_of(layout).tiles;
}

}  // namespace stoa::bench
