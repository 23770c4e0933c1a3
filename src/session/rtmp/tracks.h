// From FLV packets to track events: one table of the tracks of one publisher.
//
// A track is known by its kind and its number on the wire and gets a media::TrackId in order of appearance.
// What cannot be played is refused per track: one TrackRefused when it is first seen, its frames counted and
// dropped, the other tracks untouched. The bitstream decides what is a keyframe and what the format is.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/metric.h"
#include "base/outbox.h"
#include "media/codec.h"
#include "media/track.h"
#include "proto/flv/tag.h"
#include "proto/rtmp/amf.h"

namespace stoa::session {

// A track that cannot be carried. It may still come alive with a new configuration.
struct TrackRefused {
  media::Kind kind;
  std::uint8_t wire_track;
  const char* codec;   // "Speex": for people.
  const char* reason;  // "unsupported_codec", "too_many_tracks", or a media::CodecRefusal's name.
};

// Why a packet came to nothing.
enum class PacketDrop : std::uint8_t {
  kBadTag,        // The tag body is no FLV.
  kRefusedTrack,  // Of a track that was refused.
  kBeforeConfig,  // A frame before its track's configuration.
  kBadConfig,     // A configuration that does not parse.
  kBadFrame,      // An access unit that does not parse, or an empty one.
};
inline constexpr int kPacketDrops = static_cast<int>(PacketDrop::kBadFrame) + 1;
const char* name_of(PacketDrop drop);

using TrackOutput = std::variant<media::TrackEvent, TrackRefused>;
using TrackOutputs = Outbox<TrackOutput>;

inline constexpr std::size_t kTrackNameBytesMax = 64;
inline constexpr std::size_t kLanguageBytesMax = 35;  // BCP 47 §4.4.1.

class Tracks {
 public:
  void handle_audio(std::uint32_t timestamp_ms, const SharedBytes& body, TrackOutputs& out);
  void handle_video(std::uint32_t timestamp_ms, const SharedBytes& body, TrackOutputs& out);
  // The values of onMetaData: names and languages of tracks are taken, nothing else is believed.
  void handle_metadata(const std::vector<rtmp::AmfValue>& values, TrackOutputs& out);
  // Ends what is open.
  void end(TrackOutputs& out);

  std::size_t size() const { return tracks_.size(); }
  std::uint64_t frames() const { return frames_; }
  std::uint64_t dropped(PacketDrop drop) const { return drops_[static_cast<std::size_t>(drop)]; }
  std::uint64_t bad_tags(flv::Refusal why) const { return bad_tags_[static_cast<std::size_t>(why)]; }
  std::uint64_t refused() const { return refused_; }

 private:
  struct Track {
    media::Kind kind;
    std::uint8_t wire_track;
    std::shared_ptr<const media::Format> format;  // Null before the configuration.
    SharedBytes sent_config;                      // The last configuration taken, as it was sent.
    bool has_ended = false;                       // Its end was sent; frames after it open it again.
    bool is_refused = false;
    std::string name, language;
  };
  struct Label {
    media::Kind kind;
    std::uint8_t wire_track;
    std::string name, language;
  };

  void handle_packet(media::Kind kind, std::uint32_t timestamp_ms, const flv::Packet& packet,
                     TrackOutputs& out);
  void handle_config(std::size_t at, media::Codec codec, const flv::Packet& packet, TrackOutputs& out);
  void handle_frame(std::size_t at, std::uint32_t timestamp_ms, const flv::Packet& packet, TrackOutputs& out);
  void read_labels(media::Kind kind, const rtmp::AmfValue* map);
  const Label* find_label(media::Kind kind, std::uint8_t wire_track) const;
  std::size_t find_or_add(media::Kind kind, std::uint8_t wire_track, const flv::Packet& packet,
                          TrackOutputs& out);
  void refuse_track(Track& track, const flv::Packet& packet, const char* reason, TrackOutputs& out);
  void set_format(std::size_t at, std::shared_ptr<const media::Format> format, TrackOutputs& out);
  void push_format(std::size_t at, TrackOutputs& out);
  void end_track(std::size_t at, TrackOutputs& out);
  void count_bad_tag(flv::Refusal why);
  void count(PacketDrop drop) { ++drops_[static_cast<std::size_t>(drop)]; }

  std::vector<Track> tracks_;  // The index is the media::TrackId.
  std::vector<Label> labels_;
  bool said_too_many_ = false;
  std::uint64_t frames_ = 0;
  std::uint64_t refused_ = 0;
  std::array<std::uint64_t, kPacketDrops> drops_{};
  std::array<std::uint64_t, flv::kRefusals> bad_tags_{};
};

}  // namespace stoa::session
