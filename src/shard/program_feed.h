// What WebRTC viewers get of a transcoded channel: the source's own tracks where WebRTC can carry them, and
// what workers make of them where it cannot: Opus in place of AAC, pictures without B-frames in place of some
// with. As one publication on the channel's clock, so that pictures and sound of different making stay
// together.
//
// A track keeps its number whoever feeds it, and changes its feeder at a keyframe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "live/program.h"
#include "media/rung.h"
#include "media/track.h"

namespace stoa::shard {

class ProgramFeed {
 public:
  using Outputs = std::vector<media::TrackEvent>;

  // Sound that a worker makes may be so much ahead of what is on air: whole frames of another length.
  static constexpr Duration kAheadMax = Duration::milliseconds(100);

  // What is on air, in order, also while no worker is there.
  void handle_program(const live::ProgramOutput& item, Outputs& out);
  // All tracks that are on air: others end.
  void set_tracks(const std::vector<live::ProgramTrack>& tracks, Outputs& out);
  // A viewer who comes is told what was sent since the last keyframe, if that is not longer ago.
  static constexpr Duration kGroupMax = Duration::seconds(12);

  // What workers make. A rung that is not in it any more feeds nothing. Rungs stand for what is held back,
  // but for tracks that are only unfit to begin segments with (`fit`), as long as keyframes come within
  // kGroupMax.
  void set_ladder(const std::vector<media::Rung>& rungs, const std::vector<media::TrackId>& held_back,
                  const std::vector<media::TrackId>& fit = {});
  void handle_rung_format(media::RungId rung, std::shared_ptr<const media::Format> format);
  void handle_rung_frame(media::RungId rung, const media::Frame& frame, Outputs& out);
  // It is not made any more: the source is shown again, as far as it can be.
  void handle_rung_ended(media::RungId rung);
  void handle_worker_gone();

  // Whether a rung of the ladder would bring viewers what the source's own tracks lack.
  bool may_improve() const;
  // Rungs that only WebRTC viewers get: sound in Opus, of which playlists have the source's own.
  static bool is_realtime_only(const media::Rung& rung) { return rung.codec == media::Codec::kOpus; }
  bool is_realtime_only(media::RungId rung) const;

 private:
  struct Track {
    live::ProgramTrack source;
    bool is_reordered = false;            // Pictures are shown in another order than they are decoded.
    std::optional<media::RungId> feeder;  // In place of the source.
    bool is_held_back = false;            // By the plan.
    std::optional<Duration> last_keyframe;
    bool has_long_groups = false;     // A keyframe was farther away than kGroupMax.
    bool waits_for_keyframe = false;  // It had another feeder.
    // As it was told last; none: the track is not there for WebRTC viewers.
    std::shared_ptr<const media::Format> format;
    std::optional<Duration> last_pts;

    bool is_fit() const;
  };
  struct Rung {
    media::Rung rung;
    std::shared_ptr<const media::Format> format;
  };

  void send(Track& track, const std::shared_ptr<const media::Format>& format, const media::Frame& frame,
            Outputs& out);
  const Rung* find_rung(media::RungId id) const;
  bool holds_back(const Track& track) const;
  // WebRTC viewers could be given it in place of the source's track.
  static bool can_feed(const media::Rung& rung);
  void let_go(media::RungId rung);
  // Whether `rung` shall feed the track from its next keyframe on.
  bool is_better(const Track& track, const media::Rung& rung) const;

  std::map<media::TrackId, Track> tracks_;
  std::vector<Rung> rungs_;
  std::vector<media::TrackId> held_back_, fit_;
  Duration shown_until_;  // The latest time of anything on air.
};

}  // namespace stoa::shard
