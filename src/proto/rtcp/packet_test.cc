#include "proto/rtcp/packet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "proto/rtcp/limits.h"

namespace stoa::rtcp {
namespace {

using testing::ElementsAre;

// All packets of a datagram; a test fails where one is refused.
std::vector<Packet> read_all(Bytes datagram, Form form = Form::kReducedSize) {
  std::vector<Packet> packets;
  auto reader = Reader::open(datagram, form);
  EXPECT_TRUE(reader) << name_of(reader ? Refusal::kTruncated : reader.error());
  if (!reader) return packets;
  while (auto packet = reader->next()) {
    EXPECT_TRUE(*packet) << name_of(packet->error());
    if (*packet) packets.push_back(**packet);
  }
  return packets;
}

template <typename T>
T read_one(Bytes datagram) {
  auto packets = read_all(datagram);
  EXPECT_EQ(packets.size(), 1u);
  if (packets.empty() || !std::holds_alternative<T>(packets[0])) {
    ADD_FAILURE() << "another packet";
    return T{};
  }
  return std::get<T>(packets[0]);
}

std::optional<Refusal> refusal_of(Bytes datagram, Form form = Form::kReducedSize) {
  auto reader = Reader::open(datagram, form);
  if (!reader) return reader.error();
  while (auto packet = reader->next())
    if (!*packet) return packet->error();
  return std::nullopt;
}

const Buffer kSenderReport = {
    0x81, 0xc8, 0x00, 0x0c,                          // SR with one block.
    0x90, 0x2f, 0x9e, 0x2e,                          // SSRC.
    0xb4, 0x4d, 0xb7, 0x05, 0x20, 0x00, 0x00, 0x00,  // NTP time of RFC 3550, figure 2.
    0x00, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x04, 0xb0,  // RTP time, packets, octets.
    0xbc, 0x5e, 0x9a, 0x40,                                                  // Block: SSRC.
    0x40, 0xff, 0xff, 0xfe,                                                  // A quarter lost, −2 in all.
    0x00, 0x01, 0x46, 0xe1, 0x00, 0x00, 0x01, 0x11,                          // Highest number, jitter.
    0x09, 0xf3, 0x64, 0x32, 0x00, 0x02, 0x4a, 0x79,                          // LSR, DLSR.
};

const Buffer kReceiverReport = {0x80, 0xc9, 0x00, 0x01, 0x00, 0x00, 0x00, 0x07};

TEST(Reader, reads_a_sender_report) {
  auto report = read_one<SenderReport>(kSenderReport);
  EXPECT_EQ(report.ssrc, 0x902f9e2eu);
  EXPECT_EQ(report.sender, (SenderFacts{NtpTime::from_bits(0xb44d'b705'2000'0000), 65'538, 10, 1200}));
  ReportBlock block{.ssrc = 0xbc5e9a40,
                    .fraction_lost = 64,
                    .cumulative_lost = -2,
                    .highest_sequence = 83'681,
                    .jitter = 273,
                    .last_sr = 0x09f36432,
                    .delay_since_last_sr = 150'137};
  EXPECT_THAT(report.blocks, ElementsAre(block));
  EXPECT_EQ(report.blocks[0], block);
}

TEST(Reader, reads_a_compound_packet_in_order) {
  Buffer datagram = kReceiverReport;
  Buffer behind = {
      0x81, 0xca, 0x00, 0x03, 0x00, 0x00, 0x00, 0x07, 0x01, 0x04, 'a', '@', 'b', 'c',  0x00, 0x00,  // SDES.
      0x81, 0xcb, 0x00, 0x03, 0x00, 0x00, 0x00, 0x07, 0x04, 'd',  'o', 'n', 'e', 0x00, 0x00, 0x00,  // BYE.
  };
  datagram.insert(datagram.end(), behind.begin(), behind.end());
  auto packets = read_all(datagram, Form::kCompound);
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(std::get<ReceiverReport>(packets[0]).ssrc, 7u);
  EXPECT_TRUE(std::get<ReceiverReport>(packets[0]).blocks.empty());
  auto cname = std::get<SourceDescription>(packets[1]).find(7, SdesType::kCname);
  ASSERT_TRUE(cname);
  EXPECT_EQ(as_text(*cname), "a@bc");
  EXPECT_FALSE(std::get<SourceDescription>(packets[1]).find(8, SdesType::kCname));
  EXPECT_THAT(std::get<Bye>(packets[2]).sources, ElementsAre(7u));
  EXPECT_EQ(as_text(std::get<Bye>(packets[2]).reason), "done");
}

TEST(Reader, walks_all_chunks_of_a_source_description) {
  Buffer datagram = {0x83, 0xca, 0x00, 0x07, 0x00, 0x00, 0x00, 0x01,
                     0x01, 0x02, 'a',  'b',  0x0f, 0x01, '0',  0x00,   // CNAME and MID.
                     0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00,   // No items.
                     0x00, 0x00, 0x00, 0x03, 0x01, 0x00, 0x00, 0x00};  // An empty CNAME.
  auto description = read_one<SourceDescription>(datagram);
  SdesItems items = description.items();
  auto first = items.next(), second = items.next(), third = items.next();
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(first->ssrc, 1u);
  EXPECT_EQ(as_text(first->text), "ab");
  EXPECT_EQ(second->type, SdesType::kMid);
  EXPECT_EQ(third->ssrc, 3u);
  EXPECT_TRUE(third->text.empty());
  EXPECT_FALSE(items.next());
  EXPECT_TRUE(items.ok());
}

TEST(Reader, reads_which_packets_a_nack_asks_for) {
  Buffer datagram = {0x81, 0xcd, 0x00, 0x04, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00,
                     0x00, 0x02, 0xff, 0xfe, 0x80, 0x05, 0x00, 0x64, 0x00, 0x00};
  auto nack = read_one<Nack>(datagram);
  EXPECT_EQ(nack.sender_ssrc, 1u);
  EXPECT_EQ(nack.media_ssrc, 2u);
  std::vector<std::uint16_t> asked;
  nack.for_each([&](std::uint16_t sequence) { asked.push_back(sequence); });
  EXPECT_THAT(asked, ElementsAre(65'534, 65'535, 1, 14, 100));
}

TEST(Reader, reads_picture_requests) {
  auto pli = read_one<Pli>(Buffer{0x81, 0xce, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 2});
  EXPECT_EQ(pli.sender_ssrc, 1u);
  EXPECT_EQ(pli.media_ssrc, 2u);
  Buffer request = {0x84, 0xce, 0x00, 0x06, 0, 0, 0, 1, 0, 0, 0, 0,  //
                    0,    0,    0,    5,    9, 0, 0, 0, 0, 0, 0, 6, 255, 0, 0, 0};
  auto fir = read_one<Fir>(request);
  EXPECT_EQ(fir.sender_ssrc, 1u);
  EXPECT_THAT(fir.items, ElementsAre(FirItem{5, 9}, FirItem{6, 255}));
}

TEST(Reader, reads_the_rate_of_a_remb_and_saturates_it) {
  Buffer datagram = {0x8f, 0xce, 0x00, 0x05, 0,    0,    0,    1,    0, 0, 0, 0,
                     'R',  'E',  'M',  'B',  0x01, 0x1a, 0x20, 0xdf, 0, 0, 0, 9};
  auto remb = read_one<Remb>(datagram);
  EXPECT_EQ(remb.bits_per_second, 139'487u << 6);  // Exponent 6, mantissa 0x220df.
  EXPECT_THAT(remb.sources, ElementsAre(9u));
  datagram[17] = 0xfc | 0x02;  // Exponent 63.
  EXPECT_EQ(read_one<Remb>(datagram).bits_per_second, ~std::uint64_t{0});
  datagram[17] = 0xfc;
  datagram[18] = 0;
  datagram[19] = 1;
  EXPECT_EQ(read_one<Remb>(datagram).bits_per_second, std::uint64_t{1} << 63);
  datagram[19] = 0;
  EXPECT_EQ(read_one<Remb>(datagram).bits_per_second, 0u);
  datagram[16] = 2;
  EXPECT_EQ(refusal_of(datagram), Refusal::kBadFeedback);
}

TEST(Reader, reads_extended_reports_and_passes_unknown_blocks_on) {
  Buffer datagram = {
      0x80, 0xcf, 0x00, 0x0b, 0,    0,    0,    1,                             //
      0x04, 0x00, 0x00, 0x02, 0xb4, 0x4d, 0xb7, 0x05, 0x20, 0x00, 0x00, 0x00,  // RRTR.
      0x2a, 0x01, 0x00, 0x01, 0,    0,    0,    5,                             // Target bitrate.
      0x05, 0x00, 0x00, 0x03, 0,    0,    0,    2,    0xb7, 0x05, 0x20, 0x00,
      0x00, 0x05, 0x40, 0x00,  // DLRR.
  };
  datagram[3] = static_cast<std::uint8_t>(datagram.size() / 4 - 1);
  auto report = read_one<ExtendedReport>(datagram);
  EXPECT_EQ(report.ssrc, 1u);
  XrBlocks blocks = report.blocks();
  auto first = blocks.next(), second = blocks.next(), third = blocks.next();
  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(std::get<ReceiverReferenceTime>(*first).ntp.bits(), 0xb44d'b705'2000'0000u);
  EXPECT_EQ(std::get<OtherXrBlock>(*second).type, 42);
  EXPECT_EQ(std::get<OtherXrBlock>(*second).type_specific, 1);
  EXPECT_EQ(std::get<OtherXrBlock>(*second).content.size(), 4u);
  EXPECT_THAT(std::get<DelaySinceLast>(*third).items, ElementsAre(DlrrItem{2, 0xb7052000, 0x00054000}));
  EXPECT_FALSE(blocks.next());
}

TEST(Reader, passes_on_what_it_does_not_know) {
  Buffer datagram = {0x85, 0xcc, 0x00, 0x03, 0, 0, 0, 1, 'n', 'a', 'm', 'e', 1, 2, 3, 4};
  auto app = read_one<App>(datagram);
  EXPECT_EQ(app.subtype, 5);
  EXPECT_EQ(std::string(app.name.begin(), app.name.end()), "name");
  EXPECT_EQ(Buffer(app.content.begin(), app.content.end()), (Buffer{1, 2, 3, 4}));
  auto tmmbr = read_one<Other>(Buffer{0x83, 0xcd, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 2});
  EXPECT_EQ(tmmbr.type, 205);
  EXPECT_EQ(tmmbr.format, 3);
  EXPECT_EQ(tmmbr.body.size(), 8u);
  EXPECT_EQ(read_one<Other>(Buffer{0x80, 0xd0, 0x00, 0x00}).type, 208);
  EXPECT_EQ(
      read_one<Other>(Buffer{0x8f, 0xce, 0x00, 0x03, 0, 0, 0, 1, 0, 0, 0, 2, 'g', 'o', 'o', 'g'}).format, 15);
}

TEST(Reader, takes_padding_off_any_packet) {
  Buffer datagram = {0xa1, 0xce, 0x00, 0x03, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4};
  datagram.insert(datagram.end(), kReceiverReport.begin(), kReceiverReport.end());
  EXPECT_EQ(read_all(datagram).size(), 2u);
  datagram[15] = 0;
  EXPECT_EQ(refusal_of(datagram), Refusal::kBadPadding);
  datagram[15] = 13;
  EXPECT_EQ(refusal_of(datagram), Refusal::kBadPadding);
}

TEST(Reader, refuses_a_datagram_whose_frames_do_not_hold) {
  EXPECT_EQ(refusal_of({}), Refusal::kTruncated);
  Buffer datagram = kReceiverReport;
  datagram.push_back(0);
  EXPECT_EQ(refusal_of(datagram), Refusal::kTruncated);
  datagram = kReceiverReport;
  datagram[3] = 2;
  EXPECT_EQ(refusal_of(datagram), Refusal::kTruncated);
  datagram = kReceiverReport;
  datagram[0] = 0x40;
  EXPECT_EQ(refusal_of(datagram), Refusal::kBadVersion);
  datagram.assign(kDatagramBytesMax + 4, 0x80);
  EXPECT_EQ(refusal_of(datagram), Refusal::kTooLarge);
}

TEST(Reader, wants_a_report_first_unless_reduced_size_is_agreed) {
  Buffer pli = {0x81, 0xce, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 2};
  EXPECT_EQ(refusal_of(pli, Form::kCompound), Refusal::kNotCompound);
  EXPECT_EQ(refusal_of(pli, Form::kReducedSize), std::nullopt);
  EXPECT_EQ(refusal_of(kSenderReport, Form::kCompound), std::nullopt);
}

TEST(Reader, passes_over_a_refused_packet) {
  Buffer datagram = {0x82, 0xc9, 0x00, 0x01, 0, 0, 0, 7};  // Two blocks announced, none there.
  datagram.insert(datagram.end(), kReceiverReport.begin(), kReceiverReport.end());
  auto reader = Reader::open(datagram, Form::kCompound);
  ASSERT_TRUE(reader);
  auto first = reader->next(), second = reader->next();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->error(), Refusal::kBadReport);
  EXPECT_TRUE(*second);
  EXPECT_FALSE(reader->next());
}

TEST(Reader, refuses_each_packet_that_does_not_add_up) {
  struct Case {
    Refusal refusal;
    Buffer bytes;
  };
  const Case cases[] = {
      {Refusal::kBadReport, {0x80, 0xc8, 0x00, 0x01, 0, 0, 0, 1}},
      {Refusal::kBadReport, {0x80, 0xc9, 0x00, 0x00}},
      {Refusal::kBadSourceDescription, {0x81, 0xca, 0x00, 0x00}},
      {Refusal::kBadSourceDescription, {0x81, 0xca, 0x00, 0x02, 0, 0, 0, 1, 1, 3, 'a', 'b'}},
      {Refusal::kBadSourceDescription, {0x81, 0xca, 0x00, 0x02, 0, 0, 0, 1, 1, 2, 'a', 'b'}},
      {Refusal::kBadBye, {0x82, 0xcb, 0x00, 0x01, 0, 0, 0, 1}},
      {Refusal::kBadBye, {0x81, 0xcb, 0x00, 0x02, 0, 0, 0, 1, 4, 'a', 'b', 'c'}},
      {Refusal::kBadApp, {0x80, 0xcc, 0x00, 0x01, 0, 0, 0, 1}},
      {Refusal::kBadFeedback, {0x81, 0xcd, 0x00, 0x00}},
      {Refusal::kBadFeedback, {0x81, 0xcd, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 2}},
      {Refusal::kBadFeedback, {0x81, 0xce, 0x00, 0x01, 0, 0, 0, 1}},
      {Refusal::kBadFeedback, {0x84, 0xce, 0x00, 0x03, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5}},
      {Refusal::kBadTransportFeedback, {0x8f, 0xcd, 0x00, 0x02, 0, 0, 0, 1, 0, 0, 0, 2}},
      {Refusal::kBadCongestionFeedback, {0x8b, 0xcd, 0x00, 0x01, 0, 0, 0, 1}},
      {Refusal::kBadExtendedReport, {0x80, 0xcf, 0x00, 0x00}},
      {Refusal::kBadExtendedReport, {0x80, 0xcf, 0x00, 0x02, 0, 0, 0, 1, 42, 0, 0, 1}},
      {Refusal::kBadExtendedReport, {0x80, 0xcf, 0x00, 0x03, 0, 0, 0, 1, 4, 0, 0, 1, 0, 0, 0, 0}},
      {Refusal::kBadExtendedReport, {0x80, 0xcf, 0x00, 0x03, 0, 0, 0, 1, 5, 0, 0, 1, 0, 0, 0, 0}},
  };
  int number = 0;
  for (const Case& c : cases) {
    EXPECT_EQ(refusal_of(c.bytes), c.refusal) << "case " << number;
    ++number;
  }
}

TEST(IsRtcp, tells_rtcp_from_rtp_on_one_port) {
  EXPECT_TRUE(is_rtcp(kSenderReport));
  EXPECT_TRUE(is_rtcp(Buffer{0x80, 192, 0, 0}));
  EXPECT_FALSE(is_rtcp(Buffer{0x80, 0xe0, 0, 0}));  // Marker and payload type 96.
  EXPECT_FALSE(is_rtcp(Buffer{0x80, 111, 0, 0}));
  EXPECT_FALSE(is_rtcp(Buffer{0x00, 200, 0, 0}));
  EXPECT_FALSE(is_rtcp(Buffer{0x80, 200}));
}

TEST(Refusal, has_a_name_for_each_value) {
  for (int i = 0; i < kRefusals; ++i) EXPECT_STRNE(name_of(static_cast<Refusal>(i)), "unknown");
  EXPECT_STREQ(name_of(static_cast<Refusal>(kRefusals)), "unknown");
}

}  // namespace
}  // namespace stoa::rtcp
