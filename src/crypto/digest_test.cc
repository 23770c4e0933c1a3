#include "crypto/digest.h"

#include <gtest/gtest.h>

#include "crypto/text.h"

namespace stoa::crypto {
namespace {

std::string hex_of(const Sha256Digest& digest) { return write_hex(digest); }
Buffer bytes_of(std::string_view hex) { return *parse_hex(hex); }

TEST(Sha256, gives_the_values_of_fips_180_4) {
  EXPECT_EQ(hex_of(sha256(as_bytes(""))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex_of(sha256(Buffer(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

struct HmacCase {
  const char* name;
  Buffer key;
  Buffer message;
  const char* digest;
};

TEST(HmacSha256, gives_the_values_of_rfc_4231) {
  const Buffer twenty_aa(20, 0xaa), long_key(131, 0xaa);
  const HmacCase cases[] = {
      {"4.2", Buffer(20, 0x0b), bytes_of("4869205468657265"),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"4.3", bytes_of("4a656665"), bytes_of("7768617420646f2079612077616e7420666f72206e6f7468696e673f"),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {"4.4", twenty_aa, Buffer(50, 0xdd),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {"4.5", bytes_of("0102030405060708090a0b0c0d0e0f10111213141516171819"), Buffer(50, 0xcd),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {"4.7", long_key,
       bytes_of("54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d20486173"
                "68204b6579204669727374"),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"4.8", long_key,
       bytes_of("5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a"
                "65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a6520646174612e20546865"
                "206b6579206e6565647320746f20626520686173686564206265666f7265206265696e672075736564206279"
                "2074686520484d414320616c676f726974686d2e"),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"}};
  for (const HmacCase& c : cases) EXPECT_EQ(hex_of(hmac_sha256(c.key, c.message)), c.digest) << c.name;
}

TEST(HmacSha256, takes_an_empty_key_and_message) {
  EXPECT_EQ(hex_of(hmac_sha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(ConstantTimeEquality, is_equality) {
  EXPECT_TRUE(is_equal_constant_time({}, {}));
  EXPECT_TRUE(is_equal_constant_time(as_bytes("secret"), as_bytes("secret")));
  EXPECT_FALSE(is_equal_constant_time(as_bytes("secret"), as_bytes("secreT")));
  EXPECT_FALSE(is_equal_constant_time(as_bytes("secret"), as_bytes("Secret")));
  EXPECT_FALSE(is_equal_constant_time(as_bytes("secret"), as_bytes("secret!")));
  EXPECT_FALSE(is_equal_constant_time(as_bytes("secret"), {}));
}

}  // namespace
}  // namespace stoa::crypto
