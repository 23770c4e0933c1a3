#include "work/sound_ladder.h"

#include <algorithm>
#include <utility>

#include "work/clock.h"

namespace stoa::work {

SoundLadder::SoundLadder(std::shared_ptr<const media::Format> source, std::span<const media::Rung> rungs,
                         Numbers& numbers)
    : numbers_(numbers), decoder_(std::move(source)) {
  for (const media::Rung& rung : rungs) stages_.push_back({rung, SoundRung(rung), numbers.meter(rung.id)});
}

void SoundLadder::set_rungs(std::span<const media::Rung> rungs, RungOutputs& out) {
  std::vector<Stage> before = std::exchange(stages_, {});
  for (const media::Rung& rung : rungs) {
    auto found = std::ranges::find(before, rung.id, [](const Stage& stage) { return stage.wanted.id; });
    if (found != before.end() && found->wanted == rung) {
      stages_.push_back(std::move(*found));
      continue;
    }
    stages_.push_back({rung, SoundRung(rung), numbers_.meter(rung.id)});
    if (found == before.end()) continue;
    found->rung.finish(out);
    stages_.back().rung.handle_break(found->rung.end(), out);
  }
}

void SoundLadder::handle_break(Duration at, RungOutputs& out) {
  decoder_.reset();
  for (Stage& stage : stages_) stage.rung.handle_break(at, out);
}

void SoundLadder::handle_cut(Duration at) {
  for (Stage& stage : stages_) stage.rung.handle_cut(at);
}

void SoundLadder::handle_refusal(media::RungId rung, const std::string& text, RungOutputs& out) {
  for (Stage& stage : stages_) {
    if (stage.wanted.id == rung) stage.rung.handle_refusal(text, out);
  }
}

Result<void, SoundRefusal> SoundLadder::handle_frame(const media::Frame& frame, Origin origin,
                                                     RungOutputs& out) {
  auto sound = decoder_.decode(frame, origin);
  if (!sound) return refuse(sound.error());
  for (Stage& stage : stages_) {
    std::size_t before = out.size();
    Timestamp began = now();
    stage.rung.handle_sound(*sound, out);
    Duration took = now() - began;
    for (std::size_t at = before; at < out.size(); ++at) {
      auto* made = std::get_if<RungFrame>(&*(out.begin() + static_cast<std::ptrdiff_t>(at)));
      if (made == nullptr) continue;
      stage.meter->handle_encoded(took, made->origin.nominal_duration, made->frame.payload.size(),
                                  stage.rung.encoder_name());
      took = {};
    }
  }
  return {};
}

void SoundLadder::finish(RungOutputs& out) {
  for (Stage& stage : stages_) stage.rung.finish(out);
}

}  // namespace stoa::work
