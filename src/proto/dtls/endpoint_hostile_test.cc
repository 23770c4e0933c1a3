// Datagrams from people who wish us no good.
#include <gtest/gtest.h>

#include "proto/dtls/test_pair.h"

namespace stoa::dtls {
namespace {

// A handshake message in one piece.
Buffer make_handshake(std::uint8_t type, std::uint16_t message_sequence, Bytes body) {
  ByteWriter message;
  message.u8(type);
  message.u24(static_cast<std::uint32_t>(body.size()));
  message.u16(message_sequence);
  message.u24(0);
  message.u24(static_cast<std::uint32_t>(body.size()));
  message.bytes(body);
  return message.take();
}

TEST(HostileDatagrams, that_are_not_dtls_are_counted_and_passed_over) {
  Pair pair;
  pair.start();
  EXPECT_EQ(pair.give(pair.server, {}).error(), Refusal::kNotDtls);
  EXPECT_EQ(pair.give(pair.server, text("GET / HTTP/1.1")).error(), Refusal::kNotDtls);
  Buffer cut = make_record(22, 0, 0, Buffer(100));
  cut.pop_back();
  EXPECT_EQ(pair.give(pair.server, cut).error(), Refusal::kMalformedRecord);
  EXPECT_EQ(pair.give(pair.server, make_record(24, 0, 0, text("heartbeat"))).error(),
            Refusal::kUnexpectedRecord);
  EXPECT_EQ(pair.give(pair.server, make_record(22, 2, 0, Buffer(40))).error(), Refusal::kUnexpectedRecord);
  EXPECT_EQ(pair.server.count(Refusal::kNotDtls), 2u);
  EXPECT_EQ(pair.server.count(Refusal::kMalformedRecord), 1u);
  EXPECT_EQ(pair.server.count(Refusal::kUnexpectedRecord), 2u);
  pair.drive(Duration::seconds(1));
  EXPECT_TRUE(pair.server.connected && pair.client.connected);
}

TEST(HostileDatagrams, with_more_records_than_the_limit_lose_the_rest) {
  Pair pair;
  pair.start();
  Buffer datagram;
  for (std::size_t i = 0; i < kRecordsPerDatagramMax + 1; ++i) {
    Buffer record = make_record(25, 0, i, {});
    datagram.insert(datagram.end(), record.begin(), record.end());
  }
  (void)pair.give(pair.server, datagram);
  EXPECT_EQ(pair.server.count(Refusal::kUnexpectedRecord), kRecordsPerDatagramMax);
  EXPECT_EQ(pair.server.count(Refusal::kTooManyRecords), 1u);
}

TEST(HostileDatagrams, cannot_fill_more_than_the_room_for_early_records) {
  Pair pair;
  pair.start();
  for (std::size_t i = 0; i < kEarlyRecordsMax; ++i)
    EXPECT_TRUE(pair.give(pair.server, make_record(22, 1, i, Buffer(40))));
  EXPECT_EQ(pair.give(pair.server, make_record(22, 1, 99, Buffer(40))).error(), Refusal::kTooManyEarly);
  EXPECT_EQ(pair.give(pair.client, make_record(23, 1, 0, Buffer(kEarlyBytesMax))).error(),
            Refusal::kTooManyEarly);
  pair.drive(Duration::seconds(5));
  EXPECT_TRUE(pair.server.connected && pair.client.connected);
  EXPECT_FALSE(pair.server.closed || pair.client.closed);
}

TEST(HostileDatagrams, end_a_handshake_that_takes_too_many_records) {
  Pair pair;
  pair.start();
  for (std::size_t i = 0; i < kHandshakeRecordsMax; ++i)
    (void)pair.give(pair.server, make_record(22, 0, i, make_handshake(1, 9, {})));
  EXPECT_FALSE(pair.server.closed);
  EXPECT_EQ(pair.give(pair.server, make_record(22, 0, 5000, {})).error(), Refusal::kTooManyHandshakeRecords);
  ASSERT_TRUE(pair.server.closed);
  EXPECT_EQ(pair.server.closed->refusal, Refusal::kTooManyHandshakeRecords);
}

TEST(HostileDatagrams, that_break_the_handshake_end_it_with_an_alert) {
  Pair pair;
  pair.start();
  // ServerHelloDone before ServerHello.
  auto outcome = pair.give(pair.client, make_record(22, 0, 0, make_handshake(14, 0, {})));
  EXPECT_EQ(outcome.error(), Refusal::kProtocolError);
  ASSERT_TRUE(pair.client.closed);
  EXPECT_EQ(pair.client.closed->refusal, Refusal::kProtocolError);
  EXPECT_EQ(pair.client.closed->alert, 10);  // unexpected_message
  pair.drive(Duration::seconds(1));
  ASSERT_TRUE(pair.server.closed);
  EXPECT_EQ(pair.server.closed->refusal, Refusal::kAlertReceived);
}

TEST(HostileDatagrams, with_an_alert_in_the_clear_end_an_unfinished_handshake_only) {
  const Buffer alert = {2, 40};
  Pair pair;
  pair.start();
  EXPECT_EQ(pair.give(pair.client, make_record(21, 0, 0, alert)).error(), Refusal::kAlertReceived);
  ASSERT_TRUE(pair.client.closed);
  EXPECT_EQ(pair.client.closed->alert, 40);
  Pair done;
  done.connect();
  EXPECT_EQ(done.give(done.client, make_record(21, 0, 90, alert)).error(), Refusal::kUnexpectedRecord);
  EXPECT_EQ(done.give(done.client, make_record(21, 1, 90, Buffer(40))).error(), Refusal::kUnreadableRecord);
  EXPECT_FALSE(done.client.closed);
}

TEST(HostileDatagrams, replayed_or_forged_deliver_nothing) {
  Pair::Options options;
  Buffer last;
  options.passes = [&](Role from, Bytes datagram) {
    if (from == Role::kClient) last.assign(datagram.begin(), datagram.end());
    return true;
  };
  Pair pair(options);
  pair.connect();
  ASSERT_TRUE(pair.client.endpoint.send_data(text("once"), pair.client.out));
  pair.sort();
  pair.drive(Duration::seconds(1));
  ASSERT_EQ(pair.server.data.size(), 1u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(pair.give(pair.server, last).error(), Refusal::kUnreadableRecord);
  for (std::size_t at = kRecordHeaderBytes; at < last.size(); ++at) {
    Buffer forged = last;
    forged[at] ^= 0x10;
    forged[10] = 77;  // A record number that was not seen.
    EXPECT_EQ(pair.give(pair.server, forged).error(), Refusal::kUnreadableRecord);
  }
  EXPECT_EQ(pair.server.data.size(), 1u);
  ASSERT_TRUE(pair.client.endpoint.send_data(text("twice"), pair.client.out));
  pair.sort();
  pair.drive(Duration::seconds(1));
  EXPECT_EQ(pair.server.data.size(), 2u);
}

TEST(HostileDatagrams, of_one_epoch_too_late_are_passed_over) {
  Pair::Options options;
  std::vector<Buffer> to_server;
  options.passes = [&](Role from, Bytes datagram) {
    if (from == Role::kClient) to_server.emplace_back(datagram.begin(), datagram.end());
    return true;
  };
  Pair pair(options);
  pair.connect();
  std::uint64_t before = pair.server.endpoint.stats().datagrams_sent;
  for (const Buffer& bytes : to_server) (void)pair.give(pair.server, bytes);
  EXPECT_GT(pair.server.count(Refusal::kUnexpectedRecord), 3u);
  EXPECT_EQ(pair.server.endpoint.stats().datagrams_sent, before);
  EXPECT_FALSE(pair.server.closed);
}

// Every byte of every datagram of a handshake, changed in turn: nothing crashes, and who connects has the
// right peer and the same keys.
TEST(HostileDatagrams, changed_on_the_way_never_connect_two_sides_with_different_keys) {
  for (std::size_t position = 0; position < 2600; position += 7) {
    Pair::Options options;
    options.client.timing.handshake_max = options.server.timing.handshake_max = Duration::seconds(3);
    std::size_t seen = 0;
    Pair* running = nullptr;
    options.passes = [&](Role from, Bytes datagram) {
      std::size_t begin = seen;
      seen += datagram.size();
      if (position < begin || position >= seen) return true;
      Buffer changed(datagram.begin(), datagram.end());
      changed[position - begin] ^= static_cast<std::uint8_t>(1u << (position % 8));
      (from == Role::kServer ? running->to_client : running->to_server).send(changed);
      return false;
    };
    Pair pair(options);
    running = &pair;
    pair.start();
    pair.drive(Duration::seconds(5));
    for (Side* side : {&pair.server, &pair.client}) EXPECT_TRUE(side->connected || side->closed);
    if (!pair.server.connected || !pair.client.connected) continue;
    EXPECT_EQ(key_bytes(pair.server.connected->srtp->local), key_bytes(pair.client.connected->srtp->remote));
    EXPECT_EQ(pair.client.connected->peer_fingerprint, pair.server_identity->fingerprint());
  }
}

}  // namespace
}  // namespace stoa::dtls
