#include "check/cmaf_reader.h"

#include <algorithm>
#include <cstdio>

#include "check/codec_name.h"

namespace stoa::check {
namespace {

constexpr std::uint32_t kNonSync = 0x0001'0000;  // sample_is_non_sync_sample

constexpr std::uint32_t code(const char (&name)[5]) {
  return static_cast<std::uint32_t>(static_cast<unsigned char>(name[0])) << 24 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(name[1])) << 16 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(name[2])) << 8 |
         static_cast<std::uint32_t>(static_cast<unsigned char>(name[3]));
}
std::string name_of_code(std::uint32_t value) {
  std::string name;
  for (int shift = 24; shift >= 0; shift -= 8) {
    auto c = static_cast<char>(value >> shift & 0xff);
    name += c >= 0x20 && c < 0x7f ? c : '?';
  }
  return name;
}

struct Box {
  std::uint32_t type = 0;
  std::size_t start = 0;    // Of the header, in the bytes that hold it.
  std::size_t payload = 0;  // Where the payload starts, likewise.
  Bytes bytes;              // The payload.
};

// Reads the next box; false at a clean end or when not ok().
bool next_box(ByteReader& reader, Box& box, bool& is_truncated) {
  if (reader.at_end()) return false;
  box.start = reader.offset();
  std::uint64_t size = reader.u32();
  box.type = reader.u32();
  std::uint64_t header = 8;
  if (size == 1) {
    size = reader.u64();
    header = 16;
  } else if (size == 0) {
    size = header + reader.remaining();
  }
  if (!reader.ok() || size < header || size - header > reader.remaining()) {
    is_truncated = true;
    return false;
  }
  box.payload = reader.offset();
  box.bytes = reader.take(static_cast<std::size_t>(size - header));
  return true;
}

// All children of a container; refuses what does not end where its parent does.
Result<std::vector<Box>, CmafRefusal> children(Bytes bytes) {
  std::vector<Box> boxes;
  ByteReader reader(bytes);
  bool is_truncated = false;
  for (Box box; next_box(reader, box, is_truncated);) {
    if (boxes.size() == kFragmentsMax * 4) return refuse(CmafRefusal::kTooMany);
    boxes.push_back(box);
  }
  if (is_truncated) return refuse(CmafRefusal::kTruncated);
  return boxes;
}

const Box* find(const std::vector<Box>& boxes, std::uint32_t type) {
  auto found = std::find_if(boxes.begin(), boxes.end(), [&](const Box& box) { return box.type == type; });
  return found == boxes.end() ? nullptr : &*found;
}

// The children of the box at the end of a path of containers.
Result<std::vector<Box>, CmafRefusal> descend(std::vector<Box> boxes,
                                              std::initializer_list<std::uint32_t> path) {
  for (std::uint32_t type : path) {
    const Box* box = find(boxes, type);
    if (!box) return refuse(CmafRefusal::kMissingBox);
    STOA_TRY(boxes, children(box->bytes));
  }
  return boxes;
}

Result<void, CmafRefusal> read_sample_entry(Bytes stsd, InitTrack& track) {
  ByteReader reader(stsd);
  reader.u32();
  if (reader.u32() == 0 || !reader.ok()) return refuse(CmafRefusal::kMissingBox);
  bool is_truncated = false;
  Box entry;
  if (!next_box(reader, entry, is_truncated)) return refuse(CmafRefusal::kTruncated);
  track.sample_entry = name_of_code(entry.type);
  track.codec = track.sample_entry;
  ByteReader fields(entry.bytes);
  if (track.handler == "vide") {
    fields.skip(24);
    track.width = fields.u16();
    track.height = fields.u16();
    fields.skip(50);
  } else if (track.handler == "soun") {
    fields.skip(16);
    track.channels = fields.u16();
    fields.skip(6);
    track.sample_rate = fields.u32() >> 16;
  } else {
    return {};
  }
  if (!fields.ok()) return refuse(CmafRefusal::kTruncated);
  STOA_TRY(auto inner, children(fields.rest()));
  std::vector<ConfigBox> configs;
  for (const Box& box : inner) configs.push_back({name_of_code(box.type), box.bytes});
  track.codec = codec_name(track.sample_entry, configs);
  return {};
}

Result<InitTrack, CmafRefusal> read_track(Bytes trak) {
  InitTrack track;
  STOA_TRY(auto inside, children(trak));
  const Box* tkhd = find(inside, code("tkhd"));
  if (!tkhd) return refuse(CmafRefusal::kMissingBox);
  ByteReader header(tkhd->bytes);
  std::uint8_t version = header.u8();
  header.skip(3 + (version == 1 ? 16 : 8));
  track.track_id = header.u32();
  if (!header.ok()) return refuse(CmafRefusal::kTruncated);
  STOA_TRY(auto media, descend(inside, {code("mdia")}));
  const Box* mdhd = find(media, code("mdhd"));
  const Box* hdlr = find(media, code("hdlr"));
  if (!mdhd || !hdlr) return refuse(CmafRefusal::kMissingBox);
  ByteReader media_header(mdhd->bytes);
  version = media_header.u8();
  media_header.skip(3 + (version == 1 ? 16 : 8));
  track.timescale = media_header.u32();
  ByteReader handler(hdlr->bytes);
  handler.skip(8);
  track.handler = name_of_code(handler.u32());
  if (!media_header.ok() || !handler.ok()) return refuse(CmafRefusal::kTruncated);
  if (track.timescale == 0 || track.track_id == 0) return refuse(CmafRefusal::kBadValue);
  STOA_TRY(auto table, descend(media, {code("minf"), code("stbl")}));
  const Box* stsd = find(table, code("stsd"));
  if (!stsd) return refuse(CmafRefusal::kMissingBox);
  if (auto read = read_sample_entry(stsd->bytes, track); !read) return refuse(read.error());
  return track;
}

struct Trun {
  std::uint64_t duration = 0, size = 0;
  std::int64_t data_offset = 0;
  bool has_data_offset = false;
  std::uint32_t samples = 0, sync_samples = 0;
  bool starts_with_sync = false;
};

struct Defaults {
  std::uint32_t duration = 0, size = 0, flags = 0;
};

Result<Trun, CmafRefusal> read_trun(Bytes bytes, const Defaults& defaults) {
  ByteReader reader(bytes);
  Trun run;
  std::uint32_t flags = reader.u32() & 0xff'ffff;
  run.samples = reader.u32();
  if (flags & 0x1) {
    run.data_offset = static_cast<std::int32_t>(reader.u32());
    run.has_data_offset = true;
  }
  std::uint32_t first_flags = flags & 0x4 ? reader.u32() : defaults.flags;
  if (!reader.ok()) return refuse(CmafRefusal::kTruncated);
  if (run.samples > kSamplesMax) return refuse(CmafRefusal::kTooMany);
  for (std::uint32_t i = 0; i < run.samples; ++i) {
    run.duration += flags & 0x100 ? reader.u32() : defaults.duration;
    run.size += flags & 0x200 ? reader.u32() : defaults.size;
    std::uint32_t sample_flags = flags & 0x400 ? reader.u32() : i == 0 ? first_flags : defaults.flags;
    if (flags & 0x800) reader.u32();
    if (!reader.ok()) return refuse(CmafRefusal::kTruncated);
    bool is_sync = !(sample_flags & kNonSync);
    run.sync_samples += is_sync;
    if (i == 0) run.starts_with_sync = is_sync;
  }
  return run;
}

struct TfhdFacts {
  Defaults defaults;
  std::uint32_t track_id = 0;
  std::uint64_t base_offset = 0;
  bool has_base_offset = false;
};

Result<TfhdFacts, CmafRefusal> read_tfhd(Bytes bytes, const InitFacts& init) {
  ByteReader reader(bytes);
  TfhdFacts facts;
  std::uint32_t flags = reader.u32() & 0xff'ffff;
  facts.track_id = reader.u32();
  const InitTrack* track = init.find(facts.track_id);
  if (!reader.ok()) return refuse(CmafRefusal::kTruncated);
  if (!track) return refuse(CmafRefusal::kUnknownTrack);
  facts.defaults = {track->default_duration, track->default_size, track->default_flags};
  facts.has_base_offset = flags & 0x1;
  if (facts.has_base_offset) facts.base_offset = reader.u64();
  if (flags & 0x2) reader.u32();
  if (flags & 0x8) facts.defaults.duration = reader.u32();
  if (flags & 0x10) facts.defaults.size = reader.u32();
  if (flags & 0x20) facts.defaults.flags = reader.u32();
  if (!reader.ok()) return refuse(CmafRefusal::kTruncated);
  return facts;
}

// `moof_start`, `data_start` and `data_end` count from the start of the file.
Result<Fragment, CmafRefusal> read_traf(Bytes traf, const InitFacts& init, std::uint64_t moof_start,
                                        std::uint64_t data_start, std::uint64_t data_end) {
  STOA_TRY(auto boxes, children(traf));
  const Box* tfhd = find(boxes, code("tfhd"));
  const Box* tfdt = find(boxes, code("tfdt"));
  if (!tfhd || !tfdt) return refuse(CmafRefusal::kMissingBox);
  STOA_TRY(auto header, read_tfhd(tfhd->bytes, init));
  Fragment fragment;
  fragment.track_id = header.track_id;
  ByteReader time(tfdt->bytes);
  std::uint8_t version = time.u8();
  time.u24();
  fragment.decode_time = version == 1 ? time.u64() : time.u32();
  if (!time.ok()) return refuse(CmafRefusal::kTruncated);
  std::uint64_t base = header.has_base_offset ? header.base_offset : moof_start;
  std::uint64_t position = data_start;
  for (const Box& box : boxes) {
    if (box.type != code("trun")) continue;
    STOA_TRY(auto run, read_trun(box.bytes, header.defaults));
    if (run.samples == 0) continue;
    if (run.has_data_offset) position = base + static_cast<std::uint64_t>(run.data_offset);
    if (position < data_start || position > data_end || run.size > data_end - position) {
      return refuse(CmafRefusal::kOutsideMdat);
    }
    if (fragment.samples == 0) fragment.starts_with_sync = run.starts_with_sync;
    fragment.samples += run.samples;
    fragment.sync_samples += run.sync_samples;
    fragment.duration += run.duration;
    fragment.size_bytes += run.size;
    position += run.size;
  }
  return fragment;
}

}  // namespace

const char* name_of(CmafRefusal refusal) {
  switch (refusal) {
    case CmafRefusal::kTruncated: return "truncated";
    case CmafRefusal::kNotMp4: return "not fragmented MP4";
    case CmafRefusal::kMissingBox: return "a required box is missing";
    case CmafRefusal::kBadValue: return "a field holds a forbidden value";
    case CmafRefusal::kTooMany: return "too many boxes or samples";
    case CmafRefusal::kUnknownTrack: return "a track that the MAP lacks";
    case CmafRefusal::kOutsideMdat: return "samples outside of the mdat";
  }
  return "unknown";
}

const InitTrack* InitFacts::find(std::uint32_t track_id) const {
  for (const auto& track : tracks) {
    if (track.track_id == track_id) return &track;
  }
  return nullptr;
}

Result<InitFacts, CmafRefusal> read_init(Bytes bytes) {
  auto boxes = children(bytes);
  if (!boxes || boxes->empty()) return refuse(boxes ? CmafRefusal::kNotMp4 : boxes.error());
  const Box* moov = check::find(*boxes, code("moov"));
  if (!moov || !check::find(*boxes, code("ftyp"))) return refuse(CmafRefusal::kMissingBox);
  STOA_TRY(auto inside, children(moov->bytes));
  InitFacts init;
  for (const Box& box : inside) {
    if (box.type != code("trak")) continue;
    if (init.tracks.size() == kInitTracksMax) return refuse(CmafRefusal::kTooMany);
    STOA_TRY(auto track, read_track(box.bytes));
    if (init.find(track.track_id)) return refuse(CmafRefusal::kBadValue);
    init.tracks.push_back(std::move(track));
  }
  const Box* mvex = check::find(inside, code("mvex"));
  if (!mvex || init.tracks.empty()) return refuse(CmafRefusal::kMissingBox);
  STOA_TRY(auto extends, children(mvex->bytes));
  for (const Box& box : extends) {
    if (box.type != code("trex")) continue;
    ByteReader reader(box.bytes);
    reader.u32();
    std::uint32_t track_id = reader.u32();
    reader.u32();
    Defaults defaults;
    defaults.duration = reader.u32();
    defaults.size = reader.u32();
    defaults.flags = reader.u32();
    if (!reader.ok()) return refuse(CmafRefusal::kTruncated);
    for (auto& track : init.tracks) {
      if (track.track_id != track_id) continue;
      track.default_duration = defaults.duration;
      track.default_size = defaults.size;
      track.default_flags = defaults.flags;
    }
  }
  return init;
}

Result<std::vector<Fragment>, CmafRefusal> read_fragments(Bytes bytes, const InitFacts& init) {
  static constexpr std::uint32_t kFirst[] = {code("styp"), code("sidx"), code("prft"), code("emsg"),
                                             code("moof"), code("ftyp"), code("free"), code("mdat")};
  if (bytes.size() < 8) return refuse(CmafRefusal::kTruncated);
  ByteReader start(bytes);
  start.u32();
  std::uint32_t first = start.u32();
  if (std::find(std::begin(kFirst), std::end(kFirst), first) == std::end(kFirst))
    return refuse(CmafRefusal::kNotMp4);
  STOA_TRY(auto boxes, children(bytes));
  std::vector<Fragment> fragments;
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    if (boxes[i].type != code("moof")) continue;
    if (i + 1 == boxes.size() || boxes[i + 1].type != code("mdat")) return refuse(CmafRefusal::kMissingBox);
    const Box& mdat = boxes[i + 1];
    STOA_TRY(auto inside, children(boxes[i].bytes));
    const Box* mfhd = check::find(inside, code("mfhd"));
    if (!mfhd) return refuse(CmafRefusal::kMissingBox);
    ByteReader header(mfhd->bytes);
    header.u32();
    std::uint32_t sequence_number = header.u32();
    if (!header.ok()) return refuse(CmafRefusal::kTruncated);
    for (const Box& box : inside) {
      if (box.type != code("traf")) continue;
      if (fragments.size() == kFragmentsMax) return refuse(CmafRefusal::kTooMany);
      STOA_TRY(auto fragment,
               read_traf(box.bytes, init, boxes[i].start, mdat.payload, mdat.payload + mdat.bytes.size()));
      fragment.sequence_number = sequence_number;
      fragments.push_back(fragment);
    }
  }
  if (fragments.empty()) return refuse(CmafRefusal::kMissingBox);
  return fragments;
}

}  // namespace stoa::check
