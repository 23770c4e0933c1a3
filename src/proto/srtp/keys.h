// From a handshake to keys: the exporter's bytes, the two master keys in them (RFC 5764 §4.2), and the
// session keys made of each (RFC 3711 §4.3, RFC 7714 §11).
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/secret.h"
#include "proto/srtp/profile.h"
#include "proto/srtp/refusal.h"

namespace stoa::srtp {

// What to ask the TLS exporter (RFC 5705) for, without context.
inline constexpr char kExporterLabel[] = "EXTRACTOR-dtls_srtp";
constexpr std::size_t exporter_bytes(Profile profile) {
  return 2u * (shape_of(profile).key_bytes + shape_of(profile).salt_bytes);
}

// Lengths as the profile says.
struct MasterKey {
  crypto::Secret<32> key;
  crypto::Secret<14> salt;
};

// The DTLS client protects with `client`, the server with `server`.
struct MasterKeys {
  MasterKey client;
  MasterKey server;
};

// Client key, server key, client salt, server salt. kBadKeyingMaterial when the length is wrong.
Result<MasterKeys, Refusal> split_keying_material(Profile profile, Bytes material);

struct SessionKey {
  crypto::Secret<32> key;
  crypto::Secret<crypto::kSrtpAuthenticationKeyBytes> authentication_key;  // Empty with GCM.
  crypto::Secret<14> salt;
};

struct SessionKeys {
  SessionKey rtp;
  SessionKey rtcp;
};

// With a key derivation rate of zero, which is the only one that DTLS-SRTP knows: once, for all packets.
// Requires: master lengths as the profile says.
SessionKeys derive_session_keys(Profile profile, const MasterKey& master);

}  // namespace stoa::srtp
