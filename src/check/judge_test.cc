#include "check/judge.h"

#include <gtest/gtest.h>

#include "check/fake_origin.h"

namespace stoa::check {
namespace {

const RuleResult& result_of(const Report& report, Rule rule) {
  return report.results[static_cast<std::size_t>(rule)];
}
std::string broken(const Report& report) {
  std::string text;
  for (const auto& result : report.results) {
    if (result.verdict == Verdict::kFail || result.verdict == Verdict::kWarn) {
      text += say(name_of(result.verdict), " ", facts_of(result.rule).id, ": ", result.evidence, "\n");
    }
  }
  return text;
}

TEST(Judge, finds_nothing_wrong_with_a_correct_origin) {
  Report report = FakeOrigin({}).judge();
  EXPECT_EQ(broken(report), "");
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_TRUE(report.is_low_latency);
  EXPECT_GT(report.parts, 180u);
  // Everything that a stream without discontinuity, gap, end, dates and steering can show was judged.
  for (const auto& result : report.results) {
    std::string id(facts_of(result.rule).id);
    bool needs_occasion = id == "G9" || id == "G15" || id == "G18" || id == "G19" || id == "G20" ||
                          id == "L8" || id == "L11" || id == "D5" || id == "D8" || id == "T5" || id == "V1" ||
                          id == "A1" || id == "C1";
    if (!needs_occasion) EXPECT_EQ(result.verdict, Verdict::kPass) << id;
  }
}

}  // namespace
}  // namespace stoa::check
