// How the kernel spells what the UDP socket says: addresses, and which of ours a datagram came to.
// Seen by udp_socket.cc and udp_sender.cc only.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <vector>

#include "base/address.h"
#include "base/datagram.h"

namespace stoa::runtime {

// IPv4 or IPv6, in a fifth of a sockaddr_storage.
union KernelAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// IPv4 becomes IPv4-mapped for a socket of IPv6. Gives the length.
socklen_t write_address(const SocketAddress& address, bool is_v6_socket, KernelAddress& out);
// IPv4-mapped becomes IPv4.
SocketAddress read_address(const KernelAddress& address);

// One of the machine's addresses. Of a link-local one the interface is part.
struct OwnAddress {
  IpAddress ip;
  unsigned interface = 0;

  bool operator==(const OwnAddress&) const = default;
};

// Numbers for the machine's addresses, as datagrams name them. For each kind of peer (on this machine, on the
// link, elsewhere; IPv4, IPv6) the address used first is kUdpPath, so that an ordinary machine sees nothing
// else. Bounded by kUdpPaths: where more addresses are in use, those that came last are taken for kUdpPath.
class OwnAddresses {
 public:
  LocalPath path_of(const OwnAddress& own, const IpAddress& remote);
  // Null: the kernel chooses.
  const OwnAddress* find(LocalPath path, const IpAddress& remote) const;
  std::uint64_t over_limit() const { return over_limit_; }

 private:
  static constexpr std::size_t kKinds = 5;
  static std::size_t kind_of(const IpAddress& remote);

  std::array<OwnAddress, kKinds> first_;
  std::vector<OwnAddress> others_;
  std::uint64_t over_limit_ = 0;
};

// What came with a datagram.
struct ReceivedControl {
  std::optional<OwnAddress> own;
  std::size_t segment_bytes = 0;  // Not 0: several datagrams in one buffer (UDP_GRO).
  Ecn ecn = Ecn::kNotCapable;
  std::optional<std::uint32_t> overflowed;  // The kernel's count of what did not fit (SO_RXQ_OVFL).
};
ReceivedControl read_control(msghdr& message);

// Room for the control messages of one call, either way.
struct alignas(cmsghdr) ControlRoom {
  std::array<char, 128> bytes;
};
// Adds to `message`, whose msg_control is a ControlRoom and msg_controllen what is used of it.
void add_segment_size(msghdr& message, std::uint16_t segment_bytes);
void add_source(msghdr& message, const OwnAddress& own, bool is_v6_socket);
// `remote`: IPv4-mapped peers of an IPv6 socket have IPv4 headers.
void add_ecn(msghdr& message, Ecn ecn, const IpAddress& remote);

}  // namespace stoa::runtime
