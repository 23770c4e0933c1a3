#include "mp4.h"

#include <optional>

namespace stoa::ertmp {
namespace {

struct Box {
  std::uint32_t type = 0;
  std::size_t at = 0;  // Of the box in the file.
  Bytes body;
};

// The boxes side by side in `bytes`, which begin at `at` in the file.
std::vector<Box> boxes(Bytes bytes, std::size_t at) {
  std::vector<Box> found;
  ByteReader reader(bytes);
  while (reader.remaining() >= 8) {
    std::size_t start = reader.offset();
    std::uint64_t size = reader.u32();
    std::uint32_t type = reader.u32();
    std::size_t header = 8;
    if (size == 1) {
      size = reader.u64();
      header = 16;
    }
    if (size == 0) size = bytes.size() - start;
    if (size < header || size - header > reader.remaining()) break;
    found.push_back({type, at + start, reader.take(static_cast<std::size_t>(size) - header)});
  }
  return found;
}

std::optional<Box> find(const std::vector<Box>& list, std::string_view type) {
  for (const Box& box : list) {
    if (box.type == flv::fourcc(type)) return box;
  }
  return std::nullopt;
}

// Follows a path of nested boxes: {"mdia", "minf", "stbl"}.
std::optional<Box> find(Box box, std::initializer_list<std::string_view> path) {
  for (std::string_view type : path) {
    auto next = find(boxes(box.body, 0), type);
    if (!next) return std::nullopt;
    box = *next;
  }
  return box;
}

// The DecoderSpecificInfo in an esds box (ISO 14496-1 §7.2.6).
SharedBytes audio_specific_config(Bytes esds) {
  ByteReader reader(esds);
  reader.skip(4);
  while (reader.ok() && !reader.at_end()) {
    std::uint8_t tag = reader.u8();
    std::size_t size = 0;
    for (std::uint8_t byte = 0x80; (byte & 0x80) != 0 && reader.ok();) {
      byte = reader.u8();
      size = size << 7 | (byte & 0x7f);
    }
    switch (tag) {
      case 3: reader.skip(3); break;   // ES_Descriptor: what follows is inside it.
      case 4: reader.skip(13); break;  // DecoderConfigDescriptor, likewise.
      case 5: return SharedBytes::copy_of(reader.take(size));
      default: reader.skip(size); break;
    }
  }
  return {};
}

SharedBytes opus_head(Bytes dops) {
  ByteReader reader(dops);
  ByteWriter head;
  auto little_endian = [&](std::uint32_t value, int size) {
    for (int i = 0; i < size; ++i) head.u8(static_cast<std::uint8_t>(value >> (8 * i)));
  };
  reader.skip(1);
  head.text("OpusHead");
  head.u8(1);
  head.u8(reader.u8());
  little_endian(reader.u16(), 2);
  little_endian(reader.u32(), 4);
  little_endian(reader.u16(), 2);
  head.bytes(reader.rest());
  return SharedBytes(head.take());
}

bool read_sample_entry(const Box& entry, Track& track) {
  constexpr std::size_t kVisualBytes = 78, kAudioBytes = 28;
  bool is_video = entry.type != flv::kAac && entry.type != flv::kOpus;
  std::size_t fixed = is_video ? kVisualBytes : kAudioBytes;
  if (entry.body.size() < fixed) return false;
  track.codec = entry.type == flv::fourcc("hev1") ? flv::kHevc : entry.type;
  if (is_video) {
    ByteReader reader(entry.body);
    reader.skip(24);
    track.width = reader.u16();
    track.height = reader.u16();
  }
  for (const Box& box : boxes(entry.body.subspan(fixed), 0)) {
    if (box.type == flv::fourcc("avcC") || box.type == flv::fourcc("hvcC") ||
        box.type == flv::fourcc("av1C")) {
      track.config = SharedBytes::copy_of(box.body);
    } else if (box.type == flv::fourcc("vpcC")) {
      track.config = SharedBytes::copy_of(box.body.subspan(4));  // Without version and flags.
    } else if (box.type == flv::fourcc("esds")) {
      track.config = audio_specific_config(box.body);
    } else if (box.type == flv::fourcc("dOps")) {
      track.config = opus_head(box.body);
    }
  }
  return !track.config.empty();
}

struct Defaults {
  std::uint32_t duration = 0, size = 0, flags = 0;
};

class Reader {
 public:
  Reader(const SharedBytes& file, bool is_video) : file_(file), is_video_(is_video) {}

  std::expected<Track, std::string> read() {
    auto top = boxes(file_.bytes(), 0);
    auto moov = find(top, "moov");
    if (!moov) return std::unexpected("no moov box: is it MP4?");
    if (!find_track(*moov))
      return std::unexpected("no track of that kind, or of a codec without E-RTMP FourCC");
    for (const Box& box : top) {
      if (box.type == flv::fourcc("moof")) read_fragment(box);
    }
    if (track_.samples.empty()) {
      return std::unexpected("no fragments: use -movflags frag_keyframe+empty_moov+default_base_moof");
    }
    track_.length = ticks(time_);
    return std::move(track_);
  }

 private:
  Duration ticks(std::int64_t count) const { return Duration::from_ticks(count, timescale_); }

  bool find_track(const Box& moov) {
    auto children = boxes(moov.body, 0);
    for (const Box& trak : children) {
      if (trak.type != flv::fourcc("trak")) continue;
      auto handler = find(trak, {"mdia", "hdlr"});
      auto header = find(trak, {"tkhd"});
      auto media_header = find(trak, {"mdia", "mdhd"});
      auto entries = find(trak, {"mdia", "minf", "stbl", "stsd"});
      if (!handler || !header || !media_header || !entries || entries->body.size() < 8) continue;
      ByteReader handler_reader(handler->body);
      handler_reader.skip(8);
      if (handler_reader.u32() != flv::fourcc(is_video_ ? "vide" : "soun")) continue;
      ByteReader header_reader(header->body);
      header_reader.skip(header->body[0] == 1 ? 20 : 12);
      track_id_ = header_reader.u32();
      ByteReader media_reader(media_header->body);
      media_reader.skip(media_header->body[0] == 1 ? 20 : 12);
      timescale_ = media_reader.u32();
      auto entry = boxes(entries->body.subspan(8), 0);
      if (timescale_ == 0 || entry.empty() || !read_sample_entry(entry[0], track_)) continue;
      read_defaults(children);
      return true;
    }
    return false;
  }

  void read_defaults(const std::vector<Box>& moov) {
    auto mvex = find(moov, "mvex");
    if (!mvex) return;
    for (const Box& trex : boxes(mvex->body, 0)) {
      ByteReader reader(trex.body);
      reader.skip(4);
      if (trex.type != flv::fourcc("trex") || reader.u32() != track_id_) continue;
      reader.skip(4);
      defaults_ = {reader.u32(), reader.u32(), reader.u32()};
    }
  }

  void read_fragment(const Box& moof) {
    for (const Box& traf : boxes(moof.body, 0)) {
      if (traf.type != flv::fourcc("traf")) continue;
      auto children = boxes(traf.body, 0);
      auto header = find(children, "tfhd");
      if (!header) continue;
      ByteReader reader(header->body);
      std::uint32_t flags = reader.u32() & 0xff'ffff;
      if (reader.u32() != track_id_) continue;
      Defaults defaults = defaults_;
      std::size_t base = moof.at;
      if ((flags & 0x01) != 0) base = static_cast<std::size_t>(reader.u64());
      if ((flags & 0x02) != 0) reader.skip(4);
      if ((flags & 0x08) != 0) defaults.duration = reader.u32();
      if ((flags & 0x10) != 0) defaults.size = reader.u32();
      if ((flags & 0x20) != 0) defaults.flags = reader.u32();
      if (auto time = find(children, "tfdt")) {
        ByteReader time_reader(time->body);
        bool is_long = time_reader.u32() >> 24 == 1;
        time_ = static_cast<std::int64_t>(is_long ? time_reader.u64() : time_reader.u32());
      }
      for (const Box& box : children) {
        if (box.type == flv::fourcc("trun")) read_run(box, defaults, base);
      }
    }
  }

  void read_run(const Box& run, const Defaults& defaults, std::size_t base) {
    ByteReader reader(run.body);
    std::uint32_t flags = reader.u32() & 0xff'ffff;
    std::uint32_t count = reader.u32();
    std::size_t at = base;
    if ((flags & 0x001) != 0) at += reader.u32();
    std::optional<std::uint32_t> first_flags;
    if ((flags & 0x004) != 0) first_flags = reader.u32();
    for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
      std::uint32_t duration = (flags & 0x100) != 0 ? reader.u32() : defaults.duration;
      std::uint32_t size = (flags & 0x200) != 0 ? reader.u32() : defaults.size;
      std::uint32_t own = (flags & 0x400) != 0 ? reader.u32() : defaults.flags;
      if (i == 0 && first_flags) own = *first_flags;
      std::int32_t composition = (flags & 0x800) != 0 ? static_cast<std::int32_t>(reader.u32()) : 0;
      if (at > file_.size() || size > file_.size() - at) return;
      bool is_sync = (own & 0x1'0000) == 0;
      track_.samples.push_back({ticks(time_), ticks(composition), is_sync, file_.slice(at, size)});
      time_ += duration;
      at += size;
    }
  }

  SharedBytes file_;
  bool is_video_;
  Track track_;
  std::uint32_t track_id_ = 0;
  std::uint32_t timescale_ = 0;
  Defaults defaults_;
  std::int64_t time_ = 0;
};

}  // namespace

std::expected<Track, std::string> parse_mp4(const SharedBytes& file, bool is_video) {
  return Reader(file, is_video).read();
}

}  // namespace stoa::ertmp
