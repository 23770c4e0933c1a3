// SRTP, driven by actions: raw bytes for the receiver; packets protected, then delivered, repeated, late,
// damaged or lost; in batches, with either kernel. What is believed must be what was sent, and once.
#include <algorithm>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "proto/srtp/transform.h"

namespace {

using namespace stoa;
using namespace stoa::srtp;

constexpr Profile kProfiles[] = {Profile::kAes128CmHmacSha1_80, Profile::kAes128CmHmacSha1_32,
                                 Profile::kAeadAes128Gcm, Profile::kAeadAes256Gcm};
constexpr std::size_t kSentMax = 64;

MasterKey fixed_master(Profile profile) {
  return {.key = crypto::Secret<32>::zeros(shape_of(profile).key_bytes),
          .salt = crypto::Secret<14>::zeros(shape_of(profile).salt_bytes)};
}

struct Sent {
  Buffer plain;
  Buffer wire;
  bool is_clear = false;
  bool was_believed = false;
};

// A multi-buffer kernel tests itself when it is made, which takes longer than a run: all runs share one.
class Borrowed final : public crypto::SrtpKernel {
 public:
  explicit Borrowed(crypto::SrtpKernel& kernel) : kernel_(kernel) {}
  const std::string& name() const override { return kernel_.name(); }
  std::unique_ptr<crypto::SrtpKey> make_key(crypto::SrtpCipher cipher, Bytes key,
                                            Bytes authentication_key) override {
    return kernel_.make_key(cipher, key, authentication_key);
  }
  void seal(std::span<crypto::SrtpJob> jobs) override { kernel_.seal(jobs); }
  void open(std::span<crypto::SrtpJob> jobs) override { kernel_.open(jobs); }

 private:
  crypto::SrtpKernel& kernel_;
};

class Run {
 public:
  Run(Profile profile, std::unique_ptr<crypto::SrtpKernel> kernel, bool accepts_clear_rtcp)
      : transform_(std::move(kernel)),
        send_(profile, fixed_master(profile), transform_.kernel()),
        receive_(profile, fixed_master(profile), transform_.kernel(),
                 {.accepts_clear_rtcp = accepts_clear_rtcp}),
        accepts_clear_rtcp_(accepts_clear_rtcp) {}

  // What came out, for comparing kernels.
  Buffer transcript;

  void drive(ByteReader input) {
    while (input.ok() && !input.at_end()) {
      switch (input.u8() % 5) {
        case 0: send_rtp(input); break;
        case 1: send_rtcp(input); break;
        case 2: deliver(input, false); break;
        case 3: deliver(input, true); break;
        case 4: receive_raw(input); break;
      }
    }
  }

 private:
  void keep(const Outcome& outcome, Buffer plain, Buffer wire, bool is_clear) {
    transcript.push_back(outcome ? 0xff : static_cast<std::uint8_t>(outcome.error()));
    if (!outcome) return;
    wire.resize(*outcome);
    transcript.insert(transcript.end(), wire.begin(), wire.end());
    if (sent_.size() < kSentMax) sent_.push_back({std::move(plain), std::move(wire), is_clear});
  }

  void send_rtp(ByteReader& input) {
    const std::uint8_t shape = input.u8();
    ByteWriter header;
    header.u8(static_cast<std::uint8_t>(0x80 | (shape & 0x10) | (shape & 3)));
    header.u8(input.u8() & 0x7f);
    header.u16(input.u16());
    header.u32(0);
    header.u32(input.u8());
    header.zeros(4u * (shape & 3));
    if (shape & 0x10) header.u32(0xbede'0000);
    const Bytes prefix = input.take(std::min<std::size_t>(shape >> 6, input.remaining()));
    const std::uint8_t padding_bytes = shape & 0x20 ? input.u8() : 0;
    const Bytes payload = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    Buffer plain(header.view().begin(), header.view().end());
    plain.insert(plain.end(), prefix.begin(), prefix.end());
    plain.insert(plain.end(), payload.begin(), payload.end());
    plain.resize(plain.size() + padding_bytes);
    if (padding_bytes > 0) {
      plain.back() = padding_bytes;
      plain[0] |= 0x20;
    }
    Buffer wire(plain.size() + kOverheadBytesMax);
    const Outcome outcome = transform_.protect(RtpToProtect{.context = &send_,
                                                            .header = header.view(),
                                                            .prefix = prefix,
                                                            .payload = payload,
                                                            .padding_bytes = padding_bytes,
                                                            .out = wire,
                                                            .outcome = {}});
    keep(outcome, std::move(plain), std::move(wire), false);
  }

  void send_rtcp(ByteReader& input) {
    ByteWriter packet;
    const std::uint8_t shape = input.u8();
    packet.u8(0x80);
    packet.u8(200 + shape % 8);
    packet.u16(0);
    packet.u32(input.u8());
    packet.bytes(input.take(std::min<std::size_t>(input.u8(), input.remaining())));
    Buffer plain = packet.take();
    Buffer wire(plain.size() + kOverheadBytesMax);
    const bool is_clear = shape >= 0xc0;
    const Outcome outcome = transform_.protect(RtcpToProtect{
        .context = &send_, .packet = plain, .is_encrypted = !is_clear, .out = wire, .outcome = {}});
    keep(outcome, std::move(plain), std::move(wire), is_clear);
  }

  // Some of what was sent, in any order, in one batch; damaged in one bit each when `damages`.
  void deliver(ByteReader& input, bool damages) {
    if (sent_.empty()) return;
    const std::size_t count = 1 + input.u8() % 80;
    std::vector<Buffer> wires(count);
    std::vector<std::size_t> chosen(count);
    std::vector<PacketToUnprotect> batch;
    for (std::size_t i = 0; i < count; ++i) {
      chosen[i] = (input.remaining() > 0 ? input.u8() : i) % sent_.size();
      wires[i] = sent_[chosen[i]].wire;
      if (damages) wires[i][input.u8() % wires[i].size()] ^= static_cast<std::uint8_t>(1u << input.u8() % 8);
      batch.push_back({.context = &receive_, .packet = wires[i], .outcome = {}});
    }
    transform_.unprotect(batch);
    for (std::size_t i = 0; i < count; ++i) {
      note(batch[i]);
      if (!batch[i].outcome) continue;
      Sent& sent = sent_[chosen[i]];
      STOA_ASSERT(!damages && !sent.was_believed);
      sent.was_believed = true;
      STOA_ASSERT(*batch[i].outcome == sent.plain.size());
      STOA_ASSERT(std::equal(sent.plain.begin(), sent.plain.end(), wires[i].begin()));
      STOA_ASSERT(!sent.is_clear || accepts_clear_rtcp_);
    }
  }

  void receive_raw(ByteReader& input) {
    const Bytes raw = input.take(std::min<std::size_t>(input.u8(), input.remaining()));
    Buffer wire(raw.begin(), raw.end());
    PacketToUnprotect packet{.context = &receive_, .packet = wire, .outcome = {}};
    transform_.unprotect({&packet, 1});
    note(packet);
  }

  void note(const PacketToUnprotect& packet) {
    transcript.push_back(packet.outcome ? 0xff : static_cast<std::uint8_t>(packet.outcome.error()));
  }

  Transform transform_;
  SendContext send_;
  ReceiveContext receive_;
  bool accepts_clear_rtcp_;
  std::vector<Sent> sent_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Profile profile = kProfiles[data[0] % 4];
  const bool accepts_clear_rtcp = data[0] & 0x80;
  const ByteReader input(Bytes(data + 1, size - 1));
  static const auto openssl = crypto::make_openssl_srtp_kernel();
  static const auto multi_buffer = crypto::make_multi_buffer_srtp_kernel();
  Run plain(profile, std::make_unique<Borrowed>(*openssl), accepts_clear_rtcp);
  plain.drive(input);
  if (multi_buffer) {
    Run fast(profile, std::make_unique<Borrowed>(*multi_buffer), accepts_clear_rtcp);
    fast.drive(input);
    STOA_ASSERT(plain.transcript == fast.transcript);
  }
  return 0;
}
