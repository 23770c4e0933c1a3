#include "api/openapi_rtc.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "api/whip.h"
#include "base/assert.h"

namespace stoa::api {
namespace {

namespace json = boost::json;

struct Error {
  int status;
  const char* code;
  const char* meaning;
};
// What is answered before anybody looks at sessions.
constexpr std::array kRequestErrors = {
    Error{400, "bad_authorization", "The Authorization field holds no bearer token."},
    Error{400, "bad_if_match", "If-Match must be entity tags in quotes, or *."},
    Error{404, "not_found", "There is nothing at this path."},
    Error{406, "not_acceptable", "Accept leaves out application/sdp."},
    Error{413, "body_too_large", "The body has more than 65,536 bytes."},
    Error{415, "unsupported_media_type", "The body is of another type."},
};

Error error_of(std::string_view code) {
  for (const Error& error : kRequestErrors)
    if (error.code == code) return error;
  for (const RtcRefusalFacts& facts : rtc_refusal_table())
    if (facts.code == code) return {facts.status, facts.code, facts.meaning};
  STOA_ASSERT(false);
  return {};
}

json::object text_schema() { return {{"type", "string"}}; }
json::object header(std::string_view about) { return {{"description", about}, {"schema", text_schema()}}; }
json::object content_of(std::string_view type) { return {{type, json::object{{"schema", text_schema()}}}}; }

json::object error_response(int status, const std::vector<Error>& errors) {
  json::array codes;
  std::string about;
  for (const Error& error : errors) {
    codes.push_back(error.code);
    about += (about.empty() ? "`" : "\n\n`") + std::string(error.code) + "`: " + error.meaning;
  }
  json::object code = {{"properties", json::object{{"code", json::object{{"enum", std::move(codes)}}}}}};
  json::object narrowed = {{"properties", json::object{{"error", std::move(code)}}}};
  json::object base = {{"$ref", "#/components/schemas/Error"}};
  json::object schema = {{"allOf", json::array{std::move(base), std::move(narrowed)}}};
  json::object response = {
      {"description", about},
      {"content", json::object{{"application/json", json::object{{"schema", std::move(schema)}}}}}};
  json::object headers;
  if (status == 401) headers["WWW-Authenticate"] = header("Bearer (RFC 6750 §3).");
  if (status == 429 || status == 503 || (status == 404 && about.find("`not_live`") != std::string::npos))
    headers["Retry-After"] = header("Seconds after which it makes sense to try again.");
  if (!headers.empty()) response["headers"] = std::move(headers);
  return response;
}

void add_errors(std::initializer_list<std::string_view> codes, json::object& responses) {
  std::map<int, std::vector<Error>> by_status;
  for (std::string_view code : codes) {
    Error error = error_of(code);
    by_status[error.status].push_back(error);
  }
  for (const auto& [status, errors] : by_status)
    responses[std::to_string(status)] = error_response(status, errors);
}

// Publishers that were let go: for a few minutes their sessions are not merely unknown.
void add_dropped(json::object& responses) {
  add_errors({"taken_over", "broadcast_stopped", "key_revoked", "too_many_sources"}, responses);
}

json::array parameters_of(bool has_session) {
  json::object channel = {{"name", "channel"},
                          {"in", "path"},
                          {"required", true},
                          {"schema", json::object{{"$ref", "#/components/schemas/ChannelName"}}}};
  json::array parameters;
  parameters.push_back(std::move(channel));
  if (!has_session) return parameters;
  json::object name = {{"type", "string"}, {"pattern", "^[A-Za-z0-9_-]{1,64}$"}};
  parameters.push_back(
      json::object{{"name", "session"}, {"in", "path"}, {"required", true}, {"schema", std::move(name)}});
  return parameters;
}

json::array security_of(RtcRole role) {
  json::object bearer = {{kRtcSecurityScheme, json::array()}};
  json::array either;
  if (role == RtcRole::kViewer) either.push_back(json::object());
  either.push_back(std::move(bearer));
  return either;
}

json::object make_operation(RtcRole role, const char* id, std::string_view summary, bool has_session) {
  return {{"operationId", id},
          {"summary", summary},
          {"parameters", parameters_of(has_session)},
          {"security", security_of(role)}};
}

json::object make_post(RtcRole role) {
  bool is_publisher = role == RtcRole::kPublisher;
  json::object post =
      make_operation(role, is_publisher ? "publishRtc" : "watchRtc",
                     is_publisher ? "Publish by WebRTC: an offer in, an answer out (WHIP, RFC 9725)."
                                  : "Watch by WebRTC: an offer in, an answer out (WHEP).",
                     false);
  post["requestBody"] = json::object{{"required", true}, {"content", content_of("application/sdp")}};
  json::object created = {{"description", "The session was made; the body is the answer."},
                          {"content", content_of("application/sdp")}};
  created["headers"] =
      json::object{{"Location", header("The session's path, to be patched and deleted.")},
                   {"ETag", header("The ICE generation, for If-Match.")},
                   {"Accept-Patch", header("application/trickle-ice-sdpfrag")},
                   {"Link", header("ICE servers: one field each, rel=\"ice-server\" (RFC 9725 §4.6).")}};
  json::object responses = {{"201", std::move(created)}};
  if (is_publisher) {
    add_errors({"bad_offer", "bad_authorization", "unauthorized", "forbidden", "not_found", "not_live",
                "not_acceptable", "no_common_codec", "conflict", "body_too_large", "unsupported_media_type",
                "unprocessable", "too_many_sessions", "overloaded", "not_offered"},
               responses);
  } else {
    add_errors({"bad_offer", "bad_authorization", "unauthorized", "forbidden", "not_found", "not_live",
                "not_acceptable", "no_common_codec", "body_too_large", "unsupported_media_type",
                "unprocessable", "too_many_sessions", "overloaded", "not_offered"},
               responses);
  }
  post["responses"] = std::move(responses);
  return post;
}

json::object make_patch(RtcRole role) {
  json::object patch = make_operation(role, role == RtcRole::kPublisher ? "patchPublishRtc" : "patchWatchRtc",
                                      "Candidates of the peer, or an ICE restart (RFC 9725 §4.3).", true);
  patch["parameters"].as_array().push_back(
      json::object{{"name", "If-Match"},
                   {"in", "header"},
                   {"description", "The ICE generation that is meant; * for a restart."},
                   {"schema", text_schema()}});
  patch["requestBody"] =
      json::object{{"required", true}, {"content", content_of("application/trickle-ice-sdpfrag")}};
  json::object restarted = {{"description", "ICE was restarted; the body has our new credentials."},
                            {"headers", json::object{{"ETag", header("The new ICE generation.")}}},
                            {"content", content_of("application/trickle-ice-sdpfrag")}};
  json::object responses = {{"200", std::move(restarted)},
                            {"204", json::object{{"description", "The candidates were taken."}}}};
  add_errors({"bad_fragment", "bad_if_match", "bad_authorization", "unauthorized", "forbidden", "not_found",
              "no_session", "precondition_failed", "body_too_large", "unsupported_media_type",
              "precondition_required", "overloaded", "not_offered"},
             responses);
  if (role == RtcRole::kPublisher) add_dropped(responses);
  patch["responses"] = std::move(responses);
  return patch;
}

json::object make_delete(RtcRole role) {
  json::object operation = make_operation(role, role == RtcRole::kPublisher ? "endPublishRtc" : "endWatchRtc",
                                          "End the session.", true);
  json::object responses = {{"200", json::object{{"description", "The session has ended."}}}};
  add_errors({"bad_authorization", "unauthorized", "forbidden", "not_found", "no_session", "overloaded"},
             responses);
  if (role == RtcRole::kPublisher) add_dropped(responses);
  operation["responses"] = std::move(responses);
  return operation;
}

}  // namespace

void add_rtc_paths(json::object& paths) {
  for (RtcRole role : {RtcRole::kPublisher, RtcRole::kViewer}) {
    std::string folder = role == RtcRole::kPublisher ? "/whip/{channel}" : "/whep/{channel}";
    paths[folder] = json::object{{"post", make_post(role)}};
    paths[folder + "/{session}"] = json::object{{"patch", make_patch(role)}, {"delete", make_delete(role)}};
  }
}

}  // namespace stoa::api
