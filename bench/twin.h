// The same sender and receiver twice: in virtual time, and over sockets through the shaper by the clock. What
// they come to says how far the simulator is to be believed, and whether the shaper does what it is told.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/media_flow.h"
#include "sim/scenario.h"
#include "stats.h"
#include "world.h"

namespace stoa::bench {

inline constexpr Duration kTwinStep = Duration::milliseconds(500);

struct TwinRun {
  std::vector<double> kbps;        // That arrived, of each kTwinStep.
  std::vector<double> one_way_ms;  // The middle one of each kTwinStep; 0 where nothing arrived.
  double loss_percent = 0;
  double late_ms_p99 = 0;  // Over sockets: how much later than it should the shaper sent.
};

struct TwinOptions {
  sim::Scenario scenario;  // The media goes forward.
  sim::MediaFlow::Config flow;
  std::uint64_t seed = 1;
  Duration length = Duration::seconds(20);
};

TwinRun run_in_virtual_time(const TwinOptions& options);
// Takes as long as it says. A sentence when there are no sockets.
Result<TwinRun, Failure> run_over_sockets(const TwinOptions& options);

// `stoa-bench twin`: both runs of a scenario's file, as JSON.
struct TwinArguments {
  std::string scenario;
  double seconds = 20;
  std::uint64_t seed = 1;
  std::uint64_t start_kbps = 300, encoder_kbps = 4000;
};
Result<Json, Failure> run_twin(const TwinArguments& arguments);

}  // namespace stoa::bench
