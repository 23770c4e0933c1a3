// A session description of WebRTC as a value (RFC 8866, unified plan as RFC 9429 has it).
//
// parse() reads what browsers and other stacks write and refuses everything that is out of its grammar or
// over a limit (limits.h), with the line. What it does not know it passes over, as RFC 8866 §5 asks. What
// stands at session level and holds for every section (ICE, DTLS, direction, header extensions) is put into
// the sections that do not say it themselves, so readers look in one place; write() writes it there. Hence
// parse(write(description)) == description for what parse() made.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/sdp/codec.h"
#include "proto/sdp/ice.h"
#include "proto/sdp/limits.h"
#include "proto/sdp/refusal.h"

namespace stoa::sdp {

enum class MediaKind : std::uint8_t { kAudio, kVideo, kData, kOther };  // kData: m=application over SCTP.
enum class Direction : std::uint8_t { kSendRecv, kSendOnly, kRecvOnly, kInactive };
Direction reversed(Direction direction);               // As the other side sees it.
Direction common_direction(Direction a, Direction b);  // What both allow, both seen from one side.
bool can_send(Direction direction);
bool can_receive(Direction direction);

// RFC 8122. A digest of one certificate of the DTLS peer; any of several may match.
enum class HashFunction : std::uint8_t { kSha1, kSha224, kSha256, kSha384, kSha512 };
std::size_t digest_bytes_of(HashFunction hash);
struct Fingerprint {
  HashFunction hash = HashFunction::kSha256;
  std::array<std::uint8_t, 64> digest{};  // The first digest_bytes_of(hash) count, the rest is 0.
  Bytes bytes() const { return Bytes(digest).first(digest_bytes_of(hash)); }
  bool operator==(const Fingerprint&) const = default;
};
// Requires: digest.size() == digest_bytes_of(hash).
Fingerprint make_fingerprint(HashFunction hash, Bytes digest);

// Who begins DTLS (RFC 4145 §4, RFC 8842 §5): the active side sends the ClientHello.
enum class DtlsSetup : std::uint8_t { kActive, kPassive, kActpass, kHoldconn };

// RFC 8285 and those who define extensions. Unknown ones are dropped.
enum class HeaderExtension : std::uint8_t {
  kMid,                    // RFC 9143 §15
  kRid,                    // RFC 8852
  kRepairedRid,            // RFC 8852
  kAudioLevel,             // RFC 6464
  kMixerAudioLevel,        // RFC 6465
  kTransmissionOffset,     // RFC 5450
  kVideoOrientation,       // 3GPP TS 26.114
  kTransportSequence,      // draft-holmer-rmcat-transport-wide-cc-extensions-01
  kTransportSequence2,     // the same, feedback on request
  kAbsoluteSendTime,       // webrtc.org
  kAbsoluteCaptureTime,    // webrtc.org
  kPlayoutDelay,           // webrtc.org
  kVideoContentType,       // webrtc.org
  kVideoTiming,            // webrtc.org
  kColorSpace,             // webrtc.org
  kVideoLayersAllocation,  // webrtc.org
  kDependencyDescriptor,   // RTP Payload Format For AV1, appendix A
  kFrameMarking,           // RFC 9626
  kCorruptionDetection,    // webrtc.org
};
inline constexpr std::size_t kHeaderExtensionCount =
    static_cast<std::size_t>(HeaderExtension::kCorruptionDetection) + 1;
std::optional<HeaderExtension> find_extension(std::string_view uri);
std::string_view uri_of(HeaderExtension extension);

struct ExtensionMap {
  // 1 to 14 for both header forms, to 255 for the two-byte form; 4096 to 4351 in an offer mean "give me an
  // id" (RFC 8285 §7).
  std::uint16_t id = 0;
  HeaderExtension extension = HeaderExtension::kMid;
  Direction direction = Direction::kSendRecv;
  bool operator==(const ExtensionMap&) const = default;
};

// RFC 8830. An empty stream_id is the "-" of a track in no stream.
struct Msid {
  std::string stream_id, track_id;
  bool operator==(const Msid&) const = default;
};

// RFC 5576.
struct Source {
  std::uint32_t ssrc = 0;
  std::string cname;
  std::optional<Msid> msid;
  bool operator==(const Source&) const = default;
};
enum class GroupSemantics : std::uint8_t { kFid, kFecFr, kSim };  // First the source, then its repair.
struct SourceGroup {
  GroupSemantics semantics = GroupSemantics::kFid;
  std::vector<std::uint32_t> ssrcs;
  bool operator==(const SourceGroup&) const = default;
};

// RFC 8851. One encoding of a section. A line with a restriction that is unknown is dropped whole (§6.3).
struct Rid {
  std::string id;
  bool is_send = true;                      // As its writer sees it.
  std::vector<std::uint8_t> payload_types;  // pt=; empty means all.
  std::optional<std::uint32_t> max_width, max_height, max_fs, max_br, max_pps;
  std::optional<std::uint32_t> max_millifps;  // max-fps in thousandths.
  std::vector<std::string> depends;
  bool operator==(const Rid&) const = default;
};

// RFC 8853. Streams in the order that was written, each one of several alternatives.
struct SimulcastAlternative {
  std::string rid;
  bool is_paused = false;  // "~"
  bool operator==(const SimulcastAlternative&) const = default;
};
using SimulcastStream = std::vector<SimulcastAlternative>;  // Never empty.
struct Simulcast {
  std::vector<SimulcastStream> send, receive;  // As its writer sees it.
  bool operator==(const Simulcast&) const = default;
};

// RFC 8841.
struct SctpParameters {
  std::uint16_t port = kSctpPortDefault;
  std::uint64_t max_message_bytes = kMessageBytesDefault;  // 0: any size.
  bool is_old_syntax = false;  // m=application 9 DTLS/SCTP 5000 with a=sctpmap; answered in kind.
  bool operator==(const SctpParameters&) const = default;
};

// b= lines, as their writer wants to receive.
struct Bandwidth {
  std::optional<std::uint64_t> as_kbps;   // RFC 8866 §5.8
  std::optional<std::uint64_t> tias_bps;  // RFC 3890
  // Bits a second of media, the better of the two; std::nullopt when neither is there.
  std::optional<std::uint64_t> bps() const;
  bool operator==(const Bandwidth&) const = default;
};

struct MediaSection {
  MediaKind kind = MediaKind::kOther;
  std::string kind_name;  // "audio"
  std::uint16_t port = 9;
  std::string protocol;              // "UDP/TLS/RTP/SAVPF"
  std::vector<std::string> formats;  // Only of kOther and kData; payloads say it for the others.
  std::string mid;                   // Empty when absent.
  bool is_bundle_only = false;       // Port 0 then does not mean rejected (RFC 9143 §6).
  Direction direction = Direction::kSendRecv;
  std::string connection_address;  // c=, "0.0.0.0" from most.
  Bandwidth bandwidth;

  std::optional<IceCredentials> ice;
  IceOptions ice_options;
  std::vector<Candidate> candidates;
  bool has_end_of_candidates = false;
  std::vector<Fingerprint> fingerprints;
  std::optional<DtlsSetup> setup;
  std::string tls_id;  // RFC 8842 §4; empty when absent.

  bool has_rtcp_mux = false;            // RFC 5761
  bool has_rtcp_mux_only = false;       // RFC 8858
  bool has_rtcp_rsize = false;          // RFC 5506
  bool has_extmap_allow_mixed = false;  // RFC 8285 §6
  std::vector<Payload> payloads;        // In order of preference.
  std::vector<ExtensionMap> extensions;
  std::vector<Msid> msids;
  std::vector<Source> sources;
  std::vector<SourceGroup> source_groups;
  std::vector<Rid> rids;
  std::optional<Simulcast> simulcast;
  std::optional<std::uint32_t> ptime_ms, maxptime_ms;
  std::optional<SctpParameters> sctp;  // Present exactly with kData.

  bool operator==(const MediaSection&) const = default;
  bool is_rejected() const { return port == 0 && !is_bundle_only; }
  bool is_rtp() const { return kind == MediaKind::kAudio || kind == MediaKind::kVideo; }
  const Payload* find_payload(std::uint8_t type) const;
  // The payload type that repairs `type` by RFC 4588.
  const Payload* find_rtx_of(std::uint8_t type) const;
  const Rid* find_rid(std::string_view id) const;
};

struct SessionDescription {
  std::string user_name = "-";
  std::uint64_t session_id = 0;
  std::uint64_t session_version = 0;
  std::string origin_address = "127.0.0.1";
  std::string session_name = "-";
  bool is_ice_lite = false;
  std::vector<std::vector<std::string>> bundles;  // The mids of each a=group:BUNDLE; the first is the tag.
  std::vector<MediaSection> sections;

  bool operator==(const SessionDescription&) const = default;
  const MediaSection* find_section(std::string_view mid) const;
};

Result<SessionDescription, Fault> parse(std::string_view text);
// Requires: what a caller put in by hand is what parse() would take (tokens where tokens stand).
std::string write(const SessionDescription& description);

}  // namespace stoa::sdp
