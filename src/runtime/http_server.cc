#include "runtime/http_server.h"

#include <array>

#include "runtime/http_session.h"
#include "runtime/loop.h"
#include "runtime/timer.h"

namespace stoa::runtime {
namespace {

const Duration kTick = Duration::milliseconds(50);

TcpLimits tcp_limits_of(const HttpLimits& limits) {
  TcpLimits tcp;
  tcp.connections = limits.connections;
  tcp.connections_per_address = limits.connections_per_address;
  tcp.send_queue_bytes = limits.response_queue_bytes;
  tcp.handshake_timeout = limits.handshake_timeout;
  tcp.write_stall_timeout = limits.write_stall_timeout;
  tcp.close_timeout = limits.close_timeout;
  return tcp;
}

}  // namespace

const char* name_of(HttpRefusal refusal) {
  switch (refusal) {
    case HttpRefusal::kMalformed: return "malformed";
    case HttpRefusal::kHeaderTooLarge: return "header_too_large";
    case HttpRefusal::kBodyTooLarge: return "body_too_large";
    case HttpRefusal::kTooManyRequests: return "requests";
    case HttpRefusal::kSlowHeader: return "slow_header";
    case HttpRefusal::kSlowBody: return "slow_body";
    case HttpRefusal::kHttp2Protocol: return "http2_protocol";
    case HttpRefusal::kHttp2Flood: return "http2_flood";
    case HttpRefusal::kHttp2Stalled: return "http2_stalled";
    case HttpRefusal::kSocketProtocol: return "socket_protocol";
    case HttpRefusal::kSocketTooBig: return "socket_message_too_big";
    case HttpRefusal::kSocketSilent: return "socket_silent";
    case HttpRefusal::kSocketSlow: return "socket_slow";
  }
  return "unknown";
}

struct HttpServer::Impl : TcpHandler, HttpCore {
  struct Slot {
    ConnectionId id;
    std::unique_ptr<HttpSession> session;
    WebSocketSession* socket = nullptr;  // The session, if it is one.
    WheelDeadline deadline;
  };
  struct Waiting {
    ConnectionId connection;
    std::uint32_t stream = 0;
    http::Conditions conditions;
    std::string socket_key;  // Of an upgrade request.
  };

  Impl(Loop& event_loop, const HttpLimits& http_limits, HttpHandler& http_handler)
      : HttpCore(server, owned_limits),
        loop(event_loop),
        owned_limits(http_limits),
        application(http_handler),
        server(event_loop, tcp_limits_of(http_limits), *this),
        requests(http_limits.requests) {}
  ~Impl() override { *self = nullptr; }

  // TcpHandler.
  void on_open(ConnectionId id, const Peer& peer) override;
  void on_bytes(ConnectionId id, Bytes bytes) override;
  void on_closed(ConnectionId id, CloseReason reason) override;
  void on_writable(ConnectionId id) override;

  // HttpCore.
  RequestId submit(ConnectionId connection, std::uint32_t stream, http::Request&& request) override;
  void cancel(RequestId id) override;
  void set_deadline(ConnectionId connection, Timestamp at) override;
  void switch_to_http2(ConnectionId connection, const HttpPeer& peer, Bytes bytes) override;
  void hand_over(ConnectionId connection, Bytes bytes) override;
  void count(HttpRefusal refusal) override { ++refused[static_cast<std::size_t>(refusal)]; }
  HttpHandler& handler() override { return application; }
  bool is_draining() const override { return draining; }

  Slot* find(ConnectionId id) {
    if (id.index >= slots.size()) return nullptr;
    Slot& slot = slots[id.index];
    return slot.session && slot.id == id ? &slot : nullptr;
  }
  static ConnectionId connection_of(SocketId id) { return ConnectionId{id.index, id.generation}; }
  bool respond(RequestId id, http::Response&& response);
  SocketId accept_socket(RequestId id, std::string_view protocol);
  void replace_session(Slot& slot, std::unique_ptr<HttpSession> session);
  void post(std::move_only_function<void(Impl&)> task);
  void tick();
  void drain(Timestamp deadline, std::move_only_function<void()> on_drained);

  Loop& loop;
  HttpLimits owned_limits;
  HttpHandler& application;
  std::shared_ptr<Impl*> self = std::make_shared<Impl*>(this);
  std::vector<Slot> slots;  // By the index of the ConnectionId.
  // Sessions that were replaced while one of their methods ran; emptied by the loop.
  std::vector<std::unique_ptr<HttpSession>> retired;
  TcpServer server;
  SlotTable<Waiting, RequestTag> requests;
  DeadlineWheel<ConnectionId> wheel{Loop::now(), kTick};
  DeadlineTimer timer{loop, [this] { tick(); }};
  bool draining = false;
  std::array<std::uint64_t, kHttpRefusals> refused{};
  std::array<std::uint64_t, 6> responses{};  // By hundreds of the status.
  std::uint64_t requests_http1 = 0, requests_http2 = 0, cancelled = 0, sockets = 0;
};

void HttpServer::Impl::post(std::move_only_function<void(Impl&)> task) {
  loop.post([weak = std::weak_ptr(self), task = std::move(task)]() mutable {
    auto strong = weak.lock();
    if (strong && *strong) task(**strong);
  });
}

void HttpServer::Impl::on_open(ConnectionId id, const Peer& peer) {
  if (id.index >= slots.size()) slots.resize(id.index + 1);
  Slot& slot = slots[id.index];
  slot.id = id;
  slot.socket = nullptr;
  slot.deadline = {};
  HttpPeer http_peer{peer.address, peer.is_secure};
  // The session sets its first deadline while it is made, so the slot must be found by then.
  slot.session = nullptr;
  slot.session = peer.alpn == "h2" ? make_http2_session(*this, id, http_peer)
                                   : make_http1_session(*this, id, std::move(http_peer));
}

void HttpServer::Impl::on_bytes(ConnectionId id, Bytes bytes) {
  if (Slot* slot = find(id)) slot->session->handle_bytes(bytes);
}

void HttpServer::Impl::on_writable(ConnectionId id) {
  if (Slot* slot = find(id)) slot->session->handle_writable();
}

void HttpServer::Impl::on_closed(ConnectionId id, CloseReason) {
  Slot* slot = find(id);
  if (!slot) return;
  auto session = std::move(slot->session);
  if (slot->socket) --sockets;
  slot->socket = nullptr;
  slot->deadline.at = Timestamp::never();
  session->handle_closed();
}

RequestId HttpServer::Impl::submit(ConnectionId connection, std::uint32_t stream, http::Request&& request) {
  ++(request.is_http2 ? requests_http2 : requests_http1);
  Waiting waiting{connection, stream, http::conditions_of(request), {}};
  if (http::is_websocket_upgrade(request)) waiting.socket_key = request.headers.get("sec-websocket-key");
  RequestId id = requests.insert(std::move(waiting));
  if (!id.is_set()) {
    count(HttpRefusal::kTooManyRequests);
    http::Response busy =
        http::make_error_response(503, "too_many_requests", "The server has too much to do.");
    busy.headers.add("retry-after", "1");
    http::apply_semantics(http::conditions_of(request), Loop::wall(), busy);
    find(connection)->session->respond(stream, std::move(busy));
    return {};
  }
  if (http::is_preflight(request))
    respond(id, http::make_preflight_response(request));
  else
    application.handle_request(id, std::move(request));
  return requests.find(id) ? id : RequestId();
}

void HttpServer::Impl::cancel(RequestId id) {
  if (!requests.erase(id)) return;
  ++cancelled;
  application.handle_cancelled(id);
}

bool HttpServer::Impl::respond(RequestId id, http::Response&& response) {
  Waiting* entry = requests.find(id);
  if (!entry) return false;
  Waiting waiting = std::move(*entry);
  requests.erase(id);
  http::apply_semantics(waiting.conditions, Loop::wall(), response);
  ++responses[static_cast<std::size_t>(std::clamp(response.status / 100, 0, 5))];
  if (Slot* slot = find(waiting.connection)) slot->session->respond(waiting.stream, std::move(response));
  return true;
}

void HttpServer::Impl::replace_session(Slot& slot, std::unique_ptr<HttpSession> session) {
  retired.push_back(std::exchange(slot.session, std::move(session)));
  if (retired.size() == 1) post([](Impl& impl) { impl.retired.clear(); });
}

void HttpServer::Impl::switch_to_http2(ConnectionId connection, const HttpPeer& peer, Bytes bytes) {
  Slot* slot = find(connection);
  if (!slot) return;
  auto session = make_http2_session(*this, connection, peer);
  slot = find(connection);
  if (!slot) return;
  replace_session(*slot, std::move(session));
  slot->session->handle_bytes(bytes);
}

void HttpServer::Impl::hand_over(ConnectionId connection, Bytes bytes) {
  Slot* slot = find(connection);
  if (slot && !bytes.empty()) slot->session->handle_bytes(bytes);
}

SocketId HttpServer::Impl::accept_socket(RequestId id, std::string_view protocol) {
  Waiting* waiting = requests.find(id);
  if (!waiting) return {};
  if (waiting->socket_key.empty()) {
    http::Response wrong = http::make_error_response(426, "upgrade_required", "This address is a WebSocket.");
    wrong.headers.add("upgrade", "websocket");
    respond(id, std::move(wrong));
    return {};
  }
  ConnectionId connection = waiting->connection;
  std::string head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n";
  head += "sec-websocket-accept: " + make_websocket_accept(waiting->socket_key) + "\r\n";
  if (!protocol.empty()) head += "sec-websocket-protocol: " + std::string(protocol) + "\r\n";
  head += "\r\n";
  requests.erase(id);
  Slot* slot = find(connection);
  if (!slot || !server.send(connection, as_bytes(head), {})) return {};
  ++responses[1];
  ++sockets;
  SocketId socket{connection.index, connection.generation};
  std::string rest = slot->session->take_rest();
  auto session = make_websocket_session(*this, connection, socket);
  slot->socket = session.get();
  replace_session(*slot, std::move(session));
  server.resume_reading(connection);
  // What the client sent behind its request is read after the caller has the id.
  if (!rest.empty())
    post([connection, bytes = std::move(rest)](Impl& impl) { impl.hand_over(connection, as_bytes(bytes)); });
  return socket;
}

void HttpServer::Impl::set_deadline(ConnectionId connection, Timestamp at) {
  if (connection.index >= slots.size() || slots[connection.index].id != connection) return;
  bool was_empty = wheel.empty();
  wheel.set(connection, slots[connection.index].deadline, at);
  if (was_empty && !wheel.empty()) timer.set(Loop::now() + kTick);
}

void HttpServer::Impl::tick() {
  Timestamp now = Loop::now();
  wheel.advance(
      now,
      [&](ConnectionId id) -> WheelDeadline* {
        Slot* slot = find(id);
        return slot ? &slot->deadline : nullptr;
      },
      [&](ConnectionId id) { find(id)->session->handle_deadline(); });
  if (!wheel.empty() && timer.at() == Timestamp::never()) timer.set(now + kTick);
}

void HttpServer::Impl::drain(Timestamp deadline, std::move_only_function<void()> on_drained) {
  draining = true;
  for (std::size_t i = 0; i < slots.size(); ++i)
    if (slots[i].session) slots[i].session->begin_drain();
  server.drain(deadline, std::move(on_drained));
}

HttpServer::HttpServer(Loop& loop, const HttpLimits& limits, HttpHandler& handler)
    : impl_(std::make_unique<Impl>(loop, limits, handler)) {}

HttpServer::~HttpServer() = default;

Result<std::uint16_t, std::string> HttpServer::listen(const ListenOptions& options) {
  return impl_->server.listen(options);
}

bool HttpServer::respond(RequestId id, http::Response&& response) {
  return impl_->respond(id, std::move(response));
}

bool HttpServer::is_waiting(RequestId id) const { return impl_->requests.find(id) != nullptr; }

SocketId HttpServer::accept_socket(RequestId id, std::string_view protocol) {
  return impl_->accept_socket(id, protocol);
}

bool HttpServer::send_socket(SocketId id, const SharedBytes& message, bool is_text) {
  Impl::Slot* slot = impl_->find(Impl::connection_of(id));
  return slot && slot->socket && slot->socket->send(message, is_text);
}

void HttpServer::close_socket(SocketId id, std::uint16_t code, std::string_view reason) {
  Impl::Slot* slot = impl_->find(Impl::connection_of(id));
  if (slot && slot->socket) slot->socket->close(code, reason);
}

void HttpServer::drain(Timestamp deadline, std::move_only_function<void()> on_drained) {
  impl_->drain(deadline, std::move(on_drained));
}

std::size_t HttpServer::connection_count() const { return impl_->server.connection_count(); }

void HttpServer::append_metrics(MetricSamples& samples) const {
  using Labels = std::vector<std::pair<const char*, std::string>>;
  auto add = [&](const char* name, const char* help, MetricKind kind, Labels labels, std::uint64_t value) {
    samples.push_back({name, help, kind, std::move(labels), static_cast<double>(value)});
  };
  impl_->server.append_metrics("http", samples);
  constexpr auto kCounter = MetricKind::kCounter;
  constexpr auto kGauge = MetricKind::kGauge;
  const char* requests_help = "Requests taken.";
  add("stoa_http_requests_total", requests_help, kCounter, {{"version", "1.1"}}, impl_->requests_http1);
  add("stoa_http_requests_total", requests_help, kCounter, {{"version", "2"}}, impl_->requests_http2);
  for (std::size_t i = 1; i < impl_->responses.size(); ++i)
    add("stoa_http_responses_total", "Answers by the hundreds of their status.", kCounter,
        {{"status", std::to_string(i) + "xx"}}, impl_->responses[i]);
  add("stoa_http_waiting_requests", "Requests that wait for their answer now.", kGauge, {},
      impl_->requests.size());
  add("stoa_http_cancelled_total", "Requests whose client went away first.", kCounter, {}, impl_->cancelled);
  add("stoa_http_sockets", "WebSockets open now.", kGauge, {}, impl_->sockets);
  for (std::size_t i = 0; i < kHttpRefusals; ++i)
    add("stoa_http_refused_total", "Requests and connections turned away.", kCounter,
        {{"reason", name_of(static_cast<HttpRefusal>(i))}}, impl_->refused[i]);
}

}  // namespace stoa::runtime
