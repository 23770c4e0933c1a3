// The opening exchange: C0 C1 / S0 S1 S2 / C2 (RTMP §5.2), plain or with digests.
//
// The digest variant came with Flash Player 9 and is in no public specification. Bytes 4..7 of C1 hold a
// version instead of zero, and somewhere in C1 stand 32 bytes of HMAC-SHA-256 over the rest of it, keyed by
// a well-known constant. Where: in scheme 0 at 12 + (sum of bytes 8..11) mod 728, in scheme 1 at
// 776 + (sum of bytes 772..775) mod 728. The server signs S1 the same way; the last 32 bytes of S2 (and of
// C2) sign the rest with a key made of the other side's digest. It proves nothing about who is there; some
// clients want it all the same.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/rng.h"
#include "crypto/digest.h"
#include "proto/rtmp/refusal.h"

namespace stoa::rtmp {

inline constexpr std::size_t kHandshakeBytes = 1536;  // C1, C2, S1, S2 each.
inline constexpr std::uint8_t kVersion = 3;

enum class HandshakeKind : std::uint8_t { kPlain, kDigestScheme0, kDigestScheme1 };

// The digest in a C1 (or, with `from_server`, an S1) if it stands where `scheme` says. Requires:
// block.size() == kHandshakeBytes and a digest scheme.
std::optional<crypto::Sha256Digest> find_digest(Bytes block, HandshakeKind scheme, bool from_server);

class ServerHandshake {
 public:
  explicit ServerHandshake(Rng rng) : rng_(rng) {}
  // Takes what belongs to the handshake from the front of `input`; appends S0 S1 S2 when C1 is whole.
  Result<void, Refusal> handle_bytes(Bytes& input, ByteWriter& out);
  bool is_done() const { return is_done_; }
  HandshakeKind kind() const { return kind_; }  // Known once C1 is whole.

 private:
  void answer(Bytes c1, ByteWriter& out);

  Rng rng_;
  Buffer received_;  // C0 and C1, then C2: at most 1537 bytes.
  bool has_answered_ = false;
  bool is_done_ = false;
  HandshakeKind kind_ = HandshakeKind::kPlain;
};

class ClientHandshake {
 public:
  ClientHandshake(HandshakeKind kind, Rng rng) : kind_(kind), rng_(rng) {}
  void start(ByteWriter& out);
  // Appends C2 when S0 S1 S2 are whole and, for a digest handshake, rightly signed.
  Result<void, Refusal> handle_bytes(Bytes& input, ByteWriter& out);
  bool is_done() const { return is_done_; }

 private:
  HandshakeKind kind_;
  Rng rng_;
  Buffer c1_;
  Buffer received_;
  bool is_done_ = false;
};

}  // namespace stoa::rtmp
