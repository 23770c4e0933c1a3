// Why RTCP bytes were refused. Counted by the caller; never a reason to close a transport.
#pragma once

#include <cstdint>

namespace stoa::rtcp {

enum class Refusal : std::uint8_t {
  // Of a whole datagram (Reader::open).
  kTooLarge,     // kDatagramBytesMax.
  kTruncated,    // Empty, not a multiple of four bytes, or a length that points past the end.
  kBadVersion,   // A packet whose version is not 2.
  kBadPadding,   // A padding count of zero or longer than the packet.
  kNotCompound,  // Form::kCompound and the first packet is neither SR nor RR.
  // Of one packet; the others of the datagram stand (Reader::next).
  kBadReport,              // SR or RR shorter than its count of blocks says.
  kBadSourceDescription,   // SDES items that run past the end or have no terminator.
  kBadBye,                 // BYE shorter than its sources or its reason.
  kBadApp,                 // APP without source or name.
  kBadFeedback,            // RTPFB or PSFB too short, or with items that do not add up.
  kBadTransportFeedback,   // Chunks or deltas missing, no status, or a reserved symbol.
  kBadCongestionFeedback,  // Reports that run past the end or are longer than kCongestionMetricsMax.
  kBadExtendedReport,      // XR blocks that run past the end or have a wrong length.
};
inline constexpr int kRefusals = static_cast<int>(Refusal::kBadExtendedReport) + 1;

// "bad_version": for metrics and logs.
const char* name_of(Refusal refusal);

}  // namespace stoa::rtcp
