#include "runtime/udp_sender.h"

#include <errno.h>
#include <string.h>

#include <algorithm>

#include "base/assert.h"

namespace stoa::runtime {
namespace {

std::size_t datagrams_in(std::size_t bytes, std::size_t segment_bytes) {
  return (bytes + segment_bytes - 1) / segment_bytes;
}

UdpDrop drop_of(int error) {
  switch (error) {
    case EMSGSIZE: return UdpDrop::kTooLong;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL: return UdpDrop::kUnreachable;
    case ECONNREFUSED: return UdpDrop::kRefused;
    case EPERM:
    case EACCES: return UdpDrop::kDenied;
    case ENOBUFS:
    case ENOMEM: return UdpDrop::kNoMemory;
    default: return UdpDrop::kOther;
  }
}

}  // namespace

const char* name_of(UdpDrop drop) {
  switch (drop) {
    case UdpDrop::kQueueFull: return "queue_full";
    case UdpDrop::kTooLong: return "too_long";
    case UdpDrop::kUnreachable: return "unreachable";
    case UdpDrop::kRefused: return "refused";
    case UdpDrop::kDenied: return "denied";
    case UdpDrop::kNoMemory: return "no_memory";
    case UdpDrop::kOther: return "other";
  }
  return "other";
}

bool TrainQueue::push(const DatagramTrain& train) {
  std::uint8_t* room = find_room(std::max(train.bytes.size(), kTrainBytesMin));
  if (!room) return false;
  memcpy(room, train.bytes.data(), train.bytes.size());
  tail_ = static_cast<std::size_t>(room - ring_.data()) + std::max(train.bytes.size(), kTrainBytesMin);
  trains_.push_back(train);
  trains_.back().bytes = Bytes(room, train.bytes.size());
  bytes_ += train.bytes.size();
  return true;
}

std::uint8_t* TrainQueue::find_room(std::size_t bytes) {
  if (ring_.empty()) ring_.resize(bytes_max_);
  if (is_empty()) return bytes <= ring_.size() ? ring_.data() : nullptr;
  const auto front = static_cast<std::size_t>(trains_[head_].bytes.data() - ring_.data());
  if (tail_ > front) {
    if (ring_.size() - tail_ >= bytes) return ring_.data() + tail_;
    return bytes < front ? ring_.data() : nullptr;
  }
  return bytes < front - tail_ ? ring_.data() + tail_ : nullptr;
}

void TrainQueue::pop(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) bytes_ -= trains_[head_ + i].bytes.size();
  head_ += count;
  if (is_empty()) {
    trains_.clear();
    head_ = 0;
  } else if (head_ > 1024 && head_ > trains_.size() / 2) {
    trains_.erase(trains_.begin(), trains_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void TrainQueue::shorten_first(std::size_t bytes) {
  trains_[head_].bytes = trains_[head_].bytes.subspan(bytes);
  bytes_ -= bytes;
}

UdpSender::UdpSender(const Config& config, Kernel kernel)
    : config_(config),
      kernel_(std::move(kernel)),
      queue_(config.queue_bytes + config.control_reserve_bytes),
      has_gso_(config.use_gso),
      headers_(kMessages),
      slices_(kMessages),
      names_(kMessages),
      controls_(kMessages),
      messages_(kMessages) {}

void UdpSender::send(std::span<const DatagramTrain> trains) {
  Cursor done;
  if (!is_waiting()) done = transmit(trains);
  if (done.train < trains.size()) enqueue(trains, done, config_.queue_bytes);
}

void UdpSender::send_one(const DatagramTrain& train) {
  const std::span<const DatagramTrain> one(&train, 1);
  Cursor done;
  if (!is_waiting()) done = transmit(one);
  if (done.train == 0) enqueue(one, done, config_.queue_bytes + config_.control_reserve_bytes);
}

void UdpSender::send_queued() {
  if (!is_waiting()) return;
  const Cursor done = transmit(queue_.trains());
  queue_.pop(done.train);
  if (done.offset > 0) queue_.shorten_first(done.offset);
}

void UdpSender::enqueue(std::span<const DatagramTrain> trains, Cursor from, std::size_t bytes_max) {
  for (std::size_t i = from.train; i < trains.size(); ++i) {
    DatagramTrain train = trains[i];
    if (i == from.train) train.bytes = train.bytes.subspan(from.offset);
    if (!is_udp_path(train.local) || train.bytes.empty()) continue;
    const std::size_t datagrams = datagrams_in(train.bytes.size(), train.segment_bytes);
    if (queue_.bytes() + train.bytes.size() <= bytes_max && queue_.push(train))
      stats_.queued += datagrams;
    else
      drop(UdpDrop::kQueueFull, datagrams);
  }
}

UdpSender::Cursor UdpSender::transmit(std::span<const DatagramTrain> trains) {
  Cursor at;
  split_train_ = kNoTrain;
  split_error_ = 0;
  for (;;) {
    const std::size_t count = build(trains, at);
    if (count == 0) return {trains.size(), 0};
    const int sent = kernel_(headers_.data(), static_cast<unsigned>(count));
    ++stats_.calls;
    if (sent > 0) {
      note_sent(static_cast<std::size_t>(sent));
      at = messages_[static_cast<std::size_t>(sent) - 1].next;
    } else if (!handle_error(sent < 0 ? errno : EAGAIN, trains, at)) {
      return at;
    }
  }
}

// Messages from `from` on. Of a train that was refused as a whole nothing but its datagrams is built, so that
// what comes after keeps its place.
std::size_t UdpSender::build(std::span<const DatagramTrain> trains, Cursor from) {
  std::size_t count = 0;
  Cursor at = from;
  while (count < kMessages && at.train < trains.size()) {
    const DatagramTrain& train = trains[at.train];
    if (!is_udp_path(train.local) || at.offset >= train.bytes.size()) {
      at = {at.train + 1, 0};
      continue;
    }
    Bytes bytes = train.bytes.subspan(at.offset);
    const bool is_whole = has_gso_ && at.train != split_train_;
    if (!is_whole) bytes = bytes.first(std::min<std::size_t>(bytes.size(), train.segment_bytes));
    at.offset += bytes.size();
    if (at.offset == train.bytes.size()) at = {at.train + 1, 0};
    messages_[count] = {datagrams_in(bytes.size(), train.segment_bytes), bytes.size(), at};
    build_one(train, bytes, count++);
  }
  return count;
}

void UdpSender::build_one(const DatagramTrain& train, Bytes bytes, std::size_t index) {
  slices_[index] = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  msghdr& header = headers_[index].msg_hdr;
  header = {};
  header.msg_name = &names_[index];
  header.msg_namelen = write_address(train.remote, config_.is_v6_socket, names_[index]);
  header.msg_iov = &slices_[index];
  header.msg_iovlen = 1;
  header.msg_control = controls_[index].bytes.data();
  if (bytes.size() > train.segment_bytes) add_segment_size(header, train.segment_bytes);
  if (train.ecn != Ecn::kNotCapable) add_ecn(header, train.ecn, train.remote.ip);
  if (config_.own) {
    const OwnAddress* own = config_.own->find(train.local, train.remote.ip);
    if (own) add_source(header, *own, config_.is_v6_socket);
  }
  if (header.msg_controllen == 0) header.msg_control = nullptr;
}

void UdpSender::note_sent(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const Message& message = messages_[i];
    stats_.datagrams += message.datagrams;
    stats_.bytes += message.bytes;
    if (message.datagrams > 1) {
      ++stats_.trains;
      refusals_in_a_row_ = 0;
    }
  }
  // What a single datagram can do and the train could not is the segmentation's fault.
  if (split_error_ == 0) return;
  ++stats_.gso_refusals;
  if (++refusals_in_a_row_ >= kGsoRefusalsMax && has_gso_) {
    has_gso_ = false;
    notice_ = std::string("UDP segmentation was refused (") + strerror(split_error_) +
              "); datagrams go out one by one from now on";
  }
  split_error_ = 0;
}

// The first message built was refused. False: nothing can be sent now.
bool UdpSender::handle_error(int error, std::span<const DatagramTrain> trains, Cursor& at) {
  if (error == EINTR) return true;
  if (error == EAGAIN) return false;
  const Message& message = messages_[0];
  const std::size_t train = message.next.offset > 0 ? message.next.train : message.next.train - 1;
  if (message.datagrams > 1 && (error == EIO || error == EINVAL || error == EMSGSIZE)) {
    const bool is_short = trains[train].segment_bytes <= kSegmentAlwaysFits;
    split_error_ = is_short && error != EMSGSIZE ? error : 0;
    split_train_ = train;
    at = {train, trains[train].bytes.size() - message.bytes};
    return true;
  }
  split_error_ = 0;
  drop(drop_of(error), message.datagrams);
  at = message.next;
  return true;
}

}  // namespace stoa::runtime
