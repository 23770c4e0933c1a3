#include "api/rest.h"

#include <algorithm>

#include "api/openapi.h"
#include "api/rest_call.h"
#include "api/rest_json.h"
#include "base/letters.h"
#include "crypto/digest.h"
#include "crypto/text.h"

namespace stoa::api {
namespace {

// What stands at the request's path.
struct Match {
  const Route* route = nullptr;  // Unset when no route there takes the method.
  std::vector<std::string_view> segments;
  std::string allowed;  // Empty when there is no route at all.
};

Match match(const http::Request& request) {
  http::Method method = request.method == http::Method::kHead ? http::Method::kGet : request.method;
  Match found;
  for (const Route& route : route_table()) {
    auto segments = match_path(route.path, request.path);
    if (!segments) continue;
    if (!found.allowed.empty()) found.allowed += ", ";
    found.allowed += http::name_of(route.method);
    if (route.method == http::Method::kGet) found.allowed += ", HEAD";
    if (route.method == method) {
      found.route = &route;
      found.segments = std::move(*segments);
    }
  }
  if (!found.allowed.empty()) found.allowed += ", OPTIONS";
  return found;
}

// The token of `Authorization: Bearer <token>`; nullopt when there is none, "" for another scheme.
std::optional<std::string_view> find_bearer(const http::Request& request) {
  const std::string* field = request.headers.find("authorization");
  if (!field) return std::nullopt;
  std::string_view text = *field;
  std::size_t space = std::min(text.find(' '), text.size());
  if (!equals_ignoring_case(text.substr(0, space), "Bearer")) return std::string_view();
  text.remove_prefix(space);
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return text;
}

const char* sentence_of(control::AuthRefusal refusal) {
  switch (refusal) {
    case control::AuthRefusal::kExpired: return "The token has expired.";
    case control::AuthRefusal::kNotYetValid: return "The token is not valid yet.";
    case control::AuthRefusal::kLivesTooLong:
      return "The token has no end, or one further ahead than this server allows.";
    case control::AuthRefusal::kRevokedKey: return "The key that signed the token is revoked.";
    case control::AuthRefusal::kKeyWithoutRooms:
      return "The key that signed the token has not the scope 'rooms'.";
    default: return "The token is malformed, or not signed by a key of this server.";
  }
}

// RFC 6750 §3: a request without a token is told the scheme and no error.
http::Response make_challenge(const ApiError& error, const char* scope) {
  http::Response response = make_json_error(error);
  std::string challenge = "Bearer realm=\"stoa\"";
  if (error.code == ErrorCode::kTokenInvalid)
    challenge += ", error=\"invalid_token\", error_description=\"" + error.message + "\"";
  if (error.code == ErrorCode::kScopeMissing) challenge += ", error=\"insufficient_scope\"";
  if (error.code != ErrorCode::kTokenInvalid) challenge += std::string(", scope=\"") + scope + "\"";
  response.headers.add("www-authenticate", challenge);
  return response;
}

// Lets the call through or answers it.
std::optional<http::Response> authorize(const Route& route, RestCall& call) {
  if (route.access == Access::kPublic) return std::nullopt;
  const char* scope = scope_of(route.access);
  std::optional<std::string_view> token = find_bearer(call.request);
  if (!token) {
    if (route.access == Access::kPublicOrRead) return std::nullopt;
    return make_challenge({ErrorCode::kTokenMissing, facts_of(ErrorCode::kTokenMissing).meaning, ""}, scope);
  }
  auto principal = call.services().api_keys.authenticate(call.now, *token);
  if (!principal) {
    if (principal.error() == control::AuthRefusal::kStoreUnavailable)
      return make_json_error(error_of(control::Refusal::kStoreUnavailable));
    return make_challenge({ErrorCode::kTokenInvalid, sentence_of(principal.error()), ""}, scope);
  }
  bool may = principal->may(scope);
  if (!may && route.access != Access::kPublicOrRead)
    return make_challenge({ErrorCode::kScopeMissing, std::string("This needs the scope ") + scope + ".", ""},
                          scope);
  if (may) call.principal = std::move(*principal);
  return std::nullopt;
}

bool is_json(const http::Request& request) {
  std::string_view type = request.headers.get("content-type");
  type = type.substr(0, type.find(';'));
  type = type.substr(0, type.find_last_not_of(" \t") + 1);
  return equals_ignoring_case(type, "application/json");
}

}  // namespace

Rest::Rest(const RestServices& services, const RestOptions& options)
    : services_(services), options_(options) {}

const Rest::Document& Rest::openapi() {
  if (openapi_.etag.empty()) {
    openapi_.body = SharedBytes(write_openapi(route_table(), options_.version));
    openapi_.etag = "\"" + crypto::write_hex(crypto::sha256(openapi_.body.bytes())).substr(0, 32) + "\"";
  }
  return openapi_;
}

http::Response Rest::count(http::Response response) {
  ++answers_[static_cast<std::size_t>(response.status / 100) % answers_.size()];
  return response;
}

RestOutcome Rest::handle(WallTime now, const http::Request& request, control::Effects& effects) {
  RestOutcome outcome = answer(now, request, effects);
  if (auto* response = std::get_if<http::Response>(&outcome)) return count(std::move(*response));
  return outcome;
}

http::Response Rest::finish(WallTime now, const RoomsQuery& query, Result<RoomsReply, RoomsRefusal> reply) {
  return count(reply ? write_rooms_reply(now, query, *reply) : refuse_rooms_query(reply.error()));
}

RestOutcome Rest::answer(WallTime now, const http::Request& request, control::Effects& effects) {
  Match found = match(request);
  if (found.allowed.empty())
    return make_json_error({ErrorCode::kNotFound, facts_of(ErrorCode::kNotFound).meaning, ""});
  if (request.method == http::Method::kOptions) {
    http::Response response;
    response.status = 204;
    response.headers.add("allow", found.allowed);
    return response;
  }
  if (!found.route) {
    http::Response response =
        make_json_error({ErrorCode::kMethodNotAllowed, "This path takes " + found.allowed + ".", ""});
    response.headers.add("allow", found.allowed);
    return response;
  }
  if (request.body.size() > kRestBodyBytesMax)
    return make_json_error({ErrorCode::kBodyTooLarge, facts_of(ErrorCode::kBodyTooLarge).meaning, ""});
  RestCall call{*this, now, request, effects, std::move(found.segments), {}, {}};
  if (std::optional<http::Response> refusal = authorize(*found.route, call)) return std::move(*refusal);
  if (found.route->body && !request.body.empty() && !is_json(request))
    return make_json_error({ErrorCode::kNotJson, facts_of(ErrorCode::kNotJson).meaning, ""});
  http::Response response = found.route->handle(call);
  if (call.query) return std::move(*call.query);
  return response;
}

void Rest::append_metrics(MetricSamples& samples) const {
  static constexpr const char* kClasses[] = {"", "1xx", "2xx", "3xx", "4xx", "5xx"};
  for (std::size_t i = 2; i < answers_.size(); ++i) {
    samples.push_back({"stoa_api_responses_total",
                       "Answers of the REST API by class of status.",
                       MetricKind::kCounter,
                       {{"class", kClasses[i]}},
                       static_cast<double>(answers_[i])});
  }
}

}  // namespace stoa::api
