// HTTP/1.1, HTTP/2 and WebSocket of one loop behind one seam.
//
// A request is handed to the HttpHandler whole (head and body, within limits) and named by a RequestId. The
// answer is given with `respond`, inside `handle_request` or any time later on the loop's thread: a
// request that waits (a blocked playlist reload) costs a table entry; the list it waits in and its deadline
// are the application's. A client that goes away while its request waits is told by `handle_cancelled`,
// after which the id is dead. `respond` to a dead id does nothing.
//
// What `respond` adds on its own: HEAD, If-None-Match (304), Range (206, 416), gzip of dynamic text, Vary,
// CORS fields, Date, Content-Length, `priority` (RFC 9218), connection handling. CORS preflights are
// answered without asking the handler. Request bodies arrive whole, so nothing here streams inwards.
//
// HTTP/2 comes by ALPN over TLS and, on plain listeners, by prior knowledge (the client preface).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/metric.h"
#include "base/result.h"
#include "base/slot_table.h"
#include "base/time.h"
#include "proto/http/message.h"
#include "proto/http/semantics.h"
#include "runtime/tcp_server.h"

namespace stoa::runtime {

class Loop;

using RequestId = SlotId<struct RequestTag>;
using SocketId = SlotId<struct SocketTag>;

struct HttpLimits {
  std::size_t connections = 50'000;
  std::size_t connections_per_address = 20'000;
  std::size_t header_bytes = 16u << 10;  // Request line and fields: 431 above it.
  std::size_t body_bytes = 1u << 20;     // 413 above it.
  // Requests waiting or being answered on all connections; above it new ones get 503.
  std::size_t requests = 200'000;
  // HTTP/1.1: bytes of further requests held while one is being answered; then reading pauses.
  std::size_t pipelined_bytes = 16u << 10;
  // HTTP/2: streams of one connection at a time.
  std::uint32_t concurrent_streams = 128;
  // A response, or the messages queued for a WebSocket, that the peer has not taken. Shared slices count
  // in full though they are held once for all.
  std::size_t response_queue_bytes = 256u << 20;
  std::size_t socket_queue_bytes = 1u << 20;
  std::size_t socket_message_bytes = 64u << 10;
  Duration handshake_timeout = Duration::seconds(10);
  Duration header_timeout = Duration::seconds(10);  // From a request's first byte to the end of its head.
  Duration body_timeout = Duration::seconds(30);    // From there to the end of its body.
  Duration idle_timeout = Duration::seconds(75);    // Without a request.
  Duration write_stall_timeout = Duration::seconds(20);
  Duration close_timeout = Duration::seconds(2);
  Duration socket_ping_interval = Duration::seconds(20);  // A WebSocket silent for two of them is closed.
};

class HttpHandler {
 public:
  virtual ~HttpHandler() = default;
  virtual void handle_request(RequestId id, http::Request&& request) = 0;
  // The client went away before it was answered; the id is dead.
  virtual void handle_cancelled(RequestId) {}
  // A whole message of a socket that `accept_socket` opened; valid during the call only. Text is UTF-8.
  virtual void handle_socket_message(SocketId, Bytes, bool /*is_text*/) {}
  // Once per accepted socket, whoever closed it; `code` as in RFC 6455 §7.4.1 (1006: without a close frame).
  virtual void handle_socket_closed(SocketId, std::uint16_t /*code*/) {}
};

class HttpServer {
 public:
  HttpServer(Loop& loop, const HttpLimits& limits, HttpHandler& handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // May be called for several addresses, plain and TLS. The bound port, or what the system refused.
  Result<std::uint16_t, std::string> listen(const ListenOptions& options);

  // Answers a request. True unless the id is dead.
  bool respond(RequestId id, http::Response&& response);
  bool is_waiting(RequestId id) const;

  // Answers an upgrade request (http::is_websocket_upgrade) with a socket. `protocol` is the subprotocol
  // chosen from the client's list, or empty. An unset id when the request is dead or not an upgrade; in the
  // latter case it has been answered 426.
  SocketId accept_socket(RequestId id, std::string_view protocol = {});
  // False when the socket is gone or was dropped because its peer does not read.
  bool send_socket(SocketId id, const SharedBytes& message, bool is_text = true);
  void close_socket(SocketId id, std::uint16_t code = 1000, std::string_view reason = {});

  // Stops accepting, tells clients to go elsewhere, lets requests and waiters finish until `deadline`, closes
  // sockets with 1001, then closes everything. `on_drained` is called once, from the loop.
  void drain(Timestamp deadline, std::move_only_function<void()> on_drained);

  std::size_t connection_count() const;
  void append_metrics(MetricSamples& samples) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::runtime
