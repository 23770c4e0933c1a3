// How much of the heap is in use, for tests of what a thing keeps. The sanitizers bring an allocator of their
// own, which glibc knows nothing of.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define STOA_SANITIZER_HEAP 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STOA_SANITIZER_HEAP 1
#endif

#if defined(STOA_SANITIZER_HEAP)
#include <sanitizer/allocator_interface.h>
#else
#include <malloc.h>
#endif

namespace stoa::sim {

inline std::size_t heap_bytes_in_use() {
#if defined(STOA_SANITIZER_HEAP)
  return __sanitizer_get_current_allocated_bytes();
#else
  struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
#endif
}

}  // namespace stoa::sim
