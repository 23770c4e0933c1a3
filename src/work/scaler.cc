#include "work/scaler.h"

extern "C" {
#include <libavutil/opt.h>
}

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "work/filter_graph.h"

namespace stoa::work {

namespace {

constexpr std::uint8_t kBlack = 16, kGrey = 128;
// Sizes of rungs are even, so their shape is not quite the source's: so much of a side is no bar.
constexpr double kNoBar = 0.01;
constexpr int kNoBarPixels = 2;

}  // namespace

PixelKind pixel_kind_of(const AVFrame& frame) {
  return {frame.width, frame.height, frame.format, colour_of(frame).full_range};
}

SwsPtr make_sws(const PixelKind& from, const PixelKind& to, int flags) {
  SwsPtr context(sws_alloc_context());
  if (!context) throw std::bad_alloc();
  // All before it is opened: libswscale chooses its code then, also that which turns full range into limited.
  const std::pair<const char*, int> options[]{{"srcw", from.width},        {"srch", from.height},
                                              {"src_format", from.format}, {"src_range", from.is_full_range},
                                              {"dstw", to.width},          {"dsth", to.height},
                                              {"dst_format", to.format},   {"dst_range", to.is_full_range},
                                              {"sws_flags", flags}};
  for (auto [name, value] : options) {
    if (av_opt_set_int(context.get(), name, value, 0) != 0) return nullptr;
  }
  if (sws_init_context(context.get(), nullptr, nullptr) < 0) return nullptr;
  return context;
}

Result<Image, ScaleRefusal> Scaler::scale(const Image& image) {
  const AVFrame& from = *image.pixels;
  Source source{pixel_kind_of(from), from.sample_aspect_ratio};
  if (source.pixel.num <= 0 || source.pixel.den <= 0) source.pixel = {1, 1};
  if (source == Source{{width_, height_, AV_PIX_FMT_YUV420P, false}}) return image;
  if (source != source_ && !prepare(source)) return refuse(ScaleRefusal::kPixelFormat);
  FramePtr to = make_picture(width_, height_, AV_PIX_FMT_YUV420P);
  to->color_range = AVCOL_RANGE_MPEG;
  to->color_primaries = from.color_primaries;
  to->color_trc = from.color_trc;
  to->colorspace = from.colorspace;
  to->sample_aspect_ratio = {1, 1};
  std::array<std::uint8_t*, 4> window{};
  for (int plane = 0; plane < 3; ++plane) {
    int shift = plane == 0 ? 0 : 1;
    window[static_cast<std::size_t>(plane)] =
        to->data[plane] + (window_.y >> shift) * to->linesize[plane] + (window_.x >> shift);
  }
  sws_scale(context_.get(), from.data, from.linesize, 0, from.height, window.data(), to->linesize);
  paint_bars(*to);
  return Image{image.pts, std::shared_ptr<const AVFrame>(std::move(to)), image.origin};
}

Scaler::Window Scaler::window_of(const Source& source) const {
  double shape =
      static_cast<double>(source.kind.width) * source.pixel.num / source.pixel.den / source.kind.height;
  double width = std::min<double>(width_, height_ * shape),
         height = std::min<double>(height_, width_ / shape);
  auto side = [](double of, int whole) {
    if (whole - of <= std::max<double>(kNoBarPixels, whole * kNoBar)) return whole;
    return std::max(2, static_cast<int>(std::lround(of / 2)) * 2);
  };
  Window window{0, 0, side(width, width_), side(height, height_)};
  window.x = (width_ - window.width) / 2 & ~1;
  window.y = (height_ - window.height) / 2 & ~1;
  return window;
}

// After the picture, since libswscale writes a little over its edges.
void Scaler::paint_bars(AVFrame& frame) const {
  for (int plane = 0; plane < 3; ++plane) {
    int shift = plane == 0 ? 0 : 1;
    std::uint8_t ink = plane == 0 ? kBlack : kGrey;
    int left = window_.x >> shift, right = (window_.x + window_.width) >> shift, width = width_ >> shift;
    int top = window_.y >> shift, bottom = (window_.y + window_.height) >> shift;
    for (int y = 0; y < height_ >> shift; ++y) {
      std::uint8_t* row = frame.data[plane] + y * frame.linesize[plane];
      bool is_bar = y < top || y >= bottom;
      std::fill(row, row + (is_bar ? width : left), ink);
      if (!is_bar) std::fill(row + right, row + width, ink);
    }
  }
}

bool Scaler::prepare(const Source& source) {
  source_ = {};
  window_ = window_of(source);
  context_ = make_sws(source.kind, {window_.width, window_.height, AV_PIX_FMT_YUV420P}, SWS_BICUBIC);
  if (!context_) return false;
  source_ = source;
  return true;
}

}  // namespace stoa::work
