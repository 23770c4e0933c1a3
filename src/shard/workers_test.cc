// A channel and its worker over the wire, in virtual time: who is let in, what comes of what the worker
// makes, and what happens when it is slow, gone, or not what it says.
#include "shard/workers.h"

#include <gtest/gtest.h>

#include "shard/test_town.h"

namespace stoa::shard {
namespace {

constexpr const char* kToken = "0123456789abcdef";

media::Rung video_rung() {
  media::Rung rung;
  rung.id = 1;
  rung.name = "720p25";
  rung.of = 0;
  rung.width = 1920;
  rung.height = 1080;
  return rung;
}

media::Rung lower_rung() {
  media::Rung rung = video_rung();
  rung.id = 2;
  rung.name = "480p25";
  return rung;
}

// One channel that is to be transcoded, and where it is owned.
class WorkersTest : public testing::TestWithParam<ShardIndex> {
 protected:
  WorkersTest() : town(GetParam(), "standard"), owner(owner_of("news", GetParam())) {
    encoder = &town.add_encoder("news", 0);
  }
  // Until control was told what is on air.
  const control::ProgramOnAir& wait_for_program() {
    EXPECT_TRUE(town.run_until([&] { return !town.programs.empty(); }, Duration::seconds(3)));
    return town.programs.back();
  }
  void decide(std::vector<media::Rung> rungs) {
    const control::ProgramOnAir& program = wait_for_program();
    town.tell_all(
        control::LadderDecided{owner, "news", program.broadcast, ++revision_, {std::move(rungs), {}}});
    town.run_for(Duration::milliseconds(5));
  }
  void rest(std::vector<media::RungId> resting) {
    control::LadderPlan plan{.rungs = {video_rung(), lower_rung()}, .resting = std::move(resting)};
    const std::string broadcast = wait_for_program().broadcast;
    town.tell_all(control::LadderDecided{owner, "news", broadcast, ++revision_, std::move(plan)});
    town.run_for(Duration::milliseconds(5));
  }
  // Segments and parts of a playlist that are gaps.
  int gaps(const std::string& rendition) {
    const std::string text = playlist(rendition);
    int count = 0;
    for (std::size_t at = 0; (at = text.find("GAP", at)) != std::string::npos; ++at) ++count;
    return count;
  }
  void await(control::WorkerId worker, const std::string& token) {
    town.tell_all(control::WorkerAwaited{owner, "news", town.programs.back().broadcast, worker, token});
    town.run_for(Duration::milliseconds(5));
  }
  // "index.m3u8" as viewers of another shard get it.
  std::string multivariant() { return town.fetch(GetParam() - 1, "/live/news/index.m3u8"); }
  std::string playlist(const std::string& rendition) {
    return town.fetch(0, town.folder(0, "news") + rendition + ".m3u8");
  }
  bool has_media(const std::string& rendition) {
    return playlist(rendition).find("#EXT-X-PART:") != std::string::npos;
  }
  std::vector<control::WorkerState> states(control::WorkerId worker) {
    std::vector<control::WorkerState> all;
    for (const auto& seen : town.seen)
      if (seen.worker == worker && seen.state != control::WorkerState::kReported) all.push_back(seen.state);
    return all;
  }

  Town town;
  ShardIndex owner;
  TestEncoder* encoder;
  std::uint64_t revision_ = 0;
};
using enum control::WorkerState;

TEST_P(WorkersTest, a_worker_makes_a_rendition_that_viewers_get) {
  const control::ProgramOnAir& program = wait_for_program();
  EXPECT_EQ(program.channel, "news");
  EXPECT_EQ(program.shard, owner);
  EXPECT_EQ(program.ladder, "standard");
  ASSERT_EQ(program.tracks.size(), 2u);
  EXPECT_EQ(program.tracks[0].format->codec, media::Codec::kH264);
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  ASSERT_TRUE(town.run_until([&] { return multivariant().find("720p25.m3u8") != std::string::npos; },
                             Duration::seconds(4)));
  EXPECT_EQ(worker.channel, "news");
  ASSERT_EQ(worker.rungs.size(), 1u);
  EXPECT_EQ(worker.rungs[0], video_rung());
  EXPECT_EQ(states(7), std::vector({kConnected}));
  // From the first segment on, as the source's own.
  EXPECT_EQ(worker.cuts.front(), 0u);
  town.run_for(Duration::seconds(5));
  EXPECT_NE(playlist("720p25").find("#EXT-X-MEDIA-SEQUENCE:0"), std::string::npos);
  EXPECT_EQ(playlist("720p25").find("GAP"), std::string::npos) << playlist("720p25");
}

TEST_P(WorkersTest, a_rung_that_rests_is_a_gap_that_nobody_is_offered_and_comes_back) {
  rest({});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(5));
  ASSERT_EQ(worker.rungs.size(), 2u);
  ASSERT_EQ(gaps("720p25"), 0);
  rest({video_rung().id});
  town.run_for(Duration::seconds(3));
  EXPECT_EQ(worker.rungs, std::vector({lower_rung()}));
  EXPECT_EQ(multivariant().find("720p25.m3u8"), std::string::npos);
  EXPECT_NE(multivariant().find("480p25.m3u8"), std::string::npos);
  // Players that have it go on reading, and find that another is better.
  EXPECT_GT(gaps("720p25"), 2);
  EXPECT_EQ(gaps("480p25"), 0);
  rest({});
  town.run_for(Duration::seconds(20));
  EXPECT_EQ(worker.rungs.size(), 2u);
  const int left = gaps("720p25");
  town.run_for(Duration::seconds(5));
  EXPECT_LE(gaps("720p25"), left) << "no more come";
  EXPECT_TRUE(has_media("720p25"));
  EXPECT_NE(multivariant().find("720p25.m3u8"), std::string::npos);
  EXPECT_EQ(gaps("480p25"), 0);
}

TEST_P(WorkersTest, only_a_token_that_was_given_out_is_let_in_and_only_once) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& wrong = town.add_worker(owner, "fedcba9876543210");
  RelayWorker& empty = town.add_worker(owner, "");
  town.run_for(Duration::milliseconds(1'100));
  for (RelayWorker* refused : {&wrong, &empty}) {
    EXPECT_TRUE(refused->is_closed);
    EXPECT_EQ(refused->byes, std::vector({relay::ByeReason::kToken}));
    EXPECT_EQ(refused->channel, "");
  }
  RelayWorker& right = town.add_worker(owner, kToken);
  town.run_for(Duration::milliseconds(100));
  EXPECT_EQ(right.channel, "news");
  RelayWorker& again = town.add_worker(owner, kToken);
  town.run_for(Duration::milliseconds(1'100));
  EXPECT_TRUE(again.is_closed);
  EXPECT_FALSE(right.is_closed);
}

TEST_P(WorkersTest, a_worker_that_is_faster_than_controls_word_waits_for_it) {
  decide({video_rung()});
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::milliseconds(500));
  EXPECT_EQ(worker.channel, "");
  await(7, kToken);
  town.run_for(Duration::milliseconds(10));
  EXPECT_EQ(worker.channel, "news");
  town.run_for(Duration::seconds(3));
  EXPECT_FALSE(worker.is_closed);
}

TEST_P(WorkersTest, the_next_worker_of_a_channel_takes_over) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& first = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(3));
  await(8, "another");
  RelayWorker& second = town.add_worker(owner, "another");
  town.run_for(Duration::seconds(3));
  EXPECT_EQ(first.byes, std::vector({relay::ByeReason::kTakenOver}));
  EXPECT_EQ(second.channel, "news");
  EXPECT_EQ(states(7), std::vector({kConnected, kGone}));
  EXPECT_EQ(states(8), std::vector({kConnected}));
  EXPECT_GT(second.frames, 50u);
}

TEST_P(WorkersTest, without_its_worker_a_rendition_has_gaps_and_goes_on_with_the_next) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& first = town.add_worker(owner, kToken);
  ASSERT_TRUE(town.run_until([&] { return multivariant().find("720p25.m3u8") != std::string::npos; },
                             Duration::seconds(4)));
  town.kill(first);
  town.run_for(Duration::seconds(4));
  EXPECT_EQ(states(7), std::vector({kConnected, kGone}));
  EXPECT_NE(playlist("720p25").find("GAP"), std::string::npos);
  EXPECT_EQ(playlist("v0").find("GAP"), std::string::npos);
  await(8, "another");
  RelayWorker& second = town.add_worker(owner, "another");
  town.run_for(Duration::seconds(3));
  std::string text = playlist("720p25");
  EXPECT_EQ(text.find("GAP", text.rfind("#EXTINF")), std::string::npos) << text;
  EXPECT_FALSE(second.is_closed);
  EXPECT_FALSE(is_closed(town, *encoder));
}

TEST_P(WorkersTest, a_frozen_worker_is_given_up_and_holds_nobody_up) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(3));
  worker.is_frozen = true;
  Timestamp frozen = town.time.now();
  ASSERT_TRUE(town.run_until([&] { return worker.is_closed; }, Duration::seconds(6)));
  EXPECT_LE(town.time.now() - frozen, Duration::milliseconds(4'100));
  EXPECT_EQ(states(7), std::vector({kConnected, kGone}));
  EXPECT_EQ(town.seen.back().text, "silent");
  EXPECT_EQ(playlist("v0").find("GAP"), std::string::npos);
}

TEST_P(WorkersTest, what_a_worker_does_not_take_is_dropped) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(1));
  worker.takes_frames = false;
  town.run_for(Duration::seconds(6));
  EXPECT_FALSE(worker.is_closed);  // It answers pings.
  const std::uint64_t before = worker.frames;
  town.run_for(Duration::seconds(2));
  EXPECT_EQ(worker.frames, before);
  EXPECT_EQ(playlist("v0").find("GAP"), std::string::npos);
}

TEST_P(WorkersTest, garbage_closes_the_connection_and_disturbs_nothing) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(3));
  worker.up.send(Buffer(100, 0xff));
  town.run_for(Duration::milliseconds(100));
  EXPECT_TRUE(worker.is_closed);
  EXPECT_EQ(states(7), std::vector({kConnected, kGone}));
  // A format that no decoder reads.
  await(8, "another");
  RelayWorker& liar = town.add_worker(owner, "another");
  town.run_for(Duration::milliseconds(20));
  media::Format format{
      .codec = media::Codec::kH264, .config = SharedBytes(Buffer(5, 9)), .codec_string = "avc1"};
  liar.send(town.time.now(), relay::RungFormat{1, format});
  town.run_for(Duration::milliseconds(100));
  EXPECT_TRUE(liar.is_closed);
  EXPECT_EQ(states(8), std::vector({kConnected, kGone}));
  EXPECT_EQ(playlist("v0").find("GAP"), std::string::npos);
}

TEST(Workers, a_hello_that_does_not_come_alone_closes_the_connection_and_leaves_the_token) {
  Workers workers({});
  WorkersOutputs out;
  const Timestamp now = Timestamp() + Duration::seconds(1);
  workers.handle_awaited(now, {.channel = "news", .broadcast = "b", .worker = 7, .token = kToken}, out);
  const relay::Hello hello{.version_lowest = 1, .version_highest = 1, .program = "test", .token = kToken};
  for (const relay::Message& second : {relay::Message(relay::Bye{}), relay::Message(hello)}) {
    Buffer bytes = relay::write(hello)->head;
    const Buffer more = relay::write(second)->head;
    bytes.insert(bytes.end(), more.begin(), more.end());
    workers.handle_opened(now, 1, out);
    workers.handle_bytes(now, 1, bytes, out);
    auto is_close = [](const auto& output) { return std::holds_alternative<CloseRelay>(output); };
    auto is_come = [](const auto& output) { return std::holds_alternative<WorkerCame>(output); };
    EXPECT_TRUE(std::ranges::any_of(out, is_close));
    EXPECT_FALSE(std::ranges::any_of(out, is_come));
    workers.handle_closed(now, 1, out);
    out.clear();
  }
  workers.handle_opened(now, 2, out);
  workers.handle_bytes(now, 2, relay::write(hello)->head, out);
  EXPECT_TRUE(std::ranges::any_of(
      out, [](const auto& output) { return std::holds_alternative<WorkerCame>(output); }));
}

TEST_P(WorkersTest, what_a_worker_makes_to_look_at_is_there_for_viewers) {
  media::Rung sound;
  sound.id = 0;
  sound.name = "aac";
  sound.of = 1;
  sound.codec = media::Codec::kAac;
  decide({sound, video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  ASSERT_TRUE(town.run_until([&] { return multivariant().find("720p25.m3u8") != std::string::npos; },
                             Duration::seconds(4)));
  ASSERT_EQ(worker.wanted.size(), 1u);
  EXPECT_EQ(worker.wanted[0].track, 0) << "what pictures are made of";
  EXPECT_EQ(worker.wanted[0].every, Duration::seconds(5));
  EXPECT_EQ(town.fetch(0, "/live/news/poster.jpg").find("JPEG"), std::string::npos);
  worker.send(town.time.now(), relay::PosterMade{Duration::milliseconds(500), 1280, 720,
                                                 SharedBytes(std::string("JPEG of a picture"))});
  worker.send(
      town.time.now(),
      relay::StoryboardMade{160, 90, 5, {{Duration::milliseconds(500)}}, SharedBytes(std::string("JPEG"))});
  town.run_for(Duration::seconds(2));
  // Viewers of another shard get them, too.
  EXPECT_EQ(town.fetch(GetParam() - 1, "/live/news/poster.jpg"), "JPEG of a picture");
  EXPECT_EQ(town.fetch(GetParam() - 1, "/live/news/storyboard-500.jpg"), "JPEG");
  EXPECT_NE(town.fetch(0, "/live/news/storyboard.vtt").find("storyboard-500.jpg?v="), std::string::npos);
  town.kill(worker);
  town.run_for(Duration::seconds(1));
  EXPECT_EQ(town.fetch(0, "/live/news/poster.jpg"), "JPEG of a picture");
}

TEST_P(WorkersTest, pictures_that_come_too_fast_are_dropped_and_the_wish_for_them_is_told_once) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  ASSERT_TRUE(town.run_until([&] { return multivariant().find("720p25.m3u8") != std::string::npos; },
                             Duration::seconds(4)));
  for (int i = 0; i < 200; ++i) {
    worker.send(town.time.now(), relay::PosterMade{Duration::milliseconds(100 + i), 64, 36,
                                                   SharedBytes("picture " + std::to_string(i))});
    town.run_for(Duration::milliseconds(10));
  }
  EXPECT_FALSE(worker.is_closed);
  town.run_for(Duration::seconds(1));
  EXPECT_EQ(town.fetch(0, "/live/news/poster.jpg").substr(0, 8), "picture ");
  EXPECT_NE(town.fetch(0, "/live/news/poster.jpg"), "picture 199");
  media::Rung cheaper = video_rung();
  cheaper.bitrate_max = 400'000;
  decide({cheaper});
  EXPECT_EQ(worker.rungs, std::vector({cheaper}));
  EXPECT_EQ(worker.wanted.size(), 1u);
}

TEST(Workers, strangers_do_not_keep_a_worker_out) {
  const WorkersConfig config{.strangers_max = 4};
  Workers workers(config);
  WorkersOutputs out;
  const Timestamp begin = Timestamp() + Duration::seconds(1);
  workers.handle_awaited(begin, {.channel = "news", .broadcast = "b", .worker = 7, .token = kToken}, out);
  const relay::Hello hello{.version_lowest = 1, .version_highest = 1, .program = "test", .token = kToken};
  auto closed = [&] {
    std::vector<WorkerKey> keys;
    for (const WorkersOutput& output : out)
      if (const auto* close = std::get_if<CloseRelay>(&output)) keys.push_back(close->connection);
    return keys;
  };
  for (WorkerKey key = 1; key <= 4; ++key)
    workers.handle_opened(begin + Duration::milliseconds(key), key, out);
  EXPECT_EQ(closed(), std::vector<WorkerKey>());
  const Timestamp now = begin + Duration::milliseconds(10);
  workers.handle_opened(now, 9, out);
  EXPECT_EQ(closed(), std::vector<WorkerKey>({1}));
  workers.handle_bytes(now, 9, relay::write(hello)->head, out);
  // Who was let in is no stranger any more.
  for (WorkerKey key = 10; key < 20; ++key)
    workers.handle_opened(now + Duration::milliseconds(key), key, out);
  EXPECT_EQ(std::ranges::count(closed(), WorkerKey{9}), 0);
  EXPECT_EQ(closed().size(), 10u);
}

TEST_P(WorkersTest, a_worker_whose_rung_breaks_the_grid_is_told) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  ASSERT_TRUE(town.run_until([&] { return multivariant().find("720p25.m3u8") != std::string::npos; },
                             Duration::seconds(4)));
  EXPECT_TRUE(worker.refused.empty());
  worker.adds_keyframe = true;
  ASSERT_TRUE(town.run_until([&] { return !worker.refused.empty(); }, Duration::seconds(4)));
  EXPECT_EQ(worker.refused.front().rung, 1);
  EXPECT_EQ(worker.refused.front().text, "a keyframe where no segment begins");
}

TEST_P(WorkersTest, who_begins_and_ends_rungs_without_end_is_given_up) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::milliseconds(50));
  for (int i = 0; i < 200; ++i) worker.send(town.time.now(), relay::RungEnded{1, relay::RungEnd::kOther, ""});
  town.run_for(Duration::milliseconds(50));
  EXPECT_TRUE(worker.is_closed);
  EXPECT_EQ(worker.byes, std::vector({relay::ByeReason::kRefused}));
  EXPECT_LT(std::ranges::count_if(town.log, [](const auto& line) { return line.contains("rung 1 ended"); }),
            100);
}

TEST_P(WorkersTest, a_ladder_that_has_no_rungs_any_more_needs_no_worker) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& first = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(1));
  decide({});
  town.run_for(Duration::milliseconds(50));
  EXPECT_EQ(first.byes, std::vector({relay::ByeReason::kNotWanted}));
  decide({video_rung()});
  await(8, "another");
  RelayWorker& second = town.add_worker(owner, "another");
  town.run_for(Duration::seconds(3));
  EXPECT_GT(second.frames, 50u);
  EXPECT_FALSE(second.is_closed);
}

TEST_P(WorkersTest, a_worker_for_a_broadcast_that_is_over_is_not_awaited) {
  decide({video_rung()});
  town.tell_all(control::WorkerAwaited{owner, "news", "another", 7, kToken});
  town.run_for(Duration::milliseconds(5));
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::milliseconds(1'100));
  EXPECT_TRUE(worker.is_closed);
}

TEST_P(WorkersTest, the_end_of_a_broadcast_sends_its_worker_away) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(3));
  town.tell_all(BroadcastStopped{"news"});
  town.run_for(Duration::milliseconds(100));
  EXPECT_EQ(worker.byes, std::vector({relay::ByeReason::kNotWanted}));
  EXPECT_EQ(town.ended_programs, std::vector<std::string>({"news"}));
  EXPECT_EQ(states(7), std::vector({kConnected, kGone}));
}

TEST_P(WorkersTest, a_ladder_without_rungs_and_one_for_another_broadcast_change_nothing) {
  const control::ProgramOnAir program = wait_for_program();
  town.tell_all(control::LadderDecided{owner, "news", "another", 1, {{video_rung()}, {}}});
  town.run_for(Duration::milliseconds(50));
  decide({});
  ASSERT_TRUE(town.run_until([&] { return multivariant().find("v0.m3u8") != std::string::npos; },
                             Duration::milliseconds(1'500)));
  EXPECT_EQ(multivariant().find("720p25"), std::string::npos);
}

TEST_P(WorkersTest, control_is_told_what_a_worker_says_of_itself) {
  decide({video_rung()});
  await(7, kToken);
  RelayWorker& worker = town.add_worker(owner, kToken);
  town.run_for(Duration::seconds(1));
  const auto tell = [&](const relay::Progress& progress) {
    worker.send(town.time.now(), progress);
    town.run_for(Duration::seconds(1));
    EXPECT_EQ(town.seen.back().state, kReported);
    return town.seen.back().numbers;
  };
  relay::Progress progress{.pictures = 25, .spatial_permille = 3'500, .temporal_permille = 20};
  progress.rungs.push_back({.rung = 1, .frames = 9, .bytes = 77'000});
  progress.rungs.push_back({.rung = 99, .bytes = 1});
  control::WorkerNumbers numbers = tell(progress);
  ASSERT_EQ(numbers.rungs.size(), 1u) << "nobody asked for the other";
  EXPECT_EQ(numbers.rungs[0].rung, "720p25");
  EXPECT_EQ(numbers.rungs[0].bytes, 77'000u);
  ASSERT_TRUE(numbers.complexity);
  EXPECT_EQ(numbers.complexity->spatial, 3.5);
  EXPECT_EQ(numbers.complexity->temporal, 0.02);
  progress.pictures = 0;
  EXPECT_FALSE(tell(progress).complexity) << "none was measured";
}

TEST_P(WorkersTest, of_channels_without_a_ladder_control_is_asked_nothing) {
  Town plain(GetParam());
  plain.add_encoder("news", 0);
  plain.run_for(Duration::seconds(3));
  EXPECT_TRUE(plain.programs.empty());
  EXPECT_EQ(plain.reported.count("news"), 1u);
}

INSTANTIATE_TEST_SUITE_P(Shards, WorkersTest, testing::Values(1u, 3u));

}  // namespace
}  // namespace stoa::shard
