// What control decides and keeps of rooms: who may join which, which rooms there are, and what is told to the
// operator's web servers. On control's thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "api/livekit/grant.h"
#include "api/livekit/twirp.h"
#include "base/metric.h"
#include "base/result.h"
#include "control/api_keys.h"
#include "control/room_records.h"
#include "control/store.h"
#include "room/room.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "server/config.h"
#include "server/webhook_sender.h"
#include "shard/mail.h"

namespace stoa::server {

class RoomDesk {
 public:
  RoomDesk(const Config& config, runtime::Loop& loop, runtime::Log& log, control::Store& store,
           control::ApiKeys& api_keys);

  // Before the loop runs: reads what is kept. Says what stands against it, for people.
  Result<void, std::string> load();
  // On the loop: webhooks that are left go out.
  void start() { webhooks_.start(); }

  // May the holder of this token join, and what is the room: as it is kept, else as the token wants it, else
  // as the configuration says.
  Result<std::shared_ptr<const shard::RoomGrant>, shard::RequestDenied> grant_join(std::string_view token);
  void handle_happened(const room::Happened& happened);
  // Now and then: ends rooms to which nobody came.
  void handle_tick();

  // The node stops: rooms that end from here on go on in the next process. They stay as they are kept, and
  // their end is not told.
  void begin_stop() { is_stopping_ = true; }
  // Nothing comes any more: what came last is kept.
  void finish() { webhooks_.flush(); }

  // For the server's API. As a room that is not open is to be opened: as it is kept, or by the defaults.
  room::RoomInfo find_room(const std::string& name);
  // A new room is kept and its beginning told; one that is kept already stays as it is.
  Result<room::RoomInfo, livekit::TwirpError> make_room(const livekit::pb::CreateRoomRequest& request);
  // As it is kept then; nothing when it is not kept.
  std::optional<room::RoomInfo> keep_metadata(const std::string& name, const std::string& metadata);
  // Rooms that were asked for, are kept, and are not among these: nobody came since a restart.
  void add_kept(const livekit::pb::ListRoomsRequest& request, livekit::pb::ListRoomsResponse& rooms);
  // A room that is kept and not open ends here. False: there is none.
  bool end_room(const std::string& name);
  control::RoomRecords& records() { return records_; }
  void append_metrics(MetricSamples& samples) const;

 private:
  void handle_started(const room::Happened& happened);
  void handle_finished(const room::Happened& happened);
  void check(const control::RoomRecords::Answer<void>& kept);

  runtime::Loop& loop_;
  runtime::Log& log_;
  control::ApiKeys& api_keys_;
  control::RoomRecords records_;
  WebhookSender webhooks_;
  bool is_stopping_ = false;
};

}  // namespace stoa::server
