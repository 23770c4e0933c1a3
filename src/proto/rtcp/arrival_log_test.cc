#include "proto/rtcp/arrival_log.h"

#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "proto/rtcp/packet.h"

namespace stoa::rtcp {
namespace {

Timestamp at_ms(std::int64_t ms) { return Timestamp() + Duration::milliseconds(ms); }

// The sender's side: what it learns from feedback, by unwrapped number.
struct Learnt {
  FeedbackTimeline timeline;
  std::map<std::int64_t, Duration> arrivals;
  std::int64_t end = 0;  // Behind the last number reported on.
  int packets = 0, lost_feedback = 0;

  void read(Bytes datagram) {
    auto reader = Reader::open(datagram, Form::kReducedSize);
    ASSERT_TRUE(reader);
    while (auto packet = reader->next()) {
      ASSERT_TRUE(*packet);
      const auto& feedback = std::get<TransportFeedback>(**packet);
      auto placed = timeline.place(feedback);
      ++packets;
      lost_feedback += placed.feedback_lost;
      end = std::max(end, placed.first_sequence + feedback.status_count);
      FeedbackArrivals walk = feedback.arrivals();
      while (auto arrival = walk.next())
        arrivals[placed.first_sequence + arrival->index] = placed.reference + arrival->since_reference;
    }
  }
};

void tell_all(ArrivalLog& log, Learnt& learnt) {
  Writer writer;
  while (log.has_news()) {
    if (log.write_feedback(1, 2, writer)) continue;
    ASSERT_FALSE(writer.empty());
    learnt.read(writer.view());
    writer.clear();
  }
  if (!writer.empty()) learnt.read(writer.view());
}

TEST(ArrivalLog, tells_the_sender_when_each_packet_came) {
  ArrivalLog log;
  EXPECT_EQ(log.next_deadline(), Timestamp::never());
  log.handle_packet(at_ms(1000), 65'534);
  log.handle_packet(at_ms(1010), 65'535);
  log.handle_packet(at_ms(1030), 1);
  EXPECT_EQ(log.next_deadline(), at_ms(1050));
  Writer writer;
  ASSERT_TRUE(log.write_feedback(1, 2, writer));
  EXPECT_FALSE(log.has_news());
  EXPECT_FALSE(log.write_feedback(1, 2, writer));
  EXPECT_EQ(log.next_deadline(), Timestamp::never());
  Learnt learnt;
  learnt.read(writer.view());
  ASSERT_EQ(learnt.arrivals.size(), 3u);
  EXPECT_EQ(learnt.arrivals[65'535] - learnt.arrivals[65'534], Duration::milliseconds(10));
  EXPECT_EQ(learnt.arrivals[65'537] - learnt.arrivals[65'535], Duration::milliseconds(20));
  EXPECT_FALSE(learnt.arrivals.contains(65'536));
}

TEST(ArrivalLog, tells_of_a_gap_that_spans_two_feedbacks) {
  ArrivalLog log;
  Writer writer;
  log.handle_packet(at_ms(0), 10);
  ASSERT_TRUE(log.write_feedback(1, 2, writer));
  log.handle_packet(at_ms(60), 13);
  ASSERT_TRUE(log.write_feedback(1, 2, writer));
  auto reader = Reader::open(writer.view(), Form::kReducedSize);
  reader->next();
  auto second = reader->next();
  ASSERT_TRUE(second && *second);
  EXPECT_EQ(std::get<TransportFeedback>(**second).first_sequence, 11);
  EXPECT_EQ(std::get<TransportFeedback>(**second).status_count, 3);
  EXPECT_EQ(std::get<TransportFeedback>(**second).feedback_count, 1);
}

TEST(ArrivalLog, tells_of_a_late_packet_after_the_feedback_that_missed_it) {
  ArrivalLog log;
  Learnt learnt;
  Writer writer;
  log.handle_packet(at_ms(0), 100);
  log.handle_packet(at_ms(1), 102);
  ASSERT_TRUE(log.write_feedback(1, 2, writer));
  EXPECT_TRUE(log.handle_packet(at_ms(70), 101));
  EXPECT_FALSE(log.handle_packet(at_ms(71), 101));  // A duplicate is no news.
  EXPECT_EQ(log.next_deadline(), at_ms(120));
  ASSERT_TRUE(log.write_feedback(1, 2, writer));
  learnt.read(writer.view());
  ASSERT_EQ(learnt.arrivals.size(), 3u);
  EXPECT_EQ(learnt.arrivals[101] - learnt.arrivals[102], Duration::milliseconds(69));
}

TEST(ArrivalLog, drops_what_is_far_too_late) {
  ArrivalLog log;
  for (int i = 0; i < 1000; ++i) log.handle_packet(at_ms(i), static_cast<std::uint16_t>(2 * i));
  EXPECT_FALSE(log.handle_packet(at_ms(1000), 1999 - kArrivalLateMax - 1));
  EXPECT_TRUE(log.handle_packet(at_ms(1000), 1999 - kArrivalLateMax));
  EXPECT_EQ(log.too_late(), 1u);
}

TEST(ArrivalLog, fills_packet_after_packet_within_the_limit) {
  ArrivalLog log({.packet_bytes_max = 100});
  Learnt learnt;
  for (int i = 0; i < 1000; ++i) log.handle_packet(at_ms(i), static_cast<std::uint16_t>(i));
  tell_all(log, learnt);
  EXPECT_EQ(learnt.arrivals.size(), 1000u);
  EXPECT_GT(learnt.packets, 10);
  EXPECT_EQ(learnt.lost_feedback, 0);
  EXPECT_EQ(learnt.end, 1000);
}

// Seconds of packets that come at an interval, all of a size: how many feedbacks are due.
int feedbacks_of(ArrivalLog& log, Duration every, std::size_t bytes, Duration length) {
  int count = 0;
  std::uint16_t sequence = 0;
  Writer writer;
  for (Timestamp now; now < Timestamp() + length; now += Duration::milliseconds(1)) {
    if ((now - Timestamp()).ns() % every.ns() == 0) log.handle_packet(now, sequence++, bytes);
    if (now < log.next_deadline()) continue;
    EXPECT_TRUE(log.write_feedback(1, 2, writer));
    EXPECT_EQ(log.next_deadline(), Timestamp::never());
    writer.clear();
    ++count;
  }
  return count;
}

TEST(ArrivalLog, takes_a_fifth_of_what_comes_at_most) {
  struct Row {
    const char* what;
    std::int64_t every_ms;
    std::size_t bytes;
    int least, most;
  };
  for (const Row& row : {Row{"pictures", 5, 1100, 175, 200}, Row{"sound", 20, 120, 160, 170},
                         Row{"thin sound", 20, 50, 80, 100}, Row{"silence", 400, 60, 24, 25},
                         Row{"small pictures", 33, 600, 145, 155}}) {
    ArrivalLog log;
    const int count =
        feedbacks_of(log, Duration::milliseconds(row.every_ms), row.bytes, Duration::seconds(10));
    EXPECT_GE(count, row.least) << row.what;
    EXPECT_LE(count, row.most) << row.what;
  }
}

TEST(ArrivalLog, tells_at_once_when_there_is_much) {
  ArrivalLog log({.packets_max = 10});
  for (std::uint16_t i = 0; i < 9; ++i) log.handle_packet(at_ms(0), i);
  EXPECT_EQ(log.next_deadline(), at_ms(50));
  log.handle_packet(at_ms(1), 9);
  EXPECT_EQ(log.next_deadline(), at_ms(1));
  // And when there is enough, later than that would have been due.
  Writer writer;
  ASSERT_TRUE(log.write_feedback(1, 2, writer));
  log.handle_packet(at_ms(10), 10, 100);
  EXPECT_EQ(log.next_deadline(), at_ms(110));
  log.handle_packet(at_ms(70), 11, 1000);
  EXPECT_EQ(log.next_deadline(), at_ms(70));
}

// Of the packets of each half second, 100, so many of ten come: how many are told of as lost in each. With
// one that comes late now and then.
std::vector<int> lost_told(const std::vector<int>& of_ten) {
  ArrivalLog log({.leaves_out_loss = true});
  std::vector<int> lost;
  std::uint16_t sequence = 0;
  Writer writer;
  for (int ms = 0; ms < static_cast<int>(of_ten.size()) * 500; ++ms) {
    if (ms % 500 == 0) lost.push_back(0);
    if (ms % 5 == 0) {
      ++sequence;
      const bool is_late = sequence % 20 == 2;  // Behind feedback that told of it as missing.
      if (!is_late && sequence % 10 < of_ten[static_cast<std::size_t>(ms / 500)])
        log.handle_packet(at_ms(ms), sequence);
      if (sequence % 20 == 11) log.handle_packet(at_ms(ms), static_cast<std::uint16_t>(sequence - 9));
    }
    if (at_ms(ms) < log.next_deadline()) continue;
    while (log.has_news()) {
      EXPECT_TRUE(log.write_feedback(1, 2, writer));
      auto reader = Reader::open(writer.view(), Form::kReducedSize);
      const auto packet = reader->next();
      const auto& feedback = std::get<TransportFeedback>(**packet);
      lost.back() += feedback.status_count;
      FeedbackArrivals walk = feedback.arrivals();
      while (walk.next()) --lost.back();
      writer.clear();
    }
  }
  return lost;
}

TEST(ArrivalLog, tells_of_no_loss_for_a_second_where_a_queue_overflows) {
  // In the second half of that second most comes again.
  const std::vector<int> lost = lost_told({10, 3, 6, 3, 3, 3, 3, 3, 3, 3, 3});
  EXPECT_LE(lost[1], 15) << "but for the first";
  EXPECT_LE(lost[2], 0);
  for (std::size_t i = 4; i < 11; ++i) EXPECT_GE(lost[i], 55) << "for a sender must know of it";
}

TEST(ArrivalLog, tells_of_all_loss_that_a_sender_can_bear) {
  for (const int lost : lost_told({7, 7, 7, 7})) EXPECT_GE(lost, 25);
}

TEST(CongestionLog, has_the_same_pace) {
  CongestionLog log;
  log.handle_packet(at_ms(0), 7, 1, Ecn::kNotCapable, 100);
  EXPECT_EQ(log.next_deadline(), at_ms(100));
  log.handle_packet(at_ms(1), 8, 1, Ecn::kNotCapable, 1300);
  EXPECT_EQ(log.next_deadline(), at_ms(50));
}

TEST(ArrivalLog, starts_anew_when_the_sender_does) {
  ArrivalLog log;
  Learnt learnt;
  log.handle_packet(at_ms(0), 100);
  EXPECT_FALSE(log.handle_packet(at_ms(1), 40'000));
  EXPECT_TRUE(log.handle_packet(at_ms(2), 40'001));
  tell_all(log, learnt);
  EXPECT_EQ(learnt.arrivals.size(), 1u);
  EXPECT_EQ(learnt.arrivals.begin()->first & 0xffff, 40'001);
}

// An hour of reordered, lost and doubled packets: everything that came in time is told, to a tick, and
// nothing else.
TEST(ArrivalLog, tells_the_truth_over_a_bad_network) {
  Rng rng(11);
  ArrivalLog log;
  Learnt learnt;
  std::map<std::int64_t, Duration> truth;
  Timestamp now = at_ms(5'000'000);
  auto arrive = [&](std::int64_t number) {
    bool is_first = log.handle_packet(now, static_cast<std::uint16_t>(number));
    if (is_first) truth[number] = now - Timestamp();
  };
  for (std::int64_t number = 1; number < 200'000; ++number) {
    now += Duration::microseconds(static_cast<std::int64_t>(rng.below(30'000)));
    if (number < 10 || !rng.chance(0.1)) arrive(number);
    if (number > 200 && rng.chance(0.05)) arrive(number - static_cast<std::int64_t>(rng.below(150)));
    if (now >= log.next_deadline()) tell_all(log, learnt);
  }
  tell_all(log, learnt);
  ASSERT_EQ(learnt.arrivals.size(), truth.size());
  EXPECT_EQ(learnt.lost_feedback, 0);
  Duration shift = learnt.arrivals.begin()->second - truth.begin()->second;
  for (auto told = learnt.arrivals.begin(); auto [number, came] : truth) {
    ASSERT_EQ(told->first, number);
    ASSERT_LE((told->second - came - shift).abs(), kFeedbackTick) << number;
    ++told;
  }
}

TEST(CongestionLog, reports_on_each_source) {
  CongestionLog log;
  log.handle_packet(at_ms(0), 7, 65'535, Ecn::kCapable1);
  log.handle_packet(at_ms(10), 8, 5, Ecn::kNotCapable);
  log.handle_packet(at_ms(20), 7, 1, Ecn::kCongestion);
  EXPECT_EQ(log.next_deadline(), at_ms(50));
  Writer writer;
  ASSERT_TRUE(log.write_feedback(at_ms(520), NtpTime::from_bits(0x1234'5678'9abc'def0), 1, writer));
  EXPECT_FALSE(log.has_news());
  EXPECT_EQ(log.next_deadline(), Timestamp::never());
  auto reader = Reader::open(writer.view(), Form::kReducedSize);
  ASSERT_TRUE(reader);
  auto packet = reader->next();
  ASSERT_TRUE(packet && *packet);
  const auto& feedback = std::get<CongestionFeedback>(**packet);
  EXPECT_EQ(feedback.report_time, 0x5678'9abcu);
  CongestionReports reports = feedback.reports();
  auto first = reports.next(), second = reports.next();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->ssrc, 7u);
  EXPECT_EQ(first->first_sequence, 65'535);
  ASSERT_EQ(first->metrics.size(), 3u);
  EXPECT_EQ(first->metrics[0], (PacketMetric{true, Ecn::kCapable1, 532}));
  EXPECT_FALSE(first->metrics[1].is_received);
  EXPECT_EQ(first->metrics[2], (PacketMetric{true, Ecn::kCongestion, 512}));
  EXPECT_EQ(second->ssrc, 8u);
  EXPECT_EQ(second->metrics.size(), 1u);
}

TEST(CongestionLog, continues_in_the_next_packet_what_does_not_fit) {
  CongestionLog log({.packet_bytes_max = 100});
  for (std::uint16_t i = 0; i < 200; ++i) log.handle_packet(at_ms(i), 7 + i % 3, i / 3, Ecn::kNotCapable);
  std::size_t metrics = 0, packets = 0;
  while (log.has_news()) {
    Writer writer;
    ASSERT_TRUE(log.write_feedback(at_ms(300), {}, 1, writer));
    ++packets;
    EXPECT_LE(writer.view().size(), 100u);
    auto reader = Reader::open(writer.view(), Form::kReducedSize);
    auto packet = reader->next();
    ASSERT_TRUE(*packet);
    CongestionReports reports = std::get<CongestionFeedback>(**packet).reports();
    while (auto report = reports.next()) metrics += report->metrics.size();
  }
  EXPECT_EQ(metrics, 200u);
  EXPECT_GT(packets, 4u);
}

TEST(CongestionLog, is_bounded_and_forgets_sources) {
  CongestionLog log;
  for (std::uint32_t ssrc = 0; ssrc < kCongestionSourcesMax; ++ssrc)
    EXPECT_TRUE(log.handle_packet(at_ms(0), ssrc, 1, Ecn::kNotCapable));
  EXPECT_FALSE(log.handle_packet(at_ms(0), 1000, 1, Ecn::kNotCapable));
  for (std::uint32_t ssrc = 0; ssrc < kCongestionSourcesMax; ++ssrc) log.drop_source(ssrc);
  EXPECT_FALSE(log.has_news());
  EXPECT_EQ(log.next_deadline(), Timestamp::never());
  EXPECT_TRUE(log.handle_packet(at_ms(0), 1000, 1, Ecn::kNotCapable));
}

}  // namespace
}  // namespace stoa::rtcp
