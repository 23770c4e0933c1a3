#include "rtc_stamp.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/assert.h"

namespace stoa::bench {
namespace {

constexpr std::array<std::uint8_t, 16> kName = {0x9d, 0x53, 0xe1, 0x74, 0x6c, 0x2a, 0x4f, 0xb8,
                                                0xa6, 0x31, 0xd7, 0x45, 0x82, 0x5e, 0xc9, 0x1b};
constexpr std::size_t kGroups = kRtcStampBytes - kName.size();
constexpr std::size_t kPlainBytes = 4 + 4 + 8 + 4;
static_assert(kGroups * 7 >= kPlainBytes * 8);

constexpr std::uint8_t kSeiHeader = 6, kUserDataUnregistered = 5, kSeiEnd = 0x80;
// CELT, full band, 20 ms, stereo; any number of frames, told by the byte that follows.
constexpr std::uint8_t kOpusToc = 0xff, kOneFrameWithPadding = 0x41;
constexpr std::uint8_t kSilence[] = {0xff, 0xfe};  // What an encoder makes of no sound at all.

}  // namespace

Buffer write_stamp(const RtcStamp& stamp) {
  ByteWriter plain;
  plain.u32(stamp.publisher);
  plain.u32(stamp.frame);
  plain.u64(static_cast<std::uint64_t>(stamp.unix_ns));
  plain.u32(stamp.checksum);
  Bytes bytes = plain.view();
  Buffer out(kName.begin(), kName.end());
  for (std::size_t group = 0; group < kGroups; ++group) {
    std::uint8_t value = 0;
    for (std::size_t bit = group * 7; bit < group * 7 + 7; ++bit) {
      bool is_set = bit < bytes.size() * 8 && (bytes[bit / 8] >> (7 - bit % 8) & 1) != 0;
      value = static_cast<std::uint8_t>(value << 1 | (is_set ? 1 : 0));
    }
    out.push_back(value | 0x80);
  }
  return out;
}

std::optional<RtcStamp> find_stamp(Bytes bytes) {
  auto at = std::search(bytes.begin(), bytes.end(), kName.begin(), kName.end());
  if (bytes.end() - at < static_cast<std::ptrdiff_t>(kRtcStampBytes)) return std::nullopt;
  Buffer plain(kPlainBytes);
  for (std::size_t bit = 0; bit < kPlainBytes * 8; ++bit) {
    std::uint8_t group = at[static_cast<std::ptrdiff_t>(kName.size() + bit / 7)];
    if ((group & 0x80) == 0) return std::nullopt;
    if (group >> (6 - bit % 7) & 1) plain[bit / 8] |= static_cast<std::uint8_t>(0x80 >> bit % 8);
  }
  ByteReader reader(plain);
  RtcStamp stamp;
  stamp.publisher = reader.u32();
  stamp.frame = reader.u32();
  stamp.unix_ns = static_cast<std::int64_t>(reader.u64());
  stamp.checksum = reader.u32();
  return stamp;
}

Buffer make_stamp_sei(const RtcStamp& stamp) {
  Buffer nal = {kSeiHeader, kUserDataUnregistered, static_cast<std::uint8_t>(kRtcStampBytes)};
  Buffer body = write_stamp(stamp);
  nal.insert(nal.end(), body.begin(), body.end());
  nal.push_back(kSeiEnd);
  return nal;
}

Buffer make_stamped_opus(RtcStamp stamp, std::size_t bytes) {
  STOA_ASSERT(bytes >= kOpusBytesMin && bytes <= kOpusBytesMax);
  Buffer packet = {kOpusToc, kOneFrameWithPadding};
  // Each 255 in the length of the padding is 254 bytes of it; the length itself is not counted.
  std::size_t left = bytes - packet.size() - std::size(kSilence), lengths = 1;
  while (left - lengths > lengths * 254) ++lengths;
  packet.insert(packet.end(), lengths - 1, 255);
  packet.push_back(static_cast<std::uint8_t>(left - lengths - (lengths - 1) * 254));
  packet.insert(packet.end(), std::begin(kSilence), std::end(kSilence));
  while (packet.size() + kRtcStampBytes < bytes)
    packet.push_back(static_cast<std::uint8_t>(packet.size() * 7 + stamp.frame));
  stamp.checksum = checksum_of(packet);
  Buffer tail = write_stamp(stamp);
  packet.insert(packet.end(), tail.begin(), tail.end());
  return packet;
}

bool is_intact_opus(Bytes packet, const RtcStamp& stamp) {
  if (packet.size() < kOpusBytesMin) return false;
  return checksum_of(packet.first(packet.size() - kRtcStampBytes)) == stamp.checksum;
}

std::uint32_t checksum_of(Bytes bytes, std::uint32_t begun) {
  return static_cast<std::uint32_t>(crc32(begun, bytes.data(), static_cast<uInt>(bytes.size())));
}

}  // namespace stoa::bench
