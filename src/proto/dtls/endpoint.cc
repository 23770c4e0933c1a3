#include "proto/dtls/endpoint.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/assert.h"
#include "crypto/random.h"
#include "proto/dtls/protection.h"
#include "proto/dtls/wire.h"

namespace stoa::dtls {
namespace {

constexpr std::string_view kExporterLabel = "EXTRACTOR-dtls_srtp";  // RFC 5764 §4.2.
constexpr std::size_t kPlaintextBytesMax = 1u << 14;
// RFC 5246 §7.2: level, description.
constexpr std::size_t kAlertBytes = 2;
constexpr std::uint8_t kFatal = 2;
constexpr std::uint8_t kCloseNotify = 0;
constexpr std::uint8_t kCloseNotifyAlert[kAlertBytes] = {1, kCloseNotify};
constexpr std::size_t kFragmentBytesMin = 512;  // The least that OpenSSL takes as a limit.
// How soon to ask again when OpenSSL's own clock decides and has not come as far as ours.
constexpr Duration kClockSlack = Duration::milliseconds(20);

// The outbox is the wire's only while an input is handled.
class Lend {
 public:
  Lend(Wire& wire, Outputs& out) : wire_(wire) { wire_.out = &out; }
  ~Lend() { wire_.out = nullptr; }
  Lend(const Lend&) = delete;
  Lend& operator=(const Lend&) = delete;

 private:
  Wire& wire_;
};

std::optional<SrtpKeys> export_srtp_keys(SSL* ssl, bool is_client) {
  const SRTP_PROTECTION_PROFILE* selected = SSL_get_selected_srtp_profile(ssl);
  if (!selected) return std::nullopt;
  auto profile = static_cast<SrtpProfile>(selected->id);
  auto [key_bytes, salt_bytes] = sizes_of(profile);
  std::array<std::uint8_t, kSrtpMaterialBytesMax> material;
  std::size_t length = 2 * (key_bytes + salt_bytes);
  STOA_ASSERT(SSL_export_keying_material(ssl, material.data(), length, kExporterLabel.data(),
                                         kExporterLabel.size(), nullptr, 0, 0) == 1);
  SrtpKeys keys = split_srtp_material(profile, is_client, Bytes(material).first(length));
  OPENSSL_cleanse(material.data(), material.size());
  return keys;
}

crypto::Fingerprint peer_fingerprint_of(SSL* ssl) {
  X509* certificate = SSL_get0_peer_certificate(ssl);
  unsigned char* der = nullptr;
  int length = i2d_X509(certificate, &der);
  STOA_ASSERT(length > 0);
  crypto::Fingerprint fingerprint = crypto::make_fingerprint(crypto::FingerprintHash::kSha256,
                                                             Bytes(der, static_cast<std::size_t>(length)));
  OPENSSL_free(der);
  return fingerprint;
}

}  // namespace

void Endpoint::FreeSsl::operator()(ssl_st* ssl) const { free_ssl(ssl); }

Endpoint::Endpoint(const Context& context, std::shared_ptr<const Identity> identity, const Config& config)
    : config_(config), identity_(std::move(identity)), wire_(std::make_unique<Wire>()) {
  STOA_ASSERT(identity_ && config_.mtu >= kMtuMin && config_.mtu <= kMtuMax);
  STOA_ASSERT(!config_.peer_fingerprints.empty() && config_.peer_fingerprints.size() <= kPeerFingerprintsMax);
  wire_->peer_fingerprints = config_.peer_fingerprints;
  wire_->srtp_profiles = config_.srtp_profiles;
  wire_->rto_initial = config_.timing.rto_initial;
  ssl_.reset(make_ssl(context.settings(), context.bio_method(), *wire_));
  SSL* ssl = ssl_.get();
  STOA_ASSERT(SSL_use_certificate(ssl, identity_->certificate()) == 1);
  STOA_ASSERT(SSL_use_PrivateKey(ssl, identity_->key()) == 1);
  if (!config_.srtp_profiles.empty()) {
    // Unlike its neighbours, this one returns 0 for success.
    STOA_ASSERT(SSL_set_tlsext_use_srtp(ssl, openssl_names(config_.srtp_profiles).c_str()) == 0);
  }
  STOA_ASSERT(SSL_set_mtu(ssl, static_cast<long>(config_.mtu)) > 0);
  STOA_ASSERT(SSL_set_max_send_fragment(ssl, static_cast<long>(std::max(config_.mtu, kFragmentBytesMin))) ==
              1);
  if (config_.asks_cookie && config_.role == Role::kServer) {
    crypto::fill_random(wire_->cookie);
    SSL_set_options(ssl, SSL_OP_COOKIE_EXCHANGE);
  }
  if (config_.role == Role::kServer) {
    SSL_set_accept_state(ssl);
  } else {
    SSL_set_connect_state(ssl);
  }
}

Endpoint::~Endpoint() = default;
Endpoint::Endpoint(Endpoint&&) noexcept = default;

// Member by member would free the old wire while the old SSL object still points at it.
Endpoint& Endpoint::operator=(Endpoint&& other) noexcept {
  if (this == &other) return *this;
  std::destroy_at(this);
  std::construct_at(this, std::move(other));
  return *this;
}

const Stats& Endpoint::stats() const { return wire_->stats; }

void Endpoint::start(Timestamp now, Outputs& out) {
  STOA_ASSERT(state_ == State::kIdle);
  Lend lend(*wire_, out);
  state_ = State::kHandshake;
  ++wire_->stats.handshakes_started;
  handshake_until_ = now + config_.timing.handshake_max;
  if (config_.role == Role::kClient) (void)advance(out);
  file_deadline(now);
}

Result<void, Refusal> Endpoint::handle_datagram(Timestamp now, Bytes datagram, Outputs& out) {
  STOA_ASSERT(state_ != State::kIdle);
  if (state_ == State::kClosed) return {};
  Lend lend(*wire_, out);
  ++wire_->stats.datagrams_received;
  Outcome first;
  auto keep_first = [&](Outcome outcome) {
    // What ends the association is the news, whatever was dropped before.
    if (!outcome && (first || state_ == State::kClosed)) first = outcome;
  };
  if (datagram.empty()) keep_first(drop(Refusal::kNotDtls));
  for (std::size_t records = 0; !datagram.empty() && state_ != State::kClosed; ++records) {
    if (records == kRecordsPerDatagramMax) {
      keep_first(drop(Refusal::kTooManyRecords));
      break;
    }
    auto record = take_record(datagram);
    if (!record) {
      keep_first(drop(record.error()));
      break;
    }
    keep_first(handle_record(*record, out));
  }
  file_deadline(now);
  return first;
}

Endpoint::Outcome Endpoint::handle_record(const Record& record, Outputs& out) {
  bool is_known = record.is(ContentType::kChangeCipherSpec) || record.is(ContentType::kAlert) ||
                  record.is(ContentType::kHandshake) || record.is(ContentType::kApplicationData);
  // Without renegotiation there are two epochs, and the first is over with the handshake: what still comes of
  // it was sent again in vain, or by somebody else.
  bool is_of_now = record.epoch == 1 || (record.epoch == 0 && state_ == State::kHandshake);
  if (!is_known || !is_of_now) return drop(Refusal::kUnexpectedRecord);
  if (protection_) return open_record(record, out);
  if (record.epoch == 1 && state_ == State::kHandshake) {
    if (!can_read_encrypted() || record.is(ContentType::kApplicationData)) return hold(record);
  }
  if (Outcome outcome = read_record(record, out); !outcome) return outcome;
  return take_held(out);
}

Endpoint::Outcome Endpoint::hold(const Record& record) {
  if (held_.size() == kEarlyRecordsMax || held_bytes_ + record.whole.size() > kEarlyBytesMax)
    return drop(Refusal::kTooManyEarly);
  held_bytes_ += record.whole.size();
  held_.emplace_back(record.whole.begin(), record.whole.end());
  return {};
}

// The held records whose time has come, in order.
Endpoint::Outcome Endpoint::take_held(Outputs& out) {
  Outcome first;
  for (std::size_t i = 0; i < held_.size() && state_ != State::kClosed && can_read_encrypted();) {
    Bytes whole = held_[i];
    auto record = take_record(whole);
    STOA_ASSERT(record);
    if (state_ == State::kHandshake && record->is(ContentType::kApplicationData)) {
      ++i;
      continue;
    }
    Outcome outcome = read_record(*record, out);
    if (!outcome && (first || state_ == State::kClosed)) first = outcome;
    if (state_ == State::kClosed) break;  // What was held is gone with it.
    held_bytes_ -= record->whole.size();
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(i));
    i = 0;  // A Finished frees the data that was passed over.
  }
  return first;
}

// Once the peer's ChangeCipherSpec was read, and from then on.
bool Endpoint::can_read_encrypted() const {
  if (state_ == State::kConnected) return true;
  OSSL_HANDSHAKE_STATE at = SSL_get_state(ssl_.get());
  return at == TLS_ST_SR_CHANGE || at == TLS_ST_CR_CHANGE;
}

Endpoint::Outcome Endpoint::read_record(const Record& record, Outputs& out) {
  bool was_connected = state_ == State::kConnected;
  if (!was_connected && ++handshake_records_ > kHandshakeRecordsMax)
    return fail(Refusal::kTooManyHandshakeRecords, out);
  bool is_late = was_connected && record.is(ContentType::kHandshake);
  if (is_late && late_answers_ == kLateAnswersMax) return drop(Refusal::kTooManyLateAnswers);
  std::size_t outputs_before = out.size();
  std::uint64_t sent_before = wire_->stats.datagrams_sent;
  wire_->alert_received.reset();
  wire_->record = record.whole;
  if (Outcome outcome = advance(out); !outcome || state_ == State::kClosed) return outcome;
  wire_->record = {};
  // Only what was authentic is answered, so a stranger cannot use the answers up.
  if (is_late && wire_->stats.datagrams_sent > sent_before) ++late_answers_;
  if (was_connected && out.size() == outputs_before && !wire_->alert_received)
    return drop(Refusal::kUnreadableRecord);
  if (state_ == State::kConnected && record.epoch == 1) {
    seen_.mark(record.sequence);
    is_peer_confirmed_ |= record.is(ContentType::kApplicationData);
  }
  return {};
}

Endpoint::Outcome Endpoint::open_record(const Record& record, Outputs& out) {
  bool is_data = record.is(ContentType::kApplicationData);
  if (!is_data && !record.is(ContentType::kAlert)) return drop(Refusal::kUnexpectedRecord);
  std::optional<Buffer> plaintext = protection_->open(record);
  if (!plaintext || plaintext->empty()) return drop(Refusal::kUnreadableRecord);
  if (is_data) {
    ++wire_->stats.data_messages_received;
    out.push(ApplicationData{std::move(*plaintext)});
    return {};
  }
  if (plaintext->size() != kAlertBytes) return drop(Refusal::kUnreadableRecord);
  wire_->alert_received = (*plaintext)[1];
  if (wire_->alert_received == kCloseNotify) {
    send_sealed(ContentType::kAlert, kCloseNotifyAlert, out);
    finish({.was_by_peer = true, .alert = kCloseNotify}, out);
  } else if ((*plaintext)[0] == kFatal) {
    return fail(Refusal::kAlertReceived, out);
  }
  return {};
}

void Endpoint::send_sealed(ContentType type, Bytes plaintext, Outputs& out) {
  out.push(SendDatagram{protection_->seal(type, plaintext)});
  ++wire_->stats.datagrams_sent;
}

Endpoint::Outcome Endpoint::advance(Outputs& out) {
  if (state_ == State::kHandshake) {
    if (Outcome outcome = advance_handshake(out); !outcome) return outcome;
  }
  return state_ == State::kConnected ? read_data(out) : Outcome();
}

Endpoint::Outcome Endpoint::advance_handshake(Outputs& out) {
  ERR_clear_error();
  int returned = SSL_do_handshake(ssl_.get());
  learn_timer_kind(ssl_.get(), *wire_);
  return returned == 1 ? become_connected(out) : judge(returned, out);
}

Endpoint::Outcome Endpoint::become_connected(Outputs& out) {
  SSL* ssl = ssl_.get();
  state_ = State::kConnected;
  handshake_until_ = Timestamp::never();
  is_peer_confirmed_ = config_.role == Role::kClient;  // The server's Finished says it.
  ++wire_->stats.handshakes_done;
  SSL_set_mtu(ssl, static_cast<long>(config_.mtu));
  data_bytes_max_ = DTLS_get_data_mtu(ssl);
  out.push(Connected{export_srtp_keys(ssl, config_.role == Role::kClient), peer_fingerprint_of(ssl),
                     SSL_get_cipher_name(ssl)});
  return {};
}

Endpoint::Outcome Endpoint::read_data(Outputs& out) {
  std::array<std::uint8_t, kPlaintextBytesMax> plaintext;
  for (;;) {
    std::size_t length = 0;
    ERR_clear_error();
    int returned = SSL_read_ex(ssl_.get(), plaintext.data(), plaintext.size(), &length);
    if (returned != 1) return judge(returned, out);
    ++wire_->stats.data_messages_received;
    out.push(ApplicationData{Buffer(plaintext.data(), plaintext.data() + length)});
  }
}

Endpoint::Outcome Endpoint::judge(int returned, Outputs& out) {
  int error = SSL_get_error(ssl_.get(), returned);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return {};
  if (error == SSL_ERROR_ZERO_RETURN && state_ == State::kConnected) {
    SSL_shutdown(ssl_.get());  // Our close_notify answers theirs (RFC 5246 §7.2.1).
    finish({.was_by_peer = true, .alert = wire_->alert_received}, out);
    return {};
  }
  return fail(find_cause(), out);
}

Refusal Endpoint::find_cause() const {
  if (wire_->refusal) return *wire_->refusal;
  if (wire_->alert_received) return Refusal::kAlertReceived;
  for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error()) {
    switch (ERR_GET_REASON(error)) {
      case SSL_R_UNSUPPORTED_PROTOCOL:
      case SSL_R_UNKNOWN_PROTOCOL:
      case SSL_R_VERSION_TOO_LOW:
      case SSL_R_WRONG_SSL_VERSION: return Refusal::kUnsupportedVersion;
      case SSL_R_NO_SHARED_CIPHER: return Refusal::kNoSharedCipher;
      case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return Refusal::kNoCertificate;
      case SSL_R_READ_TIMEOUT_EXPIRED: return Refusal::kHandshakeTimeout;
      default: break;
    }
  }
  return Refusal::kProtocolError;
}

Endpoint::Outcome Endpoint::drop(Refusal refusal) {
  ++wire_->stats.refusals[static_cast<std::size_t>(refusal)];
  return refuse(refusal);
}

Endpoint::Outcome Endpoint::fail(Refusal refusal, Outputs& out) {
  std::optional<std::uint8_t> alert =
      refusal == Refusal::kAlertReceived ? wire_->alert_received : wire_->alert_sent;
  finish({.refusal = refusal, .was_by_peer = refusal == Refusal::kAlertReceived, .alert = alert}, out);
  return drop(refusal);
}

void Endpoint::finish(const Closed& closed, Outputs& out) {
  state_ = State::kClosed;
  out.push(closed);
  ssl_.reset();
  protection_.reset();
  ERR_clear_error();
  held_.clear();
  held_bytes_ = 0;
  data_bytes_max_ = 0;
  wire_->timer = nullptr;
  wire_->record = {};
  deadline_ = handshake_until_ = retransmit_at_ = settle_at_ = Timestamp::never();
}

void Endpoint::handle_deadline(Timestamp now, Outputs& out) {
  if (state_ == State::kIdle || state_ == State::kClosed) return;
  Lend lend(*wire_, out);
  if (now >= handshake_until_) {
    (void)fail(Refusal::kHandshakeTimeout, out);
  } else if (now >= retransmit_at_) {
    retransmit(now, out);
  }
  file_deadline(now);
}

void Endpoint::retransmit(Timestamp now, Outputs& out) {
  wire_->alert_received.reset();
  wire_->rto = std::min(wire_->rto * 2, config_.timing.rto_max);
  if (++wire_->losses == kLossesBeforeSmallMtu && config_.mtu > kMtuSmall)
    SSL_set_mtu(ssl_.get(), static_cast<long>(kMtuSmall));
  int returned = stoa::dtls::retransmit(ssl_.get(), *wire_);
  if (returned < 0) {
    (void)fail(find_cause(), out);
  } else if (returned > 0) {
    ++wire_->stats.flights_retransmitted;
  } else {
    retransmit_at_ = now + kClockSlack;
  }
}

void Endpoint::file_deadline(Timestamp now) {
  if (state_ == State::kClosed) return;
  if (!wire_->is_timer_running) {
    retransmit_at_ = Timestamp::never();
  } else if (wire_->was_timer_started) {
    retransmit_at_ = now + wire_->rto;
  }
  wire_->was_timer_started = false;
  if (state_ == State::kConnected && !protection_) {
    if (settle_at_ == Timestamp::never()) settle_at_ = now + config_.timing.linger;
    if (is_peer_confirmed_ || now >= settle_at_) settle();
  }
  deadline_ = std::min({handshake_until_, retransmit_at_, settle_at_});
}

void Endpoint::settle() {
  protection_ =
      std::make_unique<Protection>(ssl_.get(), config_.role == Role::kClient, wire_->last_sent, seen_);
  ssl_.reset();
  wire_->timer = nullptr;
  wire_->is_timer_running = false;
  retransmit_at_ = settle_at_ = Timestamp::never();
}

void Endpoint::confirm_peer(Timestamp now) {
  if (state_ != State::kConnected) return;
  is_peer_confirmed_ = true;
  file_deadline(now);
}

Result<void, Refusal> Endpoint::send_data(Bytes data, Outputs& out) {
  if (state_ != State::kConnected) return drop(Refusal::kNotConnected);
  if (data.empty() || data.size() > data_bytes_max_) return drop(Refusal::kDataTooLarge);
  if (protection_) {
    ++wire_->stats.data_messages_sent;
    send_sealed(ContentType::kApplicationData, data, out);
    return {};
  }
  Lend lend(*wire_, out);
  std::size_t written = 0;
  ERR_clear_error();
  int returned = SSL_write_ex(ssl_.get(), data.data(), data.size(), &written);
  if (returned != 1) return fail(find_cause(), out);
  ++wire_->stats.data_messages_sent;
  return {};
}

void Endpoint::close(Outputs& out) {
  if (state_ == State::kClosed) return;
  Lend lend(*wire_, out);
  if (protection_) {
    send_sealed(ContentType::kAlert, kCloseNotifyAlert, out);
  } else if (state_ == State::kConnected) {
    SSL_shutdown(ssl_.get());
  }
  finish({}, out);
}

}  // namespace stoa::dtls
