// Which TSNs of the peer have come: everything up to the cumulative one, and runs beyond it.
//
// What is too far ahead, or would open one run too many (kGapRangesMax), is refused; the peer sends it
// again. So memory is bounded whatever order TSNs come in.
#pragma once

#include <cstdint>
#include <vector>

#include "proto/sctp/chunk.h"
#include "proto/sctp/types.h"

namespace stoa::sctp {

class TsnTracker {
 public:
  enum class Verdict { kNew, kDuplicate, kTooFar };

  // `cumulative`: the TSN before the first that the peer will use.
  explicit TsnTracker(Tsn cumulative) : cumulative_(cumulative) {}

  Tsn unwrap(std::uint32_t wire) const { return unwrap32(wire, cumulative_); }
  // What add() would say; changes nothing.
  Verdict judge(Tsn tsn) const;
  // Requires: judge(tsn) == kNew.
  void add(Tsn tsn);
  // Remembered for the next SACK, up to kDuplicatesReportedMax.
  void add_duplicate(Tsn tsn);
  // Everything up to `tsn` counts as received. True when that moved anything.
  bool forward(Tsn tsn);

  Tsn cumulative() const { return cumulative_; }
  bool has_gaps() const { return !runs_.empty(); }
  std::size_t runs() const { return runs_.size(); }
  std::size_t memory_bytes() const {
    return runs_.capacity() * sizeof(Run) + duplicates_.capacity() * sizeof(std::uint32_t);
  }
  // Fills in all but the window, with as many gap blocks and duplicates as `room_bytes` hold. Forgets the
  // duplicates.
  Sack take_sack(std::size_t room_bytes);

 private:
  struct Run {
    Tsn first, last;
  };
  // The first run that ends at `tsn` or later.
  std::vector<Run>::const_iterator find_run(Tsn tsn) const;
  void absorb();

  Tsn cumulative_;
  std::vector<Run> runs_;  // Ascending, never touching each other or the cumulative TSN.
  std::vector<std::uint32_t> duplicates_;
};

}  // namespace stoa::sctp
