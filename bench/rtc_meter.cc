#include "rtc_meter.h"

#include <algorithm>

namespace stoa::bench {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kFreezeAtLeast = 150 * kMillisecond;
constexpr int kAverageOver = 30;  // Frames.

}  // namespace

StreamCounts& StreamCounts::operator+=(const StreamCounts& other) {
  packets += other.packets;
  bytes += other.bytes;
  expected += other.expected;
  received += other.received;
  frames += other.frames;
  broken_frames += other.broken_frames;
  freezes += other.freezes;
  frozen_ns += other.frozen_ns;
  return *this;
}

bool StreamMeter::handle_packet(std::int64_t arrived_ns, const Header& header, std::size_t bytes) {
  ++counts_.packets;
  counts_.bytes += bytes;
  reception_.handle_packet(Timestamp::from_ns(arrived_ns), header.sequence, header.timestamp);
  if (!has_frames_) return false;
  auto placed = extender_.place(header.sequence);
  using Step = rtcp::SequenceExtender::Step;
  if (placed.step == Step::kDoubted) return false;
  if (placed.step == Step::kRestart) {
    frames_ = {};
    ends_.fill(kNone);
  }
  Frame& frame = frame_of(header.timestamp, placed.extended);
  // Behind a frame's end only padding has its timestamp, which a sender may use to probe.
  if (frame.is_shown) {
    if (placed.extended > frame.last) note_end(frame.last = placed.extended);
    return false;
  }
  frame.first = std::min(frame.first, placed.extended);
  frame.last = std::max(frame.last, placed.extended);
  ++frame.received;
  if (header.marker) {
    frame.has_end = true;
    note_end(placed.extended);
  }
  // One that is whole may have waited for the end of the one before it.
  bool is_any = false;
  for (Frame& each : frames_) {
    if (!each.is_used || each.is_shown || !is_whole(each)) continue;
    each.is_shown = is_any = true;
    show(arrived_ns);
  }
  return is_any;
}

StreamMeter::Frame& StreamMeter::frame_of(std::uint32_t timestamp, std::int64_t sequence) {
  for (Frame& frame : frames_)
    if (frame.is_used && frame.timestamp == timestamp) return frame;
  Frame& frame = frames_[next_frame_++ % kOpenFrames];
  if (frame.is_used && !frame.is_shown) ++counts_.broken_frames;
  frame = {.timestamp = timestamp, .first = sequence, .last = sequence, .received = 0, .is_used = true};
  return frame;
}

bool StreamMeter::is_whole(const Frame& frame) const {
  if (!frame.has_end || frame.received < frame.last - frame.first + 1) return false;
  bool has_earlier = false;
  for (std::int64_t end : ends_) {
    if (end == frame.first - 1) return true;
    has_earlier = has_earlier || (end != kNone && end < frame.first);
  }
  return !has_earlier;  // The first that came.
}

void StreamMeter::show(std::int64_t arrived_ns) {
  ++counts_.frames;
  if (shown_ns_ != 0) {
    std::int64_t pause = std::max<std::int64_t>(0, arrived_ns - shown_ns_);
    if (average_ns_ > 0 && pause > std::max(3 * average_ns_, average_ns_ + kFreezeAtLeast)) {
      ++counts_.freezes;
      counts_.frozen_ns += pause;
    }
    average_ns_ = average_ns_ == 0 ? pause : average_ns_ + (pause - average_ns_) / kAverageOver;
  }
  shown_ns_ = arrived_ns;
}

StreamCounts StreamMeter::counts() const {
  StreamCounts counts = counts_;
  counts.expected = reception_.expected();
  counts.received = reception_.received();
  return counts;
}

}  // namespace stoa::bench
