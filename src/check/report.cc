#include "check/report.h"

#include <algorithm>

namespace stoa::check {
namespace {

std::string json_string(std::string_view text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
      quoted += escaped;
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

const char* json_verdict(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "pass";
    case Verdict::kFail: return "fail";
    case Verdict::kWarn: return "warn";
    case Verdict::kNotSeen: return "not_seen";
    case Verdict::kNotAsked: return "not_asked";
  }
  return "not_seen";
}

// Evidence quotes what a server sent: a terminal must not act on it.
std::string printable(std::string_view text) {
  std::string safe(text);
  std::replace_if(
      safe.begin(), safe.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      '?');
  return safe;
}

}  // namespace

int Report::count(Verdict verdict) const {
  return static_cast<int>(std::count_if(results.begin(), results.end(),
                                        [&](const RuleResult& result) { return result.verdict == verdict; }));
}

std::string write_text(const Report& report) {
  if (!report.could_fetch)
    return say("cannot judge ", printable(report.url), ": ", printable(report.problem), "\n");
  std::string text;
  for (const auto& result : report.results) {
    const RuleFacts& facts = facts_of(result.rule);
    text += say(name_of(result.verdict), " ", facts.id, facts.id.size() == 2 ? "  " : " ", facts.title);
    if (result.verdict == Verdict::kPass) {
      text += say(" (", result.checks, result.checks == 1 ? " check)" : " checks)");
    } else {
      text += say(": ", printable(result.evidence));
      std::uint64_t broken = result.verdict == Verdict::kFail ? result.fails : result.warns;
      if (broken) text += say(" (", broken, " of ", result.checks, " checks)");
    }
    text += '\n';
  }
  text += say(report.is_low_latency ? "LL-HLS" : "plain HLS, judged by the general rules only", ": ",
              report.count(Verdict::kPass), " passed, ", report.count(Verdict::kFail), " failed, ",
              report.count(Verdict::kWarn), " warned, ",
              report.count(Verdict::kNotSeen) + report.count(Verdict::kNotAsked), " not seen; ",
              report.playlists, " playlists, ", report.reloads, " reloads, ", report.parts, " parts, ",
              report.segments, " segments in ", report.watched, " s\n");
  return text;
}

std::string write_json(const Report& report) {
  std::string text =
      say("{\"url\":", json_string(report.url), ",\"exit_code\":", report.exit_code(),
          ",\"low_latency\":", report.is_low_latency ? "true" : "false", ",\"seconds\":", report.watched,
          ",\"playlists\":", report.playlists, ",\"reloads\":", report.reloads, ",\"parts\":", report.parts,
          ",\"segments\":", report.segments);
  if (!report.could_fetch) text += say(",\"problem\":", json_string(report.problem));
  text += ",\"rules\":[";
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const RuleResult& result = report.results[i];
    const RuleFacts& facts = facts_of(result.rule);
    text += say(i ? ",\n" : "\n", "{\"id\":\"", facts.id, "\",\"level\":\"", std::string(1, facts.level),
                "\",\"verdict\":\"", json_verdict(result.verdict), "\",\"title\":", json_string(facts.title),
                ",\"checks\":", result.checks, ",\"fails\":", result.fails, ",\"warns\":", result.warns,
                ",\"evidence\":", json_string(result.evidence), "}");
  }
  return text + "\n]}\n";
}

}  // namespace stoa::check
