// A UDP socket of the load: bound, with the kernel's time of arrival, what the kernel dropped, and the ECN
// bits.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <span>

#include "base/address.h"
#include "world.h"

namespace stoa::bench {

inline constexpr std::size_t kUdpBytesMax =
    1 << 16;  // A datagram, or a train that the kernel has put together.

struct UdpOptions {
  int receive_buffer_bytes = 1 << 20;
  int send_buffer_bytes = 0;  // 0: the kernel's own.
  bool takes_trains = false;  // Datagrams of equal size in one read (UDP_GRO).
  bool tells_ecn = false;     // UdpArrival::ecn (RFC 3168).
};

struct UdpSocket {
  Fd fd;
  SocketAddress address;  // What it is bound to.
};

struct UdpArrival {
  std::span<std::uint8_t> bytes;
  std::size_t segment_bytes = 0;  // 0: one datagram.
  std::int64_t unix_ns = 0;       // When the kernel had it; 0: not said.
  std::uint32_t dropped = 0;      // By the kernel so far, since this socket was full; as far as it was said.
  std::uint8_t ecn = 0;
  SocketAddress from;
};

sockaddr_in to_system(const SocketAddress& address);
SocketAddress from_system(const sockaddr_in& system);

// Bound to `own` (port 0: the kernel chooses) and connected to `peer` when there is one. None: errno says
// why.
std::optional<UdpSocket> open_udp(const SocketAddress& own, const UdpOptions& options,
                                  const std::optional<SocketAddress>& peer = std::nullopt);

// The bytes are in `buffer`. None: nothing (more) is there, or what was sent before was refused by the peer's
// machine.
std::optional<UdpArrival> receive_udp(int fd, std::span<std::uint8_t> buffer);

}  // namespace stoa::bench
