#include "api/livekit/join_params.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "base/letters.h"
#include "crypto/text.h"
#include "proto/http/inflate.h"
#include "proto/http/websocket.h"

namespace stoa::livekit {
namespace {

enum class JoinPath : std::uint8_t { kNone, kRtc, kRtcValidate, kV1, kV1Validate };

JoinPath path_of(std::string_view path) {
  while (path.starts_with("//")) path.remove_prefix(1);
  if (path == "/rtc") return JoinPath::kRtc;
  if (path == "/rtc/validate") return JoinPath::kRtcValidate;
  if (path == "/rtc/v1") return JoinPath::kV1;
  if (path == "/rtc/v1/validate") return JoinPath::kV1Validate;
  return JoinPath::kNone;
}

auto bad(std::string text) { return refuse(HttpRefusal{400, std::move(text)}); }

std::optional<bool> find_flag(const http::Request& request, std::string_view key) {
  std::optional<std::string> value = request.find_query(key);
  if (!value || value->empty()) return std::nullopt;
  return *value == "1" || *value == "true";
}

std::int32_t number_of(const http::Request& request, std::string_view key) {
  std::string value = request.find_query(key).value_or("");
  std::int32_t number = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  return error == std::errc() && end == value.data() + value.size() ? number : 0;
}

// What says nothing that anybody needs is left out rather than refused.
std::string short_text_or_none(std::string text) {
  return text.size() <= kClientTextBytesMax && http::is_utf8(text) ? text : std::string();
}
std::string text_of(const http::Request& request, std::string_view key) {
  return short_text_or_none(request.find_query(key).value_or(""));
}

pb::ClientInfo::SDK sdk_of(std::string_view name) {
  static constexpr std::pair<std::string_view, pb::ClientInfo::SDK> kNames[] = {
      {"js", pb::ClientInfo::JS},           {"reactnative", pb::ClientInfo::REACT_NATIVE},
      {"swift", pb::ClientInfo::SWIFT},     {"ios", pb::ClientInfo::SWIFT},
      {"android", pb::ClientInfo::ANDROID}, {"flutter", pb::ClientInfo::FLUTTER},
      {"go", pb::ClientInfo::GO},           {"unity", pb::ClientInfo::UNITY},
      {"rust", pb::ClientInfo::RUST},       {"unityweb", pb::ClientInfo::UNITY_WEB},
      {"python", pb::ClientInfo::PYTHON},   {"cpp", pb::ClientInfo::CPP},
      {"node", pb::ClientInfo::NODE},       {"unreal", pb::ClientInfo::UNREAL},
      {"esp32", pb::ClientInfo::ESP32},     {"dotnet", pb::ClientInfo::DOTNET},
  };
  for (const auto& [known, sdk] : kNames)
    if (known == name) return sdk;
  return pb::ClientInfo::UNKNOWN;
}

void read_capabilities(std::string_view names, pb::ClientInfo& client) {
  while (!names.empty() && static_cast<std::size_t>(client.capabilities_size()) < kCapabilitiesMax) {
    std::size_t comma = std::min(names.find(','), names.size());
    pb::ClientInfo::Capability capability;
    if (pb::ClientInfo::Capability_Parse(std::string(names.substr(0, comma)), &capability))
      client.add_capabilities(capability);
    names.remove_prefix(std::min(comma + 1, names.size()));
  }
}

pb::ClientInfo read_client(const http::Request& request) {
  pb::ClientInfo client;
  client.set_sdk(sdk_of(text_of(request, "sdk")));
  client.set_version(text_of(request, "version"));
  client.set_protocol(number_of(request, "protocol"));
  client.set_client_protocol(number_of(request, "client_protocol"));
  client.set_os(text_of(request, "os"));
  client.set_os_version(text_of(request, "os_version"));
  client.set_browser(text_of(request, "browser"));
  client.set_browser_version(text_of(request, "browser_version"));
  client.set_device_model(text_of(request, "device_model"));
  client.set_network(text_of(request, "network"));
  read_capabilities(request.find_query("capabilities").value_or(""), client);
  return client;
}

// Browsers' clients leave this to what the browser says. Firefox alone is treated in a way of its own.
const char* browser_of(const http::Request& request) {
  return request.headers.get("user-agent").find("Firefox/") == std::string_view::npos ? "" : "Firefox";
}

void shorten(pb::ClientInfo& client) {
  for (std::string* text :
       {client.mutable_version(), client.mutable_os(), client.mutable_os_version(), client.mutable_browser(),
        client.mutable_browser_version(), client.mutable_device_model(), client.mutable_network(),
        client.mutable_other_sdks()}) {
    if (text->size() > kClientTextBytesMax) text->clear();
  }
  if (static_cast<std::size_t>(client.capabilities_size()) > kCapabilitiesMax)
    client.mutable_capabilities()->Truncate(static_cast<int>(kCapabilitiesMax));
}

// Base64url of a JSON object of texts.
std::optional<std::map<std::string, std::string>> parse_attributes(std::string_view coded) {
  std::optional<Buffer> bytes = crypto::parse_any_base64(coded);
  if (!bytes) return std::nullopt;
  boost::system::error_code error;
  boost::json::value value = boost::json::parse(as_text(*bytes), error);
  if (error || !value.is_object()) return std::nullopt;
  std::map<std::string, std::string> attributes;
  for (const auto& [key, text] : value.get_object()) {
    if (!text.is_string()) return std::nullopt;
    attributes.emplace(key, text.get_string());
  }
  return attributes;
}

Result<void, HttpRefusal> read_query(const http::Request& request, JoinParams& params) {
  params.auto_subscribe = find_flag(request, "auto_subscribe").value_or(true);
  params.auto_subscribe_data_tracks = find_flag(request, "auto_subscribe_data_track").value_or(true);
  params.adaptive_stream = find_flag(request, "adaptive_stream").value_or(false);
  params.subscriber_allow_pause = find_flag(request, "subscriber_allow_pause");
  params.disable_ice_lite = find_flag(request, "disable_ice_lite").value_or(false);
  params.is_reconnect = find_flag(request, "reconnect").value_or(false);
  std::int32_t reason = number_of(request, "reconnect_reason");
  if (pb::ReconnectReason_IsValid(reason)) params.reconnect_reason = static_cast<pb::ReconnectReason>(reason);
  params.participant_sid = text_of(request, "sid");
  params.publish = text_of(request, "publish");
  params.client = read_client(request);
  if (std::optional<std::string> attributes = request.find_query("attributes");
      attributes && !attributes->empty()) {
    auto parsed = parse_attributes(*attributes);
    if (!parsed) return bad("attributes are not base64url of a JSON object of texts");
    params.attributes = std::move(*parsed);
  }
  return {};
}

Result<pb::JoinRequest, HttpRefusal> unwrap(std::string_view coded) {
  std::optional<Buffer> bytes = crypto::parse_any_base64(coded);
  pb::WrappedJoinRequest wrapped;
  if (!bytes || !wrapped.ParseFromArray(bytes->data(), static_cast<int>(bytes->size())))
    return bad("join_request is not base64url of a WrappedJoinRequest");
  std::string* message = wrapped.mutable_join_request();
  if (wrapped.compression() == pb::WrappedJoinRequest::GZIP) {
    std::optional<std::string> plain = http::gunzip(as_bytes(*message), kJoinRequestBytesMax);
    if (!plain) return bad("join_request is not gzip, or too large");
    *message = std::move(*plain);
  } else if (wrapped.compression() != pb::WrappedJoinRequest::NONE) {
    return bad("join_request is compressed in a way that is not known");
  }
  pb::JoinRequest join;
  if (message->size() > kJoinRequestBytesMax || !join.ParseFromString(*message))
    return bad("join_request holds no JoinRequest");
  return join;
}

Result<void, HttpRefusal> read_join_request(std::string_view coded, JoinParams& params) {
  STOA_TRY(pb::JoinRequest join, unwrap(coded));
  if (static_cast<std::size_t>(join.add_track_requests_size()) > kAddTrackRequestsMax)
    return bad("join_request has too many tracks");
  params.is_single_connection = true;
  params.client = std::move(*join.mutable_client_info());
  shorten(params.client);
  const pb::ConnectionSettings& settings = join.connection_settings();
  params.auto_subscribe = settings.auto_subscribe();
  params.adaptive_stream = settings.adaptive_stream();
  if (settings.has_subscriber_allow_pause())
    params.subscriber_allow_pause = settings.subscriber_allow_pause();
  params.disable_ice_lite = settings.disable_ice_lite();
  if (settings.has_auto_subscribe_data_track())
    params.auto_subscribe_data_tracks = settings.auto_subscribe_data_track();
  params.metadata = std::move(*join.mutable_metadata());
  for (auto& [key, text] : *join.mutable_participant_attributes()) params.attributes.emplace(key, text);
  for (pb::AddTrackRequest& request : *join.mutable_add_track_requests())
    params.add_track_requests.push_back(std::move(request));
  if (join.has_publisher_offer()) params.publisher_offer = std::move(*join.mutable_publisher_offer());
  params.is_reconnect = join.reconnect();
  if (pb::ReconnectReason_IsValid(join.reconnect_reason())) params.reconnect_reason = join.reconnect_reason();
  params.participant_sid = short_text_or_none(join.participant_sid());
  if (join.has_sync_state()) params.sync_state = std::move(*join.mutable_sync_state());
  return {};
}

}  // namespace

bool is_join_path(std::string_view path) { return path_of(path) != JoinPath::kNone; }

Result<JoinParams, HttpRefusal> parse_join(const http::Request& request) {
  JoinPath path = path_of(request.path);
  if (path == JoinPath::kNone) return refuse(HttpRefusal{404, "not found"});
  if (request.query.size() > kJoinQueryBytesMax) return refuse(HttpRefusal{414, "the query is too long"});
  JoinParams params;
  params.is_validate = path == JoinPath::kRtcValidate || path == JoinPath::kV1Validate;
  params.token = token_of(request);
  std::optional<std::string> join_request = request.find_query("join_request");
  if (join_request && !join_request->empty()) {
    if (auto read = read_join_request(*join_request, params); !read) return refuse(read.error());
  } else if (path == JoinPath::kV1 || path == JoinPath::kV1Validate) {
    return bad("join_request is missing");
  } else {
    if (auto read = read_query(request, params); !read) return refuse(read.error());
  }
  if (params.client.browser().empty()) params.client.set_browser(browser_of(request));
  params.client.set_address(request.peer_address);
  return params;
}

std::string token_of(const http::Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  std::string_view field = request.headers.get("authorization");
  bool is_bearer =
      field.size() > kScheme.size() && equals_ignoring_case(field.substr(0, kScheme.size()), kScheme);
  if (is_bearer) {
    field.remove_prefix(kScheme.size());
    field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
    return std::string(field);
  }
  return request.find_query("access_token").value_or("");
}

}  // namespace stoa::livekit
