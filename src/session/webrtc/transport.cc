#include "session/webrtc/transport.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "proto/dtls/limits.h"
#include "proto/sctp/limits.h"

namespace stoa::webrtc {
namespace {

// What a DTLS record of any suite that we offer adds: header, explicit nonce, tag.
constexpr std::size_t kRecordOverheadBytesMax = 13 + 8 + 16;
constexpr std::size_t kSctpPacketBytes = dtls::kMtuDefault - kRecordOverheadBytesMax;
static_assert(kSctpPacketBytes >= sctp::kPacketBytesFloor);

// For held_bytes(); dtls/endpoint.h and srtp/limits.h say why.
constexpr std::size_t kHandshakeBytes = 60u << 10, kSettledBytes = 2u << 10;
constexpr std::size_t kStreamBytes = 256;

// Datagrams of a handshake that wait for the path's proof: more than a flight has.
constexpr std::size_t kHeldBackMax = 8;

using IceAgent = std::variant<ice::LiteAgent, ice::Agent>;

IceAgent make_agent(const TransportConfig& config, const RemoteTransport& remote, Rng rng, Timestamp now) {
  if (config.side == TransportConfig::Side::kServer)
    return IceAgent(std::in_place_type<ice::LiteAgent>, config.lite, config.local_ice, remote.ice, now);
  ice::AgentConfig full = config.full;
  if (remote.is_ice_lite) full.role = ice::Role::kControlling;  // RFC 8445 §6.1.1.
  return IceAgent(std::in_place_type<ice::Agent>, full, config.local_ice, rng, now);
}

srtp::MasterKey to_master(const dtls::SrtpMasterKey& key) {
  return {.key = crypto::Secret<32>(key.key()), .salt = crypto::Secret<14>(key.salt())};
}

TransportEnd end_of(const dtls::Closed& closed) {
  if (!closed.refusal) return TransportEnd::kByPeer;
  return *closed.refusal == dtls::Refusal::kHandshakeTimeout ? TransportEnd::kDtlsTimedOut
                                                             : TransportEnd::kDtlsFailed;
}

}  // namespace

DatagramKind kind_of(Bytes datagram) {
  if (datagram.empty()) return DatagramKind::kUnknown;
  std::uint8_t first = datagram[0];
  if (first <= 3) return DatagramKind::kStun;
  if (first >= 20 && first <= 63) return DatagramKind::kDtls;
  if (first >= 128 && first <= 191) return DatagramKind::kMedia;
  return DatagramKind::kUnknown;
}

const char* name_of(TransportEnd end) {
  switch (end) {
    case TransportEnd::kByPeer: return "by_peer";
    case TransportEnd::kLocal: return "local";
    case TransportEnd::kNoPath: return "no_path";
    case TransportEnd::kConsentLost: return "consent_lost";
    case TransportEnd::kDtlsFailed: return "dtls_failed";
    case TransportEnd::kDtlsTimedOut: return "dtls_timed_out";
  }
  return "unknown";
}

// Each part has an outbox of its own for the length of an input; carry_out() empties it into the next layer's
// inputs and the owner's box.
struct Transport::Impl {
  Impl(const TransportShared& given, TransportConfig&& config, RemoteTransport&& remote, Rng rng,
       Timestamp now)
      : shared(given),
        identity(config.identity ? config.identity : given.identity),
        dtls_config(std::make_unique<dtls::Config>(dtls::Config{.role = config.dtls_role})),
        agent(make_agent(config, remote, Rng(rng.next()), now)),
        created_at(now) {
    STOA_ASSERT(identity && shared.srtp && !remote.fingerprints.empty());
    if (remote.fingerprints.size() > dtls::kPeerFingerprintsMax)
      remote.fingerprints.resize(dtls::kPeerFingerprintsMax);
    dtls_config->peer_fingerprints = std::move(remote.fingerprints);
    dtls_config->srtp_profiles = std::move(config.srtp_profiles);
    is_dtls_client = config.dtls_role == dtls::Role::kClient;
    data_rng = Rng(rng.next());
    if (config.data) make_data(*config.data);
    if (ice::Agent* full = full_agent()) {
      ice::Outputs none;  // Without candidates of our own there is nothing to send.
      full->set_remote_credentials(now, std::move(remote.ice), none);
      for (const ice::Candidate& candidate : remote.candidates)
        (void)full->add_remote_candidate(now, candidate, none);
      STOA_ASSERT(none.empty());
    }
    file_deadline();
  }

  ice::LiteAgent* lite_agent() { return std::get_if<ice::LiteAgent>(&agent); }
  ice::Agent* full_agent() { return std::get_if<ice::Agent>(&agent); }
  Timestamp ice_deadline() const {
    return std::visit([](const auto& each) { return each.next_deadline(); }, agent);
  }
  bool is_known(const ice::Path& path) const {
    return std::find(paths.begin(), paths.end(), path) != paths.end();
  }

  void carry_out(Timestamp now, ice::Outputs& box, TransportOutputs& out);
  void carry_out(Timestamp now, dtls::Outputs& box, TransportOutputs& out);
  void carry_out(Timestamp now, sctp::ChannelOutputs& box, TransportOutputs& out);
  void start_dtls(Timestamp now, TransportOutputs& out);
  void keep_keys(Timestamp now, const dtls::Connected& connected);
  void announce(Timestamp now, TransportOutputs& out);
  void handle_data(Timestamp now, Bytes packet, TransportOutputs& out);
  void make_data(const DataConfig& config);
  void send_dtls(Buffer&& datagram, TransportOutputs& out);
  void send_held_back(TransportOutputs& out);
  void prove_by_handshake(Timestamp now, TransportOutputs& out);
  void choose_media_path();
  void finish(TransportEnd end, std::optional<dtls::Refusal> refusal, TransportOutputs& out);
  void remove_path(const ice::Path& path);
  void file_deadline();

  const TransportShared& shared;
  std::shared_ptr<const dtls::Identity> identity;  // Of the day when our description was written.
  std::unique_ptr<dtls::Config> dtls_config;       // Until the first path: no peer, no handshake in memory.
  IceAgent agent;
  std::vector<ice::Path> paths;
  std::optional<ice::Path> selected;
  // Until one is selected: where the handshake goes.
  std::optional<ice::Path> early_path;
  bool has_been_selected = false;
  std::optional<ice::Path> media_path;  // `selected`, once it is proved.
  // Where our half of the handshake went, if all went to one path, and where the peer's last part came from.
  std::optional<ice::Path> handshake_path, handshake_from;
  bool is_handshake_scattered = false;
  std::vector<Buffer> held_back;
  std::string previous_ufrag;
  std::optional<dtls::Endpoint> dtls;
  std::optional<srtp::SendContext> send;
  std::optional<srtp::ReceiveContext> receive;
  std::unique_ptr<sctp::DataChannels> data;
  Rng data_rng{0};
  bool is_dtls_client = false;
  Timestamp created_at;
  Timestamp path_at = Timestamp::never();
  Timestamp keys_at = Timestamp::never();
  bool is_announced = false;
  bool is_closed = false;
  Timestamp deadline = Timestamp::never();
  TransportStats stats;
};

void Transport::Impl::carry_out(Timestamp now, ice::Outputs& box, TransportOutputs& out) {
  selected = std::visit([](const auto& each) { return std::optional<ice::Path>(each.selected()); }, agent);
  choose_media_path();
  std::optional<ice::Failure> failure;
  for (ice::Output& output : box.take()) {
    std::visit(
        Overloaded{
            [&](ice::SendDatagram& packet) { out.push(SendPacket{packet.path, std::move(packet.bytes)}); },
            [&](const ice::PathAdded& added) {
              paths.push_back(added.path);
              out.push(PathAdded{added.path});
            },
            [&](const ice::PathRemoved& removed) {
              remove_path(removed.path);
              out.push(PathRemoved{removed.path});
            },
            [&](const ice::PathSelected&) {
              has_been_selected = true;
              if (full_agent()) previous_ufrag.clear();
            },
            [](const ice::PathProved&) {}, [](const ice::PathSilent&) {}, [](const ice::PathLost&) {},
            [&](const ice::Failed& failed) { failure = failed.failure; }},
        output);
  }
  if (failure) {
    bool is_lost = *failure == ice::Failure::kConsentExpired;
    return finish(is_lost ? TransportEnd::kConsentLost : TransportEnd::kNoPath, std::nullopt, out);
  }
  send_held_back(out);
  start_dtls(now, out);
  announce(now, out);
}

void Transport::Impl::choose_media_path() {
  const ice::LiteAgent* lite = lite_agent();
  media_path = selected && (!lite || lite->is_proved(*selected)) ? selected : std::nullopt;
}

void Transport::Impl::remove_path(const ice::Path& path) {
  std::erase(paths, path);
  if (early_path != path) return;
  early_path.reset();
  if (!paths.empty()) early_path = paths.front();
}

// A handshake may begin, and be answered, on any path that was proved (RFC 8445 §12.1); it then ends a round
// trip sooner. A lite agent only answers before the peer has chosen.
void Transport::Impl::start_dtls(Timestamp now, TransportOutputs& out) {
  if (dtls || is_closed || paths.empty()) return;
  if (lite_agent() && dtls_config->role == dtls::Role::kClient && !selected) return;
  path_at = now;
  early_path = paths.front();
  dtls.emplace(shared.dtls, std::move(identity), *dtls_config);
  dtls_config.reset();
  dtls::Outputs box;
  dtls->start(now, box);
  carry_out(now, box, out);
}

void Transport::Impl::carry_out(Timestamp now, dtls::Outputs& box, TransportOutputs& out) {
  for (dtls::Output& output : box.take()) {
    if (is_closed) return;
    std::visit(Overloaded{[&](dtls::SendDatagram& datagram) { send_dtls(std::move(datagram.bytes), out); },
                          [&](const dtls::Connected& connected) {
                            if (dtls->is_closed()) return;  // In one datagram; Closed follows.
                            keep_keys(now, connected);
                            prove_by_handshake(now, out);
                            announce(now, out);
                          },
                          [&](const dtls::ApplicationData& record) { handle_data(now, record.bytes, out); },
                          [&](const dtls::Closed& closed) { finish(end_of(closed), closed.refusal, out); }},
               output);
  }
}

void Transport::Impl::send_dtls(Buffer&& datagram, TransportOutputs& out) {
  const std::optional<ice::Path>& path = has_been_selected ? selected : early_path;
  if (!path) return;
  bool is_handshake = keys_at == Timestamp::never();
  if (ice::LiteAgent* lite = lite_agent(); lite && !lite->may_send(*path, datagram.size())) {
    ++stats.held_back;
    if (is_handshake && held_back.size() < kHeldBackMax) held_back.push_back(std::move(datagram));
    return;
  }
  if (is_handshake) {
    is_handshake_scattered |= handshake_path && handshake_path != path;
    handshake_path = path;
  }
  out.push(SendPacket{*path, std::move(datagram)});
}

void Transport::Impl::send_held_back(TransportOutputs& out) {
  for (Buffer& datagram : std::exchange(held_back, {})) send_dtls(std::move(datagram), out);
}

// Who ends a handshake has received our half of it, with its random bytes, where it was sent.
void Transport::Impl::prove_by_handshake(Timestamp now, TransportOutputs& out) {
  ice::LiteAgent* lite = lite_agent();
  if (!lite || is_handshake_scattered || !handshake_path || handshake_from != handshake_path) return;
  ice::Outputs box;
  lite->prove(*handshake_path, box);
  carry_out(now, box, out);
}

void Transport::Impl::keep_keys(Timestamp now, const dtls::Connected& connected) {
  keys_at = now;
  STOA_ASSERT(!data || dtls->data_bytes_max() >= kSctpPacketBytes);
  if (!connected.srtp) return;
  auto profile = srtp::find_profile(static_cast<std::uint16_t>(connected.srtp->profile));
  STOA_ASSERT(profile);
  send.emplace(*profile, to_master(connected.srtp->local), *shared.srtp);
  receive.emplace(*profile, to_master(connected.srtp->remote), *shared.srtp);
}

void Transport::Impl::announce(Timestamp now, TransportOutputs& out) {
  if (is_announced || is_closed || !media_path || keys_at == Timestamp::never()) return;
  is_announced = true;
  out.push(TransportConnected{path_at - created_at, keys_at - path_at});
  if (!data) return;
  sctp::ChannelOutputs box;
  data->connect(now, box);
  carry_out(now, box, out);
}

void Transport::Impl::make_data(const DataConfig& config) {
  sctp::Config sctp{.local_port = config.local_port,
                    .remote_port = config.remote_port,
                    .packet_bytes_max = kSctpPacketBytes,
                    .limits = config.limits};
  if (std::uint64_t theirs = config.remote_message_bytes_max; theirs > 0) {
    std::size_t& most = sctp.limits.send_message_bytes_max;
    most = static_cast<std::size_t>(std::min<std::uint64_t>(most, theirs));
  }
  data = std::make_unique<sctp::DataChannels>(
      sctp, is_dtls_client ? sctp::DtlsRole::kClient : sctp::DtlsRole::kServer, data_rng);
}

void Transport::Impl::handle_data(Timestamp now, Bytes packet, TransportOutputs& out) {
  // A packet that comes before we are connected will come again.
  if (!data || !is_announced) {
    ++stats.data_refused;
    return;
  }
  sctp::ChannelOutputs box;
  if (!data->handle_packet(now, packet, box)) ++stats.data_refused;
  carry_out(now, box, out);
}

void Transport::Impl::carry_out(Timestamp now, sctp::ChannelOutputs& box, TransportOutputs& out) {
  dtls::Outputs records;
  for (sctp::ChannelOutput& output : box.take()) {
    std::visit(Overloaded{[&](sctp::SendPacket& send_packet) {
                            if (dtls) (void)dtls->send_data(send_packet.packet, records);
                          },
                          [](sctp::Connected&) {}, [](sctp::Closed&) {},
                          [&](auto& event) { out.push(DataEvent(std::move(event))); }},
               output);
  }
  carry_out(now, records, out);
}

void Transport::Impl::finish(TransportEnd end, std::optional<dtls::Refusal> refusal, TransportOutputs& out) {
  if (is_closed) return;
  if (dtls && !dtls->is_closed()) {
    dtls::Outputs box;
    dtls->close(box);
    for (dtls::Output& output : box.take()) {
      auto* datagram = std::get_if<dtls::SendDatagram>(&output);
      if (datagram && end == TransportEnd::kLocal) send_dtls(std::move(datagram->bytes), out);
    }
  }
  is_closed = true;
  for (const ice::Path& path : std::exchange(paths, {})) out.push(PathRemoved{path});
  selected.reset();
  media_path.reset();
  early_path.reset();
  held_back.clear();
  out.push(TransportClosed{end, refusal});
}

void Transport::Impl::file_deadline() {
  deadline = Timestamp::never();
  if (is_closed) return;
  deadline = ice_deadline();
  if (dtls) deadline = std::min(deadline, dtls->next_deadline());
  if (data) deadline = std::min(deadline, data->next_deadline());
}

Transport::Transport(const TransportShared& shared, TransportConfig config, RemoteTransport remote, Rng rng,
                     Timestamp now)
    : impl_(std::make_unique<Impl>(shared, std::move(config), std::move(remote), rng, now)) {}
Transport::~Transport() = default;

void Transport::add_local_candidate(Timestamp now, const ice::LocalCandidate& candidate,
                                    TransportOutputs& out) {
  ice::Agent* full = impl_->full_agent();
  if (!full || impl_->is_closed) return;
  ice::Outputs box;
  (void)full->add_local_candidate(now, candidate, box);  // What is refused, the agent counts.
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
}

void Transport::add_remote_candidate(Timestamp now, const ice::Candidate& candidate, TransportOutputs& out) {
  ice::Agent* full = impl_->full_agent();
  if (!full || impl_->is_closed) return;
  ice::Outputs box;
  (void)full->add_remote_candidate(now, candidate, box);
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
}

bool Transport::handle_stun(Timestamp now, const ice::Path& path, ice::Transport transport, Bytes datagram,
                            TransportOutputs& out) {
  if (impl_->is_closed) return false;
  ice::Outputs box;
  bool is_believed = false, is_taken = false;
  if (ice::LiteAgent* lite = impl_->lite_agent()) {
    auto heard = lite->handle_datagram(now, path, transport, datagram, box);
    is_taken = heard.has_value();
    is_believed = heard && *heard != ice::Heard::kNothing;
  } else {
    is_believed = is_taken = impl_->full_agent()->handle_datagram(now, path, datagram, box).has_value();
  }
  if (!is_taken) ++impl_->stats.stun_refused;
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
  return is_believed;
}

void Transport::handle_dtls(Timestamp now, const ice::Path& path, Bytes datagram, TransportOutputs& out) {
  if (impl_->is_closed) return;
  if (!impl_->dtls || !impl_->is_known(path)) {
    ++impl_->stats.dtls_refused;
    return;
  }
  if (!impl_->has_been_selected) impl_->early_path = path;
  if (ice::LiteAgent* lite = impl_->lite_agent()) {
    lite->handle_received(path, datagram.size());
    impl_->handshake_from = path;
    impl_->send_held_back(out);
  }
  dtls::Outputs box;
  if (!impl_->dtls->handle_datagram(now, datagram, box)) ++impl_->stats.dtls_refused;
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
}

void Transport::handle_path_closed(Timestamp now, const ice::Path& path, TransportOutputs& out) {
  if (impl_->is_closed) return;
  ice::Outputs box;
  if (ice::LiteAgent* lite = impl_->lite_agent()) {
    lite->handle_path_closed(now, path, box);
  } else {
    impl_->full_agent()->remove_local_candidate(now, path.local, box);
  }
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
}

void Transport::handle_deadline(Timestamp now, TransportOutputs& out) {
  Impl& impl = *impl_;
  if (now < impl.deadline) return;
  if (now >= impl.ice_deadline()) {
    ice::Outputs box;
    std::visit([&](auto& each) { each.handle_deadline(now, box); }, impl.agent);
    impl.carry_out(now, box, out);
  }
  if (!impl.is_closed && impl.dtls && now >= impl.dtls->next_deadline()) {
    dtls::Outputs box;
    impl.dtls->handle_deadline(now, box);
    impl.carry_out(now, box, out);
  }
  if (!impl.is_closed && impl.data && now >= impl.data->next_deadline()) {
    sctp::ChannelOutputs box;
    impl.data->handle_deadline(now, box);
    impl.carry_out(now, box, out);
  }
  impl.file_deadline();
}

Timestamp Transport::next_deadline() const { return impl_->deadline; }

void Transport::restart_ice(Timestamp now, ice::Credentials local, ice::Credentials remote,
                            TransportOutputs& out) {
  if (impl_->is_closed) return;
  ice::Outputs box;
  if (ice::LiteAgent* lite = impl_->lite_agent()) {
    lite->restart(now, std::move(local), std::move(remote));
  } else {
    ice::Agent* full = impl_->full_agent();
    impl_->previous_ufrag = full->local_credentials().ufrag;
    full->restart(now, std::move(local), box);
    full->set_remote_credentials(now, std::move(remote), box);
  }
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
}

void Transport::confirm_peer(Timestamp now) {
  if (!impl_->dtls || impl_->dtls->is_settled()) return;
  impl_->dtls->confirm_peer(now);
  impl_->file_deadline();
}

// A full agent asks for consent itself.
void Transport::handle_authentic_packet(Timestamp now, const ice::Path& path) {
  if (ice::LiteAgent* lite = impl_->lite_agent()) lite->handle_authentic_packet(now, path);
}

void Transport::close(Timestamp, TransportOutputs& out) {
  impl_->finish(TransportEnd::kLocal, std::nullopt, out);
  impl_->file_deadline();
}

bool Transport::is_connected() const { return impl_->is_announced && !impl_->is_closed; }
bool Transport::is_closed() const { return impl_->is_closed; }
const std::optional<ice::Path>& Transport::selected() const { return impl_->media_path; }
bool Transport::is_known(const ice::Path& path) const { return impl_->is_known(path); }
bool Transport::is_proved(const ice::Path& path) const {
  const ice::LiteAgent* lite = impl_->lite_agent();
  return lite && lite->is_proved(path);
}
bool Transport::is_held(Timestamp now, const ice::Path& path) const {
  const ice::LiteAgent* lite = impl_->lite_agent();
  return lite && lite->is_held(now, path);
}

const ice::Credentials& Transport::local_ice() const {
  return std::visit([](const auto& each) -> const ice::Credentials& { return each.local_credentials(); },
                    impl_->agent);
}

bool Transport::has_ufrag(std::string_view ufrag) const {
  if (ufrag.empty()) return false;
  const ice::LiteAgent* lite = impl_->lite_agent();
  return ufrag == local_ice().ufrag ||
         ufrag == (lite ? lite->previous_credentials().ufrag : impl_->previous_ufrag);
}

srtp::SendContext* Transport::send_context() {
  return impl_->is_announced && impl_->send ? &*impl_->send : nullptr;
}
srtp::ReceiveContext* Transport::receive_context() { return impl_->receive ? &*impl_->receive : nullptr; }
std::optional<dtls::SrtpProfile> Transport::srtp_profile() const {
  if (!impl_->send) return std::nullopt;
  return static_cast<dtls::SrtpProfile>(impl_->send->profile());
}

sctp::DataChannels* Transport::data() { return impl_->data.get(); }

Result<sctp::StreamId, sctp::Refusal> Transport::open_channel(Timestamp now, sctp::ChannelSettings settings,
                                                              TransportOutputs& out) {
  if (!impl_->data || impl_->is_closed) return refuse(sctp::Refusal::kNotConnected);
  sctp::ChannelOutputs box;
  auto opened = impl_->data->open(now, std::move(settings), box);
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
  return opened;
}

void Transport::close_channel(Timestamp now, sctp::StreamId channel, TransportOutputs& out) {
  if (!impl_->data || impl_->is_closed) return;
  sctp::ChannelOutputs box;
  impl_->data->close(now, channel, box);
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
}

Result<void, sctp::Refusal> Transport::send_data(Timestamp now, sctp::StreamId channel,
                                                 sctp::MessageKind kind, SharedBytes payload,
                                                 TransportOutputs& out) {
  if (!impl_->data || impl_->is_closed) return refuse(sctp::Refusal::kNotConnected);
  sctp::ChannelOutputs box;
  auto sent = impl_->data->send(now, channel, kind, std::move(payload), box);
  impl_->carry_out(now, box, out);
  impl_->file_deadline();
  return sent;
}

void Transport::begin_data(Timestamp now, const DataConfig& config, TransportOutputs& out) {
  if (impl_->data || impl_->is_closed) return;
  STOA_ASSERT(!impl_->dtls || impl_->keys_at == Timestamp::never() ||
              impl_->dtls->data_bytes_max() >= kSctpPacketBytes);
  impl_->make_data(config);
  if (impl_->is_announced) {
    sctp::ChannelOutputs box;
    impl_->data->connect(now, box);
    impl_->carry_out(now, box, out);
  }
  impl_->file_deadline();
}

void Transport::end_data(Timestamp now, TransportOutputs& out) {
  if (!impl_->data) return;
  sctp::ChannelOutputs box;
  impl_->data->abort(now, box);
  impl_->carry_out(now, box, out);
  impl_->data.reset();
  impl_->file_deadline();
}

std::size_t Transport::data_bytes() const { return impl_->data ? impl_->data->memory_bytes() : 0; }

const TransportStats& Transport::stats() const { return impl_->stats; }

std::size_t Transport::held_bytes() const {
  std::size_t bytes = sizeof(Impl) + impl_->paths.capacity() * sizeof(ice::Path);
  if (impl_->dtls && !impl_->is_closed) bytes += impl_->dtls->is_settled() ? kSettledBytes : kHandshakeBytes;
  if (impl_->send) bytes += (impl_->send->streams() + impl_->receive->streams()) * kStreamBytes;
  if (impl_->data) bytes += sizeof(sctp::DataChannels) + impl_->data->memory_bytes();
  return bytes;
}

}  // namespace stoa::webrtc
