#include "server/rtc_ports.h"

#include <utility>

namespace stoa::server {

Result<std::uint16_t, std::string> open_port_pair(std::uint16_t port, const PortOpeners& openers) {
  for (int tries = 1;; ++tries) {
    STOA_TRY(std::uint16_t tcp, openers.open_tcp(port));
    auto udp = openers.open_udp(tcp);
    if (udp) return tcp;
    openers.close_tcp();
    if (port != 0 || tries >= kPortTriesMax) return udp;
  }
}

std::optional<std::uint16_t> find_shard_port(std::uint16_t first, std::size_t shard) {
  if (first == 0) return first;
  if (shard > 65'535u - first) return std::nullopt;
  return static_cast<std::uint16_t>(first + shard);
}

std::vector<IpAddress> find_reached_at(std::vector<IpAddress> configured, std::optional<IpAddress> bound,
                                       std::vector<IpAddress> interfaces, bool with_loopback) {
  if (!configured.empty()) return configured;
  if (bound && !bound->is_any()) return {*bound};
  if (bound && bound->is_v4()) std::erase_if(interfaces, [](const IpAddress& ip) { return !ip.is_v4(); });
  if (interfaces.empty() || with_loopback) interfaces.push_back(IpAddress::v4(127, 0, 0, 1));
  return interfaces;
}

}  // namespace stoa::server
