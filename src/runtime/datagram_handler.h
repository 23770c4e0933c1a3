// Who takes what a shard's UDP socket and its ICE-TCP connections bring.
#pragma once

#include <span>
#include <string_view>

#include "base/datagram.h"

namespace stoa::runtime {

class DatagramHandler {
 public:
  virtual ~DatagramHandler() = default;
  // One batch, in order of arrival for each path and peer. The bytes are the handler's to change, until it
  // returns. It may send from inside, but not destroy who calls.
  virtual void on_datagrams(std::span<ReceivedDatagram> datagrams) = 0;
  // A TCP connection of which datagrams came is gone. Its number is not given again soon.
  virtual void on_path_closed(LocalPath, const SocketAddress&) {}
  // A sentence for the log, once: an offload was given up.
  virtual void on_notice(std::string_view) {}
};

}  // namespace stoa::runtime
