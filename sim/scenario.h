// A network as a few lines of text, for the simulator and for the shaper between real sockets.
//
//   # RFC 8867 §5.1
//   length 100s
//   delay 50ms                     # Both directions.
//   forward capacity 0 1M          # From the start on.
//   forward capacity 40s 2.5M
//   forward queue 300ms            # Or in bytes: 64kB.
//
// What is said twice holds as said last. A line begins with `forward` or `back`, or speaks of both. Times are
// 20ms, 1.5s or 250us; rates, in bits a second, 800k, 2.5M or 0; probabilities 2% or 0.02. What there is:
//
//   capacity TIME RATE             a step; the first at 0, rate 0 is an outage
//   delay TIME | delay AT TIME     always (whatever was said before), or from a moment on (a route change)
//   queue TIME | queue BYTES       tail drop; 300ms when nothing is said
//   codel [TARGET INTERVAL]        RFC 8289, 5ms 100ms
//   ecn TIME | ecn codel           mark what waited so long, or what CoDel would drop
//   jitter TIME [unordered]        at most so much
//   loss P                         at random
//   burst P P [P]                  Gilbert and Elliott: to enter the bad state, to leave it, loss in it
//   (100%) reorder P [TIME]               held back, by 20ms duplicate P, corrupt P, mtu BYTES length TIME of
//   the whole; no direction
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "sim/path.h"

namespace stoa::sim {

inline constexpr std::size_t kScenarioStepsMax = 10'000;  // Of one schedule.

struct Scenario {
  PathConfig forward, back;
  Duration length;  // Zero: not said.
};

// What is wrong, with the number of the line: "line 3: …".
using ScenarioError = std::string;

Result<Scenario, ScenarioError> parse_scenario(std::string_view text);

}  // namespace stoa::sim
