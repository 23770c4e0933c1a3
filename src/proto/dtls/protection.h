// Records of a connected association without OpenSSL's connection object.
//
// That object holds some 60 KB for the rest of its life, most of it buffers for a handshake that is over.
// What is left to do is to seal and to open records, for which the keys and two counters are enough. So once
// the handshake needs no more answers its state is moved here: keys are derived as TLS says (RFC 5246 §6.3),
// and numbers and nonces go on where OpenSSL stopped, since one used twice would give AES-GCM away.
//
// AEAD suites only, which are the only ones that are offered: AES-GCM with an explicit nonce (RFC 5288 §3),
// ChaCha20-Poly1305 with an implied one (RFC 7905 §2).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "proto/dtls/record.h"
#include "proto/dtls/replay_window.h"

struct ssl_st;
struct evp_cipher_ctx_st;
struct evp_cipher_st;

namespace stoa::dtls {

inline constexpr std::size_t kAeadTagBytes = 16;
inline constexpr std::size_t kExplicitNonceBytes = 8;

// What is to be known of the last encrypted record that OpenSSL sent.
struct LastSent {
  std::uint64_t sequence = 0;
  std::array<std::uint8_t, kExplicitNonceBytes> explicit_nonce{};  // The first bytes of its body.
};

class Protection {
 public:
  // The keys of a finished handshake. `seen`: what was received under them until now.
  Protection(const ssl_st* ssl, bool is_client, const LastSent& last_sent, const ReplayWindow& seen);
  ~Protection();
  Protection(const Protection&) = delete;
  Protection& operator=(const Protection&) = delete;

  // A whole record. Requires: a plaintext that fits a datagram.
  Buffer seal(ContentType type, Bytes plaintext);
  // Absent when forged, damaged or replayed. Requires: a record of epoch 1.
  std::optional<Buffer> open(const Record& record);

 private:
  struct FreeCipher {
    void operator()(evp_cipher_ctx_st* cipher) const;
  };
  struct Direction {
    std::array<std::uint8_t, 32> key{};
    std::array<std::uint8_t, 12> iv{};  // AES-GCM: the first four are fixed, the rest travels.
    std::unique_ptr<evp_cipher_ctx_st, FreeCipher> cipher;  // Made when first used: media needs none.
  };
  evp_cipher_ctx_st* cipher_of(Direction& direction, bool seals);
  std::array<std::uint8_t, 12> nonce_of(const Direction& direction, std::uint64_t sequence,
                                        Bytes carried) const;

  const evp_cipher_st* algorithm_;
  bool carries_nonce_;
  std::size_t key_bytes_;
  Direction local_, remote_;
  std::uint64_t next_sequence_;
  std::uint64_t next_nonce_ = 0;  // The explicit one, as a number.
  ReplayWindow seen_;
};

}  // namespace stoa::dtls
