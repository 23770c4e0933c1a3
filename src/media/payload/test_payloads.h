// Payloads and frames of tests.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "media/codec_vectors.h"
#include "media/payload/payload_list.h"

namespace stoa::payload {

// Blanks are for the reader.
inline Buffer from_hex(std::string_view hex) {
  std::string digits(hex);
  std::erase(digits, ' ');
  return media::vectors::from_hex(digits);
}

inline Buffer copy(Bytes bytes) { return Buffer(bytes.begin(), bytes.end()); }
inline std::vector<Buffer> buffers_of(const PayloadList& list) {
  std::vector<Buffer> buffers;
  for (std::size_t i = 0; i < list.size(); ++i) buffers.push_back(copy(list[i]));
  return buffers;
}
inline std::vector<Bytes> views_of(const std::vector<Buffer>& buffers) {
  return {buffers.begin(), buffers.end()};
}

// `size` bytes that no start of anything is mistaken for, different at each place.
inline Buffer noise(std::size_t size, unsigned seed = 1) {
  Buffer bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    seed = seed * 1'103'515'245 + 12'345;
    bytes[i] = static_cast<std::uint8_t>(seed >> 16);
  }
  return bytes;
}

// An access unit with four-byte lengths.
inline Buffer access_unit(std::initializer_list<Buffer> nals) {
  ByteWriter writer;
  for (const Buffer& nal : nals) {
    writer.u32(static_cast<std::uint32_t>(nal.size()));
    writer.bytes(nal);
  }
  return writer.take();
}
// A unit of `size` bytes that begins with `head`.
inline Buffer unit(std::string_view head, std::size_t size, unsigned seed = 1) {
  Buffer bytes = from_hex(head), rest = noise(size - bytes.size(), seed);
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

// Sizes that differ by at most `spread`.
inline void expect_even(const PayloadList& list, std::size_t first, std::size_t spread = 1) {
  for (std::size_t i = first + 1; i < list.size(); ++i) {
    EXPECT_LE(list[i].size(), list[i - 1].size());
    EXPECT_LE(list[first].size() - list[i].size(), spread);
  }
}

}  // namespace stoa::payload
