// One section of one receiver: where it is in a layer, and how that layer's numbers become its own.
//
// A run is a stretch of one layer, sent with the same offsets. A new one begins where the layer or the stream
// changes, where the receiver fell behind, and where it is given a keyframe once more; numbers go on without
// a hole there, unless a frame was left in its middle. One begins, too, where more or fewer layers of a
// stream are sent; what is missing before it keeps its numbers there. The last few runs are remembered, so
// that an outgoing number finds its packet.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>

#include "session/webrtc/frame_rates.h"
#include "session/webrtc/header.h"
#include "session/webrtc/retransmit.h"
#include "session/webrtc/stream.h"

namespace stoa::webrtc {

// The state of one layer of one stream, and who is fed from it.
struct OutletRef {
  SenderId sender;
  std::uint16_t outlet = 0;
};
// The lists that an outlet may be in, one each.
enum class Role : std::uint8_t { kFed, kWaiting, kSubscribed };
inline constexpr std::size_t kRoles = 3;

struct Layer {
  Layer(const HistoryLimits& limits, const payload::RtpTrack& track, StreamId of, payload::LayerIndex at)
      : history(limits, track.encoding, track.can_ask_keyframe ? std::nullopt : std::optional(kGroupLimits)),
        stream(of),
        index(at),
        can_ask(track.can_ask_keyframe),
        may_be_scalable(track.may_be_scalable()),
        clock_rate(track.clock_rate()) {}

  WallTime captured_at(std::int64_t timestamp) const {
    return clock->captured_at + Duration::from_ticks(timestamp - clock->timestamp, clock_rate);
  }

  History history;
  FrameRates rates;
  StreamId stream;
  payload::LayerIndex index;
  bool can_ask;  // For a keyframe.
  bool may_be_scalable;
  std::uint32_t clock_rate;
  std::optional<payload::ClockMapping> clock;  // On the history's line of timestamps.
  Timestamp appended_at;                       // The newest packet: those that are repeated come later.
  bool is_alive = false;                       // Packets came, and it did not fall silent.
  bool is_dirty = false;                       // In the list of those with new packets.
  bool is_wanted = false;                      // In the list of those that need a keyframe …
  Timestamp wanted_at;                         // … since.
  Position wanted_from = 0;                    // One from here on grants it.
  std::optional<Timestamp> asked_at;           // When its publisher was asked last.
  bool is_group_too_large = false;  // To be kept here: no use in wishing for it before the next keyframe.
  std::size_t turn = 0;             // Who is the first to be sent the next packets, of `fed`.
  std::vector<OutletRef> fed;       // Those who send its packets.
  std::vector<OutletRef> waiting;   // Those who will from its next keyframe on.
};

struct Run {
  // Cached frames are drawn together by this factor: a group of two seconds into 60 ms, which is less than
  // the time it takes to send it. So a browser does not play it at its own speed but hurries through it.
  static constexpr std::int64_t kCatchUp = 32;
  // Where a run had to begin later than the clock says, one tick in so many is left out until it is right.
  static constexpr std::int64_t kSettle = 8;

  StreamId stream;
  std::uint32_t epoch = 0;
  payload::LayerIndex layer = 0;
  std::uint8_t tl0_offset = 0, key_offset = 0;
  std::uint16_t picture_offset = 0, frame_offset = 0;
  bool rewrites_pictures = false;
  std::int64_t first_out = 0;
  std::int64_t first_source = 0;
  std::int64_t entered_out = 0;  // first_out of the run that this one goes on with, of another level.
  Level level;
  bool goes_on = false;  // Where the run before it ends, with all of its offsets.
  std::uint16_t pictures_above = 0;
  std::uint32_t packets_above = 0;    // History::above() where it begins.
  std::int64_t timestamp_offset = 0;  // From the history's timestamps.
  std::int64_t edge = 0;              // Timestamp of the source where live begins.
  std::int64_t excess = 0;            // Ticks ahead of the clock at the edge.

  // Of a packet that is left out: what the next has that is not.
  std::int64_t out_of(const History& history, Position at) const {
    const std::int64_t out = history.slot(at).sequence - first_source + first_out;
    return out - static_cast<std::int32_t>(history.above(at).packets[level.index()] - packets_above);
  }
  // Where nothing is left out.
  std::int64_t source_of(std::int64_t out) const { return out - first_out + first_source; }
  std::optional<Position> find(const History& history, std::int64_t out) const {
    return history.find_in_level(level, packets_above, source_of(out));
  }
  bool leaves_out(const History& history, Position at) const { return history.is_left_out(at, level); }
  // Added to the source's picture id.
  std::uint16_t picture_shift(const History& history, Position at) const {
    if (level.temporal == kFullRate) return picture_offset;
    return static_cast<std::uint16_t>(picture_offset - history.above(at).pictures[level.temporal] +
                                      pictures_above);
  }
  void set_level(const History& history, Position at, Level to);
  // Grows strictly with its argument, by at least a kCatchUp-th.
  std::int64_t timestamp_of(std::int64_t timestamp) const {
    if (timestamp < edge)
      return edge - (edge - timestamp + kCatchUp - 1) / kCatchUp + timestamp_offset + excess;
    const std::int64_t ahead = excess - (timestamp - edge) / kSettle;
    return timestamp + timestamp_offset + (ahead > 0 ? ahead : 0);
  }
};

struct Outlet {
  static constexpr std::size_t kRuns = 8;
  static constexpr std::uint16_t kNone = 0xffff;

  // Hot: what a packet needs.
  Layer* feed = nullptr;
  Position cursor = 0;
  std::int64_t next_out = 0;
  std::int64_t last_timestamp = 0, last_source_timestamp = 0;  // Of the newest packet sent.
  Timestamp last_arrived;
  bool has_sent = false, ends_frame = true;  // The newest packet sent was the last of its frame.
  bool is_red_called_for = true;
  bool is_open = false, is_video = true, is_queued = false, can_repeat = false;
  std::uint8_t run_count = 0;
  Level level;  // Where it is to come to; the run's is where it is.
  std::uint16_t next_queued = kNone;
  std::array<Run, kRuns> runs;  // The newest is runs[run_count - 1].
  HeaderTemplate header;
  std::uint32_t ssrc = 0, rtx_ssrc = 0;
  std::uint8_t payload_type = 0, rtx_payload_type = 0, red_payload_type = 0;
  bool has_rtx = false, has_red = false;
  std::uint16_t reported_to = 0;                   // By receiver reports.
  bool tells_playout = false;                      // Until a report shows that a packet with it came.
  std::optional<std::uint16_t> playout_told_from;  // The first number sent with it.
  std::uint16_t rtx_sequence = 0;
  std::uint16_t last_picture = 0, last_frame = 0;
  std::uint8_t last_tl0 = 0, last_key = 0;
  // Packets before it went out in another form: under one key none may follow under the same number.
  std::int64_t repeats_from = std::numeric_limits<std::int64_t>::min();
  // Packets before it are of a higher layer than what it was brought down to: mostly since a line became
  // narrow, where they would stand before the keyframe behind which nobody needs them.
  std::int64_t over_before = std::numeric_limits<std::int64_t>::min();
  std::unique_ptr<Retransmissions> again;

  // Where it should be fed from.
  StreamId source;
  payload::LayerIndex layer_max = payload::kLayersMax - 1;  // Of simulcast, or a spatial layer.
  std::uint32_t frames_wanted = 0;                          // A second. 0: all.
  Layer* waits_for = nullptr;                               // For a keyframe of this one.
  Position waits_from = 0;
  Timestamp waits_since;
  payload::Encoding encoding = payload::Encoding::kH264;
  bool has_nack = false, has_ccfb = false;
  std::optional<WallTime> last_captured;          // Known when the stream that fed it is gone.
  std::optional<std::int64_t> replayed_keyframe;  // Of the source: what was sent again when asked for.
  Timestamp replayed_at, keyframe_sent_at;
  Timestamp begun_at;         // The run, or what is replayed: nothing waits for the pacer since before.
  Position replay_until = 0;  // What it is sent of the past ends here; replayed_at is when it came to that.
  // RFC 5104 §4.3.1.1: who asks counts its requests, and repeats one under the same number.
  struct FullIntraRequest {
    std::uint32_t sender_ssrc = 0;
    std::uint8_t sequence = 0;
    bool operator==(const FullIntraRequest&) const = default;
  };
  std::optional<FullIntraRequest> intra_request;
  std::array<std::uint32_t, kRoles> places{};  // In the lists.
  OutletStats stats;

  // From here on packets may have another form than those before, which are not repeated then.
  void end_repeats() {
    if (!can_repeat) return;
    repeats_from = next_out;
    again.reset();
  }
  void set_red(std::optional<std::uint8_t> type) {
    has_red = type.has_value();
    red_payload_type = type.value_or(0) & 0x7f;
  }
  // A retransmission stream repairs the payload type without redundancy (its apt), so it has none.
  bool sends_red(const payload::Packet& packet, bool is_rtx) const {
    return has_red && is_red_called_for && packet.red_bytes > 0 && !is_rtx;
  }
  Run& run() { return runs[run_count - 1u]; }
  const Run& run() const { return runs[run_count - 1u]; }
  bool has_run() const { return run_count > 0; }
  // A probe may be filled on its retransmission stream.
  bool can_pad() const { return is_open && is_video && has_rtx; }
  void advance(Timestamp now, Position to) {
    if (cursor < replay_until && to >= replay_until) replayed_at = now;
    cursor = to;
  }
  // The run that this outgoing number was sent in. Null when that is not known any longer.
  const Run* find_run(std::int64_t out) const {
    for (std::size_t i = run_count; i-- > 0;)
      if (runs[i].first_out <= out) return &runs[i];
    return nullptr;
  }
  // Begins to send `feed` at `at`, whose first packet to go has the number `sequence`. `elapsed`: from the
  // newest packet sent to the newest of the layer (video) or to this one (audio: it is never drawn together).
  // Requires: feed, at >= begin().
  void begin_run(Position at, std::int64_t sequence, Duration elapsed);
  // From the packet at `at` on, the first of a picture or of a layer of it, other layers are sent. Requires:
  // feed, a run of its layer and epoch; nothing from there on was sent.
  void begin_level(Position at, Level to);
  // As far as `feed` has spatial layers. Requires: feed.
  SpatialLevel spatial_wanted() const {
    return feed->may_be_scalable && layer_max < kSpatialLevels ? layer_max : kFullSize;
  }
  // Whether a run that goes on with this one begins behind this packet, in the middle of its picture.
  bool goes_on_behind(const Run& run, const History& history, Position at) const;
  // The run that a packet of `feed` is sent in. Null: it is of the time before all that are known.
  const Run* run_of(std::int64_t sequence) const {
    return run().first_source <= sequence ? &run() : find_earlier(sequence);
  }
  void note_picture(const PictureFields& fields, const Run& run, std::uint16_t picture_shift);

 private:
  const Run* find_earlier(std::int64_t sequence) const;
  void push(const Run& begun);
};

}  // namespace stoa::webrtc
