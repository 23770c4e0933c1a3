#include "media/payload/packet.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace stoa::payload {

const char* name_of(Obstacle obstacle) {
  switch (obstacle) {
    case Obstacle::kNone: return "none";
    case Obstacle::kCodec: return "codec";
    case Obstacle::kReorderedFrames: return "reordered_frames";
  }
  return "?";
}

void PacketWriter::add(const Packet& packet, Bytes payload, Bytes payload_rest, Bytes descriptor) {
  Packet& placed = place(packet, {payload, payload_rest, descriptor});
  placed.payload_bytes = static_cast<std::uint16_t>(payload.size() + payload_rest.size());
  placed.descriptor_bytes = static_cast<std::uint16_t>(descriptor.size());
}

void PacketWriter::add_red(const Packet& packet, const RedPayload& red) {
  Packet& placed = place(packet, {red.headers, red.earlier, red.primary});
  placed.red_headers_bytes = static_cast<std::uint8_t>(red.headers.size());
  placed.red_bytes = static_cast<std::uint16_t>(red.headers.size() + red.earlier.size());
  placed.payload_offset += placed.red_bytes;
  placed.payload_bytes = static_cast<std::uint16_t>(red.primary.size());
}

// Puts the pieces behind what is there. Which of them are payload, redundancy and descriptor the caller says.
Packet& PacketWriter::place(const Packet& packet, std::initializer_list<Bytes> pieces) {
  std::size_t bytes = 0;
  for (Bytes piece : pieces) bytes += piece.size();
  STOA_ASSERT(bytes <= PacketBlock::kBytes);
  if (!block_ || next_ == PacketBlock::kPackets || bytes > PacketBlock::kBytes - used_) begin_block();
  std::uint8_t* to = block_->memory_.data() + used_;
  for (Bytes piece : pieces) {
    if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  Packet& placed = block_->packets_[next_++];
  placed = packet;
  placed.payload_offset = static_cast<std::uint32_t>(used_);
  placed.payload_bytes = placed.descriptor_bytes = placed.red_bytes = placed.red_headers_bytes = 0;
  used_ += bytes;
  return placed;
}

void PacketWriter::take_batches(std::vector<PacketBatch>& out) {
  close_batch();
  for (PacketBatch& batch : pending_) out.push_back(std::move(batch));
  pending_.clear();
}

void PacketWriter::close_batch() {
  if (next_ == begun_) return;
  pending_.push_back({block_, begun_, static_cast<std::uint16_t>(next_ - begun_)});
  begun_ = next_;
}

void PacketWriter::begin_block() {
  close_batch();
  used_ = next_ = begun_ = 0;
  block_ = std::make_shared_for_overwrite<PacketBlock>();
}

bool UnbrokenClock::is_near(std::int64_t at, std::int64_t expected) const {
  const std::int64_t step_max = kStepMax.to_ticks(clock_rate_);
  return at - expected <= step_max && expected - at <= step_max;
}

std::int64_t UnbrokenClock::keep(Timestamp now, std::int64_t at, bool is_newest) {
  if (is_newest) {
    newest_ = std::max(newest_, at);
    newest_at_ = now;
  }
  return at;
}

std::int64_t UnbrokenClock::place(Timestamp now, std::int64_t timestamp, bool is_newest) {
  if (!has_begun_) {
    has_begun_ = true;
    newest_ = timestamp;
    newest_at_ = now;
    return timestamp;
  }
  if (is_near(timestamp + shift_, newest_)) return keep(now, timestamp + shift_, is_newest);
  if (is_near(timestamp + shift_before_, newest_)) {
    if (is_newest) std::swap(shift_, shift_before_);
    return keep(now, timestamp + (is_newest ? shift_ : shift_before_), is_newest);
  }
  // After a pause the clock shows how long it was.
  const std::int64_t expected = newest_ + (now - newest_at_).to_ticks(clock_rate_);
  if (!is_newest || is_near(timestamp + shift_, expected)) return keep(now, timestamp + shift_, is_newest);
  shift_before_ = shift_;
  shift_ = std::max<std::int64_t>(expected, newest_ + clock_rate_ / 1'000) - timestamp;
  return keep(now, timestamp + shift_, true);
}

void UnbrokenClock::clear() {
  has_begun_ = false;
  shift_ = shift_before_ = 0;
}

}  // namespace stoa::payload
