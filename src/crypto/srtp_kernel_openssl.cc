// SHA1_Init and its kin are deprecated in favour of EVP, whose HMAC allocates for every message; the state of
// a SHA_CTX is copied by value.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>

#include "base/assert.h"
#include "crypto/secret.h"
#include "crypto/srtp_kernel.h"

namespace stoa::crypto {
namespace {

const EVP_CIPHER* evp_cipher_of(SrtpCipher cipher) {
  switch (cipher) {
    case SrtpCipher::kAes128CounterHmacSha1: return EVP_aes_128_ctr();
    case SrtpCipher::kAes128Gcm: return EVP_aes_128_gcm();
    case SrtpCipher::kAes256Gcm: return EVP_aes_256_gcm();
  }
  return nullptr;
}

class OpenSslKey final : public SrtpKey {
 public:
  OpenSslKey(SrtpCipher cipher, Bytes key, Bytes authentication_key)
      : SrtpKey(cipher), context_(EVP_CIPHER_CTX_new()) {
    STOA_ASSERT(context_ != nullptr);
    STOA_ASSERT(key.size() == static_cast<std::size_t>(EVP_CIPHER_get_key_length(evp_cipher_of(cipher))));
    STOA_ASSERT(EVP_CipherInit_ex(context_, evp_cipher_of(cipher), nullptr, key.data(), nullptr, 1) == 1);
    if (is_aead(cipher)) {
      STOA_ASSERT(authentication_key.empty());
    } else {
      STOA_ASSERT(authentication_key.size() == kSrtpAuthenticationKeyBytes);
      start_digest(inner_, authentication_key, 0x36);
      start_digest(outer_, authentication_key, 0x5c);
    }
  }
  ~OpenSslKey() override {
    EVP_CIPHER_CTX_free(context_);
    OPENSSL_cleanse(&inner_, sizeof inner_);
    OPENSSL_cleanse(&outer_, sizeof outer_);
  }

  EVP_CIPHER_CTX* context() { return context_; }

  void hmac(const std::uint8_t* message, std::size_t length, std::uint8_t* digest) const {
    SHA_CTX state = inner_;
    SHA1_Update(&state, message, length);
    SHA1_Final(digest, &state);
    state = outer_;
    SHA1_Update(&state, digest, SHA_DIGEST_LENGTH);
    SHA1_Final(digest, &state);
  }

 private:
  static void start_digest(SHA_CTX& state, Bytes key, std::uint8_t pad) {
    std::array<std::uint8_t, SHA_CBLOCK> block;
    block.fill(pad);
    for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
    SHA1_Init(&state);
    SHA1_Update(&state, block.data(), block.size());
    wipe(block);
  }

  EVP_CIPHER_CTX* context_;
  SHA_CTX inner_{}, outer_{};
};

void start(SrtpJob& job, EVP_CIPHER_CTX* context, int encrypts) {
  STOA_ASSERT(EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, job.iv.data(), encrypts) == 1);
}

void run_text(SrtpJob& job, EVP_CIPHER_CTX* context) {
  if (job.text_bytes == 0) return;
  int written = 0;
  STOA_ASSERT(EVP_CipherUpdate(context, job.target, &written, job.source, static_cast<int>(job.text_bytes)) ==
              1);
}

// Associated data and text; what is left is the tag.
void run_gcm(SrtpJob& job, EVP_CIPHER_CTX* context, int encrypts) {
  start(job, context, encrypts);
  int written = 0;
  if (job.authenticated_bytes > 0) {
    STOA_ASSERT(EVP_CipherUpdate(context, nullptr, &written, job.authenticated,
                                 static_cast<int>(job.authenticated_bytes)) == 1);
  }
  run_text(job, context);
}

class OpenSslKernel final : public SrtpKernel {
 public:
  const std::string& name() const override { return name_; }

  std::unique_ptr<SrtpKey> make_key(SrtpCipher cipher, Bytes key, Bytes authentication_key) override {
    return std::make_unique<OpenSslKey>(cipher, key, authentication_key);
  }

  void seal(std::span<SrtpJob> jobs) override {
    for (SrtpJob& job : jobs) {
      auto& key = static_cast<OpenSslKey&>(*job.key);
      std::uint8_t rest[SHA_DIGEST_LENGTH];
      if (is_aead(key.cipher())) {
        run_gcm(job, key.context(), 1);
        int written = 0;
        STOA_ASSERT(EVP_CipherFinal_ex(key.context(), rest, &written) == 1);
        STOA_ASSERT(EVP_CIPHER_CTX_ctrl(key.context(), EVP_CTRL_AEAD_GET_TAG, job.tag_bytes, job.tag) == 1);
      } else {
        start(job, key.context(), 1);
        run_text(job, key.context());
        key.hmac(job.authenticated, job.authenticated_bytes, rest);
        std::copy_n(rest, job.tag_bytes, job.tag);
      }
    }
  }

  void open(std::span<SrtpJob> jobs) override {
    for (SrtpJob& job : jobs) {
      auto& key = static_cast<OpenSslKey&>(*job.key);
      std::uint8_t rest[SHA_DIGEST_LENGTH];
      if (is_aead(key.cipher())) {
        run_gcm(job, key.context(), 0);
        int written = 0;
        STOA_ASSERT(EVP_CIPHER_CTX_ctrl(key.context(), EVP_CTRL_AEAD_SET_TAG, job.tag_bytes, job.tag) == 1);
        job.is_authentic = EVP_CipherFinal_ex(key.context(), rest, &written) == 1;
      } else {
        key.hmac(job.authenticated, job.authenticated_bytes, rest);
        job.is_authentic = CRYPTO_memcmp(rest, job.tag, job.tag_bytes) == 0;
        if (!job.is_authentic) continue;
        start(job, key.context(), 0);
        run_text(job, key.context());
      }
    }
  }

 private:
  std::string name_ = "openssl";
};

}  // namespace

std::unique_ptr<SrtpKernel> make_openssl_srtp_kernel() { return std::make_unique<OpenSslKernel>(); }

}  // namespace stoa::crypto
