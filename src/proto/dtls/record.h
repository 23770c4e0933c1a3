// DTLS records as they lie in a datagram, before any key is needed (RFC 6347 §4.1).
//
//   0       1        3       5            11       13
//   | type  | version | epoch | sequence   | length | body …       several may follow one another
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "proto/dtls/refusal.h"

namespace stoa::dtls {

enum class ContentType : std::uint8_t {
  kChangeCipherSpec = 20,
  kAlert = 21,
  kHandshake = 22,
  kApplicationData = 23,
};

inline constexpr std::size_t kRecordHeaderBytes = 13;
inline constexpr std::size_t kRecordBodyBytesMax = (1u << 14) + 2048;  // RFC 5246 §6.2.3.

struct Record {
  std::uint8_t type = 0;       // A ContentType, or something we do not know.
  std::uint16_t epoch = 0;     // 0 in the clear, 1 under the keys of the handshake.
  std::uint64_t sequence = 0;  // 48 bits.
  Bytes whole;                 // With its header; a view into the datagram.

  bool is(ContentType wanted) const { return type == static_cast<std::uint8_t>(wanted); }
};

// How a datagram on a shared port is known to be DTLS (RFC 7983 §7, with RFC 9443 §3 for 64 and above).
inline bool is_dtls(Bytes datagram) { return !datagram.empty() && datagram[0] >= 20 && datagram[0] <= 63; }

// Takes the record at the front of `datagram` off it.
Result<Record, Refusal> take_record(Bytes& datagram);

}  // namespace stoa::dtls
