// One rung of sound: samples of the source in, frames of the rung out, each where its sound was on the
// channel's timeline, to the sample and for as long as the channel lasts.
//
// Encoders know samples one after the other and no time. So sound is encoded in runs: a run begins at a time,
// and within it a sample's time is its number. A hole of up to kSilenceMax is silence in the same run; at a
// longer one, and at a break, a new run begins with an encoder that remembers nothing. Samples for a time
// that has been are left out.
//
// Frames never overlap. At a break what would be heard behind it of what was before, or before it of what is
// behind, is left out. The first frames of a run hold what an encoder begins with (sound_encoder.h) and lie
// before its first sample.
//
// Loudness stays. Where there are fewer channels than the source has, sound is mixed so that it cannot clip,
// and is quieter by as much.
#pragma once

#include <optional>
#include <vector>

#include "work/rest.h"
#include "work/rung_output.h"
#include "work/sound_encoder.h"

namespace stoa::work {

// Times are whole samples in clocks of a millisecond at worst: less than this is no hole.
inline constexpr Duration kSoundSlack = Duration::milliseconds(1);
inline constexpr Duration kSilenceMax = Duration::milliseconds(500);

class SoundRung {
 public:
  explicit SoundRung(media::Rung rung) : rung_(std::move(rung)) {}

  // In the order of their times. The first says rate and layout where the rung does not; they stay.
  void handle_sound(const Sound& sound, RungOutputs& out);
  // What came before ends at `at`, what comes does not continue it and begins no earlier.
  void handle_break(Duration at, RungOutputs& out);
  // Its owner takes nothing more of it: it ends, rests (rest.h), and begins anew at a cut.
  void handle_refusal(const std::string& text, RungOutputs& out);
  // Only who rests looks at cuts.
  void handle_cut(Duration at);
  // What is inside comes out. What follows begins anew.
  void finish(RungOutputs& out);

  const char* encoder_name() const { return encoder_name_; }
  Duration end() const { return not_before_; }  // Of what has left.

 private:
  // Samples as the decoder gives them.
  struct Input {
    int format = AV_SAMPLE_FMT_NONE, sample_rate = 0, channels = 0;
    std::uint64_t layout = 0;
    bool operator==(const Input&) const = default;
  };
  bool begin_run(const AVFrame& samples, Duration at, RungOutputs& out);
  bool open_resampler(const AVFrame& samples, Duration at);
  bool resample(const std::uint8_t** samples, int count);
  bool drain_resampler();
  bool write_silence(std::int64_t count);
  bool encode(RungOutputs& out, Duration until = Duration::infinite());
  void push(std::vector<EncodedSound>& frames, Duration until, RungOutputs& out);
  void finish_run(Duration until, RungOutputs& out);
  void fail(EncodeRefusal why, RungOutputs& out);
  std::int64_t index_at(Duration at) const;
  Duration time_of(std::int64_t index) const;

  const media::Rung rung_;
  int sample_rate_ = 0, channels_ = 0;  // Of the rung, once they are known.
  std::shared_ptr<const media::Format> format_;
  const char* encoder_name_ = "";
  bool is_ended_ = false;
  Rest rest_;
  bool is_resting_ = false;
  Duration heard_at_;
  Duration not_before_ = -Duration::infinite();  // The end of what has left, or a break.
  std::uint64_t newest_ = 0;                     // Of the source's frames.

  // A run.
  std::optional<SoundEncoder> encoder_;
  SamplesPtr samples_;        // Resampled ones that wait for a whole frame.
  Duration begun_at_;         // The time of the run's first sample.
  std::int64_t written_ = 0;  // Samples of the run so far, and those of them in the encoder.
  std::int64_t encoded_ = 0;
  Input input_;
  SwrPtr resampler_;         // Absent when samples of another kind are next.
  Duration resampled_from_;  // The time of the first sample that it was given, and how many.
  std::int64_t resampled_ = 0;
};

}  // namespace stoa::work
