// A rendition of a channel, and what feeds it: a track of the source on air, or a rung that a worker makes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "base/time.h"
#include "live/packager.h"
#include "live/slate.h"
#include "live/snapshot.h"
#include "media/orientation.h"
#include "media/rung.h"

namespace stoa::live {

inline constexpr int kRenditionsMax = 16;

struct HeldFrame {
  ChannelFrame frame;
  std::shared_ptr<const media::Format> format;
  Timestamp arrived;
};
struct Lane {
  Lane(Packager p) : packager(std::move(p)) {}
  Packager packager;
  std::optional<media::TrackId> track;      // Of the source on air.
  std::optional<media::RungId> rung;        // Then it never has a track.
  media::TrackId program_track = 0;         // What workers know it by, without a rung.
  std::optional<Timestamp> missing_since;   // Workers know it, and nothing comes of it.
  bool is_fed = false;                      // Its rung's worker makes it.
  bool is_offered = true;                   // In the multivariant playlist once it has parts.
  bool is_held_back = false;                // Not offered: rungs are in its place.
  bool is_needed = false;                   // It was held back, and nobody made a rung of it.
  std::optional<Timestamp> unserved_since;  // Held back, and no rung of it is made.
  bool is_silent = false;                   // Its time is filled with GAP, or slate, until frames come again.
  bool waits_for_keyframe = false;
  bool is_joining = false;  // Starts with a segment that begins after `joins_after`.
  bool was_listed = false;  // In a multivariant playlist: players may have it.
  bool is_listed = false;   // In the one that stands.
  bool was_misaligned = false;
  std::uint8_t forced_cuts = 0;  // A bit for each of its last segments: 1 where it began without a keyframe.
  bool lacks_keyframes = false;  // There were kForcedCuts of them.
  media::Orientation orientation;  // Of the first keyframe of the source on air.
  bool knows_orientation = false;
  std::uint64_t joins_after = 0;
  Timestamp last_part_at;                 // Rule G13 wants the next within a PART-TARGET.
  Timestamp last_frame_at;                // Of its track, whether it could be used or not.
  Duration frame_duration;                // Last nominal one.
  Duration shift;                         // Its clock stood still while others' went on.
  std::optional<Duration> decoded_early;  // So much before its place, so that nothing is shown before that.
  std::shared_ptr<const Slate> slate;     // Shown since the last discontinuity.
  std::uint64_t slate_frames = 0;         // Of it, since then or since the segment began.
  std::shared_ptr<const media::Format> before_slate;  // To be taken again.
  std::optional<Timestamp> back_since;                // Its track comes again, while slate is shown.
  std::optional<Timestamp> late_since;                // All its frames since came too late.
  std::deque<HeldFrame> held;
  std::shared_ptr<const Rendition> snapshot;
  std::array<std::uint64_t, kRenditionsMax> reported{};  // In it: the last segment of each of lanes_.
  std::shared_ptr<const media::Format> advertised_format;
  std::uint64_t advertised_peak = 0;
  std::uint64_t advertised_mean = 0;
};

}  // namespace stoa::live
