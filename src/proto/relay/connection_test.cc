#include "proto/relay/connection.h"

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>

#include "sim/link.h"

namespace stoa::relay {
namespace {

SharedBytes shared(std::string_view text) { return SharedBytes(std::string(text)); }

template <typename T>
std::vector<T> all(const std::vector<Output>& outputs) {
  std::vector<T> found;
  for (const Output& output : outputs) {
    if (const T* one = std::get_if<T>(&output)) found.push_back(*one);
  }
  return found;
}

// An owner and a worker with a stream between them, cut at random.
struct Pair {
  explicit Pair(const Config& owner_config = {}, const Config& worker_config = {}, std::uint64_t seed = 1,
                std::size_t cut = 4096)
      : to_owner(time, {.is_stream = true, .cut_bytes_max = cut}, Rng(seed)),
        to_worker(time, {.is_stream = true, .cut_bytes_max = cut}, Rng(seed + 1)),
        owner(Role::kOwner, owner_config, time.now()),
        worker(Role::kWorker, worker_config, time.now()) {}

  void collect() {
    for (auto& output : worker_out.take()) {
      if (auto* sent = std::get_if<SendBytes>(&output)) {
        to_owner.send(sent->head);
        if (!sent->payload.empty()) to_owner.send(sent->payload.bytes());
      } else {
        at_worker.push_back(std::move(output));
      }
    }
    for (auto& output : owner_out.take()) {
      if (auto* sent = std::get_if<SendBytes>(&output)) {
        to_worker.send(sent->head);
        if (!sent->payload.empty()) to_worker.send(sent->payload.bytes());
      } else {
        at_owner.push_back(std::move(output));
      }
    }
  }
  // What arrives until then; each deadline in its time.
  void run_until(Timestamp end) {
    collect();
    for (;;) {
      Timestamp next = sim::earliest(sim::earliest(to_owner.next_arrival(), to_worker.next_arrival()),
                                     sim::earliest(owner.next_deadline(), worker.next_deadline()));
      if (next > end) break;
      time.advance_to(std::max(next, time.now()));
      for (auto& bytes : to_owner.take_arrived()) (void)owner.handle_bytes(time.now(), bytes, owner_out);
      if (!is_worker_stuck) {
        for (auto& bytes : to_worker.take_arrived()) (void)worker.handle_bytes(time.now(), bytes, worker_out);
        worker.handle_deadline(time.now(), worker_out);
      } else if (to_worker.next_arrival() <= time.now()) {
        for (auto& bytes : to_worker.take_arrived()) unread.push_back(std::move(bytes));
      }
      owner.handle_deadline(time.now(), owner_out);
      collect();
      if (is_answering) answer();
    }
    time.advance_to(std::max(end, time.now()));
  }
  void run(Duration by) { run_until(time.now() + by); }
  void settle() { run(Duration::milliseconds(50)); }
  // What decodes in the worker: takes every frame and answers every ping at once.
  void answer() {
    for (auto& output : std::exchange(at_worker, {})) {
      if (auto* ping = std::get_if<Ping>(&output)) worker.send(time.now(), Pong{ping->number}, worker_out);
      if (auto* frame = std::get_if<ProgramFrame>(&output)) {
        worker.send(time.now(), FramesTaken{frame->number}, worker_out);
      }
      seen_by_worker.push_back(std::move(output));
    }
    collect();
  }
  void open() {
    worker.start({.token = "secret"}, worker_out);
    settle();
    ASSERT_TRUE(owner.is_waiting_for_decision());
    owner.accept(time.now(), "show", owner_out);
    settle();
    ASSERT_TRUE(worker.is_open());
  }
  void announce(media::TrackId track, media::Codec codec) {
    ASSERT_TRUE(owner.send(time.now(), ProgramTrack{.track = track, .format = {.codec = codec}}, owner_out));
  }
  bool send_frame(media::TrackId track, bool is_keyframe, std::size_t bytes = 100) {
    return owner.send(time.now(),
                      ProgramFrame{.number = number++,
                                   .track = track,
                                   .is_keyframe = is_keyframe,
                                   .payload = SharedBytes(Buffer(bytes, 5))},
                      owner_out);
  }

  sim::VirtualTime time;
  sim::Link to_owner, to_worker;
  Connection owner, worker;
  Outputs owner_out, worker_out;
  std::vector<Output> at_owner, at_worker, seen_by_worker;
  std::deque<Buffer> unread;
  bool is_answering = false;
  bool is_worker_stuck = false;
  std::uint64_t number = 0;
};

// The owner alone, with bytes that the test wrote.
struct Owner {
  explicit Owner(const Config& config = {}) : connection(Role::kOwner, config, now) {}
  Result<void, Refusal> handle(const Message& message) {
    auto sent = write(message);
    Buffer bytes = sent->head;
    bytes.insert(bytes.end(), sent->payload.bytes().begin(), sent->payload.bytes().end());
    return connection.handle_bytes(now, bytes, out);
  }
  void open() {
    ASSERT_TRUE(handle(Hello{.version_lowest = 1, .version_highest = 1}));
    connection.accept(now, "show", out);
    out.clear();
  }
  // The refusal that `message` brings.
  std::optional<Refusal> refused(const Message& message) {
    auto handled = handle(message);
    return handled ? std::nullopt : std::optional(handled.error());
  }

  Timestamp now = Timestamp() + Duration::seconds(1);
  Connection connection;
  Outputs out;
};

TEST(Connection, opens_by_hello_and_welcome) {
  Pair pair;
  pair.worker.start(
      {.program = "stoa-work", .token = "secret", .encoders = {{media::Codec::kH264, "libx264", ""}}},
      pair.worker_out);
  pair.settle();
  ASSERT_EQ(all<Hello>(pair.at_owner).size(), 1u);
  EXPECT_EQ(all<Hello>(pair.at_owner)[0].token, "secret");
  EXPECT_EQ(all<Hello>(pair.at_owner)[0].encoders[0].name, "libx264");
  EXPECT_FALSE(pair.worker.is_open());
  pair.owner.accept(pair.time.now(), "show", pair.owner_out);
  pair.settle();
  ASSERT_EQ(all<Welcome>(pair.at_worker).size(), 1u);
  EXPECT_EQ(all<Welcome>(pair.at_worker)[0].channel, "show");
  EXPECT_EQ(pair.owner.version(), kVersion);
  EXPECT_EQ(pair.worker.version(), kVersion);
}

TEST(Connection, closes_with_a_reason) {
  Pair pair;
  pair.worker.start({.token = "wrong"}, pair.worker_out);
  pair.settle();
  pair.owner.close(ByeReason::kToken, "not a token of ours", pair.owner_out);
  pair.settle();
  ASSERT_EQ(all<Bye>(pair.at_worker).size(), 1u);
  EXPECT_EQ(all<Bye>(pair.at_worker)[0].reason, ByeReason::kToken);
  for (const auto* events : {&pair.at_owner, &pair.at_worker}) {
    ASSERT_EQ(all<Closed>(*events).size(), 1u);
    EXPECT_FALSE(all<Closed>(*events)[0].refusal);
    EXPECT_TRUE(std::holds_alternative<Closed>(events->back()));
  }
  EXPECT_EQ(pair.owner.next_deadline(), Timestamp::never());
  EXPECT_FALSE(pair.owner.send(pair.time.now(), TrackGone{}, pair.owner_out));
  EXPECT_TRUE(pair.owner.handle_bytes(pair.time.now(), Buffer(100, 0xff), pair.owner_out));
  pair.owner.close(ByeReason::kOther, "", pair.owner_out);
  EXPECT_TRUE(pair.owner_out.empty());
}

TEST(Connection, lets_a_worker_leave) {
  Pair pair;
  pair.open();
  pair.worker.close(ByeReason::kStopping, "told to stop", pair.worker_out);
  pair.settle();
  EXPECT_EQ(all<Bye>(pair.at_owner).at(0).reason, ByeReason::kStopping);
  EXPECT_TRUE(pair.owner.is_closed());
}

TEST(Connection, agrees_on_the_highest_version_that_both_speak) {
  struct Case {
    std::uint32_t owner_lowest, owner_highest, worker_lowest, worker_highest, version;
  };
  for (Case c : {Case{1, 1, 1, 3, 1}, Case{1, 3, 1, 1, 1}, Case{1, 3, 2, 5, 3}, Case{2, 5, 1, 3, 3},
                 Case{2, 2, 2, 2, 2}}) {
    Pair pair({.version_lowest = c.owner_lowest, .version_highest = c.owner_highest},
              {.version_lowest = c.worker_lowest, .version_highest = c.worker_highest});
    pair.open();
    EXPECT_EQ(pair.owner.version(), c.version);
    EXPECT_EQ(pair.worker.version(), c.version);
  }
}

TEST(Connection, parts_when_there_is_no_common_version) {
  for (auto [owner_version, worker_version] : {std::pair(1u, 2u), std::pair(2u, 1u)}) {
    Pair pair({.version_lowest = owner_version, .version_highest = owner_version},
              {.version_lowest = worker_version, .version_highest = worker_version});
    pair.worker.start({}, pair.worker_out);
    pair.settle();
    EXPECT_TRUE(all<Hello>(pair.at_owner).empty());
    EXPECT_EQ(all<Closed>(pair.at_owner).at(0).refusal, Refusal::kNoCommonVersion);
    EXPECT_EQ(all<Bye>(pair.at_worker).at(0).reason, ByeReason::kVersion);
    EXPECT_TRUE(pair.worker.is_closed());
  }
  Owner senseless;
  EXPECT_EQ(senseless.refused(Hello{.version_lowest = 5, .version_highest = 1}), Refusal::kNoCommonVersion);
}

TEST(Connection, refuses_a_version_that_it_did_not_offer) {
  for (std::uint32_t version : {0u, kVersion + 1}) {
    Connection worker(Role::kWorker, {}, Timestamp());
    Outputs out;
    worker.start({}, out);
    out.clear();
    EXPECT_EQ(worker.handle_bytes(Timestamp(), write(Welcome{version, "show"})->head, out).error(),
              Refusal::kNoCommonVersion);
    EXPECT_EQ(all<Closed>(out.take()).at(0).refusal, Refusal::kNoCommonVersion);
  }
}

// A newer peer says more; an older one less. Neither is a reason to part.
TEST(Connection, goes_on_beside_a_peer_that_knows_more) {
  Pair pair;
  pair.open();
  auto unknown = [](std::uint8_t type) { return Buffer{0, 0, 0, 4, type, 9, 9, 9}; };
  EXPECT_TRUE(pair.owner.handle_bytes(pair.time.now(), unknown(0x20), pair.owner_out));
  EXPECT_TRUE(pair.worker.handle_bytes(pair.time.now(), unknown(0x50), pair.worker_out));
  EXPECT_EQ(pair.owner.stats().messages_skipped, 1u);
  EXPECT_EQ(pair.worker.stats().messages_skipped, 1u);
  EXPECT_EQ(pair.owner.handle_bytes(pair.time.now(), unknown(0x90), pair.owner_out).error(),
            Refusal::kUnknownMessage);
  pair.settle();
  EXPECT_EQ(all<Bye>(pair.at_worker).at(0).reason, ByeReason::kRefused);
  EXPECT_EQ(all<Bye>(pair.at_worker).at(0).text, "unknown_message");
}

TEST(Connection, passes_over_the_frames_of_a_track_that_it_does_not_know) {
  Pair pair;
  pair.open();
  // ProgramTrack{track 3} with a codec of the future.
  Buffer track{0, 0, 0, 11, 0x23, 1, 1, 6, 2, 4, 1, 1, 100, 0, 0};
  ASSERT_TRUE(pair.worker.handle_bytes(pair.time.now(), track, pair.worker_out));
  auto frame = write(ProgramFrame{.number = 1, .track = 3});
  ASSERT_TRUE(pair.worker.handle_bytes(pair.time.now(), frame->head, pair.worker_out));
  EXPECT_TRUE(pair.worker_out.empty());
  EXPECT_EQ(pair.worker.stats().messages_skipped, 2u);
}

// So that a worker that does not know the new codec does not keep the old one.
TEST(Connection, lets_a_track_go_before_it_changes_its_codec) {
  Pair pair;
  pair.open();
  pair.announce(1, media::Codec::kH264);
  pair.announce(1, media::Codec::kH264);
  pair.announce(1, media::Codec::kAv1);
  pair.settle();
  EXPECT_EQ(all<ProgramTrack>(pair.at_worker).size(), 3u);
  EXPECT_EQ(all<TrackGone>(pair.at_worker).size(), 1u);
  EXPECT_TRUE(std::holds_alternative<ProgramTrack>(pair.at_worker.back()));
}

TEST(Connection, carries_a_program_there_and_rungs_back) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Pair pair({}, {}, seed, seed == 1 ? 1 : 700);
    pair.open();
    pair.announce(0, media::Codec::kH264);
    ASSERT_TRUE(
        pair.owner.send(pair.time.now(), LadderSet{.revision = 1, .rungs = {{.id = 2}}}, pair.owner_out));
    ASSERT_TRUE(pair.owner.send(pair.time.now(), ProgramCut{.msn = 1}, pair.owner_out));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(pair.send_frame(0, i == 0, 2'000));
    pair.settle();
    auto frames = all<ProgramFrame>(pair.at_worker);
    ASSERT_EQ(frames.size(), 20u);
    EXPECT_EQ(frames[19].number, 19u);
    EXPECT_EQ(frames[19].payload.size(), 2'000u);
    ASSERT_TRUE(pair.worker.send(pair.time.now(), RungFormat{.rung = 2}, pair.worker_out));
    for (const ProgramFrame& frame : frames) {
      ASSERT_TRUE(pair.worker.send(pair.time.now(),
                                   RungFrame{.rung = 2, .of = frame.number, .payload = shared("small")},
                                   pair.worker_out));
      ASSERT_TRUE(pair.worker.send(pair.time.now(), FramesTaken{frame.number}, pair.worker_out));
    }
    ASSERT_TRUE(pair.worker.send(pair.time.now(), Progress{.pictures_decoded = 20}, pair.worker_out));
    pair.settle();
    auto encoded = all<RungFrame>(pair.at_owner);
    ASSERT_EQ(encoded.size(), 20u);
    EXPECT_EQ(encoded[19].payload.text(), "small");
    EXPECT_EQ(all<Progress>(pair.at_owner).size(), 1u);
    EXPECT_EQ(pair.owner.backlog().frames(), 0u);
    EXPECT_EQ(pair.owner.stats().frames_sent, 20u);
    EXPECT_EQ(pair.worker.stats().frames_sent, 20u);
    EXPECT_EQ(pair.owner.stats().bytes_sent, pair.worker.stats().bytes_received);
  }
}

TEST(Connection, refuses_what_is_not_the_peers_to_say) {
  Owner fresh;
  EXPECT_EQ(fresh.refused(Progress{}), Refusal::kUnexpectedMessage);
  Owner deciding;
  ASSERT_FALSE(deciding.refused(Hello{.version_lowest = 1, .version_highest = 1}));
  EXPECT_EQ(deciding.refused(Progress{}), Refusal::kUnexpectedMessage);
  Owner twice;
  twice.open();
  EXPECT_EQ(twice.refused(Hello{.version_lowest = 1, .version_highest = 1}), Refusal::kUnexpectedMessage);
  Owner reversed;
  reversed.open();
  EXPECT_EQ(reversed.refused(ProgramCut{}), Refusal::kUnexpectedMessage);
  EXPECT_TRUE(reversed.connection.is_closed());
}

TEST(Connection, refuses_frames_and_numbers_from_nowhere) {
  Owner unformatted;
  unformatted.open();
  EXPECT_EQ(unformatted.refused(RungFrame{.rung = 1}), Refusal::kFrameBeforeFormat);

  Owner ended;
  ended.open();
  ASSERT_TRUE(ended.connection.send(ended.now, ProgramTrack{}, ended.out));
  ASSERT_TRUE(ended.connection.send(ended.now, ProgramFrame{.number = 7, .is_keyframe = true}, ended.out));
  EXPECT_FALSE(ended.refused(RungFormat{.rung = 1}));
  EXPECT_FALSE(ended.refused(RungFrame{.rung = 1, .of = 7}));
  EXPECT_FALSE(ended.refused(RungEnded{.rung = 1}));
  EXPECT_EQ(ended.refused(RungFrame{.rung = 1, .of = 7}), Refusal::kFrameBeforeFormat);

  Owner ahead;
  ahead.open();
  EXPECT_FALSE(ahead.refused(RungFormat{.rung = 1}));
  EXPECT_EQ(ahead.refused(RungFrame{.rung = 1, .of = 0}), Refusal::kBadNumber);
  Owner taken;
  taken.open();
  EXPECT_EQ(taken.refused(FramesTaken{0}), Refusal::kBadNumber);
  Owner ponged;
  ponged.open();
  EXPECT_EQ(ponged.refused(Pong{1}), Refusal::kBadNumber);
}

TEST(Connection, waits_for_hello_and_for_welcome_so_long) {
  Pair silent;
  silent.run(Duration::milliseconds(4'999));
  EXPECT_FALSE(silent.owner.is_closed());
  silent.run(Duration::milliseconds(1));
  EXPECT_EQ(all<Closed>(silent.at_owner).at(0).refusal, Refusal::kHelloTimeout);
  EXPECT_EQ(all<Closed>(silent.at_worker).at(0).refusal, Refusal::kHelloTimeout);

  Pair undecided;
  undecided.worker.start({}, undecided.worker_out);
  undecided.run(Duration::seconds(5));
  EXPECT_EQ(all<Hello>(undecided.at_owner).size(), 1u);
  EXPECT_EQ(all<Closed>(undecided.at_owner).at(0).refusal, Refusal::kHelloTimeout);
}

TEST(Connection, pings_and_measures_the_way_through_the_worker) {
  Pair pair;
  pair.is_answering = true;
  pair.open();
  pair.run(Duration::seconds(60));
  EXPECT_TRUE(pair.owner.is_open() && pair.worker.is_open());
  EXPECT_EQ(all<Ping>(pair.seen_by_worker).size(), 60u);
  EXPECT_EQ(pair.owner.round_trip(), Duration::milliseconds(20));
}

TEST(Connection, gives_up_a_worker_that_answers_no_ping) {
  Pair pair;
  pair.open();
  Timestamp opened = pair.time.now() - Duration::milliseconds(50);
  while (!pair.owner.is_closed()) {
    // Its socket thread lives; its decoder does not.
    pair.worker.send(pair.time.now(), Said{.text = "still here"}, pair.worker_out);
    pair.run(Duration::milliseconds(100));
    ASSERT_LT(pair.time.now() - opened, Duration::seconds(10));
  }
  EXPECT_EQ(all<Closed>(pair.at_owner).at(0).refusal, Refusal::kSilent);
  EXPECT_LE(pair.time.now() - opened, Duration::milliseconds(3'150));
  EXPECT_EQ(all<Bye>(pair.at_worker).at(0).text, "silent");
}

// Slow is not hung: what it takes shows that it lives, however late its answers are.
TEST(Connection, keeps_a_worker_that_takes_frames) {
  Pair pair({.queue = {.age = Duration::seconds(60)}});
  pair.open();
  pair.announce(0, media::Codec::kH264);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(pair.send_frame(0, true));
  for (std::uint64_t i = 0; i < 10; ++i) {
    pair.run(Duration::seconds(2));
    pair.worker.send(pair.time.now(), FramesTaken{i}, pair.worker_out);
  }
  EXPECT_TRUE(pair.owner.is_open());
  for (int i = 0; i < 2; ++i) {
    pair.run(Duration::seconds(2));
    pair.worker.send(pair.time.now(), FramesTaken{9}, pair.worker_out);  // Nothing new.
  }
  EXPECT_TRUE(pair.owner.is_closed());
}

TEST(Connection, gives_up_an_owner_that_says_nothing) {
  Pair pair;
  pair.open();
  Timestamp heard = pair.time.now() - Duration::milliseconds(40);
  pair.owner_out.clear();
  pair.time.advance(Duration::seconds(2));
  pair.worker.handle_deadline(pair.time.now(), pair.worker_out);
  EXPECT_TRUE(pair.worker.is_open());
  EXPECT_EQ(pair.worker.next_deadline(), heard + Duration::seconds(3));
  pair.time.advance_to(pair.worker.next_deadline());
  pair.worker.handle_deadline(pair.time.now(), pair.worker_out);
  EXPECT_EQ(all<Closed>(pair.worker_out.take()).at(0).refusal, Refusal::kSilent);
}

TEST(Connection, does_not_blame_the_peer_for_its_own_absence) {
  Pair pair;
  pair.is_answering = true;
  pair.open();
  pair.run(Duration::seconds(5));
  // Nobody called either for a minute, as when a machine sleeps.
  pair.time.advance(Duration::seconds(60));
  pair.owner.handle_deadline(pair.time.now(), pair.owner_out);
  pair.worker.handle_deadline(pair.time.now(), pair.worker_out);
  pair.run(Duration::seconds(10));
  EXPECT_TRUE(pair.owner.is_open() && pair.worker.is_open());
}

TEST(Connection, drops_lines_of_a_worker_that_talks_too_much) {
  Pair pair;
  pair.is_answering = true;
  pair.open();
  for (int i = 0; i < 100; ++i) pair.worker.send(pair.time.now(), Said{.text = "no"}, pair.worker_out);
  pair.settle();
  EXPECT_EQ(all<Said>(pair.at_owner).size(), 40u);
  EXPECT_EQ(pair.owner.stats().said_dropped, 60u);
  pair.run(Duration::seconds(1));
  pair.worker.send(pair.time.now(), Said{.text = "yes"}, pair.worker_out);
  pair.settle();
  EXPECT_EQ(all<Said>(pair.at_owner).back().text, "yes");
}

TEST(Connection, takes_slates_that_last_as_long_as_they_may) {
  for (auto [frame, count, is_taken] :
       {std::tuple(80, 25, true), {81, 25, false}, {0, 25, false}, {80, 0, false}}) {
    Pair pair;
    pair.open();
    SlateMade slate{.rung = 3, .format = {.codec = media::Codec::kH264}};
    slate.frame_duration = Duration::milliseconds(frame);
    slate.frames.assign(static_cast<std::size_t>(count), SharedBytes(Buffer(10, 1)));
    EXPECT_TRUE(pair.worker.send(pair.time.now(), slate, pair.worker_out));
    pair.settle();
    EXPECT_EQ(all<SlateMade>(pair.at_owner).size(), is_taken ? 1u : 0u);
    EXPECT_EQ(pair.owner.is_open(), is_taken);
  }
}

TEST(Connection, takes_pictures_that_are_whole) {
  const PosterMade poster{.width = 640, .height = 360, .jpeg = SharedBytes(Buffer(10, 1))};
  const StoryboardMade storyboard{.tile_width = 160,
                                  .tile_height = 90,
                                  .columns = 5,
                                  .tiles = {{Duration::seconds(1)}, {Duration::seconds(2)}},
                                  .jpeg = SharedBytes(Buffer(10, 1))};
  auto is_taken = [](const Message& message) {
    Pair pair;
    pair.open();
    EXPECT_TRUE(pair.worker.send(pair.time.now(), message, pair.worker_out));
    pair.settle();
    const std::size_t taken =
        all<PosterMade>(pair.at_owner).size() + all<StoryboardMade>(pair.at_owner).size();
    EXPECT_EQ(pair.owner.is_open(), taken == 1);
    return taken == 1;
  };
  EXPECT_TRUE(is_taken(poster));
  EXPECT_TRUE(is_taken(storyboard));
  auto bad = poster;
  bad.height = 0;
  EXPECT_FALSE(is_taken(bad));
  bad = poster;
  bad.jpeg = {};
  EXPECT_FALSE(is_taken(bad));
  auto odd = storyboard;
  odd.columns = 0;
  EXPECT_FALSE(is_taken(odd));
  odd = storyboard;
  odd.tiles.clear();
  EXPECT_FALSE(is_taken(odd));
  odd = storyboard;
  odd.tiles[1].at = odd.tiles[0].at;
  EXPECT_FALSE(is_taken(odd));
}

TEST(Connection, sends_frames_only_after_their_format) {
  Pair pair;
  pair.open();
  EXPECT_FALSE(pair.send_frame(0, true));
  media::Format format{.codec = media::Codec::kH264, .config = SharedBytes(Buffer(kConfigBytesMax + 1))};
  EXPECT_FALSE(pair.owner.send(pair.time.now(), ProgramTrack{.format = format}, pair.owner_out));
  EXPECT_FALSE(pair.send_frame(0, true));
  pair.announce(0, media::Codec::kH264);
  EXPECT_TRUE(pair.send_frame(0, true));
  EXPECT_TRUE(pair.owner.send(pair.time.now(), TrackGone{0}, pair.owner_out));
  EXPECT_FALSE(pair.send_frame(0, true));
  EXPECT_EQ(pair.owner.stats().frames_dropped_unannounced, 3u);

  EXPECT_FALSE(pair.worker.send(pair.time.now(), RungFrame{.rung = 1}, pair.worker_out));
  EXPECT_TRUE(pair.worker.send(pair.time.now(), RungFormat{.rung = 1}, pair.worker_out));
  EXPECT_TRUE(pair.worker.send(pair.time.now(), RungFrame{.rung = 1}, pair.worker_out));
  EXPECT_TRUE(pair.worker.send(pair.time.now(), RungEnded{.rung = 1}, pair.worker_out));
  EXPECT_FALSE(pair.worker.send(pair.time.now(), RungFrame{.rung = 1}, pair.worker_out));
}

TEST(Connection, drops_a_frame_that_is_too_large_and_what_needs_it) {
  Pair pair;
  pair.open();
  pair.announce(0, media::Codec::kH264);
  pair.announce(1, media::Codec::kAac);
  EXPECT_TRUE(pair.send_frame(0, true));
  EXPECT_FALSE(pair.send_frame(0, false, kFrameBytesMax + 1));
  EXPECT_FALSE(pair.send_frame(0, false));
  EXPECT_TRUE(pair.send_frame(1, true));
  EXPECT_TRUE(pair.send_frame(0, true));
  EXPECT_TRUE(pair.send_frame(0, false));
  EXPECT_EQ(pair.owner.stats().frames_dropped_too_large, 1u);
}

TEST(Connection, sends_a_frame_by_reference) {
  Pair pair;
  pair.open();
  pair.announce(0, media::Codec::kH264);
  pair.owner_out.clear();
  SharedBytes payload = shared("a picture");
  ASSERT_TRUE(pair.owner.send(pair.time.now(), ProgramFrame{.is_keyframe = true, .payload = payload},
                              pair.owner_out));
  EXPECT_EQ(all<SendBytes>(pair.owner_out.take()).at(0).payload.data(), payload.data());
}

// A worker that stops reading for a while: what waits for it is bounded, cuts and pings are not lost, and
// what it gets when it goes on can be decoded.
TEST(Connection, drops_media_for_a_slow_reader_until_a_keyframe) {
  Config config{.deadlines = {.silence = Duration::seconds(60)},
                .queue = {.bytes = 200'000, .frames = 4'096, .age = Duration::milliseconds(1'500)}};
  Pair pair(config, config);
  pair.is_answering = true;
  pair.open();
  pair.announce(0, media::Codec::kH264);
  pair.announce(1, media::Codec::kAac);
  std::size_t most_bytes = 0;
  std::uint64_t cuts = 0;
  for (int i = 0; i < 500; ++i) {  // Ten seconds of 50 pictures, a keyframe each second.
    pair.is_worker_stuck = i >= 130 && i < 290;
    if (i == 290) {
      for (auto& bytes : std::exchange(pair.unread, {})) {
        ASSERT_TRUE(pair.worker.handle_bytes(pair.time.now(), bytes, pair.worker_out));
      }
      pair.collect();
      pair.answer();
    }
    if (i % 50 == 0) {
      ASSERT_TRUE(pair.owner.send(pair.time.now(), ProgramCut{.msn = cuts++}, pair.owner_out));
    }
    pair.send_frame(0, i % 50 == 0, 1'000);
    pair.send_frame(1, true, 100);
    pair.run(Duration::milliseconds(20));
    most_bytes = std::max(most_bytes, pair.owner.backlog().bytes());
    ASSERT_TRUE(pair.owner.is_open());
  }
  pair.settle();
  EXPECT_LE(most_bytes, 200'000u);
  Stats stats = pair.owner.stats();
  EXPECT_EQ(stats.frames_sent + stats.frames_dropped_behind, 1'000u);
  // Stuck at 2.60 s, behind from 4.12 s to 5.82 s; the next keyframe is at 6 s.
  EXPECT_EQ(stats.frames_dropped_behind, 85u + 85u + 9u);
  EXPECT_EQ(all<ProgramCut>(pair.seen_by_worker).size(), cuts);
  auto pings = all<Ping>(pair.seen_by_worker);
  EXPECT_EQ(pings.size(), 10u);
  auto frames = all<ProgramFrame>(pair.seen_by_worker);
  EXPECT_EQ(frames.size(), stats.frames_sent);
  std::uint64_t next_picture = 0;
  for (const ProgramFrame& frame : frames) {
    if (frame.track != 0) continue;
    EXPECT_TRUE(frame.number == next_picture || frame.is_keyframe) << frame.number;
    next_picture = frame.number + 2;
  }
  EXPECT_EQ(next_picture, 1'000u);
}

}  // namespace
}  // namespace stoa::relay
