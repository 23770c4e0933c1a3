#include "proto/sctp/reassembly.h"

#include <algorithm>

#include "base/assert.h"

namespace stoa::sctp {
namespace {

ReceivedMessage whole_message(const DataChunk& chunk) {
  return {.stream = chunk.stream,
          .protocol = chunk.protocol,
          .is_unordered = chunk.is_unordered,
          .payload = Buffer(chunk.payload.begin(), chunk.payload.end())};
}

}  // namespace

Result<void, Refusal> Reassembly::add(Tsn tsn, const DataChunk& chunk, std::vector<ReceivedMessage>& out) {
  if (chunk.payload.size() > limits_.message_bytes_max) return refuse(Refusal::kMessageTooLarge);
  bool is_whole = chunk.is_begin && chunk.is_end;
  if (chunk.is_unordered && is_whole) {
    out.push_back(whole_message(chunk));
    return {};
  }
  STOA_TRY(Stream * at, stream(chunk.stream));
  if (chunk.is_unordered)
    return is_interleaved_ ? add_unordered(*at, chunk, out) : add_loose(*at, tsn, chunk, out);
  if (is_whole && at->ordered.empty() && unwrap(chunk.message_number, at->next) == at->next) {
    out.push_back(whole_message(chunk));
    ++at->next;
    return {};
  }
  return add_ordered(*at, tsn, chunk, out);
}

Result<Reassembly::Stream*, Refusal> Reassembly::stream(StreamId id) {
  auto found = streams_.find(id);
  if (found != streams_.end()) return &found->second;
  static_assert(sizeof(Stream) + 48 <= kStreamOverheadBytes);
  // A message of one fragment that waits for its turn: a node of the stream and one of the message.
  static_assert(sizeof(Messages::value_type) + sizeof(std::pair<std::uint64_t, Fragment>) + 96 <=
                kChunkOverheadBytes);
  if (streams_.size() >= limits_.streams_max) return refuse(Refusal::kTooManyStreams);
  return &streams_[id];
}

Result<void, Refusal> Reassembly::add_to(Partial& partial, std::uint64_t key, const DataChunk& chunk) {
  if (partial.payload_bytes + chunk.payload.size() > limits_.message_bytes_max)
    return refuse(Refusal::kMessageTooLarge);
  auto& fragments = partial.fragments;
  std::uint64_t lowest = fragments.empty() ? key : std::min(key, fragments.begin()->first);
  std::uint64_t highest = fragments.empty() ? key : std::max(key, fragments.rbegin()->first);
  bool has_two_begins = chunk.is_begin && partial.first;
  bool has_two_ends = chunk.is_end && partial.last;
  if (has_two_begins || has_two_ends) return refuse(Refusal::kBadFragments);
  auto first = chunk.is_begin ? key : partial.first;
  auto last = chunk.is_end ? key : partial.last;
  if ((first && lowest < *first) || (last && highest > *last)) return refuse(Refusal::kBadFragments);
  Fragment fragment{.is_begin = chunk.is_begin,
                    .is_end = chunk.is_end,
                    .protocol = chunk.protocol,
                    .payload = Buffer(chunk.payload.begin(), chunk.payload.end())};
  if (!fragments.emplace(key, std::move(fragment)).second) return refuse(Refusal::kBadFragments);
  partial.first = first;
  partial.last = last;
  partial.payload_bytes += chunk.payload.size();
  hold(chunk.payload.size());
  return {};
}

Result<void, Refusal> Reassembly::add_ordered(Stream& stream, Tsn tsn, const DataChunk& chunk,
                                              std::vector<ReceivedMessage>& out) {
  std::uint64_t number = unwrap(chunk.message_number, stream.next);
  if (number < stream.next) return {};  // Of a message that was delivered or given up.
  Partial& partial = stream.ordered[number];
  auto added = add_to(partial, is_interleaved_ ? chunk.fragment : tsn, chunk);
  if (!added) return added;
  if (number == stream.next && partial.is_whole()) deliver_in_order(chunk.stream, stream, out);
  return {};
}

Result<void, Refusal> Reassembly::add_unordered(Stream& stream, const DataChunk& chunk,
                                                std::vector<ReceivedMessage>& out) {
  std::uint64_t number = unwrap(chunk.message_number, stream.unordered_near);
  if (number <= stream.unordered_given_up) return {};
  stream.unordered_near = std::max(stream.unordered_near, number);
  auto at = stream.unordered.try_emplace(number).first;
  auto added = add_to(at->second, chunk.fragment, chunk);
  if (!added) return added;
  if (!at->second.is_whole()) return {};
  out.push_back(take(chunk.stream, true, at->second));
  stream.unordered.erase(at);
  return {};
}

Result<void, Refusal> Reassembly::add_loose(Stream& stream, Tsn tsn, const DataChunk& chunk,
                                            std::vector<ReceivedMessage>& out) {
  auto next = stream.runs.lower_bound(tsn);
  auto run = next;
  bool joins_previous = false;
  if (next != stream.runs.begin() && !chunk.is_begin) {
    run = std::prev(next);
    joins_previous = run->second.last + 1 == tsn && !stream.loose.at(run->second.last).is_end;
  }
  bool joins_next = next != stream.runs.end() && next->first == tsn + 1 && !chunk.is_end &&
                    !stream.loose.at(next->first).is_begin;
  std::size_t bytes = chunk.payload.size() + (joins_previous ? run->second.payload_bytes : 0) +
                      (joins_next ? next->second.payload_bytes : 0);
  if (bytes > limits_.message_bytes_max) return refuse(Refusal::kMessageTooLarge);

  hold(chunk.payload.size());
  stream.loose.emplace(tsn, Fragment{.is_begin = chunk.is_begin,
                                     .is_end = chunk.is_end,
                                     .protocol = chunk.protocol,
                                     .payload = Buffer(chunk.payload.begin(), chunk.payload.end())});
  Tsn last = joins_next ? next->second.last : tsn;
  if (joins_next) stream.runs.erase(next);
  if (joins_previous) {
    run->second = {.last = last, .payload_bytes = bytes};
  } else {
    run = stream.runs.emplace(tsn, Run{.last = last, .payload_bytes = bytes}).first;
  }
  if (drop_orphan(stream, run)) return {};
  if (stream.loose.at(run->first).is_begin && stream.loose.at(last).is_end)
    out.push_back(take_run(chunk.stream, stream, run));
  return {};
}

ReceivedMessage Reassembly::take_run(StreamId id, Stream& stream, std::map<Tsn, Run>::iterator run) {
  auto fragment = stream.loose.find(run->first);
  ReceivedMessage message{.stream = id, .protocol = fragment->second.protocol, .is_unordered = true};
  message.payload.reserve(run->second.payload_bytes);
  for (Tsn tsn = run->first; tsn <= run->second.last; ++tsn) {
    const Buffer& payload = fragment->second.payload;
    message.payload.insert(message.payload.end(), payload.begin(), payload.end());
    release(payload.size(), 1);
    fragment = stream.loose.erase(fragment);
  }
  stream.runs.erase(run);
  return message;
}

ReceivedMessage Reassembly::take(StreamId id, bool is_unordered, Partial& partial) {
  release(partial);
  ReceivedMessage message{
      .stream = id, .protocol = partial.fragments.begin()->second.protocol, .is_unordered = is_unordered};
  if (partial.fragments.size() == 1) {
    message.payload = std::move(partial.fragments.begin()->second.payload);
    return message;
  }
  message.payload.reserve(partial.payload_bytes);
  for (auto& [key, fragment] : partial.fragments)
    message.payload.insert(message.payload.end(), fragment.payload.begin(), fragment.payload.end());
  return message;
}

void Reassembly::deliver_in_order(StreamId id, Stream& stream, std::vector<ReceivedMessage>& out) {
  while (!stream.ordered.empty()) {
    auto at = stream.ordered.begin();
    if (at->first != stream.next || !at->second.is_whole()) return;
    out.push_back(take(id, false, at->second));
    stream.ordered.erase(at);
    ++stream.next;
  }
}

Result<void, Refusal> Reassembly::skip(Tsn cumulative, std::span<const Skipped> skipped,
                                       std::vector<ReceivedMessage>& out) {
  for (const Skipped& entry : skipped) {
    STOA_TRY(Stream * at, stream(entry.stream));
    if (!entry.is_unordered) {
      skip_ordered(entry.stream, *at, unwrap(entry.message_number, at->next), out);
      continue;
    }
    std::uint64_t up_to = unwrap(entry.message_number, at->unordered_near);
    at->unordered_near = std::max(at->unordered_near, up_to);
    at->unordered_given_up = std::max(at->unordered_given_up, up_to);
    auto end = at->unordered.upper_bound(up_to);
    for (auto it = at->unordered.begin(); it != end; ++it) release(it->second);
    at->unordered.erase(at->unordered.begin(), end);
  }
  dropped_to_ = std::max(dropped_to_, cumulative);
  for (auto& [id, stream] : streams_) drop_loose(stream, cumulative);
  return {};
}

void Reassembly::skip_ordered(StreamId id, Stream& stream, std::uint64_t up_to,
                              std::vector<ReceivedMessage>& out) {
  if (up_to < stream.next) return;
  auto end = stream.ordered.upper_bound(up_to);
  for (auto it = stream.ordered.begin(); it != end; ++it) {
    if (it->second.is_whole()) {
      out.push_back(take(id, false, it->second));
    } else {
      release(it->second);
    }
  }
  stream.ordered.erase(stream.ordered.begin(), end);
  stream.next = up_to + 1;
  deliver_in_order(id, stream, out);
}

void Reassembly::drop_loose(Stream& stream, Tsn up_to) {
  while (!stream.runs.empty() && stream.runs.begin()->first <= up_to) {
    auto run = stream.runs.begin();
    Tsn first = run->first;
    Run left = run->second;
    stream.runs.erase(run);
    auto fragment = stream.loose.find(first);
    for (Tsn tsn = first; tsn <= std::min(left.last, up_to); ++tsn) {
      left.payload_bytes -= fragment->second.payload.size();
      release(fragment->second.payload.size(), 1);
      fragment = stream.loose.erase(fragment);
    }
    if (left.last > up_to) {
      drop_orphan(stream, stream.runs.emplace(up_to + 1, left).first);
      return;
    }
  }
  if (!stream.runs.empty()) drop_orphan(stream, stream.runs.begin());
}

bool Reassembly::drop_orphan(Stream& stream, std::map<Tsn, Run>::iterator run) {
  if (run->first != dropped_to_ + 1 || stream.loose.at(run->first).is_begin) return false;
  dropped_to_ = run->second.last;
  (void)take_run(0, stream, run);
  return true;
}

void Reassembly::reset_streams(std::span<const StreamId> streams) {
  auto forget = [&](Stream& stream) {
    for (const auto& [number, partial] : stream.ordered) release(partial);
    for (const auto& [number, partial] : stream.unordered) release(partial);
    for (const auto& [tsn, fragment] : stream.loose) release(fragment.payload.size(), 1);
  };
  if (streams.empty()) {
    for (auto& [id, stream] : streams_) forget(stream);
    streams_.clear();
  }
  for (StreamId id : streams) {
    auto found = streams_.find(id);
    if (found == streams_.end()) continue;
    forget(found->second);
    streams_.erase(found);
  }
}

}  // namespace stoa::sctp
