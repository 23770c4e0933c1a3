// What the judge remembers of one media playlist and its media. Plain records; the judge fills them, the
// rules read them. All lists are bounded by the limits below.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "check/cmaf_reader.h"
#include "proto/m3u8/playlist.h"

namespace stoa::check {

inline constexpr std::size_t kRenditionsMax = 24;
inline constexpr std::size_t kSegmentFactsMax = 4'096;  // A rendition; more are not remembered.
inline constexpr std::size_t kSegmentsInWorkMax = 8;    // Downloaded or downloading, with their bytes.
inline constexpr std::size_t kEdgesMax = 256;           // Arrivals remembered for freshness.
inline constexpr std::size_t kHintsMax = 16;
inline constexpr std::size_t kInitsMax = 64;

// A place in a playlist: the last listed segment (complete or not) and its last listed part, -1 for none.
struct Position {
  std::uint64_t msn = 0;
  std::int64_t part = -1;
  auto operator<=>(const Position&) const = default;
};
Position edge_of(const m3u8::MediaPlaylist& list);

// An address with an optional byte range, both absolute.
struct Resource {
  std::string url;
  std::optional<m3u8::ByteRange> range;  // With an offset when present.
  auto key() const { return url + "@" + (range ? std::to_string(range->offset.value_or(0)) : "all"); }
};

struct PartRecord {
  Resource resource;
  std::string uri;  // As written.
  Duration duration;
  bool is_independent = false, is_gap = false;
  bool is_fetched = false, is_failed = false;
  Buffer body;
};

struct SegmentRecord {
  std::uint64_t msn = 0;
  Resource resource;
  std::string uri;
  Duration duration;
  bool is_complete = false, is_gap = false, has_discontinuity = false;
  std::uint64_t discontinuity_sequence = 0;
  std::optional<WallTime> program_date_time;
  std::string init_key;  // Empty without EXT-X-MAP.
  std::vector<PartRecord> parts;
  bool is_asked = false, is_fetched = false, is_failed = false;
  Buffer body;
};

// What stays of a segment once its bytes were judged.
struct SegmentFacts {
  std::uint64_t msn = 0, discontinuity_sequence = 0;
  std::optional<WallTime> program_date_time;
  Duration duration;
  std::optional<Duration> start, end;  // Media time: tfdt of its first and behind its last sample.
  std::string init_key;
  std::uint64_t size_bytes = 0;
};

struct HintRecord {
  Resource resource;
  bool is_open_ended = false;  // A byte range without a length: the answer may hold more than the part.
  bool is_answered = false, is_listed = false;
  int status = 0;
  std::string failure;
  Timestamp asked, first_byte, last_byte, listed_at;
  Buffer body;
};

struct InitRecord {
  bool is_answered = false;
  std::optional<InitFacts> facts;
};

struct Arrival {
  Timestamp at;
  Position edge;
};

struct Rendition {
  std::string url, name;
  bool is_iframes = false;
  bool is_main = false;  // A variant's own playlist (not an audio or subtitle rendition).

  std::optional<m3u8::MediaPlaylist> list;  // The newest, whole.
  std::map<Position, std::string> bodies;   // Full responses by edge, without what may differ. At most 8.
  std::uint64_t reloads = 0, updates = 0;
  int failures_in_row = 0;
  bool is_over = false;

  std::deque<Arrival> arrivals;
  Timestamp last_part_at = Timestamp::never(), last_segment_at = Timestamp::never();
  std::vector<Duration> edge_delays;  // Arrival of an edge minus its date, relative; bounded by kEdgesMax.

  std::uint64_t first_tracked_msn = 0;
  std::map<std::uint64_t, SegmentRecord> work;
  std::deque<SegmentFacts> judged;
  std::deque<HintRecord> hints;
  double best_rate = 0;  // Bytes a second of the fastest download of a whole segment.
  int media_urgency = -1;

  const SegmentFacts* find_judged(std::uint64_t msn) const;
};

}  // namespace stoa::check
