// What the REST API asks about rooms, while the shards look for it: who asked, what came so far, and what is
// still to come. On control's thread. Nothing here costs anything while nobody asks.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "api/rest.h"
#include "base/metric.h"
#include "base/time.h"
#include "server/postbox.h"
#include "server/room_desk.h"
#include "shard/mail.h"

namespace stoa::server {

class RoomQueries {
 public:
  static constexpr std::size_t kQueriesMax = 256;  // Under way; more are refused (503).
  static constexpr Duration kPatience = Duration::seconds(5);

  using Send = std::move_only_function<void(shard::ShardIndex, ToShard&&)>;
  RoomQueries(api::Rest& rest, RoomDesk& desk, shard::ShardIndex shards, Send send)
      : rest_(rest), desk_(desk), shards_(shards), send_(std::move(send)) {}

  void ask(Timestamp now, WallTime wall, const HttpAsked& asked, api::RoomsQuery query);
  void handle_found(WallTime wall, shard::RoomsFound& found);
  void handle_seats(WallTime wall, shard::SeatsFound& found);
  void handle_tick(Timestamp now, WallTime wall);
  void append_metrics(MetricSamples& samples) const;

 private:
  struct Query {
    shard::ShardIndex shard;
    runtime::RequestId request;
    std::shared_ptr<const api::RoomsQuery> query;
    std::size_t rooms_due = 1;  // Answers of shards that own rooms.
    // Of shards with seats. They may come before the one that says how many there are.
    std::size_t seats_due = 0, seats_came = 0;
    std::vector<room::RoomInfo> rooms;
    std::vector<std::pair<room::ParticipantId, room::SharedParticipant>> participants;
    std::vector<room::SeatReport> seats;
    Timestamp deadline;
  };
  using Reply = Result<api::RoomsReply, api::RoomsRefusal>;

  void finish_if_complete(WallTime wall, std::uint64_t number);
  void finish(WallTime wall, std::uint64_t number, Reply reply);
  Reply reply_without_owner(const api::RoomsQuery& query, api::RoomsRefusal why);
  bool add_kept_rooms(Query& query);

  api::Rest& rest_;
  RoomDesk& desk_;
  shard::ShardIndex shards_;
  Send send_;
  std::map<std::uint64_t, Query> queries_;
  std::uint64_t asked_ = 0, refused_ = 0, timed_out_ = 0;
};

}  // namespace stoa::server
