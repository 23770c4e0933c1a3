#include "proto/srtp/context.h"

#include <algorithm>

namespace stoa::srtp {
namespace {

ReadyKey make_ready(crypto::SrtpCipher cipher, const SessionKey& session, crypto::SrtpKernel& kernel) {
  ReadyKey ready;
  ready.key = kernel.make_key(cipher, session.key.view(), session.authentication_key.view());
  const Bytes salt = session.salt.view();
  std::copy(salt.begin(), salt.end(), ready.salt.begin());
  return ready;
}

}  // namespace

ReadyKeys::ReadyKeys(const SessionKeys& keys, Profile profile_asked, crypto::SrtpKernel& kernel)
    : profile(profile_asked),
      shape(shape_of(profile_asked)),
      rtp(make_ready(shape.cipher, keys.rtp, kernel)),
      rtcp(make_ready(shape.cipher, keys.rtcp, kernel)) {}

SendContext::Stream* SendContext::stream_of(std::uint32_t ssrc) {
  Stream* stream = streams_.find(ssrc);
  return stream ? stream : streams_.insert(ssrc);
}

Result<void, Refusal> SendContext::resume_stream(std::uint32_t ssrc, std::uint64_t highest_rtp_index,
                                                 std::uint32_t next_rtcp_index) {
  Stream* stream = stream_of(ssrc);
  if (stream == nullptr) return refuse(Refusal::kTooManyStreams);
  stream->rtp.resume(highest_rtp_index);
  stream->next_rtcp_index = next_rtcp_index;
  return {};
}

Result<std::uint64_t, Refusal> SendContext::take_rtp_index(std::uint32_t ssrc, std::uint16_t sequence_number,
                                                           bool is_repeat) {
  Stream* stream = stream_of(ssrc);
  if (stream == nullptr) return refuse(Refusal::kTooManyStreams);
  std::uint64_t index = sequence_number;
  if (!stream->rtp.is_empty()) {
    STOA_TRY(index, estimate_index(stream->rtp.highest(), sequence_number));
  }
  const auto verdict = stream->rtp.check(index);
  if (verdict) {
    stream->rtp.accept(index);
    return index;
  }
  if (verdict.error() != Refusal::kReplayed) return refuse(verdict.error());
  if (is_repeat && !crypto::is_aead(keys_.shape.cipher)) return index;
  return refuse(Refusal::kIndexReused);
}

Result<std::uint32_t, Refusal> SendContext::take_rtcp_index(std::uint32_t ssrc) {
  Stream* stream = stream_of(ssrc);
  if (stream == nullptr) return refuse(Refusal::kTooManyStreams);
  if (stream->next_rtcp_index > kRtcpIndexMax) return refuse(Refusal::kKeyExhausted);
  return stream->next_rtcp_index++;
}

ReceiveContext::Stream& ReceiveContext::stream_of(std::uint32_t ssrc) {
  Stream* stream = streams_.find(ssrc);
  if (stream == nullptr) {
    if (streams_.is_full()) {
      streams_.erase(streams_.find_least([](const Stream& a, const Stream& b) { return a.heard < b.heard; }));
      ++forgotten_;
    }
    stream = streams_.insert(ssrc);
  }
  stream->heard = ++accepted_;
  return *stream;
}

void ReceiveContext::resume_stream(std::uint32_t ssrc, std::uint64_t highest_rtp_index) {
  stream_of(ssrc).rtp.resume(highest_rtp_index);
}

Result<std::uint64_t, Refusal> ReceiveContext::judge_rtp(Stream* stream,
                                                         std::uint16_t sequence_number) const {
  if (stream == nullptr || stream->rtp.is_empty()) return sequence_number;
  STOA_TRY(const std::uint64_t index, estimate_index(stream->rtp.highest(), sequence_number));
  if (auto verdict = stream->rtp.check(index); !verdict) return refuse(verdict.error());
  return index;
}

Result<void, Refusal> ReceiveContext::judge_rtcp(Stream* stream, std::uint32_t index) const {
  if (stream == nullptr) return {};
  return stream->rtcp.check(index);
}

Result<void, Refusal> ReceiveContext::accept(std::uint32_t ssrc, bool is_rtcp, std::uint64_t index) {
  Stream& stream = stream_of(ssrc);
  if (is_rtcp) {
    if (auto verdict = stream.rtcp.check(index); !verdict) return verdict;
    stream.rtcp.accept(index);
  } else {
    if (auto verdict = stream.rtp.check(index); !verdict) return verdict;
    stream.rtp.accept(index);
  }
  return {};
}

}  // namespace stoa::srtp
