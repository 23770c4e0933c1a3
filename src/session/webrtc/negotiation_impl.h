// What negotiation.cc (WHIP, WHEP) and peer.cc (meetings) share.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/webrtc/negotiation.h"

namespace stoa::webrtc {

inline constexpr std::uint16_t kDataPort = 5000;

std::unexpected<NegotiationFault> fault(NegotiationRefusal refusal, std::string text);
NegotiationFault fault_of(sdp::Refusal refusal);
// `what`: "offer", for people.
Result<sdp::SessionDescription, NegotiationFault> parse_description(std::string_view text, const char* what,
                                                                    std::size_t sections_max);
// All candidates are in the description and none will follow. Trickling by the peer is welcome.
sdp::Local local_of(const LocalDescription& local);
RemoteTransport remote_of(const sdp::Agreement& agreement);
dtls::Role role_of(const sdp::Agreement& agreement);

// The codecs of a kind that packets are forwarded of.
sdp::MediaSupport make_publisher_support(sdp::MediaKind kind);
// When packets are sent is asked of those alone who number them for their transport: only they are told what
// their line carries. Others give the id to something else in another section (aiortc).
void drop_useless_extensions(sdp::SessionDescription& offer);
sdp::MediaSupport make_viewer_support(sdp::MediaKind kind, bool has_mid);
// Opus may come with redundancy, and go with it. The types of an offer; RED is answered where it is in the
// description that is answered.
sdp::SupportedCodec make_red(std::uint8_t payload_type, std::uint8_t opus_payload_type);
bool has_common_codec(const sdp::MediaSection& section, const sdp::MediaSupport& support);
// Puts a section's payload types in the order in which the answer shall have them.
void order_payloads(const PublisherOptions& options, sdp::MediaSection& section);
// `fit` and what repairs it; its redundancy if that `may_be_red`. The answer then has nothing else to choose
// from.
void keep_only(const sdp::Payload& fit, sdp::MediaSection& section, bool may_be_red = false);
// Without redundancy but that of Opus; none at all unless it `may_be_red`.
void choose_red(sdp::MediaSection& section, bool may_be_red);

// Whether the sections that are wanted run over one transport, RTCP included.
Result<void, NegotiationFault> expect_one_transport(const sdp::SessionDescription& offer,
                                                    std::span<const std::size_t> wanted);
// The section of data that runs over the transport of those that are used, or over any when none is.
std::optional<std::size_t> find_data(const sdp::SessionDescription& offer, std::span<const std::size_t> used);

struct AnsweredOffer {
  sdp::SessionDescription description;
  sdp::Agreement agreement;
};
Result<AnsweredOffer, NegotiationFault> answer(const sdp::SessionDescription& offer,
                                               const LocalDescription& local,
                                               std::span<const sdp::SectionIntent> intents);

bool is_red_of(const sdp::AgreedCodec& red, const sdp::AgreedCodec& codec);
// What is sent in a section: the first codec of the agreement, with its redundancy where that is in it.
// Without a mid in the headers unless that was agreed upon.
OutletConfig outlet_of(payload::Encoding encoding, const sdp::AgreedSection& section,
                       const sdp::LocalSource& source);

}  // namespace stoa::webrtc
