#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>

#include "proto/sdp/negotiate.h"
#include "proto/sdp/section.h"

namespace stoa::sdp {
namespace {

struct Choice {
  const Payload* offered;
  const SupportedCodec* own;
  std::ptrdiff_t own_rank = 0, match_rank = 0;
};

bool is_usable(const Payload& offered) {
  // RFC 5761 §4: with the marker bit these look like RTCP.
  return offered.codec != Codec::kRtx && (offered.type < 64 || offered.type > 95);
}

void choose(const MediaSection& offer, const SupportedCodec& own, ProfileRule rule,
            std::vector<Choice>& choices) {
  for (const Payload& offered : offer.payloads) {
    bool is_taken =
        std::any_of(choices.begin(), choices.end(), [&](auto& choice) { return choice.offered == &offered; });
    if (!is_taken && is_usable(offered) && is_same_format(offered, own.payload, rule))
      choices.push_back({&offered, &own});
  }
}

// What both can do, best first: codecs of our own order, within one those of our very profile first.
std::vector<Choice> choose_codecs(const MediaSection& offer, const MediaSupport& support) {
  std::vector<Choice> choices;
  for (const SupportedCodec& own : support.codecs) choose(offer, own, ProfileRule::kExact, choices);
  for (const SupportedCodec& own : support.codecs) {
    if (own.rule == ProfileRule::kAny) choose(offer, own, ProfileRule::kAny, choices);
  }
  for (Choice& choice : choices) {
    auto first = std::find_if(support.codecs.begin(), support.codecs.end(), [&](const SupportedCodec& other) {
      return other.payload.codec == choice.own->payload.codec;  // Two entries of one codec rank as the first.
    });
    choice.own_rank = first - support.codecs.begin();
    choice.match_rank = &choice - choices.data();
  }
  std::sort(choices.begin(), choices.end(), [&](const Choice& a, const Choice& b) {
    bool has_media = carries_media(a.offered->codec);
    if (has_media != carries_media(b.offered->codec)) return has_media;
    if (!support.prefers_own_order) return a.offered < b.offered;
    return a.own_rank != b.own_rank ? a.own_rank < b.own_rank : a.match_rank < b.match_rank;
  });
  if (support.codecs_max > 0) {
    std::size_t kept = 0;
    std::erase_if(choices, [&](const Choice& choice) {
      return carries_media(choice.offered->codec) && ++kept > support.codecs_max;
    });
  }
  return choices;
}

Payload answer_payload(const Payload& offered, const SupportedCodec& own) {
  Payload payload = offered;
  payload.feedback = offered.feedback & own.payload.feedback;
  payload.format =
      offered.codec == Codec::kRed ? offered.format : answer_format(offered.format, own.payload.format);
  return payload;
}

// Redundancy of what was not taken is not taken either.
bool is_red_of(const Payload& red, const std::vector<Payload>& taken) {
  const auto* format = std::get_if<RedFormat>(&red.format);
  if (!format) return true;
  return std::all_of(format->payload_types.begin(), format->payload_types.end(), [&](std::uint8_t type) {
    return std::any_of(taken.begin(), taken.end(),
                       [&](const Payload& payload) { return payload.type == type; });
  });
}

void answer_codecs(const MediaSection& offer, const MediaSupport& support, MediaSection& answer) {
  std::vector<Payload> repairs;
  for (const Choice& choice : choose_codecs(offer, support)) {
    if (choice.offered->codec == Codec::kRed && !is_red_of(*choice.offered, answer.payloads)) continue;
    answer.payloads.push_back(answer_payload(*choice.offered, *choice.own));
    const Payload* rtx = choice.own->has_rtx ? offer.find_rtx_of(choice.offered->type) : nullptr;
    if (!rtx || rtx->clock_rate != choice.offered->clock_rate || (rtx->type >= 64 && rtx->type <= 95))
      continue;
    repairs.push_back(*rtx);
    repairs.back().feedback = {};
  }
  if (support.prefers_red)
    std::stable_partition(answer.payloads.begin(), answer.payloads.end(),
                          [](const Payload& payload) { return payload.codec == Codec::kRed; });
  answer.payloads.insert(answer.payloads.end(), repairs.begin(), repairs.end());
}

// Ids of 15 and more need the two-byte form, which RFC 8285 §6 lets mix only where both say so.
bool is_usable(const ExtensionMap& map, const MediaSection& offer) {
  return map.id < 15 || map.id >= 4096 || offer.has_extmap_allow_mixed;
}

// The rid as the answer has it (RFC 8851 §6.3); std::nullopt when it is of payload types that were not taken.
std::optional<Rid> answer_rid(const Rid& offered, const MediaSection& answer) {
  Rid rid = offered;
  rid.is_send = false;
  std::erase_if(rid.payload_types, [&](std::uint8_t type) { return !answer.find_payload(type); });
  if (!offered.payload_types.empty() && rid.payload_types.empty()) return std::nullopt;
  return rid;
}

void answer_simulcast(const MediaSection& offer, const MediaSupport& support, MediaSection& answer) {
  bool is_wanted = offer.simulcast && can_receive(answer.direction) &&
                   has_extension(answer, HeaderExtension::kMid) &&
                   has_extension(answer, HeaderExtension::kRid);
  if (!is_wanted) return;
  Simulcast simulcast;
  for (const SimulcastStream& stream : offer.simulcast->send) {
    if (simulcast.receive.size() == support.simulcast_streams_max) break;
    for (const SimulcastAlternative& alternative : stream) {
      const Rid* offered = offer.find_rid(alternative.rid);
      auto rid = offered ? answer_rid(*offered, answer) : std::nullopt;
      if (!rid) continue;
      answer.rids.push_back(std::move(*rid));
      simulcast.receive.push_back({alternative});
      break;
    }
  }
  // A dependency on a stream that was not taken cannot be kept.
  for (Rid& rid : answer.rids) {
    std::erase_if(rid.depends, [&](const std::string& id) { return !answer.find_rid(id); });
  }
  if (!simulcast.receive.empty()) answer.simulcast = std::move(simulcast);
}

MediaSection reject(const MediaSection& offer) {
  MediaSection answer{.kind = offer.kind,
                      .kind_name = offer.kind_name,
                      .port = 0,
                      .protocol = offer.protocol,
                      .formats = offer.formats,
                      .mid = offer.mid,
                      .direction = Direction::kInactive};
  answer.connection_address = kAnyAddress;
  answer.sctp = offer.sctp;
  if (!offer.payloads.empty()) answer.payloads.push_back(offer.payloads.front());
  return answer;
}

class Answerer {
 public:
  Answerer(const SessionDescription& offer, const Local& local, std::span<const SectionIntent> intents)
      : offer_(offer), local_(local), intents_(intents) {}

  Result<SessionDescription, Refusal> make() {
    answer_.session_id = local_.session_id;
    answer_.session_version = local_.session_version;
    answer_.is_ice_lite = local_.is_ice_lite;
    for (const MediaSection& section : offer_.sections) {
      for (const ExtensionMap& map : section.extensions) {
        if (map.id < 15) taken_ids_[map.id] = true;
      }
    }
    for (std::size_t i = 0; i < offer_.sections.size(); ++i) {
      answer_.sections.push_back(reject(offer_.sections[i]));
      if (auto outcome = consider(i); !outcome) return refuse(outcome.error());
    }
    if (accepted_.empty()) return refuse(Refusal::kNoCommonMedia);
    if (auto refusal = find_conflict(answer_)) return refuse(*refusal);
    order_bundle();
    if (auto outcome = add_transport(); !outcome) return refuse(outcome.error());
    return std::move(answer_);
  }

 private:
  using Outcome = Result<void, Refusal>;

  Outcome consider(std::size_t index) {
    const MediaSection& offered = offer_.sections[index];
    if (index >= intents_.size() || offered.is_rejected()) return {};
    if (std::find(group_.begin(), group_.end(), index) == group_.end()) {
      if (!accepted_.empty()) return {};
      group_ = bundle_of(offer_, index);
    }
    const SectionIntent& intent = intents_[index];
    if (intent.source && !is_good(*intent.source)) return refuse(Refusal::kBadMsid);
    MediaSection section =
        offered.kind == MediaKind::kData ? answer_data(offered, intent) : answer_media(offered, intent);
    if (section.port == 0) return {};
    accepted_.push_back(index);
    has_data_ |= section.kind == MediaKind::kData;
    answer_.sections[index] = std::move(section);
    return {};
  }

  MediaSection answer_data(const MediaSection& offered, const SectionIntent& intent) const {
    MediaSection section = reject(offered);
    if (!intent.data || has_data_ || offered.sctp->port == 0) return section;
    section.port = kDiscardPort;
    section.direction = Direction::kSendRecv;
    section.sctp->max_message_bytes = intent.data->max_message_bytes;
    // The old syntax has the port in the m= line, where both must have the same.
    if (!section.sctp->is_old_syntax) section.sctp->port = intent.data->port;
    return section;
  }

  MediaSection answer_media(const MediaSection& offered, const SectionIntent& intent) {
    MediaSection section = reject(offered);
    const MediaSection* transport = find_transport(offer_, group_);
    bool has_mux = offered.has_rtcp_mux || (group_.size() > 1 && transport && transport->has_rtcp_mux);
    if (!offered.is_rtp() || !intent.media || !has_mux) return section;
    const MediaSupport& support = *intent.media;
    section.payloads.clear();
    answer_codecs(offered, support, section);
    if (std::ranges::none_of(section.payloads,
                             [](const Payload& payload) { return carries_media(payload.codec); }))
      return reject(offered);
    section.port = kDiscardPort;
    section.direction = common_direction(reversed(offered.direction), intent.direction);
    section.has_rtcp_mux = true;
    section.has_rtcp_rsize = offered.has_rtcp_rsize && support.has_rtcp_rsize;
    answer_extensions(offered, support, section);
    answer_simulcast(offered, support, section);
    if (can_receive(section.direction)) limit_bandwidth(support, section);
    bool has_rtx = std::any_of(section.payloads.begin(), section.payloads.end(),
                               [](const Payload& payload) { return payload.codec == Codec::kRtx; });
    if (can_send(section.direction) && intent.source) add_source(*intent.source, has_rtx, section);
    return section;
  }

  void answer_extensions(const MediaSection& offer, const MediaSupport& support, MediaSection& section) {
    for (ExtensionMap map : offer.extensions) {
      const auto& known = support.extensions;
      if (std::find(known.begin(), known.end(), map.extension) == known.end() || !is_usable(map, offer))
        continue;
      if (map.id >= 4096) {
        auto id = find_id(map.extension);
        if (!id) continue;
        map.id = *id;
      }
      map.direction = reversed(map.direction);
      section.extensions.push_back(map);
    }
    section.has_extmap_allow_mixed = offer.has_extmap_allow_mixed;
  }

  // For an offer that leaves the id to us (RFC 8285 §7): one that nobody uses, the same in every section.
  std::optional<std::uint16_t> find_id(HeaderExtension extension) {
    auto& known = open_ids_[static_cast<std::size_t>(extension)];
    for (std::uint16_t id = 1; id < 15 && !known; ++id) {
      if (taken_ids_[id]) continue;
      taken_ids_[id] = true;
      known = id;
    }
    return known;
  }

  // The offerer's tag stays the tag where it was taken (RFC 9143 §7.3.1).
  void order_bundle() {
    std::vector<std::string> mids;
    for (std::size_t index : group_) {
      bool is_accepted = std::find(accepted_.begin(), accepted_.end(), index) != accepted_.end();
      if (!is_accepted) continue;
      if (!tag_) tag_ = index;
      mids.push_back(offer_.sections[index].mid);
    }
    if (!offer_.bundles.empty() && !mids.front().empty() && is_bundled(mids.front())) {
      answer_.bundles.push_back(std::move(mids));
    }
  }

  bool is_bundled(std::string_view mid) const {
    return std::any_of(offer_.bundles.begin(), offer_.bundles.end(), [&](const auto& mids) {
      return std::find(mids.begin(), mids.end(), mid) != mids.end();
    });
  }

  Outcome add_transport() {
    const MediaSection* transport = find_transport(offer_, group_);
    if (!transport) return refuse(Refusal::kNoIce);
    if (transport->fingerprints.empty()) return refuse(Refusal::kNoFingerprint);
    DtlsSetup setup = DtlsSetup::kPassive;
    if (transport->setup == DtlsSetup::kHoldconn) return refuse(Refusal::kBadRole);
    if (transport->setup == DtlsSetup::kPassive) setup = DtlsSetup::kActive;
    if (transport->setup == DtlsSetup::kActpass && local_.setup == DtlsSetup::kActive)
      setup = DtlsSetup::kActive;
    // Sections that are rejected need none of it (RFC 9429 §5.3.1), but GStreamer and aiortc throw away an
    // answer in which one has no credentials, no fingerprint or no rtcp-mux.
    for (std::size_t index = 0; index < answer_.sections.size(); ++index) {
      MediaSection& section = answer_.sections[index];
      add_local_transport(local_, setup, section);
      section.has_rtcp_mux =
          section.is_rtp() && (section.has_rtcp_mux || offer_.sections[index].has_rtcp_mux);
    }
    MediaSection& tagged = answer_.sections[*tag_];
    tagged.candidates = local_.candidates;
    tagged.has_end_of_candidates = local_.has_end_of_candidates;
    return {};
  }

  const SessionDescription& offer_;
  const Local& local_;
  std::span<const SectionIntent> intents_;
  SessionDescription answer_;
  std::vector<std::size_t> accepted_;
  std::vector<std::size_t> group_;  // Of the offer; in the end that of all sections that were accepted.
  std::bitset<15> taken_ids_;       // Of header extensions, in the offer.
  std::array<std::optional<std::uint16_t>, kHeaderExtensionCount> open_ids_;
  std::optional<std::size_t> tag_;
  bool has_data_ = false;
};

}  // namespace

Result<SessionDescription, Refusal> make_answer(const SessionDescription& offer, const Local& local,
                                                std::span<const SectionIntent> intents) {
  return Answerer(offer, local, intents).make();
}

}  // namespace stoa::sdp
