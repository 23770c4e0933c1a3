// Sound for the tests of this folder, made in memory: pulses at known times, and a tone. What comes out of a
// codec is laid on a line by the times of its frames, and a pulse is looked for where it should be.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "work/sound_decoder.h"
#include "work/sound_encoder.h"

namespace stoa::work::test {

inline const bool kSoundIsSilent = (silence_libav(), true);

// What is heard at a time (in seconds) in a channel.
using Heard = std::function<double(double at, int channel)>;

// A millisecond of 1,500 Hz around 0.
inline double pulse(double at) {
  if (std::abs(at) > 0.003) return 0;
  return std::exp(-(at * at) / (0.0004 * 0.0004)) * std::cos(2 * std::numbers::pi * 1'500 * at);
}
inline Heard pulses_at(std::vector<double> times, double loudness = 0.5) {
  return [=](double at, int) {
    double sum = 0;
    for (double time : times) sum += pulse(at - time);
    return loudness * sum;
  };
}
inline Heard tone(double hertz, double loudness) {
  return [=](double at, int) { return loudness * std::sin(2 * std::numbers::pi * hertz * at); };
}

struct SoundSpec {
  media::Codec codec = media::Codec::kAac;
  int sample_rate = 48'000, channels = 2;
  double seconds = 1;
  std::uint32_t bitrate = 256'000;
};
struct SoundClip {
  std::shared_ptr<const media::Format> format;
  std::vector<media::Frame> frames;  // The first may begin before 0.
};

// What is heard from 0 on.
inline SoundClip make_sound(const SoundSpec& spec, const Heard& heard) {
  auto encoder = make_sound_encoder({spec.codec, spec.bitrate, spec.sample_rate, spec.channels}).value();
  SoundClip clip{encoder.format(), {}};
  std::vector<EncodedSound> encoded;
  auto samples_of_all = static_cast<std::int64_t>(spec.seconds * spec.sample_rate);
  bool is_planar = av_sample_fmt_is_planar(encoder.sample_format()) != 0;
  for (std::int64_t at = 0; at < samples_of_all; at += encoder.frame_samples()) {
    FramePtr frame = make_frame();
    frame->nb_samples = encoder.frame_samples();
    frame->format = encoder.sample_format();
    frame->sample_rate = spec.sample_rate;
    av_channel_layout_copy(&frame->ch_layout, &encoder.layout());
    if (av_frame_get_buffer(frame.get(), 0) != 0) throw std::bad_alloc();
    for (int i = 0; i < frame->nb_samples; ++i) {
      for (int channel = 0; channel < spec.channels; ++channel) {
        auto value = static_cast<float>(heard(static_cast<double>(at + i) / spec.sample_rate, channel));
        auto* plane = reinterpret_cast<float*>(frame->extended_data[is_planar ? channel : 0]);
        plane[is_planar ? i : i * spec.channels + channel] = value;
      }
    }
    (void)encoder.encode(*frame, at, encoded);
  }
  (void)encoder.finish(encoded);
  for (EncodedSound& sound : encoded) {
    Duration at = Duration::from_ticks(sound.at, spec.sample_rate);
    clip.frames.push_back({at, at, true, std::move(sound.payload)});
  }
  return clip;
}

// Frames decoded and laid on a line. Where nothing was, is silence.
struct Line {
  int sample_rate = 0, channels = 0;
  Duration begins;
  std::vector<std::vector<float>> samples;  // By channel.

  double at(Duration time, int channel = 0) const {
    std::int64_t index = (time - begins).to_ticks(sample_rate);
    const auto& line = samples[static_cast<std::size_t>(channel)];
    bool is_there = index >= 0 && index < static_cast<std::int64_t>(line.size());
    return is_there ? line[static_cast<std::size_t>(index)] : 0;
  }
  // By how many samples the pulse that should be at `time` is late.
  int lateness(double time, int channel = 0) const {
    Duration expected = Duration::from_seconds(time);
    int best = 0;
    double most = 0;
    int reach = sample_rate / 20;
    for (int late = -reach; late <= reach; ++late) {
      double sum = 0;
      for (int i = -sample_rate / 400; i <= sample_rate / 400; ++i) {
        Duration of = expected + Duration::from_ticks(i + late, sample_rate);
        sum += at(of, channel) * pulse(static_cast<double>(i) / sample_rate);
      }
      if (sum > most) most = sum, best = late;
    }
    EXPECT_GT(most, 0.1 * sample_rate / 48'000) << "no pulse near " << time << " s";
    return best;
  }
  double peak(Duration from, Duration until, int channel = 0) const {
    double most = 0;
    for (Duration time = from; time < until; time += Duration::from_ticks(1, sample_rate)) {
      most = std::max(most, std::abs(at(time, channel)));
    }
    return most;
  }
};

inline Line lay(const std::shared_ptr<const media::Format>& format, const std::vector<media::Frame>& frames) {
  SoundDecoder decoder(format);
  Line line;
  for (const media::Frame& frame : frames) {
    auto sound = decoder.decode(frame);
    EXPECT_TRUE(sound.has_value());
    if (!sound) continue;
    const AVFrame& samples = *sound->samples;
    if (line.samples.empty()) {
      line.sample_rate = samples.sample_rate, line.channels = samples.ch_layout.nb_channels;
      line.begins = frame.pts;
      line.samples.resize(static_cast<std::size_t>(line.channels));
    }
    auto first = static_cast<std::size_t>((frame.pts - line.begins).to_ticks(line.sample_rate));
    bool is_planar = av_sample_fmt_is_planar(static_cast<AVSampleFormat>(samples.format)) != 0;
    for (int channel = 0; channel < line.channels; ++channel) {
      auto& to = line.samples[static_cast<std::size_t>(channel)];
      to.resize(first + static_cast<std::size_t>(samples.nb_samples));
      auto* plane = reinterpret_cast<const float*>(samples.extended_data[is_planar ? channel : 0]);
      for (int i = 0; i < samples.nb_samples; ++i) {
        to[first + static_cast<std::size_t>(i)] = plane[is_planar ? i : i * line.channels + channel];
      }
    }
  }
  return line;
}

}  // namespace stoa::work::test
