// HTTP/1.1 (RFC 9112): Beast parses requests, answers are written here. One request of a connection is with
// the application at a time; bytes behind it wait.

#include <array>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>

#include "base/assert.h"
#include "base/letters.h"
#include "runtime/http_session.h"
#include "runtime/loop.h"

namespace stoa::runtime {
namespace {

namespace beast = boost::beast;
using Parser = beast::http::request_parser<beast::http::string_body>;
using ParseError = beast::http::error;

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kFieldLimit = 100;
// So much answered and not taken by the peer: its further requests wait.
constexpr std::size_t kQueuedAnswersMax = 256u << 10;

struct Refused {
  int status;
  HttpRefusal refusal;
  const char* code;
  const char* message;
};

Refused judge(beast::error_code error) {
  if (error == ParseError::header_limit)
    return {431, HttpRefusal::kHeaderTooLarge, "header_too_large", "The request's header is too large."};
  if (error == ParseError::body_limit)
    return {413, HttpRefusal::kBodyTooLarge, "body_too_large", "The request's body is too large."};
  if (error == ParseError::bad_version)
    return {505, HttpRefusal::kMalformed, "version_not_supported",
            "Only HTTP/1.0, 1.1 and 2 are spoken here."};
  return {400, HttpRefusal::kMalformed, "bad_request", "The request is not well-formed HTTP."};
}

// A control byte in a value would let it write fields of its own.
void append_value(std::string& out, std::string_view value) {
  std::size_t start = out.size();
  out += value;
  for (std::size_t i = start; i < out.size(); ++i)
    if (static_cast<unsigned char>(out[i]) < 0x20 && out[i] != '\t') out[i] = ' ';
}

class Http1Session : public HttpSession {
 public:
  Http1Session(HttpCore& core, ConnectionId id, HttpPeer peer)
      : core_(core), id_(id), peer_(std::move(peer)) {
    set_deadline(core_.limits.header_timeout);
  }

  void handle_bytes(Bytes bytes) override;
  void handle_writable() override;
  void handle_deadline() override;
  void handle_closed() override;
  void respond(std::uint32_t stream, http::Response&& response) override;
  void begin_drain() override;
  std::string take_rest() override;

 private:
  enum class State { kReading, kWaiting, kUpgraded, kClosing };

  void consume(Bytes bytes);
  void consume_pending();
  std::size_t parse(Bytes bytes);
  bool skip_empty_lines(Bytes& bytes) const;
  void begin_request();
  void handle_head_done();
  void finish_request();
  std::optional<Refused> convert(http::Request& request);
  void refuse(const Refused& refused);
  void write(const http::Response& response, bool close);
  void set_deadline(Duration after) { core_.set_deadline(id_, Loop::now() + after); }

  HttpCore& core_;
  ConnectionId id_;
  HttpPeer peer_;
  State state_ = State::kReading;
  bool is_first_ = true;  // The preface of HTTP/2 may still come.
  bool is_consuming_ = false;
  bool is_paused_ = false;
  bool is_held_ = false;  // The peer must first take what it was answered.
  bool keeps_alive_ = true;
  bool is_old_ = false;  // The request was HTTP/1.0.
  bool is_head_done_ = false;
  std::string pending_;             // Bytes not parsed yet.
  std::unique_ptr<Parser> parser_;  // Only while a request is arriving.
  RequestId waiting_;
};

void Http1Session::handle_bytes(Bytes bytes) {
  if (state_ == State::kWaiting || (state_ == State::kReading && is_held_)) {
    pending_ += as_text(bytes);
    if (pending_.size() > core_.limits.pipelined_bytes && !is_paused_) {
      is_paused_ = true;
      core_.tcp.pause_reading(id_);
    }
    return;
  }
  if (state_ != State::kReading) return;
  if (pending_.empty()) return consume(bytes);
  pending_ += as_text(bytes);
  std::string joined = std::exchange(pending_, {});
  consume(as_bytes(joined));
}

void Http1Session::consume(Bytes bytes) {
  if (is_first_ && state_ == State::kReading) {
    std::size_t compared = std::min(bytes.size(), kPreface.size());
    if (as_text(bytes.first(compared)) == kPreface.substr(0, compared)) {
      if (compared < kPreface.size()) {
        pending_ = as_text(bytes);
        return;
      }
      state_ = State::kUpgraded;
      return core_.switch_to_http2(id_, peer_, bytes);
    }
    is_first_ = false;
  }
  is_consuming_ = true;
  std::size_t used = parse(bytes);
  is_consuming_ = false;
  Bytes rest = bytes.subspan(used);
  if (state_ == State::kUpgraded) return core_.hand_over(id_, rest);
  if (state_ == State::kReading || state_ == State::kWaiting) pending_ = as_text(rest);
  if (state_ == State::kReading && !is_held_ && pending_.size() > core_.limits.header_bytes)
    refuse(judge(make_error_code(ParseError::header_limit)));
}

std::size_t Http1Session::parse(Bytes bytes) {
  std::size_t used = 0;
  while (state_ == State::kReading) {
    Bytes rest = bytes.subspan(used);
    if (!parser_) {
      is_held_ = core_.tcp.queued_bytes(id_) >= kQueuedAnswersMax;
      if (is_held_) break;
      if (!skip_empty_lines(rest)) return bytes.size() - rest.size();
      used = bytes.size() - rest.size();
      begin_request();
    }
    if (rest.empty()) break;
    beast::error_code error;
    std::size_t step = parser_->put(boost::asio::const_buffer(rest.data(), rest.size()), error);
    used += step;
    if (error && error != ParseError::need_more) {
      refuse(judge(error));
      break;
    }
    if (parser_->is_header_done() && !is_head_done_) handle_head_done();
    if (state_ != State::kReading) break;
    if (parser_->is_done())
      finish_request();
    else if (error == ParseError::need_more || step == 0)
      break;
  }
  return used;
}

// RFC 9112 §2.2: empty lines before a request are passed over. False when nothing else is there.
bool Http1Session::skip_empty_lines(Bytes& bytes) const {
  while (!bytes.empty() && (bytes.front() == '\r' || bytes.front() == '\n')) bytes = bytes.subspan(1);
  return !bytes.empty();
}

void Http1Session::begin_request() {
  parser_ = std::make_unique<Parser>();
  parser_->eager(true);
  parser_->header_limit(static_cast<std::uint32_t>(core_.limits.header_bytes));
  parser_->body_limit(core_.limits.body_bytes);
  is_head_done_ = false;
  set_deadline(core_.limits.header_timeout);
}

void Http1Session::handle_head_done() {
  is_head_done_ = true;
  if (parser_->is_done()) return;
  set_deadline(core_.limits.body_timeout);
  auto expect = parser_->get().find(beast::http::field::expect);
  if (expect == parser_->get().end()) return;
  if (!beast::iequals(expect->value(), "100-continue"))
    return refuse({417, HttpRefusal::kMalformed, "expectation_failed", "The expectation is not known here."});
  core_.tcp.send(id_, as_bytes(kContinue), {});
}

std::optional<Refused> Http1Session::convert(http::Request& request) {
  auto message = parser_->release();
  parser_.reset();
  keeps_alive_ = message.keep_alive() && !core_.is_draining();
  is_old_ = message.version() == 10;
  Refused malformed = judge(make_error_code(ParseError::bad_target));
  request.method = http::parse_method(std::string_view(message.method_string()));
  auto target = http::parse_target(std::string_view(message.target()));
  if (!target || (target->path == "*" && request.method != http::Method::kOptions)) return malformed;
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  std::size_t hosts = 0, fields = 0;
  for (const auto& field : message) {
    if (++fields > kFieldLimit) return judge(make_error_code(ParseError::header_limit));
    if (field.name() == beast::http::field::host) ++hosts;
    request.headers.add(lower(std::string_view(field.name_string())), std::string_view(field.value()));
  }
  // RFC 9112 §3.2: exactly one Host, or it is not known who was asked.
  if (hosts > 1 || (hosts == 0 && !is_old_)) return malformed;
  request.body = std::move(message.body());
  request.peer_address = peer_.address;
  request.is_secure = peer_.is_secure;
  return std::nullopt;
}

void Http1Session::finish_request() {
  http::Request request;
  if (auto refused = convert(request)) return refuse(*refused);
  state_ = State::kWaiting;
  // How long it may wait is the application's to say.
  core_.set_deadline(id_, Timestamp::never());
  RequestId id = core_.submit(id_, 0, std::move(request));
  if (state_ == State::kWaiting) waiting_ = id;
}

void Http1Session::respond(std::uint32_t, http::Response&& response) {
  if (state_ != State::kWaiting) return;
  waiting_ = {};
  bool closes = !keeps_alive_ || core_.is_draining();
  write(response, closes);
  if (closes) {
    state_ = State::kClosing;
    pending_ = {};
    core_.tcp.close(id_);
    return;
  }
  state_ = State::kReading;
  set_deadline(core_.limits.idle_timeout);
  if (!is_consuming_) consume_pending();
}

void Http1Session::consume_pending() {
  if (!pending_.empty()) {
    std::string bytes = std::exchange(pending_, {});
    consume(as_bytes(bytes));
  }
  if (is_paused_ && pending_.size() <= core_.limits.pipelined_bytes) {
    is_paused_ = false;
    core_.tcp.resume_reading(id_);
  }
}

void Http1Session::handle_writable() {
  if (state_ != State::kReading || !std::exchange(is_held_, false)) return;
  consume_pending();
}

void Http1Session::write(const http::Response& response, bool close) {
  std::string head;
  head.reserve(512);
  head += "HTTP/1.1 ";
  head += std::to_string(response.status);
  head += ' ';
  head += http::reason_of(response.status);
  head += "\r\n";
  for (const auto& [name, value] : response.headers) {
    head += name;
    head += ": ";
    append_value(head, value);
    head += "\r\n";
  }
  if (close)
    head += "connection: close\r\n";
  else if (is_old_)
    head += "connection: keep-alive\r\n";
  head += "\r\n";
  core_.tcp.send(id_, as_bytes(head), response.body.slices);
}

void Http1Session::refuse(const Refused& refused) {
  core_.count(refused.refusal);
  parser_.reset();
  pending_ = {};
  http::Response response = http::make_error_response(refused.status, refused.code, refused.message);
  http::apply_semantics({}, Loop::wall(), response);
  write(response, true);
  state_ = State::kClosing;
  core_.set_deadline(id_, Timestamp::never());
  core_.tcp.close(id_);
}

void Http1Session::handle_deadline() {
  if (state_ != State::kReading) return;
  if (parser_) {
    return refuse(
        is_head_done_
            ? Refused{408, HttpRefusal::kSlowBody, "request_timeout", "The body came too slowly."}
            : Refused{408, HttpRefusal::kSlowHeader, "request_timeout", "The request came too slowly."});
  }
  // A long answer is still on its way; whether that goes on is judged below.
  if (core_.tcp.queued_bytes(id_) > 0) return set_deadline(core_.limits.idle_timeout);
  if (is_first_) core_.count(HttpRefusal::kSlowHeader);
  state_ = State::kClosing;
  core_.tcp.close(id_);
}

void Http1Session::handle_closed() {
  RequestId waiting = std::exchange(waiting_, {});
  state_ = State::kClosing;
  if (waiting.is_set()) core_.cancel(waiting);
}

void Http1Session::begin_drain() {
  keeps_alive_ = false;
  if (state_ != State::kReading || parser_) return;
  state_ = State::kClosing;
  core_.tcp.close(id_);
}

std::string Http1Session::take_rest() {
  state_ = State::kUpgraded;
  waiting_ = {};
  return std::exchange(pending_, {});
}

}  // namespace

std::unique_ptr<HttpSession> make_http1_session(HttpCore& core, ConnectionId id, HttpPeer peer) {
  return std::make_unique<Http1Session>(core, id, std::move(peer));
}

}  // namespace stoa::runtime
