// What our server agrees to when a WebRTC peer offers: which sections of a publisher it takes, which tracks
// of a publication a viewer gets. Descriptions in, descriptions out; no session yet.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "media/payload/packet.h"
#include "proto/ice/candidate.h"
#include "proto/ice/credentials.h"
#include "proto/sdp/negotiate.h"
#include "session/webrtc/fan_out.h"
#include "session/webrtc/transport.h"

namespace stoa::webrtc {

// Our end, the same for all sessions of a shard but for the credentials.
struct LocalDescription {
  ice::Credentials ice;
  std::vector<ice::Candidate> candidates;  // UDP and TCP of this shard's port.
  crypto::Fingerprint fingerprint;
  std::uint64_t session_id = 0;
  std::uint64_t session_version = 1;
  bool is_dtls_client = false;  // Where an offer leaves the choice to us.
};

enum class NegotiationRefusal : std::uint8_t {
  kBadDescription,  // Does not read: `text` says where.
  kNoFingerprint,   // Or no credentials: not WebRTC.
  kNotBundled,      // Sections of more than one transport, without max-bundle's help.
  kNoCommonCodec,   // Nothing of what is offered can be taken, or none of the tracks can be received.
  kWrongDirection,  // A publisher that sends nothing; a viewer that receives nothing.
  kTooManySections,
  // Of a session that negotiates again:
  kTransportChanged,  // Another certificate or DTLS role, or other credentials where none may be new.
  kNotExpected,       // An answer to no offer; an offer where we make them.
};
inline constexpr int kNegotiationRefusals = 8;
// Of one offer; a browser with a camera, a screen and data has four.
inline constexpr std::size_t kOfferedSectionsMax = 64;
// The largest message that we take on a data channel, as a=max-message-size says it.
inline constexpr std::uint64_t kDataMessageBytesMax = 256u << 10;
const char* name_of(NegotiationRefusal refusal);  // "no_common_codec": stable, for the API.
struct NegotiationFault {
  NegotiationRefusal refusal;
  std::string text;  // A sentence for people.
};

struct PublisherAnswer {
  std::string answer;  // SDP.
  sdp::Agreement agreement;
  RemoteTransport remote;
  dtls::Role dtls_role;
};
struct PublisherOptions {
  std::size_t layers_max = payload::kLayersMax;                // Of simulcast.
  std::size_t video_sections_max = 1, audio_sections_max = 1;  // The rest is declined.
  std::optional<std::uint64_t> video_bps_max;
  // Stands before all others in the answer when it is offered, so that browsers send it. H.264 goes to
  // viewers of every kind, HLS included, where VP8 (which browsers like best) is not known. None: as offered.
  std::optional<payload::Encoding> video_first = payload::Encoding::kH264;
};
// Takes every encoding that can be forwarded, in the order of the offer but for `video_first`, and of H.264
// the payload types that may fragment (packetization-mode 1) before the others. Feedback: NACK, PLI, FIR,
// transport-cc; RTX where offered. How pictures are turned cannot be told. Sections that send nothing, or
// that are over the limits, are declined; of a simulcast the first `layers_max` streams are taken.
Result<PublisherAnswer, NegotiationFault> answer_publisher(std::string_view offer,
                                                           const LocalDescription& local,
                                                           const PublisherOptions& options);

struct ViewerOutlet {
  media::TrackId track = 0;
  std::string mid;
  OutletConfig config;
};
struct ViewerAnswer {
  std::string answer;
  sdp::Agreement agreement;
  RemoteTransport remote;
  dtls::Role dtls_role;
  std::vector<ViewerOutlet> outlets;
  // Tracks that the viewer could not be given: no section for them, or no codec in common.
  std::vector<media::TrackId> left_out;
  // For each section that would have taken a track and got none.
  std::vector<media::Kind> unseated;
};
// The first section of a kind gets the first track of that kind whose encoding it can take. A codec counts as
// common when a decoder that says it takes the offered format can decode the track; H.264 of a higher profile
// than was offered is given all the same where no offered format fits better, since decoders follow the
// bitstream. The answer has one payload type for each section (and its RTX): the viewer can neither choose
// nor be surprised. SSRCs are drawn from `rng`. A section of data is accepted when `has_data`; an offer of
// nothing else is fine then.
//
// Sections that get no track are rejected. The one that carries the transport of the bundle (its tag) stays
// as inactive where it can: the others may be bundle-only and then cannot become the tag (RFC 9143 §7.3.1).
//
// Feedback: NACK, PLI, FIR, REMB, transport-wide feedback with the header extension that it needs, and that
// of RFC 8888 where it is offered.
//
// Requires: cname is a word of 1 to 256 visible characters; it also names the stream that all tracks are in.
Result<ViewerAnswer, NegotiationFault> answer_viewer(std::string_view offer,
                                                     std::span<const payload::RtpTrack> tracks,
                                                     const LocalDescription& local, std::string_view cname,
                                                     Rng& rng, bool has_data = true);

}  // namespace stoa::webrtc
