#include "check/ledger.h"

namespace stoa::check {
namespace {

constexpr std::array<RuleFacts, kRules> kFacts = {{
    {"G1", 'M', "playlists are well-formed UTF-8 text that begins with #EXTM3U"},
    {"G2", 'S', "VERSION is not higher than needed"},
    {"G3", 'M', "VERSION is as high as the tags need"},
    {"G4", 'M', "media and multivariant tags are not mixed"},
    {"G5", 'M', "playlists arrive whole"},
    {"G6", 'M', "reloads only append, and remove from the front"},
    {"G7", 'M', "TARGETDURATION present, never changed, never exceeded"},
    {"G8", 'M', "MEDIA-SEQUENCE rises by one a removal and never falls"},
    {"G9", 'M', "DISCONTINUITY-SEQUENCE keeps every segment's number"},
    {"G10", 'M', "a live playlist never shrinks below 3 target durations"},
    {"G11", 'M', "removed segments can still be fetched"},
    {"G12", 'M', "a new segment within 1.5 target durations"},
    {"G13", 'M', "a new part within one PART-TARGET"},
    {"G14", 'M', "PLAYLIST-TYPE does not contradict a live playlist"},
    {"G15", 'M', "nothing follows ENDLIST"},
    {"G16", 'M', "media comes at full speed the moment it is listed"},
    {"G17", 'S', "playlists are compressed when asked for"},
    {"G18", 'M', "DISCONTINUITY wherever format or timestamps change"},
    {"G19", 'S', "PROGRAM-DATE-TIME on every segment with DISCONTINUITY"},
    {"G20", 'M', "parts of a GAP segment are marked GAP=YES"},
    {"L1", 'M', "PART-TARGET present and unchanged"},
    {"L2", 'M', "SERVER-CONTROL complete, large enough and unchanged"},
    {"L3", 'M', "SERVER-CONTROL the same in every media playlist"},
    {"L4", 'M', "parts have a URI and 85 to 100 % of PART-TARGET"},
    {"L5", 'M', "tags of a segment stand before its first part"},
    {"L6", 'M', "the union of the parts is the segment, with the durations told"},
    {"L7", 'M', "old parts leave the playlist and can still be fetched"},
    {"L8", 'S', "no parts in I-frame playlists"},
    {"L9", 'M', "one PRELOAD-HINT names the next part"},
    {"L10", 'M', "a hinted part can be requested at once and comes when it is whole"},
    {"L11", 'S', "a withdrawn hint is answered 404"},
    {"L12", 'M', "a fresh RENDITION-REPORT for every other media playlist"},
    {"L13", 'M', "PROGRAM-DATE-TIME everywhere, renditions in step"},
    {"D1", 'M', "_HLS_msn holds until the segment is listed"},
    {"D2", 'M', "_HLS_msn and _HLS_part hold until the part is listed"},
    {"D3", 'M', "a part beyond the last is part 0 of the next segment"},
    {"D4", 'M', "an old _HLS_msn is answered at once with the playlist"},
    {"D5", 'M', "directives are ignored after ENDLIST"},
    {"D6", 'S', "a far _HLS_msn or _HLS_part is answered 400 at once"},
    {"D7", 'M', "_HLS_part without _HLS_msn is answered 400"},
    {"D8", 'S', "a request held over 3 target durations is answered 503"},
    {"D9", 'S', "unknown resources are answered 404"},
    {"D10", 'M', "delta updates skip what they may, and only that"},
    {"D11", 'M', "unknown _HLS_ directives change nothing"},
    {"D12", 'M', "the same request gives the same playlist"},
    {"T1", 'M', "playlists and media over HTTP/2 or HTTP/3"},
    {"T2", 'R', "responses carry RFC 9218 priorities"},
    {"T3", 'M', "Range requests are answered right"},
    {"T4", 'R', "TLS 1.3"},
    {"T5", 'S', "caches tell Age"},
    {"T6", 'R', "Cache-Control as Appendix B.1 advises"},
    {"T7", 'M', "Content-Type, CORS, Vary and HEAD"},
    {"T8", 'M', "no Age from an origin"},
    {"V1", 'M', "EXT-X-DEFINE is right and every variable is defined"},
    {"X1", 'M', "the multivariant playlist tells the truth"},
    {"X2", 'M', "renditions match in time and discontinuities"},
    {"A1", 'M', "DATERANGEs have an ID, a start and do not change"},
    {"C1", 'M', "CONTENT-STEERING once, with pathways that exist"},
}};

bool belongs_to_low_latency(Rule rule) {
  return (rule >= Rule::kL1 && rule <= Rule::kD12) || (rule >= Rule::kT1 && rule <= Rule::kT8) ||
         rule == Rule::kG13;
}

}  // namespace

const RuleFacts& facts_of(Rule rule) { return kFacts[static_cast<std::size_t>(rule)]; }

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "PASS";
    case Verdict::kFail: return "FAIL";
    case Verdict::kWarn: return "WARN";
    case Verdict::kNotSeen:
    case Verdict::kNotAsked: return "----";
  }
  return "----";
}

void Ledger::fail(Rule rule, std::string evidence) {
  Entry& entry = at(rule);
  ++entry.checks;
  if (entry.fails++ == 0) entry.first_fail = std::move(evidence);
}

void Ledger::warn(Rule rule, std::string evidence) {
  Entry& entry = at(rule);
  ++entry.checks;
  if (entry.warns++ == 0) entry.first_warn = std::move(evidence);
}

RuleResult Ledger::result(Rule rule) const {
  const Entry& entry = entries_[static_cast<std::size_t>(rule)];
  RuleResult result{.rule = rule, .checks = entry.checks, .fails = entry.fails, .warns = entry.warns};
  if (!is_low_latency_ && belongs_to_low_latency(rule)) {
    result.verdict = Verdict::kNotAsked;
    result.evidence = "not a low-latency stream";
  } else if (entry.fails) {
    result.verdict = Verdict::kFail;
    result.evidence = entry.first_fail;
  } else if (entry.warns) {
    result.verdict = Verdict::kWarn;
    result.evidence = entry.first_warn;
  } else if (entry.checks) {
    result.verdict = Verdict::kPass;
  } else {
    result.evidence = "not seen in this run";
  }
  return result;
}

std::vector<RuleResult> Ledger::results() const {
  std::vector<RuleResult> all;
  for (std::size_t i = 0; i < kRules; ++i) all.push_back(result(static_cast<Rule>(i)));
  return all;
}

}  // namespace stoa::check
