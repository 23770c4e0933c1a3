// What a shaper is told while it runs: a word of a scenario (sim/scenario.h) that holds from now on, or
// something that happens.
//
//   down capacity 600k     Towards clients; `up`: towards the server; neither: both. `none`: no limit.
//   delay 80ms             Likewise queue, codel, ecn, jitter, loss, burst, reorder, duplicate, corrupt and
//   mtu. outage 10s             For so long the bottlenecks send nothing; what their queues hold waits.
//   handover               Clients come to the server from other ports (ShaperOptions::from: other
//   addresses). to ADDRESS:PORT,…      Where the servers are, one for each port of the shaper.
//
// A script is such lines with a time before each: "20s down capacity 600k".
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/address.h"
#include "base/time.h"
#include "sim/path.h"
#include "world.h"

namespace stoa::bench {

// Of a path that had no limit, once it has an outage or gets its limit back taken.
inline constexpr std::uint64_t kNoLimitBitsPerSecond = 1'000'000'000;

struct ShapeChange {
  bool is_up = true, is_down = true;
  std::string word;
  sim::PathConfig path;  // Of it only what `word` says.
};
struct ShapeOutage {
  Duration length;
};
struct ShapeHandover {};
struct ShapeServers {
  std::vector<SocketAddress> addresses;
};
using ShapeCommand = std::variant<ShapeChange, ShapeOutage, ShapeHandover, ShapeServers>;

struct TimedShapeCommand {
  Duration at;
  ShapeCommand command;
};

Result<ShapeCommand, Failure> parse_shape_command(std::string_view line);
// In order of time. Empty lines, and what follows a #, are left out.
Result<std::vector<TimedShapeCommand>, Failure> parse_shape_script(std::string_view text);
Result<std::vector<SocketAddress>, Failure> parse_shape_servers(std::string_view text);

// Both change a path's configuration from `at` on, counted from its start. A new capacity takes the place of
// all that was to come; an outage does not.
void apply_change(const ShapeChange& change, Duration at, sim::PathConfig& path);
void add_outage(Duration at, Duration length, sim::PathConfig& path);

}  // namespace stoa::bench
