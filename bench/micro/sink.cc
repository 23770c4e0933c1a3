#include "micro/sink.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace stoa::bench {
namespace {

bool write_text(const char* path, const std::string& text) {
  FILE* file = fopen(path, "w");
  if (!file) return false;
  const bool is_written = fwrite(text.data(), 1, text.size(), file) == text.size();
  return fclose(file) == 0 && is_written;
}

bool enter_namespace() {
  if (unshare(CLONE_NEWNET) == 0) return true;
  const std::string user = "0 " + std::to_string(getuid()) + " 1",
                    group = "0 " + std::to_string(getgid()) + " 1";
  return unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && write_text("/proc/self/setgroups", "deny") &&
         write_text("/proc/self/uid_map", user) && write_text("/proc/self/gid_map", group);
}

bool run(const std::string& command) { return system((command + " 2>/dev/null").c_str()) == 0; }

// One of the kernel's ethtool structures that end in an array.
template <typename Header>
class Tailed {
 public:
  Tailed(__u32 command, std::size_t tail_bytes) : memory_((sizeof(Header) + tail_bytes + 7) / 8) {
    get()->cmd = command;
  }
  Header* get() { return reinterpret_cast<Header*>(memory_.data()); }
  Header* operator->() { return get(); }

 private:
  std::vector<__u64> memory_;
};

}  // namespace

bool set_feature(const std::string& device, std::string_view feature, bool is_on) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  device.copy(request.ifr_name, IFNAMSIZ - 1);
  auto call = [&](void* data) {
    request.ifr_data = static_cast<char*>(data);
    return ioctl(fd, SIOCETHTOOL, &request) == 0;
  };
  Tailed<ethtool_sset_info> sets(ETHTOOL_GSSET_INFO, sizeof(__u32));
  sets->sset_mask = 1ull << ETH_SS_FEATURES;
  const __u32 count = call(sets.get()) && sets->sset_mask != 0 ? sets->data[0] : 0;
  Tailed<ethtool_gstrings> names(ETHTOOL_GSTRINGS, std::size_t{count} * ETH_GSTRING_LEN);
  names->string_set = ETH_SS_FEATURES;
  names->len = count;
  const __u32 blocks = (count + 31) / 32;
  Tailed<ethtool_sfeatures> change(ETHTOOL_SFEATURES, blocks * sizeof(ethtool_set_features_block));
  change->size = blocks;
  bool is_known = false;
  for (__u32 i = 0; call(names.get()) && i < count; ++i) {
    const char* name = reinterpret_cast<const char*>(names->data) + std::size_t{i} * ETH_GSTRING_LEN;
    if (std::string_view(name, strnlen(name, ETH_GSTRING_LEN)) != feature) continue;
    is_known = true;
    change->features[i / 32].valid = 1u << i % 32;
    change->features[i / 32].requested = is_on ? 1u << i % 32 : 0;
    break;
  }
  const bool is_set = is_known && call(change.get());
  ::close(fd);
  return is_set;
}

Sink make_sink() {
  Sink sink;
  if (!enter_namespace()) {
    sink.note = "no network namespace permitted: loopback, with half of receiving in the numbers";
    return sink;
  }
  run("ip link set lo up");
  for (const char* kind : {"ifb", "dummy"}) {
    if (!run(std::string("ip link add stoa0 type ") + kind)) continue;
    if (!run("ip addr add 10.200.0.1/16 dev stoa0 && ip link set stoa0 up")) continue;
    sink.kind = kind;
    sink.device = "stoa0";
    return sink;
  }
  sink.note = "no ifb and no dummy device: loopback, with half of receiving in the numbers";
  return sink;
}

double device_packets(const Sink& sink) {
  FILE* file = fopen("/proc/thread-self/net/dev", "r");
  if (!file) return 0;
  char line[512];
  double packets = 0;
  const std::string prefix = sink.device + ":";
  while (fgets(line, sizeof line, file)) {
    const char* at = strstr(line, prefix.c_str());
    if (sink.device.empty() || !at) continue;
    // Received bytes and packets, six more, sent bytes and packets. A device that receives what is sent to it
    // counts there.
    unsigned long long n[10] = {};
    sscanf(at + prefix.size(), "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", n, n + 1, n + 2, n + 3,
           n + 4, n + 5, n + 6, n + 7, n + 8, n + 9);
    packets = static_cast<double>(n[1] + n[9]);
  }
  fclose(file);
  return packets;
}

std::vector<SocketAddress> make_destinations(const Sink& sink, std::size_t count,
                                             std::uint16_t loopback_port) {
  std::vector<SocketAddress> destinations;
  for (std::size_t i = 0; i < count; ++i) {
    const auto high = static_cast<std::uint8_t>(i / 200 + 1), low = static_cast<std::uint8_t>(i % 200 + 1);
    if (sink.kind == "loopback")
      destinations.push_back({IpAddress::v4(127, 1, high, low), loopback_port});
    else
      destinations.push_back({IpAddress::v4(10, 200, high, low), static_cast<std::uint16_t>(20'000 + i)});
  }
  return destinations;
}

}  // namespace stoa::bench
