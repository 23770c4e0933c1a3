// The pair of secrets that ties checks to a session (RFC 8445 §5.3), and the look into a datagram that finds
// the session without believing it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/random.h"

namespace stoa::ice {

// Lengths in ice-chars of six bits each (RFC 8839 §5.4).
inline constexpr std::size_t kUfragBytesMin = 4, kUfragBytesMax = 256;
inline constexpr std::size_t kPasswordBytesMin = 22, kPasswordBytesMax = 256;

struct Credentials {
  std::string ufrag;     // Goes over the wire in the clear; unique among our sessions.
  std::string password;  // A secret.

  bool operator==(const Credentials&) const = default;
  // Lengths and characters as RFC 8839 §5.4 wants them.
  bool is_valid() const;
};

// A ufrag of 8 characters, so that one port may serve many sessions, and a password of 24 (142 bits).
Credentials make_credentials(const crypto::RandomFill& fill = crypto::fill_random);

// The part before the colon in the USERNAME of a Binding request: the ufrag of ours that it is for. For
// finding the session of a datagram from an address not seen before; everything else about it is checked
// there. Walks the attributes once and stops at USERNAME; the text lies in the datagram.
std::optional<std::string_view> find_local_ufrag(Bytes datagram);

}  // namespace stoa::ice
