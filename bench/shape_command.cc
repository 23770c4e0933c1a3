#include "shape_command.h"

#include <algorithm>
#include <iterator>

#include "sim/scenario.h"

namespace stoa::bench {
namespace {

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// Takes the first word off.
std::string_view take_word(std::string_view& text) {
  text = trim(text);
  std::string_view word = text.substr(0, text.find_first_of(" \t"));
  text = trim(text.substr(word.size()));
  return word;
}

Result<Duration, Failure> parse_time(std::string_view text) {
  auto scenario = sim::parse_scenario("length " + std::string(text));
  if (!scenario) return refuse("not a time: " + std::string(text));
  return scenario->length;
}

std::uint64_t capacity_at(const sim::PathConfig& path, Duration at) {
  std::uint64_t rate = path.capacity.empty() ? kNoLimitBitsPerSecond : path.capacity[0].bits_per_second;
  for (const sim::CapacityStep& step : path.capacity)
    if (step.at <= at) rate = step.bits_per_second;
  return rate;
}

}  // namespace

Result<std::vector<SocketAddress>, Failure> parse_shape_servers(std::string_view text) {
  std::vector<SocketAddress> addresses;
  while (!text.empty()) {
    auto comma = std::min(text.find(','), text.size());
    auto address = SocketAddress::parse(trim(text.substr(0, comma)));
    if (!address || !address->ip.is_v4() || address->port == 0)
      return refuse("not an IPv4 address with a port: " + std::string(text.substr(0, comma)));
    addresses.push_back(*address);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return addresses;
}

Result<ShapeCommand, Failure> parse_shape_command(std::string_view line) {
  std::string_view rest = line;
  std::string_view word = take_word(rest);
  if (word == "handover" && rest.empty()) return ShapeHandover{};
  if (word == "outage") {
    STOA_TRY(Duration length, parse_time(rest));
    return ShapeOutage{length};
  }
  if (word == "to") {
    STOA_TRY(auto addresses, parse_shape_servers(rest));
    return ShapeServers{std::move(addresses)};
  }
  ShapeChange change;
  if (word == "up" || word == "down") {
    change.is_up = word == "up";
    change.is_down = !change.is_up;
    word = take_word(rest);
  }
  change.word = word;
  if (word == "capacity" && rest == "none") return change;
  if (word == "length") return refuse(Failure("there is no length here"));
  std::string text = "forward " + change.word + (word == "capacity" ? " 0 " : " ") + std::string(rest);
  auto scenario = sim::parse_scenario(text);
  if (!scenario) return refuse(std::string(line) + ": " + scenario.error());
  change.path = std::move(scenario->forward);
  return change;
}

Result<std::vector<TimedShapeCommand>, Failure> parse_shape_script(std::string_view text) {
  std::vector<TimedShapeCommand> commands;
  while (!text.empty()) {
    auto end = std::min(text.find('\n'), text.size());
    std::string_view line = trim(text.substr(0, std::min(end, text.find('#'))));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    STOA_TRY(Duration at, parse_time(take_word(line)));
    STOA_TRY(ShapeCommand command, parse_shape_command(line));
    commands.push_back({at, std::move(command)});
  }
  std::ranges::stable_sort(commands, {}, &TimedShapeCommand::at);
  return commands;
}

void apply_change(const ShapeChange& change, Duration at, sim::PathConfig& path) {
  const sim::PathConfig& from = change.path;
  const std::string& word = change.word;
  if (word == "capacity") {
    std::uint64_t rate = capacity_at(from, {});
    path.capacity = {{Duration(), capacity_at(path, at)}, {at, rate}};
  } else if (word == "delay") {
    path.delay = from.delay;
  } else if (word == "queue") {
    path.queue_max = from.queue_max;
    path.queue_bytes_max = from.queue_bytes_max;
  } else if (word == "codel") {
    path.codel = from.codel;
  } else if (word == "ecn") {
    path.marking = from.marking;
    path.mark_above = from.mark_above;
  } else if (word == "jitter") {
    path.jitter = from.jitter;
    path.keeps_order = from.keeps_order;
  } else if (word == "loss") {
    path.loss = from.loss;
  } else if (word == "burst") {
    path.burst_enter = from.burst_enter;
    path.burst_leave = from.burst_leave;
    path.burst_loss = from.burst_loss;
  } else if (word == "reorder") {
    path.reordering = from.reordering;
    path.reordering_delay = from.reordering_delay;
  } else if (word == "duplicate") {
    path.duplication = from.duplication;
  } else if (word == "corrupt") {
    path.corruption = from.corruption;
  } else if (word == "mtu") {
    path.mtu_bytes = from.mtu_bytes;
  }
}

void add_outage(Duration at, Duration length, sim::PathConfig& path) {
  const Duration end = at + length;
  const std::uint64_t before = capacity_at(path, at), after = capacity_at(path, end);
  std::vector<sim::CapacityStep> steps;
  if (path.capacity.empty()) steps.push_back({Duration(), before});
  std::ranges::copy_if(path.capacity, std::back_inserter(steps),
                       [&](const sim::CapacityStep& step) { return step.at < at; });
  steps.push_back({at, 0});
  steps.push_back({end, after});
  std::ranges::copy_if(path.capacity, std::back_inserter(steps),
                       [&](const sim::CapacityStep& step) { return step.at > end; });
  path.capacity = std::move(steps);
}

}  // namespace stoa::bench
