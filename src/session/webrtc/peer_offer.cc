#include <algorithm>
#include <utility>

#include "session/webrtc/negotiation_impl.h"
#include "session/webrtc/offered_format.h"
#include "session/webrtc/peer_impl.h"

namespace stoa::webrtc {
namespace {

constexpr sdp::Feedback kVideoFeedback = {
    .nack = true, .pli = true, .fir = true, .remb = true, .transport_cc = true};
constexpr sdp::Feedback kAudioFeedback = {.transport_cc = true};
// What browsers compare levels with, where they do: their own words.
constexpr std::uint8_t kH264Level31 = 0x1f, kHevcLevel6 = 180;
// What a=fmtp has room for.
constexpr std::uint8_t kAv1ProfileMax = 2, kVp9ProfileMax = 3, kHevcProfileMax = 31;
constexpr std::uint32_t kH264ConstrainedBaseline = 0x42e000;

// An id for good, also when the section is stopped that had it first.
std::uint16_t id_of(sdp::HeaderExtension extension) {
  switch (extension) {
    case sdp::HeaderExtension::kMid: return 1;
    case sdp::HeaderExtension::kAbsoluteCaptureTime: return 2;
    case sdp::HeaderExtension::kAudioLevel: return 3;
    case sdp::HeaderExtension::kVideoOrientation: return 4;
    case sdp::HeaderExtension::kDependencyDescriptor: return 5;
    case sdp::HeaderExtension::kPlayoutDelay: return 6;
    case sdp::HeaderExtension::kTransportSequence: return 7;
    default: return static_cast<std::uint16_t>(16 + static_cast<unsigned>(extension));
  }
}

sdp::Codec codec_of(payload::Encoding encoding) { return sdp::find_codec(payload::name_of(encoding)); }

sdp::CodecFormat h264_format(std::uint32_t profile) {
  return sdp::H264Format{
      .profile_level_id = profile | kH264Level31, .packetization_mode = 1, .level_asymmetry_allowed = true};
}

// One way to say each profile. Constrained High is offered as High: all who take the one take the other, and
// few have a name for it.
std::uint32_t h264_profile_of(const payload::RtpTrack& track) {
  const auto coded = static_cast<std::uint32_t>(track.profile[0] << 16 | track.profile[1] << 8);
  using enum sdp::H264Profile;
  switch (sdp::h264_profile_of(coded)) {
    case kBaseline: return 0x420000;
    case kMain: return 0x4d0000;
    case kConstrainedHigh:
    case kHigh: return 0x640000;
    case kHigh10: return 0x6e0000;
    case kHigh422: return 0x7a0000;
    case kHigh444: return 0xf40000;
    default: return kH264ConstrainedBaseline;
  }
}

// What a receiver must take, best first. None: there is no such profile.
std::vector<sdp::CodecFormat> formats_of(const payload::RtpTrack& track) {
  switch (track.encoding) {
    case payload::Encoding::kH264: {
      // Whoever has no name for the profile decodes by the bitstream all the same.
      const std::uint32_t profile = h264_profile_of(track);
      std::vector<sdp::CodecFormat> formats = {h264_format(profile)};
      if (profile != kH264ConstrainedBaseline) formats.push_back(h264_format(kH264ConstrainedBaseline));
      return formats;
    }
    case payload::Encoding::kHevc: {
      if (track.profile[0] > kHevcProfileMax) return {};
      sdp::HevcFormat format{.level_id = kHevcLevel6};
      if (track.profile[0] != 0) format.profile_id = track.profile[0];
      return {format};
    }
    case payload::Encoding::kAv1:
      if (track.profile[0] > kAv1ProfileMax) return {};
      return {sdp::Av1Format{.profile = track.profile[0]}};
    case payload::Encoding::kVp9:
      if (track.profile[0] > kVp9ProfileMax) return {};
      return {sdp::Vp9Format{.profile_id = track.profile[0], .max_fr = {}, .max_fs = {}}};
    case payload::Encoding::kVp8: return {sdp::Vp8Format{}};
    case payload::Encoding::kOpus: {
      sdp::OpusFormat format{.min_packet_ms = 10};
      format.stereo = format.sprop_stereo = format.use_inband_fec = true;
      return {format};
    }
  }
  return {};
}

// Payload types for a format and what repairs it: of 96 to 127, then of 35 to 63 (RFC 5761 §4).
std::optional<std::uint8_t> pair_of(std::size_t number) {
  if (number < 16) return static_cast<std::uint8_t>(96 + 2 * number);
  if (number < 30) return static_cast<std::uint8_t>(35 + 2 * (number - 16));
  return std::nullopt;
}

NegotiationFault fault_of_answer(sdp::Refusal refusal) {
  return {fault_of(refusal).refusal,
          std::string("The answer does not fit the offer: ") + sdp::name_of(refusal) + "."};
}

}  // namespace

// Empty where there is no word for it, or payload types are used up.
std::vector<sdp::SupportedCodec> PeerNegotiation::codecs_of(State& state, const payload::RtpTrack& track) {
  std::vector<sdp::SupportedCodec> codecs;
  const sdp::Codec codec = codec_of(track.encoding);
  for (sdp::CodecFormat& format : formats_of(track)) {
    auto known = std::find_if(state.formats.begin(), state.formats.end(),
                              [&](const Format& one) { return one.codec == codec && one.format == format; });
    if (known == state.formats.end()) {
      auto type = pair_of(state.formats.size());
      if (!type) break;
      known = state.formats.insert(known, {codec, format, *type});
    }
    codecs.push_back({.payload = sdp::make_payload(known->type, codec, std::move(format),
                                                   track.is_video() ? kVideoFeedback : kAudioFeedback),
                      .has_rtx = track.is_video()});
  }
  if (!codecs.empty() && track.encoding == payload::Encoding::kOpus) {
    const std::uint8_t opus = codecs.front().payload.type;
    codecs.push_back(make_red(static_cast<std::uint8_t>(opus + 1), opus));
  }
  return codecs;
}

// A section that nothing is sent in, else one that the peer stopped, else a new one.
PeerNegotiation::Section* PeerNegotiation::find_free(State& state, sdp::MediaKind kind) {
  for (Section& section : state.sections)
    if (section.kind == kind && !section.seat && !section.is_draining && !section.is_stopped) return &section;
  auto stopped = std::find_if(state.sections.begin(), state.sections.end(), [](const Section& section) {
    return section.is_stopped && section.kind != sdp::MediaKind::kData;
  });
  if (stopped == state.sections.end()) {
    if (state.sections.size() == sdp::kSectionsMax) return nullptr;
    stopped = state.sections.emplace(stopped);
  }
  *stopped = Section{.kind = kind, .mid = std::to_string(state.next_mid++)};
  return &*stopped;
}

std::optional<PeerNegotiation::Offered> PeerNegotiation::offer(std::span<const PeerOutlet> outlets,
                                                               const LocalDescription& local) {
  release(outlets);
  if (open_offer_) return std::nullopt;
  State next = state_;
  if (next.sections.empty())
    next.sections.push_back({.kind = sdp::MediaKind::kData, .mid = std::to_string(next.next_mid++)});
  Offered offered;
  for (const PeerOutlet& outlet : outlets) {
    if (is_seated(next, outlet.key)) continue;
    auto codecs = is_good(outlet) ? codecs_of(next, outlet.track) : std::vector<sdp::SupportedCodec>();
    State before = next;
    Section* section = codecs.empty() ? nullptr : find_free(next, kind_of(outlet));
    if (!section || !seat(next, *section, outlet, outlet.track.is_video())) {
      next = std::move(before);
      offered.unseated.push_back(outlet.key);
      continue;
    }
    section->codecs = std::move(codecs);
  }
  ++next.version;
  auto description = write_offer(next, local);
  if (!description) return std::nullopt;
  offered.offer = sdp::write(*description);
  state_ = std::move(next);
  open_offer_ = std::move(description);
  return offered;
}

std::optional<sdp::SessionDescription> PeerNegotiation::write_offer(const State& state,
                                                                    const LocalDescription& local) const {
  const sdp::MediaSupport video = make_viewer_support(sdp::MediaKind::kVideo, true);
  const sdp::MediaSupport audio = make_viewer_support(sdp::MediaKind::kAudio, true);
  std::vector<sdp::MediaSupport> supports(state.sections.size());
  std::vector<sdp::OfferedSection> sections;
  for (std::size_t i = 0; i < state.sections.size(); ++i) {
    const Section& section = state.sections[i];
    sdp::OfferedSection& offered = sections.emplace_back();
    offered.kind = section.kind;
    offered.mid = section.mid;
    offered.is_stopped = section.is_stopped;
    if (section.kind == sdp::MediaKind::kData) {
      offered.data = sdp::SctpParameters{.port = kDataPort, .max_message_bytes = kDataMessageBytesMax};
      continue;
    }
    supports[i] = section.kind == sdp::MediaKind::kVideo ? video : audio;
    supports[i].codecs = section.codecs;
    offered.media = &supports[i];
    offered.direction = section.seat ? sdp::Direction::kSendOnly : sdp::Direction::kInactive;
    if (section.seat) offered.source = section.seat->source;
  }
  auto description = sdp::make_offer(local_of(ours(state, local)), sections);
  if (!description) return std::nullopt;
  for (sdp::MediaSection& section : description->sections)
    for (sdp::ExtensionMap& map : section.extensions) map.id = id_of(map.extension);
  return std::move(*description);
}

// What the answer says of one section of the offer.
void PeerNegotiation::settle_section(State& state, std::size_t index, const sdp::SessionDescription& answer,
                                     Accepted& accepted) const {
  Section& section = state.sections[index];
  const sdp::MediaSection& offered = open_offer_->sections[index];
  const auto& all = accepted.agreement.sections;
  auto agreed =
      std::find_if(all.begin(), all.end(), [&](const sdp::AgreedSection& one) { return one.index == index; });
  const bool is_taken = agreed != all.end() && !agreed->send_layers.empty();
  auto reject = [&] {
    accepted.rejected.push_back(section.seat->key);
    vacate(state, section);
    section.is_draining = false;  // The answer said so.
  };
  if (section.seat && !is_taken) {
    reject();
  } else if (section.seat && !section.seat->config) {
    section.seat->config = outlet_of(section.seat->encoding, *agreed, section.seat->source);
  } else if (section.seat) {
    const bool has_type =
        std::any_of(agreed->codecs.begin(), agreed->codecs.end(), [&](const sdp::AgreedCodec& codec) {
          return codec.send_payload_type == section.seat->config->payload_type;
        });
    auto& red = section.seat->config->red_payload_type;
    if (red && outlet_of(section.seat->encoding, *agreed, section.seat->source).red_payload_type != red)
      red.reset();
    if (!has_type) reject();
  } else if (!sdp::can_send(offered.direction)) {
    section.is_draining = false;
  }
  if (answer.sections[index].is_rejected()) section.is_stopped = true;
}

Result<PeerNegotiation::Accepted, NegotiationFault> PeerNegotiation::accept(std::string_view answer_text,
                                                                            bool may_restart) {
  if (!open_offer_) return fault(NegotiationRefusal::kNotExpected, "There is no offer to answer.");
  STOA_TRY(sdp::SessionDescription answer, parse_description(answer_text, "answer", sdp::kSectionsMax));
  auto agreement = sdp::agree(*open_offer_, answer, sdp::Side::kOfferer);
  if (!agreement) return refuse(fault_of_answer(agreement.error()));
  Accepted accepted;
  accepted.remote = remote_of(*agreement);
  accepted.dtls_role = role_of(*agreement);
  accepted.agreement = std::move(*agreement);
  if (state_.remote) {
    auto outcome = expect_same_transport(*state_.remote, accepted.remote, state_.role, accepted.dtls_role);
    if (!outcome) return refuse(outcome.error());
    const ice::Credentials &before = state_.remote->ice, &now = accepted.remote.ice;
    if (!may_restart && (before.ufrag != now.ufrag || before.password != now.password))
      return fault(NegotiationRefusal::kTransportChanged,
                   "The answer has new ICE credentials, and the offer had not.");
  }
  State next = state_;
  for (std::size_t i = 0; i < open_offer_->sections.size(); ++i) settle_section(next, i, answer, accepted);
  next.role = accepted.dtls_role;
  next.remote = accepted.remote;
  state_ = std::move(next);
  open_offer_.reset();
  return accepted;
}

}  // namespace stoa::webrtc
