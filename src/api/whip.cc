#include "api/whip.h"

#include <algorithm>
#include <array>

#include "base/assert.h"
#include "base/letters.h"
#include "control/text.h"

namespace stoa::api {
namespace {

constexpr std::string_view kSdpType = "application/sdp";
constexpr std::string_view kFragmentType = "application/trickle-ice-sdpfrag";
constexpr const char* kEndpointMethods = "POST, OPTIONS";
constexpr const char* kSessionMethods = "PATCH, DELETE, OPTIONS";

constexpr std::array<RtcRefusalFacts, kRtcRefusals> kRefusals = {{
    {RtcRefusal::kBadOffer, 400, "bad_offer", "The offer does not read, or is no offer of WebRTC."},
    {RtcRefusal::kBadFragment, 400, "bad_fragment", "The fragment of SDP does not read."},
    {RtcRefusal::kUnauthorized, 401, "unauthorized", "The stream key or token is missing or not known."},
    {RtcRefusal::kForbidden, 403, "forbidden", "The stream key or token is of another channel."},
    {RtcRefusal::kNoChannel, 404, "not_live", "There is no such channel, or nobody publishes to it now."},
    {RtcRefusal::kNoSession, 404, "no_session", "There is no such session, or it has ended."},
    {RtcRefusal::kTakenOver, 410, "taken_over", "Another publisher took the channel over from this session."},
    {RtcRefusal::kBroadcastStopped, 410, "broadcast_stopped", "The broadcast of this session was ended."},
    {RtcRefusal::kKeyRevoked, 410, "key_revoked", "The stream key of this session was revoked."},
    {RtcRefusal::kTooManySources, 410, "too_many_sources",
     "There was no room for the source of this session."},
    {RtcRefusal::kConflict, 409, "conflict",
     "The channel has all the encoders it takes, none of this priority. One of the same priority would have "
     "been "
     "taken over: who publishes last with a key of the channel has it."},
    {RtcRefusal::kPreconditionFailed, 412, "precondition_failed", "If-Match names another ICE generation."},
    {RtcRefusal::kNotAcceptable, 406, "no_common_codec", "No codec in common."},
    {RtcRefusal::kUnprocessable, 422, "unprocessable", "The offer was understood, but not to be had."},
    {RtcRefusal::kPreconditionRequired, 428, "precondition_required", "An ICE restart needs If-Match."},
    {RtcRefusal::kTooManySessions, 429, "too_many_sessions", "Too many sessions of this address."},
    {RtcRefusal::kOverloaded, 503, "overloaded", "The server takes no more sessions now."},
    {RtcRefusal::kNotOffered, 501, "not_offered", "This server offers no WebRTC (rtc is off)."},
}};

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_one_of(char c, std::string_view others) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         others.find(c) != std::string_view::npos;
}

// What every answer here has: it is for one peer only, and pages of other origins may read its fields.
http::Response finish(http::Response response) {
  response.headers.set("cache-control", "no-store");
  response.headers.set("access-control-allow-origin", "*");
  response.headers.set(
      "access-control-expose-headers",
      "accept-patch, accept-post, allow, etag, link, location, retry-after, www-authenticate");
  return response;
}

http::Response make_failure(int status, std::string_view code, std::string_view message) {
  return finish(http::make_error_response(status, code, message));
}

struct Place {
  RtcRole role = RtcRole::kPublisher;
  std::string_view channel;
  std::optional<std::string_view> session;
};

std::optional<Place> find_place(std::string_view path) {
  Place place;
  if (path.starts_with("/whep/")) {
    place.role = RtcRole::kViewer;
  } else if (!path.starts_with("/whip/")) {
    return std::nullopt;
  }
  path.remove_prefix(6);
  std::size_t slash = path.find('/');
  place.channel = path.substr(0, slash);
  if (slash != std::string_view::npos) place.session = path.substr(slash + 1);
  return place;
}

http::Response make_options_response(const Place& place) {
  http::Response response;
  response.status = 204;
  const char* methods = place.session ? kSessionMethods : kEndpointMethods;
  response.headers.add("allow", methods);
  response.headers.add(place.session ? "accept-patch" : "accept-post",
                       place.session ? kFragmentType : kSdpType);
  response.headers.add("access-control-allow-methods", methods);
  response.headers.add("access-control-allow-headers", "authorization, content-type, if-match");
  response.headers.add("access-control-max-age", "86400");
  return finish(std::move(response));
}

http::Response make_wrong_method(const Place& place) {
  http::Response response = make_failure(405, "method_not_allowed", "This path does not have that method.");
  response.headers.add("allow", place.session ? kSessionMethods : kEndpointMethods);
  return response;
}

// The type and subtype of a media type, without parameters.
std::string_view media_type_of(std::string_view field) { return trim(field.substr(0, field.find(';'))); }

// RFC 9110 §12.4.2: "q=0", "q=0.0", … refuse.
bool has_weight(std::string_view parameters) {
  while (!parameters.empty()) {
    std::size_t semicolon = parameters.find(';');
    std::string_view parameter = trim(parameters.substr(0, semicolon));
    parameters = semicolon == std::string_view::npos ? std::string_view() : parameters.substr(semicolon + 1);
    if (parameter.size() < 3 || lower(parameter[0]) != 'q' || parameter[1] != '=') continue;
    return parameter.substr(2).find_first_of("123456789") != std::string_view::npos;
  }
  return true;
}

// RFC 9110 §12.5.1: the most specific range decides.
bool accepts_sdp(const http::Headers& headers) {
  int best = 0;
  bool is_accepted = false, is_said = false;
  for (const auto& [name, value] : headers) {
    if (!equals_ignoring_case(name, "accept")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      std::size_t comma = rest.find(',');
      std::string_view range = trim(rest.substr(0, comma));
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      if (range.empty()) continue;
      is_said = true;
      std::string_view type = media_type_of(range);
      int precision = equals_ignoring_case(type, kSdpType)          ? 3
                      : equals_ignoring_case(type, "application/*") ? 2
                      : type == "*/*"                               ? 1
                                                                    : 0;
      if (precision <= best) continue;
      best = precision;
      std::size_t semicolon = range.find(';');
      is_accepted = semicolon == std::string_view::npos || has_weight(range.substr(semicolon + 1));
    }
  }
  return !is_said || is_accepted;
}

// RFC 6750 §2.1: b64token.
bool is_bearer(std::string_view text) {
  std::size_t end = text.find('=');
  if (end != std::string_view::npos && text.find_first_not_of('=', end) != std::string_view::npos)
    return false;
  text = text.substr(0, end);
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_one_of(c, "-._~+/"); });
}

// Empty when none was sent; nullopt when it cannot be read.
std::optional<std::string_view> find_bearer(const http::Headers& headers) {
  const std::string* field = nullptr;
  for (const auto& [name, value] : headers) {
    if (!equals_ignoring_case(name, "authorization")) continue;
    if (field) return std::nullopt;
    field = &value;
  }
  if (!field) return std::string_view();
  std::string_view text = trim(*field);
  std::size_t space = std::min(text.find(' '), text.size());
  if (!equals_ignoring_case(text.substr(0, space), "Bearer")) return std::string_view();
  text = trim(text.substr(space));
  if (text.size() > kBearerBytesMax || (!text.empty() && !is_bearer(text))) return std::nullopt;
  return text;
}

struct EntityTag {
  std::string_view opaque;
  bool is_weak = false;
};
// Takes the first entity tag of a list (RFC 9110 §8.8.3); nullopt when there is none.
std::optional<EntityTag> take_entity_tag(std::string_view& list) {
  EntityTag tag;
  std::string_view rest = list;
  if (rest.starts_with("W/")) {
    tag.is_weak = true;
    rest.remove_prefix(2);
  }
  if (!rest.starts_with('"')) return std::nullopt;
  std::size_t end = rest.find('"', 1);
  if (end == std::string_view::npos) return std::nullopt;
  tag.opaque = rest.substr(1, end - 1);
  bool is_clean = std::all_of(tag.opaque.begin(), tag.opaque.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7f;
  });
  if (!is_clean) return std::nullopt;
  list = rest.substr(end + 1);
  return tag;
}

// Calls `visit` with each tag of the list; false when the list is malformed or empty.
template <typename Visitor>
bool for_each_tag(std::string_view list, Visitor&& visit) {
  std::size_t count = 0;
  for (list = trim(list);;) {
    while (list.starts_with(',')) list = trim(list.substr(1));
    if (list.empty()) return count > 0;
    auto tag = take_entity_tag(list);
    if (!tag) return false;
    visit(*tag);
    ++count;
    list = trim(list);
    if (!list.empty() && list.front() != ',') return false;
  }
}

bool is_if_match(std::string_view text) {
  if (text.size() > kIfMatchBytesMax) return false;
  return trim(text) == "*" || for_each_tag(text, [](const EntityTag&) {});
}

// All fields of that name as one list (RFC 9110 §5.3); nullopt when there is none.
std::optional<std::string> find_if_match(const http::Headers& headers) {
  std::optional<std::string> list;
  for (const auto& [name, value] : headers) {
    if (!equals_ignoring_case(name, "if-match")) continue;
    if (list) {
      *list += ", " + value;
    } else {
      list = value;
    }
  }
  return list;
}

// What is wrong with a body, or nullopt.
std::optional<http::Response> judge_body(const http::Request& request, const Place& place) {
  std::string_view wanted = place.session ? kFragmentType : kSdpType;
  if (request.body.size() > kSessionDescriptionBytesMax)
    return make_failure(413, "body_too_large",
                        "A body may have " + std::to_string(kSessionDescriptionBytesMax) + " bytes.");
  std::string_view coding = trim(request.headers.get("content-encoding"));
  bool is_plain = coding.empty() || equals_ignoring_case(coding, "identity");
  bool is_wanted = equals_ignoring_case(media_type_of(request.headers.get("content-type")), wanted);
  if (is_plain && is_wanted) return std::nullopt;
  http::Response response = make_failure(
      415, "unsupported_media_type",
      is_plain ? "The body must be " + std::string(wanted) + "." : "The body must not be encoded.");
  response.headers.add(place.session ? "accept-patch" : "accept-post", wanted);
  return response;
}

http::Response make_bad_bearer() {
  return make_failure(400, "bad_authorization", "The Authorization field holds no bearer token (RFC 6750).");
}

Result<RtcCall, http::Response> parse_post(const http::Request& request, const Place& place) {
  if (auto response = judge_body(request, place)) return refuse(std::move(*response));
  if (!accepts_sdp(request.headers))
    return refuse(
        make_failure(406, "not_acceptable", "The answer is application/sdp, which Accept leaves out."));
  auto bearer = find_bearer(request.headers);
  if (!bearer) return refuse(make_bad_bearer());
  if (request.body.empty())
    return refuse(make_failure(400, "bad_offer", "The body is empty: an offer must be sent."));
  return RtcCall(RtcOffered{.role = place.role,
                            .channel = std::string(place.channel),
                            .bearer = std::string(*bearer),
                            .offer = request.body});
}

Result<RtcCall, http::Response> parse_patch(const http::Request& request, const Place& place) {
  if (auto response = judge_body(request, place)) return refuse(std::move(*response));
  auto bearer = find_bearer(request.headers);
  if (!bearer) return refuse(make_bad_bearer());
  auto if_match = find_if_match(request.headers);
  if (if_match && !is_if_match(*if_match))
    return refuse(make_failure(400, "bad_if_match", "If-Match must be entity tags in quotes, or *."));
  if (request.body.empty())
    return refuse(make_failure(400, "bad_fragment", "The body is empty: a fragment of SDP must be sent."));
  return RtcCall(RtcPatched{.role = place.role,
                            .channel = std::string(place.channel),
                            .session = std::string(*place.session),
                            .bearer = std::string(*bearer),
                            .if_match = std::move(if_match),
                            .fragment = request.body});
}

Result<RtcCall, http::Response> parse_delete(const http::Request& request, const Place& place) {
  auto bearer = find_bearer(request.headers);
  if (!bearer) return refuse(make_bad_bearer());
  return RtcCall(RtcDeleted{.role = place.role,
                            .channel = std::string(place.channel),
                            .session = std::string(*place.session),
                            .bearer = std::string(*bearer)});
}

// The rest of a response's body.
http::Response make_body_response(int status, std::string_view type, std::string_view text) {
  http::Response response;
  response.status = status;
  response.headers.add("content-type", type);
  response.body = http::Body(SharedBytes(std::string(text)));
  return response;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// RFC 9110 §5.6.4.
void append_quoted(std::string& out, std::string_view name, std::string_view value) {
  out.append("; ").append(name).append("=\"");
  for (char c : value) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

// RFC 8288 §3 with the attributes of RFC 9725 §4.6; empty for a server that no field can name.
std::string write_link(const IceServer& server) {
  if (server.url.empty() || has_control(server.url) || has_control(server.username) ||
      has_control(server.credential))
    return {};
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string link = "<";
  for (char c : server.url) {
    auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && std::string_view("<>\"\\^`{|}").find(c) == std::string_view::npos) {
      link.push_back(c);
    } else {
      link.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  link += ">; rel=\"ice-server\"";
  if (!server.username.empty() || !server.credential.empty()) {
    append_quoted(link, "username", server.username);
    append_quoted(link, "credential", server.credential);
    append_quoted(link, "credential-type", "password");
  }
  return link;
}

std::string quoted_etag(std::string_view etag) {
  STOA_ASSERT(etag.find_first_of("\" \t\r\n") == std::string_view::npos);
  return "\"" + std::string(etag) + "\"";
}

}  // namespace

bool is_session_name(std::string_view text) {
  return !text.empty() && text.size() <= kRtcSessionCharactersMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_one_of(c, "-_"); });
}

bool owns_rtc_path(std::string_view path) { return path.starts_with("/whip/") || path.starts_with("/whep/"); }

Result<RtcCall, http::Response> parse_rtc_request(const http::Request& request) {
  auto place = find_place(request.path);
  if (!place || !control::is_channel_name(place->channel))
    return refuse(make_failure(404, "not_found", "There is nothing here."));
  if (place->session && !is_session_name(*place->session))
    return refuse(make_refusal_response(RtcRefusal::kNoSession, "There is no session of that name."));
  switch (request.method) {
    case http::Method::kOptions: return refuse(make_options_response(*place));
    case http::Method::kPost:
      if (!place->session) return parse_post(request, *place);
      break;
    case http::Method::kPatch:
      if (place->session) return parse_patch(request, *place);
      break;
    case http::Method::kDelete:
      if (place->session) return parse_delete(request, *place);
      break;
    default: break;
  }
  return refuse(make_wrong_method(*place));
}

bool matches_if_match(std::string_view if_match, std::string_view etag) {
  if (trim(if_match) == "*") return true;
  bool is_named = false;
  bool is_list =
      for_each_tag(if_match, [&](const EntityTag& tag) { is_named |= !tag.is_weak && tag.opaque == etag; });
  return is_list && is_named;
}

http::Response make_created_response(const RtcOffered& call, const RtcAnswered& answered,
                                     const std::vector<IceServer>& servers) {
  STOA_ASSERT(is_session_name(answered.session));
  http::Response response = make_body_response(201, kSdpType, answered.answer);
  const char* folder = call.role == RtcRole::kPublisher ? "/whip/" : "/whep/";
  response.headers.add("location", folder + call.channel + "/" + answered.session);
  response.headers.add("etag", quoted_etag(answered.etag));
  response.headers.add("accept-patch", kFragmentType);
  for (const IceServer& server : servers) {
    std::string link = write_link(server);
    if (!link.empty()) response.headers.add("link", link);
  }
  return finish(std::move(response));
}

http::Response make_restarted_response(std::string_view fragment, std::string_view etag) {
  http::Response response = make_body_response(200, kFragmentType, fragment);
  response.headers.add("etag", quoted_etag(etag));
  return finish(std::move(response));
}

http::Response make_patched_response() {
  http::Response response;
  response.status = 204;
  return finish(std::move(response));
}

http::Response make_deleted_response() { return finish(http::Response()); }

std::span<const RtcRefusalFacts> rtc_refusal_table() { return kRefusals; }

http::Response make_refusal_response(RtcRefusal refusal, std::string_view message) {
  const RtcRefusalFacts& facts = kRefusals[static_cast<std::size_t>(refusal)];
  http::Response response = make_failure(facts.status, facts.code, message.empty() ? facts.meaning : message);
  if (refusal == RtcRefusal::kUnauthorized)
    response.headers.add("www-authenticate", "Bearer realm=\"stoa\"");  // RFC 6750 §3.
  if (refusal == RtcRefusal::kNoChannel)
    response.headers.add("retry-after", std::to_string(kNotLiveRetryAfterS));
  if (refusal == RtcRefusal::kOverloaded || refusal == RtcRefusal::kTooManySessions)
    response.headers.add("retry-after", std::to_string(kOverloadedRetryAfterS));
  return response;
}

}  // namespace stoa::api
