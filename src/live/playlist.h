// Writes playlists: media playlists with partial segments and their delta updates, and the multivariant
// playlist (draft-pantos-hls-rfc8216bis-22). Text only; what stands in a playlist is decided elsewhere.
//
// A media playlist is rendered once per part. Lines of complete segments are written once, when the segment
// completes, so a rendering is a concatenation.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "live/snapshot.h"

namespace stoa::live {

// Frozen for the life of a broadcast and equal in all its playlists (rules G7, L2, L3).
struct PlaylistLimits {
  Duration part_target;
  std::uint32_t target_duration_s = 4;

  Duration target_duration() const { return Duration::seconds(target_duration_s); }
  Duration part_hold_back() const { return part_target * 3; }
  Duration hold_back() const { return target_duration() * 3; }
  Duration can_skip_until() const { return target_duration() * 6; }
  Duration parts_listed() const { return target_duration() * 3; }  // L7: older ones lose their PART tags.
};

// The lines of one segment, in the order they stand.
struct SegmentLines {
  std::string before_map;  // EXT-X-DISCONTINUITY.
  std::string map;         // EXT-X-MAP; used when it changes, and for the first segment listed.
  std::string after_map;   // EXT-X-PROGRAM-DATE-TIME.
  std::string parts;       // EXT-X-PART.
  std::string end;         // EXT-X-GAP, EXTINF, URI; empty while the segment is incomplete.
  bool map_changes = false;

  std::size_t size() const {
    return before_map.size() + map.size() + after_map.size() + parts.size() + end.size();
  }
};
// `name` is the rendition's, which is also the folder of its media.
void write_segment_start(std::string_view name, const Segment& segment, bool map_changes,
                         SegmentLines& lines);
void write_part(std::string_view name, const Part& part, SegmentLines& lines);
void write_segment_end(std::string_view name, const Segment& segment, SegmentLines& lines);

struct RenditionReport {
  std::string_view name;
  std::uint64_t last_msn = 0;
  std::int64_t last_part = -1;
};

struct MediaPlaylist {
  std::string_view name;
  PlaylistLimits limits;
  std::uint64_t media_sequence = 0;
  std::uint64_t discontinuity_sequence = 0;
  std::span<const SegmentLines* const> segments;  // Listed ones; the last may be incomplete.
  std::size_t first_with_parts = 0;               // Index into `segments`: older ones show no parts.
  std::uint64_t next_part_number = 0;             // For the preload hint.
  bool hints_map = false;                         // The next part needs init section `next_init_number`.
  std::uint64_t next_init_number = 0;
  std::span<const RenditionReport> reports;
  bool has_ended = false;
};
// With `skipped_segments` > 0 a delta update that leaves out that many segments; Requires: fewer than all.
std::string write_media_playlist(const MediaPlaylist& playlist, std::size_t skipped_segments);

// One rendition as the multivariant playlist tells of it.
struct VariantFacts {
  std::string_view name;
  std::string_view label;
  std::string_view language;
  const media::Format* format = nullptr;
  double frame_rate = 0;  // Measured when the bitstream does not say.
  std::uint64_t bandwidth = 1;
  std::uint64_t average_bandwidth = 1;
};
struct MultivariantOptions {
  // Beside pictures a variant of sound alone, for who has no bandwidth for more.
  bool offers_sound_alone = false;
};
// `folder` is what media playlists' URIs begin with (the broadcast). Variants stand in falling bandwidth:
// many players begin with the first. Requires: at least one rendition.
std::string write_multivariant(std::string_view folder, std::span<const VariantFacts> video,
                               std::span<const VariantFacts> audio, const MultivariantOptions& options = {});

}  // namespace stoa::live
