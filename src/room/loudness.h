// How loud a track is, from the audio levels of its packets (RFC 6464): who is speaking is decided by this.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace stoa::room {

// One for each audio track, where its packets arrive.
class Loudness {
 public:
  struct Config {
    std::uint8_t threshold_dbov = 35;  // Quieter than -35 dBov does not count.
    double active_share_min = 0.4;     // Of the time in a window.
    Duration window = Duration::milliseconds(400);
  };
  explicit Loudness(const Config& config) : config_(config) {}
  Loudness() : Loudness(Config()) {}

  // `level`: the value of the extension, 0 (loudest) to 127, as -dBov; its upper bit (voice activity) is
  // passed over. `duration`: of the packet's sound.
  void add(Timestamp now, std::uint8_t level, Duration duration);
  // At the end of a window: 0 to 1, smoothed over windows; 0 when it is not speaking. Nothing: not yet.
  std::optional<float> take_level(Timestamp now);

 private:
  Config config_;
  std::optional<Timestamp> window_began_;
  Duration active_;
  std::uint8_t loudest_ = 127;
  double smoothed_ = 0;
};

}  // namespace stoa::room
