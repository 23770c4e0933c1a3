#include "work/video_encoder.h"

extern "C" {
#include <libavutil/hwcontext.h>
#include <libavutil/opt.h>
}

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "media/picture.h"
#include "work/video_units.h"

namespace stoa::work {

namespace {

constexpr int kKeyframeIntervalForever = 1 << 30;  // X264_KEYINT_MAX_INFINITE
constexpr int kKeyframeIntervalMaxOfQsv = 65'535;  // 16 bits; the largest is no limit.
constexpr const char* kX265Parameters =
    "annexb=0:keyint=-1:scenecut=0:open-gop=0:info=0:repeat-headers=0:log-level=none";
constexpr std::uint32_t kBitrateMax = 200'000'000;
constexpr std::uint32_t kRateFactorMax = 51, kQuantizerMax = 63;  // Of H.264 and HEVC; of VP9 and AV1.

// What each encoder is told. `rate_factor` names its option for constant quality.
struct Kind {
  std::string_view name;
  media::Codec codec;
  UnitForm form;
  AVPixelFormat input;
  const char* rate_factor;
  std::vector<std::pair<const char*, const char*>> options;
};

const std::vector<Kind>& kinds() {
  using enum media::Codec;
  using enum UnitForm;
  constexpr AVPixelFormat kPlain = AV_PIX_FMT_YUV420P, kNv12 = AV_PIX_FMT_NV12, kVaapi = AV_PIX_FMT_VAAPI;
  static const std::vector<std::pair<const char*, const char*>> kNvenc{
      {"preset", "p4"}, {"tune", "ull"},      {"zerolatency", "1"}, {"delay", "0"},
      {"rc", "vbr"},    {"no-scenecut", "1"}, {"forced-idr", "1"}};
  static const std::vector<std::pair<const char*, const char*>> kQsv{
      {"preset", "veryfast"}, {"async_depth", "1"}, {"forced_idr", "1"}};
  static const std::vector<std::pair<const char*, const char*>> kVaapiOptions{{"async_depth", "1"}};
  static const std::vector<Kind> kKinds{
      {"h264_nvenc", kH264, kStartCodes, kPlain, "cq", kNvenc},
      {"h264_qsv", kH264, kStartCodes, kNv12, nullptr, kQsv},
      {"h264_vaapi", kH264, kStartCodes, kVaapi, nullptr, kVaapiOptions},
      {"libx264",
       kH264,
       kLengths,
       kPlain,
       "crf",
       {{"tune", "zerolatency"},
        {"profile", "high"},
        {"forced-idr", "1"},
        {"sc_threshold", "0"},
        {"x264-params", "annexb=0:stitchable=1"}}},
      {"hevc_nvenc", kHevc, kStartCodes, kPlain, "cq", kNvenc},
      {"hevc_qsv", kHevc, kStartCodes, kNv12, nullptr, kQsv},
      {"hevc_vaapi", kHevc, kStartCodes, kVaapi, nullptr, kVaapiOptions},
      {"libx265", kHevc, kLengths, kPlain, "crf", {{"tune", "zerolatency"}, {"forced-idr", "1"}}},
      {"vp9_qsv", kVp9, kWhole, kNv12, nullptr, kQsv},
      {"vp9_vaapi", kVp9, kWhole, kVaapi, nullptr, kVaapiOptions},
      {"libvpx-vp9",
       kVp9,
       kWhole,
       kPlain,
       nullptr,
       {{"deadline", "realtime"},
        {"cpu-used", "8"},
        {"lag-in-frames", "0"},
        {"auto-alt-ref", "0"},
        {"row-mt", "1"}}},
      {"libaom-av1",
       kAv1,
       kWhole,
       kPlain,
       nullptr,
       {{"usage", "realtime"}, {"cpu-used", "8"}, {"lag-in-frames", "0"}, {"row-mt", "1"}}},
  };
  return kKinds;
}

bool is_quantizer(const Kind& kind) { return kind.name == "libvpx-vp9" || kind.name == "libaom-av1"; }
bool has_preset(const Kind& kind) { return kind.name == "libx264" || kind.name == "libx265"; }

bool is_possible(const VideoEncoderConfig& config, const Kind& kind) {
  const media::Rung& rung = config.rung;
  std::uint32_t factor_max = is_quantizer(kind) ? kQuantizerMax : kRateFactorMax;
  bool is_even = rung.width % 2 == 0 && rung.height % 2 == 0;
  bool has_size = rung.width >= 16 && rung.height >= 16 && rung.width <= media::kPictureSideMax &&
                  rung.height <= media::kPictureSideMax;
  bool has_rate = rung.bitrate_max > 0 && rung.bitrate_max <= kBitrateMax && rung.rate_factor <= factor_max &&
                  (rung.rate_factor > 0 || rung.bitrate_mean > 0) && rung.bitrate_mean <= rung.bitrate_max;
  bool has_frame_rate = config.frame_rate_numerator > 0 && config.frame_rate_denominator > 0;
  return rung.codec == kind.codec && is_even && has_size && has_rate && has_frame_rate;
}

// Encoders by their own clock: rate control of some takes the unit of time for the length of a picture.
bool counts_pictures(const Kind& kind) { return kind.name != "libx264"; }

bool set_up_device(AVCodecContext& context) {
  AVBufferRef* device = nullptr;
  if (av_hwdevice_ctx_create(&device, AV_HWDEVICE_TYPE_VAAPI, nullptr, nullptr, 0) != 0) return false;
  AVBufferRef* frames = av_hwframe_ctx_alloc(device);
  av_buffer_unref(&device);
  if (frames == nullptr) throw std::bad_alloc();
  auto& about = *reinterpret_cast<AVHWFramesContext*>(frames->data);
  about.format = AV_PIX_FMT_VAAPI;
  about.sw_format = AV_PIX_FMT_NV12;
  about.width = context.width;
  about.height = context.height;
  about.initial_pool_size = 4;
  bool is_up = av_hwframe_ctx_init(frames) == 0;
  context.hw_frames_ctx = is_up ? av_buffer_ref(frames) : nullptr;
  av_buffer_unref(&frames);
  return is_up;
}

void set_rates(AVCodecContext& context, const Kind& kind, const media::Rung& rung) {
  auto rate = static_cast<std::int64_t>(rung.rate_factor > 0 ? rung.bitrate_max : rung.bitrate_mean);
  context.rc_max_rate = rung.bitrate_max;
  context.rc_buffer_size = static_cast<int>(rung.bitrate_max);
  bool is_by_factor = rung.rate_factor > 0 && kind.rate_factor != nullptr;
  if (!is_by_factor) context.bit_rate = rate;
  if (!is_quantizer(kind)) return;
  // A constant rate that is not used up: no picture is better than the rate factor says.
  context.rc_max_rate = context.rc_min_rate = rate;
  context.rc_buffer_size = static_cast<int>(rate);
  context.qmin = static_cast<int>(rung.rate_factor);
  context.qmax = kQuantizerMax;
}

CodecPtr open(const VideoEncoderConfig& config, const Kind& kind) {
  const AVCodec* codec = avcodec_find_encoder_by_name(std::string(kind.name).c_str());
  if (codec == nullptr) return nullptr;
  CodecPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->width = static_cast<int>(config.rung.width);
  context->height = static_cast<int>(config.rung.height);
  context->pix_fmt = kind.input;
  context->sample_aspect_ratio = {1, 1};
  context->framerate = {static_cast<int>(config.frame_rate_numerator),
                        static_cast<int>(config.frame_rate_denominator)};
  context->time_base = counts_pictures(kind) ? av_inv_q(context->framerate) : kNanosecond;
  context->color_range = AVCOL_RANGE_MPEG;
  context->color_primaries = static_cast<AVColorPrimaries>(config.colour.primaries);
  context->color_trc = static_cast<AVColorTransferCharacteristic>(config.colour.transfer);
  context->colorspace = static_cast<AVColorSpace>(config.colour.matrix);
  const bool is_qsv = kind.name.ends_with("_qsv");
  context->gop_size = is_qsv ? kKeyframeIntervalMaxOfQsv : kKeyframeIntervalForever;
  context->max_b_frames = 0;
  if (kind.form != UnitForm::kWhole) context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  context->thread_count = config.threads;
  if (config.level > 0) context->level = config.level;
  set_rates(*context, kind, config.rung);
  bool is_set = true;
  auto set = [&](const char* name, const char* value) {
    is_set = is_set && av_opt_set(context->priv_data, name, value, 0) == 0;
  };
  if (has_preset(kind)) set("preset", config.preset.c_str());
  for (auto [name, value] : kind.options) set(name, value);
  // Threads that share a picture: libavcodec would give each picture one of its own, and come out late.
  if (kind.name == "libx265") {
    set("x265-params",
        (kX265Parameters + (":frame-threads=1:pools=" + std::to_string(config.threads))).c_str());
  }
  if (kind.rate_factor != nullptr && config.rung.rate_factor > 0) {
    set(kind.rate_factor, std::to_string(config.rung.rate_factor).c_str());
  }
  if (!is_set || (kind.input == AV_PIX_FMT_VAAPI && !set_up_device(*context))) return nullptr;
  return avcodec_open2(context.get(), codec, nullptr) == 0 ? std::move(context) : nullptr;
}

class LibavEncoder : public VideoEncoder {
 public:
  LibavEncoder(const Kind& kind, CodecPtr context) : kind_(kind), context_(std::move(context)) {
    if (kind.input == AV_PIX_FMT_YUV420P) return;
    convert_.reset(sws_getContext(context_->width, context_->height, AV_PIX_FMT_YUV420P, context_->width,
                                  context_->height, AV_PIX_FMT_NV12, SWS_POINT, nullptr, nullptr, nullptr));
    if (!convert_) throw std::bad_alloc();
  }

  bool find_format(const VideoEncoderConfig& config);
  const std::shared_ptr<const media::Format>& format() const override { return format_; }
  const char* name() const override { return kind_.name.data(); }
  bool counts_pictures() const override { return work::counts_pictures(kind_); }
  Result<media::Frame, EncodeRefusal> encode(const Image& image, bool is_keyframe) override;

 private:
  FramePtr input_of(const Image& image) const;
  bool code(const Image& image, bool is_keyframe);

  const Kind& kind_;
  CodecPtr context_;
  SwsPtr convert_;
  PacketPtr packet_ = make_packet();
  std::int64_t pictures_ = 0;
  std::shared_ptr<const media::Format> format_;
};

FramePtr LibavEncoder::input_of(const Image& image) const {
  if (!convert_) {
    FramePtr frame(av_frame_clone(image.pixels.get()));
    if (!frame) throw std::bad_alloc();
    return frame;
  }
  FramePtr frame = make_picture(context_->width, context_->height, AV_PIX_FMT_NV12);
  const AVFrame& from = *image.pixels;
  sws_scale(convert_.get(), from.data, from.linesize, 0, from.height, frame->data, frame->linesize);
  if (kind_.input != AV_PIX_FMT_VAAPI) return frame;
  FramePtr uploaded = make_frame();
  bool is_up = av_hwframe_get_buffer(context_->hw_frames_ctx, uploaded.get(), 0) == 0 &&
               av_hwframe_transfer_data(uploaded.get(), frame.get(), 0) == 0;
  return is_up ? std::move(uploaded) : nullptr;
}

// Into packet_.
bool LibavEncoder::code(const Image& image, bool is_keyframe) {
  FramePtr frame = input_of(image);
  if (!frame) return false;
  frame->pts = counts_pictures() ? pictures_ : image.pts.ns();
  ++pictures_;
  frame->pict_type = is_keyframe ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
  bool is_coded = avcodec_send_frame(context_.get(), frame.get()) == 0 &&
                  avcodec_receive_packet(context_.get(), packet_.get()) == 0;
  return is_coded && ((packet_->flags & AV_PKT_FLAG_KEY) != 0) == is_keyframe;
}

Result<media::Frame, EncodeRefusal> LibavEncoder::encode(const Image& image, bool is_keyframe) {
  if (!code(image, is_keyframe)) return refuse(EncodeRefusal::kEncoder);
  auto payload =
      payload_of(kind_.codec, kind_.form, Bytes(packet_->data, static_cast<std::size_t>(packet_->size)));
  av_packet_unref(packet_.get());
  if (!payload) return refuse(payload.error());
  return media::Frame{image.pts, image.pts, is_keyframe, std::move(*payload)};
}

// From the parameter sets, or from a keyframe where there are none: then the encoder is of no further use.
bool LibavEncoder::find_format(const VideoEncoderConfig& config) {
  Bytes first(context_->extradata, static_cast<std::size_t>(context_->extradata_size));
  if (kind_.form == UnitForm::kWhole) {
    FramePtr grey = make_picture(context_->width, context_->height, AV_PIX_FMT_YUV420P);
    for (int plane = 0; plane < 3; ++plane) {
      int rows = plane == 0 ? grey->height : grey->height / 2;
      std::fill_n(grey->data[plane], rows * grey->linesize[plane], std::uint8_t{128});
    }
    if (!code({{}, std::shared_ptr<const AVFrame>(std::move(grey)), {}}, true)) return false;
    first = Bytes(packet_->data, static_cast<std::size_t>(packet_->size));
  }
  auto format = format_of(config, kind_.form, first);
  if (!format) return false;
  format_ = std::move(*format);
  if (kind_.form == UnitForm::kWhole) {
    context_ = open(config, kind_);
    pictures_ = 0;
  }
  return context_ != nullptr;
}

}  // namespace

MadeVideoEncoder make_video_encoder(const VideoEncoderConfig& config) {
  std::string name = config.encoder.empty() ? processor_encoder_of(config.rung.codec) : config.encoder;
  auto kind = std::ranges::find(kinds(), name, &Kind::name);
  if (kind == kinds().end() || !is_possible(config, *kind)) return refuse(EncodeRefusal::kRung);
  CodecPtr context = open(config, *kind);
  if (!context) return refuse(EncodeRefusal::kEncoder);
  auto encoder = std::make_unique<LibavEncoder>(*kind, std::move(context));
  if (!encoder->find_format(config)) return refuse(EncodeRefusal::kEncoder);
  return encoder;
}

std::vector<std::string> video_encoders_of(media::Codec codec) {
  std::vector<std::string> names;
  for (const Kind& kind : kinds()) {
    if (kind.codec == codec) names.emplace_back(kind.name);
  }
  return names;
}

std::string processor_encoder_of(media::Codec codec) {
  auto names = video_encoders_of(codec);
  return names.empty() ? "" : names.back();
}

}  // namespace stoa::work
