#include "congestion/cases.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <string>

#include "congestion/stage.h"

namespace stoa::bench {
namespace {

using enum Bar::Better;
using sim::MediaFlow;
using Values = std::vector<double>;

constexpr Bar kUtilisation{"steady utilisation, least of the phases", "%", kMore, 88, 93};
constexpr Bar kWaitP50{"steady queue delay, p50", "ms", kLess, 20, 10};
constexpr Bar kWaitP95{"steady queue delay, p95", "ms", kLess, 60, 40};
constexpr double kSteady = 15;  // The last seconds of a phase.

struct Phase {
  double end, capacity;  // In seconds; bits/s.
};

double percent(double part, double of) { return 100 * part / of; }

// Of all flows together in the last seconds of each phase.
double least_utilisation(std::span<MediaFlow* const> flows, std::initializer_list<Phase> phases) {
  double least = 100;
  for (Phase phase : phases) {
    double rate = 0;
    for (const MediaFlow* flow : flows)
      rate += media_rate(flow->log(), between(phase.end - kSteady, phase.end));
    least = std::min(least, percent(rate, phase.capacity));
  }
  return least;
}

struct Waits {
  double p50, p95;
};
Waits steady_waits(std::span<MediaFlow* const> flows, std::initializer_list<Phase> phases) {
  std::vector<double> waits;
  for (Phase phase : phases)
    for (const MediaFlow* flow : flows)
      add_waits(flow->log(), between(phase.end - kSteady, phase.end), waits);
  return {percentile(waits, 0.5), percentile(waits, 0.95)};
}

std::vector<double> media_rates(std::span<MediaFlow* const> flows, Interval in) {
  std::vector<double> rates;
  for (const MediaFlow* flow : flows) rates.push_back(media_rate(flow->log(), in));
  return rates;
}

constexpr std::array kStartBars = {Bar{"300 kb/s to 90 % of 3 Mb/s", "s", kLess, 2.5, 1.5},
                                   Bar{"longest queue delay", "ms", kLess, {}, {}}};
Values run_start(std::uint64_t seed, Trace* trace) {
  Stage stage("forward capacity 0 3M", seed, trace);
  auto& log = stage.add_media(0).log();
  stage.run_until(15);
  stage.finish_trace();
  Timestamp start = stage.start_of(0);
  std::vector<double> waits;
  add_waits(log, between(0, 15), waits);
  return {seconds_until_usable(log, {start, at_second(15)}, 0.9 * 3 * kMbps), percentile(waits, 1)};
}

constexpr std::array kVariableBars = {Bar{"up 1.0 to 2.5 Mb/s: to 85 %", "s", kLess, 8, 4},
                                      Bar{"down 2.5 to 0.6 Mb/s: sends at most 105 %", "s", kLess, 1, 0.6},
                                      Bar{"down: queue delay under 50 ms again", "s", kLess, 2.5, {}},
                                      Bar{"down: longest queue delay of 5 s", "ms", kLess, 300, {}},
                                      Bar{"down: loss of 5 s", "%", kLess, 3, {}},
                                      kUtilisation,
                                      kWaitP50,
                                      kWaitP95};
Values run_variable(std::uint64_t seed, Trace* trace) {
  constexpr std::string_view kScenario =
      "forward capacity 0 1M\nforward capacity 40s 2.5M\nforward capacity 60s 0.6M\nforward capacity 80s 1M";
  auto phases = {Phase{40, 1 * kMbps}, Phase{60, 2.5 * kMbps}, Phase{80, 0.6 * kMbps}, Phase{100, 1 * kMbps}};
  Stage stage(kScenario, seed, trace);
  auto& log = stage.add_media(0).log();
  stage.run_until(100);
  stage.finish_trace();
  std::vector<double> waits;
  add_waits(log, between(60, 65), waits);
  auto [p50, p95] = steady_waits(stage.flows(), phases);
  return {seconds_until_usable(log, between(40, 60), 0.85 * 2.5 * kMbps),
          seconds_until_sent_below(log, between(60, 80), 1.05 * 0.6 * kMbps),
          seconds_until_waits_below(log, between(60, 80), Duration::milliseconds(50)),
          percentile(waits, 1),
          100 * loss(log, between(60, 65)),
          least_utilisation(stage.flows(), phases),
          p50,
          p95};
}

constexpr std::array kTwoBars = {kUtilisation, kWaitP50, kWaitP95,
                                 Bar{"Jain's index, mean of the phases", "", kMore, {}, {}}};
Values run_two(std::uint64_t seed, Trace* trace) {
  constexpr std::string_view kScenario =
      "forward capacity 0 4M\nforward capacity 25s 2M\nforward capacity 50s 3.5M\nforward capacity 75s 1M\n"
      "forward capacity 100s 2M";
  auto phases = {Phase{25, 4 * kMbps}, Phase{50, 2 * kMbps}, Phase{75, 3.5 * kMbps}, Phase{100, 1 * kMbps},
                 Phase{125, 2 * kMbps}};
  Stage stage(kScenario, seed, trace);
  stage.add_media(0);
  stage.add_media(0);
  stage.run_until(125);
  stage.finish_trace();
  double fairness = 0;
  for (Phase phase : phases)
    fairness += jain(media_rates(stage.flows(), between(phase.end - kSteady, phase.end))) / 5;
  auto [p50, p95] = steady_waits(stage.flows(), phases);
  return {least_utilisation(stage.flows(), phases), p50, p95, fairness};
}

constexpr std::array kFeedbackBars = {Bar{"steady utilisation forward", "%", kMore, 88, 93},
                                      Bar{"steady utilisation back", "%", kMore, 88, 93}, kWaitP50, kWaitP95};
Values run_feedback(std::uint64_t seed, Trace* trace) {
  constexpr std::string_view kScenario =
      "forward capacity 0 2M\nforward capacity 20s 1M\nforward capacity 40s 0.5M\nforward capacity 60s 2M\n"
      "back capacity 0 2M\nback capacity 35s 0.8M\nback capacity 70s 2M";
  auto forward = {Phase{20, 2 * kMbps}, Phase{40, 1 * kMbps}, Phase{60, 0.5 * kMbps}, Phase{100, 2 * kMbps}};
  auto back = {Phase{35, 2 * kMbps}, Phase{70, 0.8 * kMbps}, Phase{100, 2 * kMbps}};
  Stage stage(kScenario, seed, trace);
  stage.add_media(0);
  stage.add_media(0, {}, {.is_backward = true});
  stage.run_until(100);
  stage.finish_trace();
  std::span flows(stage.flows());
  auto there = steady_waits(flows.first(1), forward), here = steady_waits(flows.last(1), back);
  return {least_utilisation(flows.first(1), forward), least_utilisation(flows.last(1), back),
          std::max(there.p50, here.p50), std::max(there.p95, here.p95)};
}

constexpr std::array kThreeBars = {Bar{"Jain's index of the last 40 s", "", kMore, 0.90, 0.95}, kUtilisation,
                                   kWaitP50, kWaitP95};
Values run_three(std::uint64_t seed, Trace* trace) {
  auto phases = {Phase{20, 3.5 * kMbps}, Phase{40, 3.5 * kMbps}, Phase{120, 3.5 * kMbps}};
  Stage stage("forward capacity 0 3.5M", seed, trace);
  for (double start : {0.0, 20.0, 40.0}) stage.add_media(start);
  stage.run_until(120);
  stage.finish_trace();
  auto [p50, p95] = steady_waits(stage.flows(), phases);
  return {jain(media_rates(stage.flows(), between(80, 120))), least_utilisation(stage.flows(), phases), p50,
          p95};
}

constexpr std::array kRoundTripBars = {Bar{"Jain's index of the last 60 s", "", kMore, 0.85, 0.92},
                                       Bar{"least flow, of its fair share", "%", kMore, 40, {}}, kUtilisation,
                                       kWaitP50, kWaitP95};
Values run_round_trips(std::uint64_t seed, Trace* trace) {
  auto phases = {Phase{300, 4 * kMbps}};
  Stage stage("delay 5ms\nforward capacity 0 4M", seed, trace);
  double start = 0;
  for (int one_way_ms : {10, 25, 50, 100, 150}) {
    stage.add_media(start, {}, {.access_delay = Duration::milliseconds(one_way_ms - 5)});
    start += 10;
  }
  stage.run_until(300);
  stage.finish_trace();
  auto rates = media_rates(stage.flows(), between(240, 300));
  auto [p50, p95] = steady_waits(stage.flows(), phases);
  return {jain(rates), percent(*std::min_element(rates.begin(), rates.end()), 0.8 * kMbps),
          least_utilisation(stage.flows(), phases), p50, p95};
}

constexpr std::array kTcpBars = {Bar{"media keeps, of the capacity, from 20 s on", "%", kMore, 25, 35},
                                 Bar{"media and TCP together", "%", kMore, {}, {}}};
constexpr std::array kDeepTcpBars = {Bar{"media keeps, of the capacity, from 20 s on", "%", kMore, {}, {}},
                                     Bar{"media and TCP together", "%", kMore, {}, {}}};
Values beside_tcp(std::uint64_t seed, Trace* trace, std::string_view scenario) {
  Stage stage(scenario, seed, trace);
  auto& media = stage.add_media(0).log();
  auto& tcp = stage.add_tcp({}).stats();
  stage.run_until(20);
  std::uint64_t before = tcp.delivered_bytes;
  stage.run_until(120);
  stage.finish_trace();
  double kept = media_rate(media, between(20, 120)),
         tcp_rate = static_cast<double>(tcp.delivered_bytes - before) * 8 / 100;
  return {percent(kept, 2 * kMbps), percent(kept + tcp_rate, 2 * kMbps)};
}
Values run_tcp(std::uint64_t seed, Trace* trace) { return beside_tcp(seed, trace, "forward capacity 0 2M"); }
Values run_deep_tcp(std::uint64_t seed, Trace* trace) {
  return beside_tcp(seed, trace, "forward capacity 0 2M\nforward queue 1s");
}

constexpr std::array kShortTcpBars = {
    Bar{"media, both together, of the capacity, from 20 s on", "%", kMore, {}, {}},
    Bar{"the lesser of the two, of their mean", "%", kMore, {}, {}},
    Bar{"queue delay, p95", "ms", kLess, {}, {}}};
Values run_short_tcp(std::uint64_t seed, Trace* trace) {
  Stage stage("forward capacity 0 2M", seed, trace);
  stage.add_media(0);
  stage.add_media(0);
  for (int i = 0; i < 10; ++i)  // Two of them begin at once.
    stage.add_tcp({.file_bytes_min = 100'000, .file_bytes_max = 1'000'000, .begins_with_pause = i >= 2});
  stage.run_until(300);
  stage.finish_trace();
  auto rates = media_rates(stage.flows(), between(20, 300));
  std::vector<double> waits;
  for (const MediaFlow* flow : stage.flows()) add_waits(flow->log(), between(20, 300), waits);
  double both = rates[0] + rates[1];
  return {percent(both, 2 * kMbps), percent(std::min(rates[0], rates[1]), both / 2), percentile(waits, 0.95)};
}

constexpr std::array kPauseBars = {Bar{"resumed: to 85 % of its share", "s", kLess, {}, {}},
                                   Bar{"Jain's index of the last 40 s", "", kMore, {}, {}}, kUtilisation,
                                   kWaitP50, kWaitP95};
Values run_pause(std::uint64_t seed, Trace* trace) {
  auto phases = {Phase{40, 3.5 * kMbps}, Phase{60, 3.5 * kMbps}, Phase{120, 3.5 * kMbps}};
  Stage stage("forward capacity 0 3.5M", seed, trace);
  for (int i = 0; i < 3; ++i) stage.add_media(0);
  MediaFlow& paused = *stage.flows()[1];
  stage.run_until(40);
  paused.pause();
  stage.run_until(60);
  paused.resume();
  stage.run_until(120);
  stage.finish_trace();
  auto [p50, p95] = steady_waits(stage.flows(), phases);
  return {seconds_until_usable(paused.log(), between(60, 120), 0.85 * 3.5 / 3 * kMbps),
          jain(media_rates(stage.flows(), between(80, 120))), least_utilisation(stage.flows(), phases), p50,
          p95};
}

// What arrives, of what could: the capacity without what is lost behind it.
double loss_utilisation(std::uint64_t seed, Trace* trace, std::string_view scenario, double lost) {
  Stage stage(scenario, seed, trace);
  auto& log = stage.add_media(0).log();
  stage.run_until(60);
  stage.finish_trace();
  return percent(media_rate(log, between(10, 60)), 3 * kMbps * (1 - lost));
}
constexpr std::array kLoss2Bars = {Bar{"utilisation from 10 s on", "%", kMore, 90, 95}};
constexpr std::array kLoss10Bars = {Bar{"utilisation from 10 s on", "%", kMore, 60, 75}};
Values run_loss_2(std::uint64_t seed, Trace* trace) {
  return {loss_utilisation(seed, trace, "forward capacity 0 3M\nforward loss 2%", 0.02)};
}
Values run_loss_10(std::uint64_t seed, Trace* trace) {
  return {loss_utilisation(seed, trace, "forward capacity 0 3M\nforward loss 10%", 0.1)};
}

constexpr std::array kJitterBars = {Bar{"utilisation from 10 s on", "%", kMore, 80, {}},
                                    Bar{"least second from 10 s on", "%", kMore, 50, {}}};
Values jitter_values(std::uint64_t seed, Trace* trace, std::string_view scenario) {
  Stage stage(scenario, seed, trace);
  auto& log = stage.add_media(0).log();
  stage.run_until(120);
  stage.finish_trace();
  Interval in = between(10, 120);
  return {percent(media_rate(log, in), 2 * kMbps), percent(least_media_rate(log, in), 2 * kMbps)};
}
Values run_jitter(std::uint64_t seed, Trace* trace) {
  return jitter_values(seed, trace, "forward capacity 0 2M\njitter 30ms");
}
Values run_jitter_unordered(std::uint64_t seed, Trace* trace) {
  return jitter_values(seed, trace, "forward capacity 0 2M\njitter 30ms unordered");
}

constexpr std::array kMarkBars = {Bar{"utilisation from 10 s on", "%", kMore, {}, {}},
                                  Bar{"queue delay, p50", "ms", kLess, {}, {}},
                                  Bar{"queue delay, p95", "ms", kLess, {}, {}}};
Values run_marks(std::uint64_t seed, Trace* trace) {
  Stage stage("forward capacity 0 3M\nforward ecn 15ms", seed, trace);
  MediaFlow::Config config;
  config.controller.reacts_to_ecn = true;
  auto& log = stage.add_media(0, config).log();
  stage.run_until(60);
  stage.finish_trace();
  std::vector<double> waits;
  add_waits(log, between(10, 60), waits);
  double p50 = percentile(waits, 0.5);
  return {percent(media_rate(log, between(10, 60)), 3 * kMbps), p50, percentile(waits, 0.95)};
}

constexpr std::array kOutageBars = {Bar{"to 80 % of the rate before it", "s", kLess, 4, 2.5},
                                    Bar{"utilisation before it", "%", kMore, {}, {}}};
Values run_outage(std::uint64_t seed, Trace* trace) {
  Stage stage("capacity 0 3M\ncapacity 30s 0\ncapacity 40s 3M", seed, trace);
  auto& log = stage.add_media(0).log();
  stage.run_until(70);
  stage.finish_trace();
  double before = media_rate(log, between(20, 30));
  return {seconds_until_usable(log, between(40, 70), 0.8 * before), percent(before, 3 * kMbps)};
}

constexpr std::array kLimitedBars = {Bar{"largest estimate, of what was proven", "", kLess, 2, {}},
                                     Bar{"ready for 2.5 Mb/s", "s", kLess, 1.5, {}}};
Values run_app_limited(std::uint64_t seed, Trace* trace) {
  Stage stage("forward capacity 0 5M", seed, trace);
  MediaFlow::Config config;
  config.encoder.max_bits_per_second = 500'000 - sim::kAudioBitsPerSecond;
  MediaFlow& flow = stage.add_media(0, config);
  stage.run_until(600);
  double estimate = largest_target(flow.log(), between(10, 600));
  double proven = std::min(proven_rate(flow.log(), at_second(600)), 5 * kMbps);
  flow.set_encoder_max(at_second(600), 2'500'000 - sim::kAudioBitsPerSecond);
  stage.network().renew_deadlines();
  stage.run_until(610);
  stage.finish_trace();
  return {estimate / proven, seconds_until_usable(flow.log(), between(600, 610), 2.5 * kMbps)};
}

constexpr double kSettled = 30;  // Seconds after which a layer is no part of the start.

// Of a receiver of three simulcast layers, whose switches after the start are counted.
sim::MediaLog log_of_layers(std::uint64_t seed, Trace* trace, std::uint64_t capacity) {
  Stage stage("forward capacity 0 " + std::to_string(capacity), seed, trace);
  MediaFlow::Config config;
  config.layers = {150'000, 500'000, 1'700'000};
  auto& log = stage.add_media(0, config).log();
  stage.run_until(600);
  stage.finish_trace();
  return log;
}
double switches_of(const sim::MediaLog& log) {
  return static_cast<double>(std::count_if(log.switches.begin(), log.switches.end(),
                                           [](const auto& one) { return one.at >= at_second(kSettled); }));
}
double layer_of(const sim::MediaLog& log) {
  return log.switches.empty() ? 0 : static_cast<double>(log.switches.back().layer);
}

constexpr std::array kSwitchBars = {Bar{"switches on 2.5 Mb/s, from 30 s on", "", kLess, 0, {}},
                                    Bar{"switches on 0.9 Mb/s, from 30 s on", "", kLess, 0, {}},
                                    Bar{"layer on 2.5 Mb/s at the end", "", kMore, 3, {}},
                                    Bar{"layer on 0.9 Mb/s at the end", "", kMore, 2, {}}};
Values run_switches(std::uint64_t seed, Trace* trace) {
  auto high = log_of_layers(seed, trace, 2'500'000), low = log_of_layers(seed, nullptr, 900'000);
  return {switches_of(high), switches_of(low), layer_of(high), layer_of(low)};
}

// A capacity at which the layer (with sound) fits by 2 %.
std::uint64_t boundary_of(std::uint64_t layer) { return (layer + sim::kAudioBitsPerSecond) * 102 / 100; }
constexpr std::array kBoundaryBars = {Bar{"switches in 30 s, of 1.7 Mb/s", "", kLess, 1, {}},
                                      Bar{"switches in 30 s, of 0.5 Mb/s", "", kLess, 1, {}}};
Values run_boundary(std::uint64_t seed, Trace* trace) {
  constexpr double kPeriods = (600 - kSettled) / 30;
  auto high = log_of_layers(seed, trace, boundary_of(1'700'000)),
       low = log_of_layers(seed, nullptr, boundary_of(500'000));
  return {switches_of(high) / kPeriods, switches_of(low) / kPeriods};
}

constexpr std::array kCases = {
    Case{"start", "Start-up on an idle link of 3 Mb/s", kStartBars, run_start, 15},
    Case{"5.1", "RFC 8867 5.1: variable capacity, one flow", kVariableBars, run_variable, 100},
    Case{"5.2", "RFC 8867 5.2: variable capacity, two flows", kTwoBars, run_two, 125},
    Case{"5.3", "RFC 8867 5.3: congested feedback, flows both ways", kFeedbackBars, run_feedback, 100},
    Case{"5.4", "RFC 8867 5.4: three flows, one after the other", kThreeBars, run_three, 120},
    Case{"5.5", "RFC 8867 5.5: five flows of 10 to 150 ms one way", kRoundTripBars, run_round_trips, 300},
    Case{"5.6", "RFC 8867 5.6: beside a long TCP flow, queue of 300 ms", kTcpBars, run_tcp, 120},
    Case{"5.6-deep", "RFC 8867 5.6: beside a long TCP flow, queue of 1 s", kDeepTcpBars, run_deep_tcp, 120},
    Case{"5.7", "RFC 8867 5.7: two flows beside ten of short TCP", kShortTcpBars, run_short_tcp, 300},
    Case{"5.8", "RFC 8867 5.8: three flows, one pauses", kPauseBars, run_pause, 120},
    Case{"outage", "10 s without capacity, 3 Mb/s", kOutageBars, run_outage, 70},
    Case{"loss-2", "2 % random loss, 3 Mb/s", kLoss2Bars, run_loss_2, 60},
    Case{"loss-10", "10 % random loss, 3 Mb/s", kLoss10Bars, run_loss_10, 60},
    Case{"jitter", "30 ms of jitter in order, 2 Mb/s", kJitterBars, run_jitter, 120},
    Case{"jitter-unordered", "30 ms of jitter that reorders, 2 Mb/s", kJitterBars, run_jitter_unordered, 120},
    Case{"ecn", "Marked behind 15 ms of queue, RFC 8888 feedback, 3 Mb/s", kMarkBars, run_marks, 60},
    Case{"app-limited", "500 kb/s for 10 minutes on 5 Mb/s", kLimitedBars, run_app_limited, 610},
    Case{"switches", "Three layers on a stable link for 10 minutes", kSwitchBars, run_switches, 1200},
    Case{"boundary", "Three layers on 1.02 times what one of them takes", kBoundaryBars, run_boundary, 1200},
};

}  // namespace

std::span<const Case> all_cases() { return kCases; }

}  // namespace stoa::bench
