#include "proto/rtmp/connection.h"

#include <gtest/gtest.h>

#include "proto/rtmp/client.h"
#include "sim/link.h"

namespace stoa::rtmp {
namespace {

using Kind = AmfValue::Kind;

// A client and a server with a stream between them, cut at random.
struct Pair {
  explicit Pair(const ClientConnection::Config& client_config = {.app = "live",
                                                                 .tc_url = "rtmp://127.0.0.1/live",
                                                                 .stream_name = "key?priority=2"},
                const Config& config = {}, std::uint64_t seed = 1, std::size_t cut = 4096)
      : to_server(time, {.is_stream = true, .cut_bytes_max = cut}, Rng(seed)),
        to_client(time, {.is_stream = true, .cut_bytes_max = cut}, Rng(seed + 1)),
        client(client_config, Rng(seed + 2)),
        server(config, Rng(seed + 3), time.now()) {
    raw.set_chunk_size(4096);
    client.start(client_out);
    collect();
  }

  void collect() {
    for (auto& output : client_out.take()) {
      if (auto* send = std::get_if<SendBytes>(&output)) {
        to_server.send(send->bytes);
      } else {
        client_events.push_back(std::move(output));
      }
    }
    for (auto& output : server_out.take()) {
      if (auto* send = std::get_if<SendBytes>(&output)) {
        to_client.send(send->bytes);
      } else {
        events.push_back(std::move(output));
      }
    }
  }
  // Until nothing is in flight.
  void settle() {
    collect();
    for (;;) {
      Timestamp next = sim::earliest(to_server.next_arrival(), to_client.next_arrival());
      if (next == Timestamp::never()) return;
      time.advance_to(next);
      for (auto& bytes : to_server.take_arrived()) {
        (void)server.handle_bytes(time.now(), bytes, server_out);
        collect();
      }
      for (auto& bytes : to_client.take_arrived()) (void)client.handle_bytes(bytes, client_out);
      collect();
    }
  }
  void publish() {
    settle();
    ASSERT_TRUE(server.is_waiting_for_decision());
    server.accept_publish(time.now(), server_out);
    settle();
    ASSERT_TRUE(client.is_published());
    events.clear();
  }
  // Commands as a publisher that leaves the usual path.
  void command(std::string_view name, double transaction, std::vector<AmfValue> arguments) {
    client.send_command(name, transaction, arguments, 1, client_out);
    settle();
  }
  // A raw message on a fresh chunk stream.
  void message(MessageType type, Bytes payload, std::uint32_t id = 40) {
    ByteWriter bytes;
    raw.write(id, type, 0, 1, payload, bytes);
    to_server.send(bytes.view());
    settle();
  }
  std::optional<Refusal> refusal() const {
    for (const auto& event : events) {
      if (auto* closed = std::get_if<Closed>(&event)) return closed->refusal;
    }
    return std::nullopt;
  }
  template <typename T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const auto& event : events) {
      if (auto* one = std::get_if<T>(&event)) found.push_back(*one);
    }
    return found;
  }

  sim::VirtualTime time;
  sim::Link to_server, to_client;
  ClientConnection client;
  Connection server;
  ChunkWriter raw;
  ClientOutputs client_out;
  Outputs server_out;
  std::vector<ClientOutput> client_events;
  std::vector<Output> events;
};

ClientConnection::Config usual() {
  return {.app = "live", .tc_url = "rtmp://127.0.0.1/live", .stream_name = "key"};
}

Buffer body(std::size_t size, std::uint8_t seed) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(seed + i * 3);
  return bytes;
}

TEST(Connection, asks_whether_a_publish_is_welcome_with_names_and_query_apart) {
  auto config = usual();
  config.app = "/live/?a=1";
  config.stream_name = "key?priority=2";
  Pair pair(config);
  pair.settle();
  auto asked = pair.all<PublishRequested>();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].app, "live");
  EXPECT_EQ(asked[0].stream_name, "key");
  EXPECT_EQ(asked[0].query, "a=1&priority=2");
  EXPECT_EQ(asked[0].tc_url, "rtmp://127.0.0.1/live");
}

TEST(Connection, carries_media_in_order_through_chunk_sizes_changed_midstream) {
  for (auto handshake :
       {HandshakeKind::kPlain, HandshakeKind::kDigestScheme0, HandshakeKind::kDigestScheme1}) {
    for (bool is_amf3 : {false, true}) {
      auto config = usual();
      config.handshake = handshake;
      config.is_amf3 = is_amf3;
      Pair pair(config, {}, 7, 1000);
      pair.publish();
      EXPECT_EQ(pair.server.handshake_kind(), handshake);
      std::vector<std::pair<std::uint32_t, Buffer>> sent;
      std::uint32_t time = 0xff'ff00;
      for (std::uint32_t chunk : {1u, 128u, 4096u, 65536u, 16u << 20}) {
        pair.client.set_chunk_size(chunk, pair.client_out);
        for (int i = 0; i < 4; ++i) {
          Buffer payload = body(chunk == 1 ? 90 : 5000 + i, static_cast<std::uint8_t>(i));
          sent.emplace_back(time, payload);
          if (i % 2 == 0) {
            pair.client.send_video(time, payload, pair.client_out);
          } else {
            pair.client.send_audio(time, payload, pair.client_out);
          }
          time += 40;
        }
      }
      pair.settle();
      std::vector<std::pair<std::uint32_t, Buffer>> got;
      for (auto& event : pair.events) {
        std::visit(Overloaded{[&](AudioMessage& m) {
                                got.emplace_back(m.timestamp_ms,
                                                 Buffer(m.payload.bytes().begin(), m.payload.bytes().end()));
                              },
                              [&](VideoMessage& m) {
                                got.emplace_back(m.timestamp_ms,
                                                 Buffer(m.payload.bytes().begin(), m.payload.bytes().end()));
                              },
                              [](auto&) {}},
                   event);
      }
      EXPECT_EQ(got, sent);
      EXPECT_EQ(pair.server.stats().video_messages, 10u);
      EXPECT_EQ(pair.server.stats().audio_messages, 10u);
    }
  }
}

TEST(Connection, tells_its_enhanced_capabilities_in_the_answer_to_connect) {
  for (bool is_amf3 : {false, true}) {
    auto config = usual();
    config.is_amf3 = is_amf3;
    Pair pair(config);
    pair.settle();
    const AmfValue* result = nullptr;
    for (auto& event : pair.client_events) {
      if (auto* connected = std::get_if<Connected>(&event)) result = &connected->result;
    }
    ASSERT_TRUE(result);
    EXPECT_EQ(result->find("code")->text, "NetConnection.Connect.Success");
    EXPECT_EQ(result->find("objectEncoding")->number, is_amf3 ? 3 : 0);
    EXPECT_EQ(result->find("capsEx")->number, 14);
    for (const char* fourcc : {"avc1", "hvc1", "av01", "vp09"}) {
      EXPECT_EQ(result->find("videoFourCcInfoMap")->find(fourcc)->number, 4) << fourcc;
    }
    for (const char* fourcc : {"mp4a", "Opus"}) {
      EXPECT_EQ(result->find("audioFourCcInfoMap")->find(fourcc)->number, 4) << fourcc;
    }
    EXPECT_EQ(result->find("fourCcList")->items.size(), 6u);
  }
}

TEST(Connection, hands_on_metadata_without_set_data_frame) {
  for (bool is_amf3 : {false, true}) {
    auto config = usual();
    config.is_amf3 = is_amf3;
    Pair pair(config);
    pair.publish();
    pair.client.send_metadata(AmfValue::ecma_array({{"width", AmfValue::of_number(1280)}}), pair.client_out);
    pair.settle();
    auto data = pair.all<DataMessage>();
    ASSERT_EQ(data.size(), 1u);
    EXPECT_EQ(data[0].name, "onMetaData");
    ASSERT_EQ(data[0].values.size(), 1u);
    EXPECT_EQ(data[0].values[0].find("width")->number, 1280);
  }
}

TEST(Connection, keeps_what_arrives_before_the_decision) {
  Pair pair(usual());
  pair.settle();
  ByteWriter early;
  ChunkWriter writer;
  writer.write(60, MessageType::kVideo, 12, 1, body(50, 1), early);
  pair.to_server.send(early.view());
  pair.settle();
  EXPECT_TRUE(pair.all<VideoMessage>().empty());
  pair.server.accept_publish(pair.time.now(), pair.server_out);
  pair.settle();
  ASSERT_EQ(pair.all<VideoMessage>().size(), 1u);
  EXPECT_EQ(pair.all<VideoMessage>()[0].timestamp_ms, 12u);
}

TEST(Connection, says_why_a_publish_is_not_welcome) {
  Pair pair(usual());
  pair.settle();
  pair.server.reject_publish("No channel has this key.", pair.server_out);
  pair.settle();
  ASSERT_EQ(pair.all<Closed>().size(), 1u);
  EXPECT_FALSE(pair.all<Closed>()[0].refusal);
  auto* closed = std::get_if<ClientClosed>(&pair.client_events.back());
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->refusal, Refusal::kRejectedByServer);
  EXPECT_EQ(closed->code, "NetStream.Publish.BadName");
  EXPECT_EQ(closed->description, "No channel has this key.");
  EXPECT_EQ(pair.server.next_deadline(), Timestamp::never());
}

TEST(Connection, ends_a_publication_once_and_takes_another) {
  Pair pair(usual());
  pair.publish();
  pair.client.unpublish(pair.client_out);
  pair.settle();
  EXPECT_EQ(pair.all<Unpublished>().size(), 1u);
  EXPECT_FALSE(pair.server.is_closed());
  pair.command("publish", 9, {AmfValue::null(), AmfValue::string("again"), AmfValue::string("live")});
  ASSERT_EQ(pair.all<PublishRequested>().size(), 1u);
  EXPECT_EQ(pair.all<PublishRequested>()[0].stream_name, "again");
}

TEST(Connection, answers_pings_aborts_messages_and_acknowledges) {
  Pair pair(usual());
  pair.publish();
  std::uint64_t sent = pair.server.stats().bytes_sent;
  pair.message(MessageType::kUserControl, Buffer{0, 6, 0, 0, 0, 9});
  EXPECT_EQ(pair.server.stats().bytes_sent, sent + 1 + 6);  // The header is that of Stream Begin.
  Buffer begun = {41, 0, 0, 0, 0, 0x20, 0, 8, 1, 0, 0, 0};
  begun.insert(begun.end(), 4096, 'x');
  pair.to_server.send(begun);
  pair.settle();
  pair.message(MessageType::kAbort, Buffer{0, 0, 0, 41});
  Buffer whole = {41, 0, 0, 0, 0, 0, 1, 8, 1, 0, 0, 0, 'y'};
  pair.to_server.send(whole);
  pair.settle();
  ASSERT_EQ(pair.all<AudioMessage>().size(), 1u);
  sent = pair.server.stats().bytes_sent;
  pair.message(MessageType::kWindowAckSize, Buffer{0, 0, 0, 1});
  for (int i = 0; i < 10; ++i) pair.client.send_video(0, body(10'000, 1), pair.client_out);
  pair.settle();
  std::uint64_t acks = (pair.server.stats().bytes_sent - sent) / 8;
  EXPECT_GE(acks, 4u);
  EXPECT_LE(acks, 100'000u / kAckWindowBytesMin + 1);
}

TEST(Connection, unpacks_aggregates) {
  Pair pair(usual());
  pair.publish();
  ByteWriter tags;
  for (std::uint8_t i = 0; i < 3; ++i) {
    tags.u8(i == 1 ? 8 : 9);
    tags.u24(2);
    tags.u24(1000 + 10 * i);
    tags.u8(0);
    tags.u24(0);
    tags.u16(0x1700 + i);
    tags.u32(13);
  }
  ByteWriter bytes;
  pair.raw.write(50, MessageType::kAggregate, 5000, 1, tags.view(), bytes);
  pair.to_server.send(bytes.view());
  pair.settle();
  ASSERT_EQ(pair.all<VideoMessage>().size(), 2u);
  ASSERT_EQ(pair.all<AudioMessage>().size(), 1u);
  EXPECT_EQ(pair.all<VideoMessage>()[0].timestamp_ms, 5000u);
  EXPECT_EQ(pair.all<AudioMessage>()[0].timestamp_ms, 5010u);
  EXPECT_EQ(pair.all<VideoMessage>()[1].timestamp_ms, 5020u);
}

TEST(Connection, counts_but_survives_what_it_does_not_know) {
  Pair pair(usual());
  pair.publish();
  pair.message(static_cast<MessageType>(99), Buffer{1, 2, 3});
  pair.message(MessageType::kAmf0Data, Buffer{0xff});
  pair.message(MessageType::kAmf0SharedObject, Buffer{0xff});
  EXPECT_EQ(pair.server.stats().dropped_messages, 3u);
  pair.command("noSuchThing", 0, {});
  EXPECT_TRUE(pair.server.is_publishing());
}

// --- every refusal -------------------------------------------------------------------------------

TEST(ConnectionRefuses, noise) {
  Pair pair(usual());
  Connection server({}, Rng(1), pair.time.now());
  Outputs out;
  auto handled = server.handle_bytes(pair.time.now(), as_bytes("GET / HTTP/1.1\r\n"), out);
  ASSERT_FALSE(handled);
  EXPECT_EQ(handled.error(), Refusal::kBadVersion);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(std::get<Closed>(*out.begin()).refusal, Refusal::kBadVersion);
  EXPECT_TRUE(server.is_closed());
  EXPECT_EQ(server.stats().refusals[static_cast<int>(Refusal::kBadVersion)], 1u);
  // Afterwards nothing happens any more.
  EXPECT_TRUE(server.handle_bytes(pair.time.now(), as_bytes("more"), out));
  EXPECT_EQ(out.size(), 1u);
}

TEST(ConnectionRefuses, chunk_sizes_of_nothing_and_of_too_much) {
  for (Buffer size : {Buffer{0, 0, 0, 0}, Buffer{0x80, 0, 0, 0}}) {
    Pair pair(usual());
    pair.publish();
    pair.message(MessageType::kSetChunkSize, size);
    EXPECT_EQ(pair.refusal(), Refusal::kBadChunkSize);
  }
}

TEST(ConnectionRefuses, control_messages_that_are_too_short) {
  for (auto type : {MessageType::kSetChunkSize, MessageType::kAbort, MessageType::kWindowAckSize,
                    MessageType::kUserControl}) {
    Pair pair(usual());
    pair.publish();
    pair.message(type, Buffer{1});
    EXPECT_EQ(pair.refusal(), Refusal::kBadControlMessage);
  }
  Pair pair(usual());
  pair.publish();
  pair.message(MessageType::kSetPeerBandwidth, Buffer{0, 0, 0, 1});
  EXPECT_EQ(pair.refusal(), Refusal::kBadControlMessage);
}

TEST(ConnectionRefuses, broken_deep_and_huge_amf_in_a_command) {
  Buffer deep;
  for (int i = 0; i < 20; ++i) deep.insert(deep.end(), {10, 0, 0, 0, 1});
  struct Case {
    Buffer bytes;
    Refusal refusal;
  } cases[] = {{{2, 0, 9, 'x'}, Refusal::kBadAmf},
               {deep, Refusal::kAmfTooDeep},
               {Buffer(5000, 5), Refusal::kAmfTooLarge},
               {{5}, Refusal::kBadCommand},
               {Buffer(kCommandBytesMax + 1, 5), Refusal::kMessageTooLarge}};
  for (auto& [bytes, refusal] : cases) {
    Pair pair(usual());
    pair.publish();
    pair.message(MessageType::kAmf0Command, bytes);
    EXPECT_EQ(pair.refusal(), refusal);
  }
}

TEST(ConnectionRefuses, broken_chunk_streams) {
  Pair short_header(usual());
  short_header.publish();
  short_header.to_server.send(Buffer{0xc9});
  short_header.settle();
  EXPECT_EQ(short_header.refusal(), Refusal::kNoPreviousHeader);

  Pair nested(usual());
  nested.publish();
  Buffer begun = {41, 0, 0, 0, 0, 0x20, 0, 8, 1, 0, 0, 0};
  begun.insert(begun.end(), 4096, 'x');
  begun.insert(begun.end(), {41, 0, 0, 0, 0, 0x20, 0, 8, 1, 0, 0, 0});
  nested.to_server.send(begun);
  nested.settle();
  EXPECT_EQ(nested.refusal(), Refusal::kUnexpectedHeader);

  Config config;
  config.chunks.chunk_streams_max = 8;
  Pair many(usual(), config);
  many.publish();
  for (std::uint32_t id = 10; id < 20; ++id) many.message(MessageType::kAudio, Buffer{1}, id);
  EXPECT_EQ(many.refusal(), Refusal::kTooManyChunkStreams);

  config.chunks.partial_bytes_max = 8000;
  Pair partial(usual(), config);
  partial.publish();
  partial.client.send_video(0, body(9000, 1), partial.client_out);
  partial.settle();
  EXPECT_EQ(partial.refusal(), Refusal::kTooManyPartialBytes);
}

TEST(ConnectionRefuses, commands_out_of_order) {
  Pair twice(usual());
  twice.publish();
  twice.command("connect", 1, {AmfValue::object({{"app", AmfValue::string("live")}})});
  EXPECT_EQ(twice.refusal(), Refusal::kUnexpectedCommand);

  Pair again(usual());
  again.publish();
  again.command("publish", 5, {AmfValue::null(), AmfValue::string("other")});
  EXPECT_EQ(again.refusal(), Refusal::kUnexpectedCommand);
}

TEST(ConnectionRefuses, names_that_are_missing_or_too_long) {
  for (AmfValue name : {AmfValue{}, AmfValue::string(""), AmfValue::string(std::string(2000, 'x')),
                        AmfValue::string("a\nb"), AmfValue::of_number(4)}) {
    Pair pair(usual());
    pair.publish();
    pair.client.unpublish(pair.client_out);
    pair.settle();
    pair.command("publish", 5, {AmfValue::null(), name});
    EXPECT_EQ(pair.refusal(), Refusal::kBadCommand);
  }
  auto config = usual();
  config.app = std::string(2000, 'a');
  Pair pair(config);
  pair.settle();
  EXPECT_EQ(pair.refusal(), Refusal::kBadCommand);
}

TEST(ConnectionRefuses, a_flood_of_commands) {
  Pair pair(usual());
  pair.publish();
  for (int i = 0; i < kCommandsPerMinuteMax; ++i) {
    pair.client.send_command("_checkbw", 20, {AmfValue::null()}, 0, pair.client_out);
  }
  pair.settle();
  EXPECT_EQ(pair.refusal(), Refusal::kTooManyCommands);

  Pair streams(usual());
  streams.publish();
  for (int i = 0; i < kMessageStreamsMax; ++i) {
    streams.client.send_command("createStream", 30, {AmfValue::null()}, 0, streams.client_out);
  }
  streams.settle();
  EXPECT_EQ(streams.refusal(), Refusal::kTooManyCommands);
}

TEST(ConnectionRefuses, to_play_and_says_so) {
  Pair pair(usual());
  pair.publish();
  pair.client.unpublish(pair.client_out);
  pair.command("play", 5, {AmfValue::null(), AmfValue::string("key")});
  EXPECT_EQ(pair.refusal(), Refusal::kPlayRefused);
  auto* closed = std::get_if<ClientClosed>(&pair.client_events.back());
  ASSERT_TRUE(closed);
  EXPECT_EQ(closed->code, "NetStream.Play.Failed");
}

TEST(ConnectionRefuses, media_without_publish) {
  Pair pair(usual());
  pair.publish();
  pair.client.unpublish(pair.client_out);
  pair.settle();
  pair.message(MessageType::kVideo, Buffer{1});
  EXPECT_EQ(pair.refusal(), Refusal::kMediaBeforePublish);
}

TEST(ConnectionRefuses, aggregates_that_do_not_add_up) {
  for (Buffer bytes : {Buffer{9, 0, 0, 9, 1}, Buffer{7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}) {
    Pair pair(usual());
    pair.publish();
    pair.message(MessageType::kAggregate, bytes);
    EXPECT_EQ(pair.refusal(), Refusal::kBadAggregate);
  }
}

TEST(ConnectionRefuses, too_much_before_the_decision) {
  Pair pair(usual());
  pair.settle();
  pair.to_server.send(Buffer(kHeldBytesMax + 1, 0));
  pair.settle();
  EXPECT_EQ(pair.refusal(), Refusal::kTooMuchBeforeAccept);
}

// One byte a second forever: each phase has its end.
TEST(ConnectionRefuses, a_slow_peer_in_every_phase) {
  auto drip = [](Pair& pair, Bytes bytes) {
    Timestamp start = pair.time.now();
    for (std::uint8_t byte : bytes) {
      if (pair.server.is_closed()) break;
      pair.time.advance(Duration::seconds(1));
      if (pair.time.now() >= pair.server.next_deadline()) {
        pair.server.handle_deadline(pair.time.now(), pair.server_out);
      }
      (void)pair.server.handle_bytes(pair.time.now(), Bytes(&byte, 1), pair.server_out);
      pair.collect();
    }
    return pair.time.now() - start;
  };
  Buffer zeros(100, 0);
  Deadlines deadlines;

  Pair handshake(usual());
  EXPECT_EQ(drip(handshake, Buffer(100, 3)), deadlines.handshake);
  EXPECT_EQ(handshake.refusal(), Refusal::kHandshakeTimeout);

  // Through the handshake and no further: C2 is what the client sends second, with connect behind it.
  Pair connect(usual());
  connect.server = Connection({}, Rng(1), connect.time.now());
  Buffer opening(1 + 2 * kHandshakeBytes, 0);
  opening[0] = kVersion;
  (void)connect.server.handle_bytes(connect.time.now(), opening, connect.server_out);
  EXPECT_EQ(drip(connect, Buffer{3}), Duration::seconds(1));
  EXPECT_EQ(drip(connect, zeros), deadlines.connect - Duration::seconds(1));
  EXPECT_EQ(connect.refusal(), Refusal::kConnectTimeout);

  Pair publish(usual());
  publish.publish();
  publish.client.unpublish(publish.client_out);
  publish.settle();
  Buffer slow = {41, 0, 0, 0, 0, 0x20, 0, 20, 0, 0, 0, 0};
  slow.insert(slow.end(), 100, 'x');
  drip(publish, slow);
  EXPECT_EQ(publish.refusal(), Refusal::kPublishTimeout);

  Pair decision(usual());
  decision.settle();
  drip(decision, zeros);
  EXPECT_EQ(decision.refusal(), Refusal::kDecisionTimeout);

  Pair idle(usual());
  idle.publish();
  slow[7] = 9;
  Duration lasted = drip(idle, slow);
  EXPECT_EQ(idle.refusal(), Refusal::kIdleTimeout);
  EXPECT_LE(lasted, deadlines.idle + Duration::seconds(1));
}

TEST(Connection, lives_through_one_huge_message_on_a_slow_line) {
  Pair pair(usual());
  pair.publish();
  Buffer header = {41, 0, 0, 0, 0x03, 0xd0, 0x90, 9, 1, 0, 0, 0};  // 250,000 bytes at 10 kB/s.
  (void)pair.server.handle_bytes(pair.time.now(), Buffer{2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 1 << 4, 0, 0},
                                 pair.server_out);
  (void)pair.server.handle_bytes(pair.time.now(), header, pair.server_out);
  for (int second = 0; second < 25; ++second) {
    pair.time.advance(Duration::seconds(1));
    if (pair.time.now() >= pair.server.next_deadline()) {
      pair.server.handle_deadline(pair.time.now(), pair.server_out);
    }
    (void)pair.server.handle_bytes(pair.time.now(), Buffer(10'000, 'x'), pair.server_out);
  }
  pair.collect();
  EXPECT_EQ(pair.refusal(), std::nullopt);
  EXPECT_EQ(pair.all<VideoMessage>().size(), 1u);
}

TEST(Stats, tell_every_refusal_by_name) {
  Stats stats;
  stats.refusals[static_cast<int>(Refusal::kPlayRefused)] = 3;
  Stats sum;
  sum.add(stats);
  sum.add(stats);
  MetricSamples samples;
  sum.append_samples(samples);
  int found = 0;
  for (auto& sample : samples) {
    for (auto& [label, value] : sample.labels) {
      if (value == "play_refused") found = static_cast<int>(sample.value);
      EXPECT_NE(value, "unknown");
    }
  }
  EXPECT_EQ(found, 6);
}

}  // namespace
}  // namespace stoa::rtmp
