#include "work/slate_picture.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "work/slate_font.h"

namespace stoa::work {

namespace {

constexpr std::size_t kTitleBytesMax = 40;
constexpr float kTitleWidth = 0.8F, kTitleHeight = 0.11F;  // Of the picture, at most.
constexpr float kPen = 0.42F;                              // Half its width, in units of the grid.
constexpr float kTrackWidth = 0.3F, kTrackBelow = 0.16F;
constexpr std::uint8_t kBt709 = 1;

struct Rgb {
  float red, green, blue;
};
constexpr Rgb kTop{24, 28, 38}, kBottom{12, 14, 20}, kInk{236, 240, 246}, kTrack{48, 56, 72};

struct Yuv {
  float y, u, v;
};
// In limited range (H.273 §8.3).
Yuv yuv_of(Rgb colour, const media::Colour& as) {
  float of_red = as.matrix == kBt709 ? 0.2126F : 0.299F, of_blue = as.matrix == kBt709 ? 0.0722F : 0.114F;
  float light = (of_red * colour.red + (1 - of_red - of_blue) * colour.green + of_blue * colour.blue) / 255;
  float blue = (colour.blue / 255 - light) / (2 * (1 - of_blue));
  float red = (colour.red / 255 - light) / (2 * (1 - of_red));
  return {16 + 219 * light, 128 + 224 * blue, 128 + 224 * red};
}
Yuv mix(Yuv a, Yuv b, float of_b) {
  auto one = [&](float from, float to) { return from + (to - from) * of_b; };
  return {one(a.y, b.y), one(a.u, b.u), one(a.v, b.v)};
}

float distance(const Stroke& stroke, float x, float y) {
  float dx = stroke.x1 - stroke.x0, dy = stroke.y1 - stroke.y0, length = dx * dx + dy * dy;
  float along = length > 0 ? std::clamp(((x - stroke.x0) * dx + (y - stroke.y0) * dy) / length, 0.F, 1.F) : 0;
  return std::hypot(x - stroke.x0 - along * dx, y - stroke.y0 - along * dy);
}

// Puts ink on the picture, `much(x, y)` of it (0 to 1) at each pixel of a box.
template <typename Much>
void paint(AVFrame& frame, float left, float top, float right, float bottom, Yuv ink, Much much) {
  auto within = [](float at, int size) { return std::clamp(static_cast<int>(at), 0, size) & ~1; };
  int x0 = within(left, frame.width), x1 = within(right + 2, frame.width);
  int y0 = within(top, frame.height), y1 = within(bottom + 2, frame.height);
  auto mixed = [](std::uint8_t& pixel, float to, float of) {
    float now = pixel;
    pixel = static_cast<std::uint8_t>(std::lround(now + (to - now) * of));
  };
  for (int y = y0; y < y1; y += 2) {
    for (int x = x0; x < x1; x += 2) {
      float sum = 0;
      for (int i = 0; i < 4; ++i) {
        int at_x = x + i % 2, at_y = y + i / 2;
        float of = much(static_cast<float>(at_x) + 0.5F, static_cast<float>(at_y) + 0.5F);
        mixed(frame.data[0][at_y * frame.linesize[0] + at_x], ink.y, of);
        sum += of / 4;
      }
      mixed(frame.data[1][y / 2 * frame.linesize[1] + x / 2], ink.u, sum);
      mixed(frame.data[2][y / 2 * frame.linesize[2] + x / 2], ink.v, sum);
    }
  }
}

FramePtr make_picture(int width, int height, const media::Colour& colour) {
  FramePtr frame = work::make_picture(width, height, AV_PIX_FMT_YUV420P);
  frame->color_range = AVCOL_RANGE_MPEG;
  frame->color_primaries = static_cast<AVColorPrimaries>(colour.primaries);
  frame->color_trc = static_cast<AVColorTransferCharacteristic>(colour.transfer);
  frame->colorspace = static_cast<AVColorSpace>(colour.matrix);
  return frame;
}

void paint_ground(AVFrame& frame, const media::Colour& colour) {
  Yuv top = yuv_of(kTop, colour), bottom = yuv_of(kBottom, colour);
  for (int y = 0; y < frame.height; ++y) {
    Yuv row = mix(top, bottom, static_cast<float>(y) / static_cast<float>(frame.height));
    std::fill_n(frame.data[0] + y * frame.linesize[0], frame.width,
                static_cast<std::uint8_t>(std::lround(row.y)));
    if (y % 2 != 0) continue;
    std::fill_n(frame.data[1] + y / 2 * frame.linesize[1], frame.width / 2,
                static_cast<std::uint8_t>(std::lround(row.u)));
    std::fill_n(frame.data[2] + y / 2 * frame.linesize[2], frame.width / 2,
                static_cast<std::uint8_t>(std::lround(row.v)));
  }
}

void paint_title(AVFrame& frame, std::string_view title, const media::Colour& colour) {
  std::string text(title.substr(0, kTitleBytesMax));
  if (text.size() < title.size()) text += "...";
  Lettering lettering = make_lettering(text);
  if (lettering.strokes.empty()) return;
  auto width = static_cast<float>(frame.width), height = static_cast<float>(frame.height);
  float unit = std::min(kTitleHeight * height / kCapitalHeight, kTitleWidth * width / (lettering.width + 1));
  float left = (width - lettering.width * unit) / 2, top = (height - kCapitalHeight * unit) / 2;
  Yuv ink = yuv_of(kInk, colour);
  // Stroke by stroke: a pixel that two of them touch is painted twice, which only its edge shows.
  for (const Stroke& stroke : lettering.strokes) {
    float x0 = std::min(stroke.x0, stroke.x1) - 1, x1 = std::max(stroke.x0, stroke.x1) + 1;
    float y0 = std::min(stroke.y0, stroke.y1) - 1, y1 = std::max(stroke.y0, stroke.y1) + 1;
    paint(frame, left + x0 * unit, top + y0 * unit, left + x1 * unit, top + y1 * unit, ink,
          [&](float x, float y) {
            float away = distance(stroke, (x - left) / unit, (y - top) / unit) * unit;
            return std::clamp(kPen * unit - away + 0.5F, 0.F, 1.F);
          });
  }
}

}  // namespace

SlatePicture::SlatePicture(int width, int height, std::string_view title, const media::Colour& colour)
    : width_(width), height_(height), colour_(colour), still_(make_picture(width, height, colour)) {
  paint_ground(*still_, colour);
  paint_title(*still_, title, colour);
}

Image SlatePicture::draw(double phase, Duration pts) const {
  FramePtr frame = make_picture(width_, height_, colour_);
  if (av_frame_copy(frame.get(), still_.get()) != 0) throw std::bad_alloc();
  auto width = static_cast<float>(width_), height = static_cast<float>(height_);
  float length = kTrackWidth * width, left = (width - length) / 2;
  float thick = std::max(2.F, height / 180), top = height * (0.5F + kTrackBelow);
  Yuv track = yuv_of(kTrack, colour_), light = yuv_of(kInk, colour_);
  auto inside = [&](float x, float y) {
    return std::min(std::clamp(std::min(x - left, left + length - x) + 0.5F, 0.F, 1.F),
                    std::clamp(std::min(y - top, top + thick - y) + 0.5F, 0.F, 1.F));
  };
  paint(*frame, left - 1, top - 1, left + length + 1, top + thick + 1, track, inside);
  // Brightest in its middle; what goes out at the right comes in at the left.
  paint(*frame, left - 1, top - 1, left + length + 1, top + thick + 1, light, [&](float x, float y) {
    float away = std::abs((x - left) / length - static_cast<float>(phase));
    away = std::min(away, 1 - away);
    return inside(x, y) * std::clamp(1 - away / 0.2F, 0.F, 1.F);
  });
  return {pts, std::shared_ptr<const AVFrame>(std::move(frame)), {}};
}

}  // namespace stoa::work
