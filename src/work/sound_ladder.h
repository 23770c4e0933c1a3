// The sound of one source track: decoded once, encoded for each rung. All of it by the caller's thread: sound
// is little work.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "work/numbers.h"
#include "work/sound_decoder.h"
#include "work/sound_rung.h"

namespace stoa::work {

class SoundLadder {
 public:
  SoundLadder(std::shared_ptr<const media::Format> source, std::span<const media::Rung> rungs,
              Numbers& numbers);

  // The whole ladder as it is wanted now. Rungs that stay as they are go on, changed ones begin anew.
  void set_rungs(std::span<const media::Rung> rungs, RungOutputs& out);
  // From the next frame on.
  void handle_format(std::shared_ptr<const media::Format> source) { decoder_.set_format(std::move(source)); }
  // What comes does not continue what was, and begins no earlier than `at`.
  void handle_break(Duration at, RungOutputs& out);
  void handle_cut(Duration at);
  // Of one rung nothing more is taken (SoundRung::handle_refusal).
  void handle_refusal(media::RungId rung, const std::string& text, RungOutputs& out);
  // A refused frame is a hole.
  Result<void, SoundRefusal> handle_frame(const media::Frame& frame, Origin origin, RungOutputs& out);
  // What is inside comes out.
  void finish(RungOutputs& out);

  const SoundDecoderCounts& decoder_counts() const { return decoder_.counts(); }

 private:
  struct Stage {
    media::Rung wanted;
    SoundRung rung;
    std::shared_ptr<RungMeter> meter;
  };
  Numbers& numbers_;
  SoundDecoder decoder_;
  std::vector<Stage> stages_;
};

}  // namespace stoa::work
