#include "shape_socket.h"

#include <sys/socket.h>

#include <cstring>
#include <vector>

namespace stoa::bench {
namespace {

constexpr int kBufferBytes = 4 << 20;

}  // namespace

bool ShapeSocket::open(const SocketAddress& own, const std::optional<SocketAddress>& peer) {
  const UdpOptions options{
      .receive_buffer_bytes = kBufferBytes, .send_buffer_bytes = kBufferBytes, .tells_ecn = true};
  auto opened = open_udp(own, options, peer);
  socket_ = opened ? std::move(*opened) : UdpSocket{};
  unread_ = 0;
  return is_open();
}

std::optional<ShapeDatagram> ShapeSocket::receive() {
  static thread_local std::vector<std::uint8_t> buffer(kUdpBytesMax);
  auto arrival = receive_udp(fd(), buffer);
  if (!arrival) return std::nullopt;
  if (arrival->dropped != 0) unread_ = arrival->dropped;
  return ShapeDatagram{
      .bytes = arrival->bytes, .unix_ns = arrival->unix_ns, .ecn = arrival->ecn, .from = arrival->from};
}

bool ShapeSocket::send(Bytes bytes, std::uint8_t ecn, const std::optional<SocketAddress>& to) {
  iovec piece{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  msghdr message{};
  sockaddr_in remote{};
  if (to) {
    remote = to_system(*to);
    message.msg_name = &remote;
    message.msg_namelen = sizeof remote;
  }
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (ecn != 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = IPPROTO_IP;
    part->cmsg_type = IP_TOS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    int tos = ecn;
    std::memcpy(CMSG_DATA(part), &tos, sizeof tos);
  }
  // A connected socket first tells of what was refused before (ICMP); the datagram itself was not sent then.
  ssize_t sent = sendmsg(fd(), &message, 0);
  if (sent < 0) sent = sendmsg(fd(), &message, 0);
  return sent >= 0;
}

}  // namespace stoa::bench
