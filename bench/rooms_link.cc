#include "rooms_link.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace stoa::bench {
namespace {

constexpr std::size_t kHeadBytesMax = 64u << 10;
constexpr std::uint8_t kFinal = 0x80, kMasked = 0x80;
enum Opcode : std::uint8_t { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

}  // namespace

void RoomsLink::start(const Address& server, const std::string& host, const std::string& target) {
  // What the key is does not matter to anybody; a server that speaks WebSocket answers 101.
  out_ = "GET " + target + " HTTP/1.1\r\nHost: " + host +
         "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
         "Sec-WebSocket-Key: c3RvYS1iZW5jaC1yb29tcw==\r\nUser-Agent: stoa-bench\r\n\r\n";
  auto fd = start_connect(server);
  if (!fd) return fail(fd.error());
  fd_ = std::move(*fd);
  state_ = State::kConnecting;
}

void RoomsLink::fail(Failure failure) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  failure_ = std::move(failure);
  fd_.reset();
}

std::vector<std::string> RoomsLink::handle_events(std::uint32_t events) {
  std::vector<std::string> messages;
  if (state_ == State::kIdle || state_ == State::kClosed) return messages;
  if (state_ == State::kConnecting) {
    if (int error = take_socket_error(fd_.get()); error != 0) {
      fail(Failure("cannot connect: ") + std::strerror(error));
      return messages;
    }
    state_ = State::kUpgrading;
  }
  write();
  if (state_ == State::kClosed || (events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return messages;
  bool is_over = !read();
  if (state_ == State::kUpgrading && !take_upgrade() && state_ == State::kClosed) return messages;
  while (state_ == State::kOpen && take_frame(messages)) {
  }
  if (is_over) fail("the server closed the connection");
  return messages;
}

void RoomsLink::write() {
  while (written_ < out_.size()) {
    ssize_t sent = ::send(fd_.get(), out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return;
    if (sent <= 0) return fail("the server closed the connection");
    written_ += static_cast<std::size_t>(sent);
  }
  out_.clear();
  written_ = 0;
}

// False when nothing more will come.
bool RoomsLink::read() {
  std::array<char, 65536> buffer;
  for (;;) {
    ssize_t got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    in_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

// True once the connection is a WebSocket.
bool RoomsLink::take_upgrade() {
  auto end = in_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (in_.size() > kHeadBytesMax) fail("the server's answer has no end");
    return false;
  }
  if (in_.compare(0, 12, "HTTP/1.1 101") != 0) {
    std::string line = in_.substr(0, in_.find("\r\n")), body = in_.substr(end + 4, 200);
    fail(line.substr(std::min<std::size_t>(line.size(), 9)) + (body.empty() ? "" : ": " + body));
    return false;
  }
  in_.erase(0, end + 4);
  state_ = State::kOpen;
  return true;
}

bool RoomsLink::take_frame(std::vector<std::string>& messages) {
  auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(in_[at]); };
  if (in_.size() < 2) return false;
  std::uint8_t opcode = byte(0) & 0x0f;
  std::size_t head = 2, extra = (byte(1) & 0x7f) == 126 ? 2 : (byte(1) & 0x7f) == 127 ? 8 : 0;
  std::uint64_t length = extra == 0 ? byte(1) & 0x7f : 0;
  if (in_.size() < head + extra) return false;
  for (; extra > 0; --extra) length = length << 8 | byte(head++);
  if ((byte(1) & kMasked) != 0 || length > kLinkMessageBytesMax ||
      message_.size() + length > kLinkMessageBytesMax) {
    fail("no WebSocket frame that a client can take");
    return false;
  }
  if (in_.size() - head < length) return false;
  bool is_final = (byte(0) & kFinal) != 0;
  std::string payload = in_.substr(head, length);
  in_.erase(0, head + length);
  if (opcode == kPing) send_frame(kPong, payload);
  if (opcode == kClose)
    fail("the server closed the WebSocket: " + payload.substr(std::min<std::size_t>(payload.size(), 2)));
  if (opcode > kBinary) return state_ == State::kOpen;
  message_ += payload;
  if (is_final) messages.push_back(std::exchange(message_, {}));
  return true;
}

void RoomsLink::send(std::string_view message) {
  if (state_ == State::kOpen) send_frame(kBinary, message);
}

void RoomsLink::send_frame(std::uint8_t opcode, std::string_view payload) {
  out_.push_back(static_cast<char>(kFinal | opcode));
  std::size_t size = payload.size(), extra = size < 126 ? 0 : size < 0x10000 ? 2 : 8;
  out_.push_back(static_cast<char>(kMasked | (extra == 0 ? size : extra == 2 ? 126 : 127)));
  for (std::size_t i = extra; i > 0; --i) out_.push_back(static_cast<char>(size >> 8 * (i - 1)));
  mask_ = mask_ * 1'664'525 + 1'013'904'223;
  std::array<char, 4> mask;
  std::memcpy(mask.data(), &mask_, mask.size());
  out_.append(mask.data(), mask.size());
  for (std::size_t i = 0; i < size; ++i) out_.push_back(static_cast<char>(payload[i] ^ mask[i % 4]));
  write();
}

void RoomsLink::close() {
  if (state_ == State::kOpen) send_frame(kClose, "\x03\xe8");
  fail({});
}

}  // namespace stoa::bench
