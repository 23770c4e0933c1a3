#include "proto/flv/tag.h"

#include <algorithm>
#include <optional>

namespace stoa::flv {
namespace {

// Video and audio share their layout; only these numbers differ.
enum Type : std::uint8_t {
  kSequenceStart = 0,
  kCodedFrames = 1,
  kSequenceEnd = 2,
  kCodedFramesX = 3,  // Video.
  kVideoMetadata = 4,
  kMultichannelConfig = 4,  // Audio.
  kMpegTsSequenceStart = 5,
  kAudioMultitrack = 5,
  kVideoMultitrack = 6,
  kModEx = 7,
};
constexpr std::uint8_t kExAudio = 9;  // SoundFormat.
constexpr std::uint8_t kLegacyAac = 10;
constexpr std::uint8_t kLegacyAvc = 7;  // CodecID.
constexpr std::uint8_t kCommandFrame = 5;
constexpr std::uint32_t kNanosecondsMax = 999'999;

struct ExHeader {
  bool is_video;
  std::uint8_t type;
  bool says_keyframe;
  std::uint32_t offset_ns = 0;
  std::optional<Multitrack> multitrack;
};

Result<PacketKind, Refusal> kind_of(const ExHeader& header) {
  switch (header.type) {
    case kSequenceStart: return PacketKind::kSequenceStart;
    case kCodedFrames: return PacketKind::kFrames;
    case kSequenceEnd: return PacketKind::kSequenceEnd;
    case kVideoMetadata: return PacketKind::kMetadata;
    case kCodedFramesX:
      if (header.is_video) return PacketKind::kFrames;
      break;
    case kMpegTsSequenceStart:
      if (header.is_video) return refuse(Refusal::kMpegTs);
      break;
    default: break;
  }
  return refuse(Refusal::kUnknownPacketType);
}

Result<void, Refusal> read_mod_ex(ByteReader& reader, ExHeader& header) {
  for (int count = 0; header.type == kModEx; ++count) {
    if (count == kModExMax) return refuse(Refusal::kBadModEx);
    std::size_t size = std::size_t{reader.u8()} + 1;
    if (size == 256) size = std::size_t{reader.u16()} + 1;
    Bytes modifier = reader.take(size);
    std::uint8_t types = reader.u8();
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    header.type = types & 0x0f;
    if (types >> 4 != 0) continue;  // Only TimestampOffsetNano is known.
    if (modifier.size() < 3) return refuse(Refusal::kBadModEx);
    header.offset_ns = ByteReader(modifier).u24();
    if (header.offset_ns > kNanosecondsMax) return refuse(Refusal::kBadModEx);
  }
  return {};
}

Result<void, Refusal> read_multitrack(ByteReader& reader, ExHeader& header) {
  std::uint8_t multitrack_type = header.is_video ? kVideoMultitrack : kAudioMultitrack;
  if (header.type != multitrack_type) return {};
  std::uint8_t byte = reader.u8();
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  header.type = byte & 0x0f;
  if (header.type == multitrack_type) return refuse(Refusal::kNestedMultitrack);
  if (byte >> 4 > static_cast<int>(Multitrack::kManyTracksManyCodecs)) {
    return refuse(Refusal::kUnknownMultitrackType);
  }
  header.multitrack = static_cast<Multitrack>(byte >> 4);
  return {};
}

// One packet's own part, `body` being all of it.
Result<Packet, Refusal> make_packet(const ExHeader& header, PacketKind kind, FourCc codec, std::uint8_t track,
                                    SharedBytes body) {
  Packet packet{kind, codec, 0, track, header.says_keyframe, 0, header.offset_ns, std::move(body)};
  bool has_composition = header.is_video && header.type == kCodedFrames && (codec == kAvc || codec == kHevc);
  if (has_composition) {
    ByteReader reader(packet.body.bytes());
    packet.composition_ms = reader.i24();
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    packet.body = packet.body.slice(3);
  }
  return packet;
}

Result<std::vector<Packet>, Refusal> read_packets(ByteReader& reader, const ExHeader& header,
                                                  const SharedBytes& whole) {
  STOA_TRY(PacketKind kind, kind_of(header));
  std::vector<Packet> packets;
  bool has_many_codecs = header.multitrack == Multitrack::kManyTracksManyCodecs;
  FourCc codec = has_many_codecs ? 0 : reader.u32();
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  do {
    if (packets.size() == kTracksPerMessageMax) return refuse(Refusal::kTooManyTracks);
    if (has_many_codecs) codec = reader.u32();
    std::uint8_t track = header.multitrack ? reader.u8() : 0;
    bool has_size = header.multitrack && *header.multitrack != Multitrack::kOneTrack;
    std::size_t size = has_size ? reader.u24() : reader.remaining();
    std::size_t at = reader.offset();
    reader.skip(size);
    if (!reader.ok()) return refuse(Refusal::kTruncated);
    STOA_TRY(packets.emplace_back(), make_packet(header, kind, codec, track, whole.slice(at, size)));
  } while (!reader.at_end());
  return packets;
}

Result<std::vector<Packet>, Refusal> parse_ex(const SharedBytes& body, ExHeader header, bool is_command) {
  ByteReader reader(body.bytes());
  reader.skip(1);
  auto modified = read_mod_ex(reader, header);
  if (!modified) return refuse(modified.error());
  // A seek command has one more byte and no packets; metadata ignores the frame type.
  if (is_command && header.type != kVideoMetadata) return std::vector<Packet>{};
  auto multitrack = read_multitrack(reader, header);
  if (!multitrack) return refuse(multitrack.error());
  return read_packets(reader, header, body);
}

// AVCPacketType and AACPacketType agree where they overlap.
Result<PacketKind, Refusal> legacy_kind(std::uint8_t type) {
  switch (type) {
    case 0: return PacketKind::kSequenceStart;
    case 1: return PacketKind::kFrames;
    case 2: return PacketKind::kSequenceEnd;
    default: return refuse(Refusal::kUnknownPacketType);
  }
}

}  // namespace

Result<std::vector<Packet>, Refusal> parse_video(const SharedBytes& body) {
  if (body.empty()) return std::vector<Packet>{};
  std::uint8_t first = body.bytes()[0];
  auto frame_type = static_cast<std::uint8_t>(first >> 4 & 7);
  bool is_command = frame_type == kCommandFrame;
  bool says_keyframe = frame_type == 1 || frame_type == 4;
  if ((first & 0x80) != 0) {
    return parse_ex(body, {true, static_cast<std::uint8_t>(first & 0x0f), says_keyframe}, is_command);
  }
  if (is_command) return std::vector<Packet>{};
  Packet packet{.legacy_codec = static_cast<std::uint8_t>(first & 0x0f), .says_keyframe = says_keyframe};
  if (packet.legacy_codec != kLegacyAvc) {
    packet.body = body.slice(1);
    return std::vector<Packet>{packet};
  }
  ByteReader reader(body.bytes());
  reader.skip(1);
  std::uint8_t type = reader.u8();
  packet.codec = kAvc;
  packet.composition_ms = reader.i24();
  if (!reader.ok()) return refuse(Refusal::kTruncated);
  STOA_TRY(packet.kind, legacy_kind(type));
  packet.body = body.slice(reader.offset());
  return std::vector<Packet>{packet};
}

Result<std::vector<Packet>, Refusal> parse_audio(const SharedBytes& body) {
  if (body.empty()) return std::vector<Packet>{};
  std::uint8_t first = body.bytes()[0];
  auto format = static_cast<std::uint8_t>(first >> 4);
  if (format == kExAudio) {
    return parse_ex(body, {false, static_cast<std::uint8_t>(first & 0x0f), true}, false);
  }
  Packet packet{.legacy_codec = format, .says_keyframe = true};
  if (format != kLegacyAac) {
    packet.body = body.slice(1);
    return std::vector<Packet>{packet};
  }
  if (body.size() < 2) return refuse(Refusal::kTruncated);
  packet.codec = kAac;
  STOA_TRY(packet.kind, legacy_kind(body.bytes()[1]));
  packet.body = body.slice(2);
  return std::vector<Packet>{packet};
}

}  // namespace stoa::flv
