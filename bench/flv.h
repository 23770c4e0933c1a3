// A recorded FLV file as a publisher replays it: over and over, in real time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "world.h"

namespace stoa::bench {

struct FlvTag {
  enum class Kind : std::uint8_t { kAudio = 8, kVideo = 9, kScript = 18 };  // Also RTMP's message types.
  Kind kind = Kind::kScript;
  bool is_config = false;  // A sequence header: sent once, not with every round.
  std::uint32_t time_ms = 0;
  Buffer body;
};

struct FlvFile {
  std::vector<FlvTag> tags;
  std::uint32_t round_ms = 0;  // What to add to the timestamps of the next round.
};

inline constexpr std::size_t kMaxFlvFile = 256u << 20;

Result<FlvFile, Failure> parse_flv(Bytes bytes);
Result<FlvFile, Failure> read_flv(const std::string& path);

}  // namespace stoa::bench
