// Where a datagram comes from or goes to: an IP address and a port, as values.
//
// Used by everything that names an endpoint (STUN, ICE, TURN, SDP candidates, sockets in runtime/), none of
// which may include a socket header for it. Text is what RFC 4291 §2.2 and RFC 5952 say; no names, no zones.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace stoa {

class IpAddress {
 public:
  enum class Family : std::uint8_t { kNone, kV4, kV6 };

  constexpr IpAddress() = default;
  static constexpr IpAddress v4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    IpAddress address;
    address.family_ = Family::kV4;
    address.bytes_ = {a, b, c, d};
    return address;
  }
  // Four or sixteen bytes in network order. Nothing when there is another number of them.
  static std::optional<IpAddress> from_bytes(Bytes bytes);
  // "192.0.2.1" or "2001:db8::1". Strict: no zone, no brackets, no leading zeros in IPv4, no white space.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr Family family() const { return family_; }
  constexpr bool is_set() const { return family_ != Family::kNone; }
  constexpr bool is_v4() const { return family_ == Family::kV4; }
  constexpr bool is_v6() const { return family_ == Family::kV6; }
  Bytes bytes() const { return Bytes(bytes_.data(), is_v4() ? 4 : is_v6() ? 16 : 0); }

  bool is_any() const;         // 0.0.0.0, ::
  bool is_loopback() const;    // 127.0.0.0/8, ::1
  bool is_link_local() const;  // 169.254.0.0/16, fe80::/10
  bool is_multicast() const;   // 224.0.0.0/4, ff00::/8
  bool is_v4_mapped() const;   // ::ffff:a.b.c.d
  // The IPv4 address of an IPv4-mapped one (a dual-stack socket reports those); any other as it is.
  IpAddress unmapped() const;

  // "192.0.2.1", "2001:db8::1" (RFC 5952), "" when not set.
  std::string to_text() const;

  constexpr auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::kNone;
  std::array<std::uint8_t, 16> bytes_{};  // Unused ones are zero, so that equality may look at all.
};

struct SocketAddress {
  IpAddress ip;
  std::uint16_t port = 0;

  constexpr bool is_set() const { return ip.is_set(); }
  // "192.0.2.1:80", "[2001:db8::1]:80".
  std::string to_text() const;
  // The same; the port is needed.
  static std::optional<SocketAddress> parse(std::string_view text);

  constexpr auto operator<=>(const SocketAddress&) const = default;
};

}  // namespace stoa

// Spreads well enough for tables of our own peers. It is not keyed: what strangers may fill needs a limit.
template <>
struct std::hash<stoa::SocketAddress> {
  std::size_t operator()(const stoa::SocketAddress& address) const noexcept {
    std::uint64_t mixed = 0x9e3779b97f4a7c15ull + address.port;
    for (std::uint8_t byte : address.ip.bytes()) mixed = (mixed ^ byte) * 0x100000001b3ull;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
  }
};
