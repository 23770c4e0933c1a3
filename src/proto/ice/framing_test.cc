#include "proto/ice/framing.h"

#include <gtest/gtest.h>

#include <vector>

#include "sim/link.h"

namespace stoa::ice {
namespace {

TEST(FrameReader, puts_frames_together_however_the_stream_is_cut) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Rng rng(seed);
    std::vector<Buffer> frames;
    Buffer stream;
    for (int i = 0; i < 40; ++i) {
      Buffer frame(rng.below(i % 5 == 0 ? 8000 : 60), static_cast<std::uint8_t>(i));
      write_frame(frame, stream);
      if (!frame.empty()) frames.push_back(std::move(frame));
    }
    sim::VirtualTime time;
    sim::Link link(time, {.is_stream = true, .cut_bytes_max = 1 + seed * 3}, Rng(seed));
    link.send(stream);
    FrameReader reader;
    std::vector<Buffer> read;
    while (link.next_arrival() != Timestamp::never()) {
      time.advance_to(link.next_arrival());
      for (auto& piece : link.take_arrived()) {
        Bytes input = piece;
        while (!input.empty()) {
          auto frame = reader.next(input);
          ASSERT_TRUE(frame);
          if (*frame) read.emplace_back((*frame)->begin(), (*frame)->end());
        }
      }
    }
    ASSERT_EQ(read, frames) << seed;
  }
}

TEST(FrameReader, does_not_copy_a_frame_that_lies_whole) {
  Buffer stream;
  write_frame(as_bytes("hello"), stream);
  FrameReader reader;
  Bytes input = stream;
  auto frame = reader.next(input);
  ASSERT_TRUE(frame && *frame);
  EXPECT_EQ((*frame)->data(), stream.data() + kFrameHeaderBytes);
  EXPECT_EQ(reader.partial_bytes(), 0u);
}

TEST(FrameReader, refuses_what_is_longer_than_allowed) {
  FrameReader reader(100);
  Buffer stream;
  write_frame(Buffer(100), stream);
  Bytes input = stream;
  EXPECT_TRUE(reader.next(input));
  for (bool in_pieces : {false, true}) {
    Buffer longer;
    write_frame(Buffer(101), longer);
    FrameReader other(100);
    Bytes rest = longer;
    if (in_pieces) {
      Bytes first = rest.first(1);
      EXPECT_TRUE(other.next(first));
      rest = rest.subspan(1);
    }
    EXPECT_EQ(other.next(rest).error(), Refusal::kBadFrame);
  }
  // A TLS client on the wrong port: 16 03 01.
  FrameReader opening(kOpeningFrameBytesMax);
  Buffer tls{0x16, 0x03, 0x01, 0x02, 0x00};
  Bytes wrong = tls;
  EXPECT_EQ(opening.next(wrong).error(), Refusal::kBadFrame);
}

TEST(FrameReader, holds_no_more_than_a_frame) {
  FrameReader reader(1000);
  Buffer stream;
  write_frame(Buffer(1000), stream);
  for (std::uint8_t byte : stream) {
    Buffer one{byte};
    Bytes input = one;
    ASSERT_TRUE(reader.next(input));
    ASSERT_LE(reader.partial_bytes(), 1002u);
  }
}

}  // namespace
}  // namespace stoa::ice
