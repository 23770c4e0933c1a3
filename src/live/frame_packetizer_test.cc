#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "live/packet_feed.h"
#include "live/test_packets.h"
#include "media/codec.h"
#include "media/codec_vectors.h"
#include "media/payload/first_format.h"

namespace stoa::live {
namespace {

using namespace stoa::live::testing;
using media::Codec;
using payload::Obstacle;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::Ge;

constexpr media::TrackId kVideo = 0, kSound = 1;
constexpr Duration kRtmpWrap = Duration::milliseconds(std::int64_t{1} << 32);

Duration ms(std::int64_t n) { return Duration::milliseconds(n); }

std::shared_ptr<const media::Format> format_of(Codec codec, std::string_view hex) {
  auto format = media::make_format(codec, media::vectors::shared(hex));
  return format ? *format : nullptr;
}

struct Sent {
  payload::Packet packet;
  Buffer payload;
};

// A source's events in virtual time, and what comes of them.
class Feed {
 public:
  explicit Feed(PacketFeedConfig config = {}) : packetizer(config, Rng(5)) {}

  WallTime wall() const { return WallTime::from_seconds(1'800'000'000) + (now - Timestamp()); }
  void event(const media::TrackEvent& event) {
    packetizer.handle_event(now, wall(), event, out);
    drain();
  }
  void format(media::TrackId track, std::shared_ptr<const media::Format> format) {
    ASSERT_TRUE(format);
    event(media::TrackFormat{.track = track, .format = std::move(format), .clock_wrap = kRtmpWrap});
  }
  void frame(media::TrackId track, Duration dts, Duration pts, bool is_keyframe, Buffer payload) {
    event(media::TrackFrame{track, {dts, pts, is_keyframe, SharedBytes(std::move(payload))}});
  }
  void want(bool is_wanted = true) {
    packetizer.set_wanted(now, wall(), is_wanted, out);
    drain();
  }
  void drain() {
    for (auto& output : out) {
      if (auto* changed = std::get_if<PacketTrackChanged>(&output)) changes.push_back(*changed);
      if (auto* ended = std::get_if<PacketTrackEnded>(&output)) endings.push_back(ended->track);
      if (auto* mapped = std::get_if<PacketClockMapped>(&output)) mappings[mapped->track] = mapped->mapping;
      auto* made = std::get_if<PacketsMade>(&output);
      for (std::size_t i = 0; made && i < made->batch.count; ++i) {
        Bytes payload = made->batch.payload(i);
        packets[made->track].push_back({made->batch[i], Buffer(payload.begin(), payload.end())});
      }
    }
    out.clear();
  }
  // Frames shown `captured` after the first, ones of `source` clock rounded to milliseconds.
  void video(Duration captured, bool is_keyframe, Duration clock = {}) {
    Duration stamp = ms((captured + clock).to_ticks(1'000));
    now = start + captured;
    frame(kVideo, stamp, stamp, is_keyframe, h264_frame(is_keyframe, 400, next_seed++));
  }

  // The RTP times of frames, against the first, in ticks.
  std::vector<std::int64_t> times(media::TrackId track) {
    std::vector<std::int64_t> times;
    for (const Sent& sent : packets[track]) {
      std::int64_t time = sent.packet.timestamp - packets[track][0].packet.timestamp;
      if (times.empty() || times.back() != time) times.push_back(time);
    }
    return times;
  }
  std::vector<Buffer> frames(media::TrackId track, payload::Encoding encoding) {
    payload::Depacketizer depacketizer({.encoding = encoding});
    payload::DepacketizerOutputs ready;
    for (const Sent& sent : packets[track]) {
      EXPECT_TRUE(depacketizer.handle_packet(
          now, {sent.packet.sequence, sent.packet.timestamp, sent.packet.marker, sent.payload}, ready));
    }
    std::vector<Buffer> frames;
    for (auto& output : ready) {
      if (auto* frame = std::get_if<payload::FrameReady>(&output)) frames.push_back(std::move(frame->frame));
    }
    return frames;
  }

  Timestamp start = Timestamp::from_ns(1'000'000'000'000);
  Timestamp now = start;
  FramePacketizer packetizer;
  FramePacketizer::Outputs out;
  std::map<media::TrackId, std::vector<Sent>> packets;
  std::map<media::TrackId, payload::ClockMapping> mappings;
  std::vector<PacketTrackChanged> changes;
  std::vector<media::TrackId> endings;
  unsigned next_seed = 1;
};

TEST(FramePacketizer, gives_a_depacketizer_the_frames_that_came) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  Buffer record = media::vectors::from_hex(media::vectors::kH264BaselineConfig);
  std::vector<Buffer> expected;
  for (int i = 0; i < 90; ++i) {
    bool is_keyframe = i % 30 == 0;
    std::size_t size = is_keyframe ? 9'000 : 100 + static_cast<std::size_t>(i) * 37;
    feed.now = feed.start + Duration::from_ticks(i, 30);
    Duration stamp = ms(Duration::from_ticks(i, 30).to_ticks(1'000));
    unsigned seed = static_cast<unsigned>(i);
    feed.frame(kVideo, stamp, stamp, is_keyframe, h264_frame(is_keyframe, size, seed));
    expected.push_back(h264_frame(is_keyframe, size, seed, record));
  }
  EXPECT_EQ(feed.frames(kVideo, payload::Encoding::kH264), expected);
  EXPECT_EQ(feed.packetizer.stats().frames, 90u);
  EXPECT_EQ(feed.packetizer.stats().packets, feed.packets[kVideo].size());
  std::int64_t next = feed.packets[kVideo][0].packet.sequence;
  for (const Sent& sent : feed.packets[kVideo]) {
    EXPECT_EQ(sent.packet.sequence, next++);
    EXPECT_LE(sent.payload.size(), 1'150u);
  }
}

TEST(FramePacketizer, describes_each_track_by_its_record) {
  Feed feed;
  feed.format(0, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  feed.format(1, format_of(Codec::kHevc, media::vectors::kHevcMain10Config));
  feed.format(2, *payload::make_opus_format(2));
  feed.format(3, format_of(Codec::kAac, "1190"));
  ASSERT_EQ(feed.changes.size(), 4u);
  EXPECT_THAT(feed.changes[0].track.profile, ElementsAre(0x42, 0xc0, 0x0a));
  EXPECT_EQ(feed.changes[1].track.profile[0], 2);
  EXPECT_EQ(feed.changes[2].track.encoding, payload::Encoding::kOpus);
  EXPECT_EQ(feed.changes[2].track.channels, 2);
  EXPECT_EQ(feed.changes[3].obstacle, Obstacle::kCodec);
  EXPECT_EQ(feed.changes[3].codec, Codec::kAac);
  EXPECT_EQ(feed.changes[3].track.id, 3);
  // The same again is no news, but whoever comes later is told.
  feed.format(0, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  EXPECT_EQ(feed.changes.size(), 4u);
  feed.packetizer.describe(feed.out);
  feed.drain();
  EXPECT_EQ(feed.changes.size(), 8u);
  feed.event(media::TrackEnded{2});
  EXPECT_THAT(feed.endings, ElementsAre(2));
}

TEST(FramePacketizer, makes_no_packets_of_what_no_receiver_takes) {
  Feed feed;
  feed.want();
  feed.format(kSound, format_of(Codec::kAac, "1190"));
  feed.frame(kSound, {}, {}, true, Buffer(100, 0x21));
  EXPECT_TRUE(feed.packets.empty());
}

TEST(FramePacketizer, makes_steady_timestamps_of_milliseconds) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  for (int i = 0; i < 200; ++i) feed.video(Duration::from_ticks(i, 30), i == 0);
  auto times = feed.times(kVideo);
  ASSERT_EQ(times.size(), 200u);
  for (int i = 100; i < 200; ++i) EXPECT_NEAR(static_cast<double>(times[i] - times[i - 1]), 3'000, 1);
}

TEST(FramePacketizer, goes_on_where_the_clock_wraps_or_jumps) {
  for (Duration origin : {kRtmpWrap - ms(1'000), ms(0)}) {
    Feed feed;
    feed.want();
    feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
    for (int i = 0; i < 60; ++i) {
      Duration captured = Duration::from_ticks(i, 25);
      Duration clock = origin;
      if (origin > Duration() && captured >= ms(1'000)) clock = origin - kRtmpWrap;        // Wrapped.
      if (origin == Duration() && i >= 30) clock = Duration::seconds(i < 45 ? 7'200 : 3);  // Jumped.
      feed.video(captured, i == 0, clock);
    }
    auto times = feed.times(kVideo);
    ASSERT_EQ(times.size(), 60u);
    for (int i = 1; i < 60; ++i) EXPECT_NEAR(static_cast<double>(times[i] - times[i - 1]), 3'600, 300) << i;
  }
}

TEST(FramePacketizer, keeps_pictures_going_while_the_clocks_jump_one_after_the_other) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  feed.format(kSound, *payload::make_opus_format(2));
  for (int i = 0; i < 60; ++i) {
    Duration captured = Duration::from_ticks(i, 30);
    Duration sound = captured + (i >= 30 ? Duration::seconds(1'000) : Duration());
    Duration picture = captured + (i >= 36 ? Duration::seconds(1'000) : Duration());
    feed.now = feed.start + captured;
    feed.frame(kSound, sound, sound, true, Buffer{0xf8, 1, 2});
    feed.video(captured, i == 0, picture - captured);
  }
  auto times = feed.times(kVideo);
  EXPECT_EQ(times.size(), 60u);
  EXPECT_TRUE(std::ranges::is_sorted(times));
  EXPECT_NEAR(static_cast<double>(times.back()), 59 * 3'000, 9'000);
}

TEST(FramePacketizer, lays_opus_packets_end_to_end) {
  for (std::uint8_t toc : {std::uint8_t{0xf8}, std::uint8_t{0xf0}}) {  // 20 and 10 ms.
    Feed feed;
    feed.want();
    feed.format(kSound, *payload::make_opus_format(1));
    std::int64_t samples = toc == 0xf8 ? 960 : 480;
    for (int i = 0; i < 300; ++i) {
      Duration captured = Duration::from_ticks(i * samples, 48'000);
      feed.now = feed.start + captured;
      Duration stamp = captured + ms(i % 3);  // A clock that trembles.
      feed.frame(kSound, stamp, stamp, true, Buffer{toc, 1, 2});
    }
    auto times = feed.times(kSound);
    ASSERT_EQ(times.size(), 300u);
    for (int i = 1; i < 300; ++i) EXPECT_EQ(times[i] - times[i - 1], samples);
    // After a pause, time goes on with the source's clock, and the marker says it (RFC 7587 §4.1).
    feed.now += Duration::seconds(1);
    feed.frame(kSound, Duration::seconds(9), Duration::seconds(9), true, Buffer{toc, 1, 2});
    EXPECT_TRUE(feed.packets[kSound].back().packet.marker);
    EXPECT_FALSE(feed.packets[kSound][5].packet.marker);
  }
}

TEST(FramePacketizer, says_of_the_first_packet_what_the_frame_is) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  feed.frame(kVideo, ms(0), ms(0), true, h264_frame(true, 3'000, 1));
  const auto& packets = feed.packets[kVideo];
  ASSERT_GE(packets.size(), 3u);
  EXPECT_TRUE(packets[0].packet.facts.starts_frame && packets[0].packet.facts.is_keyframe);
  EXPECT_NE(packets[0].packet.capture_ntp, 0u);
  EXPECT_FALSE(packets[1].packet.facts.starts_frame);
  EXPECT_FALSE(packets[1].packet.marker);
  EXPECT_TRUE(packets.back().packet.marker);
  feed.now += ms(33);
  feed.frame(kVideo, ms(33), ms(33), false, h264_frame(false, 3'000, 2, {}, false));
  EXPECT_TRUE(packets.back().packet.facts.is_discardable);
  EXPECT_FALSE(packets.back().packet.facts.is_keyframe);
}

// I P b b P b b …, in the order of decoding, 29.97 a second.
void send_reordered(Feed& feed, int frames, bool b_is_reference, int gop = 1'000) {
  for (int i = 0; i < frames; ++i) {
    bool is_keyframe = i % gop == 0;
    int place = i % gop;
    int shown = is_keyframe ? i + 1 : place % 3 == 1 ? i + 3 : i;
    auto at = [](int frame) { return ms(Duration::from_ticks(frame * 1'001, 30'000).to_ticks(1'000)); };
    feed.now = feed.start + at(i);
    bool is_b = !is_keyframe && place % 3 != 1;
    feed.frame(kVideo, at(i), at(shown), is_keyframe,
               h264_frame(is_keyframe, 300, static_cast<unsigned>(i), {}, !is_b || b_is_reference));
  }
}

TEST(FramePacketizer, leaves_out_reordered_frames_that_nothing_refers_to) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264HighConfig));
  send_reordered(feed, 31, false);
  ASSERT_EQ(feed.changes.size(), 2u);
  EXPECT_EQ(feed.changes[0].obstacle, Obstacle::kNone);
  EXPECT_EQ(feed.changes[1].obstacle, Obstacle::kReorderedFrames);
  EXPECT_EQ(feed.frames(kVideo, payload::Encoding::kH264).size(), 11u);
  EXPECT_EQ(feed.packetizer.stats().frames_left_out, 20u);
  auto times = feed.times(kVideo);
  for (std::size_t i = 1; i < times.size(); ++i)
    EXPECT_NEAR(static_cast<double>(times[i] - times[i - 1]), 3 * 3'003, 1);
}

TEST(FramePacketizer, sends_only_keyframes_where_reordered_frames_are_referred_to) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264HighConfig));
  send_reordered(feed, 100, true, 25);
  EXPECT_EQ(feed.changes.size(), 2u);
  // Two frames before the first that is out of order is seen, then three more groups.
  EXPECT_EQ(feed.frames(kVideo, payload::Encoding::kH264).size(), 5u);
}

TEST(FramePacketizer, takes_streams_whole_that_say_they_reorder_nothing) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  send_reordered(feed, 31, false);  // Then it is the times that are wrong.
  EXPECT_EQ(feed.changes.size(), 1u);
  EXPECT_EQ(feed.frames(kVideo, payload::Encoding::kH264).size(), 31u);
  EXPECT_TRUE(std::ranges::is_sorted(feed.times(kVideo)));
}

Buffer hevc_frame(unsigned type, unsigned seed) {
  ByteWriter frame;
  Buffer unit = h264_unit(static_cast<std::uint8_t>(type << 1), 200, seed);
  unit[1] = 1;
  append_unit(frame, unit);
  return frame.take();
}

TEST(FramePacketizer, goes_on_behind_leading_pictures_of_hevc) {
  constexpr unsigned kTrailing = 1, kSkippedLeading = 9, kClean = 21;
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kHevc, media::vectors::kHevcMainConfig));
  struct Row {
    unsigned type;
    int shown;
  } rows[] = {{kTrailing, 0}, {kClean, 4},    {kSkippedLeading, 2}, {kSkippedLeading, 3},
              {kTrailing, 5}, {kTrailing, 6}, {kTrailing, 7}};
  feed.frame(kVideo, ms(0), ms(40), true, hevc_frame(kClean, 99));
  for (int i = 1; const Row& row : rows) {
    feed.now += ms(40);
    Duration shown = ms(40 * (row.shown + 2));
    feed.frame(kVideo, ms(40 * i), shown, row.type == kClean, hevc_frame(row.type, static_cast<unsigned>(i)));
    ++i;
  }
  EXPECT_EQ(feed.changes.back().obstacle, Obstacle::kReorderedFrames);
  EXPECT_EQ(feed.packetizer.stats().frames_left_out, 2u);
  EXPECT_EQ(feed.frames(kVideo, payload::Encoding::kHevc).size(), 6u);
}

TEST(FramePacketizer, keeps_the_newest_group_until_somebody_wants_it) {
  Feed feed;
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  for (int i = 0; i < 45; ++i) feed.video(Duration::from_ticks(i, 30), i % 30 == 0);
  EXPECT_TRUE(feed.packets.empty());
  EXPECT_EQ(feed.packetizer.stats().packets, 0u);
  feed.want();
  EXPECT_EQ(feed.frames(kVideo, payload::Encoding::kH264).size(), 15u);
  EXPECT_TRUE(feed.mappings.contains(kVideo));
  for (int i = 45; i < 50; ++i) feed.video(Duration::from_ticks(i, 30), false);
  std::vector<Sent> sent = feed.packets[kVideo];
  // For another who comes: the same packets.
  feed.packets.clear();
  feed.packetizer.repeat_group(feed.out);
  feed.drain();
  ASSERT_EQ(feed.packets[kVideo].size(), sent.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    EXPECT_EQ(feed.packets[kVideo][i].packet.sequence, sent[i].packet.sequence);
    EXPECT_EQ(feed.packets[kVideo][i].packet.timestamp, sent[i].packet.timestamp);
    EXPECT_EQ(feed.packets[kVideo][i].payload, sent[i].payload);
  }
}

TEST(FramePacketizer, sends_what_was_missed_when_it_is_wanted_again) {
  Feed feed;
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  feed.want();
  for (int i = 0; i < 10; ++i) feed.video(Duration::from_ticks(i, 30), i == 0);
  feed.want(false);
  for (int i = 10; i < 20; ++i) feed.video(Duration::from_ticks(i, 30), false);
  feed.packets.clear();
  feed.want();
  for (int i = 20; i < 25; ++i) feed.video(Duration::from_ticks(i, 30), false);
  EXPECT_EQ(feed.frames(kVideo, payload::Encoding::kH264).size(), 25u);
}

TEST(FramePacketizer, forgets_its_clock_with_the_codec) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  feed.video(ms(0), true);
  ASSERT_TRUE(feed.mappings.contains(kVideo));
  EXPECT_FALSE(feed.changes[0].track.can_ask_keyframe);
  feed.mappings.clear();
  feed.format(kVideo, format_of(Codec::kOpus, media::vectors::kOpusStereoConfig));
  feed.packetizer.describe(feed.out);
  feed.drain();
  EXPECT_FALSE(feed.mappings.contains(kVideo)) << "of the codec before";
  feed.now = feed.start + ms(20);
  feed.frame(kVideo, ms(20), ms(20), true, Buffer{0xfc, 1, 2});
  ASSERT_TRUE(feed.mappings.contains(kVideo));
  EXPECT_EQ(feed.mappings[kVideo].timestamp, feed.packets[kVideo].back().packet.timestamp);
}

TEST(FramePacketizer, keeps_no_group_over_its_limits) {
  for (bool is_by_bytes : {false, true}) {
    PacketFeedConfig config;
    (is_by_bytes ? config.group_bytes_max : config.group_frames_max) = is_by_bytes ? 4'000 : 10;
    Feed feed(config);
    feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
    for (int i = 0; i < 15; ++i) feed.video(Duration::from_ticks(i, 30), i == 0);
    feed.want();
    feed.video(Duration::from_ticks(15, 30), false);  // Refers to what nobody has.
    EXPECT_TRUE(feed.packets.empty());
    feed.video(Duration::from_ticks(16, 30), true);
    EXPECT_EQ(feed.packets[kVideo].size(), 1u);
    for (int i = 17; i < 40; ++i) feed.video(Duration::from_ticks(i, 30), false);
    feed.packets.clear();
    feed.packetizer.repeat_group(feed.out);
    feed.drain();
    EXPECT_TRUE(feed.packets.empty());
  }
}

TEST(FramePacketizer, waits_for_a_keyframe_behind_a_frame_that_does_not_read) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  feed.video(ms(0), true);
  feed.now += ms(33);
  feed.frame(kVideo, ms(33), ms(33), false, Buffer{0, 0, 1, 0, 0x41});
  feed.video(ms(67), false);
  EXPECT_EQ(feed.packetizer.stats().frames_refused, 1u);
  EXPECT_EQ(feed.times(kVideo).size(), 1u);
  feed.video(ms(100), true);
  EXPECT_EQ(feed.times(kVideo).size(), 2u);
}

TEST(FramePacketizer, puts_sound_and_pictures_on_one_clock) {
  Feed feed;
  feed.want();
  feed.format(kVideo, format_of(Codec::kH264, media::vectors::kH264BaselineConfig));
  feed.format(kSound, *payload::make_opus_format(2));
  Rng rng(3);
  // Sound is 80 ms late on its way, now and then more: its time is the source's all the same.
  std::vector<std::pair<Timestamp, int>> arrivals;
  for (int i = 0; i < 300; ++i) arrivals.push_back({feed.start + Duration::from_ticks(i, 30), i});
  Timestamp last = feed.start;
  for (int i = 0; i < 500; ++i) {
    last = std::max(last, feed.start + ms(20 * i + 80 + static_cast<int>(rng.below(40))));
    arrivals.push_back({last, 1'000 + i});
  }
  std::ranges::sort(arrivals);
  for (auto [at, number] : arrivals) {
    feed.now = at;
    if (number < 1'000) {
      Duration stamp = ms(Duration::from_ticks(number, 30).to_ticks(1'000));
      feed.frame(kVideo, stamp, stamp, number % 60 == 0, h264_frame(number % 60 == 0, 100, 1));
    } else {
      Duration stamp = ms(20 * (number - 1'000));
      feed.frame(kSound, stamp, stamp, true, Buffer{0xf8, 1, 2});
    }
  }
  // The frame of 5 s and the sound of 5 s were captured together, when the frame came.
  auto captured = [&](media::TrackId track, std::size_t packet, std::int64_t rate) {
    const payload::ClockMapping& mapping = feed.mappings[track];
    std::int64_t ticks = feed.packets[track][packet].packet.timestamp - mapping.timestamp;
    return mapping.captured_at + Duration::from_ticks(ticks, rate);
  };
  std::size_t frame_of_5s = 0, seen = 0;
  for (; seen < 150; ++frame_of_5s) seen += feed.packets[kVideo][frame_of_5s].packet.marker ? 1 : 0;
  WallTime picture = captured(kVideo, frame_of_5s, 90'000), sound = captured(kSound, 250, 48'000);
  EXPECT_NEAR(static_cast<double>((picture - sound).ms()), 0, 10);
  WallTime truth = WallTime::from_seconds(1'800'000'000) + (feed.start - Timestamp()) + ms(5'000);
  EXPECT_NEAR(static_cast<double>((picture - truth).ms()), 0, 10);
}

}  // namespace
}  // namespace stoa::live
