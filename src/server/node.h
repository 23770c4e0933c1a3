// A running node: one thread a shard, one thread for control, and the wires between them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/log.h"
#include "server/config.h"

namespace stoa::server {

// The ports that are really open; 0 is closed.
struct NodePorts {
  std::uint16_t http = 0, https = 0, rtmp = 0, rtmps = 0;
  std::vector<std::uint16_t> rtc;  // By shard.
};

class Node {
 public:
  // Opens the data folder and every port, and starts the threads. The error is a sentence for the operator.
  static Result<std::unique_ptr<Node>, std::string> start(const Config& config, runtime::Log& log);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const NodePorts& ports() const;
  // Reads the certificate files again (SIGHUP). The error says what is wrong; the old one stays.
  Result<void, std::string> reload_certificates();
  // Stops accepting, finishes what is in flight within `shutdown_grace`, ends the threads. Returns when done.
  void stop();

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stoa::server
