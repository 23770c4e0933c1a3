#include <algorithm>

#include "check/playlist_rules.h"

namespace stoa::check {
namespace {

using m3u8::MediaPlaylist;
using m3u8::Segment;

Duration target_of(const MediaPlaylist& list) {
  return Duration::seconds(
      static_cast<std::int64_t>(std::min<std::uint64_t>(list.target_duration_s.value_or(0), 1'000'000)));
}

// From the start of segment `index` to the end of the playlist.
Duration distance_from_end(const MediaPlaylist& list, std::size_t index) {
  Duration distance;
  for (std::size_t i = index; i < list.segments.size(); ++i) {
    const Segment& segment = list.segments[i];
    distance += segment.is_complete ? segment.duration : segment.parts_duration();
  }
  return distance;
}

void judge_frozen(const std::string& name, const MediaPlaylist& before, const MediaPlaylist& after,
                  Ledger& ledger) {
  if (before.target_duration_s && after.target_duration_s) {
    ledger.require(Rule::kG7, before.target_duration_s == after.target_duration_s, name, " line ",
                   after.target_duration_line, " TARGETDURATION changed from ", *before.target_duration_s,
                   " to ", *after.target_duration_s);
  }
  if (before.part_target && after.part_target) {
    ledger.require(Rule::kL1, before.part_target == after.part_target, name, " line ", after.part_target_line,
                   " PART-TARGET changed from ", *before.part_target, " to ", *after.part_target);
  }
  if (before.server_control) {
    ledger.require(Rule::kL2, before.server_control == after.server_control, name, " line ",
                   after.server_control_line, " SERVER-CONTROL changed");
  }
  if (before.has_end_list) {
    ledger.require(Rule::kG15, after.has_end_list && after.end_msn() == before.end_msn(), name,
                   " went on after ENDLIST");
  }
  if (before.playlist_type_line || after.playlist_type_line) {
    ledger.require(Rule::kG14, before.playlist_type == after.playlist_type, name, " PLAYLIST-TYPE changed");
  }
}

// By how many segments `after` is shifted against `before`, when their numbers do not fit their URIs.
std::uint64_t find_shift(const MediaPlaylist& before, const MediaPlaylist& after) {
  if (after.segments.empty()) return 0;
  const Segment& first = after.segments.front();
  for (const auto& segment : before.segments) {
    if (segment.is_complete && segment.uri == first.uri && segment.range == first.range &&
        segment.media_sequence_number != first.media_sequence_number) {
      return segment.media_sequence_number > first.media_sequence_number
                 ? segment.media_sequence_number - first.media_sequence_number
                 : first.media_sequence_number - segment.media_sequence_number;
    }
  }
  return 0;
}

std::string difference(const Segment& a, const Segment& b) {
  if (a.is_complete && !b.is_complete) return "became incomplete";
  if (a.is_complete && (a.uri != b.uri || a.range != b.range)) return "changed its URI";
  if (a.is_complete && a.duration != b.duration) return "changed its EXTINF";
  if (a.is_complete && a.title != b.title) return "changed its title";
  if (a.has_discontinuity != b.has_discontinuity) return "gained or lost DISCONTINUITY";
  if (a.program_date_time != b.program_date_time) return "changed its PROGRAM-DATE-TIME";
  if (a.map != b.map) return "changed its MAP";
  if (a.keys != b.keys) return "changed its KEY";
  if (a.is_complete && a.is_gap != b.is_gap) return "gained or lost GAP";
  return {};
}

void judge_part_list(const std::string& name, const Segment& a, const Segment& b, bool may_drop,
                     Ledger& ledger) {
  if (a.parts.empty()) {
    bool is_fresh = b.parts.empty() || !a.is_complete;
    ledger.require(Rule::kG6, is_fresh, name, " line ", b.line, " segment ", b.media_sequence_number,
                   " gained parts after it was complete");
    return;
  }
  if (b.parts.empty()) {
    ledger.require(Rule::kG6, may_drop, name, " line ", b.line, " segment ", b.media_sequence_number,
                   " lost its parts within 3 target durations of the end");
    return;
  }
  bool is_prefix = a.parts.size() <= b.parts.size() && (!a.is_complete || a.parts.size() == b.parts.size());
  std::string changed;
  for (std::size_t i = 0; is_prefix && i < a.parts.size(); ++i) {
    const m3u8::Part &x = a.parts[i], &y = b.parts[i];
    if (x.uri != y.uri || x.duration != y.duration || x.is_independent != y.is_independent ||
        x.is_gap != y.is_gap || x.range != y.range) {
      changed = y.uri;
      break;
    }
  }
  ledger.require(Rule::kG6, is_prefix, name, " line ", b.line, " segment ", b.media_sequence_number,
                 " changed its number of parts from ", a.parts.size(), " to ", b.parts.size());
  if (is_prefix) {
    ledger.require(Rule::kG6, changed.empty(), name, " line ", b.line, " part ", changed, " of segment ",
                   b.media_sequence_number, " changed");
  }
}

void judge_date_ranges(const std::string& name, const MediaPlaylist& before, const MediaPlaylist& after,
                       Ledger& ledger) {
  for (const auto& old : before.date_ranges) {
    auto found = std::find_if(after.date_ranges.begin(), after.date_ranges.end(),
                              [&](const auto& range) { return range.id == old.id; });
    if (found == after.date_ranges.end()) {
      const Segment* oldest = after.segments.empty() ? nullptr : &after.segments.front();
      bool still_maps = oldest && oldest->program_date_time && old.start &&
                        *old.start >= *oldest->program_date_time &&
                        *old.start < *oldest->program_date_time + after.duration();
      ledger.require(Rule::kA1, !still_maps, name, " DATERANGE ", old.id,
                     " was removed while its segment is listed");
      continue;
    }
    for (const auto& attribute : old.attributes) {
      auto same = std::find_if(found->attributes.begin(), found->attributes.end(),
                               [&](const auto& now) { return now.name == attribute.name; });
      bool is_kept = same == found->attributes.end() || same->value == attribute.value;
      ledger.require(Rule::kA1, is_kept, name, " line ", found->line, " DATERANGE ", old.id, " changed its ",
                     attribute.name);
    }
  }
}

}  // namespace

void judge_change(const std::string& name, const MediaPlaylist& before, const MediaPlaylist& after,
                  Ledger& ledger) {
  judge_frozen(name, before, after, ledger);
  judge_date_ranges(name, before, after, ledger);
  if (!ledger.require(Rule::kG8, after.media_sequence >= before.media_sequence, name, " line ",
                      after.media_sequence_line, " MEDIA-SEQUENCE fell from ", before.media_sequence, " to ",
                      after.media_sequence)) {
    return;
  }
  bool is_removed = after.media_sequence > before.media_sequence;
  if (is_removed) {
    ledger.require(Rule::kG14, before.playlist_type != "EVENT", name, " is an EVENT but removed a segment");
    Duration listed;
    for (const auto& segment : after.segments) listed += segment.duration;
    ledger.require(Rule::kG10, after.has_end_list || listed >= target_of(after) * 3, name, " lists ", listed,
                   " s after a removal, less than 3 target durations of ", target_of(after));
  }
  if (std::uint64_t shift = find_shift(before, after)) {
    ledger.fail(Rule::kG8, say(name, " line ", after.media_sequence_line, " MEDIA-SEQUENCE is ", shift,
                               " off: segment ", after.segments.front().uri, " changed its number"));
    return;
  }
  if (!ledger.require(Rule::kG6, after.end_msn() >= before.end_msn(), name,
                      " the live edge went back from segment ", before.end_msn() - 1, " to ",
                      after.end_msn() - 1)) {
    return;
  }
  for (std::size_t i = 0; i < after.segments.size(); ++i) {
    const Segment& now = after.segments[i];
    const Segment* old = before.find_segment(now.media_sequence_number);
    if (!old) continue;
    std::string changed = difference(*old, now);
    ledger.require(Rule::kG6, changed.empty(), name, " line ", now.line, " segment ",
                   now.media_sequence_number, " ", changed);
    bool may_drop = distance_from_end(after, i) > target_of(after) * 3;
    judge_part_list(name, *old, now, may_drop, ledger);
    if (old->has_discontinuity == now.has_discontinuity) {
      ledger.require(Rule::kG9, old->discontinuity_sequence == now.discontinuity_sequence, name, " line ",
                     now.line, " segment ", now.media_sequence_number, " has discontinuity number ",
                     now.discontinuity_sequence, ", was ", old->discontinuity_sequence);
    }
  }
}

std::uint64_t count_skippable(const MediaPlaylist& list) {
  if (!list.server_control || !list.server_control->can_skip_until) return 0;
  Duration tail = list.segments.empty() || list.segments.back().is_complete
                      ? Duration()
                      : list.segments.back().parts_duration();
  std::uint64_t count = 0;
  for (std::size_t i = 0; i + 1 < list.segments.size(); ++i) {
    Duration behind = distance_from_end(list, i + 1) - tail;
    if (behind <= *list.server_control->can_skip_until + target_of(list)) break;
    ++count;
  }
  return count;
}

std::optional<MediaPlaylist> apply_delta(const std::string& name, const MediaPlaylist& before,
                                         const MediaPlaylist& delta, Ledger& ledger) {
  std::uint64_t first_kept = delta.media_sequence + delta.skip->segments;
  ledger.expect(Rule::kD10, delta.skip->segments > 0, name, " line ", delta.skip->line,
                " SKIPPED-SEGMENTS=0");
  bool is_known = delta.media_sequence >= before.media_sequence && first_kept <= before.end_msn();
  if (!ledger.require(Rule::kD10, is_known, name, " line ", delta.skip->line, " skips segments ",
                      delta.media_sequence, " to ", first_kept, " but ", before.media_sequence, " to ",
                      before.end_msn(), " were listed")) {
    return std::nullopt;
  }
  MediaPlaylist whole = delta;
  whole.segments.clear();
  whole.skip.reset();
  for (std::uint64_t msn = delta.media_sequence; msn < first_kept; ++msn) {
    const Segment* segment = before.find_segment(msn);
    if (!segment ||
        !ledger.require(Rule::kD10, segment->is_complete, name, " skips the incomplete segment ", msn)) {
      return std::nullopt;
    }
    whole.segments.push_back(*segment);
  }
  std::uint64_t discontinuity =
      whole.segments.empty() ? delta.discontinuity_sequence : whole.segments.back().discontinuity_sequence;
  auto map = whole.segments.empty() ? std::nullopt : whole.segments.back().map;
  auto keys = whole.segments.empty() ? std::vector<m3u8::Key>() : whole.segments.back().keys;
  bool is_inheriting = true;
  for (Segment segment : delta.segments) {
    is_inheriting = is_inheriting && !segment.has_map_tag;
    if (is_inheriting) segment.map = map;
    if (segment.keys.empty()) segment.keys = keys;
    discontinuity += segment.has_discontinuity;
    segment.discontinuity_sequence = discontinuity;
    whole.segments.push_back(std::move(segment));
  }
  for (const auto& old : before.date_ranges) {
    const auto& removed = delta.skip->removed_date_ranges;
    bool is_gone = removed && std::find(removed->begin(), removed->end(), old.id) != removed->end();
    bool is_there = std::any_of(delta.date_ranges.begin(), delta.date_ranges.end(),
                                [&](const auto& range) { return range.id == old.id; });
    if (!is_gone && !is_there && removed) whole.date_ranges.push_back(old);
  }
  if (delta.server_control && delta.server_control->can_skip_until && delta.skip->segments) {
    Duration kept = distance_from_end(whole, static_cast<std::size_t>(delta.skip->segments));
    Duration behind = kept + whole.segments[static_cast<std::size_t>(delta.skip->segments) - 1].duration;
    ledger.require(Rule::kD10, behind > *delta.server_control->can_skip_until, name, " line ",
                   delta.skip->line, " skips a segment that starts ", behind,
                   " s before the end, inside CAN-SKIP-UNTIL ", *delta.server_control->can_skip_until);
  }
  bool is_ahead = !delta.media_sequence_line || delta.media_sequence_line < delta.skip->line;
  ledger.expect(Rule::kD10, is_ahead, name, " line ", delta.skip->line, " SKIP stands before MEDIA-SEQUENCE");
  return whole;
}

}  // namespace stoa::check
