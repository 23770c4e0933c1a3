// `stoa-bench latency`: how long a part takes from the write of its last sample to the arrival of its bytes.
// The bench publishes a recording itself, waits for the parts it hinted and for blocked reloads, and finds
// each part's last sample again by its bytes.
#pragma once

#include <string>

#include "stats.h"
#include "world.h"

namespace stoa::bench {

struct LatencyOptions {
  std::string rtmp_url;      // rtmp://host[:port]/app/key
  std::string playlist_url;  // The channel's multivariant playlist.
  std::string flv_path;
  std::size_t rendition = 0;  // Of the variants, then the audio renditions.
  double seconds = 30;
};

Result<Json, Failure> run_latency(const LatencyOptions& options);

}  // namespace stoa::bench
