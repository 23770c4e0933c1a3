#include "control/transcoding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "base/rng.h"

namespace stoa::control {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr Timestamp kStart = Timestamp::from_ns(1'000'000'000'000);

Duration ms(std::int64_t count) { return Duration::milliseconds(count); }
Duration seconds(std::int64_t count) { return Duration::seconds(count); }

class TranscodingTest : public ::testing::Test {
 protected:
  TranscodingTest() { make({}); }
  void make(Transcoding::Options options) {
    options.fill_random = [this](std::span<std::uint8_t> bytes) {
      for (std::uint8_t& byte : bytes) byte = ++random_;
    };
    transcoding_ = std::make_unique<Transcoding>(std::move(options));
  }
  static ProgramOnAir on_air(std::string channel, std::uint32_t height = 720, std::string ladder = "one") {
    media::Format format{.codec = media::Codec::kH264, .config = SharedBytes(Buffer{1, 77, 0, 31})};
    format.width = height * 2;
    format.height = height;
    format.frame_rate_numerator = 30;
    ProgramOnAir program{.shard = 3, .channel = channel, .broadcast = channel + "-1", .ladder = ladder};
    program.tracks.push_back({.track = 0, .format = std::make_shared<const media::Format>(format)});
    return program;
  }
  // Of any size, ladder and broadcast.
  static ProgramOnAir on_air_of(const std::string& channel, Rng& rng) {
    constexpr const char* kLadders[] = {"off", "one", "standard"};
    ProgramOnAir program =
        on_air(channel, 200 + static_cast<std::uint32_t>(rng.below(1'000)), kLadders[rng.below(3)]);
    program.broadcast = "b" + std::to_string(rng.below(2));
    return program;
  }
  void begin(const std::string& channel, std::uint32_t height = 720, std::string ladder = "one") {
    transcoding_->handle_program(now_, on_air(channel, height, std::move(ladder)), out_);
    take();
  }
  void end(std::string_view channel) {
    transcoding_->handle_program_ended(now_, channel, out_);
    take();
  }
  void see(WorkerId worker, WorkerState state, std::string text = "") {
    transcoding_->handle_worker_seen(now_, {.worker = worker, .state = state, .text = std::move(text)}, out_);
    take();
  }
  void exit(WorkerId worker, std::string_view how = "ended with status 1") {
    transcoding_->handle_worker_exited(now_, worker, how, out_);
    take();
  }
  // Until then, deadline by deadline.
  void pass(Duration time) {
    const Timestamp until = now_ + time;
    while (transcoding_->next_deadline() <= until) {
      ASSERT_GE(transcoding_->next_deadline(), now_);
      now_ = transcoding_->next_deadline();
      transcoding_->handle_deadline(now_, out_);
      take();
      ASSERT_GT(transcoding_->next_deadline(), now_) << "a deadline that was met comes again";
    }
    now_ = until;
  }
  void take() {
    for (auto& output : out_.take()) {
      std::visit(Overloaded{
                     [&](LadderDecided& decided) {
                       decided_ = decided;
                       steps_.push_back("ladder " + decided.channel + " " + std::to_string(decided.revision) +
                                        " of " + std::to_string(decided.plan.rungs_at_work().size()));
                     },
                     [&](WorkerAwaited& awaited) {
                       EXPECT_EQ(awaited.shard, 3u);
                       steps_.push_back("await " + std::to_string(awaited.worker));
                       awaited_ = awaited;
                     },
                     [&](StartWorker& start) {
                       EXPECT_EQ(start.token, awaited_.token);
                       EXPECT_EQ(start.worker, awaited_.worker);
                       steps_.push_back("start " + std::to_string(start.worker));
                       started_ = start;
                     },
                     [&](KillWorker& kill) { steps_.push_back("kill " + std::to_string(kill.worker)); },
                     [&](TranscodingEvent& event) {
                       events_.push_back(event.channel + " " + name_of(event.kind) + ": " + event.text);
                     },
                 },
                 output);
    }
  }
  double metric(std::string_view name, std::string_view label = {}) const {
    MetricSamples samples;
    transcoding_->append_metrics(samples);
    double sum = 0;
    for (const MetricSample& sample : samples)
      if (sample.name == name && (label.empty() || sample.labels.at(0).second == label)) sum += sample.value;
    return sum;
  }
  LadderStatus status(std::string_view channel) const {
    auto found = transcoding_->find(channel);
    EXPECT_TRUE(found);
    return found.value_or(LadderStatus());
  }
  // Times of starts, in milliseconds; each worker ends after `life` of service.
  std::vector<std::int64_t> starts_while_workers_last(Duration life, int count) {
    std::vector<std::int64_t> times;
    const Timestamp since = now_;
    begin("news");
    while (static_cast<int>(times.size()) < count) {
      while (started_.worker == ended_) {
        const Timestamp next = transcoding_->next_deadline();
        EXPECT_LT(next, now_ + seconds(100));
        now_ = next;
        transcoding_->handle_deadline(now_, out_);
        take();
      }
      times.push_back((now_ - since).ms());
      see(started_.worker, WorkerState::kConnected);
      now_ += life;
      exit(ended_ = started_.worker);
    }
    return times;
  }

  void make_for(int count, double share, const Complexity& complexity);

  std::vector<std::string> steps() { return std::exchange(steps_, {}); }
  std::vector<std::string> events() { return std::exchange(events_, {}); }

  std::uint8_t random_ = 0;
  Timestamp now_ = kStart;
  std::unique_ptr<Transcoding> transcoding_;
  TranscodingOutputs out_;
  WorkerId ended_ = 0;
  WorkerAwaited awaited_;
  StartWorker started_;
  LadderDecided decided_;
  std::vector<std::string> steps_, events_;
};

TEST_F(TranscodingTest, decides_a_ladder_and_starts_a_worker_for_it) {
  begin("news");
  EXPECT_THAT(steps(), ElementsAre("ladder news 1 of 1", "await 1", "start 1"));
  EXPECT_EQ(started_.channel, "news");
  EXPECT_EQ(started_.token, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20");
  begin("news");
  EXPECT_THAT(steps(), IsEmpty()) << "nothing is new";
  see(1, WorkerState::kConnected);
  EXPECT_THAT(events(), ElementsAre(StartsWith("news worker_started"), StartsWith("news worker_connected")));
  pass(seconds(100));
  EXPECT_THAT(steps(), IsEmpty());
  EXPECT_EQ(transcoding_->next_deadline(), Timestamp::never());
}

TEST_F(TranscodingTest, says_also_that_there_is_no_ladder) {
  begin("news", 720, "off");
  EXPECT_THAT(steps(), ElementsAre("ladder news 1 of 0"));
  begin("small", 240);
  EXPECT_THAT(steps(), ElementsAre("ladder small 1 of 0"));
}

TEST_F(TranscodingTest, changes_the_ladder_with_the_source) {
  begin("news", 720, "standard");
  EXPECT_THAT(steps(), ElementsAre("ladder news 1 of 3", "await 1", "start 1"));
  see(1, WorkerState::kConnected);
  begin("news", 480, "standard");
  EXPECT_THAT(steps(), ElementsAre("ladder news 2 of 2"));
  begin("news", 200, "standard");
  EXPECT_THAT(steps(), ElementsAre("ladder news 3 of 0"));
  pass(seconds(2));
  EXPECT_THAT(steps(), ElementsAre("kill 1")) << "it has nothing to do";
  exit(1, "was ended by signal 9");
  pass(seconds(60));
  EXPECT_THAT(steps(), IsEmpty());
  begin("news", 720, "standard");
  EXPECT_THAT(steps(), ElementsAre("ladder news 4 of 3", "await 2", "start 2"));
}

TEST_F(TranscodingTest, lets_the_worker_leave_when_the_broadcast_ends) {
  begin("news");
  see(1, WorkerState::kConnected);
  steps();
  end("news");
  exit(1, "ended with status 0");
  pass(seconds(60));
  EXPECT_THAT(steps(), IsEmpty());
  EXPECT_THAT(events(), ElementsAre(HasSubstr("started"), HasSubstr("connected")));
  begin("news");
  EXPECT_THAT(steps(), ElementsAre("ladder news 1 of 1", "await 2", "start 2"));
  end("news");
  pass(ms(1'999));
  EXPECT_THAT(steps(), IsEmpty());
  pass(ms(1));
  EXPECT_THAT(steps(), ElementsAre("kill 2"));
  pass(seconds(60));
  EXPECT_THAT(steps(), IsEmpty()) << "once is enough";
}

TEST_F(TranscodingTest, begins_anew_with_another_broadcast) {
  begin("news");
  steps();
  ProgramOnAir next = on_air("news");
  next.broadcast = "news-2";
  transcoding_->handle_program(now_, std::move(next), out_);
  take();
  EXPECT_THAT(steps(), ElementsAre("ladder news 1 of 1")) << "there is room for one";
  pass(seconds(2));
  EXPECT_THAT(steps(), ElementsAre("kill 1"));
  exit(1);
  EXPECT_THAT(steps(), ElementsAre("await 2", "start 2"));
}

TEST_F(TranscodingTest, kills_a_worker_that_does_not_come) {
  begin("news");
  steps(), events();
  EXPECT_EQ(status("news").worker, WorkerStage::kStarting);
  pass(ms(4'999));
  EXPECT_THAT(steps(), IsEmpty());
  pass(ms(1));
  EXPECT_THAT(steps(), ElementsAre("kill 1"));
  see(1, WorkerState::kConnected);
  pass(ms(1'999));
  EXPECT_THAT(steps(), IsEmpty()) << "one at a time";
  EXPECT_EQ(metric("stoa_work_workers", "killed"), 1);
  exit(1, "was ended by signal 9");
  EXPECT_THAT(steps(), ElementsAre("await 2", "start 2"));
  EXPECT_THAT(events(), ElementsAre("news worker_lost: worker 1: it did not connect, was ended by signal 9",
                                    "news worker_started: worker 2 is started"));
  EXPECT_EQ(metric("stoa_work_restarts_total", "not_connected"), 1);
}

TEST_F(TranscodingTest, kills_a_worker_whose_connection_ended) {
  begin("news");
  see(1, WorkerState::kConnected);
  EXPECT_EQ(status("news").worker, WorkerStage::kRunning);
  steps(), events();
  see(1, WorkerState::kGone, "silent");
  EXPECT_THAT(steps(), ElementsAre("kill 1"));
  see(1, WorkerState::kGone, "silent");
  EXPECT_THAT(steps(), IsEmpty());
  exit(1, "was ended by signal 9");
  EXPECT_THAT(steps(), ElementsAre("await 2", "start 2"));
  EXPECT_EQ(events().at(0), "news worker_lost: worker 1: silent, was ended by signal 9");
  EXPECT_EQ(status("news").trouble, "silent, was ended by signal 9");
  EXPECT_EQ(status("news").restarts, 1u);
  EXPECT_EQ(metric("stoa_work_restarts_total", "connection_lost"), 1);
  see(1, WorkerState::kConnected);
  EXPECT_EQ(status("news").worker, WorkerStage::kStarting) << "said of the one before";
}

TEST_F(TranscodingTest, does_not_wait_long_for_one_that_will_not_die) {
  make({.workers_max = 2});
  begin("news");
  see(1, WorkerState::kConnected);
  see(1, WorkerState::kGone, "silent");
  steps(), events();
  pass(ms(1'999));
  EXPECT_THAT(steps(), IsEmpty());
  EXPECT_THAT(events(), IsEmpty());
  transcoding_->handle_deadline(now_ += ms(1), out_);
  take();
  EXPECT_THAT(steps(), ElementsAre("await 2", "start 2"));
  EXPECT_EQ(events().at(0), "news worker_lost: worker 1: silent");
  see(2, WorkerState::kConnected);
  begin("other");
  EXPECT_THAT(steps(), ElementsAre("ladder other 1 of 1")) << "it still takes room";
  exit(1, "was ended by signal 9");
  EXPECT_THAT(steps(), ElementsAre("await 3", "start 3"));
  EXPECT_EQ(status("news").worker, WorkerStage::kRunning);
  EXPECT_EQ(status("news").restarts, 1u);
  EXPECT_EQ(metric("stoa_work_restarts_total"), 1);
}

TEST_F(TranscodingTest, starts_a_worker_anew_that_ended) {
  begin("news");
  see(1, WorkerState::kConnected);
  steps(), events();
  exit(1, "was ended by signal 11");
  EXPECT_THAT(steps(), ElementsAre("await 2", "start 2"));
  EXPECT_EQ(events()[0], "news worker_lost: worker 1: was ended by signal 11");
  see(1, WorkerState::kGone, "end of stream");
  EXPECT_THAT(steps(), IsEmpty()) << "that is known";
  transcoding_->handle_start_failed(now_, 2, "no such program", out_);
  take();
  EXPECT_EQ(status("news").trouble, "it cannot be started: no such program");
  EXPECT_EQ(status("news").worker, WorkerStage::kPausing);
  EXPECT_EQ(metric("stoa_work_restarts_total", "ended"), 1);
  EXPECT_EQ(metric("stoa_work_restarts_total", "start_failed"), 1);
}

TEST_F(TranscodingTest, pauses_longer_and_longer_between_workers_that_do_not_last) {
  // Each lasts for 20 s, so no six of them end within a minute.
  std::vector<std::int64_t> pauses = starts_while_workers_last(seconds(20), 9);
  for (std::size_t i = pauses.size() - 1; i > 0; --i) pauses[i] -= pauses[i - 1] + 20'000;
  EXPECT_THAT(pauses, ElementsAre(0, 0, 500, 1'000, 2'000, 4'000, 8'000, 15'000, 15'000));
  EXPECT_FALSE(status("news").is_storm);
}

TEST_F(TranscodingTest, starts_at_once_what_was_healthy) {
  std::vector<std::int64_t> pauses = starts_while_workers_last(seconds(30), 9);
  for (std::size_t i = pauses.size() - 1; i > 0; --i) EXPECT_EQ(pauses[i] - pauses[i - 1], 30'000);
}

TEST_F(TranscodingTest, tries_once_a_minute_in_a_storm) {
  // Six have ended at 7.5 s.
  EXPECT_THAT(starts_while_workers_last(Duration(), 9),
              ElementsAre(0, 0, 500, 1'500, 3'500, 7'500, 67'500, 127'500, 187'500));
  EXPECT_TRUE(status("news").is_storm);
  EXPECT_EQ(metric("stoa_work_channels_in_storm"), 1);
  EXPECT_EQ(metric("stoa_work_restarts_damped_total"), 4);
  const auto told = events();
  EXPECT_EQ(std::ranges::count_if(told, [](const auto& text) { return text.contains("worker_storm"); }), 1);
}

TEST_F(TranscodingTest, forgets_a_storm_when_a_worker_is_healthy) {
  starts_while_workers_last(Duration(), 7);
  pass(seconds(60));
  see(started_.worker, WorkerState::kConnected);
  pass(seconds(30));
  steps();
  exit(started_.worker);
  EXPECT_THAT(steps(), ElementsAre("await 9", "start 9"));
  EXPECT_FALSE(status("news").is_storm);
}

TEST_F(TranscodingTest, keeps_a_storm_in_mind_over_broadcasts) {
  starts_while_workers_last(Duration(), 7);
  end("news");
  EXPECT_EQ(transcoding_->find("news"), std::nullopt);
  steps();
  pass(seconds(59));
  begin("news");
  EXPECT_THAT(steps(), ElementsAre("ladder news 1 of 1"));
  EXPECT_EQ(status("news").worker, WorkerStage::kPausing);
  pass(seconds(1));
  EXPECT_THAT(steps(), ElementsAre("await 8", "start 8"));
  EXPECT_EQ(status("news").restarts, 0u);
  end("news");
  exit(8);
  pass(seconds(61));
  begin("news");
  EXPECT_THAT(steps(), ElementsAre("ladder news 1 of 1", "await 9", "start 9")) << "long ago";
}

TEST_F(TranscodingTest, lets_channels_wait_for_room_in_the_order_they_came) {
  make({.workers_max = 2, .threads = 8});
  begin("a");
  EXPECT_EQ(started_.threads, 8);
  begin("b");
  EXPECT_EQ(started_.threads, 4);
  pass(ms(1));
  begin("d");
  pass(ms(1));
  begin("c");
  for (WorkerId id : {1, 2}) see(id, WorkerState::kConnected);
  EXPECT_EQ(status("c").worker, WorkerStage::kWaiting);
  EXPECT_EQ(metric("stoa_work_channels_waiting"), 2);
  EXPECT_EQ(transcoding_->next_deadline(), Timestamp::never());
  EXPECT_THAT(events(), ::testing::Contains("d worker_waiting: all 2 workers are taken"));
  steps();
  end("b");
  exit(2);
  EXPECT_EQ(started_.channel, "d");
  end("a");
  pass(seconds(2));
  exit(1);
  EXPECT_EQ(started_.channel, "c");
  EXPECT_THAT(steps(), ElementsAre("await 3", "start 3", "kill 1", "await 4", "start 4"));
  EXPECT_EQ(metric("stoa_work_channels_waiting"), 0);
}

TEST_F(TranscodingTest, gives_room_to_others_while_one_pauses) {
  begin("a");
  pass(ms(1));
  begin("b");
  pass(ms(1));
  exit(1);
  EXPECT_EQ(started_.channel, "b") << "it waits for longer";
  EXPECT_EQ(status("a").worker, WorkerStage::kWaiting);
  end("a");
  end("b");
  exit(2);
  EXPECT_EQ(transcoding_->next_deadline(), Timestamp::never());
  EXPECT_EQ(metric("stoa_work_workers"), 0);
}

TEST_F(TranscodingTest, tells_how_rungs_fare) {
  begin("news", 720, "standard");
  EXPECT_EQ(status("news").rungs.at(0).state, RungState::kAwaited);
  see(1, WorkerState::kConnected);
  WorkerNumbers numbers{.frames_in = 60, .pictures_decoded = 50, .memory_bytes = 5'000};
  numbers.rungs.push_back(
      {.rung = "480p30", .encoder = "libx264", .frames = 40, .encode_p95 = ms(7), .speed = 3});
  numbers.rungs.push_back({.rung = "360p30", .encoder = "libx264", .frames = 0});
  transcoding_->handle_worker_seen(now_, {.worker = 1, .state = WorkerState::kReported, .numbers = numbers},
                                   out_);
  const LadderStatus told = status("news");
  EXPECT_EQ(told.ladder, "standard");
  EXPECT_EQ(told.rungs.at(0).state, RungState::kWorking);
  EXPECT_EQ(told.rungs.at(0).numbers.encoder, "libx264");
  EXPECT_EQ(told.rungs.at(1).state, RungState::kAwaited);
  begin("news", 470, "standard");
  EXPECT_EQ(status("news").rungs.at(0).state, RungState::kResting);

  numbers.frames_in = 90;
  numbers.rungs[0].frames = 70;
  transcoding_->handle_worker_seen(now_, {.worker = 1, .state = WorkerState::kReported, .numbers = numbers},
                                   out_);
  EXPECT_EQ(metric("stoa_work_frames_in_total"), 90);
  EXPECT_EQ(metric("stoa_work_frames_out_total", "480p30"), 70);
  EXPECT_EQ(metric("stoa_work_encode_seconds_p95", "480p30"), 0.007);
  EXPECT_EQ(metric("stoa_work_memory_bytes"), 5'000);
  exit(1);
  EXPECT_EQ(status("news").rungs.at(1).state, RungState::kAwaited);
  see(2, WorkerState::kConnected);
  numbers.frames_in = 10;
  numbers.rungs[0].frames = 5;
  transcoding_->handle_worker_seen(now_, {.worker = 2, .state = WorkerState::kReported, .numbers = numbers},
                                   out_);
  EXPECT_EQ(metric("stoa_work_frames_in_total"), 100) << "what the one before did is not forgotten";
  EXPECT_EQ(metric("stoa_work_frames_out_total", "480p30"), 75);
}

TEST_F(TranscodingTest, tells_what_rungs_take_and_how_complex_pictures_are) {
  begin("news", 720, "standard");
  see(1, WorkerState::kConnected);
  WorkerNumbers numbers{.complexity = Complexity{3, 0.5}};
  numbers.rungs.push_back({.rung = "480p30", .encoder = "h264_nvenc", .bytes = 10'000});
  const auto report = [&](WorkerId worker) {
    transcoding_->handle_worker_seen(
        now_, {.worker = worker, .state = WorkerState::kReported, .numbers = numbers}, out_);
  };
  const auto bitrate = [&] { return status("news").rungs.at(0).numbers.bitrate; };
  report(1);
  EXPECT_EQ(bitrate(), std::nullopt) << "it may have taken any time";
  pass(seconds(2));
  numbers.rungs[0].encoder = "libx264";  // Another goes on, and the bytes are of both.
  numbers.rungs[0].bytes = 260'000;
  report(1);
  EXPECT_EQ(bitrate(), 1'000'000u);
  EXPECT_EQ(status("news").numbers.complexity->temporal, 0.5);
  EXPECT_EQ(metric("stoa_work_spatial_complexity_max"), 3);
  EXPECT_EQ(metric("stoa_work_temporal_complexity_max"), 0.5);
  pass(seconds(1));
  report(1);
  EXPECT_EQ(bitrate(), std::nullopt) << "nothing was made";
  exit(1);
  EXPECT_EQ(metric("stoa_work_spatial_complexity_max"), 0);
  see(2, WorkerState::kConnected);
  const double before = metric("stoa_work_bytes_out_total", "480p30");
  numbers.rungs[0].bytes = 300'000;
  report(2);
  EXPECT_EQ(bitrate(), std::nullopt) << "it counts anew";
  EXPECT_EQ(metric("stoa_work_bytes_out_total", "480p30"), before + 300'000);
}

TEST_F(TranscodingTest, makes_less_while_the_machine_cannot_keep_up) {
  begin("news", 720, "standard");
  see(1, WorkerState::kConnected);
  steps(), events();
  const auto report = [&](Duration wait) {
    pass(seconds(1));
    WorkerNumbers numbers;
    const LadderStatus told = status("news");
    for (const RungStatus& one : told.rungs)
      numbers.rungs.push_back({.rung = one.rung.name, .frames = 1, .oldest_wait = wait, .speed = 10});
    transcoding_->handle_worker_seen(now_, {.worker = 1, .state = WorkerState::kReported, .numbers = numbers},
                                     out_);
    take();
  };
  for (int i = 0; i < 4; ++i) report(ms(500));
  EXPECT_THAT(steps(), ElementsAre("ladder news 2 of 2"));
  EXPECT_THAT(events(), ElementsAre("news ladder_reduced: the machine cannot keep up: 240p30 rests"));
  EXPECT_TRUE(transcoding_->is_reduced("news"));
  EXPECT_EQ(status("news").rungs.at(2).state, RungState::kResting);
  EXPECT_EQ(metric("stoa_work_channels_reduced"), 1);
  begin("news", 720, "standard");
  EXPECT_THAT(steps(), IsEmpty()) << "a word of the source changes nothing";
  begin("news", 480, "standard");
  EXPECT_THAT(steps(), ElementsAre("ladder news 3 of 1"));
  begin("news", 720, "standard");
  EXPECT_THAT(steps(), ElementsAre("ladder news 4 of 2"));
  for (int i = 0; i < 40; ++i) report(ms(0));
  EXPECT_THAT(steps(), ElementsAre("ladder news 5 of 3"));
  EXPECT_THAT(events(), ElementsAre("news ladder_restored: 240p30 is made again"));
  EXPECT_FALSE(transcoding_->is_reduced("news"));
}

// A worker whose rungs take this part of what they may usually, for so many seconds.
void TranscodingTest::make_for(int count, double share, const Complexity& complexity) {
  WorkerNumbers numbers{.complexity = complexity};
  for (int second = 0; second < count; ++second) {
    pass(seconds(1));
    const LadderStatus told = status("news");
    for (const RungStatus& one : told.rungs) {
      auto known = std::ranges::find(numbers.rungs, one.rung.name, &RungNumbers::rung);
      if (known == numbers.rungs.end()) known = numbers.rungs.insert(known, {.rung = one.rung.name});
      const double bits = std::min<double>(share * one.bitrate_usual, one.rung.bitrate_max);
      known->bytes += static_cast<std::uint64_t>(bits / 8);
    }
    transcoding_->handle_worker_seen(
        now_, {.worker = started_.worker, .state = WorkerState::kReported, .numbers = numbers}, out_);
    take();
  }
}

TEST_F(TranscodingTest, lowers_caps_of_simple_pictures_where_it_is_asked_to) {
  for (const auto& [by_default, ladder] : {std::pair(false, "standard"),
                                           {false, "standard,per-title=on"},
                                           {true, "standard"},
                                           {true, "standard,per-title=off"}}) {
    SCOPED_TRACE(ladder);
    const bool is_on = by_default == (std::string_view(ladder) == "standard");
    make({.per_title = {.is_on = by_default}});
    begin("news", 1080, ladder);
    see(started_.worker, WorkerState::kConnected);
    steps(), events();
    make_for(60, 0.1, {6, 0});
    EXPECT_EQ(status("news").is_per_title, is_on);
    EXPECT_EQ(status("news").rungs.at(0).bitrate_usual, 3'280'000u);
    EXPECT_EQ(status("news").rungs.at(0).rung.bitrate_max, is_on ? 1'090'000u : 3'280'000u);
    EXPECT_EQ(metric("stoa_work_channels_lowered"), is_on);
    if (!is_on) {
      EXPECT_THAT(steps(), IsEmpty());
      continue;
    }
    EXPECT_THAT(steps(), ElementsAre("ladder news 2 of 4")) << "all are listed";
    EXPECT_THAT(events(),
                ElementsAre("news caps_changed: 720p30 3280 -> 1090 kbit/s, 480p30 1780 -> 590 kbit/s, "
                            "360p30 1160 -> 390 kbit/s, 240p30 630 -> 210 kbit/s: by what the busier "
                            "seconds take"));
    make_for(10, 1, {8, 3});
    EXPECT_THAT(steps(), ElementsAre("ladder news 3 of 4"));
    EXPECT_THAT(events(), ElementsAre(HasSubstr("720p30 1090 -> 3280 kbit/s")));
    EXPECT_EQ(metric("stoa_work_channels_lowered"), 0);
  }
}

TEST_F(TranscodingTest, leaves_rungs_out_by_what_the_broadcast_before_was_like) {
  make({.per_title = {.is_on = true}});
  const auto broadcast = [&](double share, const Complexity& complexity) {
    begin("news", 1080, "standard");
    see(started_.worker, WorkerState::kConnected);
    const LadderStatus first = status("news");
    make_for(60, share, complexity);
    end("news");
    exit(started_.worker);
    return first;
  };
  EXPECT_THAT(broadcast(0.1, {6, 0}).left_out, IsEmpty());
  events();
  const LadderStatus next = broadcast(0.1, {6, 0});
  EXPECT_THAT(next.left_out, ElementsAre("360p30", "480p30"));
  ASSERT_EQ(next.rungs.size(), 2u);
  EXPECT_EQ(next.rungs[1].rung.name, "240p30");
  EXPECT_EQ(events().front(),
            "news rungs_left_out: 360p30, 480p30: in the broadcast before larger rungs took no more than "
            "these may");
  // It was known wrongly: they come.
  EXPECT_THAT(broadcast(1, {8, 3}).left_out, SizeIs(2));
  EXPECT_THAT(events(), Contains(HasSubstr("480p30 is made, too, 360p30 is made, too: the pictures have")));
  EXPECT_THAT(broadcast(0.1, {6, 0}).left_out, IsEmpty());
  transcoding_->forget("news");
  EXPECT_THAT(broadcast(0.1, {6, 0}).left_out, IsEmpty());
  // Also when it is deleted while it is on air.
  begin("news", 1080, "standard");
  see(started_.worker, WorkerState::kConnected);
  make_for(60, 0.1, {6, 0});
  transcoding_->forget("news");
  end("news");
  exit(started_.worker);
  EXPECT_THAT(broadcast(0.1, {6, 0}).left_out, IsEmpty());
}

// Better joined late than not in time.
TEST_F(TranscodingTest, offers_a_source_without_keyframes_as_it_is_when_that_is_all_the_machine_bears) {
  begin("news", 480, "standard");
  see(1, WorkerState::kConnected);
  const auto overload = [&](const char* rung) {
    pass(seconds(1));
    WorkerNumbers numbers;
    numbers.rungs.push_back({.rung = rung, .frames = 1, .oldest_wait = ms(900), .speed = 0.5});
    transcoding_->handle_worker_seen(now_, {.worker = 1, .state = WorkerState::kReported, .numbers = numbers},
                                     out_);
    take();
  };
  // Also where the rungs below it were too much already.
  for (int i = 0; i < 20; ++i) overload("360p30");
  EXPECT_THAT(events().back(), HasSubstr("360p30 alone"));
  ProgramOnAir program = on_air("news", 480, "standard");
  program.tracks[0].lacks_keyframes = true;
  transcoding_->handle_program(now_, std::move(program), out_);
  take();
  EXPECT_THAT(decided_.plan.held_back, ElementsAre(0));
  for (int i = 0; i < 60 && !decided_.plan.held_back.empty(); ++i) overload("480p30");
  EXPECT_THAT(decided_.plan.held_back, IsEmpty());
  EXPECT_THAT(decided_.plan.rungs_at_work(),
              ElementsAre(Field(&media::Rung::name, "360p30"), Field(&media::Rung::name, "240p30")));
  EXPECT_THAT(events().back(), HasSubstr("480p30, which stands for the source: that is offered"));
}

TEST_F(TranscodingTest, says_once_that_nothing_is_left_to_rest) {
  begin("news");
  see(1, WorkerState::kConnected);
  events();
  for (int i = 0; i < 20; ++i) {
    pass(seconds(1));
    WorkerNumbers numbers;
    numbers.rungs.push_back({.rung = "480p30", .frames = 1, .oldest_wait = ms(900), .speed = 0.5});
    transcoding_->handle_worker_seen(now_, {.worker = 1, .state = WorkerState::kReported, .numbers = numbers},
                                     out_);
    take();
  }
  EXPECT_THAT(events(), ElementsAre("news ladder_exhausted: the machine cannot keep up with 480p30 alone, "
                                    "and nothing is left that could rest"));
  EXPECT_EQ(metric("stoa_work_channels_exhausted"), 1);
  EXPECT_FALSE(transcoding_->is_reduced("news"));
}

// Channels come and go, change, and their workers do what they like. Whatever happens: no more processes than
// may be, one at a time that a channel waits for, and in the end, when workers behave, one for each that is
// on air.
TEST_F(TranscodingTest, keeps_its_word_whatever_happens) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const int workers_max = 1 + static_cast<int>(rng.below(4));
    make({.workers_max = workers_max, .threads = 4});
    now_ = kStart;
    std::map<WorkerId, std::string> processes;
    std::set<WorkerId> killed, connected;
    std::set<std::string> live;
    WorkerId last_awaited = 0;
    const auto drain = [&] {
      for (auto& output : out_.take()) {
        if (auto* awaited = std::get_if<WorkerAwaited>(&output)) last_awaited = awaited->worker;
        if (auto* kill = std::get_if<KillWorker>(&output)) {
          EXPECT_TRUE(processes.contains(kill->worker));
          EXPECT_TRUE(killed.insert(kill->worker).second) << "killed twice";
        }
        if (auto* start = std::get_if<StartWorker>(&output)) {
          EXPECT_EQ(start->worker, last_awaited);
          EXPECT_TRUE(live.contains(start->channel));
          EXPECT_TRUE(processes.emplace(start->worker, start->channel).second);
          EXPECT_GT(start->threads, 0);
        }
      }
      EXPECT_LE(processes.size(), static_cast<std::size_t>(workers_max));
    };
    const auto settle = [&](Duration time) {
      const Timestamp until = now_ + time;
      for (; transcoding_->next_deadline() <= until; drain()) {
        now_ = std::max(now_, transcoding_->next_deadline());
        transcoding_->handle_deadline(now_, out_);
      }
      now_ = until;
    };
    const auto some_worker = [&] {
      auto at = processes.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(rng.below(processes.size())));
      return at->first;
    };
    const auto end_process = [&](WorkerId id) {
      processes.erase(id);
      transcoding_->handle_worker_exited(now_, id, "ended", out_);
    };
    for (int step = 0; step < 300; ++step) {
      const std::string channel(1, static_cast<char>('a' + rng.below(6)));
      const std::uint64_t what = rng.below(processes.empty() ? 4 : 10);
      if (what < 2) {
        live.insert(channel);
        transcoding_->handle_program(now_, on_air_of(channel, rng), out_);
      } else if (what == 2) {
        live.erase(channel);
        transcoding_->handle_program_ended(now_, channel, out_);
      } else if (what == 3) {
        settle(Duration::from_seconds(rng.unit() * 20));
      } else if (what == 4) {
        end_process(some_worker());
      } else if (what == 5) {
        const WorkerId id = some_worker();
        processes.erase(id);
        transcoding_->handle_start_failed(now_, id, "no", out_);
      } else {
        const auto state = static_cast<WorkerState>(rng.below(3));
        WorkerNumbers numbers;
        numbers.frames_dropped = rng.below(2);
        numbers.rungs.push_back({.rung = "480p30", .oldest_wait = seconds(1), .speed = 1});
        transcoding_->handle_worker_seen(
            now_, {.worker = some_worker(), .state = state, .text = "x", .numbers = numbers}, out_);
      }
      drain();
    }
    // All is well from here on: workers come, and those who are to go do.
    for (const std::string& channel : live)
      transcoding_->handle_program(now_, on_air(channel, 720), out_), drain();
    for (int round = 0; round < 100; ++round) {
      for (const auto& [id, channel] : std::map(processes)) {
        if (killed.contains(id)) end_process(id);
        transcoding_->handle_worker_seen(now_, {.worker = id}, out_);
        drain();
      }
      settle(seconds(2));
    }
    std::size_t running = 0;
    for (const std::string& channel : live)
      running += transcoding_->find(channel)->worker == WorkerStage::kRunning ? 1u : 0u;
    EXPECT_EQ(running, std::min(live.size(), static_cast<std::size_t>(workers_max)));
    EXPECT_EQ(running, processes.size());
  }
}

TEST(WorkTotals, tell_only_so_many_rungs_apart) {
  WorkTotals totals;
  WorkerNumbers numbers;
  for (int i = 0; i < 100; ++i)
    numbers.rungs.push_back({.rung = std::to_string(i), .encoder = "x", .frames = 1, .waiting = 1});
  totals.handle_report({}, numbers);
  const WorkerNumbers* current[] = {&numbers};
  MetricSamples samples;
  totals.append_metrics(current, samples);
  int series = 0;
  double made = 0;
  for (const MetricSample& sample : samples) {
    if (sample.name != std::string_view("stoa_work_frames_out_total")) continue;
    ++series;
    made += sample.value;
  }
  EXPECT_EQ(series, static_cast<int>(kRungSeriesMax) + 1);
  EXPECT_EQ(made, 100);
}

}  // namespace
}  // namespace stoa::control
