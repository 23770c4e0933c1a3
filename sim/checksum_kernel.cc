#include "sim/checksum_kernel.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "sim/digest.h"

namespace stoa::sim {
namespace {

using crypto::SrtpCipher;
using crypto::SrtpJob;
using crypto::SrtpKey;

constexpr std::size_t kTagBytesMax = crypto::kGcmTagBytes, kGcmNonceBytes = 12;

std::uint64_t sum(std::uint64_t seed, const std::uint8_t* at, std::size_t count) {
  return hash_bytes(seed, Bytes(at, count));
}

struct ChecksumKey : SrtpKey {
  ChecksumKey(SrtpCipher cipher, Bytes key, Bytes authentication_key)
      : SrtpKey(cipher),
        seed(sum(sum(0, key.data(), key.size()), authentication_key.data(), authentication_key.size())) {}
  std::uint64_t seed;
};

// `text`: what the peer is sent; here it is also what there was before.
std::array<std::uint8_t, kTagBytesMax> tag_of(const SrtpJob& job, const std::uint8_t* text) {
  const bool has_aead = is_aead(job.key->cipher());
  std::uint64_t seed = static_cast<ChecksumKey*>(job.key)->seed;
  std::uint64_t iv[2] = {};
  std::memcpy(iv, job.iv.data(), has_aead ? kGcmNonceBytes : sizeof iv);
  seed = mix(seed ^ iv[0], iv[1]);
  seed = sum(seed, job.authenticated, job.authenticated_bytes);
  if (has_aead) seed = sum(seed, text, job.text_bytes);
  const std::uint64_t more = mix(seed, job.text_bytes);
  std::array<std::uint8_t, kTagBytesMax> tag;
  std::memcpy(tag.data(), &seed, 8);
  std::memcpy(tag.data() + 8, &more, 8);
  return tag;
}

class ChecksumKernel : public crypto::SrtpKernel {
 public:
  const std::string& name() const override {
    static const std::string kName = "checksum";
    return kName;
  }
  std::unique_ptr<SrtpKey> make_key(SrtpCipher cipher, Bytes key, Bytes authentication_key) override {
    return std::make_unique<ChecksumKey>(cipher, key, authentication_key);
  }
  void seal(std::span<SrtpJob> jobs) override {
    for (SrtpJob& job : jobs) {
      if (job.source != job.target && job.text_bytes > 0) std::memcpy(job.target, job.source, job.text_bytes);
      const auto tag = tag_of(job, job.target);
      std::copy_n(tag.begin(), job.tag_bytes, job.tag);
    }
  }
  void open(std::span<SrtpJob> jobs) override {
    for (SrtpJob& job : jobs) {
      const auto tag = tag_of(job, job.source);
      job.is_authentic = std::equal(job.tag, job.tag + job.tag_bytes, tag.begin());
      if (job.source != job.target && job.text_bytes > 0) std::memcpy(job.target, job.source, job.text_bytes);
    }
  }
};

}  // namespace

std::unique_ptr<crypto::SrtpKernel> make_checksum_kernel() { return std::make_unique<ChecksumKernel>(); }

}  // namespace stoa::sim
