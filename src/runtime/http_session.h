// One connection's protocol (HTTP/1.1, HTTP/2 or WebSocket) as HttpServer sees it, and the server as the
// protocols see it. Internal to runtime/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proto/http/message.h"
#include "proto/http/semantics.h"
#include "runtime/http_server.h"
#include "runtime/tcp_server.h"

namespace stoa::runtime {

// Why a request or a connection was turned away; the label of stoa_http_refused_total.
enum class HttpRefusal : std::uint8_t {
  kMalformed,
  kHeaderTooLarge,
  kBodyTooLarge,
  kTooManyRequests,
  kSlowHeader,
  kSlowBody,
  kHttp2Protocol,
  kHttp2Flood,
  kHttp2Stalled,  // The peer keeps its flow-control windows shut.
  kSocketProtocol,
  kSocketTooBig,
  kSocketSilent,
  kSocketSlow,
};
inline constexpr std::size_t kHttpRefusals = 13;
const char* name_of(HttpRefusal refusal);

class HttpSession {
 public:
  virtual ~HttpSession() = default;
  virtual void handle_bytes(Bytes bytes) = 0;
  virtual void handle_writable() {}
  // The deadline that was set last is due.
  virtual void handle_deadline() = 0;
  // The connection is gone. Cancels what waits.
  virtual void handle_closed() = 0;
  // `response` is final (apply_semantics was here).
  virtual void respond(std::uint32_t stream, http::Response&& response) = 0;
  // Finish what is in flight, take nothing new, close.
  virtual void begin_drain() = 0;
  // For accept_socket: the bytes that came behind the upgrade request; the session is over.
  virtual std::string take_rest() { return {}; }
};

// What of the connection every request repeats.
struct HttpPeer {
  std::string address;
  bool is_secure = false;
};

// The server as its sessions see it.
class HttpCore {
 public:
  HttpCore(TcpServer& tcp_server, const HttpLimits& http_limits) : tcp(tcp_server), limits(http_limits) {}
  virtual ~HttpCore() = default;

  // Gives the request an id and hands it to the application, which may answer before this returns. An unset
  // id when it was answered here (preflight, too many requests).
  virtual RequestId submit(ConnectionId connection, std::uint32_t stream, http::Request&& request) = 0;
  // The client is gone; tells the application if the request still waits.
  virtual void cancel(RequestId id) = 0;
  virtual void set_deadline(ConnectionId connection, Timestamp at) = 0;
  // The rest of the connection, beginning with `bytes`, is HTTP/2. The calling session is over.
  virtual void switch_to_http2(ConnectionId connection, const HttpPeer& peer, Bytes bytes) = 0;
  // For a session that is over: bytes that belong to its successor.
  virtual void hand_over(ConnectionId connection, Bytes bytes) = 0;
  virtual void count(HttpRefusal refusal) = 0;
  virtual HttpHandler& handler() = 0;
  virtual bool is_draining() const = 0;

  TcpServer& tcp;
  const HttpLimits& limits;
};

std::unique_ptr<HttpSession> make_http1_session(HttpCore& core, ConnectionId id, HttpPeer peer);
std::unique_ptr<HttpSession> make_http2_session(HttpCore& core, ConnectionId id, const HttpPeer& peer);

// Server side of a WebSocket whose handshake was answered.
class WebSocketSession : public HttpSession {
 public:
  virtual bool send(const SharedBytes& message, bool is_text) = 0;
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
};
std::unique_ptr<WebSocketSession> make_websocket_session(HttpCore& core, ConnectionId id, SocketId socket);
// Sec-WebSocket-Accept for a client's key (RFC 6455 §4.2.2).
std::string make_websocket_accept(std::string_view key);

}  // namespace stoa::runtime
