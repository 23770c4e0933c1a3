#include "proto/dtls/srtp_profile.h"

#include <gtest/gtest.h>

#include <numeric>

namespace stoa::dtls {
namespace {

Buffer counting(std::size_t count) {
  Buffer bytes(count);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

// RFC 5764 §4.2: client key, server key, client salt, server salt; RFC 7714 §12 for the sizes of GCM.
TEST(SrtpKeys, are_cut_from_the_material_in_the_order_of_the_rfc) {
  struct {
    SrtpProfile profile;
    std::size_t key, salt;
  } rows[] = {{SrtpProfile::kAes128CmHmacSha1_80, 16, 14},
              {SrtpProfile::kAeadAes128Gcm, 16, 12},
              {SrtpProfile::kAeadAes256Gcm, 32, 12}};
  for (auto& row : rows) {
    Buffer material = counting(2 * (row.key + row.salt));
    SrtpKeys client = split_srtp_material(row.profile, true, material);
    SrtpKeys server = split_srtp_material(row.profile, false, material);
    EXPECT_EQ(client.profile, row.profile);
    for (auto [key, at] :
         {std::pair{client.local.key(), std::size_t{0}}, std::pair{client.remote.key(), row.key}}) {
      ASSERT_EQ(key.size(), row.key);
      EXPECT_EQ(key[0], at);
    }
    for (auto [salt, at] : {std::pair{client.local.salt(), 2 * row.key},
                            std::pair{client.remote.salt(), 2 * row.key + row.salt}}) {
      ASSERT_EQ(salt.size(), row.salt);
      EXPECT_EQ(salt[0], at);
    }
    EXPECT_EQ(server.local.key()[0], client.remote.key()[0]);
    EXPECT_EQ(server.remote.salt()[0], client.local.salt()[0]);
  }
}

TEST(SrtpProfiles, are_preferred_gcm_128_then_gcm_256_then_cm) {
  EXPECT_EQ(openssl_names(all_srtp_profiles()),
            "SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80");
}

TEST(SrtpProfiles, are_found_in_a_well_formed_offer_only) {
  const std::vector<SrtpProfile> gcm = {SrtpProfile::kAeadAes128Gcm};
  struct {
    Buffer extension;
    bool is_offered;
  } rows[] = {
      {{0, 2, 0, 7, 0}, true},
      {{0, 4, 0, 1, 0, 7, 0}, true},
      {{0, 2, 0, 7, 2, 0xaa, 0xbb}, true},  // With an MKI.
      {{0, 2, 0, 1, 0}, false},
      {{0, 0, 0}, false},
      {{}, false},
      {{0, 2, 0, 7}, false},
      {{0, 2, 0, 7, 1}, false},
      {{0, 2, 0, 7, 0, 0}, false},
      {{0, 3, 0, 7, 0, 0}, false},
      {{0, 200, 0, 7, 0}, false},
  };
  for (auto& row : rows) EXPECT_EQ(offers_srtp_profile(row.extension, gcm), row.is_offered);
}

}  // namespace
}  // namespace stoa::dtls
