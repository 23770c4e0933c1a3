#include "shard/publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_packets.h"
#include "media/codec.h"
#include "media/codec_vectors.h"

namespace stoa::shard {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr live::SourceId kFirst{1}, kSecond{2};
constexpr std::uint32_t kHere = 0, kThere = 1;

payload::RtpTrack track(media::TrackId id, payload::Encoding encoding) {
  return {.id = id, .encoding = encoding, .layers = 1};
}

// A publication fed with packets, and what its subscribers got.
struct Stage {
  Publication publication{"news", Rng(1)};
  PublicationOutputs out;
  Timestamp now = Timestamp() + Duration::seconds(100);
  std::map<std::uint32_t, std::vector<relay::TracksChanged>> tracks;
  std::map<std::uint32_t, std::vector<relay::PacketsSent>> packets;
  std::map<std::uint32_t, std::vector<relay::GroupSent>> groups;
  std::map<std::uint32_t, std::vector<relay::ClockMapped>> clocks;
  std::vector<SourceKeyframeWanted> asked;
  payload::PacketWriter writer;
  std::int64_t sequence = 0;

  void drain() {
    for (auto& output : out.take()) {
      if (auto* wanted = std::get_if<SourceKeyframeWanted>(&output)) asked.push_back(*wanted);
      auto* send = std::get_if<SendToSubscriber>(&output);
      if (!send) continue;
      if (auto* m = std::get_if<relay::TracksChanged>(&send->message)) tracks[send->shard].push_back(*m);
      if (auto* m = std::get_if<relay::PacketsSent>(&send->message)) packets[send->shard].push_back(*m);
      if (auto* m = std::get_if<relay::GroupSent>(&send->message)) groups[send->shard].push_back(*m);
      if (auto* m = std::get_if<relay::ClockMapped>(&send->message)) clocks[send->shard].push_back(*m);
    }
  }
  void wait(Duration duration) {
    now = now + duration;
    if (publication.next_deadline() <= now) publication.handle_deadline(now, {}, out);
    drain();
  }
  void open(live::SourceId source, std::vector<payload::RtpTrack> opened) {
    publication.add_packet_source(source);
    for (const auto& one : opened) publication.handle_track(now, source, one, out);
    drain();
  }
  void send(live::SourceId source, media::TrackId id) {
    writer.add({.sequence = ++sequence, .timestamp = sequence * 3000}, as_bytes("payload"));
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    for (const auto& batch : batches) publication.handle_packets(source, id, batch, out);
    drain();
  }
  // Frames, as an RTMP encoder sends them.
  void announce(media::Codec codec, std::string_view config) {
    auto format = media::make_format(codec, media::vectors::shared(config));
    ASSERT_TRUE(format);
    publication.handle_event(
        now, {}, kFirst,
        media::TrackFormat{
            .track = 1, .format = *format, .clock_wrap = Duration::milliseconds(std::int64_t{1} << 32)},
        out);
    drain();
  }
  void show(int count, bool begins) {
    for (int i = 0; i < count; ++i) {
      bool is_keyframe = begins && i == 0;
      Buffer frame = live::testing::h264_frame(is_keyframe, 3000, static_cast<unsigned>(i) + 1);
      Duration shown = now - Timestamp();
      publication.handle_event(
          now, {}, kFirst, media::TrackFrame{1, {shown, shown, is_keyframe, SharedBytes(std::move(frame))}},
          out);
      drain();
      wait(Duration::milliseconds(40));
    }
  }
  relay::KeyframeWanted wish(std::uint32_t shard) {
    return {.publication = "news", .shard = shard, .generation = tracks[shard].back().generation, .track = 1};
  }
  void put_on_air(std::optional<live::SourceId> source) {
    publication.set_on_air(now, {}, source, out);
    wait(Duration());
  }
  void subscribe(std::uint32_t shard) {
    publication.subscribe(now, {}, shard, out);
    drain();
  }
};

const std::vector<payload::RtpTrack> kBoth = {track(0, payload::Encoding::kOpus),
                                              track(1, payload::Encoding::kH264)};

TEST(Publication, tells_a_subscriber_that_nobody_publishes) {
  Stage stage;
  stage.subscribe(kThere);
  ASSERT_THAT(stage.tracks[kThere], SizeIs(1));
  EXPECT_THAT(stage.tracks[kThere][0].tracks, IsEmpty());
  EXPECT_FALSE(stage.tracks[kThere][0].has_ended);
}

TEST(Publication, passes_the_source_on_air_to_each_subscriber_once) {
  Stage stage;
  stage.open(kFirst, kBoth);
  stage.put_on_air(kFirst);
  stage.subscribe(kHere);
  stage.subscribe(kThere);
  stage.subscribe(kThere);  // Twice is once.
  ASSERT_THAT(stage.tracks[kHere], SizeIs(1));
  EXPECT_EQ(stage.tracks[kHere][0].tracks, kBoth);
  stage.send(kFirst, 1);
  EXPECT_THAT(stage.packets[kHere], SizeIs(1));
  EXPECT_THAT(stage.packets[kThere], SizeIs(1));
  EXPECT_EQ(stage.packets[kThere][0].batch.payload(0).data(), stage.packets[kHere][0].batch.payload(0).data())
      << "the bytes are shared";
}

TEST(Publication, keeps_a_source_that_is_not_on_air_to_itself) {
  Stage stage;
  stage.open(kFirst, kBoth);
  stage.open(kSecond, kBoth);
  stage.put_on_air(kFirst);
  stage.subscribe(kHere);
  stage.send(kSecond, 1);
  EXPECT_THAT(stage.packets[kHere], IsEmpty());
}

TEST(Publication, begins_a_generation_when_another_source_takes_over) {
  Stage stage;
  stage.open(kFirst, kBoth);
  stage.open(kSecond, kBoth);
  stage.put_on_air(kFirst);
  stage.subscribe(kHere);
  stage.asked.clear();
  stage.put_on_air(kSecond);
  ASSERT_GE(stage.tracks[kHere].size(), 2u);
  EXPECT_GT(stage.tracks[kHere].back().generation, stage.tracks[kHere].front().generation);
  EXPECT_EQ(stage.tracks[kHere].back().tracks, kBoth);
  ASSERT_FALSE(stage.asked.empty()) << "receivers begin at a keyframe";
  EXPECT_EQ(stage.asked[0].source, kSecond);
  EXPECT_EQ(stage.asked[0].track, 1);
}

TEST(Publication, waits_a_little_for_the_other_kind_of_track) {
  Stage stage;
  stage.open(kFirst, {kBoth[0]});
  stage.put_on_air(kFirst);
  stage.subscribe(kHere);
  EXPECT_THAT(stage.tracks[kHere], IsEmpty());
  stage.publication.handle_track(stage.now, kFirst, kBoth[1], stage.out);
  stage.wait(Duration());
  ASSERT_THAT(stage.tracks[kHere], SizeIs(1));
  EXPECT_EQ(stage.tracks[kHere][0].tracks, kBoth);

  Stage alone;
  alone.open(kFirst, {kBoth[0]});
  alone.put_on_air(kFirst);
  alone.subscribe(kHere);
  alone.wait(Publication::kSettle);
  ASSERT_THAT(alone.tracks[kHere], SizeIs(1));
  EXPECT_EQ(alone.tracks[kHere][0].tracks, std::vector{kBoth[0]});
}

TEST(Publication, tells_late_subscribers_the_clocks) {
  Stage stage;
  stage.open(kFirst, kBoth);
  stage.put_on_air(kFirst);
  stage.publication.handle_clock(kFirst, 1, 0, {.timestamp = 90'000}, stage.out);
  stage.subscribe(kThere);
  ASSERT_THAT(stage.clocks[kThere], SizeIs(1));
  EXPECT_EQ(stage.clocks[kThere][0].mapping.timestamp, 90'000);
}

TEST(Publication, asks_the_publisher_for_the_keyframe_that_a_receiver_wants) {
  Stage stage;
  stage.open(kFirst, kBoth);
  stage.put_on_air(kFirst);
  stage.subscribe(kHere);
  stage.asked.clear();
  relay::KeyframeWanted wanted{
      .publication = "news", .generation = stage.tracks[kHere].back().generation, .track = 1};
  stage.publication.handle_keyframe_wanted(stage.now, wanted, stage.out);
  stage.drain();
  EXPECT_THAT(stage.asked, SizeIs(1));
  wanted.generation -= 1;
  stage.publication.handle_keyframe_wanted(stage.now, wanted, stage.out);
  stage.drain();
  EXPECT_THAT(stage.asked, SizeIs(1)) << "of a source that is gone";
}

// How many packets, the same or more than once.
std::size_t packets_of(const relay::GroupSent& group) {
  std::size_t count = 0;
  for (const auto& part : group.parts) count += part.batch.count;
  return count;
}

TEST(Publication, sends_the_kept_group_to_a_new_subscriber_as_one_message) {
  Stage stage;
  stage.announce(media::Codec::kH264, media::vectors::kH264HighConfig);
  stage.put_on_air(kFirst);
  stage.wait(Publication::kSettle);
  stage.show(20, true);
  stage.subscribe(kHere);  // Packets are made now.
  ASSERT_THAT(stage.groups[kHere], SizeIs(1));
  EXPECT_THAT(stage.packets[kHere], IsEmpty());
  EXPECT_GE(packets_of(stage.groups[kHere][0]), 60u);
  stage.show(10, false);
  std::size_t sent = 0;
  for (const auto& made : stage.packets[kHere]) sent += made.batch.count;
  stage.subscribe(kThere);  // And are there.
  ASSERT_THAT(stage.groups[kThere], SizeIs(1));
  EXPECT_THAT(stage.packets[kThere], IsEmpty());
  EXPECT_EQ(packets_of(stage.groups[kThere][0]), packets_of(stage.groups[kHere][0]) + sent);
  EXPECT_TRUE(stage.groups[kThere][0].parts[0].batch[0].facts.is_keyframe);
}

TEST(Publication, repeats_the_group_of_a_publisher_that_cannot_be_asked_to_who_asks_and_not_often) {
  Stage stage;
  stage.announce(media::Codec::kH264, media::vectors::kH264HighConfig);
  stage.put_on_air(kFirst);
  stage.wait(Publication::kSettle);
  stage.show(20, true);
  stage.subscribe(kHere);
  stage.subscribe(kThere);
  stage.wait(Publication::kRepeatInterval);
  for (int i = 0; i < 5; ++i)
    stage.publication.handle_keyframe_wanted(stage.now, stage.wish(kThere), stage.out);
  stage.drain();
  EXPECT_THAT(stage.groups[kThere], SizeIs(2));
  EXPECT_THAT(stage.groups[kHere], SizeIs(1));
  stage.wait(Publication::kRepeatInterval);
  stage.publication.handle_keyframe_wanted(stage.now, stage.wish(kThere), stage.out);
  relay::KeyframeWanted stranger = stage.wish(kThere);
  stranger.shard = 7;
  stage.publication.handle_keyframe_wanted(stage.now, stranger, stage.out);
  stage.drain();
  EXPECT_THAT(stage.groups[kThere], SizeIs(3));
  EXPECT_THAT(stage.groups[7], IsEmpty());
  EXPECT_THAT(stage.asked, IsEmpty());
}

TEST(Publication, does_not_repeat_the_group_that_it_has_just_begun_with) {
  Stage stage;
  stage.announce(media::Codec::kH264, media::vectors::kH264HighConfig);
  stage.put_on_air(kFirst);
  stage.show(5, true);
  stage.subscribe(kThere);  // The tracks settle.
  stage.wait(Publication::kSettle);
  ASSERT_THAT(stage.groups[kThere], SizeIs(1));
  stage.publication.handle_keyframe_wanted(stage.now, stage.wish(kThere), stage.out);
  stage.drain();
  EXPECT_THAT(stage.groups[kThere], SizeIs(1));
  stage.wait(Publication::kRepeatInterval);
  stage.publication.handle_keyframe_wanted(stage.now, stage.wish(kThere), stage.out);
  stage.drain();
  EXPECT_THAT(stage.groups[kThere], SizeIs(2));
}

TEST(Publication, begins_anew_for_subscribers_when_a_track_changes_its_codec) {
  Stage packets;
  packets.open(kFirst, kBoth);
  packets.put_on_air(kFirst);
  packets.publication.handle_clock(kFirst, 0, 0, {.timestamp = 90'000}, packets.out);
  packets.subscribe(kHere);
  packets.asked.clear();
  packets.clocks.clear();
  packets.publication.handle_track(packets.now, kFirst, track(1, payload::Encoding::kVp9), packets.out);
  packets.drain();
  ASSERT_THAT(packets.tracks[kHere], SizeIs(2));
  EXPECT_EQ(packets.tracks[kHere][1].generation, packets.tracks[kHere][0].generation + 1);
  ASSERT_THAT(packets.clocks[kHere], SizeIs(1)) << "who has a new stream has no clock of it";
  EXPECT_EQ(packets.clocks[kHere][0].generation, packets.tracks[kHere][1].generation);
  ASSERT_THAT(packets.asked, SizeIs(1)) << "and begins at a keyframe";
  EXPECT_EQ(packets.asked[0].track, 1);

  // Frames: what is kept of the other tracks comes again, and of this one no clock of before.
  Stage frames;
  frames.announce(media::Codec::kH264, media::vectors::kH264HighConfig);
  frames.put_on_air(kFirst);
  frames.wait(Publication::kSettle);
  frames.subscribe(kHere);
  frames.show(5, true);
  ASSERT_FALSE(frames.clocks[kHere].empty());
  frames.clocks.clear();
  frames.announce(media::Codec::kHevc, media::vectors::kHevcMainConfig);
  EXPECT_EQ(frames.tracks[kHere].back().generation, frames.tracks[kHere].front().generation + 1);
  EXPECT_THAT(frames.clocks[kHere], IsEmpty());
  ByteWriter idr;
  Buffer unit = live::testing::h264_unit(0x26, 3000, 1);  // nal_unit_type 19, IDR_W_RADL.
  unit[1] = 1;
  live::testing::append_unit(idr, unit);
  Duration shown = frames.now - Timestamp();
  frames.publication.handle_event(frames.now, {}, kFirst,
                                  media::TrackFrame{1, {shown, shown, true, SharedBytes(idr.take())}},
                                  frames.out);
  frames.drain();
  EXPECT_THAT(frames.clocks[kHere], SizeIs(1));
}

TEST(Publication, passes_on_what_no_playlist_can_hold) {
  Stage stage;
  stage.subscribe(kHere);
  stage.open(kFirst, {track(0, payload::Encoding::kVp8)});
  stage.wait(Publication::kSettle);
  EXPECT_EQ(stage.tracks[kHere].back().tracks.size(), 1u)
      << "the channel itself never goes on air with VP8 alone";
  EXPECT_THAT(stage.publication.realtime_only(), SizeIs(1));
  stage.send(kFirst, 0);
  EXPECT_THAT(stage.packets[kHere], SizeIs(1));
  stage.open(kSecond, kBoth);
  stage.put_on_air(kSecond);
  EXPECT_EQ(stage.tracks[kHere].back().tracks, kBoth);
  EXPECT_THAT(stage.publication.realtime_only(), IsEmpty());
}

TEST(Publication, goes_on_as_before_when_sound_joins_pictures_that_no_playlist_can_hold) {
  Stage stage;
  stage.subscribe(kHere);
  const std::vector<payload::RtpTrack> both = {track(0, payload::Encoding::kVp8),
                                               track(1, payload::Encoding::kOpus)};
  stage.open(kFirst, {both[0]});
  stage.wait(Publication::kSettle);
  relay::Generation generation = stage.tracks[kHere].back().generation;
  stage.publication.handle_track(stage.now, kFirst, both[1], stage.out);
  stage.drain();
  stage.put_on_air(kFirst);  // The channel, for its sound.
  stage.put_on_air({});      // And no more, when that is silent.
  EXPECT_EQ(stage.tracks[kHere].back().tracks, both);
  EXPECT_EQ(stage.tracks[kHere].back().generation, generation);
}

// An encoder's AAC and pictures, and a program that is expected to have its sound as Opus.
struct Transcoded : Stage {
  static constexpr media::TrackId kPicture = 0, kSound = 1;
  void tell(live::SourceId source, media::TrackId id, media::Codec codec, std::string_view config) {
    auto format = media::make_format(codec, media::vectors::shared(config));
    ASSERT_TRUE(format);
    publication.handle_event(now, {}, source, media::TrackFormat{.track = id, .format = *format}, out);
    drain();
  }
  void tell_pictures(live::SourceId source) {
    tell(source, kPicture, media::Codec::kH264, media::vectors::kH264HighConfig);
  }
  void tell_opus() {
    tell(Publication::kProgram, kSound, media::Codec::kOpus, media::vectors::kOpusStereoConfig);
  }
  void begin() {
    publication.expect_program(now, now + Duration::seconds(2));
    tell_pictures(kFirst);
    tell(kFirst, kSound, media::Codec::kAac, media::vectors::kAacStereoConfig);
    put_on_air(kFirst);
    tell_pictures(Publication::kProgram);
    subscribe(kHere);
  }
  std::vector<payload::Encoding> told() {
    std::vector<payload::Encoding> all;
    for (const auto& known : tracks[kHere].back().tracks) all.push_back(known.encoding);
    return all;
  }
};

TEST(Publication, waits_for_the_program_where_it_will_have_what_the_source_lacks) {
  Transcoded stage;
  stage.begin();
  stage.wait(Duration::milliseconds(1'500));
  EXPECT_THAT(stage.tracks[kHere], IsEmpty());
  stage.tell_opus();
  stage.wait(Duration());
  ASSERT_THAT(stage.tracks[kHere], Not(IsEmpty()));
  EXPECT_THAT(stage.told(), UnorderedElementsAre(payload::Encoding::kH264, payload::Encoding::kOpus));
  EXPECT_THAT(stage.publication.obstacles(), IsEmpty());
}

TEST(Publication, goes_on_with_the_source_when_no_program_comes_in_time_or_none_will) {
  for (bool is_cancelled : {false, true}) {
    Transcoded stage;
    stage.begin();
    stage.wait(Duration::milliseconds(100));
    if (is_cancelled) stage.publication.expect_program(stage.now, stage.now);
    stage.wait(is_cancelled ? Duration::milliseconds(1) : Duration::seconds(2));
    ASSERT_THAT(stage.tracks[kHere], Not(IsEmpty()));
    EXPECT_THAT(stage.told(), UnorderedElementsAre(payload::Encoding::kH264));
    EXPECT_THAT(stage.publication.obstacles(), SizeIs(1));
    // One that comes later still makes the broadcast whole.
    stage.tell_opus();
    stage.wait(Duration::seconds(1));
    EXPECT_THAT(stage.told(), UnorderedElementsAre(payload::Encoding::kH264, payload::Encoding::kOpus));
  }
}

TEST(Publication, leaves_a_source_that_has_all_to_itself) {
  Transcoded stage;
  stage.begin();
  stage.tell_opus();
  stage.wait(Duration());
  stage.open(kSecond, kBoth);
  stage.put_on_air(kSecond);
  stage.wait(Duration::seconds(1));
  stage.send(kSecond, 1);
  EXPECT_THAT(stage.packets[kHere], SizeIs(1));
  EXPECT_EQ(stage.tracks[kHere].back().tracks, kBoth);
}

TEST(Publication, falls_silent_when_its_source_leaves_and_says_when_all_is_over) {
  Stage stage;
  stage.open(kFirst, kBoth);
  stage.put_on_air(kFirst);
  stage.subscribe(kHere);
  stage.publication.remove_source(stage.now, kFirst, stage.out);
  stage.drain();
  EXPECT_THAT(stage.tracks[kHere].back().tracks, IsEmpty());
  EXPECT_FALSE(stage.tracks[kHere].back().has_ended);
  stage.publication.end(stage.out);
  stage.drain();
  EXPECT_TRUE(stage.tracks[kHere].back().has_ended);
  EXPECT_FALSE(stage.publication.has_subscribers());
}

}  // namespace
}  // namespace stoa::shard
