// The program frames that a worker was sent and has not taken, and what becomes of more when they are many.
//
// Over a limit (QueueLimits) frames are dropped until the worker is down to half of each. Then sound goes on
// at once, and a picture track that lost a frame with its next keyframe. So a worker that is slow is late for
// a moment and never holds up or fills its owner.
#pragma once

#include <bitset>
#include <cstdint>
#include <deque>

#include "base/time.h"
#include "media/track.h"
#include "proto/relay/limits.h"
#include "proto/relay/worker_message.h"

namespace stoa::relay {

class Backlog {
 public:
  explicit Backlog(const QueueLimits& limits) : limits_(limits) {}

  // Whether the frame may be sent; if so it is counted as sent. Numbers rise.
  bool admit(Timestamp now, const ProgramFrame& frame, media::Kind kind);
  // A frame that did not go out for another reason: its track needs a keyframe.
  void handle_lost(const ProgramFrame& frame) { needs_keyframe_.set(frame.track); }
  // All up to this number. False when it brings nothing new.
  bool handle_taken(std::uint64_t number);

  std::size_t frames() const { return frames_.size(); }
  std::size_t bytes() const { return bytes_; }
  Duration age(Timestamp now) const { return frames_.empty() ? Duration() : now - frames_.front().sent_at; }
  bool is_dropping() const { return is_dropping_; }

 private:
  struct Sent {
    std::uint64_t number;
    std::size_t bytes;
    Timestamp sent_at;
  };
  // Whether one more frame of `bytes` is too much for the `divisor`-th part of the limits.
  bool is_over(Timestamp now, std::size_t bytes, int divisor) const;

  QueueLimits limits_;
  std::deque<Sent> frames_;
  std::size_t bytes_ = 0;
  bool is_dropping_ = false;
  std::bitset<media::kTracksPerPublicationMax> needs_keyframe_;
};

}  // namespace stoa::relay
