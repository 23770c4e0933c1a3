// What a worker says of itself once a second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace stoa::control {

struct RungNumbers {
  std::string rung;
  std::string encoder;
  std::uint64_t frames = 0;   // Since the worker began.
  std::uint32_t waiting = 0;  // Pictures before the encoder.
  Duration oldest_wait;
  Duration encode_p95;      // Of the last second.
  double speed = 0;         // 1: it takes as long as the media lasts.
  std::uint64_t bytes = 0;  // Since the worker began.
  // Bits per second since the report before; nothing where there was none, or none of it was made.
  std::optional<std::uint32_t> bitrate;
};
// How complex pictures are: of their luma (0 to 255) at a quarter of their width and height, over a second.
struct Complexity {
  double spatial = 0;   // Mean difference of a sample to those right of and below it, added up.
  double temporal = 0;  // Mean difference to the picture before.
};
struct WorkerNumbers {
  std::uint64_t frames_in = 0;  // Told to the worker.
  std::uint64_t frames_dropped = 0;
  std::uint64_t pictures_decoded = 0;
  std::uint64_t frames_refused = 0;
  Duration cpu_time;
  std::uint64_t memory_bytes = 0;
  std::vector<RungNumbers> rungs;
  std::optional<Complexity> complexity;  // Of the source's pictures, if the worker says.
};

// The same rung in another report, also when another encoder makes it now; nullptr: it is not there.
const RungNumbers* find_rung(const WorkerNumbers& numbers, std::string_view rung);
// Works out bit rates by what the same worker said `between` ago.
void set_bitrates(WorkerNumbers& now, const WorkerNumbers& before, Duration between);

}  // namespace stoa::control
