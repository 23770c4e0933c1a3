#include "congestion/stage.h"

#include <algorithm>
#include <string>

#include "base/assert.h"

namespace stoa::bench {
namespace {

constexpr double kJitterMsMax = 30, kStartSpread = 0.3;

Interval step_behind(Timestamp at) { return {at, at + kTraceStep}; }

}  // namespace

Stage::Stage(std::string_view scenario, std::uint64_t seed, Trace* trace) : rng_(seed), trace_(trace) {
  double jitter_ms = kJitterMsMax * rng_.unit();
  std::string text =
      "delay 50ms\nqueue 300ms\njitter " + std::to_string(jitter_ms) + "ms\n" + std::string(scenario);
  auto read = sim::parse_scenario(text);
  STOA_ASSERT(read);
  network_.emplace(*read, Rng(rng_.next()));
}

sim::MediaFlow& Stage::add_media(double start_second, sim::MediaFlow::Config config,
                                 sim::Network::Place place) {
  config.start = at_second(start_second + kStartSpread * rng_.unit());
  starts_.push_back(config.start);
  flows_.push_back(&network_->add(std::make_unique<sim::MediaFlow>(config, Rng(rng_.next())), place));
  return *flows_.back();
}

sim::TcpFlow& Stage::add_tcp(sim::TcpFlow::Config config) {
  auto& flow = network_->add(std::make_unique<sim::TcpFlow>(config, Rng(rng_.next())), {});
  cross_.push_back({&flow});
  if (trace_ != nullptr) trace_->received.push_back({"TCP " + std::to_string(cross_.size()), {}});
  return flow;
}

void Stage::run_until(double second) {
  Timestamp end = at_second(second);
  while (network_->now() < end) {
    network_->run_until(std::min(network_->now() + kTraceStep, end));
    if (trace_ == nullptr) continue;
    trace_->capacity_kbps.push_back(static_cast<double>(network_->forward().capacity(network_->now())) / 1e3);
    trace_->queue_ms.push_back(network_->forward().queue_delay(network_->now()).as_seconds() * 1e3);
    for (std::size_t i = 0; i < cross_.size(); ++i) {
      std::uint64_t bytes = cross_[i].flow->stats().delivered_bytes;
      double kbps =
          static_cast<double>(bytes - cross_[i].delivered_bytes) * 8 / 1e3 / kTraceStep.as_seconds();
      trace_->received[i].kbps.push_back(kbps);
      cross_[i].delivered_bytes = bytes;
    }
  }
}

void Stage::finish_trace() {
  if (trace_ == nullptr) return;
  for (std::size_t i = 0; i < flows_.size(); ++i) {
    std::string name = "flow " + std::to_string(i + 1);
    Trace::Line received{name, {}}, targets{name, {}};
    for (std::size_t step = 0; step < trace_->capacity_kbps.size(); ++step) {
      Interval in = step_behind(Timestamp() + kTraceStep * static_cast<std::int64_t>(step));
      received.kbps.push_back(media_rate(flows_[i]->log(), in) / 1e3);
      targets.kbps.push_back(mean_target(flows_[i]->log(), in) / 1e3);
    }
    trace_->received.push_back(std::move(received));
    trace_->targets.push_back(std::move(targets));
  }
}

}  // namespace stoa::bench
