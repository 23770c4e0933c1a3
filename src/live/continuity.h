// Looks at what comes out of a channel, as its viewers do: whether all renditions are there, in step, and
// without holes. It knows nothing of how they are made, and mends nothing.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "live/snapshot.h"

namespace stoa::live {

enum class Fault : std::uint8_t {
  kMissing,     // A rendition ends more than kMissingMax before the newest.
  kGap,         // It has none of what the others have.
  kDrift,       // Sound and pictures of a segment begin more than kDriftMax apart.
  kTooLong,     // A segment is over TARGETDURATION (rule G7).
  kMisaligned,  // Segments of one number begin apart, or only some behind a discontinuity.
};
inline constexpr std::size_t kFaultKinds = 5;
const char* name_of(Fault fault);

struct FoundFault {
  Fault kind;
  std::string rendition;
  Duration size;  // How much is missing, or off; of a gap and a segment: how long it is.
};

class Continuity {
 public:
  // Beyond a part, which is the least that a rendition grows by.
  static constexpr Duration kMissingMax = Duration::seconds(1);
  // Beyond a frame of sound, which pictures do not wait for.
  static constexpr Duration kDriftMax = Duration::milliseconds(40);
  static constexpr Duration kApartMax = Duration::milliseconds(50);  // Of pictures: a frame or two.
  // The same of the same rendition is told no more often, on the channel's timeline. All are counted.
  static constexpr Duration kToldEvery = Duration::seconds(10);

  // What is new in a snapshot. While no source is on air nothing is a fault.
  std::vector<FoundFault> handle(const ChannelSnapshot& snapshot);
  std::uint64_t count(Fault kind) const { return counts_[static_cast<std::size_t>(kind)]; }

 private:
  struct Followed {
    std::uint64_t next_msn = 0;  // Complete segments before it were judged.
    std::uint64_t next_part = 0;
    bool is_missing = false;
    bool is_gap = false;
    std::array<std::optional<Duration>, kFaultKinds> told_at;
  };
  void judge(const ChannelSnapshot& snapshot, const Rendition& rendition, Followed& followed);
  void judge_segment(const ChannelSnapshot& snapshot, const Rendition& rendition, const Segment& segment,
                     Followed& followed);
  void find(Fault kind, const Rendition& rendition, Duration size, Followed& followed);

  std::map<std::string, Followed> followed_;  // By the name of the rendition: as many as a channel has.
  std::array<std::uint64_t, kFaultKinds> counts_{};
  std::vector<FoundFault> found_;
  Duration newest_;  // The latest end of any rendition.
};

}  // namespace stoa::live
