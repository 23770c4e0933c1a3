// A fingerprint of a run: of all that was sent, in order. No cryptography.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"

namespace stoa::sim {

inline std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  auto product = static_cast<unsigned __int128>(a ^ 0x9e37'79b9'7f4a'7c15) * (b ^ 0xc2b2'ae3d'27d4'eb4f);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Four lanes, so that one multiplication need not wait for another.
inline std::uint64_t hash_bytes(std::uint64_t seed, Bytes bytes) {
  auto load = [](const std::uint8_t* at) {
    std::uint64_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
  };
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t a = seed ^ bytes.size();
  if (left >= 64) {
    std::uint64_t b = seed + 1, c = seed + 2, d = seed + 3;
    for (; left >= 64; at += 64, left -= 64) {
      a = mix(a ^ load(at), load(at + 8));
      b = mix(b ^ load(at + 16), load(at + 24));
      c = mix(c ^ load(at + 32), load(at + 40));
      d = mix(d ^ load(at + 48), load(at + 56));
    }
    a = mix(mix(a, b), mix(c, d));
  }
  for (; left >= 16; at += 16, left -= 16) a = mix(a ^ load(at), load(at + 8));
  if (left == 0) return a;
  // What is left, and where there is more than that, some of it once more: no copy of a length unknown.
  if (bytes.size() >= 16) return mix(a ^ load(at + left - 16), load(at + left - 8));
  std::array<std::uint8_t, 16> rest{};
  std::copy_n(at, left, rest.begin());
  return mix(a ^ load(rest.data()), load(rest.data() + 8));
}

class Digest {
 public:
  void add(std::uint64_t value) { value_ = mix(value_ ^ value, ++count_); }
  void add(Bytes bytes) { add(hash_bytes(0, bytes)); }
  std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0, count_ = 0;
};

}  // namespace stoa::sim
