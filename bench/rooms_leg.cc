#include "rooms_leg.h"

#include <algorithm>

#include "proto/rtp/packet.h"

namespace stoa::bench {
namespace {

constexpr int kReadsPerWakeup = 8;
constexpr Duration kIcePace = Duration::milliseconds(5);  // Our own waiting is not to be measured.

Timestamp at(std::int64_t ns) { return Timestamp::from_ns(ns); }
WallTime wall() { return WallTime::from_us(unix_ns() / 1000); }

}  // namespace

bool RoomsLeg::open(std::int64_t now, IpAddress own, std::uint64_t seed,
                    std::vector<sdp::OfferedSection> sections, const sdp::MediaSupport& audio,
                    const sdp::MediaSupport& video) {
  if (!socket_.open(own)) return false;
  webrtc::DialerConfig config{.local_ice = ice::make_credentials(),
                              .candidates = {socket_.candidate()},
                              .sections = std::move(sections),
                              .audio = &audio,
                              .video = &video,
                              .has_receiver = false,
                              .receiver = {},
                              .ice = {.pace = kIcePace}};
  dialer_ =
      std::make_unique<webrtc::Dialer>(shared_.transport, shared_.transform, config, Rng(seed), at(now));
  return true;
}

bool RoomsLeg::handle_answer(std::int64_t now, const std::string& text) {
  bool is_taken = dialer_->handle_answer(at(now), text, out_).has_value();
  take_outputs(now, now);
  flush();
  return is_taken;
}

bool RoomsLeg::handle_offer(std::int64_t now, const std::string& text, std::string& answer) {
  auto made = dialer_->handle_offer(at(now), text, out_);
  if (made) answer = std::move(*made);
  take_outputs(now, now);
  return made.has_value();
}

void RoomsLeg::add_candidate(std::int64_t now, const std::string& line) {
  if (!dialer_) return;
  auto candidate = ice::parse_candidate(line);
  if (!candidate) return;
  dialer_->add_remote_candidate(at(now), *candidate, out_);
  take_outputs(now, now);
  flush();
}

void RoomsLeg::handle_readable() {
  for (int i = 0; i < kReadsPerWakeup && socket_.valid(); ++i) {
    std::int64_t now = now_ns();
    auto arrival = socket_.receive(shared_);
    if (!arrival) return;
    take(now, *arrival);
  }
}

void RoomsLeg::take(std::int64_t now, const RtcArrival& arrival) {
  std::span<std::uint8_t> bytes = arrival.bytes;
  while (!bytes.empty() && socket_.valid()) {
    std::span<std::uint8_t> one = bytes.first(std::min(arrival.segment_bytes, bytes.size()));
    bytes = bytes.subspan(one.size());
    bool is_rtp = webrtc::kind_of(one) == webrtc::DatagramKind::kMedia && !rtp::is_rtcp(one);
    if (is_rtp && !user_.on_sealed(now, arrival.unix_ns, one)) continue;
    ReceivedDatagram datagram{.local = kUdpPath, .remote = arrival.from, .bytes = one};
    dialer_->handle_datagrams(at(now), wall(), std::span(&datagram, 1), out_);
    take_outputs(now, arrival.unix_ns);
  }
  flush();
}

void RoomsLeg::take_outputs(std::int64_t now, std::int64_t arrived_ns) {
  for (auto& output : out_.take()) {
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) {
      socket_.queue(std::move(*send));
    } else if (auto* rtp = std::get_if<webrtc::RtpReceived>(&output)) {
      user_.on_rtp(arrived_ns, rtp->packet);
    } else if (auto* rtcp = std::get_if<webrtc::RtcpReceived>(&output)) {
      user_.on_rtcp(now, rtcp->packet);
    } else if (std::holds_alternative<webrtc::TransportConnected>(output)) {
      user_.on_connected(now);
    } else if (auto* closed = std::get_if<webrtc::TransportClosed>(&output)) {
      return user_.on_closed(webrtc::name_of(closed->end));
    }
  }
}

void RoomsLeg::handle_deadline(std::int64_t now) {
  if (!dialer_ || at(now) < dialer_->next_deadline()) return;
  dialer_->handle_deadline(at(now), wall(), out_);
  take_outputs(now, now);
  flush();
}

std::int64_t RoomsLeg::next_deadline() const {
  return dialer_ && socket_.valid() ? dialer_->next_deadline().ns() : INT64_MAX;
}

void RoomsLeg::send_rtp(Bytes packet) {
  webrtc::DialerOutputs box;
  dialer_->send_rtp(packet, box);
  for (auto& output : box.take())
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) socket_.queue(std::move(*send));
}

void RoomsLeg::send_rtcp(Bytes packet) {
  webrtc::DialerOutputs box;
  dialer_->send_rtcp(packet, box);
  for (auto& output : box.take())
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) socket_.queue(std::move(*send));
}

void RoomsLeg::close() {
  if (!dialer_ || !socket_.valid()) return;
  dialer_->close(at(now_ns()), out_);
  for (auto& output : out_.take())
    if (auto* send = std::get_if<webrtc::SendPacket>(&output)) socket_.queue(std::move(*send));
  flush();
  socket_.close();
}

}  // namespace stoa::bench
