#include "check/rendition_rules.h"

#include <algorithm>

#include "check/url.h"

namespace stoa::check {
namespace {

constexpr Duration kMappingSlack = Duration::milliseconds(50);
constexpr Duration kStepSlack = Duration::milliseconds(150);

const Rendition* find_rendition(const std::vector<Rendition>& all, const std::string& url) {
  for (const auto& rendition : all) {
    if (without_directives(rendition.url) == url) return &rendition;
  }
  return nullptr;
}

const InitFacts* find_init(const std::map<std::string, InitRecord>& inits, const std::string& key) {
  auto found = inits.find(key);
  return found == inits.end() || !found->second.facts ? nullptr : &*found->second.facts;
}

Duration median(std::vector<Duration> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void judge_same(const Rendition& a, const Rendition& b, Ledger& ledger) {
  if (!a.list || !b.list || a.is_iframes || b.is_iframes) return;
  ledger.require(Rule::kL3, a.list->server_control == b.list->server_control,
                 "SERVER-CONTROL differs between ", a.name, " and ", b.name);
  ledger.require(Rule::kX2, a.list->target_duration_s == b.list->target_duration_s,
                 "TARGETDURATION differs between ", a.name, " and ", b.name);
  if (a.edge_delays.size() >= 4 && b.edge_delays.size() >= 4 && a.list->part_target) {
    Duration apart = (median(a.edge_delays) - median(b.edge_delays)).abs();
    ledger.require(Rule::kL13, apart <= *a.list->part_target + kStepSlack, a.name, " and ", b.name, " are ",
                   apart, " s out of step at the live edge");
  }
}

void judge_timelines(const Rendition& a, const Rendition& b, Ledger& ledger) {
  if (a.is_iframes || b.is_iframes) return;
  Duration target = Duration::seconds(static_cast<std::int64_t>(
      a.list ? std::min<std::uint64_t>(a.list->target_duration_s.value_or(1), 1'000'000) : 1));
  for (const auto& x : a.judged) {
    const SegmentFacts* y = b.find_judged(x.msn);
    if (!y || !x.start || !y->start) continue;
    ledger.require(Rule::kX2, x.discontinuity_sequence == y->discontinuity_sequence, "segment ", x.msn,
                   " has discontinuity number ", x.discontinuity_sequence, " in ", a.name, ", ",
                   y->discontinuity_sequence, " in ", b.name);
    Duration apart = (*x.start - *y->start).abs();
    ledger.require(Rule::kX2, apart < target, "segment ", x.msn, " starts ", apart, " s apart in ", a.name,
                   " and ", b.name);
    if (!x.program_date_time || !y->program_date_time) continue;
    Duration mapping = (*x.program_date_time - *y->program_date_time) - (*x.start - *y->start);
    ledger.require(Rule::kL13, mapping.abs() <= kMappingSlack, "segment ", x.msn,
                   " maps to PROGRAM-DATE-TIME ", mapping, " s apart in ", a.name, " and ", b.name);
  }
}

double peak_of(const Rendition& rendition) {
  double peak = 0;
  for (const auto& segment : rendition.judged) {
    if (segment.duration >= Duration::milliseconds(500)) {
      peak = std::max(peak, static_cast<double>(segment.size_bytes) * 8 / segment.duration.as_seconds());
    }
  }
  return peak;
}

void judge_codecs(const m3u8::Variant& variant, const Rendition& rendition,
                  const std::map<std::string, InitRecord>& inits, Ledger& ledger) {
  if (variant.codecs.empty() || rendition.judged.empty()) return;
  const InitFacts* init = find_init(inits, rendition.judged.back().init_key);
  if (!init) return;
  std::string list = "," + variant.codecs + ",";
  std::erase(list, ' ');
  for (const auto& track : init->tracks) {
    bool has_family = list.find("," + track.sample_entry + ".") != std::string::npos ||
                      list.find("," + track.sample_entry + ",") != std::string::npos ||
                      (track.sample_entry == "Opus" && list.find(",opus,") != std::string::npos);
    if (!ledger.require(Rule::kX1, has_family, "CODECS \"", variant.codecs, "\" lacks ", track.codec, " of ",
                        rendition.name)) {
      continue;
    }
    bool is_exact =
        list.find("," + track.codec + ",") != std::string::npos || track.codec == track.sample_entry;
    ledger.expect(Rule::kX1, is_exact, "CODECS \"", variant.codecs, "\" but ", rendition.name, " is ",
                  track.codec);
    if (track.handler == "vide" && variant.resolution && track.width) {
      ledger.expect(Rule::kX1,
                    variant.resolution->first == track.width && variant.resolution->second == track.height,
                    "RESOLUTION ", variant.resolution->first, "x", variant.resolution->second, " but ",
                    rendition.name, " is ", track.width, "x", track.height);
    }
  }
}

void judge_variant(const m3u8::MultivariantPlaylist& multivariant, const std::string& base,
                   const m3u8::Variant& variant, const std::vector<Rendition>& all,
                   const std::map<std::string, InitRecord>& inits, Ledger& ledger) {
  const Rendition* own = find_rendition(all, without_directives(resolve(base, variant.uri)));
  if (!own) return;
  judge_codecs(variant, *own, inits, ledger);
  double peak = peak_of(*own), audio_peak = 0;
  for (const auto& option : multivariant.media) {
    if (option.type != "AUDIO" || option.group_id != variant.audio || option.uri.empty()) continue;
    const Rendition* audio = find_rendition(all, without_directives(resolve(base, option.uri)));
    if (!audio || audio == own) continue;
    judge_codecs(variant, *audio, inits, ledger);
    audio_peak = std::max(audio_peak, peak_of(*audio));
  }
  auto told = static_cast<double>(variant.bandwidth.value_or(0));
  auto measured = static_cast<std::uint64_t>(peak + audio_peak);
  if (peak <= 0 || told <= 0) return;
  if (ledger.require(Rule::kX1, peak + audio_peak <= told * 1.25, own->name, " peaks at ", measured,
                     " bit/s, BANDWIDTH says ", *variant.bandwidth)) {
    ledger.expect(Rule::kX1, peak + audio_peak <= told, own->name, " peaks at ", measured,
                  " bit/s, BANDWIDTH says ", *variant.bandwidth);
  }
}

}  // namespace

void judge_reports(const Rendition& self, const std::vector<Rendition>& all, const m3u8::MediaPlaylist& list,
                   Timestamp first_byte, Duration slack, Ledger& ledger) {
  if (!list.has_parts() || list.has_end_list) return;
  for (const auto& report : list.reports) {
    ledger.expect(Rule::kL12, Url::parse(report.uri).scheme.empty(), self.name, " line ", report.line,
                  " RENDITION-REPORT with an absolute URI");
    const Rendition* other = find_rendition(all, without_directives(resolve(self.url, report.uri)));
    if (!ledger.require(Rule::kL12, other != nullptr, self.name, " line ", report.line, " reports ",
                        report.uri, ", which is no media playlist of this presentation")) {
      continue;
    }
    ledger.require(Rule::kL12, other != &self, self.name, " line ", report.line, " reports itself");
    Position own = edge_of(list);
    Position told{report.last_msn.value_or(own.msn),
                  report.last_part ? static_cast<std::int64_t>(*report.last_part) : own.part};
    for (auto seen = other->arrivals.rbegin(); seen != other->arrivals.rend(); ++seen) {
      if (seen->at + slack > first_byte) continue;
      ledger.require(Rule::kL12, told >= seen->edge, self.name, " line ", report.line, " reports ",
                     other->name, " at ", told.msn, ".", told.part, ", seen ", first_byte - seen->at,
                     " s earlier at ", seen->edge.msn, ".", seen->edge.part);
      break;
    }
  }
  for (const auto& other : all) {
    if (&other == &self || other.is_iframes || !other.list) continue;
    auto count = std::count_if(list.reports.begin(), list.reports.end(), [&](const auto& report) {
      return without_directives(resolve(self.url, report.uri)) == without_directives(other.url);
    });
    ledger.require(Rule::kL12, count == 1, self.name, " has ", count, " RENDITION-REPORTs for ", other.name);
  }
}

void judge_together(const m3u8::MultivariantPlaylist* multivariant, const std::string& multivariant_url,
                    const std::vector<Rendition>& all, const std::map<std::string, InitRecord>& inits,
                    Ledger& ledger) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t k = i + 1; k < all.size(); ++k) {
      judge_same(all[i], all[k], ledger);
      judge_timelines(all[i], all[k], ledger);
    }
  }
  if (!multivariant) return;
  for (const auto& variant : multivariant->variants) {
    judge_variant(*multivariant, multivariant_url, variant, all, inits, ledger);
    const Rendition* own = find_rendition(all, without_directives(resolve(multivariant_url, variant.uri)));
    if (!own || own->media_urgency < 0) continue;
    for (const auto& lower : multivariant->variants) {
      const Rendition* other = find_rendition(all, without_directives(resolve(multivariant_url, lower.uri)));
      if (!other || other->media_urgency < 0 || lower.bandwidth >= variant.bandwidth) continue;
      ledger.expect(Rule::kT2, own->media_urgency >= other->media_urgency, own->name,
                    " has more bits and is more urgent than ", other->name);
    }
  }
}

}  // namespace stoa::check
