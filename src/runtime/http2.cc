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
    idle_until_ = Loop::now() + core_.limits.header_timeout;
    pump();
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
  void count(http::Http2Refusal refusal);
  void close();
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
  // What the connection is waited for; never() when it is not.
  Timestamp request_until_ = Timestamp::never();  // The rest of a request.
  Timestamp idle_until_ = Timestamp::never();     // A request at all.
  Timestamp answer_until_ = Timestamp::never();   // That the peer lets more of an answer through.
  std::uint64_t body_bytes_seen_ = 0;
};

void Http2Session::handle_bytes(Bytes bytes) {
  if (is_closing_) return;
  is_busy_ = true;
  Outbox<http::Http2Event> events;
  auto result = connection_.handle_input(Loop::now(), bytes, events);
  process(events);
  is_busy_ = false;
  if (!result) count(result.error());
  pump();  // GOAWAY says why.
  if (!result) close();
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
      count(produced.error());
      return close();
    }
    if (*produced == 0) break;
  }
  process(events);
  is_busy_ = false;
  if (connection_.is_finished()) return close();
  judge_deadline();
}

void Http2Session::judge_deadline() {
  if (is_draining_ && !has_finished_drain_) return;
  Timestamp now = Loop::now();
  auto wait = [&](Timestamp& until, bool is_waited_for, bool is_anew, Duration patience) {
    if (!is_waited_for)
      until = Timestamp::never();
    else if (is_anew || until == Timestamp::never())
      until = now + patience;
  };
  std::size_t streams = connection_.open_streams(), incomplete = connection_.incomplete_requests();
  bool has_progressed = connection_.body_bytes_sent() != body_bytes_seen_;
  body_bytes_seen_ = connection_.body_bytes_sent();
  wait(request_until_, incomplete > 0, false, core_.limits.body_timeout);
  wait(idle_until_, streams == 0, false, core_.limits.idle_timeout);
  wait(answer_until_, streams > incomplete + waiting_.size(), has_progressed,
       core_.limits.write_stall_timeout);
  set_deadline(std::min({request_until_, idle_until_, answer_until_}));
}

void Http2Session::handle_deadline() {
  if (is_closing_) return;
  if (is_draining_ && !has_finished_drain_) {
    has_finished_drain_ = true;
    connection_.finish_drain();
    return pump();
  }
  Timestamp now = Loop::now();
  bool is_slow = now >= request_until_, is_stalled = now >= answer_until_;
  // A long answer is still on its way through TCP, which judges its progress itself.
  if (!is_slow && core_.tcp.queued_bytes(id_) > 0) {
    idle_until_ = answer_until_ = Timestamp::never();
    return judge_deadline();
  }
  if (is_slow) core_.count(HttpRefusal::kSlowBody);
  if (is_stalled) core_.count(HttpRefusal::kHttp2Stalled);
  connection_.finish_drain();
  pump();
  close();
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

void Http2Session::count(http::Http2Refusal refusal) {
  core_.count(refusal == http::Http2Refusal::kProtocol ? HttpRefusal::kHttp2Protocol
                                                       : HttpRefusal::kHttp2Flood);
}

void Http2Session::close() {
  if (std::exchange(is_closing_, true)) return;
  set_deadline(Timestamp::never());
  core_.tcp.close(id_);
}

}  // namespace

std::unique_ptr<HttpSession> make_http2_session(HttpCore& core, ConnectionId id, const HttpPeer& peer) {
  return std::make_unique<Http2Session>(core, id, peer);
}

}  // namespace stoa::runtime
