// Offer and answer (RFC 3264, RFC 9429) for one who has exactly one transport: everything that is accepted is
// in one BUNDLE group with rtcp-mux, over DTLS-SRTP. Sections outside of the group that was taken are
// rejected (port 0), never silently lost.
//
// A server answers: parse(offer), make_answer(), agree(offer, answer, Side::kAnswerer), write(answer). A
// client offers: make_offer(), write(offer), parse(answer), agree(offer, answer, Side::kOfferer). agree()
// trusts neither text and gives what a session needs to know: it reads the same two descriptions on both
// sides, so both come to the same agreement.
//
// Offering again (ICE restart, another section) is the same call with what was before plus the change: a
// section keeps its place and its mid for good, one that has ended is_stopped and keeps its `media` (so all
// numbers stay what they were), and the version grows.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "proto/sdp/description.h"

namespace stoa::sdp {

struct SupportedCodec {
  // The type is what an offer would like to call it: the first free one is taken when another codec has it.
  // Format and feedback are what we can do; an answer has what both can.
  Payload payload;
  ProfileRule rule = ProfileRule::kExact;
  bool has_rtx = false;
};

// What may go through a section of audio or video.
struct MediaSupport {
  std::vector<SupportedCodec> codecs;  // Best first.
  std::vector<HeaderExtension> extensions;
  // In answers: own order rather than that of the offer (RFC 3264 §6.1 likes the latter).
  bool prefers_own_order = true;
  // In answers: how many codecs that carry media stay; 0 means all. With 1 a browser cannot change to
  // another codec on its own.
  std::size_t codecs_max = 0;
  // In answers: RED stands before the codec that it protects, which makes senders send it.
  bool prefers_red = false;
  // In answers: how many streams of a simulcast are taken, in the order of the offer; 0 means that a
  // simulcast is declined and one stream comes. Needs the extensions mid and rid.
  std::size_t simulcast_streams_max = 0;
  bool has_rtcp_rsize = true;
  std::optional<std::uint64_t> receive_bps_max;  // Written as b=TIAS and b=AS.
};
// What a server forwards without decoding: every codec here that carries media, of any profile, with all
// feedback and every extension that proto/rtp knows. A starting point: callers take out what they do not
// want.
MediaSupport make_audio_support();
MediaSupport make_video_support();

// What we send in a section. Written as msid and ssrc lines; the latter for those who do not know the former.
// Requires: no SSRC in two sections.
struct LocalSource {
  Msid msid;
  std::string cname;
  std::uint32_t ssrc = 0;
  std::optional<std::uint32_t> rtx_ssrc;
};

// Our end of the transport and of the session.
struct Local {
  std::uint64_t session_id = 0;  // RFC 9429 §5.2.1: 63 random bits.
  std::uint64_t session_version = 0;
  IceCredentials ice;
  bool is_ice_lite = false;
  IceOptions ice_options;
  std::vector<Candidate> candidates;
  bool has_end_of_candidates = false;
  std::vector<Fingerprint> fingerprints;
  // What we choose where the offer leaves the choice (actpass). Offers always leave it.
  DtlsSetup setup = DtlsSetup::kPassive;
  std::string tls_id;
};

// What to do with one section of an offer.
struct SectionIntent {
  // Of audio and video; outlives the call. nullptr rejects the section.
  const MediaSupport* media = nullptr;
  // Of data: our port and the largest message we take. std::nullopt rejects the section.
  std::optional<SctpParameters> data;
  // The most we would do, as we see it; the answer has what the offer allows of it.
  Direction direction = Direction::kSendRecv;
  std::optional<LocalSource> source;  // What we send, when its SSRC is known already.
};
// `intents` run beside offer.sections; sections behind their end are rejected.
Result<SessionDescription, Refusal> make_answer(const SessionDescription& offer, const Local& local,
                                                std::span<const SectionIntent> intents);

struct OfferedSection {
  MediaKind kind = MediaKind::kVideo;  // Not kOther.
  std::string mid;
  bool is_stopped = false;  // Was there before and stays rejected from now on.
  const MediaSupport* media = nullptr;
  std::optional<SctpParameters> data;
  Direction direction = Direction::kSendRecv;
  std::optional<LocalSource> source;
  std::vector<Rid> send_layers;  // More than none: simulcast, in this order. Their is_send is true.
};
// Refuses what our own caller could not mean: names that are no tokens, more sections than the limit.
Result<SessionDescription, Refusal> make_offer(const Local& local, std::span<const OfferedSection> sections);

// Agreement: what holds once both descriptions are known. "send" and "receive" are ours.

struct AgreedCodec {
  Codec codec = Codec::kOther;
  std::uint32_t clock_rate = 0;
  std::uint8_t channels = 1;
  std::uint8_t send_payload_type = 0;     // What the peer calls it (RFC 3264 §5.1).
  std::uint8_t receive_payload_type = 0;  // What we call it. Browsers make them the same.
  std::optional<std::uint8_t> send_rtx_type, receive_rtx_type;
  CodecFormat send_format;     // What the peer can take.
  CodecFormat receive_format;  // What we said we take.
  Feedback feedback;
  bool operator==(const AgreedCodec&) const = default;
};

struct AgreedExtension {
  HeaderExtension extension = HeaderExtension::kMid;
  std::uint8_t id = 0;
  bool can_send = false, can_receive = false;
  bool operator==(const AgreedExtension&) const = default;
};

// One stream of a section: of a simulcast, or the only one.
struct Layer {
  std::string rid;  // Empty where the stream is known by its SSRC alone, or by the section's mid.
  bool is_paused = false;
  std::optional<std::uint32_t> ssrc, rtx_ssrc;
  bool operator==(const Layer&) const = default;
};

struct AgreedSection {
  std::size_t index = 0;  // In both descriptions.
  std::string mid;
  MediaKind kind = MediaKind::kOther;
  Direction direction = Direction::kInactive;
  std::vector<AgreedCodec> codecs;  // The first is the one to use. Never empty.
  std::vector<AgreedExtension> extensions;
  std::vector<Layer> send_layers, receive_layers;  // Empty where nothing flows that way.
  std::vector<Msid> remote_msids;
  std::string remote_cname;  // Empty when the peer did not say.
  bool has_rtcp_rsize = false;
  bool has_extmap_allow_mixed = false;
  std::optional<std::uint64_t> send_bps_max;  // The peer's b= line.
  std::optional<std::uint32_t> send_ptime_ms, send_maxptime_ms;
  bool operator==(const AgreedSection&) const = default;
};

struct AgreedData {
  std::size_t index = 0;
  std::string mid;
  std::uint16_t local_port = 0, remote_port = 0;
  std::uint64_t send_message_bytes_max = 0;  // 0: any size.
  bool operator==(const AgreedData&) const = default;
};

enum class DtlsRole : std::uint8_t { kClient, kServer };  // The client is the active side.

struct Agreement {
  IceCredentials remote_ice;
  IceOptions remote_ice_options;
  bool is_remote_ice_lite = false;
  std::vector<Candidate> remote_candidates;  // Of all bundled sections, in order.
  bool has_remote_end_of_candidates = false;
  std::vector<Fingerprint> remote_fingerprints;  // Never empty. One of them must match.
  std::string remote_tls_id;
  DtlsRole dtls_role = DtlsRole::kServer;
  std::vector<AgreedSection> sections;  // Only those that both accepted.
  std::optional<AgreedData> data;
  bool operator==(const Agreement&) const = default;
  const AgreedSection* find_section(std::string_view mid) const;
};

enum class Side : std::uint8_t { kOfferer, kAnswerer };  // Which of the two we are.
Result<Agreement, Refusal> agree(const SessionDescription& offer, const SessionDescription& answer,
                                 Side side);

bool has_extension(const MediaSection& section, HeaderExtension extension);
// The sections, by index, of the group that `section` is bundled in, its tag first; only itself when in none.
std::vector<std::size_t> bundle_of(const SessionDescription& description, std::size_t section);
// The section of a group whose ICE and DTLS attributes count for all (RFC 9143 §7.1.3): the first that has
// credentials; nullptr when none has. Requires: indexes from bundle_of().
const MediaSection* find_transport(const SessionDescription& description, std::span<const std::size_t> group);

}  // namespace stoa::sdp
