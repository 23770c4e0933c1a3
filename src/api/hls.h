// The LL-HLS origin of one shard: answers every GET under /live/ from channel snapshots, and holds the
// requests that ask for what does not exist yet (draft-pantos-hls-rfc8216bis-22 §6.2.5, Appendix B).
//
// A held request is one node in a list, woken when the owner's next snapshot reaches what it asks for, and
// let go of when its client goes away. The answer is the snapshot's own bytes: no playlist is rendered here
// and nothing in a body depends on who asks. Gzip forms are made once per snapshot and shard, when the first
// viewer wants them.
//
//   /live/{channel}/index.m3u8                      multivariant playlist
//   /live/{channel}/{broadcast}/{rendition}.m3u8    media playlist, with _HLS_msn, _HLS_part, _HLS_skip
//   /live/{channel}/{broadcast}/{rendition}/p<n>.m4s, s<msn>.m4s, i<n>.mp4
//
// and pictures (api/pictures.h).
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/answer.h"
#include "base/metric.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "live/snapshot.h"
#include "proto/http/message.h"

namespace stoa::api {

// Delivery directives of a playlist request (§6.2.5). Unknown _HLS_ directives are ignored.
struct Directives {
  enum class Skip : std::uint8_t { kNo, kYes, kV2 };
  std::optional<std::uint64_t> msn;
  std::optional<std::uint64_t> part;
  Skip skip = Skip::kNo;
};
enum class DirectiveRefusal : std::uint8_t {
  kNotDecimal,      // _HLS_msn or _HLS_part is no decimal integer of at most 19 digits.
  kPartWithoutMsn,  // D7.
  kBadSkip,         // _HLS_skip is neither YES nor v2.
};
Result<Directives, DirectiveRefusal> parse_directives(std::string_view query);

class HlsOrigin {
 public:
  struct Config {
    std::size_t waiters_max = 200'000;  // Requests held at once; one more is answered 503.
    std::size_t channels_max = 20'000;
    std::size_t viewers_counted_max = 1024;        // Distinct viewers remembered per channel and shard.
    Duration ended_kept = Duration::seconds(300);  // An ended broadcast stays fetchable this long.
  };
  using Outputs = Outbox<Answer>;

  explicit HlsOrigin(const Config& config) : config_(config) {}

  // A newer state of a channel; wakes what it satisfies.
  void handle_snapshot(Timestamp now, std::shared_ptr<const live::ChannelSnapshot> snapshot, Outputs& out);
  // Answers now or later. Requires: request.path begins with "/live/".
  void handle_request(Timestamp now, RequestKey key, const http::Request& request, Outputs& out);
  // Its client went away; nothing if it does not wait here.
  void handle_cancelled(RequestKey key);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const { return next_deadline_; }
  // Answers 503 to everything that waits; used when the server drains.
  void drain(Outputs& out);

  // People watching a channel through this shard. Viewers are told apart by address, user agent and
  // playback session; `hashes` holds them while they are few, so that the same viewer on two shards
  // (HTTP/1.1 opens several connections) is counted once. `count` is never below the number of playlist
  // reloads held at once, so that many viewers behind one address are seen too.
  struct Audience {
    std::string channel;
    std::size_t count = 0;
    std::vector<std::uint32_t> hashes;
  };
  std::vector<Audience> audiences(Timestamp now);

  std::size_t waiters() const { return waiters_.size(); }
  void append_metrics(MetricSamples& samples) const;

 private:
  struct Stand;
  struct WaiterList;
  // Node of one list, owned by waiters_.
  struct Waiter {
    RequestKey request = 0;
    Timestamp deadline;
    bool is_delta = false;
    bool is_gzip = false;
    bool is_blocking = false;  // Asked for by name: directives, or a hinted part.
    Stand* reloads = nullptr;  // Counted in its reloads_waiting.
    WaiterList* list = nullptr;
    Waiter *previous = nullptr, *next = nullptr;
  };
  // In order of arrival. Stays where it is while it has waiters.
  struct WaiterList {
    WaiterList() = default;
    WaiterList(const WaiterList&) = delete;
    WaiterList& operator=(const WaiterList&) = delete;
    Waiter *first = nullptr, *last = nullptr;
  };
  // One rendition as this shard serves it.
  struct Stand {
    std::shared_ptr<const live::Rendition> rendition;
    SharedBytes playlist_gzip, playlist_delta_gzip;       // Empty until somebody asks.
    std::map<std::uint64_t, WaiterList> part_waiters;     // msn << 16 | part.
    std::map<std::uint64_t, WaiterList> segment_waiters;  // msn.
    std::map<std::uint64_t, WaiterList> media_waiters;    // Part number; hinted parts.
    std::size_t reloads_waiting = 0;
    std::size_t reloads_waiting_peak = 0;
    std::uint8_t urgency = 3;
  };
  struct Broadcast {
    std::shared_ptr<const live::ChannelSnapshot> snapshot;
    std::map<std::string, Stand, std::less<>> stands;
    WaiterList multivariant_waiters;
    SharedBytes multivariant_gzip;
    Timestamp forget_at = Timestamp::never();
  };
  struct Channel {
    std::list<Broadcast> broadcasts;  // Newest last; at most two.
    std::unordered_map<std::uint32_t, Timestamp> viewers;
  };
  enum Counted : std::uint8_t {
    kPlaylist,
    kPlaylistDelta,
    kMultivariant,
    kMedia,
    kPicture,
    kHeld,
    kBadRequest,
    kNotFound,
    kTimedOut,
    kTooMany,
    kCountedEnd
  };

  void handle_multivariant(Timestamp now, RequestKey key, Channel* channel, bool gzip, Outputs& out);
  void handle_playlist(Timestamp now, RequestKey key, Stand& stand, const http::Request& request,
                       Outputs& out);
  void handle_media(Timestamp now, RequestKey key, Stand& stand, std::string_view broadcast,
                    std::string_view file, Outputs& out);
  void handle_picture(RequestKey key, const Broadcast* broadcast, std::string_view file, Outputs& out);
  void hold(Timestamp now, WaiterList& list, Waiter waiter, Duration patience, Outputs& out);
  void let_go(Waiter& waiter);
  // Empties the list, oldest first, after `answer` of each.
  template <typename Answerer>
  void release(WaiterList& list, Answerer&& answer);
  void wake(Stand& stand, Outputs& out);
  void answer_playlist(Stand& stand, const Waiter& waiter, Outputs& out);
  void answer_offline(RequestKey key, Outputs& out);
  void answer_multivariant(Broadcast& broadcast, RequestKey key, bool gzip, Outputs& out);
  void answer_part(Stand& stand, RequestKey key, const live::Part& part, Outputs& out);
  void answer_error(RequestKey key, int status, std::string_view code, std::string_view message,
                    std::uint32_t max_age_s, Outputs& out);
  void count_viewer(Timestamp now, Channel& channel, const http::Request& request);
  // Answers 503 to the waiters of `list` whose time is over (to all when `now` is never) and tells the
  // earliest deadline that is left.
  Timestamp expire(Timestamp now, WaiterList& list, Outputs& out);
  Timestamp expire(Timestamp now, Broadcast& broadcast, Outputs& out);
  Timestamp expire_all(Timestamp now, Outputs& out);

  Config config_;
  std::map<std::string, Channel, std::less<>> channels_;
  std::unordered_map<RequestKey, Waiter> waiters_;
  Timestamp next_deadline_ = Timestamp::never();
  std::array<std::uint64_t, kCountedEnd> counted_{};
};

}  // namespace stoa::api
