// One end of a DTLS 1.2 association over one path that ICE has proved, either role.
//
//   start() -> handshake -> Connected -> ApplicationData … -> Closed
//                       \-> Closed with a refusal
//
// Connected comes only after the peer has shown the certificate that signalling named and has proved to hold
// its key, so what it exports may be used at once. Closed is the last output; every input after it is
// ignored.
//
// Datagrams may come lost, doubled, late and out of order; the handshake is repaired by retransmission in
// the owner's time (RFC 6347 §4.2.4). Anybody may send datagrams, so what is wrong with one record loses that
// record and no more; only what the handshake itself cannot bear ends it. A fatal alert in the clear ends an
// unfinished handshake, as in every DTLS 1.2: whoever can put it on the path can as well drop the packets.
//
// Memory: about 60 KB while OpenSSL holds the handshake, under 2 KB from when it is known that its last
// flight arrived ("settled", see confirm_peer(); at once for a client).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/outbox.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/fingerprint.h"
#include "proto/dtls/context.h"
#include "proto/dtls/identity.h"
#include "proto/dtls/limits.h"
#include "proto/dtls/record.h"
#include "proto/dtls/refusal.h"
#include "proto/dtls/replay_window.h"
#include "proto/dtls/srtp_profile.h"
#include "proto/dtls/stats.h"

struct ssl_st;

namespace stoa::dtls {

struct SendDatagram {
  Buffer bytes;  // At most the MTU.
};
struct Connected {
  std::optional<SrtpKeys> srtp;          // Absent when Config::srtp_profiles is empty.
  crypto::Fingerprint peer_fingerprint;  // SHA-256, whatever hash signalling used.
  std::string cipher;                    // "ECDHE-ECDSA-AES128-GCM-SHA256", for people to read.
};
struct ApplicationData {
  Buffer bytes;  // One record: for WebRTC, one SCTP packet (RFC 8261).
};
struct Closed {
  std::optional<Refusal> refusal;     // Absent when either side closed in the proper way.
  bool was_by_peer = false;           // close_notify or another alert came.
  std::optional<std::uint8_t> alert;  // Its number, or of the fatal one that we sent (RFC 5246 §7.2).
};
using Output = std::variant<SendDatagram, Connected, ApplicationData, Closed>;
using Outputs = Outbox<Output>;

enum class Role : std::uint8_t {
  kServer,  // Waits for the ClientHello: SDP "passive".
  kClient,  // Sends it: SDP "active".
};

struct Config {
  Role role = Role::kServer;
  // Of the peer's certificate, as signalling gave them: at least one, at most kPeerFingerprintsMax.
  std::vector<crypto::Fingerprint> peer_fingerprints;
  // In order of preference; a server's counts. Empty: no use_srtp, data only.
  std::vector<SrtpProfile> srtp_profiles = all_srtp_profiles();
  // UDP payload bytes, in [kMtuMin, kMtuMax].
  std::size_t mtu = kMtuDefault;
  Timing timing;
  // Server: answer the first ClientHello with HelloVerifyRequest (RFC 6347 §4.2.1). It costs a round trip and
  // buys nothing behind ICE, whose checks prove the peer's address.
  bool asks_cookie = false;
};

struct Wire;
class Protection;

class Endpoint {
 public:
  // `context` must outlive the endpoint. Requires: `config` within its limits.
  Endpoint(const Context& context, std::shared_ptr<const Identity> identity, const Config& config);
  ~Endpoint();
  Endpoint(Endpoint&&) noexcept;
  Endpoint& operator=(Endpoint&&) noexcept;

  // A client's first flight; a server's clock starts. Requires: not started.
  void start(Timestamp now, Outputs& out);

  // One datagram of the peer. The error is the first thing in it that was not taken; when
  // ends_association() says so of it, Closed was pushed. Requires: start().
  Result<void, Refusal> handle_datagram(Timestamp now, Bytes datagram, Outputs& out);
  void handle_deadline(Timestamp now, Outputs& out);
  Timestamp next_deadline() const { return deadline_; }

  // The owner has opened an SRTP packet of the peer with the keys of Connected: so the peer has them too, and
  // the state of the handshake may go. Application data tells the same by itself, as does Timing::linger.
  void confirm_peer(Timestamp now);
  bool is_settled() const { return protection_ != nullptr; }

  // One record. Not retransmitted, not ordered: SCTP does that.
  Result<void, Refusal> send_data(Bytes data, Outputs& out);
  // The most that send_data() takes; 0 when not connected.
  std::size_t data_bytes_max() const { return data_bytes_max_; }

  // close_notify when connected, and Closed. Does nothing when closed.
  void close(Outputs& out);

  bool is_connected() const { return state_ == State::kConnected; }
  bool is_closed() const { return state_ == State::kClosed; }
  Role role() const { return config_.role; }
  const Stats& stats() const;

 private:
  enum class State : std::uint8_t { kIdle, kHandshake, kConnected, kClosed };
  using Outcome = Result<void, Refusal>;
  struct FreeSsl {
    void operator()(ssl_st* ssl) const;
  };

  Outcome handle_record(const Record& record, Outputs& out);
  Outcome hold(const Record& record);
  Outcome take_held(Outputs& out);
  Outcome read_record(const Record& record, Outputs& out);
  Outcome open_record(const Record& record, Outputs& out);
  bool can_read_encrypted() const;

  // Let OpenSSL work on what lies in the wire.
  Outcome advance(Outputs& out);
  Outcome advance_handshake(Outputs& out);
  Outcome read_data(Outputs& out);
  Outcome become_connected(Outputs& out);
  Outcome judge(int returned, Outputs& out);
  Refusal find_cause() const;

  Outcome drop(Refusal refusal);
  Outcome fail(Refusal refusal, Outputs& out);
  void send_sealed(ContentType type, Bytes plaintext, Outputs& out);
  void finish(const Closed& closed, Outputs& out);
  void retransmit(Timestamp now, Outputs& out);
  void settle();
  void file_deadline(Timestamp now);

  Config config_;
  std::shared_ptr<const Identity> identity_;
  std::unique_ptr<Wire> wire_;  // Stays where it is while OpenSSL points at it.
  std::unique_ptr<ssl_st, FreeSsl> ssl_;
  std::unique_ptr<Protection> protection_;  // Takes the place of ssl_ when settled.
  ReplayWindow seen_;                       // Record numbers of epoch 1, until settled.
  bool is_peer_confirmed_ = false;
  State state_ = State::kIdle;
  Timestamp deadline_ = Timestamp::never();
  Timestamp handshake_until_ = Timestamp::never();
  Timestamp retransmit_at_ = Timestamp::never();
  Timestamp settle_at_ = Timestamp::never();
  std::size_t handshake_records_ = 0;
  int late_answers_ = 0;
  std::vector<Buffer> held_;  // Records that came early; whole, in order of arrival.
  std::size_t held_bytes_ = 0;
  std::size_t data_bytes_max_ = 0;
};

}  // namespace stoa::dtls
