// One encoder that publishes to a channel: its clock made clean, its tracks, and, while it is not the one on
// air, the frames since its last keyframe, so that it can go on air at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "media/timeline.h"
#include "media/track.h"

namespace stoa::live {

// Given by whoever owns the sessions; never used again for another.
struct SourceId {
  std::uint64_t value = 0;
  bool operator==(const SourceId&) const = default;
};

struct SourceFrame {
  Timestamp arrived;
  WallTime arrived_wall;
  media::TrackId track = 0;
  media::PlacedFrame place;  // On the source's timeline.
  bool is_keyframe = false;
  std::shared_ptr<const media::Format> format;
  SharedBytes payload;

  // Where the first frame behind a break stands: a clock that jumped between keyframes puts those that follow
  // before their decode times.
  Duration begins_at() const { return std::min(place.dts, place.pts); }
};

struct SourceConfig {
  // How long after the first frame to wait for other tracks: the lesser when audio and video are there.
  Duration start_wait_min = Duration::milliseconds(200);
  Duration start_wait = Duration::milliseconds(500);
  Duration keyframe_wait = Duration::seconds(5);  // Then it starts without video.
  Duration silence = Duration::seconds(1);        // So long without a frame is not healthy.
  std::size_t cache_bytes = 16 << 20;
  std::size_t cache_frames = 4'096;
};

struct SourceTrack {
  std::shared_ptr<const media::Format> format;
  std::string name;
  std::string language;
  bool has_frames = false;
  bool has_ended = false;
};

class Source {
 public:
  using Track = SourceTrack;
  Source(SourceId id, int priority, std::string description, const SourceConfig& config, Timestamp now)
      : id_(id),
        priority_(priority),
        description_(std::move(description)),
        config_(config),
        started_at_(now),
        steady_since_(now) {}

  void handle_format(const media::TrackFormat& announced);
  void handle_track_ended(media::TrackId track);
  // Nothing when the frame has no place (stats tell why).
  std::optional<SourceFrame> handle_frame(Timestamp now, WallTime wall, const media::TrackFrame& frame);

  // Keeps a frame for later; drops what a decoder that starts later does not need.
  void keep(SourceFrame frame);
  std::deque<SourceFrame> take_kept();
  const std::deque<SourceFrame>& kept() const { return kept_; }
  void drop_kept();
  // Where there is sound only: what is older is not needed to begin with.
  void drop_sound_before(Timestamp arrival);

  // True when it can go on air: frames to start with are kept and its tracks have shown up.
  bool is_ready(Timestamp now) const;
  Timestamp ready_deadline(Timestamp now) const;  // When is_ready may become true by time alone.
  bool is_silent(Timestamp now) const { return !has_frames_ || now - last_frame_at_ >= config_.silence; }
  bool has_been_steady(Timestamp now, Duration time) const {
    return !is_silent(now) && now - steady_since_ >= time;
  }

  SourceId id() const { return id_; }
  int priority() const { return priority_; }
  const std::string& description() const { return description_; }
  Timestamp started_at() const { return started_at_; }
  bool has_frames() const { return has_frames_; }
  Timestamp last_frame_at() const { return last_frame_at_; }
  const std::optional<Track>& track(media::TrackId id) const { return tracks_[id]; }
  const media::Timeline& timeline() const { return timeline_; }
  std::uint64_t frames_not_kept() const { return frames_not_kept_; }

 private:
  std::optional<media::TrackId> leading_video() const;

  SourceId id_;
  int priority_;
  std::string description_;
  SourceConfig config_;
  media::Timeline timeline_;
  std::array<std::optional<Track>, media::kTracksPerPublicationMax> tracks_;
  Timestamp started_at_;
  bool has_frames_ = false;
  Timestamp first_frame_at_;
  Timestamp last_frame_at_;
  Timestamp steady_since_;
  std::deque<SourceFrame> kept_;
  std::size_t kept_bytes_ = 0;
  bool has_kept_keyframe_ = false;  // kept_ begins where a decoder of the leading video may.
  std::uint64_t frames_not_kept_ = 0;
};

}  // namespace stoa::live
