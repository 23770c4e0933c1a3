#include "proto/sctp/chunk.h"

#include <gtest/gtest.h>

#include "proto/sctp/cookie.h"
#include "proto/sctp/limits.h"
#include "proto/sctp/stats.h"

namespace stoa::sctp {
namespace {

// The one chunk in `writer`.
RawChunk only_chunk(const ByteWriter& writer, Buffer& packet) {
  ByteWriter whole;
  write_packet_header(5000, 5000, 7, whole);
  whole.bytes(writer.view());
  packet = whole.take();
  seal_packet(packet, Checksum::kCrc32c);
  auto reader = PacketReader::parse(packet, Checksum::kCrc32c);
  EXPECT_TRUE(reader.has_value());
  auto chunk = reader->next();
  EXPECT_TRUE(chunk.has_value() && chunk->has_value());
  EXPECT_TRUE(reader->at_end());
  return **chunk;
}

Buffer hex(std::string_view text) {
  Buffer bytes;
  int high = -1;
  for (char c : text) {
    int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) continue;
    if (high < 0) {
      high = digit;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return bytes;
}

TEST(Packet, is_refused_when_short_or_with_a_wrong_checksum) {
  Buffer packet = hex("1388 1388 00000007 00000000 0b000004");
  EXPECT_EQ(PacketReader::parse(Bytes(packet).first(15), Checksum::kZero).error(), Refusal::kTruncatedPacket);
  EXPECT_EQ(PacketReader::parse(packet, Checksum::kCrc32c).error(), Refusal::kBadChecksum);
  EXPECT_TRUE(PacketReader::parse(packet, Checksum::kZero).has_value());
  seal_packet(packet, Checksum::kCrc32c);
  EXPECT_TRUE(PacketReader::parse(packet, Checksum::kCrc32c).has_value());
  packet[11] ^= 1;
  EXPECT_EQ(PacketReader::parse(packet, Checksum::kZero).error(), Refusal::kBadChecksum);
}

TEST(Packet, checksum_stands_little_endian) {
  Buffer packet = hex("1388 1388 00000000 00000000 0b000004");
  seal_packet(packet, Checksum::kCrc32c);
  ByteReader field(Bytes(packet).subspan(8, 4));
  // Bit by bit, with the field zero.
  std::uint32_t crc = 0xffff'ffff;
  Buffer zeroed = packet;
  std::fill(zeroed.begin() + 8, zeroed.begin() + 12, std::uint8_t{0});
  for (std::uint8_t byte : zeroed) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  EXPECT_EQ(field.u32_little_endian(), ~crc);
}

TEST(Packet, refuses_chunks_that_reach_past_it) {
  for (const char* chunk : {"0b000005", "0b000003", "0b00ffff", "0b000004 0b00", "00000000"}) {
    Buffer packet = hex("1388 1388 00000007 00000000");
    Buffer tail = hex(chunk);
    packet.insert(packet.end(), tail.begin(), tail.end());
    auto reader = PacketReader::parse(packet, Checksum::kZero);
    ASSERT_TRUE(reader.has_value());
    auto next = reader->next();
    if (next) next = reader->next();
    ASSERT_FALSE(next.has_value()) << chunk;
    EXPECT_EQ(next.error(), Refusal::kBadChunkLength);
  }
}

TEST(Packet, forgives_missing_padding_at_its_end) {
  Buffer packet = hex("1388 1388 00000007 00000000 0a000005 77");
  auto reader = PacketReader::parse(packet, Checksum::kZero);
  auto chunk = reader->next();
  ASSERT_TRUE(chunk.has_value() && chunk->has_value());
  EXPECT_EQ((*chunk)->value.size(), 1u);
  EXPECT_TRUE(reader->at_end());
}

TEST(Init, comes_back_as_it_was_written) {
  Buffer cookie(9, 5), unknown = hex("c0070004");
  Init init{.tag = 1,
            .window = 2,
            .outbound_streams = 3,
            .inbound_streams = 4,
            .tsn = 5,
            .capabilities = {.forward_tsn = true, .stream_reset = true, .zero_checksum = true},
            .cookie = cookie,
            .unrecognized = {unknown}};
  ByteWriter out;
  write_init(ChunkType::kInitAck, init, out);
  Buffer packet;
  auto parsed = parse_init(only_chunk(out, packet).value);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->tag, 1u);
  EXPECT_EQ(parsed->window, 2u);
  EXPECT_EQ(parsed->outbound_streams, 3);
  EXPECT_EQ(parsed->inbound_streams, 4);
  EXPECT_EQ(parsed->tsn, 5u);
  EXPECT_EQ(parsed->capabilities, init.capabilities);
  EXPECT_EQ(Buffer(parsed->cookie.begin(), parsed->cookie.end()), cookie);
}

// An INIT as Chromium sends it: FORWARD TSN supported, extensions RE-CONFIG, FORWARD TSN, I-DATA and
// I-FORWARD TSN, zero checksum by DTLS.
TEST(Init, of_a_browser_is_understood) {
  Buffer value =
      hex("6b8f0a21 00500000 ffff ffff 1d9e2c44"
          "8001 0008 00000001"
          "c000 0004"
          "8008 0008 82 c0 40 c2");
  auto init = parse_init(value);
  ASSERT_TRUE(init.has_value());
  EXPECT_EQ(init->tag, 0x6b8f0a21u);
  Capabilities all{.forward_tsn = true,
                   .i_forward_tsn = true,
                   .stream_reset = true,
                   .interleaving = true,
                   .zero_checksum = true};
  EXPECT_EQ(init->capabilities, all);
}

TEST(Init, without_tag_streams_or_whole_parameters_is_refused) {
  for (const char* value :
       {"00000000 00010000 0001 0001 00000001", "00000001 00010000 0000 0001 00000001",
        "00000001 00010000 0001 0000 00000001", "00000001 00010000 0001 0001 000000",
        "00000001 00010000 0001 0001 00000001 c000", "00000001 00010000 0001 0001 00000001 c0000003",
        "00000001 00010000 0001 0001 00000001 c0000008"})
    EXPECT_EQ(parse_init(hex(value)).error(), Refusal::kBadInit) << value;
}

TEST(Init, treats_unknown_parameters_as_their_top_bits_say) {
  const std::string fixed = "00000001 00010000 0001 0001 00000001";
  const std::string forward = "c0000004";
  struct Case {
    const char* parameter;
    bool is_reported, goes_on;
  };
  for (auto [parameter, is_reported, goes_on] :
       {Case{"3f000004", false, false}, Case{"7f000004", true, false}, Case{"bf000004", false, true},
        Case{"ff000004", true, true}}) {
    Buffer value = hex(fixed + parameter + forward);
    auto init = parse_init(value);
    ASSERT_TRUE(init.has_value());
    EXPECT_EQ(!init->unrecognized.empty(), is_reported) << parameter;
    EXPECT_EQ(init->capabilities.forward_tsn, goes_on) << parameter;
  }
  EXPECT_TRUE(parse_init(hex(fixed + "000b0008 61626300"))->has_host_name);
}

TEST(Data, comes_back_as_it_was_written_in_both_kinds) {
  Buffer payload = {1, 2, 3, 4, 5};
  for (ChunkType type : {ChunkType::kData, ChunkType::kIData})
    for (bool is_begin : {false, true}) {
      bool is_interleaved = type == ChunkType::kIData;
      DataChunk data{.tsn = 0xffff'ffff,
                     .stream = 65'534,
                     .message_number = is_interleaved ? 0x12345678u : 0x5678u,
                     .fragment = is_interleaved && !is_begin ? 9u : 0u,
                     .protocol = is_interleaved && !is_begin ? 0u : 51u,
                     .is_unordered = true,
                     .is_begin = is_begin,
                     .is_end = !is_begin,
                     .wants_sack_now = true,
                     .payload = payload};
      ByteWriter out;
      write_data(type, data, out);
      EXPECT_EQ(out.size(), padded((is_interleaved ? kIDataHeaderBytes : kDataHeaderBytes) + payload.size()));
      Buffer packet;
      auto parsed = parse_data(only_chunk(out, packet));
      ASSERT_TRUE(parsed.has_value());
      EXPECT_EQ(parsed->tsn, data.tsn);
      EXPECT_EQ(parsed->stream, data.stream);
      EXPECT_EQ(parsed->message_number, data.message_number);
      EXPECT_EQ(parsed->fragment, data.fragment);
      EXPECT_EQ(parsed->protocol, data.protocol);
      EXPECT_EQ(parsed->is_begin, is_begin);
      EXPECT_EQ(parsed->is_end, !is_begin);
      EXPECT_TRUE(parsed->is_unordered && parsed->wants_sack_now);
      EXPECT_TRUE(std::ranges::equal(parsed->payload, payload));
    }
}

TEST(Data, without_user_data_is_refused) {
  Buffer header = hex("00000001 0001 0000 00000033");
  EXPECT_EQ(parse_data({ChunkType::kData, 3, header}).error(), Refusal::kBadData);
  Buffer later = hex("00000001 0001 0000 00000001 00000000 aa");
  EXPECT_EQ(parse_data({ChunkType::kIData, 0, later}).error(), Refusal::kBadFragments);
}

TEST(SackChunk, comes_back_as_it_was_written) {
  Sack sack{.cumulative_tsn = 10, .window = 20, .gaps = {{2, 3}, {5, 5}}, .duplicates = {7, 8, 9}};
  ByteWriter out;
  write_sack(sack, out);
  Buffer packet;
  auto parsed = parse_sack(only_chunk(out, packet).value);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->cumulative_tsn, 10u);
  EXPECT_EQ(parsed->window, 20u);
  EXPECT_EQ(parsed->gaps, sack.gaps);
  EXPECT_EQ(parsed->duplicates, sack.duplicates);
}

TEST(SackChunk, with_blocks_out_of_order_or_missing_is_refused) {
  for (const char* value :
       {"00000001 00000002 0001 0000", "00000001 00000002 0001 0000 0003 0002",
        "00000001 00000002 0001 0000 0000 0002", "00000001 00000002 0002 0000 0002 0003 0003 0004",
        "00000001 00000002 00", "00000001 00000002 0000 0001 000000"})
    EXPECT_EQ(parse_sack(hex(value)).error(), Refusal::kBadSack) << value;
}

TEST(ForwardTsnChunk, comes_back_as_it_was_written_in_both_kinds) {
  ForwardTsn forward{.cumulative_tsn = 77, .skipped = {{1, false, 2}, {3, false, 4}}};
  for (ChunkType type : {ChunkType::kForwardTsn, ChunkType::kIForwardTsn}) {
    if (type == ChunkType::kIForwardTsn) forward.skipped.push_back({5, true, 0x10000});
    ByteWriter out;
    write_forward_tsn(type, forward, out);
    Buffer packet;
    auto parsed = parse_forward_tsn(only_chunk(out, packet));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(parsed->cumulative_tsn, 77u);
    EXPECT_EQ(parsed->skipped, forward.skipped);
  }
  EXPECT_EQ(parse_forward_tsn({ChunkType::kForwardTsn, 0, hex("00000001 0001")}).error(),
            Refusal::kBadForwardTsn);
}

TEST(ReconfigChunk, comes_back_as_it_was_written) {
  std::vector<ReconfigParameter> parameters = {
      OutgoingReset{.request = 1, .response = 2, .last_tsn = 3, .streams = {4, 5, 6}},
      ResetResponse{.response = 7, .result = 1}};
  ByteWriter out;
  write_reconfig(parameters, out);
  Buffer packet;
  auto parsed = parse_reconfig(only_chunk(out, packet).value);
  ASSERT_TRUE(parsed.has_value());
  ASSERT_EQ(parsed->size(), 2u);
  const auto& reset = std::get<OutgoingReset>((*parsed)[0]);
  EXPECT_EQ(reset.request, 1u);
  EXPECT_EQ(reset.last_tsn, 3u);
  EXPECT_EQ(reset.streams, (std::vector<StreamId>{4, 5, 6}));
  EXPECT_EQ(std::get<ResetResponse>((*parsed)[1]).result, 1u);
}

TEST(ReconfigChunk, that_is_empty_unknown_or_too_long_is_refused) {
  for (const char* value :
       {"", "000d0008 00000001", "00ff0004", "000d0011 00000001 00000001 00000001 01",
        "000f0008 00000001 000f0008 00000001 000f0008 00000001", "0011000a 00000001 0001"})
    EXPECT_EQ(parse_reconfig(hex(value)).error(), Refusal::kBadReconfig) << value;
}

TEST(StateCookie, is_believed_only_with_our_own_mac) {
  CookieKey key{}, other{};
  other[0] = 1;
  Cookie cookie{.made_at = Timestamp::from_ns(5),
                .local_tag = 1,
                .remote_tag = 2,
                .local_tsn = 3,
                .remote_tsn = 4,
                .remote_window = 5,
                .remote_outbound_streams = 6,
                .remote_inbound_streams = 7,
                .remote_capabilities = {.i_forward_tsn = true, .interleaving = true},
                .tie_local_tag = 8,
                .tie_remote_tag = 9};
  Buffer baked = write_cookie(cookie, key);
  auto parsed = parse_cookie(baked, key);
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->made_at, cookie.made_at);
  EXPECT_EQ(parsed->remote_tag, 2u);
  EXPECT_EQ(parsed->remote_capabilities, cookie.remote_capabilities);
  EXPECT_EQ(parsed->tie_remote_tag, 9u);
  EXPECT_EQ(parse_cookie(baked, other).error(), Refusal::kBadCookie);
  for (std::size_t i = 0; i < baked.size(); ++i) {
    Buffer forged = baked;
    forged[i] ^= 0x40;
    EXPECT_EQ(parse_cookie(forged, key).error(), Refusal::kBadCookie);
  }
  baked.pop_back();
  EXPECT_EQ(parse_cookie(baked, key).error(), Refusal::kBadCookie);
}

TEST(SctpStats, name_every_refusal) {
  Stats stats, other;
  other.refusals[0] = 3;
  stats.add(other);
  stats.add(other);
  MetricSamples samples;
  stats.append_samples(samples);
  int refusals = 0;
  for (const auto& sample : samples) {
    if (std::string_view(sample.name) != "stoa_sctp_refusals_total") continue;
    EXPECT_NE(sample.labels.at(0).second, "unknown");
    if (refusals++ == 0) {
      EXPECT_EQ(sample.value, 6);
    }
  }
  EXPECT_EQ(refusals, kRefusals);
}

}  // namespace
}  // namespace stoa::sctp
