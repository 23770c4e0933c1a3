// What the REST API tells of rooms, all of it read-only. Rooms are on other threads, so a request becomes a
// query, what the shards find a reply, and that the response.
//
// A participant is named by its identity, or by its sid: an identity may have characters that no path
// carries. Who is hidden is told of to those alone who may moderate rooms (scope `rooms`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "room/info.h"
#include "room/report.h"

namespace stoa::api {

inline constexpr std::size_t kRoomItemsPerPageMax = 200;  // Rooms, participants.

struct RoomsQuery {
  enum class Kind : std::uint8_t { kRooms, kRoom, kParticipants, kStatistics };
  Kind kind = Kind::kRooms;
  std::string room, participant;  // Of the kinds that have one.
  // Of kRooms and kParticipants: at most so many, in byte order of name or identity, after this one.
  std::size_t limit = 0;
  std::string after;
  bool sees_hidden = false;
};

enum class RoomsRefusal : std::uint8_t {
  kNoRoom,
  kNoParticipant,
  kTooManyQueries,
  kTimedOut,
  kStoreUnavailable
};

struct FoundParticipant {
  room::SharedParticipant info;
  std::optional<room::SeatReport> seat;  // None: its connection is not in this room (forwarded), or over.
};
struct RoomsReply {
  // In order. One more than the query's limit says that there is another page.
  std::vector<room::RoomInfo> rooms;           // Of kRooms and kRoom.
  std::vector<FoundParticipant> participants;  // Of kParticipants and kStatistics.
};

}  // namespace stoa::api
