// Publishers and viewers against a server that forwards, over the sockets of this machine.
#include "rtc.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>

#include "rtc_test_server.h"

namespace stoa::bench {
namespace {

// Key frames of some packets, and between them frames of one or two.
std::string write_recording() {
  std::string path = testing::TempDir() + "stoa_bench_rtc_test.h264";
  std::ofstream file(path, std::ios::binary);
  auto nal = [&](std::uint8_t header, std::size_t size) {
    std::string bytes(size, '\x5a');
    bytes[0] = static_cast<char>(header);
    bytes[1] = '\x88';
    file << std::string("\0\0\0\1", 4) << bytes;
  };
  for (int i = 0; i < 30; ++i) {
    if (i % 15 == 0) {
      // 640x360, constrained baseline.
      file << std::string(
          "\0\0\0\1\x67\x42\xe0\x1e\x8c\x8d\x40\xa0\x2f\xf9\x66\xa0\xc0\xc0\xc8\x3c\x22\x11\xa8", 23);
      file << std::string("\0\0\0\1\x68\xce\x3c\x80", 8);
      nal(0x65, 6000);
    } else {
      nal(0x41, 500 + static_cast<std::size_t>(i) * 60);
    }
  }
  return path;
}

RtcOptions make_options(const TestRtcServer& server) {
  RtcOptions options;
  options.whip_url = server.url("/whip/a");
  options.whep_url = server.url("/whep/a");
  options.viewers = 6;
  options.check_every = 2;
  options.seconds = 1;
  options.warmup_seconds = 0.3;
  options.patience_seconds = 10;
  options.joins_per_second = 50;
  options.is_quiet = true;
  options.clip.path = write_recording();
  return options;
}

boost::json::object run(const RtcOptions& options) {
  auto result = run_rtc(options);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error());
  return result ? boost::json::parse(result->str()).as_object() : boost::json::object();
}
double number(const boost::json::object& object, const char* key) {
  return object.at(key).to_number<double>();
}
double p50(const boost::json::object& object, const char* key) {
  return number(object.at(key).as_object(), "p50");
}

TEST(Rtc, measures_a_server_that_forwards_everything) {
  TestRtcServer server;
  auto json = run(make_options(server));
  const auto& published = json.at("publish").as_object();
  EXPECT_EQ(number(published, "connected"), 1);
  EXPECT_GT(p50(published, "round_trip_ms"), 0);
  const auto& watched = json.at("watch").as_object();
  EXPECT_EQ(number(watched, "with_picture"), 6);
  EXPECT_EQ(number(watched, "video_loss_percent"), 0);
  EXPECT_EQ(number(watched, "audio_loss_percent"), 0);
  EXPECT_NEAR(number(watched, "frames_per_second_each"), 30, 8);
  // Three of the six were looked into.
  EXPECT_NEAR(number(watched, "frames_checked"), 3 * 6, 6);  // Those with a stamp.
  EXPECT_NEAR(number(watched, "audio_checked"), 3 * 50, 50);
  EXPECT_EQ(number(watched, "frames_corrupt") + number(watched, "audio_corrupt"), 0);
  EXPECT_NEAR(number(watched, "frames_unstamped"), 3 * 24, 24);
  EXPECT_GT(p50(watched, "latency_frame_ms"), 0);
  EXPECT_LT(p50(watched, "latency_frame_ms"), 1000);
  EXPECT_LE(p50(watched, "latency_first_packet_ms"), p50(watched, "latency_frame_ms"));
  EXPECT_EQ(server.deleted, 7);
}

TEST(Rtc, sees_what_a_server_loses) {
  TestRtcServer server;
  server.loss = 0.1;
  auto json = run(make_options(server));
  const auto& watched = json.at("watch").as_object();
  EXPECT_EQ(number(watched, "with_picture"), 6);  // Though a first keyframe may have been broken.
  EXPECT_NEAR(number(watched, "video_loss_percent"), 10, 4);
  EXPECT_GT(number(watched, "broken_frames"), 10);
  EXPECT_EQ(number(watched, "frames_corrupt"), 0);
}

TEST(Rtc, sees_what_a_server_damages) {
  TestRtcServer server;
  server.corrupts = true;
  auto options = make_options(server);
  auto json = run(options);
  const auto& watched = json.at("watch").as_object();
  EXPECT_GT(number(watched, "frames_checked"), 10);
  EXPECT_EQ(number(watched, "frames_corrupt"), number(watched, "frames_checked"));
  EXPECT_EQ(number(watched, "audio_corrupt"), number(watched, "audio_checked"));
}

TEST(Rtc, publishers_rest_until_all_viewers_have_a_picture) {
  TestRtcServer server;
  auto options = make_options(server);
  options.rests_while_joining = true;
  options.viewers = 12;
  options.joins_per_second = 10;
  auto json = run(options);
  EXPECT_EQ(number(json.at("watch").as_object(), "with_picture"), 12);
  EXPECT_NEAR(number(json.at("watch").as_object(), "frames_per_second_each"), 30, 8);
  EXPECT_GT(number(json.at("watch").as_object().at("joining").as_object(), "seconds"), 0.5);
}

TEST(Rtc, sound_alone_can_be_watched) {
  TestRtcServer server;
  server.tracks_wanted = 1;
  auto options = make_options(server);
  options.has_video = false;
  auto json = run(options);
  const auto& watched = json.at("watch").as_object();
  EXPECT_EQ(number(watched, "with_picture"), 6);
  EXPECT_NEAR(number(watched, "audio_checked"), 3 * 50, 50);
  EXPECT_LT(number(watched.at("joining").as_object(), "seconds"), 5);
}

TEST(Rtc, media_goes_by_the_address_that_was_asked_for) {
  TestRtcServer server;
  auto options = make_options(server);
  options.from = "127.0.0.9";
  EXPECT_EQ(number(run(options).at("watch").as_object(), "with_picture"), 6);
  EXPECT_TRUE(server.has_heard_from("127.0.0.9"));
  options.from = "nowhere";
  EXPECT_FALSE(run_rtc(options).has_value());
}

TEST(Rtc, says_why_nobody_is_let_in) {
  TestRtcServer server;
  auto options = make_options(server);
  options.whip_url.clear();
  auto refused = run_rtc(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().find("404: not live"), std::string::npos) << refused.error();
  options.whep_url = "https://127.0.0.1/";
  EXPECT_FALSE(run_rtc(options).has_value());
}

TEST(Rtc, numbers_channels) {
  EXPECT_EQ(number_text("http://h/whip/a", 3, 1), "http://h/whip/a");
  EXPECT_EQ(number_text("http://h/whip/a", 3, 9), "http://h/whip/a-3");
  EXPECT_EQ(number_text("http://h/{n}/whip", 3, 1), "http://h/3/whip");
}

}  // namespace
}  // namespace stoa::bench
