#include "media/payload/opus.h"

#include "media/codec.h"

namespace stoa::payload {

Result<std::uint32_t, Refusal> opus_duration(Bytes packet) {
  auto samples = media::opus_packet_samples(packet);
  if (samples) return *samples;
  return refuse(samples.error() == media::CodecRefusal::kTruncated ? Refusal::kTruncated
                                                                   : Refusal::kBadValue);
}

Result<void, Refusal> packetize_opus(Bytes packet, std::size_t payload_bytes_max, PayloadList& out) {
  if (auto duration = opus_duration(packet); !duration) return refuse(duration.error());
  if (packet.size() > payload_bytes_max) return refuse(Refusal::kTooLarge);
  out.bytes(packet);
  out.end_payload();
  return {};
}

Result<AssembledFrame, Refusal> assemble_opus(Bytes payload, Buffer& frame) {
  if (auto duration = opus_duration(payload); !duration) return refuse(duration.error());
  frame.insert(frame.end(), payload.begin(), payload.end());
  return AssembledFrame{.is_keyframe = true};
}

Result<PayloadFacts, Refusal> inspect_opus_payload(Bytes payload) {
  if (auto duration = opus_duration(payload); !duration) return refuse(duration.error());
  return PayloadFacts{.starts_frame = true, .is_keyframe = true, .is_switch_point = true};
}

}  // namespace stoa::payload
