// Media that stands in where a rendition has none: frames that a worker made ahead, shown over and over. So
// nothing that encodes need live when they are wanted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "live/packager.h"
#include "media/rung.h"
#include "media/track.h"

namespace stoa::live {

enum class SlateRefusal : std::uint8_t {
  kUnknown,    // What it is for is not there.
  kBadFormat,  // Not what the rung asks for.
  kNoGroup,    // No frames, or the first is no keyframe, or their times do not rise by kStepMax at most.
  kTooLong,
  kTooLarge,  // With the others of the channel.
};
const char* name_of(SlateRefusal refusal);

class Slate {
 public:
  static constexpr Duration kDurationMax = Duration::seconds(2);
  static constexpr Duration kStepMax = Duration::milliseconds(100);
  static constexpr std::size_t kFramesMax = 256;

  // One closed group, shown in the order it is decoded. Times count from anywhere.
  static Result<std::shared_ptr<const Slate>, SlateRefusal> make(std::shared_ptr<const media::Format> format,
                                                                 std::span<const media::Frame> frames);
  // The `number`th since its beginning, to stand at `at`.
  ChannelFrame frame(std::size_t number, Duration at) const;
  const std::shared_ptr<const media::Format>& format() const { return format_; }
  std::size_t bytes() const { return bytes_; }

 private:
  explicit Slate(std::shared_ptr<const media::Format> format) : format_(std::move(format)) {}

  std::shared_ptr<const media::Format> format_;
  std::vector<ChannelFrame> frames_;
  std::size_t bytes_ = 0;
};

// Those of one channel: for rungs, and for the tracks of whatever source is on air.
class Slates {
 public:
  static constexpr std::size_t kBytesMax = 4u << 20;

  Result<void, SlateRefusal> set_for_rung(media::RungId rung, std::shared_ptr<const Slate> slate) {
    return set({true, rung}, std::move(slate));
  }
  Result<void, SlateRefusal> set_for_track(media::TrackId track, std::shared_ptr<const Slate> slate) {
    return set({false, track}, std::move(slate));
  }
  void drop_for_rung(media::RungId rung) { slates_.erase({true, rung}); }
  std::shared_ptr<const Slate> find_for_rung(media::RungId rung) const { return find({true, rung}); }
  std::shared_ptr<const Slate> find_for_track(media::TrackId track) const { return find({false, track}); }
  bool empty() const { return slates_.empty(); }

 private:
  using Key = std::pair<bool, std::uint32_t>;
  Result<void, SlateRefusal> set(Key key, std::shared_ptr<const Slate> slate);
  std::shared_ptr<const Slate> find(Key key) const;

  std::map<Key, std::shared_ptr<const Slate>> slates_;
};

}  // namespace stoa::live
