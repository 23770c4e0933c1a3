#include <algorithm>

#include "base/assert.h"
#include "proto/srtp/initial_vector.h"
#include "proto/srtp/transform.h"
#include "proto/srtp/wire.h"

namespace stoa::srtp {

// What must outlive the kernel's work on one packet.
struct Transform::Opening {
  PacketToUnprotect* packet;
  std::uint32_t ssrc;
  std::uint32_t plain_bytes;
  bool begins_stream;  // Nothing of this SSRC was ever believed: the index is a guess.
  std::array<std::uint8_t, crypto::kGcmTagBytes> tag;
  std::array<std::uint8_t, kRtcpClearBytes + kRtcpIndexBytes> associated;
};

struct Transform::OpeningBatch {
  std::array<Opening, kBatchPackets> openings;
  std::array<crypto::SrtpJob, kBatchPackets> jobs;
  std::size_t ready = 0;

  // Whether a packet that may begin this stream is among those under way.
  bool begins(const ReceiveContext* context, std::uint32_t ssrc) const {
    return std::any_of(openings.begin(), openings.begin() + ready, [&](const Opening& opening) {
      return opening.begins_stream && opening.ssrc == ssrc && opening.packet->context == context;
    });
  }
};

Result<void, Refusal> Transform::prepare_rtp(PacketToUnprotect& packet, OpeningBatch& batch) {
  ReceiveContext& context = *packet.context;
  const ReadyKeys& keys = context.keys_;
  const bool has_aead = is_aead(keys.shape.cipher);
  std::uint8_t* data = packet.packet.data();
  const std::size_t size = packet.packet.size();
  if (size < kRtpFixedHeaderBytes + keys.shape.rtp_tag_bytes) return refuse(Refusal::kTooShort);
  const std::size_t plain_bytes = size - keys.shape.rtp_tag_bytes;
  STOA_TRY(const std::size_t header_bytes, rtp_header_bytes(packet.packet.first(plain_bytes)));
  const std::uint32_t ssrc = load_u32(data + 8);

  auto* stream = context.streams_.find(ssrc);
  if ((stream == nullptr || stream->rtp.is_empty()) && batch.begins(&context, ssrc)) {
    // Its index depends on a packet before it.
    finish(batch);
    stream = context.streams_.find(ssrc);
  }
  STOA_TRY(packet.index, context.judge_rtp(stream, load_u16(data + 2)));

  Opening& opening = batch.openings[batch.ready];
  crypto::SrtpJob& job = batch.jobs[batch.ready];
  opening.packet = &packet;
  opening.ssrc = ssrc;
  opening.plain_bytes = static_cast<std::uint32_t>(plain_bytes);
  opening.begins_stream = stream == nullptr || stream->rtp.is_empty();
  std::copy_n(data + plain_bytes, keys.shape.rtp_tag_bytes, opening.tag.begin());
  job.key = keys.rtp.key.get();
  job.iv = initial_vector(keys.rtp.salt, has_aead, ssrc, packet.index);
  job.source = job.target = data + header_bytes;
  job.text_bytes = static_cast<std::uint32_t>(plain_bytes - header_bytes);
  job.authenticated = data;
  job.authenticated_bytes = static_cast<std::uint32_t>(has_aead ? header_bytes : plain_bytes + 4);
  if (!has_aead) store_u32(data + plain_bytes, static_cast<std::uint32_t>(packet.index >> 16));
  job.tag = opening.tag.data();
  job.tag_bytes = keys.shape.rtp_tag_bytes;
  ++batch.ready;
  return {};
}

Result<void, Refusal> Transform::prepare_rtcp(PacketToUnprotect& packet, OpeningBatch& batch) {
  ReceiveContext& context = *packet.context;
  const ReadyKeys& keys = context.keys_;
  const bool has_aead = is_aead(keys.shape.cipher);
  std::uint8_t* data = packet.packet.data();
  const std::size_t size = packet.packet.size();
  const std::size_t tag_bytes = keys.shape.rtcp_tag_bytes;
  if (size < kRtcpClearBytes + tag_bytes + kRtcpIndexBytes) return refuse(Refusal::kTooShort);
  if (!is_version_2(packet.packet)) return refuse(Refusal::kBadVersion);
  const std::size_t plain_bytes = size - tag_bytes - kRtcpIndexBytes;
  const std::uint8_t* tag_at = data + plain_bytes + (has_aead ? 0 : kRtcpIndexBytes);
  const std::uint32_t index_word = load_u32(data + plain_bytes + (has_aead ? tag_bytes : 0));
  const bool is_encrypted = index_word & kEncryptedBit;
  if (!is_encrypted && !context.policy_.accepts_clear_rtcp) return refuse(Refusal::kNotEncrypted);
  const std::uint32_t index = index_word & kRtcpIndexMax;
  const std::uint32_t ssrc = load_u32(data + 4);
  if (auto verdict = context.judge_rtcp(context.streams_.find(ssrc), index); !verdict) return verdict;

  Opening& opening = batch.openings[batch.ready];
  crypto::SrtpJob& job = batch.jobs[batch.ready];
  packet.index = index;
  opening.packet = &packet;
  opening.ssrc = ssrc;
  opening.plain_bytes = static_cast<std::uint32_t>(plain_bytes);
  opening.begins_stream = false;
  std::copy_n(tag_at, tag_bytes, opening.tag.begin());
  const std::size_t clear_bytes = is_encrypted ? kRtcpClearBytes : plain_bytes;
  job.key = keys.rtcp.key.get();
  job.iv = initial_vector(keys.rtcp.salt, has_aead, ssrc, index);
  job.source = job.target = data + clear_bytes;
  job.text_bytes = static_cast<std::uint32_t>(plain_bytes - clear_bytes);
  job.authenticated = data;
  job.authenticated_bytes = static_cast<std::uint32_t>(plain_bytes + kRtcpIndexBytes);
  job.tag = opening.tag.data();
  job.tag_bytes = static_cast<std::uint8_t>(tag_bytes);
  if (has_aead && is_encrypted) {
    std::copy_n(data, kRtcpClearBytes, opening.associated.begin());
    store_u32(opening.associated.data() + kRtcpClearBytes, index_word);
    job.authenticated = opening.associated.data();
    job.authenticated_bytes = opening.associated.size();
  } else if (has_aead) {
    store_u32(data + plain_bytes, index_word);  // Over the tag, which is kept above.
  }
  ++batch.ready;
  return {};
}

Result<void, Refusal> Transform::prepare(PacketToUnprotect& packet, OpeningBatch& batch) {
  STOA_DCHECK(packet.context != nullptr);
  if (packet.packet.size() < kRtcpClearBytes) return refuse(Refusal::kTooShort);
  if (packet.packet.size() > kPacketBytesMax) return refuse(Refusal::kTooLarge);
  packet.is_rtcp = is_rtcp(packet.packet);
  return packet.is_rtcp ? prepare_rtcp(packet, batch) : prepare_rtp(packet, batch);
}

void Transform::finish(OpeningBatch& batch) {
  kernel_->open(std::span(batch.jobs).first(batch.ready));
  for (std::size_t i = 0; i < batch.ready; ++i) {
    const Opening& opening = batch.openings[i];
    PacketToUnprotect& packet = *opening.packet;
    Result<void, Refusal> verdict;
    if (batch.jobs[i].is_authentic) {
      verdict = packet.context->accept(opening.ssrc, packet.is_rtcp, packet.index);
    } else {
      verdict = refuse(Refusal::kAuthenticationFailed);
    }
    if (verdict) {
      packet.outcome = opening.plain_bytes;
      ++(packet.is_rtcp ? stats_.received.rtcp_packets : stats_.received.rtp_packets);
    } else {
      packet.outcome = refuse(verdict.error());
      stats_.received.count(verdict.error());
    }
  }
  batch.ready = 0;
}

void Transform::unprotect(std::span<PacketToUnprotect> packets) {
  OpeningBatch batch;
  for (PacketToUnprotect& packet : packets) {
    if (auto verdict = prepare(packet, batch); !verdict) {
      packet.outcome = refuse(verdict.error());
      stats_.received.count(verdict.error());
    }
    if (batch.ready == kBatchPackets) finish(batch);
  }
  finish(batch);
}

}  // namespace stoa::srtp
