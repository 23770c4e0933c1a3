#include "check/probes.h"

#include <algorithm>

#include "check/url.h"

namespace stoa::check {
namespace {

constexpr std::uint64_t kRangeBytes = 100;

std::uint64_t advance_part_limit(const m3u8::MediaPlaylist& list) {
  if (!list.part_target || *list.part_target >= Duration::seconds(1) || list.part_target->ns() <= 0) return 3;
  return static_cast<std::uint64_t>(Duration::seconds(3) / *list.part_target) + 1;
}

// The name of a resource that is not there, beside one that is.
std::string unknown_sibling(const std::string& url) {
  std::string name = file_name(url);
  std::size_t dot = name.rfind('.');
  return resolve(
      url, "stoa-check-no-such-resource" + (dot == std::string::npos ? std::string() : name.substr(dot)));
}

const m3u8::Segment* last_complete(const m3u8::MediaPlaylist& list) {
  for (auto segment = list.segments.rbegin(); segment != list.segments.rend(); ++segment) {
    if (segment->is_complete && !segment->is_gap) return &*segment;
  }
  return nullptr;
}

// The body without what may differ between two answers at one edge: reports and metadata move by themselves.
std::string comparable(std::string_view text) {
  std::string kept;
  std::string_view line;
  for (m3u8::Lines lines(text); lines.next(line);) {
    if (line.starts_with("#EXT-X-RENDITION-REPORT") || line.starts_with("#EXT-X-DATERANGE")) continue;
    kept += line;
    kept += '\n';
  }
  return kept;
}

void expect_status(const Probe& probe, const Exchange& exchange, int status, Rule rule, bool is_must,
                   Duration prompt, Ledger& ledger) {
  std::string evidence =
      exchange.status == 0 ? say(probe.name, " ", probe.url, " was not answered: ", exchange.failure)
                           : say(probe.name, " ", probe.url, " answered ", exchange.status, ", not ", status);
  bool is_right = exchange.status == status;
  if (is_must) {
    ledger.require(rule, is_right, evidence);
  } else {
    ledger.expect(rule, is_right, evidence);
  }
  if (is_right) {
    ledger.expect(rule, exchange.first_byte - exchange.sent <= prompt, probe.name, " ", probe.url, " took ",
                  exchange.first_byte - exchange.sent, " s");
  }
}

// A probe that must bring a playlist at once.
std::optional<m3u8::MediaPlaylist> expect_playlist(const Probe& probe, const Exchange& exchange, Rule rule,
                                                   Duration prompt, Ledger& ledger) {
  if (!ledger.require(rule, exchange.status == 200, probe.name, " ", probe.url, " answered ", exchange.status,
                      " ", exchange.failure)) {
    return std::nullopt;
  }
  ledger.require(rule, exchange.first_byte - exchange.sent <= prompt, probe.name, " ", probe.url, " took ",
                 exchange.first_byte - exchange.sent, " s");
  return m3u8::parse_media(as_text(exchange.body)).playlist;
}

void judge_range(const Probe& probe, const Exchange& exchange, Ledger& ledger) {
  if (exchange.status == 200) {  // Allowed: a server may ignore Range (RFC 9110 §14.2).
    ledger.expect(Rule::kT3, false, probe.name, " ", probe.url, " ignored Range");
    return;
  }
  if (!ledger.require(Rule::kT3, exchange.status == 206, probe.name, " ", probe.url, " with Range answered ",
                      exchange.status)) {
    return;
  }
  std::string wanted = say("bytes 0-", probe.length - 1, "/");
  ledger.require(Rule::kT3, exchange.header("content-range").starts_with(wanted), probe.name, " ", probe.url,
                 " Content-Range \"", exchange.header("content-range"), "\"");
  ledger.require(Rule::kT3, exchange.body.size() == probe.length, probe.name, " ", probe.url, " gave ",
                 exchange.body.size(), " bytes for a range of ", probe.length);
}

void judge_plain_playlist(const Probe& probe, const Exchange& exchange, Rendition& rendition, Rule rule,
                          Duration prompt, Ledger& ledger) {
  auto list = expect_playlist(probe, exchange, rule, prompt, ledger);
  if (!list) return;
  if (!ledger.require(rule, !list->skip, probe.name, " ", probe.url, " gave a delta update nobody asked for"))
    return;
  judge_same_body(probe.name, *list, as_text(exchange.body), rule, rendition, ledger);
}

std::optional<Probe> make_reload_probe(Probe probe, const Rendition& rendition,
                                       const m3u8::MediaPlaylist& list) {
  const m3u8::Segment& last = list.segments.back();
  bool has_parts = list.has_parts();
  auto ask = [&](const std::string& directives) {
    probe.url = with_query(rendition.url, directives);
    probe.wants_gzip = true;
    return probe;
  };
  switch (probe.kind) {
    case ProbeKind::kPartWithoutMsn: return ask("_HLS_part=0");
    case ProbeKind::kBadMsn: return ask("_HLS_msn=soon");
    case ProbeKind::kFarMsn: return ask(say("_HLS_msn=", last.media_sequence_number + 10));
    case ProbeKind::kFarPart: {
      if (!has_parts) return std::nullopt;
      std::uint64_t msn = last.media_sequence_number + (last.is_complete ? 1 : 0);
      std::uint64_t next = last.is_complete ? 0 : last.parts.size();
      return ask(say("_HLS_msn=", msn, "&_HLS_part=", next + advance_part_limit(list) + 20));
    }
    case ProbeKind::kOldMsn:  // A segment that is still growing is not old: asking for it waits, rightly.
      if (!list.segments.front().is_complete) return std::nullopt;
      return ask(say("_HLS_msn=", list.segments.front().media_sequence_number));
    case ProbeKind::kGoneMsn:
      if (list.media_sequence == 0) return std::nullopt;
      return ask(say("_HLS_msn=", list.media_sequence - 1, has_parts ? "&_HLS_part=0" : ""));
    case ProbeKind::kNextSegment:
      probe.msn = last.media_sequence_number + (last.is_complete ? 1 : 0);
      return ask(say("_HLS_msn=", probe.msn));
    case ProbeKind::kBeyondLast: {
      const m3u8::Segment* segment = last_complete(list);
      if (!segment || segment->parts.empty()) return std::nullopt;
      probe.msn = segment->media_sequence_number;
      probe.part = segment->parts.size();
      return ask(say("_HLS_msn=", probe.msn, "&_HLS_part=", probe.part));
    }
    case ProbeKind::kRepeat: return ask("");
    case ProbeKind::kUnknownDirective: return ask("_HLS_stoa_check=1");
    case ProbeKind::kSkipNotOffered:
      if (list.server_control && list.server_control->can_skip_until) return std::nullopt;
      return ask("_HLS_skip=YES");
    case ProbeKind::kEnded:
      return ask(say("_HLS_msn=", last.media_sequence_number + 100, "&_HLS_part=0&_HLS_skip=YES"));
    default: return std::nullopt;
  }
}

std::optional<Probe> make_resource_probe(Probe probe, const Rendition& rendition,
                                         const m3u8::MediaPlaylist& list) {
  const m3u8::Segment* segment = last_complete(list);
  switch (probe.kind) {
    case ProbeKind::kUnknownPart: {
      if (!segment) return std::nullopt;
      probe.url = unknown_sibling(
          resolve(rendition.url, segment->parts.empty() ? segment->uri : segment->parts[0].uri));
      return probe;
    }
    case ProbeKind::kUnknownPlaylist: probe.url = unknown_sibling(rendition.url); return probe;
    case ProbeKind::kHead:
      probe.url = rendition.url;
      probe.is_head = true;
      return probe;
    case ProbeKind::kIdentity: probe.url = rendition.url; return probe;
    case ProbeKind::kRange:
      if (!segment || segment->range) return std::nullopt;
      probe.url = resolve(rendition.url, segment->uri);
      probe.length = kRangeBytes;
      probe.headers.emplace_back("range", say("bytes=0-", kRangeBytes - 1));
      return probe;
    case ProbeKind::kReport: {
      if (list.reports.empty() || !list.reports.front().last_msn) return std::nullopt;
      const auto& report = list.reports.front();
      probe.msn = *report.last_msn;
      probe.part = report.last_part.value_or(0);
      probe.url = with_query(
          resolve(rendition.url, report.uri),
          report.last_part ? say("_HLS_msn=", probe.msn, "&_HLS_part=", probe.part) : std::string());
      return probe;
    }
    default: return std::nullopt;
  }
}

}  // namespace

const std::vector<ProbeKind>& routine_probes() {
  static const std::vector<ProbeKind> kOrder = {
      ProbeKind::kRepeat,         ProbeKind::kRepeat,          ProbeKind::kUnknownDirective,
      ProbeKind::kPartWithoutMsn, ProbeKind::kFarMsn,          ProbeKind::kFarPart,
      ProbeKind::kOldMsn,         ProbeKind::kGoneMsn,         ProbeKind::kBeyondLast,
      ProbeKind::kNextSegment,    ProbeKind::kReport,          ProbeKind::kBadMsn,
      ProbeKind::kUnknownPart,    ProbeKind::kUnknownPlaylist, ProbeKind::kSkipNotOffered,
      ProbeKind::kHead,           ProbeKind::kIdentity,        ProbeKind::kRange};
  return kOrder;
}

std::optional<Probe> make_probe(ProbeKind kind, const Rendition& rendition) {
  if (!rendition.list || rendition.list->segments.empty()) return std::nullopt;
  Probe probe{.kind = kind, .url = {}, .headers = {}, .name = rendition.name};
  if (auto made = make_reload_probe(probe, rendition, *rendition.list)) return made;
  return make_resource_probe(probe, rendition, *rendition.list);
}

void judge_probe(const Probe& probe, const Exchange& exchange, Rendition& rendition, Duration prompt,
                 Ledger& ledger) {
  switch (probe.kind) {
    case ProbeKind::kPartWithoutMsn:
      return expect_status(probe, exchange, 400, Rule::kD7, true, prompt, ledger);
    case ProbeKind::kBadMsn: return expect_status(probe, exchange, 400, Rule::kD7, false, prompt, ledger);
    case ProbeKind::kFarMsn:
    case ProbeKind::kFarPart: return expect_status(probe, exchange, 400, Rule::kD6, false, prompt, ledger);
    case ProbeKind::kUnknownPart:
    case ProbeKind::kUnknownPlaylist:
      return expect_status(probe, exchange, 404, Rule::kD9, false, prompt, ledger);
    case ProbeKind::kOldMsn:
    case ProbeKind::kGoneMsn:
      return judge_plain_playlist(probe, exchange, rendition, Rule::kD4, prompt, ledger);
    case ProbeKind::kRepeat:
      return judge_plain_playlist(probe, exchange, rendition, Rule::kD12, prompt, ledger);
    case ProbeKind::kUnknownDirective:
      return judge_plain_playlist(probe, exchange, rendition, Rule::kD11, prompt, ledger);
    case ProbeKind::kSkipNotOffered:
      return judge_plain_playlist(probe, exchange, rendition, Rule::kD10, prompt, ledger);
    case ProbeKind::kNextSegment: {
      auto list = expect_playlist(probe, exchange, Rule::kD1, Duration::infinite(), ledger);
      if (list) {
        ledger.require(Rule::kD1, list->has_end_list || has_reached_segment(*list, probe.msn), probe.name,
                       " ", probe.url, " came without segment ", probe.msn);
      }
      return;
    }
    case ProbeKind::kBeyondLast: {
      auto list = expect_playlist(probe, exchange, Rule::kD3, Duration::infinite(), ledger);
      if (list) {
        ledger.require(Rule::kD3, list->has_end_list || has_reached(*list, probe.msn + 1, 0), probe.name, " ",
                       probe.url, " came without part 0 of segment ", probe.msn + 1);
      }
      return;
    }
    case ProbeKind::kReport: {
      auto list = expect_playlist(probe, exchange, Rule::kL12, prompt, ledger);
      if (list) {
        ledger.require(Rule::kL12, has_reached(*list, probe.msn, probe.part), probe.url,
                       " has not what the report in ", probe.name, " says");
      }
      return;
    }
    case ProbeKind::kHead:
      ledger.expect(Rule::kT7, exchange.status == 200 && exchange.body.empty(), "HEAD ", probe.url,
                    " answered ", exchange.status);
      return;
    case ProbeKind::kIdentity:
      ledger.expect(Rule::kG17, exchange.status == 200 && !exchange.has_header("content-encoding"),
                    probe.name, " ", probe.url, " is compressed though nobody asked");
      return;
    case ProbeKind::kRange: return judge_range(probe, exchange, ledger);
    case ProbeKind::kEnded: {
      auto list = expect_playlist(probe, exchange, Rule::kD5, prompt, ledger);
      if (list) {
        ledger.require(Rule::kD5, list->has_end_list && !list->skip, probe.name, " ", probe.url,
                       " did not give the whole ended playlist");
      }
      return;
    }
    case ProbeKind::kRemovedSegment:
      ledger.require(Rule::kG11, exchange.status == 200 || exchange.status == 206, "removed segment ",
                     probe.url, " of ", probe.name, " answered ", exchange.status);
      return;
    case ProbeKind::kRemovedPart:
      ledger.require(Rule::kL7, exchange.status == 200 || exchange.status == 206, "part ", probe.url, " of ",
                     probe.name, ", no longer listed, answered ", exchange.status);
      return;
  }
}

bool has_reached_segment(const m3u8::MediaPlaylist& list, std::uint64_t msn) {
  if (list.segments.empty()) return false;
  const auto& last = list.segments.back();
  return last.media_sequence_number > msn || (last.media_sequence_number == msn && last.is_complete);
}

bool has_reached(const m3u8::MediaPlaylist& list, std::uint64_t msn, std::uint64_t part) {
  if (list.segments.empty()) return false;
  const auto& last = list.segments.back();
  if (last.media_sequence_number < msn) return false;
  const m3u8::Segment* segment = list.find_segment(msn);
  if (!segment || segment->parts.size() > part || (segment->is_complete && segment->parts.empty()))
    return true;
  return segment->is_complete && list.find_segment(msn + 1) != nullptr;
}

void judge_same_body(const std::string& name, const m3u8::MediaPlaylist& list, std::string_view text,
                     Rule rule, Rendition& rendition, Ledger& ledger) {
  Position edge = edge_of(list);
  // A complete segment and its last part before completion are different edges.
  if (!list.segments.empty() && list.segments.back().is_complete) edge.part += 1'000'000;
  std::string body = comparable(text);
  auto [found, is_new] = rendition.bodies.try_emplace(edge, body);
  if (is_new) {
    if (rendition.bodies.size() > 8) rendition.bodies.erase(rendition.bodies.begin());
    return;
  }
  int line_number = 0;
  if (found->second != body) {
    m3u8::Lines a(found->second), b(body);
    std::string_view x, y;
    while (a.next(x) && b.next(y) && x == y) line_number = a.number();
  }
  ledger.require(rule, found->second == body, name, " differs at the same live edge from line ",
                 line_number + 1);
}

}  // namespace stoa::check
