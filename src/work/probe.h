// Which encoders work here. A name says nothing: an encoder is in the library and its device is not there, or
// it makes no keyframe where one is asked for. So each is opened and encodes three pictures, the third of
// them a keyframe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/relay/worker_message.h"
#include "work/video_encoder.h"

namespace stoa::work {

struct ProbedCodec {
  media::Codec codec;
  std::vector<std::string> working;  // In the order in which they are to be used.
  std::string why;                   // What was wrong with those before the first, for people; may be empty.
};

ProbedCodec probe_codec(media::Codec codec, const MakeVideoEncoder& make = make_video_encoder);
// All codecs of pictures.
std::vector<ProbedCodec> probe_encoders(const MakeVideoEncoder& make = make_video_encoder);

// What an owner is told of it, and of sound.
std::vector<relay::EncoderOffer> offers_of(const std::vector<ProbedCodec>& probed);
// What a ladder is told of it.
std::map<media::Codec, std::vector<std::string>> encoders_of(const std::vector<ProbedCodec>& probed);

}  // namespace stoa::work
