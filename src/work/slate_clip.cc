#include "work/slate_clip.h"

#include <algorithm>
#include <utility>

namespace stoa::work {

namespace {

// How long a picture is shown where the file does not say; none says it of the last.
constexpr Duration kUsualStep = Duration::milliseconds(40);

}  // namespace

const char* name_of(ClipRefusal refusal) {
  switch (refusal) {
    case ClipRefusal::kFile: return "file";
    case ClipRefusal::kPictures: return "pictures";
  }
  return "unknown";
}

Result<SlateClip, ClipRefusal> make_slate_clip(const std::string& path, int width_max, int height_max,
                                               const media::Colour& colour) {
  SlateClip clip(path, width_max, height_max, colour);
  if (auto refusal = clip.open()) return refuse(*refusal);
  clip.next_ = clip.read();
  if (!clip.next_) return refuse(ClipRefusal::kPictures);
  return clip;
}

std::optional<Image> SlateClip::at(Duration time) {
  while (next_ && !is_still_ && begun_at_ + next_->pts <= time) {
    shown_ = std::exchange(next_, read());
    if (next_) continue;
    if (pictures_ == 1) {
      is_still_ = true;
      next_ = shown_;
      break;
    }
    begun_at_ += std::max(shown_->pts, Duration()) + kUsualStep;  // So it ends, whatever the file says.
    if (open()) return std::nullopt;
    next_ = read();
  }
  if (!next_ || !shown_) return std::nullopt;
  Image image = *shown_;
  image.pts = time;
  return image;
}

std::optional<ClipRefusal> SlateClip::open() {
  AVDictionary* options = nullptr;
  av_dict_set(&options, "protocol_whitelist", "file", 0);
  AVFormatContext* made = nullptr;
  int opened = avformat_open_input(&made, path_.c_str(), nullptr, &options);
  av_dict_free(&options);
  if (opened != 0) return ClipRefusal::kFile;
  input_.reset(made);
  const AVCodec* codec = nullptr;
  if (avformat_find_stream_info(made, nullptr) < 0) return ClipRefusal::kFile;
  stream_ = av_find_best_stream(made, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
  if (stream_ < 0) return ClipRefusal::kPictures;
  AVStream& stream = *made->streams[stream_];
  decoder_.reset(avcodec_alloc_context3(codec));
  if (!decoder_) throw std::bad_alloc();
  bool is_open = avcodec_parameters_to_context(decoder_.get(), stream.codecpar) >= 0;
  decoder_->pkt_timebase = stream.time_base;
  decoder_->thread_count = 1;
  if (!is_open || avcodec_open2(decoder_.get(), codec, nullptr) != 0) return ClipRefusal::kPictures;
  filter_.emplace(width_max_, height_max_, colour_);
  first_pts_.reset();
  undated_ = 0;
  pictures_ = 0;
  return std::nullopt;
}

// The next picture, its time from the first one on; times rise.
std::optional<Image> SlateClip::read() {
  while (ready_.empty()) {
    if (!input_ || !decode()) return std::nullopt;
  }
  Image image = std::move(ready_.front());
  ready_.erase(ready_.begin());
  ++pictures_;
  return image;
}

// One packet; false at the end.
bool SlateClip::decode() {
  PacketPtr packet = make_packet();
  bool is_end = av_read_frame(input_.get(), packet.get()) < 0;
  if (!is_end && packet->stream_index != stream_) return true;
  (void)avcodec_send_packet(decoder_.get(), is_end ? nullptr : packet.get());
  while (true) {
    FramePtr frame = make_frame();
    if (avcodec_receive_frame(decoder_.get(), frame.get()) != 0) break;
    AVRational unit = input_->streams[stream_]->time_base;
    Duration pts = kUsualStep * undated_;
    if (frame->best_effort_timestamp == AV_NOPTS_VALUE) {
      ++undated_;
    } else {
      pts = Duration::nanoseconds(av_rescale_q(frame->best_effort_timestamp, unit, kNanosecond));
    }
    if (!first_pts_) first_pts_ = pts;
    Image image{pts - *first_pts_, std::shared_ptr<const AVFrame>(std::move(frame)), {}};
    if (!filter_->filter(image, ready_)) ready_.push_back(image);
  }
  if (!is_end) return true;
  filter_->finish(ready_);
  input_.reset();
  return !ready_.empty();
}

}  // namespace stoa::work
