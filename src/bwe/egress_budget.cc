#include "bwe/egress_budget.h"

#include <algorithm>

namespace stoa::bwe {

EgressWish& EgressWish::operator+=(const EgressWish& other) {
  least_bits_per_second += other.least_bits_per_second;
  all_bits_per_second += other.all_bits_per_second;
  return *this;
}

EgressShare share_egress(std::uint64_t bits_per_second, const EgressWish& sum) {
  const std::uint64_t least = sum.least_bits_per_second, all = std::max(sum.all_bits_per_second, least);
  if (bits_per_second == 0 || all <= bits_per_second) return {};
  const auto limit = static_cast<double>(bits_per_second);
  if (least >= bits_per_second) return {.of_least = limit / static_cast<double>(least), .of_rest = 0};
  return {.of_least = 1, .of_rest = (limit - static_cast<double>(least)) / static_cast<double>(all - least)};
}

std::uint64_t egress_of(const EgressWish& wish, const EgressShare& share) {
  const auto least = static_cast<double>(wish.least_bits_per_second);
  const auto all = static_cast<double>(std::max(wish.all_bits_per_second, wish.least_bits_per_second));
  return static_cast<std::uint64_t>(least * share.of_least + (all - least) * share.of_rest);
}

EgressShare tighter(const EgressShare& a, const EgressShare& b) {
  return {.of_least = std::min(a.of_least, b.of_least), .of_rest = std::min(a.of_rest, b.of_rest)};
}

void EgressBudget::set(std::uint32_t member, const EgressWish& wish) {
  if (wish == EgressWish()) {
    members_.erase(member);
  } else {
    members_[member] = wish;
  }
  sum_ = {};
  for (const auto& [number, one] : members_) sum_ += one;
}

}  // namespace stoa::bwe
