// SRTP's ciphers, many packets at a call: AES-GCM (RFC 7714), and AES in counter mode with HMAC-SHA1
// (RFC 3711 §4.1.1 and §4.2.1). What a packet is, proto/srtp knows; here are keys, counters and bytes.
//
// Two kernels do the same work and give the same bytes. The multi-buffer one (libipsec-mb) encrypts with the
// widest vectors of the CPU and hashes packets of different keys side by side, so its calls should hold many
// jobs. The OpenSSL one runs everywhere. `make_srtp_kernel` chooses, once a shard.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"

namespace stoa::crypto {

enum class SrtpCipher : std::uint8_t {
  kAes128CounterHmacSha1,  // Key of 16 bytes, authentication key of 20; tags of 4 or 10 bytes.
  kAes128Gcm,              // Key of 16 bytes; tags of 16 bytes.
  kAes256Gcm,              // Key of 32 bytes; tags of 16 bytes.
};
constexpr bool is_aead(SrtpCipher cipher) { return cipher != SrtpCipher::kAes128CounterHmacSha1; }

inline constexpr std::size_t kSrtpAuthenticationKeyBytes = 20;
inline constexpr std::size_t kGcmTagBytes = 16;

// A key made ready for one kernel: round keys, hash tables, inner and outer digests. About 1 KiB with GCM,
// 256 bytes without. Wiped when it goes. It may be used with any kernel of the kind that made it.
class SrtpKey {
 public:
  explicit SrtpKey(SrtpCipher cipher) : cipher_(cipher) {}
  virtual ~SrtpKey() = default;
  SrtpKey(const SrtpKey&) = delete;
  SrtpKey& operator=(const SrtpKey&) = delete;
  SrtpCipher cipher() const { return cipher_; }

 private:
  SrtpCipher cipher_;
};

// One packet. Fields are left unset by default: an array of jobs costs nothing to make.
struct SrtpJob {
  SrtpKey* key;
  // GCM: the 12 bytes of nonce, then ignored. Counter mode: the first counter block.
  std::array<std::uint8_t, 16> iv;
  // What is encrypted or decrypted; may be 0 bytes. Source and target are the same memory or do not overlap.
  const std::uint8_t* source;
  std::uint8_t* target;
  std::uint32_t text_bytes;
  // What the tag covers. GCM: the associated data, without the text. HMAC: everything, at least one byte,
  // which contains the ciphertext where it stands (seal: `target`; open: `source`).
  std::uint32_t authenticated_bytes;
  const std::uint8_t* authenticated;
  // seal() writes here, and only here: the bytes may lie over the end of `authenticated` (SRTP puts its
  // rollover counter there while it is hashed). open() only reads.
  std::uint8_t* tag;
  std::uint8_t tag_bytes;
  bool is_authentic;  // Set by open().
};

class SrtpKernel {
 public:
  virtual ~SrtpKernel() = default;
  // "ipsec-mb avx512", "openssl": for logs and benchmarks.
  virtual const std::string& name() const = 0;
  // Requires: key lengths as the cipher says; no authentication key with GCM.
  virtual std::unique_ptr<SrtpKey> make_key(SrtpCipher cipher, Bytes key, Bytes authentication_key) = 0;
  // Encrypt and tag, or check and decrypt. Any number of jobs, in any mix of keys and ciphers; no job may
  // read what another writes. No allocation. Where open() finds is_authentic false, `target` holds nothing
  // of use and must be thrown away.
  virtual void seal(std::span<SrtpJob> jobs) = 0;
  virtual void open(std::span<SrtpJob> jobs) = 0;
};

// The fastest kernel that this CPU has, after it has given the same bytes as the other on known messages.
std::unique_ptr<SrtpKernel> make_srtp_kernel();
std::unique_ptr<SrtpKernel> make_openssl_srtp_kernel();
// Whose AES-GCM the multi-buffer kernel uses: the library's works on 128 bits at a time where the CPU has no
// AVX-512; ours (vaes_gcm.h) on 256 where it has VAES. The other is for tests and benchmarks.
enum class GcmCode : std::uint8_t { kFastest, kLibrary };
// Null where the build has no libipsec-mb, or the CPU lacks AES or carry-less multiplication.
std::unique_ptr<SrtpKernel> make_multi_buffer_srtp_kernel(GcmCode gcm = GcmCode::kFastest);

// The key stream of AES in counter mode from `counter` on (RFC 3711 §4.1.1), for deriving keys (§4.3.3).
// Requires: key of 16 or 32 bytes; at most 2^16 blocks.
void write_aes_counter_stream(Bytes key, const std::array<std::uint8_t, 16>& counter,
                              std::span<std::uint8_t> out);

}  // namespace stoa::crypto
