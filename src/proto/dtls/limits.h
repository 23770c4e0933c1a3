// Everything a peer may make an endpoint hold, do or wait for, in one place.
#pragma once

#include <cstddef>

#include "base/time.h"

namespace stoa::dtls {

// Retransmission (RFC 6347 §4.2.4.1). The RFC's first value of a second is for the unknown Internet; ICE has
// measured the path before, so an owner that knows its round trip should give twice that.
struct Timing {
  Duration rto_initial = Duration::milliseconds(200);
  Duration rto_max = Duration::seconds(3);
  Duration handshake_max = Duration::seconds(30);  // From start() to Connected.
  // How long a server that hears nothing else stays ready to send its last flight again: as long as a client
  // may go on asking for it.
  Duration linger = Duration::seconds(30);
};

// UDP payload. 1200 passes every path on which QUIC or WebRTC works (RFC 9000 §14).
inline constexpr std::size_t kMtuDefault = 1200;
inline constexpr std::size_t kMtuMin = 256;
inline constexpr std::size_t kMtuMax = 16'384;
// A flight that was lost this often is cut for 576-byte IPv4 datagrams from then on (RFC 6347 §4.1.1.1).
inline constexpr int kLossesBeforeSmallMtu = 3;
inline constexpr std::size_t kMtuSmall = 548;

inline constexpr std::size_t kRecordsPerDatagramMax = 32;
// Records given to OpenSSL before the handshake is done. A handshake needs about ten; the most that
// retransmission of both sides at the smallest MTU makes of it is some hundreds.
inline constexpr std::size_t kHandshakeRecordsMax = 1024;
// Encrypted records that overtook the ChangeCipherSpec, or data that overtook Finished.
inline constexpr std::size_t kEarlyRecordsMax = 16;
inline constexpr std::size_t kEarlyBytesMax = 16u << 10;
// How often our last flight, or a refusal to renegotiate, is sent again after the handshake. OpenSSL would
// end the association at the thirteenth.
inline constexpr int kLateAnswersMax = 11;
// One handshake message, put together from fragments. A ClientHello with post-quantum key shares has 2 KB.
inline constexpr std::size_t kCertificatesBytesMax = 16u << 10;
inline constexpr std::size_t kPeerFingerprintsMax = 16;

}  // namespace stoa::dtls
