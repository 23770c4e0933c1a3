#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "session/webrtc/peer_clock.h"
#include "session/webrtc/receiver.h"
#include "session/webrtc/test_receiver.h"

namespace stoa::webrtc {
namespace {

using namespace stoa::webrtc::testing;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr Duration ms(std::int64_t n) { return Duration::milliseconds(n); }
// What the peer's clock shows at kWall.
const rtcp::NtpTime kPeers = rtcp::NtpTime::from_wall(WallTime::from_seconds(1'000'000'000));

Sent video(std::int64_t index, std::uint32_t time) {
  return {.ssrc = 20, .index = index, .time = time, .payload = vp8_keyframe(), .mid = "v"};
}
Sent audio(std::int64_t index, std::uint32_t time) {
  return {.ssrc = 10, .type = kOpusType, .index = index, .time = time, .payload = opus_packet(), .mid = "a"};
}

// When `timestamp` was captured, by the last mapping of the track.
WallTime captured(const Peer& peer, media::TrackId track, std::int64_t timestamp) {
  payload::ClockMapping last;
  for (const TrackClockMapped& mapped : peer.all<TrackClockMapped>()) {
    if (mapped.track == track) last = mapped.mapping;
  }
  return last.captured_at + Duration::from_ticks(timestamp - last.timestamp, track == 0 ? 48'000 : 90'000);
}

TEST(Receiver, reports_what_it_received) {
  Peer peer;
  peer.run_for(ms(10));
  for (std::int64_t i : {65530, 65531, 65532, 65534, 65536})
    ASSERT_TRUE(peer.send(video(i, static_cast<std::uint32_t>(3000 * i))));
  peer.send_report(20, kPeers, 0);
  peer.run_for(ms(500));
  std::vector<rtcp::ReportBlock> blocks;
  peer.visit<rtcp::ReceiverReport>([&](const rtcp::ReceiverReport& report) {
    EXPECT_EQ(report.ssrc, kOurs);
    for (auto block : report.blocks) blocks.push_back(block);
  });
  ASSERT_EQ(blocks.size(), 1u);
  EXPECT_EQ(blocks[0].ssrc, 20u);
  EXPECT_EQ(blocks[0].cumulative_lost, 2);
  EXPECT_EQ(blocks[0].fraction_lost, 2 * 256 / 7);
  EXPECT_EQ(blocks[0].highest_sequence, 65536u);
  EXPECT_EQ(blocks[0].last_sr, kPeers.compact());
  EXPECT_EQ(blocks[0].delay_since_last_sr, 65536u / 2);
  std::size_t described = peer.visit<rtcp::SourceDescription>([](const rtcp::SourceDescription& description) {
    auto cname = description.find(kOurs, rtcp::SdesType::kCname);
    ASSERT_TRUE(cname);
    EXPECT_EQ(as_text(*cname), "stoa");
  });
  EXPECT_EQ(described, 1u);
}

TEST(Receiver, goes_on_reporting_about_once_in_an_interval) {
  Peer peer;
  EXPECT_EQ(peer.receiver.next_deadline(), Timestamp::never());
  ASSERT_TRUE(peer.send(audio(1, 1)));
  peer.run_for(Duration::seconds(100));
  EXPECT_GT(peer.count<rtcp::ReceiverReport>(), 80u);
  EXPECT_LT(peer.count<rtcp::ReceiverReport>(), 125u);
}

TEST(Receiver, says_nothing_without_a_report_where_reduced_size_was_not_agreed_upon) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[1].has_rtcp_rsize = false;
  Peer peer(agreement);
  ASSERT_TRUE(peer.send(video(1, 1)));
  peer.receiver.request_keyframe(peer.now, 1, 0, peer.outputs);
  auto sent = peer.all<SendRtcp>();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(rtcp::Reader::open(sent[0].packet, rtcp::Form::kCompound));
  EXPECT_EQ(peer.count<rtcp::Pli>(), 1u);
  EXPECT_EQ(peer.count<rtcp::SourceDescription>(), 1u);
}

TEST(Receiver, sends_transport_wide_feedback_of_all_streams) {
  Peer peer;
  Sent sound = audio(1, 1), picture = video(1, 1), unknown = video(1, 1);
  sound.transport = 65535;
  picture.transport = 1;
  unknown.ssrc = 99;
  unknown.mid = "x";
  unknown.transport = 2;
  ASSERT_TRUE(peer.send(sound));
  peer.run_for(ms(10));
  ASSERT_TRUE(peer.send(picture));
  EXPECT_FALSE(peer.send(unknown));
  peer.flush();
  EXPECT_EQ(peer.count<rtcp::TransportFeedback>(), 0u);
  peer.run_for(ms(245));
  std::vector<std::uint16_t> arrived;
  std::size_t count = peer.visit<rtcp::TransportFeedback>([&](const rtcp::TransportFeedback& said) {
    EXPECT_EQ(said.first_sequence, 65535);
    EXPECT_EQ(said.status_count, 4);
    auto arrivals = said.arrivals();
    while (auto arrival = arrivals.next())
      arrived.push_back(static_cast<std::uint16_t>(said.first_sequence + arrival->index));
  });
  EXPECT_EQ(count, 1u);
  EXPECT_THAT(arrived, ElementsAre(65535, 1, 2));
}

// A peer that speaks, or says when it sends, and sends a picture of 600 kb/s, over a line where both wait.
class WaitingPeer {
 public:
  explicit WaitingPeer(bool knows_remb, bool says_when = false)
      : says_when_(says_when), peer_(agreement(knows_remb)) {}

  void run(Duration time, Duration wait) {
    for (const Timestamp end = peer_.now + time; peer_.now < end; peer_.run_for(ms(20))) {
      // A queue grows packet by packet.
      if (waited_ < wait) {
        const Duration more = std::min(wait - waited_, ms(20));
        waited_ = waited_ + more;
        peer_.run_for(more);
      }
      ++index_;
      Sent picture = video(index_, static_cast<std::uint32_t>(1800 * index_));
      picture.payload.resize(1300);
      if (says_when_) {
        const auto sent = rtp::AbsSendTime::at(Timestamp() + Duration::seconds(60) + ms(20) * index_);
        const auto bytes = rtp::write_abs_send_time(sent);
        picture.elements = {{kSendTimeId, {bytes.begin(), bytes.end()}}};
      } else {
        EXPECT_TRUE(peer_.send(audio(index_, static_cast<std::uint32_t>(960 * index_))));
      }
      EXPECT_TRUE(peer_.send(picture));
      peer_.flush();
    }
  }
  std::vector<std::uint64_t> limits() const {
    std::vector<std::uint64_t> said;
    peer_.visit<rtcp::Remb>([&](const rtcp::Remb& remb) { said.push_back(remb.bits_per_second); });
    return said;
  }
  // Whose.
  std::vector<std::uint32_t> limited() const {
    std::vector<std::uint32_t> sources;
    peer_.visit<rtcp::Remb>([&](const rtcp::Remb& remb) {
      sources.clear();
      for (const std::uint32_t ssrc : remb.sources) sources.push_back(ssrc);
    });
    return sources;
  }
  std::uint64_t begun() const { return peer_.receiver.stats().limits_begun; }

 private:
  static sdp::Agreement agreement(bool knows_remb) {
    sdp::Agreement made = plain_agreement();
    for (sdp::AgreedCodec& codec : made.sections[1].codecs) codec.feedback.remb = knows_remb;
    return made;
  }

  bool says_when_;
  Peer peer_;
  Duration waited_;
  std::int64_t index_ = 0;
};

void expect_limited_by_a_queue(WaitingPeer& peer, Duration before) {
  peer.run(before, Duration());
  EXPECT_THAT(peer.limits(), IsEmpty());
  peer.run(ms(600), ms(300));
  ASSERT_EQ(peer.limits().size(), 1u);
  // While the queue grew only half of what is sent came.
  EXPECT_GT(peer.limits()[0], 150'000u);
  EXPECT_LT(peer.limits()[0], 300'000u);
}

TEST(Receiver, tells_who_lets_a_queue_stand_what_its_line_carries) {
  WaitingPeer peer(true);
  expect_limited_by_a_queue(peer, Duration::seconds(5));
  EXPECT_THAT(peer.limited(), UnorderedElementsAre(10, 20));
  EXPECT_EQ(peer.begun(), 1u);
}

// 64 s are all that three bytes can tell apart.
TEST(Receiver, knows_without_sound_of_a_queue_by_when_packets_were_sent) {
  WaitingPeer peer(true, true);
  expect_limited_by_a_queue(peer, Duration::seconds(30));
}

// A sender of three layers and sound, all of it packet by packet over a line whose speed changes.
class LayeredPeer {
 public:
  static constexpr std::array<std::string_view, 3> kRids = {"q", "h", "f"};

  LayeredPeer() : peer_(agreement()) { peer_.receiver.set_round_trip(ms(40)); }

  // A sound and a packet of each layer, which took so long to come.
  void show(Duration interval, std::uint8_t keyframes = 0) {
    ++time_;
    EXPECT_TRUE(peer_.send(audio(time_, static_cast<std::uint32_t>(960 * time_))));
    for (std::uint8_t i = least; i < 3; ++i) {
      Sent sent = video(++numbers_[i], static_cast<std::uint32_t>(1800 * time_));
      sent.ssrc = 31u + i;
      sent.rid = kRids[i];
      sent.payload = keyframes >> i & 1 ? vp8_keyframe() : vp8_delta();
      sent.payload.resize(1300);
      EXPECT_TRUE(peer_.send(sent));
    }
    peer_.flush();
    peer_.run_for(interval);
  }
  void show(int count, Duration interval) {
    for (int i = 0; i < count; ++i) show(interval);
  }
  // Until there is a limit.
  void narrow() {
    show(ms(20), 7);
    show(249, ms(20));
    for (int i = 0; i < 20; ++i) {
      show(Duration());
      if (begun() == 1) return;
      peer_.run_for(ms(80));
    }
    ADD_FAILURE() << "no limit";
  }
  void lose() {
    for (std::int64_t& number : numbers_) ++number;
  }
  std::uint64_t begun() const { return peer_.receiver.stats().limits_begun; }
  // By layer.
  std::vector<int> asked() const {
    std::vector<int> count(3);
    peer_.visit<rtcp::Pli>([&](const rtcp::Pli& pli) { ++count[pli.media_ssrc - 31]; });
    return count;
  }
  // What was handed on since: of each layer, and which were aside then.
  std::vector<std::size_t> forwarded() {
    std::vector<std::size_t> count(3);
    for (const payload::Packet& packet : peer_.packets(1)) {
      ++count[packet.layer];
      aside = packet.layers_aside;
    }
    peer_.outputs.clear();
    return count;
  }
  std::vector<std::uint16_t> missed(std::uint32_t layer) const { return peer_.nacked(31 + layer); }
  std::uint16_t newest() const { return static_cast<std::uint16_t>(numbers_[0]); }
  Peer& peer() { return peer_; }

  int aside = 0;
  std::uint8_t least = 0;  // Layer that is sent.

 private:
  static sdp::Agreement agreement() {
    sdp::Agreement made = simulcast_agreement();
    for (sdp::AgreedCodec& codec : made.sections[1].codecs) codec.feedback.remb = true;
    return made;
  }

  Peer peer_;
  std::int64_t time_ = 0;
  std::array<std::int64_t, 3> numbers_{};
};

TEST(Receiver, goes_over_to_the_least_layer_where_the_line_became_much_narrower) {
  LayeredPeer line;
  line.narrow();
  // A receiver asks at once, and is heard when a browser has heeded its limit.
  line.peer().receiver.request_keyframe(line.peer().now, 1, 0, line.peer().outputs);
  EXPECT_THAT(line.asked(), ElementsAre(0, 0, 0));
  line.forwarded();
  line.show(1, ms(80));
  EXPECT_THAT(line.asked(), ElementsAre(1, 0, 0));
  line.peer().receiver.request_keyframe(line.peer().now, 1, 2, line.peer().outputs);
  line.show(1, ms(80));
  EXPECT_THAT(line.asked(), ElementsAre(1, 0, 0));
  EXPECT_THAT(line.forwarded(), ElementsAre(2, 0, 0));
  EXPECT_EQ(line.aside, 6);
}

TEST(Receiver, goes_over_to_the_least_layer_that_is_sent) {
  for (const bool was_sent : {false, true}) {
    LayeredPeer line;
    line.least = 1;
    if (was_sent) {
      line.least = 0;
      line.show(50, ms(20));
      line.least = 1;
    }
    line.narrow();
    line.forwarded();
    line.show(2, ms(80));
    EXPECT_THAT(line.asked(), ElementsAre(0, 1, 0));
    EXPECT_THAT(line.forwarded(), ElementsAre(0, 2, 0));
    EXPECT_EQ(line.aside, 4);
  }
}

// What is missing before a keyframe that is on its way has no use, and of what is put aside never.
TEST(Receiver, asks_for_nothing_that_a_keyframe_on_its_way_is_to_replace) {
  LayeredPeer line;
  line.narrow();
  line.lose();
  line.show(2, ms(80));
  line.show(ms(80), 1);
  EXPECT_THAT(line.peer().nacked(), IsEmpty());
  line.lose();
  const std::uint16_t lost = line.newest();
  line.show(2, ms(80));
  EXPECT_THAT(line.missed(0), Contains(lost));
  EXPECT_THAT(line.missed(1), IsEmpty());
  EXPECT_THAT(line.missed(2), IsEmpty());
}

// The first packet of a keyframe is the only one that tells what it is.
TEST(Receiver, asks_for_what_may_be_the_keyframe_that_it_waits_for) {
  LayeredPeer line;
  line.narrow();
  line.lose();
  const std::uint16_t lost = line.newest();
  line.show(8, ms(80));
  EXPECT_THAT(line.missed(0), Contains(lost));
}

TEST(Receiver, goes_on_with_a_keyframe_of_a_layer_that_was_put_aside) {
  LayeredPeer line;
  line.narrow();
  line.show(4, ms(80));
  line.forwarded();
  line.show(300, ms(5));  // The queue is drained.
  EXPECT_GT(line.asked()[2], 0);
  EXPECT_THAT(line.forwarded(), ElementsAre(300, 0, 0));
  line.show(ms(20), 6);
  line.show(29, ms(20));
  EXPECT_THAT(line.forwarded(), ElementsAre(30, 30, 30));
  EXPECT_EQ(line.aside, 0);
  EXPECT_THAT(line.missed(1), IsEmpty()) << "of before";
}

// Receivers would wait for what stands between, and could not tell where the keyframe begins.
TEST(Receiver, leaves_no_hole_in_the_numbers_of_a_layer_that_was_put_aside) {
  LayeredPeer line;
  line.narrow();
  line.show(4, ms(80));
  line.show(200, ms(5));
  line.show(ms(20), 6);
  line.show(10, ms(20));
  std::array<std::vector<std::int64_t>, 3> numbers;
  for (const payload::Packet& packet : line.peer().packets(1))
    numbers[packet.layer].push_back(packet.sequence);
  for (const auto& of_layer : numbers)
    for (std::size_t i = 1; i < of_layer.size(); ++i) ASSERT_EQ(of_layer[i], of_layer[i - 1] + 1);
  EXPECT_LT(numbers[2].size() + 200, numbers[0].size());
}

TEST(Receiver, believes_a_sender_that_makes_no_keyframe_of_what_was_put_aside) {
  LayeredPeer line;
  line.narrow();
  line.show(4, ms(80));
  line.show(100, ms(5));
  line.forwarded();
  line.show(200, ms(20));
  EXPECT_THAT(line.forwarded(), ElementsAre(200, 0, 0));
  line.show(150, ms(20));
  EXPECT_GT(line.forwarded()[2], 50u);
  EXPECT_EQ(line.aside, 0);
}

// A browser sends what it is told is lost of a layer once more, long after it gave it up.
TEST(Receiver, hands_on_nothing_that_is_repeated_of_what_was_put_aside) {
  LayeredPeer line;
  line.narrow();
  line.lose();
  const std::uint16_t lost = line.newest();
  line.show(3, ms(80));
  line.forwarded();
  Sent again = video(lost, 1);
  again.ssrc = 33;
  again.rid = "f";
  again.payload = vp8_delta();
  EXPECT_TRUE(line.peer().send_rtx(again, 63, 1));
  line.peer().flush();
  EXPECT_THAT(line.forwarded(), ElementsAre(0, 0, 0));
}

TEST(Receiver, tells_no_limit_to_who_does_not_know_remb) {
  WaitingPeer peer(false);
  peer.run(Duration::seconds(5), Duration());
  peer.run(Duration::seconds(1), ms(400));
  EXPECT_THAT(peer.limits(), IsEmpty());
}

// What a sender's bandwidth estimator stands on: each packet of the transport is told once, in time, and with
// the moment of its arrival; packets that only probe, retransmissions and sound among them.
TEST(Receiver, tells_when_each_packet_arrived) {
  Peer peer;
  Rng rng(4);
  std::map<std::uint16_t, Timestamp> arrived;
  auto sequence = static_cast<std::uint16_t>(65'400);
  std::int64_t video_index = 0, audio_index = 0, rtx_index = 0;
  for (int step = 0; step < 4000; ++step) {
    peer.run_for(Duration::microseconds(static_cast<std::int64_t>(rng.below(1500))));
    if (step % 1000 == 999) peer.run_for(ms(700));  // A pause.
    ++sequence;
    if (rng.chance(0.03)) continue;  // Lost.
    Sent sent = rng.chance(0.2) ? audio(++audio_index, 1) : video(++video_index, 1);
    if (rng.chance(0.2))
      sent = {
          .ssrc = 60, .type = kVp8RtxType, .index = ++rtx_index, .payload = {}, .mid = "v", .padding = 200};
    sent.transport = sequence;
    (void)peer.send(sent);
    arrived[sequence] = peer.now;
    if (rng.chance(0.5)) peer.flush();
  }
  peer.run_for(ms(250));
  std::uint8_t count = 0;
  std::set<std::uint16_t> told;
  peer.visit<rtcp::TransportFeedback>([&](const rtcp::TransportFeedback& said) {
    EXPECT_EQ(said.feedback_count, count);
    ++count;
    auto arrivals = said.arrivals();
    while (auto arrival = arrivals.next()) {
      auto number = static_cast<std::uint16_t>(said.first_sequence + arrival->index);
      ASSERT_TRUE(arrived.contains(number));
      EXPECT_TRUE(told.insert(number).second);
      Timestamp at = Timestamp() + ms(64 * said.reference_time) + arrival->since_reference;
      EXPECT_GE(arrived[number], at);
      EXPECT_LT(arrived[number], at + rtcp::kFeedbackTick);
    }
  });
  EXPECT_EQ(told.size(), arrived.size());
}

// Often where that is little beside what comes, and always within a tenth of a second.
TEST(Receiver, tells_of_arrivals_at_the_pace_of_what_comes) {
  for (const std::size_t bytes : {3u, 1000u}) {
    const Duration wait = ms(bytes == 3 ? 110 : 60);
    Peer peer;
    std::uint16_t sequence = 0;
    Timestamp last = peer.now;
    std::size_t told = 0;
    for (int i = 0; i < 500; ++i) {
      Sent sound = audio(i + 1, 1);
      sound.payload.resize(bytes);
      sound.transport = ++sequence;
      ASSERT_TRUE(peer.send(sound));
      peer.run_for(ms(10));
      std::size_t count = peer.count<rtcp::TransportFeedback>();
      if (count != told) last = peer.now;
      told = count;
      ASSERT_LE(peer.now - last, wait);
    }
    EXPECT_GE(told, bytes == 3 ? 45u : 80u);
    EXPECT_LE(told, bytes == 3 ? 50u : 100u);
  }
}

TEST(Receiver, sends_no_transport_wide_feedback_that_was_not_agreed_upon) {
  sdp::Agreement agreement = plain_agreement();
  for (auto& section : agreement.sections) {
    for (auto& codec : section.codecs) codec.feedback.transport_cc = false;
  }
  Peer peer(agreement);
  Sent picture = video(1, 1);
  picture.transport = 1;
  ASSERT_TRUE(peer.send(picture));
  peer.run_for(Duration::seconds(1));
  EXPECT_EQ(peer.count<rtcp::TransportFeedback>(), 0u);
}

TEST(Receiver, sends_feedback_on_request_only_where_that_was_agreed_upon) {
  sdp::Agreement agreement = plain_agreement();
  for (auto& section : agreement.sections) {
    for (auto& extension : section.extensions) {
      if (extension.extension == sdp::HeaderExtension::kTransportSequence)
        extension = {sdp::HeaderExtension::kTransportSequence2, kAskId, true, true};
    }
  }
  Peer peer(agreement);
  for (std::uint16_t i = 1; i <= 3; ++i) {
    Sent picture = video(i, i);
    rtp::TransportSequenceAsk ask{.sequence = i, .asks_now = i == 3, .asked_packets = 3};
    auto value = rtp::write_transport_sequence_ask(ask);
    picture.elements = {{kAskId, Buffer(value.begin(), value.begin() + (i == 3 ? 4 : 2))}};
    ASSERT_TRUE(peer.send(picture));
    if (i == 2) peer.run_for(ms(400));
    peer.flush();
    EXPECT_EQ(peer.count<rtcp::TransportFeedback>(), i == 3 ? 1u : 0u);
  }
}

TEST(Receiver, sends_rfc_8888_feedback_instead_where_it_was_agreed_upon) {
  sdp::Agreement agreement = plain_agreement();
  for (auto& section : agreement.sections) {
    for (auto& codec : section.codecs) codec.feedback.ccfb = true;
  }
  Peer peer(agreement);
  Sent first = video(7, 1), second = video(9, 1);
  first.transport = 1;
  second.transport = 2;
  ASSERT_TRUE(peer.send(first));
  ASSERT_TRUE(peer.send(second));
  peer.run_for(ms(250));
  std::vector<bool> received;
  peer.visit<rtcp::CongestionFeedback>([&](const rtcp::CongestionFeedback& said) {
    auto reports = said.reports();
    auto report = reports.next();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->ssrc, 20u);
    EXPECT_EQ(report->first_sequence, 7);
    for (auto metric : report->metrics) received.push_back(metric.is_received);
  });
  EXPECT_THAT(received, ElementsAre(true, false, true));
  EXPECT_EQ(peer.count<rtcp::TransportFeedback>(), 0u);
}

TEST(Receiver, maps_clocks_by_arrival_before_the_first_report) {
  Peer peer;
  peer.run_for(ms(250));
  ASSERT_TRUE(peer.send(video(1, 90'000)));
  ASSERT_TRUE(peer.send(video(2, 93'000)));
  auto mapped = peer.all<TrackClockMapped>();
  ASSERT_EQ(mapped.size(), 1u);
  EXPECT_EQ(mapped[0].track, 1);
  EXPECT_EQ(mapped[0].mapping.timestamp, 90'000);
  EXPECT_EQ(mapped[0].mapping.captured_at, kWall + ms(250));
}

TEST(Receiver, waits_for_the_wall_clock_with_a_mapping) {
  ReceiverOutputs out;
  Receiver receiver(plain_agreement(), {}, kOurs, Rng(1), kBegin);
  ASSERT_TRUE(receiver.handle_rtp(kBegin, write(video(1, 90'000)), 1, out));
  receiver.flush(kBegin, out);
  for (const auto& output : out) EXPECT_FALSE(std::holds_alternative<TrackClockMapped>(output));
  EXPECT_LE(receiver.next_deadline(), kBegin);
  out.clear();
  receiver.handle_deadline(kBegin + ms(30), kWall + ms(30), out);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(std::get<TrackClockMapped>(*out.begin()).mapping.captured_at, kWall);
  EXPECT_GT(receiver.next_deadline(), kBegin + ms(30));
}

TEST(Receiver, keeps_audio_and_video_in_step_by_one_offset) {
  Peer peer;
  ASSERT_TRUE(peer.send(audio(1, 48'000)));
  peer.run_for(ms(120));  // The encoder of the picture takes longer.
  ASSERT_TRUE(peer.send(video(1, 90'000)));
  // Both timestamps were captured at the same moment of the peer's clock. The reports come on ways of
  // different length: 20 ms and 70 ms.
  peer.send_report(10, kPeers + ms(100), 48'000);
  peer.run_for(ms(50));
  peer.send_report(20, kPeers + ms(100), 90'000);
  auto after_begin = [&](media::TrackId track, std::int64_t timestamp) {
    return static_cast<double>((captured(peer, track, timestamp) - kWall).us());
  };
  EXPECT_NEAR(after_begin(0, 48'000), 120'000, 10);
  EXPECT_NEAR(after_begin(1, 90'000), 120'000, 10);
  // A report on a faster way tells all tracks.
  peer.run_for(ms(830));
  peer.send_report(20, kPeers + ms(995), 90'000 + 895 * 90);
  EXPECT_NEAR(after_begin(0, 48'000), 105'000, 100);
  EXPECT_NEAR(after_begin(1, 90'000), 105'000, 100);
}

TEST(Receiver, uses_a_report_that_came_before_the_first_packet) {
  sdp::Agreement agreement = plain_agreement();
  agreement.sections[1].receive_layers[0].ssrc = 20;
  Peer peer(agreement);
  peer.send_report(20, kPeers, 90'000);
  peer.run_for(ms(300));
  ASSERT_TRUE(peer.send(video(1, 90'000 + 9'000)));
  EXPECT_EQ(captured(peer, 1, 99'000), kWall + ms(100));
}

TEST(Receiver, passes_over_reports_without_a_clock_and_of_strangers) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, 90'000)));
  peer.send_report(20, rtcp::NtpTime(), 90'000);
  peer.send_report(99, kPeers, 90'000);
  EXPECT_EQ(peer.all<TrackClockMapped>().size(), 1u);
}

TEST(Receiver, maps_no_clock_of_a_track_that_is_closed) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, 90'000)));
  rtcp::Writer writer;
  std::uint32_t gone = 20;
  writer.write_bye({&gone, 1}, "");
  peer.send_rtcp(writer);
  peer.send_report(20, kPeers, 90'000);
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
  EXPECT_EQ(peer.all<TrackClockMapped>().size(), 1u);
}

TEST(Receiver, maps_capture_times_by_the_same_offset) {
  Peer peer;
  auto with_time = [](std::int64_t index, rtcp::NtpTime captured_at, std::optional<std::int64_t> offset) {
    Sent sent = video(index, 90'000);
    auto value = rtp::write_abs_capture_time({captured_at.bits(), offset});
    sent.elements = {{kCaptureId, Buffer(value.view().begin(), value.view().end())}};
    return sent;
  };
  ASSERT_TRUE(peer.send(with_time(1, kPeers, std::nullopt)));
  peer.run_for(ms(100));
  peer.send_report(20, kPeers + ms(100), 99'000);
  ASSERT_TRUE(peer.send(with_time(2, kPeers + ms(40), std::nullopt)));
  // Captured by somebody else's clock, which is two seconds behind the sender's.
  ASSERT_TRUE(peer.send(with_time(3, kPeers + ms(60) - Duration::seconds(2), std::int64_t{2} << 32)));
  peer.flush();
  auto packets = peer.packets(1);
  ASSERT_EQ(packets.size(), 3u);
  EXPECT_EQ(packets[0].capture_ntp, 0u);
  EXPECT_EQ(rtcp::NtpTime::from_bits(packets[1].capture_ntp).to_wall(), kWall + ms(40));
  EXPECT_EQ(rtcp::NtpTime::from_bits(packets[2].capture_ntp).to_wall(), kWall + ms(60));
}

// Browsers offer no word of reference times in SDP, but echo them.
TEST(Receiver, answers_reference_times_and_measures_round_trips) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, 1)));
  rtcp::Writer writer;
  writer.write_reference_time(20, kPeers);
  peer.send_rtcp(writer);
  peer.run_for(ms(500));
  std::vector<rtcp::DlrrItem> items;
  std::optional<rtcp::NtpTime> ours;
  auto read = [&](const rtcp::ExtendedReport& report) {
    EXPECT_EQ(report.ssrc, kOurs);
    auto blocks = report.blocks();
    while (auto block = blocks.next()) {
      if (auto* delays = std::get_if<rtcp::DelaySinceLast>(&*block)) {
        for (auto item : delays->items) items.push_back(item);
      } else if (auto* time = std::get_if<rtcp::ReceiverReferenceTime>(&*block)) {
        ours = time->ntp;
      }
    }
  };
  peer.visit<rtcp::ExtendedReport>(read);
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0], (rtcp::DlrrItem{20, kPeers.compact(), 65536 / 2}));
  // Its echo of ours: a round trip of 10 ms, after which what is missing is asked for again.
  ASSERT_TRUE(ours);
  peer.run_for(ms(10));
  rtcp::DlrrItem echo{kOurs, ours->compact(), 0};
  writer.write_delay_since_last(20, {&echo, 1});
  peer.send_rtcp(writer);
  ASSERT_TRUE(peer.send(video(3, 1)));
  peer.run_for(ms(18));
  EXPECT_THAT(peer.nacked(), ElementsAre(2, 2));
}

TEST(Receiver, believes_no_echo_of_a_reference_time_that_it_never_sent) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, 1)));
  peer.run_for(ms(600));
  rtcp::Writer writer;
  rtcp::DlrrItem echo{kOurs, rtcp::NtpTime::from_wall(peer.wall()).compact(), 0};
  writer.write_delay_since_last(20, {&echo, 1});
  peer.send_rtcp(writer);
  ASSERT_TRUE(peer.send(video(3, 1)));
  peer.run_for(ms(60));
  EXPECT_THAT(peer.nacked(), ElementsAre(2));
}

TEST(Receiver, bounds_what_reports_make_it_remember) {
  ReceiverConfig config;
  config.streams_max = 4;
  Peer peer(simulcast_agreement(), config);
  rtcp::Writer writer;
  std::vector<std::uint32_t> gone;
  for (std::uint32_t ssrc = 0; ssrc < 31; ++ssrc) {
    peer.send_report(1000 + ssrc, kPeers, 1);
    writer.write_reference_time(2000 + ssrc, kPeers);
    peer.send_rtcp(writer);
    std::vector<rtcp::SdesItem> items;
    for (std::string_view rid : {"q", "h", "f", "x"}) {
      std::uint32_t named = 3000 + 10 * ssrc + static_cast<std::uint32_t>(items.size());
      items.push_back({named, rtcp::SdesType::kMid, as_bytes("v")});
      items.push_back({named, rtcp::SdesType::kRtpStreamId, as_bytes(rid)});
    }
    writer.write_source_description(items);
    peer.send_rtcp(writer);
    gone.push_back(3000 + ssrc);
  }
  peer.send_bye(gone);
  EXPECT_TRUE(peer.outputs.empty());
  peer.run_for(Duration::seconds(2));
  std::size_t answered = 0;
  peer.visit<rtcp::ExtendedReport>([&](const rtcp::ExtendedReport& report) {
    auto blocks = report.blocks();
    while (auto block = blocks.next()) {
      if (auto* delays = std::get_if<rtcp::DelaySinceLast>(&*block)) answered += delays->items.size();
    }
  });
  EXPECT_EQ(answered, 8u);
  ASSERT_TRUE(peer.send({.ssrc = 31, .index = 1, .payload = vp8_keyframe(), .mid = "v", .rid = "q"}));
}

TEST(Receiver, counts_reports_that_are_malformed_and_reads_those_around) {
  Peer peer;
  ASSERT_TRUE(peer.send(video(1, 90'000)));
  rtcp::Writer writer;
  writer.write_reference_time(20, kPeers);
  Buffer bytes(writer.view().begin(), writer.view().end());
  bytes[11] = 7;  // The block claims to be longer than the packet.
  std::uint32_t gone = 20;
  rtcp::Writer bye;
  bye.write_bye({&gone, 1}, "");
  bytes.insert(bytes.end(), bye.view().begin(), bye.view().end());
  peer.receiver.handle_rtcp(peer.now, peer.wall(), bytes, peer.outputs);
  EXPECT_EQ(peer.refused(ReceiveRefusal::kMalformed), 1u);
  EXPECT_EQ(peer.all<TrackClosed>().size(), 1u);
  bytes.pop_back();
  peer.receiver.handle_rtcp(peer.now, peer.wall(), bytes, peer.outputs);
  EXPECT_EQ(peer.refused(ReceiveRefusal::kMalformed), 2u);
}

TEST(PeerClock, takes_the_fastest_report_and_follows_a_slow_drift) {
  PeerClock clock;
  clock.handle_report(kWall + ms(50), kPeers);
  clock.handle_report(kWall + ms(1020), kPeers + ms(1000));
  clock.handle_report(kWall + ms(2300), kPeers + ms(2000));
  double off = static_cast<double>((clock.to_ours(kPeers).to_wall() - kWall).us());
  EXPECT_NEAR(off, 20'000, 300);
  // The peer's clock loses 50 ms in a thousand seconds.
  for (int i = 3; i <= 1000; ++i)
    clock.handle_report(kWall + ms(1000 * i + 20), kPeers + ms(1000 * i) - Duration::microseconds(50 * i));
  off = static_cast<double>((clock.to_ours(kPeers).to_wall() - kWall).us());
  EXPECT_NEAR(off, 70'000, 500);
}

TEST(PeerClock, believes_in_a_clock_that_was_set_once_it_is_said_twice) {
  PeerClock clock;
  EXPECT_TRUE(clock.handle_report(kWall, kPeers));
  Duration hour = Duration::seconds(3600);
  EXPECT_FALSE(clock.handle_report(kWall + ms(1000), kPeers + hour + ms(1000)));
  EXPECT_EQ(clock.to_ours(kPeers).to_wall(), kWall);
  EXPECT_TRUE(clock.handle_report(kWall + ms(2000), kPeers + hour + ms(2000)));
  EXPECT_EQ(clock.to_ours(kPeers + hour).to_wall(), kWall);
}

}  // namespace
}  // namespace stoa::webrtc
