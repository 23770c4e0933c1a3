// `stoa-bench rooms`: participants of rooms, against any server that LiveKit's clients can talk to.
//
// Publishers and subscribers are as in LiveKit's load tester; members do both. Every participant has a
// WebSocket and two peer connections with a UDP socket each, as strangers would. Latency is from the moment
// that a publisher hands a frame's first packet to the kernel until the kernel has the last of it for the
// subscriber (the stamp in the media says when: rooms_media.h).
#pragma once

#include <string>

#include "rooms_layout.h"
#include "stats.h"
#include "world.h"

namespace stoa::bench {

enum class RoomsVideo : std::uint8_t { kNone, kSingle, kSimulcast };

struct RoomsOptions {
  std::string url;  // ws://host:port
  std::string api_key = "devkey", api_secret = "secret-for-development-only-0123456789";
  std::string name = "bench";  // Rooms are called name-0, name-1, …, with this run's number behind.
  std::size_t rooms = 1;
  std::size_t publishers = 1, subscribers = 0, members = 0;  // Of each room.
  RoomsVideo video = RoomsVideo::kSimulcast;
  bool has_audio = true;
  bool is_vp8 = true;  // Or H.264.
  RoomsLayout layout = RoomsLayout::kAll;
  int video_kbps = 1500;  // Of a single layer, 1280x720.
  int audio_kbps = 48;
  int frames_per_second = 30;
  double keyframe_seconds = 2;
  std::size_t joins_per_second = 50;
  double seconds = 10;  // Measured, after everybody is there and `warmup_seconds` have passed.
  double warmup_seconds = 2;
  double patience_seconds = 30;  // For everybody to be there after the last has started.
  std::size_t check_every = 10;  // One subscriber in so many is decrypted; 0: none.
  bool has_feedback = true;      // Subscribers send congestion control feedback, as real ones do.
  std::string from;       // The IPv4 address of this machine that media goes and comes by; empty: as routed.
  int server_pid = 0;     // Its CPU time and memory are measured.
  bool is_quiet = false;  // No progress and no table on stderr.
};

Result<Json, Failure> run_rooms(const RoomsOptions& options);

}  // namespace stoa::bench
