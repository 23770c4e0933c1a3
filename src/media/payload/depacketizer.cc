#include "media/payload/depacketizer.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "media/payload/inspect.h"

namespace stoa::payload {

Depacketizer::Depacketizer(const DepacketizerConfig& config)
    : config_(config),
      ring_(config.packets_max),
      waits_for_keyframe_(config.waits_for_keyframe && is_video(config.encoding)) {
  STOA_ASSERT(config.packets_max >= 2 && std::has_single_bit(config.packets_max));
  STOA_ASSERT(config.bytes_max <= kFrameBytesMax);
}

Depacketizer::Slot* Depacketizer::find(std::int64_t sequence) {
  Slot& slot = slot_of(sequence);
  return slot.state != State::kMissing && slot.sequence == sequence ? &slot : nullptr;
}

void Depacketizer::release(Slot& slot) {
  bytes_held_ -= slot.payload.size();
  slot.payload.clear();
  slot.state = State::kMissing;
}

Result<void, Refusal> Depacketizer::handle_packet(Timestamp now, const PayloadPacket& packet,
                                                  DepacketizerOutputs& out) {
  if (packet.payload.size() > config_.bytes_max) return refuse(Refusal::kTooLarge);
  if (auto placed = find_place(now, packet.sequence, out); !placed) return placed;
  Result<void, Refusal> answer{};
  if (packet.payload.empty()) {
    store(now, packet, State::kPadding, false);
  } else if (auto facts = inspect_payload(config_.encoding, packet.payload); facts) {
    store(now, packet, State::kMedia, facts->starts_frame);
  } else {
    ++stats_.malformed;
    store(now, packet, State::kMalformed, false);
    answer = refuse(facts.error());
  }
  advance(now, out);
  while (bytes_held_ > config_.bytes_max) {
    // The oldest frame gives way: up to the hole in it, or as far as it has come.
    give_up_to(now, find_after_hole().value_or(std::max(scan_, next_ + 1)), out);
    advance(now, out);
  }
  update_deadline();
  return answer;
}

// Makes next_ and the ring such that `sequence` has a slot of its own.
Result<void, Refusal> Depacketizer::find_place(Timestamp now, std::int64_t sequence,
                                               DepacketizerOutputs& out) {
  auto room = static_cast<std::int64_t>(ring_.size());
  if (!has_begun_) {
    has_begun_ = true;
    next_ = scan_ = highest_ = sequence;
    return {};
  }
  if (sequence < next_) {
    if (has_settled_ || highest_ - sequence >= room) {
      ++stats_.late;
      return refuse(Refusal::kLate);
    }
    next_ = scan_ = sequence;
    return {};
  }
  if (find(sequence) != nullptr) {
    ++stats_.duplicates;
    return refuse(Refusal::kDuplicate);
  }
  while (sequence - next_ >= room) {
    bool is_far = sequence - highest_ >= room;
    give_up_to(now, is_far ? sequence : std::max(sequence - room + 1, next_ + 1), out);
    advance(now, out);
  }
  highest_ = std::max(highest_, sequence);
  return {};
}

void Depacketizer::store(Timestamp now, const PayloadPacket& packet, State state, bool starts_frame) {
  Slot& slot = slot_of(packet.sequence);
  STOA_DCHECK(slot.state == State::kMissing);
  ++stats_.packets;
  slot.sequence = packet.sequence;
  slot.timestamp = packet.timestamp;
  slot.arrival = now;
  slot.state = state;
  slot.marker = packet.marker;
  slot.starts_frame = starts_frame;
  slot.payload.assign(packet.payload.begin(), packet.payload.end());
  bytes_held_ += slot.payload.size();
}

void Depacketizer::advance(Timestamp now, DepacketizerOutputs& out) {
  while (Slot* first = find(next_)) {
    if (first->state == State::kPadding) {
      release(*first);
      scan_ = std::max(scan_, ++next_);
      continue;
    }
    auto end = find_frame_end();
    if (!end) return;
    take_frame(now, *end, out);
  }
}

std::optional<std::int64_t> Depacketizer::find_frame_end() {
  std::int64_t timestamp = find(next_)->timestamp;
  for (; Slot* slot = find(scan_); ++scan_) {
    if (slot->state == State::kPadding) continue;
    if (slot->timestamp != timestamp) return scan_;
    if (slot->marker || !is_video(config_.encoding)) return scan_ + 1;
  }
  return std::nullopt;
}

void Depacketizer::take_frame(Timestamp now, std::int64_t end, DepacketizerOutputs& out) {
  auto frame = assemble_frame(end);
  if (!frame) {
    give_up_to(now, end, out);
    is_at_boundary_ = true;
    return;
  }
  if (may_go_out(*frame, frame_has_parameters_)) {
    waits_for_keyframe_ = false;
    ++stats_.frames;
    out.push(std::move(*frame));
  } else {
    ++stats_.frames_skipped;
    ask_for_keyframe(now, out);
  }
  for (; next_ < end; ++next_) release(slot_of(next_));
  scan_ = next_;
  is_at_boundary_ = has_settled_ = true;
}

// Requires: [next_, end) are all there and next_ is no padding.
Result<FrameReady, Refusal> Depacketizer::assemble_frame(std::int64_t end) {
  const Slot& first = *find(next_);
  if (!is_at_boundary_ && !first.starts_frame) return refuse(Refusal::kBroken);
  payloads_.clear();
  std::size_t bytes = 0;
  for (std::int64_t sequence = next_; sequence < end; ++sequence) {
    const Slot& slot = slot_of(sequence);
    if (slot.state == State::kMalformed) return refuse(Refusal::kBadValue);
    if (slot.state == State::kPadding) continue;
    payloads_.push_back(slot.payload);
    bytes += slot.payload.size();
  }
  FrameReady ready{.timestamp = first.timestamp, .first_sequence = next_, .last_sequence = end - 1};
  // Lengths of NAL units are what a frame may have more than its payloads.
  ready.frame.reserve(bytes + 64);
  STOA_TRY(AssembledFrame facts, assemble(config_.encoding, payloads_, ready.frame));
  if (ready.frame.empty()) return refuse(Refusal::kBroken);
  ready.is_keyframe = facts.is_keyframe;
  frame_has_parameters_ = facts.has_parameters;
  return ready;
}

bool Depacketizer::may_go_out(const FrameReady& frame, bool has_parameters) {
  has_seen_parameters_ |= has_parameters;
  if (!waits_for_keyframe_) return true;
  // Behind a loss, a sender that puts parameter sets before key frames may have lost just these.
  return frame.is_keyframe && (has_parameters || !has_seen_parameters_);
}

void Depacketizer::give_up_to(Timestamp now, std::int64_t end, DepacketizerOutputs& out) {
  STOA_DCHECK(end > next_);
  ++stats_.losses;
  out.push(FramesLost{next_, end - 1});
  auto room = static_cast<std::int64_t>(ring_.size());
  for (std::int64_t sequence = next_; sequence < std::min(end, next_ + room); ++sequence) {
    if (Slot* slot = find(sequence)) release(*slot);
  }
  next_ = scan_ = end;
  highest_ = std::max(highest_, end - 1);
  is_at_boundary_ = false;
  has_settled_ = true;
  if (!config_.waits_for_keyframe || !is_video(config_.encoding)) return;
  waits_for_keyframe_ = true;
  ask_for_keyframe(now, out);
}

void Depacketizer::ask_for_keyframe(Timestamp now, DepacketizerOutputs& out) {
  if (asked_at_ && now - *asked_at_ < config_.ask_interval) return;
  asked_at_ = now;
  out.push(KeyframeNeeded{});
}

std::optional<std::int64_t> Depacketizer::find_after_hole() {
  // scan_ stands at the first packet that is not there, unless next_ itself is missing.
  for (std::int64_t sequence = scan_ + 1; sequence <= highest_; ++sequence) {
    if (find(sequence) != nullptr) return sequence;
  }
  return std::nullopt;
}

void Depacketizer::update_deadline() {
  if (scan_ > highest_) {
    hole_at_.reset();
    deadline_ = Timestamp::never();
    return;
  }
  if (hole_at_ == scan_) return;
  auto after = find_after_hole();
  hole_at_ = scan_;
  deadline_ = after ? find(*after)->arrival + config_.wait_max : Timestamp::never();
}

void Depacketizer::set_wait_max(Duration wait_max) {
  if (is_waiting()) deadline_ += wait_max - config_.wait_max;
  config_.wait_max = wait_max;
}

void Depacketizer::handle_deadline(Timestamp now, DepacketizerOutputs& out) {
  while (deadline_ <= now) {
    auto after = find_after_hole();
    STOA_ASSERT(after.has_value());
    give_up_to(now, *after, out);
    advance(now, out);
    update_deadline();
  }
}

}  // namespace stoa::payload
