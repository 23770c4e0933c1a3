#include "rtc_stamp.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace stoa::bench {
namespace {

RtcStamp any_stamp() {
  return {.publisher = 0x01020304, .frame = 0xffff'fffe, .unix_ns = 1'800'000'000'123'456'789, .checksum = 7};
}

TEST(RtcStamp, is_found_again_between_other_bytes) {
  Buffer bytes = {1, 2, 3};
  Buffer stamp = write_stamp(any_stamp());
  EXPECT_EQ(stamp.size(), kRtcStampBytes);
  bytes.insert(bytes.end(), stamp.begin(), stamp.end());
  bytes.push_back(9);
  EXPECT_EQ(find_stamp(bytes), any_stamp());
  bytes.pop_back();
  EXPECT_EQ(find_stamp(bytes), any_stamp());
  bytes.pop_back();
  EXPECT_EQ(find_stamp(bytes), std::nullopt);
  EXPECT_EQ(find_stamp({}), std::nullopt);
}

TEST(RtcStamp, needs_no_escape_in_an_sei) {
  Buffer nal = make_stamp_sei({});
  EXPECT_EQ(nal.front(), 6);
  EXPECT_EQ(std::count(nal.begin(), nal.end(), 0), 0);
  EXPECT_EQ(nal[2] + 3u + 1u, nal.size());  // Size of the message, header before it, stop bit behind it.
}

// RFC 6716 §3.2.5, read by its text.
TEST(RtcStamp, lies_in_the_padding_of_an_opus_packet_of_any_size) {
  for (std::size_t size = kOpusBytesMin; size <= kOpusBytesMax; ++size) {
    Buffer packet = make_stamped_opus(any_stamp(), size);
    ASSERT_EQ(packet.size(), size);
    ASSERT_EQ(packet[0] & 3, 3);
    ASSERT_EQ(packet[1], 0x41);  // Padding, constant bit rate, one frame.
    std::size_t at = 2, padding = 0;
    for (; packet[at] == 255; ++at) padding += 254;
    padding += packet[at++];
    ASSERT_EQ(size - at - padding, 2u) << size;  // What is left for the frame.
    auto stamp = find_stamp(packet);
    ASSERT_TRUE(stamp.has_value());
    EXPECT_EQ(stamp->unix_ns, any_stamp().unix_ns);
    EXPECT_TRUE(is_intact_opus(packet, *stamp));
    packet[at + 1] ^= 1;
    EXPECT_FALSE(is_intact_opus(packet, *stamp));
  }
}

}  // namespace
}  // namespace stoa::bench
