#include "work/rung_encoder.h"

#include <utility>

#include "work/filter_graph.h"

namespace stoa::work {

namespace {

double rate_of(std::uint32_t numerator, std::uint32_t denominator) {
  return denominator == 0 ? 0 : static_cast<double>(numerator) / denominator;
}

}  // namespace

RungEncoder::RungEncoder(RungEncoderConfig config) : config_(std::move(config)) {
  if (config_.encoders.empty()) config_.encoders.emplace_back();
  handle_source_rate(config_.source_rate);
}

void RungEncoder::handle_source_rate(SourceRate rate) {
  config_.source_rate = rate;
  const media::Rung& rung = config_.rung;
  double wanted = rate_of(rung.frame_rate_numerator, rung.frame_rate_denominator);
  double source = rate_of(rate.numerator, rate.denominator);
  bool is_thinned = wanted > 0 && (source == 0 || source > wanted * 1.01);
  interval_ = is_thinned ? Duration::from_seconds(1 / wanted) : Duration();
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

void RungEncoder::handle_refusal(const std::string& text, RungOutputs& out) {
  if (is_ended_ || !format_) return;  // Nothing of it was told that could be refused.
  rest_.handle_refusal(seen_until_);
  encoder_.reset();
  format_.reset();
  waits_for_cut_ = true;
  out.push(RungEnded{config_.rung.id, EncodeRefusal::kOwner, text});
}

void RungEncoder::handle_picture(const Image& image, RungOutputs& out) {
  if (is_ended_) return;
  seen_until_ = image.pts;
  bool is_at_cut = false;
  while (!cuts_.empty() && image.pts >= cuts_.front() - kCutSlack) {
    cuts_.pop_front();
    is_at_cut = true;
  }
  if (is_at_cut && rest_.is_over(image.pts)) {
    waits_for_cut_ = false;
    due_at_ = image.pts;
    if (encoder_ && encoder_->counts_pictures() && rate() != encoder_rate_) encoder_.reset();
    if (next_rung_) {
      config_.rung = *std::exchange(next_rung_, std::nullopt);
      encoder_.reset();
    }
  }
  if (waits_for_cut_ || !is_due(image.pts)) return;
  if (!encoder_ && !open(*image.pixels, out)) return;
  auto scaled = scaler_->scale(image);
  if (!scaled) return end(EncodeRefusal::kEncoder, out);
  auto frame = encoder_->encode(*scaled, is_at_cut);
  if (!frame) return handle_failure(frame.error(), out);
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

// Of its pictures, as its encoder is told.
SourceRate RungEncoder::rate() const {
  if (interval_ > Duration()) return {config_.rung.frame_rate_numerator, config_.rung.frame_rate_denominator};
  return config_.source_rate.numerator > 0 ? config_.source_rate : SourceRate{kFrameRateUnsaid, 1};
}

bool RungEncoder::open(const AVFrame& first, RungOutputs& out) {
  VideoEncoderConfig config{.rung = config_.rung, .preset = config_.preset, .threads = config_.threads};
  config.colour = colour_of(first);
  config.colour.full_range = false;  // As the scaler makes it.
  encoder_rate_ = rate();
  config.frame_rate_numerator = encoder_rate_.numerator;
  config.frame_rate_denominator = encoder_rate_.denominator;
  // Other bit rates would mean another level, and so another format for those who watch.
  constexpr std::size_t kLevelAt = 3;  // In an AVCDecoderConfigurationRecord.
  if (format_ && format_->codec == media::Codec::kH264) config.level = format_->config.bytes()[kLevelAt];
  while (!encoder_) {
    config.encoder = config_.encoders[encoders_failed_];
    auto encoder = config_.make_encoder(config);
    if (encoder) {
      encoder_ = std::move(*encoder);
    } else if (++encoders_failed_ == config_.encoders.size()) {
      return end(encoder.error(), out), false;
    }
  }
  scaler_.emplace(static_cast<int>(config.rung.width), static_cast<int>(config.rung.height));
  // With other bit rates decoders mostly need nothing new.
  if (format_ && format_->is_same_as(*encoder_->format())) return true;
  format_ = encoder_->format();
  out.push(RungFormat{config_.rung.id, format_, config});
  return true;
}

// Its successor begins at a cut, as any: a keyframe elsewhere would be one rung's alone.
void RungEncoder::handle_failure(EncodeRefusal why, RungOutputs& out) {
  std::string failed = encoder_->name();
  if (++encoders_failed_ == config_.encoders.size()) return end(why, out);
  encoder_.reset();
  waits_for_cut_ = true;
  const std::string& next = config_.encoders[encoders_failed_];
  out.push(
      RungFellBack{config_.rung.id, failed + " failed, " + (next.empty() ? "another" : next) + " goes on"});
}

void RungEncoder::end(EncodeRefusal why, RungOutputs& out) {
  is_ended_ = true;
  encoder_.reset();
  scaler_.reset();
  cuts_.clear();
  out.push(RungEnded{config_.rung.id, why, {}});
}

}  // namespace stoa::work
