// What is on air in a channel, as workers that transcode it are told: its tracks, its frames, and where
// segments are cut. All on the channel's own timeline: who makes something of it puts the same times on it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/outbox.h"
#include "base/time.h"
#include "live/grid.h"
#include "live/packager.h"
#include "media/orientation.h"
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
  // kForcedCuts times of four no keyframe came in time for a segment to begin with: groups of pictures
  // are open (H.264) or too long. Stays so for the broadcast. No concern of workers, who are told other
  // keyframes than these.
  bool lacks_keyframes = false;
  // As the first keyframe of the source on air said. Workers read it of each.
  media::Orientation orientation = {};
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
// Nothing comes of it any more: it was closed, or is silent for good. It comes again behind another
// ProgramTrack, if it does.
struct ProgramGone {
  media::TrackId track = 0;
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
using ProgramOutput = std::variant<ProgramTrack, ProgramCut, ProgramFrame, ProgramGone, RungStopped>;

// The newest part of the program that a decoder can begin with: from the last cut at which there is a
// keyframe on, or, where keyframes are elsewhere, from the last keyframe before the last cut. Who comes later
// is told this first.
class ProgramLog {
 public:
  // Beyond these nothing is kept until the next keyframe.
  static constexpr std::size_t kBytesMax = 16u << 20;
  static constexpr std::size_t kFramesMax = 4'096;

  void add(const ProgramTrack& track);
  // `is_start`: a keyframe follows.
  void add(const ProgramCut& cut, bool is_start);
  void add(const ProgramFrame& frame);
  void add(const ProgramGone& gone);
  // Tracks first, as they were where it begins.
  std::vector<ProgramOutput> replay() const;
  std::size_t bytes() const { return bytes_; }

 private:
  bool is_picture(media::TrackId track) const;
  void begin_at_last_keyframes();
  void drop_first(std::size_t count);

  std::vector<ProgramTrack> tracks_;  // As they are where items_ begins.
  std::deque<ProgramOutput> items_;
  std::size_t bytes_ = 0, frames_ = 0;  // Of items_.
  bool is_dropping_ = true;             // Until a decoder can begin.
};

// Puts what is placed in a channel, in the order it is placed, into words for workers.
class Program {
 public:
  // The cuts that were made since the last frame that decided any, before `frame`, which is another such.
  // Notes in `grid` from when on their pictures are shown.
  void tell_cuts(const ChannelFrame& frame, bool is_picture, Grid& grid);
  bool knows(media::TrackId track, const std::shared_ptr<const media::Format>& format) const;
  bool knows(media::TrackId track) const { return formats_.contains(track); }
  void tell_track(const ProgramTrack& track);
  // Requires: its track and format are known.
  void tell_frame(media::TrackId track, const ChannelFrame& frame, bool is_picture, Grid& grid);
  void tell_gone(media::TrackId track);
  void tell_stopped(const RungStopped& stopped) { news_.push(stopped); }

  std::vector<ProgramOutput> take() { return news_.take(); }
  std::vector<ProgramOutput> replay() const { return log_.replay(); }
  // The latest time at which anything that was told is shown.
  Duration shown_until() const { return shown_until_; }

 private:
  // Who is there now, and who comes later.
  template <typename Item, typename... How>
  void tell(const Item& item, How... how) {
    log_.add(item, how...);
    news_.push(item);
  }

  ProgramLog log_;
  Outbox<ProgramOutput> news_;
  std::map<media::TrackId, std::shared_ptr<const media::Format>> formats_;  // As they were told last.
  std::uint64_t frames_ = 0;
  std::uint64_t next_cut_ = 0;            // Those before were told.
  Duration shown_late_;                   // Keyframes are shown so long after they are decoded.
  std::deque<Duration> recent_pictures_;  // When those that were told last are shown.
  Duration shown_until_;
};

}  // namespace stoa::live
