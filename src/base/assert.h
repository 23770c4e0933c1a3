// Our own mistakes stop the process: STOA_ASSERT always, STOA_DCHECK in debug, sanitizer and fuzz builds
// (for paths taken once a packet). Never for what a peer sent.
#pragma once

namespace stoa {
[[noreturn]] void fail_assertion(const char* expression, const char* file, int line);
}

#define STOA_ASSERT(expression) \
  ((expression) ? static_cast<void>(0) : stoa::fail_assertion(#expression, __FILE__, __LINE__))

#ifdef NDEBUG
#define STOA_DCHECK(expression) static_cast<void>(0)
#else
#define STOA_DCHECK(expression) STOA_ASSERT(expression)
#endif
