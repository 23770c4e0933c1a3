// One rung of the ladder: pictures of the source in, frames of the rung out. Which pictures, where the
// keyframes are, scaling, encoding. No thread of its own (video_ladder.h gives it one).
//
// Cuts are times. The first picture at or after a cut (or up to kCutSlack before it) is a keyframe, and no
// other picture is one. Before its first cut a rung makes nothing. A cut that comes when its picture has
// already gone by is missed: the rung says so and leaves pictures out until the next.
//
// A rung that wants fewer pictures than the source has takes them evenly, counted anew from each cut, so the
// picture at a cut is always among them: of 60 a second every second one for 30.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "work/rest.h"
#include "work/rung_output.h"
#include "work/scaler.h"
#include "work/video_encoder.h"

namespace stoa::work {

// Cuts come from clocks with ticks of a millisecond.
inline constexpr Duration kCutSlack = Duration::milliseconds(1);
// Cuts ahead of the pictures; of more the oldest are forgotten.
inline constexpr std::size_t kCutsPendingMax = 64;
// Pictures a second where neither the source's bitstream nor the rung says.
inline constexpr std::uint32_t kFrameRateUnsaid = 30;

// The source's pictures a second as its format says; 0/1: unsaid.
struct SourceRate {
  std::uint32_t numerator = 0;
  std::uint32_t denominator = 1;
  bool operator==(const SourceRate&) const = default;
};

struct RungEncoderConfig {
  media::Rung rung;
  SourceRate source_rate;
  std::string preset = "veryfast";
  int threads = 1;
  // By name, the first that works; when it fails in mid-stream the next goes on from the next cut. Empty: the
  // processor's.
  std::vector<std::string> encoders;
  MakeVideoEncoder make_encoder = make_video_encoder;
};

class RungEncoder {
 public:
  explicit RungEncoder(RungEncoderConfig config);

  // Cuts and pictures come in the order of their times, each cut before its picture.
  void handle_cut(Duration at, RungOutputs& out);
  // An encoder that cannot be told is begun anew at the next cut.
  void handle_source_rate(SourceRate rate);
  // Other bit rates from the next cut on. Requires: the rest of the rung is as it was.
  void handle_bitrates(const media::Rung& rung) { next_rung_ = rung; }
  // Its owner takes nothing more of it: it ends, rests (rest.h), and begins anew at a cut.
  void handle_refusal(const std::string& text, RungOutputs& out);
  void handle_picture(const Image& image, RungOutputs& out);

  const char* encoder_name() const { return encoder_ ? encoder_->name() : ""; }

 private:
  bool is_due(Duration pts);
  Duration nominal_duration(Duration of_source) const;
  SourceRate rate() const;
  bool open(const AVFrame& first, RungOutputs& out);
  void handle_failure(EncodeRefusal why, RungOutputs& out);
  void end(EncodeRefusal why, RungOutputs& out);

  RungEncoderConfig config_;
  Duration interval_;                // Between the pictures of the rung; zero: all are taken.
  std::size_t encoders_failed_ = 0;  // Of config_.encoders.
  std::optional<media::Rung> next_rung_;
  std::shared_ptr<const media::Format> format_;  // As it was told.
  std::optional<Scaler> scaler_;
  std::unique_ptr<VideoEncoder> encoder_;  // From the first picture on, which says the colour.
  SourceRate encoder_rate_;
  std::deque<Duration> cuts_;
  Duration seen_until_ = -Duration::infinite();
  Duration due_at_;  // When the next picture is wanted.
  Rest rest_;
  bool waits_for_cut_ = true;
  bool is_ended_ = false;
};

}  // namespace stoa::work
