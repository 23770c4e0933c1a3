// libsrtp2 as the other side: what it protects we unprotect, and the other way, byte for byte.
#include <gtest/gtest.h>

#if __has_include(<srtp2/srtp.h>)

#include <srtp2/srtp.h>

#include <algorithm>

#include "base/rng.h"
#include "proto/srtp/test_srtp.h"

namespace stoa::srtp {
namespace {

class LibSrtp {
 public:
  LibSrtp(Profile profile, srtp_ssrc_type_t direction) {
    [[maybe_unused]] static const srtp_err_status_t started = srtp_init();
    const MasterKey master = make_master(profile);
    key_ = joined(master.key.view(), master.salt.view());
    srtp_policy_t policy{};
    switch (profile) {
      case Profile::kAes128CmHmacSha1_80:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
        break;
      case Profile::kAes128CmHmacSha1_32:
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp);
        srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
        break;
      case Profile::kAeadAes128Gcm:
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp);
        break;
      case Profile::kAeadAes256Gcm:
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp);
        srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp);
        break;
    }
    policy.ssrc = {direction, 0};
    policy.key = key_.data();
    policy.window_size = 1024;
    EXPECT_EQ(srtp_create(&session_, &policy), srtp_err_status_ok);
  }
  ~LibSrtp() { srtp_dealloc(session_); }
  LibSrtp(const LibSrtp&) = delete;
  LibSrtp& operator=(const LibSrtp&) = delete;

  using Call = srtp_err_status_t(srtp_t, void*, int*);
  // Empty when it refuses.
  Buffer run(Call* call, Buffer packet) {
    int length = static_cast<int>(packet.size());
    packet.resize(packet.size() + SRTP_MAX_TRAILER_LEN + 4);
    if (call(session_, packet.data(), &length) != srtp_err_status_ok) return {};
    packet.resize(static_cast<std::size_t>(length));
    return packet;
  }

 private:
  Buffer key_;
  srtp_t session_ = nullptr;
};

class WithLibSrtp : public EachTransform {};
INSTANTIATE_TEST_SUITE_P(All, WithLibSrtp,
                         testing::Combine(testing::ValuesIn(kAllProfiles),
                                          testing::Values("openssl", "multi_buffer")),
                         transform_name);

struct Drawn {
  Buffer header;
  Buffer payload;
};

// RTP of three SSRCs that lose packets and wrap.
std::vector<Drawn> draw_packets(std::size_t count) {
  Rng rng(21);
  std::vector<Drawn> drawn;
  std::uint32_t next[3] = {100, 32'000, 65'500};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t stream = rng.below(3);
    // libsrtp takes a jump of a quarter of the numbers for the order that it is.
    next[stream] += static_cast<std::uint32_t>(1 + rng.below(i % 50 == 0 ? 16'000 : 2));
    drawn.push_back({make_rtp_header(static_cast<std::uint32_t>(0x1000'0000 * stream + 7),
                                     static_cast<std::uint16_t>(next[stream]), static_cast<int>(rng.below(4)),
                                     static_cast<int>(rng.below(4)) - 1),
                     make_payload(rng.below(1300), static_cast<std::uint8_t>(rng.next()))});
  }
  return drawn;
}

TEST_P(WithLibSrtp, protects_rtp_byte_for_byte_alike) {
  Pair pair(profile(), kernel());
  LibSrtp theirs(profile(), ssrc_any_outbound);
  for (const Drawn& drawn : draw_packets(2000)) {
    const auto wire = pair.protect_rtp(drawn.header, drawn.payload);
    ASSERT_TRUE(wire);
    ASSERT_EQ(*wire, theirs.run(srtp_protect, joined(drawn.header, drawn.payload)));
  }
}

TEST_P(WithLibSrtp, is_understood_by_it) {
  Pair pair(profile(), kernel());
  LibSrtp theirs(profile(), ssrc_any_inbound);
  for (const Drawn& drawn : draw_packets(1000))
    ASSERT_EQ(theirs.run(srtp_unprotect, *pair.protect_rtp(drawn.header, drawn.payload)),
              joined(drawn.header, drawn.payload));
  for (std::size_t words = 2; words < 80; ++words) {
    const Buffer packet = make_rtcp(3, words);
    ASSERT_EQ(theirs.run(srtp_unprotect_rtcp, *pair.protect_rtcp(packet)), packet);
  }
}

TEST_P(WithLibSrtp, understands_it) {
  Pair pair(profile(), kernel());
  LibSrtp theirs(profile(), ssrc_any_outbound);
  for (const Drawn& drawn : draw_packets(1000)) {
    const Buffer packet = joined(drawn.header, drawn.payload);
    ASSERT_EQ(pair.unprotect(theirs.run(srtp_protect, packet)), packet);
  }
  for (std::size_t words = 2; words < 80; ++words) {
    const Buffer packet = make_rtcp(3, words);
    ASSERT_EQ(pair.unprotect(theirs.run(srtp_protect_rtcp, packet)), packet);
  }
}

TEST_P(WithLibSrtp, refuses_the_same_replays_and_forgeries) {
  Pair pair(profile(), kernel());
  LibSrtp theirs(profile(), ssrc_any_inbound);
  Rng rng(8);
  std::vector<Buffer> sent;
  std::uint16_t sequence_number = 40'000;
  for (int i = 0; i < 3000; ++i) {
    sequence_number = static_cast<std::uint16_t>(sequence_number + 1 + rng.below(20));
    sent.push_back(pair.rtp(sequence_number));
    if (sent.size() > 200) sent.erase(sent.begin());
    Buffer wire = rng.chance(0.5) ? sent.back() : sent[rng.below(sent.size())];
    if (rng.chance(0.1)) wire[rng.below(wire.size() - 4) + 4] ^= 0x10;
    const Buffer their_packet = theirs.run(srtp_unprotect, wire);
    const auto our_packet = pair.unprotect(wire);
    ASSERT_EQ(our_packet.has_value(), !their_packet.empty()) << i;
    if (our_packet) {
      ASSERT_EQ(*our_packet, their_packet);
    }
  }
}

}  // namespace
}  // namespace stoa::srtp

#else

TEST(WithLibSrtp, needs_libsrtp2) { GTEST_SKIP() << "libsrtp2-dev was not there when this was built."; }

#endif
