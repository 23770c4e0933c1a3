#include "session/webrtc/header.h"

#include <algorithm>
#include <cstring>

#include "proto/rtp/packet.h"

namespace stoa::webrtc {
namespace {

using rtp::ExtensionKind;

constexpr std::size_t kBlockHeadBytes = 4;
constexpr std::size_t round_up(std::size_t bytes) { return (bytes + 3) & ~std::size_t{3}; }

void store_u16(std::uint8_t* at, std::uint16_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
void store_u32(std::uint8_t* at, std::uint32_t value) {
  value = __builtin_bswap32(value);
  std::memcpy(at, &value, sizeof value);
}

// Writes elements one behind the other, in either form.
class ElementWriter {
 public:
  ElementWriter(std::uint8_t* at, bool is_two_byte) : at_(at), is_two_byte_(is_two_byte) {}
  std::uint8_t* begin(std::uint8_t id, std::size_t bytes) {
    if (is_two_byte_) {
      *at_++ = id;
      *at_++ = static_cast<std::uint8_t>(bytes);
    } else {
      *at_++ = static_cast<std::uint8_t>(id << 4 | (bytes - 1));
    }
    std::uint8_t* value = at_;
    at_ += bytes;
    return value;
  }
  std::uint8_t* at() const { return at_; }

 private:
  std::uint8_t* at_;
  bool is_two_byte_;
};

}  // namespace

HeaderTemplate::HeaderTemplate(const OutletConfig& config, bool is_repeatable,
                               const std::optional<rtp::PlayoutDelay>& playout) {
  const rtp::ExtensionMap& map = config.extensions;
  if (!is_repeatable) {
    transport_id_ = map.id_of(ExtensionKind::kTransportSequence);
    send_time_id_ = map.id_of(ExtensionKind::kAbsSendTime);
  }
  // It is sent until the receiver has it, so not every time.
  if (payload::is_video(config.encoding) && playout && !is_repeatable) {
    playout_id_ = map.id_of(ExtensionKind::kPlayoutDelay);
    playout_ = rtp::write_playout_delay(*playout);
  }
  if (!payload::is_video(config.encoding)) level_id_ = map.id_of(ExtensionKind::kAudioLevel);
  if (!config.mid.empty() && config.mid.size() <= mid_.size()) {
    mid_id_ = map.id_of(ExtensionKind::kMid);
    mid_bytes_ = static_cast<std::uint8_t>(config.mid.size());
    std::ranges::copy(config.mid, mid_.begin());
  }
  orientation_id_ = map.id_of(ExtensionKind::kVideoOrientation);
  capture_id_ = map.id_of(ExtensionKind::kAbsCaptureTime);
  descriptor_id_ = map.id_of(ExtensionKind::kDependencyDescriptor);
  for (std::uint8_t id : {transport_id_, send_time_id_, level_id_, mid_id_, orientation_id_, capture_id_,
                          descriptor_id_, playout_id_})
    is_two_byte_ |= id > rtp::kOneByteIdMax;

  bytes_[0] = 0x80;
  ElementWriter writer(bytes_.data() + rtp::kFixedHeaderBytes + kBlockHeadBytes, false);
  const auto place = [&](std::uint8_t id, std::size_t bytes) -> std::uint8_t {
    if (id == 0) return 0;
    two_byte_elements_bytes_ = static_cast<std::uint8_t>(two_byte_elements_bytes_ + 2 + bytes);
    return static_cast<std::uint8_t>(writer.begin(id, bytes) - bytes_.data());
  };
  transport_at_ = place(transport_id_, 2);
  send_time_at_ = place(send_time_id_, 3);
  level_at_ = place(level_id_, 1);
  if (const std::uint8_t at = place(mid_id_, mid_bytes_); at != 0)
    std::copy_n(mid_.begin(), mid_bytes_, bytes_.begin() + at);
  elements_bytes_ =
      static_cast<std::uint8_t>(writer.at() - bytes_.data() - rtp::kFixedHeaderBytes - kBlockHeadBytes);
  if (elements_bytes_ == 0) return;
  const std::size_t words = round_up(elements_bytes_) / 4;
  bytes_[0] |= 0x10;
  store_u16(bytes_.data() + rtp::kFixedHeaderBytes, rtp::kOneByteProfile);
  store_u16(bytes_.data() + rtp::kFixedHeaderBytes + 2, static_cast<std::uint16_t>(words));
  size_ = static_cast<std::uint8_t>(rtp::kFixedHeaderBytes + kBlockHeadBytes + words * 4);
}

bool HeaderTemplate::needs_two_byte(const payload::Packet& packet) const {
  return is_two_byte_ || (descriptor_id_ != 0 && packet.descriptor_bytes > rtp::kOneByteElementBytesMax);
}

std::size_t HeaderTemplate::optional_bytes(const payload::Packet& packet, bool tells_playout,
                                           bool is_two_byte) const {
  const std::size_t head = is_two_byte ? 2 : 1;
  std::size_t bytes = 0;
  if (tells_playout && playout_id_ != 0) bytes += head + playout_.size();
  if (packet.has_orientation && orientation_id_ != 0) bytes += head + 1;
  if (packet.capture_ntp != 0 && capture_id_ != 0) bytes += head + 8;
  if (packet.descriptor_bytes != 0 && packet.descriptor_bytes <= rtp::kElementBytesMax && descriptor_id_ != 0)
    bytes += head + packet.descriptor_bytes;
  return bytes;
}

std::size_t HeaderTemplate::long_size_bytes(const payload::Packet& packet, bool tells_playout) const {
  const bool is_two_byte = needs_two_byte(packet);
  const std::size_t elements = (is_two_byte ? two_byte_elements_bytes_ : elements_bytes_) +
                               optional_bytes(packet, tells_playout, is_two_byte);
  return elements == 0 ? rtp::kFixedHeaderBytes
                       : rtp::kFixedHeaderBytes + kBlockHeadBytes + round_up(elements);
}

void HeaderTemplate::write(const payload::Packet& packet, Bytes descriptor, const HeaderValues& values,
                           std::uint8_t payload_type, std::uint32_t ssrc, std::uint8_t* out) const {
  if (has_optional(packet, values.tells_playout)) {
    write_long(packet, descriptor, values, out);
  } else {
    std::memcpy(out, bytes_.data(), size_);
    if (transport_at_ != 0) store_u16(out + transport_at_, values.transport_sequence);
    if (send_time_at_ != 0) {
      out[send_time_at_] = static_cast<std::uint8_t>(values.send_time >> 16);
      store_u16(out + send_time_at_ + 1, static_cast<std::uint16_t>(values.send_time));
    }
    if (level_at_ != 0) {
      if (packet.has_audio_level) {
        out[level_at_] = packet.audio_level;
      } else {
        out[level_at_ - 1] = out[level_at_] = 0;  // Padding takes its place.
      }
    }
  }
  out[1] = static_cast<std::uint8_t>(payload_type | (values.marker ? 0x80 : 0));
  store_u16(out + 2, values.sequence);
  store_u32(out + 4, values.timestamp);
  store_u32(out + 8, ssrc);
}

void HeaderTemplate::write_long(const payload::Packet& packet, Bytes descriptor, const HeaderValues& values,
                                std::uint8_t* out) const {
  const std::size_t size = long_size_bytes(packet, values.tells_playout);
  const bool is_two_byte = needs_two_byte(packet);
  std::memset(out, 0, size);
  out[0] = 0x80;
  if (size == rtp::kFixedHeaderBytes) return;
  out[0] |= 0x10;
  store_u16(out + rtp::kFixedHeaderBytes, is_two_byte ? rtp::kTwoByteProfile : rtp::kOneByteProfile);
  store_u16(out + rtp::kFixedHeaderBytes + 2,
            static_cast<std::uint16_t>((size - rtp::kFixedHeaderBytes - kBlockHeadBytes) / 4));
  ElementWriter writer(out + rtp::kFixedHeaderBytes + kBlockHeadBytes, is_two_byte);
  if (transport_id_ != 0) store_u16(writer.begin(transport_id_, 2), values.transport_sequence);
  if (send_time_id_ != 0) {
    std::uint8_t* at = writer.begin(send_time_id_, 3);
    at[0] = static_cast<std::uint8_t>(values.send_time >> 16);
    store_u16(at + 1, static_cast<std::uint16_t>(values.send_time));
  }
  if (level_id_ != 0) {
    std::uint8_t* before = writer.at();
    std::uint8_t* at = writer.begin(level_id_, 1);
    *at = packet.audio_level;
    if (!packet.has_audio_level) std::memset(before, 0, static_cast<std::size_t>(writer.at() - before));
  }
  if (mid_id_ != 0) std::memcpy(writer.begin(mid_id_, mid_bytes_), mid_.data(), mid_bytes_);
  if (values.tells_playout && playout_id_ != 0)
    std::ranges::copy(playout_, writer.begin(playout_id_, playout_.size()));
  if (packet.has_orientation && orientation_id_ != 0) *writer.begin(orientation_id_, 1) = packet.orientation;
  if (packet.capture_ntp != 0 && capture_id_ != 0) {
    std::uint8_t* at = writer.begin(capture_id_, 8);
    store_u32(at, static_cast<std::uint32_t>(packet.capture_ntp >> 32));
    store_u32(at + 4, static_cast<std::uint32_t>(packet.capture_ntp));
  }
  if (packet.descriptor_bytes == 0 || packet.descriptor_bytes > rtp::kElementBytesMax || descriptor_id_ == 0)
    return;
  std::uint8_t* at = writer.begin(descriptor_id_, descriptor.size());
  std::memcpy(at, descriptor.data(), descriptor.size());
  if (descriptor.size() >= 3)
    store_u16(at + 1, static_cast<std::uint16_t>((at[1] << 8 | at[2]) + values.frame_offset));
}

}  // namespace stoa::webrtc
