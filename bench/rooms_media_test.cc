#include "rooms_media.h"

#include <gtest/gtest.h>

#include "media/payload/vp8.h"

namespace stoa::bench {
namespace {

// A key frame begins with a byte whose lowest bit is 0.
Buffer make_vp8_frame(bool is_key, std::size_t size) {
  Buffer frame(size, 0x5a);
  frame[0] = is_key ? 0x10 : 0x11;
  return frame;
}

Buffer make_ivf(const std::vector<Buffer>& frames) {
  Buffer file(32);
  const char name[] = "DKIF";
  std::copy(name, name + 4, file.begin());
  for (const Buffer& frame : frames) {
    Buffer head(12);
    head[0] = static_cast<std::uint8_t>(frame.size());
    head[1] = static_cast<std::uint8_t>(frame.size() >> 8);
    file.insert(file.end(), head.begin(), head.end());
    file.insert(file.end(), frame.begin(), frame.end());
  }
  return file;
}

TEST(RoomsMedia, reads_the_frames_of_ivf) {
  auto clip = parse_ivf(make_ivf({make_vp8_frame(true, 3000), make_vp8_frame(false, 40)}), 30);
  ASSERT_TRUE(clip) << clip.error();
  ASSERT_EQ(clip->frames.size(), 2u);
  EXPECT_TRUE(clip->frames[0].is_key);
  EXPECT_FALSE(clip->frames[1].is_key);
  EXPECT_EQ(clip->frames[0].slices[0], make_vp8_frame(true, 3000));
}

TEST(RoomsMedia, refuses_what_is_no_ivf_or_begins_in_the_middle) {
  EXPECT_FALSE(parse_ivf(Buffer(100), 30));
  EXPECT_FALSE(parse_ivf(make_ivf({}), 30));
  EXPECT_FALSE(parse_ivf(make_ivf({make_vp8_frame(false, 40)}), 30));
  Buffer cut = make_ivf({make_vp8_frame(true, 3000), make_vp8_frame(false, 40)});
  cut.resize(cut.size() - 1);
  EXPECT_EQ(parse_ivf(cut, 30)->frames.size(), 1u);
}

TEST(RoomsMedia, the_stamp_of_a_vp8_frame_lies_whole_in_its_last_packet_and_outlives_new_picture_ids) {
  constexpr std::size_t kPayloadBytesMax = 1160;
  RoomsClip clip{.layer = {}, .encoding = payload::Encoding::kVp8, .clip = {}};
  // All sizes around those at which another packet begins.
  for (std::size_t size : {10, 1100, 1113, 1114, 1115, 1157, 1158, 2230, 2270, 2314, 9000}) {
    Clip::Frame frame{.sets = {}, .slices = {make_vp8_frame(true, size)}, .checksum = 77, .is_key = true};
    RtcStamp stamp{.publisher = 3, .frame = 9, .unix_ns = 1'234'567'890'123, .checksum = 0};
    payload::PayloadList list;
    packetize(clip, frame, stamp, 1000, kPayloadBytesMax, list);
    ASSERT_FALSE(list.empty());
    EXPECT_TRUE(list.has_marker(list.size() - 1));
    for (std::size_t i = 0; i < list.size(); ++i) {
      EXPECT_LE(list[i].size(), kPayloadBytesMax);
      Buffer bytes(list[i].begin(), list[i].end());
      auto parsed = payload::parse_vp8(bytes);
      ASSERT_TRUE(parsed);
      payload::overwrite_vp8_ids(bytes, *parsed, {.picture_id = 7, .tl0_index = 1, .key_index = 1});
      auto found = find_stamp(bytes);
      EXPECT_EQ(found.has_value(), i + 1 == list.size()) << size << " bytes, packet " << i;
      stamp.checksum = 77;
      if (found) {
        EXPECT_EQ(*found, stamp);
      }
    }
  }
}

TEST(RoomsMedia, has_three_layers_each_twice_as_wide_as_the_one_before) {
  auto layers = simulcast_layers();
  ASSERT_EQ(layers.size(), 3u);
  for (std::size_t i = 1; i < layers.size(); ++i) {
    EXPECT_EQ(layers[i].width, 2 * layers[i - 1].width);
    EXPECT_EQ(layers[i].height, 2 * layers[i - 1].height);
  }
}

}  // namespace
}  // namespace stoa::bench
