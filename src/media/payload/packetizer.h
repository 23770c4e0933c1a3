// Cuts the frames of one track into RTP payloads, which all its receivers share.
//
// A frame comes in the shape of media::Frame::payload. Receivers join at any key frame and have nothing but
// what is in the packets, so parameter sets and sequence headers that only the configuration record holds go
// out before each key frame that lacks them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/av1.h"
#include "media/payload/encoding.h"
#include "media/payload/payload_list.h"

namespace stoa::payload {

struct PacketizerConfig {
  Encoding encoding = Encoding::kH264;
  // What an RTP packet has left behind its header, extensions, RTX's two bytes and the cipher's tag. At
  // least 64.
  std::size_t payload_bytes_max = 1150;
  // H.264: packetization-mode 1. Without it a NAL unit must fit into one payload.
  bool may_aggregate = true;
  std::uint16_t first_picture_id = 0;  // VP8 and VP9; best drawn at random (RFC 7741 §4.2).
};

class Packetizer {
 public:
  explicit Packetizer(const PacketizerConfig& config);

  // The decoder configuration record of the frames to come: see media::Format::config. Of VP8, VP9 and Opus
  // nothing is needed, and what is given is not looked at.
  Result<void, Refusal> set_record(SharedBytes record);
  // Clears `out` and fills it with the frame's payloads in the order of their sequence numbers; none when
  // nothing in the frame is for a receiver. The marker goes on the last payload of a video frame, and on the
  // first Opus packet after a pause (RFC 7587 §4.1), which is what `timestamp`, in RTP time that does not
  // wrap, is for. Errors: those of the format, and `out` is empty then.
  Result<void, Refusal> handle_frame(Bytes frame, std::int64_t timestamp, PayloadList& out);

 private:
  Result<void, Refusal> packetize(Bytes frame, std::int64_t timestamp, PayloadList& out);
  Result<void, Refusal> packetize_nals(Bytes frame, PayloadList& out);
  Result<void, Refusal> handle_opus(Bytes packet, std::int64_t timestamp, PayloadList& out);

  PacketizerConfig config_;
  SharedBytes record_;
  std::vector<Bytes> record_sets_;  // In record_.
  Bytes sequence_header_;           // AV1's, in record_.
  unsigned length_size_ = 4;
  std::uint16_t picture_id_;
  std::optional<std::int64_t> next_timestamp_;  // Of Opus, when no pause comes.
  Av1Packetizer av1_;
  std::vector<Bytes> nals_;  // Scratch, kept for its memory.
};

}  // namespace stoa::payload
