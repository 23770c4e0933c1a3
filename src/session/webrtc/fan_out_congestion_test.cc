// A fan-out and receivers behind a bottleneck, in virtual time: what they are sent follows what comes
// through.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "proto/rtcp/arrival_log.h"
#include "proto/rtp/extension_values.h"
#include "session/webrtc/congestion.h"
#include "session/webrtc/test_fan_out.h"
#include "sim/path.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kStep = Duration::milliseconds(1);

enum class Tells { kArrivals, kCongestionFeedback, kNothing };

// One receiver with its path, and a source of frames at 30 a second.
class Bottleneck {
 public:
  explicit Bottleneck(const sim::PathConfig& path, Tells tells = Tells::kArrivals,
                      bwe::Config congestion = {.start_bits_per_second = 1'000'000}, bool has_rtx = true)
      : world({.congestion = congestion}), tells_(tells), forward_(path, Rng(11), world.now) {
    OutletConfig video = FanOutWorld::video(payload::Encoding::kH264, has_rtx);
    video.has_ccfb = tells == Tells::kCongestionFeedback;
    OutletConfig audio = FanOutWorld::audio();
    audio.has_ccfb = video.has_ccfb;
    audio.extensions.set(rtp::ExtensionKind::kTransportSequence, 3);
    world.add_peer({video, audio});
    stream = world.add_stream();
    sound = world.add_stream(payload::Encoding::kOpus);
    world.set_source(peer(), stream, 0);
    world.set_source(peer(), sound, 1);
  }
  Peer& peer() { return *world.peers[0]; }

  // `bits_per_second` of video; a keyframe first, ten times as large as the others.
  void run(Duration time, std::uint64_t bits_per_second) {
    const Timestamp end = world.now + time;
    while (world.now < end) {
      if (bits_per_second > 0 && world.now >= next_frame_) {
        next_frame_ = world.now + Duration::microseconds(33'333);
        const bool is_keyframe = frames_++ == 0;
        const std::size_t bytes = bits_per_second / 8 / 30 * (is_keyframe ? 10 : 1);
        const std::size_t packets = bytes / 1100 + 1;
        world.frame(stream, {.is_keyframe = is_keyframe, .packets = packets, .bytes = bytes / packets});
      }
      if (world.now >= next_sound_) {
        next_sound_ = world.now + Duration::milliseconds(20);
        world.frame(sound, {.packets = 1, .bytes = 120}, 960);
      }
      step();
    }
  }
  std::uint64_t estimate() const { return world.fan_out.target(world.peers[0]->id)->bits_per_second; }

  FanOutWorld world;
  StreamId stream, sound;
  std::uint64_t told = 0;           // The last rate that came out.
  std::uint64_t arrived_bytes = 0;  // On the wire.
  Duration longest_wait, longest_sound_gap;
  std::size_t most_in_step = 0;  // Bytes that left within a millisecond.
  std::size_t sent_with_ecn = 0, sent_without_ecn = 0;
  bool bleaches = false;  // The path takes ECN off.

 private:
  void step() {
    if (world.fan_out.next_deadline() <= world.now)
      world.fan_out.handle_deadline(world.now, world.wall(), world.out);
    send();
    while (auto arrival = forward_.take_arrived(world.now)) take(*arrival);
    if (world.now >= next_feedback_) {
      next_feedback_ = world.now + Duration::milliseconds(50);
      give_feedback();
    }
    while (!back_.empty() && back_.front().first <= world.now) {
      world.fan_out.handle_rtcp(world.now, world.wall(), peer().id, back_.front().second, world.out);
      back_.erase(back_.begin());
    }
    for (FanOutOutput& output : world.out.take())
      if (auto* bandwidth = std::get_if<SenderBandwidth>(&output)) told = bandwidth->target.bits_per_second;
    world.now += kStep;
  }
  void send() {
    DatagramBatch batch(DatagramBatch::kBytesDefault);
    std::size_t left = 0;
    for (bool has_more = true; has_more;) {
      has_more = world.fan_out.fill(world.now, batch);
      for (const DatagramTrain& train : batch.trains())
        for (std::size_t at = 0; at < train.bytes.size(); at += train.segment_bytes) {
          const Bytes wire =
              train.bytes.subspan(at, std::min<std::size_t>(train.segment_bytes, train.bytes.size() - at));
          left += wire.size();
          const auto bytes = static_cast<std::uint32_t>(wire.size() + kDatagramBytes);
          (void)forward_.send(world.now, bytes, Buffer(wire.begin(), wire.end()),
                              train.ecn == Ecn::kCapable1);
          (train.ecn == Ecn::kCapable1 ? sent_with_ecn : sent_without_ecn) += 1;
        }
      batch.clear();
    }
    if (frames_ > 1) most_in_step = std::max(most_in_step, left);
  }
  void take(const sim::Path<Buffer>::Arrival& arrival) {
    arrived_bytes += arrival.bytes;
    longest_wait = std::max(longest_wait, arrival.waited);
    const auto packet = rtp::parse_header(arrival.payload);  // Its padding is encrypted.
    ASSERT_TRUE(packet);
    if (packet->header.ssrc == kAudioSsrc) {
      if (sound_at_) longest_sound_gap = std::max(longest_sound_gap, arrival.at - *sound_at_);
      sound_at_ = arrival.at;
    }
    const auto element = rtp::find_element(packet->extension, 3);
    ASSERT_TRUE(element);
    arrivals_.handle_packet(arrival.at, *rtp::parse_transport_sequence(element->value));
    congestion_.handle_packet(arrival.at, packet->header.ssrc, packet->header.sequence,
                              bleaches            ? Ecn::kNotCapable
                              : arrival.is_marked ? Ecn::kCongestion
                                                  : Ecn::kCapable1);
  }
  void give_feedback() {
    for (bool is_written = tells_ != Tells::kNothing; is_written;) {
      rtcp::Writer writer;
      is_written =
          tells_ == Tells::kArrivals
              ? arrivals_.write_feedback(1, kVideoSsrc, writer)
              : congestion_.write_feedback(world.now, rtcp::NtpTime::from_wall(world.wall()), 1, writer);
      if (is_written) back_.emplace_back(world.now + Duration::milliseconds(20), writer.take());
    }
  }

  static constexpr std::size_t kDatagramBytes = 28;  // IPv4 and UDP.
  Tells tells_;
  sim::Path<Buffer> forward_;
  std::vector<std::pair<Timestamp, Buffer>> back_;
  rtcp::ArrivalLog arrivals_;
  rtcp::CongestionLog congestion_;
  Timestamp next_frame_ = world.now, next_sound_ = world.now, next_feedback_ = world.now;
  std::optional<Timestamp> sound_at_;
  std::size_t frames_ = 0;
};

sim::PathConfig link_of(std::uint64_t bits_per_second) {
  sim::PathConfig config;
  config.capacity = {{Duration(), bits_per_second}};
  config.delay = {{Duration(), Duration::milliseconds(20)}};
  return config;
}

// Until then it is given the least layer.
TEST(FanOutCongestion, says_at_once_that_a_receiver_tells_what_arrives) {
  Congestion::Scratch scratch;
  Timestamp now = Timestamp() + Duration::seconds(1);
  Congestion congestion({.start_bits_per_second = 1'000'000}, now, scratch);
  const auto before = congestion.take_news(now);
  ASSERT_TRUE(before);
  EXPECT_FALSE(before->is_told);
  now += Duration::milliseconds(50);
  EXPECT_FALSE(congestion.take_news(now));
  congestion.controller().handle_remb(now, before->bits_per_second);
  const auto after = congestion.take_news(now);
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->is_told);
}

TEST(FanOutCongestion, finds_what_a_link_carries_below_what_there_is_to_send) {
  for (const Tells tells : {Tells::kArrivals, Tells::kCongestionFeedback}) {
    Bottleneck link(link_of(2'000'000), tells);
    link.run(Duration::seconds(10), 1'500'000);
    EXPECT_GT(link.estimate(), 1'400'000u);
    // More than that: not to be believed, however much is lost.
    link.run(Duration::seconds(10), 2'500'000);
    EXPECT_GT(link.estimate(), 900'000u);
    EXPECT_LT(link.estimate(), 2'200'000u);
    EXPECT_NEAR(static_cast<double>(link.told), static_cast<double>(link.estimate()),
                static_cast<double>(link.estimate()) * 0.03);
  }
}

TEST(FanOutCongestion, finds_room_that_is_wanted_by_sending_again_what_was_sent) {
  Bottleneck link(link_of(12'000'000));
  link.world.fan_out.set_demand(link.world.now, link.peer().id,
                                {.sends_bits_per_second = 300'000,
                                 .next_bits_per_second = 6'000'000,
                                 .all_bits_per_second = 8'000'000});
  link.run(Duration::seconds(4), 300'000);
  EXPECT_GT(link.estimate(), 6'000'000u);
  EXPECT_GT(link.world.fan_out.totals().probe_packets, 0u);
  // Of little use once it is known: a probe now and then.
  const std::uint64_t before = link.arrived_bytes;
  link.run(Duration::seconds(60), 300'000);
  EXPECT_LT(link.arrived_bytes - before, 60u * 600'000 / 8);
}

TEST(FanOutCongestion, tells_more_for_a_while_where_nothing_can_fill_a_probe_but_media) {
  Bottleneck link(link_of(5'000'000), Tells::kArrivals, {.start_bits_per_second = 1'000'000}, false);
  link.world.fan_out.set_demand(link.world.now, link.peer().id,
                                {.sends_bits_per_second = 100'000,
                                 .next_bits_per_second = 2'000'000,
                                 .all_bits_per_second = 2'000'000});
  for (int i = 0; i < 200 && link.told < 2'000'000; ++i) link.run(Duration::milliseconds(50), 100'000);
  EXPECT_GT(link.told, 2'000'000u);
  // It is given that, and the trial holds.
  link.run(Duration::seconds(10), 1'700'000);
  EXPECT_GT(link.estimate(), 1'700'000u);
  EXPECT_EQ(link.world.fan_out.totals().probe_packets, 0u);
}

// A picture that was paused for want of room has nothing that could be sent again.
TEST(FanOutCongestion, finds_room_for_pictures_that_are_paused) {
  Bottleneck link(link_of(3'000'000), Tells::kArrivals, {.start_bits_per_second = 80'000});
  link.world.set_source(link.peer(), {}, 0);
  link.world.fan_out.set_demand(
      link.world.now, link.peer().id,
      {.sends_bits_per_second = 60'000, .next_bits_per_second = 200'000, .all_bits_per_second = 1'500'000});
  link.run(Duration::seconds(4), 0);
  EXPECT_GT(link.told, 1'500'000u);
  EXPECT_GT(link.world.fan_out.totals().probe_packets, 0u);
  EXPECT_EQ(link.world.fan_out.totals().refused, 0u);
}

TEST(FanOutCongestion, is_back_within_seconds_after_an_outage_that_paused_all_pictures) {
  sim::PathConfig config = link_of(3'000'000);
  config.capacity = {{Duration(), 3'000'000}, {Duration::seconds(5), 0}, {Duration::seconds(15), 3'000'000}};
  Bottleneck link(config);
  const bwe::Demand all{.sends_bits_per_second = 1'200'000, .all_bits_per_second = 1'200'000};
  link.world.fan_out.set_demand(link.world.now, link.peer().id, all);
  link.run(Duration::seconds(5), 1'200'000);
  EXPECT_GT(link.told, 1'200'000u);
  link.run(Duration::seconds(3), 1'200'000);
  link.world.set_source(link.peer(), {}, 0);
  link.world.fan_out.set_demand(
      link.world.now, link.peer().id,
      {.sends_bits_per_second = 60'000, .next_bits_per_second = 150'000, .all_bits_per_second = 1'400'000});
  link.run(Duration::seconds(7), 0);
  EXPECT_LT(link.told, 100'000u);
  link.run(Duration::seconds(2), 0);
  EXPECT_GT(link.told, 1'200'000u);
}

TEST(FanOutCongestion, spreads_a_keyframe_and_lets_sound_through) {
  Bottleneck link(link_of(3'000'000));
  link.run(Duration::seconds(5), 1'500'000);
  link.longest_sound_gap = Duration();
  // 90 kB, which take a quarter of a second on the link.
  link.world.frame(link.stream, {.is_keyframe = true, .packets = 80, .bytes = 1100});
  link.most_in_step = 0;
  link.run(Duration::seconds(2), 1'000'000);
  EXPECT_LT(link.most_in_step, 12'000u);
  EXPECT_LT(link.longest_sound_gap, Duration::milliseconds(250));
}

TEST(FanOutCongestion, sends_a_frame_as_one_train_where_the_path_has_room) {
  for (const bool has_room : {true, false}) {
    Bottleneck link(link_of(2'500'000));
    const std::uint64_t all = has_room ? 1'200'000 : 4'000'000;
    link.world.fan_out.set_demand(link.world.now, link.peer().id,
                                  {.sends_bits_per_second = all, .all_bits_per_second = all});
    link.run(Duration::seconds(5), 1'100'000);
    const FanOut::Totals before = link.world.fan_out.totals();
    link.run(Duration::seconds(5), 1'100'000);
    const FanOut::Totals& after = link.world.fan_out.totals();
    // 30 frames a second of five packets and 50 packets of sound.
    EXPECT_EQ(after.held_back == before.held_back, has_room);
    EXPECT_EQ(after.trains - before.trains <= 5u * (30 + 50), has_room);
  }
}

TEST(FanOutCongestion, comes_down_with_the_link_and_up_again) {
  sim::PathConfig config = link_of(3'000'000);
  config.capacity = {
      {Duration(), 3'000'000}, {Duration::seconds(10), 600'000}, {Duration::seconds(20), 3'000'000}};
  Bottleneck link(config);
  link.world.fan_out.set_demand(link.world.now, link.peer().id, {.all_bits_per_second = 2'500'000});
  link.run(Duration::seconds(10), 1'000'000);
  EXPECT_GT(link.estimate(), 1'000'000u);
  link.run(Duration::seconds(3), 500'000);
  EXPECT_LT(link.estimate(), 700'000u);
  link.run(Duration::seconds(7), 450'000);
  link.run(Duration::seconds(8), 450'000);
  EXPECT_GT(link.estimate(), 1'500'000u);
}

// RFC 9330: marks from a shallow threshold on keep the queue short.
TEST(FanOutCongestion, heeds_marks_where_the_receiver_tells_of_them) {
  sim::PathConfig config = link_of(2'000'000);
  config.marking = sim::Marking::kThreshold;
  config.mark_above = Duration::milliseconds(5);
  const auto run = [&](Tells tells, bool reacts, bool bleaches) {
    auto link = std::make_unique<Bottleneck>(
        config, tells, bwe::Config{.start_bits_per_second = 1'000'000, .reacts_to_ecn = reacts});
    link->bleaches = bleaches;
    link->run(Duration::seconds(10), 1'500'000);
    return link;
  };
  const auto heeding = run(Tells::kCongestionFeedback, true, false);
  EXPECT_LT(heeding->sent_without_ecn, 50u);  // Until the first feedback.
  EXPECT_GT(heeding->sent_with_ecn, 1000u);
  const auto bleached = run(Tells::kCongestionFeedback, true, true);
  EXPECT_GT(bleached->sent_with_ecn, 0u);
  EXPECT_LT(bleached->sent_with_ecn, 300u);
  // Who does not tell of marks, or is not to heed them, has nothing to be marked.
  EXPECT_EQ(run(Tells::kArrivals, true, false)->sent_with_ecn, 0u);
  EXPECT_EQ(run(Tells::kCongestionFeedback, false, false)->sent_with_ecn, 0u);
}

TEST(FanOutCongestion, sends_on_to_who_never_says_anything) {
  Bottleneck link(link_of(10'000'000), Tells::kNothing);
  link.run(Duration::seconds(10), 1'500'000);
  EXPECT_GT(link.arrived_bytes, 10u * 1'400'000 / 8);
}

TEST(FanOutCongestion, goes_on_sending_where_there_is_nothing_to_leave_out) {
  Bottleneck link(link_of(1'000'000));
  link.run(Duration::seconds(10), 1'500'000);
  const std::uint64_t sent = link.world.fan_out.totals().bytes;
  link.run(Duration::seconds(10), 1'500'000);
  EXPECT_GT(link.world.fan_out.totals().bytes - sent, 10u * 900'000 / 8);
}

}  // namespace
}  // namespace stoa::webrtc
