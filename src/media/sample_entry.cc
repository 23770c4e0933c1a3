#include "media/sample_entry.h"

#include <string_view>

#include "media/hevc.h"

namespace stoa::media {
namespace {

constexpr std::uint16_t kDataReference = 1;

struct EntryNames {
  std::string_view entry, config;
};
EntryNames names_of(Codec codec) {
  switch (codec) {
    case Codec::kH264: return {"avc1", "avcC"};
    case Codec::kHevc: return {"hvc1", "hvcC"};
    case Codec::kAv1: return {"av01", "av1C"};
    case Codec::kVp9: return {"vp09", "vpcC"};
    case Codec::kAac: return {"mp4a", "esds"};
    case Codec::kOpus: return {"Opus", "dOps"};
  }
  return {"free", "free"};
}

// ISO/IEC 14496-12 §12.1.5. Players colour by it before they see the first picture.
void write_colour(BoxWriter& w, const Colour& colour) {
  auto colr = w.box("colr");
  w.text("nclx");
  w.u16(colour.primaries);
  w.u16(colour.transfer);
  w.u16(colour.matrix);
  w.u8(colour.full_range ? 0x80 : 0);
}

void write_video_entry(BoxWriter& w, const Format& format, const Picture& picture) {
  EntryNames names = names_of(format.codec);
  auto entry = w.box(names.entry);
  w.zeros(6);
  w.u16(kDataReference);
  w.zeros(16);
  w.u16(static_cast<std::uint16_t>(format.width));
  w.u16(static_cast<std::uint16_t>(format.height));
  w.u32(0x00480000);  // 72 dpi, both ways.
  w.u32(0x00480000);
  w.zeros(4);
  w.u16(1);     // Frames in a sample.
  w.zeros(32);  // Compressor's name.
  w.u16(0x18);  // Depth: colour without alpha.
  w.u16(0xffff);
  {
    auto config = w.box(names.config);
    if (format.codec == Codec::kHevc) {
      w.bytes(with_complete_hevc_arrays(format.config.bytes()));
    } else {
      w.bytes(format.config.bytes());
    }
  }
  if (picture.colour) write_colour(w, *picture.colour);
  if (picture.pixel_width != picture.pixel_height) {
    auto pasp = w.box("pasp");
    w.u32(picture.pixel_width);
    w.u32(picture.pixel_height);
  }
}

// Descriptors of ISO/IEC 14496-1 §7.2.6 with their expandable lengths.
std::size_t descriptor_bytes(std::size_t body) {
  std::size_t length_bytes = 1;
  for (std::size_t rest = body >> 7; rest != 0; rest >>= 7) ++length_bytes;
  return 1 + length_bytes + body;
}
void begin_descriptor(BoxWriter& w, std::uint8_t tag, std::size_t body) {
  w.u8(tag);
  for (std::size_t left = descriptor_bytes(body) - body - 1; left-- > 0;) {
    w.u8(static_cast<std::uint8_t>((body >> (7 * left) & 0x7f) | (left != 0 ? 0x80 : 0)));
  }
}

void write_esds(BoxWriter& w, Bytes specific_config) {
  constexpr std::uint8_t kEsTag = 3, kDecoderConfigTag = 4, kSpecificTag = 5, kSyncLayerTag = 6;
  constexpr std::uint8_t kMpeg4Audio = 0x40, kAudioStream = 0x15, kMp4SyncLayer = 2;
  std::size_t decoder_body = 13 + descriptor_bytes(specific_config.size());
  std::size_t body = 3 + descriptor_bytes(decoder_body) + descriptor_bytes(1);
  auto esds = w.full_box("esds", 0, 0);
  begin_descriptor(w, kEsTag, body);
  w.u16(0);  // ES_ID: 0 in files.
  w.u8(0);
  begin_descriptor(w, kDecoderConfigTag, decoder_body);
  w.u8(kMpeg4Audio);
  w.u8(kAudioStream);
  w.zeros(3 + 4 + 4);  // Buffer and bit rates: unknown.
  begin_descriptor(w, kSpecificTag, specific_config.size());
  w.bytes(specific_config);
  begin_descriptor(w, kSyncLayerTag, 1);
  w.u8(kMp4SyncLayer);
}

void write_audio_entry(BoxWriter& w, const Format& format) {
  EntryNames names = names_of(format.codec);
  auto entry = w.box(names.entry);
  w.zeros(6);
  w.u16(kDataReference);
  w.zeros(8);
  w.u16(static_cast<std::uint16_t>(format.channels));
  w.u16(16);  // Bits a sample.
  w.zeros(4);
  // 16.16: a rate that does not fit is left out, decoders take theirs from the configuration.
  w.u32(format.sample_rate <= 0xffff ? format.sample_rate << 16 : 0);
  if (format.codec == Codec::kAac) return write_esds(w, format.config.bytes());
  auto config = w.box(names.config);
  w.bytes(format.config.bytes());
}

}  // namespace

void write_sample_entry(BoxWriter& writer, const Format& format, const Picture& picture) {
  if (format.kind() == Kind::kVideo) return write_video_entry(writer, format, picture);
  write_audio_entry(writer, format);
}

}  // namespace stoa::media
