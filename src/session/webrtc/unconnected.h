// Sessions that were opened and have not connected: how many there may be.
//
// An offer costs whoever sends it one HTTP request; the session that it makes is held until no path came in
// time. So these have limits of their own, far below that of all sessions: of one client, so that nobody
// takes the places of others, and of all, where publishers keep a share that viewers cannot fill.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/address.h"
#include "base/result.h"
#include "session/webrtc/client_counts.h"

namespace stoa::webrtc {

struct UnconnectedLimits {
  std::size_t total_max = 8192;
  std::size_t publishers_share = 1024;  // Of them, those that viewers may not take.
  // Of one client (client_counts.h). A browser connects within a second, so this many can join in each.
  std::size_t per_address_max = 256;
};

enum class UnconnectedRefusal : std::uint8_t { kTooMany, kTooManyOfAddress };

class Unconnected {
 public:
  explicit Unconnected(const UnconnectedLimits& limits) : limits_(limits) {}

  // Whether there is room for one more.
  Result<void, UnconnectedRefusal> check(bool is_publisher, const IpAddress& client) const {
    std::size_t share = is_publisher ? 0 : std::min(limits_.publishers_share, limits_.total_max);
    if (counts_.total() >= limits_.total_max - share) return refuse(UnconnectedRefusal::kTooMany);
    if (counts_.of(client) >= limits_.per_address_max) return refuse(UnconnectedRefusal::kTooManyOfAddress);
    return {};
  }
  void add(const IpAddress& client) { counts_.add(client); }
  // One that was added: it connected, or ended.
  void remove(const IpAddress& client) { counts_.remove(client); }
  std::size_t total() const { return counts_.total(); }
  std::size_t addresses() const { return counts_.clients(); }

 private:
  UnconnectedLimits limits_;
  ClientCounts counts_;
};

}  // namespace stoa::webrtc
