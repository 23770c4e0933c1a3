// Clips for the tests of this folder, made in memory: pictures that say their own number in large grey
// blocks, so that whoever decodes them again, at any size, knows which one it is; and sources with what
// encoders do to live streams (B-frames, variable rate).
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "media/codec.h"
#include "work/decoder.h"
#include "work/libav.h"

extern "C" {
#include <libavutil/opt.h>
}

namespace stoa::work::test {

inline const bool kIsSilent = (silence_libav(), true);

inline constexpr int kNumberBits = 10;

// Grey, with the bits of `number` as a row of blocks over the upper half and that much noise in the lower.
inline Image draw(int width, int height, int number, Duration pts, int noise = 0) {
  FramePtr frame = make_frame();
  frame->width = width, frame->height = height, frame->format = AV_PIX_FMT_YUV420P;
  if (av_frame_get_buffer(frame.get(), 0) != 0) throw std::bad_alloc();
  std::uint32_t random = 1 + static_cast<std::uint32_t>(number);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      bool bit = number >> (x * kNumberBits / width) & 1;
      random = random * 1664525 + 1013904223;
      int lower = 128 + (noise > 0 ? static_cast<int>(random >> 16) % noise - noise / 2 : 0);
      frame->data[0][y * frame->linesize[0] + x] =
          static_cast<std::uint8_t>(y < height / 2 ? (bit ? 200 : 40) : lower);
    }
  }
  for (int plane : {1, 2}) {
    for (int y = 0; y < height / 2; ++y) {
      std::memset(frame->data[plane] + y * frame->linesize[plane], 128, static_cast<std::size_t>(width / 2));
    }
  }
  return {pts, std::shared_ptr<const AVFrame>(std::move(frame))};
}
inline int luma_at(const AVFrame& frame, int x, int y) { return frame.data[0][y * frame.linesize[0] + x]; }
inline int number_of(const AVFrame& frame) {
  int number = 0;
  for (int bit = 0; bit < kNumberBits; ++bit) {
    int x = (2 * bit + 1) * frame.width / (2 * kNumberBits);
    if (luma_at(frame, x, frame.height / 4) > 120) number |= 1 << bit;
  }
  return number;
}

struct ClipSpec {
  int width = 128, height = 72;
  int pictures = 60;
  int rate = 30;
  int b_frames = 0;
  int keyframe_every = 30;
  bool is_variable = false;  // Between half and one and a half of a steady picture's time.
  bool is_all_p = false;     // No B-frames, though `b_frames` says that there might be.
  std::string parameters;    // More of libx264's.
};
struct Clip {
  std::shared_ptr<const media::Format> format;
  std::vector<media::Frame> frames;  // In decode order, dts from 0 on.
  std::vector<Duration> shown;       // The pts of each picture by its number.
};

inline Clip make_clip(const ClipSpec& spec) {
  CodecPtr context(avcodec_alloc_context3(avcodec_find_encoder_by_name("libx264")));
  context->width = spec.width, context->height = spec.height;
  context->pix_fmt = AV_PIX_FMT_YUV420P;
  context->time_base = kNanosecond;
  context->framerate = {spec.rate, 1};
  context->gop_size = spec.keyframe_every;
  context->max_b_frames = spec.b_frames;
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  context->thread_count = 1;
  av_opt_set(context->priv_data, "preset", "ultrafast", 0);
  std::string parameters = "annexb=0:scenecut=0:b-adapt=0" + spec.parameters;
  av_opt_set(context->priv_data, "x264-params", parameters.c_str(), 0);
  if (avcodec_open2(context.get(), nullptr, nullptr) != 0) throw std::bad_alloc();

  Clip clip;
  static constexpr std::array<std::uint8_t, 7> kNoSets{1, 66, 0, 10, 0xff, 0xe0, 0};
  media::Format blank{.codec = media::Codec::kH264, .config = SharedBytes::of_static(kNoSets)};
  Bytes sets(context->extradata, static_cast<std::size_t>(context->extradata_size));
  clip.format = media::inspect(blank, sets)->new_format;

  PacketPtr packet = make_packet();
  auto receive = [&] {
    while (avcodec_receive_packet(context.get(), packet.get()) == 0) {
      media::Frame frame{Duration::nanoseconds(packet->dts), Duration::nanoseconds(packet->pts)};
      frame.is_keyframe = (packet->flags & AV_PKT_FLAG_KEY) != 0;
      frame.payload = SharedBytes::copy_of(Bytes(packet->data, static_cast<std::size_t>(packet->size)));
      clip.frames.push_back(std::move(frame));
      av_packet_unref(packet.get());
    }
  };
  Duration pts;
  for (int number = 0; number < spec.pictures; ++number) {
    clip.shown.push_back(pts);
    Image image = draw(spec.width, spec.height, number, pts);
    FramePtr frame(av_frame_clone(image.pixels.get()));
    frame->pts = pts.ns();
    if (spec.is_all_p && number % spec.keyframe_every != 0) frame->pict_type = AV_PICTURE_TYPE_P;
    avcodec_send_frame(context.get(), frame.get());
    receive();
    Duration step = Duration::from_ticks(1, spec.rate);
    pts += spec.is_variable ? step * (5 + number * 7 % 11) / 10 : step;
  }
  avcodec_send_frame(context.get(), nullptr);
  receive();
  Duration shift = -clip.frames.front().dts;
  for (media::Frame& frame : clip.frames) frame.dts += shift, frame.pts += shift;
  for (Duration& shown : clip.shown) shown += shift;
  return clip;
}

inline std::vector<Image> decode_all(const std::shared_ptr<const media::Format>& format,
                                     const std::vector<media::Frame>& frames) {
  Decoder decoder(format);
  std::vector<Image> images;
  for (const media::Frame& frame : frames) EXPECT_TRUE(decoder.decode(frame, images).has_value());
  decoder.finish(images);
  return images;
}

}  // namespace stoa::work::test
