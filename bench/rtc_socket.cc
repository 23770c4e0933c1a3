#include "rtc_socket.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "crypto/srtp_kernel.h"

namespace stoa::bench {
namespace {

constexpr std::size_t kSendsAtOnce = 64;

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
  auto opened = open_udp({own, 0}, {.takes_trains = true});
  socket_ = opened ? std::move(*opened) : UdpSocket{};
  return valid();
}

ice::LocalCandidate RtcSocket::candidate() const {
  auto type = ice::CandidateType::kHost;
  return {.local = kUdpPath,
          .candidate = {.foundation = ice::make_foundation(type, ice::Transport::kUdp, address().ip),
                        .priority = ice::candidate_priority(type, 65'535),
                        .address = address(),
                        .host_name = {},
                        .related = {},
                        .ufrag = {}},
          .peer = {}};
}

std::optional<RtcArrival> RtcSocket::receive(RtcShared& shared) {
  static thread_local std::vector<std::uint8_t> buffer(kUdpBytesMax);
  auto arrival = receive_udp(fd(), buffer);
  if (!arrival || arrival->bytes.empty()) return std::nullopt;
  const std::int64_t read_ns = unix_ns();
  if (arrival->unix_ns == 0) arrival->unix_ns = read_ns;
  shared.datagrams_dropped += arrival->dropped - std::exchange(dropped_, arrival->dropped);
  if (shared.is_measuring) shared.read_lag_ms.add(static_cast<double>(read_ns - arrival->unix_ns) * 1e-6);
  return RtcArrival{
      .bytes = arrival->bytes,
      .segment_bytes = arrival->segment_bytes == 0 ? arrival->bytes.size() : arrival->segment_bytes,
      .unix_ns = arrival->unix_ns,
      .from = arrival->from};
}

void RtcSocket::flush(RtcShared& shared) {
  std::array<mmsghdr, kSendsAtOnce> messages{};
  std::array<iovec, kSendsAtOnce> pieces{};
  std::array<sockaddr_in, kSendsAtOnce> addresses{};
  for (std::size_t begin = 0; begin < to_send_.size() && valid(); begin += kSendsAtOnce) {
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
      int done = sendmmsg(fd(), messages.data() + sent, static_cast<unsigned>(count - sent), 0);
      if (done <= 0) ++shared.datagrams_refused;
      sent += done > 0 ? static_cast<std::size_t>(done) : 1;
    }
  }
  to_send_.clear();
}

}  // namespace stoa::bench
