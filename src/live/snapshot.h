// What a channel looks like at one moment: immutable, made by the channel's owner once per part, shared
// with every shard that serves viewers. Everything a playlist or media request needs is in here, so a
// request is answered without asking the owner and without a lock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "live/pictures.h"
#include "media/track.h"

namespace stoa::live {

// One EXT-X-PART. `number` counts parts of a rendition from 0 and never starts again, also across
// segments, so the URI of a preload hint ("p<number>.m4s") is right whatever segment it falls into.
struct Part {
  std::uint64_t number = 0;
  Duration duration;
  bool is_independent = false;
  bool is_gap = false;  // Holds no media; its body is empty and a request for it is answered 404.
  SharedBytes body;     // One moof and one mdat.
};

// One segment: the concatenation of its parts. Parts and segments may still be fetched after they left
// the playlist, until `Rendition::retained` lets go of them.
struct Segment {
  std::uint64_t media_sequence_number = 0;
  std::uint64_t init_number = 0;  // Which EXT-X-MAP holds for it.
  bool is_complete = false;
  bool is_gap = false;             // All of its parts are gaps.
  bool has_discontinuity = false;  // EXT-X-DISCONTINUITY stands before it.
  Duration start;                  // On the channel's timeline, from the start of the broadcast.
  Duration duration;               // Sum of its parts so far.
  WallTime program_date_time;
  std::vector<Part> parts;

  std::size_t size_bytes() const {
    std::size_t total = 0;
    for (const auto& part : parts) total += part.body.size();
    return total;
  }
};

struct InitSection {
  std::uint64_t number = 0;  // URI "i<number>.mp4".
  SharedBytes body;
};

// One media playlist and its media. Files are named relative to the playlist's folder:
// "<name>.m3u8", "<name>/p<part>.m4s", "<name>/s<msn>.m4s", "<name>/i<init>.mp4".
struct Rendition {
  std::string name;  // "v0", "v1", "a0": also its URI.
  std::shared_ptr<const media::Format> format;
  std::string label;               // The publisher's name for the track, may be empty.
  std::string language;            // BCP 47, may be empty.
  std::uint32_t bitrate = 0;       // Peak over the window, bits per second.
  std::uint32_t bitrate_mean = 0;  // Mean over the window.

  // Position of the live edge: the last segment listed, complete or not, and its last part so far.
  // `last_part` is -1 when the last listed segment has no part yet.
  std::uint64_t last_msn = 0;
  std::int64_t last_part = -1;
  // True when segment `last_msn` is complete (a request for it without _HLS_part is answered).
  bool last_is_complete = false;
  std::uint64_t next_part_number = 0;  // The one the preload hint names.

  Duration part_target;
  std::uint32_t target_duration_s = 0;
  bool has_ended = false;  // EXT-X-ENDLIST stands in it.

  SharedBytes playlist;        // The full playlist.
  SharedBytes playlist_delta;  // With EXT-X-SKIP; empty when nothing can be skipped.

  // Oldest first, the last may be incomplete. `retained` begins with segments that are not listed any
  // more but may still be fetched (G11, L7), and goes on with all that are listed.
  std::vector<std::shared_ptr<const Segment>> retained;
  std::vector<InitSection> init_sections;

  const Part* find_part(std::uint64_t number) const;
  const Segment* find_segment(std::uint64_t media_sequence_number) const;
  const InitSection* find_init(std::uint64_t number) const;
};

enum class ChannelState : std::uint8_t { kOffline, kLive, kInterrupted, kEnded };
const char* name_of(ChannelState state);

struct ChannelSnapshot {
  std::string channel;
  // Names this broadcast in URIs, so that what caches hold of an earlier one is never mistaken for it.
  std::string broadcast;
  ChannelState state = ChannelState::kOffline;
  // kInterrupted: the encoder is away and the grace time runs. Viewers see gaps.
  WallTime started_at;
  SharedBytes multivariant;  // Empty until every rendition has three parts.
  std::vector<std::shared_ptr<const Rendition>> renditions;
  std::shared_ptr<const Pictures> pictures;  // Null until a worker made some.
  std::vector<std::string> warnings;         // For the operator: "keyframe_interval_too_long", …

  const Rendition* find_rendition(std::string_view name) const;
};

}  // namespace stoa::live
