#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "live/packet_feed.h"
#include "live/test_packets.h"
#include "live/test_source.h"
#include "media/codec.h"
#include "media/codec_vectors.h"

namespace stoa::live {
namespace {

using namespace stoa::live::testing;
using media::TrackEvent;
using payload::Encoding;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr media::TrackId kVideo = 0, kSound = 1;

Duration ms(std::int64_t n) { return Duration::milliseconds(n); }

const Buffer kSmall = media::vectors::from_hex(media::vectors::kH264BaselineConfig);
const Buffer kLarge = media::vectors::from_hex(media::vectors::kH264Cropped1080Config);

payload::RtpTrack video_track(std::uint8_t layers = 1) {
  return {.id = kVideo, .encoding = Encoding::kH264, .layers = layers, .name = "camera"};
}
payload::RtpTrack sound_track() { return {.id = kSound, .encoding = Encoding::kOpus, .channels = 2}; }
Buffer opus(std::uint8_t toc = 0xfc) { return {toc, 1, 2, 3}; }

// A publisher's packets on their way, in virtual time, and what comes of them.
class Line {
 public:
  explicit Line(PacketAssembler::Config config = {}) : assembler(config) {}

  WallTime wall() const { return WallTime::from_seconds(1'800'000'000) + (now - Timestamp()); }
  void track(const payload::RtpTrack& track) {
    assembler.handle_track(now, track, out);
    drain();
  }
  // Arrives `delay` after `captured`, in the order of arrival.
  void send(PacketSender& sender, Duration captured, const Buffer& frame, Duration delay = {}) {
    for (auto& batch : sender.send(captured, frame)) post(sender.track().id, captured + delay, batch);
  }
  void post(media::TrackId id, Duration at, payload::PacketBatch batch) {
    way.emplace(start + at, std::pair(id, std::move(batch)));
  }
  void run() {
    while (!way.empty()) {
      auto next = way.begin();
      if (assembler.next_deadline() < next->first) {
        now = std::max(now, assembler.next_deadline());
        assembler.handle_deadline(now, out);
      } else {
        now = std::max(now, next->first);
        assembler.handle_packets(now, wall(), next->second.first, next->second.second, out);
        way.erase(next);
      }
      drain();
    }
  }
  void map(const PacketSender& sender, Duration captured, payload::LayerIndex layer = 0,
           Duration sender_clock = {}) {
    WallTime at = WallTime::from_seconds(1'700'000'000) + captured + sender_clock;
    assembler.handle_clock(sender.track().id, layer, {sender.timestamp(captured), at});
  }
  void drain() {
    for (auto& output : out) {
      if (auto* wanted = std::get_if<PacketAssembler::KeyframeNeeded>(&output)) {
        asked.push_back({now - start, wanted->layer});
      } else if (auto* left = std::get_if<PacketAssembler::TrackLeftOut>(&output)) {
        left_out.push_back(left->encoding);
      } else if (auto* gone = std::get_if<PacketAssembler::LeftOutClosed>(&output)) {
        left_out_closed.push_back(gone->track);
      } else if (auto* event = std::get_if<TrackEvent>(&output)) {
        if (on_event) on_event(*event);
        if (auto* frame = std::get_if<media::TrackFrame>(event)) frames[frame->track].push_back(frame->frame);
        if (auto* format = std::get_if<media::TrackFormat>(event)) formats.push_back(*format);
        if (auto* end = std::get_if<media::TrackEnded>(event)) endings.push_back(end->track);
      }
    }
    out.clear();
  }

  Timestamp start = Timestamp::from_ns(1'000'000'000'000);
  Timestamp now = start;
  PacketAssembler assembler;
  PacketAssembler::Outputs out;
  std::function<void(const TrackEvent&)> on_event;
  std::multimap<Timestamp, std::pair<media::TrackId, payload::PacketBatch>> way;
  std::map<media::TrackId, std::vector<media::Frame>> frames;
  std::vector<media::TrackFormat> formats;
  std::vector<media::TrackId> endings;
  std::vector<std::pair<Duration, int>> asked;
  std::vector<Encoding> left_out;
  std::vector<media::TrackId> left_out_closed;
};

bool is_rising(const std::vector<media::Frame>& frames) {
  return std::ranges::is_sorted(frames, std::less_equal<>(), &media::Frame::dts);
}

TEST(PacketAssembler, makes_frames_and_their_format_of_packets) {
  Line line;
  line.track(video_track());
  PacketSender sender(video_track(), 0, 5'000'000);
  std::vector<Buffer> sent;
  for (int i = 0; i < 40; ++i) {
    sent.push_back(h264_frame(i == 0, i == 0 ? 6'000 : 700, static_cast<unsigned>(i), kSmall));
    line.send(sender, Duration::from_ticks(i, 30), sent.back());
  }
  line.run();
  ASSERT_EQ(line.frames[kVideo].size(), 40u);
  for (std::size_t i = 0; i < 40; ++i) {
    const media::Frame& frame = line.frames[kVideo][i];
    EXPECT_TRUE(std::ranges::equal(frame.payload.bytes(), sent[i]));
    EXPECT_EQ(frame.is_keyframe, i == 0);
    EXPECT_EQ(frame.dts, frame.pts);
    EXPECT_EQ(frame.dts, Duration::from_ticks(static_cast<std::int64_t>(i), 30));
  }
  ASSERT_EQ(line.formats.size(), 1u);
  EXPECT_EQ(line.formats[0].format->width, 62u);
  EXPECT_EQ(line.formats[0].name, "camera");
  EXPECT_EQ(line.assembler.stats().frames, 40u);
}

TEST(PacketAssembler, says_once_that_vp8_becomes_no_frames) {
  Line line;
  payload::RtpTrack track{.id = kVideo, .encoding = Encoding::kVp8};
  line.track(track);
  PacketSender sender(track, 0, 0);
  line.send(sender, ms(0), Buffer{0x10, 0, 0, 0x9d, 1, 0x2a, 16, 0, 16, 0, 1, 2});
  line.run();
  line.track(track);
  EXPECT_THAT(line.left_out, ElementsAre(Encoding::kVp8));
  EXPECT_TRUE(line.frames.empty() && line.formats.empty());
}

TEST(PacketAssembler, says_when_a_track_that_becomes_no_frames_is_gone_or_becomes_some) {
  Line line;
  payload::RtpTrack track{.id = kVideo, .encoding = Encoding::kVp8};
  line.track(track);
  track.encoding = Encoding::kH264;
  line.track(track);
  EXPECT_THAT(line.left_out_closed, ElementsAre(kVideo));
  track.encoding = Encoding::kVp8;
  line.track(track);
  line.assembler.handle_track_closed(line.now, kVideo, line.out);
  line.drain();
  EXPECT_THAT(line.left_out_closed, ElementsAre(kVideo, kVideo));
}

TEST(PacketAssembler, announces_the_new_size_of_pictures) {
  Line line;
  line.track(video_track());
  PacketSender sender(video_track(), 0, 0);
  for (int i = 0; i < 4; ++i) line.send(sender, ms(33 * i), h264_frame(i == 0, 300, 1, kSmall));
  for (int i = 4; i < 8; ++i) line.send(sender, ms(33 * i), h264_frame(i == 4, 300, 1, kLarge));
  for (int i = 8; i < 9; ++i) line.send(sender, ms(33 * i), h264_frame(true, 300, 1, kLarge));
  line.run();
  ASSERT_EQ(line.formats.size(), 2u);
  EXPECT_EQ(line.formats[1].format->width, 1'920u);
  EXPECT_EQ(line.frames[kVideo].size(), 9u);
}

TEST(PacketAssembler, asks_for_a_keyframe_for_a_loss_and_waits_for_it) {
  Line line;
  line.assembler.set_repair_time(line.now, ms(20));
  line.track(video_track());
  PacketSender sender(video_track(), 0, 0);
  for (int i = 0; i < 30; ++i) {
    auto batches = sender.send(ms(33 * i), h264_frame(i == 0 || i == 25, 300, 1, kSmall));
    for (auto& batch : batches) {
      if (i != 5) line.post(kVideo, ms(33 * i), batch);
    }
  }
  line.run();
  ASSERT_FALSE(line.asked.empty());
  // 300 ms after what came behind it.
  EXPECT_EQ(line.asked[0].first, ms(33 * 6 + 300));
  EXPECT_EQ(line.frames[kVideo].size(), 10u);
  EXPECT_TRUE(line.frames[kVideo][5].is_keyframe);
  EXPECT_EQ(line.assembler.stats().frames_lost, 1u);
}

TEST(PacketAssembler, takes_what_is_repaired_in_time) {
  Line line;
  line.track(video_track());
  PacketSender sender(video_track(), 0, 0);
  for (int i = 0; i < 30; ++i)
    line.send(sender, ms(33 * i), h264_frame(i == 0, 300, 1, kSmall), ms(i == 5 ? 250 : 0));
  line.run();
  EXPECT_EQ(line.frames[kVideo].size(), 30u);
  EXPECT_THAT(line.asked, IsEmpty());
  EXPECT_TRUE(is_rising(line.frames[kVideo]));
}

// What sound was like on its way out.
struct Sound {
  Duration ahead;  // Of the pictures, at most.
  Duration late;   // Behind the time at which it was captured, at most.
};

// Two seconds of picture and sound; the sixth picture takes `more`.
Sound send_with_one_late(Line& line, Duration more) {
  line.track(video_track());
  line.track(sound_track());
  PacketSender video(video_track(), 0, 0), sound(sound_track(), 0, 0);
  for (int i = 0; i < 60; ++i)
    line.send(video, Duration::from_ticks(i, 30), h264_frame(i == 0, 300, 1, kSmall), i == 5 ? more : ms(0));
  for (int i = 0; i < 100; ++i) line.send(sound, ms(20 * i), opus());
  Duration pictures;
  Sound seen;
  line.on_event = [&](const TrackEvent& event) {
    const auto* came = std::get_if<media::TrackFrame>(&event);
    if (!came) return;
    const Duration at = came->frame.dts;
    if (came->track == kVideo) {
      pictures = at;
    } else {
      seen.ahead = std::max(seen.ahead, at - pictures);
      seen.late = std::max(seen.late, line.now - line.start - at);
    }
  };
  line.run();
  EXPECT_EQ(line.frames[kSound].size(), 100u);
  EXPECT_TRUE(is_rising(line.frames[kSound]) && is_rising(line.frames[kVideo]));
  return seen;
}

TEST(PacketAssembler, waits_longer_for_who_is_far_and_sound_waits_with_the_pictures) {
  Line far;
  far.assembler.set_repair_time(far.now, ms(340));
  const Sound waited = send_with_one_late(far, ms(780));
  EXPECT_LE(waited.ahead, ms(67));  // That is when the next picture tells of the hole.
  EXPECT_NEAR(waited.late.as_seconds(), 0.780 - 0.040, 0.021);
  EXPECT_EQ(far.frames[kVideo].size(), 60u);
  EXPECT_THAT(far.asked, IsEmpty());
  // With who is near sound waits for nothing, and such a picture comes too late.
  Line near;
  near.assembler.set_repair_time(near.now, ms(20));
  const Sound at_once = send_with_one_late(near, ms(780));
  EXPECT_GE(at_once.ahead, ms(200));
  EXPECT_EQ(at_once.late, Duration());
  EXPECT_EQ(near.frames[kVideo].size(), 5u);
}

TEST(PacketAssembler, waits_no_longer_than_it_may_who_ever_is_far) {
  Line line;
  line.assembler.set_repair_time(line.now, Duration::seconds(3));
  EXPECT_EQ(send_with_one_late(line, Duration::seconds(5)).late, ms(800));
  ASSERT_FALSE(line.asked.empty());
  EXPECT_EQ(line.asked[0].first, Duration::from_ticks(6, 30) + ms(850));
  EXPECT_EQ(line.assembler.stats().frames_lost, 1u);
}

// Its sixth picture is lost, and is waited for.
void lose_one(Line& line, PacketSender& video, PacketSender& sound) {
  line.assembler.set_repair_time(line.now, ms(340));
  line.track(video_track());
  line.track(sound_track());
  for (int i = 0; i < 10; ++i) {
    for (auto& batch : video.send(ms(33 * i), h264_frame(i == 0, 300, 1, kSmall)))
      if (i != 5) line.post(kVideo, ms(33 * i), batch);
  }
  for (int i = 0; i < 16; ++i) line.send(sound, ms(20 * i), opus());
  line.run();
  EXPECT_EQ(line.frames[kSound].size(), 10u);  // Before the picture behind the hole, at 198 ms.
}

TEST(PacketAssembler, lets_go_of_sound_that_waits_when_the_way_is_short_again) {
  Line line;
  PacketSender video(video_track(), 0, 0), sound(sound_track(), 0, 0);
  lose_one(line, video, sound);
  line.assembler.set_repair_time(line.now, ms(20));
  EXPECT_EQ(line.assembler.next_deadline(), line.start + ms(33 * 6 + 300));
  line.send(sound, ms(20 * 16), opus());
  line.run();
  EXPECT_LT(line.now, line.start + ms(33 * 6 + 300));
  EXPECT_EQ(line.frames[kSound].size(), 17u);
}

TEST(PacketAssembler, waits_longer_for_pictures_beside_sound_that_goes_on) {
  for (bool goes_on : {true, false}) {
    Line line;
    PacketSender video(video_track(), 0, 0), sound(sound_track(), 0, 0);
    lose_one(line, video, sound);
    if (!goes_on) line.now += ms(500);
    line.assembler.set_repair_time(line.now, Duration::seconds(3));
    for (int i = 16; i < 90; ++i) line.send(sound, ms(20 * i), opus());
    line.run();
    ASSERT_EQ(line.asked.size(), 1u);
    EXPECT_EQ(line.asked[0].first, ms(33 * 6 + (goes_on ? 1'400 : 850)));
    EXPECT_EQ(line.frames[kSound].size(), 90u);
  }
}

TEST(PacketAssembler, lets_go_of_sound_that_waits_before_its_track_ends) {
  Line line;
  PacketSender video(video_track(), 0, 0), sound(sound_track(), 0, 0);
  lose_one(line, video, sound);
  line.on_event = [&](const TrackEvent&) { EXPECT_THAT(line.endings, IsEmpty()); };
  line.assembler.handle_track_closed(line.now, kSound, line.out);
  line.drain();
  EXPECT_EQ(line.frames[kSound].size(), 16u);
  EXPECT_THAT(line.endings, ElementsAre(kSound));
}

TEST(PacketAssembler, asks_for_keyframes_by_time) {
  Line line({.keyframe_interval = Duration::seconds(1)});
  line.track(video_track());
  PacketSender sender(video_track(), 0, 0);
  bool is_due = true;
  for (int i = 0; i < 150; ++i) {
    line.send(sender, Duration::from_ticks(i, 30), h264_frame(is_due, 300, 1, kSmall));
    is_due = false;
    std::size_t before = line.asked.size();
    line.run();
    is_due = line.asked.size() > before;
  }
  EXPECT_EQ(line.asked.size(), 4u);
  EXPECT_EQ(line.assembler.stats().keyframes_wanted, 4u);
  Line never({.keyframe_interval = Duration()});
  never.track(video_track());
  PacketSender other(video_track(), 0, 0);
  for (int i = 0; i < 150; ++i) never.send(other, ms(33 * i), h264_frame(i == 0, 300, 1, kSmall));
  never.run();
  EXPECT_THAT(never.asked, IsEmpty());
}

TEST(PacketAssembler, keeps_asking_while_no_keyframe_comes) {
  Line line({.keyframe_interval = Duration::seconds(1)});
  line.track(video_track());
  PacketSender sender(video_track(), 0, 0);
  for (int i = 0; i < 90; ++i)
    line.send(sender, Duration::from_ticks(i, 30), h264_frame(i == 0, 300, 1, kSmall));
  line.run();
  EXPECT_EQ(line.asked.size(), 4u);  // At 1, 1.5, 2 and 2.5 s.
}

TEST(PacketAssembler, takes_the_highest_layer_and_changes_at_a_keyframe) {
  Line line({.keyframe_interval = Duration()});
  payload::RtpTrack track = video_track(2);
  line.track(track);
  PacketSender low(track, 0, 1'000), high(track, 1, 900'000'000);
  bool is_due = false;
  for (int i = 0; i < 240; ++i) {
    Duration at = Duration::from_ticks(i, 30);
    line.send(low, at, h264_frame(i == 0 || (is_due && i > 150), 200, 1, kSmall));
    // The upper layer comes after 1 s and goes after 5 s.
    if (i >= 30 && i < 150) line.send(high, at, h264_frame(i == 30 || is_due, 200, 1, kLarge));
    if (i == 40) {
      line.map(low, at, 0);
      line.map(high, at, 1);
    }
    std::size_t before = line.asked.size();
    line.run();
    is_due = line.asked.size() > before;
  }
  ASSERT_EQ(line.asked.size(), 2u);
  EXPECT_EQ(line.asked[0].second, 1);
  EXPECT_NEAR(line.asked[0].first.as_seconds(), 2.0, 0.05);
  EXPECT_EQ(line.asked[1].second, 0);
  EXPECT_NEAR(line.asked[1].first.as_seconds(), 5.5, 0.05);
  ASSERT_EQ(line.formats.size(), 3u);
  EXPECT_EQ(line.formats[1].format->width, 1'920u);
  EXPECT_EQ(line.formats[2].format->width, 62u);
  // Time goes on as one; only the picture at which it changed up came in both sizes.
  const auto& frames = line.frames[kVideo];
  EXPECT_TRUE(is_rising(frames));
  int twice = 0;
  for (std::size_t i = 1; i < 140; ++i) {
    if (frames[i].dts - frames[i - 1].dts == ms(1) && frames[i].is_keyframe) ++twice, ++i;
    EXPECT_NEAR((frames[i].dts - frames[i - 1].dts).as_seconds(), 1.0 / 30, 0.003) << i;
  }
  EXPECT_EQ(twice, 1);
}

TEST(PacketAssembler, leaves_a_layer_that_is_said_to_be_off) {
  Line line({.keyframe_interval = Duration()});
  payload::RtpTrack track = video_track(2);
  line.track(track);
  PacketSender low(track, 0, 0), high(track, 1, 0);
  for (int i = 0; i < 10; ++i) {
    line.send(low, ms(33 * i), h264_frame(i == 0, 200, 1, kSmall));
    line.send(high, ms(33 * i), h264_frame(i == 0, 200, 1, kLarge));
  }
  line.run();
  EXPECT_EQ(line.formats.back().format->width, 1'920u);
  line.assembler.handle_active_layers(line.now, kVideo, 1, line.out);
  line.drain();
  ASSERT_EQ(line.asked.size(), 1u);
  EXPECT_EQ(line.asked[0].second, 0);
}

TEST(PacketAssembler, puts_tracks_in_step_by_the_senders_clock) {
  Line line({.keyframe_interval = Duration()});
  line.track(video_track());
  line.track(sound_track());
  PacketSender video(video_track(), 0, 77), sound(sound_track(), 0, 990'000);
  // Pictures take 200 ms longer on their way, which nobody knows before the reports of 2 s.
  for (int i = 0; i < 300; ++i) {
    line.send(video, Duration::from_ticks(i, 30), h264_frame(i == 0, 200, 1, kSmall), ms(200));
  }
  for (int i = 0; i < 500; ++i) line.send(sound, ms(20 * i), opus());
  bool is_mapped = false;
  line.on_event = [&](const TrackEvent&) {
    if (std::exchange(is_mapped, line.now >= line.start + Duration::seconds(2)) || !is_mapped) return;
    line.map(video, ms(1'500));
    line.map(sound, ms(1'600));
  };
  line.run();
  const auto& pictures = line.frames[kVideo];
  const auto& sounds = line.frames[kSound];
  ASSERT_EQ(pictures.size(), 300u);
  ASSERT_EQ(sounds.size(), 500u);
  EXPECT_NEAR((pictures[30].dts - sounds[50].dts).as_seconds(), 0.2, 0.001);
  EXPECT_NEAR((pictures[270].dts - sounds[450].dts).as_seconds(), 0, 0.001);
  for (std::size_t i = 1; i < pictures.size(); ++i) {
    EXPECT_NEAR((pictures[i].dts - pictures[i - 1].dts).as_seconds(), 1.0 / 30, 0.0022);
  }
  for (std::size_t i = 1; i < sounds.size(); ++i) EXPECT_EQ(sounds[i].dts - sounds[i - 1].dts, ms(20));
}

TEST(PacketAssembler, is_not_moved_when_the_sender_sets_its_clock) {
  Line line({.keyframe_interval = Duration()});
  line.track(video_track());
  line.track(sound_track());
  PacketSender video(video_track(), 0, 77), sound(sound_track(), 0, 990'000);
  for (int i = 0; i < 300; ++i)
    line.send(video, Duration::from_ticks(i, 30), h264_frame(i == 0, 200, 1, kSmall));
  for (int i = 0; i < 500; ++i) line.send(sound, ms(20 * i), opus());
  int reports = 0;
  line.on_event = [&](const TrackEvent&) {
    Duration at = line.now - line.start;
    Duration clock = at >= Duration::seconds(5) ? Duration::seconds(3'600) : Duration();
    // Of pictures each second, of sound half a second later.
    if (at < ms(500 * (reports + 1))) return;
    line.map(reports % 2 == 0 ? video : sound, at, 0, clock);
    ++reports;
  };
  line.run();
  const auto& pictures = line.frames[kVideo];
  for (std::size_t i = 1; i < pictures.size(); ++i) {
    EXPECT_NEAR((pictures[i].dts - pictures[i - 1].dts).as_seconds(), 1.0 / 30, 0.001);
  }
  EXPECT_NEAR((pictures[299].dts - line.frames[kSound][498].dts).as_seconds(), 299 / 30.0 - 9.96, 0.001);
}

TEST(PacketAssembler, fills_the_silence_of_sound_that_pauses_or_is_lost) {
  for (std::uint8_t toc : {std::uint8_t{0xfc}, std::uint8_t{0xf4}, std::uint8_t{0x1c}}) {  // 20, 10, 60 ms.
    std::int64_t packet = toc == 0xfc ? 20 : toc == 0xf4 ? 10 : 60;
    Line line;
    line.track(sound_track());
    PacketSender sender(sound_track(), 0, 0);
    for (int i = 0; i < 20; ++i) {
      if (i < 8 || i >= 12) line.send(sender, ms(packet * i), opus(toc));
    }
    line.run();
    const auto& frames = line.frames[kSound];
    ASSERT_EQ(frames.size(), 20u) << packet;
    for (std::size_t i = 1; i < 20; ++i) EXPECT_EQ(frames[i].dts - frames[i - 1].dts, ms(packet));
    EXPECT_EQ(*media::opus_packet_samples(frames[9].payload.bytes()), packet * 48);
    EXPECT_EQ(line.formats.back().format->samples_per_frame, packet * 48);
  }
}

TEST(PacketAssembler, leaves_a_long_pause_of_sound_as_it_is) {
  Line line;
  line.track(sound_track());
  PacketSender sender(sound_track(), 0, 0);
  line.send(sender, ms(0), opus());
  line.send(sender, ms(5'000), opus());
  line.run();
  ASSERT_EQ(line.frames[kSound].size(), 2u);
  EXPECT_EQ(line.frames[kSound][1].dts, ms(5'000));
}

TEST(PacketAssembler, stays_with_a_layer_while_all_of_them_are_slow) {
  Line line({.keyframe_interval = Duration()});
  payload::RtpTrack track = video_track(2);
  line.track(track);
  PacketSender low(track, 0, 1'000), high(track, 1, 900'000'000);
  // A presentation: a frame in two seconds, the larger one a little later.
  for (int i = 0; i < 10; ++i) {
    line.send(low, ms(2'000 * i), h264_frame(i == 0, 200, 1, kSmall));
    line.send(high, ms(2'000 * i), h264_frame(i < 4, 200, 1, kLarge), ms(700));
  }
  line.run();
  EXPECT_EQ(line.formats.back().format->width, 1'920u);
  EXPECT_LE(line.formats.size(), 2u);
}

// Where the sender's clock is set, also with a report of before, time goes on as it passed.
TEST(PacketAssembler, goes_on_where_timestamps_step) {
  for (const Duration step : {Duration::seconds(9'000), -Duration::seconds(9'000), Duration::seconds(6)}) {
    for (const bool is_mapped : {false, true}) {
      Line line({.keyframe_interval = Duration()});
      line.track(video_track());
      line.track(sound_track());
      PacketSender before(video_track(), 0, 2'000'000'000), sound(sound_track(), 0, 90'000);
      for (int i = 0; i < 60; ++i) {
        line.send(before, Duration::from_ticks(i, 30), h264_frame(i == 0, 200, 1, kSmall));
        line.send(sound, ms(33 * i), opus());
      }
      if (is_mapped) {
        line.map(before, ms(0));
        line.map(sound, ms(0));
      }
      line.run();
      PacketSender after(video_track(), 0, 2'000'000'000 + step.to_ticks(90'000));
      for (int i = 60; i < 120; ++i) {
        for (auto& batch : after.send(Duration::from_ticks(i, 30), h264_frame(i == 60, 200, 1, kSmall))) {
          payload::Packet packet = batch[0];
          packet.sequence += 10'000;
          payload::PacketWriter writer;
          writer.add(packet, batch.payload(0));
          std::vector<payload::PacketBatch> moved;
          writer.take_batches(moved);
          line.post(kVideo, Duration::from_ticks(i, 30), moved[0]);
        }
      }
      line.run();
      const auto& frames = line.frames[kVideo];
      ASSERT_GE(frames.size(), 119u);
      for (std::size_t i = 1; i < frames.size(); ++i)
        EXPECT_NEAR((frames[i].dts - frames[i - 1].dts).as_seconds(), 1.0 / 30, 0.04) << i;
    }
  }
}

TEST(PacketAssembler, ends_a_track) {
  Line line;
  line.track(sound_track());
  line.assembler.handle_track_closed(line.now, kSound, line.out);
  line.drain();
  EXPECT_THAT(line.endings, ElementsAre(kSound));
  PacketSender sender(sound_track(), 0, 0);
  line.send(sender, ms(0), opus());
  line.run();
  EXPECT_TRUE(line.frames.empty());
  EXPECT_EQ(line.assembler.next_deadline(), Timestamp::never());
}

// A browser's camera: frames when the light allows, stamped when they were captured, sound in step, one
// packet in a hundred lost and sent again 80 ms later, keyframes when they are asked for, into a channel.
struct Camera {
  explicit Camera(std::uint64_t seed) : rng(seed) {}

  void publish(Duration length) {
    channel.handle_source_started(line.now, line.wall(), {1}, {0, "browser"}, channel_out);
    line.on_event = [&](const TrackEvent& event) {
      channel.handle_event(line.now, line.wall(), {1}, event, channel_out);
      judge();
    };
    line.track(video_track());
    line.track(sound_track());
    PacketSender video(video_track(), 0, 123'456), sound(sound_track(), 0, 654'321);
    Duration next_picture, next_sound, next_report = ms(700);
    std::size_t answered = 0;
    while (next_sound < length) {
      if (next_picture <= next_sound) {
        is_due |= answered < line.asked.size();
        answered = line.asked.size();
        const Buffer& record = next_picture < grows_at ? kSmall : kLarge;
        is_due |= std::exchange(was_small, next_picture < grows_at) != was_small;
        std::size_t size = is_due ? 12'000 : 500 + rng.below(4'000);
        send(video, next_picture, h264_frame(is_due, size, 3, record));
        is_due = false;
        next_picture +=
            frame_time(next_picture) + Duration::microseconds(static_cast<int>(rng.below(8'000)) - 4'000);
      } else {
        send(sound, next_sound, opus());
        next_sound += ms(20);
      }
      Duration until = std::min(next_picture, next_sound);
      if (next_report < until) {
        line.map(video, next_report);
        line.map(sound, next_report);
        next_report += Duration::seconds(1);
      }
      run_until(line.start + until);
    }
  }
  void send(PacketSender& sender, Duration captured, const Buffer& frame) {
    for (auto& batch : sender.send(captured, frame)) {
      Duration delay = ms(30) + Duration::microseconds(static_cast<int>(rng.below(6'000)));
      if (rng.chance(0.01)) delay += ms(80);
      line.post(sender.track().id, captured + delay, batch);
    }
  }
  void run_until(Timestamp until) {
    while (true) {
      Timestamp packet = line.way.empty() ? Timestamp::never() : line.way.begin()->first;
      Timestamp next = std::min({packet, line.assembler.next_deadline(), channel.next_deadline()});
      if (next > until) break;
      line.now = std::max(line.now, next);
      if (next == packet) {
        auto [id, batch] = line.way.begin()->second;
        line.way.erase(line.way.begin());
        line.assembler.handle_packets(line.now, line.wall(), id, batch, line.out);
      } else if (next == line.assembler.next_deadline()) {
        line.assembler.handle_deadline(line.now, line.out);
      } else {
        channel.handle_deadline(line.now, line.wall(), channel_out);
      }
      line.drain();
      judge();
    }
    line.now = std::max(line.now, until);
  }
  void judge() {
    for (auto& output : channel_out) {
      if (auto* ready = std::get_if<SnapshotReady>(&output)) checker.handle(*ready->snapshot);
      if (auto* event = std::get_if<ChannelEvent>(&output)) ++events[event->kind];
    }
    channel_out.clear();
  }

  std::function<Duration(Duration)> frame_time = [](Duration) { return Duration::from_ticks(1, 30); };
  Duration grows_at = Duration::infinite();
  Rng rng;
  Line line;
  bool is_due = true, was_small = true;
  Channel channel{"test", ChannelConfig{}, Rng(1)};
  ChannelOutputs channel_out;
  Checker checker;
  std::map<ChannelEventKind, int> events;
};

TEST(BrowserIntoChannel, makes_a_playlist_without_a_fault) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Camera camera(seed);
    camera.publish(Duration::seconds(60));
    EXPECT_THAT(camera.checker.errors, IsEmpty());
    EXPECT_EQ(camera.channel.state(), ChannelState::kLive);
    EXPECT_EQ(camera.events[ChannelEventKind::kDiscontinuity], 0);
    EXPECT_EQ(camera.events[ChannelEventKind::kGap], 0);
    EXPECT_EQ(camera.checker.gap_parts, 0u);
    EXPECT_EQ(camera.channel.stats().frames_refused, 0u);
    EXPECT_EQ(camera.channel.stats().forced_cuts, 0u);
    const auto& listed = camera.channel.snapshot()->renditions;
    ASSERT_EQ(listed.size(), 2u);
    EXPECT_GT(camera.channel.snapshot()->find_rendition("v0")->next_part_number, 150u);
  }
}

TEST(BrowserIntoChannel, stands_a_camera_that_slows_down_in_the_dark) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    Camera camera(seed);
    camera.frame_time = [](Duration at) {
      std::int64_t second = at.ms() / 1'000 % 30;
      return Duration::from_ticks(1, second < 10 ? 30 : second < 15 ? 15 : second < 22 ? 7 : 24);
    };
    camera.publish(Duration::seconds(90));
    EXPECT_THAT(camera.checker.errors, IsEmpty());
    EXPECT_EQ(camera.events[ChannelEventKind::kDiscontinuity], 0);
    EXPECT_EQ(camera.checker.gap_parts, 0u);
    EXPECT_EQ(camera.channel.stats().frames_refused, 0u);
  }
}

TEST(BrowserIntoChannel, begins_anew_where_the_size_of_pictures_changes) {
  Camera camera(3);
  camera.grows_at = Duration::seconds(20);
  camera.publish(Duration::seconds(40));
  EXPECT_THAT(camera.checker.errors, IsEmpty());
  EXPECT_EQ(camera.events[ChannelEventKind::kDiscontinuity], 1);
  EXPECT_EQ(camera.channel.stats().frames_refused, 0u);
}

}  // namespace
}  // namespace stoa::live
