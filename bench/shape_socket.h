// A UDP socket of the shaper: datagrams with the time the kernel had them and their ECN bits (RFC 3168), in
// and out.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.h"
#include "base/bytes.h"
#include "udp.h"

namespace stoa::bench {

inline constexpr std::uint8_t kEcnMask = 3,
                              kEcnMarked = 3;  // Congestion experienced; 1 and 2: the sender can ECN.

struct ShapeDatagram {
  Bytes bytes;               // Until the next is received on this thread.
  std::int64_t unix_ns = 0;  // When the kernel had it; 0: not said.
  std::uint8_t ecn = 0;
  SocketAddress from;
};

class ShapeSocket {
 public:
  // Bound to `own` (port 0: the kernel chooses); connected to `peer` when there is one. False, and errno says
  // why.
  bool open(const SocketAddress& own, const std::optional<SocketAddress>& peer = std::nullopt);
  bool is_open() const { return socket_.fd.valid(); }
  int fd() const { return socket_.fd.get(); }
  const SocketAddress& address() const { return socket_.address; }

  // None: nothing (more) is there.
  std::optional<ShapeDatagram> receive();
  // `to` none: to the peer. False: the kernel did not take it.
  bool send(Bytes bytes, std::uint8_t ecn, const std::optional<SocketAddress>& to = std::nullopt);
  // Datagrams that the kernel dropped since nobody read them, as far as the last one that was read knows.
  std::uint32_t unread() const { return unread_; }

 private:
  UdpSocket socket_;
  std::uint32_t unread_ = 0;
};

}  // namespace stoa::bench
