// Sessions that were opened and have not connected: how many there may be.
//
// An offer costs whoever sends it one HTTP request; the session that it makes is held until no path came in
// time. So these have limits of their own, far below that of all sessions: of one client, so that nobody
// takes the places of others, and of all, where publishers keep a share that viewers cannot fill.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include "base/address.h"
#include "base/result.h"

namespace stoa::webrtc {

struct UnconnectedLimits {
  std::size_t total_max = 8192;
  std::size_t publishers_share = 1024;  // Of them, those that viewers may not take.
  // Of one IPv4 address or one /64 of IPv6, for all who sit behind it. A browser connects within a second, so
  // this many can join in each. Loopback is not limited: there sit proxies, and load tests.
  std::size_t per_address_max = 256;
};

enum class UnconnectedRefusal : std::uint8_t { kTooMany, kTooManyOfAddress };

class Unconnected {
 public:
  explicit Unconnected(const UnconnectedLimits& limits) : limits_(limits) {}

  // Whether there is room for one more. An address that is not set is nobody's.
  Result<void, UnconnectedRefusal> check(bool is_publisher, const IpAddress& client) const {
    std::size_t share = is_publisher ? 0 : std::min(limits_.publishers_share, limits_.total_max);
    if (total_ >= limits_.total_max - share) return refuse(UnconnectedRefusal::kTooMany);
    auto found = by_address_.find(site_of(client));
    if (found != by_address_.end() && found->second >= limits_.per_address_max)
      return refuse(UnconnectedRefusal::kTooManyOfAddress);
    return {};
  }
  void add(const IpAddress& client) {
    ++total_;
    if (IpAddress site = site_of(client); site.is_set()) ++by_address_[site];
  }
  // One that was added: it connected, or ended.
  void remove(const IpAddress& client) {
    --total_;
    auto found = by_address_.find(site_of(client));
    if (found != by_address_.end() && --found->second == 0) by_address_.erase(found);
  }
  std::size_t total() const { return total_; }
  std::size_t addresses() const { return by_address_.size(); }

 private:
  // Who counts as one client. Not set: who is not limited.
  static IpAddress site_of(const IpAddress& client) {
    IpAddress address = client.unmapped();
    if (address.is_loopback()) return {};
    if (!address.is_v6()) return address;
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(address.bytes().begin(), 8, bytes.begin());
    return *IpAddress::from_bytes(bytes);
  }

  UnconnectedLimits limits_;
  std::size_t total_ = 0;
  std::map<IpAddress, std::size_t> by_address_;
};

}  // namespace stoa::webrtc
