#include "proto/dtls/wire.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cstdlib>

#include "base/assert.h"
#include "crypto/digest.h"

namespace stoa::dtls {
namespace {

// Added to a deadline, so that the system's clock does not reach it.
constexpr long kFarSeconds = 1'000'000'000;

Wire& wire_of(const SSL* ssl) { return *static_cast<Wire*>(SSL_get_app_data(ssl)); }
Wire& wire_of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

int read_record(BIO* bio, char* into, std::size_t room, std::size_t* length) {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  if (wire.record.empty()) {
    BIO_set_retry_read(bio);
    *length = 0;
    return -1;
  }
  *length = std::min(room, wire.record.size());
  std::copy_n(wire.record.data(), *length, reinterpret_cast<std::uint8_t*>(into));
  wire.record = {};
  return 1;
}

// What a connection that OpenSSL leaves must go on from.
void note_last_sent(Wire& wire, Bytes datagram) {
  while (auto record = take_record(datagram)) {
    if (record->epoch != 1) continue;
    Bytes body = record->whole.subspan(kRecordHeaderBytes);
    std::size_t length = std::min(body.size(), kExplicitNonceBytes);
    wire.last_sent.sequence = record->sequence;
    std::copy_n(body.begin(), length, wire.last_sent.explicit_nonce.begin());
  }
}

int write_datagram(BIO* bio, const char* from, std::size_t length, std::size_t* written) {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  *written = length;
  STOA_ASSERT(wire.out);  // A record that nobody saw would leave us with a stale nonce.
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
  note_last_sent(wire, Bytes(bytes, length));
  wire.out->push(SendDatagram{Buffer(bytes, bytes + length)});
  ++wire.stats.datagrams_sent;
  return 1;
}

void handle_timer(Wire& wire, timeval* deadline) {
  wire.is_timer_running = deadline->tv_sec != 0 || deadline->tv_usec != 0;
  if (!wire.is_timer_running) return;
  wire.was_timer_started = true;
  if (wire.timer_kind == Wire::TimerKind::kCopy) return;
  deadline->tv_sec += kFarSeconds;
  wire.timer = deadline;
}

long control(BIO* bio, int command, long, void* argument) {
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_DGRAM_SET_NEXT_TIMEOUT:
      handle_timer(wire_of(bio), static_cast<timeval*>(argument));
      return 1;
    default: return 0;
  }
}

int create(BIO* bio) {
  BIO_set_init(bio, 1);
  return 1;
}

// The first value of a flight's timer (`previous` is 0), or the next after a loss: the endpoint has set it.
unsigned next_timeout(SSL* ssl, unsigned previous) {
  Wire& wire = wire_of(ssl);
  if (previous == 0) {
    wire.rto = wire.rto_initial;
    wire.losses = 0;
  }
  return static_cast<unsigned>(std::max<std::int64_t>(wire.rto.us(), 1));
}

// Takes the place of chain building: the certificate is the one that signalling named, or it is not.
int verify_peer(X509_STORE_CTX* chain, void*) {
  auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
  Wire& wire = wire_of(ssl);
  // A server that chose no profile; it has said so in its ServerHello, long before its certificate.
  if (!wire.srtp_profiles.empty() && !SSL_get_selected_srtp_profile(ssl)) {
    wire.refusal = Refusal::kNoSharedSrtpProfile;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);  // Alert handshake_failure.
    return 0;
  }
  unsigned char* der = nullptr;
  int length = i2d_X509(X509_STORE_CTX_get0_cert(chain), &der);
  bool is_named = length > 0 && crypto::matches_fingerprint(Bytes(der, static_cast<std::size_t>(length)),
                                                            wire.peer_fingerprints);
  OPENSSL_free(der);
  if (is_named) {
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
  }
  wire.refusal = Refusal::kFingerprintMismatch;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_REJECTED);  // Alert bad_certificate.
  return 0;
}

// OpenSSL would go on without SRTP when no profile is shared; nothing could be said to such a peer.
int handle_client_hello(SSL* ssl, int* alert, void*) {
  Wire& wire = wire_of(ssl);
  if (wire.srtp_profiles.empty()) return SSL_CLIENT_HELLO_SUCCESS;
  const unsigned char* extension = nullptr;
  std::size_t length = 0;
  bool is_there = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_use_srtp, &extension, &length) == 1;
  if (is_there && offers_srtp_profile(Bytes(extension, length), wire.srtp_profiles))
    return SSL_CLIENT_HELLO_SUCCESS;
  wire.refusal = Refusal::kNoSharedSrtpProfile;
  *alert = SSL_AD_HANDSHAKE_FAILURE;
  return SSL_CLIENT_HELLO_ERROR;
}

void see_event(const SSL* ssl, int where, int value) {
  Wire& wire = wire_of(ssl);
  if (where == SSL_CB_READ_ALERT) wire.alert_received = static_cast<std::uint8_t>(value & 0xff);
  if (where == SSL_CB_WRITE_ALERT) wire.alert_sent = static_cast<std::uint8_t>(value & 0xff);
}

// An endpoint keeps state from the first ClientHello on, so its cookie need not encode who asked: it is
// random, and proves that the peer hears us.
int make_cookie(SSL* ssl, unsigned char* cookie, unsigned* length) {
  const Wire& wire = wire_of(ssl);
  std::copy(wire.cookie.begin(), wire.cookie.end(), cookie);
  *length = static_cast<unsigned>(wire.cookie.size());
  return 1;
}

int verify_cookie(SSL* ssl, const unsigned char* cookie, unsigned length) {
  return crypto::is_equal_constant_time(wire_of(ssl).cookie, Bytes(cookie, length)) ? 1 : 0;
}

}  // namespace

BIO_METHOD* make_bio_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stoa datagrams");
  STOA_ASSERT(method != nullptr);
  STOA_ASSERT(BIO_meth_set_read_ex(method, read_record) == 1);
  STOA_ASSERT(BIO_meth_set_write_ex(method, write_datagram) == 1);
  STOA_ASSERT(BIO_meth_set_ctrl(method, control) == 1);
  STOA_ASSERT(BIO_meth_set_create(method, create) == 1);
  return method;
}

void free_bio_method(BIO_METHOD* method) { BIO_meth_free(method); }

void set_callbacks(SSL_CTX* settings) {
  SSL_CTX_set_verify(settings, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(settings, verify_peer, nullptr);
  SSL_CTX_set_client_hello_cb(settings, handle_client_hello, nullptr);
  SSL_CTX_set_info_callback(settings, see_event);
  SSL_CTX_set_cookie_generate_cb(settings, make_cookie);
  SSL_CTX_set_cookie_verify_cb(settings, verify_cookie);
}

SSL* make_ssl(SSL_CTX* settings, const BIO_METHOD* method, Wire& wire) {
  SSL* ssl = SSL_new(settings);
  BIO* bio = BIO_new(method);
  STOA_ASSERT(ssl != nullptr && bio != nullptr);
  BIO_set_data(bio, &wire);
  SSL_set_bio(ssl, bio, bio);
  STOA_ASSERT(SSL_set_app_data(ssl, &wire) == 1);
  DTLS_set_timer_cb(ssl, next_timeout);
  return ssl;
}

void free_ssl(SSL* ssl) { SSL_free(ssl); }

void learn_timer_kind(SSL* ssl, Wire& wire) {
  if (wire.timer_kind != Wire::TimerKind::kUnknown || !wire.is_timer_running) return;
  timeval left{};
  bool is_far = DTLSv1_get_timeout(ssl, &left) == 1 && left.tv_sec > kFarSeconds / 2;
  wire.timer_kind = is_far ? Wire::TimerKind::kOurs : Wire::TimerKind::kCopy;
  if (!is_far) wire.timer = nullptr;
}

int retransmit(SSL* ssl, Wire& wire) {
  if (wire.timer_kind == Wire::TimerKind::kOurs) {
    wire.timer->tv_sec = 0;  // Not both zero: that would mean that no timer runs.
    wire.timer->tv_usec = 1;
  }
  ERR_clear_error();
  return static_cast<int>(DTLSv1_handle_timeout(ssl));
}

}  // namespace stoa::dtls
