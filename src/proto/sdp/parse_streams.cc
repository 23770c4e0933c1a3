// What a section says of its streams: msid, SSRCs and their groups, rids, simulcast.
#include <algorithm>
#include <array>

#include "proto/sdp/reader.h"

namespace stoa::sdp {
namespace {

// "stream track", "- track" or "stream".
std::optional<Msid> read_msid(std::string_view text) {
  Words words(text);
  std::string_view stream = words.take(), track = words.take();
  if (!is_visible(stream, kTokenBytesMax) || !words.take().empty()) return std::nullopt;
  if (!track.empty() && !is_visible(track, kTokenBytesMax)) return std::nullopt;
  return Msid{stream == "-" ? std::string() : std::string(stream), std::string(track)};
}

bool is_rid(std::string_view text) {
  return !text.empty() && text.size() <= kRidBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
}

enum class Restriction : std::uint8_t { kRead, kUnknown, kBad };

Restriction as_restriction(bool is_read) { return is_read ? Restriction::kRead : Restriction::kBad; }

bool read_amount(std::string_view text, std::optional<std::uint32_t>& amount) {
  auto value = parse_number(text, UINT32_MAX);
  if (value) amount = static_cast<std::uint32_t>(*value);
  return value.has_value();
}

// "30" or "29.97", in thousandths.
bool read_rate(std::string_view text, std::optional<std::uint32_t>& thousandths) {
  auto [whole, fraction, has_fraction] = split_at(text, '.');
  auto value = parse_number(whole, 1'000'000);
  if (!value || (has_fraction && !parse_number(fraction))) return false;
  std::uint64_t sum = *value * 1000, weight = 100;
  for (char digit : fraction.substr(0, 3)) {
    sum += static_cast<std::uint64_t>(digit - '0') * weight;
    weight /= 10;
  }
  thousandths = static_cast<std::uint32_t>(sum);
  return true;
}

bool read_types(std::string_view text, std::vector<std::uint8_t>& types) {
  for (Words words(text, ',');;) {
    std::string_view word;
    if (!words.next(word)) return !types.empty();
    auto type = parse_number(word, 127);
    if (!type || std::find(types.begin(), types.end(), *type) != types.end()) return false;
    types.push_back(static_cast<std::uint8_t>(*type));
  }
}

bool read_depends(std::string_view text, std::vector<std::string>& depends) {
  for (Words words(text, ',');;) {
    std::string_view word;
    if (!words.next(word)) return !depends.empty();
    if (!is_rid(word) || depends.size() == kRidDependsMax) return false;
    depends.emplace_back(word);
  }
}

Restriction read_restriction(std::string_view name, std::string_view value, Rid& rid) {
  if (name == "pt") return as_restriction(read_types(value, rid.payload_types));
  if (name == "depend") return as_restriction(read_depends(value, rid.depends));
  if (name == "max-fps") return as_restriction(read_rate(value, rid.max_millifps));
  static constexpr std::array<std::pair<std::string_view, std::optional<std::uint32_t> Rid::*>, 5> kAmounts =
      {{
          {"max-width", &Rid::max_width},
          {"max-height", &Rid::max_height},
          {"max-fs", &Rid::max_fs},
          {"max-br", &Rid::max_br},
          {"max-pps", &Rid::max_pps},
      }};
  for (auto& [known, member] : kAmounts) {
    if (known == name) return as_restriction(read_amount(value, rid.*member));
  }
  return Restriction::kUnknown;
}

std::optional<std::vector<SimulcastStream>> read_streams(std::string_view text) {
  std::vector<SimulcastStream> streams;
  for (Words list(text, ';');;) {
    std::string_view words;
    if (!list.next(words)) break;
    SimulcastStream stream;
    for (Words alternatives(words, ',');;) {
      std::string_view word;
      if (!alternatives.next(word)) break;
      bool is_paused = word.starts_with('~');
      if (is_paused) word.remove_prefix(1);
      if (!is_rid(word) || stream.size() == kAlternativesMax) return std::nullopt;
      stream.push_back({std::string(word), is_paused});
    }
    if (stream.empty() || streams.size() == kSimulcastStreamsMax) return std::nullopt;
    streams.push_back(std::move(stream));
  }
  if (streams.empty()) return std::nullopt;
  return streams;
}

bool has_rid_twice(const std::vector<SimulcastStream>& streams) {
  std::vector<std::string_view> rids;
  for (const SimulcastStream& stream : streams) {
    for (const SimulcastAlternative& alternative : stream) rids.push_back(alternative.rid);
  }
  std::sort(rids.begin(), rids.end());
  return std::adjacent_find(rids.begin(), rids.end()) != rids.end();
}

}  // namespace

Reader::Outcome Reader::handle_msid(std::string_view value) {
  if (!section().is_rtp()) return {};
  auto msid = read_msid(value);
  if (!msid) return refuse(Refusal::kBadMsid);
  if (section().msids.size() == kMsidsMax) return refuse(Refusal::kTooMany);
  section().msids.push_back(std::move(*msid));
  return {};
}

Reader::Outcome Reader::handle_ssrc(std::string_view value) {
  if (!section().is_rtp()) return {};
  auto [number, attribute, has_attribute] = split_at(value, ' ');
  auto ssrc = parse_number(number, UINT32_MAX);
  if (!ssrc) return refuse(Refusal::kBadSource);
  auto& sources = section().sources;
  auto source =
      std::find_if(sources.begin(), sources.end(), [&](auto& known) { return known.ssrc == *ssrc; });
  if (source == sources.end()) {
    if (sources.size() == kSourcesMax) return refuse(Refusal::kTooMany);
    sources.push_back({.ssrc = static_cast<std::uint32_t>(*ssrc)});
    source = sources.end() - 1;
  }
  auto [name, text, has_text] = split_at(trim(attribute), ':');
  if (name == "cname") {
    if (!is_visible(text, kTokenBytesMax)) return refuse(Refusal::kBadSource);
    source->cname = text;
  } else if (name == "msid") {
    source->msid = read_msid(text);
    if (!source->msid) return refuse(Refusal::kBadMsid);
  }
  return {};
}

Reader::Outcome Reader::handle_ssrc_group(std::string_view value) {
  if (!section().is_rtp()) return {};
  static constexpr std::array<std::string_view, 3> kSemantics = {"FID", "FEC-FR", "SIM"};
  Words words(value);
  std::string_view semantics = words.take();
  SourceGroup group;
  for (std::string_view word; words.next(word);) {
    auto ssrc = parse_number(word, UINT32_MAX);
    bool is_twice = ssrc && std::find(group.ssrcs.begin(), group.ssrcs.end(), *ssrc) != group.ssrcs.end();
    if (!ssrc || is_twice) return refuse(Refusal::kBadSourceGroup);
    if (group.ssrcs.size() == kSourcesInGroupMax) return refuse(Refusal::kTooMany);
    group.ssrcs.push_back(static_cast<std::uint32_t>(*ssrc));
  }
  if (!is_token(semantics, kNameBytesMax) || group.ssrcs.empty()) return refuse(Refusal::kBadSourceGroup);
  auto found = std::find(kSemantics.begin(), kSemantics.end(), semantics);
  if (found == kSemantics.end()) return {};
  group.semantics = static_cast<GroupSemantics>(found - kSemantics.begin());
  if (section().source_groups.size() == kSourceGroupsMax) return refuse(Refusal::kTooMany);
  section().source_groups.push_back(std::move(group));
  return {};
}

Reader::Outcome Reader::handle_rid(std::string_view value) {
  if (!section().is_rtp()) return {};
  Words words(value);
  std::string_view id = words.take(), direction = words.take();
  Rid rid{.id = std::string(id.substr(0, kRidBytesMax)), .is_send = direction == "send"};
  bool is_known_direction = rid.is_send || direction == "recv";
  if (!is_rid(id) || !is_known_direction || section().find_rid(id)) return refuse(Refusal::kBadRid);
  bool is_understood = true;
  for (Words restrictions(trim(words.rest()), ';');;) {
    std::string_view restriction;
    if (!restrictions.next(restriction)) break;
    auto [name, text, has_text] = split_at(trim(restriction), '=');
    Restriction outcome = read_restriction(name, text, rid);
    if (outcome == Restriction::kBad) return refuse(Refusal::kBadRid);
    is_understood &= outcome == Restriction::kRead;
  }
  if (!is_understood) return {};
  if (section().rids.size() == kRidsMax) return refuse(Refusal::kTooMany);
  section().rids.push_back(std::move(rid));
  return {};
}

Reader::Outcome Reader::handle_simulcast(std::string_view value) {
  if (!section().is_rtp()) return {};
  if (section().simulcast) return refuse(Refusal::kDuplicate);
  Simulcast simulcast;
  Words words(value);
  for (std::string_view direction; words.next(direction);) {
    bool is_send = direction == "send";
    auto& streams = is_send ? simulcast.send : simulcast.receive;
    auto read = read_streams(words.take());
    if ((!is_send && direction != "recv") || !streams.empty() || !read || has_rid_twice(*read)) {
      return refuse(Refusal::kBadSimulcast);
    }
    streams = std::move(*read);
  }
  if (simulcast.send.empty() && simulcast.receive.empty()) return refuse(Refusal::kBadSimulcast);
  section().simulcast = std::move(simulcast);
  return {};
}

// RFC 8851 §6: payload types that the section has not are taken out; a rid left with none goes.
void Reader::settle_rids() {
  auto& rids = section().rids;
  std::erase_if(rids, [&](Rid& rid) {
    std::size_t before = rid.payload_types.size();
    std::erase_if(rid.payload_types, [&](std::uint8_t type) { return !open_.listed[type]; });
    return before > 0 && rid.payload_types.empty();
  });
}

// RFC 8853 §5.1: streams without a rid line of their direction do not count.
void Reader::settle_simulcast() {
  if (!section().simulcast) return;
  auto settle = [&](std::vector<SimulcastStream>& streams, bool is_send) {
    for (SimulcastStream& stream : streams) {
      std::erase_if(stream, [&](const SimulcastAlternative& alternative) {
        const Rid* rid = section().find_rid(alternative.rid);
        return !rid || rid->is_send != is_send;
      });
    }
    std::erase_if(streams, [](const SimulcastStream& stream) { return stream.empty(); });
  };
  settle(section().simulcast->send, true);
  settle(section().simulcast->receive, false);
  if (section().simulcast->send.empty() && section().simulcast->receive.empty()) section().simulcast.reset();
}

}  // namespace stoa::sdp
