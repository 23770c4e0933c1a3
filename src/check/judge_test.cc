// Every rule is broken once, by a correct origin made wrong in one place, and judged with its ID.
#include "check/judge.h"

#include <gtest/gtest.h>

#include <set>

#include "check/fake_origin.h"
#include "check/url.h"

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
  static const std::set<std::string_view> kNeedOccasion = {"G15", "G19", "G20", "L8", "L11", "D5",
                                                           "D8",  "T5",  "V1",  "A1", "C1"};
  for (const auto& result : report.results) {
    std::string_view id = facts_of(result.rule).id;
    EXPECT_EQ(result.verdict, kNeedOccasion.contains(id) ? Verdict::kNotSeen : Verdict::kPass) << id;
  }
}

struct Occasion {
  const char* name;
  Rule rule;
  std::function<void(FakeOptions&)> arrange;
};
void PrintTo(const Occasion& occasion, std::ostream* out) { *out << occasion.name; }

class CorrectOccasion : public testing::TestWithParam<Occasion> {};
TEST_P(CorrectOccasion, passes_and_breaks_nothing) {
  FakeOptions options;
  GetParam().arrange(options);
  Report report = FakeOrigin(options).judge();
  EXPECT_EQ(broken(report), "");
  EXPECT_EQ(result_of(report, GetParam().rule).verdict, Verdict::kPass);
}

const std::string kRange = "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:05.000Z\",DURATION=4.0\n";

INSTANTIATE_TEST_SUITE_P(
    Streams, CorrectOccasion,
    testing::Values(
        Occasion{"discontinuity", Rule::kG9, [](FakeOptions& o) { o.discontinuity_msn = 36; }},
        Occasion{"date_at_discontinuity", Rule::kG19, [](FakeOptions& o) { o.discontinuity_msn = 36; }},
        Occasion{"new_format_behind_discontinuity", Rule::kG18,
                 [](FakeOptions& o) { o.discontinuity_msn = 36; }},
        Occasion{"gap", Rule::kG20, [](FakeOptions& o) { o.gap_msn = 36; }},
        Occasion{"gap_that_begins_a_segment", Rule::kG18, [](FakeOptions& o) { o.gap_part = 180; }},
        Occasion{"gap_that_ends_a_segment", Rule::kG18, [](FakeOptions& o) { o.gap_part = 184; }},
        Occasion{"gap_within_a_segment", Rule::kG18, [](FakeOptions& o) { o.gap_part = 182; }},
        Occasion{"end", Rule::kG15, [](FakeOptions& o) { o.end_parts = 190; }},
        Occasion{"directives_after_end", Rule::kD5, [](FakeOptions& o) { o.end_parts = 190; }},
        Occasion{"i_frames", Rule::kL8, [](FakeOptions& o) { o.has_i_frames = true; }},
        Occasion{"dates", Rule::kA1, [](FakeOptions& o) { o.head_more = kRange; }},
        Occasion{"no_delta", Rule::kD10, [](FakeOptions& o) { o.can_skip = false; }},
        Occasion{"young", Rule::kG10, [](FakeOptions& o) { o.since_start = Duration::milliseconds(5300); }},
        Occasion{"one_playlist", Rule::kD2, [](FakeOptions& o) { o.is_media_only = true; }},
        Occasion{"steering", Rule::kC1,
                 [](FakeOptions& o) {
                   o.multivariant_more = "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\",PATHWAY-ID=\".\"\n";
                 }},
        Occasion{"variables", Rule::kV1,
                 [](FakeOptions& o) {
                   o.multivariant_more = "#EXT-X-DEFINE:NAME=\"who\",VALUE=\"v0\"\n";
                   o.edit_multivariant = [](std::string& text) {
                     replace_in(text, "VERSION:6", "VERSION:8");
                     replace_in(text, "\nv0.m3u8", "\n{$who}.m3u8");
                   };
                 }},
        Occasion{"through_a_cache", Rule::kT5,
                 [](FakeOptions& o) {
                   o.edit_reply = [](const Fetch&, Reply& r) {
                     r.set("via", "1.1 edge");
                     r.set("age", "0");
                   };
                 }},
        Occasion{"withdrawn_hint", Rule::kL11,
                 [](FakeOptions& o) {
                   o.discontinuity_msn = 36;
                   o.edit_playlist = [](std::string& text, const Page& p) {
                     if (p.parts == 180) replace_in(text, "/p180.m4s\"\n", "/p99999.m4s\"\n");
                   };
                 }}),
    [](const auto& row) { return row.param.name; });

TEST(Judge, bears_playlists_that_list_nothing) {
  FakeOptions options;
  options.edit_playlist = [](std::string& text, const Page&) { text = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n"; };
  EXPECT_EQ(FakeOrigin(options).judge().exit_code(), 1);
}

// `also` are rules that the same fault breaks by its nature.
struct Fault {
  const char* name;
  Rule rule;
  Verdict verdict;
  std::function<void(FakeOptions&)> arrange;
  std::set<Rule> also = {};
};
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

class BrokenOrigin : public testing::TestWithParam<Fault> {};
TEST_P(BrokenOrigin, is_judged_by_the_rule_it_breaks) {
  const Fault& fault = GetParam();
  FakeOptions options;
  fault.arrange(options);
  Report report = FakeOrigin(options).judge();
  EXPECT_STREQ(name_of(result_of(report, fault.rule).verdict), name_of(fault.verdict)) << broken(report);
  EXPECT_FALSE(result_of(report, fault.rule).evidence.empty());
  for (const auto& result : report.results) {
    if (result.rule == fault.rule || fault.also.contains(result.rule)) continue;
    bool is_clean = result.verdict != Verdict::kFail && result.verdict != Verdict::kWarn;
    EXPECT_TRUE(is_clean) << facts_of(result.rule).id << ": " << result.evidence;
  }
  EXPECT_EQ(report.exit_code(),
            fault.verdict == Verdict::kFail || broken(report).find("FAIL") != std::string::npos);
}

// Arrangements.
using Edit = std::function<void(std::string&, const Page&)>;
using Arrange = std::function<void(FakeOptions&)>;
Arrange page(Edit edit) {
  return [edit](FakeOptions& o) { o.edit_playlist = edit; };
}
Arrange always(std::string from, std::string to, bool all = false) {
  return page([=](std::string& text, const Page&) { replace_in(text, from, to, all); });
}
// From the 20th second on.
Arrange later(std::string from, std::string to, bool all = false) {
  return page([=](std::string& text, const Page& p) {
    if (p.elapsed > Duration::seconds(20)) replace_in(text, from, to, all);
  });
}
Arrange only(std::string rendition, std::string from, std::string to) {
  return page([=](std::string& text, const Page& p) {
    if (p.rendition == rendition) replace_in(text, from, to, true);
  });
}
Arrange multivariant(std::string from, std::string to) {
  return
      [=](FakeOptions& o) { o.edit_multivariant = [=](std::string& text) { replace_in(text, from, to); }; };
}
Arrange reply(std::function<void(const Fetch&, Reply&)> edit) {
  return [edit](FakeOptions& o) { o.edit_reply = edit; };
}
bool asks(const Fetch& f, std::string_view what) { return f.url.find(what) != std::string::npos; }
bool is_playlist(const Fetch& f) { return Url::parse(f.url).path.ends_with(".m3u8"); }
Arrange answer(std::string what, int status) {
  return reply([=](const Fetch& f, Reply& r) {
    if (!asks(f, what)) return;
    r.status = status;
    r.first_byte = r.last_byte = std::min(r.first_byte, r.last_byte);
  });
}
Arrange header(std::string what, std::string name, std::string value) {
  return reply([=](const Fetch& f, Reply& r) {
    if (!asks(f, what)) return;
    value.empty() ? r.drop(name) : r.set(name, value);
  });
}
// The first time a request asks for `what`.
Arrange once(std::string what, std::function<void(const Fetch&, Reply&)> edit) {
  return [=](FakeOptions& o) {
    o.edit_reply = [=, is_done = std::make_shared<bool>(false)](const Fetch& f, Reply& r) {
      if (!*is_done && asks(f, what) && r.status == 200) {
        *is_done = true;
        edit(f, r);
      }
    };
  };
}
constexpr auto kFail = Verdict::kFail;
constexpr auto kWarn = Verdict::kWarn;

INSTANTIATE_TEST_SUITE_P(
    General, BrokenOrigin,
    testing::Values(
        Fault{"bom", Rule::kG1, kFail, page([](std::string& text, const Page&) { text = "\xef\xbb\xbf" + text; })},
        Fault{"version_twice", Rule::kG1, kFail, always("#EXT-X-TARGET", "#EXT-X-VERSION:6\n#EXT-X-TARGET")},
        Fault{"version_high", Rule::kG2, kWarn, always("VERSION:6\n", "VERSION:9\n")},
        Fault{"version_low", Rule::kG3, kFail, always("VERSION:6\n", "VERSION:5\n")},
        Fault{"version_low_for_skip", Rule::kG3, kFail, always("VERSION:9\n", "VERSION:6\n")},
        Fault{"mixed", Rule::kG4, kFail, always("#EXT-X-MAP", "#EXT-X-SESSION-DATA:DATA-ID=\"a\"\n#EXT-X-MAP")},
        Fault{"cut", Rule::kG5, kFail, once("v0.m3u8?_HLS_msn=40&_HLS_part=3", [](const Fetch&, Reply& r) {
                r.is_cut = true;
                r.body.resize(r.body.size() / 2);
              }), {Rule::kG13}},
        Fault{"part_renamed", Rule::kG6, kFail, page([](std::string& text, const Page& p) {
                if (p.parts == 203) replace_in(text, "p201.m4s", "q201.m4s");
              }), {Rule::kG16, Rule::kL10, Rule::kL9, Rule::kD12}},
        Fault{"segment_renamed", Rule::kG6, kFail, page([](std::string& text, const Page& p) {
                if (p.parts >= 203) replace_in(text, "s39.m4s", "t39.m4s");
              }), {Rule::kG11, Rule::kL6, Rule::kG16, Rule::kD12}},
        Fault{"parts_dropped_early", Rule::kG6, kFail, page([](std::string& text, const Page& p) {
                if (p.parts >= 203) drop_lines(text, say("#EXT-X-PART:DURATION=0.40000,URI=\"", p.rendition, "/p19"));
              }), {Rule::kD12, Rule::kL6}},
        Fault{"date_changed", Rule::kG6, kFail, page([](std::string& text, const Page& p) {
                if (p.parts == 203) replace_in(text, ":10.000Z", ":10.001Z");
              }), {Rule::kD12}},
        Fault{"target_grows", Rule::kG7, kFail, later("DURATION:2\n", "DURATION:3\n"), {Rule::kL2, Rule::kD12, Rule::kG6}},
        Fault{"target_missing", Rule::kG7, kFail, page([](std::string& text, const Page&) { drop_lines(text, "#EXT-X-TARGETDURATION"); }),
              {Rule::kL7, Rule::kG12, Rule::kG6, Rule::kX2, Rule::kD8, Rule::kT6, Rule::kD1}},
        Fault{"sequence_late", Rule::kG8, kFail, page([](std::string& text, const Page&) {
                std::size_t at = text.find("#EXT-X-MEDIA-SEQUENCE");
                std::string line = text.substr(at, text.find('\n', at) + 1 - at);
                text.erase(at, line.size());
                text += line;
              }), {Rule::kD10}},
        Fault{"sequence_not_raised", Rule::kG8, kFail, page([](std::string& text, const Page& p) {
                std::uint64_t first = p.parts / 5 - 10;
                if (p.parts >= 200) replace_in(text, say("SEQUENCE:", first, "\n"), say("SEQUENCE:", first - 1, "\n"));
              }), {Rule::kD2, Rule::kD3, Rule::kD10, Rule::kL9, Rule::kG6, Rule::kG12, Rule::kG13, Rule::kL12, Rule::kX2,
                   Rule::kL13, Rule::kD12, Rule::kG16, Rule::kL6, Rule::kG18, Rule::kD1, Rule::kD4, Rule::kD6, Rule::kG9,
                   Rule::kL7, Rule::kD11, Rule::kD7, Rule::kL10, Rule::kG11, Rule::kL11}},
        Fault{"sequence_falls", Rule::kG8, kFail, page([](std::string& text, const Page& p) {
                if (p.parts == 203) replace_in(text, "SEQUENCE:30\n", "SEQUENCE:3\n");
              }), {Rule::kD2, Rule::kD3, Rule::kD10, Rule::kL9, Rule::kG6, Rule::kD12, Rule::kG12, Rule::kG13, Rule::kL12,
                   Rule::kG16, Rule::kG11, Rule::kL7, Rule::kD6, Rule::kL11}},
        Fault{"discontinuity_not_counted", Rule::kG9, kFail, [](FakeOptions& o) {
                o.discontinuity_msn = 27;
                o.edit_playlist = [](std::string& text, const Page&) { replace_in(text, "DISCONTINUITY-SEQUENCE:1", "DISCONTINUITY-SEQUENCE:0"); };
              }},
        Fault{"window_too_short", Rule::kG10, kFail, [](FakeOptions& o) { o.window = 2; }},
        Fault{"removed_segment_gone", Rule::kG11, kFail, reply([](const Fetch& f, Reply& r) {
                for (int msn = 0; msn < 36; ++msn) {
                  if (asks(f, say("/s", msn, ".m4s")) && r.first_byte > Timestamp::from_ns(1'015'000'000'000)) r.status = 404;
                }
              }), {Rule::kT6}},
        Fault{"segment_late", Rule::kG12, kFail, reply([](const Fetch& f, Reply& r) {
                if (is_playlist(f) && asks(f, "_HLS_msn=40&_HLS_part=4")) {
                  r.first_byte += Duration::milliseconds(3600);
                  r.last_byte += Duration::milliseconds(3600);
                }
              }), {Rule::kG13, Rule::kL12, Rule::kG16, Rule::kL13}},
        Fault{"part_late", Rule::kG13, kFail, reply([](const Fetch& f, Reply& r) {
                if (asks(f, "v0.m3u8?_HLS_msn=41&_HLS_part=2")) {
                  r.first_byte += Duration::milliseconds(350);
                  r.last_byte += Duration::milliseconds(350);
                }
              })},
        Fault{"parts_in_bunches", Rule::kG13, kFail, [](FakeOptions& o) { o.bunch = 3; }},
        Fault{"live_vod", Rule::kG14, kFail, always("#EXT-X-MEDIA-S", "#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-S")},
        Fault{"event_removes", Rule::kG14, kFail, always("#EXT-X-MEDIA-S", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-MEDIA-S")},
        Fault{"hint_after_end", Rule::kG15, kFail, [](FakeOptions& o) {
                o.end_parts = 190;
                o.edit_playlist = [](std::string& text, const Page&) {
                  if (text.find("ENDLIST") != std::string::npos) text += "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"v0/p189.m4s\"\n";
                };
              }},
        Fault{"part_dribbles", Rule::kG16, kFail, reply([](const Fetch& f, Reply& r) {
                if (asks(f, "/v0/p") && !asks(f, "stoa")) r.first_byte = r.first_byte - Duration::milliseconds(300);
              })},
        Fault{"listed_part_missing", Rule::kG16, kFail, reply([](const Fetch& f, Reply& r) {
                if (asks(f, "/v0/s40.m4s")) r.status = 404;
              }), {Rule::kT6}},
        Fault{"not_compressed", Rule::kG17, kWarn, header(".m3u8", "content-encoding", "")},
        Fault{"timestamps_jump", Rule::kG18, kFail, [](FakeOptions& o) {
                o.tfdt_shift_ms = [](const std::string&, std::uint64_t part) { return part >= 190 ? 5000 : 0; };
              }},
        Fault{"timestamps_jump_past_a_gap", Rule::kG18, kFail, [](FakeOptions& o) {
                o.gap_part = 184;
                o.tfdt_shift_ms = [](const std::string&, std::uint64_t part) { return part >= 185 ? 5000 : 0; };
              }},
        Fault{"format_changes_unannounced", Rule::kG18, kFail, [](FakeOptions& o) {
                o.discontinuity_msn = 36;
                o.tfdt_shift_ms = [](const std::string&, std::uint64_t part) { return part >= 180 ? -1'000'000 : 0; };
                o.edit_playlist = [](std::string& text, const Page&) {
                  drop_lines(text, "#EXT-X-DISCONTINUITY");
                };
              }, {Rule::kX1}},
        Fault{"discontinuity_without_date", Rule::kG19, kWarn, [](FakeOptions& o) {
                o.discontinuity_msn = 36;
                o.edit_playlist = [](std::string& text, const Page&) { replace_in(text, "#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:12.000Z\n", ""); };
              }},
        Fault{"gap_part_unmarked", Rule::kG20, kFail, [](FakeOptions& o) {
                o.gap_msn = 36;
                o.edit_playlist = [](std::string& text, const Page&) { replace_in(text, "p181.m4s\",GAP=YES", "p181.m4s\""); };
              }, {Rule::kG16, Rule::kL10, Rule::kT6}}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    LowLatency, BrokenOrigin,
    testing::Values(
        Fault{"no_part_inf", Rule::kL1, kFail, page([](std::string& text, const Page&) { drop_lines(text, "#EXT-X-PART-INF"); }),
              {Rule::kD6, Rule::kL12}},
        Fault{"part_target_changes", Rule::kL1, kFail, later("TARGET=0.40000", "TARGET=0.41000"), {Rule::kD12, Rule::kL2}},
        Fault{"no_blocking", Rule::kL2, kFail, always("CAN-BLOCK-RELOAD=YES,", ""), {Rule::kL10, Rule::kG16, Rule::kL9, Rule::kL12}},
        Fault{"hold_back_short", Rule::kL2, kFail, always("PART-HOLD-BACK=1.2", "PART-HOLD-BACK=0.7")},
        Fault{"hold_back_under_three", Rule::kL2, kWarn, always("PART-HOLD-BACK=1.2", "PART-HOLD-BACK=1.0")},
        Fault{"skip_until_short", Rule::kL2, kFail, always("CAN-SKIP-UNTIL=12.0", "CAN-SKIP-UNTIL=8.0"), {Rule::kD10}},
        Fault{"hold_back_changes", Rule::kL2, kFail, later("PART-HOLD-BACK=1.2", "PART-HOLD-BACK=1.3"), {Rule::kD12}},
        Fault{"server_control_differs", Rule::kL3, kFail, only("a0", "PART-HOLD-BACK=1.2", "PART-HOLD-BACK=1.3")},
        Fault{"part_too_long", Rule::kL4, kFail, always("PART-TARGET=0.40000", "PART-TARGET=0.38000"), {Rule::kG13}},
        Fault{"part_too_short", Rule::kL4, kFail, always("PART-TARGET=0.40000", "PART-TARGET=0.48000"), {Rule::kL2}},
        Fault{"independent_unmarked", Rule::kL4, kWarn, always(",INDEPENDENT=YES", "", true)},
        Fault{"independent_lie", Rule::kL4, kFail, page([](std::string& text, const Page& p) {
                for (std::uint64_t i = 1; p.rendition == "v0" && i < p.parts; i += 5) replace_in(text, say("/p", i, ".m4s\"\n"), say("/p", i, ".m4s\",INDEPENDENT=YES\n"));
              })},
        Fault{"date_behind_part", Rule::kL5, kFail, page([](std::string& text, const Page& p) {
                std::uint64_t part = (p.parts - 1) / 5 * 5;
                std::string line = say("#EXT-X-PART:DURATION=0.40000,URI=\"", p.rendition, "/p", part, ".m4s\",INDEPENDENT=YES\n");
                std::size_t at = text.find(line), date = text.rfind("#EXT-X-PROGRAM", at);
                if (at == std::string::npos || date == std::string::npos || p.parts % 5 == 0) return;
                text.erase(at, line.size());
                text.insert(date, line);
              })},
        Fault{"segment_is_not_its_parts", Rule::kL6, kFail, [](FakeOptions& o) {
                o.edit_segment = [](Buffer& b, const std::string&, std::uint64_t) { b[b.size() / 2] ^= 1; };
              }},
        Fault{"segment_longer_than_parts", Rule::kL6, kFail, [](FakeOptions& o) {
                o.edit_segment = [](Buffer& b, const std::string&, std::uint64_t) { b.insert(b.end(), {0, 0, 0, 8, 'f', 'r', 'e', 'e'}); };
              }},
        Fault{"part_duration_lie", Rule::kL6, kFail, [](FakeOptions& o) {
                o.edit_playlist = [](std::string& text, const Page&) { replace_in(text, "EXTINF:2.00000", "EXTINF:1.80000", true); };
              }, {Rule::kL13, Rule::kG10, Rule::kD10, Rule::kG6, Rule::kL7}},
        Fault{"old_parts_stay", Rule::kL7, kWarn, page([](std::string& text, const Page& p) {
                if (p.is_delta) return;
                std::uint64_t msn = p.parts / 5 - 5;
                std::string date = "#EXT-X-PROGRAM-DATE-TIME:", mark = say("#EXTINF:2.00000,\n", p.rendition, "/s", msn, ".m4s\n");
                std::string lines;
                for (std::uint64_t i = msn * 5; i < msn * 5 + 5; ++i) {
                  lines += say("#EXT-X-PART:DURATION=0.40000,URI=\"", p.rendition, "/p", i, ".m4s\",INDEPENDENT=YES\n");
                }
                replace_in(text, mark, lines + mark);
              }), {Rule::kG6, Rule::kD12, Rule::kL4}},
        Fault{"removed_part_gone", Rule::kL7, kFail, reply([](const Fetch& f, Reply& r) {
                for (std::uint64_t part = 150; part < 180; ++part) {
                  if (asks(f, say("/p", part, ".m4s")) && r.first_byte > Timestamp::from_ns(1'020'000'000'000)) r.status = 404;
                }
              }), {Rule::kT6}},
        Fault{"parts_in_i_frames", Rule::kL8, kWarn, [](FakeOptions& o) {
                o.has_i_frames = true;
                o.edit_playlist = [](std::string& text, const Page& p) {
                  if (p.rendition == "if") text += "#EXT-X-PART-INF:PART-TARGET=0.4\n#EXT-X-PART:DURATION=0.4,URI=\"v0/p1.m4s\",INDEPENDENT=YES\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"v0/p1.m4s\"\n";
                };
              }, {Rule::kL2, Rule::kL12, Rule::kL6, Rule::kG13, Rule::kG6, Rule::kL13}},
        Fault{"no_hint", Rule::kL9, kFail, page([](std::string& text, const Page&) { drop_lines(text, "#EXT-X-PRELOAD-HINT"); })},
        Fault{"hint_of_another_part", Rule::kL9, kFail, page([](std::string& text, const Page& p) {
                replace_in(text, say("HINT:TYPE=PART,URI=\"", p.rendition, "/p", p.parts, "."), say("HINT:TYPE=PART,URI=\"", p.rendition, "/p", p.parts + 1, "."));
              }), {Rule::kL10, Rule::kL11}},
        Fault{"two_hints", Rule::kL9, kWarn, page([](std::string& text, const Page& p) {
                text += say("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"", p.rendition, "/p", p.parts, ".m4s\"\n");
              })},
        Fault{"hint_not_held", Rule::kL10, kFail, reply([](const Fetch& f, Reply& r) {
                if (asks(f, "/v0/p") && r.first_byte > Timestamp::from_ns(1'010'000'000'000) && r.status == 200) {
                  static thread_local int asked = 0;
                  if (++asked % 2) r.status = 404;
                }
              }), {Rule::kT6, Rule::kG16, Rule::kL7}},
        Fault{"withdrawn_hint_answered", Rule::kL11, kWarn, [](FakeOptions& o) {
                o.discontinuity_msn = 36;
                o.edit_playlist = [](std::string& text, const Page& p) {
                  if (p.parts == 180) replace_in(text, "/p180.m4s\"\n", "/p99.m4s?x\"\n");
                };
              }},
        Fault{"no_reports", Rule::kL12, kFail, page([](std::string& text, const Page&) { drop_lines(text, "#EXT-X-RENDITION-REPORT"); })},
        Fault{"stale_reports", Rule::kL12, kFail, page([](std::string& text, const Page& p) {
                std::uint64_t old = p.parts - 6;
                drop_lines(text, "#EXT-X-RENDITION-REPORT");
                text += say("#EXT-X-RENDITION-REPORT:URI=\"", p.rendition == "v0" ? "a0" : "v0", ".m3u8\",LAST-MSN=", old / 5, ",LAST-PART=", old % 5, "\n");
              })},
        Fault{"report_of_itself", Rule::kL12, kFail, page([](std::string& text, const Page& p) {
                text += say("#EXT-X-RENDITION-REPORT:URI=\"", p.rendition, ".m3u8\",LAST-MSN=", p.parts / 5, "\n");
              })},
        Fault{"report_from_the_future", Rule::kL12, kFail, page([](std::string& text, const Page& p) {
                drop_lines(text, "#EXT-X-RENDITION-REPORT");
                text += say("#EXT-X-RENDITION-REPORT:URI=\"", p.rendition == "v0" ? "a0" : "v0", ".m3u8\",LAST-MSN=", p.parts / 5 + 1, ",LAST-PART=3\n");
              })},
        Fault{"no_dates", Rule::kL13, kFail, page([](std::string& text, const Page&) { drop_lines(text, "#EXT-X-PROGRAM-DATE-TIME"); })},
        Fault{"dates_differ", Rule::kL13, kFail, only("a0", ".000Z", ".300Z")},
        Fault{"no_independent_frame", Rule::kL13, kFail, [](FakeOptions& o) {
                o.edit_part = [](Buffer& b, const std::string& name, std::uint64_t part) {
                  if (name == "v0") b = fake_fragment({.decode_time = part * 36'000, .samples = 12, .starts_with_sync = false});
                };
                o.edit_playlist = [](std::string& text, const Page& p) {
                  if (p.rendition == "v0") replace_in(text, ",INDEPENDENT=YES", "", true);
                };
              }}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Directives, BrokenOrigin,
    testing::Values(
        Fault{"msn_not_held",
              Rule::kD1,
              kFail,
              [](FakeOptions& o) {
                o.edit_playlist = nullptr;
                o.edit_reply = [](const Fetch& f, Reply& r) {
                  bool is_probe = asks(f, "_HLS_msn=") && !asks(f, "_HLS_part") && !asks(f, "_HLS_skip") &&
                                  r.status == 200;
                  if (!is_probe) return;
                  std::size_t at = r.body.rfind("#EXTINF");
                  if (at != std::string::npos) r.body.resize(at);
                };
              },
              {Rule::kD4, Rule::kD12, Rule::kD10}},
        Fault{"part_not_held",
              Rule::kD2,
              kFail,
              once("v0.m3u8?_HLS_msn=40&_HLS_part=2",
                   [](const Fetch&, Reply& r) {
                     r.body.resize(r.body.find("#EXT-X-PART:DURATION=0.40000,URI=\"v0/p202"));
                     r.body +=
                         "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"v0/p202.m4s\"\n"
                         "#EXT-X-RENDITION-REPORT:URI=\"a0.m3u8\",LAST-MSN=40,LAST-PART=2\n";
                   }),
              {Rule::kD12, Rule::kG13}},
        Fault{"part_refused",
              Rule::kD2,
              kFail,
              once("v0.m3u8?_HLS_msn=40&_HLS_part=2", [](const Fetch&, Reply& r) { r.status = 500; }),
              {Rule::kG13, Rule::kL12}},
        Fault{"beyond_last_refused",
              Rule::kD3,
              kFail,
              answer("&_HLS_part=5", 400),
              {Rule::kG13, Rule::kG16, Rule::kL12, Rule::kL13, Rule::kT6}},
        Fault{"old_msn_refused",
              Rule::kD4,
              kFail,
              reply([](const Fetch& f, Reply& r) {
                for (int msn = 0; msn < 22; ++msn) {
                  if (asks(f, say("_HLS_msn=", msn, "&")) || f.url.ends_with(say("_HLS_msn=", msn)))
                    r.status = 400;
                }
              }),
              {Rule::kT6}},
        Fault{"old_msn_held", Rule::kD4, kFail, reply([](const Fetch& f, Reply& r) {
                if (f.url.ends_with("_HLS_msn=21") || f.url.ends_with("_HLS_msn=20")) {
                  r.first_byte += Duration::seconds(2);
                  r.last_byte += Duration::seconds(2);
                }
              })},
        Fault{"held_after_end",
              Rule::kD5,
              kFail,
              [](FakeOptions& o) {
                o.end_parts = 190;
                o.edit_reply = [](const Fetch& f, Reply& r) {
                  if (asks(f, "_HLS_msn=137")) r.status = 400;
                };
              },
              {Rule::kT6}},
        Fault{"far_msn_answered", Rule::kD6, kWarn, reply([](const Fetch& f, Reply& r) {
                if (is_playlist(f) && r.status == 400 && asks(f, "_HLS_msn=") && !asks(f, "soon"))
                  r.status = 404;
              })},
        Fault{"far_msn_held", Rule::kD6, kWarn, reply([](const Fetch& f, Reply& r) {
                if (is_playlist(f) && r.status == 400 && asks(f, "_HLS_msn=") && !asks(f, "soon")) {
                  r.first_byte += Duration::seconds(30);
                  r.last_byte += Duration::seconds(30);
                }
              })},
        Fault{"part_without_msn_answered",
              Rule::kD7,
              kFail,
              answer("?_HLS_part=0", 200),
              {Rule::kT7, Rule::kG17, Rule::kT6}},
        Fault{"bad_msn_answered", Rule::kD7, kWarn, answer("_HLS_msn=soon", 404)},
        Fault{"held_for_ever",
              Rule::kD8,
              kWarn,
              reply([](const Fetch& f, Reply& r) {
                if (asks(f, "v0.m3u8?_HLS_msn=40&_HLS_part=2"))
                  r.first_byte = r.last_byte = r.last_byte + Duration::seconds(60);
              }),
              {Rule::kG13, Rule::kG12, Rule::kL12, Rule::kG16, Rule::kL13}},
        Fault{"unknown_is_500", Rule::kD9, kWarn, answer("no-such-resource", 500)},
        Fault{"no_delta", Rule::kD10, kFail, reply([](const Fetch& f, Reply& r) {
                if (!asks(f, "_HLS_skip")) return;
                Fetch whole = f;
                replace_in(whole.url, "&_HLS_skip=YES", "");
                r.body = FakeOrigin({}).answer(whole, r.first_byte - Duration::milliseconds(20)).body;
              })},
        Fault{"delta_unasked", Rule::kD10, kFail, reply([](const Fetch& f, Reply& r) {
                if (!asks(f, "v0.m3u8?_HLS_msn=") || !asks(f, "&_HLS_part=2") || asks(f, "skip")) return;
                if (r.status != 200) return;
                Fetch delta = f;
                delta.url += "&_HLS_skip=YES";
                r.body = FakeOrigin({}).answer(delta, r.first_byte - Duration::milliseconds(20)).body;
              })},
        Fault{"delta_skips_too_much", Rule::kD10, kFail, page([](std::string& text, const Page& p) {
                if (!p.is_delta) return;
                replace_in(text, "SKIPPED-SEGMENTS=3", "SKIPPED-SEGMENTS=5");
                for (int i = 0; i < 2; ++i) {
                  std::size_t at = text.find("#EXT-X-PROGRAM-DATE-TIME");
                  std::size_t end = text.find("#EXT-X-PROGRAM-DATE-TIME", at + 1);
                  text.erase(at, end - at);
                }
              })},
        Fault{"delta_miscounts",
              Rule::kD10,
              kFail,
              page([](std::string& text, const Page& p) {
                if (p.is_delta) replace_in(text, "SKIPPED-SEGMENTS=3", "SKIPPED-SEGMENTS=30");
              }),
              {Rule::kD2, Rule::kD3, Rule::kG13, Rule::kL12, Rule::kL13}},
        Fault{"unknown_directive_obeyed", Rule::kD11, kFail, reply([](const Fetch& f, Reply& r) {
                if (asks(f, "_HLS_stoa"))
                  replace_in(r.body, "#EXT-X-MEDIA-S", "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA-S");
              })},
        Fault{"bodies_per_viewer",
              Rule::kD12,
              kFail,
              reply([](const Fetch& f, Reply& r) {
                static thread_local int viewer = 0;
                if (is_playlist(f)) replace_in(r.body, "EXTINF:2.00000,", say("EXTINF:2.00000,", ++viewer));
              }),
              {Rule::kG6, Rule::kD11, Rule::kD4}}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Transport, BrokenOrigin,
    testing::Values(Fault{"http1", Rule::kT1, kFail, [](FakeOptions& o) { o.http_version = 11; }},
                    Fault{"no_priority", Rule::kT2, kWarn, header("v0/s", "priority", "")},
                    Fault{"media_too_urgent", Rule::kT2, kWarn, header("v0/p", "priority", "u=0")},
                    Fault{"no_priority_on_h3", Rule::kT2, kFail,
                          [](FakeOptions& o) {
                            o.http_version = 30;
                            o.edit_reply = [](const Fetch&, Reply& r) { r.drop("priority"); };
                          }},
                    Fault{"range_lie", Rule::kT3, kFail, reply([](const Fetch&, Reply& r) {
                            if (r.status == 206) r.body += "x";
                          })},
                    Fault{"range_label_lie", Rule::kT3, kFail, reply([](const Fetch&, Reply& r) {
                            if (r.status == 206) r.set("content-range", "bytes 5-104/9000");
                          })},
                    Fault{"old_tls", Rule::kT4, kWarn, [](FakeOptions& o) { o.tls = "TLSv1.2"; }},
                    Fault{"cache_without_age", Rule::kT5, kWarn, header("", "via", "1.1 edge")},
                    Fault{"no_cache_control", Rule::kT6, kWarn,
                          header("_HLS_msn", "cache-control", "no-cache")},
                    Fault{"error_cached_long", Rule::kT6, kWarn, reply([](const Fetch&, Reply& r) {
                            if (r.status == 400) r.set("cache-control", "max-age=60");
                          })},
                    Fault{"playlist_cached_long", Rule::kT6, kWarn, reply([](const Fetch& f, Reply& r) {
                            if (is_playlist(f)) r.set("cache-control", "max-age=3600");
                          })},
                    Fault{"wrong_type", Rule::kT7, kWarn, header(".m3u8", "content-type", "text/plain")},
                    Fault{"no_cors", Rule::kT7, kWarn, header("/p", "access-control-allow-origin", "")},
                    Fault{"no_vary", Rule::kT7, kWarn, header(".m3u8", "vary", "")},
                    Fault{"head_refused", Rule::kT7, kWarn, reply([](const Fetch& f, Reply& r) {
                            if (f.is_head) r.status = 405;
                          })},
                    Fault{"age_from_origin", Rule::kT8, kFail, header(".m3u8", "age", "3")}),
    [](const auto& row) { return row.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Presentation, BrokenOrigin,
    testing::Values(
        Fault{"variable_undefined", Rule::kV1, kFail, multivariant("NAME=\"Main\"", "NAME=\"{$lang}\"")},
        Fault{"define_of_nothing", Rule::kV1, kFail,
              [](FakeOptions& o) {
                o.head_more = "#EXT-X-DEFINE:IMPORT=\"who\"\n";
                o.edit_playlist = [](std::string& text, const Page&) {
                  replace_in(text, "VERSION:6\n", "VERSION:8\n");
                };
              }},
        Fault{"no_bandwidth", Rule::kX1, kFail,
              multivariant("BANDWIDTH=400000,AVERAGE-BANDWIDTH=300000,", "")},
        Fault{"bandwidth_lie", Rule::kX1, kFail,
              multivariant("BANDWIDTH=400000,AVERAGE-BANDWIDTH=300000", "BANDWIDTH=100000")},
        Fault{"bandwidth_tight", Rule::kX1, kWarn,
              multivariant("BANDWIDTH=400000,AVERAGE-BANDWIDTH=300000", "BANDWIDTH=250000")},
        Fault{"codec_missing", Rule::kX1, kFail, multivariant(",Opus", ",mp4a.40.2")},
        Fault{"codec_level_lie", Rule::kX1, kWarn, multivariant("avc1.64001f", "avc1.640028")},
        Fault{"resolution_lie", Rule::kX1, kWarn, multivariant("1280x720", "1920x1080")},
        Fault{"group_missing", Rule::kX1, kFail, multivariant("AUDIO=\"aud\"", "AUDIO=\"other\"")},
        Fault{"name_twice", Rule::kX1, kFail,
              [](FakeOptions& o) {
                o.multivariant_more =
                    "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"aud\",NAME=\"Main\",CHANNELS=\"2\",URI=\"a0.m3u8\"\n";
              }},
        Fault{"playlist_missing", Rule::kX1, kFail, answer("/a0.m3u8", 404), {Rule::kG5, Rule::kL12}},
        Fault{"numbers_shifted",
              Rule::kX2,
              kFail,
              [](FakeOptions& o) {
                o.tfdt_shift_ms = [](const std::string& name, std::uint64_t) {
                  return name == "a0" ? 2500 : 0;
                };
                o.edit_playlist = [](std::string& text, const Page& p) {
                  if (p.rendition != "a0") return;
                  for (std::uint64_t msn = 50; msn-- > 15;) {
                    WallTime at = WallTime::from_seconds(1'767'225'600 - 60) +
                                  kSegment * static_cast<std::int64_t>(msn);
                    replace_in(text, to_iso8601(at), to_iso8601(at + Duration::milliseconds(2500)));
                  }
                };
              },
              {Rule::kL13}},
        Fault{"target_differs",
              Rule::kX2,
              kFail,
              only("a0", "DURATION:2\n", "DURATION:1\n"),
              {Rule::kG7, Rule::kL7, Rule::kG6, Rule::kG12, Rule::kT6}},
        Fault{"date_range_changes", Rule::kA1, kFail,
              [](FakeOptions& o) {
                o.head_more = kRange;
                o.edit_playlist = [](std::string& text, const Page& p) {
                  if (p.elapsed > Duration::seconds(20)) replace_in(text, ",DURATION=4.0", ",DURATION=5.0");
                };
              }},
        Fault{"date_range_without_id", Rule::kA1, kFail,
              [](FakeOptions& o) {
                o.head_more = "#EXT-X-DATERANGE:START-DATE=\"2026-01-01T00:00:05.000Z\"\n";
              }},
        Fault{"date_range_without_start", Rule::kA1, kFail,
              [](FakeOptions& o) { o.head_more = "#EXT-X-DATERANGE:ID=\"a\"\n"; }},
        Fault{"date_range_ends_early", Rule::kA1, kFail,
              [](FakeOptions& o) {
                o.head_more =
                    "#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-01T00:00:05Z\",END-DATE=\"2026-01-01T00:"
                    "00:04Z\"\n";
              }},
        Fault{"steering_twice", Rule::kC1, kFail,
              [](FakeOptions& o) {
                o.multivariant_more =
                    "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\"\n#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\"\n";
              }},
        Fault{"steering_to_nowhere", Rule::kC1, kFail,
              [](FakeOptions& o) {
                o.multivariant_more = "#EXT-X-CONTENT-STEERING:SERVER-URI=\"/s\",PATHWAY-ID=\"B\"\n";
              }}),
    [](const auto& row) { return row.param.name; });

TEST(Judge, judges_a_plain_stream_by_the_general_rules_only_and_says_so) {
  Report report = FakeOrigin({.is_low_latency = false}).judge();
  EXPECT_EQ(broken(report), "");
  EXPECT_FALSE(report.is_low_latency);
  EXPECT_EQ(report.exit_code(), 0);
  EXPECT_EQ(result_of(report, Rule::kL4).verdict, Verdict::kNotAsked);
  EXPECT_EQ(result_of(report, Rule::kT1).verdict, Verdict::kNotAsked);
  EXPECT_EQ(result_of(report, Rule::kG6).verdict, Verdict::kPass);
  EXPECT_GT(report.segments, 10u);
  EXPECT_NE(write_text(report).find("plain HLS"), std::string::npos);
}

TEST(Judge, says_when_nothing_can_be_fetched) {
  FakeOptions options;
  options.edit_reply = [](const Fetch&, Reply& r) { r.status = 404; };
  Report report = FakeOrigin(options).judge();
  EXPECT_EQ(report.exit_code(), 2);
  EXPECT_EQ(report.problem, "answered 404");
  options.edit_reply = [](const Fetch&, Reply& r) { r.body = "<html>"; };
  EXPECT_EQ(FakeOrigin(options).judge().exit_code(), 2);
}

TEST(Judge, fails_a_stream_that_stops_without_an_end) {
  FakeOptions options;
  options.edit_reply = [](const Fetch&, Reply& r) {
    if (r.first_byte > Timestamp::from_ns(1'020'000'000'000))
      r.first_byte = r.last_byte = r.last_byte + Duration::seconds(60);
  };
  Report report = FakeOrigin(options).judge();
  EXPECT_EQ(result_of(report, Rule::kG12).verdict, Verdict::kFail);
  EXPECT_EQ(result_of(report, Rule::kG13).verdict, Verdict::kFail);
}

TEST(Judge, accepts_503_after_three_target_durations_but_not_before) {
  auto verdicts = [](Duration held) {
    FakeOptions options;
    once("v0.m3u8?_HLS_msn=40&_HLS_part=2", [=](const Fetch&, Reply& r) {
      r.status = 503;
      r.first_byte = r.last_byte = r.last_byte + held;
    })(options);
    Report report = FakeOrigin(options).judge();
    return std::pair(result_of(report, Rule::kD8).verdict, result_of(report, Rule::kD2).verdict);
  };
  EXPECT_EQ(verdicts(Duration::milliseconds(6'100)), std::pair(Verdict::kPass, Verdict::kPass));
  EXPECT_EQ(verdicts(Duration::milliseconds(1'000)), std::pair(Verdict::kNotSeen, Verdict::kFail));
}

TEST(Judge, wants_nothing_more_when_it_is_done) {
  Judge judge({.url = kFakeUrl, .watch = Duration::seconds(1)});
  Outputs out;
  judge.start(Timestamp(), out);
  ASSERT_EQ(out.take().size(), 1u);
  judge.handle_deadline(Timestamp() + Duration::seconds(1), out);
  auto last = out.take();
  ASSERT_EQ(last.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<Done>(last[0]));
  EXPECT_TRUE(judge.is_done());
  EXPECT_EQ(judge.next_deadline(), Timestamp::never());
  EXPECT_EQ(judge.finish(Timestamp() + Duration::seconds(1)).exit_code(), 2);
}

}  // namespace
}  // namespace stoa::check
