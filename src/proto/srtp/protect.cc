#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "proto/srtp/initial_vector.h"
#include "proto/srtp/transform.h"
#include "proto/srtp/wire.h"

namespace stoa::srtp {
namespace {

// GCM covers the header and the E bit with the index, which do not stand together (RFC 7714 §9.2).
constexpr std::size_t kRtcpAssociatedBytes = kRtcpClearBytes + kRtcpIndexBytes;

void copy_to(Bytes from, std::uint8_t* to) {
  if (!from.empty() && from.data() != to) std::memcpy(to, from.data(), from.size());
}

// Prefix, payload and padding as one text at `to`. The payload goes first: it may lie where it belongs.
void assemble(const RtpToProtect& packet, std::uint8_t* to) {
  copy_to(packet.payload, to + packet.prefix.size());
  copy_to(packet.prefix, to);
  if (packet.padding_bytes == 0) return;
  std::uint8_t* padding = to + packet.prefix.size() + packet.payload.size();
  std::memset(padding, 0, packet.padding_bytes - 1u);
  padding[packet.padding_bytes - 1] = packet.padding_bytes;
}

}  // namespace

Outcome Transform::prepare(const RtpToProtect& packet, crypto::SrtpJob& job) {
  const ReadyKeys& keys = packet.context->keys_;
  STOA_TRY(const std::size_t header_bytes, rtp_header_bytes(packet.header));
  if (header_bytes != packet.header.size()) return refuse(Refusal::kBadHeader);
  const std::size_t text_bytes = packet.prefix.size() + packet.payload.size() + packet.padding_bytes;
  const std::size_t total = header_bytes + text_bytes + keys.shape.rtp_tag_bytes;
  if (total > kPacketBytesMax) return refuse(Refusal::kTooLarge);
  if (total > packet.out.size()) return refuse(Refusal::kNoRoom);
  const std::uint32_t ssrc = load_u32(packet.header.data() + 8);
  const std::uint16_t sequence_number = load_u16(packet.header.data() + 2);
  STOA_TRY(const std::uint64_t index,
           packet.context->take_rtp_index(ssrc, sequence_number, packet.is_repeat));

  std::uint8_t* out = packet.out.data();
  std::uint8_t* text = out + header_bytes;
  job.key = keys.rtp.key.get();
  job.iv = initial_vector(keys.rtp.salt, is_aead(keys.shape.cipher), ssrc, index);
  job.source = text;
  if (packet.prefix.empty() && packet.padding_bytes == 0 && !packet.payload.empty()) {
    job.source = packet.payload.data();
  } else {
    assemble(packet, text);
  }
  copy_to(packet.header, out);
  if (packet.padding_bytes > 0) out[0] |= kPaddingBit;
  job.target = text;
  job.text_bytes = static_cast<std::uint32_t>(text_bytes);
  job.authenticated = out;
  job.authenticated_bytes = static_cast<std::uint32_t>(header_bytes);
  job.tag = text + text_bytes;
  job.tag_bytes = keys.shape.rtp_tag_bytes;
  if (!is_aead(keys.shape.cipher)) {
    // RFC 3711 §4.2: the rollover counter is hashed behind the packet, where the tag will stand.
    static_assert(kRtcpIndexBytes == sizeof(std::uint32_t));
    store_u32(job.tag, static_cast<std::uint32_t>(index >> 16));
    job.authenticated_bytes += job.text_bytes + 4;
  }
  return static_cast<std::uint32_t>(total);
}

// SRTCP (RFC 3711 §3.4): header | text | E and index | tag. With GCM (RFC 7714 §9.3) the tag comes first.
Outcome Transform::prepare(const RtcpToProtect& packet, crypto::SrtpJob& job, std::uint8_t* associated) {
  const ReadyKeys& keys = packet.context->keys_;
  const bool has_aead = is_aead(keys.shape.cipher);
  if (packet.packet.size() < kRtcpClearBytes) return refuse(Refusal::kTooShort);
  if (!is_version_2(packet.packet)) return refuse(Refusal::kBadVersion);
  const std::size_t total = packet.packet.size() + keys.shape.rtcp_tag_bytes + kRtcpIndexBytes;
  if (total > kPacketBytesMax) return refuse(Refusal::kTooLarge);
  if (total > packet.out.size()) return refuse(Refusal::kNoRoom);
  const std::uint32_t ssrc = load_u32(packet.packet.data() + 4);
  STOA_TRY(const std::uint32_t index, packet.context->take_rtcp_index(ssrc));
  const std::uint32_t index_word = index | (packet.is_encrypted ? kEncryptedBit : 0);

  std::uint8_t* out = packet.out.data();
  std::uint8_t* end = out + packet.packet.size();
  const std::size_t clear_bytes = packet.is_encrypted ? kRtcpClearBytes : packet.packet.size();
  copy_to(packet.packet.first(clear_bytes), out);
  job.key = keys.rtcp.key.get();
  job.iv = initial_vector(keys.rtcp.salt, has_aead, ssrc, index);
  job.source = packet.packet.data() + clear_bytes;
  job.target = out + clear_bytes;
  job.text_bytes = static_cast<std::uint32_t>(packet.packet.size() - clear_bytes);
  job.authenticated = out;
  job.authenticated_bytes = static_cast<std::uint32_t>(packet.packet.size() + kRtcpIndexBytes);
  job.tag_bytes = keys.shape.rtcp_tag_bytes;
  if (!has_aead) {
    store_u32(end, index_word);
    job.tag = end + kRtcpIndexBytes;
    return static_cast<std::uint32_t>(total);
  }
  job.tag = end;
  store_u32(end + job.tag_bytes, index_word);
  std::memcpy(associated, out, kRtcpClearBytes);
  store_u32(associated + kRtcpClearBytes, index_word);
  if (packet.is_encrypted) {
    job.authenticated = associated;
    job.authenticated_bytes = kRtcpAssociatedBytes;
  } else {
    // All of it is associated data; the index stands at its end until the tag is written there.
    store_u32(end, index_word);
  }
  return static_cast<std::uint32_t>(total);
}

template <typename Packet, typename Prepare>
void Transform::protect_all(std::span<Packet> packets, std::uint64_t& counted, Prepare&& prepare_one) {
  std::array<crypto::SrtpJob, kBatchPackets> jobs;
  std::size_t ready = 0;
  for (Packet& packet : packets) {
    STOA_DCHECK(packet.context != nullptr);
    packet.outcome = prepare_one(packet, jobs[ready], ready);
    if (!packet.outcome) {
      stats_.sent.count(packet.outcome.error());
      continue;
    }
    ++counted;
    if (++ready < kBatchPackets) continue;
    kernel_->seal(jobs);
    ready = 0;
  }
  kernel_->seal(std::span(jobs).first(ready));
}

void Transform::protect(std::span<RtpToProtect> packets) {
  // Each context lies in several pages that were not needed for long.
  const SendContext* touched = nullptr;
  for (const RtpToProtect& packet : packets) {
    STOA_DCHECK(packet.context != nullptr);
    if (packet.context != std::exchange(touched, packet.context)) packet.context->touch_all();
  }
  protect_all(
      packets, stats_.sent.rtp_packets,
      [this](const RtpToProtect& packet, crypto::SrtpJob& job, std::size_t) { return prepare(packet, job); });
}

void Transform::protect(std::span<RtcpToProtect> packets) {
  std::array<std::array<std::uint8_t, kRtcpAssociatedBytes>, kBatchPackets> associated;
  protect_all(packets, stats_.sent.rtcp_packets,
              [&](const RtcpToProtect& packet, crypto::SrtpJob& job, std::size_t position) {
                return prepare(packet, job, associated[position].data());
              });
}

}  // namespace stoa::srtp
