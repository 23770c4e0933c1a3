#include "proto/ice/credentials.h"

#include <algorithm>

#include "proto/stun/message.h"

namespace stoa::ice {
namespace {

constexpr std::size_t kUfragChars = 8, kPasswordChars = 24;

bool is_ice_text(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '+' ||
           c == '/' || c == '-' || c == '_' ||
           c == '=';  // The last three are no ice-chars, but stacks send them.
  });
}

}  // namespace

bool Credentials::is_valid() const {
  return ufrag.size() >= kUfragBytesMin && ufrag.size() <= kUfragBytesMax &&
         password.size() >= kPasswordBytesMin && password.size() <= kPasswordBytesMax && is_ice_text(ufrag) &&
         is_ice_text(password);
}

Credentials make_credentials(const crypto::RandomFill& fill) {
  return {crypto::make_base62(kUfragChars, fill), crypto::make_base62(kPasswordChars, fill)};
}

std::optional<std::string_view> find_local_ufrag(Bytes datagram) {
  constexpr std::uint16_t kBindingRequest = 0x0001;
  if (!stun::is_stun(datagram)) return std::nullopt;
  ByteReader reader(datagram);
  if (reader.u16() != kBindingRequest) return std::nullopt;
  reader.skip(stun::kHeaderBytes - 2);
  while (reader.ok() && !reader.at_end()) {
    auto type = static_cast<stun::AttributeType>(reader.u16());
    std::size_t length = reader.u16();
    Bytes value = reader.take(length);
    if (!reader.ok()) return std::nullopt;
    if (type == stun::AttributeType::kUsername) {
      std::string_view username = as_text(value);
      std::size_t colon = username.find(':');
      if (colon == std::string_view::npos || colon == 0) return std::nullopt;
      return username.substr(0, colon);
    }
    reader.skip((4 - length % 4) % 4);
  }
  return std::nullopt;
}

}  // namespace stoa::ice
