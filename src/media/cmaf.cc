#include "media/cmaf.h"

#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "media/box_writer.h"
#include "media/language.h"
#include "media/sample_entry.h"

namespace stoa::media {
namespace {

constexpr std::uint32_t kVideoTimescale = 90000;
constexpr std::uint32_t kTrackId = 1;

// Sample flags, ISO/IEC 14496-12 §8.8.3.1.
constexpr std::uint32_t kSyncSample = 0x02000000;     // Depends on no other.
constexpr std::uint32_t kNonSyncSample = 0x01010000;  // Depends on others.

// Flags of tfhd (§8.8.7) and trun (§8.8.8).
constexpr std::uint32_t kDefaultDuration = 0x08, kDefaultSize = 0x10, kDefaultFlags = 0x20;
constexpr std::uint32_t kDefaultBaseIsMoof = 0x020000;
constexpr std::uint32_t kDataOffset = 0x01, kFirstSampleFlags = 0x04;
constexpr std::uint32_t kDurations = 0x100, kSizes = 0x200, kFlags = 0x400, kCompositionOffsets = 0x800;

constexpr std::size_t kBoxBytes = 8, kFullBoxBytes = 12;

std::uint32_t flags_of(const Sample& sample) { return sample.is_keyframe ? kSyncSample : kNonSyncSample; }

void write_matrix(BoxWriter& w) {
  for (std::uint32_t value : {0x10000u, 0u, 0u, 0u, 0x10000u, 0u, 0u, 0u, 0x40000000u}) w.u32(value);
}

void write_file_type(BoxWriter& w) {
  auto box = w.box("ftyp");
  w.text("iso6");
  w.u32(0);
  w.text("iso6");
  w.text("cmfc");
}

void write_movie_header(BoxWriter& w, std::uint32_t timescale) {
  auto box = w.full_box("mvhd", 0, 0);
  w.zeros(8);  // Creation and modification: unknown.
  w.u32(timescale);
  w.u32(0);           // Duration: not known, live.
  w.u32(0x00010000);  // Rate.
  w.u16(0x0100);      // Volume.
  w.zeros(10);
  write_matrix(w);
  w.zeros(24);
  w.u32(kTrackId + 1);
}

void write_track_header(BoxWriter& w, const Format& format, const Picture& picture) {
  constexpr std::uint32_t kEnabledAndInMovie = 3;
  auto box = w.full_box("tkhd", 0, kEnabledAndInMovie);
  w.zeros(8);
  w.u32(kTrackId);
  w.zeros(4 + 4 + 8);  // Duration: not known, live.
  w.u16(0);            // Layer.
  w.u16(0);            // Alternate group.
  w.u16(format.kind() == Kind::kAudio ? 0x0100 : 0);
  w.u16(0);
  write_matrix(w);
  // What is shown: the pixel aspect ratio stretches the width.
  std::uint64_t shown = (std::uint64_t{format.width} << 16) * picture.pixel_width / picture.pixel_height;
  w.u32(
      static_cast<std::uint32_t>(std::min<std::uint64_t>(shown, std::numeric_limits<std::uint32_t>::max())));
  w.u32(format.height << 16);
}

void write_media_header(BoxWriter& w, std::uint32_t timescale, std::string_view language) {
  auto box = w.full_box("mdhd", 0, 0);
  w.zeros(8);
  w.u32(timescale);
  w.u32(0);
  std::string_view code = iso639_2_of(language);
  std::uint32_t packed = 0;
  for (char letter : code) packed = packed << 5 | static_cast<std::uint32_t>(letter - 0x60);
  w.u16(static_cast<std::uint16_t>(packed));
  w.u16(0);
}

void write_handler(BoxWriter& w, Kind kind) {
  auto box = w.full_box("hdlr", 0, 0);
  w.u32(0);
  w.text(kind == Kind::kVideo ? "vide" : "soun");
  w.zeros(12);
  w.text(kind == Kind::kVideo ? "video" : "audio");
  w.u8(0);
}

void write_data_reference(BoxWriter& w) {
  constexpr std::uint32_t kSameFile = 1;
  auto dinf = w.box("dinf");
  auto dref = w.full_box("dref", 0, 0);
  w.u32(1);
  auto url = w.full_box("url ", 0, kSameFile);
}

void write_sample_table(BoxWriter& w, const Format& format, const Picture& picture) {
  auto stbl = w.box("stbl");
  {
    auto stsd = w.full_box("stsd", 0, 0);
    w.u32(1);
    write_sample_entry(w, format, picture);
  }
  for (const char* empty : {"stts", "stsc", "stco"}) {
    auto box = w.full_box(empty, 0, 0);
    w.u32(0);
  }
  auto stsz = w.full_box("stsz", 0, 0);
  w.zeros(8);
}

void write_media(BoxWriter& w, const Format& format, const Picture& picture, std::string_view language) {
  auto mdia = w.box("mdia");
  write_media_header(w, timescale_of(format), language);
  write_handler(w, format.kind());
  auto minf = w.box("minf");
  if (format.kind() == Kind::kVideo) {
    auto vmhd = w.full_box("vmhd", 0, 1);
    w.zeros(8);
  } else {
    auto smhd = w.full_box("smhd", 0, 0);
    w.zeros(4);
  }
  write_data_reference(w);
  write_sample_table(w, format, picture);
}

void write_extends(BoxWriter& w, const Format& format) {
  auto mvex = w.box("mvex");
  auto trex = w.full_box("trex", 0, 0);
  w.u32(kTrackId);
  w.u32(1);  // Sample description.
  w.u32(format.samples_per_frame);
  w.u32(0);
  w.u32(format.kind() == Kind::kVideo ? kNonSyncSample : kSyncSample);
}

// Which fields stand once in tfhd and which beside every sample.
struct Layout {
  std::uint32_t header_flags = kDefaultBaseIsMoof | kDefaultFlags;
  std::uint32_t run_flags = kDataOffset;
  std::uint32_t default_flags = kNonSyncSample;
  std::uint64_t payload_bytes = 0;

  std::size_t header_bytes() const {
    return kFullBoxBytes + 4 + ((header_flags & kDefaultDuration) != 0 ? 4 : 0) +
           ((header_flags & kDefaultSize) != 0 ? 4 : 0) + 4;
  }
  std::size_t run_bytes(std::size_t samples) const {
    std::size_t each = 0;
    for (std::uint32_t flag : {kDurations, kSizes, kFlags, kCompositionOffsets}) {
      if ((run_flags & flag) != 0) each += 4;
    }
    return kFullBoxBytes + 8 + ((run_flags & kFirstSampleFlags) != 0 ? 4 : 0) + each * samples;
  }
};

Layout lay_out(std::span<const Sample> samples) {
  const Sample& first = samples.front();
  const Sample& last = samples.back();
  bool one_duration = true, one_size = true, one_flag = true, rest_alike = true, no_offset = true;
  Layout layout;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Sample& sample = samples[i];
    layout.payload_bytes += sample.payload.size();
    one_duration = one_duration && sample.duration == first.duration;
    one_size = one_size && sample.payload.size() == first.payload.size();
    one_flag = one_flag && sample.is_keyframe == first.is_keyframe;
    rest_alike = rest_alike && (i == 0 || sample.is_keyframe == last.is_keyframe);
    no_offset = no_offset && sample.composition_offset == 0;
  }
  layout.default_flags = flags_of(last);
  (one_duration ? layout.header_flags : layout.run_flags) |= one_duration ? kDefaultDuration : kDurations;
  (one_size ? layout.header_flags : layout.run_flags) |= one_size ? kDefaultSize : kSizes;
  if (!one_flag) layout.run_flags |= rest_alike ? kFirstSampleFlags : kFlags;
  if (!no_offset) layout.run_flags |= kCompositionOffsets;
  return layout;
}

void write_fragment_header(BoxWriter& w, const Layout& layout, const Sample& first) {
  auto tfhd = w.full_box("tfhd", 0, layout.header_flags);
  w.u32(kTrackId);
  if ((layout.header_flags & kDefaultDuration) != 0) w.u32(first.duration);
  if ((layout.header_flags & kDefaultSize) != 0) w.u32(static_cast<std::uint32_t>(first.payload.size()));
  w.u32(layout.default_flags);
}

void write_run(BoxWriter& w, const Layout& layout, std::uint32_t data_offset,
               std::span<const Sample> samples) {
  auto trun = w.full_box("trun", 1, layout.run_flags);
  w.u32(static_cast<std::uint32_t>(samples.size()));
  w.u32(data_offset);
  if ((layout.run_flags & kFirstSampleFlags) != 0) w.u32(flags_of(samples.front()));
  for (const Sample& sample : samples) {
    if ((layout.run_flags & kDurations) != 0) w.u32(sample.duration);
    if ((layout.run_flags & kSizes) != 0) w.u32(static_cast<std::uint32_t>(sample.payload.size()));
    if ((layout.run_flags & kFlags) != 0) w.u32(flags_of(sample));
    if ((layout.run_flags & kCompositionOffsets) != 0)
      w.u32(static_cast<std::uint32_t>(sample.composition_offset));
  }
}

}  // namespace

std::uint32_t timescale_of(const Format& format) {
  return format.kind() == Kind::kAudio ? format.sample_rate : kVideoTimescale;
}

SharedBytes write_init_section(const Format& format, std::string_view language) {
  constexpr std::size_t kUsualBytes = 1024;
  Picture picture = read_picture(format).value_or(Picture{});
  BoxWriter w(kUsualBytes + format.config.size());
  write_file_type(w);
  {
    auto moov = w.box("moov");
    write_movie_header(w, timescale_of(format));
    {
      auto trak = w.box("trak");
      write_track_header(w, format, picture);
      write_media(w, format, picture, language);
    }
    write_extends(w, format);
  }
  return SharedBytes(w.take());
}

SharedBytes write_chunk(std::uint32_t sequence_number, std::uint64_t base_decode_time,
                        std::span<const Sample> samples) {
  STOA_ASSERT(!samples.empty());
  constexpr std::size_t kSequenceBytes = kFullBoxBytes + 4, kDecodeTimeBytes = kFullBoxBytes + 8;
  Layout layout = lay_out(samples);
  std::size_t moof_bytes = kBoxBytes + kSequenceBytes + kBoxBytes + layout.header_bytes() + kDecodeTimeBytes +
                           layout.run_bytes(samples.size());
  std::uint64_t chunk_bytes = moof_bytes + kBoxBytes + layout.payload_bytes;
  STOA_ASSERT(chunk_bytes <= std::numeric_limits<std::uint32_t>::max());

  BoxWriter w(chunk_bytes);
  {
    auto moof = w.box("moof");
    {
      auto mfhd = w.full_box("mfhd", 0, 0);
      w.u32(sequence_number);
    }
    auto traf = w.box("traf");
    write_fragment_header(w, layout, samples.front());
    {
      auto tfdt = w.full_box("tfdt", 1, 0);
      w.u64(base_decode_time);
    }
    write_run(w, layout, static_cast<std::uint32_t>(moof_bytes + kBoxBytes), samples);
  }
  STOA_DCHECK(w.size() == moof_bytes);
  auto mdat = w.box("mdat");
  for (const Sample& sample : samples) w.bytes(sample.payload.bytes());
  mdat.close();
  return SharedBytes(w.take());
}

}  // namespace stoa::media
