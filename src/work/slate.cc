#include "work/slate.h"

#include <sys/resource.h>

#include <optional>
#include <utility>

#include "proto/relay/limits.h"
#include "work/scaler.h"
#include "work/slate_clip.h"
#include "work/slate_picture.h"
#include "work/sound_encoder.h"
#include "work/video_encoder.h"

namespace stoa::work {

namespace {

// Of the calling thread alone (setpriority(2), "C library/kernel differences"): slates may wait, and what
// they take, those that encode do not need.
void yield_to_others() {
  constexpr int kNicer = 10;
  ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + kNicer);
}

constexpr Duration kStep = Duration::milliseconds(80);
constexpr Duration kClipStep = Duration::milliseconds(40);
constexpr Duration kLength = relay::kSlateDurationMax;
// Encoders begin with what is not yet silence.
constexpr int kSilentFrame = 6;

template <typename Draw>
Result<relay::SlateMade, EncodeRefusal> make_pictures(const VideoEncoderConfig& config, Duration step,
                                                      Draw draw) {
  auto encoder = make_video_encoder(config);
  if (!encoder) return refuse(encoder.error());
  relay::SlateMade slate{.format = *(*encoder)->format(), .frame_duration = step};
  for (Duration at; at < kLength; at += step) {
    std::optional<Image> image = draw(at);
    if (!image) return refuse(EncodeRefusal::kEncoder);
    STOA_TRY(media::Frame frame, (*encoder)->encode(*image, at == Duration()));
    slate.frames.push_back(std::move(frame.payload));
  }
  return slate;
}

Result<relay::SlateMade, EncodeRefusal> make_title(const VideoEncoderConfig& config, std::string_view title) {
  SlatePicture picture(static_cast<int>(config.rung.width) & ~1, static_cast<int>(config.rung.height) & ~1,
                       title, config.colour);
  return make_pictures(config, kStep, [&](Duration at) -> std::optional<Image> {
    return picture.draw(at.as_seconds() / kLength.as_seconds(), at);
  });
}

std::optional<relay::SlateMade> make_of_clip(const VideoEncoderConfig& config, const std::string& path) {
  int width = static_cast<int>(config.rung.width), height = static_cast<int>(config.rung.height);
  if (width % 2 != 0 || height % 2 != 0) return std::nullopt;
  auto clip = make_slate_clip(path, width, height, config.colour);
  if (!clip) return std::nullopt;
  Scaler scaler(width, height);
  std::shared_ptr<const AVFrame> shown;
  Image scaled;
  auto slate = make_pictures(config, kClipStep, [&](Duration at) -> std::optional<Image> {
    auto image = clip->at(at);
    if (!image) return std::nullopt;
    if (std::exchange(shown, image->pixels) != image->pixels) {
      auto made = scaler.scale(*image);
      if (!made) return std::nullopt;
      scaled = std::move(*made);
    }
    scaled.pts = at;
    return scaled;
  });
  if (!slate) return std::nullopt;
  std::size_t bytes = 0;
  for (const SharedBytes& frame : slate->frames) bytes += 4 + frame.size();
  if (bytes > relay::kSlateBytesMax) return std::nullopt;
  return std::move(*slate);
}

Result<relay::SlateMade, EncodeRefusal> make_silence(const SoundEncoderConfig& config) {
  auto encoder = make_sound_encoder(config);
  if (!encoder) return refuse(encoder.error());
  FramePtr silence = encoder->make_samples(encoder->frame_samples());
  av_samples_set_silence(silence->extended_data, 0, silence->nb_samples, config.channels,
                         encoder->sample_format());
  std::vector<EncodedSound> frames;
  for (int number = 0; frames.size() <= kSilentFrame; ++number) {
    auto encoded = encoder->encode(*silence, std::int64_t{number} * silence->nb_samples, frames);
    if (!encoded || number > 2 * kSilentFrame) return refuse(EncodeRefusal::kEncoder);
  }
  relay::SlateMade slate{.format = *encoder->format(), .frames = {frames[kSilentFrame].payload}};
  slate.frame_duration = Duration::from_ticks(encoder->frame_samples(), encoder->sample_rate());
  return slate;
}

}  // namespace

Result<relay::SlateMade, EncodeRefusal> make_slate(const SlatePlace& place, const EncoderConfig& config,
                                                   std::string_view title, const std::string& clip) {
  auto make = [&]() -> Result<relay::SlateMade, EncodeRefusal> {
    auto* pictures = std::get_if<VideoEncoderConfig>(&config);
    if (pictures == nullptr) return make_silence(std::get<SoundEncoderConfig>(config));
    std::optional<relay::SlateMade> own;
    if (!clip.empty()) own = make_of_clip(*pictures, clip);
    return own ? std::move(*own) : make_title(*pictures, title);
  };
  STOA_TRY(relay::SlateMade slate, make());
  slate.is_of_source = place.is_of_source;
  slate.rung = place.rung;
  slate.track = place.track;
  return slate;
}

SlateMaker::SlateMaker(const Send& send, std::string clip)
    : send_(send), clip_(std::move(clip)), thread_([this] { run(); }) {}

SlateMaker::~SlateMaker() { queue_.drop(); }

void SlateMaker::set_title(std::string title) {
  std::lock_guard lock(mutex_);
  title_ = std::move(title);
}

void SlateMaker::want(const SlatePlace& place, const EncoderConfig& config) {
  Wanted wanted{place, config, {}};
  {
    std::lock_guard lock(mutex_);
    auto [asked, is_new] = asked_.try_emplace(place, config);
    if (!is_new && asked->second == config) return;
    asked->second = config;
    wanted.title = title_;
  }
  queue_.put(std::move(wanted));
}

void SlateMaker::finish() {
  queue_.close();
  thread_.join();
}

void SlateMaker::run() {
  yield_to_others();
  while (auto wanted = queue_.take()) {
    // A rung that cannot be encoded says so itself; then there is a gap instead.
    if (auto slate = make_slate(wanted->place, wanted->config, wanted->title, clip_)) send_(*slate);
  }
}

}  // namespace stoa::work
