// What encoders put out, as frames of media:: have it.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"
#include "media/rung.h"
#include "work/encoder_config.h"
#include "work/rung_output.h"

namespace stoa::work {

enum class UnitForm : std::uint8_t {
  kLengths,     // NAL units with four bytes of length before each.
  kStartCodes,  // NAL units as Annex B has them (ITU-T H.264, H.265).
  kWhole,       // Of VP9 and AV1: a temporal unit.
};

// The payload of a frame: without parameter sets and what else decoders need not have.
Result<SharedBytes, EncodeRefusal> payload_of(media::Codec codec, UnitForm form, Bytes unit);

// `first` holds parameter sets, or is a keyframe of VP9 or AV1.
Result<std::shared_ptr<const media::Format>, EncodeRefusal> format_of(const VideoEncoderConfig& config,
                                                                      UnitForm form, Bytes first);

}  // namespace stoa::work
