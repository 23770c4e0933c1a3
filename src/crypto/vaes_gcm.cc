#include "crypto/vaes_gcm.h"

#include <cstring>

#include "base/assert.h"
#include "crypto/secret.h"

#ifdef __x86_64__

#include <immintrin.h>

// Nothing in this file that is compiled for these instructions is seen by other files.
#define STOA_VAES __attribute__((target("avx2,aes,pclmul,vaes,vpclmulqdq")))
#define STOA_VAES_INLINE STOA_VAES __attribute__((always_inline)) inline

namespace stoa::crypto {
namespace {

constexpr std::size_t kBlockBytes = 16, kVectorBytes = 32;
// A stride: eight vectors of two blocks under way hide the latency of an AES round.
constexpr std::size_t kStrideVectors = 8, kStrideBlocks = 16, kStrideBytes = kStrideBlocks * kBlockBytes;
constexpr std::size_t kRoundsMax = 14;
constexpr std::size_t rounds_of(SrtpCipher cipher) { return cipher == SrtpCipher::kAes128Gcm ? 10 : 14; }

// GHASH is computed as POLYVAL of RFC 8452 (appendix A): blocks in reverse byte order and x times the hash
// key, which leaves no shift behind a product. powers[i] is the (16 - i)th power, so that the blocks of a
// stride meet theirs in order; the zero behind them meets an odd block's neighbour.
struct VaesGcmKey final : SrtpKey {
  explicit VaesGcmKey(SrtpCipher cipher) : SrtpKey(cipher) {}
  ~VaesGcmKey() override {
    wipe(std::span(reinterpret_cast<std::uint8_t*>(round_keys.data()), sizeof round_keys));
    wipe(std::span(reinterpret_cast<std::uint8_t*>(powers.data()), sizeof powers));
  }
  struct alignas(16) Block {
    std::array<std::uint8_t, kBlockBytes> bytes;
  };
  std::array<Block, kRoundsMax + 1> round_keys;
  std::array<Block, kStrideBlocks + 1> powers;
};

STOA_VAES_INLINE __m128i load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }
STOA_VAES_INLINE __m256i load_two(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
STOA_VAES_INLINE void store(void* to, __m128i value) { _mm_storeu_si128(static_cast<__m128i*>(to), value); }
STOA_VAES_INLINE void store_two(void* to, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}
STOA_VAES_INLINE __m128i reverse_bytes(__m128i block) {
  return _mm_shuffle_epi8(block, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}
STOA_VAES_INLINE __m256i reverse_bytes(__m256i blocks) {
  return _mm256_shuffle_epi8(blocks, _mm256_broadcastsi128_si256(
                                         _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)));
}

// Products not yet reduced, of even and odd blocks side by side .
struct Products {
  __m256i low, middle, high;
};
STOA_VAES_INLINE Products no_products() {
  return {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
}
STOA_VAES_INLINE void multiply_add(Products& sum, __m256i blocks, __m256i powers) {
  sum.low = _mm256_xor_si256(sum.low, _mm256_clmulepi64_epi128(blocks, powers, 0x00));
  sum.high = _mm256_xor_si256(sum.high, _mm256_clmulepi64_epi128(blocks, powers, 0x11));
  sum.middle = _mm256_xor_si256(sum.middle, _mm256_clmulepi64_epi128(blocks, powers, 0x01));
  sum.middle = _mm256_xor_si256(sum.middle, _mm256_clmulepi64_epi128(blocks, powers, 0x10));
}
// The sum of both lanes, modulo x^128 + x^127 + x^126 + x^121 + 1 and over x^128.
STOA_VAES_INLINE __m128i reduce(const Products& sum) {
  const __m256i low_two = _mm256_xor_si256(sum.low, _mm256_slli_si256(sum.middle, 8));
  const __m256i high_two = _mm256_xor_si256(sum.high, _mm256_srli_si256(sum.middle, 8));
  const __m128i high = _mm_xor_si128(_mm256_castsi256_si128(high_two), _mm256_extracti128_si256(high_two, 1));
  __m128i low = _mm_xor_si128(_mm256_castsi256_si128(low_two), _mm256_extracti128_si256(low_two, 1));
  const __m128i polynomial = _mm_set_epi64x(static_cast<long long>(0xc200000000000000), 1);
  for (int i = 0; i < 2; ++i)
    low = _mm_xor_si128(_mm_shuffle_epi32(low, 0x4e), _mm_clmulepi64_si128(low, polynomial, 0x10));
  return _mm_xor_si128(high, low);
}

STOA_VAES_INLINE __m128i hash_stride(const VaesGcmKey& key, __m128i hash, const std::uint8_t* blocks) {
  Products sum = no_products();
  __m256i before = _mm256_zextsi128_si256(hash);
  for (std::size_t i = 0; i < kStrideBlocks; i += 2) {
    const __m256i two = _mm256_xor_si256(reverse_bytes(load_two(blocks + i * kBlockBytes)), before);
    multiply_add(sum, two, load_two(&key.powers[i]));
    before = _mm256_setzero_si256();
  }
  return reduce(sum);
}

// The `size` bytes, 1 to 15, that end at `end`, filled up with zeros. Nothing else is touched unless
// `has_more_before`: then the 16 bytes before `end` may be read.
STOA_VAES_INLINE __m128i load_last(const std::uint8_t* end, std::size_t size, bool has_more_before) {
  alignas(kVectorBytes) static constexpr std::uint8_t kShift[2 * kBlockBytes] = {
      0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,   11,   12,   13,   14,   15,
      0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
  if (has_more_before) return _mm_shuffle_epi8(load(end - kBlockBytes), load(kShift + kBlockBytes - size));
  alignas(kBlockBytes) std::uint8_t block[kBlockBytes] = {};
  std::memcpy(block, end - size, size);
  return load(block);
}

STOA_VAES_INLINE void store_first(std::uint8_t* to, __m128i block, std::size_t size) {
  std::uint64_t bytes = static_cast<std::uint64_t>(_mm_cvtsi128_si64(block));
  if (size & 8) {
    std::memcpy(to, &bytes, 8);
    to += 8;
    bytes = static_cast<std::uint64_t>(_mm_extract_epi64(block, 1));
  }
  if (size & 4) {
    std::memcpy(to, &bytes, 4);
    to += 4;
    bytes >>= 32;
  }
  if (size & 2) {
    std::memcpy(to, &bytes, 2);
    to += 2;
    bytes >>= 16;
  }
  if (size & 1) *to = static_cast<std::uint8_t>(bytes);
}

// Any number of bytes, filled up with zeros (SP 800-38D, algorithm 4: the associated data).
STOA_VAES_INLINE __m128i hash_padded(const VaesGcmKey& key, const std::uint8_t* from, std::size_t size) {
  __m128i hash = _mm_setzero_si128();
  const bool has_whole_block = size >= kBlockBytes;
  for (; size >= kStrideBytes; from += kStrideBytes, size -= kStrideBytes)
    hash = hash_stride(key, hash, from);
  if (size == 0) return hash;
  Products sum = no_products();
  const VaesGcmKey::Block* power = key.powers.data() + kStrideBlocks - (size + kBlockBytes - 1) / kBlockBytes;
  for (; size >= kVectorBytes; from += kVectorBytes, size -= kVectorBytes, power += 2) {
    multiply_add(sum, _mm256_xor_si256(reverse_bytes(load_two(from)), _mm256_zextsi128_si256(hash)),
                 load_two(power));
    hash = _mm_setzero_si128();
  }
  if (size > 0) {
    const __m128i one = size >= kBlockBytes ? load(from) : load_last(from + size, size, has_whole_block);
    const __m128i other = size > kBlockBytes ? load_last(from + size, size - kBlockBytes, has_whole_block)
                                             : _mm_setzero_si128();
    multiply_add(sum,
                 _mm256_xor_si256(reverse_bytes(_mm256_set_m128i(other, one)), _mm256_zextsi128_si256(hash)),
                 load_two(power));
  }
  return reduce(sum);
}

template <std::size_t kRounds>
STOA_VAES_INLINE __m128i encrypt_block(const VaesGcmKey& key, __m128i block) {
  block = _mm_xor_si128(block, load(&key.round_keys[0]));
  for (std::size_t i = 1; i < kRounds; ++i) block = _mm_aesenc_si128(block, load(&key.round_keys[i]));
  return _mm_aesenclast_si128(block, load(&key.round_keys[kRounds]));
}

STOA_VAES_INLINE __m256i round_key(const VaesGcmKey& key, std::size_t i) {
  return _mm256_broadcastsi128_si256(load(&key.round_keys[i]));
}

// Counter blocks as little-endian numbers of 32 bits in the last word; GCM's are big-endian.
struct Counters {
  __m256i next;
  STOA_VAES_INLINE __m256i take() {
    const __m256i now = reverse_bytes(next);
    next = _mm256_add_epi32(next, _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 2));
    return now;
  }
};

// Encrypts or decrypts a stride and, between the rounds, multiplies the blocks at `hashed` with their powers.
template <std::size_t kRounds, bool kHashes>
STOA_VAES_INLINE __m128i run_stride(const VaesGcmKey& key, Counters& counters, const std::uint8_t* source,
                                    std::uint8_t* target, const std::uint8_t* hashed, __m128i hash) {
  __m256i blocks[kStrideVectors];
  const __m256i first_key = round_key(key, 0);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kStrideVectors; ++i) blocks[i] = _mm256_xor_si256(counters.take(), first_key);
  Products sum = no_products();
  __m256i before = _mm256_zextsi128_si256(hash);
#pragma GCC unroll 14
  for (std::size_t round = 1; round < kRounds; ++round) {
    const __m256i this_key = round_key(key, round);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kStrideVectors; ++i) blocks[i] = _mm256_aesenc_epi128(blocks[i], this_key);
    if (kHashes && round <= kStrideVectors) {
      const std::size_t i = round - 1;
      const __m256i two = _mm256_xor_si256(reverse_bytes(load_two(hashed + i * kVectorBytes)), before);
      multiply_add(sum, two, load_two(&key.powers[2 * i]));
      before = _mm256_setzero_si256();
    }
  }
  const __m256i last_key = round_key(key, kRounds);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kStrideVectors; ++i) {
    const __m256i stream = _mm256_aesenclast_epi128(blocks[i], last_key);
    store_two(target + i * kVectorBytes, _mm256_xor_si256(load_two(source + i * kVectorBytes), stream));
  }
  return kHashes ? reduce(sum) : hash;
}

// `kVectors` vectors of key stream.
template <std::size_t kRounds, std::size_t kVectors>
STOA_VAES_INLINE void write_stream(const VaesGcmKey& key, Counters counters, std::uint8_t* stream) {
  __m256i blocks[kVectors];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kVectors; ++i) blocks[i] = _mm256_xor_si256(counters.take(), round_key(key, 0));
  for (std::size_t round = 1; round < kRounds; ++round) {
    const __m256i this_key = round_key(key, round);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kVectors; ++i) blocks[i] = _mm256_aesenc_epi128(blocks[i], this_key);
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kVectors; ++i)
    store_two(stream + i * kVectorBytes, _mm256_aesenclast_epi128(blocks[i], round_key(key, kRounds)));
}

// Encrypts or decrypts what is left, less than a stride, and hashes it, filled up with zeros, and the block
// of lengths behind it (SP 800-38D §7.1, step 5).
template <std::size_t kRounds, bool kSeals>
STOA_VAES_INLINE __m128i run_rest(const VaesGcmKey& key, const Counters& counters, const std::uint8_t* source,
                                  std::uint8_t* target, std::size_t left, bool has_whole_block, __m128i hash,
                                  __m128i lengths) {
  alignas(kVectorBytes) std::uint8_t stream[kStrideBytes];
  if (left > kStrideBytes / 2) {
    write_stream<kRounds, 8>(key, counters, stream);
  } else if (left > 0) {
    write_stream<kRounds, 4>(key, counters, stream);
  }
  Products sum = no_products();
  // With the lengths these are at most kStrideBlocks + 1 blocks: the first may need one power more.
  std::size_t blocks = (left + kBlockBytes - 1) / kBlockBytes + 1;
  std::size_t done = 0;
  if (blocks > kStrideBlocks) {
    const __m128i text = load(source), out = _mm_xor_si128(text, load(stream));
    store(target, out);
    multiply_add(sum, _mm256_zextsi128_si256(_mm_xor_si128(hash, reverse_bytes(kSeals ? out : text))),
                 load_two(&key.powers[kStrideBlocks - 1]));
    hash = reduce(sum);
    sum = no_products();
    done = kBlockBytes;
    --blocks;
  }
  const VaesGcmKey::Block* power = key.powers.data() + kStrideBlocks - blocks;
  __m256i before = _mm256_zextsi128_si256(hash);
  for (; done + kVectorBytes <= left; done += kVectorBytes, power += 2) {
    const __m256i text = load_two(source + done), out = _mm256_xor_si256(text, load_two(stream + done));
    store_two(target + done, out);
    multiply_add(sum, _mm256_xor_si256(reverse_bytes(kSeals ? out : text), before), load_two(power));
    before = _mm256_setzero_si256();
  }
  // At most one whole block and a part of one; where they leave a place, the lengths take it.
  __m128i last[3] = {lengths, _mm_setzero_si128(), _mm_setzero_si128()};
  std::size_t count = 0;
  if (done + kBlockBytes <= left) {
    const __m128i text = load(source + done), out = _mm_xor_si128(text, load(stream + done));
    store(target + done, out);
    last[count++] = kSeals ? out : text;
    done += kBlockBytes;
  }
  if (done < left) {
    const std::size_t part = left - done;
    const __m128i text = load_last(source + left, part, has_whole_block);
    const __m128i out = _mm_xor_si128(text, load(stream + done));
    store_first(target + done, out, part);
    // Of `out` only what was stored.
    alignas(kVectorBytes) static constexpr std::uint8_t kMask[2 * kBlockBytes] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    last[count++] = kSeals ? _mm_and_si128(out, load(kMask + kBlockBytes - part)) : text;
  }
  last[count] = lengths;
  multiply_add(sum, _mm256_xor_si256(reverse_bytes(_mm256_set_m128i(last[1], last[0])), before),
               load_two(power));
  if (count == 2) multiply_add(sum, reverse_bytes(_mm256_zextsi128_si256(lengths)), load_two(power + 2));
  return reduce(sum);
}

template <std::size_t kRounds, bool kSeals>
STOA_VAES void run(const SrtpJob& job, std::uint8_t* tag) {
  const VaesGcmKey& key = static_cast<const VaesGcmKey&>(*job.key);
  const __m128i first_counter = _mm_insert_epi32(reverse_bytes(load(job.iv.data())), 1, 0);
  const __m128i tag_stream = encrypt_block<kRounds>(key, reverse_bytes(first_counter));
  Counters counters{
      _mm256_add_epi32(_mm256_broadcastsi128_si256(first_counter), _mm256_set_epi32(0, 0, 0, 2, 0, 0, 0, 1))};
  __m128i hash = hash_padded(key, job.authenticated, job.authenticated_bytes);
  const std::uint8_t* source = job.source;
  std::uint8_t* target = job.target;
  std::size_t left = job.text_bytes;
  // What is hashed is the ciphertext: of the stride before when sealing, of this one when opening.
  if (kSeals && left >= kStrideBytes) {
    run_stride<kRounds, false>(key, counters, source, target, nullptr, hash);
    source += kStrideBytes, target += kStrideBytes, left -= kStrideBytes;
    for (; left >= kStrideBytes; source += kStrideBytes, target += kStrideBytes, left -= kStrideBytes)
      hash = run_stride<kRounds, true>(key, counters, source, target, target - kStrideBytes, hash);
    hash = hash_stride(key, hash, target - kStrideBytes);
  } else {
    for (; left >= kStrideBytes; source += kStrideBytes, target += kStrideBytes, left -= kStrideBytes)
      hash = run_stride<kRounds, true>(key, counters, source, target, source, hash);
  }
  const __m128i lengths = reverse_bytes(_mm_set_epi64x(static_cast<long long>(job.authenticated_bytes) * 8,
                                                       static_cast<long long>(job.text_bytes) * 8));
  hash = run_rest<kRounds, kSeals>(key, counters, source, target, left, job.text_bytes >= kBlockBytes, hash,
                                   lengths);
  store(tag, _mm_xor_si128(reverse_bytes(hash), tag_stream));
}

// x times a hash key (RFC 8452, appendix A: mulX_POLYVAL), and the powers of that.
STOA_VAES void write_powers(VaesGcmKey& key) {
  const __m128i zero = _mm_setzero_si128();
  const __m128i block = reverse_bytes(key.cipher() == SrtpCipher::kAes128Gcm ? encrypt_block<10>(key, zero)
                                                                             : encrypt_block<14>(key, zero));
  const std::uint64_t low = static_cast<std::uint64_t>(_mm_extract_epi64(block, 0)),
                      high = static_cast<std::uint64_t>(_mm_extract_epi64(block, 1));
  const std::uint64_t carry = high >> 63;
  const __m128i one =
      _mm_set_epi64x(static_cast<long long>((high << 1 | low >> 63) ^ (carry ? 0xc200000000000000u : 0u)),
                     static_cast<long long>(low << 1 | carry));
  __m128i power = one;
  store(&key.powers[kStrideBlocks], _mm_setzero_si128());
  for (std::size_t i = kStrideBlocks; i-- > 0;) {
    store(&key.powers[i], power);
    Products sum = no_products();
    multiply_add(sum, _mm256_zextsi128_si256(power), _mm256_zextsi128_si256(one));
    power = reduce(sum);
  }
}

}  // namespace

bool has_vaes_gcm() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") &&
         __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("vaes") &&
         __builtin_cpu_supports("vpclmulqdq");
}

std::unique_ptr<SrtpKey> make_vaes_gcm_key(SrtpCipher cipher, Bytes round_keys) {
  auto key = std::make_unique<VaesGcmKey>(cipher);
  STOA_ASSERT(round_keys.size() == kBlockBytes * (rounds_of(cipher) + 1));
  std::memcpy(key->round_keys.data(), round_keys.data(), round_keys.size());
  write_powers(*key);
  return key;
}

void vaes_gcm_seal(const SrtpJob& job, std::uint8_t* tag) {
  if (job.key->cipher() == SrtpCipher::kAes128Gcm) {
    run<10, true>(job, tag);
  } else {
    run<14, true>(job, tag);
  }
}

void vaes_gcm_open(const SrtpJob& job, std::uint8_t* tag) {
  if (job.key->cipher() == SrtpCipher::kAes128Gcm) {
    run<10, false>(job, tag);
  } else {
    run<14, false>(job, tag);
  }
}

}  // namespace stoa::crypto

#else

namespace stoa::crypto {

bool has_vaes_gcm() { return false; }
std::unique_ptr<SrtpKey> make_vaes_gcm_key(SrtpCipher, Bytes) { return nullptr; }
void vaes_gcm_seal(const SrtpJob&, std::uint8_t*) { STOA_ASSERT(has_vaes_gcm()); }
void vaes_gcm_open(const SrtpJob&, std::uint8_t*) { STOA_ASSERT(has_vaes_gcm()); }

}  // namespace stoa::crypto

#endif
