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
    for (const media::Rung& rung : ladder_) begin(rung);
    stage_.channel.start_program();
    take();
  }
  void stop() {
    is_running_ = false;
    due_.clear();
    shown_.clear();
    cuts_.clear();
    passed_.clear();
    not_before_ = {};
    stage_.channel.stop_program(stage_.now, stage_.wall(), stage_.out);
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
  bool is_frozen = false;            // Takes everything and gives nothing.
  int misses_cuts = 0;               // So many next keyframes are made plain pictures.
  int adds_keyframes = 0;            // So many plain pictures are made keyframes.
  std::uint8_t version = 9;          // Of the format it announces.
  std::vector<RungStopped> stopped;  // What it was told.
  std::vector<RungRefusal> refusals;
  std::vector<ProgramCut> cuts;
  std::uint64_t frames = 0;

 private:
  static constexpr Duration kReorder = Duration::milliseconds(200);  // What comes later is shown later.
  struct Made {
    Timestamp at;
    media::RungId rung;
    media::Frame frame;
  };

  bool begin(const media::Rung& rung) {
    const bool is_video = rung.kind() == media::Kind::kVideo;
    auto began =
        stage_.channel.handle_rung_format(stage_.now, stage_.wall(), rung.id,
                                          is_video ? video_format(30, version) : audio_format(), stage_.out);
    if (began) begun_.insert(rung.id);
    return began.has_value();
  }
  void take() {
    for (ProgramOutput& item : stage_.channel.take_program()) {
      if (const auto* stop = std::get_if<RungStopped>(&item)) {
        stopped.push_back(*stop);
        begun_.erase(stop->rung);
        begin(*std::ranges::find(ladder_, stop->rung, &media::Rung::id));
      } else if (const auto* cut = std::get_if<ProgramCut>(&item)) {
        cuts.push_back(*cut);
        if (cut->has_discontinuity) flush(cut->shown_from);
        cuts_.push_back(cut->shown_from);
      } else if (const auto* frame = std::get_if<ProgramFrame>(&item)) {
        ++frames;
        make(*frame);
      }
    }
  }
  // Pictures leave a decoder in the order they are shown: once nothing that comes can be shown before.
  void make(const ProgramFrame& told) {
    for (const media::Rung& rung : ladder_) {
      if (rung.of != told.track) continue;
      if (rung.kind() == media::Kind::kAudio) {
        due_.push_back(
            {stage_.now + delay, rung.id, {told.frame.pts, told.frame.pts, true, told.frame.payload}});
        continue;
      }
      if (told.frame.pts < not_before_) continue;
      auto& shown = shown_[rung.id];
      shown[told.frame.pts] = told.frame.payload;
      while (!shown.empty() && shown.begin()->first <= told.frame.dts - kReorder) {
        const Duration pts = shown.begin()->first;
        due_.push_back(
            {stage_.now + delay, rung.id, {pts, pts, starts(rung.id, pts), shown.begin()->second}});
        shown.erase(shown.begin());
      }
    }
    std::ranges::stable_sort(due_, {}, &Made::at);
  }
  // Nothing of before is shown any more.
  void flush(Duration until) {
    not_before_ = until - Duration::milliseconds(1);
    for (auto& [rung, shown] : shown_) {
      for (auto& [pts, payload] : shown)
        if (pts < until - Duration::milliseconds(1))
          due_.push_back({stage_.now + delay, rung, {pts, pts, starts(rung, pts), payload}});
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
      if (!made.frame.is_keyframe || !begin(rung)) return;
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
  std::deque<Made> due_;
  std::vector<Duration> cuts_;
  Duration not_before_;  // Of a break's other side.
  std::map<media::RungId, std::map<Duration, SharedBytes>> shown_;
  std::map<media::RungId, std::size_t> passed_;
};

}  // namespace stoa::live::testing
