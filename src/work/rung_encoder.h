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
#include <variant>

#include "base/outbox.h"
#include "media/rung.h"
#include "work/scaler.h"
#include "work/video_encoder.h"

namespace stoa::work {

// Cuts come from clocks with ticks of a millisecond.
inline constexpr Duration kCutSlack = Duration::milliseconds(1);
// Cuts ahead of the pictures; of more the oldest are forgotten.
inline constexpr std::size_t kCutsPendingMax = 64;
// Pictures a second where neither the source's bitstream nor the rung says.
inline constexpr std::uint32_t kFrameRateUnsaid = 30;

// Before the rung's first frame.
struct RungFormat {
  media::RungId rung;
  std::shared_ptr<const media::Format> format;
};
struct RungFrame {
  media::RungId rung;
  media::Frame frame;
  // The source's frame that it was made of, and how long this one is shown at the rung's rate; zero when that
  // is not steady.
  Origin origin;
};
struct RungCutMissed {
  media::RungId rung;
  Duration at;
};
// Nothing more comes of this rung.
struct RungEnded {
  media::RungId rung;
  EncodeRefusal why;
};
using RungOutput = std::variant<RungFormat, RungFrame, RungCutMissed, RungEnded>;
using RungOutputs = Outbox<RungOutput>;

struct RungEncoderConfig {
  media::Rung rung;
  // The source's pictures a second as its format says; 0/1: unsaid.
  std::uint32_t source_rate_numerator = 0;
  std::uint32_t source_rate_denominator = 1;
  std::string preset = "veryfast";
  int threads = 1;
};

class RungEncoder {
 public:
  explicit RungEncoder(RungEncoderConfig config);

  // Cuts and pictures come in the order of their times, each cut before its picture.
  void handle_cut(Duration at, RungOutputs& out);
  void handle_picture(const Image& image, RungOutputs& out);

 private:
  bool is_due(Duration pts);
  Duration nominal_duration(Duration of_source) const;
  bool open(const AVFrame& first, RungOutputs& out);
  void end(EncodeRefusal why, RungOutputs& out);

  RungEncoderConfig config_;
  Duration interval_;  // Between the pictures of the rung; zero: all are taken.
  std::optional<Scaler> scaler_;
  std::optional<VideoEncoder> encoder_;  // From the first picture on, which says the colour.
  std::deque<Duration> cuts_;
  Duration seen_until_ = -Duration::infinite();
  Duration due_at_;  // When the next picture is wanted.
  bool waits_for_cut_ = true;
  bool is_ended_ = false;
};

}  // namespace stoa::work
