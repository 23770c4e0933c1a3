// A worker's connection to the owner of its channel: a stream socket that blocks, and the worker's side of
// the protocol (proto/relay/connection.h). One thread runs it; any may send.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/result.h"
#include "proto/relay/connection.h"

namespace stoa::work {

// Connects to the Unix socket of that path, or to tcp://HOST:PORT (HOST a name or an address, [::1]).
// A descriptor, or a sentence that says why not.
Result<int, std::string> connect_to(const std::string& address);

class Link {
 public:
  // Owns `socket` from here on.
  Link(int socket, const relay::Config& config);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Says Hello, then hands over every message of the owner, until the connection ends: by either side's Bye,
  // a refusal, silence, or the end of the stream.
  void run(relay::Hello hello, const std::function<void(relay::Message&)>& handle);
  // Waits while the owner does not read, kWriteTimeout at most: then the connection is over. False when the
  // message did not go out.
  bool send(const relay::Message& message);
  // Why it ended, if the protocol says.
  std::optional<relay::Refusal> refusal() const { return refusal_; }

 private:
  static constexpr Duration kWriteTimeout = Duration::seconds(3);
  static constexpr std::size_t kReadBytes = 64u << 10;

  // Writes what is to be written, keeps the rest for the caller. Requires: the lock.
  void carry_out(relay::Outputs& out, std::vector<relay::Message>& messages);
  void write(const relay::SendBytes& bytes);
  bool wait_for_bytes(Timestamp until) const;
  bool is_over() const { return is_broken_ || connection_.is_closed(); }

  const int socket_;
  std::mutex mutex_;  // Over all below, and over writing: bytes leave in the order in which they were made.
  relay::Connection connection_;
  bool is_broken_ = false;
  std::optional<relay::Refusal> refusal_;
};

}  // namespace stoa::work
