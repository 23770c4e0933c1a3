#include "media/opus.h"

#include <array>

namespace stoa::media {
namespace {

constexpr std::uint32_t kOpusRate = 48000;
constexpr std::uint32_t kUsualPacketSamples = 960;  // 20 ms, what encoders send unless told otherwise.
constexpr std::uint8_t kFamilyRtp = 0, kFamilySurround = 1;
constexpr std::uint8_t kSilence = 255;

struct Header {
  std::uint8_t channels = 0;
  std::uint16_t pre_skip = 0;
  std::uint32_t input_rate = 0;
  std::uint16_t gain = 0;
  std::uint8_t family = 0;
  Bytes table;  // Stream count, coupled count, one index a channel; empty for family 0.
};

// RFC 7845 §5.1.1: the channels must come out of the streams that are there.
Result<void, CodecRefusal> read_table(ByteReader& reader, Header& header) {
  if (header.channels == 0) return refuse(CodecRefusal::kBadValue);
  if (header.family == kFamilyRtp) {
    if (header.channels > 2) return refuse(CodecRefusal::kBadValue);
    return {};
  }
  if (header.family != kFamilySurround) return refuse(CodecRefusal::kUnsupported);
  if (header.channels > 8) return refuse(CodecRefusal::kBadValue);
  header.table = reader.take(2u + header.channels);
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  unsigned streams = header.table[0], coupled = header.table[1];
  if (streams == 0 || coupled > streams || streams + coupled > 255) return refuse(CodecRefusal::kBadValue);
  for (std::uint8_t index : header.table.subspan(2)) {
    if (index != kSilence && index >= streams + coupled) return refuse(CodecRefusal::kBadValue);
  }
  return {};
}

std::uint16_t u16_little_endian(ByteReader& reader) {
  std::uint16_t swapped = reader.u16();
  return static_cast<std::uint16_t>(swapped << 8 | swapped >> 8);
}

Result<Header, CodecRefusal> parse_opus_head(Bytes bytes) {
  ByteReader reader(bytes);
  Bytes magic = reader.take(8);
  std::uint8_t version = reader.u8();
  Header header;
  header.channels = reader.u8();
  header.pre_skip = u16_little_endian(reader);
  header.input_rate = reader.u32_little_endian();
  header.gain = u16_little_endian(reader);
  header.family = reader.u8();
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  if (as_text(magic) != "OpusHead") return refuse(CodecRefusal::kBadValue);
  if (version >> 4 != 0) return refuse(CodecRefusal::kUnsupported);
  if (auto read = read_table(reader, header); !read) return refuse(read.error());
  return header;
}

Result<Header, CodecRefusal> parse_specific_box(Bytes bytes) {
  ByteReader reader(bytes);
  std::uint8_t version = reader.u8();
  Header header;
  header.channels = reader.u8();
  header.pre_skip = reader.u16();
  header.input_rate = reader.u32();
  header.gain = reader.u16();
  header.family = reader.u8();
  if (!reader.ok()) return refuse(CodecRefusal::kTruncated);
  if (version != 0) return refuse(CodecRefusal::kUnsupported);
  if (auto read = read_table(reader, header); !read) return refuse(read.error());
  return header;
}

}  // namespace

Result<SharedBytes, CodecRefusal> make_opus_config(Bytes opus_head) {
  STOA_TRY(Header header, parse_opus_head(opus_head));
  ByteWriter writer(11 + header.table.size());
  writer.u8(0);
  writer.u8(header.channels);
  writer.u16(header.pre_skip);
  writer.u32(header.input_rate);
  writer.u16(header.gain);
  writer.u8(header.family);
  writer.bytes(header.table);
  return SharedBytes(writer.take());
}

Result<std::shared_ptr<const Format>, CodecRefusal> make_opus_format(SharedBytes config) {
  STOA_TRY(Header header, parse_specific_box(config.bytes()));
  Format format{.codec = Codec::kOpus, .config = std::move(config), .codec_string = "opus"};
  format.sample_rate = kOpusRate;
  format.channels = header.channels;
  format.samples_per_frame = kUsualPacketSamples;
  return std::make_shared<const Format>(std::move(format));
}

Result<std::uint32_t, CodecRefusal> opus_packet_samples(Bytes packet) {
  if (packet.empty()) return refuse(CodecRefusal::kTruncated);
  // RFC 6716 §3.1: SILK 10 to 60 ms, hybrid 10 and 20 ms, CELT 2.5 to 20 ms.
  unsigned configuration = packet[0] >> 3;
  constexpr std::array<std::uint32_t, 4> kSilk{480, 960, 1920, 2880}, kCelt{120, 240, 480, 960};
  std::uint32_t samples = configuration < 12   ? kSilk[configuration % 4]
                          : configuration < 16 ? kSilk[configuration % 2]
                                               : kCelt[configuration % 4];
  unsigned code = packet[0] & 3;
  std::uint32_t frames = code == 0 ? 1 : 2;
  if (code == 3) {
    if (packet.size() < 2) return refuse(CodecRefusal::kTruncated);
    frames = packet[1] & 0x3f;
  }
  if (frames == 0 || frames * samples > kOpusPacketSamplesMax) return refuse(CodecRefusal::kBadValue);
  return frames * samples;
}

Result<AccessUnitFacts, CodecRefusal> inspect_opus(Bytes packet) {
  STOA_TRY([[maybe_unused]] std::uint32_t samples, opus_packet_samples(packet));
  return AccessUnitFacts{.is_keyframe = true};
}

}  // namespace stoa::media
