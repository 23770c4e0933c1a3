// Many HTTP/1.1 keep-alive connections driven from one thread. What they ask is the plot's business.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "http.h"
#include "world.h"

namespace stoa::bench {

class Plot;

class Crowd {
 public:
  // The kernel is asked when bytes arrived, so that the moment of delivery is known even while this program
  // is busy reading for others: thousands of viewers have thousands of computers, here they share a core.
  struct Times {
    std::int64_t sent_ns = 0;     // The request was handed to the kernel.
    std::int64_t arrived_ns = 0;  // The last bytes reached the socket; read_ns where the kernel did not say.
    std::int64_t read_ns = 0;     // The body was read whole.
  };
  struct Counters {
    std::uint64_t responses = 0, bytes = 0;
    std::uint64_t connect_errors = 0, lost_connections = 0, broken_responses = 0;
    std::uint64_t errors() const { return connect_errors + lost_connections + broken_responses; }
  };

  Crowd(Address server, std::size_t size, std::size_t connects_per_second, Plot& plot);

  // Requires that the viewer is ready: told so by the plot, or its last response has been handled.
  void ask(std::size_t viewer, std::string_view request, bool keep_body);
  // Opens connections at the given rate (lost ones again, too), reads and calls the plot.
  void run_until(std::int64_t deadline_ns);

  std::size_t size() const { return viewers_.size(); }
  std::size_t connected() const { return connected_; }
  const Counters& counters() const { return counters_; }

 private:
  enum class State : std::uint8_t { kClosed, kConnecting, kReady, kAsked };
  struct Viewer {
    Fd fd;
    State state = State::kClosed;
    std::int64_t sent_ns = 0;
    ResponseReader reader;
  };

  void connect_some();
  void connect_one(std::size_t index);
  void lose(std::size_t index, std::uint64_t& counter);
  void handle_event(std::size_t index, std::uint32_t events);
  void read(std::size_t index);

  Address server_;
  Plot& plot_;
  std::int64_t connect_interval_ns_, next_connect_ns_;
  std::size_t connected_ = 0;
  std::vector<Viewer> viewers_;
  std::vector<std::size_t> to_connect_;
  Counters counters_;
  Poller poller_;
  std::vector<std::uint8_t> buffer_;
};

// What viewers do. Calls come from within Crowd::run_until.
class Plot {
 public:
  virtual ~Plot() = default;
  virtual void handle_connected(std::size_t viewer) = 0;
  virtual void handle_response(std::size_t viewer, const ResponseReader& response,
                               const Crowd::Times& times) = 0;
  virtual void handle_lost(std::size_t viewer) = 0;
};

}  // namespace stoa::bench
