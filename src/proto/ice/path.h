// Where packets of a session go through: one of our sockets and the peer's address as that socket sees it.
#pragma once

#include <cstdint>
#include <functional>

#include "base/address.h"

namespace stoa::ice {

struct Path {
  // A number that the owner gives: to a UDP socket (then many sessions share it), to one TCP connection, or
  // to one TURN allocation. The agents only compare it.
  std::uint32_t local = 0;
  SocketAddress remote;

  bool operator==(const Path&) const = default;
};

}  // namespace stoa::ice

template <>
struct std::hash<stoa::ice::Path> {
  std::size_t operator()(const stoa::ice::Path& path) const noexcept {
    return std::hash<stoa::SocketAddress>()(path.remote) * 31 + path.local;
  }
};
