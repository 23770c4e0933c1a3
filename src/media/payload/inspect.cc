#include "media/payload/inspect.h"

#include "base/assert.h"
#include "media/payload/av1.h"
#include "media/payload/h264.h"
#include "media/payload/hevc.h"
#include "media/payload/opus.h"
#include "media/payload/vp8.h"
#include "media/payload/vp9.h"

namespace stoa::payload {

namespace {

Result<PayloadFacts, Refusal> inspect(Encoding encoding, Bytes payload) {
  switch (encoding) {
    case Encoding::kH264: return inspect_h264_payload(payload);
    case Encoding::kHevc: return inspect_hevc_payload(payload);
    case Encoding::kAv1: return inspect_av1_payload(payload);
    case Encoding::kVp8: return inspect_vp8_payload(payload);
    case Encoding::kVp9: return inspect_vp9_payload(payload);
    case Encoding::kOpus: return inspect_opus_payload(payload);
  }
  return refuse(Refusal::kUnsupported);
}

}  // namespace

Result<PayloadFacts, Refusal> inspect_payload(Encoding encoding, Bytes payload) {
  auto facts = inspect(encoding, payload);
  if (facts && facts->is_keyframe) facts->is_switch_point = true;
  return facts;
}

Result<AssembledFrame, Refusal> assemble(Encoding encoding, std::span<const Bytes> payloads, Buffer& frame) {
  STOA_DCHECK(!payloads.empty());
  switch (encoding) {
    case Encoding::kH264: return assemble_h264(payloads, frame);
    case Encoding::kHevc: return assemble_hevc(payloads, frame);
    case Encoding::kAv1: return assemble_av1(payloads, frame);
    case Encoding::kVp8: return assemble_vp8(payloads, frame);
    case Encoding::kVp9: return assemble_vp9(payloads, frame);
    case Encoding::kOpus:
      if (payloads.size() != 1) return refuse(Refusal::kBroken);
      return assemble_opus(payloads.front(), frame);
  }
  return refuse(Refusal::kUnsupported);
}

}  // namespace stoa::payload
