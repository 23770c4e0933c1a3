// Candidate pairs of one data stream, in the order in which they are tried (RFC 8445 §6.1.2).
//
//   Frozen ──> Waiting ──> In-Progress ──> Succeeded
//                 ^              │
//                 └── triggered ─┴──────> Failed
//
// Pairs of one foundation probably fail together, so that at first one of each foundation is tried; a success
// thaws the others of its foundation. What the peer tries jumps the queue (a triggered check), since a packet
// just came through.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "proto/ice/candidate.h"
#include "proto/ice/check.h"
#include "proto/ice/path.h"

namespace stoa::ice {

enum class PairState : std::uint8_t { kFrozen, kWaiting, kInProgress, kSucceeded, kFailed };

struct Pair {
  std::uint32_t id = 0;  // Never used again; 0 is none.
  Path path;
  Transport transport = Transport::kUdp;
  std::uint32_t local_priority = 0, remote_priority = 0;
  std::uint64_t priority = 0;
  std::string foundation;  // Of both candidates.
  PairState state = PairState::kFrozen;
  bool is_valid = false;  // A check came back through it, since it was last doubted.
  bool is_to_be_nominated =
      false;  // When its check succeeds: by us, or by the peer who asked for it already.

  bool is_pending() const {
    return state == PairState::kFrozen || state == PairState::kWaiting || state == PairState::kInProgress;
  }
};

class Checklist {
 public:
  explicit Checklist(std::size_t pairs_max) : pairs_max_(pairs_max) {}

  // The pair of this path if there is one. When the list is full, the worst pair that is neither valid nor
  // under way gives way if it is worse than this one; null when there is none.
  Pair* add(const Path& path, Transport transport, std::uint32_t local_priority,
            std::uint32_t remote_priority, std::string foundation, Role role);
  Pair* find(std::uint32_t id);
  Pair* find(const Path& path);
  // Puts the pair into Waiting and at the end of the triggered ones.
  void trigger(Pair& pair);
  // What to check next, now In-Progress: triggered ones in their order, then by priority. Null when there is
  // nothing.
  Pair* take_next(bool only_triggered);
  // Succeeded and valid; thaws what has the same foundation.
  void succeed(Pair& pair);
  void fail(Pair& pair) { pair.state = PairState::kFailed; }
  // Everything is in doubt: all pairs are triggered again, best first.
  void recheck();
  void forget_nominations();
  // Roles decide how the two priorities mix.
  void set_role(Role role);
  void set_remote(const SocketAddress& remote, std::uint32_t remote_priority, Role role);

  Pair* best_valid();
  bool has_pending() const;
  bool has_pending_above(std::uint64_t priority) const;
  bool has_work(bool only_triggered) const;
  std::size_t pending() const;  // Waiting or In-Progress: for the retransmission timer (§14.3).

  template <typename Drop, typename Visit>
  void erase_if(Drop&& drop, Visit&& before) {
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      if (!drop(pairs_[i])) continue;
      before(pairs_[i]);
      pairs_.erase(pairs_.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  const std::vector<Pair>& pairs() const { return pairs_; }  // Best first.

 private:
  Pair* next_by_priority();
  void sort();

  std::size_t pairs_max_;
  std::uint32_t next_id_ = 1;
  std::vector<Pair> pairs_;
  std::deque<std::uint32_t> triggered_;  // May hold ids of pairs that are gone.
};

}  // namespace stoa::ice
