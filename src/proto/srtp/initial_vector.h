// What makes each packet's key stream its own: salt, SSRC and index (RFC 3711 §4.1.1; RFC 7714 §8.1, §9.1).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace stoa::srtp {

// Counter mode's first block and GCM's nonce are built alike, two bytes apart: over the salt lie the SSRC,
// from byte 4 (GCM: 2) on, and right behind it the 48 bits of `index`. SRTCP's 31 bits go in as they are.
inline std::array<std::uint8_t, 16> initial_vector(const std::array<std::uint8_t, 16>& salt, bool is_aead,
                                                   std::uint32_t ssrc, std::uint64_t index) {
  std::array<std::uint8_t, 16> vector = salt;
  std::uint8_t* at = vector.data() + (is_aead ? 2 : 4);
  std::uint64_t first = std::uint64_t{ssrc} << 32 | index >> 16;
  if constexpr (std::endian::native == std::endian::little) first = __builtin_bswap64(first);
  std::uint64_t salted;
  std::memcpy(&salted, at, sizeof salted);
  salted ^= first;
  std::memcpy(at, &salted, sizeof salted);
  at[8] ^= static_cast<std::uint8_t>(index >> 8);
  at[9] ^= static_cast<std::uint8_t>(index);
  return vector;
}

}  // namespace stoa::srtp
