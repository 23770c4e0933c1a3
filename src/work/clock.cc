#include "work/clock.h"

#include <chrono>

namespace stoa::work {

Timestamp now() {
  auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Timestamp::from_ns(std::chrono::duration_cast<std::chrono::nanoseconds>(since).count());
}

}  // namespace stoa::work
