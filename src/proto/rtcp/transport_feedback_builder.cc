#include <algorithm>
#include <limits>

#include "base/assert.h"
#include "proto/rtcp/limits.h"
#include "proto/rtcp/packet.h"
#include "proto/rtcp/transport_feedback.h"
#include "proto/rtcp/writer.h"

namespace stoa::rtcp {
namespace {

constexpr std::uint8_t kLost = 0, kSmall = 1, kLarge = 2;
constexpr std::size_t kRunMax = 8191, kOneBitMax = 14, kTwoBitsMax = 7;

constexpr std::int64_t floor_divide(std::int64_t value, std::int64_t divisor) {
  return value / divisor - (value % divisor < 0 ? 1 : 0);
}

}  // namespace

bool TransportFeedbackBuilder::Packer::takes(std::uint8_t symbol) const {
  if (open_count < kTwoBitsMax) return true;
  if (open_count < kOneBitMax && !has_large && symbol != kLarge) return true;
  return is_run && open_count < kRunMax && symbol == open[0];
}

void TransportFeedbackBuilder::Packer::push(std::uint8_t symbol) {
  while (!takes(symbol)) close();
  if (open_count == 0) is_run = true;
  if (open_count > 0 && symbol != open[0]) is_run = false;
  if (open_count < kOneBitMax) open[open_count] = symbol;
  has_large = has_large || symbol == kLarge;
  ++open_count;
}

void TransportFeedbackBuilder::Packer::push_lost(std::size_t count) {
  for (; count > 0; --count) push(kLost);
}

// Closes a chunk from the front of what is open; what does not fit into it stays open.
void TransportFeedbackBuilder::Packer::close() {
  std::size_t closed = open_count;
  if (is_run) {
    chunks.push_back(run());
  } else if (open_count == kOneBitMax) {
    chunks.push_back(vector_of_one_bit(closed));
  } else {
    closed = kTwoBitsMax;
    chunks.push_back(vector_of_two_bits(closed));
  }
  open_count -= closed;
  std::copy_n(open + (open_count > 0 ? closed : 0), open_count, open);
  is_run = std::all_of(open, open + open_count, [this](std::uint8_t symbol) { return symbol == open[0]; });
  has_large = std::count(open, open + open_count, kLarge) > 0;
}

std::uint16_t TransportFeedbackBuilder::Packer::run() const {
  return static_cast<std::uint16_t>(open[0] << 13 | open_count);
}

std::uint16_t TransportFeedbackBuilder::Packer::vector_of_one_bit(std::size_t count) const {
  unsigned chunk = 0x8000;
  for (std::size_t i = 0; i < count; ++i) chunk |= static_cast<unsigned>(open[i]) << (13 - i);
  return static_cast<std::uint16_t>(chunk);
}

std::uint16_t TransportFeedbackBuilder::Packer::vector_of_two_bits(std::size_t count) const {
  unsigned chunk = 0xc000;
  for (std::size_t i = 0; i < count; ++i) chunk |= static_cast<unsigned>(open[i]) << (12 - 2 * i);
  return static_cast<std::uint16_t>(chunk);
}

TransportFeedbackBuilder::TransportFeedbackBuilder(std::uint16_t first_sequence, std::size_t limit_bytes)
    : first_sequence_(first_sequence), limit_bytes_(limit_bytes / 4 * 4) {
  STOA_ASSERT(limit_bytes >= 64);
}

bool TransportFeedbackBuilder::add(std::size_t lost_before, Timestamp arrival) {
  std::int64_t ticks = floor_divide(arrival.ns(), kFeedbackTick.ns());
  std::int64_t reference = empty() ? floor_divide(ticks, kTicksPerReference) : reference_;
  std::int64_t delta = ticks - (empty() ? reference * kTicksPerReference : last_ticks_);
  if (delta < std::numeric_limits<std::int16_t>::min() || delta > std::numeric_limits<std::int16_t>::max())
    return false;
  std::uint8_t symbol = delta >= 0 && delta <= 255 ? kSmall : kLarge;
  if (lost_before >= kFeedbackStatusesMax - status_count_) return false;
  // Pushing closes at most one chunk for what is open, one a run of lost packets, and one for the last of
  // them.
  std::size_t more = 2 * (3 + lost_before / kRunMax) + symbol;
  if (size_bytes() + more > limit_bytes_) return false;

  reference_ = reference;
  last_ticks_ = ticks;
  packer_.push_lost(lost_before);
  packer_.push(symbol);
  status_count_ += lost_before + 1;
  auto bits = static_cast<std::uint16_t>(delta);
  if (symbol == kLarge) deltas_.push_back(static_cast<std::uint8_t>(bits >> 8));
  deltas_.push_back(static_cast<std::uint8_t>(bits));
  return true;
}

std::size_t TransportFeedbackBuilder::size_bytes() const {
  std::size_t chunks = packer_.chunks.size() + (packer_.open_count > 0 ? 1 : 0);
  return (kHeaderBytes + 2 * chunks + deltas_.size() + 3) / 4 * 4;
}

bool TransportFeedbackBuilder::write(std::uint32_t sender_ssrc, std::uint32_t media_ssrc,
                                     std::uint8_t feedback_count, Writer& writer) const {
  STOA_ASSERT(!empty());
  std::uint8_t* at = writer.append(PacketType::kTransportFeedback, kFormatTransportWide, size_bytes() - 4);
  if (!at) return false;
  at = store_u32(at, sender_ssrc);
  at = store_u32(at, media_ssrc);
  at = store_u16(at, first_sequence_);
  at = store_u16(at, static_cast<std::uint16_t>(status_count_));
  at = store_u32(at, static_cast<std::uint32_t>(reference_) << 8 | feedback_count);
  for (std::uint16_t chunk : packer_.chunks) at = store_u16(at, chunk);
  if (packer_.open_count > 0) {
    std::uint16_t last = packer_.is_run      ? packer_.run()
                         : packer_.has_large ? packer_.vector_of_two_bits(packer_.open_count)
                                             : packer_.vector_of_one_bit(packer_.open_count);
    at = store_u16(at, last);
  }
  std::copy(deltas_.begin(), deltas_.end(), at);
  return true;
}

}  // namespace stoa::rtcp
