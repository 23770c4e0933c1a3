#include "rtc_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "crypto/srtp_kernel.h"
#include "proto/rtp/packet.h"

namespace stoa::bench {
namespace {

constexpr int kReceiveBufferBytes = 1 << 20;
constexpr std::size_t kDatagramBytesMax = 1 << 16;  // A train that the kernel has put together.
constexpr int kReadsPerWakeup = 8;
constexpr std::size_t kSendsAtOnce = 64;
constexpr std::int64_t kNever = INT64_MAX;
constexpr Duration kIcePace = Duration::milliseconds(5);  // Our own waiting is not to be measured.

Timestamp at(std::int64_t ns) { return Timestamp::from_ns(ns); }
WallTime wall() { return WallTime::from_us(unix_ns() / 1000); }

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

ice::LocalCandidate make_host_candidate(const SocketAddress& address) {
  auto type = ice::CandidateType::kHost;
  return {.local = kUdpPath,
          .candidate = {.foundation = ice::make_foundation(type, ice::Transport::kUdp, address.ip),
                        .priority = ice::candidate_priority(type, 65'535),
                        .address = address,
                        .host_name = {},
                        .related = {},
                        .ufrag = {}},
          .peer = {}};
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
  transport.identity = dtls::Identity::make(wall(), Duration::seconds(7 * 86'400));
}

RtcPeer::RtcPeer(RtcShared& shared, RtcTarget target, std::uint64_t seed)
    : shared_(shared), rng_(seed), target_(std::move(target)) {}
RtcPeer::~RtcPeer() = default;

void RtcPeer::fail(Failure failure) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  failure_ = std::move(failure);
  exchange_.stop();
  udp_.reset();
}

bool RtcPeer::open_socket(IpAddress own) {
  udp_ = Fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!udp_.valid()) return false;
  int yes = 1, bytes = kReceiveBufferBytes;
  setsockopt(udp_.get(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
  setsockopt(udp_.get(), SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
  setsockopt(udp_.get(), SOL_UDP, UDP_GRO, &yes, sizeof yes);
  setsockopt(udp_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
  sockaddr_in local = to_system({own, 0});
  return bind(udp_.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) == 0;
}

void RtcPeer::start() {
  std::int64_t now = now_ns();
  join_.started_ns = now;
  auto own = shared_.from ? shared_.from : find_own_address(target_.address);
  sockaddr_in bound{};
  socklen_t size = sizeof bound;
  if (!own || !open_socket(*own) || getsockname(udp_.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0)
    return fail(Failure("no UDP socket: ") + std::strerror(errno));
  webrtc::DialerConfig config{.local_ice = ice::make_credentials(),
                              .candidates = {make_host_candidate({*own, ntohs(bound.sin_port)})},
                              .sections = sections(),
                              .has_receiver = false,
                              .receiver = {},
                              .ice = {.pace = kIcePace}};
  dialer_ = std::make_unique<webrtc::Dialer>(shared_.transport, shared_.transform, config, Rng(rng_.next()),
                                             at(now));
  state_ = State::kPosting;
  exchange_.start(target_.address, make_offer_request(target_.url, target_.bearer, dialer_->offer()));
  if (exchange_.state() == RtcExchange::State::kFailed) fail(exchange_.failure());
}

void RtcPeer::handle_http(std::uint32_t events) {
  if (state_ != State::kPosting) return;
  exchange_.handle_events(events);
  if (exchange_.state() == RtcExchange::State::kFailed) return fail(exchange_.failure());
  if (exchange_.state() == RtcExchange::State::kDone) handle_answer();
}

void RtcPeer::handle_answer() {
  const ResponseReader& response = exchange_.response();
  if (response.status() != 201) {
    std::string text = "status " + std::to_string(response.status());
    if (!response.body().empty()) text += ": " + response.body().substr(0, 200);
    return fail(std::move(text));
  }
  if (auto location = response.find_header("location"); !location.empty())
    session_path_ = resolve_path(target_.url.path, location);
  std::int64_t now = now_ns();
  join_.answered = now - join_.started_ns;
  state_ = State::kConnecting;
  if (auto taken = dialer_->handle_answer(at(now), response.body(), out_); !taken)
    return fail(Failure("answer refused: ") + webrtc::name_of(taken.error()));
  take_outputs(now, now);
  flush();
}

std::string RtcPeer::stop() {
  if (dialer_ && state_ != State::kEnded) {
    dialer_->close(at(now_ns()), out_);
    for (auto& output : out_.take())
      if (auto* send = std::get_if<webrtc::SendPacket>(&output)) to_send_.push_back(std::move(*send));
    flush();
  }
  fail({});
  if (session_path_.empty()) return {};
  return make_delete_request(target_.url, std::exchange(session_path_, {}), target_.bearer);
}

void RtcPeer::handle_readable() {
  for (int i = 0; i < kReadsPerWakeup && state_ != State::kEnded; ++i)
    if (receive(now_ns()) == 0) return;
}

std::size_t RtcPeer::receive(std::int64_t now) {
  static thread_local std::vector<std::uint8_t> buffer(kDatagramBytesMax);
  Arrival arrival = receive_stamped(udp_.get(), buffer);
  if (arrival.bytes <= 0) return 0;
  auto bytes = static_cast<std::size_t>(arrival.bytes);
  std::size_t segment = arrival.segment_bytes == 0 ? bytes : arrival.segment_bytes;
  std::int64_t read_ns = unix_ns();
  if (arrival.unix_ns == 0) arrival.unix_ns = read_ns;
  shared_.datagrams_dropped += arrival.dropped - std::exchange(dropped_, arrival.dropped);
  if (shared_.is_measuring) shared_.read_lag_ms.add(static_cast<double>(read_ns - arrival.unix_ns) * 1e-6);
  take_datagrams(now, arrival.unix_ns, arrival.from, std::span(buffer).first(bytes), segment);
  return bytes;
}

void RtcPeer::take_datagrams(std::int64_t now, std::int64_t arrived_ns, const SocketAddress& from,
                             std::span<std::uint8_t> bytes, std::size_t segment_bytes) {
  while (!bytes.empty() && state_ != State::kEnded) {
    std::span<std::uint8_t> one = bytes.first(std::min(segment_bytes, bytes.size()));
    bytes = bytes.subspan(one.size());
    bool is_rtp = webrtc::kind_of(one) == webrtc::DatagramKind::kMedia && !rtp::is_rtcp(one);
    if (is_rtp && !on_sealed(arrived_ns, one)) continue;
    ReceivedDatagram datagram{.local = kUdpPath, .remote = from, .bytes = one};
    dialer_->handle_datagrams(at(now), wall(), std::span(&datagram, 1), out_);
    take_outputs(now, arrived_ns);
  }
  flush();
}

void RtcPeer::take_outputs(std::int64_t now, std::int64_t arrived_ns) {
  for (auto& output : out_.take()) {
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) {
      to_send_.push_back(std::move(*send));
    } else if (auto* rtp = std::get_if<webrtc::RtpReceived>(&output)) {
      on_rtp(arrived_ns, rtp->packet);
    } else if (auto* rtcp = std::get_if<webrtc::RtcpReceived>(&output)) {
      on_rtcp(now, rtcp->packet);
    } else if (std::holds_alternative<webrtc::TransportConnected>(output)) {
      state_ = State::kConnected;
      join_.connected = now - join_.started_ns;
      on_connected(now);
    } else if (auto* closed = std::get_if<webrtc::TransportClosed>(&output)) {
      return fail(Failure("transport: ") + webrtc::name_of(closed->end));
    }
  }
}

void RtcPeer::handle_deadline(std::int64_t now) {
  if (state_ != State::kConnecting && state_ != State::kConnected) return;
  if (at(now) >= dialer_->next_deadline()) {
    dialer_->handle_deadline(at(now), wall(), out_);
    take_outputs(now, now);
  }
  if (state_ == State::kConnected && now >= next_due()) on_due(now);
  flush();
}

std::int64_t RtcPeer::next_deadline() const {
  if (state_ != State::kConnecting && state_ != State::kConnected) return kNever;
  std::int64_t due = state_ == State::kConnected ? next_due() : kNever;
  return std::min(due, dialer_->next_deadline().ns());
}

void RtcPeer::send_rtp(Bytes packet) {
  webrtc::DialerOutputs box;
  dialer_->send_rtp(packet, box);
  for (auto& output : box.take())
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) to_send_.push_back(std::move(*send));
}

void RtcPeer::send_rtcp(Bytes packet) {
  webrtc::DialerOutputs box;
  dialer_->send_rtcp(packet, box);
  for (auto& output : box.take())
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) to_send_.push_back(std::move(*send));
}

void RtcPeer::flush() {
  std::array<mmsghdr, kSendsAtOnce> messages{};
  std::array<iovec, kSendsAtOnce> pieces{};
  std::array<sockaddr_in, kSendsAtOnce> addresses{};
  for (std::size_t begin = 0; begin < to_send_.size() && udp_.valid(); begin += kSendsAtOnce) {
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
    // What the kernel refuses (no route, nobody there, no room) is lost, as on any network.
    while (sent < count) {
      int done = sendmmsg(udp_.get(), messages.data() + sent, static_cast<unsigned>(count - sent), 0);
      if (done <= 0) ++shared_.datagrams_refused;
      sent += done > 0 ? static_cast<std::size_t>(done) : 1;
    }
  }
  to_send_.clear();
}

}  // namespace stoa::bench
