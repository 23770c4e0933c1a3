// Packs one rendition: frames become parts, parts become segments, and the window of segments becomes a
// playlist and its media (live/snapshot.h). Where segments begin is decided by live/channel.h, for all
// renditions at once.
//
// Decode time is gapless inside a segment: each sample lasts until the next begins, and a frame whose own
// time lies a little off is decoded early or late and shown on time by its composition offset. So a part
// can be closed the moment its last frame is there, and the parts' durations always add up.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "live/playlist.h"
#include "live/snapshot.h"
#include "media/cmaf.h"
#include "media/timeline.h"
#include "media/track.h"

namespace stoa::live {

struct PackagerLimits {
  Duration window = Duration::seconds(60);  // Listed; never less than 3 x TARGETDURATION.
  std::size_t frame_bytes = 8 << 20;        // A bigger frame is dropped.
  std::size_t part_bytes = 16 << 20;        // Frames that do not fit are dropped until a keyframe.
  std::size_t segment_bytes = 64 << 20;
  std::size_t window_bytes = 512 << 20;  // Of one rendition, retained segments included.
  int samples_per_part = 1'000;
};

inline constexpr Duration kLateMax = Duration::milliseconds(20);  // A frame may reach into a GAP by this.

struct PackagerStats {
  std::uint64_t parts = 0;
  std::uint64_t gap_parts = 0;
  std::uint64_t segments = 0;
  std::uint64_t media_bytes = 0;
  std::uint64_t frames = 0;
  std::uint64_t frames_over_limit = 0;  // Dropped: bigger than a limit allows.
};

// A frame on the channel's timeline.
struct ChannelFrame {
  Duration dts;
  Duration pts;
  Duration nominal_duration;  // Zero when the track has no steady rate.
  bool is_keyframe = false;
  SharedBytes payload;
};

class Packager {
 public:
  // `wall` gives PROGRAM-DATE-TIME; it must outlive the packager.
  Packager(std::string name, std::shared_ptr<const media::Format> format, std::string label,
           std::string language, const PlaylistLimits& playlist_limits, const PackagerLimits& limits,
           const media::ClockMap& wall);

  // Opens the first segment. `discontinuities` counts those of the broadcast before it (rule X2).
  void start(std::uint64_t msn, Duration at, bool has_discontinuity, std::uint64_t discontinuities);
  bool has_started() const { return has_started_; }

  // A decoder needs a new initialization section from the next segment on. Call before start_segment.
  void set_format(std::shared_ptr<const media::Format> format);
  // Finishes the segment and opens the next. `until` is the time of the frame that begins it, or of the
  // boundary. Requires: the present segment has content (fill_gap otherwise).
  void start_segment(Duration until, bool has_discontinuity);
  // Marks the present segment. Requires: it has no part yet.
  void set_discontinuity();

  // True if the time before a frame at `dts` is too long to be bridged by samples: call fill_gap first.
  bool needs_gap_before(Duration dts) const;
  enum class Appended : std::uint8_t { kYes, kOverLimit };
  // Requires: frame.dts >= gap_end(), and !needs_gap_before(frame.dts).
  Appended append(const ChannelFrame& frame);
  // Closes the part in progress, whatever its length (before a gap, a segment's or the broadcast's end).
  void finish_part();
  // Fills with GAP parts up to `until` (nothing if that is past). All of it stays in this segment.
  void fill_gap(Duration until);
  // The broadcast is over. Requires: finish_part() was called and the segment has content.
  void finish();

  // Where the next sample would be decoded: the end of all parts and samples so far.
  Duration end() const;
  Duration closed_end() const;  // The end of the last part.
  Duration gap_end() const { return gap_end_; }
  Duration segment_start() const { return segment_start_; }
  Duration window_start() const;  // Of the oldest segment that is listed.
  std::uint64_t msn() const { return open_.media_sequence_number; }
  bool part_is_empty() const { return samples_.empty(); }
  bool segment_has_content() const { return !samples_.empty() || !open_.parts.empty(); }
  bool segment_has_parts() const { return !open_.parts.empty(); }
  std::size_t segment_bytes() const { return open_bytes_ + sample_bytes_; }

  const std::string& name() const { return name_; }
  media::Kind kind() const { return format_->kind(); }
  const std::shared_ptr<const media::Format>& format() const { return format_; }
  const std::string& label() const { return label_; }
  const std::string& language() const { return language_; }
  const PackagerStats& stats() const { return stats_; }

  // True when a snapshot would differ from the last one taken.
  bool has_news() const { return has_news_; }
  RenditionReport report() const;
  std::uint64_t parts_made() const { return next_part_number_; }
  // Bits per second over the listed segments, of the parts so far when none is complete. Never 0.
  std::uint64_t peak_bitrate() const { return peak_bitrate_; }
  std::uint64_t mean_bitrate() const { return mean_bitrate_; }
  std::size_t held_bytes() const { return held_bytes_; }

  std::shared_ptr<const Rendition> take_snapshot(std::span<const RenditionReport> others);

 private:
  struct Kept {
    std::shared_ptr<const Segment> segment;
    SegmentLines lines;
    std::size_t bytes = 0;
    Duration let_go_at;  // On the media timeline, once it is not listed any more.
  };

  std::int64_t ticks(Duration time) const { return time.to_ticks(timescale_); }
  Duration time(std::int64_t tick) const { return Duration::from_ticks(tick, timescale_); }
  void open_segment(std::uint64_t msn, bool has_discontinuity);
  void complete_segment();
  void close_part(std::int64_t end, bool may_be_short);
  void add_part(Part part, std::int64_t start);
  void trim_window();
  void let_go_oldest();
  void measure_bitrate();

  std::string name_;
  std::shared_ptr<const media::Format> format_;
  std::string label_;
  std::string language_;
  PlaylistLimits playlist_limits_;
  PackagerLimits limits_;
  const media::ClockMap& wall_;
  std::int64_t timescale_;
  std::int64_t part_ticks_;      // PART-TARGET, rounded down.
  std::int64_t part_ticks_min_;  // 85 % of it, rounded up.

  bool has_started_ = false;
  bool has_ended_ = false;
  bool has_news_ = false;
  bool follows_discontinuity_ = false;  // No frame came since: decode time may begin anew.

  // The part in progress. Tick positions are on the channel's timeline.
  std::vector<media::Sample> samples_;
  std::int64_t part_start_ = 0;  // Also the end of the last part.
  std::int64_t last_start_ = 0;  // Decode time of the last sample.
  std::int64_t last_end_ = 0;    // Its end if the next frame is on time; last_start_ + 1 if not known.
  std::int64_t last_step_ = 0;   // Between the last two frames of an unsteady track.
  std::size_t sample_bytes_ = 0;
  bool part_is_independent_ = false;
  bool skips_to_keyframe_ = false;
  Duration gap_end_;

  Segment open_;
  SegmentLines open_lines_;
  Duration segment_start_;
  std::size_t open_bytes_ = 0;
  std::uint64_t next_part_number_ = 0;
  std::uint32_t chunk_sequence_ = 0;

  std::deque<Kept> kept_;        // Complete segments: retained ones, then listed ones.
  std::size_t listed_from_ = 0;  // Index into kept_.
  Duration listed_duration_;
  Duration longest_list_;
  std::uint64_t discontinuity_sequence_ = 0;
  std::size_t held_bytes_ = 0;
  std::vector<InitSection> inits_;
  std::uint64_t init_number_ = 0;
  std::uint64_t last_listed_init_ = 0;
  bool has_listed_init_ = false;
  std::uint64_t peak_bitrate_ = 1;
  std::uint64_t mean_bitrate_ = 1;
  std::vector<const SegmentLines*> line_refs_;  // Kept for its memory.
  PackagerStats stats_;
};

}  // namespace stoa::live
