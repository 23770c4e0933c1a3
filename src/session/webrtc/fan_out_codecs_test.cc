// What of a payload or a descriptor is a receiver's own, where what feeds it changes.
#include <gtest/gtest.h>

#include "media/payload/vp9.h"
#include "proto/rtp/dependency_descriptor.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/test_fan_out.h"

namespace stoa::webrtc {
namespace {

constexpr Duration kFrame = Duration::milliseconds(33);
constexpr std::uint8_t kDescriptorId = 8;

// One layer of one publisher: counts frames and pictures as it likes.
struct Source {
  FanOutWorld* world;
  StreamId stream;
  payload::LayerIndex layer = 0;
  std::int64_t sequence = 0, timestamp = 0;
  std::uint16_t number = 0;
  payload::PacketWriter writer;

  void add(Bytes payload, bool is_first, bool is_last, bool is_keyframe, Bytes descriptor = {}) {
    payload::Packet packet;
    packet.sequence = sequence++;
    packet.timestamp = timestamp;
    packet.layer = layer;
    packet.marker = is_last;
    packet.facts = {.starts_frame = is_first, .is_keyframe = is_keyframe};
    writer.add(packet, payload, {}, descriptor);
    std::vector<payload::PacketBatch> batches;
    writer.take_batches(batches);
    for (const payload::PacketBatch& batch : batches) world->fan_out.append(world->now, stream, batch);
  }
  // Two packets; a key frame brings the structure of all that follow.
  void av1_frame(bool is_keyframe, std::size_t bytes) {
    const rtp::DependencyStructure known = structure();
    for (int i = 0; i < 2; ++i) {
      rtp::DependencyDescriptor descriptor;
      if (is_keyframe && i == 0) descriptor.structure = known;
      descriptor.is_frame_start = i == 0;
      descriptor.is_frame_end = i == 1;
      descriptor.template_id = is_keyframe ? 5 : 6;
      descriptor.frame_number = number;
      descriptor.frame = known.templates[is_keyframe ? 0 : 1];
      const auto written = rtp::write_dependency_descriptor(descriptor, &known);
      ASSERT_TRUE(written);
      payload::Packet numbered;
      numbered.sequence = sequence;
      add(FanOutWorld::payload_of(numbered, bytes), i == 0, i == 1, is_keyframe, *written);
    }
    ++number;
    timestamp += 3000;
  }
  static rtp::DependencyStructure structure() {
    rtp::DependencyStructure structure;
    structure.template_id_offset = 5;
    structure.template_count = 2;
    structure.templates[0].indications[0] = rtp::DecodeTargetIndication::kSwitch;
    structure.templates[1].indications[0] = rtp::DecodeTargetIndication::kRequired;
    structure.templates[1].frame_diffs[0] = 1;
    structure.templates[1].frame_diff_count = 1;
    return structure;
  }
  void vp9_picture(bool is_keyframe, std::size_t bytes) {
    for (int i = 0; i < 2; ++i) {
      payload::Vp9Descriptor descriptor;
      descriptor.picture_id = static_cast<std::uint16_t>(number & 0x7fff);
      descriptor.is_inter_predicted = !is_keyframe;
      descriptor.starts_layer_frame = i == 0;
      descriptor.ends_layer_frame = i == 1;
      descriptor.layer = payload::Vp9Descriptor::Layer{.tl0_index = static_cast<std::uint8_t>(number * 3)};
      payload::PayloadList list;
      payload::write_vp9_descriptor(descriptor, list);
      payload::Packet numbered;
      numbered.sequence = sequence;
      list.bytes(FanOutWorld::payload_of(numbered, bytes));
      list.end_payload();
      add(list[0], i == 0, i == 1, is_keyframe);
    }
    ++number;
    timestamp += 3000;
  }
};

OutletConfig av1() {
  OutletConfig config = FanOutWorld::video(payload::Encoding::kAv1);
  config.extensions.set(rtp::ExtensionKind::kDependencyDescriptor, kDescriptorId);
  return config;
}

TEST(FanOutCodecs, counts_frames_of_av1_through_where_the_layer_changes) {
  FanOutWorld world;
  const StreamId stream = world.add_stream(payload::Encoding::kAv1, 2);
  Peer& peer = world.add_peer({av1()});
  world.set_source(peer, stream);
  Source low{
      .world = &world, .stream = stream, .layer = 0, .sequence = 100, .timestamp = 7, .number = 65'530};
  Source high{
      .world = &world, .stream = stream, .layer = 1, .sequence = 9'000, .timestamp = 70'000, .number = 400};
  for (int i = 0; i < 60; ++i) {
    if (i == 20) world.fan_out.set_layer_max(world.now, peer.id, 0, 0, world.out);
    if (i == 40) world.fan_out.set_layer_max(world.now, peer.id, 0, 1, world.out);
    low.av1_frame(i % 10 == 0, 300);
    high.av1_frame(i % 10 == 5, 900);
    world.drain();
    world.pass(kFrame);
  }
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_GT(got.size(), 100u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  std::optional<rtp::DependencyStructure> known;
  std::optional<std::uint16_t> last;
  int changes = 0;
  std::size_t last_bytes = 0;
  for (const Got& each : got) {
    const auto element = FanOutWorld::element_of(each, kDescriptorId);
    ASSERT_TRUE(element);
    const auto parsed = rtp::parse_dependency_descriptor(*element, known ? &*known : nullptr);
    ASSERT_TRUE(parsed);
    if (parsed->structure) known = parsed->structure;
    EXPECT_EQ(parsed->is_frame_end, each.marker);
    const bool is_keyframe = parsed->frame.frame_diff_count == 0;
    if (last) {
      EXPECT_EQ(parsed->frame_number, static_cast<std::uint16_t>(*last + (parsed->is_frame_start ? 1 : 0)));
      if (each.payload.size() != last_bytes) {
        ++changes;
        EXPECT_TRUE(is_keyframe && parsed->structure) << "it can be read from there";
      }
    }
    last = parsed->frame_number;
    last_bytes = each.payload.size();
  }
  EXPECT_GE(changes, 2);
  EXPECT_EQ(last_bytes, 900u);
  // A packet of before the change is sent again as it was.
  const Got& wanted = got[got.size() - 30];
  world.nack(peer, {static_cast<std::uint16_t>(wanted.sequence)});
  world.drain();
  ASSERT_EQ(peer.of(kRtxSsrc).size(), 1u);
  EXPECT_EQ(FanOutWorld::element_of(peer.of(kRtxSsrc)[0], kDescriptorId),
            FanOutWorld::element_of(wanted, kDescriptorId));
}

TEST(FanOutCodecs, counts_pictures_of_vp9_through_where_layer_and_source_change) {
  FanOutWorld world;
  const StreamId layered = world.add_stream(payload::Encoding::kVp9, 2),
                 other = world.add_stream(payload::Encoding::kVp9);
  Peer& peer = world.add_peer({FanOutWorld::video(payload::Encoding::kVp9)});
  world.set_source(peer, layered);
  Source low{.world = &world, .stream = layered, .layer = 0, .sequence = 100, .number = 32'760};
  Source high{.world = &world, .stream = layered, .layer = 1, .sequence = 9'000, .number = 77};
  Source third{.world = &world, .stream = other, .sequence = 40'000, .timestamp = 1'234'567, .number = 9'999};
  for (int i = 0; i < 80; ++i) {
    if (i == 20) world.fan_out.set_layer_max(world.now, peer.id, 0, 0, world.out);
    if (i == 40) world.set_source(peer, other);
    low.vp9_picture(i % 10 == 0, 300);
    high.vp9_picture(i % 10 == 5, 900);
    third.vp9_picture(i % 10 == 7, 600);
    world.drain();
    world.pass(kFrame);
  }
  const auto& got = peer.of(kVideoSsrc);
  ASSERT_GT(got.size(), 140u);
  FanOutWorld::expect_no_holes(got);
  FanOutWorld::expect_forward_timestamps(got);
  std::optional<payload::Vp9Descriptor> last;
  int changes = 0;
  std::size_t last_bytes = 0;
  for (const Got& each : got) {
    const auto parsed = payload::parse_vp9(each.payload);
    ASSERT_TRUE(parsed);
    const payload::Vp9Descriptor& now = parsed->descriptor;
    if (last) {
      const int step = now.starts_layer_frame ? 1 : 0;
      EXPECT_EQ(*now.picture_id, (*last->picture_id + step) & 0x7fff);
      const bool is_other = parsed->body.size() != last_bytes;
      changes += is_other ? 1 : 0;
      EXPECT_EQ(*now.layer->tl0_index,
                static_cast<std::uint8_t>(*last->layer->tl0_index + (is_other ? 1 : 3 * step)));
      EXPECT_TRUE(!is_other || !now.is_inter_predicted);
    }
    last = now;
    last_bytes = parsed->body.size();
  }
  EXPECT_GE(changes, 2);
  EXPECT_EQ(last_bytes, 600u);
}

}  // namespace
}  // namespace stoa::webrtc
