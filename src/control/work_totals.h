// What all workers of this node have done, for /metrics. Workers come and go and begin to count at 0; here it
// adds up.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/metric.h"
#include "control/worker_numbers.h"

namespace stoa::control {

// Pairs of rung and encoder that are told apart; whoever comes later counts among "other". Operators name
// rungs freely.
inline constexpr std::size_t kRungSeriesMax = 64;

class WorkTotals {
 public:
  // A worker has reported; `before` is what it said before (all 0 at first).
  void handle_report(const WorkerNumbers& before, const WorkerNumbers& now);
  // `current`: of each worker that runs.
  void append_metrics(std::span<const WorkerNumbers* const> current, MetricSamples& samples) const;

 private:
  using Key = std::pair<std::string, std::string>;  // Rung, encoder.
  Key key_of(const RungNumbers& rung) const;

  std::uint64_t frames_in_ = 0;
  std::uint64_t frames_dropped_ = 0;
  std::uint64_t frames_refused_ = 0;
  std::uint64_t pictures_decoded_ = 0;
  Duration cpu_time_;
  struct Made {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
  };
  std::map<Key, Made> made_;
};

}  // namespace stoa::control
