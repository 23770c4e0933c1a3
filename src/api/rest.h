// The REST API: everything under /api/ (see /api/openapi.json for what it says to the outside).
//
// Each request but those for rooms (rooms.h) is answered at once; it runs on the control thread, where the
// store is. What must happen on the shards comes out as effects. Whoever asks for more than what is public
// shows a bearer token (RFC 6750) made from an API key (control/api_keys.h).
//
// Answers for HEAD carry the body of GET; runtime/ leaves it away, and adds CORS and compression.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "api/rooms.h"
#include "base/bytes.h"
#include "base/metric.h"
#include "base/result.h"
#include "base/time.h"
#include "control/api_keys.h"
#include "control/channel_events.h"
#include "control/channels.h"
#include "control/effects.h"
#include "control/live_directory.h"
#include "control/publishing.h"
#include "control/stream_keys.h"
#include "control/transcoding.h"
#include "proto/http/message.h"

namespace stoa::api {

// Bodies are a few short texts; the largest legal one is a description of 4,000 four-byte characters,
// escaped.
inline constexpr std::size_t kRestBodyBytesMax = 64u << 10;

struct RestServices {
  control::Channels& channels;
  control::StreamKeys& stream_keys;
  control::ApiKeys& api_keys;
  control::Publishing& publishing;
  const control::LiveDirectory& live;
  const control::Transcoding* transcoding = nullptr;  // Unset: nothing is transcoded here.
  const control::ChannelEvents* events = nullptr;     // Unset: nothing is kept of what happens.
};

struct RestOptions {
  std::string version;  // As `stoa --version` says it.
  WallTime started_at;
};

// A query is to be answered with Rest::finish().
using RestOutcome = std::variant<http::Response, RoomsQuery>;

class Rest {
 public:
  Rest(const RestServices& services, const RestOptions& options);

  // True for the paths that `handle` answers.
  static bool owns(std::string_view path) { return path.starts_with("/api/"); }

  RestOutcome handle(WallTime now, const http::Request& request, control::Effects& effects);
  http::Response finish(WallTime now, const RoomsQuery& query, Result<RoomsReply, RoomsRefusal> reply);

  void append_metrics(MetricSamples& samples) const;

 private:
  friend struct RestCall;

  // The public list of live channels is asked for by every page every few seconds, so it is written once
  // a second at most.
  struct LiveList {
    bool is_written = false;
    std::int64_t second = 0;
    std::uint64_t live_revision = 0;
    std::uint64_t channels_revision = 0;
    SharedBytes body;
  };

  struct Document {
    SharedBytes body;
    std::string etag;  // Empty until the body is written.
  };

  const Document& openapi();  // Written when it is first asked for.
  RestOutcome answer(WallTime now, const http::Request& request, control::Effects& effects);
  http::Response count(http::Response response);

  RestServices services_;
  RestOptions options_;
  Document openapi_;
  LiveList live_list_;
  std::array<std::uint64_t, 6> answers_ = {};  // By the first digit of the status.
};

}  // namespace stoa::api
