// stoa-sim: whole nodes in virtual time, from seeds. See README.md.
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "sim/narrow_call.h"
#include "sim/world.h"

namespace {

using namespace stoa;

struct Options {
  std::uint64_t first = 1, seeds = 10;
  std::int64_t seconds = 30, quantum_us = 0;
  bool is_speed = false, is_narrow = false, is_verbose = false;
};

int usage() {
  std::fprintf(
      stderr,
      "stoa-sim [--seeds N] [--first S] [--seconds T]   N stories of T seconds, from seed S on\n"
      "stoa-sim --seed S [--seconds T]                            one, and all that went on\n"
      "stoa-sim --narrow [--seeds N] [--first S]                  calls of two at 3, 0.6 and 3 Mb/s\n"
      "stoa-sim --speed [--seconds T] [--quantum US]              how fast a call of ten is\n");
  return 2;
}

// Of this program's own time: others may use the machine.
double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

bool run_seed(std::uint64_t seed, const Options& options) {
  const double begin = cpu_seconds();
  const sim::Story story = sim::make_story(seed, Duration::seconds(options.seconds));
  if (options.is_verbose)
    for (const sim::Event& event : story.events)
      std::printf("%8.3f s p%u: %s\n", event.at.as_seconds(), event.person, name_of(event.kind));
  sim::World world(story);
  world.run();
  const double used = cpu_seconds() - begin;
  if (options.is_verbose) {
    for (const std::string& line : world.log()) std::printf("%s\n", line.c_str());
    std::printf("%s", world.report().c_str());
  }
  std::printf("seed %" PRIu64 ": %016" PRIx64 " %s, %.0f times real time\n", seed, world.digest(),
              world.faults().count() == 0 ? "ok" : "FAILED", (world.now() - Timestamp()).as_seconds() / used);
  for (const sim::Fault& fault : world.faults().kept())
    std::printf("  at %.3f s: %s\n", (fault.at - Timestamp()).as_seconds(), fault.text.c_str());
  if (world.faults().count() > 0)
    std::printf("  %zu faults. Again: ./dev sim --seed %" PRIu64 " --seconds %" PRId64 "\n",
                world.faults().count(), seed, options.seconds);
  return world.faults().count() == 0;
}

int run_speed(const Options& options) {
  constexpr std::size_t kPeople = 10;
  sim::Story story = sim::make_call(options.first, kPeople, Duration::seconds(options.seconds));
  if (options.quantum_us > 0) story.quantum = Duration::microseconds(options.quantum_us);
  sim::World world(story);
  world.run_until(Timestamp() + Duration::seconds(6));  // All have joined.
  const Timestamp from = world.now();
  const std::uint64_t before = world.inspector().counts().datagrams;
  const double begin = cpu_seconds();
  world.run_until(Timestamp() + Duration::seconds(6 + options.seconds));
  const double used = cpu_seconds() - begin;
  const double virtual_s = (world.now() - from).as_seconds();
  const auto datagrams = static_cast<double>(world.inspector().counts().datagrams - before);
  std::printf("%s", world.report().c_str());
  std::printf(
      "%zu people, %.0f s in %.2f s of CPU: %.0f times real time, %.0f datagrams to clients a second, %.2f "
      "us "
      "each\n",
      kPeople, virtual_s, used, virtual_s / used, datagrams / virtual_s, used / datagrams * 1e6);
  return 0;
}

void print_spread(const char* what, std::vector<double> values, const char* unit) {
  std::sort(values.begin(), values.end());
  std::printf("%s: median %.2f %s, worst %.2f %s\n", what, values[values.size() / 2], unit, values.back(),
              unit);
}

int run_narrow(const Options& options) {
  if (options.seeds == 0) return 0;
  constexpr double kNever = 1e9;
  std::vector<double> gaps, waits, settled, lost, back, least;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    const sim::NarrowCall call = sim::run_narrow_call(options.first + i);
    gaps.push_back(static_cast<double>(call.longest_gap.ms()));
    waits.push_back(static_cast<double>(call.sound_wait.ms()));
    settled.push_back(static_cast<double>(call.sound_wait_settled.ms()));
    lost.push_back(static_cast<double>(call.sounds_lost));
    back.push_back(call.back ? call.back->as_seconds() : kNever);
    least.push_back(call.shown[0].as_seconds());
  }
  print_spread("longest time without a new picture, narrow", gaps, "ms");
  print_spread("sound waits beyond the usual, narrow", waits, "ms");
  print_spread("the same, after 5 s", settled, "ms");
  print_spread("packets of sound that are lost and not made good, narrow", lost, "of 1000");
  print_spread("time at the least layer, of 20 s", least, "s");
  print_spread("back at the top layer", back, "s");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--speed" || name == "--narrow") {
      (name == "--speed" ? options.is_speed : options.is_narrow) = true;
      continue;
    }
    if (i + 1 >= argc) return usage();
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(argv[++i], &end, 10);
    if (*end != '\0') return usage();
    if (name == "--seeds") {
      options.seeds = value;
    } else if (name == "--first") {
      options.first = value;
    } else if (name == "--seed") {
      options.first = value;
      options.seeds = 1;
      options.is_verbose = true;
    } else if (name == "--seconds" && value >= 5 && value <= 100'000) {
      options.seconds = static_cast<std::int64_t>(value);
    } else if (name == "--quantum" && value > 0 && value <= 100'000) {
      options.quantum_us = static_cast<std::int64_t>(value);
    } else {
      return usage();
    }
  }
  if (options.is_speed) return run_speed(options);
  if (options.is_narrow) return run_narrow(options);
  std::uint64_t failed = 0;
  for (std::uint64_t i = 0; i < options.seeds; ++i) {
    failed += run_seed(options.first + i, options) ? 0 : 1;
    std::fflush(stdout);
  }
  std::printf("%" PRIu64 " seeds, %" PRIu64 " failed\n", options.seeds, failed);
  return failed == 0 ? 0 : 1;
}
