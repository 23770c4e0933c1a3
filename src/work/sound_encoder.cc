#include "work/sound_encoder.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include "media/codec.h"

namespace stoa::work {

namespace {

constexpr std::uint32_t kBitrateMin = 6'000, kBitrateMax = 1'536'000;
constexpr std::array kAacRates{96'000, 88'200, 64'000, 48'000, 44'100, 32'000,
                               24'000, 22'050, 16'000, 12'000, 11'025, 8'000};
constexpr std::array kOpusRates{48'000, 24'000, 16'000, 12'000, 8'000};
constexpr int kOpusRate = 48'000;
constexpr int kChannelsMax = 8;

// By the number of channels, as both codecs have them (ISO 14496-3 §1.6.3.5, RFC 7845 §5.1.1.2).
AVChannelLayout layout_of(media::Codec codec, int channels) {
  bool is_aac = codec == media::Codec::kAac;
  switch (channels) {
    case 1: return AV_CHANNEL_LAYOUT_MONO;
    case 2: return AV_CHANNEL_LAYOUT_STEREO;
    case 3: return AV_CHANNEL_LAYOUT_SURROUND;
    case 4:
      return is_aac ? AVChannelLayout AV_CHANNEL_LAYOUT_4POINT0 : AVChannelLayout AV_CHANNEL_LAYOUT_QUAD;
    case 5: return AV_CHANNEL_LAYOUT_5POINT0_BACK;
    case 6: return AV_CHANNEL_LAYOUT_5POINT1_BACK;
    case 7: return AV_CHANNEL_LAYOUT_6POINT1;
    default: return AV_CHANNEL_LAYOUT_7POINT1;
  }
}

// Of an identification header, which is all that libopus says; without pre-skip.
std::optional<SharedBytes> specific_box_of(Bytes opus_head) {
  constexpr std::size_t kPreSkipAt = 10;
  Buffer head(opus_head.begin(), opus_head.end());
  if (head.size() < kPreSkipAt + 2) return std::nullopt;
  head[kPreSkipAt] = head[kPreSkipAt + 1] = 0;
  auto config = media::make_opus_config(head);
  if (!config) return std::nullopt;
  return std::move(*config);
}

}  // namespace

int sample_rate_near(media::Codec codec, int wanted) {
  if (codec == media::Codec::kOpus) return kOpusRate;
  return *std::ranges::min_element(kAacRates, {}, [&](int rate) { return std::abs(rate - wanted); });
}

int channels_near(media::Codec codec, int wanted) {
  int channels = std::clamp(wanted, 1, kChannelsMax);
  return codec == media::Codec::kAac && channels == 7 ? 6 : channels;
}

Result<SoundEncoder, EncodeRefusal> make_sound_encoder(const SoundEncoderConfig& config) {
  bool is_aac = config.codec == media::Codec::kAac;
  bool has_rate = is_aac ? std::ranges::find(kAacRates, config.sample_rate) != kAacRates.end()
                         : std::ranges::find(kOpusRates, config.sample_rate) != kOpusRates.end();
  bool is_possible = media::kind_of(config.codec) == media::Kind::kAudio && has_rate &&
                     config.channels >= 1 &&
                     config.channels == channels_near(config.codec, config.channels) &&
                     config.bitrate >= kBitrateMin && config.bitrate <= kBitrateMax;
  if (!is_possible) return refuse(EncodeRefusal::kRung);
  const AVCodec* codec = avcodec_find_encoder_by_name(is_aac ? "aac" : "libopus");
  if (codec == nullptr) return refuse(EncodeRefusal::kEncoder);
  CodecPtr context(avcodec_alloc_context3(codec));
  if (!context) throw std::bad_alloc();
  context->sample_rate = config.sample_rate;
  context->time_base = {1, config.sample_rate};
  context->sample_fmt = is_aac ? AV_SAMPLE_FMT_FLTP : AV_SAMPLE_FMT_FLT;
  context->ch_layout = layout_of(config.codec, config.channels);
  context->bit_rate = config.bitrate;
  context->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  context->thread_count = 1;
  if (avcodec_open2(context.get(), codec, nullptr) != 0) return refuse(EncodeRefusal::kEncoder);
  SoundEncoder encoder(std::move(context));
  Bytes header(encoder.context_->extradata, static_cast<std::size_t>(encoder.context_->extradata_size));
  auto record = is_aac ? SharedBytes::copy_of(header) : specific_box_of(header).value_or(SharedBytes());
  auto format = media::make_format(config.codec, std::move(record));
  if (!format) return refuse(EncodeRefusal::kEncoder);
  encoder.format_ = std::move(*format);
  return encoder;
}

FramePtr SoundEncoder::make_samples(int count) const {
  FramePtr samples = make_frame();
  samples->nb_samples = count;
  samples->format = sample_format();
  samples->sample_rate = sample_rate();
  if (av_channel_layout_copy(&samples->ch_layout, &layout()) != 0) throw std::bad_alloc();
  if (av_frame_get_buffer(samples.get(), 0) != 0) throw std::bad_alloc();
  return samples;
}

Result<void, EncodeRefusal> SoundEncoder::encode(AVFrame& samples, std::int64_t at,
                                                 std::vector<EncodedSound>& out) {
  samples.pts = at;
  if (avcodec_send_frame(context_.get(), &samples) != 0) return refuse(EncodeRefusal::kEncoder);
  return receive(out);
}

Result<void, EncodeRefusal> SoundEncoder::finish(std::vector<EncodedSound>& out) {
  if (avcodec_send_frame(context_.get(), nullptr) != 0) return refuse(EncodeRefusal::kEncoder);
  return receive(out);
}

Result<void, EncodeRefusal> SoundEncoder::receive(std::vector<EncodedSound>& out) {
  while (true) {
    int received = avcodec_receive_packet(context_.get(), packet_.get());
    if (received == AVERROR(EAGAIN) || received == AVERROR_EOF) return {};
    if (received != 0) return refuse(EncodeRefusal::kEncoder);
    Bytes payload(packet_->data, static_cast<std::size_t>(packet_->size));
    out.push_back({packet_->pts, SharedBytes::copy_of(payload)});
    av_packet_unref(packet_.get());
  }
}

}  // namespace stoa::work
