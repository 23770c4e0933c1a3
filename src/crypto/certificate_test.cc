#include "crypto/certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

namespace stoa::crypto {
namespace {

constexpr WallTime kNow = WallTime::from_seconds(1'800'000'000);
constexpr Duration kMonth = Duration::seconds(30 * 86'400);

// Reads the texts back as a TLS server and its client would.
struct ReadBack {
  X509* certificate = nullptr;
  EVP_PKEY* key = nullptr;

  explicit ReadBack(const CertificatePem& pem) {
    BIO* memory = BIO_new_mem_buf(pem.certificate.data(), static_cast<int>(pem.certificate.size()));
    certificate = PEM_read_bio_X509(memory, nullptr, nullptr, nullptr);
    BIO_free(memory);
    memory = BIO_new_mem_buf(pem.private_key.data(), static_cast<int>(pem.private_key.size()));
    key = PEM_read_bio_PrivateKey(memory, nullptr, nullptr, nullptr);
    BIO_free(memory);
  }
  ~ReadBack() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  bool is_for_host(const char* name) const { return X509_check_host(certificate, name, 0, 0, nullptr) == 1; }
  bool is_for_address(const char* name) const { return X509_check_ip_asc(certificate, name, 0) == 1; }
};

TEST(SelfSignedCertificate, speaks_for_this_machine_and_the_names_given) {
  auto pem = make_self_signed_certificate(kNow, kMonth,
                                          {"video.example", "*.cdn.example", "192.0.2.7", "2001:db8::5"});
  ASSERT_TRUE(pem);
  ReadBack read(*pem);
  ASSERT_TRUE(read.certificate && read.key);
  for (const char* name : {"localhost", "video.example", "a.cdn.example"})
    EXPECT_TRUE(read.is_for_host(name)) << name;
  for (const char* name : {"127.0.0.1", "::1", "192.0.2.7", "2001:db8::5"})
    EXPECT_TRUE(read.is_for_address(name)) << name;
  EXPECT_FALSE(read.is_for_host("other.example"));
  EXPECT_FALSE(read.is_for_address("192.0.2.8"));
}

TEST(SelfSignedCertificate, is_signed_by_its_own_p256_key) {
  auto pem = make_self_signed_certificate(kNow, kMonth, {});
  ReadBack read(*pem);
  EXPECT_EQ(X509_check_private_key(read.certificate, read.key), 1);
  EXPECT_EQ(X509_verify(read.certificate, read.key), 1);
  EXPECT_EQ(X509_get_signature_nid(read.certificate), NID_ecdsa_with_SHA256);
  char group[32] = {};
  std::size_t length = 0;
  EVP_PKEY_get_group_name(read.key, group, sizeof group, &length);
  EXPECT_STREQ(group, "prime256v1");
  EXPECT_EQ(X509_check_ca(read.certificate), 0);
  EXPECT_EQ(X509_check_purpose(read.certificate, X509_PURPOSE_SSL_SERVER, 0), 1);
}

TEST(SelfSignedCertificate, holds_from_an_hour_before_now_for_its_lifetime) {
  auto pem = make_self_signed_certificate(kNow, kMonth, {});
  ReadBack read(*pem);
  const auto compare = [](const ASN1_TIME* time, WallTime expected) {
    return ASN1_TIME_cmp_time_t(time, expected.seconds());
  };
  EXPECT_EQ(compare(X509_get0_notBefore(read.certificate), kNow - Duration::seconds(3600)), 0);
  EXPECT_EQ(compare(X509_get0_notAfter(read.certificate), kNow + kMonth), 0);
}

TEST(SelfSignedCertificate, has_a_new_key_and_number_each_time) {
  auto one = make_self_signed_certificate(kNow, kMonth, {});
  auto two = make_self_signed_certificate(kNow, kMonth, {});
  EXPECT_NE(one->private_key, two->private_key);
  ReadBack first(*one), second(*two);
  EXPECT_NE(
      ASN1_INTEGER_cmp(X509_get0_serialNumber(first.certificate), X509_get0_serialNumber(second.certificate)),
      0);
}

TEST(WebrtcCertificate, is_signed_by_its_own_p256_key_and_names_nobody) {
  ReadBack read(make_webrtc_certificate(kNow, kMonth));
  ASSERT_TRUE(read.certificate && read.key);
  EXPECT_EQ(X509_check_private_key(read.certificate, read.key), 1);
  EXPECT_EQ(X509_verify(read.certificate, read.key), 1);
  EXPECT_EQ(X509_get_ext_by_NID(read.certificate, NID_subject_alt_name, -1), -1);
  EXPECT_FALSE(read.is_for_host("localhost"));
  for (int purpose : {X509_PURPOSE_SSL_SERVER, X509_PURPOSE_SSL_CLIENT})
    EXPECT_EQ(X509_check_purpose(read.certificate, purpose, 0), 1);
  EXPECT_EQ(ASN1_TIME_cmp_time_t(X509_get0_notAfter(read.certificate), (kNow + kMonth).seconds()), 0);
}

TEST(SelfSignedCertificate, refuses_names_that_are_none) {
  const std::string wrong[] = {"",
                               "two words",
                               "a,DNS:b.example",
                               "-a.example",
                               "a-.example",
                               "a..example",
                               "a.example.",
                               "*",
                               "a.*.example",
                               "999.1.1.1",
                               "1.2.3",
                               "http://a",
                               std::string("a\0b", 3),
                               std::string(64, 'a'),
                               std::string(254, 'a')};
  for (const std::string& name : wrong) {
    auto pem = make_self_signed_certificate(kNow, kMonth, {name});
    ASSERT_FALSE(pem) << name;
    EXPECT_EQ(pem.error(), CertificateRefusal::kBadName) << name;
  }
}

TEST(SelfSignedCertificate, refuses_too_many_names_and_no_lifetime) {
  std::vector<std::string> many(kCertificateNamesMax, "a.example");
  EXPECT_TRUE(make_self_signed_certificate(kNow, kMonth, many));
  many.push_back("a.example");
  EXPECT_EQ(make_self_signed_certificate(kNow, kMonth, many).error(), CertificateRefusal::kTooManyNames);
  EXPECT_EQ(make_self_signed_certificate(kNow, Duration(), {}).error(), CertificateRefusal::kBadLifetime);
}

}  // namespace
}  // namespace stoa::crypto
