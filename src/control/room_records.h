// The rooms that there are: made over the API, or opened by whoever joined first. A room is kept with its
// sid, metadata and limits from its beginning to its end, so that after a crash it is the same room again.
//
//   create() or handle_started() -> kept (where nobody comes in time: take_expired()) -> handle_finished()
//
// A room that is kept is either open (the shard that owns it has a room::Room), or waits for somebody: after
// create() for its empty timeout and kRoomEntryGrace; after load(), that is a restart, for its departure
// timeout or what is left of its empty timeout, whichever is longer. Who joins a room that waits opens it.
//
// room_started is told once for each sid, by whoever got `is_new`; room_finished when it ends or expires.
// Told twice after a crash between telling and keeping, never not at all.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "control/store.h"
#include "crypto/random.h"
#include "room/info.h"

namespace stoa::control {

inline constexpr std::size_t kRoomsKeptMax = 100'000;
inline constexpr std::size_t kRoomsPerPageMax = 1'000;
inline constexpr Duration kRoomTimeoutMax = Duration::seconds(7 * 24 * 3600);
// Whoever is let in opens the room within this time; until then it does not expire.
inline constexpr Duration kRoomEntryGrace = Duration::seconds(10);

enum class RoomRefusal : std::uint8_t {
  kBadName,      // See is_room_name.
  kBadMetadata,  // Over room::kMetadataBytesMax, no UTF-8, or with NUL.
  kBadTimeout,   // Negative, or over kRoomTimeoutMax.
  kNotFound,
  kTooMany,           // kRoomsKeptMax.
  kStoreUnavailable,  // The database failed. Trying again later may help.
};
const char* name_of(RoomRefusal refusal);

// Printable UTF-8 without '/', 1 to room::kNameCharactersMax characters.
bool is_room_name(std::string_view text);

class RoomRecords {
 public:
  template <typename T>
  using Answer = Result<T, RoomRefusal>;

  struct Options {
    bool auto_create = true;  // Whoever may join a room may open it.
    Duration empty_timeout = Duration::seconds(300);
    Duration departure_timeout = Duration::seconds(20);
    std::uint32_t participants_max = 0;  // 0: only the server's own limit.
  };

  RoomRecords(Store& store, Options options, crypto::RandomFill fill = crypto::fill_random)
      : store_(store), options_(options), fill_(std::move(fill)) {}

  // Once, before all else: what was kept by the process before this one.
  Answer<void> load(Timestamp now, WallTime wall);

  // What a room is that nobody has asked anything special of. Its sid is empty.
  room::RoomInfo defaults(WallTime wall, std::string_view name) const;
  Answer<room::RoomInfo> find(std::string_view name);  // kNotFound
  // In byte order of their names, those after `after`; at most kRoomsPerPageMax.
  Answer<std::vector<room::RoomInfo>> list(std::string_view after, std::size_t limit);

  struct Made {
    room::RoomInfo room;
    bool is_new = false;  // room_started is to be told.
  };
  // Keeps `wish`: a new room gets a sid, one that is kept already keeps its own and when it was made.
  Answer<Made> create(Timestamp now, WallTime wall, room::RoomInfo wish);
  Answer<room::RoomInfo> update_metadata(std::string_view name, std::string metadata);

  // For somebody who may join: the room as it is kept (is_new is false), or the defaults, which a token may
  // change. kNotFound without auto_create.
  Answer<Made> admit(Timestamp now, WallTime wall, std::string_view name);

  // Of the room's owner. True: it was not kept until now, room_started is to be told before it is kept.
  Answer<bool> is_new(const room::RoomInfo& room);
  Answer<void> handle_started(const room::RoomInfo& room);
  // Another room of the same name, that came after it, stays. One that cannot be removed expires later.
  Answer<void> handle_finished(Timestamp now, const room::RoomInfo& room);

  // Rooms for which nobody came in time: room_finished is to be told of each, and then handle_finished()
  // here.
  std::vector<room::RoomInfo> take_expired(Timestamp now);
  Timestamp next_deadline() const;

  std::size_t size() const { return count_; }  // Kept.
  void append_metrics(MetricSamples& samples) const;

 private:
  void wait_until(const std::string& name, Timestamp deadline);
  void stop_waiting(std::string_view name);
  Answer<std::optional<room::RoomInfo>> look_up(std::string_view name);
  Answer<void> keep(const room::RoomInfo& room, bool is_new);

  Store& store_;
  Options options_;
  crypto::RandomFill fill_;
  std::size_t count_ = 0;
  std::map<std::string, Timestamp, std::less<>> waiting_;  // By name.
  std::multimap<Timestamp, std::string> deadlines_;        // Of those.
  std::uint64_t expired_ = 0;
};

}  // namespace stoa::control
