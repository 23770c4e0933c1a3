#include "proto/srtp/keys.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::srtp {
namespace {

// RFC 3711 §4.3.2: which key is asked for.
enum class Label : std::uint8_t {
  kRtpKey = 0,
  kRtpAuthentication = 1,
  kRtpSalt = 2,
  kRtcpKey = 3,
  kRtcpAuthentication = 4,
  kRtcpSalt = 5,
};
// The label is added to the salt of 14 bytes, seven bytes from its end (48 bits of index follow it). A salt
// of 12 bytes is filled up with zeros on the right (RFC 7714 §11).
constexpr std::size_t kLabelOffset = 7;

void derive(const MasterKey& master, Label label, std::span<std::uint8_t> out) {
  std::array<std::uint8_t, 16> counter{};
  std::copy_n(master.salt.view().begin(), master.salt.size(), counter.begin());
  counter[kLabelOffset] ^= static_cast<std::uint8_t>(label);
  crypto::write_aes_counter_stream(master.key.view(), counter, out);
}

SessionKey derive_one(const ProfileShape& shape, const MasterKey& master, Label key, Label authentication,
                      Label salt) {
  SessionKey session{.key = crypto::Secret<32>::zeros(shape.key_bytes),
                     .authentication_key = crypto::Secret<crypto::kSrtpAuthenticationKeyBytes>::zeros(
                         shape.authentication_key_bytes),
                     .salt = crypto::Secret<14>::zeros(shape.salt_bytes)};
  derive(master, key, session.key.mutable_view());
  if (shape.authentication_key_bytes > 0)
    derive(master, authentication, session.authentication_key.mutable_view());
  derive(master, salt, session.salt.mutable_view());
  return session;
}

}  // namespace

Result<MasterKeys, Refusal> split_keying_material(Profile profile, Bytes material) {
  if (material.size() != exporter_bytes(profile)) return refuse(Refusal::kBadKeyingMaterial);
  const ProfileShape shape = shape_of(profile);
  ByteReader reader(material);
  const Bytes client_key = reader.take(shape.key_bytes);
  const Bytes server_key = reader.take(shape.key_bytes);
  const Bytes client_salt = reader.take(shape.salt_bytes);
  const Bytes server_salt = reader.take(shape.salt_bytes);
  return MasterKeys{.client = {crypto::Secret<32>(client_key), crypto::Secret<14>(client_salt)},
                    .server = {crypto::Secret<32>(server_key), crypto::Secret<14>(server_salt)}};
}

SessionKeys derive_session_keys(Profile profile, const MasterKey& master) {
  const ProfileShape shape = shape_of(profile);
  STOA_ASSERT(master.key.size() == shape.key_bytes && master.salt.size() == shape.salt_bytes);
  return {.rtp = derive_one(shape, master, Label::kRtpKey, Label::kRtpAuthentication, Label::kRtpSalt),
          .rtcp = derive_one(shape, master, Label::kRtcpKey, Label::kRtcpAuthentication, Label::kRtcpSalt)};
}

}  // namespace stoa::srtp
