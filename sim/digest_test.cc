#include "sim/digest.h"

#include <gtest/gtest.h>

#include <set>

namespace stoa::sim {
namespace {

Buffer some_bytes(std::size_t count) {
  Buffer bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(mix(i, 1));
  return bytes;
}

TEST(Hash, tells_any_changed_byte) {
  for (std::size_t count = 1; count <= 200; ++count) {
    const Buffer bytes = some_bytes(count);
    std::set<std::uint64_t> seen = {hash_bytes(7, bytes)};
    for (std::size_t i = 0; i < count; ++i) {
      Buffer changed = bytes;
      changed[i] ^= 1;
      EXPECT_TRUE(seen.insert(hash_bytes(7, changed)).second) << "byte " << i << " of " << count;
    }
  }
}

TEST(Hash, tells_lengths_seeds_and_blocks_in_another_order) {
  std::set<std::uint64_t> seen;
  for (std::size_t count = 0; count <= 200; ++count)
    EXPECT_TRUE(seen.insert(hash_bytes(7, Buffer(count))).second) << count;
  const Buffer bytes = some_bytes(160);
  EXPECT_TRUE(seen.insert(hash_bytes(7, bytes)).second);
  EXPECT_TRUE(seen.insert(hash_bytes(8, bytes)).second);
  for (std::size_t first = 0; first < 160; first += 8)
    for (std::size_t other = first + 8; other < 160; other += 8) {
      Buffer swapped = bytes;
      std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(first),
                       swapped.begin() + static_cast<std::ptrdiff_t>(first) + 8,
                       swapped.begin() + static_cast<std::ptrdiff_t>(other));
      EXPECT_TRUE(seen.insert(hash_bytes(7, swapped)).second) << first << " and " << other;
    }
}

TEST(Hash, is_the_same_wherever_the_bytes_lie) {
  const Buffer bytes = some_bytes(200);
  for (std::size_t count = 0; count <= 180; ++count) {
    const Buffer copy(bytes.begin() + 3, bytes.begin() + 3 + static_cast<std::ptrdiff_t>(count));
    EXPECT_EQ(hash_bytes(1, copy), hash_bytes(1, Bytes(bytes).subspan(3, count)));
  }
}

}  // namespace
}  // namespace stoa::sim
