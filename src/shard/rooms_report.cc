// What the REST API asks of the rooms that this shard owns and of the seats that it serves; metrics.
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "shard/rooms.h"

namespace stoa::shard {

namespace {

using Kind = api::RoomsQuery::Kind;
using Found = std::pair<room::ParticipantId, room::SharedParticipant>;

std::optional<room::ParticipantId> find_participant(const room::Room& room, const std::string& name) {
  auto found = room.find_by_identity(name);
  return found ? found : room.find_by_sid(name);
}

// Those after `after`, by identity, and one more than there may be.
std::vector<Found> find_page(const room::Room& room, const api::RoomsQuery& query) {
  std::vector<room::SharedParticipant> all = room.participants();
  std::erase_if(all, [&](const room::SharedParticipant& one) {
    return one->identity <= query.after || (one->permissions.is_hidden && !query.sees_hidden);
  });
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), query.limit + 1));
  std::partial_sort(all.begin(), end, all.end(),
                    [](const auto& a, const auto& b) { return a->identity < b->identity; });
  std::vector<Found> page;
  for (auto one = all.begin(); one != end; ++one)
    if (auto id = room.find_by_identity((*one)->identity)) page.emplace_back(*id, *one);
  return page;
}

}  // namespace

void Rooms::handle_query(const RoomsQueried& queried, RoomsOutputs& out) {
  const api::RoomsQuery& query = *queried.query;
  RoomsFound found{.question = queried.question};
  if (query.kind == Kind::kRooms) {
    for (auto one = rooms_.upper_bound(query.after); one != rooms_.end() && found.rooms.size() <= query.limit;
         ++one) {
      found.rooms.push_back(one->second->room.info());
      found.rooms.back().metadata.clear();  // Long, and not told.
    }
    out.push(SendControlMail{std::move(found)});
    return;
  }
  OwnedRoom* owned = find_room(query.room);
  if (owned != nullptr && query.kind != Kind::kRoom) return query_participants(queried, *owned, out);
  if (owned == nullptr) {
    found.why_not = api::RoomsRefusal::kNoRoom;
  } else {
    found.rooms.push_back(owned->room.info());
  }
  out.push(SendControlMail{std::move(found)});
}

void Rooms::query_participants(const RoomsQueried& queried, OwnedRoom& owned, RoomsOutputs& out) {
  const api::RoomsQuery& query = *queried.query;
  const bool is_one = query.kind == Kind::kStatistics;
  RoomsFound found{.question = queried.question};
  if (is_one) {
    auto id = find_participant(owned.room, query.participant);
    room::SharedParticipant info = id ? owned.room.participant(*id) : nullptr;
    if (info && (!info->permissions.is_hidden || query.sees_hidden)) {
      found.participants.emplace_back(*id, std::move(info));
    } else {
      found.why_not = api::RoomsRefusal::kNoParticipant;
    }
  } else {
    found.participants = find_page(owned.room, query);
  }
  std::map<ShardIndex, std::vector<room::ParticipantId>> by_shard;
  const std::size_t count =
      is_one ? found.participants.size() : std::min(found.participants.size(), query.limit);
  for (std::size_t i = 0; i < count; ++i)
    by_shard[owned.room.shard_of(found.participants[i].first)].push_back(found.participants[i].first);
  found.seat_answers = by_shard.size();
  out.push(SendControlMail{std::move(found)});
  for (auto& [shard, participants] : by_shard)
    send(shard, SeatsQueried{queried.question, owned.sid, std::move(participants), is_one}, out);
}

void Rooms::handle_seats_query(Timestamp now, const SeatsQueried& queried, RoomsOutputs& out) {
  SeatsFound found{.question = queried.question};
  for (room::ParticipantId participant : queried.participants)
    if (const Seat* seat = find_seat(queried.room, participant))
      found.seats.push_back(seat->report(now, queried.with_streams));
  out.push(SendControlMail{std::move(found)});
}

void Rooms::append_quality_metrics(MetricSamples& samples) const {
  static constexpr std::array kNames = {"poor", "good", "excellent", "lost"};
  std::array<std::size_t, kNames.size()> counts{};
  seats_.for_each([&](auto, const std::unique_ptr<Seat>& seat) {
    if (seat->score()) ++counts[static_cast<std::size_t>(seat->score()->quality)];
  });
  for (std::size_t i = 0; i < kNames.size(); ++i)
    samples.push_back({"stoa_room_connections",
                       "Participants through whom media flows, by the quality of their connection.",
                       MetricKind::kGauge,
                       {{"quality", kNames[i]}},
                       static_cast<double>(counts[i])});
}

void Rooms::append_metrics(MetricSamples& samples) const {
  auto add = [&](const char* name, const char* help, MetricKind kind, std::size_t value) {
    samples.push_back({name, help, kind, {}, static_cast<double>(value)});
  };
  using enum MetricKind;
  std::size_t published = 0, subscribed = 0;
  seats_.for_each([&](auto, const std::unique_ptr<Seat>& seat) {
    published += seat->published();
    subscribed += seat->subscribed();
  });
  add("stoa_rooms", "Rooms.", kGauge, rooms_.size());
  add("stoa_room_participants", "Participants of rooms.", kGauge, seats_.size());
  add("stoa_room_tracks_published", "Tracks that participants publish.", kGauge, published);
  add("stoa_room_tracks_subscribed", "Tracks that participants are subscribed to.", kGauge, subscribed);
  append_quality_metrics(samples);
  append_budget_metrics(samples);
  add("stoa_room_joins_total", "Participants that were let in.", kCounter, counters_.joins);
  add("stoa_room_resumes_total", "Participants whose signalling came back.", kCounter, counters_.resumes);
  add("stoa_room_joins_refused_total", "Requests to join that were refused.", kCounter, counters_.refused);
  add("stoa_room_joins_timed_out_total", "Requests to join that were not answered in time.", kCounter,
      counters_.timed_out);
  add("stoa_room_media_failures_total", "Participants whose media connection failed.", kCounter,
      seat_counters_.media_failures);
  add("stoa_room_signal_frames_total", "Frames of signalling.", kCounter, seat_counters_.frames);
  add("stoa_room_signal_refused_total", "Frames of signalling that do not read.", kCounter,
      seat_counters_.bad_frames);
  add("stoa_room_signal_floods_total", "Participants that sent too much signalling.", kCounter,
      seat_counters_.floods);
  add("stoa_room_offers_total", "Offers of participants.", kCounter, seat_counters_.offers);
  add("stoa_room_descriptions_refused_total", "Offers and answers of participants that were refused.",
      kCounter, seat_counters_.bad_offers);
  add("stoa_room_data_packets_total", "Data packets of participants.", kCounter, seat_counters_.data_packets);
  add("stoa_room_data_refused_total", "Data packets that were refused.", kCounter,
      seat_counters_.data_refused);
  add("stoa_room_data_dropped_total", "Data packets that a receiver did not take.", kCounter,
      seat_counters_.data_dropped);
}

}  // namespace stoa::shard
