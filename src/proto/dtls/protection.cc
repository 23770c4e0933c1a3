#include "proto/dtls/protection.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>

#include "base/assert.h"

namespace stoa::dtls {
namespace {

constexpr std::uint16_t kVersion12 = 0xfefd;
constexpr std::uint16_t kEpoch = 1;
constexpr std::uint64_t kSequenceMax = (std::uint64_t{1} << 48) - 1;
constexpr std::size_t kFixedIvBytes = 4;
constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kMasterSecretBytes = 48;
constexpr std::size_t kKeyBlockBytesMax = 2 * (32 + 12);

// key_block = PRF(master secret, "key expansion", server random + client random) (RFC 5246 §6.3).
void derive_key_block(const SSL* ssl, std::span<std::uint8_t> block) {
  std::array<std::uint8_t, kMasterSecretBytes> secret;
  STOA_ASSERT(SSL_SESSION_get_master_key(SSL_get_session(ssl), secret.data(), secret.size()) ==
              secret.size());
  constexpr std::string_view kLabel = "key expansion";
  Buffer seed(kLabel.begin(), kLabel.end());
  seed.resize(kLabel.size() + 2 * kRandomBytes);
  SSL_get_server_random(ssl, seed.data() + kLabel.size(), kRandomBytes);
  SSL_get_client_random(ssl, seed.data() + kLabel.size() + kRandomBytes, kRandomBytes);
  const EVP_MD* digest = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
  std::string digest_name = EVP_MD_get0_name(digest);

  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_PRF, nullptr);
  EVP_KDF_CTX* context = EVP_KDF_CTX_new(kdf);
  OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, secret.data(), secret.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed.data(), seed.size()),
      OSSL_PARAM_construct_end()};
  STOA_ASSERT(context && EVP_KDF_derive(context, block.data(), block.size(), parameters) == 1);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  OPENSSL_cleanse(secret.data(), secret.size());
}

std::uint64_t number_of(Bytes eight) { return ByteReader(eight).u64(); }

// The sequence number as DTLS authenticates it: with the epoch before it.
std::uint64_t full_sequence(std::uint64_t sequence) { return std::uint64_t{kEpoch} << 48 | sequence; }

Buffer make_associated(std::uint8_t type, std::uint64_t sequence, std::size_t length) {
  ByteWriter associated(kRecordHeaderBytes);
  associated.u64(full_sequence(sequence));
  associated.u8(type);
  associated.u16(kVersion12);
  associated.u16(static_cast<std::uint16_t>(length));
  return associated.take();
}

}  // namespace

void Protection::FreeCipher::operator()(evp_cipher_ctx_st* cipher) const { EVP_CIPHER_CTX_free(cipher); }

Protection::Protection(const SSL* ssl, bool is_client, const LastSent& last_sent, const ReplayWindow& seen)
    : next_sequence_(last_sent.sequence + 1), seen_(seen) {
  int cipher = SSL_CIPHER_get_cipher_nid(SSL_get_current_cipher(ssl));
  STOA_ASSERT(cipher == NID_aes_128_gcm || cipher == NID_aes_256_gcm || cipher == NID_chacha20_poly1305);
  algorithm_ = cipher == NID_aes_128_gcm   ? EVP_aes_128_gcm()
               : cipher == NID_aes_256_gcm ? EVP_aes_256_gcm()
                                           : EVP_chacha20_poly1305();
  carries_nonce_ = cipher != NID_chacha20_poly1305;
  key_bytes_ = cipher == NID_aes_128_gcm ? 16 : 32;
  next_nonce_ = number_of(last_sent.explicit_nonce) + 1;
  std::size_t iv_bytes = carries_nonce_ ? kFixedIvBytes : local_.iv.size();
  std::array<std::uint8_t, kKeyBlockBytesMax> block;
  derive_key_block(ssl, std::span(block).first(2 * (key_bytes_ + iv_bytes)));
  ByteReader reader(block);
  Direction& client = is_client ? local_ : remote_;
  Direction& server = is_client ? remote_ : local_;
  for (Direction* direction : {&client, &server}) {
    Bytes key = reader.take(key_bytes_);
    std::copy(key.begin(), key.end(), direction->key.begin());
  }
  for (Direction* direction : {&client, &server}) {
    Bytes iv = reader.take(iv_bytes);
    std::copy(iv.begin(), iv.end(), direction->iv.begin());
  }
  OPENSSL_cleanse(block.data(), block.size());
}

Protection::~Protection() {
  for (Direction* direction : {&local_, &remote_}) {
    OPENSSL_cleanse(direction->key.data(), direction->key.size());
    OPENSSL_cleanse(direction->iv.data(), direction->iv.size());
  }
}

EVP_CIPHER_CTX* Protection::cipher_of(Direction& direction, bool seals) {
  if (!direction.cipher) {
    direction.cipher.reset(EVP_CIPHER_CTX_new());
    STOA_ASSERT(direction.cipher && EVP_CipherInit_ex(direction.cipher.get(), algorithm_, nullptr,
                                                      direction.key.data(), nullptr, seals ? 1 : 0) == 1);
  }
  return direction.cipher.get();
}

std::array<std::uint8_t, 12> Protection::nonce_of(const Direction& direction, std::uint64_t sequence,
                                                  Bytes carried) const {
  std::array<std::uint8_t, 12> nonce = direction.iv;
  if (carries_nonce_) {
    std::copy(carried.begin(), carried.end(), nonce.begin() + kFixedIvBytes);
  } else {
    std::uint64_t full = full_sequence(sequence);
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] ^= static_cast<std::uint8_t>(full >> (56 - 8 * i));
  }
  return nonce;
}

Buffer Protection::seal(ContentType type, Bytes plaintext) {
  STOA_ASSERT(next_sequence_ <= kSequenceMax && plaintext.size() <= kRecordBodyBytesMax);
  std::uint64_t sequence = next_sequence_++;
  std::size_t nonce_bytes = carries_nonce_ ? kExplicitNonceBytes : 0;
  ByteWriter record(kRecordHeaderBytes + nonce_bytes + plaintext.size() + kAeadTagBytes);
  record.u8(static_cast<std::uint8_t>(type));
  record.u16(kVersion12);
  record.u64(full_sequence(sequence));
  record.u16(static_cast<std::uint16_t>(nonce_bytes + plaintext.size() + kAeadTagBytes));
  if (carries_nonce_) record.u64(next_nonce_++);
  Buffer whole = record.take();
  std::size_t at = whole.size();
  whole.resize(at + plaintext.size() + kAeadTagBytes);

  auto nonce = nonce_of(local_, sequence, Bytes(whole).subspan(kRecordHeaderBytes, nonce_bytes));
  Buffer associated = make_associated(static_cast<std::uint8_t>(type), sequence, plaintext.size());
  EVP_CIPHER_CTX* cipher = cipher_of(local_, true);
  int length = 0;
  STOA_ASSERT(EVP_EncryptInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data()) == 1);
  STOA_ASSERT(EVP_EncryptUpdate(cipher, nullptr, &length, associated.data(),
                                static_cast<int>(associated.size())) == 1);
  STOA_ASSERT(EVP_EncryptUpdate(cipher, whole.data() + at, &length, plaintext.data(),
                                static_cast<int>(plaintext.size())) == 1);
  STOA_ASSERT(EVP_EncryptFinal_ex(cipher, whole.data() + at + plaintext.size(), &length) == 1);
  STOA_ASSERT(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(kAeadTagBytes),
                                  whole.data() + at + plaintext.size()) == 1);
  return whole;
}

std::optional<Buffer> Protection::open(const Record& record) {
  STOA_ASSERT(record.epoch == kEpoch);
  if (!seen_.is_new(record.sequence)) return std::nullopt;
  ByteReader body(record.whole.subspan(kRecordHeaderBytes));
  Bytes carried = body.take(carries_nonce_ ? kExplicitNonceBytes : 0);
  if (body.remaining() < kAeadTagBytes) return std::nullopt;
  Bytes ciphertext = body.take(body.remaining() - kAeadTagBytes);
  Bytes sealed_tag = body.rest();
  if (!body.ok()) return std::nullopt;

  auto nonce = nonce_of(remote_, record.sequence, carried);
  Buffer associated = make_associated(record.type, record.sequence, ciphertext.size());
  std::array<std::uint8_t, kAeadTagBytes> tag;
  std::copy(sealed_tag.begin(), sealed_tag.end(), tag.begin());
  Buffer plaintext(ciphertext.size() + kAeadTagBytes);  // Never of size 0: OpenSSL reads that otherwise.
  EVP_CIPHER_CTX* cipher = cipher_of(remote_, false);
  int length = 0;
  STOA_ASSERT(EVP_DecryptInit_ex(cipher, nullptr, nullptr, nullptr, nonce.data()) == 1);
  STOA_ASSERT(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()), tag.data()) ==
              1);
  STOA_ASSERT(EVP_DecryptUpdate(cipher, nullptr, &length, associated.data(),
                                static_cast<int>(associated.size())) == 1);
  STOA_ASSERT(EVP_DecryptUpdate(cipher, plaintext.data(), &length, ciphertext.data(),
                                static_cast<int>(ciphertext.size())) == 1);
  if (EVP_DecryptFinal_ex(cipher, plaintext.data() + ciphertext.size(), &length) != 1) {
    ERR_clear_error();
    return std::nullopt;
  }
  seen_.mark(record.sequence);
  plaintext.resize(ciphertext.size());
  return plaintext;
}

}  // namespace stoa::dtls
