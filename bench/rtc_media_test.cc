#include "rtc_media.h"

#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

Buffer nal(std::uint8_t header, std::size_t size, bool begins_picture = true) {
  Buffer bytes(size, 0x5a);
  bytes[0] = header;
  bytes[1] = begins_picture ? 0x80 : 0x40;
  return bytes;
}

Buffer annex_b(const std::vector<Buffer>& nals) {
  Buffer bytes;
  for (const Buffer& each : nals) {
    for (std::uint8_t code : {0, 0, 0, 1}) bytes.push_back(code);
    bytes.insert(bytes.end(), each.begin(), each.end());
  }
  return bytes;
}

Clip two_frames() {
  auto clip = parse_clip(annex_b({nal(9, 2), nal(0x67, 10), nal(0x68, 5), nal(6, 30), nal(0x65, 5000),
                                  nal(9, 2), nal(0x41, 700), nal(0x41, 800, false), nal(0x65, 90)}),
                         30);
  EXPECT_TRUE(clip.has_value());
  return clip ? *clip : Clip();
}

TEST(Clip, is_taken_apart_into_frames) {
  Clip clip = two_frames();
  ASSERT_EQ(clip.frames.size(), 3u);
  EXPECT_TRUE(clip.frames[0].is_key);
  EXPECT_EQ(clip.frames[0].sets.size(), 2u);
  EXPECT_EQ(clip.frames[0].slices.size(), 1u);
  EXPECT_FALSE(clip.frames[1].is_key);
  EXPECT_EQ(clip.frames[1].slices.size(), 2u);
  EXPECT_EQ(clip.frames[2].sets.size(), 2u);  // It came without; the last ones hold.
}

TEST(Clip, must_begin_with_a_key_frame) {
  EXPECT_FALSE(parse_clip(annex_b({nal(0x41, 700)}), 30).has_value());
  EXPECT_FALSE(parse_clip(annex_b({nal(0x65, 700)}), 30).has_value());
  EXPECT_FALSE(parse_clip({}, 30).has_value());
}

TEST(Clip, frames_come_out_of_their_packets_with_stamp_and_proof) {
  for (const Clip::Frame& frame : two_frames().frames) {
    payload::PayloadList list;
    RtcStamp stamp{.publisher = 3, .frame = 9, .unix_ns = 77};
    packetize(frame, stamp, 1150, list);
    std::vector<Buffer> copies;
    for (std::size_t i = 0; i < list.size(); ++i) {
      EXPECT_LE(list[i].size(), 1150u);
      EXPECT_EQ(list.has_marker(i), i + 1 == list.size());
      copies.emplace_back(list[i].begin(), list[i].end());
    }
    EXPECT_TRUE(find_stamp(copies[0]).has_value());  // With the first packet.
    std::vector<Bytes> payloads(copies.begin(), copies.end());
    FrameCheck check = check_frame(payloads);
    ASSERT_TRUE(check.stamp.has_value());
    EXPECT_EQ(check.stamp->frame, 9u);
    EXPECT_EQ(check.is_key, frame.is_key);
    EXPECT_TRUE(check.is_intact);
    copies.back().back() ^= 1;
    EXPECT_FALSE(check_frame(payloads).is_intact);
  }
}

}  // namespace
}  // namespace stoa::bench
