// Egress budgets: what the seats here would be sent is added up and told, for each room to its owner and for
// the node to one shard; what comes back bounds every seat.
#include <utility>

#include "shard/rooms.h"

namespace stoa::shard {

namespace {

constexpr Duration kEgressInterval = Duration::seconds(1);
constexpr ShardIndex kNodeKeeper = 0;  // Adds up for the node.

}  // namespace

void Rooms::begin_egress(Timestamp now) {
  if (!config_.seat.has_egress_budget || is_adding_up_egress_) return;
  is_adding_up_egress_ = true;
  timers_.set({TimerKind::kEgress, ""}, now + kEgressInterval);
}

void Rooms::report_egress(Timestamp now, RoomsOutputs& out) {
  bwe::EgressWish all;
  std::map<std::string, std::string> told;
  for (const auto& [sid, floor] : floors_) {
    bwe::EgressWish sum;
    std::string name;
    for (const auto& [participant, place] : floor.seats) {
      const Seat* seat = find_seat(place.seat);
      if (seat == nullptr) continue;
      sum += seat->egress_wish();
      name = seat->room();
    }
    all += sum;
    if (config_.room_egress_max == 0) continue;
    send(owner_of(name, config_.shards), EgressWanted{config_.index, name, sid, sum}, out);
    told[sid] = name;
  }
  // Whoever was here is gone.
  for (const auto& [sid, name] : std::exchange(egress_told_, told))
    if (!told.contains(sid))
      send(owner_of(name, config_.shards), EgressWanted{config_.index, name, sid, {}}, out);
  if (config_.node_egress_max != 0) send(kNodeKeeper, EgressWanted{config_.index, "", "", all}, out);
  egress_wanted_ = all;
  is_adding_up_egress_ = !floors_.empty();
  if (is_adding_up_egress_) timers_.set({TimerKind::kEgress, ""}, now + kEgressInterval);
}

void Rooms::handle_egress_wanted(const EgressWanted& wanted, RoomsOutputs& out) {
  if (wanted.room_sid.empty()) {
    node_egress_.set(wanted.shard, wanted.wish);
    return send(wanted.shard, EgressShared{"", node_egress_.share()}, out);
  }
  OwnedRoom* owned = find_room(wanted.room);
  if (owned == nullptr || owned->sid != wanted.room_sid) return;
  owned->egress.set(wanted.shard, wanted.wish);
  send(wanted.shard, EgressShared{owned->sid, owned->egress.share()}, out);
}

void Rooms::handle_egress_shared(Timestamp now, const EgressShared& shared, RoomsOutputs& out) {
  auto bound = [&](Floor& floor) {
    for (const auto& [participant, place] : floor.seats)
      with_seat(find_seat(place.seat), out, [&](Seat& seat, SeatOutputs& outputs) {
        seat.handle_egress(now, floor.egress, node_share_, outputs);
      });
  };
  if (shared.room_sid.empty()) {
    if (std::exchange(node_share_, shared.share) == shared.share) return;
    for (auto& [sid, floor] : floors_) bound(floor);
    return;
  }
  auto floor = floors_.find(shared.room_sid);
  if (floor == floors_.end()) return;
  floor->second.egress = shared.share;
  bound(floor->second);
}

void Rooms::append_budget_metrics(MetricSamples& samples) const {
  std::size_t by_path = 0, by_egress = 0, by_client = 0, paused = 0, audio_only = 0;
  bwe::Allocator::Counters counters = ended_allocators_;
  seats_.for_each([&](auto, const std::unique_ptr<Seat>& seat) {
    const bwe::Allocator& allocator = seat->allocator();
    counters += allocator.counters();
    audio_only += allocator.is_audio_only() ? 1 : 0;
    bool is_bounded = false;
    for (std::size_t i = 0; i < allocator.claims().size(); ++i) {
      const std::size_t steps = allocator.claims()[i].steps.size();
      is_bounded |= allocator.given()[i] < steps;
      paused += allocator.given()[i] == 0 && steps > 0 ? 1 : 0;
    }
    if (!is_bounded) return;
    const SeatLimits& limits = seat->limits();
    ++(limits.is_of_path(allocator.wish()) ? by_path : limits.has_egress() ? by_egress : by_client);
  });
  using Labels = decltype(MetricSample::labels);
  auto add = [&](const char* name, const char* help, MetricKind kind, Labels labels, double value) {
    samples.push_back({name, help, kind, std::move(labels), value});
  };
  using enum MetricKind;
  const char* bounded = "Participants who are sent less than they want, by what bounds them.";
  add("stoa_room_participants_bounded", bounded, kGauge, {{"by", "path"}}, static_cast<double>(by_path));
  add("stoa_room_participants_bounded", bounded, kGauge, {{"by", "egress"}}, static_cast<double>(by_egress));
  add("stoa_room_participants_bounded", bounded, kGauge, {{"by", "client"}}, static_cast<double>(by_client));
  add("stoa_room_participants_audio_only", "Participants with no room for any picture they want.", kGauge, {},
      static_cast<double>(audio_only));
  add("stoa_room_tracks_paused", "Pictures that are held back from a participant.", kGauge, {},
      static_cast<double>(paused));
  const char* switches = "Times that what a participant is sent was made more or less.";
  add("stoa_room_quality_switches_total", switches, kCounter, {{"to", "more"}},
      static_cast<double>(counters.rises));
  add("stoa_room_quality_switches_total", switches, kCounter, {{"to", "less"}},
      static_cast<double>(counters.falls));
  add("stoa_room_quality_rises_failed_total", "Times that more was sent and soon had to be taken back.",
      kCounter, {}, static_cast<double>(counters.failed_rises));
  add("stoa_room_egress_wanted_bits_per_second",
      "What participants would be sent without egress budgets. 0 where there are none.", kGauge, {},
      static_cast<double>(egress_wanted_.all_bits_per_second));
}

}  // namespace stoa::shard
