#include "session/webrtc/header.h"

#include <gtest/gtest.h>

#include "proto/rtp/extension_values.h"
#include "proto/rtp/packet.h"

namespace stoa::webrtc {
namespace {

using rtp::ExtensionKind;

struct Written {
  Buffer bytes;
  rtp::Packet packet;
  std::optional<rtp::Element> find(std::uint8_t id) const { return rtp::find_element(packet.extension, id); }
};
Written write(const HeaderTemplate& header, const payload::Packet& packet, Bytes descriptor = {}) {
  Written written;
  written.bytes.resize(header.size_bytes(packet));
  const HeaderValues values{.sequence = 0x1234,
                            .timestamp = 0x8899aabb,
                            .marker = true,
                            .transport_sequence = 0x0102,
                            .send_time = 0x030405,
                            .frame_offset = 3};
  header.write(packet, descriptor, values, 96, 0xdeadbeef, written.bytes.data());
  written.packet = *rtp::parse_header(written.bytes);
  EXPECT_EQ(written.packet.header_bytes, written.bytes.size());
  EXPECT_EQ(written.packet.header, (rtp::Header{.marker = true,
                                                .payload_type = 96,
                                                .sequence = 0x1234,
                                                .timestamp = 0x8899aabb,
                                                .ssrc = 0xdeadbeef}));
  return written;
}
OutletConfig config_with(std::initializer_list<ExtensionKind> kinds, std::uint8_t first_id = 1) {
  OutletConfig config;
  for (const ExtensionKind kind : kinds) config.extensions.set(kind, first_id++);
  return config;
}

TEST(HeaderTemplate, is_bare_without_extensions) {
  EXPECT_EQ(write(HeaderTemplate(OutletConfig{}, false), {}).bytes.size(), 12u);
}

TEST(HeaderTemplate, has_what_every_packet_carries) {
  OutletConfig config =
      config_with({ExtensionKind::kTransportSequence, ExtensionKind::kAbsSendTime, ExtensionKind::kMid});
  config.mid = "v0";
  const Written written = write(HeaderTemplate(config, false), {});
  EXPECT_EQ(rtp::parse_transport_sequence(written.find(1)->value), 0x0102);
  EXPECT_EQ(rtp::parse_abs_send_time(written.find(2)->value)->ticks(), 0x030405u);
  EXPECT_EQ(rtp::parse_mid(written.find(3)->value), "v0");
  const Written repeatable = write(HeaderTemplate(config, true), {});
  EXPECT_FALSE(repeatable.find(1) || repeatable.find(2));
  EXPECT_TRUE(repeatable.find(3));
}

TEST(HeaderTemplate, keeps_its_size_without_an_audio_level) {
  OutletConfig config = config_with({ExtensionKind::kAudioLevel, ExtensionKind::kTransportSequence});
  config.encoding = payload::Encoding::kOpus;
  const HeaderTemplate header(config, false);
  payload::Packet packet;
  const Written without = write(header, packet);
  packet.has_audio_level = true;
  packet.audio_level = 0x85;
  const Written with = write(header, packet);
  EXPECT_EQ(with.bytes.size(), without.bytes.size());
  EXPECT_FALSE(without.find(1));
  EXPECT_EQ(with.find(1)->value[0], 0x85);
  EXPECT_TRUE(without.find(2));
}

TEST(HeaderTemplate, passes_on_what_the_packet_has_in_either_form) {
  for (const std::uint8_t first_id : {std::uint8_t{1}, std::uint8_t{20}}) {
    for (const std::size_t descriptor_bytes : {std::size_t{3}, std::size_t{40}}) {
      const HeaderTemplate header(
          config_with({ExtensionKind::kTransportSequence, ExtensionKind::kVideoOrientation,
                       ExtensionKind::kAbsCaptureTime, ExtensionKind::kDependencyDescriptor},
                      first_id),
          false);
      Buffer descriptor(descriptor_bytes, 0xff);
      payload::Packet packet;
      packet.has_orientation = true;
      packet.orientation = 2;
      packet.capture_ntp = 0x0102030405060708;
      packet.descriptor_bytes = static_cast<std::uint16_t>(descriptor_bytes);
      const Written written = write(header, packet, descriptor);
      EXPECT_EQ(rtp::parse_transport_sequence(written.find(first_id)->value), 0x0102);
      EXPECT_EQ(written.find(first_id + 1)->value[0], 2);
      EXPECT_EQ(written.find(first_id + 2)->value.size(), 8u);
      const auto passed = written.find(first_id + 3);
      ASSERT_TRUE(passed);
      ASSERT_EQ(passed->value.size(), descriptor_bytes);
      EXPECT_EQ(passed->value[1] << 8 | passed->value[2], 2) << "the frame number wraps";
    }
  }
}

}  // namespace
}  // namespace stoa::webrtc
