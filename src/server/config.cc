#include "server/config.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <thread>

#include "base/address.h"
#include "control/api_keys.h"
#include "control/ladder.h"
#include "control/webhooks.h"

namespace stoa::server {
namespace {

using Type = ConfigType;

std::string number_text(double value) {
  if (value == std::floor(value)) return std::to_string(static_cast<long long>(value));
  std::string text = std::to_string(value);
  while (text.ends_with('0')) text.pop_back();
  return text;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<bool> parse_bool(std::string_view text) {
  if (text == "true" || text == "yes" || text == "on" || text == "1") return true;
  if (text == "false" || text == "no" || text == "off" || text == "0") return false;
  return std::nullopt;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    std::size_t end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return parts;
}

// ":8080", "127.0.0.1:8080", "[::1]:8080", "8080", "off". An absent host stays empty; the caller knows
// whether that means every address or, in --dev, loopback.
std::optional<OptionalAddress> parse_address(std::string_view text) {
  if (text == "off") return OptionalAddress();
  std::size_t colon = text.rfind(':');
  std::string_view host = colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  std::string_view port_text = colon == std::string_view::npos ? text : text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  auto port = parse_number(port_text);
  if (!port || *port != std::floor(*port) || *port < 0 || *port > 65535) return std::nullopt;
  if (!host.empty() && !IpAddress::parse(host)) return std::nullopt;
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port)};
}

bool is_choice(std::string_view text, const char* choices) {
  auto all = split(choices, '|');
  return std::find(all.begin(), all.end(), text) != all.end();
}

std::optional<std::string> check_value(const ConfigKey& key, const std::string& text) {
  bool is_right = true;
  switch (key.type) {
    case Type::kBool: is_right = parse_bool(text).has_value(); break;
    case Type::kText:
    case Type::kList: break;
    case Type::kNumber:
    case Type::kSeconds: {
      auto number = parse_number(text);
      is_right = number && *number >= key.minimum && *number <= key.maximum &&
                 (key.type == Type::kSeconds || *number == std::floor(*number));
      break;
    }
    case Type::kAddress: is_right = parse_address(text).has_value(); break;
    case Type::kChoice: is_right = is_choice(text, key.choices); break;
  }
  if (is_right) return std::nullopt;
  return "'" + text + "' is not allowed; it takes " + describe_allowed(key);
}

const ConfigKey* find_key(std::string_view name) {
  for (const auto& key : config_keys())
    if (key.name == name) return &key;
  return nullptr;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string unknown_key(const std::string& origin, const std::string& name) {
  const char* nearest = nullptr;
  std::size_t nearest_distance = 4;
  for (const auto& key : config_keys()) {
    std::size_t distance = edit_distance(name, key.name);
    if (distance < nearest_distance) nearest = key.name, nearest_distance = distance;
  }
  std::string text = origin + ": there is no setting '" + name + "'";
  if (nearest) text += "; did you mean '" + std::string(nearest) + "'?";
  return text + " (`stoa config` lists them all)";
}

std::optional<std::string> check_webhooks(const Config& config) {
  const auto& urls = config.webhook_urls;
  if (urls.size() > control::kWebhookUrlsMax)
    return "urls: more than " + std::to_string(control::kWebhookUrlsMax);
  for (auto url = urls.begin(); url != urls.end(); ++url) {
    if (!url->starts_with("http://") && !url->starts_with("https://"))
      return "urls: '" + *url + "' does not begin with http:// or https://";
    if (std::find(urls.begin(), url, *url) != url) return "urls: '" + *url + "' stands there twice";
  }
  if (!urls.empty() && config.webhook_api_key.empty())
    return "api_key: is needed with webhooks.urls: the id of the API key that signs (`stoa token key` makes "
           "one)";
  return std::nullopt;
}

std::string join_sequence(const YAML::Node& node) {
  std::string joined;
  for (const auto& item : node) joined += (joined.empty() ? "" : ",") + item.as<std::string>();
  return joined;
}

// Fills `values` from a YAML map; returns an error sentence or nothing.
std::optional<std::string> flatten(const YAML::Node& node, const std::string& prefix,
                                   const std::string& origin, ConfigValues& values) {
  for (const auto& entry : node) {
    std::string line = origin + " line " + std::to_string(entry.first.Mark().line + 1);
    if (!entry.first.IsScalar()) return line + ": a key must be a word";
    std::string name = prefix + entry.first.as<std::string>();
    if (entry.second.IsMap()) {
      if (auto error = flatten(entry.second, name + ".", origin, values)) return error;
      continue;
    }
    if (!find_key(name)) return unknown_key(line, name);
    if (values.contains(name)) return line + ": '" + name + "' stands here a second time";
    std::string text = entry.second.IsSequence() ? join_sequence(entry.second)
                       : entry.second.IsScalar() ? entry.second.as<std::string>()
                                                 : "";
    values.emplace(name, ConfigValue{text, line});
  }
  return std::nullopt;
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = {
      {"dev", Type::kBool, "false", 0, 0, nullptr,
       "Open the node for trying out: any channel name is its own stream key, the API key `devkey` has the "
       "secret "
       "`secret-for-development-only-0123456789`, a self-signed certificate is made, and addresses without a "
       "host mean loopback, but for that of `rtc`."},
      {"demo", Type::kBool, "false", 0, 0, nullptr,
       "Add the generated live channel `demo` (needs ffmpeg on the PATH and `dev`)."},
      {"data", Type::kText, "./stoa-data", 0, 0, nullptr,
       "Folder of the database and everything else that is kept."},
      {"shards", Type::kNumber, "0", 0, 256, nullptr,
       "Threads that serve, each with its own loop; 0 means one for each core."},
      {"http", Type::kAddress, ":8080", 0, 0, nullptr, "Pages, HLS, API over HTTP/1.1 and cleartext HTTP/2."},
      {"https", Type::kAddress, ":8443", 0, 0, nullptr,
       "The same over TLS (HTTP/2 by ALPN). Open only when there is a certificate: `tls.certificate`, or "
       "`dev`."},
      {"rtmp", Type::kAddress, ":1935", 0, 0, nullptr, "RTMP ingest."},
      {"rtmps", Type::kAddress, ":1936", 0, 0, nullptr,
       "RTMP over TLS. Open only when there is a certificate."},
      {"rtc", Type::kAddress, ":7882", 0, 0, nullptr,
       "WebRTC media (WHIP, WHEP), UDP and TCP; each shard has a port of its own, counting up from this one. "
       "Without "
       "a host all interfaces are meant, also with `dev`."},
      {"relay", Type::kAddress, "off", 0, 0, nullptr,
       "Where workers that transcode reach this node over TCP, in place of sockets in the data folder; each "
       "shard has a port of its own, counting up from this one. Without a host 127.0.0.1 is meant. Not "
       "encrypted: for this machine, or a network that nobody else is in."},
      {"rtc_addresses", Type::kList, "", 0, 0, nullptr,
       "IP addresses under which WebRTC peers reach this node, separated by commas; needed behind NAT. "
       "Without "
       "it they are told the address of `rtc`, or those of the machine's interfaces."},
      {"rtc_announced_port", Type::kNumber, "0", 0, 65535, nullptr,
       "Port that WebRTC peers are told in place of that of `rtc`, for a NAT that maps ports; each shard has "
       "one "
       "of its own, counting up from this one. 0 means the port of `rtc` itself."},
      {"congestion.control", Type::kBool, "true", 0, 0, nullptr,
       "What a receiver of WebRTC is sent follows what its path carries, and who sends more than its own is "
       "told so. Without it everybody is sent all at once."},
      {"congestion.start", Type::kNumber, "1000", 100, 100000, nullptr,
       "What a new receiver's path is believed to carry until it has shown more or less, in kb/s."},
      {"congestion.ecn", Type::kBool, "false", 0, 0, nullptr,
       "Packets to receivers that tell of ECN marks (RFC 8888) go out as ECT(1), and marks are heeded as L4S "
       "(RFC 9330) wants it. Browsers of today do so only when told to."},
      {"congestion.max", Type::kNumber, "50000", 1000, 1000000, nullptr,
       "What no receiver is sent more than, in kb/s."},
      {"ice_servers", Type::kList, "", 0, 0, nullptr,
       "STUN servers that WHIP and WHEP clients are told of, as `stun:host:port`, separated by commas. The "
       "server itself needs none."},
      {"rooms.auto_create", Type::kBool, "true", 0, 0, nullptr,
       "Whoever may join a room opens it. Otherwise rooms are made over the API first, and joining one that "
       "is not there is answered 404."},
      {"rooms.empty_timeout", Type::kSeconds, "300", 1, 604800, nullptr,
       "How long a room waits for somebody to come, in seconds, where neither API nor token says."},
      {"rooms.departure_timeout", Type::kSeconds, "20", 1, 604800, nullptr,
       "How long a room goes on after the last participant left, in seconds, likewise."},
      {"rooms.max_participants", Type::kNumber, "0", 0, 100000, nullptr,
       "Participants of one room, likewise; 0 means as many as the server takes."},
      {"rooms.presence_max", Type::kNumber, "500", 1, 100000, nullptr,
       "In rooms with more participants, who comes is told only of those who publish."},
      {"rooms.enable_remote_unmute", Type::kBool, "false", 0, 0, nullptr,
       "Moderators may unmute tracks over the API, not only mute them."},
      {"rooms.egress_max", Type::kNumber, "0", 0, 1000000000, nullptr,
       "What participants of one room are sent together, in kb/s; 0 means no limit. Over it everybody keeps "
       "sound and the smallest pictures first and gets the same share of the rest."},
      {"rtc_egress_max", Type::kNumber, "0", 0, 1000000000, nullptr,
       "What participants of all rooms of this node are sent together, in kb/s, likewise. Viewers of "
       "channels are not counted."},
      {"webhooks.urls", Type::kList, "", 0, 0, nullptr,
       "Where events of rooms are sent, `http://` or `https://`, separated by commas; 16 at most. Every URL "
       "gets every event."},
      {"webhooks.api_key", Type::kText, "", 0, 0, nullptr,
       "Id of the API key that signs webhooks. Needed with `webhooks.urls`; with `dev` it is `devkey` unless "
       "said otherwise."},
      {"tls.certificate", Type::kText, "", 0, 0, nullptr,
       "PEM file with the certificate chain. SIGHUP reads it again."},
      {"tls.key", Type::kText, "", 0, 0, nullptr, "PEM file with its private key."},
      {"tls.names", Type::kList, "", 0, 0, nullptr,
       "Further host names for the self-signed certificate of `dev`, separated by commas."},
      {"log.level", Type::kChoice, "info", 0, 0, "debug|info|warning|error",
       "Least serious line that is logged."},
      {"log.format", Type::kChoice, "text", 0, 0, "text|json",
       "Log lines for people or one JSON object each."},
      {"hls.part", Type::kSeconds, "0.334", 0.1, 1, nullptr,
       "Longest duration of a part (EXT-X-PART-INF:PART-TARGET), in seconds."},
      {"hls.segment", Type::kSeconds, "2", 1, 10, nullptr,
       "Segments are cut at the first keyframe after so many seconds."},
      {"hls.target_duration", Type::kNumber, "4", 1, 20, nullptr,
       "EXT-X-TARGETDURATION in seconds: keyframes must not be farther apart. At least `hls.segment`."},
      {"hls.window", Type::kSeconds, "60", 12, 3600, nullptr,
       "How much of the past a playlist lists and memory holds, in seconds. At least three target "
       "durations."},
      {"hls.grace", Type::kSeconds, "30", 0, 3600, nullptr,
       "An encoder that comes back within so many seconds continues the same playlist."},
      {"transcode.ladder", Type::kText, "off", 0, 0, nullptr,
       "What channels are transcoded to that have no ladder of their own: off, one, standard, mobile, or "
       "rungs with kbit/s and codec where wanted (720p30:2500,360p30:av1)."},
      {"transcode.per_title", Type::kBool, "false", 0, 0, nullptr,
       "Whether the most bits a second that a rendition may take go by what the pictures need, and "
       "renditions "
       "that would hardly be smaller than others are left out. A channel's ladder may say otherwise."},
      {"transcode.program", Type::kText, "", 0, 0, nullptr,
       "The worker program; empty: `stoa-work` in the folder of this program."},
      {"transcode.slate", Type::kText, "", 0, 0, nullptr,
       "A clip or picture that viewers see while media is missing; empty: the channel's name."},
      {"transcode.pictures", Type::kSeconds, "5", 0, 3600, nullptr,
       "How often a worker makes a poster of what is on air, and a tile of its storyboard, in seconds. 0: "
       "never."},
      {"transcode.workers", Type::kNumber, "0", 0, 1000, nullptr,
       "Channels that are transcoded at once, a process each; further ones wait. 0: one for each core."},
      {"transcode.threads", Type::kNumber, "0", 0, 1000, nullptr,
       "Threads that all workers share. 0: one for each core."},
      {"transcode.nice", Type::kNumber, "5", 0, 19, nullptr,
       "How much workers stand back behind the server when the machine is busy."},
      {"transcode.memory", Type::kNumber, "2048", 128, 1000000, nullptr, "Memory of one worker, in MiB."},
      {"limits.connections", Type::kNumber, "50000", 1, 1000000, nullptr, "HTTP connections of one shard."},
      {"limits.connections_per_address", Type::kNumber, "20000", 1, 1000000, nullptr,
       "HTTP connections of one shard from one IPv4 address or IPv6 /64."},
      {"limits.rtmp_connections", Type::kNumber, "1000", 1, 100000, nullptr,
       "RTMP connections of one shard."},
      {"limits.rtmp_connections_per_address", Type::kNumber, "500", 1, 100000, nullptr,
       "RTMP connections of one shard from one IPv4 address or IPv6 /64."},
      {"limits.rtc_sessions", Type::kNumber, "20000", 1, 1000000, nullptr,
       "WebRTC sessions of one shard. Viewers leave one in 16 of them, and one at least, to publishers."},
      {"limits.rtc_viewers_per_address", Type::kNumber, "5000", 1, 1000000, nullptr,
       "WebRTC sessions of one shard from one IPv4 address or IPv6 /64 that watch."},
      {"limits.rtc_unconnected_per_address", Type::kNumber, "256", 1, 1000000, nullptr,
       "WebRTC sessions of one shard from one IPv4 address or IPv6 /64 that did not connect yet."},
      {"shutdown_grace", Type::kSeconds, "10", 0, 600, nullptr,
       "How long requests in flight may take to finish when the node is told to stop."},
  };
  return keys;
}

std::uint32_t or_cores(std::uint32_t configured) {
  return configured ? configured : std::max(1u, std::thread::hardware_concurrency());
}

std::string relay_path(const Config& config, std::uint32_t shard) {
  return config.data + "/relay-" + std::to_string(shard) + ".sock";
}

std::string flag_of(std::string_view key) {
  std::string flag = "--" + std::string(key);
  std::replace(flag.begin(), flag.end(), '.', '-');
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string variable_of(std::string_view key) {
  std::string variable = "STOA_";
  for (char c : key) variable += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return variable;
}

std::string describe_allowed(const ConfigKey& key) {
  switch (key.type) {
    case Type::kBool: return "true or false";
    case Type::kText: return "text";
    case Type::kList: return "words separated by commas";
    case Type::kNumber:
      return "a whole number from " + number_text(key.minimum) + " to " + number_text(key.maximum);
    case Type::kSeconds:
      return "seconds from " + number_text(key.minimum) + " to " + number_text(key.maximum);
    case Type::kAddress: return "an IP address and port (:8080, 127.0.0.1:8080, [::1]:8080) or off";
    case Type::kChoice: {
      std::string text;
      auto choices = split(key.choices, '|');
      for (std::size_t i = 0; i < choices.size(); ++i)
        text += (i == 0 ? "" : i + 1 == choices.size() ? " or " : ", ") + choices[i];
      return text;
    }
  }
  return "";
}

Result<ConfigValues, std::string> parse_config_file(std::string_view text, const std::string& origin) {
  ConfigValues values;
  try {  // yaml-cpp reports by exceptions; they end here.
    YAML::Node root = YAML::Load(std::string(text));
    if (root.IsNull()) return values;
    if (!root.IsMap()) return refuse(origin + ": must hold `key: value` lines");
    if (auto error = flatten(root, "", origin, values)) return refuse(*error);
  } catch (const YAML::Exception& error) {
    return refuse(origin + " line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
  return values;
}

Result<ConfigValues, std::string> parse_config_environment(const std::vector<std::string>& environment) {
  ConfigValues values;
  for (const auto& pair : environment) {
    if (!pair.starts_with("STOA_")) continue;
    // Of `stoa token`, of CI, and what Kubernetes sets for a Service that is named stoa.
    bool is_foreign = false;
    for (const char* prefix : {"STOA_TOKEN_", "STOA_FUZZ_", "STOA_SERVICE_", "STOA_PORT=", "STOA_PORT_"})
      is_foreign = is_foreign || pair.starts_with(prefix);
    if (is_foreign) continue;
    std::size_t equals = pair.find('=');
    std::string variable = pair.substr(0, equals);
    auto key = std::find_if(config_keys().begin(), config_keys().end(),
                            [&](const ConfigKey& k) { return variable_of(k.name) == variable; });
    if (key == config_keys().end())
      return refuse("environment: " + variable + " is no setting of Stoa (`stoa config` lists them all)");
    values.emplace(key->name, ConfigValue{pair.substr(equals + 1), variable});
  }
  return values;
}

Result<Config, std::string> make_config(const ConfigValues& values) {
  for (const auto& [name, value] : values) {
    const ConfigKey* key = find_key(name);
    if (!key) return refuse(unknown_key(value.origin, name));
    if (auto error = check_value(*key, value.text)) return refuse(value.origin + ": " + name + ": " + *error);
  }
  auto text = [&](const char* name) {
    auto found = values.find(name);
    return found == values.end() ? std::string(find_key(name)->default_value) : found->second.text;
  };
  auto origin = [&](const char* name) {
    auto found = values.find(name);
    return found == values.end() ? std::string("default") : found->second.origin;
  };
  auto number = [&](const char* name) { return static_cast<std::uint32_t>(*parse_number(text(name))); };
  auto seconds = [&](const char* name) { return Duration::from_seconds(*parse_number(text(name))); };
  Config config;
  config.dev = *parse_bool(text("dev"));
  config.demo = *parse_bool(text("demo"));
  config.data = text("data");
  config.shards = number("shards");
  auto address = [&](const char* name) {
    OptionalAddress parsed = *parse_address(text(name));
    if (parsed && parsed->address.empty()) parsed->address = config.dev ? "127.0.0.1" : "::";
    return parsed;
  };
  config.http = address("http");
  config.https = address("https");
  config.rtmp = address("rtmp");
  config.rtmps = address("rtmps");
  config.rtc = *parse_address(text("rtc"));
  // Also with `dev`: browsers do not talk to loopback alone, and what answers at this port is known only to
  // those who may call over HTTP.
  if (config.rtc && config.rtc->address.empty()) config.rtc->address = "::";
  config.relay = *parse_address(text("relay"));
  if (config.relay && config.relay->address.empty()) config.relay->address = "127.0.0.1";
  config.rtc_addresses = split(text("rtc_addresses"), ',');
  for (const std::string& listed : config.rtc_addresses)
    if (!IpAddress::parse(listed))
      return refuse(origin("rtc_addresses") + ": rtc_addresses: '" + listed + "' is no IP address");
  config.rtc_announced_port = static_cast<std::uint16_t>(number("rtc_announced_port"));
  config.congestion_control = *parse_bool(text("congestion.control"));
  config.congestion_ecn = *parse_bool(text("congestion.ecn"));
  config.congestion_start_kbps = number("congestion.start");
  config.congestion_max_kbps = number("congestion.max");
  config.ice_servers = split(text("ice_servers"), ',');
  for (const std::string& listed : config.ice_servers)
    if (!listed.starts_with("stun:"))
      return refuse(origin("ice_servers") + ": ice_servers: '" + listed + "' does not begin with stun:");
  config.rooms_auto_create = *parse_bool(text("rooms.auto_create"));
  config.rooms_empty_timeout = seconds("rooms.empty_timeout");
  config.rooms_departure_timeout = seconds("rooms.departure_timeout");
  config.rooms_participants_max = number("rooms.max_participants");
  config.rooms_presence_max = number("rooms.presence_max");
  config.rooms_enable_remote_unmute = *parse_bool(text("rooms.enable_remote_unmute"));
  config.rooms_egress_max_kbps = number("rooms.egress_max");
  config.rtc_egress_max_kbps = number("rtc_egress_max");
  config.webhook_urls = split(text("webhooks.urls"), ',');
  config.webhook_api_key = text("webhooks.api_key");
  if (config.dev && config.webhook_api_key.empty()) config.webhook_api_key = control::development_key().id;
  if (auto error = check_webhooks(config)) return refuse(origin("webhooks.urls") + ": webhooks." + *error);
  config.tls_certificate = text("tls.certificate");
  config.tls_key = text("tls.key");
  config.tls_names = split(text("tls.names"), ',');
  config.log_level = text("log.level");
  config.log_format = text("log.format");
  config.part_target = seconds("hls.part");
  config.segment_target = seconds("hls.segment");
  config.target_duration_s = number("hls.target_duration");
  config.window = seconds("hls.window");
  config.grace = seconds("hls.grace");
  config.connections_max = number("limits.connections");
  config.connections_per_address_max = number("limits.connections_per_address");
  config.rtmp_connections_max = number("limits.rtmp_connections");
  config.rtmp_connections_per_address_max = number("limits.rtmp_connections_per_address");
  config.rtc_sessions_max = number("limits.rtc_sessions");
  config.rtc_viewers_per_address_max = number("limits.rtc_viewers_per_address");
  config.rtc_unconnected_per_address_max = number("limits.rtc_unconnected_per_address");
  config.transcode_ladder = text("transcode.ladder");
  if (!control::is_ladder(config.transcode_ladder))
    return refuse(
        origin("transcode.ladder") + ": transcode.ladder: '" + config.transcode_ladder +
        "' is not allowed; it takes off, one, standard, mobile, or rungs like 720p30:2500,360p30:av1");
  config.transcode_per_title = *parse_bool(text("transcode.per_title"));
  config.transcode_program = text("transcode.program");
  config.transcode_slate = text("transcode.slate");
  config.transcode_pictures = seconds("transcode.pictures");
  config.transcode_workers_max = number("transcode.workers");
  config.transcode_threads = number("transcode.threads");
  config.transcode_nice = number("transcode.nice");
  config.transcode_memory_mib = number("transcode.memory");
  config.shutdown_grace = seconds("shutdown_grace");

  Duration target = Duration::seconds(config.target_duration_s);
  if (target < config.segment_target)
    return refuse(origin("hls.target_duration") + ": hls.target_duration: must be at least hls.segment (" +
                  text("hls.segment") + ")");
  if (config.window < target * 3)
    return refuse(origin("hls.window") + ": hls.window: must be at least three times hls.target_duration (" +
                  number_text(3.0 * config.target_duration_s) + ")");
  if (config.tls_certificate.empty() != config.tls_key.empty())
    return refuse(origin(config.tls_key.empty() ? "tls.certificate" : "tls.key") +
                  ": tls.certificate and tls.key go together");
  if (config.demo && !config.dev) return refuse(origin("demo") + ": demo: works with dev only");
  return config;
}

std::string config_markdown() {
  std::string text =
      "# Configuration\n\n"
      "Every setting has a key in the file (`--config stoa.yaml`), a flag and an environment variable; later "
      "wins: "
      "default, file, environment, flag. A key with a dot may be nested in the file. A wrong key or value "
      "stops the "
      "start and says where it stands.\n\n"
      "This page is printed by `stoa config`.\n\n"
      "| key | flag | variable | default | allowed | what it does |\n|---|---|---|---|---|---|\n";
  for (const auto& key : config_keys()) {
    std::string default_value = key.default_value;
    text += "| `" + std::string(key.name) + "` | `" + flag_of(key.name) + "` | `" + variable_of(key.name) +
            "` | " + (default_value.empty() ? "" : "`" + default_value + "`") + " | " +
            describe_allowed(key) + " | " + key.help + " |\n";
  }
  return text;
}

}  // namespace stoa::server
