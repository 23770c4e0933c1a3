#include "control/work_totals.h"

#include <algorithm>

namespace stoa::control {
namespace {

// A number that went back is of a worker that counts anew.
std::uint64_t growth(std::uint64_t before, std::uint64_t now) { return now >= before ? now - before : now; }

// By the same encoder.
const RungNumbers* find_like(const WorkerNumbers& numbers, const RungNumbers& like) {
  auto found = std::ranges::find_if(numbers.rungs, [&](const RungNumbers& one) {
    return one.rung == like.rung && one.encoder == like.encoder;
  });
  return found == numbers.rungs.end() ? nullptr : &*found;
}

// Of one rung by one encoder, over all channels.
struct Now {
  Duration encode_p95;  // The longest.
  Duration oldest_wait;
  std::uint64_t waiting = 0;
  double speed = 0;  // The slowest.
};

}  // namespace

WorkTotals::Key WorkTotals::key_of(const RungNumbers& rung) const {
  Key key{rung.rung, rung.encoder};
  if (made_.contains(key) || made_.size() < kRungSeriesMax) return key;
  return {"other", "other"};
}

void WorkTotals::handle_report(const WorkerNumbers& before, const WorkerNumbers& now) {
  frames_in_ += growth(before.frames_in, now.frames_in);
  frames_dropped_ += growth(before.frames_dropped, now.frames_dropped);
  frames_refused_ += growth(before.frames_refused, now.frames_refused);
  pictures_decoded_ += growth(before.pictures_decoded, now.pictures_decoded);
  cpu_time_ += now.cpu_time >= before.cpu_time ? now.cpu_time - before.cpu_time : now.cpu_time;
  for (const RungNumbers& rung : now.rungs) {
    const RungNumbers* known = find_like(before, rung);
    Made& made = made_[key_of(rung)];
    made.frames += growth(known ? known->frames : 0, rung.frames);
    made.bytes += growth(known ? known->bytes : 0, rung.bytes);
  }
}

void WorkTotals::append_metrics(std::span<const WorkerNumbers* const> current, MetricSamples& samples) const {
  const auto count = [&](const char* name, const char* help, double value) {
    samples.push_back({name, help, MetricKind::kCounter, {}, value});
  };
  count("stoa_work_frames_in_total", "Frames that workers were told.", static_cast<double>(frames_in_));
  count("stoa_work_frames_dropped_total", "Frames that workers were not told, since they had too many.",
        static_cast<double>(frames_dropped_));
  count("stoa_work_frames_refused_total", "Frames that workers could not decode.",
        static_cast<double>(frames_refused_));
  count("stoa_work_pictures_decoded_total", "Pictures that workers decoded.",
        static_cast<double>(pictures_decoded_));
  count("stoa_work_cpu_seconds_total", "Time that workers had of processors.", cpu_time_.as_seconds());

  double memory = 0;
  Complexity complexity;
  std::map<Key, Now> rungs;
  for (const WorkerNumbers* numbers : current) {
    memory += static_cast<double>(numbers->memory_bytes);
    const Complexity said = numbers->complexity.value_or(Complexity());
    complexity.spatial = std::max(complexity.spatial, said.spatial);
    complexity.temporal = std::max(complexity.temporal, said.temporal);
    for (const RungNumbers& rung : numbers->rungs) {
      auto [entry, is_first] = rungs.try_emplace(key_of(rung));
      Now& now = entry->second;
      now.encode_p95 = std::max(now.encode_p95, rung.encode_p95);
      now.oldest_wait = std::max(now.oldest_wait, rung.oldest_wait);
      now.waiting += rung.waiting;
      now.speed = is_first ? rung.speed : std::min(now.speed, rung.speed);
    }
  }
  const auto gauge = [&](const char* name, const char* help, double value) {
    samples.push_back({name, help, MetricKind::kGauge, {}, value});
  };
  gauge("stoa_work_memory_bytes", "Memory that workers take.", memory);
  gauge("stoa_work_spatial_complexity_max", "How detailed the most detailed channel's pictures are.",
        complexity.spatial);
  gauge("stoa_work_temporal_complexity_max", "How much the pictures of the busiest channel change.",
        complexity.temporal);
  const auto tell = [&](const char* name, const char* help, MetricKind kind, const Key& key, double value) {
    samples.push_back({name, help, kind, {{"rung", key.first}, {"encoder", key.second}}, value});
  };
  for (const auto& [key, made] : made_) {
    tell("stoa_work_frames_out_total", "Frames that workers made.", MetricKind::kCounter, key,
         static_cast<double>(made.frames));
    tell("stoa_work_bytes_out_total", "Bytes of these.", MetricKind::kCounter, key,
         static_cast<double>(made.bytes));
  }
  for (const auto& [key, now] : rungs) {
    tell("stoa_work_encode_seconds_p95", "Time that 95 of 100 frames take at most, in the slowest channel.",
         MetricKind::kGauge, key, now.encode_p95.as_seconds());
    tell("stoa_work_pictures_waiting", "Pictures before encoders.", MetricKind::kGauge, key,
         static_cast<double>(now.waiting));
    tell("stoa_work_oldest_wait_seconds", "How long the first of them has waited, in the slowest channel.",
         MetricKind::kGauge, key, now.oldest_wait.as_seconds());
    tell("stoa_work_speed", "How often faster than its media lasts the slowest channel is made.",
         MetricKind::kGauge, key, now.speed);
  }
}

}  // namespace stoa::control
