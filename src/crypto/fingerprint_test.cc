#include "crypto/fingerprint.h"

#include <gtest/gtest.h>

#include <vector>

#include "crypto/text.h"

namespace stoa::crypto {
namespace {

// The examples of RFC 4572 §5 and RFC 8122 §5.
constexpr const char* kSha1Example = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";
constexpr const char* kSha256Example =
    "sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD";

TEST(Fingerprint, reads_and_writes_the_examples_of_the_rfcs) {
  auto one = parse_fingerprint(kSha1Example);
  ASSERT_TRUE(one);
  EXPECT_EQ(one->hash(), FingerprintHash::kSha1);
  EXPECT_EQ(write_hex(one->digest()), "4aadb9b13f82183b540212df3e5d496b19e57cab");
  EXPECT_EQ(write_fingerprint(*one), kSha1Example);
  auto two = parse_fingerprint(kSha256Example);
  ASSERT_TRUE(two);
  EXPECT_EQ(write_fingerprint(*two), kSha256Example);
  EXPECT_NE(*one, *two);
}

TEST(Fingerprint, reads_letters_of_either_case_as_the_same) {
  std::string lower = kSha256Example, upper = kSha256Example;
  for (char& c : lower) c = static_cast<char>(std::tolower(c));
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(parse_fingerprint(lower), parse_fingerprint(kSha256Example));
  EXPECT_EQ(parse_fingerprint(upper), parse_fingerprint(kSha256Example));
}

// FIPS 180-4, "abc".
TEST(Fingerprint, is_the_digest_that_its_hash_makes) {
  auto digest = [](FingerprintHash hash) {
    return write_hex(make_fingerprint(hash, as_bytes("abc")).digest());
  };
  EXPECT_EQ(digest(FingerprintHash::kSha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(digest(FingerprintHash::kSha224), "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
  EXPECT_EQ(digest(FingerprintHash::kSha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(
      digest(FingerprintHash::kSha384),
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
  EXPECT_EQ(digest(FingerprintHash::kSha512),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
            "454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Fingerprint, refuses_what_is_no_fingerprint) {
  using enum FingerprintRefusal;
  struct {
    const char* text;
    FingerprintRefusal refusal;
  } rows[] = {
      {"", kMalformed},
      {"sha-256", kMalformed},
      {"sha-256 ", kMalformed},
      {" 4A:AD", kMalformed},
      {"sha-1 4AAD", kMalformed},
      {"sha-1 4A:AD:", kMalformed},
      {"sha-1 4A:A", kMalformed},
      {"sha-1 4A AD", kMalformed},
      {"sha-1  4A:AD", kMalformed},
      {"sha-1 4G:AD", kMalformed},
      {"sha-1 4A:AD", kWrongLength},
      {"sha-256 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB", kWrongLength},
      {"md5 4A:AD", kWeakHash},
      {"MD2 4A:AD", kWeakHash},
      {"sha-3 4A:AD", kUnknownHash},
  };
  for (auto& row : rows) {
    auto parsed = parse_fingerprint(row.text);
    ASSERT_FALSE(parsed) << row.text;
    EXPECT_EQ(parsed.error(), row.refusal) << row.text << ": " << name_of(parsed.error());
  }
  EXPECT_EQ(parse_fingerprint("sha-1 " + std::string(1'000'000, 'A')).error(), kMalformed);
}

TEST(Fingerprint, matches_any_of_the_best_hash_and_none_of_a_worse_one) {
  Bytes ours = as_bytes("our certificate"), other = as_bytes("another");
  Fingerprint good = make_fingerprint(FingerprintHash::kSha256, ours);
  Fingerprint bad = make_fingerprint(FingerprintHash::kSha256, other);
  Fingerprint good_sha1 = make_fingerprint(FingerprintHash::kSha1, ours);
  Fingerprint bad_sha512 = make_fingerprint(FingerprintHash::kSha512, other);
  EXPECT_TRUE(matches_fingerprint(ours, std::vector{good}));
  EXPECT_TRUE(matches_fingerprint(ours, std::vector{bad, good}));
  EXPECT_TRUE(matches_fingerprint(ours, std::vector{good_sha1}));
  EXPECT_FALSE(matches_fingerprint(ours, std::vector{good_sha1, bad}));
  EXPECT_FALSE(matches_fingerprint(ours, std::vector{good, bad_sha512}));
  EXPECT_FALSE(matches_fingerprint(ours, {}));
}

}  // namespace
}  // namespace stoa::crypto
