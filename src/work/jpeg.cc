#include "work/jpeg.h"

#include <algorithm>

#include "work/filter_graph.h"
#include "work/scaler.h"

namespace stoa::work {

namespace {

constexpr int kQuantizer = 6;

struct Size {
  int width = 0, height = 0;
};

Size fit(const AVFrame& frame, int width_max, int height_max) {
  AVRational pixel = frame.sample_aspect_ratio;
  if (pixel.num <= 0 || pixel.den <= 0) pixel = {1, 1};
  const double shape = static_cast<double>(frame.width) * pixel.num / pixel.den / frame.height;
  const int width = std::min(frame.width, width_max) & ~1, height = std::min(frame.height, height_max) & ~1;
  auto even = [](double side, int most) { return std::clamp(static_cast<int>(side / 2 + 0.5) * 2, 2, most); };
  if (width < 2 || height < 2) return {};
  return {even(std::min<double>(width, height * shape), width),
          even(std::min<double>(height, width / shape), height)};
}

}  // namespace

FramePtr shrink_for_jpeg(const Image& image, int width_max, int height_max) {
  const Size size = fit(*image.pixels, width_max, height_max);
  if (size.width == 0) return nullptr;
  auto scaled = Scaler(size.width, size.height).scale(image);
  if (!scaled) return nullptr;
  const AVFrame& from = *scaled->pixels;
  FramePtr to = make_picture(size.width, size.height, AV_PIX_FMT_YUVJ420P);
  to->color_range = AVCOL_RANGE_JPEG;
  SwsPtr context(sws_getContext(size.width, size.height, AV_PIX_FMT_YUV420P, size.width, size.height,
                                AV_PIX_FMT_YUVJ420P, SWS_BICUBIC | SWS_ACCURATE_RND, nullptr, nullptr,
                                nullptr));
  if (!context) throw std::bad_alloc();
  // What the source's picture leaves unsaid is to be taken for granted at its size, not at this one.
  const int matrix = colour_of(*image.pixels).matrix;
  constexpr int kOne = 1 << 16;
  sws_setColorspaceDetails(context.get(), sws_getCoefficients(matrix), 0, sws_getCoefficients(SWS_CS_ITU601),
                           1, 0, kOne, kOne);
  sws_scale(context.get(), from.data, from.linesize, 0, from.height, to->data, to->linesize);
  return to;
}

std::optional<SharedBytes> encode_jpeg(const AVFrame& frame) {
  const AVCodec* codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
  CodecPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->width = frame.width;
  context->height = frame.height;
  context->pix_fmt = AV_PIX_FMT_YUVJ420P;
  context->color_range = AVCOL_RANGE_JPEG;
  context->sample_aspect_ratio = {1, 1};
  context->time_base = {1, 1};
  context->thread_count = 1;
  context->flags |= AV_CODEC_FLAG_QSCALE;
  context->global_quality = kQuantizer * FF_QP2LAMBDA;
  if (avcodec_open2(context.get(), codec, nullptr) != 0) return std::nullopt;
  FramePtr view(av_frame_clone(&frame));
  if (!view) throw std::bad_alloc();
  view->pts = 0;
  view->quality = context->global_quality;
  PacketPtr packet = make_packet();
  const bool is_coded = avcodec_send_frame(context.get(), view.get()) == 0 &&
                        avcodec_receive_packet(context.get(), packet.get()) == 0;
  if (!is_coded) return std::nullopt;
  return SharedBytes::copy_of(Bytes(packet->data, static_cast<std::size_t>(packet->size)));
}

}  // namespace stoa::work
