#include "media/payload/packet.h"

#include <cstring>

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
  std::size_t bytes = payload.size() + payload_rest.size() + descriptor.size();
  STOA_ASSERT(bytes <= PacketBlock::kBytes);
  if (!block_ || next_ == PacketBlock::kPackets || bytes > PacketBlock::kBytes - used_) begin_block();
  std::uint8_t* to = block_->memory_.data() + used_;
  for (Bytes piece : {payload, payload_rest, descriptor}) {
    if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
    to += piece.size();
  }
  Packet& placed = block_->packets_[next_++];
  placed = packet;
  placed.payload_offset = static_cast<std::uint32_t>(used_);
  placed.payload_bytes = static_cast<std::uint16_t>(payload.size() + payload_rest.size());
  placed.descriptor_bytes = static_cast<std::uint16_t>(descriptor.size());
  used_ += bytes;
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

}  // namespace stoa::payload
