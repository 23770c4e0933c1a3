#include "proto/relay/backlog.h"

namespace stoa::relay {

bool Backlog::is_over(Timestamp now, std::size_t bytes, int divisor) const {
  if (frames_.empty()) return false;
  auto part = static_cast<std::size_t>(divisor);
  return bytes_ + bytes > limits_.bytes / part || frames_.size() >= limits_.frames / part ||
         age(now) > limits_.age / divisor;
}

bool Backlog::admit(Timestamp now, const ProgramFrame& frame, media::Kind kind) {
  std::size_t bytes = frame.payload.size();
  is_dropping_ = is_over(now, bytes, is_dropping_ ? 2 : 1);
  bool is_video = kind == media::Kind::kVideo;
  if (is_dropping_) {
    if (is_video) needs_keyframe_.set(frame.track);
    return false;
  }
  if (is_video && needs_keyframe_.test(frame.track) && !frame.is_keyframe) return false;
  needs_keyframe_.reset(frame.track);
  frames_.push_back({frame.number, bytes, now});
  bytes_ += bytes;
  return true;
}

bool Backlog::handle_taken(std::uint64_t number) {
  bool is_news = false;
  while (!frames_.empty() && frames_.front().number <= number) {
    bytes_ -= frames_.front().bytes;
    frames_.pop_front();
    is_news = true;
  }
  return is_news;
}

}  // namespace stoa::relay
