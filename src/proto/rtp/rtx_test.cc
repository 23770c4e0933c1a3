#include "proto/rtp/rtx.h"

#include <gtest/gtest.h>

#include <array>

#include "proto/rtp/packet.h"
#include "proto/rtp/test_bytes.h"

namespace stoa::rtp {
namespace {

const Buffer kOriginal = from_hex("b1 e0 1234 89abcdef 11223344 a0a1a2a3 bede0001 10aa0000 010203 0002");
const Buffer kRetransmission =
    from_hex("b1 e1 0007 89abcdef 55667788 a0a1a2a3 bede0001 10aa0000 1234 010203 0002");

TEST(Rtx, puts_the_original_sequence_number_before_the_payload) {
  std::array<std::uint8_t, 64> out{};
  auto size = write_rtx(kOriginal, {.ssrc = 0x55667788, .payload_type = 97}, 7, out);
  ASSERT_TRUE(size);
  EXPECT_EQ(copy(Bytes(out).first(*size)), kRetransmission);
}

TEST(Rtx, becomes_the_original_again_in_place) {
  Buffer bytes = kRetransmission;
  auto restored = restore_rtx(bytes, {.ssrc = 0x11223344, .payload_type = 96});
  ASSERT_TRUE(restored);
  EXPECT_EQ(copy(*restored), kOriginal);
}

TEST(Rtx, without_an_original_is_refused) {
  Buffer padding_only = from_hex("a0 61 0007 89abcdef 55667788 00000004");
  EXPECT_EQ(restore_rtx(padding_only, {}).error(), Refusal::kNoOriginal);
  Buffer one_byte = from_hex("80 61 0007 89abcdef 55667788 12");
  EXPECT_EQ(restore_rtx(one_byte, {}).error(), Refusal::kNoOriginal);
  Buffer bare_original = from_hex("80 61 0007 89abcdef 55667788 1234");
  EXPECT_TRUE(restore_rtx(bare_original, {}));
}

TEST(Rtx, does_not_write_over_the_room_it_has) {
  Buffer out(kOriginal.size() + 1);
  EXPECT_EQ(write_rtx(kOriginal, {}, 7, out).error(), Refusal::kNoRoom);
  EXPECT_EQ(write_rtx(from_hex("80"), {}, 7, out).error(), Refusal::kTruncated);
}

}  // namespace
}  // namespace stoa::rtp
