// The machine as the bench sees it: clocks, processes, sockets, epoll. Linux only, single-threaded users.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace stoa::bench {

using Failure = std::string;  // A sentence for the person at the terminal.

std::int64_t now_ns();   // CLOCK_MONOTONIC.
std::int64_t unix_ms();  // CLOCK_REALTIME.

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// scheme://host[:port]/path[?query]; the port is the scheme's when it is not given.
struct Url {
  std::string scheme, host, path;
  std::uint16_t port = 0;
  std::string authority() const { return host + ":" + std::to_string(port); }
};
Result<Url, Failure> parse_url(std::string_view text);
// An absolute path on the same server from a reference in a playlist (RFC 3986 §5.2, same authority only).
std::string resolve_path(std::string_view base_path, std::string_view reference);

struct Address {
  std::uint32_t ipv4_network_order = 0;
  std::uint16_t port = 0;
};
Result<Address, Failure> find_address(const std::string& host, std::uint16_t port);
// A non-blocking TCP socket whose connect is under way (or done), TCP_NODELAY set.
Result<Fd, Failure> start_connect(const Address& address);
int take_socket_error(int fd);  // SO_ERROR, 0 when the connection stands.

class Poller {
 public:
  static constexpr int kMaxEvents = 1024;
  Poller();
  bool valid() const { return epoll_.valid(); }
  void add(int fd, std::uint32_t events, std::uint64_t id);
  void modify(int fd, std::uint32_t events, std::uint64_t id);
  // Waits at most until `deadline_ns`; gives the events that are ready.
  const std::vector<epoll_event>& wait_until(std::int64_t deadline_ns);

 private:
  Fd epoll_;
  std::vector<epoll_event> events_;
};

// What /proc says about a process (0 when it is gone).
struct ProcessUse {
  double cpu_seconds = 0;
  double waiting_seconds = 0;  // Ready to run, but others had the CPU; of the threads there are.
  std::uint64_t resident_bytes = 0;
  std::uint64_t open_files = 0;
};
ProcessUse read_process(int pid);
double own_cpu_seconds();

bool pin_to_cpu(int cpu);
void raise_file_limit();
// SIGINT and SIGTERM set this; loops look at it.
void watch_for_stop();
bool stop_asked();

}  // namespace stoa::bench
