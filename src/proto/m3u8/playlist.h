// HLS playlists as values (draft-pantos-hls-rfc8216bis §4.4). Parsing never stops at a wrong line: what can
// be read is read, and each departure is a Problem with its line. Durations are as written; numbers that
// are absent are std::nullopt, so a judge can tell "absent" from "zero".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/m3u8/lexer.h"

namespace stoa::m3u8 {

struct Map {
  std::string uri;
  std::optional<ByteRange> range;
  bool operator==(const Map&) const = default;
};

struct Key {
  std::string method, uri, iv, key_format, key_format_versions;
  bool operator==(const Key&) const = default;
};

struct Part {
  std::string uri;
  Duration duration;
  bool is_independent = false;
  bool is_gap = false;
  std::optional<ByteRange> range;
  int line = 0;
};

// A parent segment. The last one of a live playlist may be incomplete: parts, but no EXTINF and URI yet.
struct Segment {
  std::uint64_t media_sequence_number = 0;
  std::uint64_t discontinuity_sequence = 0;
  bool is_complete = false;
  std::string uri;
  Duration duration;  // EXTINF; zero while incomplete.
  std::string title;
  std::optional<ByteRange> range;
  std::optional<WallTime> program_date_time;
  bool has_discontinuity = false;
  bool is_gap = false;
  std::optional<std::uint64_t> bitrate;
  std::optional<Map> map;    // The one in force.
  bool has_map_tag = false;  // EXT-X-MAP stands right before this segment.
  std::vector<Key> keys;     // Those in force.
  std::vector<Part> parts;
  int line = 0;            // Of EXTINF, or of the first part.
  int misplaced_line = 0;  // A DISCONTINUITY, KEY, MAP or PDT tag after the first part; 0 when none.
  std::string misplaced_tag;

  Duration parts_duration() const {
    Duration sum;
    for (const auto& part : parts) sum += part.duration;
    return sum;
  }
};

struct ServerControl {
  bool can_block_reload = false;
  std::optional<Duration> part_hold_back, hold_back, can_skip_until;
  bool can_skip_dateranges = false;
  bool operator==(const ServerControl&) const = default;
};

struct PreloadHint {
  std::string type;  // PART or MAP.
  std::string uri;
  std::uint64_t range_start = 0;
  std::optional<std::uint64_t> range_length;
  bool has_range = false;
  int line = 0;
};

struct RenditionReport {
  std::string uri;
  std::optional<std::uint64_t> last_msn, last_part;
  int line = 0;
};

struct DateRange {
  std::string id, class_name, cue;
  std::optional<WallTime> start, end;
  std::optional<Duration> duration, planned_duration;
  bool end_on_next = false;
  std::vector<Attribute> attributes;  // All of them, in order.
  int line = 0;
};

struct Skip {
  std::uint64_t segments = 0;
  std::optional<std::vector<std::string>> removed_date_ranges;
  int line = 0;
};

// The smallest EXT-X-VERSION that what was read asks for (§8), and the line that asks.
struct VersionFloor {
  int version = 1;
  std::string reason;
  int line = 0;
};

struct MediaPlaylist {
  int version = 1;
  int version_line = 0;  // 0: no tag.
  VersionFloor version_floor;
  std::optional<std::uint64_t> target_duration_s;
  int target_duration_line = 0;
  std::uint64_t media_sequence = 0;
  int media_sequence_line = 0;  // 0: no tag.
  std::uint64_t discontinuity_sequence = 0;
  int discontinuity_sequence_line = 0;
  std::string playlist_type;  // EVENT, VOD or empty.
  int playlist_type_line = 0;
  bool has_end_list = false;
  int end_list_line = 0;
  bool is_iframes_only = false;
  bool has_independent_segments = false;
  std::optional<Duration> part_target;
  int part_target_line = 0;
  std::optional<ServerControl> server_control;
  int server_control_line = 0;
  std::optional<Skip> skip;
  std::vector<Segment> segments;
  std::vector<PreloadHint> hints;
  std::vector<RenditionReport> reports;
  std::vector<DateRange> date_ranges;
  int first_segment_line = 0;
  int lines = 0;

  bool has_parts() const {
    for (const auto& segment : segments) {
      if (!segment.parts.empty()) return true;
    }
    return false;
  }
  // The number after the last listed complete or incomplete segment's.
  std::uint64_t end_msn() const {
    return segments.empty() ? media_sequence + (skip ? skip->segments : 0)
                            : segments.back().media_sequence_number + 1;
  }
  const Segment* find_segment(std::uint64_t msn) const {
    if (segments.empty() || msn < segments.front().media_sequence_number) return nullptr;
    std::uint64_t index = msn - segments.front().media_sequence_number;
    return index < segments.size() ? &segments[index] : nullptr;
  }
  // Sum of EXTINF and of the parts of an incomplete last segment.
  Duration duration() const {
    Duration sum;
    for (const auto& segment : segments)
      sum += segment.is_complete ? segment.duration : segment.parts_duration();
    return sum;
  }
};

struct Variant {
  std::string uri;
  std::optional<std::uint64_t> bandwidth, average_bandwidth;
  std::string codecs, video_range, audio, video, subtitles, closed_captions, pathway_id, stable_id;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> resolution;
  std::optional<double> frame_rate;
  int line = 0;
};

struct MediaOption {  // EXT-X-MEDIA: one rendition of a group.
  std::string type, uri, group_id, name, language, channels, instream_id, stable_id;
  bool is_default = false, autoselect = false, forced = false;
  bool has_autoselect = false;
  int line = 0;
};

struct ContentSteering {
  std::string server_uri, pathway_id;
  int line = 0;
};

struct MultivariantPlaylist {
  int version = 1;
  int version_line = 0;
  VersionFloor version_floor;
  bool has_independent_segments = false;
  std::vector<Variant> variants, iframe_variants;
  std::vector<MediaOption> media;
  std::vector<ContentSteering> steering;
  std::vector<Key> session_keys;
  std::map<std::string, std::string, std::less<>> variables;  // For EXT-X-DEFINE:IMPORT.
  int lines = 0;
};

// What variables may come from outside the text (§4.4.2.3).
struct Surroundings {
  const std::map<std::string, std::string, std::less<>>* imports = nullptr;  // The multivariant's.
  std::string_view query;                                                    // Of the playlist's URL.
};

template <typename Playlist>
struct Parsed {
  Playlist playlist;
  std::vector<Problem> problems;  // At most kProblemsMax.
};

enum class Kind : std::uint8_t { kNone, kMedia, kMultivariant };
// By the first tag that belongs to one kind alone.
Kind kind_of(std::string_view text);

Parsed<MediaPlaylist> parse_media(std::string_view text, const Surroundings& surroundings = {});
Parsed<MultivariantPlaylist> parse_multivariant(std::string_view text, const Surroundings& surroundings = {});
// The first problem is the error.
Result<MediaPlaylist, Problem> parse_media_strict(std::string_view text,
                                                  const Surroundings& surroundings = {});
Result<MultivariantPlaylist, Problem> parse_multivariant_strict(std::string_view text,
                                                                const Surroundings& surroundings = {});

}  // namespace stoa::m3u8
