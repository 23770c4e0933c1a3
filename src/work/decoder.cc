#include "work/decoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <iterator>
#include <numbers>
#include <utility>

#include "media/codec.h"
#include "media/picture.h"

namespace stoa::work {

namespace {
// A decoder holds back 16 pictures at most (H.264 §A.3.1), of two units each.
constexpr std::size_t kUnitsInsideMax = 64;

const AVCodec* find_decoder(media::Codec codec) {
  switch (codec) {
    case media::Codec::kH264: return avcodec_find_decoder(AV_CODEC_ID_H264);
    case media::Codec::kHevc: return avcodec_find_decoder(AV_CODEC_ID_HEVC);
    case media::Codec::kVp9: return avcodec_find_decoder(AV_CODEC_ID_VP9);
    // libavcodec's own needs a device.
    case media::Codec::kAv1: return avcodec_find_decoder_by_name("libdav1d");
    default: return nullptr;
  }
}
}  // namespace

const char* name_of(DecodeRefusal refusal) {
  switch (refusal) {
    case DecodeRefusal::kCodec: return "codec";
    case DecodeRefusal::kBadUnit: return "bad_unit";
    case DecodeRefusal::kBroken: return "broken";
    case DecodeRefusal::kBeforeKeyframe: return "before_keyframe";
  }
  return "unknown";
}

Decoder::Decoder(std::shared_ptr<const media::Format> format, const DecoderLimits& limits)
    : format_(std::move(format)), limits_(limits) {}

Result<void, DecodeRefusal> Decoder::decode(const media::Frame& frame, Origin origin,
                                            std::vector<Image>& out) {
  ++counts_.units;
  if (find_decoder(format_->codec) == nullptr) return refuse_unit(DecodeRefusal::kCodec, out);
  auto facts = media::inspect(*format_, frame.payload.bytes());
  if (!facts) return refuse_unit(DecodeRefusal::kBadUnit, out);
  if (!context_) {
    if (!facts->is_keyframe) {
      ++counts_.units_left_out;
      return refuse(DecodeRefusal::kBeforeKeyframe);
    }
    if (!open(frame)) return refuse_unit(DecodeRefusal::kBroken, out);
  }
  // A unit may make no picture (the second field of one); those are forgotten with time.
  if (inside_.size() == kUnitsInsideMax) inside_.erase(inside_.begin());
  inside_.insert_or_assign(frame.pts, Unit{origin, facts->is_keyframe, frame.pts < not_before_});
  if (!send(frame) || !receive(out)) return refuse_unit(DecodeRefusal::kBroken, out);
  return {};
}

void Decoder::handle_break(Duration at) {
  not_before_ = at;
  for (auto unit = inside_.lower_bound(at); unit != inside_.end(); ++unit) unit->second.is_left_out = true;
}

void Decoder::finish(std::vector<Image>& out) {
  if (!context_) return;
  if (avcodec_send_packet(context_.get(), nullptr) == 0) receive(out);
  close();
}

void Decoder::close() {
  context_.reset();
  inside_.clear();
}

void Decoder::set_format(std::shared_ptr<const media::Format> format, std::vector<Image>& out) {
  finish(out);
  format_ = std::move(format);
}

Result<void, DecodeRefusal> Decoder::refuse_unit(DecodeRefusal why, std::vector<Image>& out) {
  ++counts_.units_refused;
  finish(out);
  return refuse(why);
}

bool Decoder::open(const media::Frame& keyframe) {
  context_.reset(avcodec_alloc_context3(find_decoder(format_->codec)));
  if (!context_) throw std::bad_alloc();
  Bytes config = format_->config.bytes();
  context_->extradata = static_cast<std::uint8_t*>(av_mallocz(config.size() + AV_INPUT_BUFFER_PADDING_SIZE));
  if (context_->extradata == nullptr) throw std::bad_alloc();
  std::memcpy(context_->extradata, config.data(), config.size());
  context_->extradata_size = static_cast<int>(config.size());
  context_->pkt_timebase = kNanosecond;
  context_->max_pixels = limits_.picture_pixels;
  context_->thread_count = limits_.threads;
  context_->thread_type = FF_THREAD_SLICE;
  if (format_->codec == media::Codec::kAv1) context_->flags |= AV_CODEC_FLAG_LOW_DELAY;  // Frame by frame.
  auto picture = media::read_picture(*format_);
  bool says_order = picture && picture->reorder_frames.has_value();
  // Without this libav guesses that there are no B-frames until it sees one, and loses those it sees first.
  bool guesses = format_->codec == media::Codec::kH264 && !says_order;
  if (guesses && keyframe.pts > keyframe.dts) context_->strict_std_compliance = FF_COMPLIANCE_STRICT;
  if (avcodec_open2(context_.get(), nullptr, nullptr) == 0) return true;
  context_.reset();
  return false;
}

bool Decoder::send(const media::Frame& frame) {
  Bytes payload = frame.payload.bytes();
  // A copy, because libav reads a little past the end.
  if (av_new_packet(packet_.get(), static_cast<int>(payload.size())) != 0) throw std::bad_alloc();
  std::memcpy(packet_->data, payload.data(), payload.size());
  packet_->pts = frame.pts.ns();
  packet_->dts = frame.dts.ns();
  int sent = avcodec_send_packet(context_.get(), packet_.get());
  av_packet_unref(packet_.get());
  return sent == 0;
}

bool Decoder::receive(std::vector<Image>& out) {
  while (true) {
    FramePtr frame = make_frame();
    int received = avcodec_receive_frame(context_.get(), frame.get());
    if (received == AVERROR(EAGAIN) || received == AVERROR_EOF) return true;
    if (received != 0) return false;
    if (frame->decode_error_flags != 0 || (frame->flags & AV_FRAME_FLAG_CORRUPT) != 0) {
      close();
      return false;
    }
    Duration pts = Duration::nanoseconds(frame->pts);
    Unit unit = take_unit(pts);
    turn(*frame, unit);
    if (frame->pts == AV_NOPTS_VALUE || pts <= last_pts_ || unit.is_left_out) {
      ++counts_.pictures_late;
      continue;
    }
    last_pts_ = pts;
    ++counts_.pictures;
    out.push_back({pts, std::shared_ptr<const AVFrame>(std::move(frame)), unit.origin});
  }
}

// By the display orientation SEI of H.264 and HEVC, which holds up to the next keyframe or the next of them;
// libav says it of the pictures alone that have one.
void Decoder::turn(const AVFrame& frame, Unit& unit) {
  const AVFrameSideData* side = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  if (side != nullptr || unit.is_keyframe) quarter_turns_ = 0, is_mirrored_ = false;
  if (side != nullptr) {
    std::array<std::int32_t, 9> matrix{};
    std::memcpy(matrix.data(), side->data, std::min(side->size, sizeof matrix));
    // Where a step to the right goes: (a, b), and one down: (c, d).
    double a = matrix[0], b = matrix[1];
    const double c = matrix[3], d = matrix[4];
    is_mirrored_ = a * d - b * c < 0;
    if (is_mirrored_) a = -a, b = -b;
    quarter_turns_ = static_cast<int>(std::lround(std::atan2(b, a) / (std::numbers::pi / 2)) + 4) % 4;
  }
  unit.origin.quarter_turns = static_cast<std::uint8_t>((unit.origin.quarter_turns + quarter_turns_) % 4);
  unit.origin.is_mirrored = is_mirrored_;
}

Decoder::Unit Decoder::take_unit(Duration pts) {
  auto found = inside_.find(pts);
  if (found == inside_.end()) return {};
  Unit unit = found->second;
  inside_.erase(inside_.begin(), std::next(found));
  return unit;
}

}  // namespace stoa::work
