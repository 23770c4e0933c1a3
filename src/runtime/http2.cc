// HTTP/2 on a connection: joins proto/http's Http2Connection to a socket and to the request table.

#include <unordered_map>

#include "base/outbox.h"
#include "proto/http/http2_connection.h"
#include "runtime/http_session.h"
#include "runtime/loop.h"

namespace stoa::runtime {
namespace {

// Frames are made only so far ahead of the kernel; what is not made yet can still be reordered by urgency.
constexpr std::size_t kOutputBytes = 256u << 10;
// Between the two GOAWAYs of a graceful end: what a client sent before it saw the first is still taken.
const Duration kDrainNotice = Duration::milliseconds(250);

http::Http2Limits limits_of(const HttpLimits& limits) {
  http::Http2Limits h2;
  h2.concurrent_streams = limits.concurrent_streams;
  h2.header_bytes = limits.header_bytes;
  h2.body_bytes = limits.body_bytes;
  h2.connection_body_bytes = 4 * limits.body_bytes;
  return h2;
}

class Http2Session : public HttpSession {
 public:
  Http2Session(HttpCore& core, ConnectionId id, const HttpPeer& peer)
      : core_(core), id_(id), connection_(limits_of(core.limits), peer.address, peer.is_secure) {
    pump();
    set_deadline(Loop::now() + core_.limits.header_timeout);
  }

  void handle_bytes(Bytes bytes) override;
  void handle_writable() override { pump(); }
  void handle_deadline() override;
  void handle_closed() override;
  void respond(std::uint32_t stream, http::Response&& response) override;
  void begin_drain() override;

 private:
  void process(Outbox<http::Http2Event>& events);
  void take_request(http::Http2Request& request);
  void answer_refused(const http::Http2Refused& refused);
  void pump();
  void fail(http::Http2Refusal refusal);
  void judge_deadline();
  void set_deadline(Timestamp at) { core_.set_deadline(id_, at); }

  HttpCore& core_;
  ConnectionId id_;
  http::Http2Connection connection_;
  std::unordered_map<std::uint32_t, RequestId> waiting_;
  bool is_busy_ = false;  // Inside handle_bytes: output is written once, at its end.
  bool is_closing_ = false;
  bool is_draining_ = false;
  bool has_finished_drain_ = false;
  bool was_incomplete_ = false;
  bool was_idle_ = false;
};

void Http2Session::handle_bytes(Bytes bytes) {
  if (is_closing_) return;
  is_busy_ = true;
  Outbox<http::Http2Event> events;
  auto result = connection_.handle_input(Loop::now(), bytes, events);
  process(events);
  is_busy_ = false;
  pump();
  if (!result) fail(result.error());
}

void Http2Session::process(Outbox<http::Http2Event>& events) {
  for (http::Http2Event& event : events.take()) {
    std::visit(Overloaded{[&](http::Http2Request& request) { take_request(request); },
                          [&](http::Http2Refused& refused) { answer_refused(refused); },
                          [&](http::Http2Cancelled& cancelled) {
                            auto it = waiting_.find(cancelled.stream);
                            if (it == waiting_.end()) return;
                            RequestId id = it->second;
                            waiting_.erase(it);
                            core_.cancel(id);
                          }},
               event);
  }
}

void Http2Session::take_request(http::Http2Request& request) {
  // Entered first: an answer given at once takes it out again.
  waiting_[request.stream] = RequestId();
  RequestId id = core_.submit(id_, request.stream, std::move(request.request));
  auto it = waiting_.find(request.stream);
  if (it != waiting_.end()) it->second = id;
}

void Http2Session::answer_refused(const http::Http2Refused& refused) {
  http::Response response;
  switch (refused.status) {
    case 431:
      core_.count(HttpRefusal::kHeaderTooLarge);
      response = http::make_error_response(431, "header_too_large", "The request's header is too large.");
      break;
    case 413:
      core_.count(HttpRefusal::kBodyTooLarge);
      response = http::make_error_response(413, "body_too_large", "The request's body is too large.");
      break;
    default:
      core_.count(HttpRefusal::kMalformed);
      response = http::make_error_response(400, "bad_request", "The request is not well-formed HTTP.");
  }
  http::apply_semantics({}, Loop::wall(), response);
  connection_.respond(refused.stream, std::move(response));
}

void Http2Session::respond(std::uint32_t stream, http::Response&& response) {
  waiting_.erase(stream);
  connection_.respond(stream, std::move(response));
  if (!is_busy_) pump();
}

void Http2Session::pump() {
  if (is_closing_ || is_busy_) return;
  is_busy_ = true;
  Outbox<http::Http2Event> events;
  std::vector<SharedBytes> chunks;
  for (;;) {
    std::size_t queued = core_.tcp.queued_bytes(id_);
    if (queued >= kOutputBytes) break;
    chunks.clear();
    auto produced = connection_.take_output(kOutputBytes - queued, chunks, events);
    if (!chunks.empty() && !core_.tcp.send(id_, {}, chunks)) break;
    if (!produced) {
      is_busy_ = false;
      return fail(produced.error());
    }
    if (*produced == 0) break;
  }
  process(events);
  is_busy_ = false;
  if (connection_.is_finished()) {
    is_closing_ = true;
    set_deadline(Timestamp::never());
    return core_.tcp.close(id_);
  }
  judge_deadline();
}

// Idle without streams; impatient while a request is arriving; none while requests wait or are answered.
void Http2Session::judge_deadline() {
  bool is_idle = connection_.open_streams() == 0, is_incomplete = connection_.incomplete_requests() > 0;
  if (is_draining_ && !has_finished_drain_) return;
  if (is_incomplete && !was_incomplete_)
    set_deadline(Loop::now() + core_.limits.body_timeout);
  else if (is_idle && !was_idle_)
    set_deadline(Loop::now() + core_.limits.idle_timeout);
  else if (!is_idle && !is_incomplete)
    set_deadline(Timestamp::never());
  was_incomplete_ = is_incomplete;
  was_idle_ = is_idle;
}

void Http2Session::handle_deadline() {
  if (is_closing_) return;
  if (is_draining_ && !has_finished_drain_) {
    has_finished_drain_ = true;
    was_idle_ = was_incomplete_ = false;
    connection_.finish_drain();
    return pump();
  }
  if (connection_.incomplete_requests() > 0) core_.count(HttpRefusal::kSlowBody);
  connection_.finish_drain();
  pump();
  if (is_closing_) return;
  is_closing_ = true;
  core_.tcp.close(id_);
}

void Http2Session::handle_closed() {
  is_closing_ = true;
  for (auto& [stream, id] : std::exchange(waiting_, {})) core_.cancel(id);
}

void Http2Session::begin_drain() {
  if (is_closing_ || std::exchange(is_draining_, true)) return;
  connection_.begin_drain();
  pump();
  set_deadline(Loop::now() + kDrainNotice);
}

void Http2Session::fail(http::Http2Refusal refusal) {
  if (std::exchange(is_closing_, true)) return;
  core_.count(refusal == http::Http2Refusal::kProtocol ? HttpRefusal::kHttp2Protocol
                                                       : HttpRefusal::kHttp2Flood);
  set_deadline(Timestamp::never());
  core_.tcp.close(id_);
}

}  // namespace

std::unique_ptr<HttpSession> make_http2_session(HttpCore& core, ConnectionId id, const HttpPeer& peer) {
  return std::make_unique<Http2Session>(core, id, peer);
}

}  // namespace stoa::runtime
