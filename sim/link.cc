#include "sim/link.h"

namespace stoa::sim {

void Link::enqueue(Timestamp at, Bytes bytes) {
  Message message{at, order_++, Buffer(bytes.begin(), bytes.end())};
  in_flight_.insert(std::upper_bound(in_flight_.begin(), in_flight_.end(), message), std::move(message));
}

void Link::send(Bytes message) {
  ++stats_.sent;
  Duration jitter = Duration::nanoseconds(
      static_cast<std::int64_t>(rng_.unit() * static_cast<double>(config_.jitter.ns())));
  Timestamp at = time_.now() + config_.latency + jitter;
  if (config_.is_stream) {
    stream_arrival_ = at = std::max(at, stream_arrival_);
    while (!message.empty()) {
      std::size_t cut = std::min<std::size_t>(message.size(), 1 + rng_.below(config_.cut_bytes_max));
      // Merge with what arrives at the same moment about half of the time.
      if (!in_flight_.empty() && in_flight_.back().at == at && rng_.chance(0.5)) {
        Buffer& last = in_flight_.back().bytes;
        last.insert(last.end(), message.begin(), message.begin() + static_cast<std::ptrdiff_t>(cut));
      } else {
        enqueue(at, message.first(cut));
      }
      message = message.subspan(cut);
    }
    return;
  }
  if (rng_.chance(config_.loss) || in_flight_.size() >= config_.queue_messages_max) {
    ++stats_.lost;
    return;
  }
  if (rng_.chance(config_.reordering)) {
    ++stats_.reordered;
    at += config_.reordering_delay;
  }
  enqueue(at, message);
  if (rng_.chance(config_.duplication)) {
    ++stats_.duplicated;
    enqueue(at + config_.jitter, message);
  }
}

std::vector<Buffer> Link::take_arrived() {
  std::vector<Buffer> arrived;
  auto due = in_flight_.begin();
  for (; due != in_flight_.end() && due->at <= time_.now(); ++due) arrived.push_back(std::move(due->bytes));
  in_flight_.erase(in_flight_.begin(), due);
  stats_.delivered += arrived.size();
  return arrived;
}

}  // namespace stoa::sim
