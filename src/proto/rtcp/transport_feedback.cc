#include "proto/rtcp/transport_feedback.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "proto/rtcp/items.h"
#include "proto/rtcp/limits.h"
#include "proto/rtcp/sequence.h"

namespace stoa::rtcp {
namespace {

// Symbols: the number of bytes of a packet's delta.
constexpr unsigned kLost = 0, kReserved = 3;

// Run of equal symbols: |0| S (2) |  length (13)  |
// Vector of one bit:    |1|0| 14 symbols          |
// Vector of two bits:   |1|1| 7 symbols           |
constexpr bool is_run(std::uint16_t chunk) { return !(chunk & 0x8000); }
constexpr bool is_two_bits(std::uint16_t chunk) { return chunk >> 14 == 3; }
constexpr unsigned run_symbol(std::uint16_t chunk) { return chunk >> 13 & 3u; }
constexpr std::size_t statuses_in(std::uint16_t chunk) {
  if (is_run(chunk)) return chunk & 0x1fff;
  return is_two_bits(chunk) ? 7 : 14;
}

// The bytes of deltas that the first `count` statuses of a chunk ask for; nothing for a reserved symbol.
std::optional<std::size_t> delta_bytes(std::uint16_t chunk, std::size_t count) {
  if (is_run(chunk)) {
    if (run_symbol(chunk) == kReserved) return std::nullopt;
    return count * run_symbol(chunk);
  }
  if (!is_two_bits(chunk)) return std::popcount((chunk & 0x3fffu) >> (14 - count));
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    unsigned symbol = chunk >> (12 - 2 * i) & 3u;
    if (symbol == kReserved) return std::nullopt;
    bytes += symbol;
  }
  return bytes;
}

}  // namespace

//  0                   1                   2                   3
//  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
// |        first sequence         |         status count          |
// |             reference time (24)               |feedback count |
// |            chunk              |            chunk …            |
// |     delta     |             delta             |  padding …    |
Result<TransportFeedback, Refusal> TransportFeedback::parse(std::uint32_t sender_ssrc,
                                                            std::uint32_t media_ssrc, Bytes content) {
  ByteReader reader(content);
  TransportFeedback feedback{.sender_ssrc = sender_ssrc, .media_ssrc = media_ssrc};
  feedback.first_sequence = reader.u16();
  feedback.status_count = reader.u16();
  feedback.reference_time = reader.u24();
  feedback.feedback_count = reader.u8();
  std::size_t begin = reader.offset(), bytes = 0, left = feedback.status_count;
  if (left == 0 || left > kFeedbackStatusesMax) return refuse(Refusal::kBadTransportFeedback);
  while (left > 0 && reader.ok()) {
    std::uint16_t chunk = reader.u16();
    std::size_t count = std::min(statuses_in(chunk), left);
    auto more = delta_bytes(chunk, count);
    if (!more) return refuse(Refusal::kBadTransportFeedback);
    bytes += *more;
    left -= count;
  }
  feedback.chunks = content.subspan(std::min(begin, content.size()), reader.offset() - begin);
  feedback.deltas = reader.take(bytes);
  if (!reader.ok()) return refuse(Refusal::kBadTransportFeedback);
  return feedback;
}

std::optional<FeedbackArrival> FeedbackArrivals::next() {
  while (statuses_left_ > 0) {
    if (chunk_left_ == 0) {
      STOA_DCHECK(chunks_.size() >= 2);
      chunk_ = load_u16(chunks_.data());
      chunks_ = chunks_.subspan(2);
      chunk_left_ = statuses_in(chunk_);
      continue;
    }
    if (is_run(chunk_) && run_symbol(chunk_) == kLost) {
      std::size_t lost = std::min(chunk_left_, statuses_left_);
      index_ += lost;
      statuses_left_ -= lost;
      chunk_left_ = 0;
      continue;
    }
    --chunk_left_;
    --statuses_left_;
    ++index_;
    unsigned symbol = is_run(chunk_)        ? run_symbol(chunk_)
                      : is_two_bits(chunk_) ? chunk_ >> (2 * chunk_left_) & 3u
                                            : chunk_ >> chunk_left_ & 1u;
    if (symbol != kLost) return take_arrival(symbol);
  }
  return std::nullopt;
}

FeedbackArrival FeedbackArrivals::take_arrival(unsigned symbol) {
  STOA_DCHECK(deltas_.size() >= symbol);
  ticks_ += symbol == 1 ? deltas_[0] : static_cast<std::int16_t>(load_u16(deltas_.data()));
  deltas_ = deltas_.subspan(symbol);
  return {static_cast<std::uint16_t>(index_ - 1), kFeedbackTick * ticks_};
}

FeedbackTimeline::Placed FeedbackTimeline::place(const TransportFeedback& feedback) {
  Placed placed;
  if (!is_started_) {
    is_started_ = true;
    sequence_ = feedback.first_sequence;
    reference_ = feedback.reference_time;
    count_ = feedback.feedback_count;
  } else {
    sequence_ = extend_sequence(sequence_, feedback.first_sequence);
    auto step = static_cast<std::uint32_t>(feedback.reference_time - static_cast<std::uint32_t>(reference_))
                << 8;
    reference_ += static_cast<std::int32_t>(step) >> 8;
    unsigned skipped = (feedback.feedback_count - count_ - 1u) & 0xff;
    bool is_late = skipped >= 128;
    placed.feedback_lost = is_late ? 0 : static_cast<int>(skipped);
    if (!is_late) count_ = feedback.feedback_count;
  }
  placed.first_sequence = sequence_;
  placed.reference = kFeedbackTick * (reference_ * kTicksPerReference);
  return placed;
}

}  // namespace stoa::rtcp
