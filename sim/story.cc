#include "sim/story.h"

#include <algorithm>

#include "base/rng.h"

namespace stoa::sim {
namespace {

Duration draw(Rng& rng, Duration from, Duration to) {
  return from +
         Duration::nanoseconds(static_cast<std::int64_t>(rng.unit() * static_cast<double>((to - from).ns())));
}

PathConfig good_path(std::uint64_t bits_per_second = 50'000'000) {
  return {.capacity = {{Duration(), bits_per_second}}, .delay = {{Duration(), Duration::milliseconds(15)}}};
}

// Some of all that networks do, in one direction.
PathConfig bad_path(Rng& rng, Duration length) {
  PathConfig path;
  const auto rate = static_cast<std::uint64_t>(150'000 * (1 + rng.unit() * 40));
  path.capacity = {{Duration(), rate}};
  path.delay = {{Duration(), draw(rng, Duration::milliseconds(5), Duration::milliseconds(150))}};
  path.queue_max = draw(rng, Duration::milliseconds(50), Duration::milliseconds(800));
  if (rng.chance(0.4)) {
    Duration at;
    for (int i = 0; i < 4; ++i) {
      at += draw(rng, Duration::seconds(2), length / 3);
      path.capacity.push_back({at, static_cast<std::uint64_t>(100'000 * (1 + rng.unit() * 50))});
    }
  }
  if (rng.chance(0.25)) {
    const Duration from = path.capacity.back().at + draw(rng, Duration::seconds(3), length / 2);
    path.capacity.push_back({from, 0});
    path.capacity.push_back({from + draw(rng, Duration::milliseconds(300), Duration::seconds(8)), rate});
  }
  if (rng.chance(0.2))
    path.delay.push_back({draw(rng, Duration::seconds(1), length),
                          draw(rng, Duration::milliseconds(5), Duration::milliseconds(300))});
  if (rng.chance(0.3)) path.codel.emplace();
  if (rng.chance(0.5)) path.jitter = draw(rng, Duration(), Duration::milliseconds(60));
  path.keeps_order = rng.chance(0.7);
  if (rng.chance(0.5)) path.loss = rng.unit() * rng.unit() * 0.2;
  if (rng.chance(0.2)) {
    path.burst_enter = rng.unit() * 0.01;
    path.burst_leave = 0.1 + rng.unit() * 0.5;
  }
  if (rng.chance(0.3)) path.reordering = rng.unit() * 0.05;
  if (rng.chance(0.3)) path.duplication = rng.unit() * 0.05;
  if (rng.chance(0.3)) path.corruption = rng.unit() * 0.02;
  if (rng.chance(0.2)) path.mtu_bytes = static_cast<std::uint32_t>(1260 + rng.below(240));
  return path;
}

bwe::Config client_estimate() { return {.start_bits_per_second = 800'000, .max_bits_per_second = 8'000'000}; }

}  // namespace

const char* name_of(EventKind kind) {
  switch (kind) {
    case EventKind::kJoin: return "join";
    case EventKind::kLeave: return "leave";
    case EventKind::kVanish: return "vanish";
    case EventKind::kComeBack: return "come back";
    case EventKind::kLoseSocket: return "lose socket";
    case EventKind::kRebind: return "rebind";
    case EventKind::kHandover: return "handover";
  }
  return "";
}

Story make_story(std::uint64_t seed, Duration length) {
  Rng rng(seed ^ 0x73'74'6f'72'79);
  Story story{.seed = seed, .length = length};
  story.shards = 1 + static_cast<shard::ShardIndex>(rng.below(4));
  if (rng.chance(0.5)) story.seats_per_shard = 1 + rng.below(3);
  const std::size_t rooms = 1 + rng.below(3);
  for (std::size_t room = 0; room < rooms; ++room) {
    const std::size_t count = 2 + rng.below(5);
    for (std::size_t i = 0; i < count; ++i) {
      PersonPlan& plan = story.people.emplace_back();
      const auto number = static_cast<std::uint32_t>(story.people.size());
      plan.room = "room" + std::to_string(room);
      plan.publisher.controller = client_estimate();
      plan.publisher.talking = i < 2 ? 0.6 : rng.unit() * 0.5;
      plan.is_steady = i < 2;
      if (plan.is_steady) {
        plan.up = plan.down = good_path();
        story.events.push_back({draw(rng, Duration(), Duration::seconds(2)), EventKind::kJoin, number});
        continue;
      }
      plan.up = bad_path(rng, length);
      plan.down = bad_path(rng, length);
      plan.is_hostile = rng.chance(0.15);
      plan.signal_latency = draw(rng, Duration::milliseconds(5), Duration::milliseconds(300));
      plan.publisher.has_video = rng.chance(0.8);
      plan.publisher.has_audio = rng.chance(0.9);
      if (rng.chance(0.2)) {  // A slow one.
        plan.viewer.feedback_interval = Duration::milliseconds(250);
        plan.viewer.asks_again = rng.chance(0.5);
        plan.viewer.patience = Duration::seconds(1);
      }
      Duration at = draw(rng, Duration(), length / 2);
      story.events.push_back({at, EventKind::kJoin, number});
      // What befalls it.
      bool is_there = true;
      for (std::uint64_t k = rng.below(5); k > 0; --k) {
        at += draw(rng, Duration::milliseconds(500), length / 3);
        if (at >= length) break;
        const EventKind kinds[] = {EventKind::kLeave, EventKind::kVanish, EventKind::kLoseSocket,
                                   EventKind::kRebind, EventKind::kHandover};
        const EventKind kind = is_there ? kinds[rng.below(5)] : EventKind::kComeBack;
        story.events.push_back({at, kind, number});
        if (kind == EventKind::kLeave || kind == EventKind::kVanish) is_there = false;
        if (kind == EventKind::kComeBack) is_there = true;
      }
    }
  }
  if (rng.chance(0.4))
    story.attacks.push_back({.from = draw(rng, Duration::seconds(1), length / 2),
                             .until = length,
                             .packets_per_second = static_cast<std::uint32_t>(50 + rng.below(1'000))});
  std::stable_sort(story.events.begin(), story.events.end(),
                   [](const Event& a, const Event& b) { return a.at < b.at; });
  return story;
}

Story make_call(std::uint64_t seed, std::size_t people, Duration length) {
  Story story{.seed = seed, .length = length};
  for (std::size_t i = 0; i < people; ++i) {
    PersonPlan& plan = story.people.emplace_back();
    plan.room = "call";
    plan.publisher.controller = client_estimate();
    plan.up = plan.down = good_path();
    plan.is_steady = true;
    story.events.push_back({Duration::milliseconds(static_cast<std::int64_t>(100 * i)), EventKind::kJoin,
                            static_cast<std::uint32_t>(i + 1)});
  }
  return story;
}

}  // namespace stoa::sim
