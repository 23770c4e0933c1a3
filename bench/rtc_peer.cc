#include "rtc_peer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "proto/rtp/packet.h"

namespace stoa::bench {
namespace {

constexpr int kReadsPerWakeup = 8;
constexpr std::int64_t kNever = INT64_MAX;
constexpr Duration kIcePace = Duration::milliseconds(5);  // Our own waiting is not to be measured.

Timestamp at(std::int64_t ns) { return Timestamp::from_ns(ns); }
WallTime wall() { return WallTime::from_us(unix_ns() / 1000); }

}  // namespace

RtcPeer::RtcPeer(RtcShared& shared, RtcTarget target, std::uint64_t seed)
    : shared_(shared), rng_(seed), target_(std::move(target)) {}
RtcPeer::~RtcPeer() = default;

void RtcPeer::fail(Failure failure) {
  if (state_ == State::kEnded) return;
  state_ = State::kEnded;
  failure_ = std::move(failure);
  exchange_.stop();
  udp_.close();
}

void RtcPeer::start() {
  std::int64_t now = now_ns();
  join_.started_ns = now;
  auto own = shared_.from ? shared_.from : find_own_address(target_.address);
  if (!own || !udp_.open(*own)) return fail(Failure("no UDP socket: ") + std::strerror(errno));
  webrtc::DialerConfig config{.local_ice = ice::make_credentials(),
                              .candidates = {udp_.candidate()},
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
      if (auto* send = std::get_if<webrtc::SendPacket>(&output)) udp_.queue(std::move(*send));
    flush();
  }
  fail({});
  if (session_path_.empty()) return {};
  return make_delete_request(target_.url, std::exchange(session_path_, {}), target_.bearer);
}

void RtcPeer::handle_readable() {
  for (int i = 0; i < kReadsPerWakeup && state_ != State::kEnded; ++i) {
    std::int64_t now = now_ns();
    auto arrival = udp_.receive(shared_);
    if (!arrival) return;
    take_datagrams(now, *arrival);
  }
}

void RtcPeer::take_datagrams(std::int64_t now, const RtcArrival& arrival) {
  std::span<std::uint8_t> bytes = arrival.bytes;
  while (!bytes.empty() && state_ != State::kEnded) {
    std::span<std::uint8_t> one = bytes.first(std::min(arrival.segment_bytes, bytes.size()));
    bytes = bytes.subspan(one.size());
    bool is_rtp = webrtc::kind_of(one) == webrtc::DatagramKind::kMedia && !rtp::is_rtcp(one);
    if (is_rtp && !on_sealed(arrival.unix_ns, one)) continue;
    ReceivedDatagram datagram{.local = kUdpPath, .remote = arrival.from, .bytes = one};
    dialer_->handle_datagrams(at(now), wall(), std::span(&datagram, 1), out_);
    take_outputs(now, arrival.unix_ns);
  }
  flush();
}

void RtcPeer::take_outputs(std::int64_t now, std::int64_t arrived_ns) {
  for (auto& output : out_.take()) {
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) {
      udp_.queue(std::move(*send));
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
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) udp_.queue(std::move(*send));
}

void RtcPeer::send_rtcp(Bytes packet) {
  webrtc::DialerOutputs box;
  dialer_->send_rtcp(packet, box);
  for (auto& output : box.take())
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) udp_.queue(std::move(*send));
}

}  // namespace stoa::bench
