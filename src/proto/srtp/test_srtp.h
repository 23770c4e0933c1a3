// Packets, keys and pairs of peers for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "crypto/text.h"
#include "proto/srtp/transform.h"
#include "proto/srtp/wire.h"

namespace stoa::srtp {

inline constexpr Profile kAllProfiles[] = {Profile::kAes128CmHmacSha1_80, Profile::kAes128CmHmacSha1_32,
                                           Profile::kAeadAes128Gcm, Profile::kAeadAes256Gcm};

// Hexadecimal in groups, as RFCs print it.
inline Buffer bytes_of(std::string_view text) {
  std::string dense;
  for (char c : text)
    if (c != ' ') dense.push_back(c);
  return *crypto::parse_hex(dense);
}

inline std::string hex_of(Bytes bytes) { return crypto::write_hex(bytes); }

inline MasterKey make_master(Profile profile, std::uint8_t seed = 1) {
  const ProfileShape shape = shape_of(profile);
  MasterKey master{.key = crypto::Secret<32>::zeros(shape.key_bytes),
                   .salt = crypto::Secret<14>::zeros(shape.salt_bytes)};
  for (std::uint8_t& byte : master.key.mutable_view()) byte = seed = static_cast<std::uint8_t>(seed * 5 + 1);
  for (std::uint8_t& byte : master.salt.mutable_view()) byte = seed = static_cast<std::uint8_t>(seed * 5 + 1);
  return master;
}

inline Buffer make_rtp_header(std::uint32_t ssrc, std::uint16_t sequence_number, int csrcs = 0,
                              int extension_words = -1) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(0x80 | csrcs | (extension_words >= 0 ? 0x10 : 0)));
  writer.u8(96);
  writer.u16(sequence_number);
  writer.u32(sequence_number * 3000u);
  writer.u32(ssrc);
  for (int i = 0; i < csrcs; ++i) writer.u32(7000u + i);
  if (extension_words >= 0) {
    writer.u16(0xbede);
    writer.u16(static_cast<std::uint16_t>(extension_words));
    for (int i = 0; i < extension_words; ++i) writer.u32(0x10ff'0000u + i);
  }
  return writer.take();
}

inline Buffer make_payload(std::size_t size, std::uint8_t seed = 0) {
  Buffer payload(size);
  for (std::size_t i = 0; i < size; ++i) payload[i] = static_cast<std::uint8_t>(seed + 31 * i);
  return payload;
}

inline Buffer joined(Bytes a, Bytes b) {
  Buffer both(a.begin(), a.end());
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

// A sender report of `words` 32-bit words, the least being two.
inline Buffer make_rtcp(std::uint32_t ssrc, std::size_t words = 7) {
  ByteWriter writer;
  writer.u8(0x80);
  writer.u8(200);
  writer.u16(static_cast<std::uint16_t>(words - 1));
  writer.u32(ssrc);
  for (std::size_t i = 2; i < words; ++i) writer.u32(static_cast<std::uint32_t>(i * 0x0101'0101u));
  return writer.take();
}

inline std::unique_ptr<crypto::SrtpKernel> make_kernel(std::string_view name) {
  return name == "openssl" ? crypto::make_openssl_srtp_kernel() : crypto::make_multi_buffer_srtp_kernel();
}

// One sender and one receiver under the same key.
struct Pair {
  explicit Pair(Profile profile_asked,
                std::unique_ptr<crypto::SrtpKernel> kernel = crypto::make_srtp_kernel(),
                ReceivePolicy policy = {})
      : profile(profile_asked),
        transform(std::move(kernel)),
        send(profile, make_master(profile), transform.kernel()),
        receive(profile, make_master(profile), transform.kernel(), policy) {}

  Result<Buffer, Refusal> protect_rtp(Bytes header, Bytes payload, std::uint8_t padding_bytes = 0,
                                      Bytes prefix = {}, bool is_repeat = false) {
    Buffer out(header.size() + prefix.size() + payload.size() + padding_bytes + kOverheadBytesMax);
    const Outcome outcome = transform.protect(RtpToProtect{.context = &send,
                                                           .header = header,
                                                           .prefix = prefix,
                                                           .payload = payload,
                                                           .padding_bytes = padding_bytes,
                                                           .is_repeat = is_repeat,
                                                           .out = out,
                                                           .outcome = {}});
    if (!outcome) return refuse(outcome.error());
    out.resize(*outcome);
    return out;
  }
  // A packet of SSRC 1.
  Buffer rtp(std::uint16_t sequence_number, std::size_t payload_bytes = 20) {
    return *protect_rtp(make_rtp_header(1, sequence_number), make_payload(payload_bytes));
  }
  Result<Buffer, Refusal> protect_rtcp(Bytes packet, bool is_encrypted = true) {
    Buffer out(packet.size() + kOverheadBytesMax);
    const Outcome outcome = transform.protect(RtcpToProtect{
        .context = &send, .packet = packet, .is_encrypted = is_encrypted, .out = out, .outcome = {}});
    if (!outcome) return refuse(outcome.error());
    out.resize(*outcome);
    return out;
  }
  Result<Buffer, Refusal> unprotect(Buffer packet) {
    PacketToUnprotect one{.context = &receive, .packet = packet, .outcome = {}};
    transform.unprotect({&one, 1});
    index = one.index;
    is_rtcp = one.is_rtcp;
    if (!one.outcome) return refuse(one.outcome.error());
    packet.resize(*one.outcome);
    return packet;
  }

  Profile profile;
  Transform transform;
  SendContext send;
  ReceiveContext receive;
  std::uint64_t index = 0;  // Of the last packet unprotected.
  bool is_rtcp = false;
};

inline void expect_refusal(const auto& result, Refusal refusal) {
  ASSERT_FALSE(result.has_value()) << "expected " << name_of(refusal);
  EXPECT_EQ(result.error(), refusal) << name_of(result.error());
}

// Tests that run for each profile with each kernel.
class EachTransform : public testing::TestWithParam<std::tuple<Profile, const char*>> {
 protected:
  void SetUp() override {
    if (!make_kernel(std::get<1>(GetParam()))) GTEST_SKIP() << "This processor or build has no libipsec-mb.";
  }
  Profile profile() const { return std::get<0>(GetParam()); }
  std::unique_ptr<crypto::SrtpKernel> kernel() const { return make_kernel(std::get<1>(GetParam())); }
};

inline std::string transform_name(const testing::TestParamInfo<std::tuple<Profile, const char*>>& tested) {
  return std::string(name_of(std::get<0>(tested.param))) + "_" + std::get<1>(tested.param);
}

}  // namespace stoa::srtp
