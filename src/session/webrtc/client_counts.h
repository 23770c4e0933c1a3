// How many sessions each client has, where a client is whoever sits behind one IPv4 address or one /64 of
// IPv6: so many addresses cost nobody anything. Behind one address may be a whole company, so limits on it
// are generous. Loopback is no client: there sit proxies, and load tests.
//
// Holds one entry for each client that has a session; bounded by the sessions that are counted.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

#include "base/address.h"

namespace stoa::webrtc {

class ClientCounts {
 public:
  // An address that is not set is nobody's: counted in the total alone, like loopback.
  void add(const IpAddress& address) {
    ++total_;
    if (IpAddress client = client_of(address); client.is_set()) ++by_client_[client];
  }
  // One that was added.
  void remove(const IpAddress& address) {
    --total_;
    auto found = by_client_.find(client_of(address));
    if (found != by_client_.end() && --found->second == 0) by_client_.erase(found);
  }
  std::size_t total() const { return total_; }
  std::size_t clients() const { return by_client_.size(); }
  std::size_t of(const IpAddress& address) const {
    auto found = by_client_.find(client_of(address));
    return found == by_client_.end() ? 0 : found->second;
  }

 private:
  // Not set: who is not counted.
  static IpAddress client_of(const IpAddress& given) {
    IpAddress address = given.unmapped();
    if (address.is_loopback()) return {};
    if (!address.is_v6()) return address;
    std::array<std::uint8_t, 16> bytes{};
    std::copy_n(address.bytes().begin(), 8, bytes.begin());
    return *IpAddress::from_bytes(bytes);
  }

  std::size_t total_ = 0;
  std::map<IpAddress, std::size_t> by_client_;
};

}  // namespace stoa::webrtc
