// What was sent and is not long ago, by number: where feedback finds the packet that it speaks of.
//
// A ring of 16 bytes a packet. It grows by powers of two while the oldest packet may still be answered, up to
// kSentHistoryMax; then, and when that packet is answered or too old, the newest takes the oldest's place.
//
// While it is small it lies in the object itself: of thousands of receivers each page is looked up anew,
// which takes longer than all that is written, and a prefetch of a page that was not is dropped.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/prefetch.h"
#include "base/time.h"
#include "bwe/controller.h"

namespace stoa::bwe {

inline constexpr std::size_t kSentHistoryMin = 64;
inline constexpr std::size_t kSentHistoryMax = 16'384;  // 50 Mb/s for 3.5 s; 256 KiB.
inline constexpr Duration kAnswerMax = Duration::seconds(2);

enum class Fate : std::uint8_t { kUnknown, kArrived, kLost };

struct SentEntry {
  std::int64_t sent_ns : 62 = 0;
  std::uint64_t fate : 2 = 0;     // Fate.
  std::uint32_t bytes_until = 0;  // Of all packets up to this one, modulo 2^32.
  std::uint16_t bytes = 0;        // Longer ones count as 65,535.
  std::uint16_t probe = kNoProbe;

  Timestamp sent_at() const { return Timestamp::from_ns(sent_ns); }
};
static_assert(sizeof(SentEntry) == 16);

class SentHistory {
 public:
  SentHistory() { ring_ = few_; }
  SentHistory(const SentHistory&) = delete;
  SentHistory& operator=(const SentHistory&) = delete;

  void add(Timestamp now, const SentPacket& packet);
  // Nothing: never sent, or too long ago.
  SentEntry* find(std::int64_t sequence) {
    if (sequence < oldest_ || sequence >= next_) return nullptr;
    return &ring_[index_of(sequence)];
  }
  std::int64_t oldest() const { return oldest_; }
  std::int64_t next() const { return next_; }                 // One behind the newest.
  std::uint32_t bytes_until() const { return bytes_until_; }  // As SentEntry's, of the newest.
  std::size_t limit() const { return ring_.size(); }          // Packets, as it stands.
  void clear();

  // Ahead of find() for all of these, and of add() (base/prefetch.h).
  void prefetch(std::int64_t first, std::uint32_t count) const;
  void prefetch_next() const {  // The places of the next packets: of a frame, mostly, over two lines.
    __builtin_prefetch(&ring_[index_of(next_)], 1);
    __builtin_prefetch(&ring_[index_of(next_ + kOfLine)], 1);
  }

 private:
  static constexpr std::int64_t kOfLine = kCacheLineBytes / sizeof(SentEntry);

  std::size_t index_of(std::int64_t sequence) const {
    return static_cast<std::uint64_t>(sequence) & (ring_.size() - 1);
  }
  void grow();

  std::span<SentEntry> ring_;  // The few, or the many.
  std::int64_t oldest_ = 0;
  std::int64_t next_ = 0;
  std::uint32_t bytes_until_ = 0;
  std::vector<SentEntry> many_;
  std::array<SentEntry, kSentHistoryMin> few_;
};

}  // namespace stoa::bwe
