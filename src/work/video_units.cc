#include "work/video_units.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "media/codec.h"
#include "media/nal.h"

namespace stoa::work {

namespace {

constexpr unsigned kLengthSize = 4;

std::optional<std::vector<Bytes>> nals_of(UnitForm form, Bytes unit) {
  std::vector<Bytes> nals;
  if (form == UnitForm::kLengths) {
    for (media::NalCutter cutter(unit, kLengthSize); !cutter.at_end();) {
      auto nal = cutter.next();
      if (!nal) return std::nullopt;
      nals.push_back(*nal);
    }
    return nals;
  }
  std::optional<std::size_t> begins;
  auto add = [&](std::size_t end) {
    if (!begins) return;
    while (end > *begins && unit[end - 1] == 0) --end;  // Of the next start code, or trailing.
    if (end > *begins) nals.push_back(unit.subspan(*begins, end - *begins));
  };
  for (std::size_t at = 0; at + 3 <= unit.size(); ++at) {
    if (unit[at] != 0 || unit[at + 1] != 0 || unit[at + 2] != 1) continue;
    add(at);
    begins = at + 3;
    at += 2;
  }
  add(unit.size());
  return nals;
}

bool is_slice(media::Codec codec, Bytes nal) {
  if (codec == media::Codec::kHevc) return (nal[0] >> 1 & 0x3f) < 32;
  std::uint8_t type = nal[0] & 0x1f;
  return type == 1 || type == 5;
}

Buffer with_lengths(const std::vector<Bytes>& nals) {
  ByteWriter out;
  for (Bytes nal : nals) {
    out.u32(static_cast<std::uint32_t>(nal.size()));
    out.bytes(nal);
  }
  return out.take();
}

// A temporal delimiter (AV1 §5.5, OBU type 2, no payload) at the front.
Bytes without_delimiter(Bytes unit) {
  bool has_one = unit.size() >= 2 && (unit[0] >> 3 & 0x0f) == 2 && unit[1] == 0;
  return has_one ? unit.subspan(2) : unit;
}

// VP9's annex A: the largest picture and the most luma samples a second.
std::uint8_t vp9_level_of(const VideoEncoderConfig& config) {
  struct Level {
    std::uint8_t level;
    double samples_per_second, samples;
  };
  constexpr std::array<Level, 9> kLevels{{{10, 829'440, 36'864},
                                          {11, 2'764'800, 73'728},
                                          {20, 4'608'000, 122'880},
                                          {21, 9'216'000, 245'760},
                                          {30, 20'736'000, 552'960},
                                          {31, 36'864'000, 983'040},
                                          {40, 83'558'400, 2'228'224},
                                          {41, 160'432'128, 2'228'224},
                                          {50, 311'951'360, 8'912'896}}};
  double samples = static_cast<double>(config.rung.width) * config.rung.height;
  double rate = samples * config.frame_rate_numerator / config.frame_rate_denominator;
  for (const Level& level : kLevels) {
    if (samples <= level.samples && rate <= level.samples_per_second) return level.level;
  }
  return 51;
}

// A configuration record that says nothing yet; the first keyframe fills it in.
Buffer blank_record_of(const VideoEncoderConfig& config) {
  const media::Colour& colour = config.colour;
  switch (config.rung.codec) {
    case media::Codec::kVp9:
      return {1, 0, 0, 0, 0, vp9_level_of(config), 0x82, colour.primaries, colour.transfer, colour.matrix,
              0, 0};
    case media::Codec::kAv1: return {0x81, 0, 0x0c, 0};
    default: return {1, 66, 0, 10, 0xff, 0xe0, 0};
  }
}

// The same for HEVC, which cannot be without these sets; the picture sets fill the rest in.
Buffer blank_record_of(const std::vector<Bytes>& nals) {
  constexpr std::uint8_t kVideoSet = 32, kSequenceSet = 33;
  ByteWriter record;
  record.u8(1);
  record.zeros(20);
  record.u8(kLengthSize - 1);
  record.u8(2);
  for (std::uint8_t type : {kVideoSet, kSequenceSet}) {
    auto of_type = [&](Bytes nal) { return (nal[0] >> 1 & 0x3f) == type; };
    record.u8(type);
    record.u16(static_cast<std::uint16_t>(std::ranges::count_if(nals, of_type)));
    for (Bytes nal : nals) {
      if (!of_type(nal)) continue;
      record.u16(static_cast<std::uint16_t>(nal.size()));
      record.bytes(nal);
    }
  }
  return record.take();
}

}  // namespace

Result<SharedBytes, EncodeRefusal> payload_of(media::Codec codec, UnitForm form, Bytes unit) {
  if (form == UnitForm::kWhole) return SharedBytes::copy_of(without_delimiter(unit));
  auto nals = nals_of(form, unit);
  if (!nals) return refuse(EncodeRefusal::kEncoder);
  std::erase_if(*nals, [&](Bytes nal) { return !is_slice(codec, nal); });
  if (nals->empty()) return refuse(EncodeRefusal::kEncoder);
  return SharedBytes(with_lengths(*nals));
}

Result<std::shared_ptr<const media::Format>, EncodeRefusal> format_of(const VideoEncoderConfig& config,
                                                                      UnitForm form, Bytes first) {
  media::Format blank{.codec = config.rung.codec, .config = SharedBytes(blank_record_of(config))};
  Buffer unit;
  if (form == UnitForm::kWhole) {
    Bytes whole = without_delimiter(first);
    unit.assign(whole.begin(), whole.end());
  } else {
    auto nals = nals_of(form, first);
    if (!nals) return refuse(EncodeRefusal::kEncoder);
    unit = with_lengths(*nals);
    if (blank.codec == media::Codec::kHevc) blank.config = SharedBytes(blank_record_of(*nals));
  }
  auto facts = media::inspect(blank, unit);
  if (!facts || !facts->new_format) return refuse(EncodeRefusal::kEncoder);
  return std::move(facts->new_format);
}

}  // namespace stoa::work
