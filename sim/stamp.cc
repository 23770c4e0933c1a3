#include "sim/stamp.h"

namespace stoa::sim {
namespace {

constexpr std::uint32_t kMagic = 0x53'74'6f'61;
constexpr std::int64_t kTick = 100'000;  // ns
constexpr std::uint8_t kVideo = 1, kKeyframe = 2;

void put_u16(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
void put_u32(std::uint8_t* at, std::uint32_t value) {
  put_u16(at, value >> 16);
  put_u16(at + 2, value);
}
std::uint16_t load_u16(const std::uint8_t* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }
std::uint32_t load_u32(const std::uint8_t* at) {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 | at[3];
}

}  // namespace

void Stamp::write_at_end(std::span<std::uint8_t> payload) const {
  std::uint8_t* at = payload.data() + payload.size() - kBytes;
  put_u32(at, kMagic);
  put_u32(at + 4, publisher);
  put_u32(at + 8, frame);
  put_u32(at + 12, static_cast<std::uint32_t>(sent.ns() / kTick));
  put_u16(at + 16, packet);
  put_u16(at + 18, packets);
  at[20] = layer;
  at[21] = static_cast<std::uint8_t>((is_video ? kVideo : 0) | (is_keyframe ? kKeyframe : 0));
  put_u16(at + 22, sequence);
}

std::optional<Stamp> Stamp::read(Bytes payload) {
  if (payload.size() < kBytes) return std::nullopt;
  const std::uint8_t* at = payload.data() + payload.size() - kBytes;
  if (load_u32(at) != kMagic) return std::nullopt;
  Stamp stamp;
  stamp.publisher = load_u32(at + 4);
  stamp.frame = load_u32(at + 8);
  stamp.sent = Timestamp::from_ns(std::int64_t{load_u32(at + 12)} * kTick);
  stamp.packet = load_u16(at + 16);
  stamp.packets = load_u16(at + 18);
  stamp.layer = at[20];
  const std::uint8_t flags = at[21];
  stamp.sequence = load_u16(at + 22);
  stamp.is_video = flags & kVideo;
  stamp.is_keyframe = flags & kKeyframe;
  return stamp;
}

}  // namespace stoa::sim
