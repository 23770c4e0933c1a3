#include "proto/rtmp/chunk.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace stoa::rtmp {
namespace {

Buffer pattern(std::size_t size) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251);
  return bytes;
}

// Reads everything, fed in pieces of random size up to `cut`.
Result<std::vector<Message>, Refusal> read_all(ChunkReader& reader, Bytes bytes, std::size_t cut = 1 << 20,
                                               std::uint64_t seed = 1) {
  Rng rng(seed);
  std::vector<Message> messages;
  while (!bytes.empty()) {
    std::size_t count = std::min<std::size_t>(bytes.size(), 1 + rng.below(cut));
    Bytes piece = bytes.first(count);
    bytes = bytes.subspan(count);
    while (!piece.empty()) {
      STOA_TRY(auto message, reader.next(piece));
      if (message) messages.push_back(std::move(*message));
    }
  }
  return messages;
}

Refusal refusal_of(ChunkReader& reader, const Buffer& bytes) {
  auto read = read_all(reader, bytes);
  EXPECT_FALSE(read.has_value());
  return read ? Refusal::kRejectedByServer : read.error();
}

// RTMP §5.3.2.1, example 1: four audio messages of 32 bytes, headers of type 0, 2, 3, 3.
TEST(ChunkReader, reads_the_four_headers_of_the_specifications_example) {
  ByteWriter bytes;
  for (std::uint8_t b : {0x03, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x20, 0x08, 0x39, 0x30, 0x00, 0x00}) bytes.u8(b);
  bytes.bytes(pattern(32));
  for (std::uint8_t b : {0x83, 0x00, 0x00, 0x14}) bytes.u8(b);
  bytes.bytes(pattern(32));
  for (int i = 0; i < 2; ++i) {
    bytes.u8(0xc3);
    bytes.bytes(pattern(32));
  }
  ChunkReader reader;
  auto messages = read_all(reader, bytes.view());
  ASSERT_TRUE(messages);
  ASSERT_EQ(messages->size(), 4u);
  std::uint32_t times[] = {1000, 1020, 1040, 1060};
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ((*messages)[i].timestamp_ms, times[i]);
    EXPECT_EQ((*messages)[i].type, 8);
    EXPECT_EQ((*messages)[i].stream_id, 12345u);
    EXPECT_EQ((*messages)[i].payload, pattern(32));
  }
}

// RTMP §5.3.2.2, example 2: 307 bytes at chunk size 128 make chunks of 128, 128 and 51 bytes.
TEST(ChunkWriter, writes_the_specifications_split_message) {
  ChunkWriter writer;
  ByteWriter out;
  Buffer payload = pattern(307);
  writer.write(4, MessageType::kVideo, 1000, 12346, payload, out);
  Buffer expected = {0x04, 0x00, 0x03, 0xe8, 0x00, 0x01, 0x33, 0x09, 0x3a, 0x30, 0x00, 0x00};
  expected.insert(expected.end(), payload.begin(), payload.begin() + 128);
  expected.push_back(0xc4);
  expected.insert(expected.end(), payload.begin() + 128, payload.begin() + 256);
  expected.push_back(0xc4);
  expected.insert(expected.end(), payload.begin() + 256, payload.end());
  EXPECT_EQ(Buffer(out.view().begin(), out.view().end()), expected);
}

TEST(ChunkReader, repeats_the_timestamp_of_a_type_0_header_as_delta_behind_it) {
  Buffer bytes = {0x03, 0, 0, 40, 0, 0, 1, 8, 1, 0, 0, 0, 0xaa, 0xc3, 0xbb};
  ChunkReader reader;
  auto messages = read_all(reader, bytes);
  ASSERT_TRUE(messages && messages->size() == 2);
  EXPECT_EQ((*messages)[1].timestamp_ms, 80u);
}

TEST(ChunkStream, carries_every_header_form_over_every_chunk_size_however_it_is_cut) {
  for (std::uint32_t chunk_size : {1u, 2u, 127u, 128u, 4096u, 65536u, 0xff'ffffu, 0x7fff'ffffu}) {
    ChunkWriter writer;
    ChunkReader reader({.chunk_streams_max = 8});
    ByteWriter out;
    writer.set_chunk_size(chunk_size);
    reader.set_chunk_size(chunk_size);
    std::vector<std::pair<std::uint32_t, Buffer>> sent;
    Rng rng(chunk_size);
    std::uint32_t time = 5;
    for (int i = 0; i < 60; ++i) {
      std::uint32_t ids[] = {2, 63, 64, 319, 320, 65599};
      Buffer payload = pattern(rng.chance(0.3) ? 64 : rng.below(700));
      time += rng.chance(0.5) ? 20 : static_cast<std::uint32_t>(rng.below(0x200'0000));
      writer.write(ids[rng.below(6)], MessageType::kVideo, time, 1, payload, out);
      sent.emplace_back(time, payload);
    }
    auto messages = read_all(reader, out.view(), 97, chunk_size);
    ASSERT_TRUE(messages);
    ASSERT_EQ(messages->size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) {
      EXPECT_EQ((*messages)[i].timestamp_ms, sent[i].first) << i << " at chunk size " << chunk_size;
      EXPECT_EQ((*messages)[i].payload, sent[i].second);
    }
    EXPECT_EQ(reader.partial_bytes(), 0u);
  }
}

TEST(ChunkStream, carries_a_message_of_eight_mebibytes) {
  ChunkWriter writer;
  ChunkReader reader;
  writer.set_chunk_size(16 << 20);
  reader.set_chunk_size(16 << 20);
  ByteWriter out;
  Buffer payload = pattern(8 << 20);
  writer.write(6, MessageType::kVideo, 0, 1, payload, out);
  auto messages = read_all(reader, out.view(), 100'000);
  ASSERT_TRUE(messages && messages->size() == 1);
  EXPECT_EQ(messages->front().payload, payload);
}

class ExtendedTimestamps : public testing::TestWithParam<std::tuple<bool, std::uint32_t, std::size_t>> {};

TEST_P(ExtendedTimestamps, survive_the_wrap_with_and_without_their_repetition) {
  auto [omits, chunk_size, cut] = GetParam();
  ChunkWriter writer;
  ChunkReader reader;
  if (omits) writer.omit_extended_on_type_three();
  writer.set_chunk_size(chunk_size);
  reader.set_chunk_size(chunk_size);
  ByteWriter out;
  std::vector<std::uint32_t> times = {0xff'fffe, 0xff'ffff, 0x100'0000, 0xffff'ff00, 0xffff'fff0, 5, 40};
  for (std::uint32_t time : times) {
    writer.write(6, MessageType::kVideo, time, 1, pattern(50 + time % 7), out);
    writer.write(4, MessageType::kAudio, time, 1, pattern(3), out);
  }
  auto messages = read_all(reader, out.view(), cut, chunk_size);
  ASSERT_TRUE(messages) << name_of(messages.error());
  ASSERT_EQ(messages->size(), 2 * times.size());
  for (std::size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ((*messages)[2 * i].timestamp_ms, times[i]);
    EXPECT_EQ((*messages)[2 * i].payload, pattern(50 + times[i] % 7));
    EXPECT_EQ((*messages)[2 * i + 1].timestamp_ms, times[i]);
    EXPECT_EQ((*messages)[2 * i + 1].payload, pattern(3));
  }
}
INSTANTIATE_TEST_SUITE_P(Cuts, ExtendedTimestamps,
                         testing::Combine(testing::Bool(), testing::Values(1u, 2u, 7u, 16u, 128u),
                                          testing::Values(1u, 3u, 1000u)));

TEST(ChunkReader, keeps_messages_of_interleaved_chunk_streams_apart) {
  ChunkReader reader;
  reader.set_chunk_size(2);
  Buffer bytes = {0x04, 0,   0,    1,   0,  0, 3, 8, 1, 0, 0, 0, 'a', 'b',  //
                  0x06, 0,   0,    2,   0,  0, 4, 9, 1, 0, 0, 0, 'V', 'W',  //
                  0xc4, 'c', 0xc6, 'X', 'Y'};
  auto messages = read_all(reader, bytes, 3);
  ASSERT_TRUE(messages && messages->size() == 2);
  EXPECT_EQ(as_text((*messages)[0].payload), "abc");
  EXPECT_EQ(as_text((*messages)[1].payload), "VWXY");
}

TEST(ChunkReader, forgets_an_aborted_message) {
  ChunkReader reader;
  reader.set_chunk_size(2);
  Buffer begun = {0x04, 0, 0, 1, 0, 0, 3, 8, 1, 0, 0, 0, 'a', 'b'};
  ASSERT_TRUE(read_all(reader, begun));
  EXPECT_EQ(reader.partial_bytes(), 2u);
  reader.drop_partial(4);
  EXPECT_EQ(reader.partial_bytes(), 0u);
  Buffer next = {0x04, 0, 0, 1, 0, 0, 1, 8, 1, 0, 0, 0, 'z'};
  auto messages = read_all(reader, next);
  ASSERT_TRUE(messages && messages->size() == 1);
  EXPECT_EQ(as_text(messages->front().payload), "z");
}

TEST(ChunkReader, takes_a_type_1_header_as_the_first_of_a_chunk_stream) {
  ChunkReader reader;
  Buffer bytes = {0x42, 0, 0, 7, 0, 0, 4, 1, 0, 0, 0, 9};
  auto messages = read_all(reader, bytes);
  ASSERT_TRUE(messages && messages->size() == 1);
  EXPECT_EQ(messages->front().timestamp_ms, 7u);
  EXPECT_EQ(messages->front().stream_id, 0u);
}

TEST(ChunkReader, refuses_a_short_header_without_a_previous_one) {
  for (std::uint8_t first : {0x83, 0xc3}) {
    ChunkReader reader;
    EXPECT_EQ(refusal_of(reader, {first, 0, 0, 0}), Refusal::kNoPreviousHeader);
  }
}

TEST(ChunkReader, refuses_a_new_message_inside_another) {
  ChunkReader reader;
  reader.set_chunk_size(1);
  EXPECT_EQ(refusal_of(reader, {0x04, 0, 0, 1, 0, 0, 3, 8, 1, 0, 0, 0, 'a', 0x44, 0, 0, 1, 0, 0, 3, 8}),
            Refusal::kUnexpectedHeader);
}

TEST(ChunkReader, refuses_a_message_over_the_limit) {
  ChunkReader reader({.message_bytes_max = 1000});
  EXPECT_EQ(refusal_of(reader, {0x04, 0, 0, 1, 0, 0x03, 0xe9, 8, 1, 0, 0, 0}), Refusal::kMessageTooLarge);
}

TEST(ChunkReader, refuses_more_chunk_streams_than_the_limit) {
  ChunkReader reader({.chunk_streams_max = 2});
  Buffer bytes;
  for (std::uint8_t id : {3, 4, 5}) bytes.insert(bytes.end(), {id, 0, 0, 0, 0, 0, 0, 8, 1, 0, 0, 0});
  EXPECT_EQ(refusal_of(reader, bytes), Refusal::kTooManyChunkStreams);
}

TEST(ChunkReader, refuses_more_bytes_under_way_than_the_limit) {
  ChunkReader reader({.partial_bytes_max = 300});
  Buffer bytes;
  for (std::uint8_t id : {3, 4, 5}) {
    bytes.insert(bytes.end(), {id, 0, 0, 0, 0, 1, 0, 8, 1, 0, 0, 0});
    bytes.insert(bytes.end(), 128, 0);
  }
  EXPECT_EQ(refusal_of(reader, bytes), Refusal::kTooManyPartialBytes);
}

TEST(ChunkReader, does_not_allocate_what_a_header_only_announces) {
  ChunkReader reader;
  Buffer bytes = {0x04, 0, 0, 1, 0x7f, 0xff, 0xff, 8, 1, 0, 0, 0, 'x'};
  ASSERT_TRUE(read_all(reader, bytes));
  EXPECT_EQ(reader.partial_bytes(), 1u);
}

}  // namespace
}  // namespace stoa::rtmp
