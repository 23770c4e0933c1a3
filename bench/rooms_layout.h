// What somebody in a meeting looks at: how many pictures of which sizes. The sizes are those that LiveKit's
// load tester asks for, so that numbers can be compared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace stoa::bench {

enum class RoomsLayout : std::uint8_t {
  kSpeaker,  // One at 1280x720, five at 356x200.
  k3x3,      // Nine at 400x225.
  k4x4,      // Sixteen at 320x180.
  k5x5,      // Twenty-five at 256x144.
  kAll,      // Everybody, of no size that is asked for.
};
std::optional<RoomsLayout> parse_layout(std::string_view name);  // "speaker", "3x3", …, "all".

struct TileSize {
  std::uint32_t width = 0, height = 0;  // 0: none is asked for.
  bool operator==(const TileSize&) const = default;
};
TileSize size_of_tile(RoomsLayout layout, std::size_t tile);

// In which tile the participant `own` has the picture of `other`; none: it does not watch it. Those who
// publish have the numbers below `publishers`, those who only watch the ones behind. In a grid everybody
// watches those who follow them, so that all publishers are watched by equally many; the speaker is the same
// for all.
std::optional<std::size_t> find_tile(RoomsLayout layout, std::size_t own, std::size_t other,
                                     std::size_t publishers);
// How many pictures `own` has once all are there.
std::size_t count_tiles(RoomsLayout layout, std::size_t own, std::size_t publishers);

}  // namespace stoa::bench
