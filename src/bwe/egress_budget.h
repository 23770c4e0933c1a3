// One budget over many receivers: of all that a node sends, or of what a room is sent.
//
// Receivers say what they would be sent if it were not for this budget: the least (sound, and the least step
// of each picture) and all. Where the sum is over the budget, all get the same share of what is between the
// two; where not even the least fits, the same share of that. A share is two numbers, the same for everybody,
// so whoever adds up needs sums alone: shards add up their receivers, one adds up the shards.
#pragma once

#include <cstdint>
#include <map>

namespace stoa::bwe {

struct EgressWish {
  std::uint64_t least_bits_per_second = 0;
  std::uint64_t all_bits_per_second = 0;  // Not below the least.

  EgressWish& operator+=(const EgressWish& other);
  bool operator==(const EgressWish&) const = default;
};
struct EgressShare {
  double of_least = 1, of_rest = 1;  // 0 to 1.

  bool is_whole() const { return of_least >= 1 && of_rest >= 1; }
  bool operator==(const EgressShare&) const = default;
};

// 0: there is no limit.
EgressShare share_egress(std::uint64_t bits_per_second, const EgressWish& sum);
// What one may be sent.
std::uint64_t egress_of(const EgressWish& wish, const EgressShare& share);
// Of two budgets, the tighter counts.
EgressShare tighter(const EgressShare& a, const EgressShare& b);

// Adds up. Members (shards) are told apart by number; there are as many as say something.
class EgressBudget {
 public:
  explicit EgressBudget(std::uint64_t bits_per_second) : bits_per_second_(bits_per_second) {}

  // A member that wants nothing is forgotten.
  void set(std::uint32_t member, const EgressWish& wish);
  EgressShare share() const { return share_egress(bits_per_second_, sum_); }
  const EgressWish& sum() const { return sum_; }
  const std::map<std::uint32_t, EgressWish>& members() const { return members_; }

 private:
  std::uint64_t bits_per_second_;
  std::map<std::uint32_t, EgressWish> members_;
  EgressWish sum_;
};

}  // namespace stoa::bwe
