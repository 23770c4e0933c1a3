#include "work/pictures.h"

#include <gmock/gmock.h>

#include <condition_variable>

#include "work/jpeg.h"
#include "work/test_clip.h"

namespace stoa::work {
namespace {

using namespace test;
using testing::ElementsAre;

FramePtr decode_jpeg(const SharedBytes& jpeg) {
  CodecPtr context(avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG)));
  PacketPtr packet = make_packet();
  FramePtr frame = make_frame();
  EXPECT_EQ(avcodec_open2(context.get(), nullptr, nullptr), 0);
  if (av_new_packet(packet.get(), static_cast<int>(jpeg.size())) != 0) throw std::bad_alloc();
  std::memcpy(packet->data, jpeg.bytes().data(), jpeg.size());
  EXPECT_EQ(avcodec_send_packet(context.get(), packet.get()), 0);
  EXPECT_EQ(avcodec_receive_frame(context.get(), frame.get()), 0);
  EXPECT_EQ(frame->format, AV_PIX_FMT_YUVJ420P);
  return frame;
}
int chroma_at(const AVFrame& frame, int plane, int x, int y) {
  return frame.data[plane][y / 2 * frame.linesize[plane] + x / 2];
}

// Of one colour, limited range, at a time.
Image coloured(int width, int height, int luma, int blue, int red, int matrix = AVCOL_SPC_UNSPECIFIED,
               AVRational pixel = {1, 1}) {
  Image image = plain(width, height, AV_PIX_FMT_YUV420P, luma, blue);
  FramePtr frame(av_frame_clone(image.pixels.get()));
  for (int y = 0; y < height / 2; ++y)
    std::memset(frame->data[2] + y * frame->linesize[2], red, static_cast<std::size_t>(width / 2));
  frame->colorspace = static_cast<AVColorSpace>(matrix);
  frame->sample_aspect_ratio = pixel;
  return {{}, std::shared_ptr<const AVFrame>(std::move(frame)), {}};
}
Image grey(int luma, Duration at, int width = 320, int height = 180) {
  Image image = coloured(width, height, luma, 128, 128);
  image.pts = at;
  return image;
}

TEST(Jpeg, has_the_colours_that_every_program_takes_for_granted) {
  // Red, of 1,280 by 720 in BT.709 and smaller in BT.601 where nothing is said.
  for (const Image& image :
       {coloured(1'280, 720, 63, 102, 240, AVCOL_SPC_BT709), coloured(1'280, 720, 63, 102, 240),
        coloured(320, 180, 63, 102, 240, AVCOL_SPC_BT709), coloured(320, 180, 81, 90, 240),
        coloured(1'280, 720, 81, 90, 240, AVCOL_SPC_SMPTE170M)}) {
    FramePtr small = shrink_for_jpeg(image, 160, 90);
    ASSERT_TRUE(small);
    FramePtr shown = decode_jpeg(*encode_jpeg(*small));
    EXPECT_EQ(shown->width, 160);
    EXPECT_EQ(shown->height, 90);
    EXPECT_NEAR(luma_at(*shown, 80, 44), 76, 3);
    EXPECT_NEAR(chroma_at(*shown, 1, 80, 44), 85, 3);
    EXPECT_NEAR(chroma_at(*shown, 2, 80, 44), 255, 3);
  }
  for (auto [limited, full] : {std::pair(16, 0), {235, 255}, {126, 128}}) {
    FramePtr shown = decode_jpeg(*encode_jpeg(*shrink_for_jpeg(grey(limited, {}), 160, 90)));
    EXPECT_NEAR(luma_at(*shown, 80, 44), full, 2);
  }
}

TEST(Jpeg, keeps_the_shape_and_makes_nothing_larger) {
  struct Row {
    int width, height;
    AVRational pixel;
    int width_max, height_max, expected_width, expected_height;
  };
  for (const Row& row :
       {Row{1'280, 720, {1, 1}, 640, 360, 640, 360}, Row{1'280, 720, {1, 1}, 640, 640, 640, 360},
        Row{720, 1'280, {1, 1}, 640, 360, 202, 360}, Row{720, 576, {16, 11}, 640, 360, 640, 352},
        Row{720, 576, {16, 11}, 1'920, 1'080, 720, 396}, Row{320, 180, {1, 1}, 640, 360, 320, 180},
        Row{322, 242, {0, 1}, 161, 161, 160, 120}, Row{96, 72, {4, 3}, 640, 360, 96, 54}}) {
    Image image = coloured(row.width, row.height, 200, 128, 128, AVCOL_SPC_BT709, row.pixel);
    FramePtr small = shrink_for_jpeg(image, row.width_max, row.height_max);
    ASSERT_TRUE(small);
    EXPECT_EQ(small->width, row.expected_width);
    EXPECT_EQ(small->height, row.expected_height);
    for (auto [x, y] : {std::pair(0, 0), {small->width - 1, small->height - 1}})
      EXPECT_NEAR(luma_at(*small, x, y), 214, 2);  // No bars.
  }
  EXPECT_FALSE(shrink_for_jpeg(grey(100, {}), 1, 100));
  EXPECT_FALSE(shrink_for_jpeg(grey(100, {}), 0, 0));
}

TEST(Jpeg, is_of_a_quality_of_75_to_80) {
  // libjpeg's table for luma at 50 (ITU-T T.81 §K.1) adds up to 3,688; at a quality q above it is 2 - q / 50
  // times that. The table is the first DQT segment.
  auto jpeg = encode_jpeg(*shrink_for_jpeg(draw(320, 180, 5, {}, 60), 320, 180));
  Bytes bytes = jpeg->bytes();
  static constexpr std::array<std::uint8_t, 2> kDqt{0xff, 0xdb};
  auto found = std::ranges::search(bytes, kDqt).begin();
  ASSERT_LT(found - bytes.begin(), static_cast<std::ptrdiff_t>(bytes.size()) - 69);
  int sum = 0;
  for (int i = 0; i < 64; ++i) sum += found[5 + i];
  double quality = 50 * (2 - sum / 3'688.0);
  EXPECT_GE(quality, 75);
  EXPECT_LE(quality, 80);
}

class Pictures : public testing::Test {
 protected:
  void want(Duration every, std::uint32_t columns = 2, std::uint32_t rows = 2) {
    maker.set_wanted({.track = 3,
                      .every = every,
                      .poster_width = 160,
                      .poster_height = 90,
                      .tile_width = 64,
                      .tile_height = 64,
                      .columns = columns,
                      .rows = rows});
  }
  // Waits until all that was offered is made, so that nothing takes its place.
  void show(const Image& image, media::TrackId track = 3) {
    maker.offer(track, image);
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(60),
                                 [&] { return !posters.empty() && posters.back().at == image.pts; }));
  }
  std::vector<std::int64_t> shown_at() const {
    std::vector<std::int64_t> times;
    for (const relay::PosterMade& poster : posters) times.push_back(poster.at.ms());
    return times;
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<relay::PosterMade> posters;
  std::vector<relay::StoryboardMade> boards;
  bool is_stuck = false;
  PictureMaker::Send send = [this](const relay::Message& message) {
    std::unique_lock lock(mutex);
    if (auto* poster = std::get_if<relay::PosterMade>(&message)) posters.push_back(*poster);
    if (auto* board = std::get_if<relay::StoryboardMade>(&message)) boards.push_back(*board);
    changed.notify_all();
    changed.wait(lock, [this] { return !is_stuck; });
  };
  PictureMaker maker{send};
};

constexpr Duration ms(std::int64_t count) { return Duration::milliseconds(count); }

TEST_F(Pictures, are_made_of_the_first_picture_and_then_as_often_as_wanted) {
  maker.offer(3, grey(50, ms(-40)));  // Nobody asked.
  want(ms(1'000));
  for (int at = 0; at <= 3'000; at += 40) {
    maker.offer(2, grey(50, ms(at)));
    at % 1'000 == 0 ? show(grey(50 + at / 40, ms(at))) : maker.offer(3, grey(250, ms(at)));
  }
  want({});
  maker.offer(3, grey(50, ms(9'000)));
  maker.finish();
  EXPECT_THAT(shown_at(), ElementsAre(0, 1'000, 2'000, 3'000));
  for (const relay::PosterMade& poster : posters) {
    EXPECT_EQ(poster.width, 160u);
    EXPECT_EQ(poster.height, 90u);
    FramePtr picture = decode_jpeg(poster.jpeg);
    EXPECT_EQ(picture->width, 160);
    EXPECT_NEAR(luma_at(*picture, 80, 45), (50 + poster.at.ms() / 40 - 16) * 255.0 / 219, 3);
  }
}

TEST_F(Pictures, never_make_who_offers_them_wait_and_are_of_the_newest) {
  want(ms(100));
  is_stuck = true;
  show(grey(50, {}));
  for (int at : {100, 200, 300}) maker.offer(3, grey(100, ms(at)));
  {
    std::lock_guard lock(mutex);
    is_stuck = false;
    changed.notify_all();
  }
  maker.finish();
  EXPECT_THAT(shown_at(), ElementsAre(0, 300));
}

TEST_F(Pictures, grow_to_storyboards_tile_by_tile) {
  want(ms(1'000));
  for (int number = 0; number < 5; ++number) show(grey(40 + 40 * number, ms(1'000 * number)));
  maker.finish();
  ASSERT_EQ(boards.size(), 5u);
  for (std::size_t number = 0; number < 5; ++number) {
    const relay::StoryboardMade& board = boards[number];
    EXPECT_EQ(board.tile_width, 64u);
    EXPECT_EQ(board.tile_height, 36u);
    EXPECT_EQ(board.columns, 2u);
    std::size_t first = number < 4 ? 0 : 4;
    ASSERT_EQ(board.tiles.size(), number - first + 1);
    FramePtr picture = decode_jpeg(board.jpeg);
    EXPECT_EQ(picture->width, 128);
    EXPECT_EQ(picture->height, board.tiles.size() <= 2 ? 36 : 72);
    for (std::size_t tile = 0; tile < board.tiles.size(); ++tile) {
      int left = static_cast<int>(tile % 2) * 64, top = static_cast<int>(tile / 2) * 36;
      EXPECT_EQ(board.tiles[tile].at, ms(1'000 * static_cast<int>(first + tile)));
      double level = (40 + 40.0 * static_cast<double>(first + tile) - 16) * 255 / 219;
      for (auto [x, y] : {std::pair(8, 8), {32, 18}, {55, 27}})
        EXPECT_NEAR(luma_at(*picture, left + x, top + y), level, 4) << number << " " << tile;
    }
    if (board.tiles.size() % 2 == 1) {
      EXPECT_NEAR(luma_at(*picture, 96, picture->height - 18), 0, 4);
    }
  }
}

TEST_F(Pictures, begin_another_storyboard_with_another_shape_or_another_wish) {
  want(ms(1'000), 3, 1);
  show(grey(50, ms(0)));
  show(grey(50, ms(1'000), 180, 320));
  show(grey(50, ms(2'000), 180, 320));
  want(ms(1'000), 3, 1);
  show(grey(50, ms(2'500), 180, 320));
  want(ms(1'000), 0, 1);
  show(grey(50, ms(3'500)));
  maker.finish();
  std::vector<std::vector<std::int64_t>> tiles;
  for (const relay::StoryboardMade& board : boards) {
    tiles.emplace_back();
    for (const relay::Tile& tile : board.tiles) tiles.back().push_back(tile.at.ms());
  }
  EXPECT_THAT(tiles,
              ElementsAre(ElementsAre(0), ElementsAre(1'000), ElementsAre(1'000, 2'000), ElementsAre(2'500)));
  EXPECT_EQ(boards[1].tile_width, 36u);
  EXPECT_EQ(boards[1].tile_height, 64u);
  EXPECT_THAT(shown_at(), ElementsAre(0, 1'000, 2'000, 2'500, 3'500));
}

TEST_F(Pictures, are_no_more_and_no_larger_than_an_owner_takes) {
  maker.set_wanted({.track = 3,
                    .every = ms(1),
                    .poster_width = 16'000,
                    .poster_height = 16'000,
                    .tile_width = 16'000,
                    .tile_height = 16'000,
                    .columns = 48,
                    .rows = 48});
  maker.offer(3, draw(3'840, 2'160, 1, ms(0), 220));  // Neither so many bytes nor so large a storyboard.
  maker.finish();
  EXPECT_TRUE(posters.empty());
  EXPECT_TRUE(boards.empty());
}

TEST_F(Pictures, are_no_more_in_a_storyboard_than_an_owner_takes) {
  want(ms(1), 10, 48);
  for (int number = 0; number <= 40; ++number) show(grey(100, ms(number)));
  maker.finish();
  ASSERT_EQ(boards.size(), 41u);
  EXPECT_EQ(boards[39].tiles.size(), 40u);
  EXPECT_EQ(boards[40].tiles.size(), 1u);
}

}  // namespace
}  // namespace stoa::work
