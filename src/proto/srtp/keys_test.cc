#include "proto/srtp/keys.h"

#include <gtest/gtest.h>

#include "proto/srtp/test_srtp.h"

namespace stoa::srtp {
namespace {

TEST(SessionKeys, are_those_of_rfc_3711_b_3) {
  const MasterKey master{.key = crypto::Secret<32>(bytes_of("e1f97a0d3e018be0d64fa32c06de4139")),
                         .salt = crypto::Secret<14>(bytes_of("0ec675ad498afeebb6960b3aabe6"))};
  const SessionKeys keys = derive_session_keys(Profile::kAes128CmHmacSha1_80, master);
  EXPECT_EQ(hex_of(keys.rtp.key.view()), "c61e7a93744f39ee10734afe3ff7a087");
  EXPECT_EQ(hex_of(keys.rtp.salt.view()), "30cbbc08863d8c85d49db34a9ae1");
  EXPECT_EQ(hex_of(keys.rtp.authentication_key.view()), "cebe321f6ff7716b6fd4ab49af256a156d38baa4");
}

TEST(SessionKeys, have_the_lengths_of_their_profile_and_all_differ) {
  for (Profile profile : kAllProfiles) {
    const ProfileShape shape = shape_of(profile);
    const SessionKeys keys = derive_session_keys(profile, make_master(profile));
    for (const SessionKey* key : {&keys.rtp, &keys.rtcp}) {
      EXPECT_EQ(key->key.size(), shape.key_bytes);
      EXPECT_EQ(key->salt.size(), shape.salt_bytes);
      EXPECT_EQ(key->authentication_key.size(), shape.authentication_key_bytes);
    }
    EXPECT_NE(hex_of(keys.rtp.key.view()), hex_of(keys.rtcp.key.view()));
    EXPECT_NE(hex_of(keys.rtp.salt.view()), hex_of(keys.rtcp.salt.view()));
    EXPECT_NE(hex_of(keys.rtp.key.view()).substr(0, 20), hex_of(keys.rtp.salt.view()).substr(0, 20));
  }
}

TEST(KeyingMaterial, is_both_keys_and_then_both_salts) {
  for (Profile profile : kAllProfiles) {
    const ProfileShape shape = shape_of(profile);
    Buffer material(exporter_bytes(profile));
    for (std::size_t i = 0; i < material.size(); ++i) material[i] = static_cast<std::uint8_t>(i);
    const auto keys = split_keying_material(profile, material);
    ASSERT_TRUE(keys);
    const Bytes whole(material);
    EXPECT_EQ(hex_of(keys->client.key.view()), hex_of(whole.first(shape.key_bytes)));
    EXPECT_EQ(hex_of(keys->server.key.view()), hex_of(whole.subspan(shape.key_bytes, shape.key_bytes)));
    EXPECT_EQ(hex_of(keys->client.salt.view()), hex_of(whole.subspan(2 * shape.key_bytes, shape.salt_bytes)));
    EXPECT_EQ(hex_of(keys->server.salt.view()), hex_of(whole.last(shape.salt_bytes)));
  }
}

TEST(KeyingMaterial, has_the_length_that_its_profile_needs) {
  EXPECT_EQ(exporter_bytes(Profile::kAes128CmHmacSha1_80), 60u);
  EXPECT_EQ(exporter_bytes(Profile::kAeadAes128Gcm), 56u);
  EXPECT_EQ(exporter_bytes(Profile::kAeadAes256Gcm), 88u);
  expect_refusal(split_keying_material(Profile::kAeadAes128Gcm, Buffer(60)), Refusal::kBadKeyingMaterial);
  expect_refusal(split_keying_material(Profile::kAeadAes128Gcm, {}), Refusal::kBadKeyingMaterial);
}

TEST(Profile, is_found_by_its_value_in_use_srtp) {
  for (Profile profile : kAllProfiles) EXPECT_EQ(find_profile(static_cast<std::uint16_t>(profile)), profile);
  for (std::uint16_t value : {0, 3, 5, 6, 9, 0xffff}) EXPECT_EQ(find_profile(value), std::nullopt) << value;
  EXPECT_STREQ(name_of(kPreferredProfiles[0]), "AEAD_AES_128_GCM");
}

TEST(Profile, adds_to_packets_what_its_rfc_says) {
  EXPECT_EQ(rtp_overhead_bytes(Profile::kAes128CmHmacSha1_80), 10u);
  EXPECT_EQ(rtp_overhead_bytes(Profile::kAes128CmHmacSha1_32), 4u);
  EXPECT_EQ(rtp_overhead_bytes(Profile::kAeadAes256Gcm), 16u);
  EXPECT_EQ(rtcp_overhead_bytes(Profile::kAes128CmHmacSha1_32),
            14u);  // RFC 5764 §4.1.2: SRTCP keeps 80 bits.
  EXPECT_EQ(rtcp_overhead_bytes(Profile::kAeadAes128Gcm), 20u);
}

}  // namespace
}  // namespace stoa::srtp
