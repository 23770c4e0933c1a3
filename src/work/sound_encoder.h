// Samples in, frames of one sound rung out: AAC Low Complexity by libavcodec's encoder, Opus by libopus.
//
// Times are counts of samples from the first one on. An encoder begins before that: what a decoder makes of
// its first frames is silence, and their times are below 0 (AAC 1,024 samples, Opus 312), so that all that
// follows is heard where it was. The configuration record of Opus says no pre-skip, since nothing is to be
// skipped: the frames' own times say it all.
#pragma once

#include <memory>
#include <vector>

#include "base/result.h"
#include "work/encoder_config.h"
#include "work/rung_output.h"

namespace stoa::work {

struct EncodedSound {
  std::int64_t at = 0;  // Samples from the first.
  SharedBytes payload;
};

class SoundEncoder {
 public:
  const std::shared_ptr<const media::Format>& format() const { return format_; }
  const char* name() const { return context_->codec->name; }
  // What encode() wants: so many samples, of this form.
  int frame_samples() const { return context_->frame_size; }
  int priming_samples() const {
    return context_->initial_padding;
  }  // The first frame's time is below 0 by it.
  AVSampleFormat sample_format() const { return context_->sample_fmt; }
  const AVChannelLayout& layout() const { return context_->ch_layout; }
  int sample_rate() const { return context_->sample_rate; }
  // Room for so many.
  FramePtr make_samples(int count) const;

  // Appends what is ready: encoders are a frame behind.
  Result<void, EncodeRefusal> encode(AVFrame& samples, std::int64_t at, std::vector<EncodedSound>& out);
  // Appends what is inside. The encoder is of no further use.
  Result<void, EncodeRefusal> finish(std::vector<EncodedSound>& out);

 private:
  friend Result<SoundEncoder, EncodeRefusal> make_sound_encoder(const SoundEncoderConfig& config);
  explicit SoundEncoder(CodecPtr context) : context_(std::move(context)) {}
  Result<void, EncodeRefusal> receive(std::vector<EncodedSound>& out);

  CodecPtr context_;
  PacketPtr packet_ = make_packet();
  std::shared_ptr<const media::Format> format_;
};

Result<SoundEncoder, EncodeRefusal> make_sound_encoder(const SoundEncoderConfig& config);

// The nearest of what the codec can do, where a rung leaves it to the source.
int sample_rate_near(media::Codec codec, int wanted);
int channels_near(media::Codec codec, int wanted);

}  // namespace stoa::work
