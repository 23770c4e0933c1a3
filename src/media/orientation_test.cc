#include "media/orientation.h"

#include <gtest/gtest.h>

namespace stoa::media {
namespace {

Format format_of(Codec codec) {
  Buffer config(codec == Codec::kHevc ? 23 : 7, 0);
  config[codec == Codec::kHevc ? 21 : 4] = 3;  // Lengths of four bytes.
  return {.codec = codec, .config = SharedBytes(std::move(config))};
}
Buffer unit(std::initializer_list<Buffer> nals) {
  Buffer all;
  for (const Buffer& nal : nals) {
    const auto high = static_cast<std::uint8_t>(nal.size() >> 8), low = static_cast<std::uint8_t>(nal.size());
    all.insert(all.end(), {0, 0, high, low});
    all.insert(all.end(), nal.begin(), nal.end());
  }
  return all;
}
const Buffer kSlice{0x65, 0x88, 0x84};

// The messages are as `h264_metadata=display_orientation=insert:rotate=…` of ffmpeg 5.1 writes them.
TEST(Orientation, is_read_of_h264) {
  struct Case {
    std::uint8_t first;  // Byte of the message.
    Orientation orientation;
  };
  for (const Case& each : {Case{0x08, {1, false}}, Case{0x10, {2, false}}, Case{0x18, {3, false}},
                           Case{0x40, {0, true}}, Case{0x60, {2, false}}, Case{0x80, {0, false}}}) {
    const Buffer message{0x2f, 0x03, each.first, 0x00, 0x09, 0x80};
    Buffer alone{0x06};
    alone.insert(alone.end(), message.begin(), message.end());
    EXPECT_EQ(read_orientation(format_of(Codec::kH264), unit({alone, kSlice})), each.orientation)
        << int(each.first);
    // Behind one of another type, of more than 255 bytes, and with what is no message.
    Buffer behind{0x06, 0x05, 0xff, 0x2d};
    behind.insert(behind.end(), 255 + 0x2d, 0x2f);
    behind.insert(behind.end(), message.begin(), message.end());
    const Buffer large = unit({behind});
    EXPECT_EQ(read_orientation(format_of(Codec::kH264), large), each.orientation) << int(each.first);
    // Cut anywhere it says nothing, and does no harm.
    for (std::size_t left = 0; left + 3 < large.size(); ++left)
      EXPECT_EQ(read_orientation(format_of(Codec::kH264), Bytes(large).first(left)), Orientation());
  }
}

// By ITU-T H.265 §7.3.5 and §D.2.17: the message ends in a flag, and a bit that is 1 aligns it.
TEST(Orientation, is_read_of_hevc) {
  const Buffer sei{0x4e, 0x01, 0x2f, 0x03, 0x08, 0x00, 0x18, 0x80};
  EXPECT_EQ(read_orientation(format_of(Codec::kHevc), unit({sei, {0x26, 0x01, 0xaf}})),
            (Orientation{1, false}));
}

TEST(Orientation, is_to_the_nearest_quarter) {
  // 44 and 46 degrees: 8,010 and 8,374 of 2^16.
  EXPECT_EQ(read_orientation(format_of(Codec::kH264), unit({{0x06, 0x2f, 0x03, 0x03, 0xe9, 0x49, 0x80}})),
            (Orientation{0, false}));
  EXPECT_EQ(read_orientation(format_of(Codec::kH264), unit({{0x06, 0x2f, 0x03, 0x04, 0x16, 0xc9, 0x80}})),
            (Orientation{1, false}));
}

TEST(Orientation, is_upright_where_nothing_is_said) {
  EXPECT_EQ(read_orientation(format_of(Codec::kH264), unit({kSlice})), Orientation());
  EXPECT_EQ(read_orientation(format_of(Codec::kVp9), unit({kSlice})), Orientation());
  EXPECT_EQ(read_orientation(format_of(Codec::kH264), {}), Orientation());
  EXPECT_EQ(read_orientation({.codec = Codec::kH264}, unit({kSlice})), Orientation());
}

}  // namespace
}  // namespace stoa::media
