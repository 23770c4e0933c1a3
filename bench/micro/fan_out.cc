// What the packet path costs: nanoseconds of CPU time for a forwarded packet, by stage, in the shape of a
// live stream: one publisher, N receivers, a frame at a time.
//
//   append    the history takes a frame, for all receivers together
//   rewrite   fill() with a cipher that does nothing: pacing, headers, trains, SRTP's indices
//   encrypt   fill() as it is, less rewrite
//   send      the kernel, through runtime::UdpSocket, into a device that throws everything away
//
// Sending is measured with segmentation by the device, by the kernel ("software", which is charged), and with
// none. Allocations are counted while it runs. `stoa-bench path [--seconds S] [--receivers N]` runs this
// program; it prints a table to stderr and one JSON object to stdout. What it needs for the device is said in
// sink.h.
#include "session/webrtc/fan_out.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include "micro/path.h"
#include "micro/sink.h"
#include "runtime/loop.h"
#include "runtime/udp_socket.h"

namespace {

std::size_t allocations = 0;

}  // namespace

void* operator new(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace stoa;
using namespace stoa::webrtc;
using bench::cpu_seconds, bench::make_master, bench::Nobody, bench::NoKernel, bench::Sink, bench::unsent;

enum class Shape { kVideo, kAlone, kAudio };

const char* name_of(Shape shape) {
  switch (shape) {
    case Shape::kVideo: return "video, 5 of 1200 bytes a frame";
    case Shape::kAlone: return "video, 1 of 1200 bytes a frame";
    case Shape::kAudio: return "audio, 1 of 150 bytes";
  }
  return "?";
}

struct Case {
  srtp::Profile profile;
  Shape shape;
  std::size_t receivers;
  bool is_video() const { return shape != Shape::kAudio; }
};

struct Cost {
  double append_ns = 0, fill_ns = 0, send_ns = 0;  // For a forwarded packet.
  double allocations = 0;                          // In fill(), for a forwarded packet.
  double packets_a_train = 0;
  std::size_t refused = 0;
  double unsent = 0;  // Datagrams that the kernel did not take at once.
};

class Path {
 public:
  static constexpr std::size_t kFramePackets = 5;
  static constexpr std::size_t kVideoBytes = 1160, kAudioBytes = 120;  // With header and tag about 1200.

  // `socket` may be null: nothing is sent then.
  Path(const Case& measured, std::unique_ptr<crypto::SrtpKernel> kernel, runtime::UdpSocket* socket,
       const std::vector<SocketAddress>& destinations)
      : case_(measured),
        socket_(socket),
        transform_(std::move(kernel)),
        fan_out_({.history = {.packets = 1024}}, transform_, Rng(1)),
        payload_(measured.is_video() ? kVideoBytes : kAudioBytes, 7) {
    payload::RtpTrack track;
    track.encoding = encoding();
    stream_ = fan_out_.add_stream(track);
    contexts_.reserve(measured.receivers);
    for (std::size_t i = 0; i < measured.receivers; ++i) {
      contexts_.emplace_back(measured.profile, make_master(measured.profile, i), transform_.kernel());
      OutletConfig outlet;
      outlet.encoding = encoding();
      outlet.ssrc = 1;
      outlet.rtx_ssrc = 2;
      outlet.payload_type = 96;
      outlet.rtx_payload_type = 97;
      outlet.extensions.set(rtp::ExtensionKind::kTransportSequence, 3);
      outlet.extensions.set(rtp::ExtensionKind::kAbsSendTime, 4);
      SenderConfig config;
      config.outlets.push_back(outlet);
      ice::Path path;
      path.remote = destinations[i];
      const SenderId sender = fan_out_.add_sender(now_, config, contexts_.back(), path);
      fan_out_.set_source(now_, sender, 0, stream_, outputs_);
    }
    outputs_.clear();
  }

  Cost measure(double seconds) {
    for (int i = 0; i < 300; ++i) frame(i == 0);  // Warm, and every table as large as it gets.
    appending_ = filling_ = sending_ = 0;
    filled_allocations_ = 0;
    const FanOut::Totals before = fan_out_.totals();
    while (appending_ + filling_ + sending_ < seconds) frame(false);
    const FanOut::Totals& after = fan_out_.totals();
    const auto packets = static_cast<double>(after.packets - before.packets);
    Cost cost;
    cost.append_ns = appending_ * 1e9 / packets;
    cost.fill_ns = filling_ * 1e9 / packets;
    cost.send_ns = sending_ * 1e9 / packets;
    cost.allocations = static_cast<double>(filled_allocations_) / packets;
    cost.packets_a_train = packets / static_cast<double>(after.trains - before.trains);
    cost.refused = after.refused;
    return cost;
  }

 private:
  payload::Encoding encoding() const {
    return case_.is_video() ? payload::Encoding::kH264 : payload::Encoding::kOpus;
  }
  void frame(bool is_keyframe) {
    now_ += case_.is_video() ? Duration::milliseconds(33) : Duration::milliseconds(20);
    const std::int64_t ticks = case_.is_video() ? 3000 : 960;
    const std::size_t count = case_.shape == Shape::kVideo ? kFramePackets : 1;
    batches_.clear();
    source_.frame({.packets = count, .payload = payload_, .ticks = ticks, .is_keyframe = is_keyframe},
                  batches_);
    const double start = cpu_seconds();
    for (const payload::PacketBatch& batch : batches_) fan_out_.append(now_, stream_, batch);
    const double appended = cpu_seconds();
    double last = appended;
    for (bool has_more = true; has_more;) {
      const std::size_t allocated = allocations;
      has_more = fan_out_.fill(now_, batch_);
      filled_allocations_ += allocations - allocated;
      const double filled = cpu_seconds();
      filling_ += filled - last;
      if (socket_) socket_->send(batch_);
      batch_.clear();
      last = cpu_seconds();
      sending_ += last - filled;
    }
    appending_ += appended - start;
    if (fan_out_.next_deadline() <= now_) {
      fan_out_.handle_deadline(now_, WallTime::from_seconds(1), outputs_);
      outputs_.clear();
    }
  }

  Case case_;
  runtime::UdpSocket* socket_;
  srtp::Transform transform_;
  FanOut fan_out_;
  FanOutOutputs outputs_;
  StreamId stream_;
  std::vector<srtp::SendContext> contexts_;
  bench::FrameSource source_;
  std::vector<payload::PacketBatch> batches_;
  DatagramBatch batch_;
  Buffer payload_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000);
  double appending_ = 0, filling_ = 0, sending_ = 0;
  std::size_t filled_allocations_ = 0;
};

struct Options {
  double seconds = 0.5;  // For each number.
  std::size_t receivers = 500;
};

bool parse(int count, char** arguments, Options& options) {
  for (int i = 1; i < count; i += 2) {
    const std::string_view name = arguments[i];
    if (i + 1 == count) return false;
    if (name == "--seconds") {
      options.seconds = std::strtod(arguments[i + 1], nullptr);
    } else if (name == "--receivers") {
      options.receivers = std::strtoul(arguments[i + 1], nullptr, 10);
    } else {
      return false;
    }
  }
  return options.seconds > 0 && options.receivers > 0 && options.receivers <= 40'000;
}

// What is found, as rows of a table on stderr while it runs, and of JSON.
class Report {
 public:
  Report() {
    std::fprintf(stderr, "ns of CPU time a packet\n%-12s %-32s %-28s %7s %8s %8s %6s %6s %12s\n",
                 "segmentation", "packets", "profile", "append", "rewrite", "encrypt", "send", "all",
                 "allocations");
  }
  void add(const char* segmentation, const Case& measured, const Cost& bare, const Cost& whole) {
    const std::string profile(srtp::name_of(measured.profile));
    const double all = whole.append_ns + whole.fill_ns + whole.send_ns;
    const double encrypt = whole.fill_ns - bare.fill_ns;
    char row[512];
    std::snprintf(row, sizeof row,
                  "{\"segmentation\": \"%s\", \"packets\": \"%s\", \"profile\": \"%s\", \"append\": %.2f, "
                  "\"rewrite\": %.0f, \"encrypt\": %.0f, \"send\": %.0f, \"all\": %.0f, "
                  "\"packets_a_second\": %.0f, \"packets_a_train\": %.1f, \"allocations\": %g, "
                  "\"unsent\": %.0f}",
                  segmentation, name_of(measured.shape), profile.c_str(), whole.append_ns, bare.fill_ns,
                  encrypt, whole.send_ns, all, 1e9 / all, whole.packets_a_train, whole.allocations,
                  whole.unsent);
    rows_ += (rows_.empty() ? "" : ", ") + std::string(row);
    std::fprintf(stderr, "%-12s %-32s %-28s %7.2f %8.0f %8.0f %6.0f %6.0f %12g\n", segmentation,
                 name_of(measured.shape), profile.c_str(), whole.append_ns, bare.fill_ns, encrypt,
                 whole.send_ns, all, whole.allocations);
  }
  const std::string& rows() const { return rows_; }

 private:
  std::string rows_;
};

}  // namespace

int main(int count, char** arguments) {
  Options options;
  if (!parse(count, arguments, options)) {
    std::fprintf(stderr, "stoa-bench path [--seconds S] [--receivers N], N from 1 to 40000\n");
    return 2;
  }
  const Sink sink = bench::make_sink();
  runtime::Loop loop;
  Nobody nobody;
  runtime::UdpSocket reader(loop, nobody);  // On loopback; its loop never runs.
  auto reading = reader.open({.address = "0.0.0.0", .receive_buffer_bytes = 20'000});
  const auto destinations = bench::make_destinations(sink, options.receivers, reading ? reading->port : 9);

  Report report;
  std::size_t refused = 0;
  for (const char* segmentation : {"software", "device", "none"}) {
    const std::string_view mode = segmentation;
    if (!sink.device.empty()) {
      const bool is_set = bench::set_feature(sink.device, "tx-udp-segmentation", mode == "device");
      if (mode != "none" && !is_set) continue;
    } else if (mode == "software") {
      continue;
    }
    for (const Shape shape : {Shape::kVideo, Shape::kAlone, Shape::kAudio}) {
      for (const srtp::Profile profile :
           {srtp::Profile::kAeadAes128Gcm, srtp::Profile::kAes128CmHmacSha1_80}) {
        const Case measured{profile, shape, options.receivers};
        runtime::UdpSocket socket(loop, nobody);
        if (auto opened = socket.open({.address = "0.0.0.0", .use_gso = mode != "none"}); !opened) {
          std::fprintf(stderr, "%s\n", opened.error().c_str());
          return 1;
        }
        const Cost bare =
            Path(measured, std::make_unique<NoKernel>(), nullptr, destinations).measure(options.seconds);
        Cost whole =
            Path(measured, crypto::make_srtp_kernel(), &socket, destinations).measure(options.seconds);
        whole.unsent = unsent(socket);
        refused += bare.refused + whole.refused;
        report.add(segmentation, measured, bare, whole);
      }
    }
  }
  std::printf(
      "{\"kernel\": \"%s\", \"sink\": \"%s\", \"note\": \"%s\", \"receivers\": %zu, "
      "\"nanoseconds_a_packet\": [%s], \"refused\": %zu}\n",
      crypto::make_srtp_kernel()->name().c_str(), sink.kind.c_str(), sink.note.c_str(), options.receivers,
      report.rows().c_str(), refused);
  return refused == 0 ? 0 : 1;
}
