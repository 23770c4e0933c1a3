// One HTTP request of WHIP or WHEP (RFC 9725) on a connection of its own, beside thousands of others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http.h"
#include "world.h"

namespace stoa::bench {

// `bearer` empty: no Authorization.
std::string make_offer_request(const Url& url, std::string_view bearer, std::string_view offer);
// `path` as the server's Location gave it, resolved.
std::string make_delete_request(const Url& url, std::string_view path, std::string_view bearer);

class RtcExchange {
 public:
  enum class State : std::uint8_t { kIdle, kConnecting, kReading, kDone, kFailed };

  // Then: add fd() to a poller for reading and writing, and hand its events to handle_events().
  void start(const Address& server, std::string request);
  void handle_events(std::uint32_t events);
  // Closes the connection; the response stays.
  void stop() { fd_.reset(); }

  State state() const { return state_; }
  int fd() const { return fd_.get(); }
  const ResponseReader& response() const { return reader_; }
  const Failure& failure() const { return failure_; }  // When kFailed.

 private:
  void fail(Failure failure);
  bool write();
  void read();

  State state_ = State::kIdle;
  Fd fd_;
  std::string request_;
  std::size_t written_ = 0;
  ResponseReader reader_;
  Failure failure_;
};

}  // namespace stoa::bench
