#include "work/video_encoder.h"

extern "C" {
#include <libavutil/opt.h>
}

#include <array>
#include <utility>

#include "media/codec.h"
#include "media/nal.h"

namespace stoa::work {

namespace {

enum NalType : std::uint8_t { kSlice = 1, kSliceIdr = 5 };

constexpr int kKeyframeIntervalForever = 1 << 30;  // X264_KEYINT_MAX_INFINITE
constexpr unsigned kLengthSize = 4;
constexpr std::uint32_t kBitrateMax = 200'000'000;
constexpr std::uint32_t kRateFactorMax = 51;

std::uint8_t type_of(Bytes nal) { return nal[0] & 0x1f; }

bool is_possible(const media::Rung& rung) {
  bool is_even = rung.width % 2 == 0 && rung.height % 2 == 0;
  bool has_size = rung.width >= 16 && rung.height >= 16 && rung.width <= media::kPictureSideMax &&
                  rung.height <= media::kPictureSideMax;
  bool has_rate = rung.bitrate_max > 0 && rung.bitrate_max <= kBitrateMax &&
                  rung.rate_factor <= kRateFactorMax && (rung.rate_factor > 0 || rung.bitrate_mean > 0) &&
                  rung.bitrate_mean <= rung.bitrate_max;
  return rung.codec == media::Codec::kH264 && is_even && has_size && has_rate;
}

// A configuration record without parameter sets, whose units have four bytes of length.
constexpr std::array<std::uint8_t, 7> kNoSets{1, 66, 0, 10, 0xff, 0xe0, 0};

}  // namespace

const char* name_of(EncodeRefusal refusal) {
  switch (refusal) {
    case EncodeRefusal::kRung: return "rung";
    case EncodeRefusal::kEncoder: return "encoder";
  }
  return "unknown";
}

Result<VideoEncoder, EncodeRefusal> make_video_encoder(const VideoEncoderConfig& config) {
  const media::Rung& rung = config.rung;
  if (!is_possible(rung) || config.frame_rate_numerator == 0 || config.frame_rate_denominator == 0) {
    return refuse(EncodeRefusal::kRung);
  }
  const AVCodec* codec = avcodec_find_encoder_by_name("libx264");
  if (codec == nullptr) return refuse(EncodeRefusal::kEncoder);
  CodecPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->width = static_cast<int>(rung.width);
  context->height = static_cast<int>(rung.height);
  context->pix_fmt = AV_PIX_FMT_YUV420P;
  context->sample_aspect_ratio = {1, 1};
  context->time_base = kNanosecond;
  context->framerate = {static_cast<int>(config.frame_rate_numerator),
                        static_cast<int>(config.frame_rate_denominator)};
  context->color_range = AVCOL_RANGE_MPEG;
  context->color_primaries = static_cast<AVColorPrimaries>(config.colour.primaries);
  context->color_trc = static_cast<AVColorTransferCharacteristic>(config.colour.transfer);
  context->colorspace = static_cast<AVColorSpace>(config.colour.matrix);
  context->gop_size = kKeyframeIntervalForever;
  context->max_b_frames = 0;
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  context->thread_count = config.threads;
  context->rc_max_rate = rung.bitrate_max;
  context->rc_buffer_size = static_cast<int>(rung.bitrate_max);
  if (rung.rate_factor == 0) context->bit_rate = rung.bitrate_mean;
  std::string rate_factor = std::to_string(rung.rate_factor);
  std::pair<const char*, const char*> options[]{{"preset", config.preset.c_str()},
                                                {"tune", "zerolatency"},
                                                {"profile", "high"},
                                                {"forced-idr", "1"},
                                                {"sc_threshold", "0"},
                                                {"a53cc", "0"},
                                                {"x264-params", "annexb=0"},
                                                {"crf", rung.rate_factor > 0 ? rate_factor.c_str() : "-1"}};
  for (auto [name, value] : options) {
    if (av_opt_set(context->priv_data, name, value, 0) != 0) return refuse(EncodeRefusal::kEncoder);
  }
  if (avcodec_open2(context.get(), codec, nullptr) != 0) return refuse(EncodeRefusal::kEncoder);
  VideoEncoder encoder(std::move(context));
  if (auto read = encoder.read_format(); !read) return refuse(read.error());
  return encoder;
}

Result<void, EncodeRefusal> VideoEncoder::read_format() {
  media::Format blank{.codec = media::Codec::kH264, .config = SharedBytes::of_static(kNoSets)};
  Bytes sets(context_->extradata, static_cast<std::size_t>(context_->extradata_size));
  auto facts = media::inspect(blank, sets);
  if (!facts || !facts->new_format) return refuse(EncodeRefusal::kEncoder);
  format_ = std::move(facts->new_format);
  return {};
}

Result<media::Frame, EncodeRefusal> VideoEncoder::encode(const Image& image, bool is_keyframe) {
  if (av_frame_ref(frame_.get(), image.pixels.get()) != 0) throw std::bad_alloc();
  frame_->pts = image.pts.ns();
  frame_->pict_type = is_keyframe ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
  int sent = avcodec_send_frame(context_.get(), frame_.get());
  av_frame_unref(frame_.get());
  if (sent != 0 || avcodec_receive_packet(context_.get(), packet_.get()) != 0) {
    return refuse(EncodeRefusal::kEncoder);
  }
  media::Frame frame;
  frame.dts = frame.pts = Duration::nanoseconds(packet_->pts);
  frame.is_keyframe = (packet_->flags & AV_PKT_FLAG_KEY) != 0;
  // Slices alone: libx264 puts a line about itself before the first.
  ByteWriter writer(static_cast<std::size_t>(packet_->size));
  media::NalCutter cutter(Bytes(packet_->data, static_cast<std::size_t>(packet_->size)), kLengthSize);
  bool is_whole = true;
  while (is_whole && !cutter.at_end()) {
    auto nal = cutter.next();
    is_whole = nal.has_value();
    if (!is_whole || (type_of(*nal) != kSlice && type_of(*nal) != kSliceIdr)) continue;
    writer.u32(static_cast<std::uint32_t>(nal->size()));
    writer.bytes(*nal);
  }
  av_packet_unref(packet_.get());
  if (!is_whole || writer.size() == 0) return refuse(EncodeRefusal::kEncoder);
  frame.payload = SharedBytes(writer.take());
  return frame;
}

}  // namespace stoa::work
