#include "live/playlist.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <vector>

#include "base/assert.h"
#include "media/codec.h"

namespace stoa::live {
namespace {

void append_number(std::string& text, std::uint64_t value) {
  char digits[20];
  int length = 0;
  do digits[length++] = static_cast<char>('0' + value % 10);
  while ((value /= 10) > 0);
  while (length > 0) text += digits[--length];
}

// Seconds with five decimals, rounded.
void append_seconds(std::string& text, Duration duration) {
  std::uint64_t units = static_cast<std::uint64_t>(std::max<std::int64_t>(0, duration.ns()) + 5'000) / 10'000;
  append_number(text, units / 100'000);
  std::uint64_t rest = units % 100'000;
  text += '.';
  for (std::uint64_t place = 10'000; place > 0; place /= 10)
    text += static_cast<char>('0' + rest / place % 10);
}

// Seconds with three decimals, for values that are whole milliseconds.
void append_milliseconds(std::string& text, Duration duration) {
  std::uint64_t ms = static_cast<std::uint64_t>(duration.ms());
  append_number(text, ms / 1'000);
  text += '.';
  for (std::uint64_t place = 100; place > 0; place /= 10)
    text += static_cast<char>('0' + ms % 1'000 / place % 10);
}

void append_file(std::string& text, std::string_view name, char kind, std::uint64_t number,
                 std::string_view end) {
  text += name;
  text += '/';
  text += kind;
  append_number(text, number);
  text += end;
}

// A publisher's words inside a quoted string: no quotes, no line ends, no control characters.
std::string quotable(std::string_view words) {
  constexpr std::size_t kLengthMax = 100;
  std::string clean;
  for (char c : words.substr(0, kLengthMax)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"') clean += c;
  }
  return clean;
}

// BCP 47 as far as characters go.
bool is_language(std::string_view tag) {
  if (tag.empty() || tag.size() > 35) return false;
  return std::ranges::all_of(tag, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

void append_head(std::string& text, const MediaPlaylist& playlist, std::size_t skipped) {
  const PlaylistLimits& limits = playlist.limits;
  text += skipped > 0 ? "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:"
                      : "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:";
  append_number(text, limits.target_duration_s);
  text += "\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=";
  append_milliseconds(text, limits.part_hold_back());
  text += ",HOLD-BACK=";
  append_milliseconds(text, limits.hold_back());
  text += ",CAN-SKIP-UNTIL=";
  append_milliseconds(text, limits.can_skip_until());
  text += "\n#EXT-X-PART-INF:PART-TARGET=";
  append_milliseconds(text, limits.part_target);
  text += "\n#EXT-X-MEDIA-SEQUENCE:";
  append_number(text, playlist.media_sequence);
  text += "\n#EXT-X-DISCONTINUITY-SEQUENCE:";
  append_number(text, playlist.discontinuity_sequence);
  text += '\n';
  if (skipped > 0) {
    text += "#EXT-X-SKIP:SKIPPED-SEGMENTS=";
    append_number(text, skipped);
    text += '\n';
  }
}

void append_tail(std::string& text, const MediaPlaylist& playlist) {
  if (playlist.has_ended) {
    text += "#EXT-X-ENDLIST\n";
    return;
  }
  if (playlist.hints_map) {
    text += "#EXT-X-PRELOAD-HINT:TYPE=MAP,URI=\"";
    append_file(text, playlist.name, 'i', playlist.next_init_number, ".mp4\"\n");
  }
  text += "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"";
  append_file(text, playlist.name, 'p', playlist.next_part_number, ".m4s\"\n");
  for (const auto& report : playlist.reports) {
    text += "#EXT-X-RENDITION-REPORT:URI=\"";
    text += report.name;
    text += ".m3u8\",LAST-MSN=";
    append_number(text, report.last_msn);
    if (report.last_part >= 0) {
      text += ",LAST-PART=";
      append_number(text, static_cast<std::uint64_t>(report.last_part));
    }
    text += '\n';
  }
}

}  // namespace

void write_segment_start(std::string_view name, const Segment& segment, bool map_changes,
                         SegmentLines& lines) {
  lines = {};
  lines.map_changes = map_changes;
  if (segment.has_discontinuity) lines.before_map = "#EXT-X-DISCONTINUITY\n";
  lines.map = "#EXT-X-MAP:URI=\"";
  append_file(lines.map, name, 'i', segment.init_number, ".mp4\"\n");
  lines.after_map = "#EXT-X-PROGRAM-DATE-TIME:" + to_iso8601(segment.program_date_time) + "\n";
}

void write_part(std::string_view name, const Part& part, SegmentLines& lines) {
  lines.parts += "#EXT-X-PART:DURATION=";
  append_seconds(lines.parts, part.duration);
  lines.parts += ",URI=\"";
  append_file(lines.parts, name, 'p', part.number, ".m4s\"");
  if (part.is_gap)
    lines.parts += ",GAP=YES";
  else if (part.is_independent)
    lines.parts += ",INDEPENDENT=YES";
  lines.parts += '\n';
}

void write_segment_end(std::string_view name, const Segment& segment, SegmentLines& lines) {
  lines.end = segment.is_gap ? "#EXT-X-GAP\n#EXTINF:" : "#EXTINF:";
  append_seconds(lines.end, segment.duration);
  lines.end += ",\n";
  append_file(lines.end, name, 's', segment.media_sequence_number, ".m4s\n");
}

std::string write_media_playlist(const MediaPlaylist& playlist, std::size_t skipped) {
  STOA_DCHECK(skipped == 0 || skipped < playlist.segments.size());
  std::size_t size = 512 + playlist.reports.size() * 80;
  for (std::size_t i = skipped; i < playlist.segments.size(); ++i) size += playlist.segments[i]->size();
  std::string text;
  text.reserve(size);
  append_head(text, playlist, skipped);
  for (std::size_t i = skipped; i < playlist.segments.size(); ++i) {
    const SegmentLines& lines = *playlist.segments[i];
    text += lines.before_map;
    if (i == 0 || lines.map_changes) text += lines.map;
    text += lines.after_map;
    if (i >= playlist.first_with_parts) text += lines.parts;
    text += lines.end;
  }
  append_tail(text, playlist);
  return text;
}

namespace {

void append_audio_group(std::string& text, std::string_view folder, std::span<const VariantFacts> audio) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < audio.size(); ++i) {
    const VariantFacts& track = audio[i];
    bool has_language = is_language(track.language);
    std::string name = quotable(track.label);
    if (name.empty()) name = has_language ? std::string(track.language) : "Audio " + std::to_string(i + 1);
    if (std::ranges::find(names, name) != names.end()) name += " (" + std::to_string(i + 1) + ")";
    names.push_back(name);
    text += "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"" + name + "\"";
    if (has_language) text += ",LANGUAGE=\"" + std::string(track.language) + "\"";
    text += i == 0 ? ",DEFAULT=YES,AUTOSELECT=YES" : ",DEFAULT=NO,AUTOSELECT=YES";
    text += ",CHANNELS=\"" + std::to_string(std::max<std::uint32_t>(1, track.format->channels)) + "\",URI=\"";
    text += folder;
    text += '/';
    text += track.name;
    text += ".m3u8\"\n";
  }
}

void append_codec(std::string& codecs, const media::Format& format) {
  std::string codec = quotable(format.codec_string);
  if (codec.empty()) return;
  // One codec string is never a part of another that differs: all end at a comma or the end.
  if (("," + codecs + ",").find("," + codec + ",") != std::string::npos) return;
  if (!codecs.empty()) codecs += ',';
  codecs += codec;
}

void append_variant(std::string& text, std::string_view folder, const VariantFacts& variant,
                    std::span<const VariantFacts> group) {
  std::uint64_t bandwidth = variant.bandwidth, average = variant.average_bandwidth;
  std::uint64_t group_peak = 0, group_mean = 0;
  std::string codecs;
  append_codec(codecs, *variant.format);
  for (const auto& member : group) {
    group_peak = std::max(group_peak, member.bandwidth);
    group_mean = std::max(group_mean, member.average_bandwidth);
    append_codec(codecs, *member.format);
  }
  bandwidth = std::max<std::uint64_t>(1, bandwidth + group_peak);
  average = std::min(bandwidth, std::max<std::uint64_t>(1, average + group_mean));
  text += "#EXT-X-STREAM-INF:BANDWIDTH=";
  append_number(text, bandwidth);
  text += ",AVERAGE-BANDWIDTH=";
  append_number(text, average);
  if (!codecs.empty()) text += ",CODECS=\"" + codecs + "\"";
  if (variant.format->kind() == media::Kind::kVideo) {
    if (variant.format->width > 0 && variant.format->height > 0)
      text += ",RESOLUTION=" + std::to_string(variant.format->width) + "x" +
              std::to_string(variant.format->height);
    if (variant.frame_rate > 0) {
      char rate[32];
      std::snprintf(rate, sizeof rate, ",FRAME-RATE=%.3f", variant.frame_rate);
      text += rate;
    }
    text += ",VIDEO-RANGE=";
    text += media::name_of(media::video_range_of(*variant.format));
  }
  text += ",CLOSED-CAPTIONS=NONE";  // On every variant or on none (§4.4.6.2).
  if (!group.empty()) text += ",AUDIO=\"audio\"";
  text += '\n';
  text += folder;
  text += '/';
  text += variant.name;
  text += ".m3u8\n";
}

}  // namespace

std::string write_multivariant(std::string_view folder, std::span<const VariantFacts> video,
                               std::span<const VariantFacts> audio, const MultivariantOptions& options) {
  STOA_DCHECK(!video.empty() || !audio.empty());
  std::string text = "#EXTM3U\n";
  // Without pictures one track is a variant of its own.
  if (video.empty() && audio.size() == 1) {
    append_variant(text, folder, audio[0], {});
    return text;
  }
  append_audio_group(text, folder, audio);
  std::vector<VariantFacts> variants(video.begin(), video.end());
  std::ranges::stable_sort(variants, std::ranges::greater(), &VariantFacts::bandwidth);
  for (const auto& variant : variants) append_variant(text, folder, variant, audio);
  if (audio.empty() || (!video.empty() && !options.offers_sound_alone)) return text;
  // Sound alone is one variant, whatever the languages: the group says what it costs.
  VariantFacts carrier = audio[0];
  carrier.bandwidth = carrier.average_bandwidth = 0;
  append_variant(text, folder, carrier, audio);
  return text;
}

}  // namespace stoa::live
