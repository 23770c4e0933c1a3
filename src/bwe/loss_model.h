// Whether loss says that the path carries less than is sent, or only that the path loses.
//
// Of each quarter of a second it is known how fast was sent and how much of it was lost. With a bandwidth b
// and a loss i that is the path's own, a packet sent at rate r is lost with i + (1 - i) max(0, 1 - b / r).
// The b and i that make what was seen the likeliest are looked for; b counts when it is e^3 times likelier
// than no bandwidth at all. So 10 % of random loss limits nothing (GCC's first loss rule halves the rate
// within seconds), and a policer, which has no queue to be seen by its delay, is found by its edge.
//
// After goog_cc's second loss-based estimator, without its state: each answer follows from the last 5 s.
// A sender without feedback has receiver reports alone: `follow_report`, draft-ietf-rmcat-gcc-02 §6.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace stoa::bwe {

class LossModel {
 public:
  // Feedback told of this packet; by number, so by time.
  void add(Timestamp sent, std::uint32_t bytes, bool is_lost);
  // A packet that was told lost has arrived after all.
  void take_back();
  // The end of a feedback packet. True when a quarter of a second is complete: bound() may be another.
  bool update();

  // Bits a second; nothing: loss says nothing.
  std::optional<double> bound() const { return bound_; }
  double loss() const { return loss_; }          // 0 to 1, of the last second or so.
  double inherent() const { return inherent_; }  // Of the likeliest explanation.
  void clear();
  // What is needed within a part, this and what is before it (base/prefetch.h).
  const void* end_of_head() const { return &parts_; }

 private:
  static constexpr std::size_t kParts = 20;
  struct Part {
    double rate = 0;  // Bits a second.
    float packets = 0, lost = 0, weight = 0;
  };
  struct Fit {
    double likelihood, inherent;
  };

  void close_part();
  Fit fit(double bandwidth) const;
  void estimate();

  std::size_t count_ = 0;
  // The part that is open.
  Timestamp began_, newest_;
  std::uint32_t bytes_ = 0, packets_ = 0, lost_ = 0;
  std::optional<double> bound_;
  double loss_ = 0, inherent_ = 0;
  std::array<Part, kParts> parts_{};
};

// GCC's first loss rule, once a report: below 2 % a little more, above 10 % less by half the loss.
double follow_report(double bits_per_second, double loss);

}  // namespace stoa::bwe
