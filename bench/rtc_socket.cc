#include "rtc_socket.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "crypto/srtp_kernel.h"

namespace stoa::bench {
namespace {

constexpr int kReceiveBufferBytes = 1 << 20;
constexpr std::size_t kDatagramBytesMax = 1 << 16;  // A train that the kernel has put together.
constexpr std::size_t kSendsAtOnce = 64;

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

struct Arrival {
  ssize_t bytes = -1;
  std::int64_t unix_ns = 0;
  std::size_t segment_bytes = 0;  // 0: one datagram.
  std::uint32_t dropped = 0;      // By the kernel so far, since this socket was full.
  SocketAddress from;
};

Arrival receive_stamped(int fd, std::span<std::uint8_t> buffer) {
  iovec piece{buffer.data(), buffer.size()};
  alignas(cmsghdr) char control[128];
  sockaddr_in from{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  Arrival arrival;
  arrival.bytes = recvmsg(fd, &message, 0);
  if (arrival.bytes <= 0) return arrival;
  arrival.from = from_system(from);
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_TIMESTAMPNS) {
      timespec stamp;
      std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
      arrival.unix_ns = static_cast<std::int64_t>(stamp.tv_sec) * 1'000'000'000 + stamp.tv_nsec;
    } else if (part->cmsg_level == SOL_UDP && part->cmsg_type == UDP_GRO) {
      int size = 0;
      std::memcpy(&size, CMSG_DATA(part), sizeof size);
      arrival.segment_bytes = static_cast<std::size_t>(size);
    } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&arrival.dropped, CMSG_DATA(part), sizeof arrival.dropped);
    }
  }
  return arrival;
}

}  // namespace

std::int64_t unix_ns() {
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

RtcShared::RtcShared() : transform(crypto::make_srtp_kernel()) {
  transport.srtp = &transform.kernel();
  transport.identity =
      dtls::Identity::make(WallTime::from_us(unix_ns() / 1000), Duration::seconds(7 * 86'400));
}

// The address that packets to `server` leave from.
std::optional<IpAddress> find_own_address(const Address& server) {
  Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in peer{};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(server.port);
  peer.sin_addr.s_addr = server.ipv4_network_order;
  sockaddr_in own{};
  socklen_t size = sizeof own;
  bool is_found = fd.valid() && connect(fd.get(), reinterpret_cast<sockaddr*>(&peer), sizeof peer) == 0 &&
                  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0;
  return is_found ? std::optional(from_system(own).ip) : std::nullopt;
}

bool RtcSocket::open(IpAddress own) {
  fd_ = Fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd_.valid()) return false;
  int yes = 1, bytes = kReceiveBufferBytes;
  setsockopt(fd_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  setsockopt(fd_.get(), SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
  setsockopt(fd_.get(), SOL_UDP, UDP_GRO, &yes, sizeof yes);
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  sockaddr_in local = to_system({own, 0});
  socklen_t size = sizeof local;
  if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&local), size) != 0 ||
      getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&local), &size) != 0) {
    fd_.reset();
    return false;
  }
  address_ = {own, ntohs(local.sin_port)};
  return true;
}

ice::LocalCandidate RtcSocket::candidate() const {
  auto type = ice::CandidateType::kHost;
  return {.local = kUdpPath,
          .candidate = {.foundation = ice::make_foundation(type, ice::Transport::kUdp, address_.ip),
                        .priority = ice::candidate_priority(type, 65'535),
                        .address = address_,
                        .host_name = {},
                        .related = {},
                        .ufrag = {}},
          .peer = {}};
}

std::optional<RtcArrival> RtcSocket::receive(RtcShared& shared) {
  static thread_local std::vector<std::uint8_t> buffer(kDatagramBytesMax);
  Arrival arrival = receive_stamped(fd_.get(), buffer);
  if (arrival.bytes <= 0) return std::nullopt;
  auto bytes = static_cast<std::size_t>(arrival.bytes);
  std::int64_t read_ns = unix_ns();
  if (arrival.unix_ns == 0) arrival.unix_ns = read_ns;
  shared.datagrams_dropped += arrival.dropped - std::exchange(dropped_, arrival.dropped);
  if (shared.is_measuring) shared.read_lag_ms.add(static_cast<double>(read_ns - arrival.unix_ns) * 1e-6);
  return RtcArrival{.bytes = std::span(buffer).first(bytes),
                    .segment_bytes = arrival.segment_bytes == 0 ? bytes : arrival.segment_bytes,
                    .unix_ns = arrival.unix_ns,
                    .from = arrival.from};
}

void RtcSocket::flush(RtcShared& shared) {
  std::array<mmsghdr, kSendsAtOnce> messages{};
  std::array<iovec, kSendsAtOnce> pieces{};
  std::array<sockaddr_in, kSendsAtOnce> addresses{};
  for (std::size_t begin = 0; begin < to_send_.size() && fd_.valid(); begin += kSendsAtOnce) {
    std::size_t count = std::min(kSendsAtOnce, to_send_.size() - begin), sent = 0;
    for (std::size_t i = 0; i < count; ++i) {
      webrtc::SendPacket& packet = to_send_[begin + i];
      pieces[i] = {packet.bytes.data(), packet.bytes.size()};
      addresses[i] = to_system(packet.path.remote);
      messages[i].msg_hdr.msg_name = &addresses[i];
      messages[i].msg_hdr.msg_namelen = sizeof addresses[i];
      messages[i].msg_hdr.msg_iov = &pieces[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (sent < count) {
      int done = sendmmsg(fd_.get(), messages.data() + sent, static_cast<unsigned>(count - sent), 0);
      if (done <= 0) ++shared.datagrams_refused;
      sent += done > 0 ? static_cast<std::size_t>(done) : 1;
    }
  }
  to_send_.clear();
}

}  // namespace stoa::bench
