#include "media/orientation.h"

#include <optional>

#include "media/bit_reader.h"
#include "media/nal.h"

namespace stoa::media {
namespace {

constexpr std::uint8_t kH264Sei = 6, kHevcPrefixSei = 39;
constexpr std::uint32_t kDisplayOrientation = 47;  // payloadType
constexpr std::size_t kSeiBytesMax = 4'096;        // Of a unit that is looked at.

// A number that goes on while bytes are 255 (H.264 §7.3.2.3.1, HEVC §7.3.5).
std::optional<std::uint32_t> take_number(Bytes& rest) {
  std::uint32_t value = 0;
  while (!rest.empty()) {
    const std::uint8_t byte = rest.front();
    rest = rest.subspan(1);
    value += byte;
    if (byte != 0xff) return value;
  }
  return std::nullopt;
}

std::optional<Orientation> read_message(Bytes payload) {
  BitReader bits(payload);
  const bool is_cancelled = bits.flag();
  if (is_cancelled) return Orientation{};
  const std::uint32_t flips = bits.u(2);
  const std::uint32_t rotation = bits.u(16);  // 2^16 are a whole turn.
  if (!bits.ok()) return std::nullopt;
  const std::uint32_t half = flips == 3 ? 2 : 0;  // Both flips at once are half a turn.
  const std::uint32_t turns = (rotation + 0x2000) >> 14;
  return Orientation{static_cast<std::uint8_t>((turns + half) & 3), flips == 1 || flips == 2};
}

// Of a NAL unit without its header.
std::optional<Orientation> read_sei(Bytes body) {
  const Buffer bytes = unescape(body, kSeiBytesMax);
  Bytes rest(bytes);
  while (rest.size() > 2) {  // The last is the trailing bits.
    auto type = take_number(rest);
    auto size = take_number(rest);
    if (!type || !size || *size > rest.size()) return std::nullopt;
    if (*type == kDisplayOrientation) return read_message(rest.first(*size));
    rest = rest.subspan(*size);
  }
  return std::nullopt;
}

}  // namespace

Orientation read_orientation(const Format& format, Bytes access_unit) {
  const bool is_hevc = format.codec == Codec::kHevc;
  const std::size_t length_at = is_hevc ? 21 : 4;  // Of the configuration record (ISO/IEC 14496-15).
  if ((format.codec != Codec::kH264 && !is_hevc) || format.config.size() <= length_at) return {};
  NalCutter cutter(access_unit, (format.config.bytes()[length_at] & 3) + 1u);
  while (!cutter.at_end()) {
    auto nal = cutter.next();
    if (!nal) return {};
    const std::size_t header = is_hevc ? 2 : 1;
    const int type = is_hevc ? (*nal)[0] >> 1 & 0x3f : (*nal)[0] & 0x1f;
    if (type != (is_hevc ? kHevcPrefixSei : kH264Sei) || nal->size() <= header) continue;
    if (auto orientation = read_sei(nal->subspan(header))) return *orientation;
  }
  return {};
}

}  // namespace stoa::media
