// Two endpoints over good and bad lines.
#include "proto/dtls/endpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/dtls/test_pair.h"
#include "sim/heap.h"

namespace stoa::dtls {
namespace {

using testing::ElementsAre;
using testing::Le;

constexpr Duration kLatency = Duration::milliseconds(10);

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

TEST(Endpoint, connects_in_two_round_trips_and_hands_both_sides_the_same_keys) {
  Pair pair;
  pair.connect();
  EXPECT_EQ(pair.server.connected_at, Timestamp() + kLatency * 3);
  EXPECT_EQ(pair.client.connected_at, Timestamp() + kLatency * 4);
  const SrtpKeys& server = pair.server.connected->srtp.value();
  const SrtpKeys& client = pair.client.connected->srtp.value();
  EXPECT_EQ(server.profile, client.profile);
  EXPECT_EQ(key_bytes(server.local), key_bytes(client.remote));
  EXPECT_EQ(key_bytes(server.remote), key_bytes(client.local));
  EXPECT_NE(key_bytes(server.local), key_bytes(server.remote));
  EXPECT_EQ(pair.server.connected->peer_fingerprint, pair.client_identity->fingerprint());
  EXPECT_EQ(pair.client.connected->peer_fingerprint, pair.server_identity->fingerprint());
  EXPECT_EQ(pair.client.connected->cipher, "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(pair.client.endpoint.next_deadline(), Timestamp::never());
  EXPECT_EQ(pair.server.endpoint.next_deadline(), pair.server.connected_at + Duration::seconds(30));
}

TEST(Endpoint, settles_when_its_last_flight_is_known_to_have_arrived) {
  Pair by_time, by_data, by_media;
  for (Pair* pair : {&by_time, &by_data, &by_media}) {
    pair->connect();
    EXPECT_TRUE(pair->client.endpoint.is_settled());
    EXPECT_FALSE(pair->server.endpoint.is_settled());
  }
  by_time.drive(Duration::seconds(30));
  ASSERT_TRUE(by_data.client.endpoint.send_data(text("x"), by_data.client.out));
  by_data.sort();
  by_data.drive(Duration::seconds(1));
  by_media.server.endpoint.confirm_peer(by_media.time.now());
  for (Pair* pair : {&by_time, &by_data, &by_media}) {
    EXPECT_TRUE(pair->server.endpoint.is_settled());
    EXPECT_EQ(pair->server.endpoint.next_deadline(), Timestamp::never());
    ASSERT_TRUE(pair->server.endpoint.send_data(text("to the client"), pair->server.out));
    ASSERT_TRUE(pair->client.endpoint.send_data(text("to the server"), pair->client.out));
    pair->sort();
    pair->drive(Duration::seconds(1));
    EXPECT_EQ(pair->client.data.back(), text("to the client"));
    EXPECT_EQ(pair->server.data.back(), text("to the server"));
    pair->server.endpoint.close(pair->server.out);
    pair->sort();
    pair->drive(Duration::seconds(1));
    ASSERT_TRUE(pair->client.closed);
    EXPECT_FALSE(pair->client.closed->refusal);
    EXPECT_TRUE(pair->client.closed->was_by_peer);
  }
}

TEST(Endpoint, is_small_once_settled) {
  std::vector<std::unique_ptr<Pair>> pairs;
  for (int i = 0; i < 51; ++i) pairs.push_back(std::make_unique<Pair>());
  pairs.back()->connect();  // What the library keeps from its first use on.
  std::size_t idle = sim::heap_bytes_in_use();
  for (int i = 0; i < 50; ++i) pairs[i]->connect();
  std::size_t connected = sim::heap_bytes_in_use();
  for (int i = 0; i < 50; ++i) pairs[i]->drive(Duration::seconds(60));
  std::size_t settled = sim::heap_bytes_in_use();
  RecordProperty("bytes_saved", std::to_string((connected - settled) / 50));
  EXPECT_LT(settled, idle);  // Both ends of each pair, against two that have not begun.
}

TEST(Endpoint, makes_new_keys_each_time) {
  Pair one, two;
  one.connect();
  two.connect();
  EXPECT_NE(key_bytes(one.server.connected->srtp->local), key_bytes(two.server.connected->srtp->local));
}

TEST(Endpoint, takes_the_profile_that_the_server_prefers_of_those_shared) {
  using enum SrtpProfile;
  struct {
    std::vector<SrtpProfile> server, client;
    SrtpProfile chosen;
  } rows[] = {
      {all_srtp_profiles(), {kAes128CmHmacSha1_80, kAeadAes256Gcm, kAeadAes128Gcm}, kAeadAes128Gcm},
      {all_srtp_profiles(), {kAes128CmHmacSha1_80, kAeadAes256Gcm}, kAeadAes256Gcm},
      {all_srtp_profiles(), {kAes128CmHmacSha1_80}, kAes128CmHmacSha1_80},
      {{kAes128CmHmacSha1_80, kAeadAes128Gcm}, all_srtp_profiles(), kAes128CmHmacSha1_80},
  };
  for (auto& row : rows) {
    Pair::Options options;
    options.server.srtp_profiles = row.server;
    options.client.srtp_profiles = row.client;
    Pair pair(options);
    pair.connect();
    for (Side* side : {&pair.server, &pair.client}) {
      ASSERT_TRUE(side->connected && side->connected->srtp);
      EXPECT_EQ(side->connected->srtp->profile, row.chosen);
      EXPECT_EQ(side->connected->srtp->local.key().size(), sizes_of(row.chosen).key_bytes);
      EXPECT_EQ(side->connected->srtp->local.salt().size(), sizes_of(row.chosen).salt_bytes);
    }
  }
}

TEST(Endpoint, connects_without_srtp_when_only_data_is_wanted) {
  Pair::Options options;
  options.server.srtp_profiles = options.client.srtp_profiles = {};
  Pair pair(options);
  pair.connect();
  EXPECT_FALSE(pair.server.connected->srtp);
  EXPECT_FALSE(pair.client.connected->srtp);
}

TEST(Endpoint, refuses_a_peer_without_a_shared_srtp_profile_and_tells_it) {
  Pair::Options options;
  options.server.srtp_profiles = {SrtpProfile::kAeadAes128Gcm};
  options.client.srtp_profiles = {SrtpProfile::kAes128CmHmacSha1_80};
  Pair pair(options);
  pair.start();
  pair.drive(Duration::seconds(1));
  ASSERT_TRUE(pair.server.closed && pair.client.closed);
  EXPECT_EQ(pair.server.closed->refusal, Refusal::kNoSharedSrtpProfile);
  EXPECT_EQ(pair.server.count(Refusal::kNoSharedSrtpProfile), 1u);
  EXPECT_EQ(pair.client.closed->refusal, Refusal::kAlertReceived);
  EXPECT_TRUE(pair.client.closed->was_by_peer);
  EXPECT_EQ(pair.client.closed->alert, 40);  // handshake_failure
}

TEST(Endpoint, as_client_refuses_a_server_that_knows_no_srtp) {
  Pair::Options options;
  options.server.srtp_profiles = {};
  Pair pair(options);
  pair.start();
  pair.drive(Duration::seconds(1));
  ASSERT_TRUE(pair.server.closed && pair.client.closed);
  EXPECT_EQ(pair.client.closed->refusal, Refusal::kNoSharedSrtpProfile);
  EXPECT_EQ(pair.client.closed->alert, 40);
  EXPECT_EQ(pair.server.closed->refusal, Refusal::kAlertReceived);
}

TEST(Endpoint, refuses_a_certificate_that_signalling_did_not_name) {
  for (Role role : {Role::kServer, Role::kClient}) {
    Pair::Options options;
    Config& deceived = role == Role::kServer ? options.server : options.client;
    deceived.peer_fingerprints = {make_test_identity()->fingerprint()};
    Pair pair(options);
    pair.start();
    pair.drive(Duration::seconds(1));
    Side& judge = role == Role::kServer ? pair.server : pair.client;
    Side& judged = role == Role::kServer ? pair.client : pair.server;
    ASSERT_TRUE(judge.closed && judged.closed);
    EXPECT_FALSE(judge.connected || judged.connected);
    EXPECT_EQ(judge.closed->refusal, Refusal::kFingerprintMismatch);
    EXPECT_EQ(judge.closed->alert, 42);  // bad_certificate
    EXPECT_EQ(judged.closed->refusal, Refusal::kAlertReceived);
    EXPECT_EQ(judged.closed->alert, 42);
  }
}

TEST(Endpoint, sends_nothing_larger_than_its_mtu) {
  for (std::size_t mtu : {kMtuMin, std::size_t{548}, kMtuDefault, std::size_t{1400}}) {
    Pair::Options options;
    options.server.mtu = options.client.mtu = mtu;
    Pair pair(options);
    pair.connect();
    ASSERT_TRUE(
        pair.client.endpoint.send_data(Buffer(pair.client.endpoint.data_bytes_max()), pair.client.out));
    pair.sort();
    EXPECT_EQ(pair.client.sent_sizes.back(), mtu);
    EXPECT_THAT(pair.client.sent_sizes, testing::Each(Le(mtu)));
    EXPECT_THAT(pair.server.sent_sizes, testing::Each(Le(mtu)));
  }
}

TEST(Endpoint, retransmits_in_the_time_it_is_given_and_gives_up) {
  Pair::Options options;
  options.passes = [](Role, Bytes) { return false; };
  Pair pair(options);
  pair.start();
  pair.drive(Duration::seconds(60));
  ASSERT_TRUE(pair.client.closed && pair.server.closed);
  std::vector<Timestamp> expected;
  for (int ms : {0, 200, 600, 1400, 3000, 6000, 9000, 12000, 15000, 18000, 21000, 24000, 27000})
    expected.push_back(at_ms(ms));
  EXPECT_EQ(pair.client.sent_at, expected);
  for (Side* side : {&pair.client, &pair.server}) {
    EXPECT_EQ(side->closed->refusal, Refusal::kHandshakeTimeout);
    EXPECT_EQ(side->closed_at, at_ms(30'000));
  }
  EXPECT_EQ(pair.client.endpoint.stats().flights_retransmitted, 12u);
}

TEST(Endpoint, does_not_retransmit_while_time_stands_still) {
  Pair pair;
  pair.start();
  std::size_t sent = pair.client.sent_at.size();
  for (int i = 0; i < 100; ++i) {
    pair.client.endpoint.handle_deadline(at_ms(199), pair.client.out);
    (void)pair.client.endpoint.handle_datagram(at_ms(199), make_record(22, 0, 5, {}), pair.client.out);
    pair.sort();
  }
  EXPECT_EQ(pair.client.sent_at.size(), sent);
  EXPECT_EQ(pair.client.endpoint.next_deadline(), at_ms(200));
  pair.client.endpoint.handle_deadline(at_ms(200), pair.client.out);
  pair.sort();
  EXPECT_GT(pair.client.sent_at.size(), sent);
  EXPECT_EQ(pair.client.endpoint.next_deadline(), at_ms(600));
}

TEST(Endpoint, starts_each_flight_with_the_first_timeout_again) {
  Pair::Options options;
  options.link.latency = Duration();
  // The first two ClientHellos are lost, and the first try of the server's answer.
  int from_client = 0, from_server = 0;
  options.passes = [&](Role from, Bytes) {
    return from == Role::kClient ? ++from_client > 2 : ++from_server > 1;
  };
  Pair pair(options);
  pair.connect();
  // 200 and 400 ms for the client, then 200 ms for the server, whose timer is set before the client's third.
  EXPECT_EQ(pair.client.connected_at, at_ms(800));
}

TEST(Endpoint, makes_its_datagrams_smaller_when_large_ones_do_not_arrive) {
  Pair::Options options;
  options.passes = [](Role, Bytes datagram) { return datagram.size() <= 576; };
  options.server.mtu = options.client.mtu = 1400;
  // A certificate that does not fit.
  std::vector<std::string> names(20, std::string(60, 'a') + ".example");
  options.server_identity =
      *Identity::parse(*crypto::make_self_signed_certificate(kWall, Duration::seconds(86'400), names));
  Pair pair(options);
  pair.start();
  pair.drive(Duration::seconds(20));
  ASSERT_TRUE(pair.server.connected && pair.client.connected);
  // Three losses at full size: 200, 600, 1400 ms after the first.
  EXPECT_GT(pair.server.connected_at, at_ms(1400));
  EXPECT_EQ(*std::max_element(pair.server.sent_sizes.begin(), pair.server.sent_sizes.end()), 1400u);
  EXPECT_EQ(pair.server.endpoint.data_bytes_max(), 1400u - 37u);  // The data's packets are SCTP's to size.
}

TEST(Endpoint, connects_over_bad_lines) {
  Duration longest;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Pair::Options options;
    options.seed = seed;
    options.link = {.latency = Duration::milliseconds(20),
                    .jitter = Duration::milliseconds(15),
                    .loss = 0.2,
                    .duplication = 0.2,
                    .reordering = 0.2};
    if (seed % 3 == 0) options.server.mtu = options.client.mtu = kMtuMin;  // More to lose and reorder.
    options.server.asks_cookie = seed % 4 == 0;
    Pair pair(options);
    pair.start();
    pair.drive(Duration::seconds(40));
    ASSERT_TRUE(pair.server.connected && pair.client.connected) << "seed " << seed;
    EXPECT_FALSE(pair.server.closed || pair.client.closed);
    EXPECT_EQ(key_bytes(pair.server.connected->srtp->local), key_bytes(pair.client.connected->srtp->remote));
    longest =
        std::max({longest, pair.server.connected_at - Timestamp(), pair.client.connected_at - Timestamp()});
  }
  EXPECT_LT(longest, Duration::seconds(30));
}

TEST(Endpoint, answers_a_client_that_did_not_hear_the_last_flight) {
  Pair::Options options;
  int lost = 0;
  Pair* running = nullptr;
  options.passes = [&](Role from, Bytes) {
    if (from == Role::kClient || !running->server.endpoint.is_connected() || lost == 3) return true;
    ++lost;
    return false;
  };
  Pair pair(options);
  running = &pair;
  pair.connect();
  EXPECT_EQ(lost, 3);
  EXPECT_GT(pair.client.connected_at, at_ms(200));
}

TEST(Endpoint, stops_answering_a_client_that_never_hears_it) {
  Pair::Options options;
  options.client.timing = {.rto_initial = Duration::milliseconds(50), .rto_max = Duration::milliseconds(50)};
  Pair* running = nullptr;
  options.passes = [&](Role from, Bytes) {
    return from == Role::kClient || !running->server.endpoint.is_connected();
  };
  Pair pair(options);
  running = &pair;
  pair.start();
  pair.drive(Duration::seconds(5));
  // Twelve repetitions, one over the limit; then the client's library has had enough of it.
  EXPECT_EQ(pair.client.endpoint.stats().flights_retransmitted, 12u);
  EXPECT_EQ(pair.client.closed.value().refusal, Refusal::kHandshakeTimeout);
  EXPECT_EQ(pair.client.closed_at, at_ms(20 + 13 * 50));
  EXPECT_EQ(pair.server.count(Refusal::kTooManyLateAnswers), 1u);
  EXPECT_TRUE(pair.server.connected && !pair.server.closed);
}

TEST(Endpoint, asks_for_a_cookie_when_told_to) {
  Pair::Options options;
  options.server.asks_cookie = true;
  std::vector<int> handshake_types;
  options.passes = [&](Role from, Bytes datagram) {
    if (from == Role::kServer) handshake_types.push_back(datagram[kRecordHeaderBytes]);
    return true;
  };
  Pair pair(options);
  pair.connect();
  EXPECT_EQ(handshake_types[0], 3);  // HelloVerifyRequest
  EXPECT_EQ(handshake_types[1], 2);  // ServerHello
  EXPECT_EQ(pair.server.connected_at, Timestamp() + kLatency * 5);
}

TEST(Endpoint, carries_data_both_ways_record_by_record) {
  Pair pair;
  pair.connect();
  std::vector<Buffer> sent = {text("one"), Buffer(pair.server.endpoint.data_bytes_max(), 7), text("three")};
  for (Side* side : {&pair.server, &pair.client}) {
    for (const Buffer& bytes : sent) ASSERT_TRUE(side->endpoint.send_data(bytes, side->out));
  }
  pair.sort();
  pair.drive(Duration::seconds(1));
  EXPECT_EQ(pair.server.data, sent);
  EXPECT_EQ(pair.client.data, sent);
  EXPECT_EQ(pair.server.endpoint.stats().data_messages_sent, 3u);
  EXPECT_EQ(pair.client.endpoint.stats().data_messages_received, 3u);
}

TEST(Endpoint, refuses_data_that_does_not_fit_or_has_no_connection) {
  Pair pair;
  pair.start();
  EXPECT_EQ(pair.client.endpoint.data_bytes_max(), 0u);
  EXPECT_EQ(pair.client.endpoint.send_data(text("x"), pair.client.out).error(), Refusal::kNotConnected);
  pair.drive(Duration::seconds(1));
  Endpoint& client = pair.client.endpoint;
  EXPECT_EQ(client.send_data({}, pair.client.out).error(), Refusal::kDataTooLarge);
  EXPECT_EQ(client.send_data(Buffer(client.data_bytes_max() + 1), pair.client.out).error(),
            Refusal::kDataTooLarge);
  client.close(pair.client.out);
  pair.sort();
  EXPECT_EQ(client.send_data(text("x"), pair.client.out).error(), Refusal::kNotConnected);
}

TEST(Endpoint, delivers_data_that_overtook_the_finished_after_connecting) {
  Pair::Options options;
  options.link.latency = Duration::milliseconds(1);
  // The server's last flight comes late; what it sent after it comes first.
  std::vector<Buffer> delayed;
  Pair* running = nullptr;
  bool is_delaying = true;
  options.passes = [&](Role from, Bytes datagram) {
    if (from == Role::kClient || !running->server.endpoint.is_connected() || !is_delaying) return true;
    delayed.emplace_back(datagram.begin(), datagram.end());
    return false;
  };
  Pair pair(options);
  running = &pair;
  pair.start();
  pair.drive(Duration::milliseconds(50));
  ASSERT_TRUE(pair.server.connected);
  ASSERT_FALSE(pair.client.connected);
  is_delaying = false;
  ASSERT_TRUE(pair.server.endpoint.send_data(text("early"), pair.server.out));
  ASSERT_TRUE(pair.server.endpoint.send_data(text("bird"), pair.server.out));
  pair.sort();
  pair.drive(Duration::milliseconds(50));
  EXPECT_TRUE(pair.client.data.empty());
  for (const Buffer& bytes : delayed) EXPECT_TRUE(pair.give(pair.client, bytes));
  EXPECT_TRUE(pair.client.connected);
  EXPECT_THAT(pair.client.data, ElementsAre(text("early"), text("bird")));
}

TEST(Endpoint, closes_both_sides_with_close_notify) {
  for (bool is_server : {true, false}) {
    Pair pair;
    pair.connect();
    Side& leaver = is_server ? pair.server : pair.client;
    Side& left = is_server ? pair.client : pair.server;
    leaver.endpoint.close(leaver.out);
    pair.sort();
    pair.drive(Duration::seconds(1));
    ASSERT_TRUE(leaver.closed && left.closed);
    EXPECT_FALSE(leaver.closed->refusal || left.closed->refusal);
    EXPECT_FALSE(leaver.closed->was_by_peer);
    EXPECT_TRUE(left.closed->was_by_peer);
    EXPECT_EQ(left.closed->alert, 0);
    EXPECT_EQ(left.closed_at, leaver.closed_at + kLatency);
    leaver.endpoint.close(leaver.out);
    EXPECT_TRUE(leaver.out.empty());
    EXPECT_TRUE(pair.give(left, make_record(22, 0, 0, {})));
    EXPECT_EQ(left.endpoint.next_deadline(), Timestamp::never());
  }
}

TEST(Endpoint, closes_silently_before_it_is_connected) {
  Pair pair;
  pair.start();
  std::size_t sent = pair.client.sent_at.size();
  pair.client.endpoint.close(pair.client.out);
  pair.sort();
  EXPECT_TRUE(pair.client.closed);
  EXPECT_EQ(pair.client.sent_at.size(), sent);
}

TEST(Endpoint, may_be_moved_at_any_time) {
  Pair other, pair;
  pair.start();
  for (int i = 0; i < 6; ++i) {
    Endpoint moved = std::move(pair.client.endpoint);
    pair.client.endpoint = std::move(moved);
    Endpoint server = std::move(pair.server.endpoint);
    pair.server.endpoint = std::move(server);
    pair.drive(Duration::milliseconds(10));
  }
  EXPECT_TRUE(pair.server.connected && pair.client.connected);
  other.connect();
  pair.client.endpoint = std::move(other.client.endpoint);  // Drops a live one.
  EXPECT_TRUE(pair.client.endpoint.is_connected());
}

TEST(Endpoint, keeps_the_identity_it_began_with_when_identities_rotate) {
  IdentityRotation rotation({.lifetime = Duration::seconds(20), .rotate_after = Duration::seconds(10)});
  Context context;
  auto client_identity = make_test_identity();
  auto announced = rotation.current(kWall)->fingerprint();
  Side server(context, rotation.current(kWall),
              {.role = Role::kServer, .peer_fingerprints = {client_identity->fingerprint()}});
  Side client(context, client_identity, {.role = Role::kClient, .peer_fingerprints = {announced}});
  EXPECT_NE(rotation.current(kWall + Duration::seconds(15))->fingerprint(), announced);
  server.endpoint.start({}, server.out);
  client.endpoint.start({}, client.out);
  for (int i = 0; i < 6; ++i) {
    client.sort({}, [&](Bytes bytes) { (void)server.endpoint.handle_datagram({}, bytes, server.out); });
    server.sort({}, [&](Bytes bytes) { (void)client.endpoint.handle_datagram({}, bytes, client.out); });
  }
  ASSERT_TRUE(server.connected && client.connected);
  EXPECT_EQ(client.connected->peer_fingerprint, announced);
}

TEST(Endpoint, tells_its_numbers) {
  Pair pair;
  pair.connect();
  Stats sum = pair.server.endpoint.stats();
  sum.add(pair.client.endpoint.stats());
  EXPECT_EQ(sum.handshakes_started, 2u);
  EXPECT_EQ(sum.handshakes_done, 2u);
  EXPECT_EQ(sum.datagrams_sent, sum.datagrams_received);
  MetricSamples samples;
  sum.append_samples(samples);
  EXPECT_EQ(samples.size(), 7u + kRefusals);
}

}  // namespace
}  // namespace stoa::dtls
