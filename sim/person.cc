#include "sim/person.h"

#include <algorithm>

#include "base/assert.h"
#include "crypto/text.h"
#include "proto/rtcp/writer.h"
#include "proto/rtp/packet.h"
#include "sim/checksum_kernel.h"

namespace stoa::sim {
namespace {

namespace pb = livekit::pb;

constexpr Duration kPingInterval = Duration::seconds(5), kTryAgain = Duration::seconds(2);
constexpr Duration kMisdeedInterval = Duration::milliseconds(10);
constexpr Duration kCertificateLife = Duration::seconds(30 * 86'400);
constexpr std::uint32_t kLarge = 1280, kLargeHeight = 720, kSmall = 320, kSmallHeight = 180;

ice::LocalCandidate candidate_of(std::uint32_t local, const SocketAddress& address) {
  return {.local = local,
          .candidate = {
              .foundation = ice::make_foundation(ice::CandidateType::kHost, ice::Transport::kUdp, address.ip),
              .transport = ice::Transport::kUdp,
              .priority = ice::candidate_priority(ice::CandidateType::kHost, 65'535),
              .address = address}};
}

}  // namespace

ClientShared::ClientShared(WallTime wall) : transform(make_checksum_kernel()), media(make_client_media()) {
  transport.srtp = &transform.kernel();
  transport.identity = dtls::Identity::make(wall, kCertificateLife);
}

Person::Person(const Config& config, ClientShared& shared, const SocketAddress& address, Rng rng)
    : config_(config),
      shared_(shared),
      address_(address),
      rng_(rng),
      publisher_(config.number, config.publisher, shared.media, Rng(rng_.next())),
      viewer_(config.viewer, static_cast<std::uint32_t>(rng_.next() | 1)) {}

void Person::restart(const SocketAddress& address) {
  address_ = address;
  dialer_.reset();
  out_.clear();
  sections_.clear();
  datagrams_.clear();
  signals_.clear();
  publisher_.stop();
  viewer_.begin_anew();
  is_there_ = is_open_ = is_announced_ = is_offering_ = wants_offer_ = wants_restart_ = false;
  sid_.clear();
  local_ = 0;
  cameras_.clear();
  looked_at_.clear();
  next_ping_ = next_try_ = next_look_ = next_misdeed_ = Timestamp::never();
}

void Person::join(Timestamp now) {
  is_there_ = true;
  ++joins_;
  open(now, false);
}

void Person::open(Timestamp, bool resumes) {
  pb::WrappedJoinRequest wrapped;
  pb::JoinRequest join;
  join.mutable_client_info()->set_protocol(16);
  join.mutable_client_info()->set_sdk(pb::ClientInfo::JS);
  join.mutable_client_info()->set_version("2.9.1");
  join.mutable_connection_settings()->set_auto_subscribe(true);
  join.set_reconnect(resumes);
  if (resumes) join.set_participant_sid(sid_);
  wrapped.set_join_request(join.SerializeAsString());
  http::Request request{.method = http::Method::kGet,
                        .path = "/rtc/v1",
                        .query = "access_token=" + config_.room + "/" + identity() +
                                 "&protocol=16&sdk=js&version=2.9.1&join_request=" +
                                 crypto::write_base64url(as_bytes(wrapped.SerializeAsString())),
                        .peer_address = address_.ip.to_text()};
  for (auto [name, value] :
       {std::pair("upgrade", "websocket"), std::pair("connection", "Upgrade"),
        std::pair("sec-websocket-version", "13"), std::pair("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")})
    request.headers.add(name, value);
  signals_.push_back(OpenSocket{std::move(request)});
}

void Person::leave(Timestamp now, WallTime wall) {
  pb::SignalRequest request;
  request.mutable_leave()->set_reason(pb::CLIENT_INITIATED);
  say(request);
  signals_.push_back(CloseSocket{});
  is_there_ = is_open_ = false;
  publisher_.stop();
  if (dialer_) {
    dialer_->close(now, out_);
    sort(now, wall);
  }
  next_ping_ = next_try_ = next_look_ = next_misdeed_ = Timestamp::never();
}

void Person::lose_socket(Timestamp now) {
  if (!is_there_) return;
  is_open_ = false;
  signals_.push_back(CloseSocket{});
  next_try_ = now + kTryAgain;
}

void Person::change_network(Timestamp now, const SocketAddress& address) {
  address_ = address;
  publisher_.handle_route_change(now);
  if (!dialer_) return;
  ++local_;
  dialer_->add_local_candidate(now, candidate_of(local_, address_), out_);
  offer(now, true);
}

void Person::say(const pb::SignalRequest& request) {
  if (is_open_) signals_.push_back(SendFrame{request.SerializeAsString()});
}

void Person::handle_opened(Timestamp now) {
  is_open_ = true;
  next_ping_ = now + kPingInterval;
  next_try_ = Timestamp::never();
}

void Person::handle_refused(Timestamp now, int) {
  ++refused_;
  if (is_there_) next_try_ = now + kTryAgain;
}

void Person::handle_closed(Timestamp now, std::uint16_t) {
  is_open_ = false;
  next_ping_ = Timestamp::never();
  if (is_there_) next_try_ = now + kTryAgain;
}

void Person::make_dialer(Timestamp now) {
  sections_.push_back({.kind = sdp::MediaKind::kData, .mid = "0"});
  sections_.back().data = sdp::SctpParameters{};
  publisher_.add_sections(sections_);
  for (sdp::MediaKind kind : {sdp::MediaKind::kAudio, sdp::MediaKind::kVideo}) {
    sections_.push_back({.kind = kind, .mid = std::to_string(sections_.size())});
    sections_.back().media = kind == sdp::MediaKind::kVideo ? &shared_.media.video : &shared_.media.audio;
    sections_.back().direction = sdp::Direction::kRecvOnly;
  }
  webrtc::DialerConfig config{.local_ice = ice::make_credentials(),
                              .candidates = {candidate_of(local_, address_)},
                              .sections = sections_,
                              .audio = &shared_.media.audio,
                              .video = &shared_.media.video,
                              .has_receiver = false,
                              .receiver = {},
                              .srtp_profiles = {dtls::SrtpProfile::kAeadAes128Gcm}};
  dialer_ =
      std::make_unique<webrtc::Dialer>(shared_.transport, shared_.transform, config, Rng(rng_.next()), now);
}

void Person::offer(Timestamp now, bool restarts) {
  wants_restart_ |= restarts;
  if (is_offering_ || !is_open_) {
    wants_offer_ = true;
    return;
  }
  is_offering_ = true;
  pb::SignalRequest request;
  if (!dialer_) {
    make_dialer(now);
    wants_restart_ = false;
    request.mutable_offer()->set_sdp(dialer_->offer());
  } else {
    std::optional<ice::Credentials> fresh;
    if (std::exchange(wants_restart_, false)) fresh = ice::make_credentials();
    auto offered = dialer_->offer_again(sections_, fresh);
    if (!offered) {
      is_offering_ = false;
      return;
    }
    request.mutable_offer()->set_sdp(*offered);
  }
  request.mutable_offer()->set_type("offer");
  request.mutable_offer()->set_id(++offers_);
  say(request);
}

void Person::handle_answer(Timestamp now, WallTime wall, const pb::SessionDescription& answer) {
  if (!is_offering_ || answer.id() != offers_) return;
  is_offering_ = false;
  (void)dialer_->handle_answer(now, answer.sdp(), out_);
  sort(now, wall);
  if (dialer_ && dialer_->is_connected()) publisher_.begin(now, wall, *dialer_->agreement());
  if (std::exchange(wants_offer_, false)) offer(now);
}

void Person::note(const pb::ParticipantInfo& info) {
  if (info.sid() == sid_) return;
  cameras_.erase(info.sid());
  if (info.state() == pb::ParticipantInfo::DISCONNECTED) return;
  for (const pb::TrackInfo& track : info.tracks())
    if (track.type() == pb::VIDEO) cameras_[info.sid()] = track.sid();
}

void Person::handle_frame(Timestamp now, WallTime wall, Bytes frame) {
  pb::SignalResponse response;
  if (!response.ParseFromArray(frame.data(), static_cast<int>(frame.size()))) return;
  switch (response.message_case()) {
    case pb::SignalResponse::kJoin: {
      // Anew, also where it asked to resume: what was before is gone.
      if (dialer_ && sid_ != response.join().participant().sid()) {
        const bool was_open = is_open_;
        const Timestamp ping = next_ping_;
        restart(address_);
        is_there_ = true;
        is_open_ = was_open;
        next_ping_ = ping;
      }
      sid_ = response.join().participant().sid();
      for (const auto& other : response.join().other_participants()) note(other);
      if (!std::exchange(is_announced_, true))
        for (const pb::AddTrackRequest& track : publisher_.requests()) {
          pb::SignalRequest request;
          *request.mutable_add_track() = track;
          say(request);
        }
      offer(now);
      next_look_ = now + Duration::seconds(1);
      if (config_.is_hostile) next_misdeed_ = now + Duration::seconds(2);
      break;
    }
    case pb::SignalResponse::kReconnect:
      is_offering_ = false;
      offer(now, true);
      break;
    case pb::SignalResponse::kUpdate:
      for (const auto& one : response.update().participants()) note(one);
      break;
    case pb::SignalResponse::kAnswer: handle_answer(now, wall, response.answer()); break;
    case pb::SignalResponse::kMediaSectionsRequirement: {
      const auto& wanted = response.media_sections_requirement();
      auto add = [&](sdp::MediaKind kind, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
          sections_.push_back({.kind = kind, .mid = std::to_string(sections_.size())});
          sections_.back().media =
              kind == sdp::MediaKind::kVideo ? &shared_.media.video : &shared_.media.audio;
          sections_.back().direction = sdp::Direction::kRecvOnly;
        }
      };
      add(sdp::MediaKind::kAudio, wanted.num_audios());
      add(sdp::MediaKind::kVideo, wanted.num_videos());
      offer(now);
      break;
    }
    case pb::SignalResponse::kSubscribedQualityUpdate:
      publisher_.handle_qualities(now, response.subscribed_quality_update());
      break;
    case pb::SignalResponse::kLeave:
      // Whoever is put out comes again as a new one.
      if (is_there_) {
        restart(address_);
        is_there_ = true;
        next_try_ = now + kTryAgain;
        signals_.push_back(CloseSocket{});
      }
      break;
    default: break;
  }
}

// One of the others large, the rest small.
void Person::look(Timestamp now) {
  const auto length = config_.attention.as_seconds() * (0.5 + rng_.unit());
  next_look_ = config_.attention > Duration() ? now + Duration::from_seconds(length) : Timestamp::never();
  if (cameras_.empty()) return;
  auto chosen = cameras_.begin();
  std::advance(chosen, static_cast<std::ptrdiff_t>(rng_.below(cameras_.size())));
  looked_at_ = config_.attention > Duration() ? chosen->second : "";
  for (const auto& [sid, track] : cameras_) {
    pb::SignalRequest request;
    auto& settings = *request.mutable_track_setting();
    settings.add_track_sids(track);
    const bool is_large = track == looked_at_;
    settings.set_width(is_large ? kLarge : kSmall);
    settings.set_height(is_large ? kLargeHeight : kSmallHeight);
    say(request);
  }
}

void Person::handle_datagrams(Timestamp now, WallTime wall, std::span<const Arrived> arrived) {
  if (!dialer_) return;
  received_.clear();
  for (const Arrived& one : arrived) received_.push_back({local_, one.from, one.bytes});
  dialer_->handle_datagrams(now, wall, received_, out_);
  sort(now, wall, arrived);
}

void Person::send_rtp(Bytes packet) {
  if (dialer_) (void)dialer_->send_rtp(packet, out_);
}
void Person::send_rtcp(Bytes packet) {
  if (dialer_) (void)dialer_->send_rtcp(packet, out_);
}

void Person::handle_deadline(Timestamp now, WallTime wall) {
  if (dialer_ && dialer_->next_deadline() <= now) {
    dialer_->handle_deadline(now, wall, out_);
    sort(now, wall);
  }
  if (is_connected()) {
    auto rtp = [this](Bytes packet) { send_rtp(packet); };
    auto rtcp = [this](Bytes packet) { send_rtcp(packet); };
    if (publisher_.next_deadline() <= now) publisher_.handle_deadline(now, wall, rtp, rtcp);
    if (viewer_.next_deadline() <= now) viewer_.handle_deadline(now, rtcp);
    if (next_misdeed_ <= now) misbehave(now);
    sort(now, wall);
  }
  if (next_look_ <= now) look(now);
  if (next_ping_ <= now) {
    next_ping_ = now + kPingInterval;
    pb::SignalRequest request;
    request.mutable_ping_req()->set_timestamp(wall.ms());
    say(request);
  }
  if (next_try_ <= now) {
    next_try_ = now + kTryAgain * 4;
    open(now, !sid_.empty());
  }
}

Timestamp Person::next_deadline() const {
  Timestamp at = std::min({next_look_, next_ping_, next_try_});
  if (dialer_) at = std::min(at, dialer_->next_deadline());
  if (is_connected()) at = std::min({at, publisher_.next_deadline(), viewer_.next_deadline(), next_misdeed_});
  return at;
}

void Person::sort(Timestamp now, WallTime wall, std::span<const Arrived> arrived) {
  while (!out_.empty()) {
    std::swap(out_, handling_);
    for (webrtc::DialerOutput& output : handling_) {
      std::visit(
          Overloaded{[&](webrtc::SendPacket& send) {
                       datagrams_.push_back({send.path.remote, std::move(send.bytes)});
                     },
                     [&](webrtc::TransportConnected&) { publisher_.begin(now, wall, *dialer_->agreement()); },
                     [&](webrtc::TransportClosed&) {
                       // Media is gone: it comes anew.
                       publisher_.stop();
                       if (is_there_ && next_try_ == Timestamp::never()) {
                         sid_.clear();
                         is_open_ = false;
                         signals_.push_back(CloseSocket{});
                         next_try_ = now + kTryAgain;
                       }
                     },
                     [&](webrtc::RtpReceived& received) {
                       // In the order of arrival.
                       while (arrived.size() > 1 && arrived.front().bytes.data() != received.packet.data())
                         arrived = arrived.subspan(1);
                       viewer_.handle_rtp(now, arrived.front().at, received.packet, *dialer_->agreement());
                     },
                     [&](webrtc::RtcpReceived& received) {
                       viewer_.handle_rtcp(now, received.packet);
                       publisher_.handle_rtcp(now, received.packet,
                                              [this](Bytes packet) { send_rtp(packet); });
                       if (const auto round_trip = publisher_.round_trip())
                         viewer_.set_round_trip(*round_trip);
                     },
                     [](auto&) {}},
          output);
    }
    handling_.clear();
  }
}

// Ten of these a hundred times a second: what no honest client sends.
void Person::misbehave(Timestamp now) {
  next_misdeed_ = now + kMisdeedInterval;
  rtcp::Writer writer;
  for (int i = 0; i < 10; ++i) {
    writer.clear();
    const auto ssrc = static_cast<std::uint32_t>(rng_.next()), own = static_cast<std::uint32_t>(rng_.next());
    switch (rng_.below(7)) {
      case 0: writer.write_pli(own, ssrc); break;
      case 1: {
        std::array<std::uint16_t, 16> sequences;
        for (auto& sequence : sequences) sequence = static_cast<std::uint16_t>(rng_.next());
        std::sort(sequences.begin(), sequences.end());
        writer.write_nack(own, ssrc, sequences);
        break;
      }
      case 2: writer.write_remb(own, rng_.next() >> rng_.below(64), {}); break;
      case 3: {
        rtcp::TransportFeedbackBuilder builder(static_cast<std::uint16_t>(rng_.next()), 1200);
        Timestamp at = Timestamp() + Duration::microseconds(static_cast<std::int64_t>(rng_.below(1u << 30)));
        for (int k = 0; k < 50; ++k) {
          (void)builder.add(rng_.below(4), at);
          at += Duration::microseconds(static_cast<std::int64_t>(rng_.below(8'000'000)) - 4'000'000);
          if (at < Timestamp()) at = Timestamp();
        }
        if (!builder.empty()) builder.write(own, ssrc, static_cast<std::uint8_t>(rng_.next()), writer);
        break;
      }
      case 4: {
        rtcp::ReportBlock block{.ssrc = ssrc,
                                .fraction_lost = static_cast<std::uint8_t>(rng_.next()),
                                .cumulative_lost = static_cast<std::int32_t>(rng_.next() & 0x7f'ffff),
                                .highest_sequence = static_cast<std::uint32_t>(rng_.next()),
                                .jitter = static_cast<std::uint32_t>(rng_.next()),
                                .last_sr = static_cast<std::uint32_t>(rng_.next()),
                                .delay_since_last_sr = static_cast<std::uint32_t>(rng_.next())};
        writer.write_receiver_report(own, std::span(&block, 1));
        break;
      }
      case 5: {  // Something that begins like RTCP.
        Buffer bytes(4 * (2 + rng_.below(20)));
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng_.next());
        bytes[0] = static_cast<std::uint8_t>(0x80 | (bytes[0] & 0x1f));
        bytes[1] = static_cast<std::uint8_t>(200 + rng_.below(8));
        rtp::put_u16(bytes, 2, static_cast<std::uint16_t>(bytes.size() / 4 - 1));
        send_rtcp(bytes);
        continue;
      }
      default: {  // And like RTP.
        Buffer bytes(12 + rng_.below(1000));
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(rng_.next());
        bytes[0] = static_cast<std::uint8_t>(0x80 | (bytes[0] & 0x3f));
        bytes[1] = static_cast<std::uint8_t>(96 + rng_.below(32));
        send_rtp(bytes);
        continue;
      }
    }
    if (!writer.empty()) send_rtcp(writer.view());
  }
}

}  // namespace stoa::sim
