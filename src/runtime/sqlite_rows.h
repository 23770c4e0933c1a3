// Rows of rooms and of webhooks on their way in or out of SQLite, in the types that SOCI moves
// (sqlite_store.cc).
#pragma once

#include <cstdint>
#include <string>

#include "control/store.h"
#include "room/info.h"

namespace stoa::runtime {

struct RoomRow {
  std::string name, sid, metadata;
  long long created_at = 0, empty_timeout = 0, departure_timeout = 0, participants_max = 0,
            publishers_max = 0;

  RoomRow() = default;
  explicit RoomRow(const room::RoomInfo& room)
      : name(room.name),
        sid(room.sid),
        metadata(room.metadata),
        created_at(room.created_at.us()),
        empty_timeout(room.empty_timeout.us()),
        departure_timeout(room.departure_timeout.us()),
        participants_max(room.participants_max),
        publishers_max(room.publishers_max) {}
  room::RoomInfo room() const {
    return {.sid = sid,
            .name = name,
            .metadata = metadata,
            .created_at = WallTime::from_us(created_at),
            .empty_timeout = Duration::microseconds(empty_timeout),
            .departure_timeout = Duration::microseconds(departure_timeout),
            .participants_max = static_cast<std::uint32_t>(participants_max),
            .publishers_max = static_cast<std::uint32_t>(publishers_max)};
  }
};

struct WebhookRow {
  long long sequence = 0, created_at = 0, attempts = 0;
  std::string url, event_id, body;

  WebhookRow() = default;
  explicit WebhookRow(const control::WebhookDelivery& delivery)
      : sequence(static_cast<long long>(delivery.sequence)),
        created_at(delivery.created_at.us()),
        attempts(delivery.attempts),
        url(delivery.url),
        event_id(delivery.event_id),
        body(delivery.body) {}
  control::WebhookDelivery delivery() const {
    return {static_cast<std::uint64_t>(sequence), url, event_id, body, WallTime::from_us(created_at),
            static_cast<std::uint32_t>(attempts)};
  }
};

}  // namespace stoa::runtime
