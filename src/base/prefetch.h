// Memory that is about to be used, asked for ahead of time: what thousands of receivers keep is in no near
// cache when it is one's turn, and lines that are asked for together come in the time of one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stoa {

inline constexpr std::size_t kCacheLineBytes = 64;

// The lines of [begin, end), to be read and written. Changes nothing, and may be told of any address.
inline void prefetch(const void* begin, const void* end) {
  const auto in_line = reinterpret_cast<std::uintptr_t>(begin) % kCacheLineBytes;
  for (const char* at = static_cast<const char*>(begin) - in_line; at < end; at += kCacheLineBytes)
    __builtin_prefetch(at, 1);
}

}  // namespace stoa
