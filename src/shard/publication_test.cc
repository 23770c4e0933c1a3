#include "shard/publication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace stoa::shard {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

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
  stage.publication.handle_keyframe_wanted(wanted, stage.out);
  stage.drain();
  EXPECT_THAT(stage.asked, SizeIs(1));
  wanted.generation -= 1;
  stage.publication.handle_keyframe_wanted(wanted, stage.out);
  stage.drain();
  EXPECT_THAT(stage.asked, SizeIs(1)) << "of a source that is gone";
}

TEST(Publication, passes_on_what_no_playlist_can_hold) {
  Stage stage;
  stage.subscribe(kHere);
  stage.open(kFirst, {track(0, payload::Encoding::kVp8)});
  stage.wait(Publication::kSettle);
  EXPECT_EQ(stage.tracks[kHere].back().tracks.size(), 1u)
      << "the channel itself never goes on air with VP8 alone";
  stage.send(kFirst, 0);
  EXPECT_THAT(stage.packets[kHere], SizeIs(1));
  stage.open(kSecond, kBoth);
  stage.put_on_air(kSecond);
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
