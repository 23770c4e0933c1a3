// One broadcast of one channel: takes the tracks of its sources (encoders), puts one of them on air, and
// makes the immutable snapshots that viewers are served from (live/snapshot.h).
//
// A Channel lives for one broadcast: from the first source until end(), or until no source has been there
// for the grace time. Then its last snapshot (with EXT-X-ENDLIST) stays good, and a new Channel, with a new
// broadcast name, serves the next.
//
// All renditions stand on one timeline that starts at 0 with the first keyframe, and are cut on one grid.
// When the encoder is away, time goes on in GAP parts. When another source, or the same one again, goes on
// air, or its clock jumps, or a decoder needs new parameters, all renditions get a discontinuity.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/metric.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "live/continuity.h"
#include "live/grid.h"
#include "live/lane.h"
#include "live/packager.h"
#include "live/pictures.h"
#include "live/program.h"
#include "live/slate.h"
#include "live/snapshot.h"
#include "live/source.h"

namespace stoa::live {

struct ChannelConfig {
  // What is wanted; the broadcast may take a longer one so that whole frames fit (see choose_part_target).
  Duration part_target = Duration::milliseconds(334);  // 0.1 s to 1 s.
  Duration segment_target = Duration::seconds(2);      // At most target_duration_s.
  std::uint32_t target_duration_s = 4;                 // Keyframes farther apart are cut between.
  Duration grace = Duration::seconds(30);              // How long an encoder may be away.
  Duration stall = Duration::milliseconds(1'500);  // A connected source may be silent so long without a GAP.
  Duration standby_after = Duration::seconds(1);   // Silence after which a standby goes on air.
  Duration switch_back_after = Duration::seconds(3);       // How long a better source must be steady.
  Duration track_silence = Duration::milliseconds(1'200);  // Behind the others by this, a track is filled.
  // Workers may make renditions: so long the first multivariant playlist waits for them. 0: none will come.
  Duration ladder_wait;
  Duration rung_lag = Duration::seconds(1);  // What a worker makes may be so far behind; then it is filled.
  PackagerLimits packager;
  SourceConfig source;
};
inline constexpr int kSourcesMax = 4;
inline constexpr std::uint64_t kPartsToBeListed = 3;  // Of each rendition in the multivariant playlist.
inline constexpr std::size_t kHeldFramesMax = 256;    // Of one audio track, waiting for the video's decision.
// So many of a source's last four segments without a keyframe are too many: one may be lost.
inline constexpr int kForcedCuts = 2;
inline constexpr Duration kHeldBackMax = Duration::seconds(2);     // Beyond ChannelConfig::ladder_wait.
inline constexpr Duration kHoldMax = Duration::milliseconds(300);  // So long sound waits for pictures.

// PART-TARGET for tracks with these frame durations: near `wanted`, whole milliseconds, and such that whole
// frames fill at least 85 % of it in every track (rule L4). Zero durations are passed over.
Duration choose_part_target(Duration wanted, std::span<const Duration> frame_durations);

struct SourceOffer {
  int priority = 0;         // 0 is the primary; a larger number is a backup.
  std::string description;  // For events: the encoder's name and version.
};

enum class SourceDropReason : std::uint8_t {
  kTakenOver,  // A newer source of the same priority.
  kTooManySources,
  kBroadcastEnded,
  kServerStops,
};
const char* name_of(SourceDropReason reason);

enum class ChannelEventKind : std::uint8_t {
  kLive,
  kInterrupted,
  kResumed,
  kSourceSwitched,
  kDiscontinuity,
  kGap,
  kKeyframeIntervalTooLong,
  kRenditionMisaligned,
  kSlate,  // It stands in.
  kTrackRefused,
  kContinuity,    // A fault in what comes out (live/continuity.h).
  kOfferedUnfit,  // Nobody makes what should be there in its place.
  kEnded,
};
const char* name_of(ChannelEventKind kind);

struct SnapshotReady {
  std::shared_ptr<const ChannelSnapshot> snapshot;
};
struct SourceDropped {  // Its session should be closed; nothing from it is taken any more.
  SourceId source;
  SourceDropReason reason;
};
struct ChannelEvent {
  ChannelEventKind kind;
  std::string text;
};
struct BroadcastEnded {};
using ChannelOutput = std::variant<SnapshotReady, SourceDropped, ChannelEvent, BroadcastEnded>;
using ChannelOutputs = Outbox<ChannelOutput>;

struct ChannelStats {
  std::uint64_t frames_late = 0;          // Their time was filled with GAP already.
  std::uint64_t frames_undecodable = 0;   // Before a keyframe.
  std::uint64_t frames_refused = 0;       // By the timeline.
  std::uint64_t frames_rate_limited = 0;  // Discontinuities came too fast.
  std::uint64_t tracks_refused = 0;
  std::uint64_t discontinuities = 0;
  std::uint64_t source_switches = 0;
  std::uint64_t interruptions = 0;
  std::uint64_t forced_cuts = 0;
  std::uint64_t rung_frames = 0;
  std::uint64_t rung_frames_late = 0;
  std::uint64_t rungs_stopped = 0;
};

class Channel {
 public:
  // `rng` names the broadcast.
  Channel(std::string name, const ChannelConfig& config, Rng rng);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void handle_source_started(Timestamp now, WallTime wall, SourceId id, const SourceOffer& offer,
                             ChannelOutputs& out);
  void handle_event(Timestamp now, WallTime wall, SourceId id, const media::TrackEvent& event,
                    ChannelOutputs& out);
  // The source sends a track that renditions cannot carry and other outputs can: until that is gone (closed
  // or silent) the broadcast goes on, also without renditions.
  void handle_track_left_out(Timestamp now, SourceId id);
  void handle_left_out_gone(Timestamp now, WallTime wall, SourceId id, ChannelOutputs& out);
  void handle_source_ended(Timestamp now, WallTime wall, SourceId id, ChannelOutputs& out);
  // By the operator's word, or because the server stops: `why` is what its sources are told.
  void end(Timestamp now, SourceDropReason why, ChannelOutputs& out);
  void handle_deadline(Timestamp now, WallTime wall, ChannelOutputs& out);
  Timestamp next_deadline() const { return deadline_; }

  // What workers make of the program (live/program.h). Of no effect without ChannelConfig::ladder_wait.
  // The rungs that renditions are made of, in place of those before; a rung that is still there is the same
  // as it was. What is not any more goes on as GAP, unlisted.
  // `held_back`: tracks on air (as in program_tracks) that do not play as they are, and are not offered while
  // a worker makes a rung of them. Where none other leads, segments are cut by the clock. If no rung of one
  // is made for ladder_wait + kHeldBackMax it is offered all the same.
  void set_ladder(Timestamp now, std::vector<media::Rung> ladder, ChannelOutputs& out,
                  std::vector<media::TrackId> held_back = {});
  // What is on air, as workers are told of it; while no source is on air, what was. Its revision grows when a
  // track comes or goes, or has other parameters. Both are there with and without workers.
  const std::vector<ProgramTrack>& program_tracks() const { return program_tracks_; }
  std::uint64_t program_revision() const { return program_revision_; }
  // What is on air, in order. To be taken after each input.
  std::vector<ProgramOutput> take_program() { return program_.take(); }
  // What a worker that comes now is told before all that comes, once take_program() was called.
  std::vector<ProgramOutput> program_log() const { return program_.replay(); }
  // The worker is gone, and what it made with it.
  void handle_worker_gone(Timestamp now, WallTime wall, ChannelOutputs& out);
  // A rung begins, or begins anew, or has other parameters from its next frame on.
  Result<void, RungRefusal> handle_rung_format(Timestamp now, WallTime wall, media::RungId rung,
                                               std::shared_ptr<const media::Format> format,
                                               ChannelOutputs& out);
  // The times are those of the program; pictures come in the order they are shown. What breaks the grid stops
  // the rung (RungStopped is put out, too): never a bad segment.
  Result<void, RungRefusal> handle_rung_frame(Timestamp now, WallTime wall, media::RungId rung,
                                              const media::Frame& frame, ChannelOutputs& out);
  void handle_rung_ended(Timestamp now, WallTime wall, media::RungId rung, ChannelOutputs& out);

  // What stands in where a worker, or the source, gives nothing: frames made ahead (live/slate.h), kept as
  // long as the rung is in the ladder. Without it there is GAP. For a rung of the ladder, or a track on air.
  Result<void, SlateRefusal> set_rung_slate(media::RungId rung, std::shared_ptr<const media::Format> format,
                                            std::span<const media::Frame> frames);
  Result<void, SlateRefusal> set_track_slate(media::TrackId track,
                                             std::shared_ptr<const media::Format> format,
                                             std::span<const media::Frame> frames);

  // What a worker made for people to look at (live/pictures.h), of what it was told. Snapshots have it from
  // the next one on, also once the worker is gone; storyboards for as long as any rendition lists what they
  // show.
  Result<void, PictureRefusal> set_poster(Poster poster);
  Result<void, PictureRefusal> set_storyboard(Storyboard storyboard);

  const std::shared_ptr<const ChannelSnapshot>& snapshot() const { return snapshot_; }
  const std::string& name() const { return name_; }
  const std::string& broadcast() const { return broadcast_; }
  bool has_ended() const { return state_ == ChannelState::kEnded; }
  ChannelState state() const { return state_; }
  const ChannelStats& stats() const { return stats_; }
  std::optional<SourceId> source_on_air() const;
  // Whether a source of this priority would be taken: there is room, or one to be taken over.
  bool has_room(int priority) const;
  // Frozen when the broadcast goes live.
  const PlaylistLimits& playlist_limits() const { return playlist_limits_; }
  void append_metrics(MetricSamples& samples) const;

 private:
  // Sources (channel.cc).
  Source* find_source(SourceId id);
  void handle_frame(Timestamp now, WallTime wall, Source& source, const media::TrackFrame& frame,
                    ChannelOutputs& out);
  void settle(Timestamp now, WallTime wall, ChannelOutputs& out);
  void choose_source(Timestamp now, WallTime wall, ChannelOutputs& out);
  void put_on_air(Timestamp now, WallTime wall, Source& source, ChannelOutputs& out);
  void begin_broadcast(const Source& source, const std::deque<SourceFrame>& frames, Duration first,
                       ChannelOutputs& out);
  void take_off_air(ChannelOutputs& out);
  void interrupt(Timestamp now, const char* why, ChannelOutputs& out);
  void resume(ChannelOutputs& out);
  void bind_tracks(const Source& source, ChannelOutputs& out);
  Lane* bind_track(const Source& source, media::TrackId track,
                   const std::shared_ptr<const media::Format>& format, ChannelOutputs& out);
  void remove_source(SourceId id);
  bool is_held_by(SourceId id) const;
  void finish(Timestamp now, SourceDropReason why, ChannelOutputs& out);
  Timestamp give_up_at() const;
  void update_deadline(Timestamp now);
  void emit(ChannelEventKind kind, std::string text, ChannelOutputs& out);
  void warn(const char* warning);

  // Renditions (channel_lanes.cc).
  void deliver(const SourceFrame& frame, ChannelOutputs& out);
  void place(Lane& lane, const ChannelFrame& frame, const std::shared_ptr<const media::Format>& format,
             Timestamp now, ChannelOutputs& out);
  bool join(Lane& lane, const ChannelFrame& frame);
  void handle_late(Lane& lane, const SourceFrame& frame, ChannelOutputs& out);
  void put_at(const SourceFrame& frame, Duration at);
  bool must_hold(const Lane& lane, const ChannelFrame& frame) const;
  void release_held(Timestamp now, ChannelOutputs& out);
  bool change_format(Lane& lane, const ChannelFrame& frame,
                     const std::shared_ptr<const media::Format>& format, Timestamp now, ChannelOutputs& out);
  bool decide_boundary(Lane& lane, const ChannelFrame& frame, ChannelOutputs& out);
  static void note_cut(Lane& lane, bool is_forced);
  void cut(const Lane& lane, const ChannelFrame& frame, bool is_forced, ChannelOutputs& out);
  bool is_at(Lane& lane, const ChannelFrame& frame, const Boundary& boundary, ChannelOutputs& out);
  void enter_segment(Lane& lane, const Boundary& boundary, Duration until);
  // Everything after stands at the returned time, which is `at` or later, behind a discontinuity.
  Duration break_timeline(Timestamp now, Duration at, const char* why, ChannelOutputs& out);
  Duration finish_parts(ChannelOutputs& out);
  // GAP up to `until` if more than `tolerance` is missing, through all boundaries before it.
  void fill(Lane& lane, Duration until, Duration tolerance);
  // Into the newest segment, or this one.
  void catch_up(Lane& lane) { catch_up(lane, grid_.newest().msn); }
  void catch_up(Lane& lane, std::uint64_t msn);
  void fill_silent(Timestamp now, ChannelOutputs& out);
  void fill_absence(Timestamp now, ChannelOutputs& out);
  bool has_leading_video() const;
  Lane* find_lane(media::TrackId track);
  Duration end() const;
  Timestamp gap_due() const;

  // Ladder (channel_ladder.cc).
  struct RungState {
    media::Rung rung;
    Lane* lane = nullptr;                         // One of lanes_, from its first format on.
    std::shared_ptr<const media::Format> format;  // Of its next frame.
    std::optional<Duration> last_pts;
    std::optional<Timestamp> owed_since;  // It was told a frame, and gave none since.
    bool has_begun = false;               // It gave a keyframe since its format came.
    // From this segment on it gives what cannot follow what it gave.
    std::optional<std::uint64_t> awaits_break_from;
    bool is_stopped = false;
  };
  RungState* find_rung(media::RungId id);
  // Its own frames take it over what breaks the timeline of the others.
  static bool is_worked_on(const Lane& lane) { return lane.rung && lane.is_fed && !lane.is_silent; }
  static bool breaks(const Lane& lane) { return lane.packager.has_started() && !is_worked_on(lane); }
  static bool fits(const media::Rung& rung, const media::Format& format);
  bool awaits_ladder(Timestamp now) const;
  static bool is_listable(const RungState& state);
  bool lacks_rungs() const;
  bool has_source(const Lane& lane) const;
  void hold_back(Lane& lane);
  void offer_unserved(Timestamp now, ChannelOutputs& out);
  bool is_ruled() const;
  const RungState* best_rung_of(const Lane& lane) const;
  void add_rung_durations(std::vector<Duration>& durations) const;
  static void note_orientation(Lane& lane, const ChannelFrame& frame, const media::Format& format);
  void tell_program(const Lane& lane, const ChannelFrame& frame,
                    const std::shared_ptr<const media::Format>& format);
  void update_program_tracks();
  void tell_gone(Timestamp now);
  Result<Lane*, RungRefusal> take_lane(const RungState& rung,
                                       const std::shared_ptr<const media::Format>& format);
  Result<void, RungRefusal> place_rung(RungState& rung, const media::Frame& frame, Timestamp now,
                                       ChannelOutputs& out);
  bool enter_rung_segment(RungState& rung, const Boundary& boundary, Duration until);
  bool needs_break(const RungState& rung, const Boundary& boundary) const;
  ChannelFrame frame_of(const RungState& rung, const media::Frame& frame, const Boundary& boundary) const;
  void stop_rung(RungState& rung, RungRefusal why, ChannelOutputs& out);
  void unfeed(const RungState& rung, bool is_offered);
  void finish_rungs();
  bool is_ahead(Duration shown_at) const;
  WallTime zero_at(Duration seen_at) const;

  // Slate (channel_slate.cc).
  std::shared_ptr<const Slate> slate_of(const Lane& lane) const;
  bool is_at_break(const Lane& lane) const;
  const Boundary* find_break(const Lane& lane, std::uint64_t up_to) const;
  void fill_time(Lane& lane, Duration until);
  void restore_format(Lane& lane);
  static bool gives_nothing(const RungState& rung, Timestamp now);
  bool is_warm(const RungState& rung) const;
  Duration room_of(const Lane& lane, Timestamp now) const;
  void begin_filling(Timestamp now, Duration from, ChannelOutputs& out);
  bool takes_rungs_back() const;
  void replace_missing(Timestamp now, ChannelOutputs& out);
  bool ends_slate(Lane& lane, const ChannelFrame& frame, Timestamp now) const;

  // Snapshots (channel_publish.cc).
  void publish(Timestamp now, ChannelOutputs& out);
  bool has_old_report(const Lane& lane) const;
  // Nobody was told of it, and nobody is to be.
  static bool is_hidden(const Lane& lane) { return lane.is_held_back && !lane.was_listed; }
  media::TrackId source_track(const Lane& lane) const;
  bool update_multivariant(Timestamp now);
  Duration window_start() const;

  std::string name_;
  ChannelConfig config_;
  std::string broadcast_;
  ChannelState state_ = ChannelState::kOffline;
  Timestamp deadline_ = Timestamp::never();

  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<SourceId> holders_;        // Of these the sources that have tracks beyond renditions.
  Source* on_air_ = nullptr;             // One of sources_.
  Duration offset_;                      // Source timeline + offset_ = channel timeline.
  std::uint32_t epoch_ = 0;              // Of the source on air.
  std::optional<Timestamp> away_since_;  // No source, or the one on air stalls; the grace time runs.
  bool is_filling_ = false;              // GAP parts are being made.
  std::optional<Timestamp> last_discontinuity_at_;

  PlaylistLimits playlist_limits_;
  media::ClockMap arrival_;  // Channel timeline -> monotonic time.
  media::ClockMap wall_;     // Channel timeline -> UTC.
  WallTime started_at_;
  Grid grid_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  Duration video_frontier_;  // Latest decode time of any video.
  Duration not_before_;      // Frames before this belong to a timeline that was left.
  bool cut_at_next_keyframe_ = false;
  Timestamp last_placed_at_;

  std::vector<RungState> rungs_;
  Slates slates_;
  std::vector<media::TrackId> held_back_;
  bool is_ladder_known_ = false;
  Program program_;
  std::vector<ProgramTrack> program_tracks_;
  std::uint64_t program_revision_ = 0;
  Timestamp begun_at_;
  Gallery gallery_;

  SharedBytes multivariant_;
  bool has_list_news_ = false;  // A rendition is not offered any more, or again.
  std::vector<std::string> warnings_;
  bool has_news_ = false;
  std::shared_ptr<const ChannelSnapshot> snapshot_;
  Continuity continuity_;
  ChannelStats stats_;
};

}  // namespace stoa::live
