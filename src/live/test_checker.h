// For tests and fuzzing: follows all snapshots of a broadcast and judges its playlists by the rules of
// HLS. It reads the playlists' text with a parser of its own and knows nothing of how they are made.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "live/snapshot.h"

namespace stoa::live::testing {

struct ListedPart {
  std::string uri;
  double duration = 0;
  bool is_independent = false;
  bool is_gap = false;
  bool operator==(const ListedPart&) const = default;
};

struct ListedSegment {
  std::uint64_t msn = 0;
  std::uint64_t discontinuity = 0;  // Its discontinuity sequence number.
  bool has_discontinuity = false;
  bool is_gap = false;
  bool is_complete = false;
  std::string map, date, uri, extinf;
  std::vector<ListedPart> parts;
};

struct ParsedPlaylist {
  std::vector<ListedSegment> segments;
  std::map<std::string, std::string> head;  // Tags that stand once.
  std::uint64_t media_sequence = 0, discontinuity_sequence = 0, skipped = 0;
  bool has_ended = false;
  std::string part_hint, map_hint;
  std::map<std::string, std::pair<std::uint64_t, std::int64_t>> reports;
  std::vector<std::string> errors;
};

inline std::string attribute(std::string_view line, std::string_view key) {
  std::string wanted = std::string(key) + "=";
  std::size_t at = 0;
  while ((at = line.find(wanted, at)) != std::string_view::npos) {
    if (at > 0 && (line[at - 1] == ',' || line[at - 1] == ':')) break;
    ++at;
  }
  if (at == std::string_view::npos) return {};
  at += wanted.size();
  if (line[at] == '"') return std::string(line.substr(at + 1, line.find('"', at + 1) - at - 1));
  return std::string(line.substr(at, line.find(',', at) - at));
}

inline ParsedPlaylist parse_playlist(std::string_view text) {
  ParsedPlaylist list;
  ListedSegment segment;
  std::string map;
  bool first = true, saw_sequence = false, has_segment_tags = false;
  std::uint64_t msn = 0, discontinuity = 0;
  auto fail = [&](std::string error) { list.errors.push_back(std::move(error)); };
  while (!text.empty()) {
    std::size_t length = text.find('\n');
    if (length == std::string_view::npos) {
      fail("G1 last line is not ended");
      length = text.size() - 1;
    }
    std::string line(text.substr(0, length));
    text.remove_prefix(length + 1);
    auto value = [&](std::string_view tag) { return line.substr(tag.size()); };
    auto is = [&](std::string_view tag) { return line.starts_with(tag); };
    if (first != (line == "#EXTM3U")) fail("G1 EXTM3U");
    first = false;
    if (is("#EXT-X-VERSION:") || is("#EXT-X-TARGETDURATION:") || is("#EXT-X-SERVER-CONTROL:") ||
        is("#EXT-X-PART-INF:")) {
      if (!list.head.emplace(line.substr(0, line.find(':')), line).second) fail("twice: " + line);
    } else if (is("#EXT-X-MEDIA-SEQUENCE:")) {
      msn = list.media_sequence = std::strtoull(value("#EXT-X-MEDIA-SEQUENCE:").c_str(), nullptr, 10);
      saw_sequence = true;
    } else if (is("#EXT-X-DISCONTINUITY-SEQUENCE:")) {
      discontinuity = list.discontinuity_sequence =
          std::strtoull(value("#EXT-X-DISCONTINUITY-SEQUENCE:").c_str(), nullptr, 10);
      if (has_segment_tags) fail("G9 late DISCONTINUITY-SEQUENCE");
    } else if (is("#EXT-X-SKIP:")) {
      list.skipped = std::strtoull(attribute(line, "SKIPPED-SEGMENTS").c_str(), nullptr, 10);
      if (!saw_sequence) fail("D10 SKIP before MEDIA-SEQUENCE");
      if (list.skipped == 0) fail("D10 SKIPPED-SEGMENTS=0");
      msn += list.skipped;
    } else if (line == "#EXT-X-DISCONTINUITY") {
      segment.has_discontinuity = true;
      ++discontinuity;
      has_segment_tags = true;
      if (!segment.parts.empty()) fail("L5 DISCONTINUITY after a part");
    } else if (is("#EXT-X-MAP:")) {
      map = attribute(line, "URI");
      has_segment_tags = true;
      if (!segment.parts.empty()) fail("L5 MAP after a part");
    } else if (is("#EXT-X-PROGRAM-DATE-TIME:")) {
      segment.date = value("#EXT-X-PROGRAM-DATE-TIME:");
      if (!segment.parts.empty()) fail("L5 PDT after a part");
    } else if (is("#EXT-X-PART:")) {
      ListedPart part{attribute(line, "URI"), std::atof(attribute(line, "DURATION").c_str()),
                      attribute(line, "INDEPENDENT") == "YES", attribute(line, "GAP") == "YES"};
      if (part.uri.empty() || part.duration <= 0) fail("L4 part without URI or DURATION: " + line);
      segment.parts.push_back(part);
    } else if (line == "#EXT-X-GAP") {
      segment.is_gap = true;
    } else if (is("#EXTINF:")) {
      segment.extinf = line.substr(8, line.find(',') - 8);
    } else if (line == "#EXT-X-ENDLIST") {
      list.has_ended = true;
    } else if (is("#EXT-X-PRELOAD-HINT:")) {
      std::string& hint = attribute(line, "TYPE") == "PART" ? list.part_hint : list.map_hint;
      if (!hint.empty()) fail("L9 two hints of a type");
      hint = attribute(line, "URI");
    } else if (is("#EXT-X-RENDITION-REPORT:")) {
      std::string part = attribute(line, "LAST-PART");
      list.reports[attribute(line, "URI")] = {std::strtoull(attribute(line, "LAST-MSN").c_str(), nullptr, 10),
                                              part.empty() ? -1 : std::atoll(part.c_str())};
    } else if (!is("#")) {
      segment.uri = line;
      segment.msn = msn++;
      segment.map = map;
      segment.discontinuity = discontinuity;
      segment.is_complete = true;
      if (segment.extinf.empty()) fail("no EXTINF: " + line);
      list.segments.push_back(segment);
      segment = {};
    } else if (line != "#EXTM3U") {
      fail("unknown line: " + line);
    }
  }
  if (!segment.parts.empty()) {
    segment.msn = msn;
    segment.map = map;
    segment.discontinuity = discontinuity;
    list.segments.push_back(segment);
  }
  return list;
}

// What a chunk (moof, mdat) says of time, read straight from its boxes.
struct ChunkTimes {
  bool is_whole = false;
  std::uint32_t sequence = 0;
  std::uint64_t start = 0;     // tfdt.
  std::uint64_t duration = 0;  // Sum of the samples'.
  std::uint64_t bytes = 0;     // Sum of the samples'; must be mdat's.
  std::int64_t first_offset = 0;
  bool starts_with_keyframe = false;
};

inline ChunkTimes parse_chunk(Bytes chunk) {
  ChunkTimes times;
  ByteReader top(chunk);
  std::uint64_t media = 0;
  std::uint32_t usual_duration = 0, usual_size = 0, usual_flags = 0;
  auto read = [&](auto& self, ByteReader& boxes) -> void {
    while (boxes.ok() && boxes.remaining() >= 8) {
      std::uint32_t size = boxes.u32();
      std::string type(as_text(boxes.take(4)));
      ByteReader body(boxes.take(size - 8));
      if (type == "moof" || type == "traf") {
        self(self, body);
      } else if (type == "mfhd") {
        body.skip(4);
        times.sequence = body.u32();
      } else if (type == "tfhd") {
        std::uint32_t flags = body.u32() & 0xffffff;
        body.skip(4);
        if (flags & 0x08) usual_duration = body.u32();
        if (flags & 0x10) usual_size = body.u32();
        if (flags & 0x20) usual_flags = body.u32();
        times.starts_with_keyframe = (usual_flags & 0x10000) == 0;
      } else if (type == "tfdt") {
        bool is_long = body.u32() >> 24 == 1;
        times.start = is_long ? body.u64() : body.u32();
      } else if (type == "trun") {
        std::uint32_t flags = body.u32() & 0xffffff, count = body.u32();
        if (flags & 1) body.skip(4);
        if (flags & 4) times.starts_with_keyframe = (body.u32() & 0x10000) == 0;
        for (std::uint32_t i = 0; i < count && body.ok(); ++i) {
          times.duration += flags & 0x100 ? body.u32() : usual_duration;
          times.bytes += flags & 0x200 ? body.u32() : usual_size;
          if (flags & 0x400) {
            std::uint32_t sample_flags = body.u32();
            if (i == 0) times.starts_with_keyframe = (sample_flags & 0x10000) == 0;
          }
          if (flags & 0x800) {
            auto offset = static_cast<std::int32_t>(body.u32());
            if (i == 0) times.first_offset = offset;
          }
        }
        times.is_whole = body.ok() && body.at_end();
      } else if (type == "mdat") {
        media = size - 8;
      }
    }
  };
  read(read, top);
  times.is_whole = times.is_whole && top.ok() && top.at_end() && media == times.bytes;
  return times;
}

class Checker {
 public:
  // Rules about real-time behaviour are only asserted when `is_steady`.
  void handle(const ChannelSnapshot& snapshot) {
    std::map<std::uint64_t, std::uint64_t> discontinuities;
    std::set<std::string> control;
    for (const auto& rendition : snapshot.renditions) {
      Followed& followed = followed_[rendition->name];
      if (followed.last != rendition.get() || followed.text.data() != rendition->playlist.data())
        check_rendition(*rendition, followed);
      followed.last = rendition.get();
      followed.keep = rendition;
      followed.text = rendition->playlist;
      control.insert(followed.list.head["#EXT-X-SERVER-CONTROL"] +
                     followed.list.head["#EXT-X-TARGETDURATION"] + followed.list.head["#EXT-X-PART-INF"]);
      for (const auto& segment : followed.list.segments) {
        auto [known, is_new] = discontinuities.emplace(segment.msn, segment.discontinuity);
        if (!is_new && known->second != segment.discontinuity)
          fail(*rendition, "X2 discontinuity numbers differ in segment " + std::to_string(segment.msn));
      }
      if (!snapshot.multivariant.empty() && !followed.list.has_ended)
        check_reports(snapshot, *rendition, followed);
    }
    if (control.size() > 1) errors.push_back("L3 server control differs");
    check_multivariant(snapshot);
  }

  std::vector<std::string> errors;
  std::uint64_t playlists = 0;
  std::uint64_t parts = 0, gap_parts = 0;

 private:
  struct Followed {
    const Rendition* last = nullptr;
    std::shared_ptr<const Rendition> keep;
    SharedBytes text;
    ParsedPlaylist list;
    bool has_list = false;
    std::uint64_t media_end = 0;
    std::uint32_t chunk = 0;
    std::map<std::uint64_t, ListedSegment> known;  // As last seen, by MSN.
    std::set<std::uint64_t> judged;                // Completed ones whose parts were judged.
  };

  void fail(const Rendition& rendition, const std::string& error) {
    if (errors.size() < 50) errors.push_back(rendition.name + ": " + error);
  }

  void check_rendition(const Rendition& rendition, Followed& followed) {
    ++playlists;
    ParsedPlaylist list = parse_playlist(rendition.playlist.text());
    for (const auto& error : list.errors) fail(rendition, error);
    double target = std::atof(list.head["#EXT-X-TARGETDURATION"].substr(22).c_str());
    double part_target = std::atof(attribute(list.head["#EXT-X-PART-INF"], "PART-TARGET").c_str());
    const std::string& control = list.head["#EXT-X-SERVER-CONTROL"];
    if (target < 1) fail(rendition, "G7 no TARGETDURATION");
    if (part_target <= 0) fail(rendition, "L1 no PART-TARGET");
    if (std::atof(attribute(control, "PART-HOLD-BACK").c_str()) < 3 * part_target - 1e-9)
      fail(rendition, "L2 PART-HOLD-BACK");
    if (std::atof(attribute(control, "HOLD-BACK").c_str()) < 3 * target) fail(rendition, "L2 HOLD-BACK");
    if (std::atof(attribute(control, "CAN-SKIP-UNTIL").c_str()) < 6 * target)
      fail(rendition, "L2 CAN-SKIP-UNTIL");
    if (attribute(control, "CAN-BLOCK-RELOAD") != "YES") fail(rendition, "L2 CAN-BLOCK-RELOAD");
    if (list.has_ended ? !list.part_hint.empty() : list.part_hint.empty())
      fail(rendition, "L9/G15 preload hint");
    if (list.segments.empty()) {
      fail(rendition, "empty playlist");
      return;
    }
    for (const auto& segment : list.segments)
      check_segment(rendition, followed, segment, target, part_target);
    check_delta(rendition, list, target);
    if (followed.has_list) check_update(rendition, followed, list, target);
    check_position(rendition, list);
    for (const auto& segment : list.segments) {
      ListedSegment& known = followed.known[segment.msn];
      if (segment.parts.size() >= known.parts.size()) known = segment;
    }
    while (!list.segments.empty() && !followed.known.empty() &&
           followed.known.begin()->first + 200 < list.segments.front().msn)
      followed.known.erase(followed.known.begin());
    followed.list = std::move(list);
    followed.has_list = true;
  }

  void check_segment(const Rendition& rendition, Followed& followed, const ListedSegment& segment,
                     double target, double part_target) {
    std::string where = " in segment " + std::to_string(segment.msn);
    if (segment.date.empty()) fail(rendition, "L13 no PDT" + where);
    if (segment.map.empty())
      fail(rendition, "no MAP" + where);
    else if (!rendition.find_init(
                 std::strtoull(segment.map.substr(rendition.name.size() + 2).c_str(), nullptr, 10)))
      fail(rendition, "MAP is not there" + where);
    double sum = 0;
    for (std::size_t i = 0; i < segment.parts.size(); ++i) {
      const ListedPart& part = segment.parts[i];
      sum += part.duration;
      if (part.duration > part_target + 1e-9) fail(rendition, "L4 part too long " + part.uri + where);
      bool is_last = i + 1 == segment.parts.size();
      bool may_be_short = part.is_independent || part.is_gap || is_last || segment.parts[i + 1].is_gap;
      if (!may_be_short && part.duration < part_target * 0.85 - 1e-5)
        fail(rendition, "L4 part too short " + part.uri + " " + std::to_string(part.duration) + where);
      std::uint64_t number = std::strtoull(part.uri.substr(rendition.name.size() + 2).c_str(), nullptr, 10);
      const Part* body = rendition.find_part(number);
      if (!body)
        fail(rendition, "part is not there " + part.uri);
      else if (body->is_gap != part.is_gap || body->body.empty() != part.is_gap)
        fail(rendition, "part's body " + part.uri);
    }
    if (!segment.is_complete) return;
    double extinf = std::atof(segment.extinf.c_str());
    if (std::round(extinf) > target) fail(rendition, "G7 EXTINF " + segment.extinf + where);
    if (!segment.parts.empty()) {
      if (std::abs(sum - extinf) > 1e-5 * (static_cast<double>(segment.parts.size()) + 1))
        fail(rendition, "L6 parts' sum " + std::to_string(sum) + " is not EXTINF " + segment.extinf + where);
      bool all_gap = std::ranges::all_of(segment.parts, &ListedPart::is_gap);
      if (all_gap != segment.is_gap) fail(rendition, "G20 GAP" + where);
      if (followed.judged.insert(segment.msn).second) {
        parts += segment.parts.size();
        for (const auto& part : segment.parts) gap_parts += part.is_gap;
        check_media(rendition, followed, segment);
      }
    }
    const Segment* body = rendition.find_segment(segment.msn);
    if (!body || !body->is_complete) fail(rendition, "segment is not there" + where);
  }

  // Parts' media lasts as long as their tags say, and one begins where the one before ended.
  void check_media(const Rendition& rendition, Followed& followed, const ListedSegment& segment) {
    const Segment* body = rendition.find_segment(segment.msn);
    if (!body || rendition.format->codec > media::Codec::kAac) return;
    double rate = rendition.format->kind() == media::Kind::kVideo ? 90'000 : rendition.format->sample_rate;
    if (segment.has_discontinuity) followed.media_end = 0;
    double date = 0;
    for (const Part& part : body->parts) {
      date += part.duration.as_seconds();
      if (part.is_gap) {
        followed.media_end = 0;
        continue;
      }
      ChunkTimes times = parse_chunk(part.body.bytes());
      std::string where = " in part " + std::to_string(part.number);
      if (!times.is_whole) fail(rendition, "chunk is not whole" + where);
      if (times.sequence <= followed.chunk) fail(rendition, "mfhd does not rise" + where);
      followed.chunk = times.sequence;
      if (std::abs(static_cast<double>(times.duration) / rate - part.duration.as_seconds()) > 2e-5 &&
          rate_is_kept)
        fail(rendition, "L6 media lasts " + std::to_string(times.duration) + where);
      if (followed.media_end != 0 && times.start != followed.media_end && rate_is_kept)
        fail(rendition, "media starts at " + std::to_string(times.start) + " not " +
                            std::to_string(followed.media_end) + where);
      if (times.starts_with_keyframe && !part.is_independent)
        fail(rendition, "L4 INDEPENDENT missing" + where);
      followed.media_end = times.start + times.duration;
    }
    if (std::abs(date - body->duration.as_seconds()) > 1e-4) fail(rendition, "segment's parts do not add up");
  }

  void check_delta(const Rendition& rendition, const ParsedPlaylist& list, double target) {
    if (rendition.playlist_delta.empty()) return;
    if (list.has_ended) fail(rendition, "D10 delta of an ended playlist");
    ParsedPlaylist delta = parse_playlist(rendition.playlist_delta.text());
    if (delta.skipped == 0) fail(rendition, "D10 delta without SKIP");
    if (delta.skipped + delta.segments.size() != list.segments.size())
      fail(rendition, "D10 delta loses segments");
    if (delta.media_sequence != list.media_sequence) fail(rendition, "D10 MEDIA-SEQUENCE of delta");
    if (delta.head["#EXT-X-VERSION"] != "#EXT-X-VERSION:9") fail(rendition, "G3 VERSION of delta");
    double kept = 0;
    for (const auto& segment : delta.segments)
      if (segment.is_complete) kept += std::atof(segment.extinf.c_str());
    if (kept < 6 * target - 0.01) fail(rendition, "D10 skips what is near");
    std::string_view full = rendition.playlist.text(), part = rendition.playlist_delta.text();
    std::size_t after = part.find('\n', part.find("#EXT-X-SKIP")) + 1;
    // Everything that was not skipped stands as it does in the whole playlist.
    if (!full.ends_with(part.substr(after))) fail(rendition, "D10 tail of delta differs");
  }

  void check_update(const Rendition& rendition, Followed& followed, const ParsedPlaylist& list,
                    double target) {
    ParsedPlaylist& before = followed.list;
    for (const char* tag :
         {"#EXT-X-TARGETDURATION", "#EXT-X-SERVER-CONTROL", "#EXT-X-PART-INF", "#EXT-X-VERSION"})
      if (before.head[tag] != const_cast<ParsedPlaylist&>(list).head[tag])
        fail(rendition, std::string("G6 changed ") + tag);
    if (before.has_ended) fail(rendition, "G15 update after ENDLIST");
    if (list.media_sequence < before.media_sequence) fail(rendition, "G8 MEDIA-SEQUENCE went back");
    if (list.media_sequence > before.media_sequence) {
      double left = 0;
      for (const auto& segment : list.segments)
        if (segment.is_complete) left += std::atof(segment.extinf.c_str());
      if (left < 3 * target) fail(rendition, "G10 shrunk below 3 TD");
    }
    std::uint64_t removed_discontinuities = 0;
    for (const auto& segment : before.segments)
      if (segment.msn < list.media_sequence && segment.has_discontinuity) ++removed_discontinuities;
    // So much may have come at once that some segments left the list before this reader saw them.
    std::uint64_t first_unseen = before.segments.back().msn + 1;
    std::uint64_t unseen = list.media_sequence > first_unseen ? list.media_sequence - first_unseen : 0;
    std::uint64_t least = before.discontinuity_sequence + removed_discontinuities;
    if (list.discontinuity_sequence < least || list.discontinuity_sequence > least + unseen)
      fail(rendition, "G9 DISCONTINUITY-SEQUENCE");
    if (list.segments.back().msn < before.segments.back().msn) fail(rendition, "G6 the end went back");
    for (const auto& segment : list.segments) {
      auto found = followed.known.find(segment.msn);
      if (found == followed.known.end()) continue;
      const ListedSegment& old = found->second;
      std::string where = " of segment " + std::to_string(segment.msn);
      if (old.date != segment.date) fail(rendition, "G6 PDT changed" + where);
      if (old.map != segment.map) fail(rendition, "G6 MAP changed" + where);
      if (old.has_discontinuity != segment.has_discontinuity)
        fail(rendition, "G6 DISCONTINUITY changed" + where);
      if (old.is_complete &&
          (old.extinf != segment.extinf || old.uri != segment.uri || old.is_gap != segment.is_gap))
        fail(rendition, "G6 changed" + where);
      if (segment.parts.empty()) continue;  // Its PART tags were removed.
      if (segment.parts.size() < old.parts.size()) fail(rendition, "G6 parts removed at the edge" + where);
      if (old.is_complete && segment.parts.size() != old.parts.size())
        fail(rendition, "G6 part added to a complete" + where);
      for (std::size_t i = 0; i < std::min(old.parts.size(), segment.parts.size()); ++i)
        if (!(old.parts[i] == segment.parts[i])) fail(rendition, "G6 part changed" + where);
    }
    // The hinted part is the first that is new.
    std::string next;
    const ListedSegment& edge = before.segments.back();
    for (const auto& segment : list.segments) {
      if (segment.msn < edge.msn) continue;
      if (segment.parts.empty()) break;  // So much came at once that its parts are not listed any more.
      std::size_t seen = segment.msn == edge.msn ? edge.parts.size() : 0;
      if (segment.parts.size() > seen) {
        next = segment.parts[seen].uri;
        break;
      }
    }
    if (!next.empty() && next != before.part_hint)
      fail(rendition, "L9 hint " + before.part_hint + " was not " + next);
    if (!before.map_hint.empty() && !next.empty() && list.segments.back().map != before.map_hint &&
        std::ranges::none_of(list.segments, [&](const auto& s) { return s.map == before.map_hint; }))
      fail(rendition, "L9 map hint " + before.map_hint);
  }

  void check_position(const Rendition& rendition, const ParsedPlaylist& list) {
    const ListedSegment& last = list.segments.back();
    if (rendition.last_msn != last.msn) fail(rendition, "last_msn is not the last segment's");
    if (rendition.last_part != static_cast<std::int64_t>(last.parts.size()) - 1) fail(rendition, "last_part");
    if (rendition.last_is_complete != last.is_complete) fail(rendition, "last_is_complete");
    if (rendition.has_ended != list.has_ended) fail(rendition, "has_ended");
    if (!list.has_ended &&
        list.part_hint != rendition.name + "/p" + std::to_string(rendition.next_part_number) + ".m4s")
      fail(rendition, "next_part_number");
  }

  void check_reports(const ChannelSnapshot& snapshot, const Rendition& rendition, Followed& followed) {
    std::size_t others = 0;
    for (const auto& other : snapshot.renditions) {
      if (snapshot.multivariant.text().find("/" + other->name + ".m3u8") == std::string_view::npos) continue;
      if (other->name == rendition.name) continue;
      ++others;
      auto found = followed.list.reports.find(other->name + ".m3u8");
      if (found == followed.list.reports.end()) {
        fail(rendition, "L12 no report of " + other->name);
        continue;
      }
      auto [msn, part] = found->second;
      if (msn > other->last_msn || (msn == other->last_msn && part > other->last_part))
        fail(rendition, "L12 report of the future");
      if (msn + 2 < other->last_msn && rendition.last_msn + 1 >= other->last_msn)
        fail(rendition, "L12 old report");
    }
    if (followed.list.reports.size() != others) fail(rendition, "L12 reports of others than the others");
  }

  void check_multivariant(const ChannelSnapshot& snapshot) {
    std::string_view text = snapshot.multivariant.text();
    if (text.empty()) return;
    if (!text.starts_with("#EXTM3U\n")) errors.push_back("G1 multivariant");
    if (text.find("#EXT-X-TARGETDURATION") != text.npos) errors.push_back("G4 mixed");
    std::size_t at = 0, variants = 0;
    while ((at = text.find("#EXT-X-STREAM-INF:", at)) != text.npos) {
      std::string line(text.substr(at, text.find('\n', at) - at));
      if (std::atof(attribute(line, "BANDWIDTH").c_str()) <= 0) errors.push_back("X1 BANDWIDTH");
      if (attribute(line, "CODECS").empty()) errors.push_back("X1 CODECS");
      ++variants;
      ++at;
    }
    if (variants == 0) errors.push_back("X1 no variant");
  }

  std::map<std::string, Followed> followed_;

 public:
  bool rate_is_kept = true;  // False where sample rates change: a segment's own is not known here.
};

}  // namespace stoa::live::testing
