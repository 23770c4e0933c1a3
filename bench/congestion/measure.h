// What a flow achieved, out of its log: rates, delays, and how long something took.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/time.h"
#include "sim/media_flow.h"

namespace stoa::bench {

struct Interval {
  Timestamp from, to;  // Without `to`.
  double seconds() const { return (to - from).as_seconds(); }
};

// Bits a second in the interval: what left, padding and all; media that arrived.
double sent_rate(const sim::MediaLog& log, Interval in);
double media_rate(const sim::MediaLog& log, Interval in);
// The least of any second within.
double least_media_rate(const sim::MediaLog& log, Interval in);
double mean_target(const sim::MediaLog& log, Interval in);
double largest_target(const sim::MediaLog& log, Interval in);
// The most that arrived in any 100 ms before the interval's end, as bits a second.
double proven_rate(const sim::MediaLog& log, Timestamp end);

// Milliseconds in the bottleneck's queue, of packets that arrived in the interval.
void add_waits(const sim::MediaLog& log, Interval in, std::vector<double>& waits_ms);
double percentile(std::vector<double>& values, double fraction);  // Nearest rank; 0 of nothing.
// Of what was sent in the interval, 0 to 1.
double loss(const sim::MediaLog& log, Interval in);

// Seconds from the interval's beginning until something holds; the interval's length when it never does.
//
// A rate can be used: the target is at least `wanted`, also on average over the second behind, and so much
// less a fifth arrives in that second.
double seconds_until_usable(const sim::MediaLog& log, Interval in, double wanted);
// No more than this is sent in 300 ms.
double seconds_until_sent_below(const sim::MediaLog& log, Interval in, double bits_per_second);
// No packet waits as long as this in half a second.
double seconds_until_waits_below(const sim::MediaLog& log, Interval in, Duration wait);

// Jain's index of fairness: 1 when all are equal, 1/n when one has all. 0 of nothing.
double jain(std::span<const double> rates);

}  // namespace stoa::bench
