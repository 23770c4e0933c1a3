// `stoa-bench ingest`: many publishers at once, what they cost, and whether all their channels stay live.
#pragma once

#include <string>

#include "stats.h"
#include "world.h"

namespace stoa::bench {

struct IngestOptions {
  std::string rtmp_url;  // rtmp://host[:port]/app/name; publisher i uses the key "name-i".
  std::string flv_path;
  std::string live_url;  // http://…/api/v1/live, looked at once a second. Empty: not looked at.
  std::size_t publishers = 200;
  double seconds = 20;
  double warmup_seconds = 5;
  int server_pid = 0;
};

Result<Json, Failure> run_ingest(const IngestOptions& options);

}  // namespace stoa::bench
