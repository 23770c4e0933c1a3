// Every setting of a node, in one table: its key in stoa.yaml, its flag (--rtmp), its variable (STOA_RTMP),
// what it allows, and the sentence that documents it. `stoa config` prints the table as Markdown.
//
// Later wins: default, file, environment, flag. A wrong key or value stops the start and says where it
// stands and what is allowed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace stoa::server {

// An IP address and a port; port 0 lets the kernel choose. "off" is no address at all.
struct ListenAddress {
  std::string address;
  std::uint16_t port = 0;
};
using OptionalAddress = std::optional<ListenAddress>;

struct Config {
  bool dev = false;
  bool demo = false;
  std::string data;
  std::uint32_t shards = 0;  // 0: one for each core.
  OptionalAddress http, https, rtmp, rtmps, rtc, relay;
  std::vector<std::string> rtc_addresses;  // IP addresses that peers are told; empty: those of the machine.
  std::uint16_t rtc_announced_port = 0;  // What peers are told of the first shard's port; 0: the port itself.
  std::vector<std::string> ice_servers;  // "stun:host:port", for clients.
  bool congestion_control = true, congestion_ecn = false;
  std::uint32_t congestion_start_kbps = 0, congestion_max_kbps = 0;
  bool rooms_auto_create = true;
  Duration rooms_empty_timeout, rooms_departure_timeout;
  std::uint32_t rooms_participants_max = 0;  // 0: the server's own limit.
  std::uint32_t rooms_presence_max = 0;
  bool rooms_enable_remote_unmute = false;
  std::uint32_t rtc_egress_max_kbps = 0, rooms_egress_max_kbps = 0;  // 0: no limit.
  std::vector<std::string> webhook_urls;
  std::string webhook_api_key;  // The id of the key that signs.
  std::uint32_t rtc_sessions_max = 0;
  std::uint32_t rtc_viewers_per_address_max = 0;
  std::uint32_t rtc_unconnected_per_address_max = 0;
  std::string tls_certificate, tls_key;
  std::vector<std::string> tls_names;
  std::string log_level, log_format;
  Duration part_target, segment_target, window, grace;
  std::uint32_t target_duration_s = 0;
  std::uint32_t connections_max = 0;
  std::uint32_t connections_per_address_max = 0;
  std::uint32_t rtmp_connections_max = 0;
  std::uint32_t rtmp_connections_per_address_max = 0;
  std::string transcode_ladder;             // The profile of channels that have none of their own; "off".
  bool transcode_per_title = false;         // Of channels that do not say themselves.
  std::string transcode_program;            // Empty: stoa-work, beside this program.
  std::string transcode_slate;              // A file; empty: the channel's name is shown.
  std::uint32_t transcode_workers_max = 0;  // 0: as many as there are cores.
  std::uint32_t transcode_threads = 0;      // Of all workers together; 0: as many as there are cores.
  Duration transcode_pictures;              // 0: none.
  std::uint32_t transcode_nice = 0;
  std::uint32_t transcode_memory_mib = 0;  // Of each worker.
  Duration shutdown_grace;
};

enum class ConfigType : std::uint8_t { kBool, kText, kNumber, kSeconds, kAddress, kChoice, kList };

struct ConfigKey {
  const char* name;  // "hls.part": --hls-part, STOA_HLS_PART.
  ConfigType type;
  const char* default_value;  // As it would be written in the file.
  double minimum, maximum;    // Numbers and seconds.
  const char* choices;        // Choices, separated by '|'.
  const char* help;
};
// Ordered as the documentation shows it.
const std::vector<ConfigKey>& config_keys();

// Where a value came from, for messages: "stoa.yaml line 3", "--rtmp", "STOA_RTMP".
struct ConfigValue {
  std::string text;
  std::string origin;
};
using ConfigValues = std::map<std::string, ConfigValue, std::less<>>;

// Of a setting whose 0 means one for each core of the machine.
std::uint32_t or_cores(std::uint32_t configured);
// Where workers of a shard's channels connect.
std::string relay_path(const Config& config, std::uint32_t shard);

// Reads YAML text (`origin` is its file name) into values; nested maps join their keys with dots.
Result<ConfigValues, std::string> parse_config_file(std::string_view text, const std::string& origin);
// Takes the STOA_… variables of `environment` ("NAME=value"); an unknown one is an error.
Result<ConfigValues, std::string> parse_config_environment(const std::vector<std::string>& environment);
// Checks every value against the table and fills in defaults. The error names origin, key and what is
// allowed.
Result<Config, std::string> make_config(const ConfigValues& values);

std::string flag_of(std::string_view key);      // "hls.part" → "--hls-part"
std::string variable_of(std::string_view key);  // "hls.part" → "STOA_HLS_PART"
std::string describe_allowed(const ConfigKey& key);
// The table as Markdown: docs/operate/configuration.md is this, and a test compares them.
std::string config_markdown();

}  // namespace stoa::server
