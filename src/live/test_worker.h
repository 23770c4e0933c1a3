// For tests: a worker that makes renditions of a channel's program by copying frames, later, with faults that
// are chosen.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "live/test_source.h"

namespace stoa::live::testing {

inline media::Rung video_rung(media::RungId id, const std::string& name, media::TrackId of = 0) {
  media::Rung rung;
  rung.id = id;
  rung.name = name;
  rung.of = of;
  rung.width = 1280;
  rung.height = 720;
  return rung;
}
inline media::Rung audio_rung(media::RungId id, const std::string& name, media::TrackId of = 1) {
  media::Rung rung;
  rung.id = id;
  rung.name = name;
  rung.of = of;
  rung.codec = media::Codec::kAac;
  return rung;
}

// Stands between a stage's channel and its clock: run() in place of the stage's.
class Worker {
 public:
  Worker(Stage& stage, std::vector<media::Rung> ladder) : stage_(stage), ladder_(std::move(ladder)) {}

  void start() {
    is_running_ = true;
    begun_.clear();
    resting_.clear();
    decodable_.clear();
    tracks.clear();
    for (const media::Rung& rung : ladder_) begin(rung);
    (void)stage_.channel.take_program();
    take(stage_.channel.program_log());
  }
  void stop() {
    is_running_ = false;
    due_.clear();
    shown_.clear();
    cuts_.clear();
    passed_.clear();
    not_before_ = {};
    stage_.channel.handle_worker_gone(stage_.now, stage_.wall(), stage_.out);
    stage_.drain();
  }
  void run(Duration time) {
    const Timestamp until = stage_.now + time;
    while (stage_.now < until) {
      stage_.run(std::min(Duration::milliseconds(1), until - stage_.now));
      take();
      while (!due_.empty() && due_.front().at <= stage_.now) {
        Made made = std::move(due_.front());
        due_.pop_front();
        give(made);
      }
    }
  }

  Duration delay = Duration::milliseconds(100);
  bool is_frozen = false;   // Takes everything and gives nothing.
  bool is_garbled = false;  // No picture that it is told can be decoded.
  int misses_cuts = 0;      // So many next keyframes are made plain pictures.
  int adds_keyframes = 0;   // So many plain pictures are made keyframes.
  Duration rests_for;       // Before it begins a rung anew that was stopped.
  // Its encoders of pictures are others from their next keyframe on.
  std::shared_ptr<const media::Format> falls_back_to;
  std::uint8_t version = 9;          // Of the format it announces.
  std::vector<RungStopped> stopped;  // What it was told.
  std::vector<RungRefusal> refusals;
  std::vector<ProgramCut> cuts;
  std::uint64_t frames = 0;
  std::uint64_t frames_of_no_track = 0;
  std::map<media::TrackId, ProgramTrack> tracks;

 private:
  static constexpr Duration kReorder = Duration::milliseconds(200);  // What comes later is shown later.
  struct Made {
    Timestamp at;
    media::RungId rung;
    media::Frame frame;
  };

  bool begin(const media::Rung& rung) {
    const bool is_video = rung.kind() == media::Kind::kVideo;
    auto began = stage_.channel.handle_rung_format(stage_.now, stage_.wall(), rung.id,
                                                   is_video ? format() : audio_format(), stage_.out);
    if (began) begun_.insert(rung.id);
    return began.has_value();
  }
  std::shared_ptr<const media::Format> format() {
    if (falls_back_to) fallback_ = falls_back_to;
    return fallback_ ? fallback_ : video_format(30, version);
  }
  void take() {
    std::vector<ProgramOutput> program = stage_.channel.take_program();
    if (is_running_) take(program);
  }
  void take(const std::vector<ProgramOutput>& program) {
    for (const ProgramOutput& item : program) {
      if (const auto* stop = std::get_if<RungStopped>(&item)) {
        stopped.push_back(*stop);
        begun_.erase(stop->rung);
        resting_[stop->rung] = stage_.now + rests_for;
        if (rests_for == Duration()) begin(*std::ranges::find(ladder_, stop->rung, &media::Rung::id));
      } else if (const auto* cut = std::get_if<ProgramCut>(&item)) {
        cuts.push_back(*cut);
        if (cut->has_discontinuity) flush(cut->shown_from);
        cuts_.push_back(cut->shown_from);
      } else if (const auto* gone = std::get_if<ProgramGone>(&item)) {
        lose(gone->track);
      } else if (const auto* track = std::get_if<ProgramTrack>(&item)) {
        tracks[track->track] = *track;
      } else if (const auto* frame = std::get_if<ProgramFrame>(&item)) {
        ++frames;
        if (!tracks.contains(frame->track)) ++frames_of_no_track;
        make(*frame);
      }
    }
  }
  void lose(media::TrackId track) {
    tracks.erase(track);
    decodable_.erase(track);
    for (const media::Rung& rung : ladder_) {
      if (rung.of != track) continue;
      shown_.erase(rung.id);
      begun_.erase(rung.id);
      std::erase_if(due_, [&](const Made& made) { return made.rung == rung.id; });
      stage_.channel.handle_rung_ended(stage_.now, stage_.wall(), rung.id, stage_.out);
      stage_.drain();
    }
  }
  // Pictures leave a decoder in the order they are shown: once nothing that comes can be shown before.
  void make(const ProgramFrame& told) {
    if (told.frame.is_keyframe) decodable_.insert(told.track);
    if (!decodable_.contains(told.track)) return;
    for (const media::Rung& rung : ladder_) {
      if (rung.of != told.track) continue;
      if (rung.kind() == media::Kind::kAudio) {
        give_later(rung.id, {told.frame.pts, told.frame.pts, true, told.frame.payload});
        continue;
      }
      if (told.frame.pts < not_before_ || is_garbled) continue;
      auto& shown = shown_[rung.id];
      shown[told.frame.pts] = told.frame.payload;
      while (!shown.empty() && shown.begin()->first <= told.frame.dts - kReorder) {
        const Duration pts = shown.begin()->first;
        give_later(rung.id, {pts, pts, starts(rung.id, pts), shown.begin()->second});
        shown.erase(shown.begin());
      }
    }
  }
  void give_later(media::RungId rung, media::Frame frame) {
    const Timestamp at = stage_.now + delay;
    due_.insert(std::ranges::upper_bound(due_, at, {}, &Made::at), {at, rung, std::move(frame)});
  }
  // Nothing of before is shown any more.
  void flush(Duration until) {
    not_before_ = until - Duration::milliseconds(1);
    for (auto& [rung, shown] : shown_) {
      for (auto& [pts, payload] : shown)
        if (pts < until - Duration::milliseconds(1)) give_later(rung, {pts, pts, starts(rung, pts), payload});
      shown.clear();
    }
  }
  bool starts(media::RungId rung, Duration pts) {
    std::size_t& passed = passed_[rung];
    bool is_start = false;
    for (; passed < cuts_.size() && cuts_[passed] - Duration::milliseconds(1) <= pts; ++passed)
      is_start = true;
    return is_start;
  }
  void give(Made& made) {
    if (!is_running_ || is_frozen) return;
    const media::Rung& rung = *std::ranges::find(ladder_, made.rung, &media::Rung::id);
    const bool is_video = rung.kind() == media::Kind::kVideo;
    if (!begun_.contains(made.rung)) {
      if (resting_[made.rung] > stage_.now || !made.frame.is_keyframe || !begin(rung)) return;
    }
    if (is_video && made.frame.is_keyframe && falls_back_to) {
      begin(rung);
      if (++fallen_back_ == 2) falls_back_to.reset();
    }
    if (is_video && made.frame.is_keyframe && misses_cuts > 0) {
      --misses_cuts;
      made.frame.is_keyframe = false;
    } else if (is_video && !made.frame.is_keyframe && adds_keyframes > 0) {
      --adds_keyframes;
      made.frame.is_keyframe = true;
    }
    auto taken =
        stage_.channel.handle_rung_frame(stage_.now, stage_.wall(), made.rung, made.frame, stage_.out);
    if (!taken) refusals.push_back(taken.error());
    stage_.drain();
  }

  Stage& stage_;
  std::vector<media::Rung> ladder_;
  bool is_running_ = false;
  std::set<media::RungId> begun_;
  std::map<media::RungId, Timestamp> resting_;
  std::set<media::TrackId> decodable_;  // Those whose keyframe was there.
  std::shared_ptr<const media::Format> fallback_;
  int fallen_back_ = 0;
  std::deque<Made> due_;
  std::vector<Duration> cuts_;
  Duration not_before_;  // Of a break's other side.
  std::map<media::RungId, std::map<Duration, SharedBytes>> shown_;
  std::map<media::RungId, std::size_t> passed_;
};

}  // namespace stoa::live::testing
