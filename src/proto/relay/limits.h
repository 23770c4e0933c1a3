// Everything a peer of the worker protocol may make us hold or wait for, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"
#include "media/rung.h"
#include "media/track.h"

namespace stoa::relay {

// One frame, as live::PackagerLimits has it. A message's head comes on top.
inline constexpr std::size_t kFrameBytesMax = 8u << 20;
inline constexpr std::size_t kFrameHeadBytesMax = 64u << 10;
inline constexpr std::size_t kMessageBytesMax = kFrameBytesMax + kFrameHeadBytesMax;
// A message without a frame in it.
inline constexpr std::size_t kControlBytesMax = 128u << 10;
// Hello, Welcome and Bye: what a peer may send of whom nothing is known yet.
inline constexpr std::size_t kHelloBytesMax = 16u << 10;

inline constexpr std::size_t kConfigBytesMax = 64u << 10;  // media::Format::config.
inline constexpr std::size_t kTextBytesMax = 256;          // Any name, token or sentence.
inline constexpr std::size_t kFieldsMax = 64;              // Of one message, or of one field that has fields.
inline constexpr std::size_t kEncodersMax = 16;
inline constexpr std::uint32_t kPictureSideMax = 16'384;
// Of one slate: what a channel holds of a few of them, and never looks at.
inline constexpr std::size_t kSlateBytesMax = 4u << 20;
inline constexpr std::size_t kSlateFramesMax = 256;
inline constexpr Duration kSlateDurationMax = Duration::seconds(2);
// Of one poster or storyboard, and of the tiles in the latter.
inline constexpr std::size_t kJpegBytesMax = 1u << 20;
inline constexpr std::size_t kTilesMax = 48;
// Times on the channel's timeline and lengths of time, either sign: ten years.
inline constexpr Duration kTimeMax = Duration::seconds(315'360'000);

// A peer declares a length long before it has sent it: believe only this much at once.
inline constexpr std::size_t kReserveBytes = 64u << 10;
// Lines of a worker's log, a second and at once; more are dropped.
inline constexpr double kSaidPerSecond = 20;
inline constexpr double kSaidBurst = 40;

struct Deadlines {
  Duration hello = Duration::seconds(5);    // From the first moment to Welcome.
  Duration ping = Duration::seconds(1);     // How often the owner asks whether the worker goes on.
  Duration silence = Duration::seconds(3);  // Without a sign of life for so long, the peer is given up.
};

// Program frames that the worker was sent and has not taken (backlog.h). `frames` leaves room for what a
// worker is sent when it begins, the frames since a keyframe; in the course of things `age` is met first.
struct QueueLimits {
  std::size_t bytes = 16u << 20;
  std::size_t frames = 4'096;
  Duration age = Duration::milliseconds(1'500);
};

}  // namespace stoa::relay
