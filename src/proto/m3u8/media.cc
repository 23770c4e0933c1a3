#include <algorithm>
#include <cmath>

#include "proto/m3u8/reader.h"

namespace stoa::m3u8 {
namespace {

class MediaParser {
 public:
  MediaParser(std::string_view text, const Surroundings& surroundings)
      : reader_(text, surroundings, Kind::kMedia, parsed_.problems) {}

  Parsed<MediaPlaylist> parse() {
    Item item;
    while (reader_.next(item)) {
      if (item.tag.empty()) {
        handle_uri(item);
      } else if (!handle_segment_tag(item) && !handle_playlist_tag(item)) {
        handle_metadata_tag(item);
      }
    }
    finish();
    return std::move(parsed_);
  }

 private:
  MediaPlaylist& list() { return parsed_.playlist; }

  void note_segment_tag(const Item& item) {
    if (!list().first_segment_line) list().first_segment_line = item.line;
    if (list().is_iframes_only == false && item.tag == "EXT-X-BYTERANGE") {
      reader_.need_version(4, "EXT-X-BYTERANGE", item.line);
    }
    is_pending_ = true;
  }
  void note_parent_tag(const Item& item) {
    note_segment_tag(item);
    if (!pending_.parts.empty() && !pending_.misplaced_line) {
      pending_.misplaced_line = item.line;
      pending_.misplaced_tag = item.tag;
    }
  }

  bool handle_segment_tag(const Item& item) {
    if (item.tag == "EXTINF") return handle_inf(item), true;
    if (item.tag == "EXT-X-PART") return handle_part(item), true;
    if (item.tag == "EXT-X-MAP") return handle_map(item), true;
    if (item.tag == "EXT-X-KEY") return handle_key(item), true;
    if (item.tag == "EXT-X-DISCONTINUITY") {
      note_parent_tag(item);
      if (pending_.has_discontinuity)
        reader_.problem(Refusal::kDuplicateTag, item, "twice before one segment");
      if (!pending_.has_discontinuity) ++discontinuities_;
      pending_.has_discontinuity = true;
    } else if (item.tag == "EXT-X-PROGRAM-DATE-TIME") {
      note_parent_tag(item);
      pending_.program_date_time = parse_date(item.value);
      if (!pending_.program_date_time)
        reader_.problem(Refusal::kBadValue, item, "not a date with a time zone");
    } else if (item.tag == "EXT-X-GAP") {
      note_segment_tag(item);
      pending_.is_gap = true;
    } else if (item.tag == "EXT-X-BYTERANGE") {
      note_segment_tag(item);
      pending_.range = parse_byte_range(item.value);
      if (!pending_.range) reader_.problem(Refusal::kBadValue, item, "not n[@o]");
    } else if (item.tag == "EXT-X-BITRATE") {
      note_segment_tag(item);
      pending_.bitrate = parse_decimal(item.value);
      if (!pending_.bitrate) reader_.problem(Refusal::kBadValue, item, "not a number");
    } else {
      return false;
    }
    return true;
  }

  void handle_inf(const Item& item) {
    note_segment_tag(item);
    if (has_inf_) reader_.problem(Refusal::kMissingTag, item, "the EXTINF before has no URI");
    std::size_t comma = item.value.find(',');
    std::string_view number = std::string_view(item.value).substr(0, comma);
    auto duration = parse_seconds(number);
    if (duration && *duration > kSegmentDurationMax) duration.reset();
    if (!duration) reader_.problem(Refusal::kBadValue, item, "not a duration");
    if (comma == std::string::npos) reader_.problem(Refusal::kBadValue, item, "no comma after the duration");
    if (number.find('.') != std::string_view::npos) {
      reader_.need_version(3, "EXTINF with a fraction", item.line);
    }
    pending_.duration = duration.value_or(Duration());
    if (comma != std::string::npos) pending_.title = item.value.substr(comma + 1);
    pending_.line = item.line;
    has_inf_ = true;
  }

  void handle_part(const Item& item) {
    note_segment_tag(item);
    if (has_inf_) reader_.problem(Refusal::kMisplacedTag, item, "between EXTINF and its URI");
    AttributeList attributes = reader_.attributes(item);
    Part part;
    part.line = item.line;
    part.uri = reader_.quoted(attributes, "URI", item, true);
    part.duration = bounded(reader_.seconds(attributes, "DURATION", item, true), item).value_or(Duration());
    part.is_independent = reader_.yes(attributes, "INDEPENDENT", item);
    part.is_gap = reader_.yes(attributes, "GAP", item);
    if (attributes.has("BYTERANGE")) {
      part.range = parse_byte_range(reader_.quoted(attributes, "BYTERANGE", item));
      if (!part.range) reader_.problem(Refusal::kBadValue, item, "BYTERANGE");
    }
    if (!pending_.line) pending_.line = item.line;
    pending_.parts.push_back(std::move(part));
  }

  std::optional<Duration> bounded(std::optional<Duration> duration, const Item& item) {
    if (!duration || *duration <= kSegmentDurationMax) return duration;
    reader_.problem(Refusal::kBadValue, item, "longer than 10 hours");
    return std::nullopt;
  }

  void handle_map(const Item& item) {
    note_parent_tag(item);
    AttributeList attributes = reader_.attributes(item);
    Map map;
    map.uri = reader_.quoted(attributes, "URI", item, true);
    if (attributes.has("BYTERANGE")) {
      map.range = parse_byte_range(reader_.quoted(attributes, "BYTERANGE", item));
      if (!map.range) reader_.problem(Refusal::kBadValue, item, "BYTERANGE");
    }
    map_ = std::move(map);
    map_line_ = map_line_ ? map_line_ : item.line;
    pending_.has_map_tag = true;
  }

  void handle_key(const Item& item) {
    note_parent_tag(item);
    AttributeList attributes = reader_.attributes(item);
    Key key;
    key.method = reader_.token(attributes, "METHOD", item, true);
    key.uri = reader_.quoted(attributes, "URI", item, key.method != "NONE");
    key.iv = reader_.token(attributes, "IV", item);
    key.key_format = reader_.quoted(attributes, "KEYFORMAT", item);
    key.key_format_versions = reader_.quoted(attributes, "KEYFORMATVERSIONS", item);
    if (!key.iv.empty()) reader_.need_version(2, "KEY with IV", item.line);
    if (attributes.has("KEYFORMAT") || attributes.has("KEYFORMATVERSIONS")) {
      reader_.need_version(5, "KEYFORMAT", item.line);
    }
    if (key.method.starts_with("SAMPLE-AES")) reader_.need_version(5, "SAMPLE-AES", item.line);
    // A later KEY of the same format replaces the earlier; NONE ends all.
    if (key.method == "NONE") {
      keys_.clear();
      return;
    }
    std::erase_if(keys_, [&](const Key& old) { return old.key_format == key.key_format; });
    keys_.push_back(std::move(key));
  }

  void handle_uri(const Item& item) {
    if (!has_inf_) return reader_.problem(Refusal::kMissingTag, item, "a URI without EXTINF");
    pending_.uri = item.value;
    pending_.is_complete = true;
    push_segment();
  }

  void push_segment() {
    pending_.discontinuity_sequence = discontinuities_;
    pending_.map = map_;
    pending_.keys = keys_;
    list().segments.push_back(std::move(pending_));
    pending_ = Segment();
    has_inf_ = is_pending_ = false;
  }

  // A tag that may stand once; notes its line.
  bool once(const Item& item, int& line) {
    bool is_first = line == 0;
    if (!is_first) reader_.problem(Refusal::kDuplicateTag, item, "stands once");
    line = item.line;
    return is_first;
  }

  bool handle_playlist_tag(const Item& item) {
    if (item.tag == "EXT-X-TARGETDURATION") {
      once(item, list().target_duration_line);
      list().target_duration_s = number(item);
    } else if (item.tag == "EXT-X-MEDIA-SEQUENCE") {
      once(item, list().media_sequence_line);
      list().media_sequence = number(item).value_or(0);
    } else if (item.tag == "EXT-X-DISCONTINUITY-SEQUENCE") {
      once(item, list().discontinuity_sequence_line);
      list().discontinuity_sequence = number(item).value_or(0);
    } else if (item.tag == "EXT-X-PLAYLIST-TYPE") {
      once(item, list().playlist_type_line);
      list().playlist_type = item.value;
      if (item.value != "EVENT" && item.value != "VOD") reader_.problem(Refusal::kBadValue, item, item.value);
    } else if (item.tag == "EXT-X-ENDLIST") {
      once(item, list().end_list_line);
      list().has_end_list = true;
    } else if (item.tag == "EXT-X-I-FRAMES-ONLY") {
      list().is_iframes_only = true;
      iframes_line_ = item.line;
      reader_.need_version(4, "EXT-X-I-FRAMES-ONLY", item.line);
    } else if (item.tag == "EXT-X-PART-INF") {
      once(item, list().part_target_line);
      AttributeList attributes = reader_.attributes(item);
      list().part_target = bounded(reader_.seconds(attributes, "PART-TARGET", item, true), item);
      if (list().part_target == Duration()) reader_.problem(Refusal::kBadValue, item, "PART-TARGET is zero");
    } else if (item.tag == "EXT-X-SERVER-CONTROL") {
      handle_server_control(item);
    } else {
      return false;
    }
    return true;
  }

  std::optional<std::uint64_t> number(const Item& item) {
    auto value = parse_decimal(item.value);
    if (!value || *value > INT64_MAX) {
      reader_.problem(Refusal::kBadValue, item, "not a number");
      return std::nullopt;
    }
    return value;
  }

  void handle_server_control(const Item& item) {
    once(item, list().server_control_line);
    AttributeList attributes = reader_.attributes(item);
    ServerControl control;
    control.can_block_reload = reader_.yes(attributes, "CAN-BLOCK-RELOAD", item);
    control.can_skip_dateranges = reader_.yes(attributes, "CAN-SKIP-DATERANGES", item);
    control.part_hold_back = reader_.seconds(attributes, "PART-HOLD-BACK", item);
    control.hold_back = reader_.seconds(attributes, "HOLD-BACK", item);
    control.can_skip_until = reader_.seconds(attributes, "CAN-SKIP-UNTIL", item);
    list().server_control = control;
  }

  void handle_metadata_tag(const Item& item) {
    if (item.tag == "EXT-X-SKIP") {
      handle_skip(item);
    } else if (item.tag == "EXT-X-PRELOAD-HINT") {
      AttributeList attributes = reader_.attributes(item);
      PreloadHint hint;
      hint.line = item.line;
      hint.type = reader_.token(attributes, "TYPE", item, true);
      hint.uri = reader_.quoted(attributes, "URI", item, true);
      hint.has_range = attributes.has("BYTERANGE-START") || attributes.has("BYTERANGE-LENGTH");
      hint.range_start = reader_.number(attributes, "BYTERANGE-START", item).value_or(0);
      hint.range_length = reader_.number(attributes, "BYTERANGE-LENGTH", item);
      list().hints.push_back(std::move(hint));
    } else if (item.tag == "EXT-X-RENDITION-REPORT") {
      AttributeList attributes = reader_.attributes(item);
      RenditionReport report;
      report.line = item.line;
      report.uri = reader_.quoted(attributes, "URI", item, true);
      report.last_msn = reader_.number(attributes, "LAST-MSN", item);
      report.last_part = reader_.number(attributes, "LAST-PART", item);
      list().reports.push_back(std::move(report));
    } else if (item.tag == "EXT-X-DATERANGE") {
      handle_date_range(item);
    }
  }

  void handle_skip(const Item& item) {
    reader_.need_version(9, "EXT-X-SKIP", item.line);
    if (list().skip) return reader_.problem(Refusal::kDuplicateTag, item, "stands once");
    if (!list().segments.empty() || is_pending_) {
      reader_.problem(Refusal::kMisplacedTag, item, "stands before the first segment");
    }
    AttributeList attributes = reader_.attributes(item);
    Skip skip;
    skip.line = item.line;
    skip.segments = reader_.number(attributes, "SKIPPED-SEGMENTS", item, true).value_or(0);
    if (skip.segments > kLinesMax) {
      reader_.problem(Refusal::kBadValue, item, "SKIPPED-SEGMENTS");
      skip.segments = 0;
    }
    if (attributes.has("RECENTLY-REMOVED-DATERANGES")) {
      reader_.need_version(10, "RECENTLY-REMOVED-DATERANGES", item.line);
      std::string ids = reader_.quoted(attributes, "RECENTLY-REMOVED-DATERANGES", item);
      skip.removed_date_ranges.emplace();
      for (std::size_t at = 0; at < ids.size();) {
        std::size_t tab = std::min(ids.find('\t', at), ids.size());
        skip.removed_date_ranges->push_back(ids.substr(at, tab - at));
        at = tab + 1;
      }
    }
    list().skip = std::move(skip);
  }

  void handle_date_range(const Item& item) {
    AttributeList attributes = reader_.attributes(item);
    DateRange range;
    range.line = item.line;
    range.id = reader_.quoted(attributes, "ID", item, true);
    range.class_name = reader_.quoted(attributes, "CLASS", item);
    range.cue = reader_.quoted(attributes, "CUE", item);
    auto date = [&](std::string_view name) -> std::optional<WallTime> {
      if (!attributes.has(name)) return std::nullopt;
      auto time = parse_date(reader_.quoted(attributes, name, item));
      if (!time) reader_.problem(Refusal::kBadValue, item, std::string(name));
      return time;
    };
    range.start = date("START-DATE");
    range.end = date("END-DATE");
    range.duration = reader_.seconds(attributes, "DURATION", item);
    range.planned_duration = reader_.seconds(attributes, "PLANNED-DURATION", item);
    range.end_on_next = reader_.yes(attributes, "END-ON-NEXT", item);
    range.attributes = attributes.all();
    list().date_ranges.push_back(std::move(range));
  }

  void finish() {
    if (has_inf_)
      reader_.problem(Refusal::kMissingTag, reader_.line(), "EXTINF", "the last EXTINF has no URI");
    if (!has_inf_ && !pending_.parts.empty()) push_segment();
    if (map_line_) {
      reader_.need_version(list().is_iframes_only ? 5 : 6, "EXT-X-MAP", map_line_);
    }
    std::uint64_t msn = list().media_sequence + (list().skip ? list().skip->segments : 0);
    for (auto& segment : list().segments) {
      segment.media_sequence_number = msn++;
      segment.discontinuity_sequence += list().discontinuity_sequence;
    }
    list().version = reader_.version();
    list().version_line = reader_.version_line();
    list().version_floor = reader_.version_floor();
    list().has_independent_segments = reader_.has_independent_segments();
    list().lines = reader_.line();
  }

  Parsed<MediaPlaylist> parsed_;
  Reader reader_;
  Segment pending_;
  bool is_pending_ = false;
  bool has_inf_ = false;
  std::optional<Map> map_;
  int map_line_ = 0;
  int iframes_line_ = 0;
  std::vector<Key> keys_;
  std::uint64_t discontinuities_ = 0;
};

}  // namespace

Parsed<MediaPlaylist> parse_media(std::string_view text, const Surroundings& surroundings) {
  return MediaParser(text, surroundings).parse();
}

Result<MediaPlaylist, Problem> parse_media_strict(std::string_view text, const Surroundings& surroundings) {
  auto parsed = parse_media(text, surroundings);
  if (!parsed.problems.empty()) return refuse(parsed.problems.front());
  if (!parsed.playlist.target_duration_s) {
    return refuse(Problem{Refusal::kMissingTag, 1, "EXT-X-TARGETDURATION", "required"});
  }
  return std::move(parsed.playlist);
}

}  // namespace stoa::m3u8
