// What the packet path costs without the system call: nanoseconds of CPU time for a forwarded packet, by
// stage, in the shape of a live stream: one publisher, N receivers, a frame at a time, batches emptied as if
// they had been sent.
//
//   append    the history takes a frame, for all receivers together
//   rewrite   fill() with a cipher that does nothing: pacing, headers, trains, SRTP's indices
//   all       fill() as it is; what is over rewrite is the cipher
//
// Allocations are counted while it runs. stoa-bench-path [--seconds S] prints one JSON object.
#include "session/webrtc/fan_out.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <string_view>
#include <vector>

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

struct Case {
  srtp::Profile profile;
  bool is_video;
  std::size_t receivers;
};

struct Cost {
  double append_ns = 0, fill_ns = 0;  // For a forwarded packet.
  double allocations = 0;             // In fill(), for a forwarded packet.
  double packets_a_train = 0;
  std::size_t refused = 0;
};

// Does nothing, so that what is left is the rest.
class NoKernel final : public crypto::SrtpKernel {
 public:
  const std::string& name() const override { return name_; }
  std::unique_ptr<crypto::SrtpKey> make_key(crypto::SrtpCipher cipher, Bytes, Bytes) override {
    return std::make_unique<crypto::SrtpKey>(cipher);
  }
  void seal(std::span<crypto::SrtpJob>) override {}
  void open(std::span<crypto::SrtpJob>) override {}

 private:
  std::string name_ = "none";
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

srtp::MasterKey make_master(srtp::Profile profile, std::size_t receiver) {
  Buffer key(srtp::shape_of(profile).key_bytes, 0x5a), salt(srtp::shape_of(profile).salt_bytes, 0xc3);
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<std::uint8_t>(receiver >> (8 * i));
  return {.key = crypto::Secret<32>(key), .salt = crypto::Secret<14>(salt)};
}

class Path {
 public:
  static constexpr std::size_t kFramePackets = 5;
  static constexpr std::size_t kVideoBytes = 1160, kAudioBytes = 120;  // With header and tag about 1200.

  Path(const Case& measured, std::unique_ptr<crypto::SrtpKernel> kernel)
      : case_(measured),
        transform_(std::move(kernel)),
        fan_out_({.history = {.packets = 1024}}, transform_, Rng(1)),
        payload_(measured.is_video ? kVideoBytes : kAudioBytes, 7) {
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
      path.remote = {IpAddress::v4(192, 0, 2, 1), static_cast<std::uint16_t>(1000 + i)};
      const SenderId sender = fan_out_.add_sender(now_, config, contexts_.back(), path);
      fan_out_.set_source(now_, sender, 0, stream_, outputs_);
    }
    outputs_.clear();
  }

  Cost measure(double seconds) {
    for (int i = 0; i < 300; ++i) frame(i == 0);  // Warm, and every table as large as it gets.
    appending_ = filling_ = 0;
    filled_allocations_ = 0;
    const FanOut::Totals before = fan_out_.totals();
    while (appending_ + filling_ < seconds) frame(false);
    const FanOut::Totals& after = fan_out_.totals();
    const auto packets = static_cast<double>(after.packets - before.packets);
    Cost cost;
    cost.append_ns = appending_ * 1e9 / packets;
    cost.fill_ns = filling_ * 1e9 / packets;
    cost.allocations = static_cast<double>(filled_allocations_) / packets;
    cost.packets_a_train = packets / static_cast<double>(after.trains - before.trains);
    cost.refused = after.refused;
    return cost;
  }

 private:
  payload::Encoding encoding() const {
    return case_.is_video ? payload::Encoding::kH264 : payload::Encoding::kOpus;
  }
  void frame(bool is_keyframe) {
    now_ += case_.is_video ? Duration::milliseconds(33) : Duration::milliseconds(20);
    timestamp_ += case_.is_video ? 3000 : 960;
    const std::size_t count = case_.is_video ? kFramePackets : 1;
    for (std::size_t i = 0; i < count; ++i) {
      payload::Packet packet;
      packet.sequence = sequence_++;
      packet.timestamp = timestamp_;
      packet.marker = i + 1 == count;
      packet.facts.starts_frame = i == 0;
      packet.facts.is_keyframe = is_keyframe;
      writer_.add(packet, payload_);
    }
    batches_.clear();
    writer_.take_batches(batches_);
    const double start = cpu_seconds();
    for (const payload::PacketBatch& batch : batches_) fan_out_.append(now_, stream_, batch);
    const double appended = cpu_seconds();
    const std::size_t allocated = allocations;
    for (bool has_more = true; has_more;) {
      has_more = fan_out_.fill(now_, batch_);
      batch_.clear();
    }
    filled_allocations_ += allocations - allocated;
    filling_ += cpu_seconds() - appended;
    appending_ += appended - start;
    if (fan_out_.next_deadline() <= now_) {
      fan_out_.handle_deadline(now_, WallTime::from_seconds(1), outputs_);
      outputs_.clear();
    }
  }

  Case case_;
  srtp::Transform transform_;
  FanOut fan_out_;
  FanOutOutputs outputs_;
  StreamId stream_;
  std::vector<srtp::SendContext> contexts_;
  payload::PacketWriter writer_;
  std::vector<payload::PacketBatch> batches_;
  DatagramBatch batch_;
  Buffer payload_;
  Timestamp now_ = Timestamp::from_ns(1'000'000'000);
  std::int64_t sequence_ = 0, timestamp_ = 0;
  double appending_ = 0, filling_ = 0;
  std::size_t filled_allocations_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  double seconds = 0.5;
  for (int i = 1; i + 1 < count; i += 2)
    if (std::string_view(arguments[i]) == "--seconds") seconds = std::strtod(arguments[i + 1], nullptr);
  std::printf("{\n  \"command\": \"stoa-bench-path --seconds %g\",\n", seconds);
  std::printf("  \"kernel\": \"%s\",\n  \"nanoseconds_a_packet\": [",
              crypto::make_srtp_kernel()->name().c_str());
  const char* separator = "\n";
  std::size_t refused = 0;
  for (const bool is_video : {true, false}) {
    for (const srtp::Profile profile : {srtp::Profile::kAeadAes128Gcm, srtp::Profile::kAes128CmHmacSha1_80}) {
      for (const std::size_t receivers : {100, 500, 1000}) {
        const Case measured{profile, is_video, receivers};
        const Cost bare = Path(measured, std::make_unique<NoKernel>()).measure(seconds);
        const Cost whole = Path(measured, crypto::make_srtp_kernel()).measure(seconds);
        refused += bare.refused + whole.refused;
        std::printf(
            "%s    {\"packets\": \"%s\", \"profile\": \"%s\", \"receivers\": %zu, \"append\": %.2f, "
            "\"rewrite\": %.0f, \"encrypt\": %.0f, \"all\": %.0f, \"packets_a_train\": %.1f, "
            "\"allocations\": %g}",
            separator, is_video ? "video, 5 of 1200 bytes" : "audio, 1 of 150 bytes",
            std::string(srtp::name_of(profile)).c_str(), receivers, whole.append_ns, bare.fill_ns,
            whole.fill_ns - bare.fill_ns, whole.append_ns + whole.fill_ns, whole.packets_a_train,
            whole.allocations);
        std::fflush(stdout);
        separator = ",\n";
      }
    }
  }
  std::printf("\n  ],\n  \"refused\": %zu\n}\n", refused);
  return refused == 0 ? 0 : 1;
}
