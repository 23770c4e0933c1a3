// The addresses of this machine's network interfaces, for telling WebRTC peers where they can reach it.
#pragma once

#include <vector>

#include "base/address.h"

namespace stoa::runtime {

// Of interfaces that are up: no loopback, no link-local. IPv4 first. Empty on a machine without a network.
std::vector<IpAddress> interface_addresses();

}  // namespace stoa::runtime
