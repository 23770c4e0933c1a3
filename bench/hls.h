// `stoa-bench hls`: viewers of one low-latency rendition, each with a blocked playlist reload, and, to
// compare, the same requests against static files (`stoa-bench static`).
#pragma once

#include <string>
#include <vector>

#include "stats.h"
#include "world.h"

namespace stoa::bench {

struct HlsOptions {
  std::string url;  // A multivariant or a media playlist.
  std::size_t viewers = 1000;
  double seconds = 10;  // Measured, after everybody is connected and `warmup_seconds` have passed.
  double warmup_seconds = 2;
  std::size_t connects_per_second = 2000;
  bool wants_gzip = true;
  bool fetches_parts = false;  // Every viewer also downloads every part.
  bool uses_delta = false;     // _HLS_skip=YES.
  int server_pid = 0;          // Its CPU time and memory are measured.
};

// Static files behind any web server, asked for in the same pattern: each period all viewers fetch the
// playlist and then one part, beginning in the same moment.
struct StaticOptions {
  std::string playlist_url;
  std::vector<std::string> part_urls;  // Taken in turn. Empty: playlists only.
  std::size_t viewers = 1000;
  double period_seconds = 0.333;
  double seconds = 10;
  double warmup_seconds = 2;
  std::size_t connects_per_second = 2000;
  bool wants_gzip = true;
  int server_pid = 0;  // Its children are not added: run it with one process or name the worker.
};

Result<Json, Failure> run_hls(const HlsOptions& options);
Result<Json, Failure> run_static(const StaticOptions& options);

}  // namespace stoa::bench
