// Where verdicts are collected: for each rule of the checklist how often it was looked at, how often it was
// broken, and the first evidence. (Rules of draft-pantos-hls-rfc8216bis-22, numbered by our own checklist.)
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check/say.h"

namespace stoa::check {

enum class Rule : std::uint8_t {
  // clang-format off
  kG1, kG2, kG3, kG4, kG5, kG6, kG7, kG8, kG9, kG10, kG11, kG12, kG13, kG14, kG15, kG16, kG17, kG18, kG19, kG20,
  kL1, kL2, kL3, kL4, kL5, kL6, kL7, kL8, kL9, kL10, kL11, kL12, kL13,
  kD1, kD2, kD3, kD4, kD5, kD6, kD7, kD8, kD9, kD10, kD11, kD12,
  kT1, kT2, kT3, kT4, kT5, kT6, kT7, kT8,
  kV1, kX1, kX2, kA1, kC1,
  // clang-format on
};
inline constexpr std::size_t kRules = static_cast<std::size_t>(Rule::kC1) + 1;

struct RuleFacts {
  std::string_view id;
  char level;  // Of its strictest demand: M must, S should, R recommended.
  std::string_view title;
};
const RuleFacts& facts_of(Rule rule);

enum class Verdict : std::uint8_t {
  kPass,      // Looked at, never broken.
  kFail,      // A demand of level M is broken.
  kWarn,      // Only demands of level S or R are broken.
  kNotSeen,   // This run gave no occasion to judge.
  kNotAsked,  // Does not apply to this kind of stream (an LL-HLS rule and a plain stream).
};
const char* name_of(Verdict verdict);  // "PASS", "FAIL", "WARN", "----" (not seen and not asked).

struct RuleResult {
  Rule rule;
  Verdict verdict = Verdict::kNotSeen;
  std::uint64_t checks = 0, fails = 0, warns = 0;
  std::string evidence;  // Of the first failure, else of the first warning, else why it was not seen.
};

class Ledger {
 public:
  void pass(Rule rule) { ++at(rule).checks; }
  void fail(Rule rule, std::string evidence);
  void warn(Rule rule, std::string evidence);
  // Notes one look at a demand of level M (require) or S and R (expect). Returns `is_kept`.
  template <typename... Words>
  bool require(Rule rule, bool is_kept, const Words&... evidence) {
    is_kept ? pass(rule) : fail(rule, say(evidence...));
    return is_kept;
  }
  template <typename... Words>
  bool expect(Rule rule, bool is_kept, const Words&... evidence) {
    is_kept ? pass(rule) : warn(rule, say(evidence...));
    return is_kept;
  }
  // Rules that belong to low latency alone get kNotAsked unless this was called.
  void set_low_latency() { is_low_latency_ = true; }
  bool is_low_latency() const { return is_low_latency_; }

  RuleResult result(Rule rule) const;
  std::vector<RuleResult> results() const;

 private:
  struct Entry {
    std::uint64_t checks = 0, fails = 0, warns = 0;
    std::string first_fail, first_warn;
  };
  Entry& at(Rule rule) { return entries_[static_cast<std::size_t>(rule)]; }

  std::array<Entry, kRules> entries_;
  bool is_low_latency_ = false;
};

}  // namespace stoa::check
