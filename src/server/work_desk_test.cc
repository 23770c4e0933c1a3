// Workers as processes: real ones, of a program that the test writes.
#include "server/work_desk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "runtime/test_datagrams.h"

namespace stoa::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

class WorkDeskTest : public ::testing::Test {
 protected:
  ~WorkDeskTest() override {
    desk_.reset();
    std::filesystem::remove_all(folder_);
  }
  // `script` sees the arguments and has $folder.
  void make_desk(const std::string& script) {
    std::string name = (std::filesystem::temp_directory_path() / "stoa-work-desk-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    const std::filesystem::path program = folder_ / "stub";
    std::ofstream(program) << "#!/bin/sh\nfolder='" << name << "'\n" << script;
    std::filesystem::permissions(program, std::filesystem::perms::owner_all);
    options_.program = program.string();
    options_.events = &events_;
    restart();
  }
  void restart() {
    desk_ = std::make_unique<WorkDesk>(options_, loop_.loop, log_, [this](WorkMail&& mail) {
      if (auto* awaited = std::get_if<control::WorkerAwaited>(&mail)) awaited_.push_back(*awaited);
      if (auto* decided = std::get_if<control::LadderDecided>(&mail)) decided_.push_back(*decided);
      loop_.check();
    });
    desk_->set_addresses({"relay-0.sock", "relay-1.sock"});
  }
  void begin(std::string channel) {
    media::Format format{.codec = media::Codec::kH264, .config = SharedBytes(Buffer{1, 77, 0, 31})};
    format.width = 1280;
    format.height = 720;
    control::ProgramOnAir program{
        .shard = 1, .channel = std::move(channel), .broadcast = "b", .ladder = "one"};
    program.tracks.push_back({.track = 0, .format = std::make_shared<const media::Format>(format)});
    desk_->handle_program(std::move(program));
  }
  double metric(std::string_view name, std::string_view label = {}) const {
    MetricSamples samples;
    desk_->append_metrics(samples);
    double sum = 0;
    for (const MetricSample& sample : samples)
      if (sample.name == name && (label.empty() || sample.labels.at(0).second == label)) sum += sample.value;
    return sum;
  }
  bool run_until_awaited(std::size_t count) {
    return loop_.run_until([&] { return awaited_.size() >= count; });
  }
  // Waits for it by the loop, since the worker writes it on its own.
  std::string read(const std::string& file) {
    std::string text;
    std::optional<runtime::DeadlineTimer> look;
    look.emplace(loop_.loop, [&] {
      std::stringstream all;
      all << std::ifstream(folder_ / file).rdbuf();
      text = all.str();
      loop_.check();
      look->set(loop_.loop.now() + Duration::milliseconds(5));
    });
    look->set(loop_.loop.now());
    EXPECT_TRUE(loop_.run_until([&] { return text.ends_with('\n'); }));
    return text;
  }

  WorkDesk::Options options_;
  std::filesystem::path folder_;
  runtime::TestLoop loop_;
  runtime::Log log_{LogLevel::kWarning, runtime::LogFormat::kText};
  control::ChannelEvents events_;
  std::vector<control::WorkerAwaited> awaited_;
  std::vector<control::LadderDecided> decided_;
  std::unique_ptr<WorkDesk> desk_;
};

TEST_F(WorkDeskTest, starts_a_worker_with_its_token_where_only_it_can_read_it) {
  make_desk(
      "read token\necho $* $token $(nice) >$folder/said.new; mv $folder/said.new $folder/said\nexec sleep "
      "100\n");
  options_.slate = "a clip.mp4";
  options_.transcoding.threads = 3;
  restart();
  begin("news");
  ASSERT_EQ(decided_.size(), 1u);
  EXPECT_EQ(decided_[0].plan.rungs.size(), 1u);
  ASSERT_EQ(awaited_.size(), 1u);
  EXPECT_THAT(awaited_[0].token, MatchesRegex("[0-9a-f]{64}"));
  EXPECT_THAT(read("said"), MatchesRegex("transcode relay-1.sock news --threads 3 --slate a clip.mp4 " +
                                         awaited_[0].token + " [0-9]+\n"));
}

TEST_F(WorkDeskTest, puts_workers_within_limits) {
  options_.memory_bytes = 64 << 20;
  make_desk(
      "ulimit -d >$folder/new; ulimit -n >>$folder/new\n"
      "cat /proc/self/oom_score_adj >>$folder/new\nmv $folder/new $folder/limits\nexec sleep 100\n");
  begin("news");
  EXPECT_EQ(read("limits"), "65536\n64\n500\n");
}

TEST_F(WorkDeskTest, starts_anew_what_ends_and_says_what_it_said) {
  make_desk("read token\necho \"cannot do it\" >&2\nexit 1\n");
  ::testing::internal::CaptureStderr();
  begin("news");
  EXPECT_TRUE(run_until_awaited(3));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("news: cannot do it"));
  EXPECT_THAT(log, HasSubstr("news: worker 1: ended with status 1"));
  EXPECT_THAT(log, Not(HasSubstr(awaited_[0].token)));
  EXPECT_NE(awaited_[0].token, awaited_[1].token);
  EXPECT_EQ(metric("stoa_work_restarts_total"), 2);
  EXPECT_EQ(events_.find("news")->at(1).kind, "worker_lost");
  EXPECT_EQ(events_.find("news")->at(1).text, "worker 1: ended with status 1");
  EXPECT_EQ(desk_->transcoding().find("news")->trouble, "ended with status 1");
}

TEST_F(WorkDeskTest, kills_what_hangs_and_will_not_hear) {
  options_.transcoding.connect_patience = Duration::milliseconds(20);
  make_desk("trap '' TERM\nexec sleep 100\n");
  begin("news");
  EXPECT_TRUE(run_until_awaited(2));
  EXPECT_EQ(desk_->transcoding().find("news")->trouble, "it did not connect, was ended by signal 9");
}

TEST_F(WorkDeskTest, lets_a_worker_be_that_has_connected) {
  options_.transcoding.connect_patience = Duration::milliseconds(20);
  options_.transcoding.workers_max = 2;
  make_desk("exec sleep 100\n");
  begin("news");
  begin("other");
  desk_->handle_worker_seen({.worker = 1, .state = control::WorkerState::kConnected});
  EXPECT_TRUE(run_until_awaited(4));
  EXPECT_EQ(awaited_[2].channel, "other");
  EXPECT_EQ(awaited_[3].channel, "other");
  EXPECT_EQ(desk_->transcoding().find("news")->worker, control::WorkerStage::kRunning);
  EXPECT_EQ(desk_->transcoding().find("news")->restarts, 0u);
}

TEST_F(WorkDeskTest, survives_floods_of_junk) {
  make_desk("head -c 3000000 /dev/urandom >&2\nexit 3\n");
  ::testing::internal::CaptureStderr();
  begin("news");
  EXPECT_TRUE(run_until_awaited(2));
  EXPECT_LT(::testing::internal::GetCapturedStderr().size(), 500'000u);
  EXPECT_EQ(desk_->transcoding().find("news")->trouble, "ended with status 3");
}

TEST_F(WorkDeskTest, tries_again_when_there_is_no_such_program) {
  make_desk("");
  options_.program = "no-such-program-of-stoa";
  options_.transcoding.restarts.first_pause = Duration::milliseconds(5);
  restart();
  begin("news");
  EXPECT_TRUE(run_until_awaited(4));
  EXPECT_EQ(metric("stoa_work_restarts_total", "start_failed"), 4);
  EXPECT_THAT(desk_->transcoding().find("news")->trouble, HasSubstr("is not on the PATH"));
}

TEST_F(WorkDeskTest, leaves_nobody_behind) {
  options_.transcoding.workers_max = 2;
  make_desk(
      "trap '' TERM\necho $$ >$folder/$3.new; mv $folder/$3.new $folder/$3\n"
      "exec sleep 100\n");
  for (const char* channel : {"a", "b", "c"}) begin(channel);
  const int a = std::stoi(read("a")), b = std::stoi(read("b"));
  EXPECT_EQ(::kill(a, 0), 0);
  desk_->stop(Duration::milliseconds(20));
  EXPECT_NE(::kill(a, 0), 0);
  EXPECT_NE(::kill(b, 0), 0);
  begin("d");
  EXPECT_EQ(awaited_.size(), 2u) << "c waited, d came too late";
}

}  // namespace
}  // namespace stoa::server
