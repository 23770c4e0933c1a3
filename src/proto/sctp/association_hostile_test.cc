// One association against a peer that sends whatever it likes.
#include <gtest/gtest.h>

#include "proto/sctp/test_peers.h"

namespace stoa::sctp {
namespace {

constexpr std::uint32_t kOurTsn = 1000;

struct Hostile {
  explicit Hostile(const Config& config = {},
                   const Capabilities& ours = {.forward_tsn = true, .stream_reset = true})
      : victim(config, 3), capabilities(ours) {}

  Result<void, Refusal> packet(std::uint32_t to_tag, Bytes chunks) {
    ByteWriter out;
    write_packet_header(kPort, kPort, to_tag, out);
    out.bytes(chunks);
    Buffer bytes = out.take();
    seal_packet(bytes, Checksum::kCrc32c);
    return raw(bytes);
  }
  Result<void, Refusal> raw(Bytes bytes) {
    auto outcome = victim.association.handle_packet(now, bytes, victim.out);
    collect();
    return outcome;
  }
  void collect() {
    for (Output& output : victim.out.take()) {
      if (auto* send = std::get_if<SendPacket>(&output)) {
        victim.sent.push_back(std::move(send->packet));
      } else {
        victim.events.push_back(std::move(output));
      }
    }
  }
  Result<void, Refusal> init(std::uint32_t our_tag) {
    Init init{.tag = our_tag,
              .window = 1u << 20,
              .outbound_streams = 100,
              .inbound_streams = 100,
              .tsn = kOurTsn,
              .capabilities = capabilities};
    ByteWriter chunk;
    write_init(ChunkType::kInit, init, chunk);
    return packet(0, chunk.view());
  }
  // The cookie of the last packet, which is an INIT ACK; learns the victim's tag.
  Buffer cookie() {
    auto reader = PacketReader::parse(victim.sent.back(), Checksum::kCrc32c);
    auto chunk = reader->next();
    auto parsed = parse_init((*chunk)->value);
    tag = parsed->tag;
    victim_tsn = parsed->tsn;
    return Buffer(parsed->cookie.begin(), parsed->cookie.end());
  }
  Result<void, Refusal> echo(const Buffer& cookie) {
    ByteWriter chunk;
    write_plain(ChunkType::kCookieEcho, 0, cookie, chunk);
    return packet(tag, chunk.view());
  }
  void connect() {
    ASSERT_TRUE(init(77));
    ASSERT_TRUE(echo(cookie()));
    ASSERT_TRUE(victim.association.is_connected());
  }
  Result<void, Refusal> data(std::uint32_t tsn, DataChunk chunk, std::size_t size = 10,
                             ChunkType type = ChunkType::kData) {
    Buffer payload(size, 1);
    chunk.tsn = tsn;
    chunk.payload = payload;
    ByteWriter out;
    write_data(type, chunk, out);
    return packet(tag, out.view());
  }
  Result<void, Refusal> plain(ChunkType type, std::uint8_t flags = 0, Bytes value = {}) {
    ByteWriter chunk;
    write_plain(type, flags, value, chunk);
    return packet(tag, chunk.view());
  }
  Result<void, Refusal> sack(std::uint32_t cumulative, std::vector<GapBlock> gaps,
                             std::uint32_t window = 1u << 20) {
    ByteWriter out;
    write_sack({.cumulative_tsn = cumulative, .window = window, .gaps = std::move(gaps)}, out);
    return packet(tag, out.view());
  }
  void make_send(std::size_t size) {
    EXPECT_TRUE(
        victim.association.send(now, {.stream = 1, .payload = SharedBytes(Buffer(size, 1))}, victim.out));
    collect();
  }
  std::uint64_t refused(Refusal refusal) const {
    return victim.association.stats().refusals[static_cast<int>(refusal)];
  }
  void wait(Duration duration) {
    Timestamp end = now + duration;
    while (victim.association.next_deadline() <= end) {
      now = std::max(now, victim.association.next_deadline());
      victim.association.handle_deadline(now, victim.out);
      collect();
    }
    now = end;
  }
  std::vector<ChunkType> last_chunks() const { return chunks_of(victim.sent.back()); }
  Refusal closed_for() const {
    const auto* closed = victim.find<Closed>();
    return closed && closed->refusal ? *closed->refusal : Refusal::kTruncatedPacket;
  }

  Timestamp now = Timestamp() + Duration::seconds(100);
  Peer victim;
  Capabilities capabilities;
  std::uint32_t tag = 0, victim_tsn = 0;
};

constexpr DataChunk kWhole{.stream = 1, .is_begin = true, .is_end = true};

TEST(HostilePeer, costs_no_state_with_inits) {
  Hostile peer;
  for (std::uint32_t i = 1; i <= 100; ++i) ASSERT_TRUE(peer.init(i));
  EXPECT_TRUE(peer.victim.association.is_idle());
  EXPECT_EQ(peer.victim.association.next_deadline(), Timestamp::never());
  Buffer cookie = peer.cookie();
  Buffer forged = cookie;
  forged[9] ^= 1;
  EXPECT_EQ(peer.echo(forged).error(), Refusal::kBadCookie);
  EXPECT_TRUE(peer.victim.association.is_idle());
  EXPECT_TRUE(peer.echo(cookie));
  EXPECT_TRUE(peer.victim.association.is_connected());
  EXPECT_TRUE(peer.echo(cookie));  // Again: our COOKIE ACK may have been lost.
  EXPECT_EQ(peer.last_chunks()[0], ChunkType::kCookieAck);
  EXPECT_EQ(peer.victim.count<Connected>(), 1u);
}

TEST(HostilePeer, gets_an_error_for_a_stale_cookie) {
  Hostile peer;
  ASSERT_TRUE(peer.init(5));
  Buffer cookie = peer.cookie();
  peer.now += Duration::seconds(61);
  EXPECT_EQ(peer.echo(cookie).error(), Refusal::kStaleCookie);
  EXPECT_EQ(peer.last_chunks()[0], ChunkType::kError);
  EXPECT_TRUE(peer.victim.association.is_idle());
}

TEST(HostilePeer, is_refused_with_wrong_tags_ports_and_bundles) {
  Hostile peer;
  EXPECT_EQ(peer.plain(ChunkType::kCookieAck).error(), Refusal::kUnexpectedChunk);
  peer.connect();
  ByteWriter chunk;
  write_plain(ChunkType::kHeartbeat, 0, Buffer{0, 1, 0, 4}, chunk);
  EXPECT_EQ(peer.packet(peer.tag + 1, chunk.view()).error(), Refusal::kBadVerificationTag);
  ByteWriter abort;
  write_plain(ChunkType::kAbort, 0, {}, abort);
  EXPECT_EQ(peer.packet(77, abort.view()).error(), Refusal::kBadVerificationTag);
  EXPECT_TRUE(peer.victim.association.is_connected());
  ByteWriter bundled;
  write_plain(ChunkType::kCookieAck, 0, {}, bundled);
  write_plain(ChunkType::kShutdownComplete, 0, {}, bundled);
  EXPECT_EQ(peer.packet(peer.tag, bundled.view()).error(), Refusal::kBadBundling);
  ByteWriter other_port;
  write_packet_header(1, kPort, peer.tag, other_port);
  other_port.bytes(chunk.view());
  Buffer bytes = other_port.take();
  seal_packet(bytes, Checksum::kCrc32c);
  EXPECT_EQ(peer.raw(bytes).error(), Refusal::kBadPort);
  EXPECT_EQ(peer.packet(77, Buffer{6, 1, 0, 4}).error(), Refusal::kPeerAborted);  // With the T bit.
  EXPECT_TRUE(peer.victim.association.is_closed());
}

TEST(HostilePeer, hears_why_its_init_is_bad) {
  Hostile peer;
  ByteWriter chunk;
  write_init(ChunkType::kInit, {.tag = 9, .window = 1, .outbound_streams = 0, .inbound_streams = 1}, chunk);
  EXPECT_EQ(peer.packet(0, chunk.view()).error(), Refusal::kBadInit);
  ASSERT_EQ(peer.victim.sent.size(), 1u);
  EXPECT_EQ(peer.last_chunks()[0], ChunkType::kAbort);
  EXPECT_EQ(ByteReader(Bytes(peer.victim.sent[0]).subspan(4)).u32(), 9u);
}

TEST(HostilePeer, ends_the_association_with_data_of_the_wrong_kind_or_without_bytes) {
  {
    Hostile peer;
    peer.connect();
    EXPECT_EQ(peer.data(kOurTsn, kWhole, 10, ChunkType::kIData).error(), Refusal::kBadData);
    EXPECT_EQ(peer.closed_for(), Refusal::kBadData);
    EXPECT_EQ(peer.last_chunks()[0], ChunkType::kAbort);
    std::size_t sent = peer.victim.sent.size();
    EXPECT_FALSE(peer.data(kOurTsn, kWhole));
    EXPECT_EQ(peer.victim.sent.size(), sent);
  }
  Hostile peer;
  peer.connect();
  EXPECT_EQ(peer.data(kOurTsn, kWhole, 0).error(), Refusal::kBadData);
  EXPECT_TRUE(peer.victim.association.is_closed());
}

TEST(HostilePeer, hears_of_streams_that_are_not_there) {
  Hostile peer;
  peer.connect();
  DataChunk chunk = kWhole;
  chunk.stream = 100;
  EXPECT_EQ(peer.data(kOurTsn, chunk).error(), Refusal::kBadStream);
  EXPECT_TRUE(peer.victim.association.is_connected());
  EXPECT_EQ(peer.last_chunks(), (std::vector{ChunkType::kError, ChunkType::kSack}));
  EXPECT_EQ(peer.victim.count<ReceivedMessage>(), 0u);
}

TEST(HostilePeer, cannot_contradict_itself_in_fragments) {
  Hostile peer;
  peer.connect();
  DataChunk begin{.stream = 1, .is_begin = true};
  ASSERT_TRUE(peer.data(kOurTsn, begin));
  EXPECT_EQ(peer.data(kOurTsn + 1, begin).error(), Refusal::kBadFragments);
  EXPECT_EQ(peer.closed_for(), Refusal::kBadFragments);
}

TEST(HostilePeer, cannot_send_a_message_over_the_limit) {
  for (bool is_unordered : {false, true}) {
    Config config;
    config.limits.message_bytes_max = 1000;
    Hostile peer(config);
    peer.connect();
    DataChunk chunk{.stream = 1, .is_unordered = is_unordered, .is_begin = true};
    ASSERT_TRUE(peer.data(kOurTsn, chunk, 600));
    chunk.is_begin = false;
    EXPECT_EQ(peer.data(kOurTsn + 1, chunk, 600).error(), Refusal::kMessageTooLarge);
    EXPECT_EQ(peer.closed_for(), Refusal::kMessageTooLarge);
  }
}

TEST(HostilePeer, fills_the_window_and_no_more) {
  Config config;
  config.limits.reassembly_bytes_max = 100'000;
  Hostile peer(config);
  peer.connect();
  std::uint32_t tsn = kOurTsn + 1;  // The first never comes.
  Result<void, Refusal> last;
  for (int i = 0; i < 500 && last; ++i) {
    DataChunk chunk{
        .stream = 1, .message_number = static_cast<std::uint32_t>(i + 1), .is_begin = true, .is_end = true};
    last = peer.data(tsn++, chunk, 1000);
  }
  EXPECT_EQ(last.error(), Refusal::kWindowFull);
  EXPECT_LE(peer.victim.association.held_bytes(), 100'000u);
  EXPECT_GT(peer.victim.association.memory_bytes(), peer.victim.association.held_bytes());
  EXPECT_TRUE(peer.victim.association.is_connected());
  // What is missing is taken all the same, and frees everything.
  EXPECT_TRUE(peer.data(kOurTsn, kWhole, 1000));
  EXPECT_EQ(peer.victim.association.held_bytes(), 0u);
  EXPECT_GT(peer.victim.count<ReceivedMessage>(), 75u);
}

TEST(HostilePeer, cannot_fill_memory_in_sequence_either) {
  Config config;
  config.limits.reassembly_bytes_max = 100'000;
  Hostile peer(config);
  peer.connect();
  // Ordered messages behind one that is never sent, all in sequence.
  Result<void, Refusal> last;
  std::uint32_t i = 0;
  for (; i < 2000 && last; ++i) {
    DataChunk chunk{.stream = 1, .message_number = i + 1, .is_begin = true, .is_end = true};
    last = peer.data(kOurTsn + i, chunk, 1000);
  }
  EXPECT_EQ(last.error(), Refusal::kReassemblyFull);
  EXPECT_EQ(peer.closed_for(), Refusal::kReassemblyFull);
}

TEST(HostilePeer, cannot_open_state_on_streams_without_end) {
  Config config;
  config.limits.streams_max = 8;
  Hostile peer(config);
  peer.connect();
  for (std::uint32_t i = 0; i < 8; ++i) {
    DataChunk chunk = kWhole;
    chunk.stream = static_cast<StreamId>(i);
    ASSERT_TRUE(peer.data(kOurTsn + i, chunk));
  }
  DataChunk chunk = kWhole;
  chunk.stream = 8;
  EXPECT_EQ(peer.data(kOurTsn + 8, chunk).error(), Refusal::kTooManyStreams);
}

TEST(HostilePeer, is_dropped_far_ahead) {
  Hostile peer;
  peer.connect();
  EXPECT_EQ(peer.data(kOurTsn + 65'535, kWhole).error(), Refusal::kTooFarAhead);
  EXPECT_EQ(peer.last_chunks()[0], ChunkType::kSack);
  for (std::uint32_t i = 1; i <= kGapRangesMax; ++i) {
    DataChunk chunk = kWhole;
    chunk.is_unordered = true;
    ASSERT_TRUE(peer.data(kOurTsn + 2 * i, chunk));
  }
  DataChunk chunk = kWhole;
  chunk.is_unordered = true;
  EXPECT_EQ(peer.data(kOurTsn + 2 * kGapRangesMax + 2, chunk).error(), Refusal::kTooFarAhead);
  EXPECT_LE(peer.victim.sent.back().size(), kPacketBytesDefault);
}

TEST(HostilePeer, cannot_acknowledge_what_was_not_sent) {
  Hostile peer;
  peer.connect();
  for (const Sack& sack : {Sack{.cumulative_tsn = peer.victim_tsn + 5, .window = 1000},
                           Sack{.cumulative_tsn = peer.victim_tsn - 1, .window = 1000, .gaps = {{2, 3}}}}) {
    ByteWriter out;
    write_sack(sack, out);
    EXPECT_EQ(peer.packet(peer.tag, out.view()).error(), Refusal::kBadSack);
  }
  EXPECT_TRUE(peer.victim.association.is_connected());
}

TEST(HostilePeer, that_closes_its_window_is_probed_and_not_given_up) {
  Hostile peer;
  peer.connect();
  ASSERT_TRUE(
      peer.victim.association.send(peer.now, {.stream = 1, .payload = numbered(1, 3000)}, peer.victim.out));
  peer.collect();
  Sack sack{.cumulative_tsn = peer.victim_tsn - 1, .window = 0};
  ByteWriter out;
  write_sack(sack, out);
  for (int i = 0; i < 30; ++i) {
    std::size_t before = peer.victim.sent.size();
    peer.wait(Duration::seconds(11));
    EXPECT_GT(peer.victim.sent.size(), before);
    ASSERT_TRUE(peer.packet(peer.tag, out.view()));
  }
  EXPECT_TRUE(peer.victim.association.is_connected());
}

TEST(HostilePeer, that_reneges_gets_the_chunk_again) {
  Hostile peer;
  peer.connect();
  for (std::uint32_t i = 0; i < 3; ++i)
    ASSERT_TRUE(
        peer.victim.association.send(peer.now, {.stream = 1, .payload = numbered(i, 1000)}, peer.victim.out));
  peer.collect();
  auto sack = [&](std::uint32_t cumulative, std::vector<GapBlock> gaps) {
    ByteWriter out;
    write_sack({.cumulative_tsn = cumulative, .window = 1u << 20, .gaps = std::move(gaps)}, out);
    ASSERT_TRUE(peer.packet(peer.tag, out.view()));
  };
  sack(peer.victim_tsn - 1, {{2, 3}});
  EXPECT_LT(peer.victim.association.in_flight_bytes(), 1100u);
  sack(peer.victim_tsn - 1, {});
  EXPECT_GT(peer.victim.association.in_flight_bytes(), 3000u);
  peer.wait(Duration::seconds(2));
  EXPECT_GE(peer.victim.association.stats().chunks_retransmitted, 1u);
}

TEST(HostilePeer, is_heard_once_a_packet_however_many_sacks_it_bundles) {
  Hostile peer;
  peer.connect();
  for (std::uint32_t i = 0; i < 3; ++i) peer.make_send(1000);
  ByteWriter out;
  for (std::uint16_t last = 3; last < 53; ++last)
    write_sack({.cumulative_tsn = peer.victim_tsn - 1, .window = 1u << 20, .gaps = {{2, last}}}, out);
  EXPECT_EQ(peer.packet(peer.tag, out.view()).error(), Refusal::kExtraSack);
  EXPECT_LT(peer.victim.association.in_flight_bytes(), 1100u);  // The first counts.
  EXPECT_EQ(peer.refused(Refusal::kExtraSack), 49u);
  EXPECT_TRUE(peer.victim.association.is_connected());
  EXPECT_TRUE(peer.sack(peer.victim_tsn, {}));  // The next packet's is heard again.
  EXPECT_EQ(peer.refused(Refusal::kExtraSack), 49u);
}

TEST(HostilePeer, that_reneges_by_turns_is_given_up) {
  Hostile peer;
  peer.connect();
  for (std::uint32_t i = 0; i < 3; ++i) peer.make_send(1000);
  for (int i = 0; i < 200 && !peer.victim.association.is_closed(); ++i) {
    (void)peer.sack(peer.victim_tsn - 1, {{2, 3}});
    (void)peer.sack(peer.victim_tsn - 1, {});
    peer.wait(Duration::seconds(5));
  }
  EXPECT_EQ(peer.closed_for(), Refusal::kPeerUnreachable);
}

TEST(HostilePeer, that_never_fills_its_first_gap_is_kept_few_chunks) {
  Config config;
  config.limits.outstanding_chunks_max = 100;
  config.limits.send_buffer_bytes_max = 512u << 10;
  Hostile peer(config);
  peer.connect();
  for (int i = 0; i < 1000; ++i) peer.make_send(1);
  for (int i = 0; i < 1000; ++i) {
    auto sent = static_cast<std::uint16_t>(peer.victim.association.stats().chunks_sent);
    ASSERT_TRUE(peer.sack(peer.victim_tsn - 1, {{2, sent}}));
  }
  EXPECT_EQ(peer.victim.association.stats().chunks_sent, 100u);
  const Association& association = peer.victim.association;
  EXPECT_EQ(association.queued_bytes(), 900 * (kMessageOverheadBytes + 1));
  EXPECT_GE(association.memory_bytes(), association.queued_bytes() + 100 * (kChunkOverheadBytes + 1));
  EXPECT_LE(association.memory_bytes(), 300u << 10);
  ASSERT_TRUE(peer.sack(peer.victim_tsn + 99, {}));
  EXPECT_GT(association.stats().chunks_sent, 100u);
}

TEST(HostilePeer, cannot_make_us_keep_what_waits_once_it_has_ended_the_association) {
  Hostile peer;
  peer.connect();
  ASSERT_TRUE(peer.sack(peer.victim_tsn - 1, {}, 0));  // Its window is closed.
  for (int i = 0; i < 100; ++i) peer.make_send(1000);
  EXPECT_GT(peer.victim.association.memory_bytes(), 100'000u);
  (void)peer.plain(ChunkType::kAbort);
  EXPECT_EQ(peer.victim.association.memory_bytes(), 0u);
}

TEST(HostilePeer, is_told_of_unknown_chunks_that_ask_for_it) {
  struct Case {
    std::uint8_t type;
    bool is_reported, goes_on;
  };
  for (auto [type, is_reported, goes_on] :
       {Case{0x20, false, false}, Case{0x60, true, false}, Case{0xa0, false, true}, Case{0xe0, true, true}}) {
    Hostile peer;
    peer.connect();
    std::size_t before = peer.victim.sent.size();
    ByteWriter out;
    write_plain(static_cast<ChunkType>(type), 0, Buffer{1, 2}, out);
    write_plain(ChunkType::kHeartbeat, 0, Buffer{0, 1, 0, 4}, out);
    EXPECT_EQ(peer.packet(peer.tag, out.view()).has_value(), goes_on);
    std::vector<ChunkType> answers;
    if (peer.victim.sent.size() > before) answers = peer.last_chunks();
    std::vector<ChunkType> expected;
    if (is_reported) expected.push_back(ChunkType::kError);
    if (goes_on) expected.push_back(ChunkType::kHeartbeatAck);
    EXPECT_EQ(answers, expected);
  }
}

TEST(HostilePeer, calls_forth_few_answers_with_one_packet) {
  Hostile peer;
  peer.connect();
  std::size_t before = peer.victim.association.stats().bytes_sent;
  ByteWriter out;
  for (int i = 0; i < 1000; ++i) write_plain(ChunkType::kHeartbeat, 0, Buffer{0, 1, 0, 4}, out);
  EXPECT_TRUE(peer.packet(peer.tag, out.view()));
  EXPECT_LE(peer.victim.association.stats().bytes_sent - before, 12 + 8 * kRepliesPerPacketMax);
  EXPECT_EQ(peer.plain(ChunkType::kHeartbeat).error(), Refusal::kBadControlChunk);
  EXPECT_EQ(peer.plain(ChunkType::kShutdown).error(), Refusal::kBadControlChunk);
}

TEST(HostilePeer, skips_ahead_and_later_messages_follow) {
  Hostile peer;
  peer.connect();
  DataChunk begin{.stream = 1, .is_begin = true};
  ASSERT_TRUE(peer.data(kOurTsn, begin));
  DataChunk second = kWhole;
  second.message_number = 1;
  ASSERT_TRUE(peer.data(kOurTsn + 2, second));
  EXPECT_EQ(peer.victim.count<ReceivedMessage>(), 0u);
  ByteWriter out;
  write_forward_tsn(ChunkType::kForwardTsn, {.cumulative_tsn = kOurTsn + 1, .skipped = {{1, false, 0}}}, out);
  ASSERT_TRUE(peer.packet(peer.tag, out.view()));
  EXPECT_EQ(peer.victim.count<ReceivedMessage>(), 1u);
  EXPECT_EQ(peer.victim.association.held_bytes(), 0u);
  ByteWriter wrong;
  write_forward_tsn(ChunkType::kIForwardTsn, {.cumulative_tsn = kOurTsn + 9}, wrong);
  EXPECT_EQ(peer.packet(peer.tag, wrong.view()).error(), Refusal::kBadForwardTsn);
}

TEST(HostilePeer, gets_each_reset_request_answered_by_its_number) {
  Hostile peer;
  peer.connect();
  auto request = [&](const ReconfigParameter& parameter) {
    ByteWriter out;
    write_reconfig({&parameter, 1}, out);
    EXPECT_TRUE(peer.packet(peer.tag, out.view()));
  };
  auto answer = [&]() -> std::uint32_t {
    auto reader = PacketReader::parse(peer.victim.sent.back(), Checksum::kCrc32c);
    auto chunk = reader->next();
    auto parsed = parse_reconfig((*chunk)->value);
    return std::get<ResetResponse>(parsed->at(0)).result;
  };
  std::uint32_t number = kOurTsn;
  request(TsnReset{.request = number++});
  EXPECT_EQ(answer(), 2u);  // Denied.
  request(AddStreams{.request = number++, .count = 10, .is_outgoing = true});
  EXPECT_EQ(answer(), 1u);
  request(AddStreams{.request = number - 1, .count = 10, .is_outgoing = true});
  EXPECT_EQ(answer(), 1u);  // The same request again: the same answer, and not done twice.
  DataChunk chunk = kWhole;
  chunk.stream = 110;
  EXPECT_EQ(peer.data(kOurTsn, chunk).error(), Refusal::kBadStream);
  request(OutgoingReset{.request = number + 5, .last_tsn = kOurTsn, .streams = {1}});
  EXPECT_EQ(answer(), 5u);  // Out of line.
  request(OutgoingReset{.request = number++, .last_tsn = kOurTsn, .streams = {60'000}});
  EXPECT_EQ(answer(), 3u);  // No such stream.
  std::size_t before = peer.victim.sent.size();
  request(OutgoingReset{.request = number, .last_tsn = kOurTsn + 1, .streams = {1}});
  EXPECT_EQ(peer.victim.sent.size(), before);  // It waits for TSN kOurTsn + 1.
  request(OutgoingReset{.request = number, .last_tsn = kOurTsn + 1, .streams = {1}});
  EXPECT_EQ(answer(), 6u);
  request(OutgoingReset{.request = number + 1, .last_tsn = kOurTsn + 1, .streams = {2}});
  EXPECT_EQ(answer(), 4u);
  EXPECT_EQ(peer.victim.count<StreamsReset>(), 0u);
  ASSERT_TRUE(peer.data(kOurTsn + 1, kWhole));
  EXPECT_EQ(answer(), 1u);
  EXPECT_EQ(peer.victim.find<StreamsReset>()->streams, std::vector<StreamId>{1});
  EXPECT_FALSE(peer.packet(peer.tag, Buffer{0x82, 0, 0, 4}));
}

TEST(HostilePeer, may_ask_us_to_reset_our_direction) {
  Hostile peer;
  peer.connect();
  ReconfigParameter ask = IncomingReset{.request = kOurTsn, .streams = {4}};
  ByteWriter first;
  write_reconfig({&ask, 1}, first);
  ASSERT_TRUE(peer.packet(peer.tag, first.view()));  // Nothing was sent on it: nothing to do.
  ASSERT_TRUE(
      peer.victim.association.send(peer.now, {.stream = 4, .payload = numbered(1, 10)}, peer.victim.out));
  peer.collect();
  ask = IncomingReset{.request = kOurTsn + 1, .streams = {4}};
  ByteWriter second;
  write_reconfig({&ask, 1}, second);
  ASSERT_TRUE(peer.packet(peer.tag, second.view()));
  auto reader = PacketReader::parse(peer.victim.sent.back(), Checksum::kCrc32c);
  auto chunk = reader->next();
  auto parsed = parse_reconfig((*chunk)->value);
  ASSERT_TRUE(parsed.has_value());
  const auto& reset = std::get<OutgoingReset>(parsed->at(0));
  EXPECT_EQ(reset.response, kOurTsn + 1);
  EXPECT_EQ(reset.streams, std::vector<StreamId>{4});
  ReconfigParameter denied = ResetResponse{.response = reset.request, .result = 2};
  ByteWriter answer;
  write_reconfig({&denied, 1}, answer);
  ASSERT_TRUE(peer.packet(peer.tag, answer.view()));
  ASSERT_EQ(peer.victim.count<ResetFinished>(), 1u);
  EXPECT_FALSE(peer.victim.find<ResetFinished>()->is_performed);
}

TEST(HostilePeer, that_never_ends_its_shutdown_is_aborted) {
  Hostile peer;
  peer.connect();
  ASSERT_TRUE(
      peer.victim.association.send(peer.now, {.stream = 1, .payload = numbered(1, 10)}, peer.victim.out));
  peer.victim.association.shutdown(peer.now, peer.victim.out);
  peer.collect();
  Sack sack{.cumulative_tsn = peer.victim_tsn - 1, .window = 0};
  ByteWriter out;
  write_sack(sack, out);
  for (int i = 0; i < 10 && !peer.victim.association.is_closed(); ++i) {
    (void)peer.packet(peer.tag, out.view());
    peer.wait(Duration::seconds(8));
  }
  EXPECT_EQ(peer.closed_for(), Refusal::kShutdownTimeout);
}

TEST(HostilePeer, that_waits_for_the_end_of_a_shutdown_long_over_hears_of_it) {
  Hostile peer;
  peer.tag = 1234;
  EXPECT_TRUE(peer.plain(ChunkType::kShutdownAck));
  ASSERT_EQ(peer.victim.sent.size(), 1u);
  EXPECT_EQ(peer.last_chunks()[0], ChunkType::kShutdownComplete);
  EXPECT_EQ(ByteReader(Bytes(peer.victim.sent[0]).subspan(4)).u32(), 1234u);
}

}  // namespace
}  // namespace stoa::sctp
