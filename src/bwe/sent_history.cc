#include "bwe/sent_history.h"

#include <algorithm>
#include <utility>

namespace stoa::bwe {

void SentHistory::add(Timestamp now, const SentPacket& packet) {
  if (packet.sequence != next_) oldest_ = next_ = packet.sequence;
  if (static_cast<std::uint64_t>(next_ - oldest_) == ring_.size()) {
    const SentEntry& oldest = *find(oldest_);
    bool is_awaited =
        oldest.fate == static_cast<std::uint64_t>(Fate::kUnknown) && now - oldest.sent_at() < kAnswerMax;
    if (is_awaited && ring_.size() < kSentHistoryMax) {
      grow();
    } else {
      ++oldest_;
    }
  }
  std::uint16_t bytes = static_cast<std::uint16_t>(std::min<std::uint32_t>(packet.bytes, 65'535));
  bytes_until_ += bytes;
  SentEntry& entry = ring_[index_of(next_++)];
  entry.sent_ns = now.ns();
  entry.fate = static_cast<std::uint64_t>(Fate::kUnknown);
  entry.bytes_until = bytes_until_;
  entry.bytes = bytes;
  entry.probe = packet.probe;
}

void SentHistory::clear() { oldest_ = next_; }

void SentHistory::prefetch(std::int64_t first, std::uint32_t count) const {
  // What a receiver says of may be anything.
  const std::int64_t end = first < next_ ? std::min(first + count, next_) : next_;
  for (std::int64_t at = std::max(first, oldest_); at < end; at += kOfLine)
    __builtin_prefetch(&ring_[index_of(at)], 1);
}

void SentHistory::grow() {
  std::vector<SentEntry> larger(ring_.size() * 2);
  for (std::int64_t sequence = oldest_; sequence < next_; ++sequence)
    larger[static_cast<std::uint64_t>(sequence) & (larger.size() - 1)] = *find(sequence);
  many_ = std::move(larger);
  ring_ = many_;
}

}  // namespace stoa::bwe
