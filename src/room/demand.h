// Which layers of a track anybody wants, summed up over its subscribers, so that a publisher need not send
// what nobody looks at (dynacast). More is told at once; less only when it has lasted, since people come and
// go and turn to and fro.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "base/time.h"
#include "room/info.h"

namespace stoa::room {

class Demand {
 public:
  static constexpr Duration kHold = Duration::seconds(5);  // Less is wanted since so long.

  // `subscriber`: the caller's number for it. kOff: it wants none for now.
  void set(Timestamp now, std::uint64_t subscriber, Quality quality);
  void remove(Timestamp now, std::uint64_t subscriber);
  // What the publisher is to be told, when that is news. Call after each change and at the deadline.
  std::optional<Quality> take_news(Timestamp now);
  Timestamp next_deadline() const;
  Quality told() const { return told_; }

 private:
  Quality highest() const;
  void note(Timestamp now);

  std::map<std::uint64_t, Quality> wishes_;
  std::array<std::size_t, 4> counts_{};
  Quality told_ = Quality::kHigh;
  std::optional<Timestamp> less_since_;
};

}  // namespace stoa::room
