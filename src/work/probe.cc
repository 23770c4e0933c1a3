#include "work/probe.h"

#include <algorithm>
#include <utility>

#include "media/codec.h"
#include "work/slate_picture.h"

namespace stoa::work {

namespace {

constexpr int kWidth = 256, kHeight = 144, kPictures = 3;

// What is wrong with it; empty: nothing.
std::string find_fault(media::Codec codec, const std::string& name, const MakeVideoEncoder& make) {
  VideoEncoderConfig config{.preset = "ultrafast", .encoder = name};
  config.rung.codec = codec;
  config.rung.width = kWidth, config.rung.height = kHeight;
  config.rung.bitrate_max = 1'000'000, config.rung.rate_factor = 30;
  auto encoder = make(config);
  if (!encoder) return "cannot be opened";
  SlatePicture pictures(kWidth, kHeight, "", {});
  for (int number = 0; number < kPictures; ++number) {
    bool is_keyframe = number == 0 || number == kPictures - 1;
    Duration at = Duration::milliseconds(40) * number;
    auto frame = (*encoder)->encode(pictures.draw(number * 0.1, at), is_keyframe);
    if (!frame) return "does not encode at once, with keyframes where they are asked for";
    auto facts = media::inspect(*(*encoder)->format(), frame->payload.bytes());
    if (!facts || facts->is_keyframe != is_keyframe) return "makes keyframes elsewhere";
  }
  return "";
}

bool is_on_processor(const std::string& name) { return name.starts_with("lib"); }

}  // namespace

ProbedCodec probe_codec(media::Codec codec, const MakeVideoEncoder& make) {
  ProbedCodec probed{codec, {}, ""};
  for (const std::string& name : video_encoders_of(codec)) {
    std::string fault = find_fault(codec, name, make);
    if (fault.empty()) {
      probed.working.push_back(name);
    } else if (probed.working.empty()) {
      probed.why += (probed.why.empty() ? "" : "; ") + name + " " + fault;
    }
  }
  return probed;
}

std::vector<ProbedCodec> probe_encoders(const MakeVideoEncoder& make) {
  std::vector<ProbedCodec> probed;
  using enum media::Codec;
  for (media::Codec codec : {kH264, kHevc, kVp9, kAv1}) probed.push_back(probe_codec(codec, make));
  return probed;
}

std::vector<relay::EncoderOffer> offers_of(const std::vector<ProbedCodec>& probed) {
  std::vector<relay::EncoderOffer> offers;
  for (const ProbedCodec& codec : probed) {
    if (codec.working.empty()) continue;
    const std::string& name = codec.working.front();
    std::string note = is_on_processor(name) ? "on the processor" : "on a device";
    if (!codec.why.empty()) note += ", since " + codec.why;
    offers.push_back({codec.codec, name, std::move(note)});
  }
  offers.push_back({media::Codec::kAac, "aac", "on the processor"});
  offers.push_back({media::Codec::kOpus, "libopus", "on the processor"});
  return offers;
}

std::map<media::Codec, std::vector<std::string>> encoders_of(const std::vector<ProbedCodec>& probed) {
  std::map<media::Codec, std::vector<std::string>> encoders;
  for (const ProbedCodec& codec : probed) encoders[codec.codec] = codec.working;
  return encoders;
}

}  // namespace stoa::work
