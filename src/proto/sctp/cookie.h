// The state cookie: all that an INIT told us, sent away with INIT ACK and believed again with COOKIE ECHO
// (RFC 9260 §5.1.3). So an INIT costs no memory. The MAC's key is the association's own, and the time of
// making is inside, so that an old cookie is told from a fresh one.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "proto/sctp/chunk.h"
#include "proto/sctp/refusal.h"

namespace stoa::sctp {

struct Cookie {
  Timestamp made_at;
  std::uint32_t local_tag = 0, remote_tag = 0;
  std::uint32_t local_tsn = 0, remote_tsn = 0;
  std::uint32_t remote_window = 0;
  std::uint16_t remote_outbound_streams = 0, remote_inbound_streams = 0;
  Capabilities remote_capabilities;
  // Tags of the association that stood when the INIT came (tie tags, §5.2.2); zero when none did.
  std::uint32_t tie_local_tag = 0, tie_remote_tag = 0;
};

using CookieKey = std::array<std::uint8_t, 32>;

Buffer write_cookie(const Cookie& cookie, const CookieKey& key);
// kBadCookie unless we made it with this key.
Result<Cookie, Refusal> parse_cookie(Bytes bytes, const CookieKey& key);

}  // namespace stoa::sctp
