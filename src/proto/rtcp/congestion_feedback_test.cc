#include "proto/rtcp/congestion_feedback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "proto/rtcp/limits.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/writer.h"

namespace stoa::rtcp {
namespace {

using testing::ElementsAre;

Result<CongestionFeedback, Refusal> read_one(Bytes datagram) {
  auto reader = Reader::open(datagram, Form::kReducedSize);
  if (!reader) return refuse(reader.error());
  auto packet = reader->next();
  if (!*packet) return refuse(packet->error());
  return std::get<CongestionFeedback>(**packet);
}

const Buffer kTwoSources = {
    0x8b, 0xcd, 0x00, 0x0a, 0x00, 0x00, 0x00, 0x01,  // Sender.
    0x00, 0x00, 0x00, 0x01, 0xff, 0xff, 0x00, 0x04,  // Source 1 from 65535 on, four packets.
    0x9f, 0xfd, 0xff, 0xfc, 0x00, 0x00, 0x80, 0x00,  //
    0x00, 0x00, 0x00, 0x02, 0x00, 0x02, 0x00, 0x03,  // Source 2, three and padding.
    0x9f, 0xfe, 0x9f, 0xff, 0x62, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78,  // Report time.
};

TEST(CongestionFeedback, reads_the_packets_of_two_sources) {
  auto feedback = read_one(kTwoSources);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(feedback->sender_ssrc, 1u);
  EXPECT_EQ(feedback->report_time, 0x12345678u);
  CongestionReports reports = feedback->reports();
  auto first = reports.next(), second = reports.next();
  ASSERT_TRUE(first && second);
  EXPECT_FALSE(reports.next());
  EXPECT_EQ(first->ssrc, 1u);
  EXPECT_EQ(first->first_sequence, 65'535);
  EXPECT_THAT(first->metrics, ElementsAre(PacketMetric{true, Ecn::kNotCapable, 8189},
                                          PacketMetric{true, Ecn::kCongestion, 8188}, PacketMetric{},
                                          PacketMetric{true, Ecn::kNotCapable, 0}));
  EXPECT_EQ(second->ssrc, 2u);
  EXPECT_THAT(second->metrics, ElementsAre(PacketMetric{true, Ecn::kNotCapable, PacketMetric::kOffsetOver},
                                           PacketMetric{true, Ecn::kNotCapable, PacketMetric::kOffsetUnknown},
                                           PacketMetric{}));
}

TEST(CongestionFeedback, is_written_as_it_is_read) {
  std::vector<PacketMetric> first = {
      {true, Ecn::kNotCapable, 8189}, {true, Ecn::kCongestion, 8188}, {}, {true, Ecn::kNotCapable, 0}};
  std::vector<PacketMetric> second = {{true, Ecn::kNotCapable, 8190}, {true, Ecn::kNotCapable, 8191}, {}};
  CongestionReportOut reports[] = {{1, 65'535, first}, {2, 2, second}};
  Writer writer;
  ASSERT_TRUE(writer.write_congestion_feedback(1, reports, 0x12345678));
  Buffer expected = kTwoSources;
  expected[36] = 0;  // The bits of a lost packet mean nothing and are written as zero.
  EXPECT_EQ(Buffer(writer.view().begin(), writer.view().end()), expected);
}

TEST(CongestionFeedback, may_report_on_nothing) {
  Buffer empty = {0x8b, 0xcd, 0x00, 0x02, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x09};
  auto feedback = read_one(empty);
  ASSERT_TRUE(feedback);
  EXPECT_EQ(feedback->report_time, 9u);
  EXPECT_FALSE(feedback->reports().next());
}

TEST(CongestionFeedback, refuses_reports_that_run_past_the_end) {
  Buffer bytes = kTwoSources;
  bytes[15] = 6;  // Then the second report begins inside the time stamp's words.
  EXPECT_EQ(read_one(bytes).error(), Refusal::kBadCongestionFeedback);
  bytes = kTwoSources;
  bytes[31] = 5;
  EXPECT_EQ(read_one(bytes).error(), Refusal::kBadCongestionFeedback);
  bytes[30] = 0x40;
  bytes[31] = 0x01;  // kCongestionMetricsMax + 1.
  EXPECT_EQ(read_one(bytes).error(), Refusal::kBadCongestionFeedback);
}

TEST(PacketMetric, counts_its_age_in_1024ths_of_a_second) {
  EXPECT_EQ(PacketMetric::offset_of(Duration()), 0);
  EXPECT_EQ(PacketMetric::offset_of(Duration::seconds(1)), 1024);
  EXPECT_EQ(PacketMetric::offset_of(Duration::from_ticks(8189, 1024)), 8189);
  EXPECT_EQ(PacketMetric::offset_of(Duration::seconds(8)), PacketMetric::kOffsetOver);
  EXPECT_EQ(PacketMetric::offset_of(Duration::seconds(1'000'000)), PacketMetric::kOffsetOver);
  EXPECT_EQ(PacketMetric::offset_of(Duration::nanoseconds(-1)), PacketMetric::kOffsetUnknown);
  EXPECT_EQ((PacketMetric{true, Ecn::kNotCapable, 512}).age(), Duration::milliseconds(500));
  EXPECT_EQ((PacketMetric{true, Ecn::kNotCapable, PacketMetric::kOffsetOver}).age(), std::nullopt);
  EXPECT_EQ(PacketMetric{}.age(), std::nullopt);
}

}  // namespace
}  // namespace stoa::rtcp
