// Where measured datagrams end: a device that throws them away, in a network namespace of this process.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"

namespace stoa::bench {

struct Sink {
  std::string kind = "loopback", note;
  std::string device;  // Ours to change; empty: none.
};

// Where all that is sent to 10.200.0.0/16 ends: ifb, or dummy. Without the right to make a namespace it is
// loopback, and says so.
Sink make_sink();
// Turns a feature of a device on or off by its name, as ethtool -K does. False: it is not there, or fixed.
bool set_feature(const std::string& device, std::string_view feature, bool is_on);
// Messages that came down to the device: as many as datagrams where the kernel cut the trains before.
double device_packets(const Sink& sink);
// On loopback all of them are at `loopback_port`.
std::vector<SocketAddress> make_destinations(const Sink& sink, std::size_t count,
                                             std::uint16_t loopback_port);

}  // namespace stoa::bench
