// What is live right now: the newest status of each live channel, as the shards send it each second.
//
// The shard that owns a channel sends its ChannelStatus; the other shards send how many viewers they serve
// of it. A channel leaves when its owner says that it has ended, or has said nothing for kStatusLifetime.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "media/track.h"

namespace stoa::control {

inline constexpr std::size_t kLiveChannelsMax = 20'000;
inline constexpr Duration kStatusLifetime = Duration::seconds(10);

enum class LiveState : std::uint8_t {
  kLive,
  kInterrupted,  // The encoder is away and may come back; viewers wait.
  kEnded,        // Takes the channel out of the directory.
};
const char* name_of(LiveState state);

struct TrackStatus {
  std::string id;  // Also its rendition's name: "v0", "a0".
  media::Codec codec = media::Codec::kH264;
  std::string codec_string;   // RFC 6381.
  std::uint32_t bitrate = 0;  // Bits per second, measured.
  std::uint32_t width = 0;    // Video, pixels.
  std::uint32_t height = 0;
  double frame_rate = 0;          // 0 when unknown.
  std::uint32_t sample_rate = 0;  // Audio, Hz.
  std::uint32_t channels = 0;
  std::string label;
  std::string language;  // BCP 47, may be empty.
  // Why WebRTC viewers do not get it, or not whole: "codec", "reordered_frames"; empty when they do.
  std::string realtime_obstacle;
  // Why there is no rendition of it in HLS: "codec"; empty when there is.
  std::string hls_obstacle;
  // For people, of a codec that is none of media's (VP8): then only the kind of `codec` counts. Else empty.
  std::string codec_name;
};

struct SourceStatus {
  std::string peer;      // Address and port of the encoder.
  std::string protocol;  // "rtmp", "rtmps", …
  int priority = 0;
  bool is_active = false;  // Its media is what viewers see.
};

struct ChannelStatus {
  std::string channel;
  LiveState state = LiveState::kLive;
  WallTime started_at;
  std::uint32_t viewers = 0;  // Served by the shard that sends this.
  std::vector<TrackStatus> tracks;
  std::vector<SourceStatus> sources;
  std::vector<std::string> warnings;
  // When the newest poster was shown, in milliseconds of the broadcast. Absent: there is none.
  std::optional<std::uint64_t> poster_ms;
  bool has_storyboard = false;
};

class LiveDirectory {
 public:
  // False when the directory is full and the channel new to it; counted.
  bool handle_status(Timestamp now, ChannelStatus&& status);
  // Viewers of `channel` on a shard that does not own it. Unknown channels are passed over.
  void handle_viewers(Timestamp now, std::uint32_t shard, std::string_view channel, std::uint32_t viewers);
  // Takes out what nobody has spoken of for kStatusLifetime. Call it about once a second.
  void handle_tick(Timestamp now);

  // `viewers` is the sum over all shards. nullptr when not live; valid until the next input.
  const ChannelStatus* find(std::string_view channel) const;
  // By name.
  std::vector<const ChannelStatus*> list() const;

  std::size_t size() const { return channels_.size(); }
  std::uint64_t dropped() const { return dropped_; }
  // Grows when a channel comes, goes or changes its state; not with viewers and rates.
  std::uint64_t revision() const { return revision_; }

 private:
  struct RemoteViewers {
    std::uint32_t viewers = 0;
    Timestamp heard_at;
  };
  struct Entry {
    ChannelStatus status;  // Its `viewers` is the sum.
    std::uint32_t own_viewers = 0;
    std::map<std::uint32_t, RemoteViewers> remote;  // By shard.
    Timestamp heard_at;
  };
  static void add_up_viewers(Entry& entry);

  std::map<std::string, Entry, std::less<>> channels_;
  std::uint64_t dropped_ = 0;
  std::uint64_t revision_ = 0;
};

}  // namespace stoa::control
