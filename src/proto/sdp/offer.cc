#include <algorithm>
#include <array>

#include "proto/sdp/negotiate.h"
#include "proto/sdp/section.h"
#include "proto/sdp/text.h"

namespace stoa::sdp {
namespace {

constexpr std::uint8_t kDynamicFirst = 96, kDynamicEnd = 128;  // RFC 3551 §6
constexpr std::uint8_t kLowDynamicFirst = 35, kLowDynamicEnd = 64;

// One number space for the whole BUNDLE group: the same thing has the same number in every section.
class Numbers {
 public:
  // The payload with the type it has in this offer; std::nullopt when all are taken.
  std::optional<Payload> number(const Payload& wanted) {
    for (const auto& known : payloads_) {
      if (known && is_same(*known, wanted)) return with_type(wanted, known->type);
    }
    bool is_its_own = wanted.type >= kLowDynamicFirst || is_static(wanted);
    if (is_its_own && is_free(wanted.type)) return with_type(wanted, wanted.type);
    for (std::uint8_t type = kDynamicFirst; type < kDynamicEnd; ++type) {
      if (is_free(type)) return with_type(wanted, type);
    }
    for (std::uint8_t type = kLowDynamicFirst; type < kLowDynamicEnd; ++type) {
      if (is_free(type)) return with_type(wanted, type);
    }
    return std::nullopt;
  }

  std::optional<std::uint16_t> number(HeaderExtension extension) {
    auto& id = extension_ids_[static_cast<std::size_t>(extension)];
    if (!id) id = ++last_extension_id_ == 15 ? ++last_extension_id_ : last_extension_id_;
    return id;
  }

 private:
  bool is_free(std::uint8_t type) const {
    return type < 128 && (type < 64 || type >= kDynamicFirst) && !payloads_[type];
  }
  // RFC 3551 §6: numbers that belong to one codec.
  static bool is_static(const Payload& payload) {
    switch (payload.codec) {
      case Codec::kPcmu: return payload.type == 0;
      case Codec::kPcma: return payload.type == 8;
      case Codec::kG722: return payload.type == 9;
      case Codec::kComfortNoise: return payload.type == 13;
      default: return false;
    }
  }
  static bool is_same(const Payload& a, const Payload& b) {
    return a.codec == b.codec && a.clock_rate == b.clock_rate && a.channels == b.channels &&
           a.format == b.format;
  }
  Payload with_type(Payload payload, std::uint8_t type) {
    payload.type = type;
    payloads_[type] = payload;
    return payload;
  }

  std::array<std::optional<Payload>, 128> payloads_;
  std::array<std::optional<std::uint16_t>, kHeaderExtensionCount> extension_ids_;
  std::uint16_t last_extension_id_ = 0;
};

void offer_codecs(const MediaSupport& support, Numbers& numbers, MediaSection& section) {
  for (const SupportedCodec& own : support.codecs) {
    if (section.payloads.size() + 2 > kFormatsMax) return;
    auto payload = numbers.number(own.payload);
    if (!payload || section.find_payload(payload->type)) continue;
    section.payloads.push_back(*payload);
    if (!own.has_rtx) continue;
    Payload rtx =
        make_payload(0, Codec::kRtx, RtxFormat{.associated_payload_type = payload->type, .rtx_time_ms = {}});
    rtx.clock_rate = payload->clock_rate;
    rtx.type = static_cast<std::uint8_t>(payload->type + 1);  // Beside what it repairs, where it can be.
    if (rtx.type < kLowDynamicFirst) rtx.type = kDynamicFirst;
    if (auto numbered = numbers.number(rtx)) section.payloads.push_back(*numbered);
  }
}

MediaSection make_section(const OfferedSection& wanted) {
  MediaSection section{
      .kind = wanted.kind, .port = kDiscardPort, .protocol = "UDP/TLS/RTP/SAVPF", .mid = wanted.mid};
  section.kind_name = wanted.kind == MediaKind::kAudio ? "audio" : "video";
  section.connection_address = kAnyAddress;
  section.direction = wanted.direction;
  if (wanted.kind == MediaKind::kData) {
    section.kind_name = "application";
    section.protocol = "UDP/DTLS/SCTP";
    section.formats = {"webrtc-datachannel"};
    section.direction = Direction::kSendRecv;
    section.sctp = wanted.data.value_or(SctpParameters{});
    section.sctp->is_old_syntax = false;
  }
  return section;
}

void stop(MediaSection& section) {
  section.port = 0;
  section.direction = Direction::kInactive;
  if (section.is_rtp()) section.payloads = {Payload{.type = kDynamicFirst}};
}

// What a section that is stopped had numbers for keeps them, whoever is the first to have it now.
void take_numbers(const MediaSupport& support, Numbers& numbers) {
  MediaSection none;
  offer_codecs(support, numbers, none);
  for (HeaderExtension extension : support.extensions) (void)numbers.number(extension);
}

bool offer_layers(const OfferedSection& wanted, MediaSection& section) {
  if (wanted.send_layers.empty() || !can_send(section.direction)) return true;
  if (wanted.send_layers.size() > kSimulcastStreamsMax) return false;
  Simulcast simulcast;
  for (const Rid& layer : wanted.send_layers) {
    bool is_name = is_token(layer.id, kRidBytesMax) && !section.find_rid(layer.id);
    if (!is_name || !layer.is_send) return false;
    section.rids.push_back(layer);
    simulcast.send.push_back({{.rid = layer.id, .is_paused = false}});
  }
  section.simulcast = std::move(simulcast);
  return true;
}

Result<MediaSection, Refusal> offer_media(const OfferedSection& wanted, Numbers& numbers,
                                          MediaSection section) {
  const MediaSupport& support = *wanted.media;
  offer_codecs(support, numbers, section);
  if (section.payloads.empty()) return refuse(Refusal::kNoCommonMedia);
  section.has_rtcp_mux = true;
  section.has_rtcp_rsize = support.has_rtcp_rsize;
  section.has_extmap_allow_mixed = true;
  for (HeaderExtension extension : support.extensions) {
    section.extensions.push_back({.id = *numbers.number(extension), .extension = extension});
  }
  if (can_receive(section.direction)) limit_bandwidth(support, section);
  if (!offer_layers(wanted, section)) return refuse(Refusal::kBadRid);
  bool has_rtx = std::any_of(section.payloads.begin(), section.payloads.end(),
                             [](const Payload& payload) { return payload.codec == Codec::kRtx; });
  if (!can_send(section.direction) || !wanted.source) return section;
  if (!is_good(*wanted.source)) return refuse(Refusal::kBadMsid);
  if (section.rids.empty()) {
    add_source(*wanted.source, has_rtx, section);
  } else {
    section.msids.push_back(wanted.source->msid);  // RFC 8853 §5.1: the rids say which is which, not SSRCs.
  }
  return section;
}

}  // namespace

Result<SessionDescription, Refusal> make_offer(const Local& local, std::span<const OfferedSection> sections) {
  if (sections.size() > kSectionsMax) return refuse(Refusal::kTooMany);
  SessionDescription offer;
  offer.session_id = local.session_id;
  offer.session_version = local.session_version;
  offer.is_ice_lite = local.is_ice_lite;
  Numbers numbers;
  std::vector<std::string> bundle;
  for (const OfferedSection& wanted : sections) {
    if (!is_token(wanted.mid, kTokenBytesMax) || offer.find_section(wanted.mid))
      return refuse(Refusal::kBadMid);
    MediaSection section = make_section(wanted);
    if (wanted.is_stopped || (section.is_rtp() && !wanted.media)) {
      if (section.is_rtp() && wanted.media) take_numbers(*wanted.media, numbers);
      stop(section);
    } else if (section.is_rtp()) {
      STOA_TRY(section, offer_media(wanted, numbers, std::move(section)));
    }
    if (!section.is_rejected()) {
      add_local_transport(local, DtlsSetup::kActpass, section);
      if (bundle.empty()) {
        section.candidates = local.candidates;
        section.has_end_of_candidates = local.has_end_of_candidates;
      }
      bundle.push_back(wanted.mid);
    }
    offer.sections.push_back(std::move(section));
  }
  if (!bundle.empty()) offer.bundles.push_back(std::move(bundle));
  return offer;
}

}  // namespace stoa::sdp
