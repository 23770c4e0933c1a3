// `stoa-bench shape`: a Shaper with the clock and the terminal. Commands (shape_command.h) come as lines on
// stdin, or from a script; each second, and at the end, a line of JSON on stdout says what happened.
#pragma once

#include <string>

#include "shaper.h"

namespace stoa::bench {

struct ShapeOptions {
  std::string listen = "127.0.0.1:0";  // Where the first port is; an IPv4 address.
  std::size_t ports = 1;
  std::string to;  // "address:port,…", one for each port; empty: a line on stdin will say.
  std::string
      scenario;  // A file (sim/scenario.h): forward is towards clients. Empty: a path that does nothing.
  std::string script;  // A file of commands with times; empty: none.
  std::string from;    // Addresses, separated by commas: ShaperOptions::from.
  bool is_per_client = false;
  std::uint64_t seed = 1;
  double seconds = 0;  // 0: until stopped, or the end of stdin.
};

// Says {"port":…} first, so that others know where it listens.
Result<int, Failure> run_shape(const ShapeOptions& options);

}  // namespace stoa::bench
