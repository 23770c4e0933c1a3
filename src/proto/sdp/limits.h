// Every limit of this folder. A description over one of them is refused (kTooLarge, kTooMany), never cut.
//
// They stand well above what browsers send: a Chromium offer of one audio, one simulcast video and one data
// section has about 9 KiB and 250 lines; a meeting with a hundred received videos about 500 KiB.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stoa::sdp {

inline constexpr std::size_t kDescriptionBytesMax = 768u << 10;
inline constexpr std::size_t kFragmentBytesMax = 64u << 10;  // RFC 8840, one PATCH.
inline constexpr std::size_t kLineBytesMax = 8192;
inline constexpr std::size_t kSectionsMax = 256;
inline constexpr std::size_t kGroupsMax = 16;  // BUNDLE groups.

// Of one media section.
inline constexpr std::size_t kFormatsMax = 128;  // As many as there are payload types.
inline constexpr std::size_t kCandidatesMax = 64;
inline constexpr std::size_t kFingerprintsMax = 8;
inline constexpr std::size_t kMsidsMax = 16;
inline constexpr std::size_t kSourcesMax = 64;
inline constexpr std::size_t kSourceGroupsMax = 32;
inline constexpr std::size_t kSourcesInGroupMax = 32;
inline constexpr std::size_t kRidsMax = 32;
inline constexpr std::size_t kSimulcastStreamsMax = 16;  // In one direction.
inline constexpr std::size_t kAlternativesMax = 8;       // Of one simulcast stream.
inline constexpr std::size_t kRidDependsMax = 8;

// Of one word.
inline constexpr std::size_t kNameBytesMax = 64;        // Encoding names, media kinds, protocols, formats.
inline constexpr std::size_t kTokenBytesMax = 256;      // mid, msid, cname, tls-id, o= user names.
inline constexpr std::size_t kRidBytesMax = 255;        // RFC 8852 §3.1: one RTP header extension's worth.
inline constexpr std::size_t kHostBytesMax = 253;       // An address or a name in c=, o= and candidates.
inline constexpr std::size_t kUfragBytesMin = 4;        // RFC 8839 §5.4.
inline constexpr std::size_t kPasswordBytesMin = 22;    // RFC 8839 §5.4.
inline constexpr std::size_t kIceWordBytesMax = 256;    // RFC 8839 §5.4.
inline constexpr std::size_t kFoundationBytesMax = 32;  // RFC 8839 §5.1.
inline constexpr std::size_t kParameterSetBytesMax = 2048;  // Each sprop-… of fmtp.
inline constexpr std::size_t kRedundancyMax = 32;           // Payload types in the fmtp of RED.

// RFC 8841 §6.1: what a peer takes that says nothing.
inline constexpr std::uint64_t kMessageBytesDefault = 64u << 10;
inline constexpr std::uint16_t kSctpPortDefault = 5000;

}  // namespace stoa::sdp
