// What SRTP alone costs: nanoseconds of CPU time for a packet, by profile, kernel, size and batch, in the
// shape of the packet path (one plaintext, many receivers with keys of their own, one slab a receiver).
//
// stoa-bench-srtp [--receivers N] [--frame N] [--seconds S] prints one JSON object.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "proto/srtp/transform.h"

namespace {

using namespace stoa;
using namespace stoa::srtp;

struct Settings {
  std::size_t receivers = 500;
  std::size_t frame_packets = 5;  // 1.5 Mb/s at 30 frames a second.
  double seconds = 0.5;           // For each number.
};

struct Case {
  Profile profile;
  const char* kernel;
  std::size_t payload_bytes;
  bool one_by_one;  // A call for each packet, instead of one for a frame to all receivers.
};

double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

std::unique_ptr<crypto::SrtpKernel> make_kernel(std::string_view name) {
  if (name == "openssl") return crypto::make_openssl_srtp_kernel();
  return crypto::make_multi_buffer_srtp_kernel(name == "library" ? crypto::GcmCode::kLibrary
                                                                 : crypto::GcmCode::kFastest);
}

MasterKey make_master(Profile profile, std::size_t receiver) {
  Buffer key(shape_of(profile).key_bytes, 0x5a), salt(shape_of(profile).salt_bytes, 0xc3);
  for (std::size_t i = 0; i < 4; ++i) key[i] = static_cast<std::uint8_t>(receiver >> (8 * i));
  return {.key = crypto::Secret<32>(key), .salt = crypto::Secret<14>(salt)};
}

class FanOut {
 public:
  static constexpr std::size_t kHeaderBytes = 20;  // With one word of extension.

  FanOut(const Case& measured, const Settings& settings)
      : case_(measured),
        settings_(settings),
        transform_(make_kernel(measured.kernel)),
        payload_(measured.payload_bytes - kHeaderBytes, 7),
        wire_bytes_(measured.payload_bytes + rtp_overhead_bytes(measured.profile)),
        slabs_(settings.receivers * settings.frame_packets * wire_bytes_),
        headers_(settings.frame_packets, Buffer(kHeaderBytes, 0)) {
    for (std::size_t i = 0; i < settings.receivers; ++i) {
      sends_.emplace_back(measured.profile, make_master(measured.profile, i), transform_.kernel());
      receives_.emplace_back(measured.profile, make_master(measured.profile, i), transform_.kernel());
    }
    for (std::size_t i = 0; i < settings.receivers * settings.frame_packets; ++i) {
      outgoing_.push_back({.context = &sends_[i / settings.frame_packets],
                           .header = headers_[i % settings.frame_packets],
                           .payload = payload_,
                           .out = std::span(slabs_).subspan(i * wire_bytes_, wire_bytes_),
                           .outcome = {}});
      incoming_.push_back(
          {.context = &receives_[i / settings.frame_packets], .packet = outgoing_.back().out, .outcome = {}});
    }
  }

  struct Cost {
    double protect_ns = 0;
    double unprotect_ns = 0;
    std::size_t failures = 0;
  };
  Cost measure() {
    Cost cost;
    double protecting = 0, unprotecting = 0;
    std::size_t packets = 0;
    frame();  // Warm, and every stream known.
    while (protecting + unprotecting < settings_.seconds) {
      const auto [protect_seconds, unprotect_seconds] = frame();
      protecting += protect_seconds;
      unprotecting += unprotect_seconds;
      packets += outgoing_.size();
    }
    for (std::size_t i = 0; i < outgoing_.size(); ++i)
      cost.failures += !outgoing_[i].outcome.has_value() + !incoming_[i].outcome.has_value();
    cost.protect_ns = protecting * 1e9 / static_cast<double>(packets);
    cost.unprotect_ns = unprotecting * 1e9 / static_cast<double>(packets);
    return cost;
  }
  const std::string& kernel_name() { return transform_.kernel().name(); }

 private:
  std::pair<double, double> frame() {
    for (Buffer& header : headers_) {
      ++sequence_number_;
      header[0] = 0x90;
      header[1] = 96;
      header[2] = static_cast<std::uint8_t>(sequence_number_ >> 8);
      header[3] = static_cast<std::uint8_t>(sequence_number_);
      header[11] = 1;
      header[15] = 1;
    }
    const double start = cpu_seconds();
    if (case_.one_by_one) {
      for (RtpToProtect& packet : outgoing_) transform_.protect(std::span(&packet, 1));
    } else {
      transform_.protect(outgoing_);
    }
    const double protected_at = cpu_seconds();
    if (case_.one_by_one) {
      for (PacketToUnprotect& packet : incoming_) transform_.unprotect(std::span(&packet, 1));
    } else {
      transform_.unprotect(incoming_);
    }
    return {protected_at - start, cpu_seconds() - protected_at};
  }

  Case case_;
  Settings settings_;
  Transform transform_;
  Buffer payload_;
  std::size_t wire_bytes_;
  Buffer slabs_;
  std::vector<Buffer> headers_;
  std::vector<SendContext> sends_;
  std::vector<ReceiveContext> receives_;
  std::vector<RtpToProtect> outgoing_;
  std::vector<PacketToUnprotect> incoming_;
  std::uint16_t sequence_number_ = 0;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const char* kernel : {"multi_buffer", "library", "openssl"}) {
    if (!make_kernel(kernel)) continue;
    for (Profile profile :
         {Profile::kAeadAes128Gcm, Profile::kAeadAes256Gcm, Profile::kAes128CmHmacSha1_80}) {
      for (std::size_t bytes : {160, 1200}) {
        cases.push_back({profile, kernel, bytes, false});
        cases.push_back({profile, kernel, bytes, true});
      }
    }
  }
  return cases;
}

}  // namespace

int main(int count, char** arguments) {
  Settings settings;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string_view name = arguments[i];
    if (name == "--receivers") settings.receivers = std::strtoul(arguments[i + 1], nullptr, 10);
    if (name == "--frame") settings.frame_packets = std::strtoul(arguments[i + 1], nullptr, 10);
    if (name == "--seconds") settings.seconds = std::strtod(arguments[i + 1], nullptr);
  }
  std::printf("{\n  \"command\": \"stoa-bench-srtp --receivers %zu --frame %zu --seconds %g\",\n",
              settings.receivers, settings.frame_packets, settings.seconds);
  std::printf("  \"nanoseconds_a_packet\": [");
  const char* separator = "\n";
  std::size_t failures = 0;
  for (const Case& measured : all_cases()) {
    FanOut fan_out(measured, settings);
    const FanOut::Cost cost = fan_out.measure();
    failures += cost.failures;
    std::printf(
        "%s    {\"profile\": \"%s\", \"kernel\": \"%s\", \"rtp_bytes\": %zu, \"calls\": \"%s\", "
        "\"protect\": %.0f, \"unprotect\": %.0f}",
        separator, name_of(measured.profile), fan_out.kernel_name().c_str(), measured.payload_bytes,
        measured.one_by_one ? "one a packet" : "one a frame", cost.protect_ns, cost.unprotect_ns);
    std::fflush(stdout);
    separator = ",\n";
  }
  std::printf("\n  ],\n  \"failures\": %zu\n}\n", failures);
  return failures == 0 ? 0 : 1;
}
