#include "session/webrtc/negotiation.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/assert.h"
#include "proto/sdp/limits.h"
#include "session/webrtc/offered_format.h"

namespace stoa::webrtc {
namespace {

constexpr std::uint16_t kDataPort = 5000;
constexpr sdp::Feedback kPublisherFeedback = {.nack = true, .pli = true, .fir = true, .transport_cc = true};
constexpr sdp::Feedback kViewerFeedback = {.nack = true, .pli = true, .fir = true, .remb = true};
constexpr std::array kPublisherVideoExtensions = {
    sdp::HeaderExtension::kMid,
    sdp::HeaderExtension::kRid,
    sdp::HeaderExtension::kRepairedRid,
    sdp::HeaderExtension::kTransportSequence,
    sdp::HeaderExtension::kAbsoluteCaptureTime,
    sdp::HeaderExtension::kVideoOrientation,
    sdp::HeaderExtension::kDependencyDescriptor,
};
constexpr std::array kPublisherAudioExtensions = {
    sdp::HeaderExtension::kMid,
    sdp::HeaderExtension::kTransportSequence,
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

Result<sdp::SessionDescription, NegotiationFault> parse_offer(std::string_view text) {
  auto offer = sdp::parse(text);
  if (!offer) {
    std::string where = offer.error().line > 0 ? " in line " + std::to_string(offer.error().line) : "";
    return fault(NegotiationRefusal::kBadDescription, std::string("The offer does not read: ") +
                                                          sdp::name_of(offer.error().refusal) + where + ".");
  }
  if (offer->sections.size() > kOfferedSectionsMax)
    return fault(NegotiationRefusal::kTooManySections,
                 "The offer has more than " + std::to_string(kOfferedSectionsMax) + " sections.");
  return std::move(*offer);
}

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

// All candidates are in the answer and none will follow. Trickling by the peer is welcome.
sdp::Local local_of(const LocalDescription& local) {
  sdp::Local ours{.session_id = local.session_id,
                  .session_version = 1,
                  .ice = {.ufrag = local.ice.ufrag, .password = local.ice.password},
                  .is_ice_lite = true,
                  .has_end_of_candidates = true,
                  .setup = sdp::DtlsSetup::kPassive};
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
    return is_payload_type_usable(offered.type) &&
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

// The section that carries the transport of those that are used, when it is not used itself but may stay.
std::optional<std::size_t> find_idle_tag(const sdp::SessionDescription& offer,
                                         std::span<const std::size_t> used) {
  std::vector<std::size_t> group = sdp::bundle_of(offer, used.front());
  std::size_t tag = group.front();
  bool is_used = std::find(used.begin(), used.end(), tag) != used.end();
  bool is_candidate = !is_used && offer.sections[tag].is_rtp() && !offer.sections[tag].is_rejected();
  return is_candidate ? std::optional(tag) : std::nullopt;
}

struct Answered {
  sdp::SessionDescription description;
  sdp::Agreement agreement;
};
Result<Answered, NegotiationFault> answer(const sdp::SessionDescription& offer, const LocalDescription& local,
                                          std::span<const sdp::SectionIntent> intents) {
  auto description = sdp::make_answer(offer, local_of(local), intents);
  if (!description) return refuse(fault_of(description.error()));
  auto agreement = sdp::agree(offer, *description, sdp::Side::kAnswerer);
  if (!agreement) return refuse(fault_of(agreement.error()));
  return Answered{std::move(*description), std::move(*agreement)};
}

}  // namespace

const char* name_of(NegotiationRefusal refusal) {
  switch (refusal) {
    case NegotiationRefusal::kBadDescription: return "bad_description";
    case NegotiationRefusal::kNoFingerprint: return "no_fingerprint";
    case NegotiationRefusal::kNotBundled: return "not_bundled";
    case NegotiationRefusal::kNoCommonCodec: return "no_common_codec";
    case NegotiationRefusal::kWrongDirection: return "wrong_direction";
    case NegotiationRefusal::kTooManySections: return "too_many_sections";
  }
  return "?";
}

// ---- Publishers.

namespace {

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

struct PublisherSections {
  std::vector<std::size_t> taken;
  bool has_sender = false;  // A section that would send.
};
PublisherSections choose_sections(const sdp::SessionDescription& offer, const PublisherOptions& options,
                                  const sdp::MediaSupport& video, const sdp::MediaSupport& audio) {
  PublisherSections sections;
  std::size_t videos = 0, audios = 0;
  for (std::size_t i = 0; i < offer.sections.size(); ++i) {
    const sdp::MediaSection& section = offer.sections[i];
    if (!section.is_rtp() || section.is_rejected() || !sdp::can_send(section.direction)) continue;
    sections.has_sender = true;
    bool is_video = section.kind == sdp::MediaKind::kVideo;
    std::size_t& count = is_video ? videos : audios;
    std::size_t max = is_video ? options.video_sections_max : options.audio_sections_max;
    if (count == max || !has_common_codec(section, is_video ? video : audio)) continue;
    ++count;
    sections.taken.push_back(i);
  }
  return sections;
}

}  // namespace

Result<PublisherAnswer, NegotiationFault> answer_publisher(std::string_view offer_text,
                                                           const LocalDescription& local,
                                                           const PublisherOptions& options) {
  STOA_TRY(sdp::SessionDescription offer, parse_offer(offer_text));
  sdp::MediaSupport video =
      make_support(sdp::MediaKind::kVideo, kPublisherFeedback, kPublisherVideoExtensions);
  sdp::MediaSupport audio =
      make_support(sdp::MediaKind::kAudio, kPublisherFeedback, kPublisherAudioExtensions);
  video.simulcast_streams_max =
      options.layers_max > 1 ? std::min<std::size_t>(options.layers_max, payload::kLayersMax) : 0;
  video.receive_bps_max = options.video_bps_max;

  PublisherSections sections = choose_sections(offer, options, video, audio);
  if (!sections.has_sender)
    return fault(NegotiationRefusal::kWrongDirection, "No section of the offer sends anything.");
  if (sections.taken.empty())
    return fault(NegotiationRefusal::kNoCommonCodec,
                 "No codec of the offer can be taken; H.264, HEVC, AV1, VP8, VP9 and Opus can.");
  if (auto outcome = expect_one_transport(offer, sections.taken); !outcome) return refuse(outcome.error());

  std::vector<sdp::SectionIntent> intents(offer.sections.size());
  for (std::size_t index : sections.taken) {
    sdp::MediaSection& section = offer.sections[index];
    bool is_video = section.kind == sdp::MediaKind::kVideo;
    if (is_video) order_payloads(options, section);
    intents[index] = {.media = is_video ? &video : &audio, .direction = sdp::Direction::kRecvOnly};
  }
  if (auto tag = find_idle_tag(offer, sections.taken)) {
    bool is_video = offer.sections[*tag].kind == sdp::MediaKind::kVideo;
    intents[*tag] = {.media = is_video ? &video : &audio, .direction = sdp::Direction::kInactive};
  }
  STOA_TRY(Answered answered, answer(offer, local, intents));
  PublisherAnswer result;
  result.answer = sdp::write(answered.description);
  result.remote = remote_of(answered.agreement);
  result.dtls_role = role_of(answered.agreement);
  result.agreement = std::move(answered.agreement);
  return result;
}

// ---- Viewers.

namespace {

// Gives the sections of an offer to tracks.
class Seating {
 public:
  Seating(sdp::SessionDescription& offer, std::span<const payload::RtpTrack> tracks)
      : offer_(offer), tracks_(tracks), is_given_(tracks.size()) {
    for (std::size_t i = 0; i < offer.sections.size(); ++i) {
      const sdp::MediaSection& section = offer.sections[i];
      if (!section.is_rtp() || section.is_rejected() || !sdp::can_receive(section.direction)) continue;
      has_receiver_ = true;
      seat(i);
    }
  }

  struct Seat {
    std::size_t section;
    const payload::RtpTrack* track;
  };
  const std::vector<Seat>& seats() const { return seats_; }
  bool has_receiver() const { return has_receiver_; }
  std::vector<media::Kind> unseated() const {
    std::vector<media::Kind> kinds;
    for (std::size_t i = 0; i < offer_.sections.size(); ++i) {
      const sdp::MediaSection& section = offer_.sections[i];
      if (!section.is_rtp() || section.is_rejected() || !sdp::can_receive(section.direction)) continue;
      if (std::ranges::none_of(seats_, [&](const Seat& seat) { return seat.section == i; }))
        kinds.push_back(section.kind == sdp::MediaKind::kVideo ? media::Kind::kVideo : media::Kind::kAudio);
    }
    return kinds;
  }
  std::vector<media::TrackId> left_out() const {
    std::vector<media::TrackId> left;
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (!is_given_[i]) left.push_back(tracks_[i].id);
    }
    return left;
  }

 private:
  void seat(std::size_t index) {
    sdp::MediaSection& section = offer_.sections[index];
    bool is_video = section.kind == sdp::MediaKind::kVideo;
    for (std::size_t i = 0; i < tracks_.size(); ++i) {
      if (is_given_[i] || tracks_[i].is_video() != is_video) continue;
      const sdp::Payload* fit = find_fit(section, tracks_[i]);
      if (!fit) continue;
      is_given_[i] = true;
      seats_.push_back({index, &tracks_[i]});
      keep_only(*fit, section);
      return;
    }
  }

  // The answer then has nothing else to choose from.
  static void keep_only(const sdp::Payload& fit, sdp::MediaSection& section) {
    std::vector<sdp::Payload> kept = {fit};
    if (const sdp::Payload* rtx = section.find_rtx_of(fit.type)) kept.push_back(*rtx);
    section.payloads = std::move(kept);
  }

  sdp::SessionDescription& offer_;
  std::span<const payload::RtpTrack> tracks_;
  std::vector<bool> is_given_;
  std::vector<Seat> seats_;
  bool has_receiver_ = false;
};

// SSRCs that neither side uses yet.
class SourceNumbers {
 public:
  SourceNumbers(const sdp::SessionDescription& offer, Rng& rng) : rng_(rng) {
    for (const sdp::MediaSection& section : offer.sections)
      for (const sdp::Source& source : section.sources) taken_.push_back(source.ssrc);
  }
  std::uint32_t draw() {
    for (;;) {
      auto ssrc = static_cast<std::uint32_t>(rng_.next());
      if (ssrc == 0 || std::find(taken_.begin(), taken_.end(), ssrc) != taken_.end()) continue;
      taken_.push_back(ssrc);
      return ssrc;
    }
  }

 private:
  Rng& rng_;
  std::vector<std::uint32_t> taken_;
};

sdp::LocalSource make_source(const payload::RtpTrack& track, const sdp::MediaSection& section,
                             std::string_view cname, SourceNumbers& numbers) {
  sdp::LocalSource source;
  source.cname = cname;
  source.msid.stream_id = cname;
  source.msid.track_id = (track.is_video() ? "video" : "audio") + std::to_string(track.id);
  source.ssrc = numbers.draw();
  if (section.payloads.size() > 1) source.rtx_ssrc = numbers.draw();
  return source;
}

ViewerOutlet make_outlet(const payload::RtpTrack& track, const sdp::AgreedSection& section,
                         const sdp::LocalSource& source) {
  const sdp::AgreedCodec& codec = section.codecs.front();
  ViewerOutlet outlet{.track = track.id, .mid = section.mid};
  outlet.config.encoding = track.encoding;
  outlet.config.ssrc = source.ssrc;
  outlet.config.payload_type = codec.send_payload_type;
  if (codec.send_rtx_type && source.rtx_ssrc) {
    outlet.config.rtx_ssrc = source.rtx_ssrc;
    outlet.config.rtx_payload_type = codec.send_rtx_type;
  }
  for (const sdp::AgreedExtension& extension : section.extensions) {
    auto kind = rtp::find_extension_kind(sdp::uri_of(extension.extension));
    if (kind && extension.can_send) outlet.config.extensions.set(*kind, extension.id);
  }
  outlet.config.has_nack = codec.feedback.nack;
  outlet.config.has_pli = codec.feedback.pli;
  return outlet;
}

sdp::MediaSupport make_viewer_support(sdp::MediaKind kind, bool has_transport_feedback) {
  bool is_video = kind == sdp::MediaKind::kVideo;
  sdp::Feedback feedback = kViewerFeedback;
  feedback.transport_cc = has_transport_feedback;
  sdp::MediaSupport support = make_support(
      kind, feedback,
      is_video ? std::span<const sdp::HeaderExtension>(kViewerVideoExtensions) : kViewerAudioExtensions);
  if (has_transport_feedback) support.extensions.push_back(sdp::HeaderExtension::kTransportSequence);
  for (sdp::SupportedCodec& codec : support.codecs) codec.has_rtx = is_video;
  return support;
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

}  // namespace

Result<ViewerAnswer, NegotiationFault> answer_viewer(std::string_view offer_text,
                                                     std::span<const payload::RtpTrack> tracks,
                                                     const LocalDescription& local, std::string_view cname,
                                                     Rng& rng, bool has_data, bool has_transport_feedback) {
  STOA_TRY(sdp::SessionDescription offer, parse_offer(offer_text));
  Seating seating(offer, tracks);
  std::vector<std::size_t> used;
  for (const Seating::Seat& seat : seating.seats()) used.push_back(seat.section);
  if (auto outcome = expect_one_transport(offer, used); !outcome) return refuse(outcome.error());
  auto data = has_data ? find_data(offer, used) : std::nullopt;
  if (!seating.has_receiver() && !data)
    return fault(NegotiationRefusal::kWrongDirection, "No section of the offer receives anything.");
  if (seating.has_receiver() && seating.seats().empty())
    return fault(NegotiationRefusal::kNoCommonCodec, "No track can be sent in a codec that was offered.");

  sdp::MediaSupport video = make_viewer_support(sdp::MediaKind::kVideo, has_transport_feedback);
  sdp::MediaSupport audio = make_viewer_support(sdp::MediaKind::kAudio, has_transport_feedback);
  auto support_of = [&](std::size_t index) {
    return offer.sections[index].kind == sdp::MediaKind::kVideo ? &video : &audio;
  };
  std::vector<sdp::SectionIntent> intents(offer.sections.size());
  std::vector<sdp::LocalSource> sources;
  SourceNumbers numbers(offer, rng);
  for (const Seating::Seat& seat : seating.seats()) {
    sources.push_back(make_source(*seat.track, offer.sections[seat.section], cname, numbers));
    intents[seat.section] = {
        .media = support_of(seat.section), .direction = sdp::Direction::kSendOnly, .source = sources.back()};
  }
  if (data) {
    intents[*data].data = sdp::SctpParameters{.port = kDataPort, .max_message_bytes = kDataMessageBytesMax};
    used.push_back(*data);
  }
  if (auto tag = find_idle_tag(offer, used))
    intents[*tag] = {.media = support_of(*tag), .direction = sdp::Direction::kInactive};

  STOA_TRY(Answered answered, answer(offer, local, intents));
  ViewerAnswer result;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const Seating::Seat& seat = seating.seats()[i];
    const auto& agreed = answered.agreement.sections;
    auto section = std::find_if(agreed.begin(), agreed.end(),
                                [&](const sdp::AgreedSection& one) { return one.index == seat.section; });
    if (section == agreed.end()) return refuse(fault_of(sdp::Refusal::kAnswerMismatch));
    result.outlets.push_back(make_outlet(*seat.track, *section, sources[i]));
  }
  result.left_out = seating.left_out();
  result.unseated = seating.unseated();
  result.answer = sdp::write(answered.description);
  result.remote = remote_of(answered.agreement);
  result.dtls_role = role_of(answered.agreement);
  result.agreement = std::move(answered.agreement);
  return result;
}

}  // namespace stoa::webrtc
