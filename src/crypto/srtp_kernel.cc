#include "crypto/srtp_kernel.h"

#include <openssl/evp.h>

#include <algorithm>

#include "base/assert.h"

namespace stoa::crypto {

void write_aes_counter_stream(Bytes key, const std::array<std::uint8_t, 16>& counter,
                              std::span<std::uint8_t> out) {
  STOA_ASSERT(key.size() == 16 || key.size() == 32);
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                          EVP_CIPHER_CTX_free);
  STOA_ASSERT(context != nullptr);
  const EVP_CIPHER* cipher = key.size() == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr();
  STOA_ASSERT(EVP_EncryptInit_ex(context.get(), cipher, nullptr, key.data(), counter.data()) == 1);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  int written = 0;
  STOA_ASSERT(
      EVP_EncryptUpdate(context.get(), out.data(), &written, out.data(), static_cast<int>(out.size())) == 1);
  STOA_ASSERT(static_cast<std::size_t>(written) == out.size());
}

namespace {

constexpr std::size_t kTrialTextBytes = 333, kTrialHeaderBytes = 12;
constexpr SrtpCipher kCiphers[] = {SrtpCipher::kAes128CounterHmacSha1, SrtpCipher::kAes128Gcm,
                                   SrtpCipher::kAes256Gcm};

// A header, a text and a tag, sealed by `kernel` with a key that is no secret.
Buffer seal_trial(SrtpKernel& kernel, SrtpCipher cipher) {
  Buffer packet(kTrialHeaderBytes + kTrialTextBytes + kGcmTagBytes);
  for (std::size_t i = 0; i < packet.size(); ++i) packet[i] = static_cast<std::uint8_t>(i * 7);
  std::array<std::uint8_t, 32> key;
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(i + 1);
  Bytes whole(key);
  auto trial_key = kernel.make_key(cipher, whole.first(cipher == SrtpCipher::kAes256Gcm ? 32 : 16),
                                   is_aead(cipher) ? Bytes() : whole.first(kSrtpAuthenticationKeyBytes));
  SrtpJob job;
  job.key = trial_key.get();
  job.iv = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0, 0};
  job.source = packet.data() + kTrialHeaderBytes;
  job.target = packet.data() + kTrialHeaderBytes;
  job.text_bytes = kTrialTextBytes;
  job.authenticated = packet.data();
  job.authenticated_bytes = kTrialHeaderBytes + (is_aead(cipher) ? 0 : kTrialTextBytes);
  job.tag = packet.data() + kTrialHeaderBytes + kTrialTextBytes;
  job.tag_bytes = is_aead(cipher) ? kGcmTagBytes : 10;
  kernel.seal({&job, 1});
  return packet;
}

bool gives_the_same_bytes(SrtpKernel& a, SrtpKernel& b) {
  for (SrtpCipher cipher : kCiphers)
    if (seal_trial(a, cipher) != seal_trial(b, cipher)) return false;
  return true;
}

}  // namespace

std::unique_ptr<SrtpKernel> make_srtp_kernel() {
  auto plain = make_openssl_srtp_kernel();
  auto fast = make_multi_buffer_srtp_kernel();
  if (fast && gives_the_same_bytes(*fast, *plain)) return fast;
  return plain;
}

}  // namespace stoa::crypto
