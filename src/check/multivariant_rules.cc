#include <algorithm>
#include <set>

#include "check/rendition_rules.h"

namespace stoa::check {
namespace {

using m3u8::MultivariantPlaylist;

void judge_variants(const std::string& name, const MultivariantPlaylist& list, Ledger& ledger) {
  for (const auto* variants : {&list.variants, &list.iframe_variants}) {
    for (const auto& variant : *variants) {
      ledger.require(Rule::kX1, variant.bandwidth.value_or(0) > 0, name, " line ", variant.line,
                     " has no BANDWIDTH");
      ledger.expect(Rule::kX1, !variant.codecs.empty(), name, " line ", variant.line, " has no CODECS");
      ledger.require(
          Rule::kX1,
          !variant.average_bandwidth || *variant.average_bandwidth <= variant.bandwidth.value_or(0), name,
          " line ", variant.line, " AVERAGE-BANDWIDTH is above BANDWIDTH");
      auto group_exists = [&](std::string_view type, const std::string& id) {
        return id.empty() || std::any_of(list.media.begin(), list.media.end(), [&](const auto& option) {
                 return option.type == type && option.group_id == id;
               });
      };
      ledger.require(Rule::kX1,
                     group_exists("AUDIO", variant.audio) && group_exists("VIDEO", variant.video) &&
                         group_exists("SUBTITLES", variant.subtitles),
                     name, " line ", variant.line, " names a group that does not exist");
    }
  }
  auto says_none = [](const auto& variant) { return variant.closed_captions == "NONE"; };
  bool any = std::any_of(list.variants.begin(), list.variants.end(), says_none);
  bool all = std::all_of(list.variants.begin(), list.variants.end(), says_none);
  if (any) ledger.require(Rule::kX1, all, name, " says CLOSED-CAPTIONS=NONE on some variants only");
  ledger.require(Rule::kX1, !list.variants.empty(), name, " has no variant");
  for (const auto& key : list.session_keys) {
    ledger.require(Rule::kX1, key.method != "NONE", name, " SESSION-KEY with METHOD=NONE");
  }
}

void judge_media_options(const std::string& name, const MultivariantPlaylist& list, Ledger& ledger) {
  std::set<std::string> names, defaults;
  for (const auto& option : list.media) {
    std::string group = option.type + "\n" + option.group_id;
    ledger.require(Rule::kX1, names.insert(group + "\n" + option.name).second, name, " line ", option.line,
                   " NAME ", option.name, " twice in its group");
    if (option.is_default) {
      ledger.require(Rule::kX1, defaults.insert(group).second, name, " line ", option.line,
                     " a second DEFAULT=YES in its group");
      ledger.require(Rule::kX1, !option.has_autoselect || option.autoselect, name, " line ", option.line,
                     " DEFAULT=YES with AUTOSELECT=NO");
    }
    ledger.require(Rule::kX1, option.type != "SUBTITLES" || !option.uri.empty(), name, " line ", option.line,
                   " SUBTITLES without URI");
    ledger.require(Rule::kX1, option.type != "CLOSED-CAPTIONS" || option.uri.empty(), name, " line ",
                   option.line, " CLOSED-CAPTIONS with URI");
    if (option.type == "AUDIO") {
      ledger.expect(Rule::kX1, !option.channels.empty(), name, " line ", option.line,
                    " AUDIO without CHANNELS");
    }
  }
}

void judge_steering(const std::string& name, const MultivariantPlaylist& list, Ledger& ledger) {
  if (list.steering.empty()) return;
  ledger.require(Rule::kC1, list.steering.size() == 1, name, " line ", list.steering.back().line,
                 " CONTENT-STEERING twice");
  const auto& steering = list.steering.front();
  std::string first = steering.pathway_id;
  if (!first.empty()) {
    bool exists = std::any_of(list.variants.begin(), list.variants.end(), [&](const auto& variant) {
      return (variant.pathway_id.empty() ? "." : variant.pathway_id) == first;
    });
    ledger.require(Rule::kC1, exists, name, " line ", steering.line, " PATHWAY-ID ", first,
                   " has no variant");
  }
  ledger.require(Rule::kC1, !steering.server_uri.empty(), name, " line ", steering.line, " no SERVER-URI");
}

}  // namespace

void judge_multivariant(const std::string& name, const MultivariantPlaylist& list, Ledger& ledger) {
  const auto& floor = list.version_floor;
  ledger.require(Rule::kG3, list.version >= floor.version, name, " VERSION ", list.version, " but ",
                 floor.reason, " (line ", floor.line, ") needs ", floor.version);
  judge_variants(name, list, ledger);
  judge_media_options(name, list, ledger);
  judge_steering(name, list, ledger);
}

}  // namespace stoa::check
