// What sending UDP alone costs: nanoseconds of CPU time for a datagram to one of many destinations, by how
// many datagrams a train has, with segmentation and without, through runtime::UdpSocket.
//
// What is sent ends in a device that throws it away (ifb, or dummy), in a network namespace made for it. Its
// own segmentation is on ("device", as a NIC that has it) or off ("software": the kernel cuts, and that is
// charged). Without the right to make a namespace it is loopback with a reader that never reads, and says so;
// numbers of loopback contain half of receiving.
//
// stoa-bench-udp [--destinations N] [--bytes N] [--seconds S] prints one JSON object.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "runtime/loop.h"
#include "runtime/udp_socket.h"

namespace {

using namespace stoa;
using namespace stoa::runtime;

struct Settings {
  std::size_t destinations = 500;
  std::size_t bytes = 1200;
  double seconds = 1;  // For each number.
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

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

// Turns a feature of a device on or off by its name, as ethtool -K does. False: it is not there, or fixed.
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

struct Sink {
  std::string kind = "loopback", note;
  std::string device;  // Ours to change; empty: none.
};

// Where all that is sent to 10.200.0.0/16 ends.
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

// Messages that came down to the device: as many as datagrams where the kernel cut the trains before.
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

struct Nobody : DatagramHandler {
  void on_datagrams(std::span<ReceivedDatagram>) override {}
  void on_notice(std::string_view notice) override {
    fprintf(stderr, "%.*s\n", static_cast<int>(notice.size()), notice.data());
  }
};

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

struct Cost {
  double nanoseconds = 0;
  double failures = 0, calls_per_datagram = 0, device_packets_per_datagram = 0;
};

double metric(const UdpSocket& socket, std::string_view name, std::string_view label = {}) {
  MetricSamples samples;
  socket.append_metrics("bench", samples);
  double sum = 0;
  for (const MetricSample& sample : samples) {
    bool matches = label.empty();
    for (const auto& [key, value] : sample.labels) matches |= value == label;
    if (sample.name == name && matches) sum += sample.value;
  }
  return sum;
}

// Trains of one length to all destinations in turn, in batches as the packet path makes them. The bytes stay
// what they were: making them is not measured here.
Cost measure(Loop& loop, const Settings& settings, const Sink& sink,
             const std::vector<SocketAddress>& destinations, std::size_t train, bool use_gso) {
  Nobody nobody;
  UdpSocket socket(loop, nobody);
  auto opened = socket.open({.address = "0.0.0.0", .use_gso = use_gso});
  if (!opened) {
    fprintf(stderr, "%s\n", opened.error().c_str());
    exit(1);
  }
  DatagramBatch batch;
  const std::size_t train_bytes = train * settings.bytes;
  auto round = [&] {
    for (const SocketAddress& destination : destinations) {
      if (!batch.has_room(train_bytes)) {
        socket.send(batch);
        batch.clear();
      }
      batch.commit(kUdpPath, destination, train_bytes, static_cast<std::uint16_t>(settings.bytes));
    }
    socket.send(batch);
    batch.clear();
  };
  const double packets_before = device_packets(sink);
  round();  // Neighbours and routes are known from here on.
  const double start = cpu_seconds();
  std::size_t datagrams = 0;
  while (cpu_seconds() - start < settings.seconds) {
    round();
    datagrams += destinations.size() * train;
  }
  const double spent = cpu_seconds() - start;
  Cost cost;
  cost.nanoseconds = spent * 1e9 / static_cast<double>(datagrams);
  cost.failures = metric(socket, "stoa_udp_dropped_total") + metric(socket, "stoa_udp_gso_refusals_total") +
                  metric(socket, "stoa_udp_queued_datagrams_total");
  const double sent = metric(socket, "stoa_udp_sent_datagrams_total");
  cost.calls_per_datagram = metric(socket, "stoa_udp_calls_total", "out") / sent;
  cost.device_packets_per_datagram = (device_packets(sink) - packets_before) / sent;
  return cost;
}

}  // namespace

int main(int count, char** arguments) {
  Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    if (name == "--destinations") settings.destinations = strtoul(arguments[i + 1], nullptr, 10);
    if (name == "--bytes") settings.bytes = strtoul(arguments[i + 1], nullptr, 10);
    if (name == "--seconds") settings.seconds = strtod(arguments[i + 1], nullptr);
  }
  if (settings.bytes == 0 || settings.bytes > 1472 || settings.destinations == 0 ||
      settings.destinations > 40'000) {
    fprintf(stderr, "--bytes is 1 to 1472, --destinations 1 to 40000\n");
    return 2;
  }
  const Sink sink = make_sink();
  Loop loop;
  Nobody nobody;
  UdpSocket reader(loop, nobody);  // On loopback; its loop never runs.
  auto reading = reader.open({.address = "0.0.0.0", .receive_buffer_bytes = 20'000});
  const auto destinations = make_destinations(sink, settings.destinations, reading ? reading->port : 9);

  printf("{\n  \"command\": \"stoa-bench-udp --destinations %zu --bytes %zu --seconds %g\",\n",
         settings.destinations, settings.bytes, settings.seconds);
  printf("  \"sink\": \"%s\",\n  \"note\": \"%s\",\n  \"nanoseconds_a_datagram\": [", sink.kind.c_str(),
         sink.note.c_str());
  const char* separator = "\n";
  double failures = 0;
  for (const char* segmentation : {"device", "software", "none"}) {
    const std::string_view mode = segmentation;
    if (!sink.device.empty()) {
      const bool is_set = set_feature(sink.device, "tx-udp-segmentation", mode == "device");
      if (mode != "none" && !is_set) continue;
    } else if (mode == "software") {
      continue;
    }
    for (std::size_t train : {1, 2, 4, 5, 8, 16, 32}) {
      if (train * settings.bytes > DatagramBatch::kTrainBytesMax) continue;
      const Cost cost = measure(loop, settings, sink, destinations, train, mode != "none");
      failures += cost.failures;
      printf(
          "%s    {\"segmentation\": \"%s\", \"train\": %zu, \"ns\": %.0f, \"calls_per_datagram\": %.4f, "
          "\"device_packets_per_datagram\": %.3f}",
          separator, segmentation, train, cost.nanoseconds, cost.calls_per_datagram,
          cost.device_packets_per_datagram);
      fflush(stdout);
      separator = ",\n";
    }
  }
  printf("\n  ],\n  \"failures\": %.0f\n}\n", failures);
  return failures == 0 ? 0 : 1;
}
