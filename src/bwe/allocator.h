// Which of the tracks that a receiver is sent gets how much of what its path carries, over time: what fits
// (share.h), down at once, up with care.
//
// Down: as soon as the sum is over the budget, before queues tell. Up: when the whole sum fits with
// kUpMarginPercent to spare, for kUpHold on end, and not sooner than kDownRest after it went down. A rise
// that did not stand for kUpStands has failed: the rest is twice as long after each, up to kDownRestMax,
// unless for kUpHold the path has carried kOtherPathPercent of what failed: it has become another one. What
// takes no more than kSurePercent of the budget waits for no rest: falls go deeper than they must, while a
// queue is drained. What a receiver asks itself (another size, one more track) waits for no hold: as much as
// was given before is shared anew at once. What falls in an outage says nothing of the path that comes back:
// no rise has failed by it, and nothing rests after it.
//
// Sound comes first: what it takes, and kSoundFloor for each of up to kSoundsReserved tracks, is no part of
// the pictures' budget. When not even the least of one picture fits, the first by rank is kept for
// kAudioOnlyAfter (the pacer sends sound before it); then there is sound alone, until the path carries more.
// From there to a picture no margin is asked for: the path may never show it, and there is nothing else to be
// seen. `demand` says what would have to be found for that.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/time.h"
#include "bwe/controller.h"
#include "bwe/egress_budget.h"
#include "bwe/share.h"

namespace stoa::bwe {

inline constexpr std::uint64_t kUpMarginPercent = 15;
inline constexpr Duration kUpHold = Duration::seconds(1);
inline constexpr Duration kUpStands = Duration::seconds(30);
inline constexpr Duration kDownRest = Duration::seconds(5), kDownRestMax = Duration::seconds(60);
inline constexpr std::uint64_t kOtherPathPercent = 150, kSurePercent = 50;
inline constexpr Duration kAudioOnlyAfter = Duration::seconds(2);
inline constexpr std::uint64_t kSoundFloor = 32'000;  // Bits a second of one voice with all headers.
inline constexpr std::uint32_t kSoundsReserved = 3;   // Who speak at a time.

// All sound that the receiver is sent.
struct Sound {
  std::uint32_t tracks = 0;
  std::uint64_t bits_per_second = 0;  // As it flows now.
};

class Allocator {
 public:
  // What the receiver wants now. Claims keep what they were given, as far as they still have steps for it.
  // To be called when wishes change, and from time to time, since bitrates do.
  void set_claims(Timestamp now, std::vector<Claim> claims, const Sound& sound);
  // Of all packets together. None: there is no limit, everybody has all.
  void set_budget(Timestamp now, std::optional<std::uint64_t> bits_per_second);
  // Whether an outage goes on, before set_budget() with what follows from that: Target::is_silent.
  void set_silent(Timestamp now, bool is_silent);
  void handle_deadline(Timestamp now);
  Timestamp next_deadline() const;

  std::span<const Claim> claims() const { return claims_; }
  std::span<const Rung> given() const { return given_; }  // By claim.
  bool is_audio_only() const { return is_audio_only_; }   // Pictures are wanted; there is room for none.
  Demand demand() const;
  // The least (sound, and the least step of each picture) and all, whatever the budget.
  EgressWish wish() const;
  // Whether `given` or claims have changed since the last call.
  bool take_news() { return std::exchange(has_news_, false); }

  struct Counters {
    std::uint64_t rises = 0, falls = 0, failed_rises = 0;
    Counters& operator+=(const Counters& other) {
      rises += other.rises;
      falls += other.falls;
      failed_rises += other.failed_rises;
      return *this;
    }
  };
  const Counters& counters() const { return counters_; }

 private:
  std::uint64_t reserved_for_sound() const;
  std::uint64_t picture_budget() const;
  // Claims as they were before, but for bitrates and who speaks.
  bool are_alike(std::span<const Claim> claims) const;
  std::vector<Rung> carry_over(std::span<const Claim> claims) const;
  void decide(Timestamp now, bool has_new_wishes);
  void give(Timestamp now, std::vector<Rung> rungs);
  void keep_something(Timestamp now, std::vector<Rung>& rungs);
  void note_fall(Timestamp now);
  void forget_failures();
  void note_path(Timestamp now);
  Timestamp rests_until() const;
  std::uint64_t sure_budget() const;  // Of the pictures'.
  bool is_sure() const { return is_swap() || next_ <= sure_budget(); }
  void find_next();
  bool is_swap() const { return next_ == cost_; }
  std::uint64_t next_needs() const;  // Of the pictures' budget.

  std::vector<Claim> claims_;
  std::vector<Rung> given_;
  Sound sound_;
  std::optional<std::uint64_t> budget_;
  std::uint64_t cost_ = 0;  // Of what is given.
  // What the next better sharing takes; cost_ where one takes no more, 0 where there is none.
  std::uint64_t next_ = 0;
  bool is_next_known_ = false;
  std::optional<Timestamp> fits_since_;     // The next better one.
  std::optional<Timestamp> starved_since_;  // The least picture did not fit.
  std::optional<Timestamp> rose_at_;
  std::optional<Timestamp> fell_at_;
  int failures_ = 0;               // Rises in a row that did not stand, …
  std::uint64_t failed_cost_ = 0;  // … and the most that one of them took.
  std::optional<Timestamp> other_path_since_;
  bool is_silent_ = false, is_audio_only_ = false, has_news_ = false;
  Counters counters_;
};

}  // namespace stoa::bwe
