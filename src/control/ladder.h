// Which renditions a channel's source is made into.
//
// A ladder is asked for by a text: the name of a profile, or rungs by themselves.
//
//   off         none
//   one         one rung, the next standard height below the source: for trying things
//   standard    1080p60, 720p60 (or 30), 480p30, 360p30, 240p30 and sound, none above the source
//   mobile      480p30, 360p30, 240p30 and sound, none above the source
//   720p30:2500,360p30,720p30:1500:av1
//               these and sound, none above the source: the shorter side and the most pictures a second;
//               then, where it is wanted, kbit/s at most and the codec (h264, hevc, vp9 or av1; h264 when
//               unsaid)
//
// Behind each may stand ",per-title=on" or ",per-title=off": whether caps go by what pictures need
// (per_title.h); else it is as the node is set.
//
// A rung's name says its shorter side and the most pictures a second: "720p30" of a source of 25 has 25.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "media/orientation.h"
#include "media/rung.h"
#include "media/track.h"

namespace stoa::control {

inline constexpr std::size_t kLadderTextBytesMax = 256;

// A track on air, as workers know it.
struct SourceTrack {
  media::TrackId track = 0;
  std::shared_ptr<const media::Format> format;
  std::string name;
  std::string language;
  // Segments cannot begin with a keyframe of it (live::ProgramTrack).
  bool lacks_keyframes = false;
  media::Orientation orientation = {};
};

struct LadderPlan {
  // At most media::kRungsMax. While a broadcast lasts a rung that was planned once stays as it was planned:
  // players have seen it in the list of renditions and will not read that again.
  std::vector<media::Rung> rungs;
  // Of these, those that are not made now: the source is too small for them or lacks the track, or the
  // machine cannot keep up. Workers are not told of them.
  std::vector<media::RungId> resting;
  // Tracks that viewers are not offered as they are: a rung stands for each.
  std::vector<media::TrackId> held_back;
  // Of these, those that only segments cannot begin with: viewers in real time have them as they are.
  std::vector<media::TrackId> fit_in_real_time;

  bool is_resting(media::RungId id) const;
  // What workers are told.
  std::vector<media::Rung> rungs_at_work() const;
  bool operator==(const LadderPlan&) const = default;
};

struct LadderOptions {
  // Viewers by WebRTC are there or will be, who take no AAC: tracks of it are made into Opus, too.
  bool wants_opus = false;
};

// Whether plan_ladder() understands it.
bool is_ladder(std::string_view text);
// What it says of that; nothing: it does not.
std::optional<bool> wants_per_title(std::string_view ladder);

// `before` is the plan that the broadcast has had so far; empty: none. A text that is no ladder plans
// nothing.
LadderPlan plan_ladder(const std::vector<SourceTrack>& tracks, std::string_view ladder,
                       const LadderOptions& options, const LadderPlan& before = {});

}  // namespace stoa::control
