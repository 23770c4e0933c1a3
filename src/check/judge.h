// The judge: follows a live presentation as a strict player would, and judges it by the checklist.
//
// A pure machine. It asks for what it wants next (Fetch), is told what came (Exchange), and notes under each
// rule what that shows. It reloads every media playlist with blocking requests (alternating with delta
// updates), asks for hinted parts the moment they are hinted, downloads segments and init sections, and
// makes the deliberate requests of probes.h. The driver supplies time; nothing here waits.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "check/exchange.h"
#include "check/ledger.h"
#include "check/probes.h"
#include "check/rendition.h"
#include "check/report.h"

namespace stoa::check {

inline constexpr std::size_t kInFlightMax = 512;
inline constexpr std::size_t kMediaBytesMax = 64u << 20;  // One part or segment.
inline constexpr std::size_t kTimedProbesMax = 64;        // Waiting at once, a rendition.

struct JudgeConfig {
  std::string url;
  Duration watch = Duration::seconds(30);
  // What the way and the schedulers at both ends may add to a deadline of the checklist.
  Duration slack = Duration::milliseconds(150);
  // How long an answer "at once" may take.
  Duration prompt = Duration::milliseconds(500);
};

class Judge {
 public:
  explicit Judge(JudgeConfig config);

  // Inputs. Each runs to completion and appends its effects to `out`; time never goes back.
  void start(Timestamp now, Outputs& out);
  void handle_exchange(Timestamp now, WallTime wall, const Exchange& exchange, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);

  Timestamp next_deadline() const;
  bool is_done() const { return is_done_; }
  // Closes the books. Requires: is_done(), or the driver gives up early.
  Report finish(Timestamp now);

 private:
  enum class Purpose : std::uint8_t { kEntry, kReload, kPart, kSegment, kInit, kHint, kProbe };
  struct Pending {
    Purpose purpose;
    std::size_t rendition = 0;
    std::string url;
    bool is_blocking = false, asked_skip = false, asked_part = false, is_beyond_last = false;
    std::uint64_t msn = 0, part = 0;  // Asked for by a reload; whose part or segment it is.
    std::string key;                  // Of a hint or an init section.
    std::optional<Probe> probe;
  };
  struct TimedProbe {
    Timestamp at;
    std::size_t rendition;
    Probe probe;
  };
  // What drives one rendition besides its record.
  struct Course {
    std::size_t next_probe = 0;
    bool has_probe_in_flight = false, has_reload_in_flight = false, has_probed_end = false;
    bool needs_full = false;
    bool has_clock =
        false;  // The last arrivals were seen by a blocked reload, so their times mean something.
    Timestamp poll_at = Timestamp::never();
  };

  // judge.cc: playlists and the course of requests.
  bool send(Pending pending, std::string url, Outputs& out, Fetch fetch = {});
  void handle_entry(Timestamp now, const Pending& pending, const Exchange& exchange, Outputs& out);
  void add_rendition(const std::string& url, bool is_main, bool is_iframes);
  void request_reload(std::size_t index, Outputs& out);
  void handle_reload(Timestamp now, WallTime wall, const Pending& pending, const Exchange& exchange,
                     Outputs& out);
  void handle_bad_reload(Timestamp now, const Pending& pending, const Exchange& exchange);
  void judge_blocking(const Pending& pending, const Exchange& exchange, const m3u8::MediaPlaylist& list);
  std::optional<m3u8::MediaPlaylist> make_whole(const Pending& pending, const Exchange& exchange,
                                                m3u8::MediaPlaylist list);
  void take_list(Timestamp now, WallTime wall, const Pending& pending, const Exchange& exchange,
                 m3u8::MediaPlaylist list, Outputs& out);
  void judge_pace(const Pending& pending, const Exchange& exchange, const m3u8::MediaPlaylist& list);
  void note_removals(Timestamp now, std::size_t index, const m3u8::MediaPlaylist& list);
  void continue_course(Timestamp now, std::size_t index, bool is_changed, Outputs& out);
  void request_probe(std::size_t index, Outputs& out);
  void add_timed_probe(Timestamp at, std::size_t index, ProbeKind kind, const Resource& resource);
  void end(Timestamp now, Outputs& out);
  void judge_end(Timestamp now);

  // judge_media.cc: hints, parts, segments, init sections.
  void track_media(Timestamp now, std::size_t index, const m3u8::MediaPlaylist& list, Outputs& out);
  void track_segment(std::size_t index, const m3u8::Segment& segment, Outputs& out);
  void track_parts(Timestamp now, std::size_t index, const m3u8::Segment& segment, SegmentRecord& record,
                   Outputs& out);
  void judge_hint_match(std::size_t index, const m3u8::MediaPlaylist& before,
                        const m3u8::MediaPlaylist& after);
  void request_hints(Timestamp now, std::size_t index, const m3u8::MediaPlaylist& list, Outputs& out);
  void drop_old_hints(std::size_t index, const m3u8::MediaPlaylist& list);
  void request_resource(Pending pending, const Resource& resource, Outputs& out);
  void handle_hint(const Pending& pending, const Exchange& exchange, Outputs& out);
  void settle_hint(std::size_t index, HintRecord& hint, Outputs& out);
  void handle_media(const Pending& pending, const Exchange& exchange);
  void handle_init(const Pending& pending, const Exchange& exchange);
  void judge_delivery(Rendition& rendition, const std::string& what, const Exchange& exchange,
                      Duration duration, bool is_segment);
  void judge_ready_segments(std::size_t index);
  PartRecord* find_part(std::size_t index, const std::string& key);

  Resource resolve_resource(const std::string& base, const std::string& uri,
                            const std::optional<m3u8::ByteRange>& range, const Resource* before) const;
  Duration target_duration(const Rendition& rendition) const;

  JudgeConfig config_;
  Ledger ledger_;
  std::optional<m3u8::MultivariantPlaylist> multivariant_;
  std::vector<Rendition> renditions_;
  std::vector<Course> courses_;
  std::map<std::string, InitRecord> inits_;
  std::map<FetchId, Pending> pending_;
  std::vector<TimedProbe> timed_probes_;
  FetchId next_id_ = 1;
  Timestamp started_, end_at_ = Timestamp::never();
  bool is_done_ = false, is_judged_ = false;
  bool could_fetch_ = false;
  std::string problem_ = "nothing was answered";
  std::uint64_t parts_ = 0, segments_ = 0;
};

}  // namespace stoa::check
