// What is kept for each SSRC, found by SSRC: bounded, no allocation but when it grows. The first few SSRCs
// lie in the table itself, since most peers have no more and each cache line counts; the others are found by
// open addressing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "base/prefetch.h"

namespace stoa::srtp {

// Pointers to streams hold until the next insert or erase.
template <typename Stream>
class SsrcTable {
 public:
  // Requires: limit < 65,536.
  explicit SsrcTable(std::size_t limit) : limit_(limit) {}

  std::size_t size() const { return streams_.size(); }
  bool is_full() const { return streams_.size() == limit_; }

  Stream* find(std::uint32_t ssrc) {
    const std::size_t first_count = std::min(streams_.size(), kFirst);
    for (std::size_t i = 0; i < first_count; ++i)
      if (first_[i] == ssrc) return &streams_[i];
    if (streams_.size() <= kFirst) return nullptr;
    for (std::size_t i = home_of(ssrc);; i = (i + 1) & (buckets_.size() - 1)) {
      if (buckets_[i] == 0) return nullptr;
      if (ssrcs_[buckets_[i] - 1u] == ssrc) return &streams_[buckets_[i] - 1u];
    }
  }
  // Null when the table is full. Requires: find(ssrc) is null.
  Stream* insert(std::uint32_t ssrc) {
    if (is_full()) return nullptr;
    if (streams_.size() < kFirst) first_[streams_.size()] = ssrc;
    ssrcs_.push_back(ssrc);
    streams_.emplace_back();
    if (streams_.size() * 2 > buckets_.size()) {
      rebuild();
    } else {
      place(streams_.size() - 1);
    }
    return &streams_.back();
  }
  // What find() will need, ahead of it (base/prefetch.h).
  void touch_streams() const {
    if (!streams_.empty()) touch(streams_.data());
  }
  // The SSRC whose stream `is_less` puts before all others. Requires: size() > 0.
  template <typename Less>
  std::uint32_t find_least(Less is_less) const {
    const auto found = std::min_element(streams_.begin(), streams_.end(), is_less);
    return ssrcs_[static_cast<std::size_t>(found - streams_.begin())];
  }
  bool erase(std::uint32_t ssrc) {
    const auto found = std::find(ssrcs_.begin(), ssrcs_.end(), ssrc);
    if (found == ssrcs_.end()) return false;
    streams_.erase(streams_.begin() + (found - ssrcs_.begin()));
    ssrcs_.erase(found);
    rebuild();
    return true;
  }

 private:
  static constexpr std::size_t kFirst = 4;
  static constexpr std::size_t kBucketsMin = 8;

  std::size_t home_of(std::uint32_t ssrc) const {
    // Fibonacci hashing: senders like small or nearly equal SSRCs.
    return static_cast<std::size_t>(ssrc * 0x9e37'79b9u >> 8) & (buckets_.size() - 1);
  }
  void place(std::size_t position) {
    std::size_t i = home_of(ssrcs_[position]);
    while (buckets_[i] != 0) i = (i + 1) & (buckets_.size() - 1);
    buckets_[i] = static_cast<std::uint16_t>(position + 1);
  }
  void rebuild() {
    std::size_t count = kBucketsMin;
    while (count < streams_.size() * 4) count *= 2;
    buckets_.assign(count, 0);
    for (std::size_t i = 0; i < streams_.size(); ++i) place(i);
    std::copy_n(ssrcs_.begin(), std::min(ssrcs_.size(), kFirst), first_.begin());
  }

  std::size_t limit_;
  std::array<std::uint32_t, kFirst> first_{};  // The first of ssrcs_.
  std::vector<std::uint32_t> ssrcs_;           // The same order as streams_.
  std::vector<Stream> streams_;
  std::vector<std::uint16_t> buckets_;  // Position + 1, or 0; at most half of them taken.
};

}  // namespace stoa::srtp
