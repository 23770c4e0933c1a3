#include "media/payload/depacketizer.h"

#include <array>
#include <map>

#include "media/payload/packetizer.h"
#include "media/payload/test_payloads.h"
#include "proto/rtp/packet.h"
#include "proto/rtp/unwrap.h"
#include "sim/link.h"

namespace stoa::payload {
namespace {

constexpr Duration kWait = Duration::milliseconds(200);

// VP8 is the easiest to write by hand: a start has 0x10, a key frame's first byte an even value.
struct Stream {
  explicit Stream(DepacketizerConfig config = {.encoding = Encoding::kVp8}) : depacketizer(config) {}

  Result<void, Refusal> packet(std::int64_t sequence, std::int64_t timestamp, bool marker,
                               std::string_view hex) {
    Buffer payload = from_hex(hex);
    DepacketizerOutputs out;
    auto result = depacketizer.handle_packet(now, {sequence, timestamp, marker, payload}, out);
    note(out);
    return result;
  }
  // A frame of one packet.
  Result<void, Refusal> key(std::int64_t sequence) { return packet(sequence, sequence * 10, true, "1000"); }
  Result<void, Refusal> delta(std::int64_t sequence) { return packet(sequence, sequence * 10, true, "1001"); }
  void wait(Duration duration) {
    now += duration;
    DepacketizerOutputs out;
    if (depacketizer.next_deadline() <= now) depacketizer.handle_deadline(now, out);
    note(out);
  }
  // "F3-4" a frame of these packets (K for a key frame), "L5-6" packets given up, "?" a key frame asked for.
  void note(DepacketizerOutputs& out) {
    for (auto& output : out.take()) {
      std::visit(Overloaded{[&](FrameReady& frame) {
                              append(frame.is_keyframe ? "K" : "F", frame.first_sequence,
                                     frame.last_sequence);
                              frames.push_back(std::move(frame));
                            },
                            [&](FramesLost& lost) { append("L", lost.first_sequence, lost.last_sequence); },
                            [&](KeyframeNeeded&) { log += "? "; }},
                 output);
    }
  }
  void append(const char* what, std::int64_t first, std::int64_t last) {
    log += what + std::to_string(first) + (last == first ? "" : "-" + std::to_string(last)) + " ";
  }
  std::string take_log() { return std::exchange(log, {}); }

  Depacketizer depacketizer;
  Timestamp now = Timestamp::from_ns(1'000'000'000);
  std::string log;
  std::vector<FrameReady> frames;
};

TEST(Depacketizer, gives_frames_as_they_get_whole) {
  Stream stream;
  stream.packet(1, 10, false, "1000aa");
  EXPECT_EQ(stream.take_log(), "");
  stream.packet(2, 10, true, "00bb");
  EXPECT_EQ(stream.take_log(), "K1-2 ");
  EXPECT_EQ(stream.frames[0].frame, from_hex("00aabb"));
  EXPECT_EQ(stream.frames[0].timestamp, 10);
  stream.delta(3);
  EXPECT_EQ(stream.take_log(), "F3 ");
  EXPECT_EQ(stream.depacketizer.bytes_held(), 0u);
}

TEST(Depacketizer, ends_a_frame_without_a_marker_where_the_next_begins) {
  Stream stream;
  stream.packet(1, 10, false, "1000");
  stream.packet(2, 10, false, "00bb");
  stream.packet(3, 20, false, "1001");
  EXPECT_EQ(stream.take_log(), "K1-2 ");
}

TEST(Depacketizer, puts_packets_in_order) {
  Stream stream;
  stream.key(1);
  stream.packet(4, 20, true, "00cc");
  stream.delta(5);
  stream.packet(2, 20, false, "1001");
  EXPECT_EQ(stream.take_log(), "K1 ");
  stream.packet(3, 20, false, "00bb");
  EXPECT_EQ(stream.take_log(), "F2-4 F5 ");
  EXPECT_EQ(stream.frames[1].frame, from_hex("01bbcc"));
  EXPECT_EQ(stream.depacketizer.next_deadline(), Timestamp::never());
}

TEST(Depacketizer, takes_packets_from_before_the_first_that_came) {
  Stream stream;
  stream.packet(0, 10, true, "00bb");
  EXPECT_EQ(stream.take_log(), "L0 ? ");  // Whole it can never be, by its own bytes.
  Stream other;
  other.packet(1, 10, false, "00bb");
  other.packet(-1, 10, false, "1000");
  other.packet(0, 10, false, "00aa");
  other.packet(2, 10, true, "00cc");
  EXPECT_EQ(other.take_log(), "K-1-2 ");
}

TEST(Depacketizer, gives_up_what_is_missing_too_long_and_asks_for_a_key_frame) {
  Stream stream;
  stream.key(1);
  stream.delta(3);
  EXPECT_EQ(stream.depacketizer.next_deadline(), stream.now + kWait);
  stream.wait(kWait - Duration::milliseconds(1));
  stream.delta(4);
  EXPECT_EQ(stream.take_log(), "K1 ");
  stream.wait(Duration::milliseconds(1));
  EXPECT_EQ(stream.take_log(), "L2 ? ");
  EXPECT_EQ(stream.depacketizer.stats().frames_skipped, 2u);
  stream.key(5);
  stream.delta(6);
  EXPECT_EQ(stream.take_log(), "K5 F6 ");
}

TEST(Depacketizer, waits_longer_or_shorter_for_the_same_hole_when_told_to) {
  Stream stream;
  stream.key(1);
  EXPECT_FALSE(stream.depacketizer.is_waiting());
  stream.delta(3);
  EXPECT_TRUE(stream.depacketizer.is_waiting());
  stream.depacketizer.set_wait_max(kWait * 3);
  EXPECT_EQ(stream.depacketizer.next_deadline(), stream.now + kWait * 3);
  stream.wait(kWait * 2);
  EXPECT_EQ(stream.take_log(), "K1 ");
  stream.depacketizer.set_wait_max(kWait);
  stream.wait(Duration());
  EXPECT_EQ(stream.take_log(), "L2 ? ");
  EXPECT_FALSE(stream.depacketizer.is_waiting());
  // Also where a part of what was missing has come meanwhile.
  stream.key(4);
  stream.delta(7);
  const Timestamp due = stream.now + kWait;
  stream.wait(kWait / 2);
  stream.delta(6);
  stream.depacketizer.set_wait_max(kWait * 2);
  EXPECT_EQ(stream.depacketizer.next_deadline(), due + kWait);
}

TEST(Depacketizer, asks_for_a_key_frame_again_only_after_the_interval) {
  Stream stream;
  stream.delta(1);
  stream.delta(2);
  EXPECT_EQ(stream.take_log(), "? ");
  stream.wait(Duration::milliseconds(500));
  stream.delta(3);
  EXPECT_EQ(stream.take_log(), "? ");
}

TEST(Depacketizer, goes_on_without_a_key_frame_where_it_is_told_to) {
  Stream stream({.encoding = Encoding::kVp8, .waits_for_keyframe = false});
  stream.delta(1);
  stream.delta(3);
  stream.wait(kWait);
  EXPECT_EQ(stream.take_log(), "F1 L2 F3 ");
}

TEST(Depacketizer, gives_up_the_whole_frame_that_misses_a_packet) {
  Stream stream;
  stream.key(1);
  stream.packet(2, 20, false, "1001");
  stream.packet(4, 20, true, "00cc");
  stream.key(5);
  stream.wait(kWait);
  EXPECT_EQ(stream.take_log(), "K1 L2-3 ? L4 K5 ");
}

TEST(Depacketizer, counts_each_hole_from_the_packet_behind_it) {
  Stream stream;
  stream.key(1);
  stream.key(3);
  stream.wait(Duration::milliseconds(150));
  stream.key(5);
  stream.wait(Duration::milliseconds(50));
  EXPECT_EQ(stream.take_log(), "K1 L2 ? K3 ");
  stream.wait(Duration::milliseconds(149));
  EXPECT_EQ(stream.take_log(), "");
  stream.wait(Duration::milliseconds(1));
  EXPECT_EQ(stream.take_log(), "L4 K5 ");
}

TEST(Depacketizer, refuses_late_and_double_packets) {
  Stream stream;
  stream.key(1);
  stream.delta(3);
  EXPECT_EQ(stream.delta(3).error(), Refusal::kDuplicate);
  EXPECT_EQ(stream.key(1).error(), Refusal::kLate);
  EXPECT_EQ(stream.depacketizer.stats().duplicates, 1u);
  EXPECT_EQ(stream.depacketizer.stats().late, 1u);
}

TEST(Depacketizer, passes_over_packets_of_padding_wherever_they_are) {
  Stream stream;
  stream.key(1);
  stream.packet(2, 10, false, "");
  stream.packet(3, 30, false, "1001");
  stream.packet(4, 30, false, "");
  stream.packet(5, 30, true, "00aa");
  stream.delta(6);
  EXPECT_EQ(stream.take_log(), "K1 F3-5 F6 ");
  EXPECT_EQ(stream.frames[1].frame, from_hex("01aa"));
}

TEST(Depacketizer, loses_the_frame_of_a_malformed_packet_without_waiting) {
  Stream stream;
  stream.key(1);
  EXPECT_EQ(stream.packet(2, 20, true, "90").error(), Refusal::kTruncated);
  EXPECT_EQ(stream.take_log(), "K1 L2 ? ");
  stream.key(3);
  EXPECT_EQ(stream.take_log(), "K3 ");
  EXPECT_EQ(stream.depacketizer.stats().malformed, 1u);
}

TEST(Depacketizer, gives_up_what_stands_in_the_way_of_a_full_ring) {
  Stream stream({.encoding = Encoding::kVp8, .packets_max = 4});
  stream.key(1);
  for (std::int64_t sequence : {3, 4, 5}) stream.key(sequence);
  EXPECT_EQ(stream.take_log(), "K1 ");
  stream.key(6);
  EXPECT_EQ(stream.take_log(), "L2 ? K3 K4 K5 K6 ");
}

TEST(Depacketizer, begins_anew_behind_a_jump) {
  Stream stream;
  stream.key(1);
  stream.delta(3);
  stream.key(1'000'000);
  EXPECT_EQ(stream.take_log(), "K1 L2-999999 ? K1000000 ");
  EXPECT_EQ(stream.depacketizer.bytes_held(), 0u);
}

TEST(Depacketizer, holds_no_more_bytes_than_it_may) {
  Stream stream({.encoding = Encoding::kVp8, .bytes_max = 10});
  EXPECT_EQ(stream.packet(0, 0, true, "1000000000000000000000").error(), Refusal::kTooLarge);
  stream.key(1);
  stream.packet(2, 20, false, "100102030405");
  stream.packet(3, 20, false, "000102030405");
  EXPECT_EQ(stream.take_log(), "K1 L2-3 ? ");
  EXPECT_EQ(stream.depacketizer.bytes_held(), 0u);
}

TEST(Depacketizer, wants_parameter_sets_with_the_key_frame_behind_a_loss) {
  Stream stream({.encoding = Encoding::kH264});
  stream.packet(1, 10, false, "67aa");
  stream.packet(2, 10, true, "6588");
  stream.packet(5, 20, true, "6588");  // Its parameter sets were in what was lost.
  stream.wait(kWait);
  EXPECT_EQ(stream.take_log(), "K1-2 L3-4 ? ");
  stream.packet(6, 30, false, "67aa");
  stream.packet(7, 30, true, "6588");
  stream.packet(8, 40, true, "6588");
  EXPECT_EQ(stream.take_log(), "K6-7 K8 ");
}

TEST(Depacketizer, gives_every_opus_packet_and_waits_for_no_key_frame) {
  Stream stream({.encoding = Encoding::kOpus});
  stream.packet(1, 960, true, "f8aa");
  stream.packet(2, 1920, false, "f8bb");
  stream.packet(4, 3840, false, "f8dd");
  stream.wait(kWait);
  EXPECT_EQ(stream.take_log(), "K1 K2 L3 K4 ");
  EXPECT_EQ(stream.frames[2].frame, from_hex("f8dd"));
}

// Frames of every encoding over a bad line, as RTP packets. With no more than disorder and doubles all of
// them arrive; with losses, what arrives is what was sent.
struct LineCase {
  Encoding encoding;
  double loss;
};
Buffer make_frame(Encoding encoding, int number, bool is_key) {
  std::size_t size = 20 + static_cast<std::size_t>(number) * 97 % 4000;
  unsigned seed = static_cast<unsigned>(number);
  switch (encoding) {
    case Encoding::kH264:
      if (is_key)
        return access_unit({from_hex("6742c00ad9"), from_hex("68cb83cb20"), unit("6588", size, seed)});
      return access_unit({unit("419a", size, seed)});
    case Encoding::kHevc:
      if (is_key)
        return access_unit({from_hex("40010c01"), from_hex("42010101"), unit("2601af", size, seed)});
      return access_unit({unit("0201d0", size, seed)});
    case Encoding::kAv1: {
      Buffer frame = is_key ? from_hex("0a0a000000032c1c4daf9004") : Buffer();
      Buffer body = unit(is_key ? "10" : "30", size, seed);
      frame.push_back(0x32);
      for (; size >= 0x80; size >>= 7) frame.push_back(static_cast<std::uint8_t>(size | 0x80));
      frame.push_back(static_cast<std::uint8_t>(size));
      frame.insert(frame.end(), body.begin(), body.end());
      return frame;
    }
    case Encoding::kVp8: return unit(is_key ? "10" : "11", size, seed);
    case Encoding::kVp9: return unit(is_key ? "824983420013f00b40" : "860040", size, seed);
    case Encoding::kOpus: return unit("f8", 60, seed);
  }
  return {};
}

class OverALine : public testing::TestWithParam<LineCase> {};

TEST_P(OverALine, gives_back_the_frames_that_were_sent) {
  auto [encoding, loss] = GetParam();
  sim::VirtualTime time;
  sim::Link link(time,
                 {.latency = Duration::milliseconds(20),
                  .jitter = Duration::milliseconds(5),
                  .loss = loss,
                  .duplication = 0.05,
                  .reordering = 0.05,
                  .reordering_delay = Duration::milliseconds(30)},
                 Rng(7));
  Packetizer packetizer({.encoding = encoding, .payload_bytes_max = 1100});
  Depacketizer depacketizer({.encoding = encoding});
  rtp::SequenceUnwrapper sequences;
  rtp::TimestampUnwrapper timestamps;
  std::map<std::int64_t, Buffer> sent;
  std::size_t received = 0, keyframes_needed = 0;
  auto take = [&](DepacketizerOutputs& out) {
    for (auto& output : out.take()) {
      if (std::holds_alternative<KeyframeNeeded>(output)) ++keyframes_needed;
      auto* frame = std::get_if<FrameReady>(&output);
      if (frame == nullptr) continue;
      ++received;
      auto found = sent.find(frame->timestamp);
      ASSERT_NE(found, sent.end());
      EXPECT_EQ(frame->frame, found->second);
      sent.erase(sent.begin(), std::next(found));
    }
  };

  constexpr int kFrames = 600;
  constexpr std::uint32_t kFirstTimestamp = 0xffff'0000;
  std::uint16_t sequence = 65'000;
  PayloadList payloads;
  DepacketizerOutputs out;
  for (int i = 0; i < kFrames + 30; ++i, time.advance(Duration::milliseconds(20))) {
    if (i < kFrames) {
      Buffer frame = make_frame(encoding, i, i % 30 == 0);
      std::int64_t timestamp = std::int64_t{kFirstTimestamp} + i * 960;
      ASSERT_TRUE(packetizer.handle_frame(frame, timestamp, payloads));
      sent[timestamp] = frame;
      for (std::size_t p = 0; p < payloads.size(); ++p) {
        std::array<std::uint8_t, 1200> bytes;
        rtp::Header header{.marker = payloads.has_marker(p),
                           .payload_type = 96,
                           .sequence = sequence++,
                           .timestamp = static_cast<std::uint32_t>(timestamp)};
        auto size = rtp::write(header, {}, payloads[p], bytes);
        ASSERT_TRUE(size);
        link.send(Bytes(bytes).first(*size));
      }
    }
    for (Buffer& bytes : link.take_arrived()) {
      auto packet = rtp::parse(bytes);
      ASSERT_TRUE(packet);
      (void)depacketizer.handle_packet(
          time.now(),
          {sequences.unwrap(packet->header.sequence), timestamps.unwrap(packet->header.timestamp),
           packet->header.marker, packet->payload},
          out);
      take(out);
    }
    if (depacketizer.next_deadline() <= time.now()) depacketizer.handle_deadline(time.now(), out);
    take(out);
  }
  EXPECT_GT(depacketizer.stats().duplicates + depacketizer.stats().late, 0u);
  if (loss == 0) {
    EXPECT_EQ(received, static_cast<std::size_t>(kFrames));
    EXPECT_EQ(depacketizer.stats().losses, 0u);
  } else {
    EXPECT_GT(received, static_cast<std::size_t>(kFrames) / 10);
    EXPECT_LT(received, static_cast<std::size_t>(kFrames));
    EXPECT_EQ(keyframes_needed > 0, is_video(encoding));
  }
}

INSTANTIATE_TEST_SUITE_P(All, OverALine,
                         testing::Values(LineCase{Encoding::kH264, 0}, LineCase{Encoding::kHevc, 0},
                                         LineCase{Encoding::kAv1, 0}, LineCase{Encoding::kVp8, 0},
                                         LineCase{Encoding::kVp9, 0}, LineCase{Encoding::kOpus, 0},
                                         LineCase{Encoding::kH264, 0.02}, LineCase{Encoding::kHevc, 0.02},
                                         LineCase{Encoding::kAv1, 0.02}, LineCase{Encoding::kVp8, 0.02},
                                         LineCase{Encoding::kVp9, 0.02}, LineCase{Encoding::kOpus, 0.02}),
                         [](const auto& test) {
                           return std::string(name_of(test.param.encoding)) +
                                  (test.param.loss > 0 ? "_with_losses" : "_in_disorder");
                         });

}  // namespace
}  // namespace stoa::payload
