// Protects and unprotects packets, many of many peers at a call (RFC 3711 §3.3 and §3.4, RFC 7714 §8 and §9).
//
// The calls are made for fan-out: one plaintext, shared by all receivers, is encrypted straight into each
// receiver's slab behind a header of its own. Nothing is allocated for a packet; a new SSRC grows a table.
// One Transform serves a shard. The more packets a call holds, the better a multi-buffer kernel fills its
// lanes.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/srtp_kernel.h"
#include "proto/srtp/context.h"
#include "proto/srtp/refusal.h"
#include "proto/srtp/stats.h"

namespace stoa::srtp {

// Bytes of the packet that was made, or why there is none.
using Outcome = Result<std::uint32_t, Refusal>;

// header | prefix, payload, padding (encrypted) | tag
struct RtpToProtect {
  SendContext* context = nullptr;
  // The whole RTP header with CSRCs and extension, as this receiver shall see it. May already stand at the
  // front of `out`.
  Bytes header;
  // What comes before the shared payload for this receiver alone: RTX's original sequence number, a rewritten
  // VP8 descriptor. Mostly empty.
  Bytes prefix;
  // Shared and only read. It may stand in `out`, exactly where it belongs, and must not touch it otherwise.
  Bytes payload;
  // RTP padding to add (RFC 3550 §5.1), so that packets of one send are equally long; sets the header's P
  // bit. A payload that already ends in padding cannot be given more. Prefix or padding cost a copy of the
  // payload.
  std::uint8_t padding_bytes = 0;
  // The same packet again, for a receiver without RTX. Only with the HMAC profiles, only byte for byte the
  // same: with GCM, and for changed bytes, a sequence number must never be used twice (RFC 7714 §8.2).
  bool is_repeat = false;
  std::span<std::uint8_t> out;

  Outcome outcome;
};

struct RtcpToProtect {
  SendContext* context = nullptr;
  Bytes packet;  // A compound packet, or one of reduced size. May be the front of `out`.
  bool is_encrypted = true;
  std::span<std::uint8_t> out;

  Outcome outcome;
};

struct PacketToUnprotect {
  ReceiveContext* context = nullptr;
  // SRTP or SRTCP, told apart by its second byte (RFC 5761 §4); decrypted where it stands. When it is refused
  // its bytes are of no use to anybody.
  std::span<std::uint8_t> packet;

  Outcome outcome;  // Length of the RTP or RTCP packet at the front of `packet`.
  bool is_rtcp = false;
  std::uint64_t index = 0;  // RTP: 2^16 * rollover counter + sequence number. RTCP: the SRTCP index.
};

class Transform {
 public:
  explicit Transform(std::unique_ptr<crypto::SrtpKernel> kernel) : kernel_(std::move(kernel)) {}

  crypto::SrtpKernel& kernel() { return *kernel_; }
  const Stats& stats() const { return stats_; }

  // Packets of one SSRC stand in the order in which they are to be sent. Slabs do not overlap.
  void protect(std::span<RtpToProtect> packets);
  void protect(std::span<RtcpToProtect> packets);
  void unprotect(std::span<PacketToUnprotect> packets);

  // One packet, for where there is only one.
  Outcome protect(RtpToProtect packet) {
    protect(std::span(&packet, 1));
    return packet.outcome;
  }
  Outcome protect(RtcpToProtect packet) {
    protect(std::span(&packet, 1));
    return packet.outcome;
  }

 private:
  struct Opening;
  struct OpeningBatch;

  Outcome prepare(const RtpToProtect& packet, crypto::SrtpJob& job);
  Outcome prepare(const RtcpToProtect& packet, crypto::SrtpJob& job, std::uint8_t* associated);
  template <typename Packet, typename Prepare>
  void protect_all(std::span<Packet> packets, std::uint64_t& counted, Prepare&& prepare_one);

  Result<void, Refusal> prepare(PacketToUnprotect& packet, OpeningBatch& batch);
  Result<void, Refusal> prepare_rtp(PacketToUnprotect& packet, OpeningBatch& batch);
  Result<void, Refusal> prepare_rtcp(PacketToUnprotect& packet, OpeningBatch& batch);
  void finish(OpeningBatch& batch);

  std::unique_ptr<crypto::SrtpKernel> kernel_;
  Stats stats_;
};

}  // namespace stoa::srtp
