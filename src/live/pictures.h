// What workers make of the program for people to look at, beside what players play: the newest poster, and
// storyboards (small pictures, tile by tile, of what was shown when). All times are on the channel's
// timeline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace stoa::live {

struct Poster {
  Duration at;  // When it was shown.
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  SharedBytes jpeg;
};

// One JPEG of tiles: rows from the left, the top row first, `columns` in each.
struct Storyboard {
  std::uint32_t tile_width = 0;
  std::uint32_t tile_height = 0;
  std::uint32_t columns = 0;
  std::vector<Duration> tiles;  // When each was shown; rising, the first not before 0.
  SharedBytes jpeg;

  // It is known by when its first tile was shown. Requires: it has one.
  std::uint64_t milliseconds() const { return static_cast<std::uint64_t>(tiles.front().ms()); }
};

// As they are at one moment; immutable, part of a ChannelSnapshot.
struct Pictures {
  std::optional<Poster> poster;
  std::vector<std::shared_ptr<const Storyboard>> storyboards;  // In the order of their first tiles.
  // When the timeline was at 0, by the PROGRAM-DATE-TIME of the newest of these.
  WallTime zero_at;

  const Storyboard* find_storyboard(std::uint64_t milliseconds) const;
};

// A WebVTT file with a cue for each tile, from when it was shown to when the next one was; the last is as
// long as the one before it. The cue's text is an address relative to the file's,
// "storyboard-<milliseconds>.jpg?v=<broadcast>-<tiles>" (it grows, and the next broadcast has others of that
// name: caches are to see both), and the
// tile's place in it (Media Fragments, "#xywh="). A NOTE says at
// which UTC time 0 was: players know by PROGRAM-DATE-TIME what they show.
std::string storyboard_text(const Pictures& pictures, std::string_view broadcast);

enum class PictureRefusal : std::uint8_t {
  kBadShape,  // Nothing in it, or times that do not rise, or too many tiles.
  kAhead,     // Of what is on air.
  kNotNewer,  // The poster that is there is as new.
  kTooLarge,
};
const char* name_of(PictureRefusal refusal);

// Keeps those of one channel. The oldest storyboards go where a limit is reached.
class Gallery {
 public:
  static constexpr std::size_t kStoryboardsMax = 16;
  static constexpr std::size_t kTilesMax = 48;
  static constexpr std::size_t kBytesMax = 4u << 20;

  // `zero_at`: as in Pictures, from now on.
  Result<void, PictureRefusal> set_poster(Poster poster, WallTime zero_at);
  // In place of the one that begins at the same time, if there is one.
  Result<void, PictureRefusal> set_storyboard(Storyboard storyboard, WallTime zero_at);
  // Storyboards whose tiles were all shown before `time` go.
  void drop_before(Duration time);

  // Another one after each change; null until there was something.
  const std::shared_ptr<const Pictures>& pictures() const { return pictures_; }

 private:
  std::shared_ptr<Pictures> copy(WallTime zero_at) const;
  void put(std::shared_ptr<Pictures> pictures);

  std::shared_ptr<const Pictures> pictures_;
};

}  // namespace stoa::live
