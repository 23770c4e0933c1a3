// AV1 in RTP ("RTP Payload Format For AV1", AOMedia): OBUs without their size fields, several in a payload or
// one over several, behind a byte that says which.
//
// The timestamp of a packet is that of its temporal unit, and the marker ends the unit.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "media/payload/encoding.h"
#include "media/payload/payload_list.h"

namespace stoa::payload {

class Av1Packetizer {
 public:
  // Appends the payloads of one temporal unit, whose OBUs but the last have their sizes. Temporal delimiters,
  // tile lists and padding stay behind (§5). When the unit has a key frame but no sequence header,
  // `sequence_header` goes before it: an OBU with its size, or nothing.
  Result<void, Refusal> packetize(Bytes temporal_unit, Bytes sequence_header, std::size_t payload_bytes_max,
                                  PayloadList& out);

 private:
  // An OBU as it goes out: a header without size field, then the body.
  struct Obu {
    std::array<std::uint8_t, 2> header;
    std::uint8_t header_bytes;
    Bytes body;
    std::size_t size() const { return header_bytes + body.size(); }
    std::uint8_t type() const { return header[0] >> 3 & 15; }
    bool has_layer() const { return header_bytes == 2; }
  };
  struct Piece {
    std::size_t obu, offset, size;
    bool starts_payload;
  };

  Result<void, Refusal> cut(Bytes obus);
  // Lays the pieces out and returns how many payloads that makes.
  std::size_t plan(std::size_t payload_bytes_max);
  void write(bool begins_sequence, PayloadList& out) const;
  void write_payload(std::size_t first, std::size_t last, bool begins_sequence, PayloadList& out) const;

  // Scratch, kept for its memory.
  std::vector<Obu> obus_;
  std::vector<Piece> pieces_;
};

// Appends the OBUs with sizes, without temporal delimiters, tile lists and padding, of payloads in the order
// of their sequence numbers.
Result<AssembledFrame, Refusal> assemble_av1(std::span<const Bytes> payloads, Buffer& frame);

// A temporal unit's start is certain only with a sequence header or a temporal delimiter in front: otherwise
// a packet that begins with a frame may have another frame of its unit before it.
Result<PayloadFacts, Refusal> inspect_av1_payload(Bytes payload);

}  // namespace stoa::payload
