// A WebSocket client (RFC 6455) on a connection of its own, beside thousands of others. It offers no
// extensions and answers pings by itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "world.h"

namespace stoa::bench {

inline constexpr std::size_t kLinkMessageBytesMax = 16u << 20;

class RoomsLink {
 public:
  enum class State : std::uint8_t { kIdle, kConnecting, kUpgrading, kOpen, kClosed };

  // `target`: path and query. Then: add fd() to a poller, edge-triggered for reading and writing, and hand
  // its events to handle_events().
  void start(const Address& server, const std::string& host, const std::string& target);
  // Gives the messages that are complete. They may come with the state kClosed.
  std::vector<std::string> handle_events(std::uint32_t events);
  void send(std::string_view message);  // Binary. Does nothing unless open.
  // Says goodbye as far as the socket takes it.
  void close();

  State state() const { return state_; }
  int fd() const { return fd_.get(); }
  const Failure& failure() const { return failure_; }  // Why it is closed; empty after close().

 private:
  void fail(Failure failure);
  void write();
  bool read();
  bool take_upgrade();
  bool take_frame(std::vector<std::string>& messages);
  void send_frame(std::uint8_t opcode, std::string_view payload);

  State state_ = State::kIdle;
  Fd fd_;
  std::string in_, out_;
  std::size_t written_ = 0;
  std::string message_;  // Fragments so far.
  std::uint32_t mask_ = 0x9e3779b9;
  Failure failure_;
};

}  // namespace stoa::bench
