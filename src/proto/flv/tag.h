// Audio and video tag bodies, legacy and enhanced, parsed and written.
//
// A legacy body carries one packet of one track. An enhanced one may carry a packet for each of many
// tracks, of one codec or of several, and may shift all of them by nanoseconds (ModEx). Packets are slices
// of the body: nothing is copied.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace stoa::flv {

enum class Refusal : std::uint8_t {
  kTruncated,              // Ends inside a header.
  kNestedMultitrack,       // A multitrack packet inside a multitrack packet.
  kUnknownMultitrackType,  // An AvMultitrackType the specification does not know.
  kUnknownPacketType,      // A packet type the specification reserves.
  kBadModEx,               // Too many modifiers, or a nanosecond offset of 1 ms or more.
  kTooManyTracks,          // More than kTracksPerMessageMax packets in one message.
  kMpegTs,                 // AV1 in MPEG-2 TS (MPEG2TSSequenceStart): not carried.
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kMpegTs) + 1;
const char* name_of(Refusal refusal);

inline constexpr std::size_t kTracksPerMessageMax = 32;
inline constexpr int kModExMax = 8;

// Four characters as a big-endian number.
using FourCc = std::uint32_t;
constexpr FourCc fourcc(std::string_view text) {
  FourCc value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<std::uint8_t>(text[i]);
  return value;
}
inline constexpr FourCc kAvc = fourcc("avc1");
inline constexpr FourCc kHevc = fourcc("hvc1");
inline constexpr FourCc kAv1 = fourcc("av01");
inline constexpr FourCc kVp9 = fourcc("vp09");
inline constexpr FourCc kAac = fourcc("mp4a");
inline constexpr FourCc kOpus = fourcc("Opus");

enum class PacketKind : std::uint8_t {
  kSequenceStart,  // body: the codec's configuration
  kFrames,         // body: one coded frame
  kSequenceEnd,    // no body
  kMetadata,       // body: AMF (video: colorInfo) or a multichannel configuration (audio)
};

struct Packet {
  PacketKind kind = PacketKind::kFrames;
  // What the codec is called on the wire. Legacy codecs without a FourCC have 0 and `legacy_codec`.
  FourCc codec = 0;
  std::uint8_t legacy_codec = 0;  // CodecID of video, SoundFormat of audio.
  std::uint8_t track = 0;         // 0 outside of multitrack.
  bool says_keyframe = false;     // The tag's claim; the bitstream decides.
  std::int32_t composition_ms = 0;
  std::uint32_t offset_ns = 0;  // 0..999'999, to be added to the message's timestamp.
  SharedBytes body;
};

// "H.263", "Speex", or the FourCC: for people and metrics. Few values: unknown codecs are "unknown".
const char* name_of_video_codec(const Packet& packet);
const char* name_of_audio_codec(const Packet& packet);

// An empty body is silence (audio) or nothing: no packets. So is a seek command.
Result<std::vector<Packet>, Refusal> parse_video(const SharedBytes& body);
Result<std::vector<Packet>, Refusal> parse_audio(const SharedBytes& body);

// A legacy body. Requires: codec kAvc or kAac.
Buffer write_legacy_video(const Packet& packet);
Buffer write_legacy_audio(const Packet& packet);

enum class Multitrack : std::uint8_t { kOneTrack = 0, kManyTracks = 1, kManyTracksManyCodecs = 2 };

// An enhanced body with one packet and no track number.
Buffer write_video(const Packet& packet);
Buffer write_audio(const Packet& packet);
// An enhanced multitrack body. Requires: packets of one kind, one says_keyframe and one offset, at least
// one; exactly one for kOneTrack; of one codec unless kManyTracksManyCodecs.
Buffer write_video(Multitrack type, const std::vector<Packet>& packets);
Buffer write_audio(Multitrack type, const std::vector<Packet>& packets);

}  // namespace stoa::flv
