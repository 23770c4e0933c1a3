#include "proto/http/websocket.h"

#include <algorithm>

namespace stoa::http {
namespace {

constexpr std::size_t kControlLimit = 125;

bool is_control(WebSocketOpcode opcode) { return static_cast<std::uint8_t>(opcode) >= 8; }

// RFC 6455 §7.4: which codes may stand in a close frame.
bool is_sendable(std::uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

}  // namespace

std::uint16_t close_code_of(WebSocketRefusal refusal) {
  switch (refusal) {
    case WebSocketRefusal::kProtocol: return 1002;
    case WebSocketRefusal::kNotUtf8: return 1007;
    case WebSocketRefusal::kTooBig: return 1009;
  }
  return 1002;
}

Result<void, WebSocketRefusal> WebSocketReader::handle_input(Bytes bytes, Outbox<WebSocketEvent>& out) {
  while (!is_closed_) {
    if (!is_in_payload_) {
      STOA_TRY(bool is_whole, read_head(bytes));
      if (!is_whole) return {};
    }
    std::size_t step = std::min<std::uint64_t>(bytes.size(), payload_left_);
    std::string& target = is_control(opcode_) ? control_ : message_;
    std::size_t start = target.size();
    target += as_text(bytes.first(step));
    for (std::size_t i = 0; i < step; ++i)
      target[start + i] = static_cast<char>(target[start + i] ^ mask_[(payload_read_ + i) % 4]);
    payload_read_ += step;
    payload_left_ -= step;
    bytes = bytes.subspan(step);
    if (payload_left_ > 0) return {};
    is_in_payload_ = false;
    head_length_ = 0;
    auto finished = finish_frame(out);
    if (!finished) {
      is_closed_ = true;
      return finished;
    }
  }
  return {};
}

// True when the head is whole.
Result<bool, WebSocketRefusal> WebSocketReader::read_head(Bytes& bytes) {
  auto wanted = [&]() -> std::size_t {
    if (head_length_ < 2) return 2;
    std::uint8_t length = head_[1] & 0x7f;
    return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + 4;
  };
  while (head_length_ < wanted()) {
    if (bytes.empty()) return false;
    head_[head_length_++] = bytes.front();
    bytes = bytes.subspan(1);
    // A client must mask (§5.1); asking first keeps the length of the head simple.
    if (head_length_ == 2 && !(head_[1] & 0x80)) {
      is_closed_ = true;
      return refuse(WebSocketRefusal::kProtocol);
    }
  }
  auto judged = judge_head();
  if (!judged) {
    is_closed_ = true;
    return refuse(judged.error());
  }
  return true;
}

Result<void, WebSocketRefusal> WebSocketReader::judge_head() {
  ByteReader reader(Bytes(head_.data(), head_length_));
  std::uint8_t first = reader.u8(), length = reader.u8() & 0x7f;
  opcode_ = static_cast<WebSocketOpcode>(first & 0x0f);
  is_final_ = first & 0x80;
  if (first & 0x70) return refuse(WebSocketRefusal::kProtocol);
  payload_left_ = length;
  if (length == 126) payload_left_ = reader.u16();
  if (length == 127) payload_left_ = reader.u64();
  bool is_overlong = (length == 126 && payload_left_ < 126) || (length == 127 && payload_left_ < 65'536);
  if (is_overlong || payload_left_ >> 63) return refuse(WebSocketRefusal::kProtocol);
  Bytes mask = reader.take(4);
  std::copy(mask.begin(), mask.end(), mask_.begin());
  payload_read_ = 0;
  is_in_payload_ = true;
  switch (opcode_) {
    case WebSocketOpcode::kClose:
    case WebSocketOpcode::kPing:
    case WebSocketOpcode::kPong:
      if (!is_final_ || payload_left_ > kControlLimit) return refuse(WebSocketRefusal::kProtocol);
      return {};
    case WebSocketOpcode::kText:
    case WebSocketOpcode::kBinary:
      if (is_in_message_) return refuse(WebSocketRefusal::kProtocol);
      is_in_message_ = true;
      is_text_ = opcode_ == WebSocketOpcode::kText;
      break;
    case WebSocketOpcode::kContinuation:
      if (!is_in_message_) return refuse(WebSocketRefusal::kProtocol);
      break;
    default: return refuse(WebSocketRefusal::kProtocol);
  }
  if (payload_left_ > limit_ - message_.size()) return refuse(WebSocketRefusal::kTooBig);
  return {};
}

Result<void, WebSocketRefusal> WebSocketReader::finish_frame(Outbox<WebSocketEvent>& out) {
  if (is_control(opcode_)) return finish_control(out);
  if (!is_final_) return {};
  is_in_message_ = false;
  std::string message = std::exchange(message_, {});
  if (is_text_ && !is_utf8(message)) return refuse(WebSocketRefusal::kNotUtf8);
  out.push(WebSocketMessage{std::move(message), is_text_});
  return {};
}

Result<void, WebSocketRefusal> WebSocketReader::finish_control(Outbox<WebSocketEvent>& out) {
  std::string payload = std::exchange(control_, {});
  if (opcode_ == WebSocketOpcode::kPong) out.push(WebSocketPong{});
  if (opcode_ == WebSocketOpcode::kPing) {
    out.push(WebSocketPing{std::move(payload)});
    return {};
  }
  if (opcode_ != WebSocketOpcode::kClose) return {};
  WebSocketClose close;
  if (payload.size() == 1) return refuse(WebSocketRefusal::kProtocol);
  if (payload.size() >= 2) {
    close.code = ByteReader(as_bytes(payload)).u16();
    close.reason = payload.substr(2);
    if (!is_sendable(close.code)) return refuse(WebSocketRefusal::kProtocol);
    if (!is_utf8(close.reason)) return refuse(WebSocketRefusal::kNotUtf8);
  }
  is_closed_ = true;
  out.push(std::move(close));
  return {};
}

WebSocketHead write_websocket_head(WebSocketOpcode opcode, std::uint64_t payload_bytes) {
  WebSocketHead head;
  auto put = [&](std::uint64_t byte) { head.bytes[head.length++] = static_cast<std::uint8_t>(byte); };
  put(0x80 | static_cast<std::uint8_t>(opcode));
  int extra = payload_bytes < 126 ? 0 : payload_bytes < 65'536 ? 2 : 8;
  put(extra == 0 ? payload_bytes : extra == 2 ? 126 : 127);
  for (int i = extra - 1; i >= 0; --i) put(payload_bytes >> (8 * i));
  return head;
}

bool is_utf8(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    auto byte = static_cast<std::uint8_t>(text[i++]);
    if (byte < 0x80) continue;
    int more = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    if (byte < 0xc2 || byte > 0xf4 || text.size() - i < static_cast<std::size_t>(more)) return false;
    auto second = static_cast<std::uint8_t>(text[i]);
    std::uint8_t low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    std::uint8_t high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    if (second < low || second > high) return false;
    for (int j = 1; j < more; ++j)
      if ((static_cast<std::uint8_t>(text[i + j]) & 0xc0) != 0x80) return false;
    i += more;
  }
  return true;
}

}  // namespace stoa::http
