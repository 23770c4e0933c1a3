// What header extension elements hold, value by value, and which id stands for which kind in a session.
//
// parse_*() take an element's bytes and give nothing when they are not what the kind allows: such an element
// is passed over, the packet is not. write_*() give the bytes for ExtensionList::add() or
// overwrite_element(). The dependency descriptor has a header of its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/time.h"

namespace stoa::rtp {

enum class ExtensionKind : std::uint8_t {
  kMid,                   // RFC 9143 §16: the media section that the packet belongs to.
  kRid,                   // RFC 8852: the simulcast layer.
  kRepairedRid,           // RFC 8852: the layer that a retransmission repairs.
  kAudioLevel,            // RFC 6464
  kTransportSequence,     // transport-wide-cc-01
  kTransportSequenceAsk,  // transport-wide-cc-02: feedback is sent when a packet asks for it.
  kAbsSendTime,
  kAbsCaptureTime,
  kDependencyDescriptor,  // AV1 RTP specification, Appendix A; any codec may have it.
  kVideoOrientation,      // 3GPP TS 26.114 §7.4.5
  kPlayoutDelay,
};
inline constexpr int kExtensionKinds = 11;

// The URI that stands in a=extmap.
std::string_view uri_of(ExtensionKind kind);
std::optional<ExtensionKind> find_extension_kind(std::string_view uri);

// The ids of one media section, both ways. One id has one kind and one kind has one id.
class ExtensionMap {
 public:
  // False when the id is taken by another kind or is 0. A kind that had an id gets the new one.
  bool set(ExtensionKind kind, std::uint8_t id);
  // 0 when the kind was not negotiated.
  std::uint8_t id_of(ExtensionKind kind) const { return ids_[static_cast<std::size_t>(kind)]; }
  bool has(ExtensionKind kind) const { return id_of(kind) != 0; }
  std::optional<ExtensionKind> find_kind(std::uint8_t id) const;
  // For rename_elements(): what both maps have keeps its kind, the rest is taken out.
  std::array<std::uint8_t, 256> ids_towards(const ExtensionMap& receiver) const;

 private:
  std::array<std::uint8_t, kExtensionKinds> ids_{};
};

// mid, rid, repaired-rid: 1 to 255 bytes. A rid has letters, digits, and since RFC 8852 also '-' and '_'; a
// mid is a token (RFC 5888 §4).
std::optional<std::string_view> parse_mid(Bytes value);
std::optional<std::string_view> parse_rid(Bytes value);

struct AudioLevel {
  std::uint8_t level = 127;  // Below full scale, in dB: 0 is loudest, 127 is silence.
  bool has_voice = false;

  bool operator==(const AudioLevel&) const = default;
};
std::optional<AudioLevel> parse_audio_level(Bytes value);
std::array<std::uint8_t, 1> write_audio_level(AudioLevel level);

// The number of a packet among all that its sender sends over one transport, whatever their streams.
std::optional<std::uint16_t> parse_transport_sequence(Bytes value);
std::array<std::uint8_t, 2> write_transport_sequence(std::uint16_t sequence);

// The later version: without `asked_packets` the sender wants no feedback for now; with it, feedback about
// that many packets up to and with this one.
struct TransportSequenceAsk {
  std::uint16_t sequence = 0;
  bool asks_now = false;            // Whether the four-byte form was sent.
  bool wants_timestamps = false;    // T: feedback with arrival times.
  std::uint16_t asked_packets = 0;  // 15 bits.

  bool operator==(const TransportSequenceAsk&) const = default;
};
std::optional<TransportSequenceAsk> parse_transport_sequence_ask(Bytes value);
std::array<std::uint8_t, 4> write_transport_sequence_ask(const TransportSequenceAsk& ask);

// When the packet left its sender: 24 bits of seconds in 6.18 fixed point, which wrap after 64 s.
class AbsSendTime {
 public:
  AbsSendTime() = default;
  explicit AbsSendTime(std::uint32_t ticks) : ticks_(ticks & 0xff'ffff) {}
  static AbsSendTime at(Timestamp time);

  std::uint32_t ticks() const { return ticks_; }
  // From `earlier` to this, in (-32 s, 32 s].
  Duration since(AbsSendTime earlier) const;
  bool operator==(const AbsSendTime&) const = default;

 private:
  std::uint32_t ticks_ = 0;
};
std::optional<AbsSendTime> parse_abs_send_time(Bytes value);
std::array<std::uint8_t, 3> write_abs_send_time(AbsSendTime time);

// When a frame was captured: NTP time (32.32 seconds since 1900) by the clock of who captured it, and what
// the sender thinks that clock must be corrected by to be its own (signed 32.32).
struct AbsCaptureTime {
  std::uint64_t ntp = 0;
  std::optional<std::int64_t> clock_offset;

  bool operator==(const AbsCaptureTime&) const = default;
};
std::uint64_t to_ntp(WallTime time);
WallTime from_ntp(std::uint64_t ntp);  // Between 1968 and 2104: the wire's first half lies after 2036.
std::optional<AbsCaptureTime> parse_abs_capture_time(Bytes value);
struct AbsCaptureTimeBytes {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t size = 8;
  Bytes view() const { return Bytes(bytes).first(size); }
};
AbsCaptureTimeBytes write_abs_capture_time(const AbsCaptureTime& time);

// How a picture must be turned to stand upright.
struct VideoOrientation {
  bool is_back_camera = false;
  bool is_flipped = false;    // Left to right, before it is turned.
  std::uint16_t degrees = 0;  // Clockwise: 0, 90, 180, 270.

  bool operator==(const VideoOrientation&) const = default;
};
std::optional<VideoOrientation> parse_video_orientation(Bytes value);
std::array<std::uint8_t, 1> write_video_orientation(VideoOrientation orientation);

// What a receiver should hold between arrival and showing. Steps of 10 ms up to 40,950 ms.
struct PlayoutDelay {
  Duration min, max;

  bool operator==(const PlayoutDelay&) const = default;
};
std::optional<PlayoutDelay> parse_playout_delay(Bytes value);  // Not when min is over max.
std::array<std::uint8_t, 3> write_playout_delay(const PlayoutDelay& delay);

}  // namespace stoa::rtp
