// The networks that congestion control is held against, and the bars: RFC 8867 §5 with pass marks of our own,
// and what the RFC leaves out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/media_flow.h"
#include "sim/network.h"

namespace stoa::bench {

// Of what a picture of a run is drawn, ten times a second.
struct Trace {
  struct Line {
    std::string name;
    std::vector<double> kbps;
  };
  std::vector<double> capacity_kbps, queue_ms;  // Of the forward path.
  std::vector<Line> received, targets;          // By flow.
};
inline constexpr Duration kTraceStep = Duration::milliseconds(100);

// What is measured, and what it has to be.
struct Bar {
  std::string_view what;
  std::string_view unit;  // s, ms, %, or nothing.
  enum class Better : std::uint8_t { kLess, kMore } better = Better::kLess;
  std::optional<double> gate, stretch;  // Without a gate it is only told.

  bool is_worse(double a, double b) const { return better == Better::kLess ? a > b : a < b; }
};

struct Case {
  std::string_view name, about;
  std::span<const Bar> bars;
  // The values of one run, in the order of the bars. Draws when there is a trace.
  std::vector<double> (*run)(std::uint64_t seed, Trace* trace);
  double seconds;  // Of virtual time.
};

std::span<const Case> all_cases();

}  // namespace stoa::bench
