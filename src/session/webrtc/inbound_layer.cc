#include "session/webrtc/inbound_layer.h"

#include <algorithm>

#include "proto/rtcp/sequence.h"

namespace stoa::webrtc {
namespace {

// Sound that comes later than this is played by nobody any more.
constexpr Duration kSoundLifetime = Duration::milliseconds(500);

rtcp::NackConfig nack_config(bool is_video, Duration round_trip) {
  rtcp::NackConfig config;
  config.round_trip = round_trip;
  if (!is_video) config.lifetime = config.lifetime_max = kSoundLifetime;
  return config;
}

}  // namespace

bool ReceivedWindow::insert(std::int64_t index) {
  if (index < first_) return false;
  if (!is_started_ || index - highest_ >= kPackets) {
    bits_.fill(0);
    is_started_ = true;
    highest_ = index;
  } else if (index > highest_) {
    while (highest_ < index) {
      ++highest_;
      word(highest_) &= ~bit(highest_);
    }
  } else if (highest_ - index >= kPackets || (word(index) & bit(index)) != 0) {
    return false;
  }
  word(index) |= bit(index);
  return true;
}

void KeyframeWish::request(Timestamp now, Duration interval, std::int64_t from) {
  Timestamp allowed = std::max(now, held_until_);
  if (sent_) allowed = std::max(allowed, *sent_ + std::max(interval, on_its_way_));
  bool is_new = due_ == Timestamp::never() && !std::exchange(is_put_off_, false);
  if (is_new) ++command_;
  from_ = is_new ? from : std::max(from_, from);
  due_ = std::min(due_, allowed);
  repeats_left_ = kRepeats;
}

void KeyframeWish::mark_sent(Timestamp now, Duration round_trip) {
  sent_ = now;
  on_its_way_ = round_trip * kOnItsWayHalves / 2;
  due_ = repeats_left_-- > 0 ? now + std::max(kRepeatAfter, round_trip * 2) : Timestamp::never();
}

InboundLayer::InboundLayer(std::uint32_t clock_rate, bool is_video, Duration round_trip)
    : nack(nack_config(is_video, round_trip)),
      clock(clock_rate),
      clock_rate_(clock_rate),
      is_video_(is_video) {}

void InboundLayer::begin_source(Timestamp now, std::uint32_t ssrc, std::int64_t index,
                                std::uint32_t rtp_time) {
  if (auto highest = window_.highest()) {
    sequence_offset_ += *highest + 1 - index;
    std::int64_t passed = (now - last_media).to_ticks(clock_rate_);
    unwrapper_.reset();
    time_offset_ = last_timestamp + std::max<std::int64_t>(passed, 1) - unwrapper_.peek(rtp_time);
    window_.start(index);
    nack = rtcp::NackGenerator(nack_config(is_video_, round_trip()));
    newest_keyframe_.reset();
    dependencies = {};
    clock = rtcp::SenderClock(clock_rate_);
  }
  ssrc_ = ssrc;
  goes_on_at = 0;
  handed_on.reset();
  is_mapped = false;
}

std::optional<std::int64_t> InboundLayer::extend(std::uint16_t sequence) const {
  auto highest = window_.highest();
  if (!highest) return std::nullopt;
  return rtcp::extend_sequence(*highest, sequence);
}

bool InboundLayer::admit(Timestamp now, std::int64_t index, std::uint32_t rtp_time, rtcp::PacketOrigin origin,
                         rtcp::NackOutputs& out) {
  if (!window_.insert(index)) return false;
  if (window_.highest() == index) newest_rtp_time_ = rtp_time;
  nack.handle_packet(now, static_cast<std::uint16_t>(index), origin, out);
  return true;
}

bool InboundLayer::handle_lost() {
  const auto missing = nack.first_missing();
  const auto end = missing ? extend(*missing) : highest() ? std::optional(*highest() + 1) : std::nullopt;
  return !end || dependencies.handle_lost(*end);
}

void InboundLayer::handle_media(Timestamp now, std::int64_t timestamp) {
  last_media = now;
  if (frames == 0 || timestamp > last_timestamp) ++frames;
  last_timestamp = std::max(last_timestamp, timestamp);
  has_ended = false;
}

void InboundLayer::handle_keyframe(std::int64_t index, std::uint32_t rtp_time, bool starts_frame) {
  if (newest_keyframe_ && newest_keyframe_->rtp_time == rtp_time) {
    newest_keyframe_->index = std::min(newest_keyframe_->index, index);
  } else if (starts_frame && (!newest_keyframe_ || index > newest_keyframe_->index)) {
    newest_keyframe_ = {index, rtp_time};
  }
  const bool is_known = newest_keyframe_ && newest_keyframe_->rtp_time == rtp_time;
  keyframe.handle_keyframe(sequence_of(is_known ? newest_keyframe_->index : index));
}

void InboundLayer::end(Timestamp now) {
  has_ended = true;
  ended_at_ = now;
  is_active = false;
  keyframe.drop();
  nack = rtcp::NackGenerator(nack_config(is_video_, round_trip()));
}

void InboundLayer::go_on(std::int64_t index) {
  if (handed_on) sequence_offset_ -= index - 1 - *handed_on;
  goes_on_at = index;
  keyframe.drop();  // Its numbers are those of before.
}

bool InboundLayer::is_ended(Timestamp now) const { return has_ended && now - ended_at_ < kByeHold; }

}  // namespace stoa::webrtc
