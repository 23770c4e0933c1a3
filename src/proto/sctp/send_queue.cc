#include "proto/sctp/send_queue.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::sctp {

Result<void, Refusal> SendQueue::add(Timestamp now, OutgoingMessage&& message) {
  std::size_t bytes = message.payload.size();
  if (bytes == 0) return refuse(Refusal::kEmptyMessage);
  if (bytes > limits_.send_message_bytes_max) return refuse(Refusal::kMessageTooLarge);
  StreamId id = message.stream;
  auto found = streams_.find(id);
  if (found == streams_.end()) {
    if (streams_.size() >= limits_.streams_max) return refuse(Refusal::kTooManyStreams);
    found = streams_.try_emplace(id).first;
  }
  Stream& stream = found->second;
  // With a list's node and the payload's two blocks.
  static_assert(sizeof(Waiting) + 32 + 64 <= kMessageOverheadBytes);
  static_assert(sizeof(Stream) + 96 <= kStreamOverheadBytes);
  std::size_t cost = bytes + kMessageOverheadBytes;
  if (held_bytes_ + cost > limits_.send_buffer_bytes_max && !make_room(cost, message.reliability, now))
    return refuse(Refusal::kSendBufferFull);
  Timestamp expires = message.reliability.lifetime ? now + *message.reliability.lifetime : Timestamp::never();
  bool was_idle = stream.messages.empty() && !stream.is_resetting;
  auto& messages = stream.is_resetting ? stream.held : stream.messages;
  messages.push_back({.id = next_id_++, .message = std::move(message), .expires = expires});
  stream.buffered_bytes += bytes;
  buffered_bytes_ += bytes;
  held_bytes_ += cost;
  if (stream.buffered_bytes > stream.low_mark) stream.is_above_low_mark = true;
  if (was_idle) {
    stream.finish = std::max(stream.finish, virtual_time_);
    schedule_.emplace(stream.finish, id);
  }
  return {};
}

void SendQueue::set_mode(bool is_interleaved, bool may_give_up) {
  is_interleaved_ = is_interleaved;
  may_give_up_ = may_give_up;
}

std::optional<OutgoingChunk> SendQueue::take(Timestamp now, std::size_t room, std::size_t payload_bytes_max) {
  while (!schedule_.empty()) {
    StreamId id = begun_ ? *begun_ : schedule_.begin()->second;
    Stream& stream = streams_.at(id);
    Waiting& waiting = stream.messages.front();
    if (may_give_up_ && waiting.expires <= now) {
      if (waiting.sent_bytes > 0) {
        expired_.push_back({id, waiting.id});
        return std::nullopt;
      }
      ++given_up_;
      pop_front(id, stream);
      continue;
    }
    std::size_t left = waiting.message.payload.size() - waiting.sent_bytes;
    if (left > room && (left <= payload_bytes_max || room < payload_bytes_max / 2)) return std::nullopt;
    OutgoingChunk chunk = cut(stream, waiting, room);
    schedule_.erase({stream.finish, id});
    virtual_time_ = std::max(virtual_time_, stream.finish);
    stream.finish = virtual_time_ + std::max<std::uint64_t>(1, chunk.payload.size() * 1024 / stream.weight);
    schedule_.emplace(stream.finish, id);
    release(id, stream, chunk.payload.size());
    begun_.reset();
    if (chunk.is_end) {
      pop_front(id, stream);
    } else if (!is_interleaved_) {
      begun_ = id;
    }
    return chunk;
  }
  return std::nullopt;
}

OutgoingChunk SendQueue::cut(Stream& stream, Waiting& waiting, std::size_t room) {
  const OutgoingMessage& message = waiting.message;
  bool is_begin = waiting.sent_bytes == 0;
  if (is_begin) {
    // Of DATA, only ordered messages have a number (RFC 9260 §6.6).
    if (!message.is_unordered) {
      waiting.number = stream.next_ordered++;
    } else if (is_interleaved_) {
      waiting.number = stream.next_unordered++;
    }
  }
  std::size_t size = std::min(room, message.payload.size() - waiting.sent_bytes);
  bool is_end = waiting.sent_bytes + size == message.payload.size();
  // A part is copied: a view of it would keep the whole message for as long as it waits to be acknowledged.
  SharedBytes payload = is_begin && is_end
                            ? message.payload
                            : SharedBytes::copy_of(message.payload.bytes().subspan(waiting.sent_bytes, size));
  OutgoingChunk chunk{.stream = message.stream,
                      .message_number = waiting.number,
                      .fragment = waiting.fragment++,
                      .protocol = message.protocol,
                      .is_unordered = message.is_unordered,
                      .is_begin = is_begin,
                      .is_end = is_end,
                      .payload = std::move(payload),
                      .message_id = waiting.id,
                      .expires = waiting.expires,
                      .retransmissions_max = message.reliability.retransmissions_max};
  waiting.sent_bytes += size;
  return chunk;
}

std::vector<SendQueue::MessageKey> SendQueue::take_expired() { return std::exchange(expired_, {}); }

std::optional<OutgoingChunk> SendQueue::drop_rest(MessageKey key) {
  auto found = streams_.find(key.stream);
  if (found == streams_.end() || found->second.messages.empty()) return std::nullopt;
  Stream& stream = found->second;
  Waiting& waiting = stream.messages.front();
  if (waiting.id != key.message_id || waiting.sent_bytes == 0) return std::nullopt;
  OutgoingChunk end{.stream = key.stream,
                    .message_number = waiting.number,
                    .fragment = waiting.fragment,
                    .is_unordered = waiting.message.is_unordered,
                    .is_end = true,
                    .message_id = waiting.id};
  if (begun_ == key.stream) begun_.reset();
  pop_front(key.stream, stream);
  return end;
}

void SendQueue::release(StreamId id, Stream& stream, std::size_t bytes) {
  stream.buffered_bytes -= bytes;
  buffered_bytes_ -= bytes;
  if (stream.is_above_low_mark && stream.buffered_bytes <= stream.low_mark) {
    stream.is_above_low_mark = false;
    low_.push_back(id);
  }
}

void SendQueue::pop_front(StreamId id, Stream& stream) {
  Waiting& waiting = stream.messages.front();
  std::size_t unsent = waiting.message.payload.size() - waiting.sent_bytes;
  held_bytes_ -= waiting.held_bytes();
  stream.messages.pop_front();
  if (stream.messages.empty()) schedule_.erase({stream.finish, id});
  release(id, stream, unsent);
}

bool SendQueue::make_room(std::size_t cost, const Reliability& reliability, Timestamp now) {
  if (!may_give_up_ || cost > limits_.send_buffer_bytes_max) return false;
  auto fits = [&] { return held_bytes_ + cost <= limits_.send_buffer_bytes_max; };
  auto drop_if = [&](auto&& is_to_go) {
    for (auto& [id, stream] : streams_) {
      auto& messages = stream.messages;
      bool had_messages = !messages.empty();
      for (auto at = messages.end(); at != messages.begin() && !fits();) {
        --at;
        if (at->sent_bytes > 0 || !is_to_go(*at)) continue;
        std::size_t size = at->message.payload.size();
        held_bytes_ -= at->held_bytes();
        at = messages.erase(at);
        ++given_up_;
        release(id, stream, size);
      }
      if (had_messages && messages.empty()) schedule_.erase({stream.finish, id});
    }
  };
  drop_if([&](const Waiting& waiting) { return waiting.expires <= now; });
  // The least important first, one rank at a time.
  while (!fits()) {
    std::optional<std::uint32_t> least;
    for (const auto& [id, stream] : streams_)
      for (const Waiting& waiting : stream.messages) {
        const auto& priority = waiting.message.reliability.priority;
        if (priority && waiting.sent_bytes == 0 && (!least || *priority > *least)) least = priority;
      }
    if (!least || (reliability.priority && *least <= *reliability.priority)) return false;
    drop_if([&](const Waiting& waiting) { return waiting.message.reliability.priority == least; });
  }
  return true;
}

void SendQueue::begin_reset(StreamId stream) {
  auto found = streams_.find(stream);
  if (found == streams_.end() && streams_.size() >= limits_.streams_max) return;
  streams_[stream].is_resetting = true;
}

bool SendQueue::may_reset(StreamId stream) const {
  auto found = streams_.find(stream);
  return found != streams_.end() && !found->second.is_resetting;
}

bool SendQueue::is_drained(StreamId stream) const {
  auto found = streams_.find(stream);
  return found == streams_.end() || found->second.messages.empty();
}

void SendQueue::finish_reset(StreamId stream, bool restarts_numbers) {
  auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  Stream& at = found->second;
  at.is_resetting = false;
  if (restarts_numbers) {
    STOA_DCHECK(at.messages.empty());
    if (at.held.empty()) {
      streams_.erase(found);
      return;
    }
    at.next_ordered = at.next_unordered = 0;
  }
  unhold(stream, at);
}

void SendQueue::unhold(StreamId id, Stream& stream) {
  if (stream.held.empty()) return;
  bool was_idle = stream.messages.empty();
  stream.messages.splice(stream.messages.end(), stream.held);
  if (!was_idle) return;
  stream.finish = std::max(stream.finish, virtual_time_);
  schedule_.emplace(stream.finish, id);
}

void SendQueue::restart() {
  begun_.reset();
  expired_.clear();
  for (auto& [id, stream] : streams_) {
    stream.next_ordered = stream.next_unordered = 0;
    stream.is_resetting = false;
    if (!stream.messages.empty()) {
      Waiting& waiting = stream.messages.front();
      stream.buffered_bytes += waiting.sent_bytes;
      buffered_bytes_ += waiting.sent_bytes;
      waiting.sent_bytes = 0;
      waiting.fragment = 0;
    }
    unhold(id, stream);
  }
}

void SendQueue::set_weight(StreamId stream, std::uint16_t weight) {
  if (!streams_.contains(stream) && streams_.size() >= limits_.streams_max) return;
  streams_[stream].weight = std::max<std::uint16_t>(weight, 1);
}

void SendQueue::set_low_mark(StreamId stream, std::size_t bytes) {
  if (!streams_.contains(stream) && streams_.size() >= limits_.streams_max) return;
  streams_[stream].low_mark = bytes;
}

std::size_t SendQueue::buffered_bytes(StreamId stream) const {
  auto found = streams_.find(stream);
  return found == streams_.end() ? 0 : found->second.buffered_bytes;
}

std::vector<StreamId> SendQueue::streams() const {
  std::vector<StreamId> ids;
  ids.reserve(streams_.size());
  for (const auto& [id, stream] : streams_) ids.push_back(id);
  return ids;
}

}  // namespace stoa::sctp
