#include "server/room_queries.h"

#include <algorithm>
#include <set>
#include <utility>

namespace stoa::server {

using Kind = api::RoomsQuery::Kind;

void RoomQueries::ask(Timestamp now, WallTime wall, const HttpAsked& asked, api::RoomsQuery query) {
  if (queries_.size() >= kQueriesMax) {
    ++refused_;
    auto response = rest_.finish(wall, query, refuse(api::RoomsRefusal::kTooManyQueries));
    return send_(asked.shard, HttpAnswered{asked.request, std::move(response)});
  }
  const std::uint64_t number = ++asked_;
  Query waiting{.shard = asked.shard, .request = asked.request, .deadline = now + kPatience};
  const bool is_list = query.kind == Kind::kRooms;
  if (is_list) waiting.rooms_due = shards_;
  const shard::ShardIndex owner = shard::owner_of(query.room, shards_);
  waiting.query = std::make_shared<const api::RoomsQuery>(std::move(query));
  for (shard::ShardIndex to = 0; to < shards_; ++to)
    if (is_list || to == owner) send_(to, shard::Mail(shard::RoomsQueried{number, waiting.query}));
  queries_.emplace(number, std::move(waiting));
}

void RoomQueries::handle_found(WallTime wall, shard::RoomsFound& found) {
  auto at = queries_.find(found.question);
  if (at == queries_.end() || at->second.rooms_due == 0) return;
  Query& query = at->second;
  if (found.why_not) return finish(wall, at->first, reply_without_owner(*query.query, *found.why_not));
  --query.rooms_due;
  query.seats_due += found.seat_answers;
  std::ranges::move(found.rooms, std::back_inserter(query.rooms));
  std::ranges::move(found.participants, std::back_inserter(query.participants));
  finish_if_complete(wall, at->first);
}

void RoomQueries::handle_seats(WallTime wall, shard::SeatsFound& found) {
  auto at = queries_.find(found.question);
  if (at == queries_.end()) return;
  ++at->second.seats_came;
  std::ranges::move(found.seats, std::back_inserter(at->second.seats));
  finish_if_complete(wall, at->first);
}

// A room that is kept and nobody came to since a restart is on no shard.
RoomQueries::Reply RoomQueries::reply_without_owner(const api::RoomsQuery& query, api::RoomsRefusal why) {
  if (why != api::RoomsRefusal::kNoRoom) return refuse(why);
  auto kept = desk_.records().find(query.room);
  if (!kept && kept.error() == control::RoomRefusal::kStoreUnavailable)
    return refuse(api::RoomsRefusal::kStoreUnavailable);
  if (!kept) return refuse(why);
  if (query.kind == Kind::kStatistics) return refuse(api::RoomsRefusal::kNoParticipant);
  api::RoomsReply reply;
  if (query.kind == Kind::kRoom) reply.rooms.push_back(std::move(*kept));
  return reply;
}

// False: the database does not answer.
bool RoomQueries::add_kept_rooms(Query& query) {
  const std::size_t most = query.query->limit + 1;
  std::set<std::string> open;
  for (const room::RoomInfo& room : query.rooms) open.insert(room.name);
  auto kept = desk_.records().list(query.query->after, most);
  if (!kept) return false;
  for (room::RoomInfo& room : *kept)
    if (!open.contains(room.name)) query.rooms.push_back(std::move(room));
  std::ranges::sort(query.rooms, {}, &room::RoomInfo::name);
  if (query.rooms.size() > most) query.rooms.resize(most);
  return true;
}

void RoomQueries::finish_if_complete(WallTime wall, std::uint64_t number) {
  Query& query = queries_.at(number);
  if (query.rooms_due > 0 || query.seats_came < query.seats_due) return;
  if (query.query->kind == Kind::kRooms && !add_kept_rooms(query))
    return finish(wall, number, refuse(api::RoomsRefusal::kStoreUnavailable));
  api::RoomsReply reply{.rooms = std::move(query.rooms)};
  for (auto& [id, info] : query.participants) {
    api::FoundParticipant one{.info = std::move(info)};
    auto seat = std::ranges::find(query.seats, id, &room::SeatReport::participant);
    if (seat != query.seats.end()) one.seat = std::move(*seat);
    reply.participants.push_back(std::move(one));
  }
  finish(wall, number, std::move(reply));
}

void RoomQueries::finish(WallTime wall, std::uint64_t number, Reply reply) {
  auto found = queries_.find(number);
  Query query = std::move(found->second);
  queries_.erase(found);
  send_(query.shard, HttpAnswered{query.request, rest_.finish(wall, *query.query, std::move(reply))});
}

void RoomQueries::handle_tick(Timestamp now, WallTime wall) {
  std::vector<std::uint64_t> late;
  for (const auto& [number, query] : queries_)
    if (query.deadline <= now) late.push_back(number);
  for (std::uint64_t number : late) {
    ++timed_out_;
    finish(wall, number, refuse(api::RoomsRefusal::kTimedOut));
  }
}

void RoomQueries::append_metrics(MetricSamples& samples) const {
  auto add = [&](const char* name, const char* help, MetricKind kind, std::uint64_t value) {
    samples.push_back({name, help, kind, {}, static_cast<double>(value)});
  };
  add("stoa_room_queries_waiting", "Questions about rooms that the shards have not answered.",
      MetricKind::kGauge, queries_.size());
  add("stoa_room_queries_total", "Questions about rooms over the REST API.", MetricKind::kCounter, asked_);
  add("stoa_room_queries_refused_total", "Those that were too many at once.", MetricKind::kCounter, refused_);
  add("stoa_room_queries_timed_out_total", "Those that a shard did not answer in time.", MetricKind::kCounter,
      timed_out_);
}

}  // namespace stoa::server
