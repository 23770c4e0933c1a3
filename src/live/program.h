// What is on air in a channel, as workers that transcode it are told: its tracks, its frames, and where
// segments are cut. All on the channel's own timeline: who makes something of it puts the same times on it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "live/packager.h"
#include "media/rung.h"
#include "media/track.h"

namespace stoa::live {

// Before its first frame, and again where its format changes. `track` numbers the channel's renditions that
// an encoder feeds, whichever encoder that is: a switch of sources does not change it.
struct ProgramTrack {
  media::TrackId track = 0;
  std::shared_ptr<const media::Format> format;
  std::string name;
  std::string language;
};
// A segment begins: the first picture shown at `shown_from` or later is a keyframe in every rendition, and no
// other is. Comes before any frame that such a picture is made of. At a discontinuity the
// decoder is emptied: what was told before is not shown from then on, and what is told after is not shown
// before.
struct ProgramCut {
  std::uint64_t msn = 0;
  Duration shown_from;
  bool has_discontinuity = false;
};
struct ProgramFrame {
  std::uint64_t number = 0;  // Grows by one with each.
  media::TrackId track = 0;
  ChannelFrame frame;
};

// Why nothing more is taken of a rung until its worker begins it anew.
enum class RungRefusal : std::uint8_t {
  kUnknown,          // No such rung, or it has no format yet.
  kTooMany,          // Renditions.
  kBadFormat,        // Not what the rung asks for.
  kFormatChanged,    // In mid-air.
  kNotRising,        // Its times go back, or stand still.
  kAhead,            // Of what is on air.
  kMissedCut,        // The first picture of a segment is no keyframe.
  kKeyframeOffGrid,  // A keyframe elsewhere.
};
const char* name_of(RungRefusal refusal);

struct RungStopped {
  media::RungId rung = 0;
  RungRefusal why;
};
using ProgramOutput = std::variant<ProgramTrack, ProgramCut, ProgramFrame, RungStopped>;

// The newest part of the program that a decoder can begin with: from the last cut at which there is a
// keyframe on. Who comes later is told this first.
class ProgramLog {
 public:
  // Beyond these nothing is kept until the next cut with a keyframe.
  static constexpr std::size_t kBytesMax = 16u << 20;
  static constexpr std::size_t kFramesMax = 4'096;

  void add(const ProgramTrack& track);
  // `is_start`: a keyframe follows.
  void add(const ProgramCut& cut, bool is_start);
  void add(const ProgramFrame& frame);
  // Tracks first, as they were where it begins.
  std::vector<ProgramOutput> replay() const;
  std::size_t bytes() const { return bytes_; }

 private:
  void clear();

  std::vector<ProgramTrack> tracks_;  // As they are where items_ begins.
  std::deque<ProgramOutput> items_;
  std::size_t bytes_ = 0, frames_ = 0;
  bool is_dropping_ = true;  // Until a decoder can begin.
};

}  // namespace stoa::live
