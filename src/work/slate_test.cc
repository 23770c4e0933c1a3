#include "work/slate.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "media/nal.h"
#include "work/slate_clip.h"
#include "work/slate_font.h"
#include "work/slate_picture.h"
#include "work/sound_rung.h"
#include "work/test_clip.h"
#include "work/test_sound.h"
#include "work/video_encoder.h"

namespace stoa::work {
namespace {

using namespace test;

VideoEncoderConfig pictures_of(std::uint32_t width, std::uint32_t height) {
  VideoEncoderConfig config{.preset = "ultrafast"};
  config.rung.width = width, config.rung.height = height;
  config.rung.bitrate_max = 1'000'000, config.rung.rate_factor = 23;
  config.colour = {1, 1, 1};
  return config;
}
std::vector<Image> decode(const relay::SlateMade& slate, int times = 1) {
  std::vector<media::Frame> frames;
  for (int time = 0; time < times; ++time) {
    for (const SharedBytes& payload : slate.frames) {
      Duration at = slate.frame_duration * static_cast<std::int64_t>(frames.size());
      frames.push_back({at, at, frames.empty(), payload});
    }
  }
  return decode_all(std::make_shared<const media::Format>(slate.format), frames);
}
int brightest(const AVFrame& frame, int top, int bottom, int left = 0) {
  int most = 0;
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < frame.width; ++x) most = std::max(most, luma_at(frame, x, y));
  return most;
}

TEST(Slate, shows_a_name_on_a_dark_ground_for_two_seconds_and_again) {
  auto slate = make_slate({.rung = 4}, pictures_of(640, 360), "Evening News");
  ASSERT_TRUE(slate);
  EXPECT_EQ(slate->rung, 4);
  EXPECT_FALSE(slate->is_of_source);
  EXPECT_EQ(slate->format.width, 640u);
  EXPECT_EQ(slate->frame_duration * static_cast<std::int64_t>(slate->frames.size()), Duration::seconds(2));
  std::vector<Image> images = decode(*slate, 3);
  ASSERT_EQ(images.size(), 3 * slate->frames.size());
  for (const Image& image : images) {
    const AVFrame& frame = *image.pixels;
    EXPECT_LT(luma_at(frame, 10, 10), 50);
    EXPECT_LT(luma_at(frame, 630, 350), 50);
    EXPECT_GT(brightest(frame, 160, 200), 200);  // The name.
    EXPECT_LT(brightest(frame, 20, 140), 60);    // Nothing above it.
  }
  // Whole groups are decoded: each begins with what can stand alone.
  auto facts = media::inspect(slate->format, slate->frames[0].bytes());
  EXPECT_TRUE(facts && facts->is_keyframe);
}

TEST(Slate, has_a_light_that_goes_by) {
  SlatePicture picture(640, 360, "show", {1, 1, 1});
  auto middle_of = [&](double phase) {
    Image image = picture.draw(phase, {});
    int best = 0, at = 0;
    for (int x = 0; x < 640; ++x) {
      int light = luma_at(*image.pixels, x, 360 * 66 / 100 + 1);
      if (light > best) best = light, at = x;
    }
    return at;
  };
  EXPECT_NEAR(middle_of(0.25), 320 - 48, 4);
  EXPECT_NEAR(middle_of(0.5), 320, 4);
  EXPECT_NEAR(middle_of(0.75), 320 + 48, 4);
}

TEST(Slate, has_the_format_of_the_rung_it_stands_for) {
  for (int threads : {1, 2}) {
    VideoEncoderConfig config = pictures_of(640, 360);
    config.frame_rate_numerator = 60, config.threads = threads, config.preset = "veryfast";
    auto slate = make_slate({}, config, "show");
    ASSERT_TRUE(slate);
    EXPECT_EQ(slate->format.config.text(), (*make_video_encoder(config))->format()->config.text());
    EXPECT_TRUE(slate->format.is_same_as(*(*make_video_encoder(config))->format()));
  }
}

TEST(Slate, is_silent_for_sound) {
  for (SoundEncoderConfig config : {SoundEncoderConfig{media::Codec::kAac, 128'000, 44'100, 2},
                                    SoundEncoderConfig{media::Codec::kOpus, 128'000, 48'000, 1},
                                    SoundEncoderConfig{media::Codec::kAac, 128'000, 48'000, 6}}) {
    auto slate = make_slate({.is_of_source = true, .track = 3}, config, "show");
    ASSERT_TRUE(slate);
    EXPECT_TRUE(slate->is_of_source);
    EXPECT_EQ(slate->track, 3);
    EXPECT_EQ(slate->format.codec, config.codec);
    EXPECT_EQ(static_cast<int>(slate->format.channels), config.channels);
    EXPECT_EQ(slate->frame_duration,
              Duration::from_ticks(slate->format.samples_per_frame, config.sample_rate));
    std::vector<media::Frame> frames;
    for (int i = 0; i < 50; ++i) {
      for (const SharedBytes& payload : slate->frames) {
        Duration at = slate->frame_duration * static_cast<std::int64_t>(frames.size());
        frames.push_back({at, at, true, payload});
      }
    }
    Line line = lay(std::make_shared<const media::Format>(slate->format), frames);
    EXPECT_EQ(line.channels, config.channels);
    EXPECT_LT(line.peak({}, Duration::seconds(1), config.channels - 1), 0.001);
  }
}

TEST(Slate, is_drawn_in_any_size_with_any_name) {
  std::string all;
  for (int letter = 1; letter < 256; ++letter) all.push_back(static_cast<char>(letter));
  for (auto [width, height] : {std::pair(16, 16), {426, 240}, {240, 426}, {1'920, 1'080}}) {
    for (std::string_view title : {std::string_view(), std::string_view("x"), std::string_view(all)}) {
      Image image = SlatePicture(width, height, title, {6, 6, 6}).draw(0.3, {});
      EXPECT_EQ(image.pixels->width, width);
      EXPECT_LT(luma_at(*image.pixels, 0, 0), 50);
    }
  }
  // Each letter has a form, and each another.
  std::set<std::vector<float>> forms;
  std::string_view letters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.,:;'\"!?/()+=#&*@";
  for (char letter : letters) {
    std::vector<float> form;
    for (const Stroke& stroke : make_lettering({&letter, 1}).strokes) {
      for (float at : {stroke.x0, stroke.y0, stroke.x1, stroke.y1}) {
        EXPECT_TRUE(at >= 0 && at <= 8) << letter;
        form.push_back(at);
      }
    }
    EXPECT_TRUE(forms.insert(form).second) << letter;
  }
  EXPECT_EQ(make_lettering("\u00e4").strokes.size(), 4u);
}

TEST(Slate, is_refused_where_the_rung_cannot_be_encoded) {
  EXPECT_EQ(make_slate({}, pictures_of(641, 360), "show").error(), EncodeRefusal::kRung);
  EXPECT_EQ(make_slate({}, SoundEncoderConfig{}, "show").error(), EncodeRefusal::kRung);
}

// A file with these pictures, 25 a second, as a container of raw H.264 is.
class ClipFile {
 public:
  explicit ClipFile(const ClipSpec& spec) {
    Clip clip = make_clip(spec);
    std::ofstream file(path_, std::ios::binary);
    auto write = [&](Bytes nal) {
      file.write("\0\0\0\1", 4);
      file.write(reinterpret_cast<const char*>(nal.data()), static_cast<std::streamsize>(nal.size()));
    };
    Bytes record = clip.format->config.bytes();  // One set of each, ISO 14496-15 §5.3.3.
    std::size_t sequence = record[6] * 256u + record[7],
                picture = record[9 + sequence] * 256u + record[10 + sequence];
    write(record.subspan(8, sequence));
    write(record.subspan(11 + sequence, picture));
    for (const media::Frame& frame : clip.frames) {
      for (media::NalCutter cutter(frame.payload.bytes(), 4); !cutter.at_end();) write(*cutter.next());
    }
  }
  ~ClipFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ =
      std::filesystem::temp_directory_path() / ("stoa-slate-" + std::to_string(::getpid()) + ".h264");
};

TEST(Slate, shows_the_operators_clip_over_and_over_between_bars) {
  // 30 pictures of 4:3: less than a slate has.
  ClipFile file({.width = 320, .height = 240, .pictures = 30, .rate = 25});
  auto slate = make_slate({.rung = 4}, pictures_of(640, 360), "show", file.path());
  ASSERT_TRUE(slate);
  EXPECT_EQ(slate->frame_duration * static_cast<std::int64_t>(slate->frames.size()), Duration::seconds(2));
  std::vector<Image> images = decode(*slate);
  ASSERT_EQ(images.size(), 50u);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const AVFrame& frame = *images[i].pixels;
    EXPECT_EQ(luma_at(frame, 40, 180), 16);
    EXPECT_EQ(luma_at(frame, 600, 180), 16);
    int number = 0;  // Of the picture, which is 480 wide.
    for (int bit = 0; bit < kNumberBits; ++bit)
      if (luma_at(frame, 80 + (2 * bit + 1) * 24, 90) > 120) number |= 1 << bit;
    EXPECT_EQ(number, static_cast<int>(i % 30));
  }
  EXPECT_TRUE(slate->format.is_same_as(*(*make_video_encoder(pictures_of(640, 360)))->format()));
}

TEST(Slate, shows_the_operators_still) {
  // A portable pixmap, all red.
  std::string path =
      std::filesystem::temp_directory_path() / ("stoa-still-" + std::to_string(::getpid()) + ".ppm");
  {
    std::ofstream file(path, std::ios::binary);
    file << "P6 160 90 255\n";
    for (int i = 0; i < 160 * 90; ++i) file.write("\xff\0\0", 3);
  }
  auto slate = make_slate({}, pictures_of(320, 180), "show", path);
  ASSERT_TRUE(slate);
  std::vector<Image> images = decode(*slate);
  ASSERT_EQ(images.size(), 50u);
  const AVFrame& last = *images.back().pixels;
  EXPECT_NEAR(luma_at(last, 160, 90), 63, 3);  // Red in BT.709.
  EXPECT_NEAR(last.data[2][45 * last.linesize[2] + 80], 240, 3);

  // It is decoded once.
  auto clip = make_slate_clip(path, 320, 180, {1, 1, 1});
  std::filesystem::remove(path);
  ASSERT_TRUE(clip);
  auto first = clip->at({});
  ASSERT_TRUE(first);
  for (int ms : {0, 40, 1'960, 100'000}) {
    auto image = clip->at(Duration::milliseconds(ms));
    ASSERT_TRUE(image);
    EXPECT_EQ(image->pixels, first->pixels);
    EXPECT_EQ(image->pts, Duration::milliseconds(ms));
  }
}

TEST(Slate, shows_the_name_when_the_file_cannot_be_shown) {
  for (std::string path : {"/nonexistent/slate.mp4", "/proc/self/status", "/"}) {
    auto slate = make_slate({}, pictures_of(320, 180), "show", path);
    ASSERT_TRUE(slate);
    EXPECT_EQ(slate->frames.size(), 25u);
  }
  EXPECT_EQ(make_slate_clip("/nonexistent/slate.mp4", 2, 2, {}).error(), ClipRefusal::kFile);
  EXPECT_EQ(make_slate_clip("http://localhost/slate.mp4", 2, 2, {}).error(), ClipRefusal::kFile);
}

TEST(SlateMaker, makes_each_once_and_again_when_the_rung_is_another) {
  std::vector<relay::SlateMade> made;
  SlateMaker::Send send = [&](const relay::Message& message) {
    made.push_back(std::get<relay::SlateMade>(message));
  };
  SlateMaker maker(send);
  maker.set_title("show");
  maker.want({.rung = 1}, pictures_of(128, 72));
  maker.want({.rung = 1}, pictures_of(128, 72));
  maker.want({.rung = 2}, pictures_of(128, 72));
  maker.want({.rung = 3}, pictures_of(127, 72));
  maker.want({.is_of_source = true, .track = 1}, pictures_of(128, 72));
  maker.want({.rung = 1}, pictures_of(64, 36));
  maker.finish();
  ASSERT_EQ(made.size(), 4u);
  EXPECT_EQ(made[0].rung, 1);
  EXPECT_EQ(made[1].rung, 2);
  EXPECT_TRUE(made[2].is_of_source);
  EXPECT_EQ(made[3].rung, 1);
  EXPECT_EQ(made[3].format.width, 64u);
}

}  // namespace
}  // namespace stoa::work
