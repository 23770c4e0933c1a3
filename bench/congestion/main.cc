// Congestion control held against its bars, in virtual time: every case with many seeds.
//
// stoa-bench-bwe [case…] [--seeds N] [--first N] [--threads N]: a table to stderr, one JSON object to stdout.
// stoa-bench-bwe --trace CASE SEED: one run, as JSON to draw it from.
// stoa-bench-bwe --list: the names of the cases, as JSON.
// With --values the table also says what each seed gave.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "congestion/cases.h"
#include "stats.h"

namespace {

using namespace stoa;
using namespace stoa::bench;

struct Settings {
  std::vector<const Case*> cases;
  std::uint64_t seeds = 50, first = 1, threads = 1;
  bool tells_values = false, lists = false;
  const Case* traced = nullptr;
  std::uint64_t traced_seed = 1;
};

struct Runs {
  const Case* of = nullptr;
  std::vector<std::vector<double>> values;  // By seed.
  double cpu_seconds = 0;
};

struct Verdict {
  double median = 0, worst = 0;
  std::uint64_t worst_seed = 0, held = 0;
  const char* word = "";
};

double cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Runs run_case(const Case& one, const Settings& settings) {
  Runs runs{&one, std::vector<std::vector<double>>(settings.seeds), 0};
  std::atomic<std::uint64_t> next = 0;
  std::vector<double> cpu(settings.threads);
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t t = 0; t < settings.threads; ++t)
      threads.emplace_back([&, t] {
        double before = cpu_now();
        for (std::uint64_t i = next++; i < settings.seeds; i = next++)
          runs.values[i] = one.run(settings.first + i, nullptr);
        cpu[t] = cpu_now() - before;
      });
  }
  for (double seconds : cpu) runs.cpu_seconds += seconds;
  return runs;
}

Verdict judge(const Runs& runs, std::size_t bar_index, const Settings& settings) {
  const Bar& bar = runs.of->bars[bar_index];
  std::vector<double> values;
  Verdict verdict;
  for (std::uint64_t i = 0; i < settings.seeds; ++i) {
    double value = runs.values[i][bar_index];
    if (i == 0 || bar.is_worse(value, verdict.worst)) {
      verdict.worst = value;
      verdict.worst_seed = settings.first + i;
    }
    verdict.held += !bar.gate || !bar.is_worse(value, *bar.gate);
    values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  verdict.median = (values[(values.size() - 1) / 2] + values[values.size() / 2]) / 2;
  bool median_holds = !bar.gate || !bar.is_worse(verdict.median, *bar.gate);
  verdict.word = !bar.gate ? "" : verdict.held == settings.seeds ? "PASS" : median_holds ? "MEDIAN" : "FAIL";
  return verdict;
}

std::string text_of(const std::optional<double>& value) {
  char text[32] = "";
  if (value) std::snprintf(text, sizeof text, "%.4g", *value);
  return text;
}

Json tell_case(const Runs& runs, const Settings& settings) {
  const Case& one = *runs.of;
  double speed = one.seconds * static_cast<double>(settings.seeds) / std::max(runs.cpu_seconds, 1e-9);
  std::fprintf(stderr, "%s (%.*s), %.0f times real time\n", std::string(one.about).c_str(),
               static_cast<int>(one.name.size()), one.name.data(), speed);
  Json bars;
  for (std::size_t i = 0; i < one.bars.size(); ++i) {
    const Bar& bar = one.bars[i];
    Verdict verdict = judge(runs, i, settings);
    bool is_less = bar.better == Bar::Better::kLess;
    std::fprintf(stderr,
                 "  %-6s %-46s %9.4g %9.4g %-3s gate %s%-5s stretch %-5s held %llu, worst seed %llu\n",
                 verdict.word, std::string(bar.what).c_str(), verdict.median, verdict.worst,
                 std::string(bar.unit).c_str(), is_less ? "<=" : ">=", text_of(bar.gate).c_str(),
                 text_of(bar.stretch).c_str(), static_cast<unsigned long long>(verdict.held),
                 static_cast<unsigned long long>(verdict.worst_seed));
    Json told;
    told.text("unit", bar.unit).text("better", is_less ? "less" : "more");
    told.number("median", verdict.median).number("worst", verdict.worst);
    told.count("worst_seed", verdict.worst_seed).text("verdict", verdict.word);
    if (bar.gate) told.number("gate", *bar.gate).count("held", verdict.held);
    if (bar.stretch) told.number("stretch", *bar.stretch);
    bars.object(bar.what, told);
  }
  Json told;
  told.text("about", one.about).count("seeds", settings.seeds).number("times_real_time", speed);
  return told.object("bars", bars);
}

void tell_values(const Runs& runs, const Settings& settings) {
  for (std::uint64_t i = 0; i < settings.seeds; ++i) {
    std::fprintf(stderr, "  seed %llu:", static_cast<unsigned long long>(settings.first + i));
    for (double value : runs.values[i]) std::fprintf(stderr, " %.4g", value);
    std::fprintf(stderr, "\n");
  }
}

std::string list_of(const std::vector<double>& values) {
  std::string list = "[";
  for (double value : values) {
    char text[32];
    std::snprintf(text, sizeof text, "%s%.1f", list.size() > 1 ? "," : "", value);
    list += text;
  }
  return list + "]";
}

int tell_trace(const Settings& settings) {
  Trace trace;
  settings.traced->run(settings.traced_seed, &trace);
  std::printf("{\"case\":\"%s\",\"seed\":%llu,\"step_seconds\":%.3f,\n\"capacity_kbps\":%s,\n\"queue_ms\":%s",
              std::string(settings.traced->name).c_str(),
              static_cast<unsigned long long>(settings.traced_seed), kTraceStep.as_seconds(),
              list_of(trace.capacity_kbps).c_str(), list_of(trace.queue_ms).c_str());
  for (auto [key, lines] :
       {std::pair("received_kbps", &trace.received), std::pair("target_kbps", &trace.targets)}) {
    std::printf(",\n\"%s\":{", key);
    for (std::size_t i = 0; i < lines->size(); ++i)
      std::printf("%s\"%s\":%s", i > 0 ? "," : "", (*lines)[i].name.c_str(),
                  list_of((*lines)[i].kbps).c_str());
    std::printf("}");
  }
  std::printf("}\n");
  return 0;
}

int tell_names() {
  std::string names;
  for (const Case& one : all_cases()) names += (names.empty() ? "\"" : ",\"") + std::string(one.name) + "\"";
  std::printf("{\"cases\":[%s]}\n", names.c_str());
  return 0;
}

const Case* find_case(std::string_view name) {
  for (const Case& one : all_cases())
    if (one.name == name) return &one;
  std::fprintf(stderr, "there is no case \"%s\"; there are", std::string(name).c_str());
  for (const Case& one : all_cases()) std::fprintf(stderr, " %s", std::string(one.name).c_str());
  std::fprintf(stderr, "\n");
  return nullptr;
}

std::optional<Settings> read_settings(int count, char** words) {
  Settings settings;
  for (int i = 1; i < count; ++i) {
    std::string_view word = words[i];
    bool has_next = i + 1 < count;
    auto number = [&] { return std::strtoull(words[++i], nullptr, 10); };
    if (word == "--seeds" && has_next) {
      settings.seeds = number();
    } else if (word == "--first" && has_next) {
      settings.first = number();
    } else if (word == "--threads" && has_next) {
      settings.threads = number();
    } else if (word == "--values") {
      settings.tells_values = true;
    } else if (word == "--list") {
      settings.lists = true;
    } else if (word == "--trace" && i + 2 < count) {
      settings.traced = find_case(words[++i]);
      if (settings.traced == nullptr) return std::nullopt;
      settings.traced_seed = number();
    } else {
      settings.cases.push_back(find_case(word));
      if (settings.cases.back() == nullptr) return std::nullopt;
    }
  }
  if (settings.seeds == 0 || settings.threads == 0 || settings.threads > 64) return std::nullopt;
  if (settings.cases.empty())
    for (const Case& one : all_cases()) settings.cases.push_back(&one);
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  auto settings = read_settings(argc, argv);
  if (!settings) {
    std::fprintf(
        stderr,
        "stoa-bench-bwe [case…] [--seeds N] [--first N] [--threads N] [--values] | --trace CASE SEED\n");
    return 2;
  }
  if (settings->lists) return tell_names();
  if (settings->traced != nullptr) return tell_trace(*settings);
  Json cases;
  for (const Case* one : settings->cases) {
    Runs runs = run_case(*one, *settings);
    cases.object(one->name, tell_case(runs, *settings));
    if (settings->tells_values) tell_values(runs, *settings);
  }
  std::printf("%s\n", Json().object("cases", cases).str().c_str());
  return 0;
}
