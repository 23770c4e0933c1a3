#include "sim/narrow_call.h"

#include <algorithm>

#include "sim/world.h"

namespace stoa::sim {
namespace {

constexpr Duration kLook = Duration::milliseconds(10), kOneWay = Duration::milliseconds(25);
constexpr std::uint8_t kTop = kCameraLayers - 1;

}  // namespace

NarrowCall run_narrow_call(std::uint64_t seed) {
  const Duration length = kWideFor + kNarrowFor + kWideAgainFor;
  Story story = make_call(seed, 2, length);
  story.people[0].publisher.talking = 1;
  PersonPlan& behind = story.people[1];
  behind.is_steady = false;
  behind.up = behind.down = {.capacity = {{Duration(), kWideLine}}, .delay = {{Duration(), kOneWay}}};
  behind.down.capacity.push_back({kWideFor, kNarrowLine});
  behind.down.capacity.push_back({kWideFor + kNarrowFor, kWideLine});

  World world(story);
  const Timestamp began = world.now(), narrowed = began + kWideFor, settled = narrowed + kSettledAfter,
                  widened = narrowed + kNarrowFor, end = widened + kWideAgainFor;
  NarrowCall call;
  Duration usual_wait = Duration::seconds(1);
  std::uint64_t frames = 0, lost_before = 0;
  Timestamp shown_at = began;
  for (Timestamp at = began + kLook; at < end; at += kLook) {
    world.run_until(at);
    const ViewerCounts& counts = world.person(1).viewer().counts();
    const bool is_new = counts.video_frames != frames;
    if (at < narrowed) {
      if (counts.sounds > 0) usual_wait = std::min(usual_wait, counts.sound_delay);
      call.layer_before = counts.layer;
      lost_before = counts.sounds_lost;
    } else if (at < widened) {
      call.longest_gap = std::max(call.longest_gap, at - shown_at);
      const Duration wait = counts.sound_delay - usual_wait;
      call.sound_wait = std::max(call.sound_wait, wait);
      if (at >= settled) call.sound_wait_settled = std::max(call.sound_wait_settled, wait);
      call.sounds_lost = counts.sounds_lost - lost_before;
      call.shown[counts.layer] += kLook;
    } else if (counts.layer != kTop) {
      call.back.reset();
    } else if (!call.back) {
      call.back = at - widened;
    }
    if (is_new) shown_at = at;
    frames = counts.video_frames;
  }
  return call;
}

}  // namespace stoa::sim
