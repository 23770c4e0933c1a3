#include "media/bit_reader.h"

#include <gmock/gmock.h>

#include "media/language.h"
#include "media/nal.h"

namespace stoa::media {
namespace {

using testing::ElementsAre;

TEST(BitReader, reads_fields_across_bytes) {
  Buffer bytes = {0b10110011, 0b01010101, 0xff, 0x00, 0x12, 0x34};
  BitReader bits(bytes);
  EXPECT_EQ(bits.u(3), 0b101u);
  EXPECT_EQ(bits.u(7), 0b1001101u);
  EXPECT_EQ(bits.u(0), 0u);
  bits.skip(6);
  EXPECT_EQ(bits.u(32), 0xff001234u);
  EXPECT_TRUE(bits.ok());
  EXPECT_EQ(bits.bits_left(), 0u);
  EXPECT_EQ(bits.u(1), 0u);
  EXPECT_FALSE(bits.ok());
}

TEST(BitReader, stays_failed_and_gives_zeros) {
  Buffer bytes = {0xff};
  BitReader bits(bytes);
  EXPECT_EQ(bits.u(9), 0u);
  EXPECT_EQ(bits.u(1), 0u);
  EXPECT_EQ(bits.ue(), 0u);
  EXPECT_FALSE(bits.ok());
}

TEST(BitReader, reads_exponential_golomb_codes) {
  // 1 | 010 | 011 | 00100 | 1 (se 0) | 010 (se 1) | 011 (se -1)
  Buffer bytes = {0b10100110, 0b01001010, 0b01100000};
  BitReader bits(bytes);
  EXPECT_EQ(bits.ue(), 0u);
  EXPECT_EQ(bits.ue(), 1u);
  EXPECT_EQ(bits.ue(), 2u);
  EXPECT_EQ(bits.ue(), 3u);
  EXPECT_EQ(bits.se(), 0);
  EXPECT_EQ(bits.se(), 1);
  EXPECT_EQ(bits.se(), -1);
}

TEST(BitReader, reads_the_longest_code_and_refuses_a_longer_one) {
  Buffer longest = {0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff};
  BitReader bits(longest);
  EXPECT_EQ(bits.ue(), 0xfffffffeu);
  EXPECT_TRUE(bits.ok());
  Buffer longer = {0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0};
  BitReader refused(longer);
  EXPECT_EQ(refused.ue(), 0u);
  EXPECT_FALSE(refused.ok());
}

TEST(Nal, loses_its_emulation_prevention_bytes_and_no_others) {
  EXPECT_THAT(unescape(Buffer{1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 3, 0, 3}),
              ElementsAre(1, 0, 0, 1, 0, 0, 0, 0, 3, 0, 3));
  EXPECT_THAT(unescape(Buffer{1, 2, 3, 4, 5}, 2), ElementsAre(1, 2));
}

TEST(Nal, loses_zeros_behind_it) {
  Buffer nal = {0x67, 1, 0, 0};
  EXPECT_EQ(trim_trailing_zeros(nal).size(), 2u);
  EXPECT_EQ(trim_trailing_zeros(Bytes{}).size(), 0u);
}

TEST(Language, becomes_three_letters) {
  EXPECT_EQ(iso639_2_of("en"), "eng");
  EXPECT_EQ(iso639_2_of("de"), "deu");
  EXPECT_EQ(iso639_2_of("pt-BR"), "por");
  EXPECT_EQ(iso639_2_of("ZH-Hant"), "zho");
  EXPECT_EQ(iso639_2_of("zu"), "zul");
  EXPECT_EQ(iso639_2_of("aa"), "aar");
  EXPECT_EQ(iso639_2_of("fil"), "fil");
}

TEST(Language, is_undetermined_when_it_has_no_code) {
  for (const char* tag : {"", "x", "xx", "e-n", "12", "english", "1ab", "-"})
    EXPECT_EQ(iso639_2_of(tag), "und") << tag;
}

}  // namespace
}  // namespace stoa::media
