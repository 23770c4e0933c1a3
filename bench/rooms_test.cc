#include "rooms.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace stoa::bench {
namespace {

// `stoa serve --dev` in a process of its own, ports chosen by the kernel.
class Rooms : public testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(STOA_PROGRAM)) GTEST_SKIP() << "the server is not built: " << STOA_PROGRAM;
    std::string data = (std::filesystem::temp_directory_path() / "stoa-bench-rooms-XXXXXX").string();
    ASSERT_NE(mkdtemp(data.data()), nullptr);
    data_ = data;
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      for (int fd : {1, 2}) dup2(ends[1], fd);
      const char* any = "127.0.0.1:0";
      execl(STOA_PROGRAM, STOA_PROGRAM, "serve", "--dev", "--http", any, "--rtmp", any, "--rtc", any,
            "--https", "off", "--rtmps", "off", "--data", data_.c_str(), "--shards", "1",
            "--congestion-control=false", nullptr);  // Layers are as asked for from the first moment on.
      _exit(127);
    }
    close(ends[1]);
    log_ = Fd(ends[0]);
    std::string said;
    char buffer[4096];
    const std::string kSign = "listening http=";
    while (said.find("Ctrl-C") == std::string::npos) {
      ssize_t got = ::read(log_.get(), buffer, sizeof buffer);
      ASSERT_GT(got, 0) << said;
      said.append(buffer, static_cast<std::size_t>(got));
    }
    auto at = said.find(kSign);
    ASSERT_NE(at, std::string::npos) << said;
    at += kSign.size();
    options_.url = "ws://" + said.substr(at, said.find_first_of(" ,\n", at) - at);
    options_.server_pid = pid_;
    options_.is_quiet = true;
    options_.seconds = 2;
    options_.warmup_seconds = 0.5;
    options_.patience_seconds = 10;
    options_.publishers = 0;
    options_.check_every = 1;
  }
  void TearDown() override {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    if (!data_.empty()) std::filesystem::remove_all(data_);
  }

  boost::json::object run() {
    auto result = run_rooms(options_);
    EXPECT_TRUE(result) << result.error();
    return result ? boost::json::parse(result->str()).as_object() : boost::json::object();
  }
  static double number(const boost::json::object& object, const char* name) {
    return object.at(name).to_number<double>();
  }
  void expect_all_is_well(const boost::json::object& result, double participants) {
    const auto& join = result.at("join").as_object();
    EXPECT_EQ(number(join, "succeeded"), participants) << boost::json::serialize(join);
    EXPECT_EQ(number(join, "ended"), 0) << boost::json::serialize(join);
    EXPECT_GT(number(join.at("connected_ms").as_object(), "p50"), 0);
    const auto& received = result.at("received").as_object();
    EXPECT_EQ(number(received, "video_loss_percent"), 0);
    EXPECT_EQ(number(received, "audio_loss_percent"), 0);
    EXPECT_EQ(number(received, "audio_corrupt"), 0);
    if (options_.has_audio) {
      EXPECT_NEAR(number(received, "audio_packets_of_expected"), 1, 0.1);
      EXPECT_GT(number(received.at("latency_audio_ms").as_object(), "count"), 50);
      EXPECT_LT(number(received.at("latency_audio_ms").as_object(), "p50"), 50);
    }
    if (options_.video == RoomsVideo::kNone) return;
    EXPECT_NEAR(number(received, "frames_of_expected"), 1, 0.1);
    EXPECT_GT(number(received.at("latency_video_ms").as_object(), "count"), 10);
    EXPECT_LT(number(received.at("latency_video_ms").as_object(), "p50"), 50);
  }

  pid_t pid_ = 0;
  Fd log_;  // Kept open, or the server could not write any more.
  std::string data_;
  RoomsOptions options_;
};

TEST_F(Rooms, members_see_and_hear_each_other) {
  options_.members = 3;
  options_.rooms = 2;
  auto result = run();
  ASSERT_FALSE(result.empty());
  expect_all_is_well(result, 6);
  const auto& received = result.at("received").as_object();
  EXPECT_EQ(number(received, "videos_wanted"), 2 * 3 * 2);
  EXPECT_EQ(number(received, "videos_alive"), 2 * 3 * 2);
  EXPECT_GT(number(result, "server_rss"), number(result, "server_rss_before"));
}

TEST_F(Rooms, a_layout_asks_for_smaller_pictures_than_all_do) {
  options_.publishers = 1;
  options_.subscribers = 2;
  options_.has_audio = false;
  auto large = run();
  options_.layout = RoomsLayout::k5x5;
  auto small = run();
  ASSERT_FALSE(large.empty() || small.empty());
  expect_all_is_well(large, 3);
  expect_all_is_well(small, 3);
  // 1,700 against 160 kb/s.
  EXPECT_GT(number(large.at("received").as_object(), "video_mbps"),
            4 * number(small.at("received").as_object(), "video_mbps"));
}

TEST_F(Rooms, h264_of_one_layer_carries_stamps_too) {
  options_.publishers = 1;
  options_.subscribers = 2;
  options_.is_vp8 = false;
  options_.video = RoomsVideo::kSingle;
  options_.video_kbps = 800;
  auto result = run();
  ASSERT_FALSE(result.empty());
  expect_all_is_well(result, 3);
}

TEST_F(Rooms, sound_alone_can_be_listened_to) {
  options_.publishers = 2;
  options_.subscribers = 5;
  options_.video = RoomsVideo::kNone;
  auto result = run();
  ASSERT_FALSE(result.empty());
  expect_all_is_well(result, 7);
  EXPECT_EQ(number(result.at("received").as_object(), "audios_wanted"), 10);
}

TEST_F(Rooms, says_why_nobody_is_let_in) {
  options_.subscribers = 2;
  options_.api_secret = "another secret, of nobody here, as long as one must be";
  auto refused = run_rooms(options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().find("401"), std::string::npos) << refused.error();
  options_.url = "https://127.0.0.1";
  EXPECT_FALSE(run_rooms(options_));
}

}  // namespace
}  // namespace stoa::bench
