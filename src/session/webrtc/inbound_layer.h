// One layer of a track as it is received: its numbers, which go on when the SSRC that carries it changes,
// what came before, what is missing, and when a keyframe is to be asked for.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "base/time.h"
#include "media/payload/packet.h"
#include "proto/rtcp/nack_generator.h"
#include "proto/rtcp/sender_clock.h"
#include "proto/rtp/unwrap.h"
#include "session/webrtc/inbound_frames.h"

namespace stoa::webrtc {

// Which numbers came, of the last kPackets of a stream. 256 bytes.
class ReceivedWindow {
 public:
  static constexpr std::int64_t kPackets = 2048;

  // Forgets all. Nothing before `first` is wanted.
  void start(std::int64_t first) {
    first_ = first;
    is_started_ = false;
  }
  // False when it came before, or is so old that nobody knows.
  bool insert(std::int64_t index);
  std::optional<std::int64_t> highest() const { return is_started_ ? std::optional(highest_) : std::nullopt; }

 private:
  std::uint64_t& word(std::int64_t index) { return bits_[static_cast<std::uint64_t>(index) % kPackets / 64]; }
  static std::uint64_t bit(std::int64_t index) {
    return std::uint64_t{1} << (static_cast<std::uint64_t>(index) % 64);
  }

  std::array<std::uint64_t, kPackets / 64> bits_{};
  std::int64_t first_ = 0, highest_ = 0;
  bool is_started_ = false;
};

// When to ask for a keyframe: at most once in `interval`, and again when none comes of it. While one may be
// on its way nobody asks: what a request brings was sent after all that is missed before its answer can be
// here.
class KeyframeWish {
 public:
  static constexpr int kRepeats = 3;
  static constexpr Duration kRepeatAfter = Duration::seconds(1);
  // Of a round trip, in halves: how long an encoder and its pacer may take for the answer.
  static constexpr int kOnItsWayHalves = 3;
  static constexpr std::int64_t kAnyKeyframe = std::numeric_limits<std::int64_t>::min();

  // The first keyframe that comes from now on and has at least the number `from`, as receivers see it, ends
  // the wish, sent for the first time or again. Of several wishes the highest number counts.
  void request(Timestamp now, Duration interval, std::int64_t from = kAnyKeyframe);
  // Nobody is asked before that.
  void hold(Timestamp until) {
    held_until_ = until;
    if (due_ != Timestamp::never()) due_ = std::max(due_, until);
  }
  // Asked. It is due again when no keyframe comes.
  void mark_sent(Timestamp now, Duration round_trip);
  // Nobody would answer: it waits for resume().
  void put_off() {
    due_ = Timestamp::never();
    is_put_off_ = true;
  }
  void resume(Timestamp now) {
    if (std::exchange(is_put_off_, false)) due_ = std::max(now, held_until_);
  }
  void handle_keyframe(std::int64_t sequence) {
    if (sequence < from_) return;
    drop();
    on_its_way_ = {};
  }
  void drop() {
    due_ = Timestamp::never();
    is_put_off_ = false;
  }
  Timestamp due() const { return due_; }
  // Of FIR: grows with each new wish, stays for one that is repeated (RFC 5104 §4.3.1.2).
  std::uint8_t command() const { return command_; }

 private:
  Timestamp due_ = Timestamp::never();
  std::optional<Timestamp> sent_;
  Timestamp held_until_;
  Duration on_its_way_;  // After sent_.
  std::int64_t from_ = kAnyKeyframe;
  int repeats_left_ = 0;
  bool is_put_off_ = false;
  std::uint8_t command_ = 0;
};

class InboundLayer {
 public:
  // Packets that were sent before a BYE arrive within this after it.
  static constexpr Duration kByeHold = Duration::milliseconds(500);

  InboundLayer(std::uint32_t clock_rate, bool is_video, Duration round_trip);

  // Packets of a new SSRC carry the layer from here on. Numbers go on: its first packet follows the last of
  // the one before, and its timestamps go on by the time that passed.
  void begin_source(Timestamp now, std::uint32_t ssrc, std::int64_t index, std::uint32_t rtp_time);
  // The number nearest to where the stream stands; nothing before the first packet.
  std::optional<std::int64_t> extend(std::uint16_t sequence) const;
  // False for a duplicate. Says which are given up, and what is missing is asked for from now on.
  bool admit(Timestamp now, std::int64_t index, std::uint32_t rtp_time, rtcp::PacketOrigin origin,
             rtcp::NackOutputs& out);
  // The numbers of an admitted packet, as receivers see them.
  std::int64_t sequence_of(std::int64_t index) const { return index + sequence_offset_; }
  std::int64_t timestamp_of(std::uint32_t rtp_time) { return unwrapper_.unwrap(rtp_time) + time_offset_; }
  std::uint32_t last_rtp_time() const { return static_cast<std::uint32_t>(unwrapper_.last().value_or(0)); }
  // Of another time of the same clock, without consequences.
  std::int64_t peek_timestamp(std::uint32_t rtp_time) const {
    return unwrapper_.peek(rtp_time) + time_offset_;
  }
  void handle_media(Timestamp now, std::int64_t timestamp);
  // A packet of a keyframe. starts_frame: certainly its first.
  void handle_keyframe(std::int64_t index, std::uint32_t rtp_time, bool starts_frame);
  // Whether a keyframe that began behind it came. What is missing just before one may be its parameter sets.
  bool is_healed(std::int64_t index) const { return newest_keyframe_ && newest_keyframe_->index > index + 1; }
  // What is missing and not asked for any more will not come. True: only a keyframe helps.
  bool handle_lost();
  // The sender said BYE: nothing is missing any more.
  void end(Timestamp now);

  // It was put aside, and goes on with this packet: receivers see no hole, since nothing will come there.
  void go_on(std::int64_t index);

  std::optional<std::uint32_t> ssrc() const { return ssrc_; }
  // The newest number; nothing before the first packet.
  std::optional<std::int64_t> highest() const { return window_.highest(); }
  // The packet that has it.
  struct Newest {
    std::int64_t index = 0;
    std::uint32_t rtp_time = 0;
  };
  std::optional<Newest> newest() const {
    return highest() ? std::optional(Newest{*highest(), newest_rtp_time_}) : std::nullopt;
  }
  Duration round_trip() const { return nack.round_trip(); }
  void set_round_trip(Duration round_trip) { nack.set_round_trip(round_trip); }
  Timestamp ended_at() const { return ended_at_; }  // Of has_ended.
  // Packets that come this soon after a BYE were under way.
  bool is_ended(Timestamp now) const;

  rtcp::NackGenerator nack;
  rtcp::SenderClock clock;
  KeyframeWish keyframe;
  InboundFrames dependencies;
  std::uint64_t packets = 0, bytes = 0;   // That were admitted.
  std::uint64_t frames = 0;               // By their timestamps.
  std::uint64_t nacks = 0, plis = 0;      // Packets and keyframes asked for.
  std::uint64_t with_red = 0;             // Of them, with redundancy.
  bool is_active = false;                 // Carries packets now.
  bool has_ended = false;                 // BYE, and nothing since.
  bool is_mapped = false;                 // Receivers know of its clock.
  std::int64_t goes_on_at = 0;            // What is before it was put aside, …
  std::optional<std::int64_t> handed_on;  // … what is behind this, the newest that was handed on.
  Timestamp aside_until;                  // At most.
  Timestamp repaired_from;                // What is missing is asked for; before, a keyframe is on its way.
  Timestamp last_media;                   // Once it was active.
  std::int64_t last_timestamp = 0;

 private:
  std::uint32_t clock_rate_;
  bool is_video_;
  std::optional<std::uint32_t> ssrc_;
  ReceivedWindow window_;
  rtp::TimestampUnwrapper unwrapper_;
  std::uint32_t newest_rtp_time_ = 0;
  std::int64_t sequence_offset_ = 0, time_offset_ = 0;
  std::optional<Newest> newest_keyframe_;  // Its first packet that is known.
  Timestamp ended_at_;
};

}  // namespace stoa::webrtc
