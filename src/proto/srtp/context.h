// The cryptographic contexts of one peer, one for each direction (RFC 3711 §3.2): session keys, and for each
// SSRC the rollover counter, the replay window and the SRTCP index. What is done with them is transform.h.
//
// Under DTLS-SRTP one master key serves all SSRCs of a direction, with SRTP and SRTCP on one port.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/prefetch.h"
#include "proto/srtp/keys.h"
#include "proto/srtp/limits.h"
#include "proto/srtp/packet_index.h"
#include "proto/srtp/profile.h"
#include "proto/srtp/ssrc_table.h"

namespace stoa::srtp {

// A session key as a kernel wants it, and the salt that makes a packet's counter or nonce.
struct ReadyKey {
  std::unique_ptr<crypto::SrtpKey> key;
  std::array<std::uint8_t, 16> salt{};  // Filled up with zeros.
};
struct ReadyKeys {
  ReadyKeys(const SessionKeys& keys, Profile profile, crypto::SrtpKernel& kernel);
  Profile profile;
  ProfileShape shape;
  ReadyKey rtp;
  ReadyKey rtcp;
};

// What we send. It never forgets an SSRC: a sequence number used twice under one key would give the text of
// both packets away, and with GCM the key of the tags (RFC 3711 §9.1, RFC 7714 §8.2).
class SendContext {
 public:
  // The context may then be used with any Transform whose kernel is of the same kind as `kernel`.
  SendContext(Profile profile, const MasterKey& master, crypto::SrtpKernel& kernel)
      : SendContext(profile, derive_session_keys(profile, master), kernel) {}
  SendContext(Profile profile, const SessionKeys& keys, crypto::SrtpKernel& kernel)
      : keys_(keys, profile, kernel) {}

  Profile profile() const { return keys_.profile; }
  std::size_t streams() const { return streams_.size(); }
  // Goes on with a stream that was begun elsewhere under the same key: everything up to `highest_rtp_index`
  // counts as sent. kTooManyStreams.
  Result<void, Refusal> resume_stream(std::uint32_t ssrc, std::uint64_t highest_rtp_index,
                                      std::uint32_t next_rtcp_index);

 private:
  friend class Transform;
  struct Stream {
    ReplayWindow<kRtpReplayWindow> rtp;
    std::uint32_t next_rtcp_index = 0;  // RFC 3711 §3.4: from zero, by one.
  };

  // What protecting a packet needs, ahead of it (base/prefetch.h).
  void touch_all() const {
    touch(keys_.rtp.key.get());
    streams_.touch_streams();
  }
  Stream* stream_of(std::uint32_t ssrc);
  Result<std::uint64_t, Refusal> take_rtp_index(std::uint32_t ssrc, std::uint16_t sequence_number,
                                                bool is_repeat);
  Result<std::uint32_t, Refusal> take_rtcp_index(std::uint32_t ssrc);

  ReadyKeys keys_;
  SsrcTable<Stream> streams_{kSendStreamsMax};
};

struct ReceivePolicy {
  // Authentic SRTCP without encryption (RFC 3711 §3.4, E = 0). DTLS-SRTP does not agree upon that.
  bool accepts_clear_rtcp = false;
};

// What a peer sends. An SSRC is remembered when its first packet proved authentic. Senders that restart their
// streams take new SSRCs as long as they live; the one that was silent for longest is forgotten when there
// are more than kReceiveStreamsMax. Only a peer that itself brings so many can be forgotten in that way, and
// what it loses is the rollover counter of that stream and its guard against replays.
class ReceiveContext {
 public:
  ReceiveContext(Profile profile, const MasterKey& master, crypto::SrtpKernel& kernel,
                 ReceivePolicy policy = {})
      : ReceiveContext(profile, derive_session_keys(profile, master), kernel, policy) {}
  ReceiveContext(Profile profile, const SessionKeys& keys, crypto::SrtpKernel& kernel,
                 ReceivePolicy policy = {})
      : keys_(keys, profile, kernel), policy_(policy) {}

  Profile profile() const { return keys_.profile; }
  std::size_t streams() const { return streams_.size(); }
  std::uint64_t forgotten() const { return forgotten_; }
  // Goes on with a stream whose rollover counter is known from elsewhere; `highest_rtp_index` and all before
  // it count as seen.
  void resume_stream(std::uint32_t ssrc, std::uint64_t highest_rtp_index);

 private:
  friend class Transform;
  struct Stream {
    ReplayWindow<kRtpReplayWindow> rtp;
    ReplayWindow<kRtcpReplayWindow> rtcp;
    std::uint64_t heard = 0;  // The last packet's number among all of them.
  };

  Stream& stream_of(std::uint32_t ssrc);
  // Whether a packet would be new, before anything is believed.
  Result<std::uint64_t, Refusal> judge_rtp(Stream* stream, std::uint16_t sequence_number) const;
  Result<void, Refusal> judge_rtcp(Stream* stream, std::uint32_t index) const;
  // Remembers an authentic packet; refuses what became old or known since it was judged.
  Result<void, Refusal> accept(std::uint32_t ssrc, bool is_rtcp, std::uint64_t index);

  ReadyKeys keys_;
  ReceivePolicy policy_;
  SsrcTable<Stream> streams_{kReceiveStreamsMax};
  std::uint64_t accepted_ = 0, forgotten_ = 0;
};

}  // namespace stoa::srtp
