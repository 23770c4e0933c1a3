#include "work/scaler.h"

extern "C" {
#include <libavutil/opt.h>
}

#include <utility>

namespace stoa::work {

namespace {

// Formats that only mean "the same in full range".
bool is_full_range(const AVFrame& frame) {
  return frame.color_range == AVCOL_RANGE_JPEG || frame.format == AV_PIX_FMT_YUVJ420P ||
         frame.format == AV_PIX_FMT_YUVJ422P || frame.format == AV_PIX_FMT_YUVJ444P;
}

}  // namespace

Result<Image, ScaleRefusal> Scaler::scale(const Image& image) {
  const AVFrame& from = *image.pixels;
  Source source{from.width, from.height, from.format, is_full_range(from)};
  if (source == Source{width_, height_, AV_PIX_FMT_YUV420P, false}) return image;
  if (source != source_ && !prepare(source)) return refuse(ScaleRefusal::kPixelFormat);
  FramePtr to = make_frame();
  to->width = width_;
  to->height = height_;
  to->format = AV_PIX_FMT_YUV420P;
  to->color_range = AVCOL_RANGE_MPEG;
  to->color_primaries = from.color_primaries;
  to->color_trc = from.color_trc;
  to->colorspace = from.colorspace;
  if (av_frame_get_buffer(to.get(), 0) != 0) throw std::bad_alloc();
  sws_scale(context_.get(), from.data, from.linesize, 0, from.height, to->data, to->linesize);
  return Image{image.pts, std::shared_ptr<const AVFrame>(std::move(to)), image.origin};
}

bool Scaler::prepare(const Source& source) {
  context_.reset(sws_alloc_context());
  if (!context_) throw std::bad_alloc();
  source_ = {};
  // All before it is opened: libswscale chooses its code then, also that which turns full range into limited.
  std::pair<const char*, int> options[]{{"srcw", source.width},
                                        {"srch", source.height},
                                        {"src_format", source.pixel_format},
                                        {"src_range", source.full_range},
                                        {"dstw", width_},
                                        {"dsth", height_},
                                        {"dst_format", AV_PIX_FMT_YUV420P},
                                        {"dst_range", 0},
                                        {"sws_flags", SWS_BICUBIC}};
  for (auto [name, value] : options) {
    if (av_opt_set_int(context_.get(), name, value, 0) != 0) return false;
  }
  if (sws_init_context(context_.get(), nullptr, nullptr) < 0) return false;
  source_ = source;
  return true;
}

}  // namespace stoa::work
