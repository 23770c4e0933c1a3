#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace stoa {

void fail_assertion(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "stoa: assertion failed: %s at %s:%d\n", expression, file, line);
  std::abort();
}

}  // namespace stoa
