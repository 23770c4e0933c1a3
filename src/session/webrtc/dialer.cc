#include "session/webrtc/dialer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "proto/rtp/packet.h"
#include "proto/srtp/limits.h"

namespace stoa::webrtc {
namespace {

// The two folders name hashes in the same order.
static_assert(static_cast<int>(sdp::HashFunction::kSha1) == static_cast<int>(crypto::FingerprintHash::kSha1));
static_assert(static_cast<int>(sdp::HashFunction::kSha256) ==
              static_cast<int>(crypto::FingerprintHash::kSha256));
static_assert(static_cast<int>(sdp::HashFunction::kSha512) ==
              static_cast<int>(crypto::FingerprintHash::kSha512));

sdp::Fingerprint to_sdp(const crypto::Fingerprint& fingerprint) {
  return sdp::make_fingerprint(static_cast<sdp::HashFunction>(fingerprint.hash()), fingerprint.digest());
}
crypto::Fingerprint to_crypto(const sdp::Fingerprint& fingerprint) {
  return {static_cast<crypto::FingerprintHash>(fingerprint.hash), fingerprint.bytes()};
}

std::optional<ice::Candidate> to_ice(const sdp::Candidate& candidate) {
  auto read = ice::parse_candidate("candidate:" + sdp::write_candidate(candidate));
  return read ? std::optional(std::move(*read)) : std::nullopt;
}

RemoteTransport remote_of(const sdp::Agreement& agreement) {
  RemoteTransport remote{.ice = {agreement.remote_ice.ufrag, agreement.remote_ice.password},
                         .is_ice_lite = agreement.is_remote_ice_lite};
  for (const sdp::Fingerprint& fingerprint : agreement.remote_fingerprints)
    remote.fingerprints.push_back(to_crypto(fingerprint));
  for (const sdp::Candidate& candidate : agreement.remote_candidates)
    if (auto read = to_ice(candidate)) remote.candidates.push_back(std::move(*read));
  return remote;
}

bool receives(const sdp::Agreement& agreement) {
  return std::any_of(agreement.sections.begin(), agreement.sections.end(),
                     [](const sdp::AgreedSection& section) { return can_receive(section.direction); });
}

}  // namespace

const char* name_of(DialRefusal refusal) {
  switch (refusal) {
    case DialRefusal::kBadAnswer: return "bad_answer";
    case DialRefusal::kBadTransport: return "bad_transport";
    case DialRefusal::kNotExpected: return "not_expected";
  }
  return "unknown";
}

struct Dialer::Impl {
  // What only counts until there is an answer.
  struct Waiting {
    sdp::SessionDescription offer;
    std::string text;
    std::shared_ptr<const dtls::Identity> identity;
    ice::Credentials local_ice;
    std::vector<ice::LocalCandidate> candidates;
    ice::AgentConfig ice;
    std::vector<dtls::SrtpProfile> srtp_profiles;
    std::optional<ReceiverConfig> receiver;
  };

  Impl(const TransportShared& given, srtp::Transform& given_transform, const DialerConfig& config, Rng random)
      : shared(given), transform(given_transform), rng(random) {
    waiting = std::make_unique<Waiting>();
    waiting->identity = given.identity;
    waiting->local_ice = config.local_ice;
    waiting->candidates = config.candidates;
    waiting->ice = config.ice;
    waiting->srtp_profiles = config.srtp_profiles;
    if (config.has_receiver) waiting->receiver = config.receiver;
    sdp::Local local{.session_id = rng.next() >> 1,
                     .session_version = 1,
                     .ice = {.ufrag = config.local_ice.ufrag, .password = config.local_ice.password}};
    local.ice_options = {.trickle = true, .ice2 = true};
    local.fingerprints = {to_sdp(given.identity->fingerprint())};
    for (const ice::LocalCandidate& each : config.candidates) {
      auto candidate = sdp::parse_candidate(ice::write_candidate(each.candidate));
      if (candidate && *candidate) local.candidates.push_back(std::move(**candidate));
    }
    auto offer = sdp::make_offer(local, config.sections);
    STOA_ASSERT(offer);
    waiting->offer = std::move(*offer);
    waiting->text = sdp::write(waiting->offer);
  }

  void begin(Timestamp now, DialerOutputs& out);
  // Each hands on what its part put out.
  void hand_on(TransportOutputs& box, DialerOutputs& out);
  void hand_on(ReceiverOutputs& box, DialerOutputs& out);
  void open(Timestamp now, WallTime wall, std::span<srtp::PacketToUnprotect> packets, DialerOutputs& out);
  void handle_media(Timestamp now, WallTime wall, const srtp::PacketToUnprotect& opened, DialerOutputs& out);
  bool send_rtcp(Bytes packet, DialerOutputs& out);
  // Null where nothing can be sent.
  srtp::SendContext* sender() const;

  const TransportShared& shared;
  srtp::Transform& transform;
  Rng rng;
  std::unique_ptr<Waiting> waiting;
  std::unique_ptr<sdp::Agreement> agreement;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<Receiver> receiver;
  bool is_closed = false;
  DialerStats stats;
};

Dialer::Dialer(const TransportShared& shared, srtp::Transform& transform, const DialerConfig& config, Rng rng,
               Timestamp)
    : impl_(std::make_unique<Impl>(shared, transform, config, rng)) {}
Dialer::~Dialer() = default;

const std::string& Dialer::offer() const {
  static const std::string kNone;
  return impl_->waiting ? impl_->waiting->text : kNone;
}

Result<void, DialRefusal> Dialer::handle_answer(Timestamp now, std::string_view answer, DialerOutputs& out) {
  if (!impl_->waiting || impl_->is_closed) return refuse(DialRefusal::kNotExpected);
  auto description = sdp::parse(answer);
  if (!description) return refuse(DialRefusal::kBadAnswer);
  auto agreed = sdp::agree(impl_->waiting->offer, *description, sdp::Side::kOfferer);
  if (!agreed) return refuse(DialRefusal::kBadAnswer);
  ice::Credentials theirs{agreed->remote_ice.ufrag, agreed->remote_ice.password};
  if (!theirs.is_valid() || agreed->remote_fingerprints.empty()) return refuse(DialRefusal::kBadTransport);
  impl_->agreement = std::make_unique<sdp::Agreement>(std::move(*agreed));
  impl_->begin(now, out);
  return {};
}

void Dialer::Impl::begin(Timestamp now, DialerOutputs& out) {
  TransportConfig config{.side = TransportConfig::Side::kClient};
  config.local_ice = std::move(waiting->local_ice);
  config.dtls_role =
      agreement->dtls_role == sdp::DtlsRole::kClient ? dtls::Role::kClient : dtls::Role::kServer;
  config.srtp_profiles = std::move(waiting->srtp_profiles);
  config.full = waiting->ice;
  config.identity = std::move(waiting->identity);
  if (const auto& data = agreement->data)
    config.data = DataConfig{data->local_port, data->remote_port, data->send_message_bytes_max, {}};
  transport =
      std::make_unique<Transport>(shared, std::move(config), remote_of(*agreement), Rng(rng.next()), now);
  if (waiting->receiver && receives(*agreement)) {
    auto ssrc = static_cast<std::uint32_t>(rng.next() | 1);
    receiver = std::make_unique<Receiver>(*agreement, *waiting->receiver, ssrc, Rng(rng.next()), now);
  }
  TransportOutputs box;
  for (const ice::LocalCandidate& candidate : waiting->candidates)
    transport->add_local_candidate(now, candidate, box);
  waiting.reset();
  hand_on(box, out);
}

void Dialer::add_local_candidate(Timestamp now, const ice::LocalCandidate& candidate, DialerOutputs& out) {
  if (Impl::Waiting* waiting = impl_->waiting.get()) {
    if (waiting->candidates.size() < waiting->ice.local_candidates_max)
      waiting->candidates.push_back(candidate);
    return;
  }
  if (!impl_->transport) return;
  TransportOutputs box;
  impl_->transport->add_local_candidate(now, candidate, box);
  impl_->hand_on(box, out);
}

void Dialer::add_remote_candidate(Timestamp now, const ice::Candidate& candidate, DialerOutputs& out) {
  if (!impl_->transport) return;
  TransportOutputs box;
  impl_->transport->add_remote_candidate(now, candidate, box);
  impl_->hand_on(box, out);
}

void Dialer::restart_ice(Timestamp now, ice::Credentials local, ice::Credentials remote,
                         std::span<const ice::Candidate> candidates, DialerOutputs& out) {
  if (!impl_->transport) return;
  TransportOutputs box;
  impl_->transport->restart_ice(now, std::move(local), std::move(remote), box);
  for (const ice::Candidate& candidate : candidates)
    impl_->transport->add_remote_candidate(now, candidate, box);
  if (candidates.empty()) {
    for (const sdp::Candidate& known : impl_->agreement->remote_candidates) {
      auto candidate = to_ice(known);
      if (!candidate) continue;
      candidate->ufrag.clear();  // It may name the generation before.
      impl_->transport->add_remote_candidate(now, *candidate, box);
    }
  }
  impl_->hand_on(box, out);
}

void Dialer::Impl::hand_on(TransportOutputs& box, DialerOutputs& out) {
  for (TransportOutput& output : box.take()) {
    std::visit(Overloaded{[](PathAdded&) {}, [](PathRemoved&) {},
                          [&](TransportClosed& closed) {
                            is_closed = true;
                            out.push(closed);
                          },
                          [&](auto& other) { out.push(std::move(other)); }},
               output);
  }
}

void Dialer::Impl::hand_on(ReceiverOutputs& box, DialerOutputs& out) {
  for (ReceiverOutput& output : box.take()) {
    std::visit(Overloaded{[&](SendRtcp& rtcp) { send_rtcp(rtcp.packet, out); },
                          [&](auto& other) { out.push(std::move(other)); }},
               output);
  }
}

void Dialer::handle_datagrams(Timestamp now, WallTime wall, std::span<const ReceivedDatagram> datagrams,
                              DialerOutputs& out) {
  Impl& impl = *impl_;
  if (!impl.transport || impl.is_closed) return;
  std::array<srtp::PacketToUnprotect, srtp::kBatchPackets> packets;
  std::size_t count = 0;
  TransportOutputs box;
  for (const ReceivedDatagram& datagram : datagrams) {
    ice::Path path{datagram.local, datagram.remote};
    switch (kind_of(datagram.bytes)) {
      case DatagramKind::kStun:
        impl.transport->handle_stun(now, path, ice::Transport::kUdp, datagram.bytes, box);
        break;
      case DatagramKind::kDtls: impl.transport->handle_dtls(now, path, datagram.bytes, box); break;
      case DatagramKind::kUnknown: ++impl.stats.unknown_datagrams; break;
      case DatagramKind::kMedia:
        if (srtp::ReceiveContext* context = impl.transport->receive_context();
            context && impl.transport->is_known(path)) {
          packets[count++] = {.context = context, .packet = datagram.bytes, .outcome = {}};
        } else {
          ++impl.stats.srtp_refused;
        }
    }
    if (count < packets.size()) continue;
    impl.hand_on(box, out);
    impl.open(now, wall, std::span(packets).first(std::exchange(count, 0)), out);
  }
  impl.hand_on(box, out);
  impl.open(now, wall, std::span(packets).first(count), out);
  if (!impl.receiver || impl.is_closed) return;
  ReceiverOutputs received;
  impl.receiver->flush(now, received);
  impl.hand_on(received, out);
}

void Dialer::Impl::open(Timestamp now, WallTime wall, std::span<srtp::PacketToUnprotect> packets,
                        DialerOutputs& out) {
  if (packets.empty() || is_closed) return;
  transform.unprotect(packets);
  for (const srtp::PacketToUnprotect& packet : packets) {
    if (!packet.outcome) {
      ++stats.srtp_refused;
      continue;
    }
    transport->confirm_peer(now);
    handle_media(now, wall, packet, out);
  }
}

void Dialer::Impl::handle_media(Timestamp now, WallTime wall, const srtp::PacketToUnprotect& opened,
                                DialerOutputs& out) {
  Bytes packet = opened.packet.first(*opened.outcome);
  ReceiverOutputs box;
  if (opened.is_rtcp) {
    ++stats.rtcp_received;
    if (receiver) receiver->handle_rtcp(now, wall, packet, box);
    out.push(RtcpReceived{packet});
  } else {
    ++stats.rtp_received;
    if (receiver) {
      (void)receiver->handle_rtp(now, packet, opened.index, box);  // It counts what it refuses.
    } else {
      out.push(RtpReceived{packet, opened.index});
    }
  }
  hand_on(box, out);
}

void Dialer::handle_path_closed(Timestamp now, const ice::Path& path, DialerOutputs& out) {
  if (!impl_->transport) return;
  TransportOutputs box;
  impl_->transport->handle_path_closed(now, path, box);
  impl_->hand_on(box, out);
}

void Dialer::handle_deadline(Timestamp now, WallTime wall, DialerOutputs& out) {
  Impl& impl = *impl_;
  if (!impl.transport || impl.is_closed) return;
  if (now >= impl.transport->next_deadline()) {
    TransportOutputs box;
    impl.transport->handle_deadline(now, box);
    impl.hand_on(box, out);
  }
  if (impl.receiver && !impl.is_closed && now >= impl.receiver->next_deadline()) {
    ReceiverOutputs box;
    impl.receiver->handle_deadline(now, wall, box);
    impl.hand_on(box, out);
  }
}

Timestamp Dialer::next_deadline() const {
  if (!impl_->transport || impl_->is_closed) return Timestamp::never();
  Timestamp at = impl_->transport->next_deadline();
  return impl_->receiver ? std::min(at, impl_->receiver->next_deadline()) : at;
}

srtp::SendContext* Dialer::Impl::sender() const {
  bool can_send = transport && transport->is_connected() && transport->selected();
  return can_send ? transport->send_context() : nullptr;
}

bool Dialer::send_rtp(Bytes packet, DialerOutputs& out) {
  srtp::SendContext* context = impl_->sender();
  auto parsed = rtp::parse_header(packet);
  if (!context || !parsed) return false;
  Buffer sealed(packet.size() + srtp::kOverheadBytesMax);
  auto size = impl_->transform.protect(srtp::RtpToProtect{.context = context,
                                                          .header = packet.first(parsed->header_bytes),
                                                          .prefix = {},
                                                          .payload = packet.subspan(parsed->header_bytes),
                                                          .out = sealed,
                                                          .outcome = {}});
  if (!size) return false;
  sealed.resize(*size);
  ++impl_->stats.rtp_sent;
  out.push(SendPacket{*impl_->transport->selected(), std::move(sealed)});
  return true;
}

bool Dialer::send_rtcp(Bytes packet, DialerOutputs& out) { return impl_->send_rtcp(packet, out); }

bool Dialer::Impl::send_rtcp(Bytes packet, DialerOutputs& out) {
  srtp::SendContext* context = sender();
  if (!context) return false;
  Buffer sealed(packet.size() + srtp::kOverheadBytesMax);
  auto size = transform.protect(
      srtp::RtcpToProtect{.context = context, .packet = packet, .out = sealed, .outcome = {}});
  if (!size) return false;
  sealed.resize(*size);
  ++stats.rtcp_sent;
  out.push(SendPacket{*transport->selected(), std::move(sealed)});
  return true;
}

void Dialer::request_keyframe(Timestamp now, media::TrackId track, payload::LayerIndex layer,
                              DialerOutputs& out) {
  if (!impl_->receiver || impl_->is_closed) return;
  ReceiverOutputs box;
  impl_->receiver->request_keyframe(now, track, layer, box);
  impl_->hand_on(box, out);
}

Result<sctp::StreamId, sctp::Refusal> Dialer::open_channel(Timestamp now, sctp::ChannelSettings settings,
                                                           DialerOutputs& out) {
  if (!impl_->transport) return refuse(sctp::Refusal::kNotConnected);
  TransportOutputs box;
  auto opened = impl_->transport->open_channel(now, std::move(settings), box);
  impl_->hand_on(box, out);
  return opened;
}

Result<void, sctp::Refusal> Dialer::send_data(Timestamp now, sctp::StreamId channel, sctp::MessageKind kind,
                                              SharedBytes payload, DialerOutputs& out) {
  if (!impl_->transport) return refuse(sctp::Refusal::kNotConnected);
  TransportOutputs box;
  auto sent = impl_->transport->send_data(now, channel, kind, std::move(payload), box);
  impl_->hand_on(box, out);
  return sent;
}

void Dialer::close(Timestamp now, DialerOutputs& out) {
  if (impl_->is_closed) return;
  if (!impl_->transport) {
    impl_->is_closed = true;
    out.push(TransportClosed{TransportEnd::kLocal, std::nullopt});
    return;
  }
  TransportOutputs box;
  impl_->transport->close(now, box);
  impl_->hand_on(box, out);
}

bool Dialer::is_connected() const { return impl_->transport && impl_->transport->is_connected(); }
bool Dialer::is_closed() const { return impl_->is_closed; }
const sdp::Agreement* Dialer::agreement() const { return impl_->agreement.get(); }
Transport* Dialer::transport() { return impl_->transport.get(); }
const Receiver* Dialer::receiver() const { return impl_->receiver.get(); }
const DialerStats& Dialer::stats() const { return impl_->stats; }

}  // namespace stoa::webrtc
