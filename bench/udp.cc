#include "udp.h"

#include <netinet/udp.h>
#include <sys/socket.h>

#include <cstring>
#include <ctime>

namespace stoa::bench {
namespace {

void set_option(const Fd& fd, int level, int name, int value) {
  setsockopt(fd.get(), level, name, &value, sizeof value);
}

template <typename T>
void read_part(const cmsghdr* part, T& value) {
  std::memcpy(&value, CMSG_DATA(part), sizeof value);
}

}  // namespace

sockaddr_in to_system(const SocketAddress& address) {
  sockaddr_in system{};
  system.sin_family = AF_INET;
  system.sin_port = htons(address.port);
  if (address.ip.is_v4()) std::memcpy(&system.sin_addr, address.ip.bytes().data(), 4);
  return system;
}

SocketAddress from_system(const sockaddr_in& system) {
  Bytes bytes(reinterpret_cast<const std::uint8_t*>(&system.sin_addr), 4);
  return {.ip = *IpAddress::from_bytes(bytes), .port = ntohs(system.sin_port)};
}

std::optional<UdpSocket> open_udp(const SocketAddress& own, const UdpOptions& options,
                                  const std::optional<SocketAddress>& peer) {
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return std::nullopt;
  set_option(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  set_option(fd, SOL_SOCKET, SO_RXQ_OVFL, 1);
  set_option(fd, SOL_SOCKET, SO_RCVBUF, options.receive_buffer_bytes);
  if (options.send_buffer_bytes > 0) set_option(fd, SOL_SOCKET, SO_SNDBUF, options.send_buffer_bytes);
  if (options.takes_trains) set_option(fd, SOL_UDP, UDP_GRO, 1);
  if (options.tells_ecn) set_option(fd, IPPROTO_IP, IP_RECVTOS, 1);
  sockaddr_in local = to_system(own);
  socklen_t size = sizeof local;
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&local), size) != 0) return std::nullopt;
  if (peer) {
    sockaddr_in remote = to_system(*peer);
    if (connect(fd.get(), reinterpret_cast<sockaddr*>(&remote), sizeof remote) != 0) return std::nullopt;
  }
  if (getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &size) != 0) return std::nullopt;
  return UdpSocket{.fd = std::move(fd), .address = from_system(local)};
}

std::optional<UdpArrival> receive_udp(int fd, std::span<std::uint8_t> buffer) {
  iovec piece{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[192];
  sockaddr_in from{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t got = recvmsg(fd, &message, 0);
  if (got < 0) return std::nullopt;
  UdpArrival arrival{.bytes = buffer.first(static_cast<std::size_t>(got)), .from = from_system(from)};
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
      timespec stamp;
      read_part(part, stamp);
      arrival.unix_ns = static_cast<std::int64_t>(stamp.tv_sec) * 1'000'000'000 + stamp.tv_nsec;
    } else if (part->cmsg_level == SOL_UDP && part->cmsg_type == UDP_GRO) {
      int bytes = 0;
      read_part(part, bytes);
      arrival.segment_bytes = static_cast<std::size_t>(bytes);
    } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
      read_part(part, arrival.dropped);
    } else if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TOS) {
      arrival.ecn = *CMSG_DATA(part) & 3;
    }
  }
  return arrival;
}

}  // namespace stoa::bench
