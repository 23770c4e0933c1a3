#include "crypto/srtp_kernel.h"

#ifdef STOA_HAS_IPSEC_MB

#define NO_COMPAT_IMB_API_053
// For SHA1_Update: a digest begun with a key is a value here, see the OpenSSL kernel.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "crypto/secret.h"
#include "crypto/vaes_gcm.h"

namespace stoa::crypto {
namespace {

// Jobs of one call that are under way together: well below the library's ring, more than its lanes.
constexpr std::size_t kJobsAtOnce = 64;
static_assert(kJobsAtOnce < IMB_MAX_JOBS);
// So few HMACs are cheaper one after the other: lanes are paid for also when they are empty.
constexpr std::size_t kHmacsAloneMax = 2;
constexpr std::size_t kSha1BlockBytes = 64, kSha1StateBytes = 20;
constexpr std::size_t kAes128ScheduleBytes = 16 * 11, kAes256ScheduleBytes = 16 * 15;
// The library writes a truncated HMAC-SHA1 of 12 bytes; SRTP's tags are its beginning.
constexpr std::size_t kHmacOutputBytes = 12;

class GcmKey final : public SrtpKey {
 public:
  explicit GcmKey(SrtpCipher cipher) : SrtpKey(cipher) {}
  ~GcmKey() override { OPENSSL_cleanse(&tables, sizeof tables); }
  // The library's header aligns it only when LINUX is defined, and its code counts on it.
  alignas(64) gcm_key_data tables;
};

class CounterKey final : public SrtpKey {
 public:
  CounterKey() : SrtpKey(SrtpCipher::kAes128CounterHmacSha1) {}
  ~CounterKey() override {
    wipe(schedule);
    wipe(inner);
    wipe(outer);
  }
  alignas(64) std::array<std::uint8_t, kAes128ScheduleBytes> schedule;
  alignas(16) std::array<std::uint8_t, kSha1StateBytes> inner;
  alignas(16) std::array<std::uint8_t, kSha1StateBytes> outer;
};

const char* name_of(IMB_ARCH arch) {
  switch (arch) {
    case IMB_ARCH_SSE: return "ipsec-mb sse";
    case IMB_ARCH_AVX: return "ipsec-mb avx";
    case IMB_ARCH_AVX2: return "ipsec-mb avx2";
    case IMB_ARCH_AVX512: return "ipsec-mb avx512";
    default: return "ipsec-mb";
  }
}

class MultiBufferKernel final : public SrtpKernel {
 public:
  MultiBufferKernel(IMB_MGR* buffers, IMB_ARCH arch, bool has_vaes)
      : buffers_(buffers), has_vaes_(has_vaes), name_(name_of(arch)) {
    if (has_vaes_) name_ += " and vaes";
  }
  ~MultiBufferKernel() override { free_mb_mgr(buffers_); }
  MultiBufferKernel(const MultiBufferKernel&) = delete;
  MultiBufferKernel& operator=(const MultiBufferKernel&) = delete;

  const std::string& name() const override { return name_; }

  std::unique_ptr<SrtpKey> make_key(SrtpCipher cipher, Bytes key, Bytes authentication_key) override {
    if (cipher == SrtpCipher::kAes128CounterHmacSha1) return make_counter_key(key, authentication_key);
    STOA_ASSERT(authentication_key.empty() && key.size() == (cipher == SrtpCipher::kAes128Gcm ? 16 : 32));
    if (has_vaes_) return make_vaes_key(cipher, key);
    auto made = std::make_unique<GcmKey>(cipher);
    if (cipher == SrtpCipher::kAes128Gcm) {
      IMB_AES128_GCM_PRE(buffers_, key.data(), &made->tables);
    } else {
      IMB_AES256_GCM_PRE(buffers_, key.data(), &made->tables);
    }
    return made;
  }

  void seal(std::span<SrtpJob> jobs) override {
    for (; !jobs.empty(); jobs = jobs.subspan(std::min(jobs.size(), kJobsAtOnce))) {
      const auto some = jobs.first(std::min(jobs.size(), kJobsAtOnce));
      std::size_t hmacs = 0;
      for (SrtpJob& job : some) {
        switch (job.key->cipher()) {
          case SrtpCipher::kAes128Gcm: seal_gcm(buffers_->gcm128_enc, job); break;
          case SrtpCipher::kAes256Gcm: seal_gcm(buffers_->gcm256_enc, job); break;
          case SrtpCipher::kAes128CounterHmacSha1: under_way_[hmacs++] = &job; break;
        }
      }
      if (hmacs <= kHmacsAloneMax) {
        for (std::size_t i = 0; i < hmacs; ++i) {
          run_counter(*under_way_[i], IMB_DIR_ENCRYPT);
          run_hmac(*under_way_[i], digests_[i].data());
        }
      } else {
        for (std::size_t i = 0; i < hmacs; ++i) submit(*under_way_[i], digests_[i].data(), IMB_DIR_ENCRYPT);
        finish();
      }
      for (std::size_t i = 0; i < hmacs; ++i)
        std::copy_n(digests_[i].data(), under_way_[i]->tag_bytes, under_way_[i]->tag);
    }
  }

  void open(std::span<SrtpJob> jobs) override {
    for (; !jobs.empty(); jobs = jobs.subspan(std::min(jobs.size(), kJobsAtOnce))) {
      const auto some = jobs.first(std::min(jobs.size(), kJobsAtOnce));
      std::size_t hmacs = 0;
      for (SrtpJob& job : some) {
        switch (job.key->cipher()) {
          case SrtpCipher::kAes128Gcm: open_gcm(buffers_->gcm128_dec, job); break;
          case SrtpCipher::kAes256Gcm: open_gcm(buffers_->gcm256_dec, job); break;
          case SrtpCipher::kAes128CounterHmacSha1: under_way_[hmacs++] = &job; break;
        }
      }
      if (hmacs <= kHmacsAloneMax) {
        for (std::size_t i = 0; i < hmacs; ++i) {
          run_hmac(*under_way_[i], digests_[i].data());
          run_counter(*under_way_[i], IMB_DIR_DECRYPT);
        }
      } else {
        for (std::size_t i = 0; i < hmacs; ++i) submit(*under_way_[i], digests_[i].data(), IMB_DIR_DECRYPT);
        finish();
      }
      for (std::size_t i = 0; i < hmacs; ++i) check(*under_way_[i], digests_[i].data());
    }
  }

 private:
  std::unique_ptr<SrtpKey> make_counter_key(Bytes key, Bytes authentication_key) {
    STOA_ASSERT(key.size() == 16 && authentication_key.size() == kSrtpAuthenticationKeyBytes);
    auto made = std::make_unique<CounterKey>();
    alignas(16) std::array<std::uint8_t, kAes128ScheduleBytes> unused;
    IMB_AES_KEYEXP_128(buffers_, key.data(), made->schedule.data(), unused.data());
    wipe(unused);
    start_digest(authentication_key, 0x36, made->inner);
    start_digest(authentication_key, 0x5c, made->outer);
    return made;
  }

  std::unique_ptr<SrtpKey> make_vaes_key(SrtpCipher cipher, Bytes key) {
    alignas(16) std::array<std::uint8_t, kAes256ScheduleBytes> schedule, unused;
    Bytes whole(schedule);
    if (cipher == SrtpCipher::kAes128Gcm) {
      IMB_AES_KEYEXP_128(buffers_, key.data(), schedule.data(), unused.data());
      whole = whole.first(kAes128ScheduleBytes);
    } else {
      IMB_AES_KEYEXP_256(buffers_, key.data(), schedule.data(), unused.data());
    }
    auto made = make_vaes_gcm_key(cipher, whole);
    wipe(schedule);
    wipe(unused);
    return made;
  }

  void start_digest(Bytes key, std::uint8_t pad, std::array<std::uint8_t, kSha1StateBytes>& state) {
    std::array<std::uint8_t, kSha1BlockBytes> block;
    block.fill(pad);
    for (std::size_t i = 0; i < key.size(); ++i) block[i] ^= key[i];
    IMB_SHA1_ONE_BLOCK(buffers_, block.data(), state.data());
    wipe(block);
  }

  void run_gcm(aes_gcm_enc_dec_t run, SrtpJob& job, std::uint8_t* tag) {
    run(&static_cast<GcmKey&>(*job.key).tables, &gcm_scratch_, job.target, job.source, job.text_bytes,
        job.iv.data(), job.authenticated, job.authenticated_bytes, tag, kGcmTagBytes);
  }

  void seal_gcm(aes_gcm_enc_dec_t run, SrtpJob& job) {
    if (has_vaes_) {
      vaes_gcm_seal(job, job.tag);
    } else {
      run_gcm(run, job, job.tag);
    }
  }

  void open_gcm(aes_gcm_enc_dec_t run, SrtpJob& job) {
    alignas(16) std::array<std::uint8_t, kGcmTagBytes> tag;
    if (has_vaes_) {
      vaes_gcm_open(job, tag.data());
    } else {
      run_gcm(run, job, tag.data());
    }
    check(job, tag.data());
  }

  static void check(SrtpJob& job, const std::uint8_t* tag) {
    job.is_authentic = CRYPTO_memcmp(tag, job.tag, job.tag_bytes) == 0;
  }

  void run_counter(const SrtpJob& from, IMB_CIPHER_DIRECTION direction) {
    if (from.text_bytes == 0) return;
    IMB_JOB* job = fill_counter(from, direction);
    job->hash_alg = IMB_AUTH_NULL;
    static_cast<void>(IMB_SUBMIT_JOB_NOCHECK(buffers_));
    finish();
  }

  static void run_hmac(const SrtpJob& from, std::uint8_t* digest) {
    const auto& key = static_cast<const CounterKey&>(*from.key);
    std::array<std::uint8_t, SHA_DIGEST_LENGTH> inner, outer;
    SHA_CTX state = digest_after_block(key.inner);
    SHA1_Update(&state, from.authenticated, from.authenticated_bytes);
    SHA1_Final(inner.data(), &state);
    state = digest_after_block(key.outer);
    SHA1_Update(&state, inner.data(), inner.size());
    SHA1_Final(outer.data(), &state);
    std::copy_n(outer.begin(), kHmacOutputBytes, digest);
  }

  // SHA-1 as it stands after the one block that the key made.
  static SHA_CTX digest_after_block(const std::array<std::uint8_t, kSha1StateBytes>& words) {
    SHA_CTX state{};
    SHA1_Init(&state);
    SHA_LONG* const to[] = {&state.h0, &state.h1, &state.h2, &state.h3, &state.h4};
    for (std::size_t i = 0; i < 5; ++i) std::memcpy(to[i], words.data() + 4 * i, 4);
    state.Nl = 8 * kSha1BlockBytes;
    return state;
  }

  // The next job of the ring, with its cipher. What is hashed is left to the caller.
  IMB_JOB* fill_counter(const SrtpJob& from, IMB_CIPHER_DIRECTION direction) {
    auto& key = static_cast<CounterKey&>(*from.key);
    IMB_JOB* job = IMB_GET_NEXT_JOB(buffers_);
    job->enc_keys = key.schedule.data();
    job->dec_keys = key.schedule.data();
    job->key_len_in_bytes = IMB_KEY_128_BYTES;
    job->src = from.source;
    job->dst = from.target;
    job->cipher_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = from.text_bytes;
    job->iv = from.iv.data();
    job->iv_len_in_bytes = from.iv.size();
    job->cipher_mode = from.text_bytes > 0 ? IMB_CIPHER_CNTR : IMB_CIPHER_NULL;
    job->cipher_direction = direction;
    job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    return job;
  }

  void submit(const SrtpJob& from, std::uint8_t* digest, IMB_CIPHER_DIRECTION direction) {
    auto& key = static_cast<CounterKey&>(*from.key);
    IMB_JOB* job = fill_counter(from, direction);
    // The library hashes from `src` on; the hashed bytes stand elsewhere, maybe before it: the sum wraps.
    job->hash_start_src_offset_in_bytes =
        reinterpret_cast<std::uintptr_t>(from.authenticated) - reinterpret_cast<std::uintptr_t>(from.source);
    job->msg_len_to_hash_in_bytes = from.authenticated_bytes;
    job->auth_tag_output = digest;
    job->auth_tag_output_len_in_bytes = kHmacOutputBytes;
    job->u.HMAC._hashed_auth_key_xor_ipad = key.inner.data();
    job->u.HMAC._hashed_auth_key_xor_opad = key.outer.data();
    job->hash_alg = IMB_AUTH_HMAC_SHA_1;
    // What comes back here is done; all of it is looked at when everything is done.
    static_cast<void>(IMB_SUBMIT_JOB_NOCHECK(buffers_));
  }

  void finish() {
    while ([[maybe_unused]] const IMB_JOB* job = IMB_FLUSH_JOB(buffers_))
      STOA_DCHECK(job->status == IMB_STATUS_COMPLETED);
  }

  IMB_MGR* buffers_;
  bool has_vaes_;  // GCM is done by vaes_gcm.h, not by the library.
  std::string name_;
  alignas(64) gcm_context_data gcm_scratch_;
  // Of the HMAC jobs of the call that is being made.
  std::array<SrtpJob*, kJobsAtOnce> under_way_;
  alignas(64) std::array<std::array<std::uint8_t, 16>, kJobsAtOnce> digests_;
};

}  // namespace

std::unique_ptr<SrtpKernel> make_multi_buffer_srtp_kernel(GcmCode gcm) {
  IMB_MGR* buffers = alloc_mb_mgr(0);
  if (buffers == nullptr) return nullptr;
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(buffers, &arch);
  constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
  const bool has_instructions = (buffers->features & kNeeded) == kNeeded && arch >= IMB_ARCH_SSE;
  const bool passed_self_test =
      !(buffers->features & IMB_FEATURE_SELF_TEST) || (buffers->features & IMB_FEATURE_SELF_TEST_PASS);
  if (!has_instructions || !passed_self_test || imb_get_errno(buffers) != 0) {
    free_mb_mgr(buffers);
    return nullptr;
  }
  const bool has_vaes = gcm == GcmCode::kFastest && arch < IMB_ARCH_AVX512 && has_vaes_gcm();
  return std::make_unique<MultiBufferKernel>(buffers, arch, has_vaes);
}

}  // namespace stoa::crypto

#else

namespace stoa::crypto {

std::unique_ptr<SrtpKernel> make_multi_buffer_srtp_kernel(GcmCode) { return nullptr; }

}  // namespace stoa::crypto

#endif
