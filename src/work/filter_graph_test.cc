#include "work/filter_graph.h"

#include <gmock/gmock.h>

#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;

constexpr media::Colour kBt709{1, 1, 1}, kBt601{6, 6, 6}, kPq{9, 16, 9}, kHlg{9, 18, 9};

Image with_colour(const Image& image, const media::Colour& colour) {
  FramePtr frame(av_frame_clone(image.pixels.get()));
  frame->color_primaries = static_cast<AVColorPrimaries>(colour.primaries);
  frame->color_trc = static_cast<AVColorTransferCharacteristic>(colour.transfer);
  frame->colorspace = static_cast<AVColorSpace>(colour.matrix);
  return {image.pts, std::shared_ptr<const AVFrame>(std::move(frame)), image.origin};
}
Image at(Image image, int ms, std::uint64_t number, std::uint8_t quarter_turns = 0) {
  image.pts = Duration::milliseconds(ms);
  image.origin = {number, Duration::milliseconds(40), quarter_turns};
  return image;
}
int chroma_at(const AVFrame& frame, int plane, int x, int y) {
  return frame.data[plane][y / 2 * frame.linesize[plane] + x / 2];
}
// The only picture of one.
Image filtered(FilterGraph& graph, const Image& image) {
  std::vector<Image> out;
  EXPECT_TRUE(graph.filter(image, out));
  EXPECT_EQ(out.size(), 1u);
  return out.empty() ? image : out[0];
}

TEST(FilterGraph, passes_on_what_is_right_already) {
  FilterGraph graph(128, 72);
  for (AVPixelFormat format : {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_YUVJ420P}) {
    Image image = plain(320, 180, format, 100, 128);
    EXPECT_EQ(filtered(graph, image).pixels, image.pixels);
  }
}

// Bright from an edge on, which is elsewhere in the other field: something that moves.
Image fields(int edge, int other_edge) {
  Image image = plain(320, 240, AV_PIX_FMT_YUV420P, 40, 128);
  FramePtr frame(av_frame_clone(image.pixels.get()));
  for (int y = 0; y < 240; ++y)
    for (int x = y % 2 == 0 ? edge : other_edge; x < 320; ++x)
      frame->data[0][y * frame->linesize[0] + x] = 200;
  frame->interlaced_frame = 1;
  frame->top_field_first = 1;
  return {image.pts, std::shared_ptr<const AVFrame>(std::move(frame)), {}};
}
// How much lines differ from those beside them.
double combing(const AVFrame& frame) {
  double sum = 0;
  for (int y = 1; y < frame.height - 1; ++y)
    for (int x = 0; x < frame.width; ++x)
      sum += std::abs(2 * luma_at(frame, x, y) - luma_at(frame, x, y - 1) - luma_at(frame, x, y + 1));
  return sum / frame.width / frame.height;
}

TEST(FilterGraph, makes_one_picture_of_two_fields) {
  FilterGraph graph(320, 240);
  std::vector<Image> out;
  for (int i = 0; i < 10; ++i) {
    Image image = at(fields(20 + 20 * i, 30 + 20 * i), 40 * i, static_cast<std::uint64_t>(i));
    EXPECT_GT(combing(*image.pixels), 8);
    ASSERT_TRUE(graph.filter(image, out));
    EXPECT_GE(static_cast<int>(out.size()), i);  // One behind.
  }
  graph.finish(out);
  ASSERT_EQ(out.size(), 10u);
  for (int i = 0; i < 10; ++i) {
    const Image& image = out[static_cast<std::size_t>(i)];
    EXPECT_EQ(image.pts, Duration::milliseconds(40 * i));
    EXPECT_EQ(image.origin.number, static_cast<std::uint64_t>(i));
    EXPECT_LT(combing(*image.pixels), 2);
    EXPECT_EQ(image.pixels->interlaced_frame, 0);
    EXPECT_NEAR(luma_at(*image.pixels, 10 + 20 * i, 120), 40, 2);  // The first field's edge.
    EXPECT_NEAR(luma_at(*image.pixels, 24 + 20 * i, 120), 200, 2);
  }
}

TEST(FilterGraph, leaves_progressive_pictures_between_interlaced_ones_as_they_are) {
  FilterGraph graph(320, 240);
  std::vector<Image> out;
  Image progressive = draw(320, 240, 0b1011, {}, 80);
  for (int i = 0; i < 6; ++i) {
    ASSERT_TRUE(graph.filter(at(i % 2 == 0 ? fields(50, 60) : progressive, 40 * i, 0), out));
  }
  graph.finish(out);
  ASSERT_EQ(out.size(), 6u);
  for (std::size_t i = 1; i < 6; i += 2) {
    for (int y = 0; y < 240; y += 7) {
      for (int x = 0; x < 320; x += 5)
        ASSERT_EQ(luma_at(*out[i].pixels, x, y), luma_at(*progressive.pixels, x, y));
    }
  }
}

TEST(FilterGraph, turns_pictures_until_they_are_upright) {
  Image image = plain(64, 36, AV_PIX_FMT_YUV420P, 40, 128);
  FramePtr frame(av_frame_clone(image.pixels.get()));
  for (int y = 0; y < 10; ++y) std::memset(frame->data[0] + y * frame->linesize[0], 200, 10);
  Image marked{{}, std::shared_ptr<const AVFrame>(std::move(frame)), {}};
  FilterGraph graph(64, 64);
  struct Row {
    std::uint8_t turns;
    int width, height, x, y;  // Where the mark is.
  };
  int ms = 0;
  for (Row row : {Row{0, 64, 36, 4, 4}, Row{1, 36, 64, 31, 4}, Row{2, 64, 36, 59, 31}, Row{3, 36, 64, 4, 59},
                  Row{1, 36, 64, 31, 4}, Row{0, 64, 36, 4, 4}}) {
    Image turned = filtered(graph, at(marked, ms += 40, 7, row.turns));
    EXPECT_EQ(turned.pixels->width, row.width);
    EXPECT_EQ(turned.pixels->height, row.height);
    EXPECT_EQ(turned.pts, Duration::milliseconds(ms));
    EXPECT_EQ(turned.origin.number, 7u);
    EXPECT_EQ(luma_at(*turned.pixels, row.x, row.y), 200) << int{row.turns};
    EXPECT_EQ(luma_at(*turned.pixels, row.width - 1 - row.x, row.height - 1 - row.y), 40) << int{row.turns};
  }
}

TEST(FilterGraph, turns_mirrored_pictures_back_before_it_turns_them) {
  Image image = plain(64, 36, AV_PIX_FMT_YUV420P, 40, 128);
  FramePtr frame(av_frame_clone(image.pixels.get()));
  for (int y = 0; y < 10; ++y) std::memset(frame->data[0] + y * frame->linesize[0], 200, 10);
  Image marked{{}, std::shared_ptr<const AVFrame>(std::move(frame)), {.is_mirrored = true}};
  FilterGraph graph(64, 64);
  Image back = filtered(graph, marked);
  EXPECT_EQ(back.pixels->width, 64);
  EXPECT_EQ(luma_at(*back.pixels, 59, 4), 200);
  EXPECT_EQ(luma_at(*back.pixels, 4, 4), 40);
  marked.pts = Duration::milliseconds(40);
  marked.origin.quarter_turns = 1;
  back = filtered(graph, marked);
  EXPECT_EQ(back.pixels->width, 36);
  EXPECT_EQ(luma_at(*back.pixels, 31, 59), 200);
  EXPECT_EQ(luma_at(*back.pixels, 31, 4), 40);
}

// The code of a level of light in 10 bits, limited range.
double pq(double nits) {
  double y = std::pow(nits / 10'000, 0.1593017578125);
  return std::pow((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y), 78.84375);
}
int ten_bits(double signal) { return 64 + static_cast<int>(876 * signal + 0.5); }

TEST(FilterGraph, makes_hdr_into_what_every_screen_shows) {
  struct Row {
    media::Colour colour;
    int code, least, most;
  };
  int before = 0;
  for (Row row :
       {Row{kPq, ten_bits(0), 16, 17}, Row{kPq, ten_bits(pq(1)), 22, 40}, Row{kPq, ten_bits(pq(26)), 85, 115},
        Row{kPq, ten_bits(pq(203)), 180, 232}, Row{kPq, ten_bits(pq(1'000)), 230, 236},
        Row{kHlg, ten_bits(0), 16, 17}, Row{kHlg, ten_bits(0.38), 80, 125},
        Row{kHlg, ten_bits(0.75), 180, 232}, Row{kHlg, ten_bits(1), 225, 236}}) {
    FilterGraph graph(320, 180);
    Image made =
        filtered(graph, with_colour(plain(320, 180, AV_PIX_FMT_YUV420P10LE, row.code, 512), row.colour));
    int luma = luma_at(*made.pixels, 100, 100);
    EXPECT_GE(luma, row.least) << row.code;
    EXPECT_LE(luma, row.most) << row.code;
    EXPECT_TRUE(row.code == ten_bits(0) || luma > before);
    before = luma;
    EXPECT_NEAR(chroma_at(*made.pixels, 1, 100, 100), 128, 1);
    EXPECT_NEAR(chroma_at(*made.pixels, 2, 100, 100), 128, 1);
    EXPECT_EQ(made.pixels->format, AV_PIX_FMT_YUV420P);
    EXPECT_EQ(made.pixels->color_trc, AVCOL_TRC_BT709);
    EXPECT_EQ(made.pixels->colorspace, AVCOL_SPC_BT709);
    EXPECT_EQ(made.pixels->color_primaries, AVCOL_PRI_BT709);
  }
}

TEST(FilterGraph, makes_hdr_no_larger_than_the_largest_rung) {
  FilterGraph graph(640, 360);
  Image made = filtered(graph, with_colour(plain(1'921, 1'080, AV_PIX_FMT_YUV420P10LE, 500, 512), kPq));
  EXPECT_EQ(made.pixels->width, 640);
  EXPECT_EQ(made.pixels->height, 360);
}

TEST(FilterGraph, keeps_the_colours_that_decoders_were_told) {
  FilterGraph graph(320, 180);
  auto red_of = [](int luma, int blue, int red) {
    Image image = plain(320, 180, AV_PIX_FMT_YUV420P, luma, blue);
    for (int y = 0; y < 90; ++y) std::memset(image.pixels->data[2] + y * image.pixels->linesize[2], red, 160);
    return image;
  };
  Image first = with_colour(red_of(63, 102, 240), kBt709);
  EXPECT_EQ(filtered(graph, first).pixels, first.pixels);
  struct Row {
    Image image;
    int luma, blue, red;
  };
  // Red of the same light in another matrix; and of NTSC's, which is another red, said and taken for granted.
  for (const Row& row :
       {Row{with_colour(red_of(81, 90, 240), {1, 1, 6}), 63, 102, 240},
        Row{with_colour(red_of(81, 90, 240), kBt601), 90, 79, 220}, Row{red_of(81, 90, 240), 90, 79, 220}}) {
    Image other = filtered(graph, row.image);
    EXPECT_EQ(other.pixels->colorspace, AVCOL_SPC_BT709);
    EXPECT_NEAR(luma_at(*other.pixels, 100, 100), row.luma, 3);
    EXPECT_NEAR(chroma_at(*other.pixels, 1, 100, 100), row.blue, 3);
    EXPECT_NEAR(chroma_at(*other.pixels, 2, 100, 100), row.red, 3);
  }
  EXPECT_EQ(filtered(graph, first).pixels, first.pixels);
}

TEST(FilterGraph, makes_wide_colours_those_of_every_screen) {
  FilterGraph graph(320, 180);
  Image made = filtered(graph, with_colour(plain(320, 180, AV_PIX_FMT_YUV420P10LE, 700, 512), {9, 14, 9}));
  EXPECT_EQ(made.pixels->color_primaries, AVCOL_PRI_BT709);
  EXPECT_NEAR(luma_at(*made.pixels, 100, 100), 175, 2);
}

TEST(FilterGraph, says_when_there_is_no_way) {
  FilterGraph graph(320, 180);
  std::vector<Image> out;
  ASSERT_TRUE(graph.filter(plain(320, 180, AV_PIX_FMT_YUV420P, 100, 128), out));
  Image strange = with_colour(plain(320, 180, AV_PIX_FMT_YUV420P, 100, 128), {1, 3, 13});
  EXPECT_EQ(graph.filter(strange, out).error(), FilterRefusal::kGraph);
  EXPECT_TRUE(graph.filter(plain(320, 180, AV_PIX_FMT_YUV420P, 100, 128), out));
  EXPECT_EQ(out.size(), 2u);
}

}  // namespace
}  // namespace stoa::work
