// A video encoder as far as a network sees it: when frames come and how large they are (RFC 8593 §5).
//
// Frame sizes vary around the rate (Laplace), keyframes are several times larger, and what a large frame took
// is saved on those behind it. The rate follows what it was told with some lag, as encoders do.
#pragma once

#include <cstdint>

#include "base/rng.h"
#include "base/time.h"

namespace stoa::sim {

class Encoder {
 public:
  struct Config {
    std::uint64_t min_bits_per_second = 30'000;
    std::uint64_t max_bits_per_second = 4'000'000;
    int frames_per_second = 30;
    Duration lag = Duration::milliseconds(150);  // Until 63 % of a change of rate are done.
    double size_deviation = 0.15;                // Scale of the Laplace distribution, of the mean size.
    double keyframe_size = 4;                    // Of the mean size.
    Duration keyframe_interval = Duration::seconds(10);  // On average. Zero: only when asked for.
  };

  // The first frame comes within a frame's time from `start`.
  Encoder(const Config& config, Rng rng, Timestamp start);

  void set_rate(std::uint64_t bits_per_second);  // Kept within the limits.
  // What pictures there are to show: takes effect with the next frames.
  void set_max(std::uint64_t bits_per_second) { config_.max_bits_per_second = bits_per_second; }
  // The next frame has this rate, without lag, and is a keyframe: another layer.
  void restart(std::uint64_t bits_per_second);

  Timestamp next_frame() const { return next_frame_; }
  bool is_keyframe_next() const { return next_frame_ >= next_keyframe_; }
  // Bytes of the frame that is due. Requires: called once for each next_frame().
  std::uint32_t take_frame();
  // As take_frame(), but the frame is left out.
  void skip_frame();

  std::uint64_t rate() const { return static_cast<std::uint64_t>(rate_); }
  std::uint64_t max() const { return config_.max_bits_per_second; }

 private:
  double clamped(double bits_per_second) const;
  double draw_size();
  void step();

  Config config_;
  Rng rng_;
  Duration frame_interval_;
  Timestamp next_frame_;
  Timestamp next_keyframe_;
  double wanted_, rate_;
  double debt_bytes_ = 0;  // Sent beyond the rate so far.
};

}  // namespace stoa::sim
