// The RTP header of one outlet: everything that is the same for all its packets is laid out once, the rest is
// patched in. Elements that every packet carries (transport-wide number, send time, mid, audio level) come
// first and always have their place, so that packets of a train are equally long; what only some packets have
// (orientation, capture time, dependency descriptor, playout delay) follows.
#pragma once

#include <array>
#include <cstdint>

#include "media/payload/packet.h"
#include "session/webrtc/fan_out.h"

namespace stoa::webrtc {

// What is different in each packet.
struct HeaderValues {
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  bool marker = false;
  std::uint16_t transport_sequence = 0;
  std::uint32_t send_time = 0;     // 24 bits of abs-send-time.
  std::uint16_t frame_offset = 0;  // Added to the frame number of a dependency descriptor.
  bool tells_playout = false;      // With the playout delay, if the receiver knows what that is.
};

class HeaderTemplate {
 public:
  // Of a header with all that a packet can bring.
  static constexpr std::size_t kBytesMax = 512;

  HeaderTemplate() = default;
  // is_repeatable: without what changes when the same packet is sent again. `playout` is what a receiver of
  // video is told, unless it is none.
  HeaderTemplate(const OutletConfig& config, bool is_repeatable,
                 const std::optional<rtp::PlayoutDelay>& playout = {});

  bool counts_transport() const { return transport_at_ != 0; }
  bool has_playout() const { return playout_id_ != 0; }
  // With the descriptor of `packet`, `descriptor_bytes` long.
  std::size_t size_bytes(const payload::Packet& packet, bool tells_playout = false) const {
    if (!has_optional(packet, tells_playout)) return size_;
    return long_size_bytes(packet, tells_playout);
  }
  bool has_descriptor() const { return descriptor_id_ != 0; }
  // Writes size_bytes() bytes. Payload type and SSRC are those given.
  void write(const payload::Packet& packet, Bytes descriptor, const HeaderValues& values,
             std::uint8_t payload_type, std::uint32_t ssrc, std::uint8_t* out) const;

 private:
  static constexpr std::size_t kFixedBytesMax = 64;

  bool has_optional(const payload::Packet& packet, bool tells_playout) const {
    return (tells_playout && playout_id_ != 0) || (packet.has_orientation && orientation_id_ != 0) ||
           (packet.capture_ntp != 0 && capture_id_ != 0) ||
           (packet.descriptor_bytes != 0 && descriptor_id_ != 0) || is_two_byte_;
  }
  bool needs_two_byte(const payload::Packet& packet) const;
  std::size_t optional_bytes(const payload::Packet& packet, bool tells_playout, bool is_two_byte) const;
  std::size_t long_size_bytes(const payload::Packet& packet, bool tells_playout) const;
  void write_long(const payload::Packet& packet, Bytes descriptor, const HeaderValues& values,
                  std::uint8_t* out) const;

  std::array<std::uint8_t, kFixedBytesMax> bytes_{};
  std::uint8_t size_ = 12;           // Without optional elements.
  std::uint8_t elements_bytes_ = 0;  // Of the fixed elements, not rounded up.
  std::uint8_t two_byte_elements_bytes_ = 0;
  std::uint8_t transport_at_ = 0, send_time_at_ = 0, level_at_ = 0;
  std::uint8_t transport_id_ = 0, send_time_id_ = 0, level_id_ = 0, mid_id_ = 0;
  std::uint8_t orientation_id_ = 0, capture_id_ = 0, descriptor_id_ = 0, playout_id_ = 0;
  std::array<std::uint8_t, 3> playout_{};
  std::uint8_t mid_bytes_ = 0;
  bool is_two_byte_ = false;  // An id that the one-byte form cannot say.
  std::array<std::uint8_t, 16> mid_{};
};

}  // namespace stoa::webrtc
