#include <algorithm>
#include <iterator>

#include "proto/sdp/negotiate.h"
#include "proto/sdp/section.h"

namespace stoa::sdp {
namespace {

const Payload* find_offered(const MediaSection& offer, const Payload& answered) {
  const Payload* same_type = offer.find_payload(answered.type);
  if (same_type && is_same_format(*same_type, answered, ProfileRule::kAny)) return same_type;
  for (const Payload& offered : offer.payloads) {
    if (is_same_format(offered, answered)) return &offered;
  }
  return nullptr;
}

// The SSRC that repairs `ssrc`, by its FID group.
std::optional<std::uint32_t> find_rtx_ssrc(const MediaSection& section, std::uint32_t ssrc) {
  for (const SourceGroup& group : section.source_groups) {
    bool is_of = group.semantics == GroupSemantics::kFid && group.ssrcs.size() >= 2 && group.ssrcs[0] == ssrc;
    if (is_of) return group.ssrcs[1];
  }
  return std::nullopt;
}

bool is_repairing(const MediaSection& section, std::uint32_t ssrc) {
  return std::any_of(
      section.source_groups.begin(), section.source_groups.end(), [&](const SourceGroup& group) {
        bool is_pair = group.semantics != GroupSemantics::kSim;
        return is_pair && std::find(group.ssrcs.begin() + 1, group.ssrcs.end(), ssrc) != group.ssrcs.end();
      });
}

const Source* find_primary(const MediaSection& section) {
  for (const Source& source : section.sources) {
    if (!is_repairing(section, source.ssrc)) return &source;
  }
  return nullptr;
}

const SimulcastAlternative* find_alternative(const std::vector<SimulcastStream>& streams,
                                             std::string_view rid) {
  for (const SimulcastStream& stream : streams) {
    for (const SimulcastAlternative& alternative : stream) {
      if (alternative.rid == rid) return &alternative;
    }
  }
  return nullptr;
}

// The streams that flow from one to the other.
std::vector<Layer> layers_of(const MediaSection& sender, const MediaSection& receiver) {
  std::vector<Layer> layers;
  if (sender.simulcast && receiver.simulcast) {
    for (const SimulcastStream& stream : receiver.simulcast->receive) {
      for (const SimulcastAlternative& taken : stream) {
        const SimulcastAlternative* sent = find_alternative(sender.simulcast->send, taken.rid);
        if (!sent) continue;
        layers.push_back({.rid = taken.rid, .is_paused = sent->is_paused || taken.is_paused});
        break;
      }
    }
  }
  if (!layers.empty()) return layers;
  for (const SourceGroup& group : sender.source_groups) {
    if (group.semantics != GroupSemantics::kSim) continue;
    for (std::uint32_t ssrc : group.ssrcs) {
      layers.push_back({.ssrc = ssrc, .rtx_ssrc = find_rtx_ssrc(sender, ssrc)});
    }
    return layers;
  }
  Layer only;
  if (const Source* source = find_primary(sender)) {
    only.ssrc = source->ssrc;
    only.rtx_ssrc = find_rtx_ssrc(sender, source->ssrc);
  }
  layers.push_back(std::move(only));
  return layers;
}

std::string cname_of(const MediaSection& section) {
  for (const Source& source : section.sources) {
    if (!source.cname.empty()) return source.cname;
  }
  return {};
}

class Settlement {
 public:
  Settlement(const SessionDescription& offer, const SessionDescription& answer, Side side)
      : offer_(offer), answer_(answer), is_answerer_(side == Side::kAnswerer) {}

  Result<Agreement, Refusal> settle() {
    if (auto outcome = find_accepted(); !outcome) return refuse(outcome.error());
    if (auto refusal = find_conflict(answer_)) return refuse(*refusal);
    if (auto outcome = settle_transport(); !outcome) return refuse(outcome.error());
    for (std::size_t index : accepted_) {
      auto outcome =
          answer_.sections[index].kind == MediaKind::kData ? settle_data(index) : settle_media(index);
      if (!outcome) return refuse(outcome.error());
    }
    return std::move(agreement_);
  }

 private:
  using Outcome = Result<void, Refusal>;

  const SessionDescription& remote() const { return is_answerer_ ? offer_ : answer_; }
  const MediaSection& local_of(std::size_t index) const {
    return is_answerer_ ? answer_.sections[index] : offer_.sections[index];
  }
  const MediaSection& remote_of(std::size_t index) const { return remote().sections[index]; }

  Outcome find_accepted() {
    if (offer_.sections.size() != answer_.sections.size()) return refuse(Refusal::kAnswerMismatch);
    for (std::size_t i = 0; i < offer_.sections.size(); ++i) {
      const MediaSection &offered = offer_.sections[i], &answered = answer_.sections[i];
      if (answered.is_rejected()) continue;
      bool is_fitting = offered.kind == answered.kind && offered.kind != MediaKind::kOther &&
                        offered.mid == answered.mid && !offered.is_rejected();
      if (!is_fitting) return refuse(Refusal::kAnswerMismatch);
      accepted_.push_back(i);
    }
    if (accepted_.empty()) return refuse(Refusal::kNoCommonMedia);
    offer_group_ = bundle_of(offer_, accepted_.front());
    answer_group_ = bundle_of(answer_, accepted_.front());
    for (std::size_t index : accepted_) {
      if (!is_in(offer_group_, index) || !is_in(answer_group_, index))
        return refuse(Refusal::kAnswerMismatch);
    }
    return {};
  }

  static bool is_in(const std::vector<std::size_t>& group, std::size_t index) {
    return std::find(group.begin(), group.end(), index) != group.end();
  }

  Outcome settle_transport() {
    const MediaSection* offered = find_transport(offer_, offer_group_);
    const MediaSection* answered = find_transport(answer_, answer_group_);
    if (!offered || !answered) return refuse(Refusal::kNoIce);
    const MediaSection& peer = is_answerer_ ? *offered : *answered;
    if (peer.fingerprints.empty()) return refuse(Refusal::kNoFingerprint);
    for (std::size_t index : accepted_) {
      const MediaSection& section = answer_.sections[index];
      if (section.is_rtp() && !section.has_rtcp_mux && !answered->has_rtcp_mux)
        return refuse(Refusal::kAnswerMismatch);
    }
    agreement_.remote_ice = *peer.ice;
    agreement_.remote_ice_options = peer.ice_options;
    agreement_.is_remote_ice_lite = remote().is_ice_lite;
    agreement_.remote_fingerprints = peer.fingerprints;
    agreement_.remote_tls_id = peer.tls_id;
    for (std::size_t index : accepted_) {
      const MediaSection& section = remote_of(index);
      agreement_.has_remote_end_of_candidates |= section.has_end_of_candidates;
      for (const Candidate& candidate : section.candidates) add_candidate(candidate);
    }
    return settle_roles(*offered, *answered);
  }

  // Browsers repeat them in every section.
  void add_candidate(const Candidate& candidate) {
    auto& candidates = agreement_.remote_candidates;
    bool is_known = std::find(candidates.begin(), candidates.end(), candidate) != candidates.end();
    if (!is_known && candidates.size() < kCandidatesMax) candidates.push_back(candidate);
  }

  // RFC 4145 §4.1; an answer that says nothing is passive, an offer that says nothing leaves it open.
  Outcome settle_roles(const MediaSection& offered, const MediaSection& answered) {
    DtlsSetup offer = offered.setup.value_or(DtlsSetup::kActpass),
              answer = answered.setup.value_or(DtlsSetup::kPassive);
    bool is_choice = answer == DtlsSetup::kActive || answer == DtlsSetup::kPassive;
    if (!is_choice || offer == answer || offer == DtlsSetup::kHoldconn) return refuse(Refusal::kBadRole);
    bool is_client = (answer == DtlsSetup::kActive) == is_answerer_;
    agreement_.dtls_role = is_client ? DtlsRole::kClient : DtlsRole::kServer;
    return {};
  }

  Outcome settle_data(std::size_t index) {
    if (agreement_.data) return refuse(Refusal::kAnswerMismatch);
    const MediaSection &local = local_of(index), &peer = remote_of(index);
    agreement_.data = AgreedData{.index = index,
                                 .mid = local.mid,
                                 .local_port = local.sctp->port,
                                 .remote_port = peer.sctp->port,
                                 .send_message_bytes_max = peer.sctp->max_message_bytes};
    return {};
  }

  Outcome settle_media(std::size_t index) {
    const MediaSection &offered = offer_.sections[index], &answered = answer_.sections[index];
    const MediaSection &local = local_of(index), &peer = remote_of(index);
    AgreedSection section{.index = index, .mid = local.mid, .kind = local.kind};
    section.direction = common_direction(local.direction, reversed(peer.direction));
    settle_codecs(offered, answered, section);
    if (section.codecs.empty()) return refuse(Refusal::kAnswerMismatch);
    settle_extensions(offered, answered, section);
    if (can_send(section.direction)) section.send_layers = layers_of(local, peer);
    if (can_receive(section.direction)) section.receive_layers = layers_of(peer, local);
    section.remote_msids = peer.msids;
    const Source* source = find_primary(peer);
    if (section.remote_msids.empty() && source && source->msid) section.remote_msids.push_back(*source->msid);
    section.remote_cname = cname_of(peer);
    section.has_rtcp_rsize = offered.has_rtcp_rsize && answered.has_rtcp_rsize;
    section.has_extmap_allow_mixed = offered.has_extmap_allow_mixed && answered.has_extmap_allow_mixed;
    section.send_bps_max = peer.bandwidth.bps();
    section.send_ptime_ms = peer.ptime_ms;
    section.send_maxptime_ms = peer.maxptime_ms;
    agreement_.sections.push_back(std::move(section));
    return {};
  }

  void settle_codecs(const MediaSection& offered, const MediaSection& answered,
                     AgreedSection& section) const {
    std::vector<AgreedCodec> others;
    for (const Payload& answer : answered.payloads) {
      const Payload* offer = answer.codec == Codec::kRtx ? nullptr : find_offered(offered, answer);
      if (!offer) continue;
      const Payload &local = is_answerer_ ? answer : *offer, &peer = is_answerer_ ? *offer : answer;
      AgreedCodec codec{.codec = answer.codec, .clock_rate = answer.clock_rate, .channels = answer.channels};
      codec.send_payload_type = peer.type;
      codec.receive_payload_type = local.type;
      codec.send_format = peer.format;
      codec.receive_format = local.format;
      codec.feedback = local.feedback & peer.feedback;
      const Payload *offer_rtx = offered.find_rtx_of(offer->type),
                    *answer_rtx = answered.find_rtx_of(answer.type);
      if (offer_rtx && answer_rtx) {
        codec.send_rtx_type = (is_answerer_ ? offer_rtx : answer_rtx)->type;
        codec.receive_rtx_type = (is_answerer_ ? answer_rtx : offer_rtx)->type;
      }
      (carries_media(codec.codec) ? section.codecs : others).push_back(std::move(codec));
    }
    if (section.codecs.empty()) return;
    section.codecs.insert(section.codecs.end(), std::make_move_iterator(others.begin()),
                          std::make_move_iterator(others.end()));
  }

  void settle_extensions(const MediaSection& offered, const MediaSection& answered,
                         AgreedSection& section) const {
    for (const ExtensionMap& answer : answered.extensions) {
      auto offer = std::find_if(offered.extensions.begin(), offered.extensions.end(),
                                [&](const ExtensionMap& map) { return map.extension == answer.extension; });
      if (offer == offered.extensions.end() || answer.id > 255) continue;
      if (offer->id != answer.id && offer->id < 4096) continue;
      Direction direction = common_direction(answer.direction, reversed(offer->direction));
      if (!is_answerer_) direction = reversed(direction);
      section.extensions.push_back({.extension = answer.extension,
                                    .id = static_cast<std::uint8_t>(answer.id),
                                    .can_send = can_send(direction),
                                    .can_receive = can_receive(direction)});
    }
  }

  const SessionDescription& offer_;
  const SessionDescription& answer_;
  bool is_answerer_;
  std::vector<std::size_t> accepted_, offer_group_, answer_group_;
  Agreement agreement_;
};

}  // namespace

const AgreedSection* Agreement::find_section(std::string_view mid) const {
  auto found = std::find_if(sections.begin(), sections.end(),
                            [&](const AgreedSection& section) { return section.mid == mid; });
  return found == sections.end() ? nullptr : &*found;
}

Result<Agreement, Refusal> agree(const SessionDescription& offer, const SessionDescription& answer,
                                 Side side) {
  return Settlement(offer, answer, side).settle();
}

}  // namespace stoa::sdp
