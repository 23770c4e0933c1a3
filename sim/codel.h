// When a queue should drop (or mark) the packet it is about to send: CoDel (RFC 8289 §5).
#pragma once

#include <cstdint>

#include "base/time.h"

namespace stoa::sim {

class Codel {
 public:
  struct Config {
    Duration target = Duration::milliseconds(5);
    Duration interval = Duration::milliseconds(100);
  };
  explicit Codel(const Config& config) : config_(config) {}

  // Asked for each packet that leaves the queue. `waited`: in the queue; `backlog_bytes`: of what stays.
  bool should_drop(Timestamp now, Duration waited, std::uint64_t backlog_bytes);

 private:
  bool is_above(Timestamp now, Duration waited, std::uint64_t backlog_bytes);
  Timestamp next_drop(Timestamp from) const;

  Config config_;
  Timestamp first_above_ = Timestamp::never();  // When having waited too long becomes a reason to drop.
  Timestamp drop_next_;
  std::uint32_t count_ = 0, count_at_start_ = 0;  // Drops of this dropping state; of the one before it.
  bool is_dropping_ = false;
  bool has_dropped_ = false;  // The packet before this one, in the dropping state.
};

}  // namespace stoa::sim
