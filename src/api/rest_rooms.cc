// The routes of rooms (rooms.h): requests become queries, what was found becomes JSON.
#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <string_view>

#include "api/rest_call.h"
#include "api/rest_json.h"
#include "control/text.h"
#include "room/limits.h"
#include "room/quality.h"

namespace stoa::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kCharacterBytesMax = 4;  // UTF-8.

const char* name_of(room::ParticipantState state) {
  switch (state) {
    case room::ParticipantState::kJoining: return "joining";
    case room::ParticipantState::kJoined: return "joined";
    case room::ParticipantState::kActive: return "active";
    case room::ParticipantState::kDisconnected: break;
  }
  return "disconnected";
}

const char* name_of(room::ParticipantKind kind) {
  switch (kind) {
    case room::ParticipantKind::kStandard: break;
    case room::ParticipantKind::kIngress: return "ingress";
    case room::ParticipantKind::kEgress: return "egress";
    case room::ParticipantKind::kSip: return "sip";
    case room::ParticipantKind::kAgent: return "agent";
    case room::ParticipantKind::kConnector: return "connector";
  }
  return "standard";
}

const char* name_of(room::ConnectionQuality quality) {
  switch (quality) {
    case room::ConnectionQuality::kPoor: return "poor";
    case room::ConnectionQuality::kGood: return "good";
    case room::ConnectionQuality::kExcellent: return "excellent";
    case room::ConnectionQuality::kLost: break;
  }
  return "lost";
}

const char* name_of(room::TrackSource source) {
  switch (source) {
    case room::TrackSource::kUnknown: break;
    case room::TrackSource::kCamera: return "camera";
    case room::TrackSource::kMicrophone: return "microphone";
    case room::TrackSource::kScreenShare: return "screen_share";
    case room::TrackSource::kScreenShareAudio: return "screen_share_audio";
  }
  return "unknown";
}

const char* name_of(room::Quality quality) {
  switch (quality) {
    case room::Quality::kLow: return "low";
    case room::Quality::kMedium: return "medium";
    case room::Quality::kHigh: return "high";
    case room::Quality::kOff: break;
  }
  return "off";
}

const char* name_of(room::TrackKind kind) { return kind == room::TrackKind::kVideo ? "video" : "audio"; }
const char* name_of_transport(bool is_tcp) { return is_tcp ? "tcp" : "udp"; }

double rounded(double value, double steps) {
  return std::isfinite(value) ? std::round(value * steps) / steps : 0;
}
double ms(Duration duration) { return rounded(duration.as_seconds() * 1000, 100); }
json::value ms(const std::optional<Duration>& duration) {
  return duration ? json::value(ms(*duration)) : json::value(nullptr);
}
double share(double value) { return rounded(value, 10'000); }
double hundredths(double value) { return rounded(value, 100); }

json::value or_null(std::string_view text) { return text.empty() ? json::value(nullptr) : json::value(text); }
// What a client says of itself may be anything.
json::value plain_or_null(std::string_view text) {
  constexpr std::size_t kCharactersMax = 200;
  bool is_plain = control::is_plain_text(text, kCharactersMax, control::LineBreaks::kRefused);
  return or_null(is_plain ? text : std::string_view());
}

json::object json_of(const room::RoomInfo& room) {
  return {{"name", room.name},
          {"sid", room.sid},
          {"created_at", to_iso8601(room.created_at)},
          {"participants", room.participants},
          {"publishers", room.publishers},
          {"recording", room.is_recorded}};
}

json::value json_of(const room::ClientReport& client) {
  return json::object{{"sdk", plain_or_null(client.sdk)},
                      {"version", plain_or_null(client.version)},
                      {"os", plain_or_null(client.os)},
                      {"browser", plain_or_null(client.browser)}};
}

// How somebody is connected, as lists and statistics tell it alike.
void add_connection(json::object& object, const room::SeatReport* seat) {
  const bool has_score = seat && seat->score;
  const bool has_path = seat && !seat->connections.empty();
  object["quality"] = has_score ? json::value(name_of(seat->score->quality)) : json::value(nullptr);
  object["mos"] = has_score ? json::value(hundredths(seat->score->mos)) : json::value(nullptr);
  object["transport"] =
      has_path ? json::value(name_of_transport(seat->connections.front().is_tcp)) : json::value(nullptr);
}

json::object json_of(const FoundParticipant& found) {
  const room::ParticipantInfo& info = *found.info;
  const room::SeatReport* seat = found.seat ? &*found.seat : nullptr;
  json::object object = {{"identity", info.identity},
                         {"sid", info.sid},
                         {"name", info.name},
                         {"state", name_of(info.state)},
                         {"kind", name_of(info.kind)},
                         {"joined_at", to_iso8601(info.joined_at)},
                         {"hidden", info.permissions.is_hidden},
                         {"published", info.tracks.size()}};
  add_connection(object, seat);
  object["client"] = seat ? json_of(seat->client) : json::value(nullptr);
  return object;
}

json::value score_of(const std::optional<room::StreamQuality>& measured) {
  if (!measured) return nullptr;
  const room::ScoreParts parts = room::parts_of(*measured);
  return json::object{{"mos", hundredths(parts.mos)},
                      {"delay_impairment", hundredths(parts.delay_impairment)},
                      {"loss_impairment", hundredths(parts.loss_impairment)},
                      {"loss", share(measured->loss)},
                      {"redundant", measured->has_redundancy},
                      {"jitter_ms", ms(measured->jitter)},
                      {"round_trip_ms", ms(measured->round_trip)}};
}

void add_layer_name(json::object& object, const std::optional<room::VideoLayer>& layer) {
  object["quality"] = layer ? json::value(name_of(layer->quality)) : json::value(nullptr);
  object["width"] = layer ? json::value(layer->width) : json::value(nullptr);
  object["height"] = layer ? json::value(layer->height) : json::value(nullptr);
}

json::object json_of(const room::LayerReport& layer, bool is_video) {
  json::object object;
  add_layer_name(object, layer.announced);
  const auto& rates = layer.rates;
  object["active"] = layer.is_active;
  object["interval_ms"] = rates ? json::value(ms(rates->interval)) : json::value(nullptr);
  object["bitrate_bps"] = rates ? json::value(rates->bits_per_second) : json::value(nullptr);
  object["frame_rate"] =
      rates && is_video ? json::value(hundredths(rates->frames_per_second)) : json::value(nullptr);
  object["loss"] = rates ? json::value(share(rates->loss)) : json::value(nullptr);
  object["packets"] = layer.packets;
  object["bytes"] = layer.bytes;
  object["frames"] = is_video ? json::value(layer.frames) : json::value(nullptr);
  object["packets_lost"] = std::max<std::int64_t>(layer.lost, 0);
  object["jitter_ms"] = ms(layer.jitter);
  object["nacks"] = layer.nacks;
  object["plis"] = layer.plis;
  return object;
}

json::object json_of(const room::PublishedReport& track) {
  json::array layers;
  for (const room::LayerReport& layer : track.layers)
    layers.push_back(json_of(layer, track.kind == room::TrackKind::kVideo));
  return {{"track", track.sid},
          {"kind", name_of(track.kind)},
          {"source", name_of(track.source)},
          {"codec", or_null(track.codec)},
          {"muted", track.is_muted},
          {"layers", std::move(layers)},
          {"score", score_of(track.measured)}};
}

json::object json_of(const room::SentReport& track) {
  const auto& rates = track.rates;
  json::object object = {{"track", track.sid},
                         {"publisher", track.publisher_identity},
                         {"publisher_sid", track.publisher_sid},
                         {"kind", name_of(track.kind)},
                         {"source", name_of(track.source)},
                         {"codec", or_null(track.codec)},
                         {"flowing", track.is_flowing},
                         {"paused", track.is_paused},
                         {"layer", track.layer ? json::value(*track.layer) : json::value(nullptr)}};
  add_layer_name(object, track.announced);
  object["interval_ms"] = rates ? json::value(ms(rates->interval)) : json::value(nullptr);
  object["bitrate_bps"] = rates ? json::value(rates->bits_per_second) : json::value(nullptr);
  object["packets"] = track.packets;
  object["bytes"] = track.bytes;
  object["packets_retransmitted"] = track.retransmitted;
  object["packets_nacked"] = track.nacked;
  object["plis"] = track.plis;
  object["loss"] = share(track.loss);
  object["jitter_ms"] = ms(track.jitter);
  object["round_trip_ms"] = ms(track.round_trip);
  object["estimate_bps"] = track.remb_bps > 0 ? json::value(track.remb_bps) : json::value(nullptr);
  object["score"] = score_of(track.measured);
  return object;
}

json::object connection_of(const room::SeatReport& seat) {
  json::object connection;
  add_connection(connection, &seat);
  connection["round_trip_ms"] = ms(seat.round_trip);
  json::array paths;
  for (const room::ConnectionReport& one : seat.connections) {
    const char* carries = one.is_receiving && one.is_sending ? "both"
                          : one.is_receiving                 ? "published"
                                                             : "sent";
    paths.push_back(json::object{{"carries", carries},
                                 {"transport", name_of_transport(one.is_tcp)},
                                 {"address", one.address},
                                 {"round_trip_ms", ms(one.round_trip)}});
  }
  connection["paths"] = std::move(paths);
  return connection;
}

json::object statistics_of(WallTime now, const RoomsQuery& query, const FoundParticipant& found) {
  json::array published, sent;
  for (const room::PublishedReport& track : found.seat->published) published.push_back(json_of(track));
  for (const room::SentReport& track : found.seat->sent) sent.push_back(json_of(track));
  return {{"room", query.room},
          {"identity", found.info->identity},
          {"sid", found.info->sid},
          {"at", to_iso8601(now)},
          {"client", json_of(found.seat->client)},
          {"connection", connection_of(*found.seat)},
          {"published", std::move(published)},
          {"sent", std::move(sent)}};
}

// {"<name>": […], "next": …}
template <typename Item, typename NameOf>
http::Response page_of(const char* name, const std::vector<Item>& items, std::size_t limit,
                       NameOf name_of_item) {
  json::array listed;
  for (std::size_t i = 0; i < std::min(items.size(), limit); ++i) listed.push_back(json_of(items[i]));
  json::value next =
      items.size() > limit ? json::value(name_of_item(items[limit - 1])) : json::value(nullptr);
  return make_json_response(200, json::object{{name, std::move(listed)}, {"next", std::move(next)}});
}

void ask(RestCall& call, RoomsQuery query) {
  query.sees_hidden = call.principal && call.principal->may(control::kScopeRooms);
  call.query = std::move(query);
}

http::Response ask_for_page(RestCall& call, RoomsQuery query, std::size_t after_bytes_max) {
  auto wish = read_page_wish(call.request, kRoomItemsPerPageMax, after_bytes_max);
  if (!wish) return make_json_error(wish.error());
  query.limit = wish->limit;
  query.after = std::move(wish->after);
  ask(call, std::move(query));
  return {};
}

}  // namespace

http::Response list_rooms(RestCall& call) {
  return ask_for_page(call, {.kind = RoomsQuery::Kind::kRooms},
                      room::kNameCharactersMax * kCharacterBytesMax);
}

http::Response read_room(RestCall& call) {
  ask(call, {.kind = RoomsQuery::Kind::kRoom, .room = std::string(call.segments[0])});
  return {};
}

http::Response list_participants(RestCall& call) {
  return ask_for_page(call, {.kind = RoomsQuery::Kind::kParticipants, .room = std::string(call.segments[0])},
                      room::kIdentityBytesMax);
}

http::Response read_statistics(RestCall& call) {
  ask(call, {.kind = RoomsQuery::Kind::kStatistics,
             .room = std::string(call.segments[0]),
             .participant = std::string(call.segments[1])});
  return {};
}

http::Response write_rooms_reply(WallTime now, const RoomsQuery& query, const RoomsReply& reply) {
  switch (query.kind) {
    case RoomsQuery::Kind::kRooms:
      return page_of("rooms", reply.rooms, query.limit, [](const room::RoomInfo& room) { return room.name; });
    case RoomsQuery::Kind::kRoom:
      if (reply.rooms.empty()) return refuse_rooms_query(RoomsRefusal::kNoRoom);
      return make_json_response(200, json_of(reply.rooms.front()));
    case RoomsQuery::Kind::kParticipants:
      return page_of("participants", reply.participants, query.limit,
                     [](const FoundParticipant& one) { return one.info->identity; });
    case RoomsQuery::Kind::kStatistics: break;
  }
  // It may have left between the two answers.
  if (reply.participants.empty() || !reply.participants.front().seat)
    return refuse_rooms_query(RoomsRefusal::kNoParticipant);
  return make_json_response(200, statistics_of(now, query, reply.participants.front()));
}

http::Response refuse_rooms_query(RoomsRefusal refusal) {
  ErrorCode code = ErrorCode::kTimedOut;
  switch (refusal) {
    case RoomsRefusal::kNoRoom: code = ErrorCode::kRoomNotFound; break;
    case RoomsRefusal::kNoParticipant: code = ErrorCode::kParticipantNotFound; break;
    case RoomsRefusal::kTooManyQueries: code = ErrorCode::kOverloaded; break;
    case RoomsRefusal::kStoreUnavailable: code = ErrorCode::kStoreUnavailable; break;
    case RoomsRefusal::kTimedOut: break;
  }
  http::Response response = make_json_error({code, facts_of(code).meaning, ""});
  if (code == ErrorCode::kOverloaded) response.headers.add("retry-after", "1");
  return response;
}

}  // namespace stoa::api
