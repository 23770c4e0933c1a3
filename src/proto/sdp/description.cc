#include "proto/sdp/description.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::sdp {
namespace {

constexpr std::array<std::string_view, kHeaderExtensionCount> kUris = {
    "urn:ietf:params:rtp-hdrext:sdes:mid",
    "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
    "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "urn:ietf:params:rtp-hdrext:csrc-audio-level",
    "urn:ietf:params:rtp-hdrext:toffset",
    "urn:3gpp:video-orientation",
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
    "http://www.webrtc.org/experiments/rtp-hdrext/transport-wide-cc-02",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
    "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
    "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
    "http://www.webrtc.org/experiments/rtp-hdrext/video-timing",
    "http://www.webrtc.org/experiments/rtp-hdrext/color-space",
    "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
    "urn:ietf:params:rtp-hdrext:framemarking",
    "http://www.webrtc.org/experiments/rtp-hdrext/corruption-detection",
};

template <typename List, typename Predicate>
auto* find_in(List& list, Predicate predicate) {
  auto found = std::find_if(list.begin(), list.end(), predicate);
  return found == list.end() ? nullptr : &*found;
}

}  // namespace

Direction reversed(Direction direction) {
  if (direction == Direction::kSendOnly) return Direction::kRecvOnly;
  if (direction == Direction::kRecvOnly) return Direction::kSendOnly;
  return direction;
}

bool can_send(Direction direction) {
  return direction == Direction::kSendRecv || direction == Direction::kSendOnly;
}

bool can_receive(Direction direction) {
  return direction == Direction::kSendRecv || direction == Direction::kRecvOnly;
}

Direction common_direction(Direction a, Direction b) {
  bool sends = can_send(a) && can_send(b), receives = can_receive(a) && can_receive(b);
  if (sends) return receives ? Direction::kSendRecv : Direction::kSendOnly;
  return receives ? Direction::kRecvOnly : Direction::kInactive;
}

std::size_t digest_bytes_of(HashFunction hash) {
  static constexpr std::array<std::size_t, 5> kBytes = {20, 28, 32, 48, 64};
  return kBytes[static_cast<std::size_t>(hash)];
}

Fingerprint make_fingerprint(HashFunction hash, Bytes digest) {
  STOA_ASSERT(digest.size() == digest_bytes_of(hash));
  Fingerprint fingerprint{.hash = hash, .digest = {}};
  std::copy(digest.begin(), digest.end(), fingerprint.digest.begin());
  return fingerprint;
}

std::optional<HeaderExtension> find_extension(std::string_view uri) {
  auto found = std::find(kUris.begin(), kUris.end(), uri);
  if (found == kUris.end()) return std::nullopt;
  return static_cast<HeaderExtension>(found - kUris.begin());
}

std::string_view uri_of(HeaderExtension extension) { return kUris[static_cast<std::size_t>(extension)]; }

std::optional<std::uint64_t> Bandwidth::bps() const {
  if (tias_bps) return tias_bps;
  if (as_kbps) return *as_kbps * 1000;
  return std::nullopt;
}

const Payload* MediaSection::find_payload(std::uint8_t type) const {
  return find_in(payloads, [&](const Payload& payload) { return payload.type == type; });
}

const Payload* MediaSection::find_rtx_of(std::uint8_t type) const {
  return find_in(payloads, [&](const Payload& payload) {
    const auto* rtx = std::get_if<RtxFormat>(&payload.format);
    return payload.codec == Codec::kRtx && rtx && rtx->associated_payload_type == type;
  });
}

const Rid* MediaSection::find_rid(std::string_view id) const {
  return find_in(rids, [&](const Rid& rid) { return rid.id == id; });
}

const MediaSection* SessionDescription::find_section(std::string_view mid) const {
  return find_in(sections, [&](const MediaSection& section) { return section.mid == mid; });
}

}  // namespace stoa::sdp
