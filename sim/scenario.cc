#include "sim/scenario.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <span>
#include <vector>

namespace stoa::sim {
namespace {

constexpr double kSecondsMax = 1e6, kRateMax = 1e12, kBytesMax = 1e9;

using Words = std::span<const std::string_view>;
using Wrong = std::optional<std::string>;  // What is wrong with a line, if anything is.

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array kTimeUnits = {Unit{"ms", 1e-3}, Unit{"us", 1e-6}, Unit{"s", 1}};
constexpr std::array kRateUnits = {Unit{"k", 1e3}, Unit{"M", 1e6}, Unit{"G", 1e9}, Unit{"", 1}};
constexpr std::array kByteUnits = {Unit{"kB", 1e3}, Unit{"MB", 1e6}, Unit{"B", 1}};
constexpr std::array kChanceUnits = {Unit{"%", 1e-2}, Unit{"", 1}};

// A number that is not negative, with one of the units.
std::optional<double> read(std::string_view word, std::span<const Unit> units, double max) {
  double number = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || !(number >= 0)) return std::nullopt;
  std::string_view name = word.substr(static_cast<std::size_t>(end - word.data()));
  for (const Unit& unit : units)
    if (unit.name == name && number * unit.factor <= max) return number * unit.factor;
  return std::nullopt;
}

std::optional<Duration> read_time(std::string_view word) {
  if (word == "0") return Duration();
  auto seconds = read(word, kTimeUnits, kSecondsMax);
  return seconds ? std::optional(Duration::from_seconds(*seconds)) : std::nullopt;
}

bool is_chance(std::string_view word, double& chance) {
  auto read_chance = read(word, kChanceUnits, 1);
  chance = read_chance.value_or(0);
  return read_chance.has_value();
}

Wrong read_capacity(Words words, PathConfig& path) {
  std::optional<Duration> at = words.size() == 2 ? read_time(words[0]) : std::nullopt;
  std::optional<double> rate = words.size() == 2 ? read(words[1], kRateUnits, kRateMax) : std::nullopt;
  if (!at || !rate) return "capacity takes a time and a rate, as in `capacity 40s 2.5M`";
  if (*rate > 0 && *rate < static_cast<double>(kCapacityMin)) return "a capacity is 0 or at least 1k";
  if (path.capacity.empty() && *at != Duration()) return "the first capacity begins at 0";
  if (!path.capacity.empty() && *at <= path.capacity.back().at) return "capacities go by time";
  if (path.capacity.size() >= kScenarioStepsMax) return "too many steps";
  path.capacity.push_back({*at, static_cast<std::uint64_t>(*rate)});
  return std::nullopt;
}

Wrong read_delay(Words words, PathConfig& path) {
  std::optional<Duration> at = words.size() == 2 ? read_time(words[0]) : Duration();
  std::optional<Duration> delay;
  if (words.size() == 1 || words.size() == 2) delay = read_time(words.back());
  if (!at || !delay) return "delay takes a time, or when it begins and a time, as in `delay 60s 150ms`";
  if (words.size() == 1) path.delay.clear();
  if (path.delay.empty() && *at != Duration()) path.delay.push_back({});
  if (!path.delay.empty() && *at <= path.delay.back().at) return "delays go by time";
  if (path.delay.size() >= kScenarioStepsMax) return "too many steps";
  path.delay.push_back({*at, *delay});
  return std::nullopt;
}

Wrong read_queue(Words words, PathConfig& path) {
  std::optional<Duration> time = words.size() == 1 ? read_time(words[0]) : std::nullopt;
  std::optional<double> bytes = words.size() == 1 ? read(words[0], kByteUnits, kBytesMax) : std::nullopt;
  if (!time && !(bytes && *bytes >= 1))
    return "queue takes a time or bytes, as in `queue 300ms` or `queue 64kB`";
  if (time) path.queue_max = *time;
  path.queue_bytes_max = time ? 0 : static_cast<std::uint64_t>(*bytes);
  return std::nullopt;
}

Wrong read_codel(Words words, PathConfig& path) {
  Codel::Config codel;
  if (words.size() == 2) {
    auto target = read_time(words[0]), interval = read_time(words[1]);
    if (!target || !interval)
      return "codel takes a target and an interval, as in `codel 5ms 100ms`, or nothing";
    codel = {*target, *interval};
  } else if (!words.empty()) {
    return "codel takes a target and an interval, as in `codel 5ms 100ms`, or nothing";
  }
  path.codel = codel;
  return std::nullopt;
}

Wrong read_ecn(Words words, PathConfig& path) {
  auto above = words.size() == 1 ? read_time(words[0]) : std::nullopt;
  bool by_codel = words.size() == 1 && words[0] == "codel";
  if (!above && !by_codel) return "ecn takes a time or the word codel, as in `ecn 5ms`";
  path.marking = by_codel ? Marking::kCodel : Marking::kThreshold;
  path.mark_above = above.value_or(Duration());
  return std::nullopt;
}

Wrong read_jitter(Words words, PathConfig& path) {
  auto jitter = !words.empty() ? read_time(words[0]) : std::nullopt;
  bool is_unordered = words.size() == 2 && words[1] == "unordered";
  if (!jitter || (words.size() != 1 && !is_unordered))
    return "jitter takes a time, as in `jitter 30ms`, and may be `unordered`";
  path.jitter = *jitter;
  path.keeps_order = !is_unordered;
  return std::nullopt;
}

Wrong read_loss(Words words, PathConfig& path) {
  if (words.size() != 1 || !is_chance(words[0], path.loss))
    return "loss takes a probability, as in `loss 2%`";
  return std::nullopt;
}

Wrong read_burst(Words words, PathConfig& path) {
  bool is_good = (words.size() == 2 || words.size() == 3) && is_chance(words[0], path.burst_enter) &&
                 is_chance(words[1], path.burst_leave);
  if (is_good && words.size() == 3) is_good = is_chance(words[2], path.burst_loss);
  if (!is_good) return "burst takes two or three probabilities, as in `burst 1% 25% 80%`";
  return std::nullopt;
}

Wrong read_reorder(Words words, PathConfig& path) {
  auto by = words.size() == 2 ? read_time(words[1]) : path.reordering_delay;
  bool is_good = (words.size() == 1 || words.size() == 2) && by && is_chance(words[0], path.reordering);
  if (!is_good) return "reorder takes a probability and perhaps a time, as in `reorder 1% 20ms`";
  path.reordering_delay = *by;
  return std::nullopt;
}

Wrong read_duplicate(Words words, PathConfig& path) {
  if (words.size() != 1 || !is_chance(words[0], path.duplication))
    return "duplicate takes a probability, as in `duplicate 1%`";
  return std::nullopt;
}

Wrong read_corrupt(Words words, PathConfig& path) {
  if (words.size() != 1 || !is_chance(words[0], path.corruption))
    return "corrupt takes a probability, as in `corrupt 0.1%`";
  return std::nullopt;
}

Wrong read_mtu(Words words, PathConfig& path) {
  constexpr std::array kPlain = {Unit{"", 1}, Unit{"B", 1}};
  auto bytes = words.size() == 1 ? read(words[0], kPlain, kPathMtuMax) : std::nullopt;
  if (!bytes || *bytes < 1) return "mtu takes bytes, as in `mtu 1200`";
  path.mtu_bytes = static_cast<std::uint32_t>(*bytes);
  return std::nullopt;
}

struct Line {
  std::string_view name;
  Wrong (*read)(Words, PathConfig&);
};
constexpr std::array kLines = {
    Line{"capacity", read_capacity},   Line{"delay", read_delay},     Line{"queue", read_queue},
    Line{"codel", read_codel},         Line{"ecn", read_ecn},         Line{"jitter", read_jitter},
    Line{"loss", read_loss},           Line{"burst", read_burst},     Line{"reorder", read_reorder},
    Line{"duplicate", read_duplicate}, Line{"corrupt", read_corrupt}, Line{"mtu", read_mtu},
};

Wrong read_line(Words words, Scenario& scenario) {
  bool is_forward = words[0] != "back", is_back = words[0] != "forward";
  bool is_both = is_forward && is_back;
  if (!is_both) words = words.subspan(1);
  if (words.empty()) return "a direction without anything behind it";
  if (words[0] == "length") {
    auto length = is_both && words.size() == 2 ? read_time(words[1]) : std::nullopt;
    if (!length || *length == Duration()) return "length takes a time, as in `length 100s`, and no direction";
    scenario.length = *length;
    return std::nullopt;
  }
  for (const Line& line : kLines) {
    if (line.name != words[0]) continue;
    Wrong wrong;
    if (is_forward) wrong = line.read(words.subspan(1), scenario.forward);
    if (is_back && !wrong) wrong = line.read(words.subspan(1), scenario.back);
    return wrong;
  }
  return "there is no `" + std::string(words[0]) + "`";
}

std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  constexpr std::string_view kSpaces = " \t\r";
  for (;;) {
    std::size_t begin = line.find_first_not_of(kSpaces);
    if (begin == line.npos) return words;
    std::size_t end = std::min(line.find_first_of(kSpaces, begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

}  // namespace

Result<Scenario, ScenarioError> parse_scenario(std::string_view text) {
  Scenario scenario;
  for (int number = 1; !text.empty(); ++number) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::vector<std::string_view> words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    if (Wrong wrong = read_line(words, scenario))
      return refuse("line " + std::to_string(number) + ": " + *wrong);
  }
  return scenario;
}

}  // namespace stoa::sim
