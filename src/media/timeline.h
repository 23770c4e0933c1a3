// Makes one clean timeline out of the clocks of one publisher, before anything is cut from it.
//
// Publishers' clocks wrap (RTMP after 2^32 ms, MPEG-TS after 2^33 / 90 kHz), are rounded to milliseconds,
// step back a little, stop, and jump by hours. A Timeline takes frames with such times in arrival order and
// gives each a place: decode times that never go back, on the exact frame grid where the source has one
// (frame k at k * 1001/30000 s; audio sample after sample), and an epoch number that rises whenever the
// source's clock jumped. All tracks of a publisher share one Timeline, so that a jump is decided once.
//
// Video decode times are shifted by the reorder delay of the first frame, so that a keyframe is decoded
// when it is shown and B-frames have negative composition offsets. Presentation times are not shifted:
// audio and video stay where the source put them, within `audio_tolerance` + `video_tolerance`.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/time.h"
#include "media/track.h"

namespace stoa::media {

struct TimelineConfig {
  // A step back by more is a jump, by less it is repaired by moving the frame forward.
  Duration backward_jump = Duration::milliseconds(500);
  // A step forward by this much more than the time that passed on arrival is a jump. What did pass is a
  // hole: the publisher sent nothing.
  Duration forward_jump = Duration::seconds(1);
  // How far a frame may lie off the sample grid before the grid gives way. Their sum is the greatest error
  // put between audio and video (40 ms at most).
  Duration audio_tolerance = Duration::milliseconds(30);
  Duration video_tolerance = Duration::milliseconds(8);
  // After a jump of one track, how long frames of others that still carry the old clock are dropped.
  Duration jump_settles = Duration::milliseconds(500);
  // A track that appears this far from the others has a clock of its own and is moved to them.
  Duration unrelated_clock = Duration::seconds(3);
};

struct PlacedFrame {
  Duration dts;  // From the publisher's first frame on; a track may begin a little before 0.
  Duration pts;
  // How long this frame lasts if the next is on time; zero while the track has no steady frame rate.
  Duration nominal_duration;
  std::uint32_t epoch = 0;  // Rises by one at a jump, for all tracks.
};

enum class TimelineRefusal : std::uint8_t {
  kUnknownTrack,  // No format was given for it.
  kTimeOutOfRange,
  kOverlap,       // Audio that would be heard over what was already placed.
  kBetweenJumps,  // The old clock, after another track jumped.
};

struct TimelineStats {
  std::uint64_t wraps = 0;
  std::uint64_t backward_steps_repaired = 0;
  std::uint64_t jumps = 0;
  std::uint64_t regridded = 0;  // The grid gave way to the source: drift, jitter or a hole.
  std::uint64_t refused = 0;
};

// Frames per second as a fraction; numerator 0: not known.
struct FrameRate {
  std::int64_t numerator = 0;
  std::int64_t denominator = 1;
  Duration times(std::int64_t frames) const { return Duration::from_ticks(frames * denominator, numerator); }
};
// What a Timeline knows of one track.
struct TimelineTrack {
  static constexpr int kStepsKept = 16;
  Kind kind = Kind::kVideo;
  Duration wrap;
  Duration source_time;       // Unwrapped dts of the last frame.
  Duration shift;             // source_time + shift = this timeline, before the grid.
  bool has_clock = false;     // source_time and shift hold.
  bool has_position = false;  // last_out and the grid hold (false again after a jump).
  bool jump_pending = false;  // Another track jumped and this one has not shown its new clock.
  Timestamp arrived;
  Duration reorder_delay;
  Duration last_out;

  FrameRate rate;
  bool rate_is_guess = false;  // Measured, not said by the bitstream.
  Duration grid_origin;
  std::int64_t grid_index = 0;
  Duration run_origin;  // Where the measurement of the rate began, and frames since.
  std::int64_t run_frames = 0;
  std::uint32_t irregular = 0;  // One bit for each of the last 32 steps: not one frame long.
  std::array<Duration, kStepsKept> steps{};
  int step_count = 0;
  int step_next = 0;
};

class Timeline {
 public:
  explicit Timeline(const TimelineConfig& config = {}) : config_(config) {}

  // Announces a track, or its new format from the next frame on. Requires: track < kTracksPerPublicationMax.
  void handle_format(TrackId track, const Format& format, Duration clock_wrap);
  Result<PlacedFrame, TimelineRefusal> handle_frame(Timestamp now, TrackId track, Duration dts, Duration pts);

  // The steady distance of a track's frames, zero if there is none (yet).
  Duration frame_duration(TrackId track) const;
  const TimelineStats& stats() const { return stats_; }

 private:
  using Track = TimelineTrack;
  Duration unwrap(Track& track, Duration dts);
  Duration live_position(Timestamp now) const;
  bool is_jump(const Track& track, Timestamp now, Duration step) const;
  void start_epoch(Track& track, Timestamp now);
  std::optional<TimelineRefusal> settle_after_jump(Track& track, Timestamp now, Duration step);
  void note_step(Track& track, Duration step);
  void measure_rate(Track& track);
  std::optional<Duration> place(Track& track, Duration natural);
  Duration place_video(Track& track, Duration natural);
  void regrid(Track& track, Duration at);
  bool is_steady(const Track& track) const;
  Duration composition_offset(const Track& track, Duration offset) const;

  TimelineConfig config_;
  std::array<std::optional<Track>, kTracksPerPublicationMax> tracks_;
  std::uint32_t epoch_ = 0;
  bool has_begun_ = false;
  Duration shared_shift_;   // Of the present epoch.
  Duration source_latest_;  // Unwrapped time of the last frame of any track.
  Duration latest_out_;     // Greatest place given in this epoch, and when.
  Timestamp latest_arrived_;
  Duration earliest_offset_;  // Least arrival time minus place: the path's least delay.
  Timestamp jumped_at_;
  TimelineStats stats_;
};

// Maps a media timeline onto a clock that it was observed against (arrival time, or wall-clock time for
// EXT-X-PROGRAM-DATE-TIME), without ever jumping. A source whose clock runs 200 ppm wrong is followed by
// bending the map by at most kRateMax; late arrivals (jitter, stalls) do not move it, since only the
// earliest arrival of each window counts. What was once mapped keeps its value: the map only bends ahead.
class ClockMap {
 public:
  static constexpr double kRateMax = 500e-6;
  static constexpr double kRateFarMax = 10e-3;  // While more than kFar off.
  static constexpr Duration kFar = Duration::milliseconds(250);
  static constexpr Duration kWindow = Duration::seconds(5);

  bool has_started() const { return size_ > 0; }
  // `clock` counts from the clock's own origin.
  void start(Duration media, Duration clock);
  void observe(Duration media, Duration clock);
  Duration clock_at(Duration media) const;
  Duration media_at(Duration clock) const;

 private:
  struct Knot {
    Duration media;
    Duration clock;
    double rate;  // Clock runs faster than media by this fraction, for kBendLength at most.
  };
  static constexpr int kKnots = 16;
  static constexpr Duration kBendLength = Duration::seconds(20);
  const Knot& newest() const { return knots_[(first_ + size_ - 1) % kKnots]; }
  static Duration evaluate(const Knot& knot, Duration media);

  std::array<Knot, kKnots> knots_{};
  int first_ = 0;
  int size_ = 0;
  Duration window_start_;
  Duration frontier_;
  Duration least_offset_;
  bool window_has_any_ = false;
};

}  // namespace stoa::media
