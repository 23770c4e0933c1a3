#include "work/sound_decoder.h"

#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "media/codec.h"

namespace stoa::work {

namespace {

constexpr std::size_t kFamilyAt = 10;  // The mapping family in a `dOps` payload; its table follows.

// An identification header (RFC 7845 §5.1) of a `dOps` payload, without pre-skip.
Buffer opus_head_of(Bytes config) {
  ByteReader in(config);
  in.u8();
  std::uint8_t channels = in.u8();
  in.u16();
  std::uint32_t rate = in.u32();
  std::uint16_t gain = in.u16();
  ByteWriter out(32);
  out.text("OpusHead");
  out.u8(1);
  out.u8(channels);
  out.u16(0);
  out.u32_little_endian(rate);
  out.u8(static_cast<std::uint8_t>(gain));
  out.u8(static_cast<std::uint8_t>(gain >> 8));
  out.bytes(config.subspan(kFamilyAt));
  return out.take();
}

const AVCodec* find_decoder(media::Codec codec) {
  if (codec == media::Codec::kAac) return avcodec_find_decoder(AV_CODEC_ID_AAC);
  const AVCodec* opus = avcodec_find_decoder_by_name("libopus");
  return opus != nullptr ? opus : avcodec_find_decoder(AV_CODEC_ID_OPUS);
}

}  // namespace

const char* name_of(SoundRefusal refusal) {
  switch (refusal) {
    case SoundRefusal::kCodec: return "codec";
    case SoundRefusal::kBadUnit: return "bad_unit";
    case SoundRefusal::kBroken: return "broken";
  }
  return "unknown";
}

Result<Sound, SoundRefusal> SoundDecoder::decode(const media::Frame& frame, Origin origin) {
  ++counts_.units;
  auto sound = decode_unit(frame, origin);
  if (!sound) {
    ++counts_.units_refused;
    context_.reset();
  }
  return sound;
}

void SoundDecoder::set_format(std::shared_ptr<const media::Format> format) {
  format_ = std::move(format);
  context_.reset();
}

Result<Sound, SoundRefusal> SoundDecoder::decode_unit(const media::Frame& frame, Origin origin) {
  if (format_->kind() != media::Kind::kAudio) return refuse(SoundRefusal::kCodec);
  Bytes payload = frame.payload.bytes();
  if (!media::inspect(*format_, payload)) return refuse(SoundRefusal::kBadUnit);
  if (!context_ && !open()) return refuse(SoundRefusal::kCodec);
  // A copy, because libav reads a little past the end.
  if (av_new_packet(packet_.get(), static_cast<int>(payload.size())) != 0) throw std::bad_alloc();
  std::memcpy(packet_->data, payload.data(), payload.size());
  int sent = avcodec_send_packet(context_.get(), packet_.get());
  av_packet_unref(packet_.get());
  FramePtr samples = make_frame();
  if (sent != 0 || avcodec_receive_frame(context_.get(), samples.get()) != 0 || samples->nb_samples <= 0) {
    return refuse(SoundRefusal::kBroken);
  }
  return Sound{frame.pts, std::shared_ptr<const AVFrame>(std::move(samples)), origin};
}

bool SoundDecoder::open() {
  if (!media::make_format(format_->codec, format_->config)) return false;
  const AVCodec* codec = find_decoder(format_->codec);
  if (codec == nullptr) return false;
  CodecPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  Buffer config(format_->config.bytes().begin(), format_->config.bytes().end());
  if (format_->codec == media::Codec::kOpus) config = opus_head_of(config);
  context->extradata = static_cast<std::uint8_t*>(av_mallocz(config.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (context->extradata == nullptr) throw std::bad_alloc();
  std::memcpy(context->extradata, config.data(), config.size());
  context->extradata_size = static_cast<int>(config.size());
  context->pkt_timebase = kNanosecond;
  context->request_sample_fmt = AV_SAMPLE_FMT_FLT;
  context->thread_count = 1;
  if (avcodec_open2(context.get(), codec, nullptr) != 0) return false;
  context_ = std::move(context);
  return true;
}

}  // namespace stoa::work
