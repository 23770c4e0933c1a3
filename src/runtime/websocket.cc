// WebSocket on a connection: joins proto/http's frames to a socket. Messages go out unfragmented, their bytes
// shared with every other receiver.

#include "proto/http/websocket.h"

#include <openssl/evp.h>

#include "base/outbox.h"
#include "runtime/http_session.h"
#include "runtime/loop.h"

namespace stoa::runtime {
namespace {

using http::WebSocketOpcode;

constexpr std::string_view kHandshakeGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr std::uint16_t kNoCloseFrame = 1006;
constexpr std::size_t kReasonLimit = 123;

class Session : public WebSocketSession {
 public:
  Session(HttpCore& core, ConnectionId id, SocketId socket)
      : core_(core), id_(id), socket_(socket), reader_(core.limits.socket_message_bytes) {
    set_ping_deadline();
  }

  void handle_bytes(Bytes bytes) override;
  void handle_deadline() override;
  void handle_closed() override { tell_closed(close_code_); }
  void respond(std::uint32_t, http::Response&&) override {}
  void begin_drain() override { close(1001, "going away"); }
  bool send(const SharedBytes& message, bool is_text) override;
  void close(std::uint16_t code, std::string_view reason) override;

 private:
  void handle_close(const http::WebSocketClose& close);
  bool write(WebSocketOpcode opcode, Bytes payload);
  void write_close(std::uint16_t code, std::string_view reason);
  void tell_closed(std::uint16_t code);
  void set_ping_deadline() { core_.set_deadline(id_, Loop::now() + core_.limits.socket_ping_interval); }

  HttpCore& core_;
  ConnectionId id_;
  SocketId socket_;
  http::WebSocketReader reader_;
  bool was_heard_ = true;  // Since the last ping.
  bool has_sent_close_ = false;
  bool is_over_ = false;
  bool is_told_ = false;
  std::uint16_t close_code_ = kNoCloseFrame;
};

void Session::handle_bytes(Bytes bytes) {
  if (is_over_) return;
  was_heard_ = true;
  Outbox<http::WebSocketEvent> events;
  auto result = reader_.handle_input(bytes, events);
  for (http::WebSocketEvent& event : events.take()) {
    std::visit(Overloaded{[&](http::WebSocketMessage& message) {
                            if (!has_sent_close_)
                              core_.handler().handle_socket_message(socket_, as_bytes(message.bytes),
                                                                    message.is_text);
                          },
                          [&](http::WebSocketPing& ping) {
                            if (!has_sent_close_) write(WebSocketOpcode::kPong, as_bytes(ping.payload));
                          },
                          [&](http::WebSocketPong&) {},
                          [&](http::WebSocketClose& peer_close) { handle_close(peer_close); }},
               event);
    if (is_over_) return;
  }
  if (result) return;
  core_.count(result.error() == http::WebSocketRefusal::kTooBig ? HttpRefusal::kSocketTooBig
                                                                : HttpRefusal::kSocketProtocol);
  std::uint16_t code = http::close_code_of(result.error());
  write_close(code, {});
  close_code_ = code;
  is_over_ = true;
  core_.tcp.close(id_);
}

void Session::handle_close(const http::WebSocketClose& peer_close) {
  write_close(peer_close.code == 1005 ? 1000 : peer_close.code, {});
  if (close_code_ == kNoCloseFrame) close_code_ = peer_close.code;
  is_over_ = true;
  core_.tcp.close(id_);
  tell_closed(close_code_);
}

void Session::handle_deadline() {
  if (is_over_) return;
  if (has_sent_close_ || !was_heard_) {
    if (!has_sent_close_) core_.count(HttpRefusal::kSocketSilent);
    is_over_ = true;
    return core_.tcp.drop(id_);
  }
  was_heard_ = false;
  write(WebSocketOpcode::kPing, {});
  set_ping_deadline();
}

bool Session::send(const SharedBytes& message, bool is_text) {
  if (is_over_ || has_sent_close_) return false;
  auto head =
      http::write_websocket_head(is_text ? WebSocketOpcode::kText : WebSocketOpcode::kBinary, message.size());
  if (!core_.tcp.send(id_, head.view(), {&message, 1})) return false;
  if (core_.tcp.queued_bytes(id_) <= core_.limits.socket_queue_bytes) return true;
  core_.count(HttpRefusal::kSocketSlow);
  is_over_ = true;
  core_.tcp.drop(id_);
  return false;
}

bool Session::write(WebSocketOpcode opcode, Bytes payload) {
  auto head = http::write_websocket_head(opcode, payload.size());
  Buffer frame(head.view().begin(), head.view().end());
  frame.insert(frame.end(), payload.begin(), payload.end());
  // Pongs for one who pings and does not read are bounded like messages.
  if (core_.tcp.queued_bytes(id_) + frame.size() > core_.limits.socket_queue_bytes) {
    core_.count(HttpRefusal::kSocketSlow);
    is_over_ = true;
    core_.tcp.drop(id_);
    return false;
  }
  return core_.tcp.send(id_, frame, {});
}

void Session::write_close(std::uint16_t code, std::string_view reason) {
  if (std::exchange(has_sent_close_, true)) return;
  ByteWriter payload;
  payload.u16(code);
  payload.text(reason.substr(0, kReasonLimit));
  write(WebSocketOpcode::kClose, payload.view());
}

void Session::close(std::uint16_t code, std::string_view reason) {
  if (is_over_ || has_sent_close_) return;
  close_code_ = code;
  write_close(code, reason);
  core_.set_deadline(id_, Loop::now() + core_.limits.close_timeout);
}

void Session::tell_closed(std::uint16_t code) {
  if (!std::exchange(is_told_, true)) core_.handler().handle_socket_closed(socket_, code);
}

}  // namespace

std::string make_websocket_accept(std::string_view key) {
  std::string text(key);
  text += kHandshakeGuid;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha1(), nullptr);
  unsigned char encoded[32];
  int size = EVP_EncodeBlock(encoded, digest, static_cast<int>(length));
  return std::string(reinterpret_cast<char*>(encoded), static_cast<std::size_t>(size));
}

std::unique_ptr<WebSocketSession> make_websocket_session(HttpCore& core, ConnectionId id, SocketId socket) {
  return std::make_unique<Session>(core, id, socket);
}

}  // namespace stoa::runtime
