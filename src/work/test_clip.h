// Clips for the tests of this folder, made in memory: pictures that say their own number in large grey
// blocks, so that whoever decodes them again, at any size, knows which one it is; and sources with what
// encoders do to live streams (B-frames, variable rate).
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>
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
  FramePtr frame = make_picture(width, height, AV_PIX_FMT_YUV420P);
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
// One colour all over; 16 bits a sample where `format` has more than 8.
inline Image plain(int width, int height, AVPixelFormat format, int luma, int chroma,
                   AVColorRange range = AVCOL_RANGE_MPEG) {
  FramePtr frame = make_picture(width, height, format);
  frame->color_range = range;
  const AVPixFmtDescriptor& about = *av_pix_fmt_desc_get(format);
  for (int plane = 0; plane < 3; ++plane) {
    int value = plane == 0 ? luma : chroma;
    int rows = plane == 0 ? height : AV_CEIL_RSHIFT(height, about.log2_chroma_h);
    int columns = plane == 0 ? width : AV_CEIL_RSHIFT(width, about.log2_chroma_w);
    for (int y = 0; y < rows; ++y) {
      std::uint8_t* row = frame->data[plane] + y * frame->linesize[plane];
      for (int x = 0; x < columns; ++x) {
        if (about.comp[plane].depth > 8) {
          reinterpret_cast<std::uint16_t*>(row)[x] = static_cast<std::uint16_t>(value);
        } else {
          row[x] = static_cast<std::uint8_t>(value);
        }
      }
    }
  }
  return {Duration::milliseconds(40), std::shared_ptr<const AVFrame>(std::move(frame))};
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

// A display orientation SEI (ITU-T H.264 §D.1.27): mirrored, if so, and then turned anticlockwise by so much
// for display.
inline Buffer orientation(int degrees, bool is_mirrored) {
  // A flag, two flips, 16 bits of a turn, a period of 1 as 010, a flag, and the bit that fills the byte.
  const auto bits = static_cast<std::uint32_t>(is_mirrored) << 22 |
                    static_cast<std::uint32_t>(degrees * 65'536 / 360) << 5 | 0b01001u;
  ByteWriter out;
  out.u32(7);  // Bytes.
  for (std::uint32_t byte : {0x06u, 0x2fu, 3u, bits >> 16, bits >> 8, bits, 0x80u})
    out.u8(static_cast<std::uint8_t>(byte));
  return out.take();
}
// The same clip with one at each keyframe, or at the first alone.
inline Clip with_orientation(Clip clip, int degrees, bool is_mirrored = false, bool is_at_all = true) {
  for (media::Frame& frame : clip.frames) {
    if (!frame.is_keyframe) continue;
    Buffer unit = orientation(degrees, is_mirrored);
    Bytes rest = frame.payload.bytes();
    unit.insert(unit.end(), rest.begin(), rest.end());
    frame.payload = SharedBytes(std::move(unit));
    if (!is_at_all) break;
  }
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
