// One run of one case: a network, the flows on it, and the trace of what they do.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "congestion/cases.h"
#include "congestion/measure.h"
#include "sim/media_flow.h"
#include "sim/network.h"
#include "sim/tcp_flow.h"

namespace stoa::bench {

inline constexpr double kMbps = 1e6;

inline Timestamp at_second(double seconds) { return Timestamp() + Duration::from_seconds(seconds); }
inline Interval between(double from, double to) { return {at_second(from), at_second(to)}; }

class Stage {
 public:
  // `scenario`: as sim/scenario.h reads it. What it does not say is RFC 8867's: 50 ms each way, a queue of
  // 300 ms, and at most 30 ms of jitter, how much is up to the seed. `trace` may be null.
  Stage(std::string_view scenario, std::uint64_t seed, Trace* trace);

  // Begins up to 0.3 s later, as the seed has it.
  sim::MediaFlow& add_media(double start_second, sim::MediaFlow::Config config = {},
                            sim::Network::Place place = {});
  sim::TcpFlow& add_tcp(sim::TcpFlow::Config config);
  void run_until(double second);
  // To be called at the end, once.
  void finish_trace();

  sim::Network& network() { return *network_; }
  const std::vector<sim::MediaFlow*>& flows() const { return flows_; }
  Timestamp start_of(std::size_t flow) const { return starts_[flow]; }
  std::uint64_t draw() { return rng_.next(); }

 private:
  Rng rng_;
  Trace* trace_;
  std::optional<sim::Network> network_;
  std::vector<sim::MediaFlow*> flows_;
  std::vector<Timestamp> starts_;
  struct Cross {
    sim::TcpFlow* flow;
    std::uint64_t delivered_bytes = 0;  // At the last step of the trace.
  };
  std::vector<Cross> cross_;
};

}  // namespace stoa::bench
