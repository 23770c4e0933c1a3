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

// The line of an object, by a read, which nobody waits for but who uses what it finds. Many of these in a row
// come in the time of one, and unlike prefetches they also look up the page: a prefetch is dropped by the
// processor where the table of pages (TLB) does not hold it.
inline void touch(const void* object) { (void)*static_cast<const volatile char*>(object); }

}  // namespace stoa
