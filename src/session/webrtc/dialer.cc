#include "session/webrtc/dialer.h"

#include <algorithm>
#include <utility>
#include <vector>

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
    std::string text;
    std::shared_ptr<const dtls::Identity> identity;
    ice::Credentials local_ice;
    std::vector<ice::LocalCandidate> candidates;
    ice::AgentConfig ice;
    std::vector<dtls::SrtpProfile> srtp_profiles;
  };
  // A section that the receiver has, at the place of its track's number.
  struct Slot {
    std::string mid;
    std::vector<sdp::Msid> msids;
    bool is_used = false;
  };

  Impl(const TransportShared& given, srtp::Transform& given_transform, const DialerConfig& config, Rng random)
      : shared(given), transform(given_transform), rng(random), audio(config.audio), video(config.video) {
    waiting = std::make_unique<Waiting>();
    waiting->identity = given.identity;
    waiting->local_ice = config.local_ice;
    waiting->candidates = config.candidates;
    waiting->ice = config.ice;
    waiting->srtp_profiles = config.srtp_profiles;
    if (config.has_receiver) receiver_config = config.receiver;
    local.session_id = rng.next() >> 1;
    local.session_version = 1;
    local.ice = {.ufrag = config.local_ice.ufrag, .password = config.local_ice.password};
    local.ice_options = {.trickle = true, .ice2 = true};
    local.setup = sdp::DtlsSetup::kActive;
    local.fingerprints = {to_sdp(given.identity->fingerprint())};
    for (const ice::LocalCandidate& each : config.candidates) {
      auto candidate = sdp::parse_candidate(ice::write_candidate(each.candidate));
      if (candidate && *candidate) local.candidates.push_back(std::move(**candidate));
    }
    if (config.sections.empty()) return;
    auto offer = sdp::make_offer(local, config.sections);
    STOA_ASSERT(offer);
    waiting->text = sdp::write(*offer);
    open_offer = std::make_unique<sdp::SessionDescription>(std::move(*offer));
  }

  Result<void, DialRefusal> agree(Timestamp now, sdp::Agreement&& agreed, DialerOutputs& out);
  void follow(Timestamp now, DialerOutputs& out);
  std::vector<InboundSlot> choose_slots();
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
  const sdp::MediaSupport* audio;
  const sdp::MediaSupport* video;
  std::unique_ptr<Waiting> waiting;
  sdp::Local local;
  std::optional<ReceiverConfig> receiver_config;
  std::unique_ptr<sdp::SessionDescription> open_offer;
  std::optional<ice::Credentials> new_ice;  // Of ours, in the description that is being agreed upon.
  std::vector<Slot> slots;
  std::unique_ptr<sdp::Agreement> agreement;
  std::unique_ptr<Transport> transport;
  std::unique_ptr<Receiver> receiver;
  bool is_closed = false, has_data = false;
  std::vector<srtp::PacketToUnprotect> opening;  // Scratch.
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
  if (!impl_->open_offer || impl_->is_closed) return refuse(DialRefusal::kNotExpected);
  auto description = sdp::parse(answer);
  if (!description) return refuse(DialRefusal::kBadAnswer);
  auto agreed = sdp::agree(*impl_->open_offer, *description, sdp::Side::kOfferer);
  if (!agreed) return refuse(DialRefusal::kBadAnswer);
  if (auto outcome = impl_->agree(now, std::move(*agreed), out); !outcome) return outcome;
  impl_->open_offer.reset();
  return {};
}

Result<std::string, DialRefusal> Dialer::offer_again(std::span<const sdp::OfferedSection> sections,
                                                     const std::optional<ice::Credentials>& restart) {
  Impl& impl = *impl_;
  if (impl.waiting || impl.open_offer || impl.is_closed) return refuse(DialRefusal::kNotExpected);
  sdp::Local local = impl.local;
  ++local.session_version;
  if (restart) local.ice = {.ufrag = restart->ufrag, .password = restart->password};
  auto offer = sdp::make_offer(local, sections);
  if (!offer) return refuse(DialRefusal::kBadAnswer);
  impl.local = std::move(local);
  impl.new_ice = restart;
  impl.open_offer = std::make_unique<sdp::SessionDescription>(std::move(*offer));
  return sdp::write(*impl.open_offer);
}

Result<std::string, DialRefusal> Dialer::handle_offer(Timestamp now, std::string_view text,
                                                      DialerOutputs& out) {
  Impl& impl = *impl_;
  if (impl.open_offer || impl.is_closed) return refuse(DialRefusal::kNotExpected);
  auto offer = sdp::parse(text);
  if (!offer) return refuse(DialRefusal::kBadAnswer);
  const sdp::MediaSupport video = impl.video ? *impl.video : sdp::make_video_support();
  const sdp::MediaSupport audio = impl.audio ? *impl.audio : sdp::make_audio_support();
  std::vector<sdp::SectionIntent> intents;
  std::optional<ice::Credentials> restart;
  for (const sdp::MediaSection& section : offer->sections) {
    sdp::SectionIntent& intent = intents.emplace_back();
    intent.direction = sdp::Direction::kRecvOnly;
    if (section.kind == sdp::MediaKind::kData) intent.data = sdp::SctpParameters{};
    if (section.is_rtp()) intent.media = section.kind == sdp::MediaKind::kVideo ? &video : &audio;
    const bool is_restart = impl.agreement && section.ice && !section.is_rejected() &&
                            section.ice->ufrag != impl.agreement->remote_ice.ufrag;
    if (is_restart && !restart) restart = ice::make_credentials();
  }
  sdp::Local local = impl.local;
  ++local.session_version;
  if (restart) local.ice = {.ufrag = restart->ufrag, .password = restart->password};
  auto answer = sdp::make_answer(*offer, local, intents);
  if (!answer) return refuse(DialRefusal::kBadAnswer);
  auto agreed = sdp::agree(*offer, *answer, sdp::Side::kAnswerer);
  if (!agreed) return refuse(DialRefusal::kBadAnswer);
  impl.new_ice = restart;
  if (auto outcome = impl.agree(now, std::move(*agreed), out); !outcome) return refuse(outcome.error());
  impl.local = std::move(local);
  return sdp::write(*answer);
}

Result<void, DialRefusal> Dialer::Impl::agree(Timestamp now, sdp::Agreement&& agreed, DialerOutputs& out) {
  ice::Credentials theirs{agreed.remote_ice.ufrag, agreed.remote_ice.password};
  if (!theirs.is_valid() || agreed.remote_fingerprints.empty()) return refuse(DialRefusal::kBadTransport);
  agreement = std::make_unique<sdp::Agreement>(std::move(agreed));
  if (transport) {
    follow(now, out);
  } else {
    begin(now, out);
  }
  return {};
}

// What another agreement changes of a session that there is.
void Dialer::Impl::follow(Timestamp now, DialerOutputs& out) {
  TransportOutputs box;
  if (auto ours = std::exchange(new_ice, std::nullopt)) {
    RemoteTransport remote = remote_of(*agreement);
    transport->restart_ice(now, *ours, remote.ice, box);
    for (const ice::Candidate& candidate : remote.candidates)
      transport->add_remote_candidate(now, candidate, box);
  }
  if (const auto& data = agreement->data; data && !has_data) {
    has_data = true;
    transport->begin_data(now, {data->local_port, data->remote_port, data->send_message_bytes_max, {}}, box);
  }
  hand_on(box, out);
  if (!receiver_config) return;
  if (!receiver && !receives(*agreement)) return;
  const std::vector<InboundSlot> chosen = choose_slots();
  if (!receiver) {
    auto ssrc = static_cast<std::uint32_t>(rng.next() | 1);
    receiver = std::make_unique<Receiver>(sdp::Agreement(), *receiver_config, ssrc, Rng(rng.next()), now);
  }
  ReceiverOutputs received;
  receiver->update(now, *agreement, chosen, received);
  hand_on(received, out);
}

// Mids keep their numbers; new ones take those that are free.
std::vector<InboundSlot> Dialer::Impl::choose_slots() {
  std::vector<InboundSlot> chosen;
  std::vector<const sdp::AgreedSection*> sections;
  for (const sdp::AgreedSection& section : agreement->sections)
    if (!section.receive_layers.empty()) sections.push_back(&section);
  auto find_slot = [&](const std::string& mid) {
    return std::find_if(slots.begin(), slots.end(),
                        [&](const Slot& slot) { return slot.is_used && slot.mid == mid; });
  };
  for (Slot& slot : slots)
    slot.is_used &= std::any_of(sections.begin(), sections.end(),
                                [&](const sdp::AgreedSection* section) { return section->mid == slot.mid; });
  for (const sdp::AgreedSection* section : sections) {
    auto slot = find_slot(section->mid);
    bool is_new = slot == slots.end();
    if (is_new) {
      slot = std::find_if(slots.begin(), slots.end(), [](const Slot& one) { return !one.is_used; });
      if (slot == slots.end()) {
        if (slots.size() == media::kTracksPerPublicationMax) continue;
        slot = slots.emplace(slots.end());
      }
    }
    is_new |= slot->msids != section->remote_msids;
    *slot = {section->mid, section->remote_msids, true};
    chosen.push_back({.slot = static_cast<std::uint8_t>(slot - slots.begin()),
                      .section = section->index,
                      .is_new = is_new});
  }
  return chosen;
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
  has_data = agreement->data.has_value();
  if (receiver_config && receives(*agreement)) {
    auto ssrc = static_cast<std::uint32_t>(rng.next() | 1);
    receiver = std::make_unique<Receiver>(*agreement, *receiver_config, ssrc, Rng(rng.next()), now);
    (void)choose_slots();  // The numbers are the same: in order.
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
  std::vector<srtp::PacketToUnprotect>& packets = impl.opening;
  packets.clear();
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
          packets.push_back({.context = context, .packet = datagram.bytes, .outcome = {}});
        } else {
          ++impl.stats.srtp_refused;
        }
    }
    if (packets.size() < srtp::kBatchPackets) continue;
    impl.hand_on(box, out);
    impl.open(now, wall, packets, out);
    packets.clear();
  }
  impl.hand_on(box, out);
  impl.open(now, wall, packets, out);
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
  // Copied once, and encrypted where it stands.
  Buffer sealed;
  sealed.reserve(packet.size() + srtp::kOverheadBytesMax);
  sealed.assign(packet.begin(), packet.end());
  sealed.resize(packet.size() + srtp::kOverheadBytesMax);
  const Bytes copied = Bytes(sealed).first(packet.size());
  auto size = impl_->transform.protect(srtp::RtpToProtect{.context = context,
                                                          .header = copied.first(parsed->header_bytes),
                                                          .prefix = {},
                                                          .payload = copied.subspan(parsed->header_bytes),
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
