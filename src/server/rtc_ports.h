// Where WebRTC peers find a shard: the number that its UDP and TCP ports share, and the addresses that they
// are told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"

namespace stoa::server {

struct PortOpeners {
  std::function<Result<std::uint16_t, std::string>(std::uint16_t)> open_tcp;  // The port that was bound.
  std::function<void()> close_tcp;
  std::function<Result<std::uint16_t, std::string>(std::uint16_t)> open_udp;
};
// So many numbers of the kernel's are tried. It gives a TCP port without a look at UDP.
inline constexpr int kPortTriesMax = 16;

// TCP and UDP under one number: `port`, or where that is 0 one that the kernel chooses and both have free.
// The sentence of the last that was refused when there is none.
Result<std::uint16_t, std::string> open_port_pair(std::uint16_t port, const PortOpeners& openers);

// The port of a shard when `first` is that of shard 0 and the others count up; 0 stays 0. None when there is
// no such port.
std::optional<std::uint16_t> find_shard_port(std::uint16_t first, std::size_t shard);

// `configured` as they are; else the address that the port is bound to; else, where that is every address,
// those of `interfaces` that a socket bound so can be reached at: only IPv4 ones for 0.0.0.0. Loopback when
// none is left, and for `with_loopback` in any case.
std::vector<IpAddress> find_reached_at(std::vector<IpAddress> configured, std::optional<IpAddress> bound,
                                       std::vector<IpAddress> interfaces, bool with_loopback);

}  // namespace stoa::server
