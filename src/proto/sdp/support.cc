#include "proto/sdp/negotiate.h"

namespace stoa::sdp {
namespace {

constexpr Feedback kVideoFeedback = {
    .nack = true, .pli = true, .fir = true, .remb = true, .transport_cc = true, .ccfb = true, .rrtr = true};
constexpr Feedback kAudioFeedback = {.nack = true, .transport_cc = true, .ccfb = true, .rrtr = true};
constexpr std::uint8_t kH264Level52 = 0x34;

SupportedCodec make_video(std::uint8_t type, Codec codec, CodecFormat format = {}) {
  return {.payload = make_payload(type, codec, std::move(format), kVideoFeedback),
          .rule = ProfileRule::kAny,
          .has_rtx = true};
}

SupportedCodec make_h264(std::uint8_t type, std::uint32_t profile, std::uint8_t packetization_mode) {
  return make_video(type, Codec::kH264,
                    H264Format{.profile_level_id = profile << 8 | kH264Level52,
                               .packetization_mode = packetization_mode,
                               .level_asymmetry_allowed = true});
}

}  // namespace

MediaSupport make_audio_support() {
  MediaSupport support;
  OpusFormat opus{.min_packet_ms = 10};
  opus.stereo = opus.sprop_stereo = opus.use_inband_fec = true;
  support.codecs = {
      {.payload = make_payload(111, Codec::kOpus, opus, kAudioFeedback)},
      {.payload = make_payload(9, Codec::kG722, {}, kAudioFeedback)},
      {.payload = make_payload(8, Codec::kPcma, {}, kAudioFeedback)},
      {.payload = make_payload(0, Codec::kPcmu, {}, kAudioFeedback)},
  };
  support.extensions = {HeaderExtension::kMid, HeaderExtension::kAudioLevel,
                        HeaderExtension::kTransportSequence, HeaderExtension::kAbsoluteSendTime,
                        HeaderExtension::kAbsoluteCaptureTime};
  return support;
}

MediaSupport make_video_support() {
  MediaSupport support;
  HevcFormat hevc{.level_id = 153};  // Level 5.1.
  Av1Format av1{.level_idx = 13};    // Level 5.1.
  support.codecs = {
      make_h264(102, 0x6400, 1),        make_h264(103, 0x42e0, 1),          make_h264(104, 0x42e0, 0),
      make_video(45, Codec::kAv1, av1), make_video(49, Codec::kHevc, hevc), make_video(98, Codec::kVp9),
      make_video(96, Codec::kVp8),
  };
  support.extensions = {HeaderExtension::kMid,
                        HeaderExtension::kRid,
                        HeaderExtension::kRepairedRid,
                        HeaderExtension::kTransportSequence,
                        HeaderExtension::kAbsoluteSendTime,
                        HeaderExtension::kAbsoluteCaptureTime,
                        HeaderExtension::kDependencyDescriptor,
                        HeaderExtension::kVideoOrientation,
                        HeaderExtension::kPlayoutDelay};
  support.simulcast_streams_max = 4;
  return support;
}

}  // namespace stoa::sdp
