// Everything that a peer, or our own senders, may make SRTP hold.
#pragma once

#include <cstddef>

namespace stoa::srtp {

// The longest payload of a UDP datagram over IPv4. Longer packets are refused unread.
inline constexpr std::size_t kPacketBytesMax = 65'507;

// SSRCs of one remote peer: a browser's simulcast publisher with RTX uses seven.
inline constexpr std::size_t kReceiveStreamsMax = 64;
// SSRCs that we send to one peer under one key. They are never forgotten (SendContext says why).
inline constexpr std::size_t kSendStreamsMax = 1024;

// How far behind the newest a packet may come (RFC 3711 §3.3.2 asks for at least 64). RTP's window covers
// half a second of 25 Mb/s, so that what NACK brings back is still taken; 128 bytes an SSRC.
inline constexpr std::size_t kRtpReplayWindow = 1024;
inline constexpr std::size_t kRtcpReplayWindow = 128;

// Packets that go to the kernel together: more than any CPU has lanes, few enough for the stack.
inline constexpr std::size_t kBatchPackets = 64;

// SRTCP's index has 31 bits, SRTP's 48 (RFC 3711 §9.2); when they are used up, so is the key.
inline constexpr unsigned kRtcpIndexMax = 0x7fff'ffff;

}  // namespace stoa::srtp
