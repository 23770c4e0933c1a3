// `stoa check-hls URL`: drives the judge of check/ over the network and prints its report.
#pragma once

#include <string>

#include "base/time.h"

namespace stoa::server {

struct CheckHlsOptions {
  std::string url;
  Duration watch = Duration::seconds(30);
  // What the way and busy machines may add to a deadline of the checklist (G12, G13, G16, L12, L13).
  Duration slack = Duration::milliseconds(150);
  bool is_insecure = false;  // Takes any certificate.
  bool writes_json = false;
};

// Blocks for about `watch`, or until interrupted (the report then covers what was seen). Prints to stdout.
// The exit code: 0 no M rule broken, 1 at least one broken, 2 nothing could be fetched.
int run_check_hls(const CheckHlsOptions& options);

}  // namespace stoa::server
