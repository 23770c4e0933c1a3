#include "runtime/interfaces.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>

namespace stoa::runtime {

std::vector<IpAddress> interface_addresses() {
  std::vector<IpAddress> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  for (const ifaddrs* entry = list; entry; entry = entry->ifa_next) {
    if (!entry->ifa_addr || (entry->ifa_flags & IFF_UP) == 0) continue;
    std::optional<IpAddress> address;
    if (entry->ifa_addr->sa_family == AF_INET) {
      const auto* v4 = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      address = IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&v4->sin_addr), 4});
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      const auto* v6 = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      address = IpAddress::from_bytes({reinterpret_cast<const std::uint8_t*>(&v6->sin6_addr), 16});
    }
    if (!address || address->is_loopback() || address->is_link_local()) continue;
    if (std::ranges::find(found, *address) == found.end()) found.push_back(*address);
  }
  ::freeifaddrs(list);
  std::ranges::stable_sort(found, {}, [](const IpAddress& address) { return !address.is_v4(); });
  return found;
}

}  // namespace stoa::runtime
