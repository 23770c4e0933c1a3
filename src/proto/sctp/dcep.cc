#include "proto/sctp/dcep.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::sctp {
namespace {

constexpr std::uint8_t kAck = 2, kOpen = 3;
constexpr std::uint8_t kReliable = 0, kCounted = 1, kTimed = 2, kUnordered = 0x80;

}  // namespace

bool is_utf8(Bytes text) {
  for (std::size_t i = 0; i < text.size();) {
    std::uint8_t lead = text[i++];
    if (lead < 0x80) continue;
    std::size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - i < more) return false;
    // No overlong forms, no surrogates, nothing above U+10FFFF: all seen in the second byte.
    std::uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    std::uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (text[i] < low || text[i] > high) return false;
    for (std::size_t k = 1; k < more; ++k)
      if ((text[i + k] & 0xc0) != 0x80) return false;
    i += more;
  }
  return true;
}

//  | type = 3      | channel type  |           priority            |
//  |                    reliability parameter                      |
//  |         label length          |        protocol length        |
//  | label, protocol
Result<DcepMessage, Refusal> parse_dcep(Bytes message) {
  ByteReader in(message);
  std::uint8_t type = in.u8();
  if (type == kAck && in.ok()) return ChannelAck{};
  if (type != kOpen) return refuse(Refusal::kBadChannelMessage);
  ChannelSettings settings;
  std::uint8_t kind = in.u8();
  settings.priority = in.u16();
  std::uint32_t parameter = in.u32();
  std::size_t label_bytes = in.u16(), protocol_bytes = in.u16();
  Bytes label = in.take(label_bytes), protocol = in.take(protocol_bytes);
  if (!in.ok() || !in.at_end()) return refuse(Refusal::kBadChannelMessage);
  if (label_bytes > kLabelBytesMax || protocol_bytes > kProtocolBytesMax)
    return refuse(Refusal::kNameTooLong);
  if (!is_utf8(label) || !is_utf8(protocol)) return refuse(Refusal::kBadChannelMessage);
  settings.label = as_text(label);
  settings.protocol = as_text(protocol);
  settings.is_ordered = (kind & kUnordered) == 0;
  switch (kind & ~kUnordered) {
    case kReliable: break;
    case kCounted:
      settings.retransmissions_max = static_cast<std::uint16_t>(std::min<std::uint32_t>(parameter, 0xffff));
      break;
    case kTimed: settings.lifetime = Duration::milliseconds(parameter); break;
    default: return refuse(Refusal::kBadChannelMessage);
  }
  return ChannelOpen{std::move(settings)};
}

Buffer write_channel_open(const ChannelSettings& settings) {
  STOA_DCHECK(settings.label.size() <= 0xffff && settings.protocol.size() <= 0xffff);
  ByteWriter out;
  out.u8(kOpen);
  std::uint8_t kind = settings.retransmissions_max ? kCounted : settings.lifetime ? kTimed : kReliable;
  out.u8(settings.is_ordered ? kind : kind | kUnordered);
  out.u16(settings.priority);
  if (settings.retransmissions_max) {
    out.u32(*settings.retransmissions_max);
  } else {
    out.u32(settings.lifetime ? static_cast<std::uint32_t>(settings.lifetime->ms()) : 0);
  }
  out.u16(static_cast<std::uint16_t>(settings.label.size()));
  out.u16(static_cast<std::uint16_t>(settings.protocol.size()));
  out.text(settings.label);
  out.text(settings.protocol);
  return out.take();
}

Buffer write_channel_ack() { return {kAck}; }

}  // namespace stoa::sctp
