#include "check/media_rules.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "check/url.h"

namespace stoa::check {
namespace {

constexpr Duration kBreak = Duration::milliseconds(200);  // A hole or overlap that players notice as a jump.
constexpr Duration kSeam = Duration::milliseconds(5);     // Smaller ones are rounding.
constexpr Duration kTold = Duration::milliseconds(20);    // Told and real durations may differ by this.

struct Span {
  Duration start, end, longest_sample;
  bool has_sync = false;
};

// The time that the first track of `fragments` covers; holes inside go under G18, but for those that GAP
// parts of `gaps` in all announce.
Span span_of(const std::vector<Fragment>& fragments, const InitFacts& init, Duration gaps,
             const std::string& where, Ledger& ledger) {
  const InitTrack& track = *init.find(fragments.front().track_id);
  Span span;
  std::uint64_t expected = fragments.front().decode_time;
  auto time = [&](std::uint64_t ticks) {
    std::uint64_t longest = track.timescale * 1'000'000'000ull;  // 31 years; beyond it sums would not fit.
    return Duration::from_ticks(static_cast<std::int64_t>(std::min(ticks, longest)), track.timescale);
  };
  span.start = time(expected);
  for (const auto& fragment : fragments) {
    if (fragment.track_id != track.track_id) continue;
    Duration apart = time(fragment.decode_time) - time(expected);
    if (Duration announced = std::clamp(apart, Duration(), gaps); announced > kSeam) {
      gaps = gaps - announced;
      apart = apart - announced;
    }
    ledger.require(Rule::kG18, apart.abs() <= kBreak, where, " tfdt jumps by ", apart, " s inside");
    if (apart.abs() <= kBreak) {
      ledger.expect(Rule::kG18, apart.abs() <= kSeam, where, " tfdt is ", apart, " s off inside");
    }
    span.has_sync = span.has_sync || fragment.sync_samples > 0;
    expected = fragment.decode_time + fragment.duration;
    if (fragment.samples)
      span.longest_sample = std::max(span.longest_sample, time(fragment.duration / fragment.samples));
  }
  span.end = time(expected);
  return span;
}

// What GAP parts announce of a segment: before its first sample, behind its last, and between.
struct Gaps {
  Duration before, within, behind;
};

Gaps gaps_of(const SegmentRecord& segment) {
  Gaps gaps;
  bool has_media = false;
  for (const auto& part : segment.parts) {
    if (part.is_gap) {
      (has_media ? gaps.behind : gaps.before) += part.duration;
    } else {
      has_media = true;
      gaps.within += std::exchange(gaps.behind, {});
    }
  }
  return gaps;
}

void judge_union(const std::string& where, const SegmentRecord& segment, Ledger& ledger) {
  std::size_t at = 0;
  for (const auto& part : segment.parts) {
    if (part.is_gap) continue;
    bool fits = part.body.size() <= segment.body.size() - at &&
                std::equal(part.body.begin(), part.body.end(),
                           segment.body.begin() + static_cast<std::ptrdiff_t>(at));
    if (!ledger.require(Rule::kL6, fits, where, " byte ", at, " on differs from part ", part.uri, " of ",
                        part.body.size(), " bytes")) {
      return;
    }
    at += part.body.size();
  }
  ledger.require(Rule::kL6, at == segment.body.size(), where, " has ", segment.body.size(),
                 " bytes, its parts ", at);
}

void judge_part(const std::string& name, const PartRecord& part, const InitFacts& init, Ledger& ledger) {
  std::string where = say("part ", part.uri, " of ", name);
  auto fragments = read_fragments(part.body, init);
  if (!ledger.require(Rule::kL6, fragments.has_value(), where,
                      " cannot be read: ", fragments ? "" : name_of(fragments.error()))) {
    return;
  }
  // Breaks inside are found again, and noted, when the whole segment is read.
  Ledger unused;
  Span span = span_of(*fragments, init, Duration(), where, unused);
  Duration lasts = span.end - span.start;
  ledger.require(Rule::kL6, (lasts - part.duration).abs() <= std::max(kTold, span.longest_sample), where,
                 " lasts ", lasts, " s, DURATION says ", part.duration);
  if (part.is_independent) {  // Contains an independent frame, wherever (RFC 8216bis §4.4.4.9).
    ledger.require(Rule::kL4, span.has_sync, where, " is INDEPENDENT but holds no sync sample");
  } else {
    ledger.expect(Rule::kL4, !span.has_sync, where, " holds a sync sample but is not INDEPENDENT");
  }
}

void judge_seam(const std::string& where, const SegmentRecord& segment, const Span& span,
                const InitFacts& init, const SegmentFacts& before, const InitFacts* before_init,
                Ledger& ledger) {
  if (segment.has_discontinuity || before.msn + 1 != segment.msn) return;
  if (before_init) {
    auto same = [](const InitTrack& a, const InitTrack& b) {
      return a.track_id == b.track_id && a.timescale == b.timescale && a.codec == b.codec &&
             a.width == b.width && a.height == b.height && a.channels == b.channels &&
             a.sample_rate == b.sample_rate;
    };
    ledger.require(Rule::kG18,
                   std::equal(init.tracks.begin(), init.tracks.end(), before_init->tracks.begin(),
                              before_init->tracks.end(), same),
                   where, " has another format than the segment before, without DISCONTINUITY");
  }
  if (!before.end) return;
  Duration apart = span.start - *before.end;
  ledger.require(Rule::kG18, apart.abs() <= kBreak, where, " starts ", apart,
                 " s away from the end of the segment before, without DISCONTINUITY");
  if (apart.abs() <= kBreak)
    ledger.expect(Rule::kG18, apart.abs() <= kSeam, where, " starts ", apart, " s off");
}

}  // namespace

SegmentFacts judge_segment(const std::string& name, const SegmentRecord& segment, const InitFacts* init,
                           const SegmentFacts* before, const InitFacts* before_init, bool is_iframes,
                           Ledger& ledger) {
  SegmentFacts facts{.msn = segment.msn,
                     .discontinuity_sequence = segment.discontinuity_sequence,
                     .program_date_time = segment.program_date_time,
                     .duration = segment.duration,
                     .start = std::nullopt,
                     .end = std::nullopt,
                     .init_key = segment.init_key,
                     .size_bytes = segment.body.size()};
  std::string where = say("segment ", segment.uri, " of ", name);
  bool has_all =
      !segment.parts.empty() && std::none_of(segment.parts.begin(), segment.parts.end(),
                                             [](const PartRecord& part) { return part.is_failed; });
  if (has_all) judge_union(where, segment, ledger);
  if (!init) return facts;
  Rule rule = segment.parts.empty() ? Rule::kX2 : Rule::kL6;
  for (const auto& part : segment.parts) {
    if (part.is_fetched && !part.is_gap) judge_part(name, part, *init, ledger);
  }
  auto fragments = read_fragments(segment.body, *init);
  if (!ledger.require(rule, fragments.has_value(), where,
                      " cannot be read: ", fragments ? "" : name_of(fragments.error()))) {
    return facts;
  }
  const Gaps gaps = gaps_of(segment);
  Span span = span_of(*fragments, *init, gaps.within, where, ledger);
  span.start = span.start - gaps.before;
  span.end = span.end + gaps.behind;
  facts.start = span.start;
  facts.end = span.end;
  if (is_iframes) return facts;
  Duration lasts = span.end - span.start;
  ledger.require(rule, (lasts - segment.duration).abs() <= std::max(kTold * 2, span.longest_sample), where,
                 " lasts ", lasts, " s, EXTINF says ", segment.duration);
  if (!segment.parts.empty()) {
    ledger.require(Rule::kL13, span.has_sync, where, " has no independent frame");
  }
  if (before) judge_seam(where, segment, span, *init, *before, before_init, ledger);
  return facts;
}

}  // namespace stoa::check
