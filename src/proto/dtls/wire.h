// Between OpenSSL and an Endpoint: the BIO it reads and writes, its timer, and what it asks during a
// handshake. Internal to this folder.
//
// Reading: the endpoint lays one record here and calls OpenSSL, which takes it as one datagram. Writing: each
// write is one datagram and goes straight to the outbox of the input under way.
//
// The timer. OpenSSL compares its retransmission deadline with the system's clock, and tells the BIO whenever
// it sets that deadline. OpenSSL before 3.2 passes its own variable for this: then the deadline is moved out
// of reach at once and, when our time says so, into the past, so that the clock never decides. Later versions
// pass a copy. This is seen from whether the change took hold (`TimerKind`), never guessed from a version;
// with a copy the deadlines keep our durations and OpenSSL's clock, which is the same whenever our time is
// the real one.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "crypto/fingerprint.h"
#include "proto/dtls/endpoint.h"
#include "proto/dtls/protection.h"
#include "proto/dtls/refusal.h"
#include "proto/dtls/srtp_profile.h"
#include "proto/dtls/stats.h"

struct bio_method_st;
struct ssl_ctx_st;
struct ssl_st;
struct timeval;

namespace stoa::dtls {

inline constexpr std::size_t kCookieBytes = 16;

struct Wire {
  // What is to be asked of the peer.
  std::vector<crypto::Fingerprint> peer_fingerprints;
  std::vector<SrtpProfile> srtp_profiles;  // Empty: no SRTP.
  std::array<std::uint8_t, kCookieBytes> cookie{};

  // Datagrams.
  Bytes record;            // What OpenSSL reads next.
  Outputs* out = nullptr;  // Set while an input is handled.
  LastSent last_sent;
  Stats stats;

  // The timer.
  enum class TimerKind : std::uint8_t { kUnknown, kOurs, kCopy };
  TimerKind timer_kind = TimerKind::kUnknown;
  timeval* timer = nullptr;  // OpenSSL's, valid while kOurs.
  bool is_timer_running = false;
  bool was_timer_started = false;  // Since the endpoint looked last.
  Duration rto_initial, rto;
  int losses = 0;  // Of the flight under way.

  // What was seen.
  std::optional<Refusal> refusal;  // Why a callback said no.
  std::optional<std::uint8_t> alert_received, alert_sent;
};

bio_method_st* make_bio_method();
void free_bio_method(bio_method_st* method);
void set_callbacks(ssl_ctx_st* settings);

// A new SSL object joined to `wire`, which must stay where it is. The caller frees it with free_ssl().
ssl_st* make_ssl(ssl_ctx_st* settings, const bio_method_st* method, Wire& wire);
void free_ssl(ssl_st* ssl);

// Sees what kind of timer this is, once one was started.
void learn_timer_kind(ssl_st* ssl, Wire& wire);
// Sends the last flight again. 1 when it did, 0 when OpenSSL's clock says that it is too early, -1 when
// OpenSSL has given up.
int retransmit(ssl_st* ssl, Wire& wire);

}  // namespace stoa::dtls
