// Deadlines of many, in steps: filed, moved, taken out and asked for the next one in constant time, and
// nothing is allocated once the table has grown to the number of those who wait.
//
// A deadline is due up to one step late, never early. One that lies further ahead than the wheel reaches is
// filed in its last step; whoever takes it sees that it is not due and files it again.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/assert.h"
#include "base/time.h"

namespace stoa::webrtc {

class Wheel {
 public:
  explicit Wheel(Duration step) : step_(step) { heads_.fill(kNone); }

  // Of `index`, instead of what it had.
  void set(Timestamp now, std::uint32_t index, Timestamp at) {
    drop(index);
    if (index >= entries_.size()) entries_.resize(index + 1);
    if (count_ == 0) tick_ = std::max(tick_, now.ns() / step_.ns());
    std::int64_t tick = (at.ns() + step_.ns() - 1) / step_.ns();
    if (at == Timestamp::never()) tick = tick_ + kSlots - 1;
    tick = std::min(std::max(tick, tick_), tick_ + kSlots - 1);
    const auto slot = static_cast<std::uint32_t>(tick % kSlots);
    Entry& entry = entries_[index];
    entry = {.previous = kNone, .next = heads_[slot], .slot = slot};
    if (entry.next != kNone) entries_[entry.next].previous = index;
    heads_[slot] = index;
    used_[slot / 64] |= std::uint64_t{1} << slot % 64;
    ++count_;
  }
  void drop(std::uint32_t index) {
    if (index >= entries_.size() || entries_[index].slot == kNone) return;
    Entry& entry = entries_[index];
    if (entry.previous != kNone) {
      entries_[entry.previous].next = entry.next;
    } else {
      heads_[entry.slot] = entry.next;
      if (entry.next == kNone) used_[entry.slot / 64] &= ~(std::uint64_t{1} << entry.slot % 64);
    }
    if (entry.next != kNone) entries_[entry.next].previous = entry.previous;
    entry.slot = kNone;
    --count_;
  }
  bool has(std::uint32_t index) const { return index < entries_.size() && entries_[index].slot != kNone; }

  Timestamp next() const {
    if (count_ == 0) return Timestamp::never();
    return Timestamp::from_ns((tick_ + distance()) * step_.ns());
  }
  // One that is due, taken out; kNone when there is none.
  std::uint32_t take_due(Timestamp now) {
    if (count_ == 0) return kNone;
    const std::int64_t at = tick_ + distance();
    if (at * step_.ns() > now.ns()) return kNone;
    tick_ = at;
    const std::uint32_t index = heads_[static_cast<std::size_t>(at % kSlots)];
    drop(index);
    return index;
  }
  std::size_t size() const { return count_; }

  static constexpr std::uint32_t kNone = 0xffff'ffff;

 private:
  static constexpr std::int64_t kSlots = 256;
  struct Entry {
    std::uint32_t previous = kNone, next = kNone, slot = kNone;
  };

  // From tick_ to the first slot that holds something. Requires: there is one.
  std::int64_t distance() const {
    const auto from = static_cast<std::uint32_t>(tick_ % kSlots);
    std::uint32_t word = from / 64;
    std::uint64_t bits = used_[word] & ~std::uint64_t{0} << from % 64;
    for (std::size_t i = 0; i <= used_.size(); ++i) {
      if (bits != 0) {
        const std::uint32_t slot = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
        return (slot + kSlots - from) % kSlots;
      }
      word = (word + 1) % used_.size();
      bits = used_[word];
    }
    STOA_ASSERT(false);
    return 0;
  }

  Duration step_;
  std::array<std::uint32_t, kSlots> heads_;
  std::array<std::uint64_t, kSlots / 64> used_{};
  std::vector<Entry> entries_;
  std::int64_t tick_ = 0;  // Nothing is filed before it.
  std::size_t count_ = 0;
};

}  // namespace stoa::webrtc
