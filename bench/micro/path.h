// What programs that measure the packet path share: who publishes, keys, and what the processor was busy for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "crypto/srtp_kernel.h"
#include "media/payload/packet.h"
#include "proto/srtp/transform.h"
#include "runtime/udp_socket.h"

namespace stoa::bench {

// CPU time of this process, user's and kernel's.
double cpu_seconds();

// Another one for each receiver.
srtp::MasterKey make_master(srtp::Profile profile, std::size_t receiver);

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

// One layer of a track: frames of packets of equal size.
class FrameSource {
 public:
  struct Frame {
    std::size_t packets = 1;
    Bytes payload;           // Of each packet.
    std::int64_t ticks = 0;  // Of the RTP clock, since the one before.
    payload::LayerIndex layer = 0;
    bool is_keyframe = false;
  };
  void frame(const Frame& frame, std::vector<payload::PacketBatch>& out);

 private:
  payload::PacketWriter writer_;
  std::int64_t sequence_ = 0, timestamp_ = 0;
};

// Of a socket that is only sent through.
struct Nobody : runtime::DatagramHandler {
  void on_datagrams(std::span<ReceivedDatagram>) override {}
};

// Datagrams that the kernel did not take at once.
double unsent(const runtime::UdpSocket& socket);

}  // namespace stoa::bench
