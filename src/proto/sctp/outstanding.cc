#include "proto/sctp/outstanding.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/assert.h"

namespace stoa::sctp {
namespace {

constexpr std::uint8_t kMissesForLoss = 3;  // RFC 9260 §7.2.4

}  // namespace

DataChunk Outstanding::add(Timestamp now, OutgoingChunk&& chunk) {
  // With its payload's two blocks and a place in lost_.
  static_assert(sizeof(Entry) + 64 + 48 <= kChunkOverheadBytes);
  payload_bytes_ += chunk.payload.size();
  in_flight_bytes_ += wire_bytes(chunk);
  ++in_flight_chunks_;
  entries_.push_back({.chunk = std::move(chunk), .sent_at = now});
  return view_of(next_tsn() - 1);
}

void Outstanding::add_given_up(OutgoingChunk&& chunk) {
  payload_bytes_ += chunk.payload.size();
  entries_.push_back({.chunk = std::move(chunk), .sent_at = Timestamp(), .state = State::kGivenUp});
  move_forward_point();
}

DataChunk Outstanding::view_of(Tsn tsn) const {
  const OutgoingChunk& chunk = entries_[tsn - first_].chunk;
  return {.tsn = static_cast<std::uint32_t>(tsn),
          .stream = chunk.stream,
          .message_number = chunk.message_number,
          .fragment = chunk.fragment,
          .protocol = chunk.protocol,
          .is_unordered = chunk.is_unordered,
          .is_begin = chunk.is_begin,
          .is_end = chunk.is_end,
          .payload = chunk.payload.bytes()};
}

void Outstanding::move(Tsn tsn, State to) {
  Entry& at = entry(tsn);
  std::size_t bytes = wire_bytes(at.chunk);
  if (at.state == State::kInFlight) {
    in_flight_bytes_ -= bytes;
    --in_flight_chunks_;
  }
  if (at.state == State::kLost) lost_.erase(tsn);
  if (at.state == State::kAcked) --gap_acked_;
  if (to == State::kInFlight) {
    in_flight_bytes_ += bytes;
    ++in_flight_chunks_;
  }
  if (to == State::kLost) lost_.insert(tsn);
  if (to == State::kAcked) ++gap_acked_;
  at.state = to;
}

void Outstanding::acknowledge(Timestamp now, Tsn tsn, Acked& acked) {
  Entry& at = entry(tsn);
  if (at.state != State::kInFlight && at.state != State::kLost) return;
  // A peer that drops it and has it again has done nothing new.
  if (!std::exchange(at.was_acked, true)) {
    acked.bytes += wire_bytes(at.chunk);
    if (at.transmissions == 1) acked.round_trip = now - at.sent_at;
  }
  move(tsn, State::kAcked);
}

void Outstanding::advance_to(Timestamp now, Tsn cumulative, Acked& acked) {
  while (first_ <= cumulative) {
    acknowledge(now, first_, acked);
    if (entries_.front().state == State::kAcked) --gap_acked_;
    payload_bytes_ -= entries_.front().chunk.payload.size();
    entries_.pop_front();
    ++first_;
    acked.advanced = true;
  }
  forwarded_ = std::max(forwarded_, first_);
}

Result<Outstanding::Acked, Refusal> Outstanding::handle_sack(Timestamp now, const Sack& sack,
                                                             bool is_recovering) {
  Tsn acked_to = unwrap32(sack.cumulative_tsn, cumulative());
  if (acked_to < cumulative()) return Acked{.is_old = true};
  if (acked_to >= next_tsn()) return refuse(Refusal::kBadSack);
  Tsn highest_reported = sack.gaps.empty() ? acked_to : acked_to + sack.gaps.back().last;
  if (highest_reported >= next_tsn()) return refuse(Refusal::kBadSack);
  Acked acked;
  advance_to(now, acked_to, acked);
  Tsn highest_new = handle_gaps(now, sack, acked_to, acked);
  count_misses(acked.advanced && is_recovering ? highest_reported : highest_new, acked);
  move_forward_point();
  return acked;
}

Result<Outstanding::Acked, Refusal> Outstanding::handle_cumulative(Timestamp now, std::uint32_t tsn) {
  Tsn acked_to = unwrap32(tsn, cumulative());
  if (acked_to < cumulative()) return Acked{.is_old = true};
  if (acked_to >= next_tsn()) return refuse(Refusal::kBadSack);
  Acked acked;
  advance_to(now, acked_to, acked);
  move_forward_point();
  return acked;
}

Tsn Outstanding::handle_gaps(Timestamp now, const Sack& sack, Tsn cumulative, Acked& acked) {
  Tsn highest_new = 0;
  if (sack.gaps.empty() && gap_acked_ == 0) return highest_new;
  auto gap = sack.gaps.begin();
  for (Tsn tsn = first_; tsn < next_tsn(); ++tsn) {
    Tsn offset = tsn - cumulative;
    while (gap != sack.gaps.end() && gap->last < offset) ++gap;
    if (gap == sack.gaps.end() && gap_acked_ == 0) break;
    State state = entry(tsn).state;
    if (gap != sack.gaps.end() && gap->first <= offset) {
      if (state != State::kInFlight && state != State::kLost) continue;
      acknowledge(now, tsn, acked);
      highest_new = tsn;
    } else if (state == State::kAcked) {
      move(tsn, State::kInFlight);
      acked.has_reneged = true;
    }
  }
  return highest_new;
}

void Outstanding::count_misses(Tsn below, Acked& acked) {
  for (Tsn tsn = first_; tsn < below && tsn < next_tsn(); ++tsn) {
    Entry& at = entry(tsn);
    if (at.state != State::kInFlight || at.was_fast_retransmitted) continue;
    if (++at.misses < kMissesForLoss) continue;
    at.was_fast_retransmitted = true;
    lose(tsn);
    acked.has_new_loss = true;
  }
}

void Outstanding::handle_timeout() {
  for (Tsn tsn = first_; tsn < next_tsn(); ++tsn) {
    Entry& at = entry(tsn);
    at.misses = 0;
    at.was_fast_retransmitted = false;
    if (at.state == State::kInFlight) lose(tsn);
  }
  move_forward_point();
}

void Outstanding::lose(Tsn tsn) {
  const Entry& at = entry(tsn);
  if (may_give_up_ && at.chunk.retransmissions_max && at.transmissions > *at.chunk.retransmissions_max) {
    give_up_around(tsn);
  } else {
    move(tsn, State::kLost);
  }
}

std::optional<DataChunk> Outstanding::take_lost(Timestamp now, std::size_t bytes_max) {
  while (!lost_.empty()) {
    Tsn tsn = *lost_.begin();
    Entry& at = entry(tsn);
    if (may_give_up_ && at.chunk.expires <= now) {
      give_up_around(tsn);
      move_forward_point();
      continue;
    }
    if (wire_bytes(at.chunk) > bytes_max) return std::nullopt;
    move(tsn, State::kInFlight);
    at.sent_at = now;
    at.misses = 0;
    ++at.transmissions;
    return view_of(tsn);
  }
  return std::nullopt;
}

void Outstanding::give_up(SendQueue::MessageKey key) {
  for (Tsn tsn = next_tsn(); tsn-- > first_;) {
    if (entry(tsn).chunk.message_id != key.message_id) continue;
    give_up_around(tsn);
    move_forward_point();
    return;
  }
  // All that was sent of it has arrived; its rest alone is given up.
  ++messages_given_up_;
  given_up_.push_back(key);
}

void Outstanding::give_up_around(Tsn tsn) {
  SendQueue::MessageKey key{entry(tsn).chunk.stream, entry(tsn).chunk.message_id};
  auto drop = [&](Tsn at) {
    move(at, State::kGivenUp);
    payload_bytes_ -= std::exchange(entry(at).chunk.payload, {}).size();
  };
  // A message's fragments may have others between them, but its first and last bound them.
  bool is_last = entry(tsn).chunk.is_end;
  for (Tsn at = tsn + 1; at < next_tsn() && !is_last; ++at) {
    if (entry(at).chunk.message_id != key.message_id) continue;
    is_last = entry(at).chunk.is_end;
    drop(at);
  }
  for (Tsn at = tsn; at >= first_; --at) {
    if (entry(at).chunk.message_id != key.message_id) continue;
    drop(at);
    if (entry(at).chunk.is_begin) break;
  }
  ++messages_given_up_;
  given_up_.push_back(key);
}

void Outstanding::mark_reset() {
  std::size_t marked = entries_.size();
  while (!is_interleaved_ && marked > 0 && !entries_[marked - 1].chunk.is_end) --marked;
  if (marked > 0) entries_[marked - 1].ends_numbers = true;
}

void Outstanding::move_forward_point() {
  forwarded_ = std::max(forwarded_, first_);
  while (forwarded_ < next_tsn() && entry(forwarded_).state == State::kGivenUp) ++forwarded_;
}

ForwardTsn Outstanding::make_forward(std::size_t bytes_max) const {
  STOA_DCHECK(has_forward());
  constexpr std::size_t kFixedBytes = 8;
  std::size_t room = bytes_max > kFixedBytes ? (bytes_max - kFixedBytes) / (is_interleaved_ ? 8 : 4) : 0;
  std::map<std::pair<StreamId, bool>, std::uint32_t> last;
  Tsn tsn = first_;
  for (; tsn < forwarded_; ++tsn) {
    if (tsn > first_ && entries_[tsn - first_ - 1].ends_numbers) break;
    const OutgoingChunk& chunk = entries_[tsn - first_].chunk;
    if (chunk.is_unordered && !is_interleaved_) continue;  // RFC 3758 §3.2 names ordered streams only.
    std::pair key{chunk.stream, chunk.is_unordered};
    if (last.size() == room && !last.contains(key)) break;
    last[key] = chunk.message_number;
  }
  ForwardTsn forward{.cumulative_tsn = static_cast<std::uint32_t>(tsn - 1)};
  forward.skipped.reserve(last.size());
  for (const auto& [key, number] : last) forward.skipped.push_back({key.first, key.second, number});
  return forward;
}

}  // namespace stoa::sctp
