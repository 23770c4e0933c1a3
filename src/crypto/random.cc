#include "crypto/random.h"

#include <openssl/rand.h>

#include <array>

#include "base/assert.h"

namespace stoa::crypto {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

}  // namespace

void fill_random(std::span<std::uint8_t> bytes) {
  if (bytes.empty()) return;
  STOA_ASSERT(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1);
}

Buffer random_bytes(std::size_t count) {
  Buffer bytes(count);
  fill_random(bytes);
  return bytes;
}

std::uint64_t random_seed() {
  std::array<std::uint8_t, 8> bytes;
  fill_random(bytes);
  return ByteReader(bytes).u64();
}

std::string make_base62(std::size_t length, const RandomFill& fill) {
  // Bytes from 248 on are thrown away: 248 is the largest multiple of 62, so no digit is favoured.
  constexpr std::uint8_t kFairBelow = 248;
  std::string text;
  text.reserve(length);
  std::array<std::uint8_t, 64> bytes;
  while (text.size() < length) {
    fill(bytes);
    for (std::uint8_t byte : bytes) {
      if (text.size() == length) break;
      if (byte < kFairBelow) text += kDigits[byte % 62];
    }
  }
  return text;
}

bool is_base62(std::string_view text) { return text.find_first_not_of(kDigits) == std::string_view::npos; }

}  // namespace stoa::crypto
