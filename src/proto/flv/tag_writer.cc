#include "base/assert.h"
#include "proto/flv/tag.h"

namespace stoa::flv {
namespace {

std::uint8_t ex_type(const Packet& packet, bool is_video) {
  switch (packet.kind) {
    case PacketKind::kSequenceStart: return 0;
    case PacketKind::kSequenceEnd: return 2;
    case PacketKind::kMetadata: return 4;
    case PacketKind::kFrames: break;
  }
  return is_video && packet.composition_ms == 0 ? 3 : 1;
}

bool has_composition(const Packet& packet, std::uint8_t type, bool is_video) {
  return is_video && type == 1 && (packet.codec == kAvc || packet.codec == kHevc);
}

// The first byte, with a nanosecond offset in front of the type when there is one.
void write_opening(const Packet& packet, std::uint8_t type, bool is_video, ByteWriter& out) {
  auto high = static_cast<std::uint8_t>(is_video ? 0x80 | (packet.says_keyframe ? 1 : 2) << 4 : 9 << 4);
  if (packet.offset_ns == 0) {
    out.u8(high | type);
    return;
  }
  out.u8(high | 7);
  out.u8(3 - 1);
  out.u24(packet.offset_ns);
  out.u8(type);  // TimestampOffsetNano is modifier 0.
}

void write_body(const Packet& packet, std::uint8_t type, bool is_video, ByteWriter& out) {
  if (has_composition(packet, type, is_video)) out.u24(static_cast<std::uint32_t>(packet.composition_ms));
  out.bytes(packet.body.bytes());
}

Buffer write_single(const Packet& packet, bool is_video) {
  ByteWriter out(packet.body.size() + 16);
  std::uint8_t type = ex_type(packet, is_video);
  write_opening(packet, type, is_video, out);
  out.u32(packet.codec);
  write_body(packet, type, is_video, out);
  return out.take();
}

Buffer write_tracks(Multitrack multitrack, const std::vector<Packet>& packets, bool is_video) {
  STOA_ASSERT(!packets.empty() && (multitrack != Multitrack::kOneTrack || packets.size() == 1));
  ByteWriter out;
  std::uint8_t type = ex_type(packets[0], is_video);
  for (const Packet& packet : packets) {
    STOA_ASSERT(packet.kind == packets[0].kind);
    // One packet type says it for all: with a composition time anywhere it is written everywhere.
    if (ex_type(packet, is_video) == 1) type = 1;
  }
  write_opening(packets[0], is_video ? 6 : 5, is_video, out);
  out.u8(static_cast<std::uint8_t>(static_cast<int>(multitrack) << 4 | type));
  if (multitrack != Multitrack::kManyTracksManyCodecs) out.u32(packets[0].codec);
  for (const Packet& packet : packets) {
    if (multitrack == Multitrack::kManyTracksManyCodecs) out.u32(packet.codec);
    out.u8(packet.track);
    std::size_t size = packet.body.size() + (has_composition(packet, type, is_video) ? 3 : 0);
    if (multitrack != Multitrack::kOneTrack) out.u24(static_cast<std::uint32_t>(size));
    write_body(packet, type, is_video, out);
  }
  return out.take();
}

std::uint8_t legacy_type(PacketKind kind) {
  STOA_ASSERT(kind != PacketKind::kMetadata);
  return static_cast<std::uint8_t>(kind);
}

}  // namespace

Buffer write_legacy_video(const Packet& packet) {
  STOA_ASSERT(packet.codec == kAvc);
  ByteWriter out(packet.body.size() + 5);
  out.u8(static_cast<std::uint8_t>((packet.says_keyframe ? 1 : 2) << 4 | 7));
  out.u8(legacy_type(packet.kind));
  out.u24(static_cast<std::uint32_t>(packet.composition_ms));
  out.bytes(packet.body.bytes());
  return out.take();
}

Buffer write_legacy_audio(const Packet& packet) {
  STOA_ASSERT(packet.codec == kAac);
  ByteWriter out(packet.body.size() + 2);
  out.u8(10 << 4 | 0x0f);  // AAC always says 44.1 kHz, 16 bit, stereo (FLV E.4.2.1).
  out.u8(legacy_type(packet.kind));
  out.bytes(packet.body.bytes());
  return out.take();
}

Buffer write_video(const Packet& packet) { return write_single(packet, true); }
Buffer write_audio(const Packet& packet) { return write_single(packet, false); }
Buffer write_video(Multitrack type, const std::vector<Packet>& packets) {
  return write_tracks(type, packets, true);
}
Buffer write_audio(Multitrack type, const std::vector<Packet>& packets) {
  return write_tracks(type, packets, false);
}

}  // namespace stoa::flv
