#include "server/room_desk.h"

#include <set>
#include <utility>

#include "api/livekit/convert.h"

namespace stoa::server {
namespace {

control::RoomRecords::Options room_options(const Config& config) {
  return {.auto_create = config.rooms_auto_create,
          .empty_timeout = config.rooms_empty_timeout,
          .departure_timeout = config.rooms_departure_timeout,
          .participants_max = config.rooms_participants_max};
}

shard::RequestDenied denial_of(control::RoomRefusal refusal) {
  switch (refusal) {
    // Clients look for this sentence.
    case control::RoomRefusal::kNotFound: return {404, "requested room does not exist"};
    case control::RoomRefusal::kBadName: return {400, "the room's name is not allowed"};
    case control::RoomRefusal::kTooMany: return {503, "there are too many rooms"};
    default: return {503, std::string("the room cannot be looked up: ") + control::name_of(refusal)};
  }
}

livekit::TwirpError error_of(control::RoomRefusal refusal) {
  using livekit::TwirpCode;
  switch (refusal) {
    case control::RoomRefusal::kBadName:
      return {TwirpCode::kInvalidArgument, "the room's name is not allowed"};
    case control::RoomRefusal::kBadMetadata:
      return {TwirpCode::kInvalidArgument, "metadata is over its limit or no text"};
    case control::RoomRefusal::kBadTimeout: return {TwirpCode::kInvalidArgument, "a timeout is over a week"};
    case control::RoomRefusal::kNotFound: return {TwirpCode::kNotFound, "there is no such room"};
    case control::RoomRefusal::kTooMany: return {TwirpCode::kResourceExhausted, "there are too many rooms"};
    case control::RoomRefusal::kStoreUnavailable: break;
  }
  return {TwirpCode::kUnavailable, "the database does not answer"};
}

}  // namespace

RoomDesk::RoomDesk(const Config& config, runtime::Loop& loop, runtime::Log& log, control::Store& store,
                   control::ApiKeys& api_keys)
    : loop_(loop),
      log_(log),
      api_keys_(api_keys),
      records_(store, room_options(config)),
      webhooks_(loop, log, store, api_keys, {config.webhook_urls, config.webhook_api_key}) {}

Result<void, std::string> RoomDesk::load() {
  if (auto loaded = webhooks_.load(); !loaded) return loaded;
  if (auto loaded = records_.load(loop_.now(), loop_.wall()); !loaded)
    return refuse(std::string("cannot read the rooms: ") + control::name_of(loaded.error()));
  return {};
}

Result<std::shared_ptr<const shard::RoomGrant>, shard::RequestDenied> RoomDesk::grant_join(
    std::string_view token) {
  using Denied = shard::RequestDenied;
  if (token.empty()) return refuse(Denied{401, "no token was given"});
  auto believed = api_keys_.authenticate_claims(loop_.wall(), token);
  if (!believed) {
    const bool is_ours = believed.error() == control::AuthRefusal::kStoreUnavailable;
    return refuse(
        Denied{is_ours ? 503 : 401, std::string("invalid token: ") + control::name_of(believed.error())});
  }
  auto access = livekit::parse_grant(believed->claims);
  if (!access) return refuse(Denied{401, "invalid token: its claims do not read"});
  auto name = livekit::room_to_join(*access);
  if (!name) return refuse(Denied{401, "the token does not let its holder join a room"});
  if (access->identity.empty()) return refuse(Denied{400, "the token names nobody (sub)"});
  auto admitted = records_.admit(loop_.now(), loop_.wall(), *name);
  if (!admitted) return refuse(denial_of(admitted.error()));
  room::RoomInfo info = std::move(admitted->room);
  // What a room is, is decided when it comes to be: a token changes none that is there.
  if (admitted->is_new && access->room_config)
    info = livekit::from_wire(*access->room_config, std::move(info));
  auto grant = std::make_shared<shard::RoomGrant>();
  grant->key_id = believed->key_id;
  grant->room = std::move(info);
  grant->access = std::make_shared<const livekit::AccessGrant>(std::move(*access));
  return grant;
}

// What begins or ends is told before it is kept or forgotten: a crash between them tells it twice, not never.
void RoomDesk::handle_happened(const room::Happened& happened) {
  switch (happened.what) {
    case room::Happening::kRoomStarted: return handle_started(happened);
    case room::Happening::kRoomFinished: return handle_finished(happened);
    default: webhooks_.add(happened);
  }
}

void RoomDesk::handle_started(const room::Happened& happened) {
  auto is_new = records_.is_new(happened.room);
  if (!is_new || *is_new) {
    webhooks_.add(happened);
    webhooks_.flush();
  }
  check(records_.handle_started(happened.room));
}

void RoomDesk::handle_finished(const room::Happened& happened) {
  if (is_stopping_) return;
  webhooks_.add(happened);
  webhooks_.flush();
  check(records_.handle_finished(loop_.now(), happened.room));
}

void RoomDesk::handle_tick() {
  for (room::RoomInfo& room : records_.take_expired(loop_.now()))
    handle_finished({.what = room::Happening::kRoomFinished, .room = std::move(room)});
}

void RoomDesk::check(const control::RoomRecords::Answer<void>& kept) {
  if (kept) return;
  log_.error("rooms",
             std::string("the record of a room cannot be written: ") + control::name_of(kept.error()));
}

room::RoomInfo RoomDesk::find_room(const std::string& name) {
  auto kept = records_.find(name);
  return kept ? std::move(*kept) : records_.defaults(loop_.wall(), name);
}

Result<room::RoomInfo, livekit::TwirpError> RoomDesk::make_room(
    const livekit::pb::CreateRoomRequest& request) {
  auto kept = records_.find(request.name());
  if (kept) return std::move(*kept);
  if (kept.error() != control::RoomRefusal::kNotFound) return refuse(error_of(kept.error()));
  room::RoomInfo wish = livekit::from_wire(request, records_.defaults(loop_.wall(), request.name()));
  auto made = records_.create(loop_.now(), loop_.wall(), std::move(wish));
  if (!made) return refuse(error_of(made.error()));
  webhooks_.add({.what = room::Happening::kRoomStarted, .room = made->room});
  webhooks_.flush();
  return std::move(made->room);
}

std::optional<room::RoomInfo> RoomDesk::keep_metadata(const std::string& name, const std::string& metadata) {
  auto kept = records_.update_metadata(name, metadata);
  if (kept) return std::move(*kept);
  if (kept.error() != control::RoomRefusal::kNotFound) check(refuse(kept.error()));
  return std::nullopt;
}

void RoomDesk::add_kept(const livekit::pb::ListRoomsRequest& request, livekit::pb::ListRoomsResponse& rooms) {
  std::set<std::string> open;
  for (const auto& one : rooms.rooms()) open.insert(one.name());
  auto add = [&](const room::RoomInfo& info) {
    if (open.insert(info.name).second) *rooms.add_rooms() = livekit::to_wire(info);
  };
  for (const std::string& name : request.names())
    if (auto kept = records_.find(name)) add(*kept);
  if (request.names_size() > 0) return;
  auto page = records_.list("", control::kRoomsPerPageMax);
  while (page && !page->empty()) {
    for (const room::RoomInfo& info : *page) add(info);
    if (page->size() < control::kRoomsPerPageMax) return;
    page = records_.list(page->back().name, control::kRoomsPerPageMax);
  }
}

bool RoomDesk::end_room(const std::string& name) {
  auto kept = records_.find(name);
  if (!kept) return false;
  handle_finished({.what = room::Happening::kRoomFinished, .room = std::move(*kept)});
  return true;
}

void RoomDesk::append_metrics(MetricSamples& samples) const {
  records_.append_metrics(samples);
  webhooks_.append_metrics(samples);
}

}  // namespace stoa::server
