// One RTMP publisher from the first byte to the last: bytes in, track events out.
//
//   PublishRequested -> accept() -> TrackFormat, TrackFrame … -> Ended -> Closed
//                    \-> reject() -> Closed
//
// Ended comes once if accept() was called, before Closed; every open track has had its TrackEnded by then.
// A publisher that says it is done gets kLinger to hang up by itself: encoders take an earlier end for a
// failure. After Closed the owner writes what was sent before and closes the socket; further inputs are
// ignored.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/metric.h"
#include "base/outbox.h"
#include "base/rng.h"
#include "base/time.h"
#include "proto/rtmp/connection.h"
#include "session/rtmp/tracks.h"

namespace stoa::session {

inline constexpr std::size_t kPublishParametersMax = 16;
inline constexpr Duration kLinger = Duration::seconds(2);

struct PublishRequested {
  std::string app;          // "live"
  std::string stream_name;  // Usually the stream key: a secret, never to be logged.
  std::vector<std::pair<std::string, std::string>> parameters;  // Of the query, percent-decoded, in order.

  // The first of that name.
  std::optional<std::string_view> find_parameter(std::string_view name) const;
};
struct Ended {};

enum class CloseReason : std::uint8_t {
  kRefused,      // What the peer did; `refusal` says what.
  kRejected,     // reject()
  kStopped,      // stop()
  kUnpublished,  // The publisher was done.
  kPeerGone,     // handle_disconnect()
};
const char* name_of(CloseReason reason);
struct Closed {
  CloseReason reason;
  std::optional<rtmp::Refusal> refusal;
};

enum class StopReason : std::uint8_t {
  kTakenOver,  // Another encoder has the channel now.
  kEnded,      // Somebody ended the broadcast.
  kShutdown,   // This server goes away.
};

using RtmpOutput =
    std::variant<rtmp::SendBytes, PublishRequested, media::TrackEvent, TrackRefused, Ended, Closed>;
using RtmpOutputs = Outbox<RtmpOutput>;

class RtmpSession {
 public:
  RtmpSession(const rtmp::Config& config, Rng rng, Timestamp now) : connection_(config, rng, now) {}

  void handle_bytes(Timestamp now, Bytes bytes, RtmpOutputs& out);
  void handle_deadline(Timestamp now, RtmpOutputs& out);
  // The socket is closed or broken.
  void handle_disconnect(RtmpOutputs& out);
  Timestamp next_deadline() const {
    return is_closed_ ? Timestamp::never() : std::min(connection_.next_deadline(), linger_until_);
  }

  // Do nothing unless a PublishRequested waits for its answer.
  void accept(Timestamp now, RtmpOutputs& out);
  void reject(std::string_view reason, RtmpOutputs& out);
  void stop(StopReason reason, RtmpOutputs& out);

  bool is_publishing() const { return is_accepted_ && !has_ended_; }
  bool is_closed() const { return is_closed_; }
  const rtmp::Stats& stats() const { return connection_.stats(); }
  const Tracks& tracks() const { return tracks_; }

 private:
  void deliver(CloseReason reason, RtmpOutputs& out);
  void ask(rtmp::PublishRequested& asked, RtmpOutputs& out);
  void deliver_tracks(RtmpOutputs& out);
  void end(RtmpOutputs& out);
  void close(CloseReason reason, std::optional<rtmp::Refusal> refusal, RtmpOutputs& out);

  rtmp::Connection connection_;
  Tracks tracks_;
  rtmp::Outputs events_;       // Empty between inputs.
  TrackOutputs track_events_;  // Empty between inputs.
  Timestamp linger_until_ = Timestamp::never();
  Timestamp now_;
  bool is_accepted_ = false;
  bool has_ended_ = false;
  bool is_closed_ = false;
};

// Sums over sessions, for /metrics; includes rtmp::Stats.
struct RtmpStats {
  rtmp::Stats connection;
  std::uint64_t frames = 0;
  std::uint64_t tracks_refused = 0;
  std::array<std::uint64_t, kPacketDrops> drops{};
  std::array<std::uint64_t, flv::kRefusals> bad_tags{};

  void add(const RtmpSession& session);
  void append_samples(MetricSamples& samples) const;
};

}  // namespace stoa::session
