#include "server/config.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace stoa::server {
namespace {

Result<Config, std::string> config_of(std::string_view yaml) {
  auto values = parse_config_file(yaml, "stoa.yaml");
  if (!values) return refuse(values.error());
  return make_config(*values);
}

TEST(Config, defaults_are_the_documented_ports) {
  auto config = make_config({});
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->http->port, 8080);
  EXPECT_EQ(config->http->address, "::");
  EXPECT_EQ(config->rtmp->port, 1935);
  EXPECT_EQ(config->target_duration_s, 4u);
}

TEST(Config, dev_listens_on_loopback_unless_told_otherwise) {
  auto config = config_of("dev: true\nrtmp: 0.0.0.0:1935\n");
  ASSERT_TRUE(config) << config.error();
  EXPECT_EQ(config->http->address, "127.0.0.1");
  EXPECT_EQ(config->rtmp->address, "0.0.0.0");
  EXPECT_EQ(config->rtc->address, "::") << "browsers do not talk to loopback alone";
}

TEST(Config, nested_and_dotted_keys_are_the_same) {
  EXPECT_EQ(config_of("hls:\n  window: 120\n")->window, Duration::seconds(120));
  EXPECT_EQ(config_of("hls.window: 120\n")->window, Duration::seconds(120));
}

TEST(Config, errors_name_line_key_and_what_is_allowed) {
  struct Row {
    const char* yaml;
    const char* says;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"dev: true\nhtpp: :80\n", "stoa.yaml line 2: there is no setting 'htpp'; did you mean 'http'?"},
           {"hls:\n  part: 3\n",
            "stoa.yaml line 2: hls.part: '3' is not allowed; it takes seconds from 0.1 to 1"},
           {"http: host:80\n",
            "stoa.yaml line 1: http: 'host:80' is not allowed; it takes an IP address and port"},
           {"log.format: xml\n", "it takes text or json"},
           {"shards: 1.5\n", "it takes a whole number from 0 to 256"},
           {"dev: maybe\n", "it takes true or false"},
           {"dev:\n", "it takes true or false"},  // Empty must never open a node.
           {"data: a\ndata: b\n", "stoa.yaml line 2: 'data' stands here a second time"},
           {"hls:\n  segment: 6\n", "hls.target_duration: must be at least hls.segment (6)"},
           {"hls.window: 12\nhls.target_duration: 6\n",
            "must be at least three times hls.target_duration (18)"},
           {"tls.key: k.pem\n", "tls.certificate and tls.key go together"},
           {"demo: true\n", "demo: works with dev only"},
           {"webhooks:\n  urls: [https://a/hook]\n",
            "stoa.yaml line 2: webhooks.api_key: is needed with webhooks.urls"},
           {"dev: true\nwebhooks.urls: a.example/hook\n",
            "stoa.yaml line 2: webhooks.urls: 'a.example/hook' does not begin with http:// or https://"},
           {"dev: true\nwebhooks.urls: [http://a, http://b, http://a]\n",
            "webhooks.urls: 'http://a' stands there twice"},
           {"rooms.empty_timeout: 0\n", "it takes seconds from 1 to 604800"},
           {"- a\n- b\n", "stoa.yaml: must hold `key: value` lines"},
           {"a: [\n", "stoa.yaml line 2:"}}) {
    auto config = config_of(row.yaml);
    ASSERT_FALSE(config) << row.yaml;
    EXPECT_NE(config.error().find(row.says), std::string::npos) << config.error();
  }
}

TEST(Config, rooms_open_by_themselves_and_webhooks_are_off_unless_told_otherwise) {
  auto config = config_of("");
  ASSERT_TRUE(config) << config.error();
  EXPECT_TRUE(config->rooms_auto_create);
  EXPECT_EQ(config->rooms_empty_timeout, Duration::seconds(300));
  EXPECT_EQ(config->rooms_departure_timeout, Duration::seconds(20));
  EXPECT_EQ(config->rooms_participants_max, 0u);
  EXPECT_EQ(config->rooms_presence_max, 500u);
  EXPECT_FALSE(config->rooms_enable_remote_unmute);
  EXPECT_TRUE(config->webhook_urls.empty());
}

TEST(Config, webhooks_are_signed_with_the_key_of_dev_or_one_that_is_named) {
  auto dev = config_of("dev: true\nwebhooks.urls: [http://a/x, https://b]\n");
  ASSERT_TRUE(dev) << dev.error();
  EXPECT_EQ(dev->webhook_urls, (std::vector<std::string>{"http://a/x", "https://b"}));
  EXPECT_EQ(dev->webhook_api_key, "devkey");
  EXPECT_EQ(config_of("webhooks:\n  urls: http://a\n  api_key: ak_1\n")->webhook_api_key, "ak_1");
  std::string many = "dev: true\nwebhooks.urls: http://0";
  for (int i = 1; i < 17; ++i) many += ",http://" + std::to_string(i);
  EXPECT_FALSE(config_of(many));
}

TEST(Config, caps_go_by_what_pictures_need_where_that_is_asked_for) {
  EXPECT_FALSE(make_config({})->transcode_per_title);
  EXPECT_TRUE(config_of("transcode.per_title: true\n")->transcode_per_title);
}

TEST(Config, a_ladder_is_a_profile_or_rungs) {
  auto with = [](const std::string& text) {
    return make_config({{"transcode.ladder", {text, "--transcode-ladder"}}});
  };
  for (const char* right : {"off", "standard", "720p30:2500,360p30:av1", "standard,per-title=on"}) {
    ASSERT_TRUE(with(right).has_value()) << right;
    EXPECT_EQ(with(right)->transcode_ladder, right);
  }
  for (const char* wrong : {"", "best", "720p", "720p30:2500,", "720p30:1,360p30:600"}) {
    ASSERT_FALSE(with(wrong).has_value()) << wrong;
    EXPECT_NE(with(wrong).error().find("--transcode-ladder: transcode.ladder"), std::string::npos);
  }
}

TEST(Config, reads_the_environment_and_refuses_unknown_variables) {
  auto values = parse_config_environment({"PATH=/bin", "STOA_HLS_PART=0.2"});
  ASSERT_TRUE(values);
  EXPECT_EQ(values->at("hls.part").origin, "STOA_HLS_PART");
  EXPECT_EQ(make_config(*values)->part_target, Duration::milliseconds(200));
  EXPECT_FALSE(parse_config_environment({"STOA_HLS_PRAT=1"}));
  EXPECT_TRUE(parse_config_environment({"STOA_PORT=tcp://10.0.0.1:80", "STOA_SERVICE_HOST=10.0.0.1"}));
}

TEST(Config, documentation_is_the_table) {
  std::ifstream file("docs/operate/configuration.md");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(text, config_markdown()) << "run: stoa config > docs/operate/configuration.md";
}

}  // namespace
}  // namespace stoa::server
