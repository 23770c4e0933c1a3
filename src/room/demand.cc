#include "room/demand.h"

namespace stoa::room {
namespace {

int rank(Quality quality) { return quality == Quality::kOff ? -1 : static_cast<int>(quality); }
std::size_t slot(Quality quality) { return static_cast<std::size_t>(quality); }

}  // namespace

void Demand::set(Timestamp now, std::uint64_t subscriber, Quality quality) {
  auto [wish, is_new] = wishes_.try_emplace(subscriber, quality);
  if (!is_new) --counts_[slot(wish->second)];
  wish->second = quality;
  ++counts_[slot(quality)];
  note(now);
}

void Demand::remove(Timestamp now, std::uint64_t subscriber) {
  auto wish = wishes_.find(subscriber);
  if (wish == wishes_.end()) return;
  --counts_[slot(wish->second)];
  wishes_.erase(wish);
  note(now);
}

std::optional<Quality> Demand::take_news(Timestamp now) {
  note(now);
  Quality wanted = highest();
  if (wanted == told_) return std::nullopt;
  if (less_since_ && now - *less_since_ < kHold) return std::nullopt;
  told_ = wanted;
  less_since_.reset();
  return told_;
}

Timestamp Demand::next_deadline() const { return less_since_ ? *less_since_ + kHold : Timestamp::never(); }

Quality Demand::highest() const {
  for (Quality quality : {Quality::kHigh, Quality::kMedium, Quality::kLow})
    if (counts_[slot(quality)] > 0) return quality;
  return Quality::kOff;
}

void Demand::note(Timestamp now) {
  if (rank(highest()) >= rank(told_)) {
    less_since_.reset();
  } else if (!less_since_) {
    less_since_ = now;
  }
}

}  // namespace stoa::room
