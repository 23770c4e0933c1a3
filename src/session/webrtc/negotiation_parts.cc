#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "proto/sdp/limits.h"
#include "session/webrtc/negotiation_impl.h"
#include "session/webrtc/offered_format.h"

namespace stoa::webrtc {
namespace {

constexpr sdp::Feedback kPublisherFeedback = {
    .nack = true, .pli = true, .fir = true, .remb = true, .transport_cc = true};
constexpr sdp::Feedback kViewerFeedback = {
    .nack = true, .pli = true, .fir = true, .remb = true, .transport_cc = true, .ccfb = true};
constexpr std::array kPublisherVideoExtensions = {
    sdp::HeaderExtension::kMid,
    sdp::HeaderExtension::kRid,
    sdp::HeaderExtension::kRepairedRid,
    sdp::HeaderExtension::kTransportSequence,
    sdp::HeaderExtension::kAbsoluteSendTime,
    sdp::HeaderExtension::kAbsoluteCaptureTime,
    sdp::HeaderExtension::kVideoOrientation,
    sdp::HeaderExtension::kDependencyDescriptor,
};
constexpr std::array kPublisherAudioExtensions = {
    sdp::HeaderExtension::kMid,
    sdp::HeaderExtension::kTransportSequence,
    sdp::HeaderExtension::kAbsoluteSendTime,
    sdp::HeaderExtension::kAbsoluteCaptureTime,
    sdp::HeaderExtension::kAudioLevel,
};
constexpr std::array kViewerVideoExtensions = {
    sdp::HeaderExtension::kAbsoluteCaptureTime,
    sdp::HeaderExtension::kVideoOrientation,
    sdp::HeaderExtension::kDependencyDescriptor,
    sdp::HeaderExtension::kPlayoutDelay,
};
constexpr std::array kViewerAudioExtensions = {
    sdp::HeaderExtension::kAbsoluteCaptureTime,
    sdp::HeaderExtension::kAudioLevel,
};

sdp::HashFunction hash_of(crypto::FingerprintHash hash) {
  switch (hash) {
    case crypto::FingerprintHash::kSha1: return sdp::HashFunction::kSha1;
    case crypto::FingerprintHash::kSha224: return sdp::HashFunction::kSha224;
    case crypto::FingerprintHash::kSha256: return sdp::HashFunction::kSha256;
    case crypto::FingerprintHash::kSha384: return sdp::HashFunction::kSha384;
    case crypto::FingerprintHash::kSha512: return sdp::HashFunction::kSha512;
  }
  return sdp::HashFunction::kSha256;
}

crypto::FingerprintHash hash_of(sdp::HashFunction hash) {
  switch (hash) {
    case sdp::HashFunction::kSha1: return crypto::FingerprintHash::kSha1;
    case sdp::HashFunction::kSha224: return crypto::FingerprintHash::kSha224;
    case sdp::HashFunction::kSha256: return crypto::FingerprintHash::kSha256;
    case sdp::HashFunction::kSha384: return crypto::FingerprintHash::kSha384;
    case sdp::HashFunction::kSha512: return crypto::FingerprintHash::kSha512;
  }
  return crypto::FingerprintHash::kSha256;
}

// Those that are liked before the others, either in the order they had.
template <typename Liking>
void put_first(std::vector<sdp::Payload>& payloads, Liking&& is_liked) {
  std::vector<sdp::Payload> ordered;
  for (bool wanted : {true, false}) {
    std::copy_if(payloads.begin(), payloads.end(), std::back_inserter(ordered),
                 [&](const sdp::Payload& payload) { return is_liked(payload) == wanted; });
  }
  payloads = std::move(ordered);
}

}  // namespace

std::unexpected<NegotiationFault> fault(NegotiationRefusal refusal, std::string text) {
  return refuse(NegotiationFault{refusal, std::move(text)});
}

NegotiationFault fault_of(sdp::Refusal refusal) {
  switch (refusal) {
    case sdp::Refusal::kNoIce:
      return {NegotiationRefusal::kNoFingerprint, "The offer has no ICE credentials."};
    case sdp::Refusal::kNoFingerprint:
      return {NegotiationRefusal::kNoFingerprint,
              "The offer has no certificate fingerprint that can be checked."};
    case sdp::Refusal::kNoCommonMedia:
      return {NegotiationRefusal::kNoCommonCodec, "Nothing in the offer can be taken by this server."};
    default:
      return {NegotiationRefusal::kBadDescription,
              std::string("The offer cannot be answered: ") + sdp::name_of(refusal) + "."};
  }
}

Result<sdp::SessionDescription, NegotiationFault> parse_description(std::string_view text, const char* what,
                                                                    std::size_t sections_max) {
  auto description = sdp::parse(text);
  const std::string name = std::string("The ") + what;
  if (!description) {
    const sdp::Fault& cause = description.error();
    std::string where = cause.line > 0 ? " in line " + std::to_string(cause.line) : "";
    return fault(NegotiationRefusal::kBadDescription,
                 name + " does not read: " + sdp::name_of(cause.refusal) + where + ".");
  }
  if (description->sections.size() > sections_max)
    return fault(NegotiationRefusal::kTooManySections,
                 name + " has more than " + std::to_string(sections_max) + " sections.");
  return std::move(*description);
}

// All candidates are in the answer and none will follow. Trickling by the peer is welcome.
sdp::Local local_of(const LocalDescription& local) {
  sdp::Local ours{.session_id = local.session_id,
                  .session_version = local.session_version,
                  .ice = {.ufrag = local.ice.ufrag, .password = local.ice.password},
                  .is_ice_lite = true,
                  .has_end_of_candidates = true,
                  .setup = local.is_dtls_client ? sdp::DtlsSetup::kActive : sdp::DtlsSetup::kPassive};
  ours.ice_options = {.trickle = true, .ice2 = true};
  ours.fingerprints = {sdp::make_fingerprint(hash_of(local.fingerprint.hash()), local.fingerprint.digest())};
  for (const ice::Candidate& candidate : local.candidates) {
    auto written = sdp::parse_candidate(ice::write_candidate(candidate));
    STOA_DCHECK(written && *written);
    if (written && *written) ours.candidates.push_back(std::move(**written));
  }
  return ours;
}

RemoteTransport remote_of(const sdp::Agreement& agreement) {
  RemoteTransport remote{
      .ice = {.ufrag = agreement.remote_ice.ufrag, .password = agreement.remote_ice.password},
      .is_ice_lite = agreement.is_remote_ice_lite};
  for (const sdp::Fingerprint& fingerprint : agreement.remote_fingerprints)
    remote.fingerprints.emplace_back(hash_of(fingerprint.hash), fingerprint.bytes());
  for (const sdp::Candidate& candidate : agreement.remote_candidates) {
    auto read = ice::parse_candidate("candidate:" + sdp::write_candidate(candidate));
    if (read) remote.candidates.push_back(std::move(*read));
  }
  return remote;
}

dtls::Role role_of(const sdp::Agreement& agreement) {
  return agreement.dtls_role == sdp::DtlsRole::kClient ? dtls::Role::kClient : dtls::Role::kServer;
}

// The codecs of a kind that packets are forwarded of.
sdp::MediaSupport make_support(sdp::MediaKind kind, const sdp::Feedback& feedback,
                               std::span<const sdp::HeaderExtension> extensions) {
  bool is_video = kind == sdp::MediaKind::kVideo;
  sdp::MediaSupport support = is_video ? sdp::make_video_support() : sdp::make_audio_support();
  std::erase_if(support.codecs, [](const sdp::SupportedCodec& codec) {
    return !payload::find_encoding(sdp::encoding_name_of(codec.payload.codec));
  });
  for (sdp::SupportedCodec& codec : support.codecs) {
    codec.payload.feedback = feedback;
    codec.has_rtx = true;
  }
  support.extensions.assign(extensions.begin(), extensions.end());
  support.prefers_own_order = false;
  support.simulcast_streams_max = 0;
  return support;
}

bool has_common_codec(const sdp::MediaSection& section, const sdp::MediaSupport& support) {
  return std::any_of(section.payloads.begin(), section.payloads.end(), [&](const sdp::Payload& offered) {
    return is_payload_type_usable(offered.type) && !sdp::is_repair(offered.codec) &&
           std::any_of(support.codecs.begin(), support.codecs.end(), [&](const sdp::SupportedCodec& own) {
             return sdp::is_same_format(offered, own.payload, own.rule);
           });
  });
}

// Whether the sections that are wanted run over one transport, RTCP included.
Result<void, NegotiationFault> expect_one_transport(const sdp::SessionDescription& offer,
                                                    std::span<const std::size_t> wanted) {
  if (wanted.empty()) return {};
  std::vector<std::size_t> group = sdp::bundle_of(offer, wanted.front());
  for (std::size_t index : wanted) {
    if (std::find(group.begin(), group.end(), index) == group.end())
      return fault(
          NegotiationRefusal::kNotBundled,
          "The sections of the offer are not in one BUNDLE group; offer with bundlePolicy max-bundle.");
  }
  const sdp::MediaSection* transport = sdp::find_transport(offer, group);
  for (std::size_t index : wanted) {
    const sdp::MediaSection& section = offer.sections[index];
    bool has_mux = section.has_rtcp_mux || (group.size() > 1 && transport && transport->has_rtcp_mux);
    if (section.is_rtp() && !has_mux)
      return fault(NegotiationRefusal::kNotBundled,
                   "The offer has no rtcp-mux: RTCP would need a transport of its own.");
  }
  return {};
}

Result<AnsweredOffer, NegotiationFault> answer(const sdp::SessionDescription& offer,
                                               const LocalDescription& local,
                                               std::span<const sdp::SectionIntent> intents) {
  auto description = sdp::make_answer(offer, local_of(local), intents);
  if (!description) return refuse(fault_of(description.error()));
  auto agreement = sdp::agree(offer, *description, sdp::Side::kAnswerer);
  if (!agreement) return refuse(fault_of(agreement.error()));
  return AnsweredOffer{std::move(*description), std::move(*agreement)};
}

// Puts a section's payload types in the order in which the answer shall have them.
void order_payloads(const PublisherOptions& options, sdp::MediaSection& section) {
  std::vector<sdp::Payload*> places;  // Of H.264.
  std::vector<sdp::Payload> payloads;
  for (sdp::Payload& payload : section.payloads) {
    if (payload.codec != sdp::Codec::kH264) continue;
    places.push_back(&payload);
    payloads.push_back(payload);
  }
  put_first(payloads, may_fragment);
  for (std::size_t i = 0; i < places.size(); ++i) *places[i] = std::move(payloads[i]);
  if (!options.video_first) return;
  put_first(section.payloads,
            [&](const sdp::Payload& payload) { return encoding_of(payload.codec) == options.video_first; });
}

sdp::SupportedCodec make_red(std::uint8_t payload_type, std::uint8_t opus_payload_type) {
  sdp::Payload red = sdp::make_payload(payload_type, sdp::Codec::kRed,
                                       sdp::RedFormat{{opus_payload_type, opus_payload_type}});
  red.clock_rate = payload::clock_rate_of(payload::Encoding::kOpus);
  red.channels = 2;  // As Opus has it (RFC 7587 §7).
  return {.payload = std::move(red)};
}

void choose_red(sdp::MediaSection& section, bool may_be_red) {
  const sdp::Payload* red = nullptr;
  for (const sdp::Payload& payload : section.payloads)
    if (may_be_red && !red && payload.codec == sdp::Codec::kOpus) red = find_red_of(section, payload.type);
  const auto kept = red ? std::optional(red->type) : std::nullopt;
  const auto is_dropped = [&](const sdp::Payload& payload) {
    return payload.codec == sdp::Codec::kRed && payload.type != kept;
  };
  // A section must have formats, also in an answer that rejects it.
  if (!std::ranges::all_of(section.payloads, is_dropped)) std::erase_if(section.payloads, is_dropped);
}

// The answer then has nothing else to choose from.
void keep_only(const sdp::Payload& fit, sdp::MediaSection& section, bool may_be_red) {
  std::vector<sdp::Payload> kept = {fit};
  if (const sdp::Payload* red = may_be_red ? find_red_of(section, fit.type) : nullptr) kept.push_back(*red);
  if (const sdp::Payload* rtx = section.find_rtx_of(fit.type)) kept.push_back(*rtx);
  section.payloads = std::move(kept);
}

// `red` is what the peer takes the redundancy of `codec` as.
bool is_red_of(const sdp::AgreedCodec& red, const sdp::AgreedCodec& codec) {
  return red.codec == sdp::Codec::kRed && red.clock_rate == codec.clock_rate &&
         red.channels == codec.channels && is_red_of(red.send_format, codec.send_payload_type);
}

OutletConfig outlet_of(payload::Encoding encoding, const sdp::AgreedSection& section,
                       const sdp::LocalSource& source) {
  const sdp::AgreedCodec& codec = section.codecs.front();
  OutletConfig outlet{.encoding = encoding};
  outlet.mid = section.mid;
  outlet.ssrc = source.ssrc;
  outlet.payload_type = codec.send_payload_type;
  if (codec.send_rtx_type && source.rtx_ssrc) {
    outlet.rtx_ssrc = source.rtx_ssrc;
    outlet.rtx_payload_type = codec.send_rtx_type;
  }
  for (const sdp::AgreedCodec& other : section.codecs)
    if (is_red_of(other, codec)) outlet.red_payload_type = other.send_payload_type;
  for (const sdp::AgreedExtension& extension : section.extensions) {
    auto kind = rtp::find_extension_kind(sdp::uri_of(extension.extension));
    // Who tells what arrived has no use for when it was sent, and nobody else for its number.
    const bool tells_arrivals = codec.feedback.transport_cc || codec.feedback.ccfb;
    const bool is_useless =
        (extension.extension == sdp::HeaderExtension::kTransportSequence && !codec.feedback.transport_cc) ||
        (extension.extension == sdp::HeaderExtension::kAbsoluteSendTime && tells_arrivals);
    if (kind && extension.can_send && !is_useless) outlet.extensions.set(*kind, extension.id);
  }
  outlet.has_nack = codec.feedback.nack;
  outlet.has_pli = codec.feedback.pli;
  outlet.has_ccfb = codec.feedback.ccfb;
  return outlet;
}

sdp::MediaSupport make_viewer_support(sdp::MediaKind kind, bool has_mid) {
  bool is_video = kind == sdp::MediaKind::kVideo;
  sdp::MediaSupport support = make_support(
      kind, kViewerFeedback,
      is_video ? std::span<const sdp::HeaderExtension>(kViewerVideoExtensions) : kViewerAudioExtensions);
  if (has_mid) support.extensions.push_back(sdp::HeaderExtension::kMid);
  support.extensions.push_back(sdp::HeaderExtension::kTransportSequence);
  for (sdp::SupportedCodec& codec : support.codecs) codec.has_rtx = is_video;
  return support;
}

void drop_useless_extensions(sdp::SessionDescription& offer) {
  for (sdp::MediaSection& section : offer.sections) {
    if (sdp::has_extension(section, sdp::HeaderExtension::kTransportSequence)) continue;
    std::erase_if(section.extensions, [](const sdp::ExtensionMap& map) {
      return map.extension == sdp::HeaderExtension::kAbsoluteSendTime;
    });
  }
}

sdp::MediaSupport make_publisher_support(sdp::MediaKind kind) {
  bool is_video = kind == sdp::MediaKind::kVideo;
  return make_support(kind, kPublisherFeedback,
                      is_video ? std::span<const sdp::HeaderExtension>(kPublisherVideoExtensions)
                               : kPublisherAudioExtensions);
}

// The section of data that runs over the transport of those that are used, or over any when none is.
std::optional<std::size_t> find_data(const sdp::SessionDescription& offer,
                                     std::span<const std::size_t> used) {
  std::vector<std::size_t> group;
  if (!used.empty()) group = sdp::bundle_of(offer, used.front());
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    const sdp::MediaSection& section = offer.sections[i];
    if (section.kind != sdp::MediaKind::kData || section.is_rejected() || section.sctp->port == 0) continue;
    if (used.empty() || std::find(group.begin(), group.end(), i) != group.end()) return i;
  }
  return std::nullopt;
}

}  // namespace stoa::webrtc
