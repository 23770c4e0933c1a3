#include "bwe/throughput.h"

#include <algorithm>

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
  for (; slot_ < slot; ++slot_) bytes_[static_cast<std::uint64_t>(slot_ + 1) % kSlots] = 0;
  bytes_[static_cast<std::uint64_t>(slot) % kSlots] += bytes;
  if (at >= newest_) {
    newest_ = at;
    newest_bytes_ = bytes;
  }
}

std::optional<double> Throughput::rate(Duration window, Duration window_min) const {
  if (!is_started_) return std::nullopt;
  std::int64_t slots = std::clamp<std::int64_t>(window / kSlot, 1, kCount - 1);
  // From the beginning of a slot, or of everything.
  Duration begin = std::max(began_, kSlot * (slot_ - slots));
  Duration length = newest_ - begin;
  if (length < window_min || length <= Duration()) return std::nullopt;
  std::uint64_t bytes = 0;
  for (std::int64_t slot = slot_of(begin); slot <= slot_; ++slot)
    bytes += bytes_[static_cast<std::uint64_t>(slot) % kSlots];
  // The window ends with a packet and begins anywhere: half of one too many is in it.
  double counted = static_cast<double>(bytes) - newest_bytes_ / 2.0;
  return std::max(0.0, counted * 8 / length.as_seconds());
}

}  // namespace stoa::bwe
