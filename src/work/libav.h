// FFmpeg's libraries as this folder sees them: owners of what they allocate, and the picture or piece of
// sound that goes from stage to stage. What is in an Image or a Sound is shared and never changes, so that
// any number of rungs may read it at once.
#pragma once

extern "C" {
#include <libavcodec/avcodec.h>
#include <libavfilter/avfilter.h>
#include <libavutil/audio_fifo.h>
#include <libavutil/frame.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
#include <libswresample/swresample.h>
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
  void operator()(SwrContext* context) const { swr_free(&context); }
  void operator()(AVFilterGraph* graph) const { avfilter_graph_free(&graph); }
  void operator()(AVAudioFifo* samples) const { av_audio_fifo_free(samples); }
};
using FramePtr = std::unique_ptr<AVFrame, FreeLibav>;
using PacketPtr = std::unique_ptr<AVPacket, FreeLibav>;
using CodecPtr = std::unique_ptr<AVCodecContext, FreeLibav>;
using SwsPtr = std::unique_ptr<SwsContext, FreeLibav>;
using SwrPtr = std::unique_ptr<SwrContext, FreeLibav>;
using GraphPtr = std::unique_ptr<AVFilterGraph, FreeLibav>;
using SamplesPtr = std::unique_ptr<AVAudioFifo, FreeLibav>;

// Without memory a worker ends; its supervisor starts another.
inline FramePtr make_frame() {
  FramePtr frame(av_frame_alloc());
  return frame ? std::move(frame) : throw std::bad_alloc();
}
// With room for its samples, which are anything.
inline FramePtr make_picture(int width, int height, AVPixelFormat format) {
  FramePtr frame = make_frame();
  frame->width = width, frame->height = height, frame->format = format;
  if (av_frame_get_buffer(frame.get(), 0) != 0) throw std::bad_alloc();
  return frame;
}
inline PacketPtr make_packet() {
  PacketPtr packet(av_packet_alloc());
  return packet ? std::move(packet) : throw std::bad_alloc();
}

// Times in here are those of base/time.h, also inside libav: no rounding on the way through a codec.
inline constexpr AVRational kNanosecond{1, 1'000'000'000};

// Which of the source's frames a picture or sound was made of; goes with it to the frames of the rungs.
struct Origin {
  std::uint64_t number = 0;
  Duration nominal_duration;       // Zero when the source has no steady rate.
  std::uint8_t quarter_turns = 0;  // Clockwise, until the picture is upright.
  bool is_mirrored = false;        // Left is right, before it is turned.
};

struct Image {
  Duration pts;
  std::shared_ptr<const AVFrame> pixels;
  Origin origin;
};
// Samples without a hole between them, the first at `pts`.
struct Sound {
  Duration pts;
  std::shared_ptr<const AVFrame> samples;
  Origin origin;
};

// What libav has to say goes nowhere: what matters comes out as refusals and counts. For a whole process.
inline void silence_libav() { av_log_set_level(AV_LOG_QUIET); }

}  // namespace stoa::work
