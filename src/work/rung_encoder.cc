#include "work/rung_encoder.h"

#include <utility>

namespace stoa::work {

namespace {

constexpr int kHdHeight = 720;

double rate_of(std::uint32_t numerator, std::uint32_t denominator) {
  return denominator == 0 ? 0 : static_cast<double>(numerator) / denominator;
}

// What the source says; where it says nothing, what players take for granted at its size, which need not be
// what they would at the rung's.
media::Colour colour_of(const AVFrame& frame) {
  auto value = [&](int said) { return static_cast<std::uint8_t>(said); };
  media::Colour colour{value(frame.color_primaries), value(frame.color_trc), value(frame.colorspace)};
  std::uint8_t usual = frame.height >= kHdHeight ? AVCOL_SPC_BT709 : AVCOL_SPC_SMPTE170M;
  if (colour.primaries == AVCOL_PRI_UNSPECIFIED) colour.primaries = usual;
  if (colour.transfer == AVCOL_TRC_UNSPECIFIED) colour.transfer = usual;
  if (colour.matrix == AVCOL_SPC_UNSPECIFIED) colour.matrix = usual;
  return colour;
}

}  // namespace

RungEncoder::RungEncoder(RungEncoderConfig config) : config_(std::move(config)) {
  const media::Rung& rung = config_.rung;
  double wanted = rate_of(rung.frame_rate_numerator, rung.frame_rate_denominator);
  double source = rate_of(config_.source_rate_numerator, config_.source_rate_denominator);
  bool is_thinned = wanted > 0 && (source == 0 || source > wanted * 1.01);
  if (is_thinned) interval_ = Duration::from_seconds(1 / wanted);
}

void RungEncoder::handle_cut(Duration at, RungOutputs& out) {
  if (is_ended_) return;
  if (at - kCutSlack <= seen_until_) {
    waits_for_cut_ = true;
    return out.push(RungCutMissed{config_.rung.id, at});
  }
  if (cuts_.size() == kCutsPendingMax) cuts_.pop_front();
  cuts_.push_back(at);
}

void RungEncoder::handle_picture(const Image& image, RungOutputs& out) {
  if (is_ended_) return;
  seen_until_ = image.pts;
  bool is_at_cut = false;
  while (!cuts_.empty() && image.pts >= cuts_.front() - kCutSlack) {
    cuts_.pop_front();
    is_at_cut = true;
  }
  if (is_at_cut) {
    waits_for_cut_ = false;
    due_at_ = image.pts;
  }
  if (waits_for_cut_ || !is_due(image.pts)) return;
  if (!encoder_ && !open(*image.pixels, out)) return;
  auto scaled = scaler_->scale(image);
  if (!scaled) return end(EncodeRefusal::kEncoder, out);
  auto frame = encoder_->encode(*scaled, is_at_cut);
  if (!frame) return end(frame.error(), out);
  Origin origin{image.origin.number, nominal_duration(image.origin.nominal_duration)};
  out.push(RungFrame{config_.rung.id, std::move(*frame), origin});
}

bool RungEncoder::is_due(Duration pts) {
  if (interval_ == Duration()) return true;
  // Clocks jitter; still less than half, so that of twice as many pictures the one between stays out.
  if (pts < due_at_ - interval_ * 3 / 8) return false;
  due_at_ += interval_;
  // After a pause there is nothing to catch up with.
  if (due_at_ < pts) due_at_ = pts + interval_;
  return true;
}

Duration RungEncoder::nominal_duration(Duration of_source) const {
  if (interval_ == Duration() || of_source <= Duration()) return of_source;
  // Of 60 every second one is steady, of 50 some of two and some of one is not.
  Duration several = of_source * ((interval_ + of_source / 2) / of_source);
  return (several - interval_).abs() < interval_ / 50 ? several : Duration();
}

bool RungEncoder::open(const AVFrame& first, RungOutputs& out) {
  VideoEncoderConfig config{.rung = config_.rung, .preset = config_.preset, .threads = config_.threads};
  config.colour = colour_of(first);
  if (interval_ > Duration()) {
    config.frame_rate_numerator = config_.rung.frame_rate_numerator;
    config.frame_rate_denominator = config_.rung.frame_rate_denominator;
  } else if (config_.source_rate_numerator > 0) {
    config.frame_rate_numerator = config_.source_rate_numerator;
    config.frame_rate_denominator = config_.source_rate_denominator;
  } else {
    config.frame_rate_numerator = kFrameRateUnsaid;
  }
  auto encoder = make_video_encoder(config);
  if (!encoder) return end(encoder.error(), out), false;
  encoder_.emplace(std::move(*encoder));
  scaler_.emplace(static_cast<int>(config.rung.width), static_cast<int>(config.rung.height));
  out.push(RungFormat{config_.rung.id, encoder_->format()});
  return true;
}

void RungEncoder::end(EncodeRefusal why, RungOutputs& out) {
  is_ended_ = true;
  encoder_.reset();
  scaler_.reset();
  cuts_.clear();
  out.push(RungEnded{config_.rung.id, why});
}

}  // namespace stoa::work
