#include "proto/sctp/cookie.h"

#include "crypto/digest.h"

namespace stoa::sctp {
namespace {

constexpr std::size_t kBodyBytes = 8 + 4 * 5 + 2 * 2 + 4 + 4 * 2;

std::uint32_t to_bits(const Capabilities& c) {
  return (c.forward_tsn ? 1u : 0) | (c.i_forward_tsn ? 2u : 0) | (c.stream_reset ? 4u : 0) |
         (c.interleaving ? 8u : 0) | (c.zero_checksum ? 16u : 0);
}

Capabilities from_bits(std::uint32_t bits) {
  return {.forward_tsn = (bits & 1) != 0,
          .i_forward_tsn = (bits & 2) != 0,
          .stream_reset = (bits & 4) != 0,
          .interleaving = (bits & 8) != 0,
          .zero_checksum = (bits & 16) != 0};
}

}  // namespace

Buffer write_cookie(const Cookie& cookie, const CookieKey& key) {
  ByteWriter out(kBodyBytes + crypto::kSha256Bytes);
  out.u64(static_cast<std::uint64_t>(cookie.made_at.ns()));
  out.u32(cookie.local_tag);
  out.u32(cookie.remote_tag);
  out.u32(cookie.local_tsn);
  out.u32(cookie.remote_tsn);
  out.u32(cookie.remote_window);
  out.u16(cookie.remote_outbound_streams);
  out.u16(cookie.remote_inbound_streams);
  out.u32(to_bits(cookie.remote_capabilities));
  out.u32(cookie.tie_local_tag);
  out.u32(cookie.tie_remote_tag);
  auto mac = crypto::hmac_sha256(key, out.view());
  out.bytes(mac);
  return out.take();
}

Result<Cookie, Refusal> parse_cookie(Bytes bytes, const CookieKey& key) {
  if (bytes.size() != kBodyBytes + crypto::kSha256Bytes) return refuse(Refusal::kBadCookie);
  auto mac = crypto::hmac_sha256(key, bytes.first(kBodyBytes));
  if (!crypto::is_equal_constant_time(mac, bytes.subspan(kBodyBytes))) return refuse(Refusal::kBadCookie);
  ByteReader in(bytes);
  Cookie cookie;
  cookie.made_at = Timestamp::from_ns(static_cast<std::int64_t>(in.u64()));
  cookie.local_tag = in.u32();
  cookie.remote_tag = in.u32();
  cookie.local_tsn = in.u32();
  cookie.remote_tsn = in.u32();
  cookie.remote_window = in.u32();
  cookie.remote_outbound_streams = in.u16();
  cookie.remote_inbound_streams = in.u16();
  cookie.remote_capabilities = from_bits(in.u32());
  cookie.tie_local_tag = in.u32();
  cookie.tie_remote_tag = in.u32();
  return cookie;
}

}  // namespace stoa::sctp
