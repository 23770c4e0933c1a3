#include "check/playlist_rules.h"

#include <algorithm>
#include <cmath>

namespace stoa::check {
namespace {

using m3u8::MediaPlaylist;
using m3u8::Refusal;
using m3u8::Segment;

Rule rule_of(const m3u8::Problem& problem) {
  switch (problem.refusal) {
    case Refusal::kMixedTags: return Rule::kG4;
    case Refusal::kBadDefine:
    case Refusal::kUndefinedVariable: return Rule::kV1;
    default: break;
  }
  struct Row {
    std::string_view tag;
    Rule rule;
  };
  static constexpr Row kRows[] = {
      {"EXT-X-TARGETDURATION", Rule::kG7},
      {"EXT-X-MEDIA-SEQUENCE", Rule::kG8},
      {"EXT-X-DISCONTINUITY-SEQUENCE", Rule::kG9},
      {"EXT-X-PLAYLIST-TYPE", Rule::kG14},
      {"EXT-X-ENDLIST", Rule::kG15},
      {"EXT-X-PART-INF", Rule::kL1},
      {"EXT-X-SERVER-CONTROL", Rule::kL2},
      {"EXT-X-PART", Rule::kL4},
      {"EXT-X-PRELOAD-HINT", Rule::kL9},
      {"EXT-X-RENDITION-REPORT", Rule::kL12},
      {"EXT-X-SKIP", Rule::kD10},
      {"EXT-X-DATERANGE", Rule::kA1},
      {"EXT-X-DEFINE", Rule::kV1},
      {"EXT-X-STREAM-INF", Rule::kX1},
      {"EXT-X-I-FRAME-STREAM-INF", Rule::kX1},
      {"EXT-X-MEDIA", Rule::kX1},
      {"EXT-X-CONTENT-STEERING", Rule::kC1},
  };
  for (const Row& row : kRows) {
    if (row.tag == problem.tag) return row.rule;
  }
  return Rule::kG1;
}

void judge_head(const std::string& name, const MediaPlaylist& list, Ledger& ledger) {
  const auto& floor = list.version_floor;
  ledger.require(Rule::kG3, list.version >= floor.version, name, " VERSION ", list.version, " but ",
                 floor.reason, " (line ", floor.line, ") needs ", floor.version);
  ledger.expect(Rule::kG2, list.version <= floor.version, name, " VERSION ", list.version, ", ",
                floor.version, " is enough");
  if (ledger.require(Rule::kG7, list.target_duration_s && *list.target_duration_s >= 1, name,
                     " has no TARGETDURATION of 1 or more")) {
    for (const auto& segment : list.segments) {
      if (!segment.is_complete) continue;
      auto rounded = static_cast<std::uint64_t>(std::llround(segment.duration.as_seconds()));
      ledger.require(Rule::kG7, rounded <= *list.target_duration_s, name, " line ", segment.line, " EXTINF ",
                     segment.duration, " rounds above TARGETDURATION ", *list.target_duration_s);
    }
  }
  bool is_late = list.media_sequence_line && list.first_segment_line &&
                 list.media_sequence_line > list.first_segment_line;
  ledger.require(Rule::kG8, !is_late, name, " line ", list.media_sequence_line,
                 " MEDIA-SEQUENCE stands behind the first segment");
  if (list.discontinuity_sequence_line) {
    ledger.require(
        Rule::kG9, !list.first_segment_line || list.discontinuity_sequence_line < list.first_segment_line,
        name, " line ", list.discontinuity_sequence_line, " DISCONTINUITY-SEQUENCE stands behind a segment");
  }
  bool is_live = !list.has_end_list;
  ledger.require(Rule::kG14, !is_live || list.playlist_type != "VOD", name, " line ", list.playlist_type_line,
                 " PLAYLIST-TYPE VOD in a playlist without ENDLIST");
  if (list.playlist_type == "EVENT") {
    ledger.require(Rule::kG14, list.media_sequence == 0 || list.skip, name, " line ", list.playlist_type_line,
                   " PLAYLIST-TYPE EVENT, but segments were removed");
  }
  if (list.has_end_list) {
    ledger.require(Rule::kG15, list.hints.empty(), name, " line ",
                   list.hints.empty() ? 0 : list.hints[0].line, " PRELOAD-HINT beside ENDLIST");
  }
}

void judge_segments(const std::string& name, const MediaPlaylist& list, Ledger& ledger) {
  for (const auto& segment : list.segments) {
    if (segment.has_discontinuity) {
      ledger.expect(Rule::kG19, segment.program_date_time.has_value(), name, " line ", segment.line,
                    " DISCONTINUITY without PROGRAM-DATE-TIME");
    }
    if (segment.is_gap && !segment.parts.empty()) {
      bool all = std::all_of(segment.parts.begin(), segment.parts.end(),
                             [](const auto& part) { return part.is_gap; });
      ledger.require(Rule::kG20, all, name, " line ", segment.line,
                     " a GAP segment has parts without GAP=YES");
    } else if (segment.is_gap) {
      ledger.pass(Rule::kG20);
    }
    if (segment.parts.empty()) continue;
    ledger.require(Rule::kL5, !segment.misplaced_line, name, " line ", segment.misplaced_line, " ",
                   segment.misplaced_tag, " behind the first part of its segment");
  }
}

void judge_server_control(const std::string& name, const MediaPlaylist& list, Ledger& ledger) {
  if (!list.server_control) {
    if (list.has_parts()) ledger.fail(Rule::kL2, say(name, " has parts but no SERVER-CONTROL"));
    return;
  }
  const auto& control = *list.server_control;
  int line = list.server_control_line;
  Duration target = Duration::seconds(
      static_cast<std::int64_t>(std::min<std::uint64_t>(list.target_duration_s.value_or(0), 1'000'000)));
  if (control.hold_back) {
    ledger.require(Rule::kL2, *control.hold_back >= target * 3, name, " line ", line, " HOLD-BACK ",
                   *control.hold_back, " < 3 target durations of ", target);
  }
  if (control.can_skip_until) {
    ledger.require(Rule::kL2, *control.can_skip_until >= target * 6, name, " line ", line, " CAN-SKIP-UNTIL ",
                   *control.can_skip_until, " < 6 target durations of ", target);
  }
  ledger.require(Rule::kL2, !control.can_skip_dateranges || control.can_skip_until, name, " line ", line,
                 " CAN-SKIP-DATERANGES without CAN-SKIP-UNTIL");
  if (!list.has_parts()) return;
  ledger.require(Rule::kL2, control.can_block_reload, name, " line ", line,
                 " has parts but not CAN-BLOCK-RELOAD=YES");
  if (!ledger.require(Rule::kL2, control.part_hold_back.has_value(), name, " line ", line,
                      " has no PART-HOLD-BACK") ||
      !list.part_target) {
    return;
  }
  ledger.require(Rule::kL2, *control.part_hold_back >= *list.part_target * 2, name, " line ", line,
                 " PART-HOLD-BACK ", *control.part_hold_back, " < 2 PART-TARGETs of ", *list.part_target);
  ledger.expect(Rule::kL2, *control.part_hold_back >= *list.part_target * 3, name, " line ", line,
                " PART-HOLD-BACK ", *control.part_hold_back, " < 3 PART-TARGETs of ", *list.part_target);
}

void judge_part(const std::string& name, const MediaPlaylist& list, std::size_t at, std::size_t index,
                Ledger& ledger) {
  const Segment& segment = list.segments[at];
  const m3u8::Part& part = segment.parts[index];
  Duration target = *list.part_target;
  ledger.require(Rule::kL4, part.duration <= target, "part ", part.uri, " DURATION ", part.duration,
                 " > PART-TARGET ", target, " (", name, " line ", part.line, ")");
  const m3u8::Part* next = nullptr;
  if (index + 1 < segment.parts.size()) next = &segment.parts[index + 1];
  bool is_last_of_segment = !next && segment.is_complete;
  bool is_newest = !next && !segment.is_complete;
  if (part.is_independent || part.is_gap || is_last_of_segment || is_newest || next->is_gap) return;
  ledger.require(Rule::kL4, part.duration + kDurationSlack >= target * 85 / 100, "part ", part.uri,
                 " DURATION ", part.duration, " < 85 % of PART-TARGET ", target, " (", name, " line ",
                 part.line, ")");
}

void judge_parts(const std::string& name, const MediaPlaylist& list, Ledger& ledger) {
  if (list.is_iframes_only) {
    ledger.expect(Rule::kL8, !list.has_parts(), name, " is an I-frame playlist with parts");
  }
  if (!list.has_parts()) return;
  bool has_target =
      ledger.require(Rule::kL1, list.part_target.has_value(), name, " has parts but no PART-TARGET");
  Duration target = Duration::seconds(
      static_cast<std::int64_t>(std::min<std::uint64_t>(list.target_duration_s.value_or(0), 1'000'000)));
  Duration end = list.duration(), position;
  for (std::size_t i = 0; i < list.segments.size(); ++i) {
    const Segment& segment = list.segments[i];
    position += segment.is_complete ? segment.duration : segment.parts_duration();
    if (segment.parts.empty()) continue;
    for (std::size_t k = 0; has_target && k < segment.parts.size(); ++k) judge_part(name, list, i, k, ledger);
    ledger.expect(Rule::kL7, end - position <= target * 3 + kDurationSlack, name, " line ",
                  segment.parts[0].line, " lists parts that end ", end - position,
                  " s before the end, over 3 target durations of ", target);
    if (segment.is_complete && list.part_target) {
      Duration apart = (segment.parts_duration() - segment.duration).abs();
      ledger.require(Rule::kL6, apart <= kDurationSlack * static_cast<std::int64_t>(segment.parts.size() + 1),
                     name, " line ", segment.line, " parts last ", segment.parts_duration(),
                     " but EXTINF says ", segment.duration);
    }
  }
}

void judge_hints(const std::string& name, const MediaPlaylist& list, Ledger& ledger) {
  if (list.has_end_list || !list.has_parts()) return;
  auto count = [&](std::string_view type) {
    return std::count_if(list.hints.begin(), list.hints.end(),
                         [&](const auto& hint) { return hint.type == type; });
  };
  ledger.require(Rule::kL9, count("PART") >= 1, name, " has no PRELOAD-HINT of TYPE=PART");
  ledger.expect(Rule::kL9, count("PART") <= 1 && count("MAP") <= 1, name, " has two PRELOAD-HINTs of a type");
}

void judge_dates(const std::string& name, const MediaPlaylist& list, Ledger& ledger) {
  const Segment* dated = nullptr;
  Duration since;
  for (const auto& segment : list.segments) {
    if (segment.has_discontinuity) dated = nullptr;
    if (segment.program_date_time && dated) {
      Duration step = *segment.program_date_time - *dated->program_date_time;
      ledger.require(Rule::kL13, (step - since).abs() <= Duration::milliseconds(250), name, " line ",
                     segment.line, " PROGRAM-DATE-TIME moved ", step, " s over ", since, " s of segments");
    }
    if (segment.program_date_time) {
      dated = &segment;
      since = Duration();
    }
    since += segment.duration;
  }
  bool has_date = std::any_of(list.segments.begin(), list.segments.end(),
                              [](const auto& segment) { return segment.program_date_time.has_value(); });
  if (list.has_parts()) ledger.require(Rule::kL13, has_date, name, " has no PROGRAM-DATE-TIME");
  for (const auto& range : list.date_ranges) {
    ledger.require(Rule::kA1, has_date, name, " line ", range.line,
                   " DATERANGE in a playlist without PROGRAM-DATE-TIME");
    if (range.start && range.end) {
      ledger.require(Rule::kA1, *range.end >= *range.start, name, " line ", range.line, " DATERANGE ",
                     range.id, " ends before it starts");
      bool fits = !range.duration || (*range.end - *range.start - *range.duration).abs() <= kDurationSlack;
      ledger.require(Rule::kA1, fits, name, " line ", range.line, " DATERANGE ", range.id,
                     " END-DATE is not START-DATE and DURATION");
    }
    ledger.require(Rule::kA1, range.start || list.skip, name, " line ", range.line, " DATERANGE ", range.id,
                   " has no START-DATE");
    bool is_open = !range.duration && !range.end && !range.class_name.empty();
    ledger.require(Rule::kA1, !range.end_on_next || is_open, name, " line ", range.line, " DATERANGE ",
                   range.id, " END-ON-NEXT needs CLASS and forbids DURATION and END-DATE");
    bool both = range.cue.find("PRE") != std::string::npos && range.cue.find("POST") != std::string::npos;
    ledger.require(Rule::kA1, !both, name, " line ", range.line, " DATERANGE ", range.id,
                   " CUE both PRE and POST");
  }
}

}  // namespace

void judge_problems(const std::string& name, const std::vector<m3u8::Problem>& problems,
                    std::string_view text, Ledger& ledger) {
  ledger.pass(Rule::kG1);
  ledger.pass(Rule::kG4);
  if (text.find("#EXT-X-DEFINE") != std::string_view::npos) ledger.pass(Rule::kV1);
  for (const auto& problem : problems) {
    ledger.fail(rule_of(problem),
                say(name, " line ", problem.line, " ", problem.tag, problem.tag.empty() ? "" : ": ",
                    m3u8::name_of(problem.refusal), ", ", problem.detail));
  }
}

void judge_media_playlist(const std::string& name, const MediaPlaylist& list, Ledger& ledger) {
  judge_head(name, list, ledger);
  judge_segments(name, list, ledger);
  judge_server_control(name, list, ledger);
  judge_parts(name, list, ledger);
  judge_hints(name, list, ledger);
  judge_dates(name, list, ledger);
}

}  // namespace stoa::check
