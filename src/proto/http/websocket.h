// WebSocket frames without a socket, server side (RFC 6455 §5). No extensions are negotiated, so reserved
// bits must be clear. Messages are put together and, when text, checked to be UTF-8.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"

namespace stoa::http {

enum class WebSocketRefusal : std::uint8_t {
  kProtocol,  // Close with 1002.
  kNotUtf8,   // Close with 1007.
  kTooBig,    // Close with 1009.
};
std::uint16_t close_code_of(WebSocketRefusal refusal);

enum class WebSocketOpcode : std::uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

struct WebSocketMessage {
  std::string bytes;
  bool is_text = false;
};
struct WebSocketPing {
  std::string payload;  // To be sent back in a pong.
};
struct WebSocketPong {};
struct WebSocketClose {
  std::uint16_t code = 1005;  // 1005: the frame had none.
  std::string reason;
};
using WebSocketEvent = std::variant<WebSocketMessage, WebSocketPing, WebSocketPong, WebSocketClose>;

// Reads what a client sends. Holds no more than one message of at most `message_limit_bytes`.
class WebSocketReader {
 public:
  explicit WebSocketReader(std::size_t message_limit_bytes) : limit_(message_limit_bytes) {}

  // After an error, and after a WebSocketClose, nothing more is read.
  Result<void, WebSocketRefusal> handle_input(Bytes bytes, Outbox<WebSocketEvent>& out);

 private:
  Result<bool, WebSocketRefusal> read_head(Bytes& bytes);
  Result<void, WebSocketRefusal> judge_head();
  Result<void, WebSocketRefusal> finish_frame(Outbox<WebSocketEvent>& out);
  Result<void, WebSocketRefusal> finish_control(Outbox<WebSocketEvent>& out);

  static constexpr std::size_t kHeadLimit = 14;

  std::size_t limit_;
  std::array<std::uint8_t, kHeadLimit> head_{};
  std::size_t head_length_ = 0;
  bool is_in_payload_ = false;
  bool is_final_ = false;
  bool is_closed_ = false;
  WebSocketOpcode opcode_ = WebSocketOpcode::kContinuation;
  std::uint64_t payload_left_ = 0;
  std::size_t payload_read_ = 0;
  std::array<std::uint8_t, 4> mask_{};
  std::string message_;  // Fragments so far.
  bool is_in_message_ = false;
  bool is_text_ = false;
  std::string control_;
};

// The head of an unmasked, unfragmented frame; the payload follows it.
struct WebSocketHead {
  std::array<std::uint8_t, 10> bytes{};
  std::size_t length = 0;
  Bytes view() const { return {bytes.data(), length}; }
};
WebSocketHead write_websocket_head(WebSocketOpcode opcode, std::uint64_t payload_bytes);

// RFC 3629: no surrogates, nothing overlong, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace stoa::http
