// Datagrams in a TCP stream: each behind its length in two bytes (RFC 4571 §2), as ICE-TCP wants it of STUN,
// DTLS, RTP and RTCP alike (RFC 6544 §3).
//
// For passive ICE-TCP: a connection that is accepted belongs to nobody until its first frame, which must be a
// Binding request; find_local_ufrag() of it names the session. What a stranger may send before that is
// bounded by kOpeningFrameBytesMax, how long it may take by kOpeningTimeout.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/ice/refusal.h"

namespace stoa::ice {

inline constexpr std::size_t kFrameHeaderBytes = 2;
// A frame of a session: what a UDP datagram on the path could be, and some room. 65535 would let a peer hold
// that much.
inline constexpr std::size_t kFrameBytesMax = 8192;
// The first frame of a connection: a Binding request.
inline constexpr std::size_t kOpeningFrameBytesMax = 1024;
inline constexpr Duration kOpeningTimeout = Duration::seconds(10);

class FrameReader {
 public:
  explicit FrameReader(std::size_t frame_bytes_max = kFrameBytesMax) : frame_bytes_max_(frame_bytes_max) {}

  // Takes bytes from the front of `input` until a frame is whole or nothing is left. The frame is valid until
  // the next call and as long as `input`'s bytes: one that lies whole in `input` is not copied. Empty frames
  // are passed over. After a refusal (kBadFrame: longer than allowed) the reader is of no further use.
  Result<std::optional<Bytes>, Refusal> next(Bytes& input);

  // Once the peer has proved who it is.
  void set_frame_bytes_max(std::size_t bytes) { frame_bytes_max_ = bytes; }
  std::size_t partial_bytes() const { return partial_.size(); }

 private:
  std::size_t frame_bytes_max_;
  Buffer partial_;         // Header and what there is of the frame.
  bool is_taken_ = false;  // `partial_` was given out as a whole frame.
};

// Appends the header and the datagram. Requires: datagram.size() <= 65535.
void write_frame(Bytes datagram, Buffer& out);

}  // namespace stoa::ice
