// What sending UDP alone costs: nanoseconds of CPU time for a datagram to one of many destinations, by how
// many datagrams a train has, with segmentation and without, through runtime::UdpSocket.
//
// What is sent ends in a device that throws it away (ifb, or dummy), in a network namespace made for it. Its
// own segmentation is on ("device", as a NIC that has it) or off ("software": the kernel cuts, and that is
// charged). Without the right to make a namespace it is loopback with a reader that never reads, and says so;
// numbers of loopback contain half of receiving.
//
// stoa-bench-udp [--destinations N] [--bytes N] [--seconds S] prints one JSON object.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <string>
#include <string_view>
#include <vector>

#include "micro/sink.h"
#include "runtime/loop.h"
#include "runtime/udp_socket.h"

namespace {

using namespace stoa;
using namespace stoa::bench;
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

struct Nobody : DatagramHandler {
  void on_datagrams(std::span<ReceivedDatagram>) override {}
  void on_notice(std::string_view notice) override {
    fprintf(stderr, "%.*s\n", static_cast<int>(notice.size()), notice.data());
  }
};

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
