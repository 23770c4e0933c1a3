#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>

#include "api/livekit/wire.h"
#include "server/check_hls.h"
#include "server/config.h"
#include "server/node.h"
#include "server/token.h"

extern char** environ;  // NOLINT: POSIX's name.

namespace stoa::server {
namespace {

int fail(const std::string& why) {
  std::fprintf(stderr, "stoa: %s\n", why.c_str());
  return 1;
}

struct ServeOptions {
  std::string config_file;
  std::map<std::string, std::string> flags;  // By key.
};

// One flag for every key of the table.
void add_config_flags(CLI::App& command, ServeOptions& options) {
  command.add_option("--config", options.config_file, "Settings file (YAML)")->check(CLI::ExistingFile);
  for (const auto& key : config_keys()) {
    std::string name = key.name;
    std::string help = std::string(key.help) + " [" + describe_allowed(key) + "; default " +
                       (*key.default_value ? key.default_value : "none") + "]";
    if (key.type == ConfigType::kBool) {
      // Also --flag=false, for what is on by default.
      command.add_flag_function(
          flag_of(name),
          [&options, name](std::int64_t count) { options.flags[name] = count > 0 ? "true" : "false"; }, help);
    } else {
      command.add_option_function<std::string>(
          flag_of(name), [&options, name](const std::string& value) { options.flags[name] = value; }, help);
    }
  }
}

Result<Config, std::string> read_config(const ServeOptions& options) {
  ConfigValues values;
  if (!options.config_file.empty()) {
    std::ifstream file(options.config_file);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    STOA_TRY(values, parse_config_file(text, options.config_file));
  }
  std::vector<std::string> environment;
  for (char** variable = environ; *variable; ++variable) environment.emplace_back(*variable);
  STOA_TRY(ConfigValues from_environment, parse_config_environment(environment));
  for (auto& [key, value] : from_environment) values.insert_or_assign(key, value);
  for (const auto& [key, text] : options.flags) values.insert_or_assign(key, ConfigValue{text, flag_of(key)});
  return make_config(values);
}

void print_addresses(const Config& config, const NodePorts& ports) {
  std::string http = "http://localhost:" + std::to_string(ports.http);
  std::printf("\nStoa is running (development keys: for trying out only).\n\n");
  if (config.demo) std::printf("  watch the demo   %s/watch/demo\n", http.c_str());
  std::printf("  all channels     %s/\n", http.c_str());
  std::printf("  publish          rtmp://localhost:%u/live with any channel name as the stream key\n",
              ports.rtmp);
  if (!ports.rtc.empty())
    std::printf("  from a browser   %s/studio/mine, the stream key is mine, too\n", http.c_str());
  if (ports.https)
    std::printf("  over TLS         https://localhost:%u/ (self-signed certificate)\n", ports.https);
  std::printf("  API              %s/api/openapi.json, metrics: %s/metrics\n\n  Stop with Ctrl-C.\n\n",
              http.c_str(), http.c_str());
  std::fflush(stdout);
}

int serve(const ServeOptions& options) {
  livekit::quiet_protobuf();
  auto config = read_config(options);
  if (!config) return fail(config.error());
  static const std::map<std::string, LogLevel> levels = {{"debug", LogLevel::kDebug},
                                                         {"info", LogLevel::kInfo},
                                                         {"warning", LogLevel::kWarning},
                                                         {"error", LogLevel::kError}};
  runtime::Log log(levels.at(config->log_level),
                   config->log_format == "json" ? runtime::LogFormat::kJson : runtime::LogFormat::kText);
  // Signals are waited for here; the threads made below inherit the mask and never see them.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  auto node = Node::start(*config, log);
  if (!node) return fail(node.error());
  if (config->dev) print_addresses(*config, (*node)->ports());
  for (int signal = 0; sigwait(&signals, &signal) == 0;) {
    if (signal != SIGHUP) break;
    auto reloaded = (*node)->reload_certificates();
    if (reloaded) {
      log.info("server", "certificates read again");
    } else {
      log.error("server", "certificates not read again: " + reloaded.error());
    }
  }
  log.info("server", "stopping");
  (*node)->stop();
  log.info("server", "stopped");
  return 0;
}

// --can-publish, --no-publish and so on: neither is "not said".
void add_tri_state(CLI::App& command, const std::string& name, std::optional<bool>& state,
                   const std::string& what) {
  command.add_flag_callback("--can-" + name, [&state] { state = true; }, "It may " + what);
  command.add_flag_callback("--no-" + name, [&state] { state = false; }, "It may not " + what);
}

// With any of these the token is one for rooms.
void add_room_flags(CLI::App& command, RoomTokenOptions& rooms) {
  CLI::Option_group* group = command.add_option_group("Rooms", "A token for a room instead of the REST API");
  group->add_option("--room", rooms.room, "Room that it is for");
  group->add_option("--identity", rooms.identity, "Who joins with it; unique in the room");
  group->add_option("--name", rooms.name, "The name that others see");
  group->add_option("--metadata", rooms.metadata, "Text that others can read");
  group->add_option("--attribute", rooms.attributes, "name=value that others can read; again for more");
  add_tri_state(*group, "publish", rooms.can_publish, "publish");
  add_tri_state(*group, "publish-data", rooms.can_publish_data, "send data");
  add_tri_state(*group, "subscribe", rooms.can_subscribe, "see and hear others");
  group->add_option("--source", rooms.sources, "Publish these only: camera, microphone, screen_share …")
      ->delimiter(',');
  group->add_flag("--can-update-own-metadata", rooms.can_update_own_metadata,
                  "It may change its name, metadata and attributes");
  group->add_flag("--hidden", rooms.is_hidden, "Others do not see it");
  group->add_flag("--agent", rooms.is_agent, "It is an agent");
  group->add_flag("--room-admin", rooms.room_admin, "It may moderate the room");
  group->add_option("--destination-room", rooms.destination_room, "Where it may move participants to");
  group->add_flag("--room-create", rooms.room_create, "It may open and close rooms");
  group->add_flag("--room-list", rooms.room_list, "It may list rooms");
}

}  // namespace

int run(int argc, char** argv) {
  CLI::App app("Stoa: rooms and channels of real-time video");
  app.require_subcommand(1);
  app.set_version_flag("--version", STOA_VERSION);

  ServeOptions serve_options;
  CLI::App* serve_command = app.add_subcommand("serve", "Run a node");
  add_config_flags(*serve_command, serve_options);

  app.add_subcommand("config", "Print every setting as Markdown")->callback([] {
    std::fputs(config_markdown().c_str(), stdout);
  });

  TokenOptions token_options;
  CLI::App* token = app.add_subcommand("token", "Make access tokens and the API keys that sign them");
  token->require_subcommand(1);
  CLI::App* token_create = token->add_subcommand("create", "Make an access token (a JSON Web Token)");
  token_create->add_option("--key", token_options.key, "API key id");
  token_create->add_flag("--dev", token_options.is_dev, "Use the key of a node started with --dev");
  token_create->add_option("--secret", token_options.secret, "Its secret")->envname("STOA_TOKEN_SECRET");
  token_create->add_option("--data", token_options.data,
                           "Data folder to read the secret from when none is given");
  token_create
      ->add_option("--scope", token_options.scopes,
                   "What it may do: channels:read, channels:write, rooms:read, rooms, *")
      ->delimiter(',');
  token_create->add_option("--valid-for,--seconds", token_options.valid_for,
                           "How long it is good: 90s, 10m, 6h, 30d, or seconds");
  add_room_flags(*token_create, token_options.rooms);
  CLI::App* token_key = token->add_subcommand("key", "Make an API key; its secret is printed once");
  token_key->add_option("--data", token_options.data, "Data folder of the node")->required();
  token_key->add_option("--label", token_options.label, "What it is for");
  token_key
      ->add_option("--scope", token_options.scopes,
                   "What its tokens may do: channels:read, channels:write, rooms:read, rooms, *")
      ->delimiter(',');
  CLI::App* token_list = token->add_subcommand("list", "Print the API keys: id, state, scopes, label");
  token_list->add_option("--data", token_options.data, "Data folder of the node")->required();
  CLI::App* token_revoke = token->add_subcommand("revoke", "Revoke an API key and all tokens made with it");
  token_revoke->add_option("--data", token_options.data, "Data folder of the node")->required();
  token_revoke->add_option("--key", token_options.key, "API key id")->required();

  CheckHlsOptions check_options;
  CLI::App* check =
      app.add_subcommand("check-hls", "Follow a live HLS stream and judge it by the LL-HLS rules");
  check->add_option("url", check_options.url, "Multivariant playlist")->required();
  int check_seconds = 30;
  check->add_option("--seconds", check_seconds, "How long to follow it")->check(CLI::Range(1, 86'400));
  int check_slack_ms = 150;
  check->add_option("--slack", check_slack_ms, "Milliseconds of lateness that are put down to this machine")
      ->check(CLI::Range(0, 10'000));
  check->add_flag("--insecure", check_options.is_insecure, "Accept any certificate");
  check->add_flag("--json", check_options.writes_json, "Print the verdicts as JSON");

  CLI11_PARSE(app, argc, argv);
  if (*serve_command) return serve(serve_options);
  if (*token_create) return create_token(token_options);
  if (*token_key) return create_api_key(token_options);
  if (*token_list) return list_api_keys(token_options);
  if (*token_revoke) return revoke_api_key(token_options);
  check_options.slack = Duration::milliseconds(check_slack_ms);
  check_options.watch = Duration::seconds(check_seconds);
  if (*check) return run_check_hls(check_options);
  return 0;
}

}  // namespace stoa::server

int main(int argc, char** argv) { return stoa::server::run(argc, argv); }
