#include "fragment.h"

#include <gtest/gtest.h>

namespace stoa::bench {
namespace {

Buffer box(const char* type, Bytes payload) {
  ByteWriter out;
  out.u32(static_cast<std::uint32_t>(8 + payload.size()));
  out.text(type);
  out.bytes(payload);
  return out.take();
}

// A part with samples of these sizes, each filled with its index.
Buffer make_part(const std::vector<std::uint32_t>& sizes, std::int32_t wrong_offset = 0) {
  ByteWriter tfhd, data;
  tfhd.u32(0x020000);
  tfhd.u32(1);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    for (std::uint32_t n = 0; n < sizes[i]; ++n) data.u8(static_cast<std::uint8_t>(i));
  }
  auto make_moof = [&](std::uint32_t offset) {
    ByteWriter trun, traf;
    trun.u32(0x000201);
    trun.u32(static_cast<std::uint32_t>(sizes.size()));
    trun.u32(offset);
    for (auto size : sizes) trun.u32(size);
    traf.bytes(box("tfhd", tfhd.view()));
    traf.bytes(box("trun", trun.view()));
    return box("moof", box("traf", traf.view()));
  };
  auto offset = static_cast<std::uint32_t>(static_cast<std::int32_t>(make_moof(0).size()) + 8 + wrong_offset);
  Buffer part = make_moof(offset), mdat = box("mdat", data.view());
  part.insert(part.end(), mdat.begin(), mdat.end());
  return part;
}

TEST(Fragment, finds_the_last_sample) {
  Buffer part = make_part({3, 5, 2});
  auto fragment = parse_fragment(part);
  ASSERT_TRUE(fragment);
  EXPECT_EQ(fragment->samples, 3u);
  EXPECT_EQ(Buffer(fragment->last_sample.begin(), fragment->last_sample.end()), (Buffer{2, 2}));
}

TEST(Fragment, refuses_sizes_that_do_not_fit) {
  EXPECT_FALSE(parse_fragment(make_part({3, 5, 2}, 1)));
  EXPECT_FALSE(parse_fragment(make_part({})));
  EXPECT_FALSE(parse_fragment(as_bytes("nothing")));
  Buffer part = make_part({3});
  for (std::size_t size = 0; size < part.size(); ++size)
    EXPECT_FALSE(parse_fragment(Bytes(part).first(size)));
}

}  // namespace
}  // namespace stoa::bench
