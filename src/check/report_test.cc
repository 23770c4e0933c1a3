#include "check/report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "check/url.h"

namespace stoa::check {
namespace {

Report make_report() {
  Ledger ledger;
  ledger.set_low_latency();
  ledger.pass(Rule::kG7);
  ledger.pass(Rule::kG7);
  ledger.require(Rule::kL4, false, "part \"p57.m4s\" DURATION ", Duration::milliseconds(400), " > 0.334");
  ledger.pass(Rule::kL4);
  ledger.expect(Rule::kG17, false, "bell \a and ", 1);
  return {.url = "http://h/x", .could_fetch = true, .is_low_latency = true, .results = ledger.results()};
}

TEST(Report, writes_one_line_a_rule_and_a_summary) {
  std::string text = write_text(make_report());
  EXPECT_NE(text.find("PASS G7  TARGETDURATION present, never changed, never exceeded (2 checks)\n"),
            std::string::npos);
  EXPECT_NE(
      text.find("FAIL L4  parts have a URI and 85 to 100 % of PART-TARGET: part \"p57.m4s\" DURATION 0.400 > "
                "0.334 (1 of 2 checks)\n"),
      std::string::npos)
      << text;
  EXPECT_NE(text.find("WARN G17 playlists are compressed when asked for: bell ? and 1"), std::string::npos);
  EXPECT_NE(text.find("---- D8  "), std::string::npos);
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), kRules + 1);
}

TEST(Report, writes_json_that_escapes_what_servers_said) {
  std::string json = write_json(make_report());
  EXPECT_NE(json.find("\"exit_code\":1"), std::string::npos);
  EXPECT_NE(json.find("\"evidence\":\"part \\\"p57.m4s\\\" DURATION"), std::string::npos);
  EXPECT_NE(json.find("bell \\u0007 and 1"), std::string::npos);
  EXPECT_NE(json.find("{\"id\":\"D8\",\"level\":\"S\",\"verdict\":\"not_seen\""), std::string::npos);
}

TEST(Report, exits_with_0_1_or_2) {
  Report report = make_report();
  EXPECT_EQ(report.exit_code(), 1);
  std::erase_if(report.results, [](const RuleResult& result) { return result.verdict == Verdict::kFail; });
  EXPECT_EQ(report.exit_code(), 0);  // Warnings do not fail a stream.
  report.could_fetch = false;
  EXPECT_EQ(report.exit_code(), 2);
}

TEST(Ledger, keeps_low_latency_rules_out_of_plain_streams) {
  Ledger ledger;
  ledger.fail(Rule::kD2, "no");
  EXPECT_EQ(ledger.result(Rule::kD2).verdict, Verdict::kNotAsked);
  ledger.set_low_latency();
  EXPECT_EQ(ledger.result(Rule::kD2).verdict, Verdict::kFail);
}

TEST(Url, resolves_references_as_rfc_3986_shows) {
  const char* base = "http://a/b/c/d;p?q";
  const std::pair<const char*, const char*> cases[] = {{"g", "http://a/b/c/g"},
                                                       {"./g", "http://a/b/c/g"},
                                                       {"g/", "http://a/b/c/g/"},
                                                       {"/g", "http://a/g"},
                                                       {"//g", "http://g"},
                                                       {"?y", "http://a/b/c/d;p?y"},
                                                       {"g?y", "http://a/b/c/g?y"},
                                                       {"", "http://a/b/c/d;p?q"},
                                                       {"..", "http://a/b/"},
                                                       {"../g", "http://a/b/g"},
                                                       {"../../g", "http://a/g"},
                                                       {"../../../g", "http://a/g"},
                                                       {"g;x=1/../y", "http://a/b/c/y"},
                                                       {"https://x/y", "https://x/y"},
                                                       {".", "http://a/b/c/"}};
  for (const auto& [reference, result] : cases) EXPECT_EQ(resolve(base, reference), result) << reference;
}

TEST(Url, adds_and_removes_directives) {
  EXPECT_EQ(with_query("http://a/x.m3u8", "_HLS_msn=1"), "http://a/x.m3u8?_HLS_msn=1");
  EXPECT_EQ(with_query("http://a/x.m3u8?t=1", "_HLS_msn=1"), "http://a/x.m3u8?t=1&_HLS_msn=1");
  EXPECT_EQ(without_directives("http://a/x?_HLS_msn=1&t=1&_HLS_part=2"), "http://a/x?t=1");
  EXPECT_EQ(file_name("http://a/b/c.m4s?x#y"), "c.m4s");
}

}  // namespace
}  // namespace stoa::check
