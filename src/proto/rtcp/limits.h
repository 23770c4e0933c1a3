// Everything a peer may make us read, hold or answer, in one place.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace stoa::rtcp {

// Read: a datagram over this is refused. Jumbo frames fit; what RTCP needs is far below.
inline constexpr std::size_t kDatagramBytesMax = 9000;
// Written: what a datagram of ours holds before SRTCP's index and tag, so that it passes every path.
inline constexpr std::size_t kDatagramBytes = 1160;

inline constexpr std::size_t kReportBlocksMax = 31;  // The count field has five bits (RFC 3550 §6.4.1).
inline constexpr std::size_t kSdesTextBytesMax = 255;
inline constexpr std::size_t kRembSourcesMax = 255;
// Statuses of one transport-wide feedback: half the sequence space, beyond which numbers are ambiguous.
inline constexpr std::size_t kFeedbackStatusesMax = 1u << 15;
// Packet metrics of one report of RFC 8888 §3.1; more must be ignored.
inline constexpr std::size_t kCongestionMetricsMax = 16'384;

// What an arrival window remembers: 2048 packets are 50 ms at 40,000 packets a second.
inline constexpr std::size_t kArrivalWindow = 2048;
// A packet that comes this many numbers late is still reported; an older one is dropped and counted.
inline constexpr std::int64_t kArrivalLateMax = 512;
inline constexpr std::size_t kCongestionSourcesMax = 64;

// A step of the sequence number that is believed at once (RFC 3550 A.1 has 3000 and 100; retransmissions and
// fast streams reorder further than 100).
inline constexpr std::int64_t kDropoutMax = 3000;
inline constexpr std::int64_t kMisorderMax = 1000;

// Reports of ours that an echo may name: some seconds of SRs of all streams of a transport.
inline constexpr std::size_t kSentReportsMax = 64;
// An echo may claim that it was held longer than it was, by this much, since peers' timers are coarse.
inline constexpr Duration kEchoSkewMax = Duration::milliseconds(50);

// Ticks a second that a stream's RTP clock may have; the fastest in use is 192,000.
inline constexpr std::uint32_t kClockRateMax = 10'000'000;
inline constexpr std::size_t kClockPointsMax = 16;  // Sender reports that one SenderClock looks back on.

}  // namespace stoa::rtcp
