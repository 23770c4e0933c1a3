// What fits: one budget for the pictures that a receiver is sent, shared out over its tracks. Without time:
// when more or less is given is the allocator's (allocator.h). Sound is not asked: it has its part before.
//
// By rank every track gets its least step that there is room for. What is left goes to whichever step brings
// most for a bit: its gain in what is seen, times the track's weight, by what it takes more. A step that does
// not fit is passed over, with those above it: others may still have what is left.
//
// What a step is worth: the square root of pixels sent times pixels looked at (how sharp it is, by how much
// of the screen it fills), times the cube root of its share of frames. So twice the bits in a large tile come
// before twice the bits in a small one, and a still screen in full size before a moving one that nobody
// reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace stoa::bwe {

inline constexpr std::uint8_t kAllFrames = 4;  // Of four.

// One way to send a track: a layer, all its frames or every second or fourth.
struct Step {
  std::uint8_t layer = 0;  // By size, from the smallest.
  std::uint8_t frames = kAllFrames;
  std::uint64_t bits_per_second = 0;  // With all headers. 0: not known, counts as nothing.
  std::uint64_t pixels = 0;           // 0: not known, four times those of the layer below.
};
// One track that a receiver wants.
struct Claim {
  std::uint64_t track = 0;     // The caller's name for it, unique among claims.
  std::uint32_t priority = 1;  // The higher comes first.
  bool is_speaking = false;    // It shows who speaks: as if it were kSpeakerWeight times as large.
  std::uint64_t pixels = 0;    // That it is shown with. 0: not known, those of its largest step.
  std::vector<Step> steps;     // What may be sent, the least first. None: nothing is wanted of it.
};
inline constexpr double kSpeakerWeight = 2;

// What a claim is given: 0: nothing, n: its step n - 1.
using Rung = std::size_t;

// Indices of claims, who is first to have something first: by priority, then by how much of the screen they
// fill, then by name.
std::vector<std::size_t> rank_of(std::span<const Claim> claims);

// What a rung takes: no less than those below it.
std::uint64_t cost_of(const Claim& claim, Rung rung);
std::uint64_t cost_of(std::span<const Claim> claims, std::span<const Rung> rungs);

// For each claim, what it is given; no more than `most`, where that is said. Takes at most `bits_per_second`.
std::vector<Rung> share(std::uint64_t bits_per_second, std::span<const Claim> claims,
                        std::span<const Rung> most = {});

// Whether receivers are better off with `a`: the first by rank who has something in one of them alone has it
// there, or all have the same and what they see is worth more in sum.
bool is_better(std::span<const Claim> claims, std::span<const Rung> a, std::span<const Rung> b);

}  // namespace stoa::bwe
