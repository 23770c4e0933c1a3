// CRC32c, the checksum of SCTP packets (RFC 9260 Appendix A): Castagnoli's polynomial, reflected.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace stoa::sctp {

// Over all of `bytes`. A packet carries it little-endian, computed with the field itself zero.
std::uint32_t crc32c(Bytes bytes);

// The checksum a packet should carry: its own checksum field (bytes 8..11) counts as zero. Requires: at
// least 12 bytes.
std::uint32_t packet_checksum(Bytes packet);

}  // namespace stoa::sctp
