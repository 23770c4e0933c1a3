#include "proto/sctp/association.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "proto/sctp/test_peers.h"

namespace stoa::sctp {
namespace {

TEST(Association, is_set_up_by_four_packets) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  ASSERT_EQ(peers.a.count<Connected>(), 1u);
  ASSERT_EQ(peers.b.count<Connected>(), 1u);
  const auto* agreed = peers.a.find<Connected>();
  EXPECT_TRUE(agreed->has_interleaving && agreed->has_partial_reliability && agreed->has_stream_reset);
  EXPECT_EQ(agreed->outbound_streams, 65'535);
  ASSERT_EQ(peers.a.sent.size(), 2u);
  ASSERT_EQ(peers.b.sent.size(), 2u);
  EXPECT_EQ(chunks_of(peers.a.sent[1])[0], ChunkType::kCookieEcho);
  EXPECT_EQ(chunks_of(peers.b.sent[1])[0], ChunkType::kCookieAck);
}

TEST(Association, carries_messages_given_before_it_stands_with_the_cookie) {
  Peers peers;
  ASSERT_TRUE(peers.send(peers.a, {.stream = 3, .protocol = 51, .payload = numbered(1, 100)}));
  peers.a.association.connect(peers.time.now(), peers.a.out);
  ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 1; }));
  EXPECT_TRUE(has_chunk(peers.a.sent[1], ChunkType::kIData));
  EXPECT_EQ(peers.time.now() - Timestamp(), Duration::milliseconds(30));  // One and a half round trips.
  EXPECT_EQ(peers.b.messages()[0].stream, 3);
  EXPECT_EQ(peers.b.messages()[0].protocol, 51u);
}

TEST(Association, stands_when_both_sides_call_at_once) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Peers peers({.jitter = Duration::milliseconds(15), .loss = 0.2}, {}, {}, seed);
    peers.b.association.connect(peers.time.now(), peers.b.out);
    ASSERT_TRUE(peers.send(peers.b, {.stream = 1, .payload = numbered(9, 50)}));
    ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(8, 50)}));
    ASSERT_TRUE(peers.connect()) << seed;
    ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 1 && peers.a.messages().size() == 1; }))
        << seed;
    EXPECT_EQ(peers.a.count<Connected>(), 1u);
    EXPECT_EQ(peers.b.count<Connected>(), 1u);
  }
}

TEST(Association, gives_up_when_nobody_answers) {
  Peers peers;
  peers.is_cut = true;
  peers.a.association.connect(peers.time.now(), peers.a.out);
  ASSERT_TRUE(peers.run([&] { return peers.a.association.is_closed(); }, Duration::seconds(300)));
  EXPECT_EQ(peers.a.find<Closed>()->refusal, Refusal::kSetupTimeout);
  EXPECT_EQ(peers.a.sent.size(), 9u);  // The INIT and eight more.
  EXPECT_EQ(peers.a.association.next_deadline(), Timestamp::never());
}

class BadLine : public ::testing::TestWithParam<int> {};

// Whatever the line does: each message once, unharmed, and in order where that was asked.
TEST_P(BadLine, delivers_everything_once_and_in_order) {
  auto seed = static_cast<std::uint64_t>(GetParam());
  Rng rng(seed);
  sim::Link::Config line{.jitter = Duration::milliseconds(static_cast<std::int64_t>(rng.below(30))),
                         .loss = rng.unit() * 0.15,
                         .duplication = rng.unit() * 0.1,
                         .reordering = rng.unit() * 0.2};
  Config config_a, config_b;
  config_a.offered.interleaving = rng.chance(0.5);
  config_b.offered.zero_checksum = rng.chance(0.5);
  config_a.packet_bytes_max = 400 + rng.below(1000);
  Peers peers(line, config_a, config_b, seed);
  ASSERT_TRUE(peers.connect());
  constexpr std::uint32_t kMessages = 400;
  std::uint32_t next[2] = {0, 0};
  Peer* side[2] = {&peers.a, &peers.b};
  for (int from : {0, 1}) {
    for (; next[from] < kMessages; ++next[from]) {
      std::uint32_t number = next[from];
      std::size_t size = rng.chance(0.1) ? rng.below(30'000) : rng.below(900);
      OutgoingMessage message{.stream = static_cast<StreamId>(number % 5),
                              .protocol = number,
                              .payload = numbered(number, size),
                              .is_unordered = number % 5 >= 3};
      ASSERT_TRUE(peers.send(*side[from], std::move(message)));
      if (rng.chance(0.05)) peers.run_for(Duration::milliseconds(5));
    }
  }
  bool is_done = peers.run(
      [&] { return peers.a.messages().size() >= kMessages && peers.b.messages().size() >= kMessages; },
      Duration::seconds(600));
  ASSERT_TRUE(is_done) << peers.a.messages().size() << " " << peers.b.messages().size();
  peers.run_for(Duration::seconds(60));
  for (Peer* peer : side) {
    std::map<StreamId, std::uint32_t> last;
    std::vector<bool> seen(kMessages);
    for (const ReceivedMessage& message : peer->messages()) {
      std::uint32_t number = number_of(message.payload);
      ASSERT_LT(number, kMessages);
      ASSERT_FALSE(seen[number]);
      seen[number] = true;
      ASSERT_EQ(message.protocol, number);
      ASSERT_TRUE(std::ranges::equal(message.payload, numbered(number, message.payload.size()).bytes()));
      ASSERT_EQ(message.is_unordered, number % 5 >= 3);
      if (message.is_unordered) continue;
      if (last.contains(message.stream)) {
        ASSERT_GT(number, last[message.stream]);
      }
      last[message.stream] = number;
    }
    EXPECT_EQ(peer->messages().size(), kMessages);
    EXPECT_EQ(peer->association.held_bytes(), 0u);
    EXPECT_EQ(peer->association.in_flight_bytes(), 0u);
    for (const Buffer& packet : peer->sent)
      ASSERT_LE(packet.size(), peer == &peers.a ? config_a.packet_bytes_max : config_b.packet_bytes_max);
  }
}
INSTANTIATE_TEST_SUITE_P(Seeds, BadLine, ::testing::Range(1, 31));

TEST(Association, carries_a_message_of_a_megabyte) {
  Config config;
  config.limits.message_bytes_max = config.limits.send_message_bytes_max = 2u << 20;
  config.limits.reassembly_bytes_max = 4u << 20;
  for (bool is_unordered : {false, true}) {
    config.offered.interleaving = is_unordered;
    Peers peers({.loss = 0.02}, config, config);
    ASSERT_TRUE(peers.connect());
    SharedBytes payload = numbered(7, 1u << 20);
    ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = payload, .is_unordered = is_unordered}));
    ASSERT_TRUE(peers.run([&] { return !peers.b.messages().empty(); }, Duration::seconds(300)));
    EXPECT_TRUE(std::ranges::equal(peers.b.messages()[0].payload, payload.bytes()));
  }
}

TEST(Association, opens_its_window_on_a_clean_line) {
  Peers peers({.latency = Duration::milliseconds(25)});
  ASSERT_TRUE(peers.connect());
  std::size_t before = peers.a.association.congestion_window_bytes();
  for (std::uint32_t i = 0; i < 400; ++i)
    ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(i, 5000)}));
  Timestamp start = peers.time.now();
  ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 400; }));
  EXPECT_GT(peers.a.association.congestion_window_bytes(), 8 * before);
  EXPECT_LT(peers.time.now() - start, Duration::seconds(3));
  EXPECT_EQ(peers.a.association.stats().chunks_retransmitted, 0u);
  ASSERT_TRUE(peers.a.association.round_trip().has_value());
  EXPECT_GE(*peers.a.association.round_trip(), Duration::milliseconds(50));
}

TEST(Association, repairs_one_loss_by_gap_reports_without_a_timeout) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  for (std::uint32_t i = 0; i < 30; ++i)
    ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(i, 1000)}));
  int data = 0;
  peers.drops = [&](const Peer& from, const Buffer& packet) {
    return &from == &peers.a && has_chunk(packet, ChunkType::kIData) && ++data == 6;
  };
  ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 30; }));
  Stats stats = peers.a.association.stats();
  EXPECT_EQ(stats.chunks_retransmitted, 1u);
  EXPECT_EQ(stats.fast_retransmits, 1u);
  EXPECT_EQ(stats.timeouts, 0u);
}

TEST(Association, repairs_a_lost_tail_by_timeout) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  bool was_dropped = false;
  peers.drops = [&](const Peer& from, const Buffer& packet) {
    return &from == &peers.a && has_chunk(packet, ChunkType::kIData) && !std::exchange(was_dropped, true);
  };
  Timestamp start = peers.time.now();
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 10)}));
  ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 1; }));
  EXPECT_EQ(peers.a.association.stats().timeouts, 1u);
  EXPECT_GE(peers.time.now() - start, Duration::seconds(1));
}

TEST(Association, closes_when_the_peer_is_gone) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  peers.is_cut = true;
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 10)}));
  ASSERT_TRUE(peers.run([&] { return peers.a.association.is_closed(); }, Duration::seconds(300)));
  EXPECT_EQ(peers.a.find<Closed>()->refusal, Refusal::kPeerUnreachable);
  EXPECT_EQ(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 10)}).error(), Refusal::kNotConnected);
}

TEST(Association, notices_a_silent_peer_by_heartbeats) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  peers.run_for(Duration::seconds(100));
  EXPECT_TRUE(peers.a.association.is_connected());
  EXPECT_TRUE(peers.a.association.round_trip().has_value());
  peers.is_cut = true;
  ASSERT_TRUE(peers.run([&] { return peers.a.association.is_closed() && peers.b.association.is_closed(); },
                        Duration::seconds(3600)));
  EXPECT_EQ(peers.b.find<Closed>()->refusal, Refusal::kPeerUnreachable);
}

TEST(Association, delays_a_lone_acknowledgement_and_not_every_second_one) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(0, 10)}));
  peers.run_for(Duration::seconds(1));  // The first is acknowledged at once.
  std::size_t before = peers.b.sent.size();
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 10)}));
  peers.run_for(Duration::milliseconds(150));
  EXPECT_EQ(peers.b.sent.size(), before);
  peers.run_for(Duration::milliseconds(100));
  EXPECT_EQ(peers.b.sent.size(), before + 1);
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(2, 10)}));
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(3, 10)}));
  peers.run_for(Duration::milliseconds(20));
  EXPECT_EQ(peers.b.sent.size(), before + 2);
}

TEST(Association, shuts_down_when_all_has_arrived) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Peers peers({.loss = 0.2}, {}, {}, seed);
    ASSERT_TRUE(peers.connect());
    for (std::uint32_t i = 0; i < 20; ++i) {
      ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(i, 3000)}));
      ASSERT_TRUE(peers.send(peers.b, {.stream = 1, .payload = numbered(i, 3000)}));
    }
    peers.a.association.shutdown(peers.time.now(), peers.a.out);
    EXPECT_EQ(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 1)}).error(), Refusal::kNotConnected);
    ASSERT_TRUE(peers.run([&] { return peers.a.association.is_closed() && peers.b.association.is_closed(); },
                          Duration::seconds(120)));
    EXPECT_EQ(peers.b.messages().size(), 20u) << seed;
    EXPECT_EQ(peers.a.find<Closed>()->refusal, std::nullopt) << seed;
  }
}

TEST(Association, shuts_down_from_both_sides_at_once) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  peers.a.association.shutdown(peers.time.now(), peers.a.out);
  peers.b.association.shutdown(peers.time.now(), peers.b.out);
  ASSERT_TRUE(peers.run([&] { return peers.a.association.is_closed() && peers.b.association.is_closed(); }));
  EXPECT_EQ(peers.a.find<Closed>()->refusal, std::nullopt);
  EXPECT_EQ(peers.b.find<Closed>()->refusal, std::nullopt);
}

TEST(Association, aborts_and_tells_the_peer) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  peers.a.association.abort(peers.time.now(), peers.a.out);
  ASSERT_TRUE(peers.run([&] { return peers.b.association.is_closed(); }));
  EXPECT_EQ(peers.a.find<Closed>()->refusal, std::nullopt);
  EXPECT_EQ(peers.b.find<Closed>()->refusal, Refusal::kPeerAborted);
}

TEST(Association, starts_over_when_the_peer_lost_its_state) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 10)}));
  peers.run_for(Duration::seconds(1));
  peers.a.association = Association({}, Rng(99));
  peers.a.events.clear();
  ASSERT_TRUE(peers.connect());
  EXPECT_EQ(peers.b.count<Restarted>(), 1u);
  EXPECT_EQ(peers.b.association.stats().restarts, 1u);
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(2, 10)}));
  ASSERT_TRUE(peers.send(peers.b, {.stream = 1, .payload = numbered(3, 10)}));
  ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 2 && peers.a.messages().size() == 1; }));
}

TEST(Association, sends_no_checksum_where_the_peer_takes_that_and_never_with_a_cookie) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 10)}));
  peers.run_for(Duration::seconds(1));
  for (std::size_t i = 0; i < peers.a.sent.size(); ++i) {
    ByteReader field(Bytes(peers.a.sent[i]).subspan(8));
    EXPECT_EQ(field.u32() == 0, i >= 2) << i;
  }
  Config without;
  without.offered.zero_checksum = false;
  Peers plain({}, {}, without);
  ASSERT_TRUE(plain.connect());
  ASSERT_TRUE(plain.send(plain.a, {.stream = 1, .payload = numbered(1, 10)}));
  plain.run_for(Duration::seconds(1));
  for (const Buffer& packet : plain.a.sent) EXPECT_NE(ByteReader(Bytes(packet).subspan(8)).u32(), 0u);
}

TEST(Association, gives_up_messages_past_their_retransmissions_and_keeps_the_rest) {
  for (bool is_interleaved : {false, true})
    for (bool is_unordered : {false, true})
      for (std::uint64_t seed = 1; seed <= 5; ++seed) {
        Config config;
        config.offered.interleaving = is_interleaved;
        Peers peers({.loss = 0.25}, config, config, seed);
        ASSERT_TRUE(peers.connect());
        for (std::uint32_t i = 0; i < 200; ++i) {
          OutgoingMessage message{.stream = 1, .payload = numbered(i, i % 7 == 0 ? 6000 : 200)};
          message.is_unordered = is_unordered;
          if (i % 2 == 0) message.reliability.retransmissions_max = 0;
          ASSERT_TRUE(peers.send(peers.a, std::move(message)));
        }
        auto kept = [&] {
          std::size_t odd = 0;
          for (const auto& message : peers.b.messages()) odd += number_of(message.payload) % 2;
          return odd == 100;
        };
        ASSERT_TRUE(peers.run(kept, Duration::seconds(300))) << seed;
        ASSERT_TRUE(peers.run([&] { return peers.a.association.in_flight_bytes() == 0; }));
        peers.run_for(Duration::seconds(200));
        std::set<std::uint32_t> seen;
        std::uint32_t last = 0;
        for (const auto& message : peers.b.messages()) {
          std::uint32_t number = number_of(message.payload);
          EXPECT_TRUE(seen.insert(number).second);
          if (!is_unordered) {
            EXPECT_GE(number, last);
          }
          last = number;
        }
        EXPECT_GT(peers.a.association.stats().messages_given_up, 0u);
        // What was given up may have arrived all the same, its acknowledgement lost.
        EXPECT_GE(seen.size() + peers.a.association.stats().messages_given_up, 200u);
        EXPECT_EQ(peers.b.association.held_bytes(), 0u);
      }
}

TEST(Association, gives_up_messages_past_their_lifetime) {
  for (bool is_interleaved : {false, true}) {
    Config config;
    config.offered.interleaving = is_interleaved;
    Peers peers({}, config, config);
    ASSERT_TRUE(peers.connect());
    // Far more than a second of a starting window: most expires unsent, one in the middle of itself.
    for (std::uint32_t i = 0; i < 30; ++i)
      ASSERT_TRUE(peers.send(peers.a, {.stream = 1,
                                       .payload = numbered(i, 100'000),
                                       .reliability = {.lifetime = Duration::milliseconds(100)}}));
    ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1000, 10)}));
    auto has_last = [&] {
      auto all = peers.b.messages();
      return !all.empty() && number_of(all.back().payload) == 1000;
    };
    ASSERT_TRUE(peers.run(has_last));
    EXPECT_LT(peers.b.messages().size(), 31u);
    EXPECT_EQ(peers.b.messages().size() + peers.a.association.stats().messages_given_up, 31u);
    peers.run_for(Duration::seconds(5));
    EXPECT_EQ(peers.b.association.held_bytes(), 0u);
  }
}

TEST(Association, keeps_messages_of_any_reliability_when_the_peer_cannot_skip) {
  Config without;
  without.offered.forward_tsn = without.offered.i_forward_tsn = false;
  Peers peers({.loss = 0.3}, {}, without, 5);
  ASSERT_TRUE(peers.connect());
  for (std::uint32_t i = 0; i < 100; ++i)
    ASSERT_TRUE(peers.send(
        peers.a, {.stream = 1, .payload = numbered(i, 200), .reliability = {.retransmissions_max = 0}}));
  EXPECT_TRUE(peers.run([&] { return peers.b.messages().size() == 100; }, Duration::seconds(300)));
}

TEST(Association, starts_a_stream_anew_after_a_reset) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Peers peers({.jitter = Duration::milliseconds(10), .loss = seed == 1 ? 0 : 0.2}, {}, {}, seed);
    ASSERT_TRUE(peers.connect());
    for (std::uint32_t round = 0; round < 5; ++round) {
      for (std::uint32_t i = 0; i < 10; ++i)
        ASSERT_TRUE(peers.send(peers.a, {.stream = 7, .payload = numbered(round * 100 + i, 2000)}));
      StreamId streams[] = {7};
      ASSERT_TRUE(peers.a.association.reset_streams(peers.time.now(), streams, peers.a.out));
      EXPECT_EQ(peers.a.association.reset_streams(peers.time.now(), streams, peers.a.out).error(),
                Refusal::kStreamIsResetting);
      // These wait for the reset.
      ASSERT_TRUE(peers.send(peers.a, {.stream = 7, .payload = numbered(round * 100 + 10, 10)}));
      ASSERT_TRUE(
          peers.run([&] { return peers.a.count<ResetFinished>() == round + 1; }, Duration::seconds(120)))
          << seed;
      EXPECT_EQ(peers.b.count<StreamsReset>(), round + 1);
    }
    ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 55; })) << seed;
    std::uint32_t last = 0;
    for (const auto& message : peers.b.messages()) {
      EXPECT_GE(number_of(message.payload), last);
      last = number_of(message.payload);
    }
    EXPECT_TRUE(peers.a.find<ResetFinished>()->is_performed);
  }
}

// What is given up on one stream must not be taken for the new messages of another that began anew meanwhile.
TEST(Association, loses_nothing_that_is_reliable_on_streams_that_begin_anew) {
  for (bool is_interleaved : {false, true})
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      Config config;
      config.offered.interleaving = is_interleaved;
      Peers peers({.jitter = Duration::milliseconds(40), .loss = 0.2}, config, config, seed);
      ASSERT_TRUE(peers.connect());
      constexpr std::uint32_t kRounds = 12;
      for (std::uint32_t round = 0; round < kRounds; ++round) {
        Reliability once{.retransmissions_max = 0};
        for (std::uint32_t i = 0; i < 3; ++i)
          ASSERT_TRUE(
              peers.send(peers.a, {.stream = 1, .payload = numbered(1000, 900), .reliability = once}));
        StreamId streams[] = {1};
        ASSERT_TRUE(peers.a.association.reset_streams(peers.time.now(), streams, peers.a.out));
        for (std::uint32_t i = 0; i < 6; ++i)
          ASSERT_TRUE(
              peers.send(peers.a, {.stream = 2, .payload = numbered(1000, 900), .reliability = once}));
        ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(round, 900)}));
        ASSERT_TRUE(
            peers.run([&] { return peers.a.count<ResetFinished>() == round + 1; }, Duration::seconds(300)))
            << seed;
      }
      auto kept = [&] {
        std::set<std::uint32_t> seen;
        for (const auto& message : peers.b.messages())
          if (number_of(message.payload) < kRounds) seen.insert(number_of(message.payload));
        return seen.size() == kRounds;
      };
      EXPECT_TRUE(peers.run(kept, Duration::seconds(300))) << is_interleaved << " " << seed;
    }
}

TEST(Association, counts_a_silence_once_though_data_and_a_reset_wait_for_its_end) {
  auto time_to_close = [](bool resets) {
    Peers peers;
    EXPECT_TRUE(peers.connect());
    peers.is_cut = true;
    EXPECT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 10)}));
    StreamId streams[] = {1};
    if (resets) {
      EXPECT_TRUE(peers.a.association.reset_streams(peers.time.now(), streams, peers.a.out));
    }
    EXPECT_TRUE(peers.run([&] { return peers.a.association.is_closed(); }, Duration::seconds(1000)));
    return peers.time.now();
  };
  EXPECT_EQ(time_to_close(true), time_to_close(false));
}

TEST(Association, refuses_to_reset_what_the_peer_cannot) {
  Config without;
  without.offered.stream_reset = false;
  Peers peers({}, {}, without);
  ASSERT_TRUE(peers.connect());
  StreamId streams[] = {1};
  EXPECT_EQ(peers.a.association.reset_streams(peers.time.now(), streams, peers.a.out).error(),
            Refusal::kResetRefused);
}

TEST(Association, refuses_commands_over_its_limits) {
  Config config;
  config.limits.send_message_bytes_max = 1000;
  config.limits.send_buffer_bytes_max = 1500 + 2 * kMessageOverheadBytes;
  config.limits.streams_max = 2;
  Peers peers({}, config);
  EXPECT_EQ(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 1001)}).error(),
            Refusal::kMessageTooLarge);
  EXPECT_EQ(peers.send(peers.a, {.stream = 1}).error(), Refusal::kEmptyMessage);
  EXPECT_EQ(peers.send(peers.a, {.stream = 65'535, .payload = numbered(1, 4)}).error(),
            Refusal::kNoSuchStream);
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 1000)}));
  EXPECT_EQ(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 501)}).error(),
            Refusal::kSendBufferFull);
  ASSERT_TRUE(peers.send(peers.a, {.stream = 2, .payload = numbered(1, 400)}));
  EXPECT_EQ(peers.send(peers.a, {.stream = 3, .payload = numbered(1, 4)}).error(), Refusal::kTooManyStreams);
}

TEST(Association, says_when_little_waits) {
  Peers peers;
  ASSERT_TRUE(peers.connect());
  peers.a.association.set_low_mark(1, 10'000);
  ASSERT_TRUE(peers.send(peers.a, {.stream = 1, .payload = numbered(1, 100'000)}));
  EXPECT_EQ(peers.a.count<BufferedLow>(), 0u);
  ASSERT_TRUE(peers.run([&] { return peers.b.messages().size() == 1; }));
  EXPECT_EQ(peers.a.count<BufferedLow>(), 1u);
}

}  // namespace
}  // namespace stoa::sctp
