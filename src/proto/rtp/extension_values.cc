#include "proto/rtp/extension_values.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::rtp {
namespace {

constexpr std::array<std::string_view, kExtensionKinds> kUris{
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    "urn:3gpp:video-orientation",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
};

constexpr std::int64_t kAbsSendTicksPerSecond = 1 << 18;
constexpr std::int64_t kSecondsFrom1900To1970 = 2'208'988'800;
constexpr std::int64_t kPlayoutStepMs = 10, kPlayoutStepsMax = 0xfff;

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
// RFC 4566 §9: a token's characters.
bool is_token_char(char c) {
  return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`{|}~").find(c) != std::string_view::npos;
}

}  // namespace

std::string_view uri_of(ExtensionKind kind) { return kUris[static_cast<std::size_t>(kind)]; }

std::optional<ExtensionKind> find_extension_kind(std::string_view uri) {
  auto found = std::ranges::find(kUris, uri);
  if (found == kUris.end()) return std::nullopt;
  return static_cast<ExtensionKind>(found - kUris.begin());
}

bool ExtensionMap::set(ExtensionKind kind, std::uint8_t id) {
  auto holder = find_kind(id);
  if (id == 0 || (holder && *holder != kind)) return false;
  ids_[static_cast<std::size_t>(kind)] = id;
  return true;
}

std::optional<ExtensionKind> ExtensionMap::find_kind(std::uint8_t id) const {
  auto found = std::ranges::find(ids_, id);
  if (id == 0 || found == ids_.end()) return std::nullopt;
  return static_cast<ExtensionKind>(found - ids_.begin());
}

std::array<std::uint8_t, 256> ExtensionMap::ids_towards(const ExtensionMap& receiver) const {
  std::array<std::uint8_t, 256> table{};
  for (std::size_t kind = 0; kind < ids_.size(); ++kind) {
    if (ids_[kind] != 0) table[ids_[kind]] = receiver.ids_[kind];
  }
  return table;
}

std::optional<std::string_view> parse_mid(Bytes value) {
  std::string_view text = as_text(value);
  if (text.empty() || !std::ranges::all_of(text, is_token_char)) return std::nullopt;
  return text;
}

std::optional<std::string_view> parse_rid(Bytes value) {
  std::string_view text = as_text(value);
  auto is_rid_char = [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; };
  if (text.empty() || !std::ranges::all_of(text, is_rid_char)) return std::nullopt;
  return text;
}

std::optional<AudioLevel> parse_audio_level(Bytes value) {
  if (value.size() != 1) return std::nullopt;
  return AudioLevel{static_cast<std::uint8_t>(value[0] & 0x7f), (value[0] & 0x80) != 0};
}

std::array<std::uint8_t, 1> write_audio_level(AudioLevel level) {
  return {static_cast<std::uint8_t>((level.has_voice ? 0x80 : 0) | std::min<std::uint8_t>(level.level, 127))};
}

std::optional<std::uint16_t> parse_transport_sequence(Bytes value) {
  if (value.size() != 2) return std::nullopt;
  return ByteReader(value).u16();
}

std::array<std::uint8_t, 2> write_transport_sequence(std::uint16_t sequence) {
  return {static_cast<std::uint8_t>(sequence >> 8), static_cast<std::uint8_t>(sequence)};
}

std::optional<TransportSequenceAsk> parse_transport_sequence_ask(Bytes value) {
  if (value.size() != 2 && value.size() != 4) return std::nullopt;
  ByteReader reader(value);
  TransportSequenceAsk ask{.sequence = reader.u16()};
  if (value.size() == 2) return ask;
  std::uint16_t packed = reader.u16();
  ask.asks_now = true;
  ask.wants_timestamps = packed & 0x8000;
  ask.asked_packets = packed & 0x7fff;
  return ask;
}

std::array<std::uint8_t, 4> write_transport_sequence_ask(const TransportSequenceAsk& ask) {
  unsigned packed = (ask.wants_timestamps ? 0x8000u : 0) | (ask.asked_packets & 0x7fffu);
  return {static_cast<std::uint8_t>(ask.sequence >> 8), static_cast<std::uint8_t>(ask.sequence),
          static_cast<std::uint8_t>(packed >> 8), static_cast<std::uint8_t>(packed)};
}

AbsSendTime AbsSendTime::at(Timestamp time) {
  return AbsSendTime(static_cast<std::uint32_t>((time - Timestamp()).to_ticks(kAbsSendTicksPerSecond)));
}

Duration AbsSendTime::since(AbsSendTime earlier) const {
  std::uint32_t forward = (ticks_ - earlier.ticks_) & 0xff'ffff;
  std::int64_t ticks = forward <= 0x80'0000 ? forward : std::int64_t{forward} - 0x100'0000;
  return Duration::from_ticks(ticks, kAbsSendTicksPerSecond);
}

std::optional<AbsSendTime> parse_abs_send_time(Bytes value) {
  if (value.size() != 3) return std::nullopt;
  return AbsSendTime(ByteReader(value).u24());
}

std::array<std::uint8_t, 3> write_abs_send_time(AbsSendTime time) {
  std::uint32_t ticks = time.ticks();
  return {static_cast<std::uint8_t>(ticks >> 16), static_cast<std::uint8_t>(ticks >> 8),
          static_cast<std::uint8_t>(ticks)};
}

std::uint64_t to_ntp(WallTime time) {
  std::int64_t seconds = time.us() / 1'000'000, rest_us = time.us() % 1'000'000;
  if (rest_us < 0) --seconds, rest_us += 1'000'000;
  std::uint64_t fraction = ((static_cast<std::uint64_t>(rest_us) << 32) + 500'000) / 1'000'000;
  return (static_cast<std::uint64_t>(seconds + kSecondsFrom1900To1970) << 32) + fraction;
}

WallTime from_ntp(std::uint64_t ntp) {
  std::int64_t seconds = static_cast<std::int64_t>(ntp >> 32);
  if (seconds < 0x8000'0000) seconds += std::int64_t{1} << 32;
  std::uint64_t us = ((ntp & 0xffff'ffff) * 1'000'000 + 0x8000'0000) >> 32;
  return WallTime::from_us((seconds - kSecondsFrom1900To1970) * 1'000'000 + static_cast<std::int64_t>(us));
}

std::optional<AbsCaptureTime> parse_abs_capture_time(Bytes value) {
  if (value.size() != 8 && value.size() != 16) return std::nullopt;
  ByteReader reader(value);
  AbsCaptureTime time{.ntp = reader.u64()};
  if (value.size() == 16) time.clock_offset = static_cast<std::int64_t>(reader.u64());
  return time;
}

AbsCaptureTimeBytes write_abs_capture_time(const AbsCaptureTime& time) {
  AbsCaptureTimeBytes out;
  auto put = [&](std::size_t offset, std::uint64_t value) {
    for (std::size_t i = 0; i < 8; ++i)
      out.bytes[offset + i] = static_cast<std::uint8_t>(value >> (56 - 8 * i));
  };
  put(0, time.ntp);
  if (time.clock_offset) {
    put(8, static_cast<std::uint64_t>(*time.clock_offset));
    out.size = 16;
  }
  return out;
}

std::optional<VideoOrientation> parse_video_orientation(Bytes value) {
  if (value.size() != 1) return std::nullopt;
  VideoOrientation orientation;
  orientation.is_back_camera = value[0] & 0x08;
  orientation.is_flipped = value[0] & 0x04;
  orientation.degrees = static_cast<std::uint16_t>((value[0] & 3) * 90);
  return orientation;
}

std::array<std::uint8_t, 1> write_video_orientation(VideoOrientation orientation) {
  STOA_DCHECK(orientation.degrees % 90 == 0 && orientation.degrees < 360);
  return {static_cast<std::uint8_t>((orientation.is_back_camera ? 0x08 : 0) |
                                    (orientation.is_flipped ? 0x04 : 0) | orientation.degrees / 90)};
}

std::optional<PlayoutDelay> parse_playout_delay(Bytes value) {
  if (value.size() != 3) return std::nullopt;
  std::uint32_t packed = ByteReader(value).u24();
  PlayoutDelay delay{Duration::milliseconds((packed >> 12) * kPlayoutStepMs),
                     Duration::milliseconds((packed & 0xfff) * kPlayoutStepMs)};
  if (delay.min > delay.max) return std::nullopt;
  return delay;
}

std::array<std::uint8_t, 3> write_playout_delay(const PlayoutDelay& delay) {
  auto steps = [](Duration duration) {
    return static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(duration.ms() / kPlayoutStepMs, 0, kPlayoutStepsMax));
  };
  std::uint32_t packed = steps(delay.min) << 12 | steps(delay.max);
  return {static_cast<std::uint8_t>(packed >> 16), static_cast<std::uint8_t>(packed >> 8),
          static_cast<std::uint8_t>(packed)};
}

}  // namespace stoa::rtp
