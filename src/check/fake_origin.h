// A correct LL-HLS origin in virtual time, for tests: it answers the judge's requests when a real one would.
// Hooks make it wrong in one way at a time.
//
// Two renditions, v0 (H.264, 30 frames a second) and a0 (Opus); parts of 0.4 s, segments of 5 parts. The
// broadcast began a minute before the test does.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "check/judge.h"

namespace stoa::check {

inline constexpr std::uint64_t kPartsPerSegment = 5;
inline constexpr Duration kPart = Duration::milliseconds(400);
inline constexpr Duration kSegment = Duration::seconds(2);
inline constexpr const char* kFakeUrl = "https://origin.test/live/index.m3u8";

struct Reply {
  int status = 200;
  std::vector<HeaderField> headers;
  std::string body;
  bool is_cut = false;
  Timestamp first_byte, last_byte;

  void set(const std::string& name, const std::string& value);
  void drop(const std::string& name);
};

struct Page {  // What a media playlist shows.
  std::string rendition;
  std::uint64_t parts = 0;  // Published so far.
  bool is_delta = false;
  Duration elapsed;  // Since the test began.
};

struct FakeOptions {
  bool is_low_latency = true, can_skip = true, has_i_frames = false, is_media_only = false;
  std::optional<std::uint64_t> discontinuity_msn;  // New MAP and new timestamps from this segment on.
  std::optional<std::uint64_t> gap_msn;            // The encoder was away.
  std::optional<std::uint64_t> gap_part;           // It was away for a part.
  std::optional<std::uint64_t> end_parts;          // ENDLIST after so many parts.
  std::uint64_t window = 10;                       // Complete segments listed.
  std::uint64_t bunch = 1;                         // So many parts are published at once.
  Duration since_start = Duration::seconds(60);
  std::string multivariant_more;  // Lines for the multivariant playlist.
  std::string head_more;          // Lines behind every media playlist's head.
  int http_version = 20;
  std::string tls = "TLSv1.3";

  std::function<void(std::string&)> edit_multivariant;
  std::function<void(std::string&, const Page&)> edit_playlist;
  std::function<void(const Fetch&, Reply&)> edit_reply;
  std::function<void(Buffer&, const std::string& name, std::uint64_t part)> edit_part;
  std::function<void(Buffer&, const std::string& name, std::uint64_t msn)> edit_segment;
  std::function<void(Buffer&, const std::string& name, std::uint64_t number)> edit_init;
  std::function<std::int64_t(const std::string& name, std::uint64_t part)> tfdt_shift_ms;
};

class FakeOrigin {
 public:
  explicit FakeOrigin(FakeOptions options) : options_(std::move(options)) {}
  Reply answer(const Fetch& fetch, Timestamp now) const;
  // Runs a judge against it until it is done.
  Report judge(Duration watch = Duration::seconds(40)) const;

  const FakeOptions& options() const { return options_; }

 private:
  std::uint64_t parts_at(Timestamp at) const;
  Timestamp time_of(std::uint64_t parts) const;  // Where so many end.
  std::uint64_t bunched(std::uint64_t parts) const {
    return (parts + options_.bunch - 1) / options_.bunch * options_.bunch;
  }
  Timestamp ready_at(std::uint64_t parts) const {
    return time_of(bunched(parts));
  }  // When they are published.
  Reply answer_playlist(const Fetch& fetch, const std::string& name, Timestamp now) const;
  Reply answer_media(const Fetch& fetch, const std::string& path, Timestamp now) const;
  std::string write_multivariant() const;
  std::string write_playlist(const std::string& name, std::uint64_t parts, const std::string& skip) const;
  std::string write_segment(const std::string& name, std::uint64_t msn, std::uint64_t parts,
                            bool has_parts) const;
  bool has_discontinuity(std::uint64_t msn) const { return options_.discontinuity_msn == msn; }
  std::uint64_t init_of(std::uint64_t msn) const {
    return options_.discontinuity_msn && msn >= *options_.discontinuity_msn;
  }
  Buffer make_part(const std::string& name, std::uint64_t part) const;
  bool is_first_of_segment(std::uint64_t part) const;
  Buffer make_segment(const std::string& name, std::uint64_t msn) const;

  FakeOptions options_;
};

// A minimal writer of fragmented MP4, of its own.
struct FakeTrack {
  bool is_video = true;
  std::uint32_t track_id = 1;
  std::uint8_t level = 0x1f;
};
Buffer fake_init(const FakeTrack& track);
struct FakeFragment {
  std::uint32_t sequence_number = 1;
  std::uint64_t decode_time = 0;
  std::uint32_t samples = 1, sample_duration = 3000, sample_size = 100;
  bool starts_with_sync = true, all_sync = false;
  std::uint32_t track_id = 1;
};
Buffer fake_fragment(const FakeFragment& fragment);

// Replaces the first (or every) `from`; false when there is none.
bool replace_in(std::string& text, std::string_view from, std::string_view to, bool all = false);
// Removes every line that begins so.
void drop_lines(std::string& text, std::string_view beginning);

}  // namespace stoa::check
