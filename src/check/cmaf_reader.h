// Fragmented MP4 as a suspicious reader sees it (ISO/IEC 14496-12 boxes, 23000-19 tracks). Written apart
// from the writer in media/ on purpose: a judge that shares code with the accused finds nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace stoa::check {

inline constexpr std::size_t kInitTracksMax = 16;
inline constexpr std::size_t kFragmentsMax = 4'096;
inline constexpr std::uint32_t kSamplesMax = 1'000'000;  // In one trun.

enum class CmafRefusal : std::uint8_t {
  kTruncated,     // A box or a field ends behind its parent.
  kNotMp4,        // Does not begin with a box of fragmented MP4 (MPEG-TS, packed audio, HTML …).
  kMissingBox,    // A box that must be there is not.
  kBadValue,      // A field holds what the standard forbids.
  kTooMany,       // More tracks, fragments or samples than the limits.
  kUnknownTrack,  // A fragment of a track that the init section lacks.
  kOutsideMdat,   // Samples that do not lie in the mdat of their moof.
};
const char* name_of(CmafRefusal refusal);

struct InitTrack {
  std::uint32_t track_id = 0;
  std::uint32_t timescale = 0;
  std::string handler;       // vide, soun, text, subt …
  std::string sample_entry;  // avc1, mp4a …
  std::string codec;         // As CODECS names it: avc1.64001f. The sample entry when nothing more is known.
  std::uint32_t width = 0, height = 0, channels = 0, sample_rate = 0;
  std::uint32_t default_duration = 0, default_size = 0, default_flags = 0;  // trex.
  bool operator==(const InitTrack&) const = default;
};
struct InitFacts {
  std::vector<InitTrack> tracks;
  const InitTrack* find(std::uint32_t track_id) const;
  bool operator==(const InitFacts&) const = default;
};
Result<InitFacts, CmafRefusal> read_init(Bytes bytes);

// One traf of one moof.
struct Fragment {
  std::uint32_t sequence_number = 0;
  std::uint32_t track_id = 0;
  std::uint64_t decode_time = 0;  // tfdt, ticks.
  std::uint64_t duration = 0;     // Sum of the samples, ticks.
  std::uint32_t samples = 0;
  std::uint32_t sync_samples = 0;
  bool starts_with_sync = false;
  std::uint64_t size_bytes = 0;  // Of its samples.
};
// A part or a segment: moof and mdat, any number of times, with styp, sidx, prft, emsg between.
Result<std::vector<Fragment>, CmafRefusal> read_fragments(Bytes bytes, const InitFacts& init);

}  // namespace stoa::check
