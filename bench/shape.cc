#include "shape.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

#include "sim/scenario.h"

namespace stoa::bench {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kLineBytesMax = 4096;

Result<std::string, Failure> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) return refuse("cannot read " + path);
  return text;
}

Result<ShaperOptions, Failure> make_options(const ShapeOptions& options) {
  ShaperOptions shaper;
  auto listen = SocketAddress::parse(options.listen);
  if (!listen || !listen->ip.is_v4()) return refuse("not an IPv4 address with a port: " + options.listen);
  shaper.listen = listen->ip;
  shaper.port = listen->port;
  shaper.ports = options.ports;
  STOA_TRY(shaper.servers, parse_shape_servers(options.to));
  for (std::string_view rest = options.from; !rest.empty();) {
    auto comma = std::min(rest.find(','), rest.size());
    auto ip = IpAddress::parse(rest.substr(0, comma));
    if (!ip || !ip->is_v4()) return refuse("not an IPv4 address: " + std::string(rest.substr(0, comma)));
    shaper.from.push_back(*ip);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (!options.scenario.empty()) {
    STOA_TRY(std::string text, read_file(options.scenario));
    auto scenario = sim::parse_scenario(text);
    if (!scenario) return refuse(options.scenario + ": " + scenario.error());
    shaper.down = std::move(scenario->forward);
    shaper.up = std::move(scenario->back);
  }
  shaper.is_per_client = options.is_per_client;
  shaper.seed = options.seed;
  return shaper;
}

double kbps(std::uint64_t bytes, double seconds) {
  return seconds > 0 ? static_cast<double>(bytes) * 8e-3 / seconds : 0;
}

Json write_counters(const ShapeCounters& counters, Duration queue, double seconds) {
  Json json;
  json.count("packets", counters.packets)
      .count("bytes", counters.bytes)
      .number("kbps", kbps(counters.bytes, seconds))
      .count("delivered_packets", counters.delivered_packets)
      .count("delivered_bytes", counters.delivered_bytes)
      .number("delivered_kbps", kbps(counters.delivered_bytes, seconds))
      .count("dropped", counters.dropped)
      .count("lost", counters.lost)
      .count("marked", counters.marked)
      .count("corrupted", counters.corrupted)
      .count("duplicated", counters.duplicated)
      .count("held_back", counters.held_back)
      .number("queue_ms", queue.as_seconds() * 1e3)
      .number("waited_ms_mean", counters.queue_ms.mean())
      .number("waited_ms_p95", counters.queue_ms.percentile(0.95))
      .number("waited_ms_max", counters.queue_ms.max());
  return json;
}

// What was read of stdin, line by line.
class Lines {
 public:
  // False when there is nothing more to come.
  bool read() {
    std::array<char, kLineBytesMax> piece;
    ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got <= 0) return false;
    text_.append(piece.data(), static_cast<std::size_t>(got));
    return true;
  }
  std::optional<std::string> take() {
    auto end = text_.find('\n');
    if (end == std::string::npos) {
      if (text_.size() > kLineBytesMax) text_.clear();
      return std::nullopt;
    }
    std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }

 private:
  std::string text_;
};

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void obey(Shaper& shaper, const Result<ShapeCommand, Failure>& command) {
  auto done = command ? shaper.handle_command(*command) : refuse(command.error());
  if (!done) say(Json().text("error", done.error()).str());
}

}  // namespace

Result<int, Failure> run_shape(const ShapeOptions& options) {
  STOA_TRY(ShaperOptions shaper_options, make_options(options));
  std::vector<TimedShapeCommand> script;
  if (!options.script.empty()) {
    STOA_TRY(std::string text, read_file(options.script));
    STOA_TRY(script, parse_shape_script(text));
  }
  STOA_TRY(auto shaper, Shaper::open(std::move(shaper_options)));
  say(Json().count("port", shaper->port()).str());
  shaper->watch(STDIN_FILENO);
  Lines lines;
  const std::int64_t began = now_ns();
  const std::int64_t end =
      options.seconds > 0 ? began + static_cast<std::int64_t>(options.seconds * kSecondNs) : INT64_MAX;
  std::int64_t reported = began;
  auto next_command = script.begin();
  auto report = [&](std::int64_t now) {
    const double seconds = static_cast<double>(now - reported) / kSecondNs;
    const ShapeFaults faults = shaper->take_faults();
    Json json;
    json.number("at", static_cast<double>(now - began) / kSecondNs)
        .count("unix_ms", static_cast<std::uint64_t>(unix_ms()))
        .number("seconds", seconds)
        .count("clients", shaper->clients())
        .object("up", write_counters(shaper->take_up(), shaper->queue_delay_up(), seconds))
        .object("down", write_counters(shaper->take_down(), shaper->queue_delay_down(), seconds))
        .count("refused", faults.refused)
        .count("unread", faults.unread)
        .count("turned_away", faults.turned_away)
        .number("late_ms_p99", faults.late_ms.percentile(0.99))
        .number("late_ms_max", faults.late_ms.max());
    say(json.str());
    reported = now;
    shaper->drop_idle();
  };
  bool is_open = true;
  while (is_open && !stop_asked()) {
    const std::int64_t next_at = next_command == script.end() ? INT64_MAX : began + next_command->at.ns();
    if (shaper->turn(std::min({end, next_at, reported + kSecondNs}))) {
      is_open = lines.read();
      while (auto line = lines.take())
        if (!line->empty()) obey(*shaper, parse_shape_command(*line));
    }
    const std::int64_t now = now_ns();
    for (; next_command != script.end() && began + next_command->at.ns() <= now; ++next_command)
      obey(*shaper, next_command->command);
    if (now >= reported + kSecondNs) report(now);
    if (now >= end) break;
  }
  report(now_ns());
  return 0;
}

}  // namespace stoa::bench
