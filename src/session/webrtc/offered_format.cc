#include "session/webrtc/offered_format.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace stoa::webrtc {
namespace {

using sdp::H264Profile;

// How far a decoder of `offered` is from a stream of `coded`: 0 the same, more for profiles that hold more
// than it, nullopt when the decoder need not take it (ITU-T H.264 Annex A.2).
std::optional<int> distance(H264Profile coded, H264Profile offered) {
  if (coded == offered) return 0;
  using enum H264Profile;
  static constexpr std::array kOverConstrainedBaseline = {kBaseline, kMain,   kConstrainedHigh, kExtended,
                                                          kHigh,     kHigh10, kHigh422,         kHigh444};
  static constexpr std::array kOverMain = {kHigh, kHigh10, kHigh422, kHigh444};
  static constexpr std::array kOverConstrainedHigh = {kHigh, kHigh10, kHigh422, kHigh444};
  static constexpr std::array kOverHigh = {kHigh10, kHigh422, kHigh444};
  static constexpr std::array kOverHigh10 = {kHigh422, kHigh444};
  static constexpr std::array kOverHigh422 = {kHigh444};
  auto rank = [&](const auto& order) -> std::optional<int> {
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (order[i] == offered) return static_cast<int>(i) + 1;
    }
    return std::nullopt;
  };
  switch (coded) {
    case kConstrainedBaseline: return rank(kOverConstrainedBaseline);
    case kBaseline: return rank(std::array{kExtended});
    case kMain: return rank(kOverMain);
    case kConstrainedHigh: return rank(kOverConstrainedHigh);
    case kHigh: return rank(kOverHigh);
    case kHigh10: return rank(kOverHigh10);
    case kHigh422: return rank(kOverHigh422);
    default: return std::nullopt;
  }
}

// Where no decoder is sure, the one of the highest profile comes nearest.
int reach(H264Profile offered) {
  using enum H264Profile;
  static constexpr std::array kFromHigh = {kHigh444,         kHigh422, kHigh10,   kHigh,
                                           kConstrainedHigh, kMain,    kBaseline, kConstrainedBaseline};
  for (std::size_t i = 0; i < kFromHigh.size(); ++i) {
    if (kFromHigh[i] == offered) return static_cast<int>(i);
  }
  return static_cast<int>(kFromHigh.size());
}

// Smaller is better, in this order: may fragment, is sure to decode, is near, has the level.
using Rank = std::tuple<bool, bool, int, bool>;

Rank rank_of(const sdp::H264Format& offered, const std::array<std::uint8_t, 3>& track) {
  bool cannot_fragment = offered.packetization_mode != 1;
  auto coded = static_cast<std::uint32_t>(track[0] << 16 | track[1] << 8 | track[2]);
  if (coded == 0) return {cannot_fragment, false, 0, false};
  H264Profile profile = sdp::h264_profile_of(offered.profile_level_id);
  bool is_low = sdp::h264_level_of(offered.profile_level_id) < sdp::h264_level_of(coded);
  if (auto near = distance(sdp::h264_profile_of(coded), profile))
    return {cannot_fragment, false, *near, is_low};
  return {cannot_fragment, true, reach(profile), is_low};
}

// Main 1, Main 10 2, Main Still Picture 3 (ITU-T H.265 Annex A.3): 2 takes 1, both take 3. 0: not known.
std::optional<Rank> rank_of(const sdp::HevcFormat& offered, const std::array<std::uint8_t, 3>& track) {
  if (offered.tx_mode != sdp::HevcFormat::TxMode::kSrst || offered.profile_space != 0) return std::nullopt;
  std::uint8_t coded = track[0];
  if (coded == 0 || coded == offered.profile_id) return Rank{false, false, 0, false};
  bool takes = (coded == 1 && offered.profile_id == 2) ||
               (coded == 3 && (offered.profile_id == 1 || offered.profile_id == 2));
  return takes ? std::optional(Rank{false, false, offered.profile_id, false}) : std::nullopt;
}

std::optional<Rank> rank_of(const sdp::Payload& offered, const payload::RtpTrack& track) {
  if (const auto* h264 = std::get_if<sdp::H264Format>(&offered.format)) {
    if (h264->packetization_mode > 1) return std::nullopt;  // Interleaved: another order of packets.
    return rank_of(*h264, track.profile);
  }
  if (const auto* hevc = std::get_if<sdp::HevcFormat>(&offered.format)) return rank_of(*hevc, track.profile);
  if (const auto* vp9 = std::get_if<sdp::Vp9Format>(&offered.format)) {
    return vp9->profile_id == track.profile[0] ? std::optional(Rank{}) : std::nullopt;
  }
  if (const auto* av1 = std::get_if<sdp::Av1Format>(&offered.format)) {
    // Each profile holds those before it (AV1 bitstream specification §A.2).
    bool takes = av1->profile >= track.profile[0];
    return takes ? std::optional(Rank{false, false, av1->profile, false}) : std::nullopt;
  }
  return Rank{};
}

}  // namespace

std::optional<payload::Encoding> encoding_of(sdp::Codec codec) {
  return payload::find_encoding(sdp::encoding_name_of(codec));
}

bool is_payload_type_usable(std::uint8_t type) { return type < 64 || type > 95; }

bool may_fragment(const sdp::Payload& payload) {
  const auto* h264 = std::get_if<sdp::H264Format>(&payload.format);
  return !h264 || h264->packetization_mode == 1;
}

bool is_red_of(const sdp::CodecFormat& format, std::uint8_t payload_type) {
  const auto* red = std::get_if<sdp::RedFormat>(&format);
  return red && !red->payload_types.empty() &&
         std::ranges::all_of(red->payload_types, [&](std::uint8_t type) { return type == payload_type; });
}

const sdp::Payload* find_red_of(const sdp::MediaSection& section, std::uint8_t payload_type) {
  const sdp::Payload* of = section.find_payload(payload_type);
  auto found = std::ranges::find_if(section.payloads, [&](const sdp::Payload& red) {
    return of && red.codec == sdp::Codec::kRed && red.clock_rate == of->clock_rate &&
           red.channels == of->channels && is_payload_type_usable(red.type) &&
           is_red_of(red.format, payload_type);
  });
  return found == section.payloads.end() ? nullptr : &*found;
}

const sdp::Payload* find_fit(const sdp::MediaSection& section, const payload::RtpTrack& track) {
  const sdp::Payload* best = nullptr;
  Rank best_rank;
  for (const sdp::Payload& offered : section.payloads) {
    bool is_same = encoding_of(offered.codec) == track.encoding && is_payload_type_usable(offered.type) &&
                   offered.clock_rate == track.clock_rate() &&
                   offered.channels == (track.is_video() ? 1 : 2);  // RFC 7587 §7: always opus/48000/2.
    auto rank = is_same ? rank_of(offered, track) : std::nullopt;
    if (!rank || (best && *rank >= best_rank)) continue;
    best = &offered;
    best_rank = *rank;
  }
  return best;
}

}  // namespace stoa::webrtc
