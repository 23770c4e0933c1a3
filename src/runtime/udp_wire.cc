#include "runtime/udp_wire.h"

#include <netinet/udp.h>
#include <string.h>

#include <algorithm>

#include "base/assert.h"

namespace stoa::runtime {
namespace {

in6_addr in6_of(const IpAddress& ip) {
  in6_addr address{};
  if (ip.is_v4()) {
    address.s6_addr[10] = address.s6_addr[11] = 0xff;
    memcpy(address.s6_addr + 12, ip.bytes().data(), 4);
  } else if (ip.is_v6()) {
    memcpy(address.s6_addr, ip.bytes().data(), 16);
  }
  return address;
}

IpAddress ip_of(const in6_addr& address) {
  return IpAddress::from_bytes(Bytes(address.s6_addr, 16)).value_or(IpAddress()).unmapped();
}

IpAddress ip_of(const in_addr& address) {
  std::array<std::uint8_t, 4> bytes;
  memcpy(bytes.data(), &address, 4);
  return IpAddress::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
}

// The interface matters where the address alone does not name one.
OwnAddress own_of(const IpAddress& ip, unsigned interface) {
  return {ip, ip.is_v6() && ip.is_link_local() ? interface : 0};
}

template <typename Value>
void add_control(msghdr& message, int level, int type, const Value& value) {
  STOA_DCHECK(message.msg_controllen + CMSG_SPACE(sizeof value) <= sizeof(ControlRoom));
  auto* header = reinterpret_cast<cmsghdr*>(static_cast<char*>(message.msg_control) + message.msg_controllen);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof value);
  memcpy(CMSG_DATA(header), &value, sizeof value);
  message.msg_controllen += CMSG_SPACE(sizeof value);
}

template <typename Value>
Value value_of(cmsghdr* header) {
  Value value;
  memcpy(&value, CMSG_DATA(header), sizeof value);
  return value;
}

}  // namespace

socklen_t write_address(const SocketAddress& address, bool is_v6_socket, KernelAddress& out) {
  if (is_v6_socket) {
    out.v6 = {};
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(address.port);
    out.v6.sin6_addr = in6_of(address.ip);
    return sizeof out.v6;
  }
  out.v4 = {};
  // A family that the socket does not have is refused by the kernel.
  out.v4.sin_family = address.ip.is_v4() ? AF_INET : AF_INET6;
  out.v4.sin_port = htons(address.port);
  if (address.ip.is_v4()) memcpy(&out.v4.sin_addr, address.ip.bytes().data(), 4);
  return sizeof out.v4;
}

SocketAddress read_address(const KernelAddress& address) {
  if (address.any.sa_family == AF_INET6) return {ip_of(address.v6.sin6_addr), ntohs(address.v6.sin6_port)};
  if (address.any.sa_family == AF_INET) return {ip_of(address.v4.sin_addr), ntohs(address.v4.sin_port)};
  return {};
}

std::size_t OwnAddresses::kind_of(const IpAddress& remote) {
  if (remote.is_v4()) return remote.is_loopback() ? 0 : 1;
  return remote.is_loopback() ? 2 : remote.is_link_local() ? 3 : 4;
}

LocalPath OwnAddresses::path_of(const OwnAddress& own, const IpAddress& remote) {
  OwnAddress& first = first_[kind_of(remote)];
  if (!first.ip.is_set()) first = own;
  if (first == own) return kUdpPath;
  auto found = std::find(others_.begin(), others_.end(), own);
  if (found == others_.end()) {
    if (others_.size() + 1 >= kUdpPaths) {
      ++over_limit_;
      return kUdpPath;
    }
    found = others_.insert(others_.end(), own);
  }
  return static_cast<LocalPath>(found - others_.begin()) + 1;
}

const OwnAddress* OwnAddresses::find(LocalPath path, const IpAddress& remote) const {
  if (path == kUdpPath) {
    const OwnAddress& first = first_[kind_of(remote)];
    return first.ip.is_set() ? &first : nullptr;
  }
  return path <= others_.size() ? &others_[path - 1] : nullptr;
}

ReceivedControl read_control(msghdr& message) {
  ReceivedControl control;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    const int level = header->cmsg_level, type = header->cmsg_type;
    if (level == SOL_UDP && type == UDP_GRO) {
      control.segment_bytes = static_cast<std::size_t>(std::max(value_of<int>(header), 0));
    } else if (level == SOL_SOCKET && type == SO_RXQ_OVFL) {
      control.overflowed = value_of<std::uint32_t>(header);
    } else if (level == IPPROTO_IPV6 && type == IPV6_PKTINFO) {
      auto info = value_of<in6_pktinfo>(header);
      control.own = own_of(ip_of(info.ipi6_addr), info.ipi6_ifindex);
    } else if (level == IPPROTO_IP && type == IP_PKTINFO) {
      control.own = own_of(ip_of(value_of<in_pktinfo>(header).ipi_spec_dst), 0);
    } else if (level == IPPROTO_IP && type == IP_TOS) {  // A byte, unlike what is said when sending.
      control.ecn = static_cast<Ecn>(value_of<std::uint8_t>(header) & 3);
    } else if (level == IPPROTO_IPV6 && type == IPV6_TCLASS) {
      control.ecn = static_cast<Ecn>(value_of<int>(header) & 3);
    }
  }
  return control;
}

void add_segment_size(msghdr& message, std::uint16_t segment_bytes) {
  add_control(message, SOL_UDP, UDP_SEGMENT, segment_bytes);
}

void add_ecn(msghdr& message, Ecn ecn, const IpAddress& remote) {
  const int value = static_cast<int>(ecn);
  if (remote.is_v4()) return add_control(message, IPPROTO_IP, IP_TOS, value);
  add_control(message, IPPROTO_IPV6, IPV6_TCLASS, value);
}

void add_source(msghdr& message, const OwnAddress& own, bool is_v6_socket) {
  if (is_v6_socket) {
    in6_pktinfo info{};
    info.ipi6_addr = in6_of(own.ip);
    info.ipi6_ifindex = own.interface;
    return add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  in_pktinfo info{};
  if (own.ip.is_v4()) memcpy(&info.ipi_spec_dst, own.ip.bytes().data(), 4);
  add_control(message, IPPROTO_IP, IP_PKTINFO, info);
}

}  // namespace stoa::runtime
