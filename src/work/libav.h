// FFmpeg's libraries as this folder sees them: owners of what they allocate, and the picture that goes from
// stage to stage. A picture's pixels are shared and never change once they are in an Image, so that any
// number of rungs may read them at once.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
}

#include <cstdint>
#include <memory>
#include <new>

#include "base/time.h"

namespace stoa::work {

struct FreeLibav {
  void operator()(AVFrame* frame) const { av_frame_free(&frame); }
  void operator()(AVPacket* packet) const { av_packet_free(&packet); }
  void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
  void operator()(SwsContext* context) const { sws_freeContext(context); }
};
using FramePtr = std::unique_ptr<AVFrame, FreeLibav>;
using PacketPtr = std::unique_ptr<AVPacket, FreeLibav>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeLibav>;
using SwsPtr = std::unique_ptr<SwsContext, FreeLibav>;

// Without memory a worker ends; its supervisor starts another.
inline FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  return frame ? std::move(frame) : throw std::bad_alloc();
}
inline PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  return packet ? std::move(packet) : throw std::bad_alloc();
}

// Times in here are those of base/time.h, also inside libav: no rounding on the way through a codec.
inline constexpr AVRational kNanosecond{1, 1'000'000'000};

// Which of the source's frames a picture was made of; goes with it to the frames of the rungs.
struct Origin {
  std::uint64_t number = 0;
  Duration nominal_duration;  // Zero when the source has no steady rate.
};

struct Image {
  Duration pts;
  std::shared_ptr<const AVFrame> pixels;
  Origin origin;
};

// What libav has to say goes nowhere: what matters comes out as refusals and counts. For a whole process.
inline void silence_libav() { av_log_set_level(AV_LOG_QUIET); }

}  // namespace stoa::work
