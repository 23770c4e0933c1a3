#include "work/sound_rung.h"

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <array>
#include <utility>

namespace stoa::work {

namespace {

constexpr int kPlanesMax = 64;
constexpr Duration kRounding = Duration::microseconds(1);  // Of times that are whole samples.

AVChannelLayout layout_of(const AVFrame& samples) {
  AVChannelLayout layout = samples.ch_layout;
  if (layout.order != AV_CHANNEL_ORDER_NATIVE) av_channel_layout_default(&layout, layout.nb_channels);
  return layout;
}

// Where each plane is, `skipped` samples from the start.
std::array<const std::uint8_t*, kPlanesMax> planes_of(const AVFrame& samples, std::int64_t skipped) {
  auto format = static_cast<AVSampleFormat>(samples.format);
  bool is_planar = av_sample_fmt_is_planar(format) != 0;
  int channels = samples.ch_layout.nb_channels;
  std::int64_t bytes = skipped * av_get_bytes_per_sample(format) * (is_planar ? 1 : channels);
  std::array<const std::uint8_t*, kPlanesMax> planes{};
  int count = is_planar ? channels : 1;
  for (int plane = 0; plane < count && plane < kPlanesMax; ++plane) {
    planes[static_cast<std::size_t>(plane)] = samples.extended_data[plane] + bytes;
  }
  return planes;
}

void** data_of(AVFrame& frame) { return reinterpret_cast<void**>(frame.extended_data); }

}  // namespace

std::int64_t SoundRung::index_at(Duration at) const { return (at - begun_at_).to_ticks(sample_rate_); }
Duration SoundRung::time_of(std::int64_t index) const {
  return begun_at_ + Duration::from_ticks(index, sample_rate_);
}

void SoundRung::handle_sound(const Sound& sound, RungOutputs& out) {
  heard_at_ = sound.pts;
  if (is_ended_ || is_resting_) return;
  newest_ = sound.origin.number;
  const AVFrame& samples = *sound.samples;
  AVChannelLayout layout = layout_of(samples);
  Input input{samples.format, samples.sample_rate, layout.nb_channels, layout.u.mask};
  Duration from = not_before_;
  if (encoder_) {
    if (input != input_ && !drain_resampler()) return fail(EncodeRefusal::kEncoder, out);
    from = resampler_ ? resampled_from_ + Duration::from_ticks(resampled_, input.sample_rate)
                      : time_of(written_);
    Duration hole = sound.pts - from;
    if (hole > kSilenceMax) {
      finish_run(Duration::infinite(), out);
      from = not_before_;
    } else if (hole > kSoundSlack) {
      bool is_filled = drain_resampler() && write_silence(index_at(sound.pts) - written_);
      if (!is_filled) return fail(EncodeRefusal::kEncoder, out);
      from = sound.pts;
    }
  }
  std::int64_t skipped = 0;
  Duration at = sound.pts;
  if (sound.pts < from - (encoder_ ? kSoundSlack : Duration())) {
    skipped = (from - sound.pts).to_ticks(samples.sample_rate);
    at = from;
  }
  if (skipped >= samples.nb_samples) return;
  input_ = input;
  if (!encoder_ && !begin_run(samples, at, out)) return;
  auto planes = planes_of(samples, skipped);
  bool is_taken = (resampler_ || open_resampler(samples, time_of(written_))) &&
                  resample(planes.data(), samples.nb_samples - static_cast<int>(skipped));
  if (!is_taken) return fail(EncodeRefusal::kEncoder, out);
  resampled_ += samples.nb_samples - skipped;
  if (!encode(out)) return fail(EncodeRefusal::kEncoder, out);
}

void SoundRung::handle_break(Duration at, RungOutputs& out) {
  finish_run(at, out);
  not_before_ = std::max(not_before_, at);
}

void SoundRung::handle_refusal(const std::string& text, RungOutputs& out) {
  if (is_ended_ || !format_) return;  // Nothing of it was told that could be refused.
  rest_.handle_refusal(heard_at_);
  is_resting_ = true;
  encoder_.reset();
  resampler_.reset();
  format_.reset();
  out.push(RungEnded{rung_.id, EncodeRefusal::kOwner, text});
}

void SoundRung::handle_cut(Duration at) {
  if (!is_resting_ || !rest_.is_over(at)) return;
  is_resting_ = false;
  not_before_ = std::max(not_before_, at);
}

void SoundRung::finish(RungOutputs& out) { finish_run(Duration::infinite(), out); }

bool SoundRung::begin_run(const AVFrame& samples, Duration at, RungOutputs& out) {
  if (sample_rate_ == 0) {
    sample_rate_ = rung_.sample_rate > 0 ? static_cast<int>(rung_.sample_rate)
                                         : sample_rate_near(rung_.codec, samples.sample_rate);
    channels_ = rung_.channels > 0 ? static_cast<int>(rung_.channels)
                                   : channels_near(rung_.codec, samples.ch_layout.nb_channels);
  }
  SoundEncoderConfig config{rung_.codec, rung_.bitrate_mean, sample_rate_, channels_};
  auto encoder = make_sound_encoder(config);
  if (!encoder) return fail(encoder.error(), out), false;
  encoder_.emplace(std::move(*encoder));
  encoder_name_ = encoder_->name();
  samples_.reset(av_audio_fifo_alloc(encoder_->sample_format(), channels_, encoder_->frame_samples()));
  if (!samples_) throw std::bad_alloc();
  written_ = encoded_ = 0;
  if (!std::exchange(format_, encoder_->format())) out.push(RungFormat{rung_.id, format_, config});
  // So that a frame begins where the sound does, and none before it holds any of it.
  int size = encoder_->frame_samples(), lead = (size - encoder_->priming_samples() % size) % size;
  begun_at_ = at - Duration::from_ticks(lead, sample_rate_);
  return write_silence(lead) || (fail(EncodeRefusal::kEncoder, out), false);
}

bool SoundRung::open_resampler(const AVFrame& samples, Duration at) {
  AVChannelLayout from = layout_of(samples), to = encoder_->layout();
  SwrContext* made = nullptr;
  int set = swr_alloc_set_opts2(&made, &to, encoder_->sample_format(), sample_rate_, &from,
                                static_cast<AVSampleFormat>(samples.format), samples.sample_rate, 0, nullptr);
  resampler_.reset(made);
  // Of samples of floating point libswresample thinks that they bear to be above 1.
  bool is_set = set == 0 && av_opt_set_double(made, "rematrix_maxval", 1, 0) == 0;
  // One channel is as loud from two loudspeakers as players make it; libswresample would take 3 dB away.
  constexpr std::array kBoth{1.0, 1.0};
  if (is_set && from.nb_channels == 1 && to.nb_channels == 2) {
    is_set = swr_set_matrix(made, kBoth.data(), 1) == 0;
  }
  bool is_open = is_set && swr_init(made) == 0;
  if (!is_open) resampler_.reset();
  resampled_from_ = at;
  resampled_ = 0;
  return is_open;
}

bool SoundRung::resample(const std::uint8_t** samples, int count) {
  int room = swr_get_out_samples(resampler_.get(), count);
  if (room < 0) return false;
  FramePtr made = encoder_->make_samples(std::max(room, 1));
  int converted = swr_convert(resampler_.get(), made->extended_data, room, samples, count);
  if (converted < 0 || av_audio_fifo_write(samples_.get(), data_of(*made), converted) != converted)
    return false;
  written_ += converted;
  return true;
}

// What it holds back comes out. The next samples begin anew.
bool SoundRung::drain_resampler() {
  bool is_drained = !resampler_ || resample(nullptr, 0);
  resampler_.reset();
  return is_drained;
}

bool SoundRung::write_silence(std::int64_t count) {
  if (count <= 0) return true;
  FramePtr silence = encoder_->make_samples(static_cast<int>(count));
  av_samples_set_silence(silence->extended_data, 0, silence->nb_samples, channels_,
                         encoder_->sample_format());
  if (av_audio_fifo_write(samples_.get(), data_of(*silence), silence->nb_samples) < 0) return false;
  written_ += count;
  return true;
}

bool SoundRung::encode(RungOutputs& out, Duration until) {
  std::vector<EncodedSound> frames;
  int size = encoder_->frame_samples();
  while (av_audio_fifo_size(samples_.get()) >= size) {
    FramePtr frame = encoder_->make_samples(size);
    if (av_audio_fifo_read(samples_.get(), data_of(*frame), size) != size) return false;
    if (!encoder_->encode(*frame, encoded_, frames)) return false;
    encoded_ += size;
  }
  push(frames, until, out);
  return true;
}

void SoundRung::finish_run(Duration until, RungOutputs& out) {
  if (!encoder_ || is_ended_) return;
  bool is_whole = drain_resampler();
  until = std::min(until, time_of(written_ + encoder_->frame_samples() - 1));
  std::int64_t rest = av_audio_fifo_size(samples_.get());
  std::vector<EncodedSound> frames;
  is_whole = is_whole && (rest == 0 || write_silence(encoder_->frame_samples() - rest)) &&
             encode(out, until) && encoder_->finish(frames);
  if (!is_whole) return fail(EncodeRefusal::kEncoder, out);
  push(frames, until, out);
  encoder_.reset();
}

// Those that end by `until` and do not begin before what has left is over.
void SoundRung::push(std::vector<EncodedSound>& frames, Duration until, RungOutputs& out) {
  Duration length = Duration::from_ticks(encoder_->frame_samples(), sample_rate_);
  for (EncodedSound& frame : frames) {
    Duration at = time_of(frame.at), over = time_of(frame.at + encoder_->frame_samples());
    if (at < not_before_ || over - kRounding > until) continue;
    not_before_ = over;
    media::Frame made{.dts = at, .pts = at, .is_keyframe = true, .payload = std::move(frame.payload)};
    out.push(RungFrame{rung_.id, std::move(made), {newest_, length}});
  }
}

void SoundRung::fail(EncodeRefusal why, RungOutputs& out) {
  is_ended_ = true;
  encoder_.reset();
  resampler_.reset();
  out.push(RungEnded{rung_.id, why, {}});
}

}  // namespace stoa::work
