#include "proto/rtcp/writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace stoa::rtcp {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;

std::vector<Packet> read_back(const Writer& writer, Form form = Form::kReducedSize) {
  std::vector<Packet> packets;
  auto reader = Reader::open(writer.view(), form);
  EXPECT_TRUE(reader);
  if (!reader) return packets;
  while (auto packet = reader->next()) {
    EXPECT_TRUE(*packet);
    if (*packet) packets.push_back(**packet);
  }
  return packets;
}

constexpr std::uint8_t kWord[4] = {1, 2, 3, 4};

Buffer bytes_of(const Writer& writer) { return {writer.view().begin(), writer.view().end()}; }

ReportBlock block_of(std::uint32_t ssrc) {
  return {.ssrc = ssrc,
          .fraction_lost = 255,
          .cumulative_lost = -0x80'0000,
          .highest_sequence = 0x1'0002,
          .jitter = 7,
          .last_sr = 0x01020304,
          .delay_since_last_sr = 0x05060708};
}

TEST(Writer, writes_a_compound_packet_that_reads_the_same) {
  Writer writer;
  SenderFacts facts{NtpTime::from_bits(0xb44d'b705'2000'0000), 1, 2, 3};
  ReportBlock blocks[] = {block_of(10), block_of(11)};
  ASSERT_TRUE(writer.write_sender_report(5, facts, blocks));
  ASSERT_TRUE(writer.write_cname(5, "someone"));
  std::uint32_t sources[] = {5, 6};
  ASSERT_TRUE(writer.write_bye(sources, "gone"));
  auto packets = read_back(writer, Form::kCompound);
  ASSERT_EQ(packets.size(), 3u);
  auto report = std::get<SenderReport>(packets[0]);
  EXPECT_EQ(report.ssrc, 5u);
  EXPECT_EQ(report.sender, facts);
  EXPECT_THAT(report.blocks, ElementsAreArray(blocks));
  EXPECT_EQ(as_text(std::get<SourceDescription>(packets[1]).find(5, SdesType::kCname).value()), "someone");
  EXPECT_THAT(std::get<Bye>(packets[2]).sources, ElementsAre(5u, 6u));
  EXPECT_EQ(as_text(std::get<Bye>(packets[2]).reason), "gone");
}

TEST(Writer, writes_an_empty_receiver_report_in_eight_bytes) {
  Writer writer;
  ASSERT_TRUE(writer.write_receiver_report(0x01020304, {}));
  EXPECT_EQ(bytes_of(writer), (Buffer{0x80, 0xc9, 0x00, 0x01, 1, 2, 3, 4}));
}

TEST(Writer, ends_a_source_description_with_a_zero_even_at_a_word) {
  Writer writer;
  ASSERT_TRUE(writer.write_cname(1, "ab"));
  EXPECT_EQ(bytes_of(writer), (Buffer{0x81, 0xca, 0x00, 0x03, 0, 0, 0, 1, 1, 2, 'a', 'b', 0, 0, 0, 0}));
}

TEST(Writer, spreads_many_blocks_over_several_reports) {
  std::vector<ReportBlock> blocks;
  for (std::uint32_t i = 0; i < 65; ++i) blocks.push_back(block_of(i));
  Writer writer(4000);
  ASSERT_TRUE(writer.write_sender_report(1, {}, blocks));
  auto packets = read_back(writer);
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(std::get<SenderReport>(packets[0]).blocks.size(), 31u);
  EXPECT_EQ(std::get<ReceiverReport>(packets[1]).blocks.size(), 31u);
  EXPECT_EQ(std::get<ReceiverReport>(packets[2]).blocks[2].ssrc, 64u);
  EXPECT_EQ(std::get<ReceiverReport>(packets[2]).ssrc, 1u);
}

TEST(Writer, writes_nothing_where_not_all_fits) {
  std::vector<ReportBlock> blocks(41);
  Writer writer(1000);
  EXPECT_FALSE(writer.write_sender_report(1, {}, blocks));
  EXPECT_TRUE(writer.empty());
  EXPECT_TRUE(writer.write_receiver_report(1, blocks));
  EXPECT_EQ(writer.remaining(), 0u);
  Writer small(12);
  EXPECT_FALSE(small.write_cname(1, "abc"));
  EXPECT_FALSE(small.write_reference_time(1, {}));
  EXPECT_FALSE(small.write_remb(1, 1, {}));
  EXPECT_FALSE(small.write_app({.content = Bytes(kWord)}));
  EXPECT_TRUE(small.empty());
  EXPECT_TRUE(small.write_pli(1, 2));
  EXPECT_FALSE(small.write_pli(1, 2));
  EXPECT_EQ(small.remaining(), 0u);
}

TEST(Writer, keeps_its_buffer_over_clear) {
  Writer writer;
  writer.write_pli(1, 2);
  const std::uint8_t* place = writer.view().data();
  writer.clear();
  writer.write_pli(3, 4);
  EXPECT_EQ(writer.view().data(), place);
  EXPECT_EQ(writer.take().size(), 12u);
  EXPECT_TRUE(writer.empty());
}

TEST(Writer, packs_a_nack_as_tightly_as_the_format_can) {
  Writer writer;
  std::vector<std::uint16_t> sequences = {65'530, 65'531, 10, 11, 300};
  EXPECT_EQ(writer.write_nack(1, 2, sequences), 5u);
  // 65530 + 16 = 10 still fits the first item; 11 begins the next.
  EXPECT_EQ(bytes_of(writer),
            (Buffer{0x81, 0xcd, 0x00, 0x05, 0,    0,    0,    1,    0,    0,    0,    2,
                    0xff, 0xfa, 0x80, 0x01, 0x00, 0x0b, 0x00, 0x00, 0x01, 0x2c, 0x00, 0x00}));
  std::vector<std::uint16_t> asked;
  std::get<Nack>(read_back(writer)[0]).for_each([&](std::uint16_t sequence) { asked.push_back(sequence); });
  EXPECT_EQ(asked, sequences);
}

TEST(Writer, says_how_much_of_a_nack_found_place) {
  Writer writer(24);  // Three items.
  std::vector<std::uint16_t> sequences = {0, 16, 17, 100, 200};
  EXPECT_EQ(writer.write_nack(1, 2, sequences), 4u);
  EXPECT_EQ(std::get<Nack>(read_back(writer)[0]).items.size(), 3u);
  EXPECT_EQ(writer.write_nack(1, 2, sequences), 0u);
  writer.clear();
  EXPECT_EQ(writer.write_nack(1, 2, {}), 0u);
  EXPECT_TRUE(writer.empty());
}

TEST(Writer, writes_picture_requests) {
  Writer writer;
  ASSERT_TRUE(writer.write_pli(1, 2));
  FirItem items[] = {{5, 9}, {6, 255}};
  ASSERT_TRUE(writer.write_fir(1, items));
  EXPECT_EQ(bytes_of(writer), (Buffer{0x81, 0xce, 0, 2, 0, 0, 0, 1, 0, 0, 0,   2,  //
                                      0x84, 0xce, 0, 6, 0, 0, 0, 1, 0, 0, 0,   0, 0, 0,
                                      0,    5,    9, 0, 0, 0, 0, 0, 0, 6, 255, 0, 0, 0}));
}

TEST(Writer, rounds_the_rate_of_a_remb_down_to_18_bits) {
  for (std::uint64_t rate : {std::uint64_t{0}, std::uint64_t{0x3ffff}, std::uint64_t{0x40000},
                             std::uint64_t{2'500'001}, ~std::uint64_t{0}}) {
    Writer writer;
    std::uint32_t sources[] = {9, 10};
    ASSERT_TRUE(writer.write_remb(1, rate, sources));
    auto packets = read_back(writer);
    const auto& remb = std::get<Remb>(packets[0]);
    EXPECT_LE(remb.bits_per_second, rate);
    EXPECT_LE(rate - remb.bits_per_second, rate >> 17);
    EXPECT_THAT(remb.sources, ElementsAre(9u, 10u));
  }
}

TEST(Writer, writes_extended_reports) {
  Writer writer;
  ASSERT_TRUE(writer.write_reference_time(1, NtpTime::from_bits(0xb44d'b705'2000'0000)));
  DlrrItem items[] = {{2, 0xb7052000, 0x00054000}};
  ASSERT_TRUE(writer.write_delay_since_last(1, items));
  EXPECT_EQ(bytes_of(writer),
            (Buffer{0x80, 0xcf, 0,    4, 0, 0, 0, 1, 4, 0, 0, 2, 0xb4, 0x4d, 0xb7, 5, 0x20, 0, 0,    0,  //
                    0x80, 0xcf, 0,    5, 0, 0, 0, 1, 5, 0, 0, 3, 0,    0,    0,    2, 0xb7, 5, 0x20, 0,
                    0,    5,    0x40, 0}));
}

TEST(Writer, writes_application_packets) {
  Writer writer;
  Buffer content = {1, 2, 3, 4};
  ASSERT_TRUE(writer.write_app({.ssrc = 1, .subtype = 5, .name = {'n', 'a', 'm', 'e'}, .content = content}));
  EXPECT_EQ(bytes_of(writer), (Buffer{0x85, 0xcc, 0, 3, 0, 0, 0, 1, 'n', 'a', 'm', 'e', 1, 2, 3, 4}));
}

}  // namespace
}  // namespace stoa::rtcp
