// An encoder on a device that is not there, for tests: the processor's with faults.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "work/video_encoder.h"

namespace stoa::work::test {

struct Faults {
  int fails_at = -1;            // The picture that the device is lost at.
  bool has_no_forced = false;   // Keyframes are where it likes.
  bool has_other_sets = false;  // Its parameter sets are not the processor's.
};

class FakeDevice : public VideoEncoder {
 public:
  FakeDevice(std::string name, std::unique_ptr<VideoEncoder> real, const Faults& faults)
      : name_(std::move(name)), real_(std::move(real)), faults_(faults) {}
  const std::shared_ptr<const media::Format>& format() const override { return real_->format(); }
  const char* name() const override { return name_.c_str(); }
  bool counts_pictures() const override { return real_->counts_pictures(); }
  Result<media::Frame, EncodeRefusal> encode(const Image& image, bool is_keyframe) override {
    int picture = pictures_++;
    if (picture == faults_.fails_at) return refuse(EncodeRefusal::kEncoder);
    return real_->encode(image, faults_.has_no_forced ? picture == 0 : is_keyframe);
  }

 private:
  std::string name_;
  std::unique_ptr<VideoEncoder> real_;
  Faults faults_;
  int pictures_ = 0;
};

// Makes `name` with faults; everything else that is no device as it is, and no other device.
inline MakeVideoEncoder with_device(std::string name, Faults faults) {
  return [=](const VideoEncoderConfig& config) -> MadeVideoEncoder {
    VideoEncoderConfig real = config;
    if (config.encoder == name) real.encoder.clear();
    if (config.encoder == name && faults.has_other_sets) real.frame_rate_numerator += 1;
    if (config.encoder != name && !config.encoder.empty() && !config.encoder.starts_with("lib")) {
      return refuse(EncodeRefusal::kEncoder);
    }
    auto encoder = make_video_encoder(real);
    if (!encoder || config.encoder != name) return encoder;
    return std::make_unique<FakeDevice>(name, std::move(*encoder), faults);
  };
}

}  // namespace stoa::work::test
