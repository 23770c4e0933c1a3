#include "control/room_records.h"

#include <algorithm>

#include "control/text.h"
#include "room/limits.h"

namespace stoa::control {
namespace {

constexpr std::size_t kSidCharacters = 12;
// A room that is over and could not be removed is tried again after this time.
constexpr Duration kStoreRetry = Duration::seconds(5);

RoomRefusal refusal_of(StoreRefusal refusal) {
  return refusal == StoreRefusal::kNotFound ? RoomRefusal::kNotFound : RoomRefusal::kStoreUnavailable;
}

bool is_timeout(Duration timeout) { return timeout >= Duration() && timeout <= kRoomTimeoutMax; }

}  // namespace

const char* name_of(RoomRefusal refusal) {
  switch (refusal) {
    case RoomRefusal::kBadName: return "bad_room_name";
    case RoomRefusal::kBadMetadata: return "bad_room_metadata";
    case RoomRefusal::kBadTimeout: return "bad_room_timeout";
    case RoomRefusal::kNotFound: return "room_not_found";
    case RoomRefusal::kTooMany: return "too_many_rooms";
    case RoomRefusal::kStoreUnavailable: return "store_unavailable";
  }
  return "unknown";
}

bool is_room_name(std::string_view text) {
  return !text.empty() && text.find('/') == std::string_view::npos &&
         is_plain_text(text, room::kNameCharactersMax, LineBreaks::kRefused);
}

RoomRecords::Answer<void> RoomRecords::load(Timestamp now, WallTime wall) {
  std::string after;
  for (;;) {
    auto page = store_.list_rooms(after, kRoomsPerPageMax);
    if (!page) return refuse(refusal_of(page.error()));
    if (page->empty()) return {};
    count_ += page->size();
    after = page->back().name;
    for (const room::RoomInfo& kept : *page) {
      const Duration left = kept.created_at + kept.empty_timeout - wall;
      wait_until(kept.name, now + std::max(kept.departure_timeout, std::min(left, kept.empty_timeout)));
    }
  }
}

room::RoomInfo RoomRecords::defaults(WallTime wall, std::string_view name) const {
  return {.name = std::string(name),
          .created_at = wall,
          .empty_timeout = options_.empty_timeout,
          .departure_timeout = options_.departure_timeout,
          .participants_max = options_.participants_max};
}

RoomRecords::Answer<std::optional<room::RoomInfo>> RoomRecords::look_up(std::string_view name) {
  if (!is_room_name(name)) return refuse(RoomRefusal::kBadName);
  auto found = store_.find_room(name);
  if (!found) return refuse(refusal_of(found.error()));
  return std::move(*found);
}

RoomRecords::Answer<room::RoomInfo> RoomRecords::find(std::string_view name) {
  STOA_TRY(std::optional<room::RoomInfo> found, look_up(name));
  if (!found) return refuse(RoomRefusal::kNotFound);
  return std::move(*found);
}

RoomRecords::Answer<std::vector<room::RoomInfo>> RoomRecords::list(std::string_view after,
                                                                   std::size_t limit) {
  auto listed = store_.list_rooms(after, std::clamp<std::size_t>(limit, 1, kRoomsPerPageMax));
  if (!listed) return refuse(refusal_of(listed.error()));
  return std::move(*listed);
}

RoomRecords::Answer<void> RoomRecords::keep(const room::RoomInfo& room, bool is_new) {
  if (is_new && count_ >= kRoomsKeptMax) return refuse(RoomRefusal::kTooMany);
  if (auto kept = store_.keep_room(room); !kept) return refuse(refusal_of(kept.error()));
  if (is_new) ++count_;
  return {};
}

RoomRecords::Answer<RoomRecords::Made> RoomRecords::create(Timestamp now, WallTime wall,
                                                           room::RoomInfo wish) {
  if (!is_utf8_text(wish.metadata, room::kMetadataBytesMax)) return refuse(RoomRefusal::kBadMetadata);
  if (!is_timeout(wish.empty_timeout) || !is_timeout(wish.departure_timeout))
    return refuse(RoomRefusal::kBadTimeout);
  STOA_TRY(std::optional<room::RoomInfo> known, look_up(wish.name));
  wish.sid = known ? known->sid : "RM_" + crypto::make_base62(kSidCharacters, fill_);
  wish.created_at = known ? known->created_at : wall;
  if (auto kept = keep(wish, !known); !kept) return refuse(kept.error());
  // One that is open ends by itself, also if it was opened at once and nobody came: hence the grace.
  if (!known || waiting_.contains(wish.name))
    wait_until(wish.name, now + wish.empty_timeout + kRoomEntryGrace);
  return Made{std::move(wish), !known};
}

RoomRecords::Answer<room::RoomInfo> RoomRecords::update_metadata(std::string_view name,
                                                                 std::string metadata) {
  if (!is_utf8_text(metadata, room::kMetadataBytesMax)) return refuse(RoomRefusal::kBadMetadata);
  STOA_TRY(room::RoomInfo room, find(name));
  room.metadata = std::move(metadata);
  if (auto kept = keep(room, false); !kept) return refuse(kept.error());
  return room;
}

RoomRecords::Answer<RoomRecords::Made> RoomRecords::admit(Timestamp now, WallTime wall,
                                                          std::string_view name) {
  STOA_TRY(std::optional<room::RoomInfo> found, look_up(name));
  if (!found && !options_.auto_create) return refuse(RoomRefusal::kNotFound);
  if (!found) return Made{defaults(wall, name), true};
  auto waits = waiting_.find(name);
  if (waits != waiting_.end() && waits->second < now + kRoomEntryGrace)
    wait_until(found->name, now + kRoomEntryGrace);
  return Made{std::move(*found), false};
}

RoomRecords::Answer<bool> RoomRecords::is_new(const room::RoomInfo& room) {
  STOA_TRY(std::optional<room::RoomInfo> known, look_up(room.name));
  return !known || known->sid != room.sid;
}

RoomRecords::Answer<void> RoomRecords::handle_started(const room::RoomInfo& room) {
  STOA_TRY(std::optional<room::RoomInfo> known, look_up(room.name));
  stop_waiting(room.name);
  return keep(room, !known);
}

RoomRecords::Answer<void> RoomRecords::handle_finished(Timestamp now, const room::RoomInfo& room) {
  auto known = look_up(room.name);
  if (known && (!*known || (*known)->sid != room.sid)) return {};
  Store::Answer<void> gone = refuse(StoreRefusal::kUnavailable);
  if (known) gone = store_.delete_room(room.name);
  if (!gone) {
    wait_until(room.name, now + kStoreRetry);
    return refuse(refusal_of(gone.error()));
  }
  stop_waiting(room.name);
  --count_;
  return {};
}

std::vector<room::RoomInfo> RoomRecords::take_expired(Timestamp now) {
  std::vector<room::RoomInfo> expired;
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::string name = deadlines_.begin()->second;
    auto found = store_.find_room(name);
    if (!found) {
      wait_until(name, now + kStoreRetry);
      continue;
    }
    stop_waiting(name);
    if (!*found) continue;
    ++expired_;
    expired.push_back(std::move(**found));
  }
  return expired;
}

Timestamp RoomRecords::next_deadline() const {
  return deadlines_.empty() ? Timestamp::never() : deadlines_.begin()->first;
}

void RoomRecords::wait_until(const std::string& name, Timestamp deadline) {
  stop_waiting(name);
  waiting_.emplace(name, deadline);
  deadlines_.emplace(deadline, name);
}

void RoomRecords::stop_waiting(std::string_view name) {
  auto found = waiting_.find(name);
  if (found == waiting_.end()) return;
  auto [first, last] = deadlines_.equal_range(found->second);
  for (auto it = first; it != last; ++it) {
    if (it->second != name) continue;
    deadlines_.erase(it);
    break;
  }
  waiting_.erase(found);
}

void RoomRecords::append_metrics(MetricSamples& samples) const {
  samples.push_back({"stoa_rooms_kept",
                     "Rooms that are kept: open ones, and those that wait for somebody.",
                     MetricKind::kGauge,
                     {},
                     static_cast<double>(count_)});
  samples.push_back({"stoa_rooms_expired_total",
                     "Rooms for which nobody came in time.",
                     MetricKind::kCounter,
                     {},
                     static_cast<double>(expired_)});
}

}  // namespace stoa::control
