#include "api/openapi.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "api/openapi_rooms.h"
#include "api/openapi_rtc.h"
#include "api/rest.h"
#include "api/rest_json.h"
#include "base/assert.h"
#include "base/letters.h"

namespace stoa::api {
namespace {

namespace json = boost::json;

// JSON Schema 2020-12. Limits are those of control/channels.h, control/stream_keys.h and control/text.h; a
// test compares them.
constexpr std::string_view kSchemas = R"json({
"ChannelName": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$", "maxLength": 64},
"Time": {"type": "string", "format": "date-time", "description": "UTC with milliseconds (RFC 3339)."},
"Error": {"type": "object", "required": ["error"], "additionalProperties": false, "properties": {
  "error": {"type": "object", "required": ["code", "message"], "additionalProperties": false, "properties": {
    "code": {"type": "string", "description": "For programs; never changes its meaning."},
    "message": {"type": "string", "description": "A sentence for people."},
    "field": {"type": "string", "description": "The field or query key that is wrong, when it is one."}}}}},
"Channel": {"type": "object", "additionalProperties": false,
  "required": ["name", "title", "description", "enabled", "ladder", "state", "created_at", "updated_at"],
  "properties": {
    "name": {"$ref": "#/components/schemas/ChannelName"},
    "title": {"type": "string", "maxLength": 200},
    "description": {"type": "string", "maxLength": 4000},
    "enabled": {"type": "boolean", "description": "Nobody may publish to a channel that is not."},
    "ladder": {"$ref": "#/components/schemas/LadderWish"},
    "state": {"type": "string", "enum": ["offline", "live", "interrupted"]},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "updated_at": {"$ref": "#/components/schemas/Time"}}},
"ChannelPage": {"type": "object", "additionalProperties": false, "required": ["channels", "next"], "properties": {
    "channels": {"type": "array", "items": {"$ref": "#/components/schemas/Channel"}},
    "next": {"type": ["string", "null"], "description": "To be given as `after`; null on the last page."}}},
"NewChannel": {"type": "object", "additionalProperties": false, "required": ["name"], "properties": {
    "name": {"$ref": "#/components/schemas/ChannelName"},
    "title": {"type": "string", "maxLength": 200},
    "description": {"type": "string", "maxLength": 4000},
    "ladder": {"$ref": "#/components/schemas/LadderWish"}}},
"ChannelChange": {"type": "object", "additionalProperties": false, "properties": {
    "title": {"type": "string", "maxLength": 200},
    "description": {"type": "string", "maxLength": 4000},
    "enabled": {"type": "boolean", "description": "false also ends the broadcast."},
    "ladder": {"$ref": "#/components/schemas/LadderWish"}}},
"LadderWish": {"type": "string", "maxLength": 256,
  "description": "off, one, standard, mobile, 720p30:2500,360p30:av1; ,per-title=on may follow. Empty: the server's."},
"KeyWish": {"type": "object", "additionalProperties": false, "properties": {
    "label": {"type": "string", "maxLength": 100}}},
"NewKey": {"type": "object", "additionalProperties": false, "required": ["id", "key", "label", "created_at"],
  "properties": {
    "id": {"type": "string"},
    "key": {"type": "string", "pattern": "^sk_[0-9A-Za-z]{32}$",
      "description": "The stream key. It is told only here."},
    "label": {"type": "string", "maxLength": 100},
    "created_at": {"$ref": "#/components/schemas/Time"}}},
"Key": {"type": "object", "additionalProperties": false, "required": ["id", "label", "created_at", "last_used_at"],
  "properties": {
    "id": {"type": "string"},
    "label": {"type": "string", "maxLength": 100},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "last_used_at": {"type": ["string", "null"], "format": "date-time",
      "description": "To the minute; null when it was never used."}}},
"KeyList": {"type": "object", "additionalProperties": false, "required": ["keys"], "properties": {
    "keys": {"type": "array", "items": {"$ref": "#/components/schemas/Key"}}}},
"Ending": {"type": "object", "additionalProperties": false, "required": ["name", "state"], "properties": {
    "name": {"$ref": "#/components/schemas/ChannelName"},
    "state": {"type": "string", "enum": ["ending"]}}},
"VideoTrack": {"type": "object", "additionalProperties": false,
  "required": ["id", "kind", "codec", "codec_name", "width", "height", "frame_rate", "bitrate", "label", "language"],
  "properties": {
    "id": {"type": "string"},
    "kind": {"type": "string", "enum": ["video"]},
    "codec": {"type": "string", "description": "RFC 6381, for example avc1.64001f."},
    "codec_name": {"type": "string", "description": "For people, for example H.264."},
    "width": {"type": "integer", "minimum": 0},
    "height": {"type": "integer", "minimum": 0},
    "frame_rate": {"type": "number", "minimum": 0, "description": "Frames per second; 0 when unknown."},
    "bitrate": {"type": "integer", "minimum": 0, "description": "Bits per second, measured."},
    "label": {"type": "string"},
    "language": {"type": "string", "description": "BCP 47; empty when unknown."},
    "realtime_obstacle": {"$ref": "#/components/schemas/RealtimeObstacle"},
    "hls_obstacle": {"$ref": "#/components/schemas/HlsObstacle"}}},
"AudioTrack": {"type": "object", "additionalProperties": false,
  "required": ["id", "kind", "codec", "codec_name", "sample_rate", "channels", "bitrate", "label", "language"],
  "properties": {
    "id": {"type": "string"},
    "kind": {"type": "string", "enum": ["audio"]},
    "codec": {"type": "string", "description": "RFC 6381, for example mp4a.40.2."},
    "codec_name": {"type": "string", "description": "For people, for example AAC."},
    "sample_rate": {"type": "integer", "minimum": 0, "description": "Hz."},
    "channels": {"type": "integer", "minimum": 0},
    "bitrate": {"type": "integer", "minimum": 0, "description": "Bits per second, measured."},
    "label": {"type": "string"},
    "language": {"type": "string", "description": "BCP 47; empty when unknown."},
    "realtime_obstacle": {"$ref": "#/components/schemas/RealtimeObstacle"},
    "hls_obstacle": {"$ref": "#/components/schemas/HlsObstacle"}}},
"RealtimeObstacle": {"type": "string", "enum": ["codec", "reordered_frames"],
  "description": "What keeps the track, or a part of it (reordered_frames), from WebRTC. Absent if nothing."},
"HlsObstacle": {"type": "string", "enum": ["codec"],
  "description": "What keeps the track (VP8) from HLS: it has no rendition; sizes and rates are 0. Absent if nothing."},
"Source": {"type": "object", "additionalProperties": false, "required": ["peer", "protocol", "priority", "is_active"],
  "properties": {
    "peer": {"type": "string", "description": "Address and port of the encoder."},
    "protocol": {"type": "string"},
    "priority": {"type": "integer"},
    "is_active": {"type": "boolean", "description": "Its media is what viewers see."}}},
"Rung": {"type": "object", "additionalProperties": false,
  "required": ["name", "kind", "codec_name", "state", "bitrate_max", "bitrate_usual", "bitrate", "encoder",
    "frames", "frames_waiting", "oldest_wait_ms", "encode_p95_ms", "speed"],
  "properties": {
    "name": {"type": "string", "description": "Of the rendition, for example 720p30."},
    "kind": {"type": "string", "enum": ["video", "audio"]},
    "codec_name": {"type": "string"},
    "state": {"type": "string", "enum": ["awaited", "working", "resting"],
      "description": "resting: not made now, since the source is too small or the machine too slow."},
    "width": {"type": "integer", "minimum": 0},
    "height": {"type": "integer", "minimum": 0},
    "bitrate_max": {"type": "integer", "minimum": 0, "description": "Bits per second, at most."},
    "bitrate_usual": {"type": "integer", "minimum": 0,
      "description": "The same as it is when pictures may be of any kind; bitrate_max is lower where they need less."},
    "bitrate": {"type": "integer", "minimum": 0, "description": "What it took in the last second; 0: nothing yet."},
    "encoder": {"type": "string", "description": "Empty until it works."},
    "frames": {"type": "integer", "minimum": 0, "description": "Since the worker began, as all that follows."},
    "frames_waiting": {"type": "integer", "minimum": 0, "description": "Before the encoder."},
    "oldest_wait_ms": {"type": "integer", "minimum": 0},
    "encode_p95_ms": {"type": "number", "minimum": 0, "description": "95 of 100 take at most so long."},
    "speed": {"type": "number", "minimum": 0, "description": "1: it takes as long as the media lasts."}}},
"Worker": {"type": "object", "additionalProperties": false,
  "required": ["state", "restarts", "is_storm", "trouble", "frames_in", "frames_dropped", "cpu_s", "memory_bytes"],
  "properties": {
    "state": {"type": "string", "enum": ["none", "waiting", "pausing", "starting", "running"],
      "description": "waiting: as many run as may; pausing: the one before it ended."},
    "restarts": {"type": "integer", "minimum": 0, "description": "Since the broadcast began."},
    "is_storm": {"type": "boolean", "description": "They end so often that one is tried once a minute."},
    "trouble": {"type": "string", "description": "Why the one before it ended; empty when there was none."},
    "frames_in": {"type": "integer", "minimum": 0},
    "frames_dropped": {"type": "integer", "minimum": 0, "description": "It was not told, having too many."},
    "cpu_s": {"type": "number", "minimum": 0},
    "memory_bytes": {"type": "integer", "minimum": 0}}},
"Complexity": {"type": "object", "additionalProperties": false, "required": ["spatial", "temporal"],
  "description": "Of the luma (0 to 255) of the last second's pictures, at a quarter of their width and height.",
  "properties": {
    "spatial": {"type": "number", "minimum": 0, "description": "Mean difference of a sample to its neighbours."},
    "temporal": {"type": "number", "minimum": 0, "description": "Mean difference to the picture before."}}},
"Ladder": {"type": "object", "additionalProperties": false, 
  "required": ["profile", "revision", "per_title", "left_out", "rungs", "worker"],
  "properties": {
    "profile": {"type": "string", "description": "What was asked for."},
    "revision": {"type": "integer", "minimum": 0, "description": "Grows with each change of the rungs."},
    "per_title": {"type": "boolean", "description": "Whether bit rates go by what the pictures need."},
    "left_out": {"type": "array", "items": {"type": "string"}, "description": "Rungs that they do not need."},
    "rungs": {"type": "array", "items": {"$ref": "#/components/schemas/Rung"}},
    "worker": {"$ref": "#/components/schemas/Worker"},
    "complexity": {"$ref": "#/components/schemas/Complexity"}}},
"LiveChannel": {"type": "object", "additionalProperties": false,
  "required": ["name", "title", "state", "started_at", "uptime_s", "viewers", "hls_url", "whep_url", "warnings",
    "tracks"],
  "properties": {
    "name": {"$ref": "#/components/schemas/ChannelName"},
    "title": {"type": "string", "description": "The channel's name when it has no title."},
    "state": {"type": "string", "enum": ["live", "interrupted"],
      "description": "interrupted: the encoder is away and may come back."},
    "started_at": {"$ref": "#/components/schemas/Time"},
    "uptime_s": {"type": "integer", "minimum": 0},
    "viewers": {"type": "integer", "minimum": 0},
    "hls_url": {"type": "string", "description": "The multivariant playlist."},
    "whep_url": {"type": "string", "description": "Where to POST an offer for watching over WebRTC."},
    "poster_url": {"type": "string",
      "description": "A picture of what is on air, another address for each; of channels that are transcoded."},
    "storyboard_url": {"type": "string", "description": "WebVTT: small pictures of the live window, likewise."},
    "warnings": {"type": "array", "items": {"type": "string"}},
    "tracks": {"type": "array", "items": {"oneOf": [
      {"$ref": "#/components/schemas/VideoTrack"}, {"$ref": "#/components/schemas/AudioTrack"}]}},
    "sources": {"type": "array", "items": {"$ref": "#/components/schemas/Source"},
      "description": "Only for who shows a token with channels:read."},
    "ladder": {"$ref": "#/components/schemas/Ladder"}}},
"LiveList": {"type": "object", "additionalProperties": false, "required": ["channels"], "properties": {
    "channels": {"type": "array", "items": {"$ref": "#/components/schemas/LiveChannel"}}}},
"Event": {"type": "object", "additionalProperties": false, "required": ["kind", "text", "first_at", "last_at", "count"],
  "properties": {
    "kind": {"type": "string", "description": "For programs, for example worker_lost."},
    "text": {"type": "string", "description": "For people."},
    "first_at": {"$ref": "#/components/schemas/Time"},
    "last_at": {"$ref": "#/components/schemas/Time"},
    "count": {"type": "integer", "minimum": 1, "description": "The same again, with nothing between, is told once."}}},
"EventList": {"type": "object", "additionalProperties": false, "required": ["events"], "properties": {
    "events": {"type": "array", "items": {"$ref": "#/components/schemas/Event"},
      "description": "The last 100, oldest first. Kept in memory: the server forgets them when it is stopped."}}},
"Server": {"type": "object", "additionalProperties": false, "required": ["version", "started_at", "uptime_s"],
  "properties": {
    "version": {"type": "string"},
    "started_at": {"$ref": "#/components/schemas/Time"},
    "uptime_s": {"type": "integer", "minimum": 0}}},
"OpenApi": {"type": "object", "required": ["openapi", "info", "paths"]}
})json";

constexpr std::string_view kAbout =
    "Channels, their stream keys, and what is live; rooms, who is in them, and how their media flows.\n\n"
    "Whoever needs more than what is public sends `Authorization: Bearer <token>`: a JSON Web Token signed "
    "with "
    "HS256 by the secret of an API key, with `iss` (the key's id), `exp` (at most 24 hours ahead unless the "
    "server "
    "is set otherwise) and `scope` (a list of scopes, or `*` for all that the key has). `stoa token create` "
    "makes "
    "one.\n\n"
    "Errors are JSON with a stable code. Every path answers OPTIONS with Allow, HEAD as GET without its "
    "body, "
    "unknown paths with 404 (`not_found`) and other methods with 405 (`method_not_allowed`) and Allow.";

const char* word_for(int status) {
  switch (status) {
    case 200: return "As asked.";
    case 201: return "Made.";
    case 202: return "It will be done in a moment.";
    case 204: return "Done; there is nothing to tell.";
    default: return http::reason_of(status);
  }
}

json::object reference(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}
json::object content_of(json::object schema) {
  return {{"application/json", json::object{{"schema", std::move(schema)}}}};
}
json::object header(std::string_view about) {
  return {{"description", about}, {"schema", json::object{{"type", "string"}}}};
}

json::array parameters_of(const Route& route) {
  json::array parameters;
  std::string_view rest = route.path;
  for (std::size_t open; (open = rest.find('{')) != std::string_view::npos;) {
    std::size_t close = rest.find('}', open);
    std::string_view name = rest.substr(open + 1, close - open - 1);
    json::object schema = name == "channel" ? reference("ChannelName") : json::object{{"type", "string"}};
    parameters.push_back(
        json::object{{"name", name}, {"in", "path"}, {"required", true}, {"schema", std::move(schema)}});
    rest.remove_prefix(close + 1);
  }
  for (const QueryKey& key : route.query) {
    bool is_text = std::string_view(key.type) == "string";
    json::object schema = {{"type", key.type},
                           {is_text ? "minLength" : "minimum", key.minimum},
                           {is_text ? "maxLength" : "maximum", key.maximum}};
    parameters.push_back(json::object{
        {"name", key.name}, {"in", "query"}, {"description", key.about}, {"schema", std::move(schema)}});
  }
  return parameters;
}

// The shape of Error, with the codes that this status may have here.
json::object error_response(int status, const std::vector<const ErrorFacts*>& errors) {
  json::array codes;
  std::string about;
  for (const ErrorFacts* facts : errors) {
    codes.push_back(facts->name);
    about += (about.empty() ? "`" : "\n\n`") + std::string(facts->name) + "`: " + facts->meaning;
  }
  json::object code = {{"properties", json::object{{"code", json::object{{"enum", std::move(codes)}}}}}};
  json::object narrowed = {{"properties", json::object{{"error", std::move(code)}}}};
  json::object response = {
      {"description", about},
      {"content", content_of({{"allOf", json::array{reference("Error"), std::move(narrowed)}}})}};
  if (status == 401 || status == 403)
    response["headers"] =
        json::object{{"WWW-Authenticate", header("Bearer, with what is wrong (RFC 6750 §3).")}};
  return response;
}

json::object responses_of(const Route& route) {
  json::object success = {{"description", word_for(route.status)}};
  if (route.answer) success["content"] = content_of(reference(route.answer));
  if (route.status == 201 && std::string_view(route.answer) == "Channel")
    success["headers"] = json::object{{"Location", header("The channel's path.")}};
  json::object responses = {{std::to_string(route.status), std::move(success)}};
  std::map<int, std::vector<const ErrorFacts*>> by_status;
  for (ErrorCode code : errors_of(route)) by_status[facts_of(code).status].push_back(&facts_of(code));
  for (const auto& [status, errors] : by_status)
    responses[std::to_string(status)] = error_response(status, errors);
  return responses;
}

json::array security_of(const Route& route) {
  if (route.access == Access::kPublic) return {};
  json::object bearer = {{"bearer", json::array{scope_of(route.access)}}};
  if (route.access == Access::kPublicOrRead) return json::array{json::object(), std::move(bearer)};
  json::array only;
  only.push_back(std::move(bearer));
  return only;
}

json::object operation_of(const Route& route) {
  json::object operation = {{"operationId", route.operation}, {"summary", route.summary}};
  json::array parameters = parameters_of(route);
  if (!parameters.empty()) operation["parameters"] = std::move(parameters);
  if (route.body) {
    operation["requestBody"] =
        json::object{{"required", !route.may_omit_body}, {"content", content_of(reference(route.body))}};
  }
  operation["responses"] = responses_of(route);
  operation["security"] = security_of(route);
  return operation;
}

}  // namespace

std::string write_openapi(std::span<const Route> routes, const std::string& version) {
  boost::system::error_code error;
  json::value schemas = json::parse(kSchemas, error);
  STOA_ASSERT(!error);
  add_room_schemas(schemas.as_object());
  json::object paths;
  for (const Route& route : routes) {
    json::value& path = paths[route.path];
    if (!path.is_object()) path = json::object();
    path.get_object()[lower(http::name_of(route.method))] = operation_of(route);
  }
  add_rtc_paths(paths);
  json::object scheme = {{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}};
  json::object stream_key = {
      {"type", "http"}, {"scheme", "bearer"}, {"description", "A stream key of the channel."}};
  json::object license = {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}};
  json::object document = {
      {"openapi", "3.1.0"},
      {"info",
       json::object{{"title", "Stoa"}, {"version", version}, {"description", kAbout}, {"license", license}}},
      {"servers", json::array{json::object{{"url", "/"}}}},
      {"paths", std::move(paths)},
      {"components",
       json::object{{"schemas", std::move(schemas)},
                    {"securitySchemes", json::object{{"bearer", std::move(scheme)},
                                                     {kRtcSecurityScheme, std::move(stream_key)}}}}}};
  return write_json(document);
}

}  // namespace stoa::api
