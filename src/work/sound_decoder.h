// Frames of one sound track in, samples out: AAC and Opus.
//
// A frame's samples begin at its pts: what a decoder holds back or a header wants to be skipped at the start
// (Opus' pre-skip) is for files; here each frame comes with its place on the channel's timeline.
#pragma once

#include <memory>

#include "base/result.h"
#include "media/track.h"
#include "work/libav.h"

namespace stoa::work {

enum class SoundRefusal : std::uint8_t {
  kCodec,    // Neither AAC nor Opus, or its configuration record is not one.
  kBadUnit,  // No frame: what it is called is not what it holds.
  kBroken,   // The decoder could make nothing of it.
};
const char* name_of(SoundRefusal refusal);

struct SoundDecoderCounts {
  std::uint64_t units = 0;
  std::uint64_t units_refused = 0;
};

class SoundDecoder {
 public:
  explicit SoundDecoder(std::shared_ptr<const media::Format> format) : format_(std::move(format)) {}

  // What a refused frame would have held is missing, what comes behind it is decoded.
  Result<Sound, SoundRefusal> decode(const media::Frame& frame, Origin origin = {});
  // From the next frame on it is this format.
  void set_format(std::shared_ptr<const media::Format> format);
  // The next frame does not continue the one before.
  void reset() { context_.reset(); }

  const SoundDecoderCounts& counts() const { return counts_; }

 private:
  Result<Sound, SoundRefusal> decode_unit(const media::Frame& frame, Origin origin);
  bool open();

  std::shared_ptr<const media::Format> format_;
  CodecPtr context_;  // Absent before the first frame, and after a broken one.
  PacketPtr packet_ = make_packet();
  SoundDecoderCounts counts_;
};

}  // namespace stoa::work
