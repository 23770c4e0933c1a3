#include "check/codec_name.h"

#include <cstdio>

namespace stoa::check {
namespace {

std::string hex(std::uint64_t value, int digits) {
  char text[24];
  std::snprintf(text, sizeof text, "%0*llx", digits, static_cast<unsigned long long>(value));
  return text;
}
std::string two(unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, "%02u", value);
  return text;
}

std::string avc_name(std::string_view entry, Bytes config) {
  if (config.size() < 4) return std::string(entry);
  return std::string(entry) + "." + hex(config[1], 2) + hex(config[2], 2) + hex(config[3], 2);
}

// ISO/IEC 14496-15 Annex E: space and profile, compatibility bits reversed, tier and level, constraints.
std::string hevc_name(std::string_view entry, Bytes config) {
  if (config.size() < 13) return std::string(entry);
  ByteReader reader(config);
  reader.u8();
  std::uint8_t profile = reader.u8();
  std::uint32_t compatibility = reader.u32(), reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= (compatibility >> i & 1) << (31 - i);
  Bytes constraints = reader.take(6);
  std::uint8_t level = reader.u8();
  static constexpr const char* kSpaces[] = {"", "A", "B", "C"};
  std::string name = std::string(entry) + "." + kSpaces[profile >> 6] + std::to_string(profile & 0x1f) + "." +
                     hex(reversed, 1) + "." + (profile & 0x20 ? "H" : "L") + std::to_string(level);
  std::size_t last = constraints.size();
  while (last > 0 && constraints[last - 1] == 0) --last;
  for (std::size_t i = 0; i < last; ++i) name += "." + hex(constraints[i], 1);
  return name;
}

std::string av1_name(Bytes config) {
  if (config.size() < 3) return "av01";
  unsigned profile = config[1] >> 5, level = config[1] & 0x1f;
  unsigned tier = config[2] >> 7, high = config[2] >> 6 & 1, twelve = config[2] >> 5 & 1;
  unsigned depth = profile == 2 && high ? (twelve ? 12 : 10) : high ? 10 : 8;
  return "av01." + std::to_string(profile) + "." + two(level) + (tier ? "H" : "M") + "." + two(depth);
}

std::string vp9_name(Bytes config) {
  if (config.size() < 7) return "vp09";
  return "vp09." + two(config[4]) + "." + two(config[5]) + "." + two(config[6] >> 4);
}

// ISO/IEC 14496-1 §7.2.6: descriptors with lengths of 7 bits a byte.
bool enter_descriptor(ByteReader& reader, std::uint8_t tag) {
  if (reader.u8() != tag) return false;
  for (int i = 0; i < 4; ++i) {
    if (!(reader.u8() & 0x80)) break;
  }
  return reader.ok();
}

std::string aac_name(Bytes esds) {
  ByteReader reader(esds);
  reader.u32();
  if (!enter_descriptor(reader, 3)) return "mp4a";
  reader.u16();
  std::uint8_t flags = reader.u8();
  if (flags & 0x80) reader.u16();
  if (flags & 0x40) reader.skip(reader.u8());
  if (flags & 0x20) reader.u16();
  if (!enter_descriptor(reader, 4)) return "mp4a";
  std::uint8_t object_type = reader.u8();
  reader.skip(12);
  if (!reader.ok()) return "mp4a";
  if (object_type != 0x40) return "mp4a." + hex(object_type, 2);
  if (!enter_descriptor(reader, 5)) return "mp4a.40";
  unsigned first = reader.u8(), second = reader.u8();
  if (!reader.ok()) return "mp4a.40";
  unsigned audio_object_type = first >> 3;
  if (audio_object_type == 31) audio_object_type = 32 + ((first & 7) << 3 | second >> 5);
  return "mp4a.40." + std::to_string(audio_object_type);
}

}  // namespace

std::string codec_name(std::string_view entry, const std::vector<ConfigBox>& configs) {
  for (const auto& config : configs) {
    if (config.type == "avcC") return avc_name(entry, config.payload);
    if (config.type == "hvcC") return hevc_name(entry, config.payload);
    if (config.type == "av1C") return av1_name(config.payload);
    if (config.type == "vpcC") return vp9_name(config.payload);
    if (config.type == "esds") return aac_name(config.payload);
  }
  return std::string(entry);
}

}  // namespace stoa::check
