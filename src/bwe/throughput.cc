#include "bwe/throughput.h"

#include <algorithm>
#include <numeric>

namespace stoa::bwe {
namespace {

std::int64_t slot_of(Duration at) {
  std::int64_t slot = at / Throughput::kSlot;
  return at.ns() < slot * Throughput::kSlot.ns() ? slot - 1 : slot;
}

constexpr std::int64_t kCount = Throughput::kSlots;
constexpr std::int64_t kJumpBack = 300;  // 3 s: no reordering, another clock.

}  // namespace

void Throughput::add(Duration at, std::uint32_t bytes) {
  std::int64_t slot = slot_of(at);
  if (!is_started_ || slot >= slot_ + kCount || slot < slot_ - kJumpBack) {
    bytes_.fill(0);
    is_started_ = true;
    began_ = newest_ = at;
    slot_ = slot;
    return;  // The first marks the beginning.
  }
  if (slot <= slot_ - kCount) return;
  for (; slot_ < slot; ++slot_) bytes_[index_of(slot_ + 1)] = 0;
  bytes_[index_of(slot)] += bytes;
  if (at >= newest_) {
    newest_ = at;
    newest_bytes_ = bytes;
  }
}

std::uint32_t Throughput::sum(std::size_t begin, std::size_t end) const {
  return std::accumulate(bytes_.data() + begin, bytes_.data() + end, std::uint32_t{0});
}

std::optional<double> Throughput::rate(Duration window, Duration window_min) const {
  if (!is_started_) return std::nullopt;
  std::int64_t slots = std::clamp<std::int64_t>(window / kSlot, 1, kCount - 1);
  // From the beginning of a slot, or of everything.
  Duration begin = std::max(began_, kSlot * (slot_ - slots));
  Duration length = newest_ - begin;
  if (length < window_min || length <= Duration()) return std::nullopt;
  const std::size_t first = index_of(slot_of(begin)), last = index_of(slot_);
  const bool is_whole = first <= last;  // Not around the end.
  const auto bytes = is_whole ? sum(first, last + 1) : sum(first, kSlots) + sum(0, last + 1);
  // The window ends with a packet and begins anywhere: half of one too many is in it.
  double counted = static_cast<double>(bytes) - newest_bytes_ / 2.0;
  return std::max(0.0, counted * 8 / length.as_seconds());
}

}  // namespace stoa::bwe
