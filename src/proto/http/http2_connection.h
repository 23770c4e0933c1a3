// Server side of one HTTP/2 connection (RFC 9113) without a socket: bytes in, requests out; answers in,
// bytes out. Framing, HPACK and flow control are nghttp2's; limits and judgement are ours.
//
// Answers are not copied: `take_output` gives frame heads in small buffers and the bodies' own slices
// between them. Streams are ordered by urgency (RFC 9218): the client's `priority`, unless the response's
// own urgency differs from the default.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/http/message.h"

namespace stoa::http {

struct Http2Limits {
  std::uint32_t concurrent_streams = 128;
  std::size_t header_bytes = 16u << 10;  // Names and values of one request; above it 431.
  std::size_t header_fields = 100;
  std::size_t body_bytes = 1u << 20;  // Of one request; above it 413.
  // Bodies still arriving, all streams together; a stream above it is reset.
  std::size_t connection_body_bytes = 4u << 20;
  // Streams the peer reset before their answer was complete (CVE-2023-44487), as a bucket: so many at once,
  // so many more a second.
  std::uint32_t resets = 1000;
  std::uint32_t resets_per_second = 33;
  // PING, SETTINGS, PRIORITY, PRIORITY_UPDATE, unknown and empty frames: they cost us and carry nothing.
  std::uint32_t control_frames = 1000;
  std::uint32_t control_frames_per_second = 200;
};

// After any of these the connection is dead; what `take_output` still gives (GOAWAY) may be sent.
enum class Http2Refusal : std::uint8_t {
  kProtocol,      // Broke the framing or the rules of RFC 9113.
  kResetFlood,    // Opened and reset streams too fast.
  kControlFlood,  // Sent too many frames without substance.
};
const char* name_of(Http2Refusal refusal);

struct Http2Request {
  std::uint32_t stream;
  Request request;
};
// The client reset the stream, or the connection ends, before it was answered in full.
struct Http2Cancelled {
  std::uint32_t stream;
};
// A request that is not handed on: answer it with `status` (400, 413 or 431).
struct Http2Refused {
  std::uint32_t stream;
  int status;
};
using Http2Event = std::variant<Http2Request, Http2Cancelled, Http2Refused>;

class Http2Connection {
 public:
  Http2Connection(const Http2Limits& limits, std::string peer_address, bool is_secure);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  Result<void, Http2Refusal> handle_input(Timestamp now, Bytes bytes, Outbox<Http2Event>& out);
  // A final response (apply_semantics was here). False when the stream is gone or was answered.
  bool respond(std::uint32_t stream, Response&& response);
  // Appends what is ready to be sent, about `limit` bytes at most; what flow control or `limit` holds back
  // comes with a later call. Cancellations caused by our own limits are in `out`.
  Result<std::size_t, Http2Refusal> take_output(std::size_t limit, std::vector<SharedBytes>& chunks,
                                                Outbox<Http2Event>& out);

  // GOAWAY: first that the end is near, so that requests already on their way are still taken; then, with
  // `finish_drain`, that nothing after the last one seen is (RFC 9113 §6.8).
  void begin_drain();
  void finish_drain();

  std::size_t open_streams() const;
  // Streams whose request has not arrived in full.
  std::size_t incomplete_requests() const;
  // Of answers' bodies, since the beginning: it stands still while the peer's windows are shut.
  std::uint64_t body_bytes_sent() const;
  // Nothing more will be read or written: GOAWAY was sent or received and every stream is done.
  bool is_finished() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::http
